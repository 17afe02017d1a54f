//! What a failing disk must not leave behind, and what must be said of it. (Every system call of a workload fails in labs/disks.)

mod common;

use common::{
    BOOT, Faults, Kind, assert_code, assert_whole, booted, create, folder, open, try_create, watched,
};
use rfmalloc_core::{Code, Detail, Error, Event, Observer, OpenOptions, Store};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

const EIO: i32 = 5;
const ENOSPC: i32 = 28;

/// The folder's sync fails once.
#[derive(Default)]
struct BadFolder(AtomicBool);

impl Observer for BadFolder {
    fn before(&self, event: Event) -> io::Result<()> {
        if event == Event::SyncFolder && !self.0.swap(true, Ordering::AcqRel) {
            return Err(io::Error::from_raw_os_error(EIO));
        }
        Ok(())
    }
}

fn files(dir: &Path) -> Vec<String> {
    fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
}

/// The story: a creation whose folder could not be synced was told as a failure but left the file; the next open found it there, synced
/// no folder, and a power cut took the store whose every `sync()` had succeeded.
#[test]
fn creation_that_failed_leaves_no_file_whose_name_is_not_durable() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let options = watched(Arc::new(BadFolder::default()));
    assert_code(Store::open(&path, &options).map(drop), Code::Io);
    assert_eq!(files(dir.path()), [""; 0]);
    assert!(Store::open(&path, &options).unwrap().created);
}

/// The story: an anonymous store is made under a name and unlinked; where its opening failed in between, the file stayed for ever.
#[test]
fn anonymous_store_that_cannot_be_opened_leaves_no_file() {
    let dir = folder();
    let options = watched(Arc::new(BadFolder::default()));
    assert_code(Store::anonymous(dir.path(), &options).map(drop), Code::Io);
    assert_eq!(files(dir.path()), [""; 0]);
}

/// The story: a background sync failed and poisoned the store, and the program made no further change; `close()` saw a poisoned store,
/// had nothing to do and returned success for data that no disk had.
#[test]
fn close_tells_of_a_background_sync_that_failed() {
    let dir = folder();
    let faults = Faults::new();
    let options = OpenOptions { sync_every: Some(Duration::ZERO), ..watched(faults.clone()) };
    let store = open(&dir.path().join("a.fm"), &options);
    faults.arm(Kind::SyncAll, 0, EIO);
    create(&store, Some("a"), 1, 10);
    while !store.info().unwrap().poisoned {
        std::thread::yield_now();
    }
    assert_code(store.close(), Code::Poisoned);
    assert_whole(&open(&dir.path().join("a.fm"), &booted(BOOT)));
}

/// The story: the thread of the background sync was told to stop but not waited for; a program that unmounted the disk right after
/// `close()` met "device busy", for the thread still had the descriptor.
#[test]
fn closed_store_has_no_descriptor_left() {
    let dir = folder();
    for i in 0..50 {
        let path = dir.path().join(format!("{i}.fm"));
        let options = OpenOptions { sync_every: Some(Duration::ZERO), ..booted(BOOT) };
        let store = open(&path, &options);
        drop(create(&store, Some("a"), 1, 10));
        let inode = store.file_id().1;
        store.close().unwrap();
        drop(store);
        let held = fs::read_dir("/proc/self/fd")
            .unwrap()
            .flatten()
            .any(|e| fs::metadata(e.path()).is_ok_and(|m| m.ino() == inode && m.is_file()));
        assert!(!held, "round {i}");
    }
}

fn number(e: &Error, key: &str) -> Option<u64> {
    e.details().iter().find(|(k, _)| *k == key).and_then(|(_, d)| match d {
        Detail::Number(n) => Some(*n),
        Detail::Text(_) => None,
    })
}

/// The story: a barrier met a full disk while the bytes of destroyed objects waited for a sync; the store, just poisoned, was synced once
/// more "to make room", and the caller was told `POISONED` of an earlier failure instead of the one of its own call.
#[test]
fn full_disk_inside_a_barrier_is_told_as_what_it_is() {
    let dir = folder();
    let faults = Faults::new();
    let store = open(&dir.path().join("a.fm"), &watched(faults.clone()));
    let (a, mut b) = (create(&store, Some("a"), 1, 10), create(&store, Some("b"), 2, 10));
    store.sync().unwrap();
    store.destroy(&a, false).unwrap();
    store.rename(&mut b, Some("b2"), false).unwrap();
    // The next rename overwrites the durable version, so the active one is hardened first.
    faults.arm(Kind::Barrier, 0, ENOSPC);
    let e = assert_code(store.rename(&mut b, Some("b3"), false), Code::NoSpace);
    assert_eq!(number(&e, "errno"), Some(28));
    assert_code(try_create(&store, None, 3, 1), Code::Poisoned);
}

