//! Durability asked for: `full`, where every act is on stable storage when its call returns, and the barrier for one object off the
//! caller's thread. Proven on crash images without any sync of the whole file.

mod common;

use common::images::{check_points, first_failure};
use common::lab::Lab;
use common::{
    BOOT, Faults, Kind, OTHER_BOOT, assert_code, booted, copy, create, folder, open, read_name, watched,
};
use rfmalloc_core::{Code, Dtype, Event, Handle, Mode, Observer, OpenOptions, Store, Strings};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn full() -> OpenOptions {
    OpenOptions { full: true, ..booted(BOOT) }
}

/// The call has returned: from here on a power cut takes nothing back.
fn acknowledged(lab: &Lab) {
    let now = lab.expect().now();
    lab.expect().synced(now);
    lab.recorder.point("acknowledged");
}

fn every_act(lab: &Lab) {
    let acts: [&dyn Fn(&Lab); 9] = [
        &|lab| {
            lab.create("a", 1, 10);
        },
        &|lab| {
            lab.create("large", 2, 5000);
        },
        &|lab| {
            lab.create_unnamed(3, 40);
        },
        &|lab| lab.rename("a", "b"),
        &|lab| {
            lab.replace("b", 4, 3000);
        },
        &|lab| lab.rename("large", "b"),
        &|lab| {
            lab.create("c", 5, 10);
        },
        &|lab| lab.destroy("b"),
        &|lab| lab.destroy_at_once("c"),
    ];
    for act in acts {
        act(lab);
        acknowledged(lab);
    }
}

#[test]
fn full_durability_takes_nothing_back_after_the_call() {
    let lab = Lab::with(&full());
    lab.every_store();
    every_act(&lab);
    check_points(&lab.points(), 4);
}

/// Space and slots freed by one act are used by the next at once: what was promised before must not lie in them.
#[test]
fn full_durability_reuses_space_without_losing_what_stands() {
    let lab = Lab::with(&full());
    for i in 0..6 {
        lab.create(&format!("v{i}"), i, 3000);
        acknowledged(&lab);
        lab.replace(&format!("v{i}"), 10 + i, 3000);
        acknowledged(&lab);
        if i % 2 == 0 {
            lab.destroy(&format!("v{i}"));
            acknowledged(&lab);
        }
    }
    check_points(&lab.points(), 4);
}

/// The checker sees a missing barrier: without `full` the same promises are broken.
#[test]
fn the_promises_of_full_are_not_kept_without_it() {
    let lab = Lab::with(&booted(BOOT));
    every_act(&lab);
    assert!(first_failure(&lab.points(), 4).is_some());
}

/// Found by crash images: an opener without `full` sealed a vector and was killed; the next one, with `full`, sealed it again. Nothing
/// was to be done, so nothing was made durable, and a power cut took back what a call under `full` had acknowledged. A rename to the
/// name the vector had already behaved alike.
#[test]
fn full_durability_covers_what_an_earlier_opener_left_unsynced() {
    type Act = fn(&Store, &mut Handle);
    let acts: [(&str, Act); 2] =
        [("seal", |s, h| s.seal(h).unwrap()), ("rename", |s, h| s.rename(h, Some("a"), false).unwrap())];
    for (what, act) in acts {
        let dir = folder();
        let path = dir.path().join("a.fm");
        let first = open(&path, &booted(BOOT));
        let mut made = create(&first, Some("a"), 1, 3000);
        act(&first, &mut made);
        let killed = copy(&path, &dir.path().join("killed.fm"));
        drop(made);
        first.close().unwrap();

        let second = open(&killed, &full());
        let mut found = second.open_name("a").unwrap().unwrap();
        act(&second, &mut found);
        let cut = copy(&killed, &dir.path().join("cut.fm"));
        drop(found);
        second.close().unwrap();

        let third = open(&cut, &booted(OTHER_BOOT));
        let found = third.open_name("a").unwrap();
        let found = found.unwrap_or_else(|| panic!("{what}: the vector is gone"));
        assert_eq!(found.facts().sealed, what == "seal", "{what}");
    }
}

/// One opener of the process asks for it: it holds for the other, who opened first without.
#[test]
fn full_durability_is_shared_by_the_openers_of_a_file() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let counts = Faults::new();
    let first = open(&path, &watched(counts.clone()));
    create(&first, Some("a"), 1, 10);
    let before = counts.count(Kind::Barrier);
    let syncs = counts.count(Kind::SyncAll);
    create(&first, Some("b"), 1, 10);
    assert_eq!(counts.count(Kind::Barrier), before, "no barrier was asked for");
    let second = open(&path, &full());
    create(&first, Some("c"), 1, 10);
    assert!(counts.count(Kind::Barrier) > before);
    assert_eq!(counts.count(Kind::SyncAll), syncs, "no sync of the whole file");
    let image = copy(&path, &dir.path().join("image.fm"));
    drop((first, second));
    // The page cache shows all three; the D bits say which survive.
    let store = open(&image, &booted(OTHER_BOOT));
    assert_eq!(store.names().unwrap(), ["c"]);
}

#[test]
fn failed_barrier_of_a_full_commit_is_no_success() {
    for n in 0..6 {
        let dir = folder();
        let path = dir.path().join("a.fm");
        let faults = Faults::new();
        let store = open(&path, &OpenOptions { full: true, ..watched(faults.clone()) });
        create(&store, Some("before"), 1, 10);
        faults.arm(Kind::Barrier, n, 5);
        let made = common::try_create(&store, Some("a"), 2, 10);
        if faults.disarm() {
            assert!(made.is_ok());
            break;
        }
        assert_code(made, Code::Io);
        assert_code(common::try_create(&store, Some("b"), 2, 10), Code::Poisoned);
        assert!(read_name(&store, "before").unwrap().is_some());
    }
}

