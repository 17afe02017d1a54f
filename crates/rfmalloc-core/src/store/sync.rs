//! Barriers: the superblock writer (rule 5), the lease (rule 6), sync (rule 12), hardening one record (rule 13), the background sync.
//!
//! A sync that fails poisons the store: Linux marks the lost pages clean, so a later success would prove nothing. The poison is also
//! written to the file where it still can be, and the next open acts as after a machine crash (decision 26).

use super::handle::Target;
use super::{Inner, Operation, Shared, Store};
use crate::error::{Code, Error, Result};
use crate::format::slot::{self, MAX_SEQ};
use crate::format::superblock::{self, COPY_OFF};
use crate::format::word::{State, Word};
use crate::mutants::planted;
use crate::region::MetaMap;
use crate::resolve::{self, Live, Resolved};
use crate::store::{Handle, Mode};
use crate::sync_types::{AtomicBool, Condvar, Mutex, MutexGuard, thread};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

const LARGEST_LEASE_STEP: u64 = (1 << 20) + 1;
/// A superblock copy that was lost was one write ahead: its lease was less than this beyond the other's (a jump at the begin of a process
/// that met a lost copy, and the step behind it).
pub(super) const MOST_LEASED_BEYOND: u64 = 4 * LARGEST_LEASE_STEP;
/// Retired bytes beyond this (or a quarter of the live ones, if more) ask for a sync, so that they can be used again.
const RETIRED_PRESSURE: u64 = 1 << 30;

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

/// The thread that syncs some time after an unsynced commit.
pub(crate) struct Background {
    every: Option<Duration>,
    dirty: AtomicBool,
    state: Mutex<BackgroundState>,
    wake: Condvar,
}

#[derive(Default)]
struct BackgroundState {
    due: Option<Instant>,
    /// Started with the first commit.
    thread: Option<thread::JoinHandle<()>>,
    stop: bool,
}

impl Background {
    pub(crate) fn new(every: Option<Duration>) -> Self {
        Self { every, dirty: AtomicBool::new(false), state: Mutex::default(), wake: Condvar::new() }
    }

    /// Whether the store is synced at exit.
    pub(crate) fn is_on(&self) -> bool {
        self.every.is_some()
    }

    fn lock(&self) -> MutexGuard<'_, BackgroundState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When this returns the thread is gone, and with it its hold on the store's descriptor: a closed store's disk can be unmounted.
    pub(crate) fn stop(&self) {
        let thread = {
            let mut state = self.lock();
            state.stop = true;
            state.thread.take()
        };
        self.wake.notify_all();
        if let Some(thread) = thread {
            // A panic in there was one of a sync, whose locks survive it.
            let _ = thread.join();
        }
    }
}

impl Shared {
    /// A commit was made that no sync covers yet: one follows within `sync_every`, at once under space pressure.
    pub(super) fn note_commit(self: &Arc<Self>, inner: &mut Inner) {
        let Some(every) = self.background.every else { return };
        let pressed = inner.heap.as_ref().is_some_and(|h| {
            let s = h.stats();
            s.retired > RETIRED_PRESSURE.max(s.used / 4)
        });
        if self.background.dirty.swap(true, Ordering::AcqRel) && !pressed {
            return;
        }
        let mut state = self.background.lock();
        let due = Instant::now() + if pressed { Duration::ZERO } else { every };
        state.due = Some(state.due.map_or(due, |d| d.min(due)));
        if state.thread.is_none() && !state.stop {
            // The thread is no opener, so it does not keep the store open; `finish` stops it.
            let shared = Arc::clone(self);
            let started = thread::Builder::new()
                .name("rfmalloc-sync".into())
                .spawn(move || while shared.background_round() {});
            // Without a thread the promise of sync() and close() still stands; only the time bound of the background sync is lost.
            state.thread = started.ok();
        }
        drop(state);
        self.background.wake.notify_all();
    }

    /// Waits until a sync may be due, or makes the one that is; false: the store is closing.
    fn background_round(self: &Arc<Self>) -> bool {
        let mut state = self.background.lock();
        if state.stop {
            return false;
        }
        let now = Instant::now();
        match state.due {
            Some(due) if due <= now => {
                state.due = None;
                drop(state);
                self.background.dirty.store(false, Ordering::Release);
                // A failure poisons the store; the next change reports it.
                let _ = self.sync();
                true
            }
            Some(due) => {
                let waited = self.background.wake.wait_timeout(state, due - now);
                let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
                !state.stop
            }
            None => !self.background.wake.wait(state).unwrap_or_else(PoisonError::into_inner).stop,
        }
    }

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
            // Before rule 3 has been done, what is seen of the copies need not be on disk: the write below must not tear the only good one.
            let known = self.begun
                || COPY_OFF
                    .into_iter()
                    .all(|off| sh.seam.can_sync_meta(&sh.seam.header, off, superblock::NBYTES as u64));
            if known && sh.mode == Mode::Persistent && !planted!(PoisonMarkNotWritten) {
                self.sb.state = self.sb.state & !superblock::CLEAN | superblock::POISONED;
                let _ = self.write_superblock(sh);
            }
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

