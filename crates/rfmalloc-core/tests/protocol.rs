//! The crash protocol, rule by rule and hole by hole: scripts of one to three objects, and for every barrier, store and act of them
//! the images a power cut or a process death may leave. The numbers of the holes are those of the crash protocol in `docs/FORMAT.md`.

mod common;

use common::images::{Pick, Point, Subject, check, check_points, first_failure, write_image};
use common::lab::Lab;
use common::{bytes, forge, patch};

const MIXES: u64 = 6;

fn with_every_store() -> Lab {
    let lab = Lab::new();
    lab.every_store();
    lab
}

fn at<'a>(points: &'a [Point], label: &str) -> &'a Point {
    points.iter().rfind(|p| p.label.starts_with(label)).unwrap_or_else(|| panic!("no point '{label}'"))
}

#[test]
fn create_and_sync_lose_nothing() {
    let lab = with_every_store();
    lab.create("a", 1, 10);
    lab.sync();
    lab.create("b", 2, 5000);
    lab.create_unnamed(3, 40);
    check_points(&lab.points(), MIXES);
}

#[test]
fn destroyed_and_recreated_slots_never_mix() {
    let lab = with_every_store();
    lab.create("a", 1, 10);
    lab.create("b", 2, 10);
    lab.sync();
    lab.destroy("a");
    lab.create("c", 3, 10);
    lab.sync();
    lab.create("d", 4, 10);
    lab.destroy("c");
    check_points(&lab.points(), MIXES);
}

#[test]
fn replaced_names_are_old_or_new_never_absent() {
    let lab = with_every_store();
    lab.create("a", 1, 10);
    lab.sync();
    lab.replace("a", 2, 10);
    lab.replace("a", 3, 2000);
    lab.sync();
    lab.replace("a", 4, 10);
    check_points(&lab.points(), MIXES);
}

/// Holes 1, 9: more renames than the pair has values lie between two syncs nowhere, but each overwrites a body.
#[test]
fn renames_keep_the_only_durable_version() {
    let lab = with_every_store();
    lab.create("v1", 1, 10);
    lab.sync();
    for i in 1..6 {
        lab.rename(&format!("v{i}"), &format!("v{}", i + 1));
        if i == 3 {
            lab.sync();
        }
    }
    check_points(&lab.points(), 3);
}

/// Hole 1: word new, slot old must not show the version before the synced one.
#[test]
fn active_flag_newer_than_its_slot_is_no_older_version() {
    let lab = Lab::new();
    lab.create("v1", 1, 10);
    lab.rename("v1", "v2");
    lab.sync();
    lab.points();
    lab.rename("v2", "v3");
    check_points(&lab.points(), 200);
}

/// Hole 3: a sync in flight may make the version durable that a change would overwrite.
#[test]
fn changes_during_a_sync_keep_what_it_makes_durable() {
    let lab = Lab::new();
    lab.create("v1", 1, 10);
    lab.sync_during(|lab| {
        lab.rename("v1", "v2");
        lab.rename("v2", "v3");
        lab.rename("v3", "v4");
    });
    check_points(&lab.points(), 20);
}

/// Hole 3 for destroy: what a sync in flight makes durable is not reused before the death is.
#[test]
fn death_during_a_sync_is_undone_whole_or_stays() {
    let lab = Lab::new();
    lab.create("a", 1, 3000);
    lab.sync_during(|lab| {
        lab.destroy("a");
        lab.create("b", 2, 3000);
    });
    lab.create("c", 3, 3000);
    check_points(&lab.points(), 20);
}

/// A death whose `dead_seq` never reached the disk must not be a word that waits for its body to count as synced.
#[test]
fn dead_word_over_a_lost_page_does_not_revive_later() {
    let lab = Lab::new();
    lab.create("anchor", 9, 10);
    lab.sync();
    lab.create("a", 1, 3000);
    lab.points();
    lab.sync_during(|lab| lab.destroy("a"));
    check_points(&lab.points(), 200);
}

/// Holes 4, 5 and rule 13: D speaks only of the version that had its barrier.
#[test]
fn one_hardened_object_survives_alone() {
    let lab = with_every_store();
    lab.create("a", 1, 10);
    lab.create("b", 2, 10);
    lab.harden("b");
    lab.rename("b", "c");
    lab.harden("c");
    lab.rename("c", "d");
    lab.rename("d", "e");
    check_points(&lab.points(), MIXES);
}

/// Hole 6, 12: a hardened object replaced by a hardened one, and its space reused.
#[test]
fn hardened_replacement_does_not_free_the_old_at_once() {
    let lab = with_every_store();
    lab.create("a", 1, 3000);
    lab.harden("a");
    lab.replace("a", 2, 3000);
    lab.harden("a");
    lab.create("b", 3, 3000);
    lab.destroy("a");
    check_points(&lab.points(), MIXES);
}

