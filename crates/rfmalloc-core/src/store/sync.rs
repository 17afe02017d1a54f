//! Rule 12: everything of a store on stable storage, one sync at a time, while others go on.
//!
//! A sync that fails poisons the store: see `superblock`.

use super::{Inner, Mode, Shared, Store};
use crate::error::Result;
use crate::format::superblock;
use crate::mutants::planted;
use std::sync::Arc;

/// Whole-file syncs by number: a caller waits for one that started after its call.
#[derive(Default)]
pub(crate) struct Progress {
    running: bool,
    started: u64,
    done: u64,
    /// The file was let go: it may be another's now, and nothing writes to it any more.
    over: bool,
}

impl Progress {
    pub(super) fn is_running(&self) -> bool {
        self.running
    }

    pub(super) fn end(&mut self) {
        self.over = true;
    }
}

impl Shared {
    /// Rule 12: everything that happened before the call is on stable storage when it returns. Calls coalesce.
    pub(crate) fn sync(self: &Arc<Self>) -> Result<()> {
        let mut inner = self.lock();
        if self.read_only || self.mode == Mode::Scratch {
            return Ok(());
        }
        let mine = inner.syncs.started + 1;
        loop {
            self.check_writable(&inner)?;
            if inner.syncs.done >= mine {
                return Ok(());
            }
            // Callers who asked before the close, and the background thread, may come after it.
            if inner.syncs.over {
                return Err(self.closed_error());
            }
            if !inner.syncs.running {
                break;
            }
            inner = self.wait(inner);
        }
        // What a process killed in this boot left is there, so it is promised too: the superblock must come to cover it. (After a machine
        // crash what counts is on disk already, and what does not is dropped by the first change, not by a sync.) A damaged store cannot
        // begin; its bytes are synced all the same, and the caller is told.
        // Where a barrier failed in an earlier process, the superblock that the cache shows need not be on disk, and no barrier writes it again.
        let was_killed = inner.was_unclean && inner.same_boot;
        let was_poisoned = inner.sb.state & superblock::POISONED != 0;
        let covered = if was_killed || was_poisoned { inner.begin_if_whole(self) } else { Ok(()) };
        if inner.poisoned.is_some() {
            return covered;
        }
        inner.syncs.running = true;
        inner.syncs.started += 1;
        let number = inner.syncs.started;
        // A store without a structural mutation has no superblock to write, but views may have written elements.
        let point = inner.begun.then(|| SyncPoint::now(&inner));
        inner.in_flight = point.as_ref().map(|p| p.seq);
        let file_len = inner.file_len;
        let blessed = planted!(SyncBlessesDropped) && point.is_none();
        let mut point = if blessed { Some(SyncPoint::now(&inner)) } else { point };
        if planted!(SuperblockBeforeSync)
            && let Some(point) = &point
        {
            inner.finish_sync(self, point)?;
        }
        drop(inner);
        let mut synced = self.seam.sync_all(file_len);
        if planted!(FailedBarrierIgnored) {
            synced = Ok(());
        }
        if planted!(NumbersTakenAfterSync) && point.is_some() {
            point = Some(SyncPoint::now(&self.lock()));
        }
        let mut inner = self.lock();
        // The system reports a lost page to one caller per descriptor: a barrier that failed meanwhile may have taken our error. (Where it
        // has not poisoned the store yet, ours has failed with it.)
        let synced = synced.and_then(|()| self.check_writable(&inner));
        let done = match (synced, point) {
            (Ok(()), Some(point)) => inner.finish_sync(self, &point),
            (r, _) => r,
        };
        inner.in_flight = None;
        inner.syncs.running = false;
        if let Err(e) = &done {
            inner.poison(self, e);
        } else {
            inner.syncs.done = inner.syncs.done.max(number);
        }
        self.changed.notify_all();
        done.and(covered)
    }

    /// Starts writing dirty pages back without waiting.
    pub(crate) fn start_writeback(&self) -> Result<()> {
        let len = self.lock_open()?.file_len;
        self.seam.region.msync(0, len, false).map_err(|e| self.seam.error("cannot start writing back", &e))
    }
}

/// What a sync makes durable: the numbers at the moment it was asked for.
pub(super) struct SyncPoint {
    seq: u64,
    /// Only for a planted fault.
    lease: u64,
    file_len: u64,
    slots_used: u32,
    segments: u32,
}

impl SyncPoint {
    pub(super) fn now(inner: &Inner) -> Self {
        Self {
            seq: inner.next_seq - u64::from(!planted!(SyncCoversOneMore)),
            lease: inner.sb.lease,
            file_len: inner.file_len,
            slots_used: inner.slots_used,
            segments: inner.catalog.segments.len() as u32,
        }
    }
}

impl Inner {
    /// After the file's barrier: superblock with `synced_seq = N`, its barrier, then memory follows (rules 2, 5, 12).
    fn finish_sync(&mut self, sh: &Shared, point: &SyncPoint) -> Result<()> {
        if point.seq > self.synced_seq
            || point.slots_used > self.sb.slots_used
            || point.file_len != self.sb.file_len
        {
            self.sb.synced_seq = self.sb.synced_seq.max(point.seq);
            // Never more than there is: the length counted when the sync began.
            if !planted!(FileLenNotSynced) {
                self.sb.file_len = point.file_len.min(self.file_len);
            }
            let lease = self.sb.lease;
            if planted!(OldLeaseAfterSync) {
                self.sb.lease = point.lease;
            }
            self.sb.slots_used = self.sb.slots_used.max(point.slots_used);
            self.sb.segments = self.sb.segments.max(point.segments);
            self.write_superblock(sh)?;
            self.sb.lease = lease;
            self.synced_seq = self.sb.synced_seq;
        }
        self.durable_links = self.durable_links.max(point.segments as usize);
        self.reclaim();
        Ok(())
    }

    /// Rule 11: retired bytes whose death is durable come free, unless a copy under way may still read them.
    pub(super) fn reclaim(&mut self) {
        let durable = self.synced_seq;
        if let Some(heap) = self.heap.as_mut().filter(|_| !self.upkeep.reads_old_bytes()) {
            heap.reclaim(durable);
        }
    }
}

impl Store {
    /// Everything that happened before the call is on stable storage when it returns; blocks. Nothing to do for scratch and read-only stores.
    ///
    /// # Errors
    /// `IO`, `NO_SPACE`: the sync failed and the store is poisoned, or (`IO`, `details.path`) another file stands under the path now; `POISONED`: an earlier one had failed; `CLOSED`.
    pub fn sync(&self) -> Result<()> {
        self.for_work()?.sync()
    }

    /// Starts writing dirty pages back without waiting for them.
    pub fn start_writeback(&self) -> Result<()> {
        self.shared()?.start_writeback()
    }
}
