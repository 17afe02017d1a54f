//! Several processes on one path: this test program starts itself again, and the other one does the part that its environment names.

mod common;

use common::{BOOT, assert_whole, booted, folder, open, read_name, replace, try_open};
use rfmalloc_core::Code;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PART: &str = "RFMALLOC_TEST_PART";
const FOLDER: &str = "RFMALLOC_TEST_FOLDER";
const PATIENCE: Duration = Duration::from_secs(60);

/// Starts this program once more, for `part` of what is tested.
fn other(part: &str, folder: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_other_process", "--ignored"])
        .env(PART, part)
        .env(FOLDER, folder)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
#[ignore = "no test of its own: it runs in the processes that the tests start"]
fn the_other_process() {
    let part = std::env::var(PART).expect("started by a test of this file");
    let folder = PathBuf::from(std::env::var(FOLDER).unwrap());
    match part.as_str() {
        "opens-empty-files" => open_empty_files(&folder),
        _ => panic!("no part {part}"),
    }
}

/// Runs `part` in another process with `f` beside it; the process must end well.
fn beside<T>(part: &str, folder: &Path, f: impl FnOnce(&Child) -> T) -> T {
    let mut child = other(part, folder);
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| f(&child)));
    if result.is_err() {
        let _ = child.kill();
    }
    let status = child.wait().unwrap();
    let value = result.unwrap_or_else(|e| std::panic::resume_unwind(e));
    assert!(status.success(), "the other process ended with {status}");
    value
}

fn signal(child: &Child, signal: i32) {
    // SAFETY: a signal to a process that is ours and not waited for yet.
    assert_eq!(unsafe { libc::kill(child.id() as i32, signal) }, 0);
}

/// Stops the process wherever it is.
fn stop(child: &Child) {
    signal(child, libc::SIGSTOP);
    let mut status = 0;
    // SAFETY: as above; `status` is ours.
    assert!(unsafe { libc::waitpid(child.id() as i32, &raw mut status, libc::WUNTRACED) } > 0);
    assert!(libc::WIFSTOPPED(status), "the other process ended: {status}");
}

const EMPTY_FILES: u32 = 500;

fn empty_file(folder: &Path, i: u32) -> PathBuf {
    folder.join(format!("{i}.fm"))
}

/// Tries to open each file until it is free, and stores something in it.
fn open_empty_files(folder: &Path) {
    for i in 0..EMPTY_FILES {
        let begun = Instant::now();
        let store = loop {
            match try_open(&empty_file(folder, i), &booted(BOOT)) {
                Ok(store) => break store,
                Err(e)
                    if [Code::Locked, Code::NotFound].contains(&e.code()) && begun.elapsed() < PATIENCE =>
                {
                    std::hint::spin_loop();
                }
                Err(e) => panic!("{e}"),
            }
        };
        replace(&store, "theirs", i, 3).unwrap();
        store.close().unwrap();
    }
}

/// An opener that had seen the file empty, and got the lock only after another process had made a store of it, filled and closed it,
/// took it for empty still and initialised it again: everything in it was gone.
#[test]
fn an_opener_that_saw_the_file_empty_does_not_undo_who_was_quicker() {
    let dir = folder();
    for i in 0..EMPTY_FILES {
        File::create(empty_file(dir.path(), i)).unwrap();
    }
    let locked = |i| {
        let file = File::options().write(true).open(empty_file(dir.path(), i)).unwrap();
        rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive).unwrap();
        file
    };
    let mut held = locked(0);
    beside("opens-empty-files", dir.path(), |child| {
        for i in 0..EMPTY_FILES {
            let path = empty_file(dir.path(), i);
            // The other one is trying this file: somewhere between looking at it and asking for its lock.
            for _ in 0..(i * 7919) % 5000 {
                std::hint::spin_loop();
            }
            stop(child);
            let next = (i + 1 < EMPTY_FILES).then(|| locked(i + 1));
            drop(std::mem::replace(&mut held, next.unwrap_or_else(|| File::open(dir.path()).unwrap())));
            let store = open(&path, &booted(BOOT));
            replace(&store, "ours", i, 3).unwrap();
            store.close().unwrap();
            signal(child, libc::SIGCONT);
            let begun = Instant::now();
            loop {
                match try_open(&path, &booted(BOOT)) {
                    Ok(store) if store.has("theirs").unwrap() => {
                        let found = read_name(&store, "ours").unwrap();
                        assert_eq!(found, Some(common::bytes(i, 3)), "what was stored in file {i}");
                        assert_whole(&store);
                        break;
                    }
                    Ok(_) => {}
                    Err(e) => assert_eq!(e.code(), Code::Locked, "{e}"),
                }
                assert!(begun.elapsed() < PATIENCE, "the other process does not get on");
            }
        }
    });
}
