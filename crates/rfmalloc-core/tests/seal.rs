//! Sealing: who may still write (nobody), what of the seal survives what, and what `verify` makes of damaged elements.

mod common;

use common::images::{Pick, check, check_points, write_image};
use common::lab::Lab;
use common::{
    BOOT, OTHER_BOOT, assert_code, assert_whole, booted, bytes, copy, create, folder, forge, open, patch,
    read, read_name, read_only, write,
};
use rfmalloc_core::{Code, Dtype, Mode, OpenOptions, RawBytes, Source, Store, Vector, VerifyStep};
use std::sync::{Arc, mpsc};

/// Elements beyond one checksum block, and no multiple of it.
const LARGE: u64 = 300_000;

fn sealed(store: &Store, name: &str, n: u64) {
    let mut v = create(store, Some(name), 1, n);
    store.seal(&mut v).unwrap();
    assert!(v.facts().sealed);
}

#[test]
fn sealed_elements_refuse_every_write_and_read_as_before() {
    let dir = folder();
    let store = open(&dir.path().join("a.fm"), &booted(BOOT));
    for n in [0, 1, 3000, LARGE] {
        let name = format!("v{n}");
        sealed(&store, &name, n);
        let v = Vector::Object(store.open_name(&name).unwrap().unwrap());
        let other = Vector::Object(create(&store, None, 2, n));
        assert_code(v.fill(0, n, &[0; 4]), Code::Sealed);
        assert_code(v.copy_from(0, &other, 0, n), Code::Sealed);
        let mut zeros = vec![0u8; 4 * n as usize];
        // SAFETY: the buffer outlives the call and nobody else has it.
        let raw = unsafe { RawBytes::new(zeros.as_mut_ptr(), zeros.len() as u64) };
        assert_code(v.import(0, Source::I32, raw, true), Code::Sealed);
        other.copy_from(0, &v, 0, n).unwrap();
        assert!(other.equals(0, &v, 0, n).unwrap());
        assert_eq!(read_name(&store, &name).unwrap(), Some(bytes(1, n)));
    }
    assert!(store.verify_payloads().unwrap().faults.is_empty());
}

/// A buffer of a sealed object is private: what is written into it reaches neither the file nor other buffers.
#[test]
fn stores_into_a_sealed_buffer_never_reach_the_file() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let store = open(&path, &booted(BOOT));
    for n in [10, LARGE] {
        let name = format!("v{n}");
        sealed(&store, &name, n);
        let v = store.open_name(&name).unwrap().unwrap();
        write(&v, &vec![0xEE; 4 * n as usize]).unwrap();
        let pin = v.pin(0, 4 * n).unwrap();
        assert_eq!(common::read_pin(&pin), bytes(1, n));
        assert!(store.verify_payloads().unwrap().faults.is_empty());
    }
    store.close().unwrap();
    let store = open(&path, &booted(BOOT));
    assert_eq!(read_name(&store, "v10").unwrap(), Some(bytes(1, 10)));
    assert!(store.verify_payloads().unwrap().faults.is_empty());
}

#[test]
fn sealing_waits_for_nobody_but_says_who_is_in_the_way() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let store = open(&path, &booted(BOOT));
    let mut temporary = store.reserve(Dtype::Integer, 4, true).unwrap();
    assert_code(store.seal(&mut temporary), Code::Argument);
    let mut v = create(&store, Some("v"), 1, 10);
    let pin = v.pin(0, 8).unwrap();
    assert_code(store.seal(&mut v), Code::Busy);
    assert!(!v.facts().sealed);
    write(&v, &bytes(2, 10)).unwrap();
    drop(pin);
    store.seal(&mut v).unwrap();
    assert_eq!(read(&v).unwrap(), bytes(2, 10));
    // Again, also beside a buffer: nothing to do.
    let _pin = v.pin(0, 8).unwrap();
    store.seal(&mut v).unwrap();
    store.destroy(&v, false).unwrap();
    assert_code(store.seal(&mut v), Code::Destroyed);
    let other = open(&dir.path().join("b.fm"), &booted(BOOT));
    assert_code(other.seal(&mut create(&store, None, 1, 1)), Code::OtherStore);
    drop(v);
    store.close().unwrap();
    let reader = open(&path, &read_only(BOOT));
    assert_eq!(reader.names().unwrap(), [""; 0]);
}

#[test]
fn a_reader_cannot_seal_but_may_ask_for_what_is_sealed_already() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let store = open(&path, &booted(BOOT));
    sealed(&store, "sealed", 10);
    create(&store, Some("open"), 1, 10);
    store.close().unwrap();
    let store = open(&path, &read_only(BOOT));
    assert_code(store.seal(&mut store.open_name("open").unwrap().unwrap()), Code::ReadOnly);
    let mut v = store.open_name("sealed").unwrap().unwrap();
    assert!(v.facts().sealed);
    store.seal(&mut v).unwrap();
}

