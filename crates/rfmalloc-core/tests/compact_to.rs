//! Dense copies: the same objects in another file or in the file's own place, whole or not there at all, whatever fails on the way.

mod common;

use common::{
    BOOT, OTHER_BOOT, assert_code, assert_whole, booted, bytes, create, file_bytes, folder, len, open, patch,
    read, read_name, read_only, try_open, write,
};
use rfmalloc_core::{Code, Dtype, Event, Mode, Observer, OpenOptions, Store};
use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

type All = BTreeMap<(u64, u64), (Option<String>, Vec<u8>)>;

/// Every object, by reference.
fn all(store: &Store) -> All {
    let mut list = All::new();
    for row in store.allocations().unwrap() {
        if row.state == "committed" {
            let name = row.name.clone();
            let generation = u64::from(row.generation);
            let id = (0..10_000).find(|id| store.open_id(*id, generation).is_ok()).unwrap();
            list.insert((id, generation), (name, read(&store.open_id(id, generation).unwrap()).unwrap()));
        }
    }
    list
}

fn copy_to(store: &Store, path: &Path) {
    assert!(store.compact_to(path, &mut |_, _| true).unwrap());
}

/// Objects large and small, with and without names, some of them destroyed, some never synced.
fn mixed(store: &Store) {
    for i in 0..700u32 {
        let name = format!("v{i}");
        create(store, (i % 3 > 0).then_some(&name), i, [0, 3, 90, 5000][i as usize % 4]);
    }
    create(store, Some("large"), 7, 900_000);
    store.sync().unwrap();
    for i in (0..700).filter(|i| i % 3 == 1) {
        store.delete(&format!("v{i}")).unwrap();
    }
    let mut v2 = store.open_name("v2").unwrap().unwrap();
    store.rename(&mut v2, Some("another name"), false).unwrap();
    create(store, Some("last"), 9, 10);
}

#[test]
fn a_copy_has_everything_but_the_gaps() {
    let dir = folder();
    let (path, target) = (dir.path().join("a.fm"), dir.path().join("b.fm"));
    let store = open(&path, &booted(BOOT));
    mixed(&store);
    let temporary = store.reserve(Dtype::Raw, 500_000, true).unwrap();
    let before = (all(&store), file_bytes(&path));
    let mut told = (0, 0);
    assert!(
        store
            .compact_to(&target, &mut |done, total| {
                assert!(done >= told.0 && done <= total && (told.1 == 0 || total == told.1));
                told = (done, total);
                true
            })
            .unwrap()
    );
    assert!(told.0 == told.1 && told.0 > 3_600_000);
    assert_eq!(all(&store), before.0);
    assert!(file_bytes(&path) == before.1, "the source is unchanged");
    drop(temporary);
    assert!(len(&target) < len(&path) && len(&target).is_multiple_of(65_536));
    let copy = open(&target, &booted(OTHER_BOOT));
    assert!(copy.info().unwrap().was_clean && copy.uuid() != store.uuid());
    assert_eq!(all(&copy), before.0);
    assert_eq!(copy.names().unwrap(), store.names().unwrap());
    assert_whole(&copy);
    // New objects get generations that no old reference knows.
    let new = create(&copy, Some("new"), 1, 5);
    assert!(before.0.keys().all(|(_, generation)| *generation < new.facts().generation));
    drop(new);
    let payload = 3_600_000 + 117 * 32_768;
    assert!(len(&target) < (payload + 400_000) * 21 / 20, "{}", len(&target));
    copy.close().unwrap();
    let copy = open(&target, &booted(OTHER_BOOT));
    assert_eq!(copy.names().unwrap().len(), store.names().unwrap().len() + 1);
    assert_whole(&copy);
}

#[test]
fn read_only_and_unclean_stores_can_be_copied() {
    let dir = folder();
    let (path, killed) = (dir.path().join("a.fm"), dir.path().join("killed.fm"));
    let store = open(&path, &booted(BOOT));
    mixed(&store);
    let now = all(&store);
    common::copy(&path, &killed);
    drop(store);
    let store = open(&killed, &read_only(BOOT));
    copy_to(&store, &dir.path().join("b.fm"));
    assert_eq!(all(&open(&dir.path().join("b.fm"), &booted(BOOT))), now);
    drop(store);
    // After a machine crash: what the next change would keep.
    let store = open(&killed, &read_only(OTHER_BOOT));
    copy_to(&store, &dir.path().join("c.fm"));
    drop(store);
    let recovered = open(&killed, &booted(OTHER_BOOT));
    create(&recovered, None, 1, 0);
    let kept = all(&recovered);
    let copied = all(&open(&dir.path().join("c.fm"), &booted(BOOT)));
    assert!(copied.len() + 1 == kept.len() && copied.iter().all(|(k, v)| kept[k] == *v));
}

