//! Figures of the core through its public API: one JSON line each, `{"name", "value", "unit", "beside", "peak"}`.
//!
//! `cargo run --release -p rfmalloc-core --example bench`; files go to the system's temporary folder (`TMPDIR`) and are removed.
//! Every figure is the median of its runs; `peak` is the process's highest resident set so far in MiB.

use rfmalloc_core::{Dtype, Event, Observer, OpenOptions, Store, Vector};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

const NAMES: usize = 1_000_000;

fn peak_mib() -> f64 {
    fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|s| {
            s.lines()
                .find(|l| l.starts_with("VmHWM:"))
                .and_then(|l| l.split_whitespace().nth(1)?.parse().ok())
        })
        .map_or(0.0, |kib: f64| kib / 1024.0)
}

fn line(name: &str, mut values: Vec<f64>, unit: &str, beside: &str) {
    values.sort_by(f64::total_cmp);
    let (low, mid, high) = (values[0], values[values.len() / 2], values[values.len() - 1]);
    println!(
        "{{\"name\":\"{name}\",\"value\":{mid:.4},\"unit\":\"{unit}\",\"beside\":\"{beside}{}runs {}, {low:.4} to {high:.4}\",\"peak\":{:.0}}}",
        if beside.is_empty() { "" } else { "; " },
        values.len(),
        peak_mib()
    );
}

fn runs(n: usize, mut f: impl FnMut() -> f64) -> Vec<f64> {
    (0..n).map(|_| f()).collect()
}

/// Counts barriers, so that "growth makes no sync call" is a number.
#[derive(Default)]
struct Counter {
    barriers: AtomicU64,
    lengths: AtomicU64,
}

impl Observer for Counter {
    fn after(&self, event: Event) {
        match event {
            Event::Barrier { .. } | Event::SyncAll => self.barriers.fetch_add(1, Ordering::Relaxed),
            Event::Length { .. } => self.lengths.fetch_add(1, Ordering::Relaxed),
            _ => 0,
        };
    }
}

fn open(path: &Path) -> Store {
    Store::open(path, &OpenOptions { sync_every: None, ..OpenOptions::default() }).expect("open").store
}

/// 10^6 named vectors of 8 doubles in a fresh file; millions a second.
fn create(path: &Path) -> f64 {
    let _ = fs::remove_file(path);
    let store = open(path);
    let bytes = [0x40u8; 64];
    let mut name = String::new();
    let from = Instant::now();
    for i in 0..NAMES {
        use std::fmt::Write;
        name.clear();
        let _ = write!(name, "vector-{i}");
        store.create(Dtype::Numeric, 8, &bytes, Some(&name)).expect("create");
    }
    let seconds = from.elapsed().as_secs_f64();
    store.close().expect("close");
    NAMES as f64 / seconds / 1e6
}

/// Open and first get with 10^6 names, milliseconds; and the first allocation, which derives the map, seconds.
fn open_get_derive(path: &Path) -> (f64, f64) {
    let from = Instant::now();
    let store = open(path);
    let found = store.open_name("vector-777777").expect("get").expect("there");
    let opened = from.elapsed().as_secs_f64() * 1e3;
    assert_eq!(found.facts().len, 8);
    let from = Instant::now();
    let temporary = store.reserve(Dtype::Raw, 1, true).expect("reserve");
    let derived = from.elapsed().as_secs_f64();
    drop(temporary);
    store.close().expect("close");
    (opened, derived)
}

/// 400 MB of fresh doubles: create and fill, seconds.
fn fill(path: &Path) -> f64 {
    let _ = fs::remove_file(path);
    let store = open(path);
    let from = Instant::now();
    let handle = store.reserve(Dtype::Numeric, 50_000_000, false).expect("reserve");
    let v = Vector::Object(handle);
    v.fill(0, 50_000_000, &1.5f64.to_le_bytes()).expect("fill");
    let seconds = from.elapsed().as_secs_f64();
    drop(v);
    store.close().expect("close");
    seconds
}

/// Ranged sync of one vector beside 512 MiB of unrelated dirty pages, milliseconds.
fn ranged_sync(path: &Path) -> Vec<f64> {
    let _ = fs::remove_file(path);
    let store = open(path);
    let mut dirty = store.reserve(Dtype::Raw, 512 << 20, false).expect("reserve");
    store.commit(&mut dirty, Some("dirty"), false).expect("commit");
    store.sync().expect("sync");
    let dirty = Vector::Object(dirty);
    let mut times = Vec::new();
    for i in 0..9u8 {
        dirty.fill(0, 512 << 20, &[i]).expect("fill");
        let one = store.create(Dtype::Numeric, 8, &[i; 64], Some(&format!("one-{i}"))).expect("create");
        let from = Instant::now();
        store.sync_object(&one).expect("sync");
        times.push(from.elapsed().as_secs_f64() * 1e3);
    }
    drop(dirty);
    times
}

/// Barriers while a file grows by 1 GiB in steps, after the first mutation's own.
fn growth(path: &Path) -> (f64, u64) {
    let _ = fs::remove_file(path);
    let counter = Arc::new(Counter::default());
    let observer: Arc<dyn Observer> = Arc::<Counter>::clone(&counter);
    let options = OpenOptions { sync_every: None, observer: Some(observer), ..OpenOptions::default() };
    let store = Store::open(path, &options).expect("open").store;
    let mut kept = vec![store.reserve(Dtype::Raw, 64, false).expect("reserve")];
    let before = counter.barriers.load(Ordering::Relaxed);
    for _ in 0..1024 {
        kept.push(store.reserve(Dtype::Raw, 1 << 20, false).expect("reserve"));
    }
    ((counter.barriers.load(Ordering::Relaxed) - before) as f64, counter.lengths.load(Ordering::Relaxed))
}

fn main() {
    let folder = std::env::temp_dir().join(format!("rfmalloc-bench-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("temporary folder");
    let path = folder.join("bench.fm");
    line(
        "create small named vectors",
        runs(3, || create(&path)),
        "M/s",
        "8 doubles, 10^6 names, fresh file, growth included",
    );
    let (opened, derived): (Vec<f64>, Vec<f64>) = (0..5).map(|_| open_get_derive(&path)).unzip();
    line("open with 10^6 names and first get", opened, "ms", "same process, hot page cache");
    line(
        "derive the free map of 10^6 records",
        derived,
        "s",
        "first allocation after open, its barriers included",
    );
    line("fill 400 MB of fresh numeric", runs(5, || fill(&path)), "s", "create and fill");
    line("ranged sync of one vector", ranged_sync(&path), "ms", "512 MiB of unrelated dirty pages");
    let (barriers, steps) = growth(&path);
    line("sync calls during growth by 1 GiB", vec![barriers], "calls", &format!("{steps} growth steps"));
    let _ = fs::remove_dir_all(&folder);
}
