//! Compaction: objects move down, the file gets shorter, and at no moment may a crash, a failure or another thread find anything but what
//! was promised.

mod common;

use common::images::{Random, check_points};
use common::lab::Lab;
use common::{
    BOOT, Faults, Kind, OTHER_BOOT, assert_code, assert_whole, booted, bytes, copy, create, folder, len,
    open, read, read_name, read_only, watched, write,
};
use rfmalloc_core::{Code, Compaction, Dtype, Mode, OpenOptions, Store};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

const EMPTY_NBYTES: u64 = 196_608;

fn compact(store: &Store) -> Compaction {
    store.compact(&mut |_, _| true).unwrap()
}

/// Destroys every other object of these names.
fn thin(store: &Store, names: &[String]) {
    for name in names.iter().step_by(2) {
        assert!(store.delete(name).unwrap());
    }
}

fn fill(store: &Store, n: u32, elements: impl Fn(u32) -> u64) -> Vec<String> {
    (0..n)
        .map(|i| {
            let name = format!("v{i}");
            create(store, Some(&name), i, elements(i));
            name
        })
        .collect()
}

#[test]
fn gaps_are_filled_from_the_top_and_the_tail_goes() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let store = open(&path, &booted(BOOT));
    let names = fill(&store, 40, |_| 20_000);
    let refs: Vec<_> = names
        .iter()
        .map(|n| store.open_name(n).unwrap().unwrap().facts())
        .map(|f| (f.id, f.generation))
        .collect();
    thin(&store, &names);
    let before = len(&path);
    let done = compact(&store);
    assert!(done.moved > 0 && !done.stopped && done.held == 0);
    assert_eq!(before - len(&path), done.freed);
    let live = 20 * 20_480 * 4;
    assert!(len(&path) < EMPTY_NBYTES + live + 65_536, "{} for {live}", len(&path));
    for i in (1..40).step_by(2) {
        let expected = bytes(i, 20_000);
        assert_eq!(read_name(&store, &names[i as usize]).unwrap().unwrap(), expected);
        let (id, generation) = refs[i as usize];
        assert_eq!(read(&store.open_id(id, generation).unwrap()).unwrap(), expected);
    }
    assert_whole(&store);
    assert_eq!(compact(&store), Compaction::default());
    store.close().unwrap();
    assert_whole(&open(&path, &booted(OTHER_BOOT)));
}

/// Small things too: names lie in extents of their own, and they are copied as they are.
#[test]
fn small_objects_and_names_move() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let store = open(&path, &booted(BOOT));
    let names = fill(&store, 3000, |i| u64::from(i % 40));
    thin(&store, &names);
    let before = len(&path);
    let done = compact(&store);
    assert!(done.moved > 0 && done.freed > 0 && before - len(&path) == done.freed, "{done:?}");
    for i in (1..3000).step_by(2) {
        assert_eq!(read_name(&store, &names[i as usize]).unwrap().unwrap(), bytes(i, u64::from(i % 40)));
    }
    assert_whole(&store);
    let mut handle = store.open_name("v1").unwrap().unwrap();
    store.rename(&mut handle, Some("another"), false).unwrap();
    drop(handle);
    store.close().unwrap();
    let store = open(&path, &booted(OTHER_BOOT));
    assert_eq!(store.names().unwrap().len(), 1500);
    assert_eq!(read_name(&store, "another").unwrap().unwrap(), bytes(1, 1));
    assert_whole(&store);
}

