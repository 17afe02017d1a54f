//! Reset: a store is emptied.
//!
//! Every object dies as `destroy` would have it (rule 9), one after the other under one hold of the mutex: a kill in the middle leaves
//! some destroyed and the others whole, and after the call a kill finds none. What can be refused is refused before the first death.

use super::{Inner, Mode, Shared, Store};
use crate::error::{Code, Error, Result};
use crate::mutants::planted;
use std::sync::Arc;

impl Store {
    /// Destroys every object: records, temporaries, the objects of a scratch store. Handles are dead, names gone, references stale; bytes
    /// under living buffers stay until those are collected. The file shrinks when it is closed.
    ///
    /// # Errors
    /// `BUSY`: an operation, a compaction or a copy is running; `CORRUPT`: a damaged record could be any object, so nothing was destroyed;
    /// `READ_ONLY`, `POISONED`, `IO`, `CLOSED`.
    pub fn reset(&self) -> Result<()> {
        let sh = self.shared()?;
        let mut inner = sh.lock_open()?;
        sh.check_writable(&inner)?;
        if inner.objects.running() > 0 || inner.upkeep.is_running() {
            return Err(Error::new(
                Code::Busy,
                "an operation is running on an object of the store; wait for it to end",
            ));
        }
        inner.begin(sh)?;
        if sh.mode == Mode::Persistent {
            inner.destroy_records(sh)?;
        }
        inner.kill_unrecorded()?;
        sh.note_commit(&mut inner);
        drop(inner);
        if sh.is_full() && !planted!(ResetVolatile) { sh.sync() } else { Ok(()) }
    }
}

impl Inner {
    fn destroy_records(&mut self, sh: &Arc<Shared>) -> Result<()> {
        self.prepare_names(sh)?;
        let mut live = Vec::new();
        for idx in 0..self.slots_used {
            if self.record(idx)?.is_some() {
                live.push(idx);
            }
        }
        for idx in live {
            if planted!(ResetKeepsSealed) && self.live(idx)?.body.is_sealed() {
                continue;
            }
            self.destroy_record(sh, idx, false)?;
        }
        Ok(())
    }

    /// Temporaries, and what a scratch store holds.
    fn kill_unrecorded(&mut self) -> Result<()> {
        for key in 0..self.objects.slab.len() as u32 {
            let o = self.objects.slab[key as usize].as_ref().filter(|o| o.alive && o.record.is_none());
            if let Some(payload) = o.map(|o| o.payload) {
                self.kill(key, payload)?;
            }
        }
        Ok(())
    }
}