#[test]
fn death_with_its_own_barrier_may_be_reused_at_once() {
    let lab = with_every_store();
    lab.create("a", 1, 3000);
    lab.create("x", 4, 10);
    lab.sync();
    lab.destroy_at_once("a");
    lab.create("b", 2, 3000);
    lab.create("c", 3, 10);
    check_points(&lab.points(), MIXES);
}

/// Hole 2: what a killed process left in the cache is not on disk.
#[test]
fn next_process_makes_the_cache_durable_first() {
    let lab = Lab::new();
    lab.create("a", 1, 10);
    lab.harden("a");
    lab.points();
    lab.every_store();
    lab.rename("a", "b");
    lab.rename("b", "c");
    for point in lab.points() {
        let next = Lab::after_kill(&point);
        let name = next.store.names().unwrap().remove(0);
        next.rename(&name, "d");
        check_points(&next.points(), 5);
    }
}

/// Hole 7: killed between the stores of a destroy, a sync, the same destroyed again, then a power cut.
#[test]
fn stale_death_numbers_do_not_count() {
    let lab = Lab::new();
    lab.create("a", 1, 10);
    lab.create("b", 2, 10);
    lab.sync();
    lab.points();
    lab.every_store();
    lab.destroy("a");
    for point in lab.points() {
        let next = Lab::after_kill(&point);
        next.sync();
        next.replace("b", 4, 10);
        if next.store.has("a").unwrap() {
            next.replace("a", 5, 10);
        }
        check_points(&next.points(), 8);
    }
}

/// Holes 10, 11: killed inside the create that takes a dead object's slot.
#[test]
fn kill_inside_a_create_in_a_dead_slot() {
    let lab = Lab::new();
    lab.create("a", 1, 10);
    lab.harden("a");
    lab.destroy("a");
    lab.sync();
    lab.points();
    lab.every_store();
    lab.create("c", 3, 10);
    for point in lab.points() {
        let next = Lab::after_kill(&point);
        next.create("d", 4, 10);
        check_points(&next.points(), 3);
    }
}

/// Rule 4: what a dead process destroyed or renamed may come back, so the next one leaves its bytes alone.
#[test]
fn bytes_of_what_may_come_back_are_not_handed_out_after_a_kill() {
    let lab = Lab::new();
    lab.create("a", 1, 3000);
    lab.create("v1", 2, 10);
    lab.sync();
    lab.destroy("a");
    lab.rename("v1", "v2");
    let next = Lab::after_kill(&lab.now());
    for i in 0..4 {
        next.create(&format!("n{i}"), 10 + i, 1000);
    }
    check_points(&next.points(), MIXES);
}

/// Rule 8: the attributes of the durable version are not written over by those of another object.
#[test]
fn attributes_of_the_durable_version_are_kept() {
    let lab = Lab::new();
    lab.create("v1", 1, 10);
    lab.sync();
    lab.points();
    lab.rename("v1", "v2");
    lab.create("n1", 2, 10);
    lab.create("n2", 3, 10);
    check_points(&lab.points(), 20);
}

/// Holes 10, 15: killed between a replacement and the death of the old object.
#[test]
fn kill_inside_replace_leaves_one_name() {
    let lab = Lab::new();
    lab.create("a", 1, 10);
    lab.sync();
    lab.points();
    lab.every_store();
    lab.replace("a", 2, 10);
    for point in lab.points() {
        let next = Lab::after_kill(&point);
        next.destroy("a");
        assert!(next.store.open_name("a").unwrap().is_none(), "{}", point.label);
        check_points(&next.points(), 2);
    }
}

/// Hole 14: the first act after a power cut moves `synced_seq` over what was dropped.
#[test]
fn dropped_records_stay_dropped_behind_a_sync() {
    let lab = Lab::new();
    lab.create("keep", 1, 10);
    lab.sync();
    lab.create("drop", 2, 10);
    let next = Lab::after_cut(&lab.now(), Pick::New);
    assert!(next.store.open_name("drop").unwrap().is_none(), "never synced");
    next.sync();
    next.create("new", 3, 10);
    next.sync();
    check_points(&next.points(), MIXES);
}

fn fill_first_segment(lab: &Lab) {
    lab.recorder.pause(true);
    for i in 0..511 {
        common::create(&lab.store, None, i, 4);
    }
    lab.recorder.pause(false);
}

