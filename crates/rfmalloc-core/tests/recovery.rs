//! Recovery after a machine crash: crashes inside it, generations that never recur, names that stand twice, superblock copies.

mod common;

use common::images::{Pick, assert_stale, check_points, look_at_all, write_image};
use common::lab::Lab;
use common::{
    BOOT, Faults, Kind, OTHER_BOOT, assert_whole, booted, bytes, copy, create, file_bytes, folder, forge,
    open, read, read_name, read_only, replace, watched,
};
use std::collections::BTreeSet;

/// A store with something synced, something destroyed, replaced, renamed and added since, in a power cut's worst mixtures.
fn troubled() -> Vec<common::images::Point> {
    let lab = Lab::new();
    lab.create("a", 1, 10);
    lab.create("b", 2, 3000);
    lab.create("c", 3, 10);
    lab.sync();
    lab.points();
    lab.destroy("a");
    lab.replace("b", 4, 3000);
    lab.harden("b");
    lab.rename("c", "d");
    lab.create("e", 5, 10);
    lab.points()
}

#[test]
fn crash_inside_recovery_changes_nothing_of_its_result() {
    let points = troubled();
    let point = points.last().unwrap();
    for pick in [Pick::New, Pick::Old].into_iter().chain((0..12).map(Pick::Mix)) {
        let lab = Lab::after_cut(point, pick);
        lab.every_store();
        lab.create("first change", 9, 10);
        check_points(&lab.points(), 3);
    }
}

#[test]
fn failed_barrier_inside_recovery_changes_nothing_of_its_result() {
    let points = troubled();
    let point = points.last().unwrap();
    let dir = folder();
    let path = dir.path().join("a.fm");
    for seed in 0..6 {
        for n in 0.. {
            write_image(&point.disk, &path, Pick::Mix(seed));
            let faults = Faults::new();
            let options = rfmalloc_core::OpenOptions { boot_id: Some(OTHER_BOOT), ..watched(faults.clone()) };
            let store = open(&path, &options);
            let before = look_at_all(&store, &point.told).unwrap();
            faults.arm(Kind::Barrier, n, 5);
            let done = common::try_create(&store, Some("first change"), 9, 10);
            let all_tried = faults.disarm();
            assert_eq!(done.is_ok(), all_tried, "barrier {n}");
            let _ = store.close();
            let store = open(&path, &booted(OTHER_BOOT));
            let after = look_at_all(&store, &point.told).unwrap();
            for (subject, value) in &before {
                let ended = value.is_some() && after[subject].is_none();
                let is_reference = matches!(subject, common::images::Subject::Ref(..));
                assert!(after[subject] == *value || (ended && is_reference), "{subject:?}, barrier {n}");
            }
            assert_whole(&store);
            if all_tried {
                break;
            }
        }
    }
}

#[test]
fn read_only_open_after_a_crash_sees_what_recovery_will_decide() {
    let points = troubled();
    let point = points.last().unwrap();
    let dir = folder();
    let path = dir.path().join("a.fm");
    for seed in 0..20 {
        write_image(&point.disk, &path, Pick::Mix(seed));
        let before = file_bytes(&path);
        let store = open(&path, &read_only(OTHER_BOOT));
        let seen = look_at_all(&store, &point.told).unwrap();
        store.close().unwrap();
        assert!(file_bytes(&path) == before, "a reader changed the file");
        let store = open(&path, &booted(OTHER_BOOT));
        assert_eq!(look_at_all(&store, &point.told).unwrap(), seen, "seed {seed}");
    }
}

#[test]
fn generations_are_never_issued_again() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let mut seen = BTreeSet::new();
    let mut old = Vec::new();
    for round in 0..6u8 {
        // Odd rounds: the process dies; even ones: the machine does, and nothing was synced.
        let boot = [1 + round / 2; 16];
        let store = open(&path, &booted(boot));
        for (id, generation) in &old {
            let found = store.open_id(*id, *generation);
            assert!(found.is_err() || round % 2 == 1, "({id}, {generation}) after a machine crash");
        }
        for i in 0..5 {
            let facts = create(&store, None, i, 4).facts();
            assert!(seen.insert(facts.generation), "generation {} twice", facts.generation);
            old.push((facts.id, facts.generation));
        }
        let image = copy(&path, &dir.path().join("image.fm"));
        store.close().unwrap();
        std::fs::rename(image, &path).unwrap();
    }
}

