//! Does anything grow that should not? Each scenario is done N times, after some rounds that warm it up; then the bytes that live on the
//! Rust heap (and, through its callbacks, the C allocator's), descriptors, mappings, threads and the file's length must be what they were.
//! Counts, not times: the answer is the same on every run. `leak [N]`; N is 100 000 unless told.
//!
//! Resident memory is compared too, with 16 MiB to spare: the system's share that no counter of ours sees.

use rfmalloc_core::{Dtype, Handle, Mode, OpenOptions, Store, Vector};
use std::alloc::{GlobalAlloc, Layout, System};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;
use std::time::Duration;

/// Counts the bytes that are allocated now.
struct Counting;

static LIVE: AtomicI64 = AtomicI64::new(0);

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size() as i64, Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size() as i64, Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// What a process holds.
#[derive(Clone, Copy, Debug)]
struct Holdings {
    heap: i64,
    resident: i64,
    descriptors: i64,
    mappings: i64,
    threads: i64,
    files: i64,
}

fn entries(path: &str) -> i64 {
    fs::read_dir(path).map_or(0, |dir| dir.count() as i64)
}

impl Holdings {
    fn now(files: [&Path; 2]) -> Self {
        let status = fs::read_to_string("/proc/self/statm").unwrap_or_default();
        let pages: i64 = status.split(' ').nth(1).and_then(|n| n.parse().ok()).unwrap_or(0);
        Self {
            descriptors: entries("/proc/self/fd"),
            mappings: fs::read_to_string("/proc/self/maps").map_or(0, |m| m.lines().count() as i64),
            threads: entries("/proc/self/task"),
            files: files.iter().map(|f| fs::metadata(f).map_or(0, |m| m.len() as i64)).sum(),
            resident: pages * 4096,
            heap: LIVE.load(Ordering::Relaxed),
        }
    }

    /// What grew; tables that double may do so once more, hence the slack on heap and mappings.
    fn grown(&self, before: &Self) -> Vec<String> {
        let limits = [
            ("heap bytes", self.heap, before.heap, 256 * 1024),
            ("resident bytes", self.resident, before.resident, 16 << 20),
            ("descriptors", self.descriptors, before.descriptors, 0),
            ("mappings", self.mappings, before.mappings, 4),
            ("threads", self.threads, before.threads, 0),
            ("bytes of the files", self.files, before.files, 0),
        ];
        limits
            .into_iter()
            .filter(|(_, now, was, slack)| now > &(was + slack))
            .map(|(what, now, was, _)| format!("{what}: {was} -> {now}"))
            .collect()
    }
}

fn options() -> OpenOptions {
    OpenOptions { sync_every: None, ..OpenOptions::default() }
}

fn open(path: &Path, options: &OpenOptions) -> Store {
    Store::open(path, options).unwrap().store
}

fn make(store: &Store, i: u64, name: Option<&str>) -> Handle {
    let len = 1 + i % 97;
    store.put(Dtype::Numeric, len, &vec![i as u8; 8 * len as usize], name, true).unwrap()
}

/// Ends by itself a while after it was told: the detached background thread of a closed store.
fn wait_for_threads(most: i64) {
    while entries("/proc/self/task") > most {
        thread::yield_now();
    }
}

type Round = Box<dyn FnMut(u64)>;

