//! Where a scenario's files lie, and the few acts all scenarios share.

use rfmalloc_core::{Dtype, Handle, OpenOptions, RawBytes, Store, Vector};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub(crate) const BOOT: [u8; 16] = [1; 16];
pub(crate) const OTHER_BOOT: [u8; 16] = [2; 16];

fn folder() -> PathBuf {
    let shm = Path::new("/dev/shm");
    let base = if shm.is_dir() { shm.to_owned() } else { std::env::temp_dir() };
    base.join(format!("rfmalloc-shuttle-{}", std::process::id()))
}

pub(crate) fn clean() {
    let _ = fs::remove_dir_all(folder());
}

/// A file of its own for one run of a scenario, gone at its end.
pub(crate) struct Place(PathBuf);

impl Place {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        fs::create_dir_all(folder()).unwrap();
        Self(folder().join(format!("{}.fm", NEXT.fetch_add(1, Ordering::Relaxed))))
    }
    pub(crate) fn path(&self) -> PathBuf {
        self.0.clone()
    }
    pub(crate) fn bytes(&self) -> Vec<u8> {
        fs::read(&self.0).unwrap()
    }
    /// The file as it stands, at another path.
    pub(crate) fn copy(&self, tag: &str) -> Self {
        let to = self.0.with_extension(tag);
        fs::copy(&self.0, &to).unwrap();
        Self(to)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// No background sync.
pub(crate) fn quiet() -> OpenOptions {
    OpenOptions { boot_id: Some(BOOT), sync_every: None, ..OpenOptions::default() }
}

/// A background sync that is due at once.
pub(crate) fn eager() -> OpenOptions {
    OpenOptions { sync_every: Some(Duration::ZERO), ..quiet() }
}

pub(crate) fn open(path: &Path, options: &OpenOptions) -> Store {
    Store::open(path, options).unwrap().store
}

/// A store whose writer was killed in this boot: opened, changed, copied while open.
pub(crate) fn killed(place: &Place) -> Place {
    let store = open(&place.path(), &quiet());
    drop(store.create(Dtype::Raw, 64, &[7; 64], Some("left")).unwrap());
    let copy = place.copy("killed");
    store.close().unwrap();
    copy
}

pub(crate) const NBYTES: usize = 16 * 1024;

/// A committed object of one page whose bytes are all `value`.
pub(crate) fn create(store: &Store, name: Option<&str>, value: u8) -> Handle {
    store.put(Dtype::Raw, NBYTES as u64, &[value; NBYTES], name, true).unwrap()
}

pub(crate) fn read(v: &Vector) -> rfmalloc_core::Result<Vec<u8>> {
    let mut out = vec![0xEE; v.len() as usize];
    // SAFETY: `out` lives over the call and nobody else knows it.
    let raw = unsafe { RawBytes::new(out.as_mut_ptr(), out.len() as u64) };
    v.export(0, raw)?;
    Ok(out)
}

pub(crate) fn assert_whole(store: &Store) {
    let report = store.verify().unwrap();
    assert!(report.faults.is_empty(), "{:?}", report.faults);
}

/// The file is a store that opens, and is whole; `name` is there or not.
pub(crate) fn assert_reopens(path: &Path, options: &OpenOptions, name: &str, there: bool) {
    let store = open(path, options);
    assert_whole(&store);
    assert_eq!(store.has(name).unwrap(), there, "{name}");
    store.close().unwrap();
}