/// A handle of another thread from before the seal: its liveness cell says that it must look again, and then it knows.
#[test]
fn handles_of_other_threads_notice_a_seal() {
    let dir = folder();
    let store = Arc::new(open(&dir.path().join("a.fm"), &booted(BOOT)));
    let mut v = create(&store, Some("v"), 1, 10);
    let (say, hear) = mpsc::channel();
    let (ready, wait) = mpsc::channel();
    let there = Arc::clone(&store);
    let other = std::thread::spawn(move || {
        let mut mine = there.open_name("v").unwrap().unwrap();
        let before = mine.facts();
        ready.send(()).unwrap();
        hear.recv().unwrap();
        let cells =
            rfmalloc_core::cells::chunk(before.cell.0 as usize / rfmalloc_core::cells::CHUNK).unwrap();
        let now = cells[before.cell.0 as usize % rfmalloc_core::cells::CHUNK]
            .load(std::sync::atomic::Ordering::Acquire);
        assert_ne!(now, before.cell.1, "the cell still promises what was");
        mine.refresh().unwrap();
        let after = mine.facts();
        assert!(after.sealed && after.cell.1 == now && after.off == before.off);
        assert_code(Vector::Object(mine).fill(0, 1, &[0; 4]), Code::Sealed);
    });
    wait.recv().unwrap();
    store.seal(&mut v).unwrap();
    say.send(()).unwrap();
    other.join().unwrap();
    let facts = v.facts();
    assert_eq!(facts, store.open_name("v").unwrap().unwrap().facts());
}

#[test]
fn names_come_and_go_on_a_sealed_object_and_the_seal_stays() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let store = open(&path, &booted(BOOT));
    let mut v = create(&store, None, 1, LARGE);
    store.seal(&mut v).unwrap();
    store.rename(&mut v, Some("a"), false).unwrap();
    store.rename(&mut v, Some("b"), false).unwrap();
    store.rename(&mut v, None, false).unwrap();
    store.rename(&mut v, Some(&"long".repeat(900)), false).unwrap();
    v.refresh().unwrap();
    assert!(v.facts().sealed);
    assert!(store.verify_payloads().unwrap().faults.is_empty());
    let (id, generation) = (v.facts().id, v.facts().generation);
    drop(v);
    store.close().unwrap();
    let store = open(&path, &booted(BOOT));
    let v = store.open_id(id, generation).unwrap();
    assert!(v.facts().sealed);
    assert!(store.verify_payloads().unwrap().faults.is_empty());
    assert_eq!(store.names().unwrap(), ["long".repeat(900)]);
}

#[test]
fn a_copy_of_a_sealed_object_is_not_sealed_and_its_name_can_be_replaced() {
    let dir = folder();
    let store = open(&dir.path().join("a.fm"), &booted(BOOT));
    sealed(&store, "v", 3000);
    common::replace(&store, "v", 2, 3000).unwrap();
    let v = store.open_name("v").unwrap().unwrap();
    assert!(!v.facts().sealed);
    write(&v, &bytes(3, 3000)).unwrap();
    assert_eq!(read_name(&store, "v").unwrap(), Some(bytes(3, 3000)));
    assert!(store.delete("v").unwrap());
    store.sync().unwrap();
    // The space of what was sealed is space like any other.
    let w = create(&store, Some("w"), 4, 3000);
    write(&w, &bytes(5, 3000)).unwrap();
    assert_eq!(read(&w).unwrap(), bytes(5, 3000));
    assert_whole(&store);
}

#[test]
fn a_scratch_object_is_sealed_as_long_as_it_lives() {
    let dir = folder();
    let options = OpenOptions { mode: Mode::Scratch, ..booted(BOOT) };
    let store = open(&dir.path().join("a.fm"), &options);
    let mut v = store.reserve(Dtype::Integer, 10, true).unwrap();
    assert_code(store.seal(&mut v), Code::Argument);
    store.commit(&mut v, Some("v"), false).unwrap();
    store.seal(&mut v).unwrap();
    let again = store.open_name("v").unwrap().unwrap();
    assert!(again.facts().sealed);
    write(&again, &bytes(1, 10)).unwrap();
    assert_eq!(read(&again).unwrap(), vec![0; 40]);
}

/// The seal is a change like any other: at every instant the object is there, and with the name it had.
#[test]
fn a_seal_cut_short_leaves_the_object_open_or_sealed() {
    let lab = Lab::new();
    lab.every_store();
    lab.create("a", 1, 10);
    lab.sync();
    for i in 0..3 {
        let mut v = lab.store.open_name("a").unwrap().unwrap();
        lab.store.seal(&mut v).unwrap();
        drop(v);
        lab.rename("a", "b");
        lab.rename("b", "a");
        if i == 1 {
            lab.sync();
        }
        lab.replace("a", 2 + i, 3000);
    }
    check_points(&lab.points(), 4);
}

