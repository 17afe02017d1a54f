//! Compaction (rule 20): records and temporaries move from the high end of the file into lower gaps, then the free tail is cut off.
//!
//! Steps under the store mutex are bounded: a stretch of slots is looked through, one small object is moved, or the two ends of one large
//! move are made; the bytes of a large one are copied outside. Between steps other threads work on. What somebody may be reading or
//! writing stays where it is: objects with a buffer or an operation, and those with handles, except the handles of the calling thread,
//! which is here and not there. Those handles learn of the move by their liveness cell. Catalog segments never move.
//!
//! An extent only ever moves down, so the work ends. Every round begins with everything synced: then a move needs no barrier of its own,
//! and what the round before left behind is free.

use super::objects::{Fate, Moving, Owner, current_thread};
use super::space::{BOUNDARY, alignment, copy};
use super::upkeep::{Control, Upkeep, UpkeepGuard};
use super::{Inner, Shared, Store, StoreWork};
use crate::error::{Error, Result};
use crate::format::{Extent, HEADER_BYTES, UNIT};
use crate::resolve::{self, Live};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

/// Slots looked at in one critical section.
const SLOTS_A_STEP: u32 = 4096;
/// Objects considered at a time, the highest first; bounds the memory of a round (24 bytes each).
const MOST_CANDIDATES: usize = 1 << 20;
/// Payloads up to this many bytes are copied under the mutex.
const SMALL: u64 = 256 * 1024;
/// Larger ones in pieces of this size.
const PIECE: u64 = 1 << 20;
/// Each round fills the gaps that the round before opened; nearly everything is done in two.
const MOST_ROUNDS: u32 = 16;

/// What a compaction did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compaction {
    /// Bytes moved to lower places.
    pub moved: u64,
    /// Bytes by which the file became shorter.
    pub freed: u64,
    /// Objects that could have moved, had nobody held them.
    pub held: u64,
    /// The control stopped it; what was moved by then is moved.
    pub stopped: bool,
}

impl Store {
    /// Makes the file shorter: moves objects into lower gaps, syncs, cuts off the free tail; as often as it gains. Ids, generations,
    /// names and attributes stay. Objects that this thread alone holds, without buffers, move too: their other handles notice by the cell.
    /// No space is needed. In a scratch store the same happens to its objects, without a sync.
    ///
    /// # Errors
    /// `READ_ONLY`, `BUSY` (another compaction or copy is running), `CORRUPT` (a record is damaged: nothing is moved from then on), `IO`,
    /// `POISONED`, `CLOSED`. The store is valid after each.
    pub fn compact(&self, control: Control<'_>) -> Result<Compaction> {
        self.shared()?.compact(Some(current_thread()), control)
    }
}

impl StoreWork {
    /// As [`Store::compact`], for another thread: objects with handles stay where they are.
    ///
    /// # Errors
    /// As there.
    pub fn compact(&self, control: Control<'_>) -> Result<Compaction> {
        self.0.compact(None, control)
    }
}

/// Something that may move, by its highest byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    end: u64,
    /// A slot's index; from [`TEMPORARY`] on the key of an object without a record.
    who: u64,
    nbytes: u64,
}

const TEMPORARY: u64 = 1 << 32;

/// A candidate as it is now.
struct Subject {
    live: Option<Live>,
    /// Its key and serial, if it is open.
    open: Option<(u32, u64)>,
    payload: Extent,
}

impl Subject {
    fn record(&self) -> Option<u32> {
        self.live.map(|l| l.head.id)
    }

    /// The same object with the same bytes; another name does not matter.
    fn has_bytes_of(&self, other: &Self) -> bool {
        self.payload == other.payload
            && match (&self.live, &other.live) {
                (Some(a), Some(b)) => a.head == b.head,
                (None, None) => self.open == other.open,
                _ => false,
            }
    }
}

/// Bytes looked at, and bytes to look at as far as is known.
#[derive(Clone, Copy, Default)]
struct Progress {
    done: u64,
    total: u64,
}

/// What became of a candidate.
enum Step {
    /// Bytes moved.
    Moved(u64),
    /// No lower place, or it is not what it was.
    Stays,
    /// There is a lower place, but somebody holds the object.
    Held,
    /// No gap lies below it, nor below anything lower.
    Dense,
    Stopped,
}