    /// Rule 13 under the mutex: the record's active version is on stable storage, whatever else is dirty.
    pub(super) fn harden(&mut self, sh: &Shared, idx: u32) -> Result<()> {
        let Some((word, live)) = self.live_with_word(idx)? else { return Ok(()) };
        if planted!(FullCommitVolatile) {
            return Ok(());
        }
        let done =
            self.harden_barriers(sh, idx, &live).and_then(|()| self.set_durable(sh, idx, word, live.which));
        self.barrier(sh, done)
    }

    /// B1: payload, aux, slot, links, size.
    fn harden_barriers(&mut self, sh: &Shared, idx: u32, live: &Live) -> Result<()> {
        if planted!(NoB1) {
            return Ok(());
        }
        for e in resolve::extents(&live.body) {
            sh.seam.barrier_data(e.off, e.nbytes)?;
        }
        barrier_slot(sh, self, idx)?;
        self.barrier_links(sh)
    }

    /// The link of a segment stands in the header of the one before it; the first needs none.
    fn barrier_links(&mut self, sh: &Shared) -> Result<()> {
        while self.durable_links < self.catalog.segments.len() && !planted!(LinkNotInB1) {
            let s = &self.catalog.segments[self.durable_links.saturating_sub(1)];
            sh.seam.barrier_meta(&s.map, s.off, slot::NBYTES as u64)?;
            self.durable_links += 1;
        }
        Ok(())
    }

    /// Stores D and gives it its barrier (B2); both under the mutex, so D in memory is always confirmed (rule 2).
    fn set_durable(&mut self, sh: &Shared, idx: u32, mut word: Word, which: usize) -> Result<()> {
        word.durable[which] = true;
        self.store_word(sh, idx, word);
        if planted!(NoB2) {
            return Ok(());
        }
        self.barrier_word(sh, idx)
    }

    pub(super) fn store_word(&mut self, sh: &Shared, idx: u32, word: Word) {
        if let Some(p) = self.catalog.place(idx) {
            sh.seam.store_word(p.map, p.word_off, word.encode(idx));
        }
    }

    pub(super) fn barrier_word(&self, sh: &Shared, idx: u32) -> Result<()> {
        match self.catalog.place(idx) {
            Some(p) => sh.seam.barrier_meta(p.map, p.word_off, 8),
            None => Ok(()),
        }
    }

    /// A live record with its word; `None`: absent; damage is an error.
    pub(super) fn live_with_word(&self, idx: u32) -> Result<Option<(Word, Live)>> {
        let raw = self.catalog.word(idx);
        let Some(slot) = self.catalog.slot(idx) else { return Ok(None) };
        let resolved = self.resolved(raw, &slot, idx);
        self.loss.check()?;
        match (Word::decode(raw, idx), resolved) {
            (Some(word), Resolved::Live(live)) if word.state == State::Live => Ok(Some((word, live))),
            (_, Resolved::Damaged(what)) => Err(self.damaged(idx, what)),
            _ => Ok(None),
        }
    }
}

pub(super) fn barrier_slot(sh: &Shared, inner: &Inner, idx: u32) -> Result<()> {
    match inner.catalog.place(idx) {
        Some(p) => sh.seam.barrier_meta(p.map, p.slot_off, slot::NBYTES as u64),
        None => Ok(()),
    }
}

/// Rule 3a: superblock copies, segment headers and links, all state words.
pub(super) fn barrier_metadata(sh: &Shared, inner: &Inner) -> Result<()> {
    let barrier = |map: &MetaMap, off, n| sh.seam.barrier_meta(map, off, n);
    for off in COPY_OFF {
        barrier(&sh.seam.header, off, superblock::NBYTES as u64)?;
    }
    if planted!(WordsTrustedAfterKill) {
        return Ok(());
    }
    for s in &inner.catalog.segments {
        barrier(&s.map, s.off, crate::format::segment::HEADER_NBYTES + 8 * u64::from(s.slots))?;
    }
    Ok(())
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

    /// Rule 13, sync(v): this object alone is on stable storage when the call returns, whatever else is dirty. Nothing to do in scratch and
    /// read-only stores.
    ///
    /// # Errors
    /// `ARGUMENT`: a temporary has no record to make durable; `DESTROYED`, `CLOSED`, `IO` (as [`Store::sync`]), `POISONED`.
    pub fn sync_object(&self, handle: &Handle) -> Result<()> {
        self.object_work(handle)?.sync()
    }

    /// [`Store::sync_object`] for another thread to run. It holds nothing meanwhile: if the object is destroyed or the store closed before
    /// it starts, it fails with `DESTROYED` or `CLOSED`; once it runs, both wait for it or are refused.
    ///
    /// # Errors
    /// As [`Store::sync_object`].
    pub fn object_work(&self, handle: &Handle) -> Result<ObjectWork> {
        self.check_ours(handle)?;
        let work = ObjectWork { shared: Arc::clone(self.shared()?), target: handle.target() };
        let mut inner = work.shared.lock_open()?;
        work.record(&mut inner)?;
        drop(inner);
        Ok(work)
    }
}

