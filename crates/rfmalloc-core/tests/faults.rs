//! Failing system calls: every barrier, sync and growth of a workload in turn. The error is typed, nothing acknowledged is lost, and the
//! store opens again whole. Then the disk that is full, by capacity and by limit.

mod common;

use common::images::{Capture, Expect, Pick, Recorder, write_image};
use common::{
    BOOT, Faults, Kind, OTHER_BOOT, assert_code, assert_whole, booted, bytes, copy, create, file_bytes,
    folder, forge, len, open, read, read_name, replace, try_create, watched,
};
use rfmalloc_core::{Code, Event, Observer, OpenOptions, Result, Store};
use rfmalloc_lab_crash::recorder::{self, Fault};
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

const EIO: i32 = 5;
const ENOSPC: i32 = 28;

/// Named values a caller was told of, and those a sync covers.
#[derive(Clone, Default)]
struct Told {
    now: BTreeMap<String, Option<Vec<u8>>>,
    /// Its death was asked for.
    doomed: Option<&'static str>,
    synced: BTreeMap<String, Option<Vec<u8>>>,
}

/// A little of everything that stores, grows and syncs; stops at the first error.
fn work(store: &Store, told: &mut Told) -> Result<()> {
    for i in 0..3u32 {
        let name = format!("v{i}");
        create_told(store, told, &name, i, 50)?;
    }
    store.sync()?;
    told.synced = told.now.clone();
    create_told(store, told, "large", 7, 600_000)?;
    replace(store, "v0", 8, 70)?;
    told.now.insert("v0".into(), Some(bytes(8, 70)));
    if let Some(handle) = store.open_name("v1")? {
        store.sync_object(&handle)?;
        told.doomed = Some("v1");
        store.destroy(&handle, true)?;
        told.now.insert("v1".into(), None);
    }
    let mut handle = store.open_name("v2")?.unwrap();
    store.rename(&mut handle, Some("w2"), false)?;
    told.now.insert("v2".into(), None);
    told.now.insert("w2".into(), Some(bytes(2, 50)));
    store.sync_object(&handle)?;
    store.sync()?;
    told.synced = told.now.clone();
    create_told(store, told, "last", 9, 10)
}

fn create_told(store: &Store, told: &mut Told, name: &str, seed: u32, n: u64) -> Result<()> {
    try_create(store, Some(name), seed, n)?;
    told.now.insert(name.into(), Some(bytes(seed, n)));
    Ok(())
}

/// Runs the workload with the n-th event of this kind failing; false: there was no n-th.
fn fail_nth(kind: Kind, n: u64, errno: i32) -> bool {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let faults = Faults::new();
    let store = open(&path, &watched(faults.clone()));
    faults.arm(kind, n, errno);
    let mut told = Told::default();
    let done = work(&store, &mut told);
    if faults.disarm() {
        done.unwrap();
        return false;
    }
    let context = format!("{kind:?} {n}");
    let typed = |e: &rfmalloc_core::Error| matches!(e.code(), Code::Io | Code::NoSpace | Code::Poisoned);
    if let Err(e) = &done {
        assert!(typed(e), "{context}: {e}");
    }
    let fits = |store: &Store, value: &Option<Vec<u8>>, name: &String| {
        let found = read_name(store, name).unwrap();
        found == *value || found == told.now[name] || (found.is_none() && told.doomed == Some(name))
    };
    for (name, value) in &told.now {
        assert!(fits(&store, value, name), "{context}: {name} can be read");
    }
    // A machine crash at this moment: at least what a completed sync covered.
    let crashed = copy(&path, &dir.path().join("crashed.fm"));
    let again = open(&crashed, &booted(OTHER_BOOT));
    for (name, value) in &told.synced {
        assert!(fits(&again, value, name), "{context}: {name} after a machine crash");
    }
    create(&again, Some("more"), 1, 1);
    assert_whole(&again);
    drop(again);
    // A process death: everything told, unless a failed barrier makes the next open act as after a machine crash.
    let was_poisoned = store.info().unwrap().poisoned;
    let killed = copy(&path, &dir.path().join("killed.fm"));
    let again = open(&killed, &booted(BOOT));
    for (name, value) in if was_poisoned { &told.synced } else { &told.now } {
        assert!(fits(&again, value, name), "{context}: {name} after a process death");
    }
    assert_whole(&again);
    drop(again);
    let _ = store.close();
    assert_whole(&open(&path, &booted(BOOT)));
    true
}