/// One object is viewed, one held by this thread, one by another: only what nobody else can reach moves, and its handles notice.
#[test]
fn what_others_may_reach_stays_and_handles_follow() {
    let dir = folder();
    let store = open(&dir.path().join("a.fm"), &booted(BOOT));
    let filler = create(&store, None, 0, 400_000);
    let [viewed, held, foreign] = ["viewed", "held", "foreign"].map(|n| create(&store, Some(n), 5, 50_000));
    store.sync().unwrap();
    let pin = viewed.pin(0, 4).unwrap();
    let elsewhere =
        std::thread::scope(|s| s.spawn(|| store.open_name("foreign").unwrap().unwrap()).join().unwrap());
    let (mut held, was) = (held, held_facts(&store));
    store.destroy(&filler, false).unwrap();
    let done = compact(&store);
    assert_eq!(done.held, 2);
    assert!(done.moved >= 200_000 && done.moved < 400_000);
    assert_eq!(
        (viewed.whereabouts().unwrap().1, elsewhere.whereabouts().unwrap().1),
        (viewed.facts().off, elsewhere.facts().off)
    );
    assert!(held.whereabouts().unwrap().1 < was.off);
    assert_eq!(held.facts(), was);
    held.refresh().unwrap();
    let now = held.facts();
    assert!(now.off < was.off && now.cell.0 == was.cell.0 && now.cell.1 != was.cell.1);
    write(&held, &[9]).unwrap();
    assert_eq!(
        read_name(&store, "held").unwrap().unwrap()[..4],
        [9, bytes(5, 1)[1], bytes(5, 1)[2], bytes(5, 1)[3]]
    );
    drop((pin, elsewhere, viewed, foreign));
    assert!(compact(&store).moved > 0);
    assert_whole(&store);
}

fn held_facts(store: &Store) -> rfmalloc_core::ObjectFacts {
    store.open_name("held").unwrap().unwrap().facts()
}

#[test]
fn another_thread_moves_only_what_nobody_holds() {
    let dir = folder();
    let store = open(&dir.path().join("a.fm"), &booted(BOOT));
    let filler = create(&store, None, 0, 400_000);
    let held = create(&store, Some("held"), 5, 50_000);
    drop(create(&store, Some("free"), 6, 50_000));
    store.sync().unwrap();
    store.destroy(&filler, false).unwrap();
    let work = store.for_work().unwrap();
    let done = std::thread::scope(|s| s.spawn(|| work.compact(&mut |_, _| true).unwrap()).join().unwrap());
    assert_eq!(done.held, 1);
    assert_eq!(held.whereabouts().unwrap().1, held.facts().off);
    assert_eq!(read_name(&store, "free").unwrap().unwrap(), bytes(6, 50_000));
    assert_whole(&store);
}

#[test]
fn temporaries_and_scratch_objects_move_too() {
    let dir = folder();
    for mode in [Mode::Persistent, Mode::Scratch] {
        let path = dir.path().join(mode.name());
        let store = open(&path, &OpenOptions { mode, ..booted(BOOT) });
        let filler = store.reserve(Dtype::Integer, 400_000, false).unwrap();
        let kept = store.reserve(Dtype::Integer, 10_000, false).unwrap();
        write(&kept, &bytes(3, 10_000)).unwrap();
        drop(filler);
        let done = compact(&store);
        assert!(done.freed > 1_000_000 && done.moved > 0, "{done:?}");
        assert_eq!(read(&kept).unwrap(), bytes(3, 10_000));
        assert_whole(&store);
        store.close().unwrap();
    }
}

#[test]
fn stores_that_cannot_be_compacted_say_so() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let store = open(&path, &booted(BOOT));
    create(&store, Some("a"), 1, 10);
    let work = store.for_work().unwrap();
    let nested = store.compact(&mut |_, _| {
        assert_code(work.compact(&mut |_, _| true), Code::Busy);
        true
    });
    nested.unwrap();
    store.close().unwrap();
    assert_code(work.compact(&mut |_, _| true), Code::Closed);
    let store = open(&path, &read_only(BOOT));
    assert_code(store.compact(&mut |_, _| true), Code::ReadOnly);
}

/// An abort between any two steps, and inside a large move, leaves a whole store.
#[test]
fn stopping_anywhere_leaves_a_whole_store() {
    for stop in 0.. {
        let dir = folder();
        let path = dir.path().join("a.fm");
        let store = open(&path, &booted(BOOT));
        let mut names = fill(&store, 12, |i| 100 * u64::from(i));
        create(&store, Some("large gap"), 50, 800_000);
        create(&store, Some("large"), 51, 700_000);
        store.sync().unwrap();
        thin(&store, &names);
        store.delete("large gap").unwrap();
        names.push("large".into());
        let mut left = stop;
        let done = store
            .compact(&mut |_, _| {
                left -= 1;
                left >= 0
            })
            .unwrap();
        assert_whole(&store);
        for (i, name) in (1..12).step_by(2).map(|i| (i, &names[i as usize])) {
            assert_eq!(read_name(&store, name).unwrap().unwrap(), bytes(i, 100 * u64::from(i)));
        }
        assert_eq!(read_name(&store, "large").unwrap().unwrap(), bytes(51, 700_000));
        create(&store, None, 1, 200_000);
        assert_whole(&store);
        store.close().unwrap();
        assert_whole(&open(&path, &booted(OTHER_BOOT)));
        if !done.stopped {
            assert!(stop > 8, "{stop} steps");
            return;
        }
    }
}

