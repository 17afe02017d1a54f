//! fork(2) without exec: what the parent has open stays the parent's. The child is refused with an error whatever it asks, never waits for a
//! lock that a thread of the parent held at that moment, and its closes and its end leave file, lock and mapping as they are.
#![cfg(unix)]

mod common;

use common::{
    BOOT, assert_code, assert_whole, booted, bytes, create, file_bytes, folder, open, read, read_name,
    read_only, read_pin, replace, try_create, try_open, watched,
};
use rfmalloc_core::{Code, Dtype, Event, ObjectState, Observer, Store, registry, sync_all_stores};
use rustix::fs::{FlockOperation, flock};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::FromRawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

/// One test at a time: a child inherits the descriptors, and so the locks, of whatever else is open.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A child that hangs is ended by its alarm.
const PATIENCE_SECONDS: u32 = 30;

/// How the child ends.
#[derive(Clone, Copy)]
enum End {
    /// With what `exit` runs.
    Exit,
    /// At once.
    Vanish,
}

/// Runs `f` in a forked child; a panic there is one here.
#[track_caller]
fn in_fork(end: End, f: impl FnOnce()) {
    let mut ends = [0; 2];
    // SAFETY: two fresh descriptors.
    assert_eq!(unsafe { libc::pipe(ends.as_mut_ptr()) }, 0);
    // SAFETY: both are ours.
    let (mut reading, mut writing) = unsafe { (File::from_raw_fd(ends[0]), File::from_raw_fd(ends[1])) };
    // SAFETY: the child only runs `f`, whose locks are its own: that is what is tested.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0, "fork failed");
    if pid == 0 {
        // SAFETY: the default action of SIGALRM ends the process.
        unsafe { libc::alarm(PATIENCE_SECONDS) };
        let outcome = catch_unwind(AssertUnwindSafe(f));
        if let Err(e) = &outcome {
            let text = e
                .downcast_ref::<String>()
                .map_or_else(|| (*e.downcast_ref::<&str>().unwrap_or(&"a panic")).to_owned(), Clone::clone);
            let _ = writing.write_all(text.as_bytes());
        }
        let code = i32::from(outcome.is_err());
        // SAFETY: the child ends here.
        unsafe {
            match end {
                End::Exit => libc::exit(code),
                End::Vanish => libc::_exit(code),
            }
        }
    }
    drop(writing);
    let mut said = String::new();
    reading.read_to_string(&mut said).unwrap();
    let mut status = 0;
    // SAFETY: our child.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
    assert!(!libc::WIFSIGNALED(status), "the child was ended by signal {}: it hung", libc::WTERMSIG(status));
    assert_eq!(libc::WEXITSTATUS(status), 0, "in the child: {said}");
}

/// Everything an opener can ask is refused, and nothing hangs.
fn assert_refused(store: &Store, path: &Path) {
    assert_code(store.create(Dtype::Integer, 1, &[0; 4], Some("child")), Code::Unsupported);
    assert_code(store.reserve(Dtype::Raw, 1 << 20, true), Code::Unsupported);
    assert_code(store.open_name("v"), Code::Unsupported);
    assert_code(store.open_id(0, 1), Code::Unsupported);
    assert_code(store.has("v"), Code::Unsupported);
    assert_code(store.delete("v"), Code::Unsupported);
    assert_code(store.sync(), Code::Unsupported);
    assert_code(store.start_writeback(), Code::Unsupported);
    assert_code(store.verify(), Code::Unsupported);
    assert_code(store.allocations(), Code::Unsupported);
    assert_code(store.info(), Code::Unsupported);
    assert_code(store.summary(), Code::Unsupported);
    assert_code(store.mapped_bytes(), Code::Unsupported);
    assert_code(store.named_count(), Code::Unsupported);
    assert_code(store.segment_view(0, 1 << 20), Code::Unsupported);
    assert_code(store.for_work().unwrap().sync(), Code::Unsupported);
    assert_eq!(store.temporary_bytes(), (0, 0));
    store.swept();
    assert_eq!(store.path(), path.canonicalize().unwrap());
    assert!(registry::open_uuid(&store.uuid()).is_none(), "the parent's store is not the child's");
    sync_all_stores();
}

