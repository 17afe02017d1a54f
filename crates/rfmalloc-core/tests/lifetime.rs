//! How long bytes, names and mappings live: pins, handles of other threads, temporaries, reuse of space, closing, scratch stores.

mod common;

use common::{
    BOOT, assert_code, assert_whole, booted, bytes, create, folder, len, open, read, read_name, read_only,
    read_pin, replace, try_open, watched, write,
};
use rfmalloc_core::{
    Code, Dtype, Event, Handle, Mode, ObjectState, Observer, OpenOptions, Store, Vector, registry,
};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

fn store(dir: &Path) -> Store {
    open(&dir.join("a.fm"), &booted(BOOT))
}

fn off(handle: &Handle) -> u64 {
    handle.facts().off
}

#[test]
fn pinned_bytes_stay_after_the_object_died() {
    let dir = folder();
    let store = store(dir.path());
    let a = create(&store, Some("a"), 1, 3000);
    let pin = a.pin(0, a.facts().nbytes).unwrap();
    assert!(store.destroy(&a, true).unwrap());
    assert_eq!(a.state(), ObjectState::Destroyed);
    let others: Vec<_> = (2..20).map(|i| create(&store, None, i, 3000)).collect();
    assert!(others.iter().all(|o| off(o) != off(&a)));
    assert_eq!(read_pin(&pin), bytes(1, 3000));
    drop(pin);
    assert_eq!(off(&create(&store, None, 20, 3000)), off(&a), "free again with the last pin");
}

#[test]
fn pin_of_a_replaced_object_keeps_it_over_syncs() {
    let dir = folder();
    let store = store(dir.path());
    let a = create(&store, Some("a"), 1, 3000);
    store.sync().unwrap();
    let pin = a.pin(0, a.facts().nbytes).unwrap();
    replace(&store, "a", 2, 3000).unwrap();
    store.sync().unwrap();
    store.sync().unwrap();
    let others: Vec<_> = (3..20).map(|i| create(&store, None, i, 3000)).collect();
    assert_eq!(read_pin(&pin), bytes(1, 3000));
    assert!(others.iter().all(|o| off(o) != off(&a)));
}

#[test]
fn handles_of_other_threads_hold_the_bytes() {
    let dir = folder();
    let store = Arc::new(store(dir.path()));
    let mine = create(&store, Some("a"), 1, 3000);
    let ((opened, is_open), (leave, may_leave)) = (channel(), channel::<()>());
    let other = {
        let store = Arc::clone(&store);
        thread::spawn(move || {
            let handle = store.open_name("a").unwrap().unwrap();
            opened.send(()).unwrap();
            may_leave.recv().unwrap();
            assert_eq!(handle.state(), ObjectState::Destroyed);
        })
    };
    is_open.recv().unwrap();
    assert!(store.destroy(&mine, true).unwrap());
    assert_ne!(off(&create(&store, None, 2, 3000)), off(&mine), "the other thread may be reading");
    leave.send(()).unwrap();
    other.join().unwrap();
    assert_eq!(off(&create(&store, None, 3, 3000)), off(&mine));
}

#[test]
fn dead_handles_say_so_and_die_twice_without_harm() {
    let dir = folder();
    let store = store(dir.path());
    let a = create(&store, Some("a"), 1, 10);
    assert!(store.destroy(&a, false).unwrap());
    assert!(!store.destroy(&a, false).unwrap());
    assert_code(a.pin(0, 4), Code::Destroyed);
    assert_code(a.name(), Code::Destroyed);
    assert_code(store.sync_object(&a), Code::Destroyed);
    assert!(!store.delete("a").unwrap());
}

#[test]
fn temporaries_are_gone_with_their_handles_and_at_reopen() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let store = open(&path, &booted(BOOT));
    let t = store.reserve(Dtype::Integer, 3000, true).unwrap();
    let (first, reference) = (off(&t), t.facts());
    drop(t);
    let kept = store.reserve(Dtype::Integer, 3000, true).unwrap();
    assert_eq!(off(&kept), first);
    common::assert_code(store.open_id(reference.id, reference.generation), Code::StaleRef);
    store.close().unwrap();
    let store = open(&path, &booted(BOOT));
    assert!(store.allocations().unwrap().is_empty());
    assert_code(store.open_id(kept.facts().id, kept.facts().generation), Code::StaleRef);
}

#[test]
fn recycled_space_shows_no_old_bytes() {
    let dir = folder();
    let store = store(dir.path());
    for n in [1u64, 5, 17, 3000, 500_000] {
        let old = create(&store, None, 9, n);
        store.destroy(&old, true).unwrap();
        let new = store.reserve(Dtype::Raw, old.facts().nbytes - 3, true).unwrap();
        assert_eq!(off(&new), off(&old), "{n}");
        assert!(read(&new).unwrap().iter().all(|b| *b == 0), "{n}");
        // The padding behind the last element, read from the file.
        let tail = common::forge::get(store.path(), off(&new) + new.facts().nbytes, 3);
        assert_eq!(tail, [0; 3], "{n}");
    }
}