#[test]
fn sync_of_one_object_covers_it_alone() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let store = open(&path, &booted(BOOT));
    let a = create(&store, Some("a"), 1, 3000);
    create(&store, Some("b"), 2, 10);
    let work = store.object_work(&a).unwrap();
    std::thread::spawn(move || work.sync()).join().unwrap().unwrap();
    let image = copy(&path, &dir.path().join("image.fm"));
    drop(a);
    store.close().unwrap();
    let store = open(&image, &booted(OTHER_BOOT));
    assert_eq!(store.names().unwrap(), ["a"]);
}

/// The work holds nothing before it runs: what ended meanwhile is an error of its own, never an access.
#[test]
fn sync_of_what_ended_before_it_ran_is_an_error() {
    let dir = folder();
    let store = open(&dir.path().join("a.fm"), &booted(BOOT));
    let temporary = store.reserve(rfmalloc_core::Dtype::Raw, 10, true).unwrap();
    assert_code(store.object_work(&temporary).map(|_| ()), Code::Argument);
    let a = create(&store, Some("a"), 1, 10);
    let b = create(&store, Some("b"), 1, 10);
    let (of_a, of_b) = (store.object_work(&a).unwrap(), store.object_work(&b).unwrap());
    store.destroy(&a, false).unwrap();
    assert_code(of_a.sync(), Code::Destroyed);
    assert_code(store.object_work(&a).map(|_| ()), Code::Destroyed);
    drop((a, b, temporary));
    store.close().unwrap();
    assert_code(of_b.sync(), Code::Closed);
}

/// A close lets go of every handle before it refuses calls: a sync on its way found its object gone from the table of open objects, and
/// said that it was destroyed although it was not.
#[test]
fn sync_of_an_object_whose_handles_are_gone_covers_it_all_the_same() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let store = open(&path, &booted(BOOT));
    let work = store.object_work(&create(&store, Some("a"), 1, 10)).unwrap();
    work.sync().unwrap();
    let image = copy(&path, &dir.path().join("image.fm"));
    assert_eq!(open(&image, &booted(OTHER_BOOT)).names().unwrap(), ["a"]);
    store.delete("a").unwrap();
    assert_code(work.sync(), Code::Destroyed);
}

#[test]
fn sync_of_one_object_in_a_scratch_store_has_nothing_to_do() {
    let dir = folder();
    let options = OpenOptions { mode: Mode::Scratch, ..booted(BOOT) };
    let store = open(&dir.path().join("a.fm"), &options);
    let mut v = store.reserve(rfmalloc_core::Dtype::Raw, 10, true).unwrap();
    assert_code(store.sync_object(&v), Code::Argument);
    store.commit(&mut v, Some("v"), false).unwrap();
    store.sync_object(&v).unwrap();
}

/// Holds the first large barrier until it is told to go on.
struct Gate {
    is_used: AtomicBool,
    reached: Mutex<Sender<()>>,
    open: Mutex<Receiver<()>>,
}

impl Observer for Gate {
    fn before(&self, event: Event) -> io::Result<()> {
        let is_large = matches!(event, Event::Barrier { nbytes, .. } if nbytes >= 1 << 20);
        if is_large && !self.is_used.swap(true, Ordering::Relaxed) {
            self.reached.lock().unwrap().send(()).map_err(io::Error::other)?;
            self.open.lock().unwrap().recv_timeout(Duration::from_secs(60)).map_err(io::Error::other)?;
        }
        Ok(())
    }
}

/// An import into a store of full durability waited for its elements under the store's mutex, on the thread that answers everybody.
#[test]
fn a_commit_of_another_thread_waits_for_elements_without_the_mutex() {
    let dir = folder();
    let path = dir.path().join("s.fm");
    let (reached, arrival) = channel();
    let (open_gate, gate) = channel();
    let gate = Gate { is_used: AtomicBool::new(false), reached: Mutex::new(reached), open: Mutex::new(gate) };
    let store = open(&path, &OpenOptions { full: true, ..watched(Arc::new(gate)) });
    let mut other = create(&store, Some("df"), 1, 10);
    let column = store.reserve(Dtype::Integer, 1 << 18, true).unwrap();
    let names: Strings = [Some("x")].into_iter().collect();
    let mut frame = store.frame(&[&column], &names, None).unwrap();
    drop(column);
    let mut refused = store.commit_work(&frame).unwrap();
    let mut work = store.commit_work(&frame).unwrap();
    let (id, generation) = std::thread::scope(|s| {
        let done = s.spawn(move || work.run(Some("df"), true));
        arrival.recv().unwrap();
        // Both want the mutex.
        assert_eq!(store.named_count().unwrap(), 1);
        assert_code(store.destroy(&frame, false), Code::Busy);
        open_gate.send(()).unwrap();
        done.join().unwrap().unwrap()
    });
    frame.refresh().unwrap();
    assert_eq!((frame.facts().id, frame.facts().generation), (id, generation));
    assert_code(other.refresh(), Code::Destroyed);
    create(&store, Some("taken"), 2, 10);
    assert_code(refused.run(Some("taken"), false), Code::Exists);
    drop(refused);
    // Without a sync of the file: a power cut now takes nothing.
    let image = copy(&path, &dir.path().join("image.fm"));
    let after = open(&image, &booted(OTHER_BOOT));
    assert_eq!(after.names().unwrap(), ["df", "taken"]);
    assert_eq!(after.open_name("df").unwrap().unwrap().facts().len, 1);
    after.close().unwrap();
    store.close().unwrap();
}