/// A store of its own is nothing that the fork takes from the child.
fn assert_own_store_works(folder: &Path, name: &str) {
    let path = folder.join(name);
    let store = open(&path, &booted(BOOT));
    replace(&store, "v", 1, 100).unwrap();
    create(&store, None, 2, 2000);
    store.close().unwrap();
    let store = open(&path, &booted(BOOT));
    assert_eq!(read_name(&store, "v").unwrap().unwrap(), bytes(1, 100));
    assert_whole(&store);
}

/// The file's lock is held, seen from outside.
#[track_caller]
fn assert_locked(path: &Path) {
    let asked = flock(File::open(path).unwrap(), FlockOperation::NonBlockingLockShared);
    assert_eq!(asked, Err(rustix::io::Errno::WOULDBLOCK));
}

#[test]
fn a_forked_child_is_refused_and_leaves_the_parents_store_alone() {
    let _alone = alone();
    for end in [End::Exit, End::Vanish] {
        let dir = folder();
        let path = dir.path().join("a.fm");
        let store = open(&path, &booted(BOOT));
        let also = open(&path, &booted(BOOT));
        let mut handle = create(&store, Some("v"), 1, 1000);
        let temporary = store.reserve(Dtype::Raw, 100_000, true).unwrap();
        let pin = handle.pin(0, 4000).unwrap();
        let before = file_bytes(&path);
        let mut given = Some((store, also, handle, temporary, pin));
        in_fork(end, || {
            let (store, also, mut handle, temporary, pin) = given.take().unwrap();
            assert_refused(&store, &path);
            assert_code(store.rename(&mut handle, Some("w"), false), Code::Unsupported);
            assert_code(store.commit(&mut handle, Some("w"), false), Code::Unsupported);
            assert_code(store.destroy(&handle, true), Code::Unsupported);
            assert_code(store.sync_object(&handle), Code::Unsupported);
            assert_code(handle.pin(0, 4), Code::Unsupported);
            assert_code(handle.name(), Code::Unsupported);
            assert_code(handle.whereabouts(), Code::Unsupported);
            assert_eq!(handle.state(), ObjectState::Closed);
            assert_code(try_open(&path, &booted(BOOT)), Code::Locked);
            assert_code(try_open(&path, &read_only(BOOT)), Code::Locked);
            assert_own_store_works(dir.path(), "child.fm");
            drop(temporary);
            also.close().unwrap();
            assert_eq!(read_pin(&pin), vec![0; 4000], "after the child's close its mapping is blank");
            drop(pin);
            drop(handle);
            store.close().unwrap();
            store.close().unwrap();
        });
        let (store, also, h, temporary, pin) = given.unwrap();
        handle = h;
        assert!(file_bytes(&path) == before, "the child changed the parent's file");
        assert_locked(&path);
        // The parent goes on.
        assert_eq!(read_pin(&pin), bytes(1, 1000));
        assert_eq!(read(&handle).unwrap(), bytes(1, 1000));
        assert_eq!(temporary.state(), ObjectState::Temporary);
        replace(&also, "v", 2, 50).unwrap();
        store.sync().unwrap();
        assert_whole(&store);
        drop((handle, temporary, pin));
        also.close().unwrap();
        store.close().unwrap();
        let store = open(&path, &booted(BOOT));
        assert_eq!(read_name(&store, "v").unwrap().unwrap(), bytes(2, 50));
        assert_whole(&store);
    }
}

/// Holds the store mutex inside a change: a barrier that does not return until it may.
struct Gate {
    armed: AtomicBool,
    entered: Mutex<mpsc::Sender<()>>,
    leave: Mutex<mpsc::Receiver<()>>,
}

impl Observer for Gate {
    fn before(&self, event: Event) -> io::Result<()> {
        if matches!(event, Event::Barrier { .. }) && self.armed.swap(false, Ordering::SeqCst) {
            self.entered.lock().unwrap().send(()).unwrap();
            // Bounded, so that a failing test ends.
            let _ = self.leave.lock().unwrap().recv_timeout(Duration::from_secs(60));
        }
        Ok(())
    }
}

