//! `unsynced: keep` (rule 23): after a machine crash everything whole counts; what a sync covered is never worse off for it, a second
//! crash takes nothing back, and no picture of the disk makes the store refuse.

mod common;

use common::images::{Capture, Expect, Pick, Point, Subject, look_at_all, write_image};
use common::lab::Lab;
use common::{
    BOOT, OTHER_BOOT, assert_whole, booted, bytes, copy, create, file_bytes, folder, forge, open, read_name,
    replace,
};
use rfmalloc_core::{OpenOptions, Store};

const LATER_BOOT: [u8; 16] = [7; 16];

fn keeping(boot: [u8; 16]) -> OpenOptions {
    OpenOptions { keep_unsynced: true, ..booted(boot) }
}

#[test]
fn what_no_sync_covered_is_kept_for_good_by_the_first_change() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let store = open(&path, &booted(BOOT));
    create(&store, Some("synced"), 1, 10);
    create(&store, Some("renamed"), 2, 3000);
    create(&store, Some("dead"), 3, 10);
    store.sync().unwrap();
    create(&store, Some("new"), 4, 3000);
    let mut v = store.open_name("renamed").unwrap().unwrap();
    store.rename(&mut v, Some("moved"), false).unwrap();
    store.delete("dead").unwrap();
    replace(&store, "synced", 5, 10).unwrap();
    drop(v);
    let image = copy(&path, &dir.path().join("image.fm"));
    drop(store);
    let names = |store: &Store| store.names().unwrap();

    // Dropped by default, also by a reader; kept when asked for, and the file is not touched before the first change.
    let before = file_bytes(&image);
    let reader = open(&image, &OpenOptions { read_only: true, create: false, ..keeping(OTHER_BOOT) });
    assert_eq!(names(&reader), ["moved", "new", "synced"]);
    assert_eq!(read_name(&reader, "synced").unwrap(), Some(bytes(5, 10)));
    assert_whole(&reader);
    let info = reader.info().unwrap();
    assert_eq!((info.kept, info.discarded, info.is_unsettled), (3, 0, true));
    reader.close().unwrap();
    let dropping = open(&image, &booted(OTHER_BOOT));
    assert_eq!(names(&dropping), ["synced", "renamed", "dead"]);
    assert_eq!(dropping.info().unwrap().discarded, 2);
    dropping.close().unwrap();
    assert!(file_bytes(&image) == before, "opening wrote");

    let store = open(&image, &keeping(OTHER_BOOT));
    create(&store, Some("first change"), 9, 10);
    let info = store.info().unwrap();
    assert_eq!((info.kept, info.discarded, info.is_unsettled), (3, 0, false));
    // A second crash right after it: what was kept is synced now, the new object is not.
    let again = copy(&image, &dir.path().join("again.fm"));
    drop(store);
    let store = open(&again, &booted(LATER_BOOT));
    assert_eq!(names(&store), ["moved", "new", "synced"]);
    assert_eq!(read_name(&store, "new").unwrap(), Some(bytes(4, 3000)));
    assert_eq!(read_name(&store, "synced").unwrap(), Some(bytes(5, 10)));
    assert_whole(&store);
}

/// Work in which space is freed and taken again before any sync: several versions on the disk claim the same bytes.
fn troubled() -> Vec<Point> {
    let lab = Lab::new();
    lab.create("s1", 1, 10);
    lab.create("s2", 2, 3000);
    lab.create("s3", 3, 10);
    lab.sync();
    lab.points();
    for i in 0..4 {
        lab.create("churn", 10 + i, 3000);
        lab.rename("churn", "churned");
        lab.destroy("churned");
    }
    lab.rename("s1", "s1 renamed");
    lab.replace("s2", 20, 3000);
    lab.create("n1", 21, 3000);
    lab.destroy("s3");
    lab.create("n2", 22, 10);
    lab.rename("n2", "n3");
    lab.points()
}