#[test]
fn no_space_tells_what_was_needed_what_there_is_and_what_to_do() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let faults = Faults::new();
    let options = OpenOptions { max_size: Some(4 << 20), ..watched(faults.clone()) };
    let store = open(&path, &options);
    let by_limit = assert_code(try_create(&store, None, 1, 2_000_000), Code::NoSpace);
    assert_eq!((number(&by_limit, "nbytes"), number(&by_limit, "limit")), (Some(8_000_000), Some(4 << 20)));
    assert!(number(&by_limit, "available").is_some_and(|n| n < 8_000_000));
    faults.arm(Kind::Length, 0, ENOSPC);
    let by_disk = assert_code(try_create(&store, None, 1, 700_000), Code::NoSpace);
    assert_eq!((number(&by_disk, "nbytes"), number(&by_disk, "errno")), (Some(2_800_000), Some(28)));
    assert!(number(&by_disk, "available").is_some());
    for e in [by_limit, by_disk] {
        let named = |d: &Detail| matches!(d, Detail::Text(t) if t.ends_with("a.fm"));
        assert!(e.details().iter().any(|(k, d)| *k == "path" && named(d)), "{:?}", e.details());
        assert!(e.message().contains("destroy objects"), "{e}");
    }
}

/// Holds a barrier of some elements until it is told to fail, and says when the store knows of it.
#[derive(Default)]
struct LateFailure {
    off: AtomicU64,
    reached: (Mutex<bool>, Condvar),
    fails: (Mutex<bool>, Condvar),
    known: Arc<(Mutex<bool>, Condvar)>,
    /// At the barrier of a superblock, the one of the elements fails.
    at_superblock: AtomicBool,
}

fn tell(flag: &(Mutex<bool>, Condvar)) {
    *flag.0.lock().unwrap() = true;
    flag.1.notify_all();
}

fn wait(flag: &(Mutex<bool>, Condvar)) {
    drop(flag.1.wait_while(flag.0.lock().unwrap(), |told| !*told).unwrap());
}

/// The error's end: the seam has seen it by then.
#[derive(Debug)]
struct Telling(Arc<(Mutex<bool>, Condvar)>);

impl std::fmt::Display for Telling {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the device failed")
    }
}

impl std::error::Error for Telling {}

impl Drop for Telling {
    fn drop(&mut self) {
        tell(&self.0);
    }
}

impl Observer for LateFailure {
    fn before(&self, event: Event) -> io::Result<()> {
        match event {
            Event::Barrier { off, .. } if off != 0 && off == self.off.load(Ordering::SeqCst) => {
                tell(&self.reached);
                wait(&self.fails);
                Err(io::Error::other(Telling(self.known.clone())))
            }
            Event::Barrier { off: 0 | 16384, .. } if self.at_superblock.swap(false, Ordering::SeqCst) => {
                tell(&self.fails);
                wait(&self.known);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// A store with an object whose own sync has reached the barrier of its elements.
fn syncing_one(
    observer: &Arc<LateFailure>,
    path: &Path,
) -> (Arc<Store>, JoinHandle<rfmalloc_core::Result<()>>) {
    let store = Arc::new(open(path, &watched(observer.clone())));
    let a = create(&store, Some("a"), 1, 10);
    observer.off.store(a.facts().off, Ordering::SeqCst);
    let work = store.object_work(&a).unwrap();
    let thread = std::thread::spawn(move || work.sync());
    wait(&observer.reached);
    (store, thread)
}

/// The story: one object's barrier failed and its thread waited for the lock, to poison the store. Who had the lock was a sync before its
/// last barrier: that one succeeded, for the system had told the other of the lost page, and the sync acknowledged elements that no disk
/// had.
#[test]
fn sync_does_not_succeed_over_a_failure_that_the_store_has_not_been_told_of() {
    let dir = folder();
    let observer = Arc::new(LateFailure::default());
    let (store, thread) = syncing_one(&observer, &dir.path().join("a.fm"));
    observer.at_superblock.store(true, Ordering::SeqCst);
    assert_code(store.sync(), Code::Io);
    thread.join().unwrap().unwrap_err();
    assert!(store.info().unwrap().poisoned);
}

/// The story: one object's barrier failed while the store was being closed; its thread was refused as too late and poisoned nothing, the
/// sync of the close succeeded, for the system tells of a lost page once, and the file was marked clean.
#[test]
fn close_does_not_succeed_over_a_failure_that_came_too_late_to_poison() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let observer = Arc::new(LateFailure::default());
    let (store, thread) = syncing_one(&observer, &path);
    let other = store.for_work().unwrap();
    let closing = {
        let store = store.clone();
        std::thread::spawn(move || store.close())
    };
    // Refused from the moment at which the close waits for what runs.
    while other.sync().is_ok() {
        std::thread::yield_now();
    }
    tell(&observer.fails);
    thread.join().unwrap().unwrap_err();
    assert_code(closing.join().unwrap(), Code::Io);
    assert!(!open(&path, &booted(BOOT)).info().unwrap().was_clean);
}