/// Rule 22: a power cut that keeps the seal keeps the elements it speaks of, also those written in place right before it.
#[test]
fn a_durable_seal_has_durable_elements() {
    for full in [false, true] {
        let lab = Lab::with(&OpenOptions { full, ..booted(BOOT) });
        let mut v = lab.store.create(Dtype::Integer, 9000, &bytes(1, 9000), None).unwrap();
        lab.store.sync().unwrap();
        lab.recorder.point("written anew");
        write(&v, &bytes(2, 9000)).unwrap();
        lab.recorder.point("before the seal");
        lab.store.seal(&mut v).unwrap();
        lab.recorder.point("sealed");
        if !full {
            lab.store.sync().unwrap();
            lab.recorder.point("synced");
        }
        let (id, generation) = (v.facts().id, v.facts().generation);
        let dir = folder();
        let path = dir.path().join("image.fm");
        let points = lab.points();
        let last = points.len() - 1;
        let mut seen = [0; 2];
        for (i, point) in points.iter().enumerate() {
            for pick in
                [Pick::New, Pick::Old].into_iter().chain((0..40).map(|k| Pick::Mix(i as u64 * 7919 + k)))
            {
                write_image(&point.disk, &path, pick);
                let store = open(&path, &booted(OTHER_BOOT));
                let Ok(v) = store.open_id(id, generation) else {
                    assert!(i < last, "{}, {pick:?}: the object is gone", point.label);
                    continue;
                };
                seen[usize::from(v.facts().sealed)] += 1;
                if v.facts().sealed {
                    assert_eq!(read(&v).unwrap(), bytes(2, 9000), "{}, {pick:?}", point.label);
                } else {
                    assert!(i < last, "{}, {pick:?}: the seal is gone", point.label);
                }
                // A superblock copy may be torn; no element may be.
                let faults = store.verify_payloads().unwrap().faults;
                assert!(
                    !faults.iter().any(|f| f.place == "payload"),
                    "{}, {pick:?}: {faults:?}",
                    point.label
                );
                drop(v);
                store.close().unwrap();
                check(&path, &point.told, true).unwrap();
            }
        }
        assert!(seen[0] > 0 && seen[1] > 0, "{seen:?}");
    }
}

/// A seal without space is no seal, and the elements stay writable; with space it succeeds.
#[test]
fn a_seal_that_finds_no_space_changes_nothing() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let limit = 1 << 20;
    let store = open(&path, &OpenOptions { max_size: Some(limit), ..booted(BOOT) });
    let mut v = create(&store, None, 1, 16);
    let mut filler = Vec::new();
    for n in [4096u64, 256, 16] {
        while let Ok(h) = store.create(Dtype::Raw, n * 4, &vec![1; n as usize * 4], None) {
            filler.push(h);
        }
    }
    assert_code(store.seal(&mut v), Code::NoSpace);
    v.refresh().unwrap();
    assert!(!v.facts().sealed);
    write(&v, &bytes(7, 16)).unwrap();
    store.destroy(&filler[0], false).unwrap();
    store.seal(&mut v).unwrap();
    assert_eq!(read(&v).unwrap(), bytes(7, 16));
    assert!(store.verify_payloads().unwrap().faults.is_empty());
}

/// Every flipped byte of a sealed payload is found and placed in its block; of an open one nothing is said.
#[test]
fn damaged_elements_of_sealed_objects_are_named_with_block_and_offset() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let store = open(&path, &booted(BOOT));
    sealed(&store, "large", LARGE);
    sealed(&store, "small", 10);
    let open_one = create(&store, Some("open"), 1, 10).facts();
    let large = store.open_name("large").unwrap().unwrap().facts();
    let small = store.open_name("small").unwrap().unwrap().facts();
    store.close().unwrap();
    for (facts, at, block) in
        [(large, 0, 0), (large, (1 << 20) + 5, 1), (large, 4 * LARGE - 1, 1), (small, 39, 0)]
    {
        let image = copy(&path, &dir.path().join("image.fm"));
        let off = facts.off + at;
        patch(&image, off, &[forge::get(&image, off, 1)[0] ^ 0x10]);
        patch(&image, open_one.off, &[9]);
        let store = open(&image, &booted(BOOT));
        assert_whole(&store);
        let faults = store.verify_payloads().unwrap().faults;
        assert_eq!(faults.len(), 1, "{faults:?}");
        let f = &faults[0];
        assert_eq!((f.place, f.id.map(u64::from)), ("payload", Some(facts.id)));
        assert_eq!(f.off, facts.off + (block << 20));
        assert!(f.what.contains(&format!("block {block}")), "{}", f.what);
    }
}