/// A child waited for ever: another thread had held the store's mutex when it was forked, and every call and every drop took it.
#[test]
fn forked_while_another_thread_holds_the_store_mutex() {
    let _alone = alone();
    let dir = folder();
    let path = dir.path().join("a.fm");
    let (entered, has_entered) = mpsc::channel();
    let (may_leave, leave) = mpsc::channel();
    let gate = Arc::new(Gate {
        armed: AtomicBool::new(false),
        entered: Mutex::new(entered),
        leave: Mutex::new(leave),
    });
    let store = Arc::new(open(&path, &watched(gate.clone())));
    let handle = create(&store, Some("v"), 1, 10);
    store.sync().unwrap();
    gate.armed.store(true, Ordering::SeqCst);
    let busy = thread::spawn({
        let store = Arc::clone(&store);
        // A destroyed object whose word needs a barrier of its own, under the mutex.
        move || store.destroy(&store.open_name("v").unwrap().unwrap(), true).unwrap()
    });
    has_entered.recv().unwrap();
    let mut given = Some(handle);
    in_fork(End::Exit, || {
        let handle = given.take().unwrap();
        assert_refused(&store, &path);
        assert_eq!(handle.state(), ObjectState::Closed);
        drop(handle);
        assert_own_store_works(dir.path(), "child.fm");
        store.close().unwrap();
    });
    may_leave.send(()).unwrap();
    assert!(busy.join().unwrap());
    assert!(!store.has("v").unwrap());
    replace(&store, "after", 3, 10).unwrap();
    assert_whole(&store);
}

/// The same for the registry of open files and the liveness cells, which belong to the process and not to one store.
#[test]
fn forked_while_other_threads_open_close_and_change() {
    let _alone = alone();
    let dir = folder();
    let path = dir.path().join("a.fm");
    let store = Arc::new(open(&path, &booted(BOOT)));
    let stop = Arc::new(AtomicBool::new(false));
    let turns = Arc::new(AtomicU32::new(0));
    let busy: Vec<_> = (0..3u32)
        .map(|t| {
            let (store, stop, turns) = (Arc::clone(&store), Arc::clone(&stop), Arc::clone(&turns));
            let own = dir.path().join(format!("busy-{t}.fm"));
            thread::spawn(move || {
                for i in 0.. {
                    replace(&store, &format!("t{t}"), i, 20).unwrap();
                    if t > 0 {
                        let other = open(&own, &booted(BOOT));
                        replace(&other, "v", i, 3).unwrap();
                        other.close().unwrap();
                    }
                    turns.fetch_add(1, Ordering::SeqCst);
                    if stop.load(Ordering::SeqCst) {
                        return i;
                    }
                }
                unreachable!()
            })
        })
        .collect();
    for n in 0..60 {
        // Every thread is at work.
        let from = turns.load(Ordering::SeqCst);
        while turns.load(Ordering::SeqCst) < from + 5 {
            thread::yield_now();
        }
        in_fork(if n % 2 == 0 { End::Exit } else { End::Vanish }, || {
            assert_refused(&store, &path);
            assert_own_store_works(dir.path(), &format!("child-{n}.fm"));
            store.close().unwrap();
        });
    }
    stop.store(true, Ordering::SeqCst);
    for (t, thread) in busy.into_iter().enumerate() {
        let last = thread.join().unwrap();
        assert_eq!(read_name(&store, &format!("t{t}")).unwrap().unwrap(), bytes(last, 20));
    }
    try_create(&store, Some("after"), 1, 1).unwrap();
    assert_whole(&store);
}

#[test]
fn the_parents_close_frees_the_file_although_a_child_lives_on() {
    let _alone = alone();
    let dir = folder();
    let path = dir.path().join("a.fm");
    let store = open(&path, &booted(BOOT));
    create(&store, Some("v"), 1, 10);
    let mut ends = [0; 2];
    // SAFETY: two fresh descriptors.
    assert_eq!(unsafe { libc::pipe(ends.as_mut_ptr()) }, 0);
    // SAFETY: the child waits for the pipe's end and vanishes.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        let mut byte = 0u8;
        // SAFETY: as above; `byte` is ours.
        unsafe {
            libc::alarm(PATIENCE_SECONDS);
            libc::close(ends[1]);
            libc::read(ends[0], (&raw mut byte).cast(), 1);
            libc::_exit(0);
        }
    }
    store.close().unwrap();
    let again = open(&path, &booted(BOOT));
    assert_eq!(read_name(&again, "v").unwrap().unwrap(), bytes(1, 10));
    let mut status = 0;
    // SAFETY: our descriptors and our child.
    unsafe {
        libc::close(ends[0]);
        libc::close(ends[1]);
        assert_eq!(libc::waitpid(pid, &raw mut status, 0), pid);
    }
    assert_eq!(status, 0);
    assert_locked(&path);
}