#[test]
fn old_reference_is_stale_after_its_slot_was_taken_again() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let store = open(&path, &booted(BOOT));
    create(&store, Some("anchor"), 1, 4);
    store.sync().unwrap();
    let lost = create(&store, Some("lost"), 2, 4).facts();
    let image = copy(&path, &dir.path().join("image.fm"));
    drop(store);
    let store = open(&image, &booted(OTHER_BOOT));
    assert_stale(&store, lost.id, lost.generation);
    let new = create(&store, Some("new"), 3, 4).facts();
    assert_eq!(new.id, lost.id, "the slot is used again");
    assert_stale(&store, lost.id, lost.generation);
}

#[test]
fn unsynced_death_is_undone() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let store = open(&path, &booted(BOOT));
    let facts = create(&store, Some("a"), 1, 3000).facts();
    store.sync().unwrap();
    store.delete("a").unwrap();
    create(&store, Some("b"), 2, 3000);
    let image = copy(&path, &dir.path().join("image.fm"));
    drop(store);
    let store = open(&image, &booted(OTHER_BOOT));
    assert_eq!(read_name(&store, "a").unwrap(), Some(bytes(1, 3000)));
    assert_eq!(read(&store.open_id(facts.id, facts.generation).unwrap()).unwrap(), bytes(1, 3000));
    create(&store, Some("c"), 3, 3000);
    assert_eq!(read_name(&store, "a").unwrap(), Some(bytes(1, 3000)));
    assert_whole(&store);
}

/// Two or three replacements made durable one by one, their victims' deaths not: the last naming wins, the replaced are destroyed.
#[test]
fn names_that_stand_thrice_settle_for_good() {
    for hardened in [vec![2], vec![2, 3], vec![2, 3, 4], vec![3, 4]] {
        let dir = folder();
        let path = dir.path().join("a.fm");
        let store = open(&path, &booted(BOOT));
        create(&store, Some("x"), 1, 10);
        store.sync().unwrap();
        for seed in 2..5 {
            let h = replace(&store, "x", seed, 10).unwrap();
            if hardened.contains(&seed) {
                store.sync_object(&h).unwrap();
            }
        }
        let image = copy(&path, &dir.path().join("image.fm"));
        drop(store);
        let winner = *hardened.last().unwrap();
        let store = open(&image, &booted(OTHER_BOOT));
        assert_eq!(read_name(&store, "x").unwrap(), Some(bytes(winner, 10)), "{hardened:?}");
        store.delete("x").unwrap();
        assert!(!store.has("x").unwrap());
        store.close().unwrap();
        let store = open(&image, &booted(OTHER_BOOT));
        assert!(!store.has("x").unwrap(), "{hardened:?}: an older one took the name back");
        assert_whole(&store);
    }
}

/// An object that stood twice was destroyed at once, which settled its name first and so destroyed it in the ordinary way: the call
/// returned, and a power cut brought the object back. Under full durability every destroy is of this kind.
#[test]
fn loser_that_is_destroyed_at_once_stays_destroyed() {
    for full in [false, true] {
        let dir = folder();
        let path = dir.path().join("a.fm");
        let store = open(&path, &booted(BOOT));
        let loser = create(&store, Some("x"), 1, 10).facts();
        store.sync().unwrap();
        let winner = replace(&store, "x", 2, 10).unwrap();
        store.sync_object(&winner).unwrap();
        let image = copy(&path, &dir.path().join("image.fm"));
        drop((winner, store));
        let store = open(&image, &rfmalloc_core::OpenOptions { full, ..booted(OTHER_BOOT) });
        let handle = store.open_id(loser.id, loser.generation).expect("its death was not synced");
        assert!(store.destroy(&handle, !full).unwrap());
        let second = copy(&image, &dir.path().join("second.fm"));
        drop((handle, store));
        let store = open(&second, &booted([3; 16]));
        assert_stale(&store, loser.id, loser.generation);
        assert_eq!(read_name(&store, "x").unwrap(), Some(bytes(2, 10)));
        assert_whole(&store);
    }
}