/// A scenario, how many rounds of it make one of N, and the round.
///
/// `path` stays open all the time; the scenarios that open and close have a file of their own, so that they are its last openers.
fn scenarios(path: &Path, closed: &Path) -> Vec<(&'static str, u64, Round)> {
    let [a, b, c, d, e] = [closed; 5].map(Path::to_owned);
    let in_store = |name: &'static str, act: fn(&Store, u64)| -> (&'static str, u64, Round) {
        let store = open(path, &options());
        (name, 1, Box::new(move |i| act(&store, i)))
    };
    vec![
        in_store("create and destroy", |s, i| {
            let h = make(s, i, None);
            assert!(s.destroy(&h, i % 2 == 0).unwrap());
            if i % 1000 == 0 {
                s.sync().unwrap();
            }
        }),
        in_store("replace a name", |s, i| {
            drop(make(s, i, Some(&format!("name{}", i % 50))));
            if i % 1000 == 0 {
                s.sync().unwrap();
            }
        }),
        in_store("temporaries", |s, i| {
            drop(s.reserve(Dtype::Raw, 1 + i % 5000, true).unwrap());
        }),
        in_store("pins that outlive their objects", |s, i| {
            let h = make(s, i, None);
            let pin = h.pin(0, h.facts().nbytes).unwrap();
            assert!(s.destroy(&h, true).unwrap());
            drop(h);
            drop(pin);
        }),
        in_store("names, references, attributes", |s, i| {
            let mut h = make(s, i, Some("x"));
            s.rename(&mut h, Some("y"), true).unwrap();
            let facts = h.facts();
            drop(s.open_id(facts.id, facts.generation).unwrap());
            drop(s.open_name("y").unwrap().unwrap());
            let v = Vector::Object(h);
            v.fill(0, v.len(), &[0; 8]).unwrap();
        }),
        (
            "open and close",
            50,
            Box::new(move |i| {
                let store = open(&a, &options());
                drop(make(&store, i, Some("kept")));
                store.close().unwrap();
            }),
        ),
        (
            "closed under living handles and pins",
            50,
            Box::new(move |i| {
                let store = open(&b, &options());
                let h = make(&store, i, Some("kept"));
                let pin = h.pin(0, 8).unwrap();
                let view = store.segment_view(0, 1 << 20).unwrap();
                store.close().unwrap();
                drop((h, pin, view, store));
            }),
        ),
        (
            "background threads",
            200,
            Box::new(move |i| {
                let threads = entries("/proc/self/task");
                let options = OpenOptions { sync_every: Some(Duration::from_millis(1)), ..options() };
                let store = Arc::new(open(&c, &options));
                let other = Arc::clone(&store);
                thread::spawn(move || drop(make(&other, i, Some("kept")))).join().unwrap();
                store.close().unwrap();
                drop(store);
                wait_for_threads(threads);
            }),
        ),
        (
            "refused opens",
            50,
            Box::new(move |_| {
                let other = OpenOptions { mode: Mode::Scratch, ..options() };
                assert!(Store::open(&d, &other).is_err());
                assert!(Store::open(&d.join("missing"), &options()).is_err());
            }),
        ),
        (
            "compactions",
            200,
            Box::new(move |i| {
                let store = open(&e, &options());
                let holes: Vec<_> = (0..20).map(|k| make(&store, i + k, None)).collect();
                drop(make(&store, i, Some("kept")));
                for h in holes {
                    assert!(store.destroy(&h, true).unwrap());
                }
                store.compact(&mut |_, _| true).unwrap();
                store.close().unwrap();
            }),
        ),
    ]
}

fn main() {
    let n: u64 = std::env::args().nth(1).map_or(100_000, |n| n.parse().expect("N"));
    let dir = tempfile::tempdir().unwrap();
    let (path, closed) = (dir.path().join("a.fm"), dir.path().join("b.fm"));
    let (mut passed, mut failed) = (0, 0);
    for (name, unit, mut round) in scenarios(&path, &closed) {
        let rounds = (n / unit).max(20);
        let warm = (rounds / 10).max(10);
        (0..warm).for_each(&mut round);
        let before = Holdings::now([&path, &closed]);
        (warm..warm + rounds).for_each(&mut round);
        let grown = Holdings::now([&path, &closed]).grown(&before);
        if grown.is_empty() {
            passed += 1;
            println!("ok {name}, {rounds} times");
        } else {
            failed += 1;
            println!("FAILED {name}, {rounds} times: {}", grown.join("; "));
        }
    }
    println!("{passed} passed, {failed} failed");
    std::process::exit(i32::from(failed > 0));
}
