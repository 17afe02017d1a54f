//! `rfmalloc-lab-hostile [--count N] [--seed S] [--threads T]`: the corpus, then N mutated files.
//! `replay SEED:INDEX` tries one file of a run and tells its story; `keep SEED:INDEX NAME` puts it into the corpus.

use rfmalloc_lab_hostile::corpus;
use rfmalloc_lab_hostile::drive::{Bench, Depth};
use rfmalloc_lab_hostile::guard::{self, Counting};
use rfmalloc_lab_hostile::mutate::{Hostile, mutate};
use rfmalloc_lab_hostile::seeds::{self, BOOT, OTHER_BOOT, Seed};
use rfmalloc_lab_hostile::source::Source;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// One file in this many goes through the changes, too.
const CHANGED: u64 = 8;
/// After so many failures a run has told enough.
const MOST_FAILURES: usize = 20;

fn corpus_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

struct Folder(PathBuf);

impl Folder {
    fn new() -> std::io::Result<Self> {
        let memory = Path::new("/dev/shm");
        let base = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let dir = base.join(format!("rfmalloc-hostile-{}", std::process::id()));
        std::fs::create_dir_all(&dir)?;
        Ok(Self(dir))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The numbered file of a run, with the way it is tried.
fn file_of(seeds: &[Seed], seed: u64, index: u64) -> (Hostile, [u8; 16], Depth) {
    let mut s = Source::of_file(seed, index);
    let boot = if s.below(2) == 0 { BOOT } else { OTHER_BOOT };
    let depth = if s.one_in(CHANGED) { Depth::Change } else { Depth::Look };
    (mutate(&mut s, seeds), boot, depth)
}

struct Args {
    count: u64,
    seed: u64,
    threads: usize,
}

fn parse(args: &[String]) -> Option<Args> {
    let mut out = Args { count: 20_000, seed: 1, threads: 1 };
    for pair in args.chunks(2) {
        let [key, value] = pair else { return None };
        match key.as_str() {
            "--count" => out.count = value.parse().ok()?,
            "--seed" => out.seed = value.parse().ok()?,
            "--threads" => out.threads = value.parse().ok()?,
            _ => return None,
        }
    }
    Some(out)
}

fn numbers(text: &str) -> Option<(u64, u64)> {
    let (a, b) = text.split_once(':')?;
    Some((a.parse().ok()?, b.parse().ok()?))
}

fn main() -> std::io::Result<()> {
    guard::catch_crashes();
    guard::watch_for_hangs();
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let folder = Folder::new()?;
    let seeds = seeds::all(&folder.0)?;
    let failed = match words.as_slice() {
        ["replay", place] => replay(&folder.0, &seeds, numbers(place), None)?,
        ["keep", place, name] => replay(&folder.0, &seeds, numbers(place), Some(name))?,
        _ => {
            if let Some(args) = parse(&args) {
                run(&folder.0, &seeds, &args)?
            } else {
                println!(
                    "usage: [--count N] [--seed S] [--threads T] | replay SEED:INDEX | keep SEED:INDEX NAME"
                );
                1
            }
        }
    };
    drop(folder);
    std::process::exit(i32::from(failed > 0));
}

fn replay(dir: &Path, seeds: &[Seed], place: Option<(u64, u64)>, keep: Option<&str>) -> std::io::Result<u64> {
    let Some((seed, index)) = place else {
        println!("SEED:INDEX are two numbers");
        return Ok(1);
    };
    let (hostile, boot, depth) = file_of(seeds, seed, index);
    println!("{} (boot {}, {depth:?})", hostile.story, boot[0]);
    if let Some(name) = keep {
        let text = corpus::to_text(&hostile.story, &hostile.image, hostile.mode);
        std::fs::write(corpus_dir().join(format!("{name}.txt")), text)?;
    }
    guard::begin_file(0, seed, index);
    let done = Bench::new(dir, 0)?.try_file(&hostile, boot, depth);
    if let Err(what) = &done {
        println!("FAILED: {what}");
    }
    println!("{} passed, {} failed", u8::from(done.is_ok()), u8::from(done.is_err()));
    Ok(u64::from(done.is_err()))
}

/// Every file of the corpus, in both boots, with every step.
fn replay_corpus(dir: &Path) -> std::io::Result<(u64, u64)> {
    let (mut passed, mut failed) = (0, 0);
    let mut bench = Bench::new(dir, 0)?;
    for entry in corpus::load(&corpus_dir())? {
        let hostile =
            Hostile { image: entry.image, mode: entry.mode, story: entry.name, touched: Vec::new() };
        for boot in [BOOT, OTHER_BOOT] {
            guard::begin_file(0, 0, 0);
            match bench.try_file(&hostile, boot, Depth::Change) {
                Ok(()) => passed += 1,
                Err(what) => {
                    failed += 1;
                    println!("FAILED: corpus/{}.txt (boot {}): {what}", hostile.story, boot[0]);
                }
            }
        }
    }
    guard::end_file(0);
    println!("corpus: {passed} passed, {failed} failed");
    Ok((passed, failed))
}

fn run(dir: &Path, seeds: &[Seed], args: &Args) -> std::io::Result<u64> {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let (mut passed, mut failed) = replay_corpus(dir)?;
    let started = Instant::now();
    let next = AtomicU64::new(0);
    let failures = Mutex::new(Vec::new());
    let totals = Mutex::new((0u64, 0u64, 0u64, 0u64));
    std::thread::scope(|scope| {
        for thread in 0..args.threads.max(1) {
            let (next, failures, totals) = (&next, &failures, &totals);
            scope.spawn(move || {
                let Ok(mut bench) = Bench::new(dir, thread) else { return };
                let mut done = 0;
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= args.count {
                        break;
                    }
                    guard::begin_file(thread, args.seed, index);
                    let (hostile, boot, depth) = file_of(seeds, args.seed, index);
                    done += 1;
                    if let Err(what) = bench.try_file(&hostile, boot, depth) {
                        let mut list = lock(failures);
                        println!(
                            "FAILED: {what}\n  {}\n  again with: replay {}:{index}",
                            hostile.story, args.seed
                        );
                        list.push((index, what));
                        if list.len() >= MOST_FAILURES {
                            next.store(args.count, Ordering::Relaxed);
                        }
                    }
                }
                guard::end_file(thread);
                let mut t = lock(totals);
                *t = (t.0 + done, t.1 + bench.opens, t.2 + bench.granted, t.3 + bench.changed);
            });
        }
    });
    std::panic::set_hook(hook);
    let (done, opens, granted, changed) = *lock(&totals);
    let bad = lock(&failures).len() as u64;
    passed += done - bad;
    failed += bad;
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "{done} files (seed {}), {opens} opens, {granted} granted, {changed} stores changed, {seconds:.1} s: {:.0} files/s, {:.0} opens/s",
        args.seed,
        done as f64 / seconds,
        opens as f64 / seconds
    );
    println!("{passed} passed, {failed} failed");
    Ok(failed)
}

fn lock<T>(m: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    m.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
