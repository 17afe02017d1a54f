//! Attributes and the children that hold the long ones: they come back with their owner, die with it, and no crash leaves one without it.

mod common;

use common::images::{Capture, Pick, write_image};
use common::{BOOT, OTHER_BOOT, assert_code, assert_whole, booted, create, folder, open, watched};
use rfmalloc_core::{ARRAY, Attributes, Change, Code, Dtype, Handle, MATRIX, Mode, OpenOptions, Role, Store};
use rfmalloc_lab_crash::recorder::Recorder;
use std::path::Path;

fn names(store: &Store, n: u64) -> Handle {
    store.reserve(Dtype::Character, n, true).unwrap()
}

fn set_names(store: &Store, v: &mut Handle) -> rfmalloc_core::Result<()> {
    let child = names(store, v.facts().len);
    store.set_attributes(v, &[Change::Child(Role::Names, Some(&child))])
}

fn set_matrix(store: &Store, v: &mut Handle, nrow: u64, ncol: u64) {
    let (rows, cols) = (names(store, nrow), names(store, ncol));
    let changes = [
        Change::Dim(Some((MATRIX, &[nrow, ncol]))),
        Change::Child(Role::Dimnames(0), Some(&rows)),
        Change::Child(Role::Dimnames(1), Some(&cols)),
        Change::User("unit", Some("\"kg\"")),
    ];
    store.set_attributes(v, &changes).unwrap();
}

/// Records of all kinds, parts included.
fn records(store: &Store) -> u64 {
    store.info().unwrap().catalog_count
}

fn used(store: &Store) -> u64 {
    store.sync().unwrap();
    let u = store.usage().unwrap();
    u.live_bytes + u.retired_bytes + u.pinned_bytes + u.temporary_bytes
}

#[test]
fn attributes_come_back_with_their_owner() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let store = open(&path, &booted(BOOT));
    let mut v = create(&store, Some("v"), 1, 6);
    set_names(&store, &mut v).unwrap();
    set_matrix(&store, &mut v, 2, 3);
    let wanted = Attributes {
        kind: MATRIX,
        dim: vec![2, 3],
        has_names: true,
        has_dimnames: vec![true, true],
        user: vec![("unit".into(), "\"kg\"".into())],
        ..Attributes::default()
    };
    assert_eq!(store.attributes(&v).unwrap(), wanted);
    assert_eq!(v.facts().kind, MATRIX);
    assert_whole(&store);
    drop(v);
    store.close().unwrap();

    let store = open(&path, &booted(BOOT));
    let v = store.open_name("v").unwrap().unwrap();
    assert_eq!((store.attributes(&v).unwrap(), v.facts().kind), (wanted, MATRIX));
    let rows = store.child(&v, Role::Dimnames(0)).unwrap().unwrap();
    assert_eq!((rows.facts().dtype, rows.facts().len, rows.facts().owned), (Dtype::Character, 2, true));
    assert!(store.child(&v, Role::RowNames).unwrap().is_none());
    assert_eq!(store.allocations().unwrap().len(), 1, "parts are no rows of their own");
    assert_whole(&store);
}

/// A rename, a seal, a compaction and a dense copy speak of other things: attributes are carried over.
#[test]
fn attributes_survive_what_does_not_concern_them() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let store = open(&path, &booted(BOOT));
    let gap = create(&store, None, 1, 5000);
    let mut v = create(&store, Some("v"), 1, 6);
    set_names(&store, &mut v).unwrap();
    set_matrix(&store, &mut v, 3, 2);
    let before = store.attributes(&v).unwrap();
    store.rename(&mut v, Some("w"), false).unwrap();
    store.seal(&mut v).unwrap();
    store.destroy(&gap, true).unwrap();
    store.compact(&mut |_, _| true).unwrap();
    let to = dir.path().join("b.fm");
    assert!(store.compact_to(&to, &mut |_, _| true).unwrap());
    for path in [&path, &to] {
        let store = open(path, &booted(BOOT));
        let v = store.open_name("w").unwrap().unwrap();
        assert_eq!(store.attributes(&v).unwrap(), before);
        assert!(v.facts().sealed && store.child(&v, Role::Names).unwrap().is_some());
        assert_whole(&store);
    }
}