/// A workload whose compaction moves payloads, names and both, cuts the tail, and is followed by more.
fn compacted_lab() -> Lab {
    let lab = Lab::new();
    lab.create("filler", 1, 30_000);
    for i in 0..6 {
        lab.create(&format!("v{i}"), 10 + i, [3, 40, 500, 6000][i as usize % 4]);
    }
    lab.sync();
    lab.rename("v2", "w2");
    lab.destroy("v1");
    lab.destroy("filler");
    lab.replace("v3", 77, 6000);
    lab
}

#[test]
fn every_crash_image_of_a_compaction_is_a_store() {
    let lab = compacted_lab();
    lab.every_store();
    let act = lab.expect().now();
    let done = compact(&lab.store);
    assert!(done.moved > 0 && done.freed > 0);
    lab.expect().synced(act);
    lab.recorder.point("after compaction");
    lab.replace("v4", 5, 900);
    lab.create("more", 6, 50_000);
    lab.destroy("v0");
    lab.sync();
    let points = lab.points();
    assert!(points.len() > 60, "{}", points.len());
    check_points(&points, 4);
}

/// As above, with an open handle, and after a process death in the middle that a compaction of the next process follows.
#[test]
fn a_compaction_after_a_death_in_a_compaction_is_as_safe() {
    let lab = compacted_lab();
    lab.every_store();
    compact(&lab.store);
    let points = lab.points();
    for point in points.iter().step_by(points.len() / 8) {
        let again = Lab::after_kill(point);
        compact(&again.store);
        again.recorder.point("after compaction");
        check_points(&again.points(), 2);
    }
}

/// The n-th event of this kind within a compaction fails; false: there was no n-th.
fn fail_nth(kind: Kind, n: u64, errno: i32) -> bool {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let faults = Faults::new();
    let store = open(&path, &watched(faults.clone()));
    let names = fill(&store, 24, |i| [5, 700, 9000][i as usize % 3]);
    store.sync().unwrap();
    thin(&store, &names);
    // One that changed since the sync has to be hardened before it moves.
    let mut handle = store.open_name("v3").unwrap().unwrap();
    faults.arm(kind, n, errno);
    let done =
        store.rename(&mut handle, Some("renamed"), false).and_then(|()| store.compact(&mut |_, _| true));
    drop(handle);
    if faults.disarm() {
        done.unwrap();
        return false;
    }
    let e = done.unwrap_err();
    assert!(matches!(e.code(), Code::Io | Code::NoSpace | Code::Poisoned), "{kind:?} {n}: {e}");
    let check = |store: &Store, context: &str| {
        for i in (1..24).step_by(2) {
            let name = if i == 3 && store.has("renamed").unwrap() { "renamed" } else { &names[i as usize] };
            let found = read_name(store, name).unwrap();
            assert_eq!(found.unwrap(), bytes(i, [5, 700, 9000][i as usize % 3]), "{kind:?} {n}, {context}");
        }
    };
    check(&store, "still open");
    for (boot, context) in [(BOOT, "process death"), (OTHER_BOOT, "machine crash")] {
        let crashed = copy(&path, &dir.path().join("crashed.fm"));
        let again = open(&crashed, &booted(boot));
        check(&again, context);
        create(&again, Some("more"), 1, 30_000);
        compact(&again);
        check(&again, context);
        assert_whole(&again);
    }
    let _ = store.close();
    let store = open(&path, &booted(BOOT));
    check(&store, "closed");
    compact(&store);
    assert_whole(&store);
    true
}

