//! What the threads do. Each scenario is one run under one order; it is called again for every order, on files of its own.
//!
//! A scenario asserts what a user is promised, whatever the order. Shuttle adds: no deadlock (a notification forgotten, two locks taken
//! crosswise), no endless loop, no panic.

use crate::world::{
    NBYTES, OTHER_BOOT, Place, assert_reopens, assert_whole, create, eager, killed, open, quiet, read,
};
use rfmalloc_core::{Code, Dtype, Handle, ObjectState, OpenOptions, SegmentView, Store, Vector, cells};
use shuttle::rand::Rng;
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
    ("compaction", compaction),
    ("copy", copy),
    ("copy-onto-itself", copy_onto_itself),
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

/// The first byte as JavaScript reads it, without a lock: the liveness cell is tested, then the byte is taken through the segment view, and
/// anything may happen in between. `None`: the cell says that the handle has to ask again.
fn read_as_the_facade(handle: &Handle, view: &SegmentView) -> Option<u8> {
    let facts = handle.facts();
    let (idx, value) = facts.cell;
    let word = &cells::chunk(idx as usize / cells::CHUNK).unwrap()[idx as usize % cells::CHUNK];
    let is_alive = word.load(Ordering::Acquire) == value;
    thread::yield_now();
    assert!(facts.off < view.nbytes());
    // SAFETY: the offset lies inside the view, which lives.
    is_alive.then(|| unsafe { view.ptr().add(facts.off as usize).read_volatile() })
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
            let view = store.segment_view(0, handle.facts().off + handle.facts().nbytes).unwrap();
            let mut first = None;
            for _ in 0..3 {
                let Some(byte) = read_as_the_facade(&handle, &view) else {
                    assert_eq!(handle.state(), ObjectState::Destroyed);
                    break;
                };
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
    // A handle of the thread that destroys holds nothing once that is done; one of the other thread does.
    let handed_over =
        shuttle::rand::thread_rng().gen_bool(0.5).then(|| store.open_name("x").unwrap().unwrap());
    let pinner = {
        let store = Arc::clone(&store);
        thread::spawn(move || {
            let handle = match handed_over.map_or_else(|| store.open_name("x"), |h| Ok(Some(h))) {
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
                            let made = store.put(Dtype::Raw, 64, &[value; 64], Some(name), true);
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
                    let v = match store.put(Dtype::Raw, 256, &[10 * t + i; 256], None, false) {
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

const BIG: u64 = 320 * 1024;

/// A store with holes at the front and objects behind them, one too large to be moved in one critical section.
fn with_holes(place: &Place) -> Store {
    let store = open(&place.path(), &quiet());
    let holes: Vec<_> = (0..24u8).map(|i| create(&store, None, i)).collect();
    for (i, name) in ["a", "b", "c"].into_iter().enumerate() {
        drop(create(&store, Some(name), 101 + i as u8));
    }
    drop(store.put(Dtype::Raw, BIG, &vec![104; BIG as usize], Some("big"), true).unwrap());
    drop(create(&store, Some("d"), 105));
    for h in &holes {
        assert!(store.destroy(h, true).unwrap());
    }
    store
}

fn value(store: &Store, name: &str) -> Option<Vec<u8>> {
    let h = store.open_name(name).unwrap()?;
    Some(read(&Vector::Object(h)).unwrap())
}

/// Objects move while others read, write, pin, replace and sync them.
fn compaction() {
    let place = Place::new();
    let store = Arc::new(with_holes(&place));
    let compactor = {
        let work = store.for_work().unwrap();
        thread::spawn(move || work.compact(&mut |_, _| true).map(drop))
    };
    let user = {
        let store = Arc::clone(&store);
        thread::spawn(move || {
            let h = store.open_name("a").unwrap().unwrap();
            let v = Vector::Object(h);
            v.fill(0, NBYTES as u64, &[7]).unwrap();
            assert_eq!(read(&v).unwrap(), [7; NBYTES]);
            let h = store.open_name("big").unwrap().unwrap();
            let pin = h.pin(0, BIG).unwrap();
            drop(h);
            // SAFETY: the pin lives, and it has more than one byte.
            let first = unsafe { pin.ptr().read_volatile() };
            thread::yield_now();
            // SAFETY: as above.
            let last = unsafe { pin.ptr().add(BIG as usize - 1).read_volatile() };
            assert_eq!((first, last), (104, 104));
            drop(pin);
            let mut d = store.open_name("d").unwrap().unwrap();
            let view = store.segment_view(0, d.facts().off + d.facts().nbytes).unwrap();
            for _ in 0..4 {
                match read_as_the_facade(&d, &view) {
                    Some(byte) => assert_eq!(byte, 105),
                    None => d.refresh().unwrap(),
                }
            }
        })
    };
    drop(create(&store, Some("b"), 8));
    store.sync().unwrap();
    let c = store.open_name("c").unwrap().unwrap();
    match store.destroy(&c, false) {
        Ok(died) => assert!(died),
        Err(e) => assert_eq!(e.code(), Code::Busy),
    }
    drop(c);
    user.join().unwrap();
    compactor.join().unwrap().unwrap();
    assert_whole(&store);
    assert_eq!(value(&store, "a").unwrap(), [7; NBYTES]);
    assert_eq!(value(&store, "b").unwrap(), [8; NBYTES]);
    assert_eq!(value(&store, "big").unwrap(), vec![104; BIG as usize]);
    store.close().unwrap();
    let store = open(&place.path(), &OpenOptions { boot_id: Some(OTHER_BOOT), ..quiet() });
    assert_eq!(value(&store, "a").unwrap(), [7; NBYTES]);
    assert_eq!(value(&store, "big").unwrap(), vec![104; BIG as usize]);
    assert_whole(&store);
    store.close().unwrap();
}

/// A copy is one picture of the store, whatever happens to the store meanwhile, even if it is closed.
fn copy() {
    let place = Place::new();
    let store = with_holes(&place);
    let target = Place::new();
    let copier = {
        let work = store.copy_work(&target.path()).unwrap();
        thread::spawn(move || work.run(&mut |_, _| true))
    };
    let syncer = {
        let work = store.for_work().unwrap();
        thread::spawn(move || done_or_closed(work.sync()))
    };
    drop(create(&store, Some("b"), 8));
    let big = store.open_name("big").unwrap().unwrap();
    assert!(store.destroy(&big, true).unwrap());
    drop(big);
    drop(store.put(Dtype::Raw, BIG, &vec![9; BIG as usize], Some("other"), true).unwrap());
    store.close().unwrap();
    let copied = copier.join().unwrap();
    syncer.join().unwrap();
    match copied {
        Ok(done) => assert!(done),
        Err(e) => {
            assert_eq!(e.code(), Code::Closed);
            assert!(!target.path().exists());
        }
    }
    for place in [&place, &target] {
        if !place.path().exists() {
            continue;
        }
        let store = open(&place.path(), &quiet());
        assert_whole(&store);
        for (name, values) in [("a", [101, 101]), ("b", [102, 8]), ("big", [104, 104]), ("other", [9, 9])] {
            if let Some(bytes) = value(&store, name) {
                assert!(values.contains(&bytes[0]) && bytes.iter().all(|b| *b == bytes[0]), "{name}");
            }
        }
        assert!(store.has("a").unwrap() && store.has("b").unwrap());
        assert!(store.has("big").unwrap() || store.has("other").unwrap() || place.path() == target.path());
        store.close().unwrap();
    }
}

/// A store takes its own file's place; others are refused meanwhile, and what was acknowledged is in the new file.
fn copy_onto_itself() {
    let place = Place::new();
    let store = Arc::new(with_holes(&place));
    let user = {
        let store = Arc::clone(&store);
        thread::spawn(move || {
            let made = store.put(Dtype::Raw, 64, &[5; 64], Some("late"), true).map(drop);
            let synced = store.sync();
            for done in [&made, &synced] {
                if let Err(e) = done {
                    assert!(matches!(e.code(), Code::Busy | Code::Closed), "{e:?}");
                }
            }
            made.is_ok()
        })
    };
    let replaced = store.compact_to(&place.path(), &mut |_, _| true);
    match replaced {
        Ok(done) => assert!(done),
        Err(e) => assert_eq!(e.code(), Code::Busy),
    }
    let made = user.join().unwrap();
    store.close().unwrap();
    let store = open(&place.path(), &quiet());
    assert_whole(&store);
    assert_eq!(store.has("late").unwrap(), made);
    assert_eq!(value(&store, "big").unwrap(), vec![104; BIG as usize]);
    store.close().unwrap();
}
