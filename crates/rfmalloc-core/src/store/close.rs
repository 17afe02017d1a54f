//! Closing (rule 17): refuse, drain, sync, mark clean, blank, unlock.

use super::{Inner, Mode, Shared};
use crate::error::{Error, Result};
use crate::format::superblock::CLEAN;
use crate::format::{FILE_UNIT, HEADER_BYTES};
use crate::mutants::planted;
use crate::platform;
use crate::store::creation::CREATION_NBYTES;
use crate::store::upkeep::Upkeep;
use rustix::fs::FlockOperation;
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl Shared {
    /// Lets the file go: called once, by the last opener. The file is released whatever fails; the first failure is returned.
    pub(crate) fn finish(self: &Arc<Self>) -> Result<()> {
        self.is_ending.store(true, Ordering::Relaxed);
        self.background.stop();
        let mut inner = self.lock();
        inner.closing = true;
        while inner.objects.running() > 0 || inner.upkeep.is_running() {
            inner = self.wait(inner);
        }
        // The file is nobody's any more: another one has its path.
        let replaced = inner.upkeep == Upkeep::Replaced;
        drop(inner);
        if planted!(CleanBeforeSync) && self.lock().begun {
            self.lock().mark_clean(self)?;
        }
        // A loss that no call has told of is told now.
        let untold = self.seam.loss.untold();
        // Of a poisoned store the sync tells that it is: it may have been poisoned behind everyone's back, by a background sync.
        let synced = match if replaced || planted!(CloseWithoutSync) { Ok(()) } else { self.sync() } {
            // What an earlier process left could not be covered (damage, no sequences left); this one has changed nothing and loses nothing.
            Err(_) if !self.seam.loss.any() && self.lock().has_changed_nothing() => Ok(()),
            r => r,
        };
        let mut inner = self.lock();
        // One that came too late to be refused may have started since; at its end it writes the superblock.
        while inner.syncs.is_running() {
            inner = self.wait(inner);
        }
        let ended = match (&synced, self.mode) {
            _ if replaced => Ok(()),
            (_, Mode::Scratch) if !self.seam.loss.any() => inner.empty_scratch(self),
            (Ok(()), Mode::Persistent)
                if inner.poisoned.is_none() && inner.begun && !self.seam.loss.any() =>
            {
                inner.mark_clean(self)
            }
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
        // Dead handles keep the descriptor, so what cannot be unlocked stays locked while they live: worth a second try.
        let unlock = || platform::lock(&self.seam.file, FlockOperation::NonBlockingUnlock);
        let unlocked = unlock().or_else(|_| unlock()).map_err(|e| self.seam.error("cannot unlock", &e));
        untold.and(synced).and(ended).and(blanked.map_err(|e| e.at(&self.path))).and(unlocked)
    }

    /// Blanks this process's mapping, and that is all. Takes no lock.
    pub(crate) fn forget(&self) -> Result<()> {
        self.seam.region.blank_all().map_err(|e| Error::io("cannot unmap the store", &e))
    }
}

impl Inner {
    /// No mutation was begun, and what was written through views is synced.
    fn has_changed_nothing(&self) -> bool {
        !self.begun && self.poisoned.is_none()
    }

    /// Everything is synced: superblock {clean, lease = next}, without the free tail, to both copies in turn, then the file is cut.
    fn mark_clean(&mut self, sh: &Shared) -> Result<()> {
        self.sb.state |= CLEAN;
        self.sb.lease = self.next_seq;
        self.sb.file_len = self.file_len;
        self.cut_tail(sh, true)
    }

    /// Rule 17's order: both copies of the superblock say the new length and are on stable storage before the file has it, so no open ever
    /// finds a file shorter than it should be. Nothing in memory reaches a free tail. `announce`: the superblock is written in any case.
    /// No sync may be in flight: it would write the length of its start.
    pub(super) fn cut_tail(&mut self, sh: &Shared, announce: bool) -> Result<()> {
        let hi = self.file_len;
        let end = self.heap()?.end(CREATION_NBYTES, FILE_UNIT, hi)?;
        if end == hi && !announce {
            return Ok(());
        }
        if planted!(CutBeforeSuperblock) && end < hi {
            let _ = sh.seam.region.blank(end, hi).and_then(|()| sh.seam.shrink(end));
        }
        if sh.mode == Mode::Persistent {
            self.sb.file_len = self.sb.file_len.min(end);
            for _ in 0..2 - u8::from(planted!(OneCopyAtClose)) {
                let done = self.write_superblock(sh);
                self.barrier(sh, done)?;
            }
        }
        if end == hi {
            return Ok(());
        }
        let region = &sh.seam.region;
        if let Err(e) = region.blank(end, hi).and_then(|()| sh.seam.shrink(end)) {
            // The file is as long as it was, and longer than the superblock says, which is normal: only its mapping has to come back.
            let mapped = region.map_file(&sh.seam.file, end, hi);
            let e = sh.seam.error("cannot trim", &e);
            if mapped.is_err() {
                self.poison(sh, &e);
            }
            return Err(e);
        }
        self.file_len = end;
        self.heap()?.trim(end)
    }

    /// A scratch file keeps nothing but its header.
    fn empty_scratch(&mut self, sh: &Shared) -> Result<()> {
        if sh.read_only || self.file_len <= CREATION_NBYTES {
            return Ok(());
        }
        let cut =
            sh.seam.region.blank(HEADER_BYTES, self.file_len).and_then(|()| sh.seam.shrink(CREATION_NBYTES));
        cut.map_err(|e| sh.seam.error("cannot empty", &e))
    }
}
