//! Rule 13: one record on stable storage, whatever else is dirty; the barriers over single words, slots and the catalog's metadata.

use super::handle::Target;
use super::{Handle, Inner, Operation, Shared, Store};
use crate::error::{Code, Error, Result};
use crate::format::aux::Key;
use crate::format::superblock::{self, COPY_OFF};
use crate::format::word::{State, Word};
use crate::format::{segment, slot};
use crate::mutants::planted;
use crate::region::MetaMap;
use crate::resolve::{self, Live, Resolved};
use std::sync::Arc;

impl Inner {
    /// Rule 13 under the mutex: the record's active version is on stable storage, whatever else is dirty; its children before it (rule 25).
    pub(super) fn harden(&mut self, sh: &Shared, idx: u32) -> Result<()> {
        for idx in self.owned_tree(idx).into_iter().rev() {
            self.harden_one(sh, idx)?;
        }
        Ok(())
    }

    /// [`Inner::harden`] for a new record: what it holds is on stable storage before it is.
    pub(super) fn harden_held(&mut self, sh: &Shared, idx: u32) -> Result<()> {
        for (part, _) in self.dependents_first(idx)? {
            let done = self.live_with_word(part)?.is_none_or(|(word, live)| word.durable[live.which]);
            if part == idx || !done {
                self.harden_one(sh, part)?;
            }
        }
        Ok(())
    }

    fn harden_one(&mut self, sh: &Shared, idx: u32) -> Result<()> {
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

/// Rule 3a after a kill: a page that a failed barrier of the killed process lost is clean for the system, and no barrier writes it. Stored once
/// more, as it is, it is dirty, and where the disk has it already no crash can harm it.
pub(super) fn store_metadata_again(sh: &Shared, inner: &Inner) {
    let again = |map: &MetaMap, off| sh.seam.store_word(map, off, map.load(off));
    for off in COPY_OFF {
        again(&sh.seam.header, off);
    }
    for s in &inner.catalog.segments {
        again(&s.map, s.off);
        let words = s.off + segment::HEADER_NBYTES;
        for off in (words..words + 8 * u64::from(s.slots)).step_by(segment::HEADER_NBYTES as usize) {
            again(&s.map, off);
        }
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
        barrier(&s.map, s.off, segment::HEADER_NBYTES + 8 * u64::from(s.slots))?;
    }
    Ok(())
}

impl Store {
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
        for (idx, generation) in work.parts(sh)? {
            while let Some(version) = work.start(sh, idx, generation)? {
                if Self::finish(sh, &version)? {
                    break;
                }
            }
        }
        sh.check_not_replaced()
    }

    /// What the object holds and owns, and at last itself; nothing where there is nothing to do.
    fn parts(&self, sh: &Shared) -> Result<Vec<Key>> {
        let mut inner = sh.lock_open()?;
        match self.record(&mut inner)? {
            Some(idx) if !sh.read_only => inner.dependents_first(idx),
            _ => Ok(Vec::new()),
        }
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

    /// The version to be made durable; `None`: a part that is gone meanwhile.
    fn start(&self, sh: &Shared, idx: u32, generation: u32) -> Result<Option<(u32, Live)>> {
        let mut inner = sh.lock_open()?;
        sh.check_writable(&inner)?;
        // The D bit is a mutation like any other (rule 3).
        inner.begin(sh)?;
        let live =
            inner.live_with_word(idx)?.map(|(_, live)| live).filter(|l| l.head.generation == generation);
        match live {
            Some(live) => Ok(Some((idx, live))),
            None if self.record(&mut inner)? == Some(idx) => Err(self.target.destroyed_error()),
            None => Ok(None),
        }
    }

    /// False: the version changed meanwhile, so it is done again.
    fn finish(sh: &Shared, (idx, live): &(u32, Live)) -> Result<bool> {
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
            // Changed, or gone: `start` tells which.
            _ => Ok(false),
        }
    }
}