/// A power cut reverted a naming, but not the state word with the name's tag. A copy made before the first change had the version that counts,
/// without a name, under the word's tag, and the copy was damaged.
#[test]
fn a_copy_made_before_recovery_has_the_tags_of_what_counts() {
    let dir = folder();
    let (path, target) = (dir.path().join("a.fm"), dir.path().join("b.fm"));
    let store = open(&path, &booted(BOOT));
    let mut handle = create(&store, None, 1, 10);
    store.sync().unwrap();
    store.rename(&mut handle, Some("lost"), false).unwrap();
    let image = common::copy(&path, &dir.path().join("image.fm"));
    drop((handle, store));
    let store = open(&image, &booted(OTHER_BOOT));
    let before = all(&store);
    copy_to(&store, &target);
    let copy = open(&target, &booted(BOOT));
    assert!(all(&copy) == before && !copy.has("lost").unwrap());
    assert_whole(&copy);
}

#[test]
fn an_empty_store_and_one_with_many_slots_can_be_copied() {
    let dir = folder();
    let store = open(&dir.path().join("a.fm"), &booted(BOOT));
    copy_to(&store, &dir.path().join("empty.fm"));
    assert_whole(&open(&dir.path().join("empty.fm"), &booted(BOOT)));
    // Only the last slot of four segments stays in use.
    for i in 0..4000 {
        create(&store, Some(&format!("n{i}")), i, 1);
    }
    for i in 0..3999 {
        store.delete(&format!("n{i}")).unwrap();
    }
    copy_to(&store, &dir.path().join("sparse.fm"));
    let copy = open(&dir.path().join("sparse.fm"), &booted(OTHER_BOOT));
    assert_eq!(all(&copy), all(&store));
    for i in 0..5000 {
        create(&copy, Some(&format!("m{i}")), i, 1);
    }
    assert_whole(&copy);
}

#[test]
fn refusals_leave_everything_as_it_was() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let target = dir.path().join("b.fm");
    let store = open(&path, &booted(BOOT));
    create(&store, Some("a"), 1, 10);
    let go = |p: &Path| store.compact_to(p, &mut |_, _| true);
    std::fs::write(&target, b"mine").unwrap();
    assert_code(go(&target), Code::Exists);
    assert_eq!(file_bytes(&target), b"mine");
    assert_code(go(&dir.path().join("no folder/b.fm")), Code::NotFound);
    assert_code(go(Path::new("")), Code::Argument);
    let work = store.copy_work(&dir.path().join("c.fm")).unwrap();
    assert_code(go(&dir.path().join("d.fm")), Code::Busy);
    assert_code(store.compact(&mut |_, _| true), Code::Busy);
    drop(work);
    assert!(!store.compact_to(&dir.path().join("c.fm"), &mut |_, _| false).unwrap());
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);
    let scratch = open(&dir.path().join("s.fm"), &OpenOptions { mode: Mode::Scratch, ..booted(BOOT) });
    assert_code(scratch.compact_to(&dir.path().join("d.fm"), &mut |_, _| true), Code::Mode);
}

/// The copy must not carry damage on under good checksums.
#[test]
fn damage_is_named_and_not_copied() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let store = open(&path, &booted(BOOT));
    create(&store, Some("a"), 1, 10);
    let b = create(&store, Some("b"), 2, 10);
    let record = b.whereabouts().unwrap().0;
    drop(b);
    store.close().unwrap();
    let whole = file_bytes(&path);
    // The record's body; then the name's extent, which follows the 64 bytes of elements.
    let name_off = whole.windows(4).rposition(|w| w == b"FMAX").unwrap() as u64;
    for off in [record + 40, name_off + 41] {
        patch(&path, 0, &whole);
        patch(&path, off, &[whole[off as usize] ^ 1]);
        let store = open(&path, &read_only(BOOT));
        let e = assert_code(store.compact_to(&dir.path().join("b.fm"), &mut |_, _| true), Code::Corrupt);
        assert!(e.message().contains("record 1"), "{e}");
        assert!(!dir.path().join("b.fm").exists());
    }
}