impl Shared {
    fn compact(self: &Arc<Self>, me: Option<u64>, control: Control<'_>) -> Result<Compaction> {
        let (guard, before) = {
            let mut inner = self.lock_open()?;
            inner.begin(self)?;
            if inner.tail_only {
                return Err(Error::corrupt(
                    "a record is damaged, so nothing is known to be free; verify() names it",
                    HEADER_BYTES,
                ));
            }
            (UpkeepGuard::start(self, &mut inner, Upkeep::Compacting)?, inner.file_len)
        };
        let mut total = Compaction::default();
        let mut progress = Progress::default();
        self.settle()?;
        total.moved += self.compact_heaps(me, control)?;
        for _ in 0..MOST_ROUNDS {
            self.settle()?;
            let moved = total.moved;
            total.held = 0;
            self.round(me, &mut total, &mut progress, control)?;
            if total.stopped || total.moved == moved {
                break;
            }
        }
        self.settle()?;
        let mut inner = self.lock_open()?;
        total.freed = before.saturating_sub(inner.file_len);
        inner.held_back = total.held;
        drop(inner);
        if !total.stopped {
            control(progress.total, progress.total);
        }
        drop(guard);
        Ok(total)
    }

    /// What was left behind becomes free, and the free tail goes.
    fn settle(self: &Arc<Self>) -> Result<()> {
        self.sync()?;
        let mut inner = self.lock_open()?;
        while inner.syncs.is_running() {
            inner = self.wait(inner);
        }
        self.check_writable(&inner)?;
        inner.cut_tail(self, false)
    }

    /// Every candidate once, from the top down.
    fn round(
        self: &Arc<Self>,
        me: Option<u64>,
        total: &mut Compaction,
        progress: &mut Progress,
        control: Control<'_>,
    ) -> Result<()> {
        let mut ceiling = u64::MAX;
        loop {
            let list = self.highest(ceiling)?;
            let Some(lowest) = list.last() else { return Ok(()) };
            ceiling = lowest.end;
            progress.total += list.iter().map(|c| c.nbytes).sum::<u64>();
            for candidate in list {
                if !control(progress.done, progress.total) {
                    total.stopped = true;
                    return Ok(());
                }
                let step = self.step(me, candidate, *progress, control)?;
                progress.done += candidate.nbytes;
                match step {
                    Step::Moved(nbytes) => total.moved += nbytes,
                    Step::Held => total.held += 1,
                    Step::Stays => {}
                    Step::Dense => return Ok(()),
                    Step::Stopped => {
                        total.stopped = true;
                        return Ok(());
                    }
                }
            }
        }
    }

    /// The candidates that end below `ceiling`, the highest first.
    fn highest(self: &Arc<Self>, ceiling: u64) -> Result<Vec<Candidate>> {
        let mut top: BinaryHeap<Reverse<Candidate>> = BinaryHeap::new();
        let mut offer = |extents: [Extent; 2], who: u64| {
            let end = extents.iter().filter(|e| !e.is_empty()).map(|e| e.end()).max().unwrap_or(0);
            if end == 0 || end >= ceiling {
                return;
            }
            top.push(Reverse(Candidate { end, who, nbytes: extents[0].nbytes + extents[1].nbytes }));
            if top.len() > MOST_CANDIDATES {
                top.pop();
            }
        };
        let mut idx = 0;
        loop {
            let inner = self.lock_open()?;
            let stop = inner.slots_used.min(idx + SLOTS_A_STEP);
            for idx in idx..stop {
                if crate::format::word::raw_is_live(inner.catalog.word(idx))
                    && let Some(live) = inner.record(idx)?
                {
                    offer(resolve::extents(&live.body), u64::from(idx));
                }
            }
            idx = stop;
            if idx == inner.slots_used {
                break;
            }
        }
        let inner = self.lock_open()?;
        for (key, o) in (TEMPORARY..).zip(&inner.objects.slab) {
            if let Some(o) = o.as_ref().filter(|o| o.alive && o.record.is_none()) {
                offer([o.payload, Extent::EMPTY], key);
            }
        }
        drop(inner);
        Ok(top.into_sorted_vec().into_iter().map(|Reverse(c)| c).collect())
    }