#[test]
fn a_temporary_is_committed_with_its_children_or_not_at_all() {
    let dir = folder();
    for mode in [Mode::Persistent, Mode::Scratch] {
        let path = dir.path().join(mode.name());
        let store = open(&path, &OpenOptions { mode, ..booted(BOOT) });
        let mut v = store.reserve(Dtype::Integer, 6, true).unwrap();
        set_names(&store, &mut v).unwrap();
        set_matrix(&store, &mut v, 2, 3);
        let before = store.attributes(&v).unwrap();
        assert!(store.child(&v, Role::Dimnames(1)).unwrap().is_some());
        create(&store, Some("taken"), 1, 1);
        assert_code(store.commit(&mut v, Some("taken"), false), Code::Exists);
        assert!(!v.facts().committed);
        store.commit(&mut v, Some("v"), false).unwrap();
        let found = store.open_name("v").unwrap().unwrap();
        assert_eq!(store.attributes(&found).unwrap(), before);
        assert_eq!(store.child(&found, Role::Names).unwrap().unwrap().facts().len, 6);
        assert_whole(&store);
    }
}

/// A tree needs several slots and extents: whichever of them finds no space, the temporary is as it was. Here the catalog's first segment
/// is full and there is no room for the second; depending on `before`, the owner's slot is still there and its child's is not.
#[test]
fn a_full_disk_in_the_middle_of_a_tree_leaves_the_temporary_whole() {
    for before in 0..3 {
        let dir = folder();
        let store = open(&dir.path().join("a.fm"), &OpenOptions { max_size: Some(1 << 20), ..booted(BOOT) });
        create(&store, None, 1, (700 << 10) / 4);
        for _ in 0..before {
            create(&store, None, 1, 1);
        }
        let refused = loop {
            let mut v = store.reserve(Dtype::Integer, 6, true).unwrap();
            set_matrix(&store, &mut v, 2, 3);
            match store.commit(&mut v, None, false) {
                Ok(()) => {}
                Err(e) => break (e.code(), v),
            }
        };
        let (code, mut v) = refused;
        assert_eq!(code, Code::NoSpace);
        assert_eq!(store.attributes(&v).unwrap().dim, [2, 3]);
        assert_eq!(store.child(&v, Role::Dimnames(1)).unwrap().unwrap().facts().len, 3);
        assert_whole(&store);
        let count = records(&store);
        assert_code(store.commit(&mut v, None, false), Code::NoSpace);
        assert_eq!(records(&store), count, "nothing of an attempt is left");
        // With room it can be committed.
        let first = store.open_id(0, 1).unwrap();
        store.destroy(&first, true).unwrap();
        store.commit(&mut v, None, false).unwrap();
        assert_eq!(records(&store), count + 2);
        assert_whole(&store);
    }
}

#[test]
fn children_die_with_their_owner_and_leave_no_bytes() {
    let dir = folder();
    for (full, at_once) in [(false, false), (false, true), (true, false)] {
        let path = dir.path().join(format!("{full} {at_once}"));
        let store = open(&path, &OpenOptions { full, ..booted(BOOT) });
        create(&store, Some("other"), 1, 10);
        let (before, count) = (used(&store), records(&store));
        let mut v = create(&store, Some("v"), 1, 600);
        set_names(&store, &mut v).unwrap();
        set_matrix(&store, &mut v, 20, 30);
        let child = store.child(&v, Role::Names).unwrap().unwrap();
        assert!(records(&store) > count + 1);
        // Another set of names takes the place of the first.
        set_names(&store, &mut v).unwrap();
        assert_code(store.attributes(&child), Code::Destroyed);
        drop(child);
        store.destroy(&v, at_once).unwrap();
        assert_eq!(records(&store), count);
        store.sync().unwrap();
        store.sync().unwrap();
        assert_eq!(used(&store), before, "full {full}, at once {at_once}");
        assert_whole(&store);
    }
}

