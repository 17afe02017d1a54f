//! The programs of this crate: see `HELP`.

use rfmalloc_lab_crash::{creation, run, small, threads};
use std::process::ExitCode;
use std::time::Instant;

const HELP: &str = "\
images   [--count N] [--seed S] [--threads T] [NUMBERS]          random histories, N crash images
replay   SEED [NUMBERS] [--planted NAME]                         one history, with what happens in it
creation [--rounds N] [--seed S]                                 files in the making
threads  [--count N] [--seed S]                                  two to four threads at one store
small    [--acts N]                                              every workload of up to N acts (3)
mutants  [--images N] [--only NAME] [--nightly]                  planted faults, each must be caught
NUMBERS: [--short-leases] [--sparse-sequences]                   so that they are used up, or recur, within a few acts
";

struct Args(Vec<String>);

impl Args {
    fn after(&self, flag: &str) -> Option<&str> {
        self.0.iter().position(|a| a == flag).and_then(|i| self.0.get(i + 1)).map(String::as_str)
    }
    fn number(&self, flag: &str, default: u64) -> u64 {
        self.after(flag).and_then(|n| n.parse().ok()).unwrap_or(default)
    }
    fn has(&self, flag: &str) -> bool {
        self.0.iter().any(|a| a == flag)
    }
}

fn closing(passed: u64, failed: u64) -> ExitCode {
    println!("{passed} passed, {failed} failed");
    if failed == 0 && passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[cfg(feature = "mutants")]
fn numbers(args: &Args) {
    rfmalloc_core::mutants::sparse_sequences(Some(args.has("--sparse-sequences")));
    rfmalloc_core::mutants::short_leases(Some(args.has("--short-leases")));
}

#[cfg(not(feature = "mutants"))]
fn numbers(_args: &Args) {}

fn images(args: &Args) -> ExitCode {
    let (count, seed) = (args.number("--count", 10_000), args.number("--seed", 1));
    numbers(args);
    let from = Instant::now();
    let t = run::histories(count, seed, args.number("--threads", 1), 5);
    let secs = from.elapsed().as_secs_f64();
    for (seed, why) in &t.failures {
        println!("seed {seed}: {why}\n    replay {seed}");
    }
    println!(
        "{} images ({} inside recoveries), {} histories from seed {seed}, {} acts, {secs:.1} s, {:.0} images/s",
        t.images,
        t.nested,
        t.runs,
        t.acts,
        t.images as f64 / secs
    );
    closing(t.runs - t.failures.len() as u64, t.failures.len() as u64)
}

fn replay(args: &Args) -> ExitCode {
    let Some(seed) = args.0.get(1).and_then(|s| s.parse().ok()) else {
        eprint!("{HELP}");
        return ExitCode::FAILURE;
    };
    numbers(args);
    #[cfg(feature = "mutants")]
    let planted = args.after("--planted").and_then(|name| rfmalloc_lab_crash::mutants::replay(name, seed));
    #[cfg(not(feature = "mutants"))]
    let planted = None;
    let run = planted.unwrap_or_else(|| run::history(seed, true));
    for line in &run.trace {
        println!("{line}");
    }
    match &run.failure {
        None => println!("seed {seed}: {} images, no contradiction", run.images.0),
        Some(why) => println!("seed {seed}: {why}"),
    }
    closing(u64::from(run.failure.is_none()), u64::from(run.failure.is_some()))
}

fn creations(args: &Args) -> ExitCode {
    let (rounds, seed) = (args.number("--rounds", 3), args.number("--seed", 1));
    let from = Instant::now();
    let (mut images, mut failed) = (0, 0);
    for seed in seed..seed + rounds {
        let found = creation::all(seed);
        images += found.images;
        if let Some(why) = found.failure {
            println!("seed {seed}: {why}");
            failed += 1;
        }
    }
    println!("{images} images of creations and foreign files, {:.1} s", from.elapsed().as_secs_f64());
    closing(rounds - failed, failed)
}

fn several(args: &Args) -> ExitCode {
    let (count, first) = (args.number("--count", 3000), args.number("--seed", 1));
    let from = Instant::now();
    let (mut images, mut acts, mut runs, mut failed) = (0, 0, 0, 0);
    for seed in first.. {
        if images >= count || failed >= 5 {
            break;
        }
        let (i, a, failure) = threads::history(seed);
        images += i;
        acts += a;
        runs += 1;
        if let Some(why) = failure {
            // Threads meet differently each time: the seed gives the work, not the order.
            println!("seed {seed}: {why}");
            failed += 1;
        }
    }
    println!(
        "{images} images, {runs} histories from seed {first}, {acts} acts, {:.1} s",
        from.elapsed().as_secs_f64()
    );
    closing(runs - failed, failed)
}

fn smalls(args: &Args) -> ExitCode {
    let from = Instant::now();
    let found = small::all(args.number("--acts", 3) as usize, |_| {});
    for why in found.failures.iter().take(20) {
        println!("{why}");
    }
    let failed = found.failures.len() as u64;
    println!(
        "{} workloads, {} images, {} points with more combinations than were looked at, {:.1} s",
        found.workloads,
        found.images,
        found.cut_short,
        from.elapsed().as_secs_f64()
    );
    closing(found.workloads - failed, failed)
}

#[cfg(feature = "mutants")]
fn mutants(args: &Args) -> ExitCode {
    let from = Instant::now();
    let (passed, failed) = rfmalloc_lab_crash::mutants::all(
        args.number("--images", 10_000),
        args.has("--nightly"),
        args.after("--only"),
    );
    println!("{:.1} s", from.elapsed().as_secs_f64());
    closing(passed, failed)
}

#[cfg(not(feature = "mutants"))]
fn mutants(_args: &Args) -> ExitCode {
    eprintln!("built without the feature `mutants`");
    closing(0, 1)
}

fn main() -> ExitCode {
    let args = Args(std::env::args().skip(1).collect());
    match args.0.first().map(String::as_str) {
        Some("images") => images(&args),
        Some("replay") => replay(&args),
        Some("creation") => creations(&args),
        Some("threads") => several(&args),
        Some("small") => smalls(&args),
        Some("mutants") => mutants(&args),
        _ => {
            eprint!("{HELP}");
            ExitCode::FAILURE
        }
    }
}