/// Every mixture of pages opens, stands verification, takes work, and shows after a second crash what it showed before.
#[test]
fn no_picture_of_the_disk_makes_keep_refuse_or_forget() {
    let points = troubled();
    let dir = folder();
    let (path, again) = (dir.path().join("image.fm"), dir.path().join("again.fm"));
    let text = |when: &str, point: &Point, pick| format!("{when}: {}, {pick:?}", point.label);
    for (i, point) in points.iter().enumerate() {
        for pick in [Pick::New, Pick::Old].into_iter().chain((0..12).map(|k| Pick::Mix(i as u64 * 7919 + k)))
        {
            write_image(&point.disk, &path, pick);
            let store = open(&path, &keeping(OTHER_BOOT));
            let mut seen = look_at_all(&store, &point.told)
                .unwrap_or_else(|e| panic!("{}: {e}", text("first", point, pick)));
            for n in 0..8 {
                create(&store, None, 90 + n, [3000, 10, 700][n as usize % 3]);
                if n == 0 {
                    // A replacement that was cut in two is completed by the first change.
                    let settled = look_at_all(&store, &point.told).unwrap();
                    for (subject, value) in &settled {
                        let ended = matches!(subject, Subject::Ref(..)) && value.is_none();
                        assert!(ended || seen[subject] == *value, "{}", text("recovery", point, pick));
                    }
                    seen = settled;
                    assert_whole(&store);
                    std::fs::copy(&path, &again).unwrap();
                }
            }
            assert_eq!(
                look_at_all(&store, &point.told).unwrap(),
                seen,
                "{}",
                text("new objects", point, pick)
            );
            store.close().unwrap();
            let store = open(&again, &booted(LATER_BOOT));
            assert_eq!(
                look_at_all(&store, &point.told).unwrap(),
                seen,
                "{}",
                text("second crash", point, pick)
            );
            create(&store, None, 1, 3000);
            assert_eq!(
                look_at_all(&store, &point.told).unwrap(),
                seen,
                "{}",
                text("work after it", point, pick)
            );
            assert_whole(&store);
            store.close().unwrap();
        }
    }
}

/// Objects with no act after the sync are exactly what they are without `keep`, whatever happened around them.
#[test]
fn what_a_sync_covered_is_the_same_with_keep_and_without() {
    let lab = Lab::new();
    for i in 0..6 {
        lab.create(&format!("old{i}"), i, 700);
    }
    lab.sync();
    lab.points();
    for i in 0..5 {
        lab.create("churn", 10 + i, 700);
        lab.destroy("churn");
        lab.create(&format!("new{i}"), 20 + i, 700);
        lab.destroy(&format!("old{i}"));
    }
    let dir = folder();
    let path = dir.path().join("image.fm");
    for (i, point) in lab.points().iter().enumerate() {
        for pick in (0..12).map(|k| Pick::Mix(i as u64 * 104_729 + k)) {
            let mut seen = Vec::new();
            for options in [booted(OTHER_BOOT), keeping(OTHER_BOOT)] {
                write_image(&point.disk, &path, pick);
                let store = open(&path, &options);
                create(&store, None, 1, 700);
                seen.push(read_name(&store, "old5").unwrap());
                store.close().unwrap();
            }
            assert_eq!(seen[0], Some(bytes(5, 700)));
            assert_eq!(seen[0], seen[1], "{}, {pick:?}", point.label);
        }
    }
}

/// A crash inside the recovery that keeps: the next open that keeps finds the same.
#[test]
fn a_crash_inside_the_keeping_recovery_changes_nothing_of_its_result() {
    let points = troubled();
    let dir = folder();
    let path = dir.path().join("image.fm");
    for pick in [Pick::New].into_iter().chain((0..6).map(Pick::Mix)) {
        let point = points.last().unwrap();
        write_image(&point.disk, &path, pick);
        let recorder = common::images::Recorder::new(None, Expect::default(), 1);
        recorder.capture(Capture::Always);
        let options = OpenOptions { observer: Some(recorder.clone()), ..keeping(OTHER_BOOT) };
        let store = open(&path, &options);
        let seen = look_at_all(&store, &point.told).unwrap();
        create(&store, None, 1, 10);
        drop(store);
        let image = dir.path().join("inside.fm");
        for (i, inside) in recorder.take_points().iter().enumerate() {
            for pick in [Pick::New, Pick::Old, Pick::Mix(i as u64)] {
                write_image(&inside.disk, &image, pick);
                let store = open(&image, &keeping(LATER_BOOT));
                let now = look_at_all(&store, &point.told).unwrap();
                for (subject, value) in &seen {
                    let may_end = matches!(subject, Subject::Ref(..)) && now[subject].is_none();
                    assert!(may_end || now[subject] == *value, "{subject:?}, {}, {pick:?}", inside.label);
                }
                store.close().unwrap();
            }
        }
    }
}