/// See [`Store::object_work`].
pub struct ObjectWork {
    shared: Arc<Shared>,
    target: Target,
}

impl ObjectWork {
    /// The object's slot; `None`: it is in a scratch store.
    fn record(&self, inner: &mut Inner) -> Result<Option<u32>> {
        match inner.objects.get(self.target.key, self.target.serial).filter(|o| o.alive) {
            None => Err(self.target.destroyed_error()),
            Some(o) if o.committed => Ok(o.record),
            Some(_) => Err(Error::new(Code::Argument, "a temporary cannot be synced; keep() it first")),
        }
    }

    /// As [`Store::sync_object`].
    ///
    /// # Errors
    /// As there.
    pub fn sync(&self) -> Result<()> {
        let sh = &self.shared;
        // Declared before any guard of the mutex, so that it is dropped after them: ending an operation takes the mutex.
        let (target, _operation) = self.begin()?;
        let work = Self { shared: Arc::clone(sh), target };
        while let Some(version) = work.start(sh)? {
            if work.finish(sh, &version)? {
                break;
            }
        }
        sh.check_not_replaced()
    }

    /// The handle may be gone by now (a close lets go of all before it refuses): then the record itself says whether it lives.
    fn begin(&self) -> Result<(Target, Operation)> {
        let mut inner = self.shared.lock_open()?;
        let mut target = self.target;
        if inner.objects.get(target.key, target.serial).is_none() {
            let (idx, generation) = target.record_named();
            let live = inner.record(idx)?.filter(|live| u64::from(live.head.generation) == generation);
            live.ok_or_else(|| target.destroyed_error())?;
            target.key = inner.object_of(idx)?;
            target.serial = inner.objects.slab[target.key as usize].as_ref().map_or(0, |o| o.serial);
        }
        let operation = target.begin_in(&self.shared, &mut inner, |_| Ok(()))?;
        Ok((target, operation))
    }

    /// The version to be made durable; `None`: there is nothing to do.
    fn start(&self, sh: &Shared) -> Result<Option<(u32, Live)>> {
        let mut inner = sh.lock_open()?;
        let Some(idx) = self.record(&mut inner)? else { return Ok(None) };
        if sh.read_only {
            return Ok(None);
        }
        sh.check_writable(&inner)?;
        // The D bit is a mutation like any other (rule 3).
        inner.begin(sh)?;
        match inner.live_with_word(idx)? {
            Some((_, live)) => Ok(Some((idx, live))),
            None => Err(self.target.destroyed_error()),
        }
    }

    /// False: the version changed meanwhile, so it is done again.
    fn finish(&self, sh: &Shared, (idx, live): &(u32, Live)) -> Result<bool> {
        // B1 without the mutex: other work goes on.
        let mut done = Ok(());
        if planted!(DBeforeB1) {
            let mut inner = sh.lock_open()?;
            if let Some((word, now)) = inner.live_with_word(*idx)? {
                inner.set_durable(sh, *idx, word, now.which)?;
            }
        }
        for e in resolve::extents(&live.body) {
            if !planted!(NoB1) {
                done = done.and_then(|()| sh.seam.barrier_data(e.off, e.nbytes));
            }
        }
        // A loss met by B1 is told as such.
        let mut inner = sh.lock_open_for_elements()?;
        // Another's barrier may have failed meanwhile on the very pages of this record, which are taken for clean since.
        done = done
            .and_then(|()| sh.check_writable(&inner))
            .and_then(|()| barrier_slot(sh, &inner, *idx))
            .and_then(|()| inner.barrier_links(sh));
        inner.barrier(sh, done)?;
        // Only if still the same version: else D would bless a body changed during B1 (hole 4).
        match inner.live_with_word(*idx)? {
            Some((word, now))
                if now.head.generation == live.head.generation
                    && now.which == live.which
                    && now.body.seq == live.body.seq =>
            {
                let done = inner.set_durable(sh, *idx, word, live.which);
                inner.barrier(sh, done).map(|()| true)
            }
            Some((word, now)) if planted!(DForChangedBody) => {
                inner.set_durable(sh, *idx, word, now.which).map(|()| true)
            }
            Some(_) => Ok(false),
            None => Err(self.target.destroyed_error()),
        }
    }
}

/// Syncs every store of the process that has not switched the exit sync off; failures are kept for the stores' next callers.
pub fn sync_all_stores() {
    for shared in crate::registry::all() {
        if shared.background.is_on() {
            let _ = shared.sync();
        }
    }
}
