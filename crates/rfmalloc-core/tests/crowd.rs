//! A crowd of threads does everything at once to one store; what a race detector watches best. No two of them write the same element: that
//! race is the user's. Words of liveness are read without a lock while others kill.

mod common;

use common::{BOOT, assert_whole, booted, bytes, create, folder, open, read, replace};
use rfmalloc_core::{Code, Handle, OpenOptions, Store, Vector, cells};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

const ROUNDS: u32 = 60;

/// What others may do to an object at any moment.
fn allowed<T>(done: rfmalloc_core::Result<T>) -> Option<T> {
    match done {
        Ok(value) => Some(value),
        Err(e) => {
            assert!(matches!(e.code(), Code::Destroyed | Code::Busy | Code::StaleRef), "{e:?}");
            None
        }
    }
}

fn is_alive(handle: &Handle) -> bool {
    let (idx, value) = handle.facts().cell;
    let chunk = cells::chunk(idx as usize / cells::CHUNK).unwrap();
    chunk[idx as usize % cells::CHUNK].load(Ordering::Acquire) == value
}

/// Makes, replaces, renames and destroys under names that all share.
fn mutate(store: &Store, t: u32) {
    for i in 0..ROUNDS {
        let name = format!("n{}", i % 3);
        drop(replace(store, &name, t * 1000 + i, 300).unwrap());
        if let Some(mut h) = store.open_name(&name).unwrap() {
            match i % 4 {
                0 => drop(allowed(store.destroy(&h, i % 8 == 0))),
                1 => drop(allowed(store.rename(&mut h, Some("renamed"), true))),
                _ => {}
            }
        }
        drop(create(store, None, i, 3000));
    }
}

/// Reads by name, by reference, through pins, and asks the cells.
fn look(store: &Store, last_ref: &[AtomicU64; 2]) {
    for i in 0..ROUNDS * 2 {
        let Some(h) = store.open_name(&format!("n{}", i % 3)).unwrap() else { continue };
        let facts = h.facts();
        last_ref[0].store(facts.id, Ordering::Relaxed);
        last_ref[1].store(facts.generation, Ordering::Relaxed);
        if let Some(b) = allowed(read(&h)) {
            let seed = u32::from_le_bytes([b[0], b[1], b[2], b[3]]) / 1000;
            assert_eq!(b, bytes(seed, 300));
        }
        let alive_before = is_alive(&h);
        let pin = allowed(h.pin(0, facts.nbytes));
        assert!(alive_before || pin.is_none(), "the dead do not come back");
        drop(h);
        drop(pin);
        let (id, generation) = (last_ref[0].load(Ordering::Relaxed), last_ref[1].load(Ordering::Relaxed));
        drop(allowed(store.open_id(id, generation)));
    }
}

/// Elements of one vector of its own, written and read in place.
fn work_on_elements(store: &Store, t: u32) {
    let mine = Vector::Object(create(store, Some(&format!("mine{t}")), t, 5000));
    for i in 0..ROUNDS {
        mine.fill(0, 2500, &i.to_le_bytes()).unwrap();
        mine.copy_from(2500, &mine, 0, 2500).unwrap();
        assert!(mine.equals(0, &mine, 2500, 2500).unwrap());
    }
}