#[test]
fn every_barrier_sync_and_cut_of_a_compaction_may_fail() {
    for (kind, errno, least) in [(Kind::Barrier, 5, 4), (Kind::SyncAll, 5, 2), (Kind::Length, 5, 1)] {
        let n = (0..1000).take_while(|n| fail_nth(kind, *n, errno)).count();
        assert!(n >= least, "{n} of {kind:?}");
    }
}

/// A cut that the system refuses is no reason to stop: the tail is mapped again and used.
#[test]
fn a_refused_cut_leaves_the_store_at_work() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let faults = Faults::new();
    let store = open(&path, &watched(faults.clone()));
    let names = fill(&store, 20, |_| 20_000);
    thin(&store, &names);
    let before = len(&path);
    faults.arm(Kind::Length, 0, 5);
    assert_code(store.compact(&mut |_, _| true), Code::Io);
    assert_eq!(len(&path), before);
    for i in 0..9 {
        create(&store, Some(&format!("n{i}")), 200 + i, 20_000);
    }
    assert_eq!(len(&path), before);
    store.sync().unwrap();
    store.close().unwrap();
    let store = open(&path, &booted(OTHER_BOOT));
    for i in 0..9 {
        assert_eq!(read_name(&store, &format!("n{i}")).unwrap().unwrap(), bytes(200 + i, 20_000));
    }
    assert_whole(&store);
}

/// A sync that began before the tail was cut must not write the old length after it: a later open would take the file for truncated.
#[test]
fn a_sync_under_way_never_promises_the_length_of_before_the_cut() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let store = open(&path, &booted(BOOT));
    let stop = AtomicBool::new(false);
    std::thread::scope(|s| {
        s.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                store.sync().unwrap();
            }
        });
        for round in 0..60 {
            create(&store, Some("big"), round, 300_000);
            create(&store, Some("small"), round, 10);
            store.delete("big").unwrap();
            compact(&store);
            store.delete("small").unwrap();
            let image = copy(&path, &dir.path().join("image.fm"));
            open(&image, &booted(OTHER_BOOT)).close().unwrap();
        }
        stop.store(true, Ordering::Relaxed);
    });
}

/// Any store, thinned at random and compacted at random moments, by itself and with handles, is the same store.
#[test]
fn random_stores_are_the_same_after_compaction() {
    for seed in 0..30u64 {
        let mut random = Random(seed);
        let dir = folder();
        let path = dir.path().join("a.fm");
        let mut store = open(&path, &booted(BOOT));
        let mut live: BTreeMap<(u64, u64), (Option<String>, u32, u64)> = BTreeMap::new();
        let mut held = Vec::new();
        for step in 0..250u32 {
            match random.below(20) {
                0..10 => {
                    let n = [0, 1, 30, 2000, 5000, 100_000][random.below(6) as usize];
                    let name = (random.below(3) > 0).then(|| format!("s{step}"));
                    let handle = create(&store, name.as_deref(), step, n);
                    live.insert((handle.facts().id, handle.facts().generation), (name, step, n));
                    if random.below(8) == 0 {
                        held.push(handle);
                    }
                }
                10..15 => {
                    if let Some(key) = live.keys().nth(random.below(live.len() as u64) as usize).copied() {
                        live.remove(&key);
                        let handle = store.open_id(key.0, key.1).unwrap();
                        assert!(store.destroy(&handle, random.below(4) == 0).unwrap());
                    }
                }
                15 => {
                    let nth = random.below(live.len() as u64) as usize;
                    if let Some((key, value)) = live.iter_mut().nth(nth) {
                        let mut handle = store.open_id(key.0, key.1).unwrap();
                        store.rename(&mut handle, Some(&format!("r{step}")), false).unwrap();
                        value.0 = Some(format!("r{step}"));
                    }
                }
                16 => store.sync().unwrap(),
                17 => {
                    compact(&store);
                    assert_whole(&store);
                }
                18 => held.clear(),
                _ => {
                    held.clear();
                    store.close().unwrap();
                    store = open(&path, &booted([(step % 250) as u8; 16]));
                }
            }
        }
        compact(&store);
        for ((id, generation), (name, seed_of, n)) in &live {
            let handle = store.open_id(*id, *generation).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
            assert_eq!(handle.name().unwrap(), *name, "seed {seed}");
            assert_eq!(read(&handle).unwrap(), bytes(*seed_of, *n), "seed {seed}");
        }
        assert_eq!(store.info().unwrap().catalog_count, live.len() as u64, "seed {seed}");
        assert_whole(&store);
    }
}

