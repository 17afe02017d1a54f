//! A store emptied, and what it says of where its bytes are.

mod common;

use common::images::{Subject, check_points};
use common::lab::Lab;
use common::{
    BOOT, assert_code, assert_whole, booted, bytes, copy, create, folder, len, open, read, read_only,
};
use rfmalloc_core::{Code, Dtype, Mode, OpenOptions, Store, Usage};

fn adds_up(store: &Store) -> Usage {
    let u = store.usage().unwrap();
    let sum =
        u.metadata_bytes + u.live_bytes + u.pinned_bytes + u.temporary_bytes + u.retired_bytes + u.free_bytes;
    assert_eq!(sum, store.info().unwrap().nbytes, "{u:?}");
    u
}

#[test]
fn reset_leaves_no_object_and_no_reference_and_the_file_shrinks() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let store = open(&path, &booted(BOOT));
    let empty = len(&path);
    let mut refs = Vec::new();
    // Fewer than a catalog segment has: a second one would stay where it is.
    for i in 0..400 {
        let name = format!("v{i}");
        let facts = create(&store, (i % 2 == 0).then_some(name.as_str()), i, 3000).facts();
        refs.push((facts.id, facts.generation));
    }
    let mut sealed = create(&store, Some("sealed"), 1, 10);
    store.seal(&mut sealed).unwrap();
    let temporary = store.reserve(Dtype::Integer, 3000, true).unwrap();
    let viewed = create(&store, Some("viewed"), 7, 3000);
    let pin = viewed.pin(0, 12_000).unwrap();
    store.sync().unwrap();
    store.reset().unwrap();
    assert_eq!(store.names().unwrap(), [""; 0]);
    assert_eq!(store.info().unwrap().catalog_count, 0);
    for (id, generation) in refs {
        assert_code(store.open_id(id, generation).map(|_| ()), Code::StaleRef);
    }
    for handle in [&sealed, &temporary, &viewed] {
        assert_code(read(handle), Code::Destroyed);
    }
    // The bytes under a buffer stay until it goes.
    assert_eq!(common::read_pin(&pin), bytes(7, 3000));
    assert_eq!(adds_up(&store).pinned_bytes, 12_032);
    create(&store, Some("v0"), 9, 10);
    assert_whole(&store);
    drop((pin, sealed, temporary, viewed));
    store.delete("v0").unwrap();
    // A kill after the call finds nothing.
    let image = copy(&path, &dir.path().join("image.fm"));
    assert_eq!(open(&image, &booted(BOOT)).names().unwrap(), [""; 0]);
    store.close().unwrap();
    assert!(len(&path) <= empty + (1 << 20), "{} bytes are left", len(&path));
    assert_eq!(open(&path, &booted(BOOT)).names().unwrap(), [""; 0]);
}

#[test]
fn reset_is_refused_whole_or_not_at_all() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let store = open(&path, &booted(BOOT));
    create(&store, Some("a"), 1, 10);
    create(&store, Some("b"), 1, 10);
    store.close().unwrap();
    assert_code(open(&path, &read_only(BOOT)).reset(), Code::ReadOnly);
    common::patch(&path, common::forge::slot_off(1) + 4, &[0xFF]);
    let store = open(&path, &booted(BOOT));
    assert_code(store.reset(), Code::Corrupt);
    assert!(store.has("a").unwrap());
}

#[test]
fn reset_of_a_scratch_store_ends_its_objects_and_temporaries() {
    let dir = folder();
    let options = OpenOptions { mode: Mode::Scratch, ..booted(BOOT) };
    let store = open(&dir.path().join("a.fm"), &options);
    let mut v = store.reserve(Dtype::Integer, 3000, true).unwrap();
    store.commit(&mut v, Some("v"), false).unwrap();
    let w = store.reserve(Dtype::Integer, 10, true).unwrap();
    let u = adds_up(&store);
    assert_eq!((u.live_bytes, u.temporary_bytes, u.temporaries), (12_032, 64, 1));
    store.reset().unwrap();
    assert_eq!(store.names().unwrap(), [""; 0]);
    assert_code(read(&v), Code::Destroyed);
    assert_code(read(&w), Code::Destroyed);
    let u = adds_up(&store);
    assert_eq!((u.live_bytes, u.temporary_bytes, u.temporaries), (0, 0, 0));
}

/// A power cut after a reset leaves each object as it was or gone; with full durability all are gone when the call returns.
#[test]
fn a_reset_cut_short_leaves_every_object_old_or_gone() {
    for full in [false, true] {
        let lab = Lab::with(&OpenOptions { full, ..booted(BOOT) });
        lab.every_store();
        lab.create("synced", 1, 10);
        lab.create("large", 2, 3000);
        lab.sync();
        lab.create("unsynced", 3, 10);
        lab.points();
        let subjects: Vec<Subject> = lab.expect().values.keys().cloned().collect();
        for subject in &subjects {
            // Each by itself: a kill in the middle finds some.
            lab.expect().will_be(subject.clone(), None);
        }
        lab.store.reset().unwrap();
        lab.expect().done();
        if full {
            let now = lab.expect().now();
            lab.expect().synced(now);
        }
        lab.recorder.point("reset");
        lab.create("after", 4, 3000);
        check_points(&lab.points(), 4);
    }
}

#[test]
fn the_report_tells_live_from_retired_pinned_temporary_and_free() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let store = open(&path, &booted(BOOT));
    let none = adds_up(&store);
    assert_eq!((none.live_bytes, none.unnamed), (0, 0));
    create(&store, Some("a"), 1, 3000);
    let v = create(&store, None, 1, 3000);
    let mut w = create(&store, Some("w"), 1, 10);
    store.seal(&mut w).unwrap();
    let t = store.reserve(Dtype::Raw, 640, true).unwrap();
    let u = adds_up(&store);
    assert_eq!((u.unnamed, u.sealed, u.temporaries, u.temporary_bytes), (1, 1, 1, 640));
    assert!(u.live_bytes >= 2 * 12_032 + 64 && u.largest_gap_bytes <= u.free_bytes);
    store.sync().unwrap();
    let pin = v.pin(0, 100).unwrap();
    store.destroy(&v, false).unwrap();
    store.delete("a").unwrap();
    let u = adds_up(&store);
    assert_eq!(u.pinned_bytes, 12_032);
    assert!(u.retired_bytes >= 12_032, "{u:?}");
    drop((pin, t));
    store.sync().unwrap();
    let u = adds_up(&store);
    assert_eq!((u.retired_bytes, u.pinned_bytes, u.temporary_bytes), (0, 0, 0));
    drop((v, w));
    store.close().unwrap();
    // Before the first change, and for a reader, the same numbers.
    let reader = open(&path, &read_only(BOOT));
    let now = adds_up(&reader);
    assert_eq!((now.live_bytes, now.sealed, now.retired_bytes), (u.live_bytes, 1, 0));
}
