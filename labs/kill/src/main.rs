//! Process death at scale, through the core alone: `rfmalloc-lab-kill [--kills N] [--seed S] [--minutes M] [--lanes L] [--per-file P]
//! [--dir D]`.
//!
//! Each round starts this program again as a child of one to eight threads, which tell of every act in a journal that outlives them; kills
//! it at an instant that the seed chooses; and compares the file with a model of what was told. A file lives through P deaths. Every tenth
//! round a copy of it is opened as after a machine crash, and every twenty-fifth the file itself goes on in a new boot. First come
//! children that lie, which the check must find out. Node's side of the same is scripts/kill.mjs.

mod check;
mod child;
mod journal;
mod model;
mod rng;

use child::{DEATHS, Death, Job, Lie, Own, journal_path, store_path};
use journal::Kind;
use model::{Model, State};
use rng::Rng;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A child that lives longer hangs, which is a finding.
const PATIENCE_SECONDS: u32 = 60;

fn chosen_threads(rng: &mut Rng) -> u64 {
    match rng.below(100) {
        0..=39 => 1,
        40..=64 => 2,
        65..=84 => 3 + rng.below(2),
        _ => 5 + rng.below(4),
    }
}

fn chosen_death(rng: &mut Rng) -> (Death, u64) {
    let soon = |rng: &mut Rng| {
        let x = rng.below(1000);
        x * x * x * 3 / 1_000_000
    };
    match rng.below(100) {
        0..=64 => {
            let most = if rng.below(4) == 0 { 60_000 } else { 12_000 };
            (DEATHS[0], rng.below(most))
        }
        65..=84 => (Death::Close, soon(rng)),
        85..=89 => (Death::Exit, if rng.below(4) == 0 { u64::MAX } else { soon(rng) }),
        90..=93 => (Death::Term, rng.below(12_000)),
        _ => (Death::Early, rng.below(5000)),
    }
}

