//! Lists and frames: what they hold stays, comes back, and is never taken for something else.

mod common;

use common::images::{Capture, Pick, write_image};
use common::{BOOT, OTHER_BOOT, assert_code, assert_whole, booted, create, folder, open, read, watched};
use rfmalloc_core::{Change, Code, Dtype, FRAME, Handle, LIST, Mode, OpenOptions, Role, Store};
use rfmalloc_lab_crash::recorder::Recorder;

fn both(test: impl Fn(&Store)) {
    for mode in [Mode::Persistent, Mode::Scratch] {
        let dir = folder();
        test(&open(&dir.path().join("a.fm"), &OpenOptions { mode, ..booted(BOOT) }));
    }
}

fn list(store: &Store, name: Option<&str>, items: &[Option<&Handle>]) -> Handle {
    let mut list = store.list(LIST, items).unwrap();
    store.commit(&mut list, name, false).unwrap();
    list
}

fn serials(store: &Store, list: &Handle) -> Vec<Option<u64>> {
    (0..list.facts().len).map(|i| store.list_get(list, i).unwrap().map(|h| h.serial())).collect()
}

#[test]
fn lists_of_lists_come_back_sixty_four_deep() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let store = open(&path, &booted(BOOT));
    let v = create(&store, None, 7, 100);
    let mut inner = list(&store, None, &[Some(&v), None, Some(&v)]);
    for _ in 1..64 {
        inner = list(&store, None, &[None, Some(&inner)]);
    }
    store.commit(&mut inner, Some("deep"), false).unwrap();
    assert_whole(&store);
    drop((v, inner));
    store.close().unwrap();
    let store = open(&path, &booted(BOOT));
    let mut at = store.open_name("deep").unwrap().unwrap();
    for _ in 1..64 {
        assert_eq!((at.facts().kind, at.facts().dtype), (LIST, Dtype::List));
        at = store.list_get(&at, 1).unwrap().unwrap();
    }
    let v = store.list_get(&at, 0).unwrap().unwrap();
    assert_eq!(read(&v).unwrap(), common::bytes(7, 100));
    assert!(store.list_get(&at, 1).unwrap().is_none());
    assert_eq!(store.parents(&v).unwrap(), 2);
    assert_code(store.list_get(&at, 3), Code::OutOfBounds);
    assert_code(store.list_get(&v, 0), Code::Type);
    assert_whole(&store);
}

#[test]
fn what_a_list_holds_cannot_be_destroyed() {
    both(|store| {
        let v = create(store, Some("v"), 1, 10);
        let l = list(store, Some("l"), &[Some(&v), Some(&v), None]);
        let e = assert_code(store.destroy(&v, false), Code::Busy);
        assert!(e.message().contains("2 parent references"), "{}", e.message());
        assert_code(store.delete("v"), Code::Busy);
        store.list_set(&l, 0, None).unwrap();
        assert_eq!(store.parents(&v).unwrap(), 1);
        assert_code(store.destroy(&v, true), Code::Busy);
        store.list_set(&l, 2, Some(&v)).unwrap();
        store.list_set(&l, 1, None).unwrap();
        assert_eq!(serials(store, &l), [None, None, Some(v.serial())]);
        store.destroy(&l, false).unwrap();
        assert!(store.destroy(&v, false).unwrap());
    });
}

/// A held object that lost its name in a replacement was destroyed under the list.
#[test]
fn replacing_a_held_object_only_takes_its_name() {
    both(|store| {
        let v = create(store, Some("v"), 1, 10);
        let l = list(store, Some("l"), &[Some(&v)]);
        let w = common::replace(store, "v", 2, 10).unwrap();
        assert_ne!(w.serial(), v.serial());
        assert_eq!(v.name().unwrap(), None);
        assert_eq!(serials(store, &l), [Some(v.serial())]);
        assert_eq!(store.open_name("v").unwrap().unwrap().serial(), w.serial());
        let mut x = create(store, Some("x"), 3, 10);
        list(store, None, &[Some(&w)]);
        store.rename(&mut x, Some("v"), true).unwrap();
    });
}

#[test]
fn a_list_never_holds_itself() {
    both(|store| {
        let a = list(store, Some("a"), &[None, None]);
        let b = list(store, Some("b"), &[Some(&a)]);
        let c = store.list(LIST, &[Some(&b), None]).unwrap();
        assert_code(store.list_set(&a, 0, Some(&a)), Code::Cycle);
        assert_code(store.list_set(&a, 0, Some(&b)), Code::Cycle);
        assert_code(store.list_set(&a, 0, Some(&c)), Code::Cycle);
        assert_eq!(serials(store, &a), [None, None]);
        store.list_set(&c, 1, Some(&a)).unwrap();
        let v = create(store, None, 1, 1);
        store.list_set(&a, 1, Some(&v)).unwrap();
    });
}

#[test]
fn another_stores_objects_are_refused() {
    let dir = folder();
    let (one, two) = (open(&dir.path().join("1"), &booted(BOOT)), open(&dir.path().join("2"), &booted(BOOT)));
    let v = create(&one, None, 1, 1);
    assert_code(two.list(LIST, &[Some(&v)]), Code::OtherStore);
    let l = list(&two, None, &[None]);
    assert_code(two.list_set(&l, 0, Some(&v)), Code::OtherStore);
}