#[test]
fn a_part_is_nobody_elses() {
    let dir = folder();
    for mode in [Mode::Persistent, Mode::Scratch] {
        let store = open(&dir.path().join(mode.name()), &OpenOptions { mode, ..booted(BOOT) });
        let mut v = create(&store, Some("v"), 1, 6);
        let mut w = create(&store, Some("w"), 1, 6);
        set_names(&store, &mut v).unwrap();
        let mut child = store.child(&v, Role::Names).unwrap().unwrap();
        assert_code(store.destroy(&child, false), Code::Busy);
        assert_code(store.commit(&mut child, Some("mine"), false), Code::Busy);
        assert_code(store.list(rfmalloc_core::LIST, &[Some(&child)]), Code::Busy);
        let taken = [Change::Child(Role::Names, Some(&child))];
        assert_code(store.set_attributes(&mut w, &taken), Code::Argument);
        let committed = [Change::Child(Role::Names, Some(&v))];
        assert_code(store.set_attributes(&mut w, &committed), Code::Argument);
    }
}

#[test]
fn what_does_not_fit_is_refused_and_nothing_changes() {
    let dir = folder();
    let store = open(&dir.path().join("a.fm"), &booted(BOOT));
    let mut v = create(&store, Some("v"), 1, 6);
    let (short, numbers) = (names(&store, 5), store.reserve(Dtype::Integer, 6, true).unwrap());
    let rows = names(&store, 2);
    let long = "x".repeat(600_000);
    let wrong: [(&[Change<'_>], Code); 10] = [
        (&[Change::Child(Role::Names, Some(&short))], Code::Length),
        (&[Change::Child(Role::Names, Some(&numbers))], Code::Type),
        (&[Change::Dim(Some((MATRIX, &[2, 4])))], Code::Dim),
        (&[Change::Dim(Some((MATRIX, &[6])))], Code::Dim),
        (&[Change::Dim(Some((ARRAY, &[])))], Code::Dim),
        (&[Change::Dim(Some((ARRAY, &[1 << 32, 0])))], Code::Dim),
        (&[Change::Child(Role::Dimnames(0), Some(&rows))], Code::Dim),
        (&[Change::Dim(Some((MATRIX, &[3, 2]))), Change::Child(Role::Dimnames(0), Some(&rows))], Code::Dim),
        (&[Change::User("", Some("1"))], Code::Argument),
        (&[Change::User("k", Some(&long))], Code::TooLarge),
    ];
    for (changes, code) in wrong {
        assert_code(store.set_attributes(&mut v, changes), code);
        assert_eq!(store.attributes(&v).unwrap(), Attributes::default());
    }
    assert_eq!(records(&store), 1);
    assert_whole(&store);
}

/// Whatever stands in an image of a crash: every object whole with its attributes or without them, no orphan after the first change.
fn is_consistent(path: &Path, boot: [u8; 16], keep_unsynced: bool, when: &str) {
    let store = open(path, &OpenOptions { keep_unsynced, ..booted(boot) });
    let mut faults = store.verify().unwrap().faults;
    // One copy may be torn: for that there are two.
    faults.retain(|f| f.place != "superblock");
    assert!(faults.is_empty(), "{when}: {faults:?}");
    create(&store, Some("first change"), 9, 10);
    let mut owners = 0;
    for name in store.names().unwrap() {
        let v = store.open_name(&name).unwrap().unwrap();
        let a = store.attributes(&v).unwrap();
        owners += 1;
        if a.has_names {
            owners += 1;
            assert_eq!(store.child(&v, Role::Names).unwrap().unwrap().facts().len, v.facts().len, "{when}");
        }
        for (i, has) in a.has_dimnames.iter().enumerate() {
            let child = store.child(&v, Role::Dimnames(i)).unwrap();
            assert_eq!(child.map(|c| c.facts().len), has.then_some(a.dim[i]), "{when}");
            owners += u64::from(*has);
        }
    }
    assert_eq!(records(&store), owners, "{when}: records without an owner");
    let faults = store.verify().unwrap().faults;
    assert!(faults.is_empty(), "{when}, after the first change: {faults:?}");
    store.close().unwrap();
}

#[test]
fn no_crash_leaves_a_child_alone_or_an_owner_without() {
    for full in [false, true] {
        let dir = folder();
        let path = dir.path().join("lab.fm");
        open(&path, &booted(BOOT)).close().unwrap();
        let recorder = Recorder::new(None, (), 7);
        let store = open(&path, &OpenOptions { full, ..watched(recorder.clone()) });
        recorder.watch_all();
        recorder.capture(Capture::Always);
        let mut v = create(&store, Some("v"), 1, 6);
        set_names(&store, &mut v).unwrap();
        set_names(&store, &mut v).unwrap();
        let mut w = store.reserve(Dtype::Integer, 6, true).unwrap();
        set_matrix(&store, &mut w, 2, 3);
        store.commit(&mut w, Some("w"), false).unwrap();
        store.sync().unwrap();
        set_names(&store, &mut w).unwrap();
        set_names(&store, &mut v).unwrap();
        store.sync_object(&w).unwrap();
        store.rename(&mut w, Some("v"), true).unwrap();
        set_names(&store, &mut w).unwrap();
        store.destroy(&w, false).unwrap();
        let image = dir.path().join("image.fm");
        let mut looked_at = 0;
        for point in recorder.take_points() {
            let picks = [(Pick::New, BOOT), (Pick::Old, OTHER_BOOT), (Pick::New, OTHER_BOOT)];
            let from = looked_at * 7;
            let mixes = (0..4).map(|i| (Pick::Mix(from + i), OTHER_BOOT));
            for (pick, boot) in picks.into_iter().chain(mixes) {
                // Opened to keep what no sync covered, a version counted without the parts it named, and a part was dead whose owner's last
                // synced version still named it.
                for keep in [false, true] {
                    write_image(&point.disk, &image, pick);
                    is_consistent(&image, boot, keep, &format!("{pick:?} at {}, keep {keep}", point.label));
                }
                looked_at += 1;
            }
        }
        assert!(looked_at > 200);
    }
}

/// Names given to an object of a scratch store after its commit counted as temporaries as long as they lived.
#[test]
fn names_of_a_committed_scratch_object_are_committed() {
    let dir = folder();
    let options = OpenOptions { mode: Mode::Scratch, ..booted(BOOT) };
    let store = open(&dir.path().join("a.fm"), &options);
    let mut v = create(&store, Some("v"), 1, 64);
    set_names(&store, &mut v).unwrap();
    assert_eq!(store.usage().unwrap().temporaries, 0);
    assert!(store.child(&v, Role::Names).unwrap().unwrap().facts().committed);
    let mut temporary = store.reserve(Dtype::Integer, 3, true).unwrap();
    set_names(&store, &mut temporary).unwrap();
    assert_eq!(store.usage().unwrap().temporaries, 2);
}

#[test]
fn a_part_has_no_attributes_of_its_own() {
    let dir = folder();
    let store = open(&dir.path().join("a.fm"), &booted(BOOT));
    let mut v = create(&store, Some("v"), 1, 64);
    set_names(&store, &mut v).unwrap();
    let mut part = store.child(&v, Role::Names).unwrap().unwrap();
    assert_code(set_names(&store, &mut part), Code::Busy);
    let len = part.facts().len;
    assert_code(store.set_attributes(&mut part, &[Change::Dim(Some((ARRAY, &[len])))]), Code::Busy);
    assert_code(store.set_attributes(&mut part, &[Change::User("a", Some("1"))]), Code::Busy);
}
