//! What several test files need: folders, options, element bytes, observers that count or fail, forged checksums.
#![allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    reason = "every test file is a crate of its own and uses a part of this one"
)]

pub mod alone;
pub mod forge;
pub mod images;
pub mod lab;

use rfmalloc_core::{Code, Dtype, Error, Event, Handle, Observer, OpenOptions, Pin, Result, Store};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

/// A folder that is gone with the value: in memory where the system has such a place, since hundreds of images are written.
pub fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir()
        && let Ok(dir) = tempfile::tempdir_in(memory)
    {
        return dir;
    }
    tempfile::tempdir().unwrap()
}

pub const BOOT: [u8; 16] = [1; 16];
pub const OTHER_BOOT: [u8; 16] = [2; 16];

/// Persistent, writable, no background sync, booted as `boot`.
pub fn booted(boot: [u8; 16]) -> OpenOptions {
    OpenOptions { sync_every: None, boot_id: Some(boot), ..OpenOptions::default() }
}

pub fn watched(observer: Arc<dyn Observer>) -> OpenOptions {
    OpenOptions { observer: Some(observer), ..booted(BOOT) }
}

pub fn read_only(boot: [u8; 16]) -> OpenOptions {
    OpenOptions { read_only: true, create: false, ..booted(boot) }
}

pub fn open(path: &Path, options: &OpenOptions) -> Store {
    try_open(path, options).unwrap_or_else(|e| panic!("cannot open {}: {e}", path.display()))
}

pub fn try_open(path: &Path, options: &OpenOptions) -> Result<Store> {
    Store::open(path, options).map(|o| o.store)
}

/// Element bytes that tell their own version apart: `n` integers counting up from `seed` × 1000.
pub fn bytes(seed: u32, n: u64) -> Vec<u8> {
    (0..n).flat_map(|i| (seed * 1000 + i as u32).to_le_bytes()).collect()
}

pub fn create(store: &Store, name: Option<&str>, seed: u32, n: u64) -> Handle {
    try_create(store, name, seed, n).unwrap()
}

pub fn try_create(store: &Store, name: Option<&str>, seed: u32, n: u64) -> Result<Handle> {
    store.create(Dtype::Integer, n, &bytes(seed, n), name)
}

/// Gives the name to a new object, whoever had it.
pub fn replace(store: &Store, name: &str, seed: u32, n: u64) -> Result<Handle> {
    let mut handle = store.reserve(Dtype::Integer, n, false)?;
    write(&handle, &bytes(seed, n))?;
    store.commit(&mut handle, Some(name), true)?;
    Ok(handle)
}

/// Writes element bytes in place, as a view does.
pub fn write(handle: &Handle, bytes: &[u8]) -> Result<()> {
    let pin = handle.pin(0, bytes.len() as u64)?;
    // SAFETY: the pin keeps its range mapped; the elements are touched by copies only.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), pin.ptr(), bytes.len()) }
    Ok(())
}

/// All element bytes of an object.
pub fn read(handle: &Handle) -> Result<Vec<u8>> {
    Ok(read_pin(&handle.pin(0, handle.facts().nbytes)?))
}

pub fn read_pin(pin: &Pin) -> Vec<u8> {
    let mut out = vec![0u8; pin.nbytes() as usize];
    // SAFETY: as above.
    unsafe { std::ptr::copy_nonoverlapping(pin.ptr(), out.as_mut_ptr(), out.len()) }
    out
}

pub fn read_name(store: &Store, name: &str) -> Result<Option<Vec<u8>>> {
    store.open_name(name)?.map(|h| read(&h)).transpose()
}

#[track_caller]
pub fn assert_code<T>(result: Result<T>, code: Code) -> Error {
    match result {
        Ok(_) => panic!("expected {code:?}, got success"),
        Err(e) => {
            assert_eq!(e.code(), code, "{e}");
            e
        }
    }
}

#[track_caller]
pub fn assert_whole(store: &Store) {
    let faults = store.verify().unwrap().faults;
    assert!(faults.is_empty(), "{faults:?}");
}

/// Copies a store file as it stands, open or not: what a process death now would leave.
pub fn copy(from: &Path, to: &Path) -> PathBuf {
    std::fs::copy(from, to).unwrap();
    to.to_owned()
}

pub fn file_bytes(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap()
}

pub fn patch(path: &Path, off: u64, bytes: &[u8]) {
    std::fs::File::options().write(true).open(path).unwrap().write_all_at(bytes, off).unwrap();
}

pub fn len(path: &Path) -> u64 {
    std::fs::metadata(path).unwrap().len()
}

/// The kinds of events that can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Barrier,
    SyncAll,
    Length,
}

fn kind_of(event: Event) -> Option<Kind> {
    match event {
        Event::Barrier { .. } => Some(Kind::Barrier),
        Event::SyncAll => Some(Kind::SyncAll),
        Event::Length { .. } => Some(Kind::Length),
        _ => None,
    }
}

/// Counts events by kind and, when armed, fails one of them.
#[derive(Default)]
pub struct Faults {
    counts: [AtomicU64; 3],
    armed: Mutex<Option<(Kind, u64, i32)>>,
}

impl Faults {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// The `n`-th event of this kind from now on (0: the next) fails with this error number; those after it work again.
    pub fn arm(&self, kind: Kind, n: u64, errno: i32) {
        *self.armed.lock().unwrap() = Some((kind, n, errno));
    }

    /// True: the armed failure has not happened.
    pub fn disarm(&self) -> bool {
        self.armed.lock().unwrap().take().is_some()
    }

    pub fn count(&self, kind: Kind) -> u64 {
        self.counts[kind as usize].load(Ordering::SeqCst)
    }
}

impl Observer for Faults {
    fn before(&self, event: Event) -> io::Result<()> {
        let Some(kind) = kind_of(event) else { return Ok(()) };
        self.counts[kind as usize].fetch_add(1, Ordering::SeqCst);
        let mut armed = self.armed.lock().unwrap();
        match &mut *armed {
            Some((k, 0, errno)) if *k == kind => {
                let errno = *errno;
                *armed = None;
                Err(io::Error::from_raw_os_error(errno))
            }
            Some((k, n, _)) if *k == kind => {
                *n -= 1;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