/// Seals go along, moved or copied, and what they speak of is tested on the way.
#[test]
fn sealed_objects_stay_sealed_and_are_tested() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let store = open(&path, &booted(BOOT));
    let gap = create(&store, None, 1, 800_000);
    let mut sealed = create(&store, Some("sealed"), 2, 700_000);
    store.seal(&mut sealed).unwrap();
    store.sync().unwrap();
    store.destroy(&gap, false).unwrap();
    assert!(store.compact(&mut |_, _| true).unwrap().moved > 2_800_000);
    let whole = |store: &Store| {
        assert!(store.open_name("sealed").unwrap().unwrap().facts().sealed);
        assert_eq!(read_name(store, "sealed").unwrap().unwrap(), bytes(2, 700_000));
        assert!(store.verify_payloads().unwrap().faults.is_empty());
    };
    whole(&store);
    copy_to(&store, &dir.path().join("b.fm"));
    whole(&open(&dir.path().join("b.fm"), &booted(OTHER_BOOT)));
    let off = sealed.whereabouts().unwrap().1 + 2_500_000;
    drop(sealed);
    store.close().unwrap();
    patch(&path, off, &[file_bytes(&path)[off as usize] ^ 4]);
    let store = open(&path, &booted(BOOT));
    let e = assert_code(store.compact_to(&dir.path().join("c.fm"), &mut |_, _| true), Code::Corrupt);
    assert!(e.message().contains("seal"), "{e}");
    assert!(!dir.path().join("c.fm").exists());
}

/// What a copy reads must not be given to others before it has been read.
#[test]
fn bytes_freed_during_a_copy_are_not_reused_before_its_end() {
    let dir = folder();
    let store = open(&dir.path().join("a.fm"), &booted(BOOT));
    create(&store, Some("first"), 1, 500_000);
    for i in 0..20 {
        create(&store, Some(&format!("v{i}")), 10 + i, 4000);
    }
    store.sync().unwrap();
    let expected = all(&store);
    let mut once = false;
    let target = dir.path().join("b.fm");
    assert!(
        store
            .compact_to(&target, &mut |_, _| {
                if !std::mem::replace(&mut once, true) {
                    for i in 0..20 {
                        let v = store.open_name(&format!("v{i}")).unwrap().unwrap();
                        store.destroy(&v, i % 2 == 0).unwrap();
                    }
                    store.sync().unwrap();
                    for i in 0..20 {
                        create(&store, Some(&format!("new{i}")), 500 + i, 4000);
                    }
                }
                true
            })
            .unwrap()
    );
    assert_eq!(all(&open(&target, &booted(BOOT))), expected);
    let used = len(&dir.path().join("a.fm"));
    for i in 0..19 {
        create(&store, None, i, 4000);
    }
    assert_eq!(len(&dir.path().join("a.fm")), used, "what was kept back came free");
    assert_whole(&store);
}

#[test]
fn onto_its_own_path_a_store_is_replaced_and_closed() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let (soft, hard) = (dir.path().join("soft.fm"), dir.path().join("hard.fm"));
    for name in [&path, &soft, &hard] {
        let store = open(&path, &booted(BOOT));
        if name == &path {
            mixed(&store);
            std::os::unix::fs::symlink("a.fm", &soft).unwrap();
            std::fs::hard_link(&path, &hard).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        }
        let (uuid, objects) = (store.uuid(), all(&store));
        let handle = store.open_name("large").unwrap().unwrap();
        copy_to(&store, name);
        assert!(store.is_closed());
        assert_code(store.names(), Code::Closed);
        assert_code(handle.pin(0, 4), Code::Closed);
        drop(handle);
        let again = open(&path, &booted(OTHER_BOOT));
        assert!(again.uuid() == uuid && again.info().unwrap().was_clean);
        assert_eq!(all(&again), objects);
        assert_whole(&again);
        again.close().unwrap();
        assert_eq!(all(&open(name, &booted(BOOT))), objects);
        // Another name of the old file keeps that; from here on both are the new one again.
        std::fs::remove_file(&hard).unwrap();
        std::fs::hard_link(&path, &hard).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 3);
}