/// Threads create, read, write and destroy while another compacts without end.
#[test]
fn threads_at_work_do_not_notice() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let store = open(&path, &booted(BOOT));
    let stop = AtomicBool::new(false);
    let moved = std::thread::scope(|s| {
        let workers: Vec<_> = (0..3u32)
            .map(|t| {
                let (store, stop) = (&store, &stop);
                s.spawn(move || {
                    let mut random = Random(u64::from(t));
                    let mut mine: BTreeMap<String, (u32, u64)> = BTreeMap::new();
                    for i in 0..700u32 {
                        let n = [3, 400, 5000, 150_000][random.below(4) as usize];
                        let name = format!("t{t}-{i}");
                        create(store, Some(&name), i, n);
                        mine.insert(name, (i, n));
                        let pick = mine.keys().nth(random.below(mine.len() as u64) as usize).unwrap().clone();
                        let (seed, n) = mine[&pick];
                        let handle = store.open_name(&pick).unwrap().unwrap();
                        assert_eq!(read(&handle).unwrap(), bytes(seed, n));
                        // Written through a view that is gone before the next move.
                        write(&handle, &bytes(seed + 1, n)).unwrap();
                        mine.insert(pick.clone(), (seed + 1, n));
                        drop(handle);
                        if mine.len() > 12 {
                            let (name, _) = mine.pop_first().unwrap();
                            assert!(store.delete(&name).unwrap());
                        }
                    }
                    stop.store(true, Ordering::Relaxed);
                    mine
                })
            })
            .collect();
        let work = store.for_work().unwrap();
        let mut moved = 0;
        while !stop.load(Ordering::Relaxed) {
            moved += work.compact(&mut |_, _| true).unwrap().moved;
        }
        for worker in workers {
            for (name, (seed, n)) in worker.join().unwrap() {
                assert_eq!(read_name(&store, &name).unwrap().unwrap(), bytes(seed, n));
            }
        }
        moved
    });
    assert!(moved > 0);
    assert_whole(&store);
    store.close().unwrap();
    assert_whole(&open(&path, &booted(OTHER_BOOT)));
}

/// A close does not wait for a compaction to finish its work, only for its present step.
#[test]
fn closing_ends_a_running_compaction() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let store = open(&path, &booted(BOOT));
    let names = fill(&store, 40, |_| 20_000);
    thin(&store, &names);
    let work = store.for_work().unwrap();
    let (started, begun) = std::sync::mpsc::channel();
    std::thread::scope(|s| {
        let compaction = s.spawn(move || {
            work.compact(&mut |_, _| {
                let _ = started.send(());
                true
            })
        });
        begun.recv().unwrap();
        store.close().unwrap();
        // It was over already, or it was stopped.
        if let Err(e) = compaction.join().unwrap() {
            assert_eq!(e.code(), Code::Closed);
        }
    });
    let store = open(&path, &booted(OTHER_BOOT));
    assert_eq!(read_name(&store, "v39").unwrap().unwrap(), bytes(39, 20_000));
    assert_whole(&store);
}

/// Ten replacements of one large vector, each made durable: never more than the old, the new and some growth.
#[test]
fn rewriting_a_vector_ten_times_takes_little_more_than_two_of_it() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let store = open(&path, &OpenOptions { boot_id: None, ..OpenOptions::default() });
    let n = 1_000_000;
    let live = 4 * n + 2 * 65_536;
    for i in 0..10 {
        store.put(Dtype::Integer, n, &bytes(i, n), Some("v"), true).unwrap();
        assert!(len(&path) < live * 22 / 10, "{} after {i}", len(&path));
        store.sync().unwrap();
    }
    compact(&store);
    assert!(len(&path) < live * 105 / 100, "{}", len(&path));
    let copied = dir.path().join("b.fm");
    assert!(store.compact_to(&copied, &mut |_, _| true).unwrap());
    assert!(len(&copied) < live * 105 / 100, "{}", len(&copied));
    assert_eq!(read_name(&open(&copied, &booted(BOOT)), "v").unwrap().unwrap(), bytes(9, n));
}