    fn step(
        self: &Arc<Self>,
        me: Option<u64>,
        candidate: Candidate,
        progress: Progress,
        control: Control<'_>,
    ) -> Result<Step> {
        let mut inner = self.lock_open()?;
        let Some(mut subject) = inner.subject(candidate)? else { return Ok(Step::Stays) };
        let mut payload = inner.lower_place(subject.payload)?;
        let is_held = payload.is_some() && !inner.is_movable(&subject, me);
        if is_held {
            inner.return_places([payload.take()])?;
        }
        if let Some(to) = payload.filter(|to| to.nbytes > SMALL) {
            inner.objects.moving = Some(Moving {
                record: subject.record(),
                key: subject.open.map(|(key, _)| key),
                disturbed: false,
            });
            drop(inner);
            let copied = self.copy_pieces(subject.payload, to, progress, control);
            inner = self.lock();
            let undisturbed = inner.objects.moving.take().is_some_and(|m| !m.disturbed) && !inner.closing;
            let now = inner.subject(candidate).ok().flatten();
            match now.filter(|now| now.has_bytes_of(&subject) && inner.is_movable(now, me)) {
                Some(now) if undisturbed && matches!(copied, Ok(true)) => subject = now,
                _ => {
                    inner.return_places([payload])?;
                    return Ok(if copied? { Step::Held } else { Step::Stopped });
                }
            }
        } else if let Some(to) = payload {
            copy(self, subject.payload, to);
        }
        let aux = match &subject.live {
            Some(live) => inner.lower_place(live.body.aux)?,
            None => None,
        };
        if payload.is_none() && aux.is_none() {
            let is_dense = !is_held && inner.is_dense_below(candidate.end)?;
            return Ok(if is_held {
                Step::Held
            } else if is_dense {
                Step::Dense
            } else {
                Step::Stays
            });
        }
        if let Err(e) = inner.move_subject(self, &subject, payload, aux) {
            inner.return_places([payload, aux])?;
            return Err(e);
        }
        self.note_commit(&mut inner);
        Ok(Step::Moved([payload, aux].into_iter().flatten().map(|e| e.nbytes).sum()))
    }

    /// Copies outside the mutex; false: stopped.
    fn copy_pieces(
        &self,
        from: Extent,
        to: Extent,
        progress: Progress,
        control: Control<'_>,
    ) -> Result<bool> {
        let mut at = 0;
        while at < to.nbytes {
            self.check_not_closing()?;
            if !control(progress.done + at, progress.total) {
                return Ok(false);
            }
            let nbytes = PIECE.min(to.nbytes - at);
            let piece = |e: Extent| Extent { off: e.off + at, nbytes };
            copy(self, piece(from), piece(to));
            at += nbytes;
        }
        Ok(true)
    }
}

impl Inner {
    fn subject(&self, candidate: Candidate) -> Result<Option<Subject>> {
        if let Some(key) = candidate.who.checked_sub(TEMPORARY) {
            let o = self.objects.slab.get(key as usize).and_then(Option::as_ref);
            let o = o.filter(|o| o.alive && o.record.is_none() && o.payload.end() == candidate.end);
            return Ok(o.map(|o| Subject {
                live: None,
                open: Some((key as u32, o.serial)),
                payload: o.payload,
            }));
        }
        let idx = candidate.who as u32;
        let Some(live) = self.record(idx)? else { return Ok(None) };
        // A move makes a new version, by which attributes that contradict the old one would become credible.
        self.read_aux(&live)?;
        let key = self.objects.by_record.get(&idx).copied();
        let open = key.and_then(|k| Some((k, self.objects.slab.get(k as usize)?.as_ref()?.serial)));
        Ok(Some(Subject { live: Some(live), open, payload: live.body.payload }))
    }

    /// A part is not open by itself when its owner is: who has that reads it.
    fn is_movable(&self, subject: &Subject, me: Option<u64>) -> bool {
        let owner = subject.live.and_then(|l| l.head.owner()).map(|(_, owner)| Owner::Record(owner));
        subject.open.is_none_or(|(key, _)| self.objects.is_movable(key, me))
            && self.objects.is_owner_movable(owner, me)
    }

    /// The lowest gap for these bytes that lies wholly below them.
    fn lower_place(&mut self, e: Extent) -> Result<Option<Extent>> {
        if e.is_empty() {
            return Ok(None);
        }
        self.heap()?.alloc_below(e.nbytes, alignment(e.nbytes), BOUNDARY, e.off)
    }

    fn is_dense_below(&mut self, end: u64) -> Result<bool> {
        let any = self.lower_place(Extent { off: end, nbytes: UNIT })?;
        self.return_places([any])?;
        Ok(any.is_none())
    }

    fn return_places(&mut self, places: impl IntoIterator<Item = Option<Extent>>) -> Result<()> {
        places.into_iter().flatten().try_for_each(|e| self.give_back(e, Fate::Free))
    }

    /// The payload's bytes are at their new place already.
    fn move_subject(
        &mut self,
        sh: &Shared,
        subject: &Subject,
        payload: Option<Extent>,
        aux: Option<Extent>,
    ) -> Result<()> {
        // Zeros that stand for lost bytes must not be taken for the object's at its new place.
        sh.seam.loss.check()?;
        match (&subject.live, subject.open, payload) {
            (Some(live), ..) => self.move_record(sh, live.head.id, payload, aux),
            (None, Some((key, _)), Some(to)) => {
                self.objects.relocate(key, to);
                self.give_back(subject.payload, Fate::Free)
            }
            _ => Ok(()),
        }
    }
}
