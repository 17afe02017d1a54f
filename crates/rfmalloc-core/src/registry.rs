//! The process-wide registry: one `Shared` per (device, inode), whatever path or thread asks.
//!
//! Holds: the table of open files with the count of their openers. Its lock is taken before a store's, never after; a file whose last
//! opener is closing stays in the table until it is let go, and whoever opens it meanwhile waits.

use crate::error::Result;
use crate::store::{Shared, Store};
use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Device and inode.
pub(crate) type Key = (u64, u64);

struct Entry {
    shared: Arc<Shared>,
    openers: usize,
}

type Table = HashMap<Key, Entry>;

static TABLE: Mutex<Option<Table>> = Mutex::new(None);
static RELEASED: Condvar = Condvar::new();

/// The locked table: openers hold it while they open, so a file is opened once.
pub(crate) struct Opening {
    table: MutexGuard<'static, Option<Table>>,
}

/// Locks the registry.
pub(crate) fn opening() -> Opening {
    Opening { table: TABLE.lock().unwrap_or_else(PoisonError::into_inner) }
}

impl Opening {
    /// The open store of this file, waiting while it is being closed.
    pub(crate) fn find(mut self, key: Key) -> (Self, Option<Arc<Shared>>) {
        loop {
            match self.table.get_or_insert_default().get(&key) {
                None => return (self, None),
                Some(e) if e.openers > 0 => {
                    let shared = Arc::clone(&e.shared);
                    return (self, Some(shared));
                }
                Some(_) => self.table = RELEASED.wait(self.table).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    /// One more opener of a store.
    pub(crate) fn open(&mut self, shared: Arc<Shared>) -> Store {
        let table = self.table.get_or_insert_default();
        table
            .entry(shared.key)
            .or_insert_with(|| Entry { shared: Arc::clone(&shared), openers: 0 })
            .openers += 1;
        Store::new(shared)
    }
}

/// One opener fewer; the last one lets the file go.
pub(crate) fn release(shared: &Arc<Shared>) -> Result<()> {
    {
        let mut opening = opening();
        let table = opening.table.get_or_insert_default();
        let Some(e) = table.get_mut(&shared.key) else { return Ok(()) };
        e.openers -= 1;
        if e.openers > 0 {
            return Ok(());
        }
    }
    let done = shared.finish();
    opening().table.get_or_insert_default().remove(&shared.key);
    RELEASED.notify_all();
    done
}

/// Every open store, for syncing at exit.
pub(crate) fn all() -> Vec<Arc<Shared>> {
    let mut opening = opening();
    opening
        .table
        .get_or_insert_default()
        .values()
        .filter(|e| e.openers > 0)
        .map(|e| Arc::clone(&e.shared))
        .collect()
}

/// A new handle on the store with this uuid that the process has open, whatever its path; `None`: not open.
pub fn open_uuid(uuid: &str) -> Option<Store> {
    let wanted = uuid::Uuid::parse_str(uuid).ok()?.into_bytes();
    let mut opening = opening();
    let table = opening.table.get_or_insert_default();
    let shared =
        table.values().find(|e| e.openers > 0 && e.shared.uuid == wanted).map(|e| Arc::clone(&e.shared))?;
    Some(opening.open(shared))
}
