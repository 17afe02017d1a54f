//! Full and failing disks: see `docs/RELIABILITY.md`.
//!
//! `ci`: every system call of the workload fails once, and small disks of each kind are filled. `nightly [--seed S] [--minutes M]`: every
//! error each call may give, and two failures at a time at random. `calls SCENE CALL:N:ERRNO …` repeats one case.

mod calls;
mod child;
mod disks;
mod full;
mod inject;
mod model;
mod tally;
mod work;

use calls::{Campaign, scenes};
use disks::Kind;
use inject::{Board, Call, Plan};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tally::Tally;

/// A folder in memory where there is one: what is tested is not the disk's speed.
fn root() -> PathBuf {
    let shm = PathBuf::from("/dev/shm");
    let base = if shm.is_dir() { shm } else { std::env::temp_dir() };
    base.join(format!("rfmalloc-lab-disks.{}", std::process::id()))
}

fn plan(text: &str) -> Option<Plan> {
    let mut parts = text.rsplitn(3, ':');
    let errno = parts.next()?.parse().ok()?;
    let nth = parts.next()?.parse().ok()?;
    Some(Plan { call: Call::from_name(parts.next()?)?, nth, errno })
}

/// The value after an option.
fn number(args: &[String], option: &str) -> Option<u64> {
    let at = args.iter().position(|a| a == option)?;
    args.get(at + 1)?.parse().ok()
}

fn full_disks(root: &Path, kinds: &[Kind], only: Option<&str>, tally: &mut Tally) {
    match disks::private_mounts() {
        Ok(()) => full::all(root, kinds, only, tally),
        Err(why) => tally.skip("full disks", &why),
    }
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let root = root();
    let campaign =
        Campaign { board: Board::make(), root: root.clone(), verbose: args.iter().any(|a| a == "-v") };
    let mut tally = Tally::new();
    match args.first().map(String::as_str) {
        Some("ci") => {
            calls::planted(campaign.board, &root, &mut tally);
            full_disks(&root, &Kind::QUICK, None, &mut tally);
            if Campaign::is_possible(&mut tally) {
                campaign.singles(1, &mut tally);
            }
        }
        Some("nightly") => {
            let seed = number(&args, "--seed").unwrap_or_else(|| u64::from(std::process::id()));
            let minutes = number(&args, "--minutes").unwrap_or(20);
            println!("seed {seed}");
            full_disks(&root, &Kind::ALL, None, &mut tally);
            if Campaign::is_possible(&mut tally) {
                campaign.singles(usize::MAX, &mut tally);
                campaign.doubles(seed, Duration::from_secs(60 * minutes), &mut tally);
            }
        }
        Some("full") => {
            let kinds: Vec<Kind> =
                Kind::ALL.into_iter().filter(|k| args.get(1).is_none_or(|a| k.name() == a)).collect();
            full_disks(&root, &kinds, args.get(2).map(String::as_str), &mut tally);
        }
        Some("calls") if args.len() > 1 => {
            let Some(scene) = scenes().into_iter().find(|s| s.name() == args[1]) else {
                eprintln!("scenes: {}", scenes().iter().map(|s| s.name()).collect::<Vec<_>>().join(" "));
                std::process::exit(2);
            };
            let plans: Vec<Plan> = args[2..].iter().filter_map(|a| plan(a)).collect();
            if plans.is_empty() {
                for (call, n) in campaign.count(scene, &mut tally) {
                    println!("  {n:5} {}", call.name());
                }
            } else {
                campaign.one(scene, &plans, &mut tally);
            }
        }
        _ => {
            eprintln!(
                "usage: ci | nightly [--seed S] [--minutes M] | full [DISK FILL] | calls SCENE [CALL:N:ERRNO ...]"
            );
            std::process::exit(2);
        }
    }
    let _ = fs::remove_dir_all(&root);
    std::process::exit(i32::from(!tally.finish()));
}