#[test]
fn churn_that_was_never_synced_does_not_grow_the_file() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let store = open(&path, &booted(BOOT));
    drop(create(&store, Some("first"), 0, 1000));
    let before = len(&path);
    for i in 0..10_000 {
        let h = create(&store, Some("x"), i, 1000);
        store.destroy(&h, false).unwrap();
    }
    assert_eq!(len(&path), before);
    assert_eq!(store.info().unwrap().catalog_count, 1);
    assert_whole(&store);
}

#[test]
fn synced_churn_is_reused_after_the_next_sync() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let store = open(&path, &booted(BOOT));
    let mut longest = 0;
    for i in 0..60 {
        replace(&store, "x", i, 50_000).unwrap();
        store.sync().unwrap();
        if i == 5 {
            longest = len(&path);
        }
    }
    assert_eq!(len(&path), longest);
    assert_eq!(read_name(&store, "x").unwrap(), Some(bytes(59, 50_000)));
}

#[test]
fn one_mapping_per_file_whatever_its_path() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let first = open(&path, &booted(BOOT));
    let (soft, hard) = (dir.path().join("soft.fm"), dir.path().join("hard.fm"));
    std::os::unix::fs::symlink(&path, &soft).unwrap();
    std::fs::hard_link(&path, &hard).unwrap();
    for other in [soft, hard] {
        let second = open(&other, &booted(BOOT));
        assert!(first.is_same_file(&second));
        create(&second, Some(other.to_str().unwrap()), 1, 4);
        second.close().unwrap();
        assert_code(second.names(), Code::Closed);
        assert!(first.has(other.to_str().unwrap()).unwrap());
    }
    assert!(registry::open_uuid(&first.uuid()).unwrap().is_same_file(&first));
    let uuid = first.uuid();
    first.close().unwrap();
    assert!(registry::open_uuid(&uuid).is_none());
}

#[test]
fn opening_in_another_mode_is_refused() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let scratch = OpenOptions { mode: Mode::Scratch, ..booted(BOOT) };
    let store = open(&path, &booted(BOOT));
    assert_code(try_open(&path, &read_only(BOOT)), Code::Mode);
    assert_code(try_open(&path, &scratch), Code::Mode);
    store.close().unwrap();
    assert_code(try_open(&path, &scratch), Code::Mode);
    let reader = open(&path, &read_only(BOOT));
    assert_code(try_open(&path, &booted(BOOT)), Code::Mode);
    assert_code(common::try_create(&reader, None, 1, 1), Code::ReadOnly);
}

#[test]
fn stores_through_a_read_only_mapping_do_not_reach_the_file() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let store = open(&path, &booted(BOOT));
    create(&store, Some("a"), 1, 10);
    store.close().unwrap();
    let before = common::file_bytes(&path);
    let reader = open(&path, &read_only(BOOT));
    let a = reader.open_name("a").unwrap().unwrap();
    write(&a, &bytes(2, 10)).unwrap();
    assert_whole(&reader);
    reader.close().unwrap();
    assert!(common::file_bytes(&path) == before);
}

#[test]
fn everything_made_from_a_closed_store_is_closed() {
    let dir = folder();
    let store = store(dir.path());
    let a = create(&store, Some("a"), 1, 10);
    let pin = a.pin(0, 40).unwrap();
    let work = store.for_work().unwrap();
    let view = store.segment_view(off(&a), 40).unwrap();
    store.close().unwrap();
    store.close().unwrap();
    assert_eq!(a.state(), ObjectState::Closed);
    assert_code(a.pin(0, 4), Code::Closed);
    assert_code(store.names(), Code::Closed);
    assert_code(store.sync(), Code::Closed);
    assert_code(work.sync(), Code::Closed);
    // Blank, and no longer the file.
    assert_eq!(read_pin(&pin), [0; 40]);
    assert_eq!(view.nbytes(), 40);
    drop((pin, view, a, work));
}

/// Holds the announcement of the next element write until told to go on.
struct Gate {
    inside: Sender<()>,
    go_on: Mutex<Receiver<()>>,
    log: Arc<Mutex<Vec<&'static str>>>,
}

impl Observer for Gate {
    fn after(&self, event: Event) {
        if let Event::Announce { nbytes: 40_000, .. } = event {
            self.inside.send(()).unwrap();
            self.go_on.lock().unwrap().recv().unwrap();
            self.log.lock().unwrap().push("the operation ended");
        }
    }
}