#[test]
fn every_barrier_may_fail() {
    let n = (0..1000).take_while(|n| fail_nth(Kind::Barrier, *n, EIO)).count();
    assert!(n >= 15, "{n} barriers tried");
}

#[test]
fn every_sync_may_fail() {
    let n = (0..1000).take_while(|n| fail_nth(Kind::SyncAll, *n, EIO)).count();
    assert_eq!(n, 2);
}

#[test]
fn every_growth_may_fail() {
    let n = (0..1000).take_while(|n| fail_nth(Kind::Length, *n, ENOSPC)).count();
    assert!(n >= 2, "{n} growths tried");
}

#[test]
fn failed_growth_poisons_nothing() {
    let dir = folder();
    let faults = Faults::new();
    let store = open(&dir.path().join("a.fm"), &watched(faults.clone()));
    create(&store, Some("a"), 1, 10);
    faults.arm(Kind::Length, 0, ENOSPC);
    assert_code(try_create(&store, Some("b"), 2, 1_000_000), Code::NoSpace);
    create(&store, Some("b"), 2, 1_000_000);
    assert!(!faults.disarm());
    assert!(!store.info().unwrap().poisoned);
    assert_eq!(read_name(&store, "b").unwrap(), Some(bytes(2, 1_000_000)));
    assert_whole(&store);
}

#[test]
fn growth_syncs_nothing() {
    let dir = folder();
    let faults = Faults::new();
    let path = dir.path().join("a.fm");
    let store = open(&path, &watched(faults.clone()));
    create(&store, None, 1, 10);
    let (barriers, syncs, before) = (faults.count(Kind::Barrier), faults.count(Kind::SyncAll), len(&path));
    for i in 0..20 {
        create(&store, None, i, 100_000);
    }
    assert!(faults.count(Kind::Length) >= 2 && len(&path) > before);
    assert_eq!((faults.count(Kind::Barrier), faults.count(Kind::SyncAll)), (barriers, syncs));
}

fn fill(store: &Store) -> u32 {
    for i in 0.. {
        if let Err(e) = try_create(store, Some(&format!("f{i}")), i, 4000) {
            assert_eq!(e.code(), Code::NoSpace, "{e}");
            return i;
        }
    }
    unreachable!()
}

fn full_disk(options: &OpenOptions, path: &Path, limit: u64) {
    let store = open(path, options);
    let n = fill(&store);
    assert!(n > 10 && len(path) <= limit);
    assert_whole(&store);
    assert!(!store.info().unwrap().poisoned);
    for i in 0..n {
        assert_eq!(read_name(&store, &format!("f{i}")).unwrap(), Some(bytes(i, 4000)));
    }
    // Freeing needs no space, and what is freed can be used again although its death is not yet durable.
    store.sync().unwrap();
    for i in 0..4 {
        assert!(store.delete(&format!("f{i}")).unwrap());
    }
    for i in 0..4 {
        create(&store, Some(&format!("g{i}")), 100 + i, 4000);
    }
    assert_code(try_create(&store, None, 0, 40_000), Code::NoSpace);
    store.close().unwrap();
    let store = open(path, &booted(OTHER_BOOT));
    assert_eq!(read_name(&store, "g3").unwrap(), Some(bytes(103, 4000)));
    assert!(!store.has("f0").unwrap());
    assert_whole(&store);
}

#[test]
fn fixed_capacity_ends_in_an_error() {
    let dir = folder();
    let options = OpenOptions { capacity: Some(1 << 20), ..booted(BOOT) };
    full_disk(&options, &dir.path().join("a.fm"), 1 << 20);
}