/// A rename that a power cut reverted must not cost the object its life because someone else took the name meanwhile.
#[test]
fn loser_that_nobody_replaced_only_loses_its_name() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let store = open(&path, &booted(BOOT));
    let mut a = create(&store, Some("x"), 1, 10);
    store.sync().unwrap();
    store.rename(&mut a, Some("y"), false).unwrap();
    let b = create(&store, Some("x"), 2, 10);
    store.sync_object(&b).unwrap();
    let facts = a.facts();
    let image = copy(&path, &dir.path().join("image.fm"));
    drop((a, b, store));
    let store = open(&image, &booted(OTHER_BOOT));
    assert_eq!(read_name(&store, "x").unwrap(), Some(bytes(2, 10)));
    create(&store, Some("z"), 3, 10);
    let a = store.open_id(facts.id, facts.generation).expect("the loser lives");
    assert_eq!(read(&a).unwrap(), bytes(1, 10));
    assert_eq!(a.name().unwrap(), None);
    store.delete("x").unwrap();
    assert!(!store.has("x").unwrap());
    assert_whole(&store);
}

fn closed_store(path: &std::path::Path) -> Vec<u8> {
    let store = open(path, &booted(BOOT));
    create(&store, Some("a"), 1, 10);
    create(&store, Some("b"), 2, 10);
    store.delete("a").unwrap();
    store.close().unwrap();
    file_bytes(path)
}

/// Rule 17.
#[test]
fn either_superblock_copy_is_enough_after_a_clean_close() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let good = closed_store(&path);
    for copy in forge::COPIES {
        for byte in 0..512 {
            let mut bad = good.clone();
            bad[copy as usize + byte] ^= 0x40;
            std::fs::write(&path, &bad).unwrap();
            let store = open(&path, &booted(OTHER_BOOT));
            assert!(store.info().unwrap().one_superblock);
            assert_eq!(read_name(&store, "b").unwrap(), Some(bytes(2, 10)), "byte {byte}");
            assert!(!store.has("a").unwrap());
            if byte % 64 == 0 {
                let facts = create(&store, Some("c"), 3, 10).facts();
                assert!(facts.generation > 4, "sequence {} was in use", facts.generation);
                assert_whole(&store);
                store.close().unwrap();
                assert!(!open(&path, &booted(OTHER_BOOT)).info().unwrap().one_superblock);
            }
        }
    }
}

#[test]
fn both_copies_bad_is_an_error_and_changes_nothing() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let mut bad = closed_store(&path);
    for copy in forge::COPIES {
        bad[copy as usize + 100] ^= 1;
    }
    std::fs::write(&path, &bad).unwrap();
    common::assert_code(common::try_open(&path, &booted(BOOT)), rfmalloc_core::Code::Corrupt);
    assert!(file_bytes(&path) == bad);
}

/// The first sync of a process covers what a killed one left.
#[test]
fn sync_after_a_process_death_covers_what_it_left() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let store = open(&path, &booted(BOOT));
    create(&store, Some("a"), 1, 10);
    let killed = copy(&path, &dir.path().join("killed.fm"));
    drop(store);
    let store = open(&killed, &booted(BOOT));
    assert!(store.has("a").unwrap());
    store.sync().unwrap();
    let image = copy(&killed, &dir.path().join("image.fm"));
    drop(store);
    assert!(open(&image, &booted(OTHER_BOOT)).has("a").unwrap());
}

#[test]
fn opening_and_closing_writes_nothing_to_a_clean_store() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let before = closed_store(&path);
    let store = open(&path, &booted(OTHER_BOOT));
    assert!(store.has("b").unwrap() && store.verify().unwrap().faults.is_empty());
    store.sync().unwrap();
    store.close().unwrap();
    assert!(file_bytes(&path) == before);
}
