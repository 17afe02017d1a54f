//! Waiting for the lock of a file: what is waited for, how it ends, and what is never waited for.

mod common;

use common::{BOOT, assert_code, booted, create, folder, open, read_name, try_open};
use rfmalloc_core::{Code, OpenOptions, Store};
use std::fs::File;
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// A lock on the file as another process has it, or another copy of this library in this one: through a descriptor of its own.
fn foreign_lock(path: &Path) -> File {
    let file = File::options().read(true).write(true).open(path).unwrap();
    rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive).unwrap();
    file
}

fn waiting(most: Duration) -> OpenOptions {
    OpenOptions { lock_timeout: most, ..booted(BOOT) }
}

fn made(path: &Path) {
    let store = open(path, &booted(BOOT));
    create(&store, Some("a"), 1, 10);
    store.close().unwrap();
}

#[test]
fn open_waits_until_the_holder_lets_go() {
    for most in [Duration::from_secs(600), Duration::MAX] {
        let dir = folder();
        let path = dir.path().join("a.fm");
        made(&path);
        let held = foreign_lock(&path);
        let (say, hear) = mpsc::channel();
        let there = path.clone();
        let opener = std::thread::spawn(move || {
            say.send(()).unwrap();
            let store = open(&there, &waiting(most));
            read_name(&store, "a").unwrap().is_some()
        });
        hear.recv().unwrap();
        drop(held);
        assert!(opener.join().unwrap());
    }
}

#[test]
fn open_gives_up_when_the_time_is_over_and_names_the_holder() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    made(&path);
    let _held = foreign_lock(&path);
    let began = Instant::now();
    let e = assert_code(try_open(&path, &waiting(Duration::from_millis(60))), Code::Locked);
    assert!(began.elapsed() >= Duration::from_millis(60), "gave up early");
    assert!(e.message().contains("in use"), "{e}");
}

/// While one thread waits, others open and close other files: the table of open files is not held meanwhile.
#[test]
fn waiting_keeps_nobody_else_out() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    made(&path);
    let held = foreign_lock(&path);
    let (say, hear) = mpsc::channel();
    let there = path.clone();
    let opener = std::thread::spawn(move || {
        say.send(()).unwrap();
        open(&there, &waiting(Duration::MAX)).close()
    });
    hear.recv().unwrap();
    for i in 0..20 {
        made(&dir.path().join(format!("{i}.fm")));
    }
    assert!(!opener.is_finished());
    drop(held);
    opener.join().unwrap().unwrap();
}

/// The file that is waited for may be replaced meanwhile: what stands under the path at the end is opened.
#[test]
fn a_file_replaced_while_it_was_waited_for_is_opened_as_it_is_now() {
    let dir = folder();
    let (path, other) = (dir.path().join("a.fm"), dir.path().join("b.fm"));
    made(&path);
    let store = open(&other, &booted(BOOT));
    create(&store, Some("b"), 2, 10);
    store.close().unwrap();
    let held = foreign_lock(&path);
    let (say, hear) = mpsc::channel();
    let there = path.clone();
    let opener = std::thread::spawn(move || {
        say.send(()).unwrap();
        let store = open(&there, &waiting(Duration::MAX));
        store.names().unwrap()
    });
    hear.recv().unwrap();
    std::fs::rename(&other, &path).unwrap();
    assert_eq!(opener.join().unwrap(), ["b"]);
    drop(held);
}

#[test]
fn only_a_lock_is_waited_for() {
    let dir = folder();
    let patient = waiting(Duration::MAX);
    let missing = OpenOptions { create: false, ..patient.clone() };
    assert_code(Store::open(&dir.path().join("none.fm"), &missing).map(|_| ()), Code::NotFound);
    let foreign = dir.path().join("text.txt");
    std::fs::write(&foreign, "no store").unwrap();
    assert_code(Store::open(&foreign, &patient).map(|_| ()), Code::NotAStore);
    let path = dir.path().join("a.fm");
    let _here = open(&path, &booted(BOOT));
    let reader = OpenOptions { read_only: true, create: false, ..patient };
    assert_code(try_open(&path, &reader), Code::Mode);
}