#[test]
fn limit_of_growth_ends_in_an_error() {
    let dir = folder();
    let options = OpenOptions { max_size: Some(1 << 20), ..booted(BOOT) };
    full_disk(&options, &dir.path().join("a.fm"), 1 << 20);
}

/// A full disk in the middle of a replacement forces a sync: it must not meet a slot that is taken but not written.
#[test]
fn full_disk_inside_a_create_leaves_no_half_slot() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let faults = Faults::new();
    let options = OpenOptions { max_size: Some(1 << 20), ..watched(faults) };
    let store = open(&path, &options);
    let n = fill(&store);
    store.sync().unwrap();
    store.delete("f0").unwrap();
    // Temporaries take whatever small space is left, so that the attributes find none.
    let mut hoard = Vec::new();
    for size in [4000u64, 1000, 16] {
        while let Ok(h) = store.reserve(rfmalloc_core::Dtype::Integer, size, false) {
            hoard.push(h);
        }
    }
    let mut last = hoard.pop().unwrap();
    assert_code(store.commit(&mut last, Some("no room for this name"), false), Code::NoSpace);
    drop((last, hoard));
    store.close().unwrap();
    let store = open(&path, &booted(BOOT));
    create(&store, Some("first change after it"), 1, 10);
    assert_eq!(read_name(&store, &format!("f{}", n - 1)).unwrap(), Some(bytes(n - 1, 4000)));
    assert_whole(&store);
}

/// The forced sync moves `synced_seq` while a record is being made: the record must not count as synced.
#[test]
fn record_made_right_after_a_forced_sync_is_not_durable_yet() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let store = open(&path, &OpenOptions { max_size: Some(1 << 20), ..booted(BOOT) });
    fill(&store);
    store.sync().unwrap();
    store.delete("f1").unwrap();
    let handle = create(&store, Some("tight"), 5, 4000);
    let synced = store.info().unwrap().synced_seq;
    assert!(handle.facts().generation > synced, "generation {} ≤ {synced}", handle.facts().generation);
}

#[test]
fn poisoned_store_reads_and_refuses_changes() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let faults = Faults::new();
    let store = open(&path, &watched(faults.clone()));
    let a = create(&store, Some("a"), 1, 10);
    faults.arm(Kind::SyncAll, 0, EIO);
    assert_code(store.sync(), Code::Io);
    assert_code(store.sync(), Code::Poisoned);
    assert_code(try_create(&store, None, 1, 1), Code::Poisoned);
    assert_code(store.destroy(&a, false), Code::Poisoned);
    assert_code(store.sync_object(&a), Code::Poisoned);
    assert_eq!(read(&a).unwrap(), bytes(1, 10));
    assert!(store.verify().is_ok() && store.names().unwrap() == ["a"]);
    let _ = store.close();
    // The cache is not believed: as after a machine crash, in the same boot.
    let store = open(&path, &booted(BOOT));
    assert!(!store.has("a").unwrap());
    create(&store, Some("b"), 2, 10);
    store.close().unwrap();
    let store = open(&path, &booted(BOOT));
    assert!(store.info().unwrap().was_clean && store.has("b").unwrap());
}

/// Elements were written through views only; their lost pages must not be believed either.
#[test]
fn failed_sync_without_a_mutation_leaves_its_mark() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let store = open(&path, &booted(BOOT));
    create(&store, Some("a"), 1, 10);
    store.close().unwrap();
    let faults = Faults::new();
    let store = open(&path, &watched(faults.clone()));
    let a = store.open_name("a").unwrap().unwrap();
    common::write(&a, &bytes(2, 10)).unwrap();
    faults.arm(Kind::SyncAll, 0, EIO);
    assert_code(store.sync(), Code::Io);
    let _ = store.close();
    let again: Arc<Faults> = Faults::new();
    let store = open(&path, &watched(again));
    assert!(!store.info().unwrap().was_clean);
    create(&store, Some("b"), 2, 10);
    assert!(store.has("a").unwrap());
    assert_whole(&store);
}

type Work = Box<dyn FnOnce() + Send>;

