//! Once the last opener has closed a store its file may be anybody's: nothing of this process writes to it any more.

mod common;

use common::{BOOT, booted, copy, create, file_bytes, folder, open};
use rfmalloc_core::{Event, Observer, OpenOptions, Store, sync_all_stores};
use std::io;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// Tells its number at every whole-file sync and waits until its gate is thrown away.
struct Gatekeeper {
    number: usize,
    tell: Mutex<Sender<usize>>,
    gate: Mutex<Receiver<()>>,
}

impl Observer for Gatekeeper {
    fn before(&self, event: Event) -> io::Result<()> {
        if event == Event::SyncAll {
            let _ = self.tell.lock().unwrap().send(self.number);
            let _ = self.gate.lock().unwrap().recv();
        }
        Ok(())
    }
}

/// A file whose writer was killed in this boot.
fn killed(dir: &Path, number: usize) -> std::path::PathBuf {
    let store = open(&dir.join(format!("{number}.living")), &booted(BOOT));
    drop(create(&store, Some("left"), 1, 100));
    copy(store.path(), &dir.join(format!("{number}.fm")))
}

/// Story: a sync that had found the store open (`sync_all_stores` had its list; the background thread was due; `store.sync()` stood on
/// its pool thread) and got the processor back after the close looked at a store that was open no more. The file had been left by a
/// killed process, so the sync had a superblock to write for it, and wrote it, into a file that was unlocked and no longer its own.
/// (Its sister, a sync still in flight when the close took the mutex, wrote the old length after the tail had been cut off, and the next
/// open refused the store as TRUNCATED. No test can arrange that order; labs/shuttle `late-sync` finds it.)
#[test]
fn a_sync_that_comes_after_the_close_writes_nothing() {
    let dir = folder();
    let (tell, told) = channel();
    let (mut gates, stores): (Vec<_>, Vec<Store>) = (0..2)
        .map(|number| {
            let (open_gate, gate) = channel::<()>();
            let observer: Arc<dyn Observer> =
                Arc::new(Gatekeeper { number, tell: Mutex::new(tell.clone()), gate: Mutex::new(gate) });
            let options = OpenOptions {
                observer: Some(observer),
                sync_every: Some(Duration::from_secs(3600)),
                ..booted(BOOT)
            };
            (Some(open_gate), open(&killed(dir.path(), number), &options))
        })
        .unzip();
    let syncing = thread::spawn(sync_all_stores);
    // It stands in the sync of one store and will come to the other.
    let first = told.recv().unwrap();
    let other = 1 - first;
    gates[other] = None;
    stores[other].close().unwrap();
    let at_close = file_bytes(stores[other].path());
    gates[first] = None;
    syncing.join().unwrap();
    assert!(at_close == file_bytes(stores[other].path()));
    assert!(open(stores[other].path(), &booted(BOOT)).has("left").unwrap());
}
