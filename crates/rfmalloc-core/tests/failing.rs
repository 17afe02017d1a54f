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
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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