/// All ranged barriers fail while `fails` says so.
#[derive(Default)]
struct NoBarriers {
    fails: AtomicBool,
    /// Called once, at the barrier that starts here.
    at: Mutex<Option<(u64, Work)>>,
}

impl Observer for NoBarriers {
    fn before(&self, event: Event) -> io::Result<()> {
        let Event::Barrier { off, .. } = event else { return Ok(()) };
        let here = self.at.lock().unwrap().take_if(|(at, _)| *at == off);
        if let Some((_, work)) = here {
            work();
        }
        if self.fails.load(Ordering::SeqCst) { Err(io::Error::from_raw_os_error(EIO)) } else { Ok(()) }
    }
}

/// The elements were synced, the superblock that says so was stored, and its barrier failed. The next process saw it in the cache, synced
/// successfully without writing a superblock, for it had changed nothing, and a power cut brought the older superblock back: what the sync
/// had acknowledged was gone.
#[test]
fn sync_after_a_failed_one_covers_what_the_cache_shows() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let observer = Arc::new(NoBarriers::default());
    let store = open(&path, &watched(observer.clone()));
    create(&store, Some("a"), 1, 10);
    store.sync().unwrap();
    create(&store, Some("b"), 2, 10);
    let before = file_bytes(&path);
    observer.fails.store(true, Ordering::SeqCst);
    assert_code(store.sync(), Code::Io);
    assert_code(store.close(), Code::Poisoned);
    observer.fails.store(false, Ordering::SeqCst);
    let failed = file_bytes(&path);
    let stuck =
        forge::COPIES.into_iter().find(|c| before[*c as usize..][..512] != failed[*c as usize..][..512]);
    let stuck = stuck.unwrap() as usize..stuck.unwrap() as usize + 512;

    let store = open(&path, &booted(BOOT));
    assert!(store.has("b").unwrap());
    store.sync().unwrap();
    let mut image = file_bytes(&path);
    if image[stuck.clone()] == failed[stuck.clone()] {
        // Nobody stored to that page since, so no barrier wrote it.
        image[stuck.clone()].copy_from_slice(&before[stuck]);
    }
    let cut = dir.path().join("cut.fm");
    std::fs::write(&cut, &image).unwrap();
    assert_eq!(read_name(&open(&cut, &booted(OTHER_BOOT)), "b").unwrap(), Some(bytes(2, 10)));
}

/// A synced object was replaced, and of the sync that covered this the superblock's barrier failed, and the mark's. The next process believed
/// the superblock that the cache showed and freed the slot of the replaced object for good, before that superblock was on disk; then power
/// failed, the older superblock came back, by which the replacement did not count yet, and the name had neither.
#[test]
fn recovery_decides_nothing_by_a_superblock_that_only_the_cache_has() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    drop(open(&path, &booted(BOOT)));
    let first = Recorder::new(None, Expect::default(), 1);
    first.watch_all();
    let store = open(&path, &watched(first.clone()));
    create(&store, Some("a"), 1, 10);
    store.sync().unwrap();
    drop(replace(&store, "a", 2, 10).unwrap());
    // The sync of the file succeeds, the barriers behind it fail.
    first.arm(Some(Fault { kind: recorder::Kind::SyncAll, after: 1, burst: 2, errno: EIO }));
    assert_code(store.sync(), Code::Io);
    assert_code(store.close(), Code::Poisoned);
    assert_eq!(first.take_failed(), 2);
    drop(store);

    let second = Recorder::new(Some(first.now().disk), Expect::default(), 1);
    second.watch_all();
    second.capture(Capture::Always);
    let store = open(&path, &watched(second.clone()));
    assert_eq!(read_name(&store, "a").unwrap(), Some(bytes(2, 10)));
    create(&store, Some("b"), 3, 10);
    let cut = dir.path().join("cut.fm");
    let mut older = 0;
    for point in second.take_points() {
        // Whole pages in all ways, and torn ones: the copy that is written must not be the only good one.
        let whole = (0..point.disk.combinations().min(64)).map(Pick::Nth);
        for pick in whole.chain((0..60).map(Pick::Mix)) {
            write_image(&point.disk, &cut, pick);
            let found = read_name(&open(&cut, &booted(OTHER_BOOT)), "a").unwrap();
            older += u32::from(found == Some(bytes(1, 10)));
            let is_one = found == Some(bytes(1, 10)) || found == Some(bytes(2, 10));
            assert!(is_one, "{pick:?} at '{}': {found:?}", point.label);
        }
    }
    assert!(older > 0, "the older superblock was never met");
}

