//! Closing (rule 17): refuse, drain, sync, mark clean, blank, unlock.

use super::{Inner, Mode, Shared};
use crate::error::{Code, Error, Result};
use crate::format::superblock::CLEAN;
use crate::format::{FILE_UNIT, HEADER_BYTES};
use crate::store::open::CREATION_NBYTES;
use std::sync::Arc;

impl Shared {
    /// Lets the file go: called once, by the last opener. The file is released whatever fails; the first failure is returned.
    pub(crate) fn finish(self: &Arc<Self>) -> Result<()> {
        self.background.stop();
        let mut inner = self.lock();
        inner.closing = true;
        while inner.objects.running() > 0 {
            inner = self.wait(inner);
        }
        drop(inner);
        let synced = match if self.lock().poisoned.is_some() { Ok(()) } else { self.sync() } {
            // Damage met while covering what an earlier process left: nothing of this one's is lost.
            Err(e) if e.code() == Code::Corrupt => Ok(()),
            r => r,
        };
        let mut inner = self.lock();
        // One that came too late to be refused may have started since; at its end it writes the superblock.
        while inner.syncs.is_running() {
            inner = self.wait(inner);
        }
        let ended = match (&synced, self.mode) {
            (_, Mode::Scratch) => inner.empty_scratch(self),
            (Ok(()), Mode::Persistent) if inner.poisoned.is_none() && inner.begun => inner.mark_clean(self),
            _ => Ok(()),
        };
        inner.objects.end_all();
        inner.heap = None;
        inner.catalog.segments.clear();
        inner.begun = false;
        inner.syncs.end();
        drop(inner);
        // After unlocking, a store through a stale view must not reach the file: the mapping goes first.
        let blanked = self.seam.region.close();
        let unlocked = rustix::fs::flock(&self.seam.file, rustix::fs::FlockOperation::NonBlockingUnlock)
            .map_err(|e| Error::io("cannot unlock the store", &e.into()));
        synced.and(ended).and(blanked).and(unlocked)
    }

    /// After a fork the file and its lock are the parent's, and any mutex may be held by a thread that exists only there: the child takes
    /// none and only blanks its own copy of the mapping.
    pub(crate) fn forget(&self) -> Result<()> {
        self.seam.region.blank_all().map_err(|e| Error::io("cannot unmap the store", &e))
    }
}

impl Inner {
    /// Everything is synced: trim the free tail, then superblock {clean, lease = next} to both copies in turn, then cut the file.
    fn mark_clean(&mut self, sh: &Shared) -> Result<()> {
        let hi = self.file_len;
        let end = self.heap()?.trim(CREATION_NBYTES, FILE_UNIT, hi)?;
        self.sb.file_len = end;
        self.sb.state |= CLEAN;
        self.sb.lease = self.next_seq;
        for _ in 0..2 {
            let done = self.write_superblock(sh);
            self.barrier(sh, done)?;
        }
        if end < hi {
            let cut = sh.seam.region.blank(end, hi).and_then(|()| sh.seam.shrink(end));
            cut.map_err(|e| Error::io("cannot trim the store", &e))?;
            self.file_len = end;
        }
        Ok(())
    }

    /// A scratch file keeps nothing but its header.
    fn empty_scratch(&mut self, sh: &Shared) -> Result<()> {
        if sh.read_only || self.file_len <= CREATION_NBYTES {
            return Ok(());
        }
        let cut =
            sh.seam.region.blank(HEADER_BYTES, self.file_len).and_then(|()| sh.seam.shrink(CREATION_NBYTES));
        cut.map_err(|e| Error::io("cannot empty the scratch store", &e))
    }
}