/// Rule 14, hole 8: the first record of a new segment, with the link lost or found.
#[test]
fn new_segment_is_whole_or_not_there() {
    let lab = Lab::new();
    lab.create("first", 1, 10);
    fill_first_segment(&lab);
    lab.sync();
    lab.points();
    lab.create("second", 2, 10);
    lab.create("third", 3, 10);
    let points = lab.points();
    check_points(&points, 4);
    let next = Lab::after_cut(at(&points, "after create"), Pick::Old);
    next.create("again", 4, 10);
    next.sync();
    check_points(&next.points(), 2);
}

/// Rule 13: B1 takes in the link, which stands in the segment before.
#[test]
fn hardened_object_of_a_new_segment_survives() {
    let lab = Lab::new();
    lab.create("first", 1, 10);
    lab.harden("first");
    fill_first_segment(&lab);
    lab.sync();
    lab.create("second", 2, 10);
    lab.points();
    lab.harden("second");
    check_points(&lab.points(), 10);
}

/// Rules 5, 6, hole 13: the lease is extended between a sync's start and its end.
#[test]
fn lease_extended_during_a_sync() {
    let lab = Lab::new();
    lab.create("a", 1, 10);
    lab.sync_during(|lab| {
        lab.recorder.pause(true);
        let mut handle = common::create(&lab.store, None, 7, 1);
        for i in 0..4200 {
            let name = format!("name {i}");
            lab.store.rename(&mut handle, Some(&name), false).unwrap();
        }
        lab.store.rename(&mut handle, None, false).unwrap();
        lab.recorder.pause(false);
        lab.create("b", 2, 10);
    });
    check_points(&lab.points(), 10);
}

/// Rule 17: trimming and marking clean, at every step.
#[test]
fn close_is_clean_or_not_yet() {
    let lab = with_every_store();
    lab.create("a", 1, 10);
    lab.create("b", 2, 60_000);
    lab.sync();
    lab.destroy("b");
    lab.points();
    let act = lab.expect().now();
    lab.store.close().unwrap();
    lab.expect().synced(act);
    lab.recorder.point("closed");
    check_points(&lab.points(), MIXES);
}

/// The checker sees a lost object.
#[test]
fn planted_lost_acknowledgement_is_caught() {
    let lab = Lab::new();
    lab.create("a", 1, 10);
    let now = lab.expect().now();
    lab.expect().synced(now);
    let why = first_failure(&[lab.now()], 4).expect("an unsynced object was promised");
    assert!(why.contains("absent"), "{why}");
}

/// The checker sees another object's bytes.
#[test]
fn planted_alien_bytes_are_caught() {
    let lab = Lab::new();
    lab.create("a", 1, 10);
    lab.sync();
    lab.expect().will_be(Subject::Name("a".into()), Some(&bytes(2, 10)));
    lab.expect().done();
    let now = lab.expect().now();
    lab.expect().synced(now);
    let why = first_failure(&[lab.now()], 0).expect("other bytes were promised");
    assert!(why.contains("allowed"), "{why}");
}

/// The checker sees a synced removal that comes back.
#[test]
fn planted_revived_object_is_caught() {
    let lab = Lab::new();
    lab.create("a", 1, 10);
    lab.sync();
    lab.destroy("a");
    let now = lab.expect().now();
    lab.expect().synced(now);
    let why = first_failure(&[lab.now()], 0).expect("an unsynced death was promised");
    assert!(why.contains("Name(\"a\") is"), "{why}");
}

/// The checker sees two records on the same bytes.
#[test]
fn planted_overlap_is_caught() {
    let lab = Lab::new();
    lab.create("a", 1, 16);
    lab.create("b", 2, 16);
    lab.sync();
    let dir = common::folder();
    let path = dir.path().join("image.fm");
    write_image(&lab.now().disk, &path, Pick::New);
    let stolen = forge::body(&path, 0, 0).off;
    forge::put_body(&path, 1, 0, forge::Body { off: stolen, ..forge::body(&path, 1, 0) });
    let mut expect = lab.now().told;
    expect.values.retain(|s, _| matches!(s, Subject::Name(_)));
    expect.will_be(Subject::Name("b".into()), Some(&bytes(1, 16)));
    expect.done();
    let why = check(&path, &expect, true).expect_err("overlap");
    assert!(why.contains("claim the same bytes"), "{why}");
}

/// The checker sees a page of the catalog that lost a synced record.
#[test]
fn planted_zeroed_slots_are_caught() {
    let lab = Lab::new();
    lab.create("a", 1, 16);
    lab.sync();
    let dir = common::folder();
    let path = dir.path().join("image.fm");
    write_image(&lab.now().disk, &path, Pick::New);
    patch(&path, forge::SLOTS, &[0; 4096]);
    check(&path, &lab.now().told, true).expect_err("lost");
}