#[test]
fn onto_its_own_path_everybody_else_is_in_the_way_and_kept_out() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let store = open(&path, &booted(BOOT));
    let a = create(&store, Some("a"), 1, 10);
    let other = open(&path, &booted(BOOT));
    assert_code(store.copy_work(&path), Code::Busy);
    drop(other);
    let pin = a.pin(0, 4).unwrap();
    assert_code(store.copy_work(&path), Code::Busy);
    drop(pin);
    let cell = a.facts().cell;
    let work = store.copy_work(&path).unwrap();
    assert_code(store.names(), Code::Busy);
    assert_code(a.pin(0, 4), Code::Busy);
    assert_code(try_open(&path, &booted(BOOT)), Code::Busy);
    assert!(rfmalloc_core::registry::open_uuid(&store.uuid()).is_none());
    drop(work);
    // It did not come to pass: everything goes on, only the cells have changed.
    let mut a = a;
    a.refresh().unwrap();
    assert!(a.facts().cell != cell && read(&a).unwrap() == bytes(1, 10));
    write(&a, &[1]).unwrap();
    assert!(!store.compact_to(&path, &mut |_, _| false).unwrap());
    drop(a);
    store.close().unwrap();
    let store = open(&path, &read_only(BOOT));
    assert_code(store.copy_work(&path), Code::ReadOnly);
}

/// Runs a hook before and after every event, which may fail it.
struct Steps<F>(Mutex<F>);

impl<F: FnMut(Event, bool) -> io::Result<()> + Send> Observer for Steps<F> {
    fn before(&self, event: Event) -> io::Result<()> {
        (self.0.lock().unwrap())(event, false)
    }
    fn after(&self, event: Event) {
        let _ = (self.0.lock().unwrap())(event, true);
    }
}

fn prepared(dir: &Path) -> (PathBuf, All) {
    let path = dir.join("a.fm");
    let store = open(&path, &booted(BOOT));
    for i in 0..30u32 {
        create(&store, Some(&format!("v{i}")), i, u64::from(i % 5) * 1500);
    }
    for i in 0..15 {
        store.delete(&format!("v{i}")).unwrap();
    }
    let objects = all(&store);
    store.close().unwrap();
    (path, objects)
}

