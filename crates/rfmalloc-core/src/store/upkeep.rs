//! Upkeep: compaction and copies, one at a time in a store.
//!
//! Holds: [`Upkeep`] (what is going on), its guard, and [`Control`], through which the caller follows the work and stops it. While a copy is
//! being made, no byte that it may read is given to anybody else; while a store replaces itself, every call is refused.

use super::{Inner, Shared};
use crate::error::{Code, Error, Result};
use std::sync::Arc;

/// Told of the progress in bytes, done and known so far; false stops the work at the next safe place.
pub type Control<'a> = &'a mut dyn FnMut(u64, u64) -> bool;

/// What is going on in a store beside its users' calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Upkeep {
    None,
    /// Records move.
    Compacting,
    /// A copy is written to another path.
    Copying,
    /// A copy is written that will have the store's own path: nobody else may touch the store.
    Replacing,
    /// Another file has the path now; this store is over.
    Replaced,
}

impl Upkeep {
    /// Bytes given back must not be reused yet.
    pub(super) fn reads_old_bytes(self) -> bool {
        matches!(self, Self::Copying | Self::Replacing)
    }

    /// Work that a close has to wait for.
    pub(super) fn is_running(self) -> bool {
        !matches!(self, Self::None | Self::Replaced)
    }
}

/// Ends the upkeep when dropped.
pub(super) struct UpkeepGuard(pub(super) Arc<Shared>);

impl UpkeepGuard {
    /// `inner` is the store's, locked.
    pub(super) fn start(sh: &Arc<Shared>, inner: &mut Inner, what: Upkeep) -> Result<Self> {
        if inner.upkeep != Upkeep::None {
            return Err(Error::new(
                Code::Busy,
                "the store is being compacted or copied already; wait for that to end",
            ));
        }
        inner.upkeep = what;
        Ok(Self(Arc::clone(sh)))
    }
}

impl Drop for UpkeepGuard {
    fn drop(&mut self) {
        let mut inner = self.0.lock();
        if inner.upkeep.is_running() {
            inner.upkeep = Upkeep::None;
        }
        inner.objects.moving = None;
        let withheld = std::mem::take(&mut inner.withheld);
        if let Some(heap) = &mut inner.heap {
            for e in withheld {
                heap.free(e);
            }
        }
        inner.reclaim();
        drop(inner);
        self.0.changed.notify_all();
    }
}

impl Shared {
    /// Long work outside the mutex ends when the store is being closed.
    pub(super) fn check_not_closing(&self) -> Result<()> {
        if self.lock().closing { Err(self.closed_error()) } else { Ok(()) }
    }
}
