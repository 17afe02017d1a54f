//! Syncs that nobody calls: in the background after a commit, and of every store at exit; and the sync that must not look like success.

mod common;

use common::{BOOT, OTHER_BOOT, folder};
use rfmalloc_core::{Code, Dtype, Event, Observer, OpenOptions, Store, sync_all_stores};
use std::fs;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Tells a channel of every whole-file sync.
struct Teller(Mutex<Sender<()>>);

impl Observer for Teller {
    fn after(&self, event: Event) {
        if event == Event::SyncAll {
            let _ = self.0.lock().unwrap().send(());
        }
    }
}

#[test]
fn commit_is_synced_without_being_asked() {
    let dir = folder();
    let (tell, told) = channel();
    let observer: Arc<dyn Observer> = Arc::new(Teller(Mutex::new(tell)));
    let options = OpenOptions {
        sync_every: Some(Duration::from_millis(1)),
        observer: Some(observer),
        ..OpenOptions::default()
    };
    let store = Store::open(&dir.path().join("a.fm"), &options).unwrap().store;
    for i in 0..3u8 {
        let _v = store.create(Dtype::Raw, 1, &[i], Some(&format!("v{i}"))).unwrap();
        told.recv_timeout(Duration::from_secs(60)).expect("a background sync follows every unsynced commit");
    }
    store.close().unwrap();
}

#[test]
fn exit_syncs_every_store_that_did_not_opt_out() {
    let dir = folder();
    let open = |name: &str, sync_every| {
        let options = OpenOptions { sync_every, boot_id: Some(BOOT), ..OpenOptions::default() };
        Store::open(&dir.path().join(name), &options).unwrap().store
    };
    let (a, b) = (open("a.fm", Some(Duration::from_secs(3600))), open("b.fm", None));
    for s in [&a, &b] {
        drop(s.create(Dtype::Raw, 1, &[7], Some("v")).unwrap());
    }
    sync_all_stores();
    // What the disk of another boot would show of each, had the machine stopped here.
    for (name, is_there) in [("a.fm", true), ("b.fm", false)] {
        let copy = dir.path().join(format!("copy-{name}"));
        fs::copy(dir.path().join(name), &copy).unwrap();
        let options = OpenOptions { boot_id: Some(OTHER_BOOT), ..OpenOptions::default() };
        let reopened = Store::open(&copy, &options).unwrap().store;
        assert_eq!(reopened.has("v").unwrap(), is_there, "{name}");
    }
}

#[test]
fn sync_into_a_replaced_file_is_no_success() {
    let dir = folder();
    let (path, other) = (dir.path().join("a.fm"), dir.path().join("b.fm"));
    let store = Store::open(&path, &OpenOptions::default()).unwrap().store;
    drop(store.create(Dtype::Raw, 1, &[7], Some("v")).unwrap());
    store.sync().unwrap();
    fs::write(&other, b"something else").unwrap();
    fs::rename(&other, &path).unwrap();
    assert_eq!(store.sync().unwrap_err().code(), Code::Io);
    // Reading and closing go on.
    assert!(store.has("v").unwrap());
    store.close().unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"something else");
}

#[test]
fn moved_file_is_still_the_stores() {
    let dir = folder();
    let (path, moved) = (dir.path().join("a.fm"), dir.path().join("b.fm"));
    let store = Store::open(&path, &OpenOptions::default()).unwrap().store;
    drop(store.create(Dtype::Raw, 1, &[7], Some("v")).unwrap());
    fs::rename(&path, &moved).unwrap();
    store.sync().unwrap();
    store.close().unwrap();
    assert!(Store::open(&moved, &OpenOptions::default()).unwrap().store.has("v").unwrap());
}