/// The n-th event of a copy fails; false: there was no n-th.
fn fail_nth(n: usize, own: bool) -> bool {
    let dir = folder();
    let (path, objects) = prepared(dir.path());
    let left = Arc::new(Mutex::new(usize::MAX));
    let arm = left.clone();
    let observer = Steps(Mutex::new(move |event: Event, is_over: bool| {
        let mut left = left.lock().unwrap();
        // A failing barrier poisons, which faults.rs tests; stores of metadata cannot fail.
        if is_over || *left == usize::MAX {
            return Ok(());
        }
        if *left == 0 {
            *left = usize::MAX;
            return Err(io::Error::from_raw_os_error(if matches!(event, Event::SyncAll) { 5 } else { 28 }));
        }
        *left -= 1;
        Ok(())
    }));
    let store = open(&path, &OpenOptions { observer: Some(Arc::new(observer)), ..booted(BOOT) });
    let target = if own { path.clone() } else { dir.path().join("b.fm") };
    *arm.lock().unwrap() = n;
    let done = store.compact_to(&target, &mut |_, _| true);
    let was_armed = std::mem::replace(&mut *arm.lock().unwrap(), usize::MAX) != usize::MAX;
    if was_armed {
        done.unwrap();
        return false;
    }
    let e = done.unwrap_err();
    assert!(matches!(e.code(), Code::Io | Code::NoSpace | Code::Poisoned), "event {n}: {e}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "event {n} left something behind");
    if !store.is_closed() {
        assert_eq!(all(&store), objects, "event {n}");
        let _ = store.close();
    }
    let store = open(&path, &booted(BOOT));
    assert_eq!(all(&store), objects, "event {n}");
    assert_whole(&store);
    true
}

#[test]
fn every_step_of_a_copy_may_fail() {
    for own in [false, true] {
        let n = (0..1000).take_while(|n| fail_nth(*n, own)).count();
        assert!(n >= 8, "{n} steps tried");
    }
}

/// At every event of a replacement the folder is as a process death would leave it: the path leads to a whole store, old or new, and
/// what lies beside it is gone after the next open.
#[test]
fn a_death_at_any_step_of_a_replacement_leaves_a_store_under_the_path() {
    let dir = folder();
    let (path, objects) = prepared(dir.path());
    let deaths: Arc<Mutex<Vec<(Event, tempfile::TempDir)>>> = Arc::default();
    let (source, list) = (dir.path().to_owned(), deaths.clone());
    let observer = Steps(Mutex::new(move |event, _| {
        let grave = folder();
        for file in std::fs::read_dir(&source)? {
            let file = file?;
            std::fs::copy(file.path(), grave.path().join(file.file_name()))?;
        }
        list.lock().unwrap().push((event, grave));
        Ok(())
    }));
    let store = open(&path, &OpenOptions { observer: Some(Arc::new(observer)), ..booted(BOOT) });
    let uuid = store.uuid();
    copy_to(&store, &path);
    let deaths = std::mem::take(&mut *deaths.lock().unwrap());
    let is_there = |what: &Event| deaths.iter().any(|(e, _)| e == what);
    assert!(is_there(&Event::Link) && is_there(&Event::Rename) && is_there(&Event::SyncFolder));
    let mut left_over = 0;
    for (event, grave) in deaths {
        left_over += std::fs::read_dir(grave.path()).unwrap().count() - 1;
        let store = open(&grave.path().join("a.fm"), &booted(BOOT));
        assert!(store.uuid() == uuid && all(&store) == objects, "{event:?}");
        assert_whole(&store);
        assert_eq!(std::fs::read_dir(grave.path()).unwrap().count(), 1, "{event:?}");
    }
    assert!(left_over >= 2, "the hidden name was seen {left_over} times");
}

#[test]
fn names_that_a_crash_left_twice_are_settled_in_the_copy() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let images: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
    let (source, list) = (path.clone(), images.clone());
    let observer = Steps(Mutex::new(move |event: Event, is_over| {
        if is_over && matches!(event, Event::Store { .. }) {
            list.lock().unwrap().push(std::fs::read(&source)?);
        }
        Ok(())
    }));
    let store = open(&path, &OpenOptions { observer: Some(Arc::new(observer)), ..booted(BOOT) });
    create(&store, Some("a"), 1, 10);
    create(&store, Some("b"), 2, 10);
    store.sync().unwrap();
    images.lock().unwrap().clear();
    common::replace(&store, "a", 3, 10).unwrap();
    let mut b = store.open_name("b").unwrap().unwrap();
    store.rename(&mut b, Some("a"), true).unwrap();
    let images = std::mem::take(&mut *images.lock().unwrap());
    let mut twice = 0;
    for (i, image) in images.iter().enumerate() {
        let (killed, target) = (dir.path().join("killed.fm"), dir.path().join("b.fm"));
        std::fs::write(&killed, image).unwrap();
        let source = open(&killed, &read_only(BOOT));
        copy_to(&source, &target);
        let rows = |s: &Store| s.allocations().unwrap().iter().filter(|r| r.state == "committed").count();
        let copy = open(&target, &booted(BOOT));
        twice += usize::from(rows(&copy) < rows(&source));
        for name in ["a", "b"] {
            assert_eq!(read_name(&copy, name).unwrap(), read_name(&source, name).unwrap(), "image {i}");
        }
        assert_whole(&copy);
        create(&copy, Some("c"), 1, 1);
        assert_whole(&copy);
        drop((copy, source));
        std::fs::remove_file(&target).unwrap();
    }
    assert!(twice > 0);
}

/// The story: the path could not be looked at (the disk failed), and was taken for another file's: `EXISTS`, though it was the store's own,
/// and "remove it" was the advice. A path that leads round in a circle cannot be looked at either.
#[test]
fn a_path_that_cannot_be_looked_at_is_not_told_to_be_in_the_way() {
    let dir = folder();
    let store = open(&dir.path().join("a.fm"), &booted(BOOT));
    create(&store, Some("a"), 1, 10);
    let circle = dir.path().join("circle.fm");
    std::os::unix::fs::symlink(&circle, &circle).unwrap();
    let e = assert_code(store.compact_to(&circle, &mut |_, _| true), Code::Io);
    assert!(e.details().iter().any(|(key, _)| *key == "path"), "{e}");
    assert_whole(&store);
}
