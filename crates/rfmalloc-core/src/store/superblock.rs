//! The superblock's one writer (rule 5), the lease of sequences (rule 6), and the mark of a failed barrier (rule 19).
//!
//! A barrier that fails poisons the store: Linux marks the lost pages clean, so a later success would prove nothing. The poison is also
//! written to the file where it still can be, and the next open acts as after a machine crash.

use super::{Inner, Mode, Shared};
use crate::error::{Code, Error, Result};
use crate::format::slot::MAX_SEQ;
use crate::format::superblock::{self, COPY_OFF};
use crate::mutants::planted;

const LARGEST_LEASE_STEP: u64 = (1 << 20) + 1;
/// A superblock copy that was lost was one write ahead: its lease was less than this beyond the other's (a jump at the begin of a process
/// that met a lost copy, and the step behind it).
pub(super) const MOST_LEASED_BEYOND: u64 = 4 * LARGEST_LEASE_STEP;

impl Inner {
    /// Rule 5: the copy not last barriered gets the current image, then its barrier. The caller holds the mutex from reading the numbers
    /// to the barrier's return.
    pub(super) fn write_superblock(&mut self, sh: &Shared) -> Result<()> {
        self.sb.sb_seq += 1;
        if !planted!(OldBootIdKept) {
            self.sb.boot_id = sh.boot_id;
        }
        self.sb.pid = sh.pid;
        let off = COPY_OFF[self.sb_target];
        sh.seam.store(&sh.seam.header, off, &self.sb.encode());
        if !planted!(NoSuperblockBarrier) {
            sh.seam.barrier_meta(&sh.seam.header, off, superblock::NBYTES as u64)?;
        }
        if !planted!(SuperblockToTheSameCopy) {
            self.sb_target = 1 - self.sb_target;
        }
        Ok(())
    }

    /// A failed barrier: no more changes, in this process or (where the mark can be written) after it.
    pub(super) fn poison(&mut self, sh: &Shared, why: &Error) {
        if self.poisoned.is_none() {
            self.poisoned = Some(why.message().to_owned());
            if sh.mode == Mode::Persistent
                && !planted!(PoisonMarkNotWritten)
                && let Some(target) = self.mark_target()
            {
                self.sb_target = target;
                self.sb.state = self.sb.state & !superblock::CLEAN | superblock::POISONED;
                let _ = self.write_superblock(sh);
            }
        }
    }

    /// Rule 19: the copy that takes the mark. Before rule 3 has been done, what is seen of the copies need not be on disk, and the mark must
    /// not tear the only good one.
    fn mark_target(&self) -> Option<usize> {
        if self.begun || self.header_is_read || self.one_copy {
            Some(self.sb_target)
        } else if self.was_unclean {
            // Of a killed process, or marked already: 3a stores again what a barrier may have lost by now.
            None
        } else {
            // Of two clean copies, or a clean one and that of the sync before it, either will do.
            Some(1 - self.sb_target)
        }
    }

    /// Poisons on failure: for barriers inside a mutation.
    pub(super) fn barrier<T>(&mut self, sh: &Shared, done: Result<T>) -> Result<T> {
        if let Err(e) = &done {
            self.poison(sh, e);
        }
        done
    }

    /// Rule 6: the next sequence whose low bits satisfy `fits`; extends the lease first when it is used up.
    pub(super) fn take_seq(&mut self, sh: &Shared, fits: impl Fn(u64) -> bool) -> Result<u64> {
        loop {
            if self.next_seq >= self.sb.lease {
                self.extend_lease(sh)?;
            }
            #[cfg(feature = "mutants")]
            if crate::mutants::sparse_sequences(None) && !self.next_seq.is_multiple_of(64) {
                self.next_seq += 1;
                continue;
            }
            let seq = self.next_seq;
            self.next_seq += 1;
            if (fits(seq) || planted!(PairMayRepeat)) && seq as u32 != 0 {
                return Ok(seq);
            }
        }
    }

    /// That numbers are left, for changes and for superblock writes; asked before the first store of a process, too.
    pub(super) fn check_lease(&self) -> Result<u64> {
        let lease = self.next_seq.saturating_add(self.lease_step);
        // No process writes the superblock 2^32 times.
        if lease > MAX_SEQ || self.sb.sb_seq > superblock::MAX_SB_SEQ - (1 << 32) {
            return Err(Error::new(
                Code::TooLarge,
                "the store has used up its sequence numbers; copy it to a new file",
            ));
        }
        Ok(lease)
    }

    pub(super) fn extend_lease(&mut self, sh: &Shared) -> Result<()> {
        #[cfg(feature = "mutants")]
        if crate::mutants::short_leases(None) {
            self.lease_step = 5;
        }
        let lease = self.check_lease()?;
        self.sb.lease = lease;
        // Odd steps (hole ii): equal low bits on a reused slot stay unlikely.
        self.lease_step = ((self.lease_step * 2) | 1).min(LARGEST_LEASE_STEP);
        if planted!(LeaseNotAhead) && self.begun {
            return Ok(());
        }
        let done = self.write_superblock(sh);
        self.barrier(sh, done)
    }
}