/// Two whole versions on the same bytes: the later one was written over the earlier one, which goes or falls back.
#[test]
fn of_two_kept_versions_on_the_same_bytes_the_later_stays() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let store = open(&path, &booted(BOOT));
    create(&store, Some("anchor"), 0, 10);
    store.sync().unwrap();
    create(&store, Some("earlier"), 1, 3000);
    create(&store, Some("later"), 2, 3000);
    let image = copy(&path, &dir.path().join("image.fm"));
    drop(store);
    let (earlier, later) = (forge::body(&image, 1, 0), forge::body(&image, 2, 0));
    forge::put_body(&image, 1, 0, forge::Body { off: later.off, ..earlier });
    for read_only in [true, false] {
        let store = open(&image, &OpenOptions { read_only, create: false, ..keeping(OTHER_BOOT) });
        assert_eq!(store.names().unwrap(), ["anchor", "later"]);
        assert_eq!(read_name(&store, "later").unwrap(), Some(bytes(2, 3000)));
        let info = store.info().unwrap();
        assert_eq!((info.kept, info.discarded), (1, 1));
        if !read_only {
            create(&store, None, 3, 3000);
        }
        assert_whole(&store);
        store.close().unwrap();
    }
}

/// The story: a compaction had moved a synced object when power failed. The record that speaks of the new place had reached the disk, the
/// elements there had not; who asked to keep got whatever those bytes were before, in the place of what a sync had covered.
#[test]
fn elements_moved_by_a_compaction_are_kept_where_a_sync_left_them() {
    let lab = Lab::new();
    lab.create("low", 1, 3000);
    lab.create("high", 2, 3000);
    lab.sync();
    lab.destroy("low");
    lab.sync();
    lab.points();
    assert!(lab.store.compact(&mut |_, _| true).unwrap().moved > 0);
    let dir = folder();
    let path = dir.path().join("image.fm");
    for (i, point) in lab.points().iter().enumerate() {
        for pick in (0..40).map(|k| Pick::Mix(i as u64 * 7919 + k)) {
            write_image(&point.disk, &path, pick);
            let store = open(&path, &keeping(OTHER_BOOT));
            assert_eq!(read_name(&store, "high").unwrap(), Some(bytes(2, 3000)), "{}, {pick:?}", point.label);
            create(&store, None, 9, 10);
            assert_eq!(read_name(&store, "high").unwrap(), Some(bytes(2, 3000)), "{}, {pick:?}", point.label);
        }
    }
}

/// The story: an object's name changed twice, and the attributes of its third version lay where those of the first had been. The third
/// record reached the disk, its attributes did not; those of the first checked as well, being the same object's, and the record's tag was
/// that of another name: the store could be opened to keep, and not read.
#[test]
fn attributes_of_an_older_version_at_the_same_place_are_not_kept() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let store = open(&path, &booted(BOOT));
    create(&store, Some("anchor"), 0, 10);
    store.sync().unwrap();
    let mut v = create(&store, Some("first"), 1, 10);
    let place = forge::body(&path, 1, 0).aux_off;
    let old = forge::get(&path, 64 * place, 64);
    store.rename(&mut v, Some("second"), false).unwrap();
    store.rename(&mut v, Some("third"), false).unwrap();
    assert_eq!(forge::body(&path, 1, forge::active(&path, 1)).aux_off, place, "not the same place");
    let image = copy(&path, &dir.path().join("image.fm"));
    drop(v);
    drop(store);
    common::patch(&image, 64 * place, &old);
    for read_only in [true, false] {
        let store = open(&image, &OpenOptions { read_only, create: false, ..keeping(OTHER_BOOT) });
        let names = store.names().unwrap();
        assert_eq!(names, ["anchor", "second"]);
        assert_eq!(read_name(&store, "second").unwrap(), Some(bytes(1, 10)));
        if !read_only {
            create(&store, None, 3, 10);
        }
        assert_whole(&store);
        store.close().unwrap();
    }
}

/// In the same boot, and after a clean close, there is nothing to decide.
#[test]
fn keep_means_nothing_without_a_machine_crash() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let store = open(&path, &keeping(BOOT));
    create(&store, Some("a"), 1, 10);
    let image = copy(&path, &dir.path().join("image.fm"));
    store.close().unwrap();
    for (path, boot) in [(&image, BOOT), (&path, OTHER_BOOT)] {
        let store = open(path, &keeping(boot));
        assert_eq!(store.names().unwrap(), ["a"]);
        let info = store.info().unwrap();
        assert_eq!((info.kept, info.discarded, info.is_unsettled), (0, 0, false));
    }
}