#[test]
fn everything_at_once() {
    let dir = folder();
    let path = Arc::new(dir.path().join("a.fm"));
    let options = OpenOptions { sync_every: Some(Duration::from_millis(1)), ..booted(BOOT) };
    let store = Arc::new(open(&path, &options));
    let last_ref = Arc::new([AtomicU64::new(0), AtomicU64::new(0)]);
    let mut threads = Vec::new();
    for t in 0..2 {
        let s = Arc::clone(&store);
        threads.push(thread::spawn(move || mutate(&s, t)));
        let (s, last_ref) = (Arc::clone(&store), Arc::clone(&last_ref));
        threads.push(thread::spawn(move || look(&s, &last_ref)));
        let s = Arc::clone(&store);
        threads.push(thread::spawn(move || work_on_elements(&s, t)));
    }
    let stop = Arc::new(AtomicBool::new(false));
    let mut upkeep = Vec::new();
    let upkeepers: [fn(&Store); 4] = [
        |s| s.sync().unwrap(),
        |s| assert_whole(s),
        |s| {
            let _ = (s.info().unwrap(), s.allocations().unwrap());
        },
        |s| {
            allowed(s.compact(&mut |_, _| true));
        },
    ];
    for act in upkeepers {
        let (s, stop) = (Arc::clone(&store), Arc::clone(&stop));
        upkeep.push(thread::spawn(move || {
            while !stop.load(Ordering::Acquire) {
                act(&s);
            }
        }));
    }
    // Openers come and go on the same file.
    let opener = {
        let (path, options, stop) = (Arc::clone(&path), options.clone(), Arc::clone(&stop));
        thread::spawn(move || {
            while !stop.load(Ordering::Acquire) {
                let again = open(&path, &options);
                again.has("n0").unwrap();
                again.close().unwrap();
            }
        })
    };
    for t in threads {
        t.join().unwrap();
    }
    stop.store(true, Ordering::Release);
    for t in upkeep.into_iter().chain([opener]) {
        t.join().unwrap();
    }
    assert_whole(&store);
    store.close().unwrap();
    let store = open(&path, &booted(BOOT));
    assert_whole(&store);
    for t in 0..2 {
        let h = store.open_name(&format!("mine{t}")).unwrap().unwrap();
        let last = (ROUNDS - 1).to_le_bytes();
        assert!(read(&h).unwrap().chunks(4).all(|e| e == last));
    }
}

/// The last opener goes while others use the store: refused, never torn, and the file opens again.
#[test]
fn stores_are_closed_under_everybodys_hands() {
    let dir = folder();
    let path = Arc::new(dir.path().join("a.fm"));
    let threads: Vec<_> = (0..4u32)
        .map(|t| {
            let path = Arc::clone(&path);
            thread::spawn(move || {
                for i in 0..25 {
                    let options = OpenOptions { sync_every: Some(Duration::from_millis(1)), ..booted(BOOT) };
                    let store = Arc::new(open(&path, &options));
                    let work = store.for_work().unwrap();
                    let helper = thread::spawn(move || {
                        if let Err(e) = work.sync() {
                            assert_eq!(e.code(), Code::Closed);
                        }
                    });
                    let h = replace(&store, &format!("{t}-{}", i % 3), i, 500).unwrap();
                    assert_eq!(read(&h).unwrap(), bytes(i, 500));
                    store.close().unwrap();
                    // Whether another thread keeps the file open decides what a late handle may do.
                    match read(&h) {
                        Ok(b) => assert_eq!(b, bytes(i, 500)),
                        Err(e) => assert_eq!(e.code(), Code::Closed),
                    }
                    drop(h);
                    helper.join().unwrap();
                }
            })
        })
        .collect();
    for t in threads {
        t.join().unwrap();
    }
    let store = open(&path, &booted(BOOT));
    assert_whole(&store);
    assert_eq!(store.info().unwrap().catalog_count, 12);
}

/// `verify()` read the file's length under the mutex and looked at the file after it. A compaction that cut the file in between looked like somebody
/// else's cut: the store was poisoned though nothing was lost. (A run of the crowd under the race detector met it.)
#[test]
fn a_store_that_cuts_its_own_file_takes_it_for_nobody_elses_cut() {
    let dir = folder();
    let store = Arc::new(open(&dir.path().join("a.fm"), &booted(BOOT)));
    let stop = Arc::new(AtomicBool::new(false));
    let asking = [(); 4].map(|()| {
        let (s, stop) = (Arc::clone(&store), Arc::clone(&stop));
        thread::spawn(move || {
            while !stop.load(Ordering::Acquire) {
                assert_whole(&s);
            }
        })
    });
    for i in 0..ROUNDS {
        let h = create(&store, None, i, 500_000);
        store.destroy(&h, true).unwrap();
        drop(h);
        store.compact(&mut |_, _| true).unwrap();
    }
    stop.store(true, Ordering::Release);
    for t in asking {
        t.join().unwrap();
    }
    assert_whole(&store);
}