#[test]
fn close_waits_for_a_running_operation() {
    let dir = folder();
    let ((inside, is_inside), (go, go_on)) = (channel(), channel());
    let log = Arc::default();
    let gate = Arc::new(Gate { inside, go_on: Mutex::new(go_on), log: Arc::clone(&log) });
    let store = Arc::new(open(&dir.path().join("a.fm"), &watched(gate)));
    let vector = Vector::Object(store.reserve(Dtype::Integer, 10_000, true).unwrap());
    let probe = create(&store, Some("probe"), 1, 1);
    let worker = thread::spawn(move || vector.fill(0, 10_000, &7i32.to_le_bytes()).unwrap());
    is_inside.recv().unwrap();
    let closer = {
        let (store, log) = (Arc::clone(&store), Arc::clone(&log));
        thread::spawn(move || {
            store.close().unwrap();
            log.lock().unwrap().push("closed");
        })
    };
    while probe.state() != ObjectState::Closed {
        thread::yield_now();
    }
    go.send(()).unwrap();
    worker.join().unwrap();
    closer.join().unwrap();
    assert_eq!(*log.lock().unwrap(), ["the operation ended", "closed"]);
}

#[test]
fn objects_in_use_are_busy() {
    let dir = folder();
    let ((inside, is_inside), (go, go_on)) = (channel(), channel());
    let gate = Arc::new(Gate { inside, go_on: Mutex::new(go_on), log: Arc::default() });
    let store = open(&dir.path().join("a.fm"), &watched(gate));
    drop(create(&store, Some("a"), 1, 1));
    let mut handle = store.reserve(Dtype::Integer, 10_000, false).unwrap();
    store.commit(&mut handle, Some("a"), true).unwrap();
    let vector = Vector::Object(store.open_name("a").unwrap().unwrap());
    let worker = thread::spawn(move || vector.fill(0, 10_000, &7i32.to_le_bytes()).unwrap());
    is_inside.recv().unwrap();
    assert_code(store.destroy(&handle, false), Code::Busy);
    assert_code(replace(&store, "a", 2, 1), Code::Busy);
    go.send(()).unwrap();
    worker.join().unwrap();
    assert!(store.destroy(&handle, false).unwrap());
}

#[test]
fn scratch_stores_keep_names_in_memory_and_nothing_in_the_file() {
    let dir = folder();
    let path = dir.path().join("s.fm");
    let options = OpenOptions { mode: Mode::Scratch, ..booted(BOOT) };
    let store = open(&path, &options);
    drop(create(&store, Some("a"), 1, 300_000));
    assert_eq!(read_name(&store, "a").unwrap(), Some(bytes(1, 300_000)), "its name keeps it");
    let b = create(&store, None, 2, 10);
    assert_code(common::try_create(&store, Some("a"), 3, 1), Code::Exists);
    replace(&store, "a", 3, 10).unwrap();
    assert_eq!(store.names().unwrap(), ["a"]);
    assert!(store.allocations().unwrap().is_empty() && len(&path) > 1_000_000);
    store.sync().unwrap();
    store.close().unwrap();
    assert_eq!(b.state(), ObjectState::Closed);
    assert_eq!(len(&path), 192 * 1024);
    let store = open(&path, &options);
    assert!(store.names().unwrap().is_empty());
    create(&store, Some("again"), 1, 10);
}

#[test]
fn anonymous_scratch_leaves_no_file() {
    let dir = folder();
    let store = Store::anonymous(dir.path(), &booted(BOOT)).unwrap();
    create(&store, Some("a"), 1, 10);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

/// Panics at the next barrier once it is told to.
struct Bomb(std::sync::atomic::AtomicBool);

impl Observer for Bomb {
    fn before(&self, event: Event) -> std::io::Result<()> {
        let armed =
            matches!(event, Event::Barrier { .. }) && self.0.load(std::sync::atomic::Ordering::SeqCst);
        assert!(!armed, "as planned");
        Ok(())
    }
}

/// A close that panicked left its file in the table of open files for ever, and whoever opened it again waited for the end of that close.
#[test]
fn a_close_that_panics_does_not_keep_others_waiting() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let bomb = Arc::new(Bomb(false.into()));
    let store = open(&path, &watched(bomb.clone()));
    let handle = create(&store, Some("v"), 1, 10);
    let pin = handle.pin(0, 40).unwrap();
    bomb.0.store(true, std::sync::atomic::Ordering::SeqCst);
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| store.close())).is_err());
    // Its descriptor, and with it the lock, goes with the last dead handle.
    let (tell, told) = channel();
    let asking = path.clone();
    thread::spawn(move || tell.send(try_open(&asking, &booted(BOOT)).map(|_| ())));
    let answer =
        told.recv_timeout(std::time::Duration::from_secs(60)).expect("an answer, not a wait without end");
    assert_code(answer, Code::Locked);
    assert_eq!(read_pin(&pin), [0; 40], "the stale buffer is blank");
    drop((store, handle, pin));
    let store = open(&path, &booted(BOOT));
    assert_eq!(read_name(&store, "v").unwrap().unwrap(), bytes(1, 10));
    assert_whole(&store);
}
