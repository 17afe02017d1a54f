//! What the threads do. Each scenario is one run under one order; it is called again for every order, on files of its own.
//!
//! A scenario asserts what a user is promised, whatever the order. Shuttle adds: no deadlock (a notification forgotten, two locks taken
//! crosswise), no endless loop, no panic.

use crate::world::{
    NBYTES, OTHER_BOOT, Place, assert_reopens, assert_whole, create, eager, killed, open, quiet, read,
};
use rfmalloc_core::{Code, ObjectState, OpenOptions, Vector, cells};
use shuttle::thread;
use std::sync::Arc;
use std::sync::atomic::Ordering;

type Scenario = (&'static str, fn());

pub(crate) const ALL: &[Scenario] = &[
    ("late-sync", late_sync),
    ("late-sync-after-kill", late_sync_after_kill),
    ("background", background),
    ("background-after-kill", background_after_kill),
    ("coalesce", coalesce),
    ("openers", openers),
    ("liveness", liveness),
    ("pins", pins),
    ("operations", operations),
    ("operation-at-close", operation_at_close),
    ("names", names),
    ("scratch", scratch),
];

fn done_or_closed(done: rfmalloc_core::Result<()>) {
    if let Err(e) = done {
        assert_eq!(e.code(), Code::Closed);
    }
}

/// A sync on a thread of the pool, as `await store.sync()` makes it, while the last opener closes: it is done, or refused, but once the
/// file was let go nothing is written to it.
fn late_sync_on(place: &Place, options: &OpenOptions) {
    let store = open(&place.path(), options);
    drop(create(&store, Some("mine"), 1));
    let syncs: Vec<_> = (0..2)
        .map(|_| {
            let work = store.for_work().unwrap();
            thread::spawn(move || done_or_closed(work.sync()))
        })
        .collect();
    store.close().unwrap();
    let at_close = place.bytes();
    for s in syncs {
        s.join().unwrap();
    }
    assert!(at_close == place.bytes(), "a store that was let go wrote to its file");
    assert_reopens(&place.path(), &quiet(), "mine", true);
}

fn late_sync() {
    late_sync_on(&Place::new(), &quiet());
}

/// As above without a change of this process, on a file whose last writer was killed: there the sync has a superblock to write.
fn late_sync_after_kill() {
    let place = Place::new();
    let place = killed(&place);
    let store = open(&place.path(), &quiet());
    let work = store.for_work().unwrap();
    let sync = thread::spawn(move || done_or_closed(work.sync()));
    store.close().unwrap();
    let at_close = place.bytes();
    sync.join().unwrap();
    assert!(at_close == place.bytes(), "a store that was let go wrote to its file");
    assert_reopens(&place.path(), &quiet(), "left", true);
}

/// The background thread starts with a commit, may sync at any moment, and is gone after the close.
fn background() {
    let place = Place::new();
    let store = open(&place.path(), &eager());
    drop(create(&store, Some("a"), 1));
    drop(create(&store, Some("b"), 2));
    store.close().unwrap();
    let at_close = place.bytes();
    // The next opener, whose file it is now, while the thread may still be on its way out.
    let again = open(&place.path(), &quiet());
    assert!(again.has("a").unwrap() && again.has("b").unwrap());
    assert!(at_close == place.bytes(), "a store that was let go wrote to its file");
    again.close().unwrap();
    assert_reopens(&place.path(), &OpenOptions { boot_id: Some(OTHER_BOOT), ..quiet() }, "b", true);
}

fn background_after_kill() {
    let place = Place::new();
    let place = killed(&place);
    let store = open(&place.path(), &eager());
    drop(create(&store, Some("a"), 1));
    let other = thread::spawn(rfmalloc_core::sync_all_stores);
    store.close().unwrap();
    let at_close = place.bytes();
    other.join().unwrap();
    thread::yield_now();
    assert!(at_close == place.bytes(), "a store that was let go wrote to its file");
    assert_reopens(&place.path(), &quiet(), "a", true);
}

/// Syncs coalesce, but each covers what its caller did before: a machine that stops right after it keeps it.
fn coalesce() {
    let place = Arc::new(Place::new());
    let store = Arc::new(open(&place.path(), &quiet()));
    let threads: Vec<_> = (0..3u8)
        .map(|t| {
            let (place, store) = (Arc::clone(&place), Arc::clone(&store));
            thread::spawn(move || {
                let name = format!("t{t}");
                drop(create(&store, Some(&name), t));
                store.sync().unwrap();
                let image = place.copy(&name);
                let options = OpenOptions { boot_id: Some(OTHER_BOOT), ..quiet() };
                assert_reopens(&image.path(), &options, &name, true);
            })
        })
        .collect();
    for t in threads {
        t.join().unwrap();
    }
    assert_whole(&store);
    store.close().unwrap();
}

/// Threads open and close one file as they like: nobody is locked out by his own process, nobody loses what he made.
fn openers() {
    let place = Arc::new(Place::new());
    let threads: Vec<_> = (0..3u8)
        .map(|t| {
            let place = Arc::clone(&place);
            thread::spawn(move || {
                for round in 0..2u8 {
                    let store = open(&place.path(), &quiet());
                    let name = format!("{t}-{round}");
                    let v = Vector::Object(create(&store, Some(&name), 10 * t + round));
                    assert_eq!(read(&v).unwrap(), [10 * t + round; NBYTES]);
                    drop(v);
                    store.close().unwrap();
                }
            })
        })
        .collect();
    for t in threads {
        t.join().unwrap();
    }
    let store = open(&place.path(), &quiet());
    assert_whole(&store);
    for t in 0..3u8 {
        for round in 0..2u8 {
            let h = store.open_name(&format!("{t}-{round}")).unwrap().unwrap();
            assert_eq!(read(&Vector::Object(h)).unwrap(), [10 * t + round; NBYTES]);
        }
    }
    store.close().unwrap();
}

/// The facade's own access: test the liveness cell, then read through the segment view, without a lock. Bytes of an object that died after
/// the test stay its own as long as this thread has its handle.
fn liveness() {
    let place = Place::new();
    let store = Arc::new(open(&place.path(), &quiet()));
    drop(create(&store, Some("x"), 1));
    let mine = store.open_name("x").unwrap().unwrap();
    let reader = {
        let store = Arc::clone(&store);
        thread::spawn(move || {
            let Some(handle) = store.open_name("x").unwrap() else { return };
            let facts = handle.facts();
            let view = store.segment_view(0, facts.off + facts.nbytes).unwrap();
            let (idx, value) = facts.cell;
            let word = &cells::chunk(idx as usize / cells::CHUNK).unwrap()[idx as usize % cells::CHUNK];
            let mut first = None;
            for _ in 0..3 {
                let alive = word.load(Ordering::Acquire) == value;
                thread::yield_now();
                if !alive {
                    assert_eq!(handle.state(), ObjectState::Destroyed);
                    break;
                }
                // SAFETY: the view covers the object's bytes and lives until the end of this block.
                let byte = unsafe { view.ptr().add(facts.off as usize).read_volatile() };
                assert_eq!(
                    *first.get_or_insert(byte),
                    byte,
                    "the bytes of a living handle became another object's"
                );
                assert!(byte == 1 || byte == 2, "{byte}");
            }
        })
    };
    assert!(store.destroy(&mine, true).unwrap());
    drop(mine);
    for value in [2, 3] {
        let h = create(&store, (value == 2).then_some("x"), value);
        assert_eq!(read(&Vector::Object(h)).unwrap(), [value; NBYTES]);
    }
    reader.join().unwrap();
    assert_whole(&store);
    store.close().unwrap();
}

/// Bytes under a pin stay what they were while their object dies, others are made, and the store is closed (then they read as zero).
fn pins() {
    let place = Place::new();
    let store = Arc::new(open(&place.path(), &quiet()));
    drop(create(&store, Some("x"), 1));
    let mine = store.open_name("x").unwrap().unwrap();
    let pinner = {
        let store = Arc::clone(&store);
        thread::spawn(move || {
            let handle = match store.open_name("x") {
                Ok(Some(handle)) => handle,
                Ok(None) => return,
                Err(e) => return assert_eq!(e.code(), Code::Closed),
            };
            let pin = match handle.pin(0, NBYTES as u64) {
                Ok(pin) => pin,
                Err(e) => return assert!(matches!(e.code(), Code::Destroyed | Code::Closed), "{e:?}"),
            };
            drop(handle);
            let mut seen = 1;
            for _ in 0..3 {
                // SAFETY: the pin lives, and it has more than one byte.
                let byte = unsafe { pin.ptr().read_volatile() };
                assert!(byte == seen || byte == 0, "bytes under a pin became another object's: {byte}");
                seen = byte;
                thread::yield_now();
            }
            drop(store);
            // The last thing to go, perhaps long after the store.
            drop(pin);
        })
    };
    assert!(store.destroy(&mine, true).unwrap());
    drop(mine);
    drop(create(&store, None, 2));
    drop(create(&store, None, 3));
    assert_whole(&store);
    store.close().unwrap();
    pinner.join().unwrap();
    assert_reopens(&place.path(), &quiet(), "x", false);
}

/// Work on elements and a destroy exclude each other: BUSY, or DESTROYED, never bytes written into the next object.
fn operations() {
    let place = Place::new();
    let store = Arc::new(open(&place.path(), &quiet()));
    drop(create(&store, Some("x"), 1));
    let mine = store.open_name("x").unwrap().unwrap();
    let worker = {
        let handle = store.open_name("x").unwrap().unwrap();
        thread::spawn(move || {
            let v = Vector::Object(handle);
            for _ in 0..2 {
                match v.fill(0, NBYTES as u64, &[9]) {
                    Ok(()) => {}
                    Err(e) => assert_eq!(e.code(), Code::Destroyed),
                }
            }
        })
    };
    // The handle was opened here, so only the running operation stands between the bytes and their next owner.
    let died = match store.destroy(&mine, true) {
        Ok(died) => died,
        Err(e) => {
            assert_eq!(e.code(), Code::Busy);
            false
        }
    };
    drop(mine);
    let next = Vector::Object(create(&store, Some("y"), 2));
    worker.join().unwrap();
    assert_eq!(read(&next).unwrap(), [2; NBYTES]);
    drop(next);
    assert_eq!(store.has("x").unwrap(), !died);
    assert_whole(&store);
    store.close().unwrap();
}

/// A close waits for running work; what the work wrote is in the file then, and what came later was refused.
fn operation_at_close() {
    let place = Place::new();
    let store = open(&place.path(), &quiet());
    drop(create(&store, Some("x"), 1));
    let handle = store.open_name("x").unwrap().unwrap();
    let worker = thread::spawn(move || {
        let v = Vector::Object(handle);
        match v.fill(0, NBYTES as u64, &[9]) {
            Ok(()) => true,
            Err(e) => {
                assert_eq!(e.code(), Code::Closed);
                false
            }
        }
    });
    store.close().unwrap();
    let at_close = place.bytes();
    let wrote = worker.join().unwrap();
    assert!(at_close == place.bytes(), "an operation outlived its store");
    let store = open(&place.path(), &quiet());
    let v = Vector::Object(store.open_name("x").unwrap().unwrap());
    assert_eq!(read(&v).unwrap(), [if wrote { 9 } else { 1 }; NBYTES]);
    drop(v);
    store.close().unwrap();
}

/// Two threads replace, rename, destroy and look up the same names, one hardens and verifies: nobody meets half an object, and the store
/// is whole at the end.
fn names() {
    use shuttle::rand::Rng;
    let place = Place::new();
    let store = Arc::new(open(&place.path(), &quiet()));
    drop(create(&store, Some("a"), 1));
    let allowed = [Code::Busy, Code::Destroyed];
    let threads: Vec<_> = (0..3u8)
        .map(|t| {
            let store = Arc::clone(&store);
            thread::spawn(move || {
                for i in 0..4u8 {
                    let name = if shuttle::rand::thread_rng().gen_bool(0.5) { "a" } else { "b" };
                    let act = shuttle::rand::thread_rng().gen_range(0..6u8);
                    let done = match (act, store.open_name(name).unwrap()) {
                        (0 | 1, _) => {
                            let value = 10 * t + i;
                            let made =
                                store.put(rfmalloc_core::Dtype::Raw, 64, &[value; 64], Some(name), true);
                            made.map(|h| match read(&Vector::Object(h)) {
                                Ok(b) => assert_eq!(b, [value; 64]),
                                Err(e) => assert_eq!(e.code(), Code::Destroyed),
                            })
                        }
                        (2, Some(h)) => store.destroy(&h, false).map(drop),
                        (3, Some(mut h)) => store.rename(&mut h, Some("b"), true),
                        (4, Some(h)) => store.sync_object(&h),
                        (5, Some(h)) => {
                            read(&Vector::Object(h)).map(|b| assert!(b.iter().all(|x| *x == b[0])))
                        }
                        _ => store.sync(),
                    };
                    if let Err(e) = done {
                        assert!(allowed.contains(&e.code()), "{e:?}");
                    }
                    assert_whole(&store);
                }
            })
        })
        .collect();
    for t in threads {
        t.join().unwrap();
    }
    assert_whole(&store);
    let left: Vec<_> = ["a", "b"].iter().map(|n| store.has(n).unwrap()).collect();
    store.close().unwrap();
    for (name, there) in ["a", "b"].iter().zip(left) {
        let options = OpenOptions { boot_id: Some(OTHER_BOOT), ..quiet() };
        assert_reopens(&place.path(), &options, name, there);
    }
}

/// A scratch store: temporaries of several threads, their bytes reused, closed while handles live.
fn scratch() {
    let place = Place::new();
    let options = OpenOptions { mode: rfmalloc_core::Mode::Scratch, ..quiet() };
    let store = Arc::new(open(&place.path(), &options));
    let threads: Vec<_> = (0..2u8)
        .map(|t| {
            let store = Arc::clone(&store);
            thread::spawn(move || {
                for i in 0..3u8 {
                    let v = match store.put(rfmalloc_core::Dtype::Raw, 256, &[10 * t + i; 256], None, false) {
                        Ok(h) => Vector::Object(h),
                        Err(e) => return assert_eq!(e.code(), Code::Closed),
                    };
                    match read(&v) {
                        Ok(b) => assert_eq!(b, [10 * t + i; 256]),
                        Err(e) => assert_eq!(e.code(), Code::Closed),
                    }
                }
            })
        })
        .collect();
    thread::yield_now();
    store.close().unwrap();
    for t in threads {
        t.join().unwrap();
    }
    let again = open(&place.path(), &options);
    assert_eq!(again.info().unwrap().catalog_count, 0);
    again.close().unwrap();
}