/// What nobody but a temporary list holds is not collected with its last handle.
#[test]
fn temporary_lists_keep_what_they_hold() {
    both(|store| {
        let v = store.reserve(Dtype::Integer, 4, true).unwrap();
        let serial = v.serial();
        let l = store.list(LIST, &[Some(&v)]).unwrap();
        drop(v);
        assert_eq!(serials(store, &l), [Some(serial)]);
        assert_eq!(store.list_get(&l, 0).unwrap().unwrap().facts().len, 4);
        let named = create(store, Some("named"), 1, 4);
        let l2 = store.list(LIST, &[Some(&named), Some(&l)]).unwrap();
        drop(l);
        assert_code(store.destroy(&named, false), Code::Busy);
        drop(l2);
        assert!(store.destroy(&named, false).unwrap());
        let u = store.usage().unwrap();
        assert_eq!((u.temporaries, u.temporary_bytes), (0, 0));
    });
}

/// Under full durability a list put into a cell was on stable storage when the call returned, and what it held was not: a power cut left
/// its cells naming nothing.
#[test]
fn full_durability_covers_what_a_list_in_a_cell_holds() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let store = open(&path, &OpenOptions { full: true, ..booted(BOOT) });
    let outer = list(&store, Some("outer"), &[None]);
    let v = store.reserve(Dtype::Integer, 5, true).unwrap();
    let inner = store.list(LIST, &[Some(&v)]).unwrap();
    store.list_set(&outer, 0, Some(&inner)).unwrap();
    let cut = common::copy(&path, &dir.path().join("cut.fm"));
    let after = open(&cut, &booted(OTHER_BOOT));
    let outer = after.open_name("outer").unwrap().unwrap();
    let inner = after.list_get(&outer, 0).unwrap().unwrap();
    assert_eq!(after.list_get(&inner, 0).unwrap().unwrap().facts().len, 5);
    assert_whole(&after);
}

#[test]
fn a_frame_is_committed_with_its_columns_and_names() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let store = open(&path, &booted(BOOT));
    let age = create(&store, Some("age"), 1, 3);
    let score = store.reserve(Dtype::Numeric, 3, true).unwrap();
    let mut frame = store.list(FRAME, &[Some(&age), Some(&score)]).unwrap();
    let names = store.reserve(Dtype::Character, 2, true).unwrap();
    let changes = [Change::Rows(3), Change::Child(Role::Names, Some(&names))];
    store.set_attributes(&mut frame, &changes).unwrap();
    drop((score, names));
    store.commit(&mut frame, Some("df"), false).unwrap();
    drop(frame);
    assert_whole(&store);
    store.close().unwrap();
    let store = open(&path, &booted(BOOT));
    let frame = store.open_name("df").unwrap().unwrap();
    let a = store.attributes(&frame).unwrap();
    assert_eq!((a.kind, a.rows, a.has_names, a.has_row_names), (FRAME, Some(3), true, false));
    let columns: Vec<_> = (0..2).map(|i| store.list_get(&frame, i).unwrap().unwrap().facts()).collect();
    assert_eq!([columns[0].dtype, columns[1].dtype], [Dtype::Integer, Dtype::Numeric]);
    assert_code(store.list_set(&frame, 0, None), Code::Argument);
    assert_whole(&store);
}

/// HELD may be lost with its page while the cell is not: recovery counts anew.
#[test]
fn no_crash_gives_a_cell_another_object() {
    for full in [false, true] {
        let dir = folder();
        let path = dir.path().join("lab.fm");
        open(&path, &booted(BOOT)).close().unwrap();
        let recorder = Recorder::new(None, (), 11);
        let store = open(&path, &OpenOptions { full, ..watched(recorder.clone()) });
        recorder.watch_all();
        recorder.capture(Capture::Always);
        let a = create(&store, Some("a"), 1, 10);
        let temporary = store.reserve(Dtype::Integer, 11, true).unwrap();
        let l = list(&store, Some("l"), &[Some(&a), Some(&temporary), None]);
        store.sync().unwrap();
        let b = create(&store, Some("b"), 2, 12);
        store.list_set(&l, 2, Some(&b)).unwrap();
        store.list_set(&l, 0, None).unwrap();
        store.destroy(&a, false).unwrap();
        create(&store, Some("c"), 3, 13);
        store.sync_object(&l).unwrap();
        store.list_set(&l, 1, None).unwrap();
        store.destroy(&temporary, false).unwrap();
        create(&store, Some("d"), 4, 14);
        let image = dir.path().join("image.fm");
        let mut n = 0;
        for point in recorder.take_points() {
            for i in 0..7 {
                n += 1;
                let pick = [Pick::New, Pick::New, Pick::Old][i.min(2)];
                let (pick, boot) = match i {
                    0 => (pick, BOOT),
                    1 | 2 => (pick, OTHER_BOOT),
                    _ => (Pick::Mix(n), OTHER_BOOT),
                };
                write_image(&point.disk, &image, pick);
                let when = format!("{pick:?} at {}", point.label);
                let store = open(&image, &booted(boot));
                let mut faults = store.verify().unwrap().faults;
                // One copy may be torn: for that there are two.
                faults.retain(|f| f.place != "superblock");
                assert!(faults.is_empty(), "{when}: {faults:?}");
                create(&store, Some("first change"), 9, 10);
                let Some(l) = store.open_name("l").unwrap() else { continue };
                for (i, lens) in [&[10u64][..], &[11], &[12]].into_iter().enumerate() {
                    match store.list_get(&l, i as u64) {
                        Ok(Some(v)) => {
                            assert!(lens.contains(&v.facts().len), "{when}: cell {i}");
                            assert_code(store.destroy(&v, false), Code::Busy);
                        }
                        Ok(None) => {}
                        Err(e) => assert_eq!(e.code(), Code::StaleRef, "{when}"),
                    }
                }
                let faults = store.verify().unwrap().faults;
                assert!(faults.is_empty(), "{when}: {faults:?}");
            }
        }
        assert!(n > 200);
    }
}