/// Runs a child to its death; what is wrong with its end.
fn die(job: &Job) -> Result<(), String> {
    let mut child = Command::new(std::env::current_exe().map_err(|e| e.to_string())?)
        .args(["child", &job.folder.display().to_string(), &job.encode()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| e.to_string())?;
    let pid = child.id() as i32;
    let mut line = String::new();
    if job.death != Death::Early
        && let Some(out) = child.stdout.take()
    {
        let _ = BufReader::new(out).read_line(&mut line);
    }
    let signal = match job.death {
        Death::Kill | Death::Early => Some(libc::SIGKILL),
        Death::Term => Some(libc::SIGTERM),
        Death::Close | Death::Exit => None,
    };
    if let Some(signal) = signal {
        std::thread::sleep(Duration::from_micros(job.micros));
        // SAFETY: a child of ours that has not been waited for.
        unsafe { libc::kill(pid, signal) };
    }
    let mut said = String::new();
    if let Some(mut err) = child.stderr.take() {
        let _ = err.read_to_string(&mut said);
    }
    let status = child.wait().map_err(|e| e.to_string())?;
    if ended_well(job, status) { Ok(()) } else { Err(format!("the process ended with {status}: {said}")) }
}

fn ended_well(job: &Job, status: ExitStatus) -> bool {
    match job.death {
        Death::Kill | Death::Close | Death::Early => status.signal() == Some(libc::SIGKILL),
        Death::Term => status.signal() == Some(libc::SIGTERM),
        Death::Exit => status.signal() == Some(libc::SIGKILL) || status.code() == Some(0),
    }
}

#[derive(Default)]
struct Tally {
    kills: u64,
    acts: u64,
    flying: u64,
    crashes: u64,
    boots: u64,
    /// Killed before there was a store.
    unborn: u64,
    deaths: BTreeMap<String, u64>,
}

/// One file and its history.
struct Life {
    folder: PathBuf,
    model: Model,
    boot: u64,
    lie: Lie,
    /// Every how manieth round a copy is opened as after a machine crash.
    crash_every: u64,
    rounds: u64,
}

/// The first deaths of a file are early ones: most fall before it is a store, or just after.
const EARLY_ROUNDS: u64 = 12;

impl Life {
    fn new(root: &Path, seed: u64, lie: Lie, crash_every: u64) -> Self {
        let folder = root.join(format!("rfmalloc-lab-kill-{}-{seed}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).expect("a folder for the store");
        let mut model = Model::default();
        match Rng::new(seed ^ 0xba11).below(4) {
            0 => check::ballast(&store_path(&folder), &mut model, 1).expect("a store with ballast"),
            // Initialised in place.
            1 => std::fs::write(store_path(&folder), []).expect("an empty file"),
            _ => {}
        }
        Self { folder, model, boot: 1, lie, crash_every, rounds: 0 }
    }

    fn round(&mut self, seed: u64, tally: &mut Tally) -> Vec<String> {
        let mut rng = Rng::new(seed);
        let threads = chosen_threads(&mut rng);
        let (mut death, mut micros) = chosen_death(&mut rng);
        self.rounds += 1;
        if self.rounds <= EARLY_ROUNDS && self.lie == Lie::None {
            (death, micros) = (Death::Early, rng.below(5000));
        }
        let own = self.model.objects.iter().filter_map(|(generation, o)| match o.state() {
            State::Live(name) if !o.loser && o.id != check::UNKNOWN => {
                Some(Own { thread: o.thread, id: o.id, generation: *generation, name })
            }
            _ => None,
        });
        let job = Job {
            folder: self.folder.clone(),
            boot: self.boot,
            seed,
            threads,
            death,
            micros,
            full: rng.below(6) == 0,
            sync_ms: [0, 1, 20, 5000][rng.below(4) as usize],
            lie: self.lie,
            own: own.filter(|o| o.thread < threads).collect(),
        };
        let mut problems: Vec<String> = die(&job).err().into_iter().collect();
        let told: Vec<_> =
            (0..threads).map(|thread| journal::read(&journal_path(&self.folder, thread))).collect();
        for thread in 0..threads {
            let _ = std::fs::remove_file(journal_path(&self.folder, thread));
        }
        let (flying, done) = self.model.apply(&told, job.full, &mut problems);
        tally.acts += done;
        tally.flying += flying.count;
        *tally.deaths.entry(format!("{death:?}")).or_default() += 1;
        let path = store_path(&self.folder);
        if self.model.highest == 0 && !check::is_store(&path) {
            // Killed before it had made a store of the file: then nothing may have been told.
            if done > 0 {
                problems.push("there is no store".into());
            }
            problems.extend(check::litter(&self.folder));
            tally.kills += 1;
            tally.unborn += 1;
            return problems;
        }
        if rng.below(self.crash_every) == 0 {
            tally.crashes += 1;
            let copy = self.folder.join("copy.fm");
            let mut after = self.model.clone();
            problems.extend(match std::fs::copy(&path, &copy) {
                Ok(_) => check::check(&copy, &mut after, &flying, self.boot + 1, true, true),
                Err(e) => vec![format!("cannot be copied: {e}")],
            });
            if problems.is_empty() {
                problems.extend(check::recover(&copy, &mut after, self.boot + 1));
            }
            mark(&mut problems, "as after a machine crash");
        }
        if rng.below(25) == 0 {
            tally.boots += 1;
            self.boot += 1;
            let crashed = check::check(&path, &mut self.model, &flying, self.boot, true, true);
            problems.extend(crashed);
            if problems.is_empty() {
                problems.extend(check::recover(&path, &mut self.model, self.boot));
            }
            mark(&mut problems, "in a new boot");
        } else {
            let read_only = rng.below(2) == 0;
            problems.extend(check::check(&path, &mut self.model, &flying, self.boot, read_only, false));
        }
        if !problems.is_empty() {
            problems.insert(
                0,
                format!("seed {seed}: {threads} threads, {death:?}, {micros} µs, full {}", job.full),
            );
        }
        tally.kills += 1;
        problems
    }
}

fn mark(problems: &mut [String], how: &str) {
    for p in problems {
        *p = format!("{how}: {p}");
    }
}

struct Args {
    kills: u64,
    seed: u64,
    until: Option<Instant>,
    lanes: u64,
    per_file: u64,
    dir: Option<PathBuf>,
}

fn roots() -> [PathBuf; 2] {
    let memory = PathBuf::from("/dev/shm");
    [if memory.is_dir() { memory } else { std::env::temp_dir() }, std::env::temp_dir()]
}

/// Lanes take files from a counter until all kills are done, or one has failed; what has failed.
fn run(args: &Args, tally: &Mutex<Tally>) -> Option<String> {
    let next = AtomicU64::new(0);
    let stop = AtomicBool::new(false);
    let failure = Mutex::new(None);
    let begun = Instant::now();
    let shown = Mutex::new(begun);
    std::thread::scope(|scope| {
        for lane in 0..args.lanes {
            let (next, stop, failure, shown) = (&next, &stop, &failure, &shown);
            scope.spawn(move || {
                let root = args.dir.clone().unwrap_or_else(|| roots()[(lane % 2) as usize].clone());
                while !stop.load(Ordering::SeqCst) {
                    let first = next.fetch_add(args.per_file, Ordering::SeqCst);
                    if first >= args.kills {
                        return;
                    }
                    let mut life = Life::new(&root, args.seed + first, Lie::None, 10);
                    for n in first..args.kills.min(first + args.per_file) {
                        if stop.load(Ordering::SeqCst) || args.until.is_some_and(|u| Instant::now() > u) {
                            break;
                        }
                        let mut mine = Tally::default();
                        let problems = life.round(args.seed + n, &mut mine);
                        let kills = add(tally, mine);
                        let mut last = shown.lock().expect("unpoisoned");
                        if last.elapsed() > Duration::from_secs(30) {
                            *last = Instant::now();
                            println!("{} s: {kills} deaths", begun.elapsed().as_secs());
                        }
                        if !problems.is_empty() {
                            stop.store(true, Ordering::SeqCst);
                            *failure.lock().expect("unpoisoned") = Some(format!(
                                "{}\nkept: {}\nagain: --lanes 1 --seed {} --kills {} --per-file {}",
                                problems.join("\n"),
                                life.folder.display(),
                                args.seed + first,
                                n - first + 1,
                                n - first + 1
                            ));
                            return;
                        }
                    }
                    let _ = std::fs::remove_dir_all(&life.folder);
                }
            });
        }
    });
    failure.into_inner().expect("unpoisoned")
}

fn add(tally: &Mutex<Tally>, mine: Tally) -> u64 {
    let mut sum = tally.lock().expect("unpoisoned");
    sum.kills += mine.kills;
    sum.acts += mine.acts;
    sum.flying += mine.flying;
    sum.crashes += mine.crashes;
    sum.boots += mine.boots;
    sum.unborn += mine.unborn;
    for (how, n) in mine.deaths {
        *sum.deaths.entry(how).or_default() += n;
    }
    sum.kills
}

/// Children that lie: how many of the lies were found out.
fn lies(seed: u64) -> (u64, u64) {
    let (mut found, mut missed) = (0, 0);
    for kind in [Kind::Write, Kind::Destroy, Kind::Name, Kind::Sync] {
        let mut life = Life::new(&roots()[0], seed, Lie::Skips(kind), 1);
        let rounds = 60;
        let found_out = (0..rounds).find_map(|n| {
            let problems = life.round(seed + n, &mut Tally::default());
            (!problems.is_empty()).then(|| (n + 1, problems.get(1).cloned().unwrap_or_default()))
        });
        if let Some((n, how)) = found_out {
            println!("ok: who acknowledges {kind:?} without doing it is found out in round {n}: {how:.160}");
            found += 1;
        } else {
            println!("not ok: {rounds} rounds of lies about {kind:?} were believed");
            missed += 1;
        }
        let _ = std::fs::remove_dir_all(&life.folder);
    }
    (found, missed)
}

fn main() {
    let mut words = std::env::args().skip(1);
    let mut args = Args { kills: 2000, seed: 0, until: None, lanes: 3, per_file: 250, dir: None };
    args.seed = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(1, |d| u64::from(d.subsec_nanos()));
    while let Some(word) = words.next() {
        let value = words.next().unwrap_or_default();
        let number = || value.parse::<u64>().unwrap_or_else(|_| usage());
        match word.as_str() {
            "child" => {
                // SAFETY: the default action of SIGALRM ends the process.
                unsafe { libc::alarm(PATIENCE_SECONDS) };
                child::live(Job::decode(PathBuf::from(value), &words.next().unwrap_or_default()))
            }
            "--kills" => args.kills = number(),
            "--seed" => args.seed = number(),
            "--minutes" => args.until = Some(Instant::now() + Duration::from_secs(60 * number())),
            "--lanes" => args.lanes = number().max(1),
            "--per-file" => args.per_file = number().max(1),
            "--dir" => args.dir = Some(PathBuf::from(value)),
            _ => usage(),
        }
    }
    println!(
        "seed {}, {} deaths in {} lanes, {} on each file",
        args.seed, args.kills, args.lanes, args.per_file
    );
    let (found, missed) = lies(args.seed);
    let begun = Instant::now();
    let tally = Mutex::new(Tally::default());
    let failure = run(&args, &tally);
    let tally = tally.into_inner().expect("unpoisoned");
    let seconds = begun.elapsed().as_secs_f64();
    println!(
        "{} deaths in {seconds:.0} s, {:.1} a second; {} acts acknowledged, {} died in the act; {} copies opened as after a machine crash, \
         {} files gone on in a new boot, {} killed before there was a store; {:?}",
        tally.kills,
        tally.kills as f64 / seconds,
        tally.acts,
        tally.flying,
        tally.crashes,
        tally.boots,
        tally.unborn,
        tally.deaths
    );
    let idle = tally.acts == 0 && failure.is_none();
    if idle {
        println!("not ok: no act was ever acknowledged, so nothing was tested");
    }
    let broken = u64::from(failure.is_some() || idle);
    if let Some(text) = failure {
        println!("not ok: {text}");
    }
    println!("{} passed, {} failed", tally.kills - broken.min(tally.kills) + found, broken + missed);
    std::process::exit(i32::from(broken + missed > 0))
}

fn usage() -> ! {
    eprintln!(
        "usage: rfmalloc-lab-kill [--kills N] [--seed S] [--minutes M] [--lanes L] [--per-file P] [--dir D]"
    );
    std::process::exit(2)
}
