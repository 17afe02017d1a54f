//! The process-wide registry: one `Shared` per (device, inode), whatever path or thread asks.
//!
//! Holds: the table of open files with the count of their openers. Its lock is taken before a store's, never after; a file whose last
//! opener is closing stays in the table until it is let go, and whoever opens it meanwhile waits. A forked child has an empty table of
//! its own: what its parent has open is the parent's.

use crate::error::Result;
use crate::store::{Shared, Store};
use crate::sync_types::{Condvar, Mutex, MutexGuard, per_process};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

/// Device and inode.
pub(crate) type Key = (u64, u64);

struct Entry {
    shared: Arc<Shared>,
    openers: usize,
}

type Table = HashMap<Key, Entry>;

#[derive(Default)]
struct Registry {
    table: Mutex<Table>,
    /// Signalled when a file was let go.
    released: Condvar,
}

per_process! { static REGISTRY: Registry; }

/// The locked table: openers hold it while they open, so a file is opened once.
pub(crate) struct Opening {
    table: MutexGuard<'static, Table>,
    released: &'static Condvar,
}

/// Locks the registry.
pub(crate) fn opening() -> Opening {
    let registry = REGISTRY.get();
    Opening {
        table: registry.table.lock().unwrap_or_else(PoisonError::into_inner),
        released: &registry.released,
    }
}

impl Opening {
    /// The open store of this file, waiting while it is being closed.
    pub(crate) fn find(mut self, key: Key) -> (Self, Option<Arc<Shared>>) {
        loop {
            match self.table.get(&key) {
                None => return (self, None),
                Some(e) if e.openers > 0 => {
                    let shared = Arc::clone(&e.shared);
                    return (self, Some(shared));
                }
                Some(_) => {
                    self.table = self.released.wait(self.table).unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }

    /// One more opener of a store.
    pub(crate) fn open(&mut self, shared: Arc<Shared>) -> Store {
        self.table
            .entry(shared.key)
            .or_insert_with(|| Entry { shared: Arc::clone(&shared), openers: 0 })
            .openers += 1;
        Store::new(shared)
    }
}

/// One opener fewer; the last one lets the file go. A forked child only puts the file out of its own reach.
pub(crate) fn release(shared: &Arc<Shared>) -> Result<()> {
    if shared.is_inherited() {
        // The file and its lock are the parent's, and any mutex may be held by a thread that exists only there.
        return shared.forget();
    }
    {
        let mut opening = opening();
        let Some(e) = opening.table.get_mut(&shared.key) else { return Ok(()) };
        e.openers -= 1;
        if e.openers > 0 {
            return Ok(());
        }
    }
    let _leaving = Leaving(shared);
    shared.finish()
}

/// Who waits for the file's end goes on, also when that end was a panic.
struct Leaving<'a>(&'a Shared);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        // Nothing to do after a close; after a panic no stale view may reach a file that others can open.
        let _ = self.0.forget();
        let mut opening = opening();
        opening.table.remove(&self.0.key);
        opening.released.notify_all();
    }
}

/// Runs `f` with the number of openers that a store has; nobody opens or closes it meanwhile.
pub(crate) fn with_openers<T>(shared: &Shared, f: impl FnOnce(usize) -> T) -> T {
    let opening = opening();
    f(opening.table.get(&shared.key).map_or(0, |e| e.openers))
}

/// Every open store, for syncing at exit.
pub(crate) fn all() -> Vec<Arc<Shared>> {
    opening().table.values().filter(|e| e.openers > 0).map(|e| Arc::clone(&e.shared)).collect()
}

/// A new handle on the store with this uuid that the process has open, whatever its path; `None`: not open.
pub fn open_uuid(uuid: &str) -> Option<Store> {
    let wanted = uuid::Uuid::parse_str(uuid).ok()?.into_bytes();
    let mut opening = opening();
    let shared = opening
        .table
        .values()
        .find(|e| e.openers > 0 && e.shared.uuid == wanted && e.shared.check_not_replacing().is_ok())
        .map(|e| Arc::clone(&e.shared))?;
    Some(opening.open(shared))
}