/// The padding behind the last element is no element: what stands there breaks no seal.
#[test]
fn bytes_behind_the_last_element_are_not_sealed() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let store = open(&path, &booted(BOOT));
    sealed(&store, "v", 10);
    let facts = store.open_name("v").unwrap().unwrap().facts();
    store.close().unwrap();
    patch(&path, facts.off + 40, &[1]);
    assert!(open(&path, &booted(BOOT)).verify_payloads().unwrap().faults.is_empty());
}

#[test]
fn damaged_checksums_of_a_seal_are_told_apart_from_damaged_elements() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let store = open(&path, &booted(BOOT));
    sealed(&store, "v", LARGE);
    let id = store.open_name("v").unwrap().unwrap().facts().id as u32;
    store.close().unwrap();
    let which = forge::active(&path, id);
    let aux = 64 * forge::body(&path, id, which).aux_off;
    let used = u64::from(forge::get_u32(&path, aux + 12));
    patch(&path, aux + used + 1, &[0x77]);
    let store = open(&path, &booted(BOOT));
    assert_eq!(read_name(&store, "v").unwrap(), Some(bytes(1, LARGE)), "reading needs no checksum");
    for faults in [store.verify().unwrap().faults, store.verify_payloads().unwrap().faults] {
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert_eq!((faults[0].place, faults[0].off, faults[0].id), ("record", aux + used, Some(id)));
    }
}

#[test]
fn flag_and_seal_that_differ_are_damage() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let store = open(&path, &booted(BOOT));
    sealed(&store, "v", 10);
    create(&store, Some("w"), 1, 10);
    store.close().unwrap();
    for id in 0..2 {
        let image = copy(&path, &dir.path().join("image.fm"));
        let which = forge::active(&image, id);
        let at = forge::body_off(id, which);
        let flags = forge::get(&image, at + 6, 1)[0];
        assert_eq!(flags, u8::from(id == 0));
        patch(&image, at + 6, &[flags ^ 1]);
        forge::fix_body(&image, id, which);
        let store = open(&image, &booted(BOOT));
        let faults = store.verify().unwrap().faults;
        assert!(faults.iter().any(|f| f.id == Some(id) && f.what.contains("seal")), "{faults:?}");
        assert_code(store.open_name(["v", "w"][id as usize]), Code::Corrupt);
    }
}

#[test]
fn every_fault_is_reported_not_only_the_first() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let store = open(&path, &booted(BOOT));
    for i in 0..40 {
        sealed(&store, &format!("v{i}"), 20);
    }
    let offs: Vec<u64> =
        (0..40).map(|i| store.open_name(&format!("v{i}")).unwrap().unwrap().facts().off).collect();
    store.close().unwrap();
    for off in &offs[..10] {
        patch(&path, *off, &[0xFF]);
    }
    for id in 10..20 {
        patch(&path, forge::word_off(id) + 7, &[0xFF]);
    }
    for id in 20..30 {
        patch(&path, forge::slot_off(id) + 4, &[0xFF]);
    }
    patch(&path, forge::COPIES[1] + 20, &[1]);
    let store = open(&path, &booted(BOOT));
    let faults = store.verify_payloads().unwrap().faults;
    let count = |place| faults.iter().filter(|f| f.place == place).count();
    assert_eq!((count("superblock"), count("record"), count("payload")), (1, 20, 10), "{faults:?}");
    let mut ids: Vec<u32> = faults.iter().filter_map(|f| f.id).collect();
    ids.sort_unstable();
    assert_eq!(ids, (0..30).collect::<Vec<_>>());
}

#[test]
fn verify_stops_when_told_and_counts_what_it_has_done() {
    let dir = folder();
    let store = open(&dir.path().join("a.fm"), &booted(BOOT));
    for i in 0..3000 {
        create(&store, None, i, 1);
    }
    sealed(&store, "v", 4 << 18);
    let mut steps = Vec::new();
    let work = store.for_work().unwrap();
    let report = work.verify(true, &mut |step| {
        steps.push(step);
        true
    });
    assert!(report.unwrap().faults.is_empty());
    assert!(steps.contains(&VerifyStep::Records { done: 3001, total: 3001 }));
    assert_eq!(steps.last(), Some(&VerifyStep::Bytes { done: 4 << 20, total: 4 << 20 }));
    for stop_at in 0..steps.len() {
        let mut n = 0;
        let stopped = work.verify(true, &mut |_| {
            n += 1;
            n <= stop_at
        });
        assert!(stopped.is_err());
        assert_eq!(n, stop_at + 1);
    }
}