/// The next two: a store was opened and only written to through views. The sync failed, and so did a barrier of the header, made to learn
/// whether a mark could be stored without tearing the only good superblock: there was no mark. The next process believed the cache, its sync
/// succeeded, since the pages were clean by then, and a power cut took elements that this had acknowledged.
fn sync_that_failed_before_any_change_is_not_forgotten(boot: [u8; 16]) {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let store = open(&path, &booted(BOOT));
    create(&store, Some("a"), 1, 3000);
    store.close().unwrap();
    for seed in 0..8 {
        let file = dir.path().join("b.fm");
        std::fs::copy(&path, &file).unwrap();
        let first = Recorder::new(None, Expect::default(), seed);
        first.watch_all();
        let store = open(&file, &OpenOptions { observer: Some(first.clone()), ..booted(boot) });
        common::write(&store.open_name("a").unwrap().unwrap(), &bytes(2, 3000)).unwrap();
        first.arm(Some(Fault { kind: recorder::Kind::SyncAll, after: 0, burst: 2, errno: EIO }));
        assert_code(store.sync(), Code::Io);
        assert_code(store.close(), Code::Poisoned);
        drop(store);

        let second = Recorder::new(Some(first.now().disk), Expect::default(), seed);
        second.watch_all();
        let store = open(&file, &OpenOptions { observer: Some(second.clone()), ..booted(boot) });
        store.sync().unwrap();
        let seen = read_name(&store, "a").unwrap();
        let cut = dir.path().join("cut.fm");
        write_image(&second.now().disk, &cut, Pick::Old);
        assert_eq!(read_name(&open(&cut, &booted([9; 16])), "a").unwrap(), seen, "seed {seed}");
        // Torn while it was stored, the mark has not taken the only superblock with it.
        for pick in (0..40).map(Pick::Mix) {
            write_image(&first.now().disk, &cut, pick);
            assert!(read_name(&open(&cut, &booted([9; 16])), "a").unwrap().is_some(), "{pick:?}");
        }
    }
}

#[test]
fn sync_that_failed_after_a_reboot_is_not_forgotten() {
    sync_that_failed_before_any_change_is_not_forgotten(OTHER_BOOT);
}

#[test]
fn sync_that_failed_after_a_clean_close_is_not_forgotten() {
    sync_that_failed_before_any_change_is_not_forgotten(BOOT);
}

/// A process was killed between the word that ended an object and its barrier. Of the next one's first change the barrier of the words
/// failed, and nothing could be marked. The third found the object gone, its barrier of that clean page succeeded, the bytes went to
/// another object; then power failed and the disk still had the first one's word: it was there, with the other's bytes.
#[test]
fn word_whose_barrier_failed_before_the_first_change_is_written_by_the_next() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let observer = |r: &Arc<Recorder>| {
        r.watch_all();
        watched(r.clone())
    };
    let first = Recorder::new(None, Expect::default(), 1);
    let store = open(&path, &observer(&first));
    let a = create(&store, Some("a"), 1, 3000);
    store.sync().unwrap();
    first.capture(Capture::Always);
    store.destroy(&a, true).unwrap();
    let is_word = |label: &str| label.starts_with("after Store { off: 69632, nbytes: 8 }");
    let points = first.take_points();
    let killed = points.iter().find(|p| is_word(&p.label)).unwrap();
    drop((a, store));

    write_image(&killed.disk, &path, Pick::New);
    let second = Recorder::new(Some(killed.disk.clone()), Expect::default(), 1);
    let store = open(&path, &observer(&second));
    second.arm(Some(Fault { kind: recorder::Kind::Barrier, after: 2, burst: 3, errno: EIO }));
    assert_code(try_create(&store, Some("b"), 2, 3000).map(drop), Code::Io);
    second.arm(None);
    let failed = second.now();
    let _ = store.close();
    drop(store);

    write_image(&failed.disk, &path, Pick::New);
    let third = Recorder::new(Some(failed.disk), Expect::default(), 1);
    let store = open(&path, &observer(&third));
    create(&store, None, 3, 3000);
    let cut = dir.path().join("cut.fm");
    for pick in [Pick::Old, Pick::New].into_iter().chain((0..60).map(Pick::Mix)) {
        write_image(&third.now().disk, &cut, pick);
        assert_eq!(read_name(&open(&cut, &booted(OTHER_BOOT)), "a").unwrap(), None, "{pick:?}");
    }
}

