//! Several threads on one store: everything acknowledged is there afterwards, and what a sync acknowledged outlives the machine.

mod common;

use common::{
    BOOT, OTHER_BOOT, assert_whole, booted, bytes, copy, create, folder, open, read, read_name, replace,
};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

const THREADS: u32 = 4;
const ROUNDS: u32 = 120;

type Told = BTreeMap<String, Option<Vec<u8>>>;

/// One thread's work on names of its own; returns what it was told last.
fn work(path: &Path, t: u32) -> Told {
    let store = open(path, &booted(BOOT));
    let mut told = Told::new();
    for i in 0..ROUNDS {
        let seed = t * 10_000 + i;
        let name = format!("t{t}-{}", i % 7);
        let n = u64::from(i % 5) * 400 + 1;
        match i % 6 {
            0..=2 => {
                let h = replace(&store, &name, seed, n).unwrap();
                assert_eq!(read(&h).unwrap(), bytes(seed, n));
                told.insert(name, Some(bytes(seed, n)));
            }
            3 => {
                store.delete(&name).unwrap();
                told.insert(name, None);
            }
            4 => {
                let renamed = format!("t{t}-r{}", i % 3);
                if let Some(mut h) = store.open_name(&name).unwrap() {
                    store.rename(&mut h, Some(&renamed), true).unwrap();
                    let value = told.insert(name, None).flatten();
                    told.insert(renamed, value);
                }
            }
            _ => {
                // A name all threads fight for.
                drop(replace(&store, "shared", seed, 10).unwrap());
                if i % 12 == 5 {
                    store.sync().unwrap();
                } else if let Some(h) = store.open_name(&name).unwrap() {
                    store.sync_object(&h).unwrap();
                }
            }
        }
    }
    store.sync().unwrap();
    told
}

fn assert_told(path: &Path, boot: [u8; 16], all: &[Told]) {
    let store = open(path, &booted(boot));
    for (name, value) in all.iter().flatten() {
        assert_eq!(read_name(&store, name).unwrap(), *value, "{name}");
    }
    assert_eq!(read_name(&store, "shared").unwrap().unwrap().len(), 40);
    create(&store, Some("after"), 1, 1);
    assert_whole(&store);
}

#[test]
fn concurrent_work_is_all_there() {
    let dir = folder();
    let path = Arc::new(dir.path().join("a.fm"));
    let store = open(&path, &booted(BOOT));
    let all: Vec<Told> = (0..THREADS)
        .map(|t| {
            let path = Arc::clone(&path);
            thread::spawn(move || work(&path, t))
        })
        .collect::<Vec<_>>()
        .into_iter()
        .map(|t| t.join().unwrap())
        .collect();
    assert_whole(&store);
    let image = copy(&path, &dir.path().join("image.fm"));
    store.close().unwrap();
    assert_told(&image, OTHER_BOOT, &all);
    assert_told(&path, BOOT, &all);
}

#[test]
fn readers_never_see_half_an_object() {
    let dir = folder();
    let store = Arc::new(open(&dir.path().join("a.fm"), &booted(BOOT)));
    drop(create(&store, Some("x"), 0, 500));
    let stop = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..2)
        .map(|_| {
            let (store, stop) = (Arc::clone(&store), Arc::clone(&stop));
            thread::spawn(move || {
                let mut seen = 0u32;
                while !stop.load(Ordering::Acquire) || seen == 0 {
                    let h = store.open_name("x").unwrap().expect("a replaced name is never absent");
                    // Another thread may have replaced it since; the bytes stay as long as this handle lives.
                    if let Ok(b) = read(&h) {
                        let seed = u32::from_le_bytes([b[0], b[1], b[2], b[3]]) / 1000;
                        assert_eq!(b, bytes(seed, 500));
                        seen += 1;
                    }
                }
            })
        })
        .collect();
    for i in 1..400 {
        drop(replace(&store, "x", i, 500).unwrap());
        if i % 50 == 0 {
            store.sync().unwrap();
        }
    }
    stop.store(true, Ordering::Release);
    for r in readers {
        r.join().unwrap();
    }
    assert_whole(&store);
}

#[test]
fn syncs_of_many_threads_coalesce_and_all_cover_their_own_work() {
    let dir = folder();
    let path = Arc::new(dir.path().join("a.fm"));
    let store = open(&path, &booted(BOOT));
    let threads: Vec<_> = (0..4u32)
        .map(|t| {
            let (path, dir) = (Arc::clone(&path), dir.path().to_owned());
            thread::spawn(move || {
                let store = open(&path, &booted(BOOT));
                for i in 0..8u32 {
                    let facts = create(&store, None, t * 100 + i, 10).facts();
                    store.sync().unwrap();
                    let image = copy(&path, &dir.join(format!("image-{t}")));
                    let again = open(&image, &booted(OTHER_BOOT));
                    let h = again.open_id(facts.id, facts.generation).unwrap();
                    assert_eq!(read(&h).unwrap(), bytes(t * 100 + i, 10));
                }
            })
        })
        .collect();
    for t in threads {
        t.join().unwrap();
    }
    assert_whole(&store);
}