/// The barrier of another act failed on the page of a record's slot while the record was being made durable: its own barrier of that page
/// succeeded after it, for the page was taken for clean by then, and an object was acknowledged that was not on disk.
#[test]
fn barrier_that_fails_meanwhile_is_not_taken_for_success() {
    let dir = folder();
    let observer = Arc::new(NoBarriers::default());
    let store = Arc::new(open(&dir.path().join("a.fm"), &watched(observer.clone())));
    let a = create(&store, Some("a"), 1, 10);
    create(&store, Some("b"), 2, 10);
    let work = {
        let (store, observer) = (store.clone(), observer.clone());
        move || {
            let b = store.open_name("b").unwrap().unwrap();
            observer.fails.store(true, Ordering::SeqCst);
            assert_code(store.sync_object(&b), Code::Io);
            observer.fails.store(false, Ordering::SeqCst);
        }
    };
    *observer.at.lock().unwrap() = Some((a.facts().off, Box::new(work)));
    assert_code(store.sync_object(&a), Code::Io);
}

/// A disk that takes nothing any more. What it has is told apart from the cache when the cache is forgotten.
struct DeadDisk {
    path: PathBuf,
    has: Mutex<Option<Vec<u8>>>,
}

impl Observer for DeadDisk {
    fn before(&self, event: Event) -> io::Result<()> {
        let has = self.has.lock().unwrap();
        let Some(disk) = &*has else { return Ok(()) };
        match event {
            Event::Barrier { .. } | Event::SyncAll => Err(io::Error::from_raw_os_error(EIO)),
            Event::Forget { off } => {
                File::options().write(true).open(&self.path)?.write_all_at(&disk[off as usize..], off)
            }
            _ => Ok(()),
        }
    }
}

/// A sync failed and so did the barrier of the mark: the mark was in the cache only. The next open saw it, had everything read again from
/// the disk, the header too, found no mark there, and believed in the same boot a catalog whose pages were of different versions.
#[test]
fn mark_that_only_the_cache_has_is_not_forgotten_with_the_cache() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let disk = Arc::new(DeadDisk { path: path.clone(), has: Mutex::default() });
    let store = open(&path, &watched(disk.clone()));
    create(&store, Some("a"), 1, 10);
    store.sync().unwrap();
    let mut has = file_bytes(&path);
    create(&store, Some("b"), 2, 10);
    // Of the pages written since, the disk took the state words only.
    let words = forge::WORDS as usize..forge::SLOTS as usize;
    has[words.clone()].copy_from_slice(&file_bytes(&path)[words]);
    *disk.has.lock().unwrap() = Some(has);
    assert_code(store.sync(), Code::Io);
    let _ = store.close();
    // Twice: whoever only looked has not repaired anything.
    for _ in 0..2 {
        let store = open(&path, &watched(disk.clone()));
        assert!(!store.has("b").unwrap());
        assert_eq!(read_name(&store, "a").unwrap(), Some(bytes(1, 10)));
        store.close().unwrap_or_else(|e| assert_eq!(e.code(), Code::Io));
    }
    *disk.has.lock().unwrap() = None;
    let store = open(&path, &watched(disk));
    create(&store, Some("c"), 3, 10);
    assert_whole(&store);
}
