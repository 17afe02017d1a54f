//! Ending records: destroy (rule 9), and what becomes of the bytes. Everything here runs under the store mutex, after `begin`.

use super::harden::barrier_slot;
use super::objects::{Fate, Gone};
use super::{Inner, Shared};
use crate::error::{Code, Error, Result};
use crate::format::Extent;
use crate::format::aux::Key;
use crate::format::slot::{self, NOT_DEAD};
use crate::format::word::{State, Word};
use crate::mutants::planted;
use crate::resolve::{self, Live};

impl Inner {
    /// Rule 9 for an object and then, one after the other, for its children (rule 25).
    pub(super) fn destroy_record(&mut self, sh: &Shared, idx: u32, at_once: bool) -> Result<()> {
        let Some((word, live)) = self.live_with_word(idx)? else {
            return if at_once { self.bury(sh, idx) } else { Ok(()) };
        };
        let tree = if live.body.has_parts() { self.owned_tree(idx) } else { Vec::new() };
        self.destroy_one(sh, word, &live, at_once)?;
        for child in tree.into_iter().filter(|child| *child != idx) {
            if let Some((word, live)) = self.live_with_word(child)? {
                self.destroy_one(sh, word, &live, at_once)?;
            }
        }
        Ok(())
    }

    /// The same for a child that its owner no longer names.
    pub(super) fn destroy_child(&mut self, sh: &Shared, owner: u32, key: Key, at_once: bool) -> Result<()> {
        // A damaged one has nobody who names it now, and hides its bytes until somebody looks at it.
        match self.record(key.0) {
            Ok(Some(live)) if live.head.generation == key.1 && live.head.owner_id == owner => {
                self.destroy_record(sh, key.0, at_once)
            }
            _ => Ok(()),
        }
    }

    /// Rule 9. `at_once`: the death is given its own barrier, so the bytes can be reused without waiting for a sync.
    fn destroy_one(&mut self, sh: &Shared, mut word: Word, live: &Live, at_once: bool) -> Result<()> {
        let idx = live.head.id;
        let slot =
            self.catalog.slot(idx).ok_or_else(|| Error::new(Code::Internal, "slot outside the catalog"))?;
        let name_hash = match &self.names {
            Some(_) => self.naming_of(live)?.map(|n| self.hash(&n.name)),
            None => None,
        };
        let horizon = if planted!(DeathIgnoresSyncInFlight) { self.synced_seq } else { self.horizon() };
        let mut maybe = [0, 1].map(|i| resolve::is_maybe_durable(&word, &slot, i, horizon));
        let (active, fallback) = (live.which, 1 - live.which);
        if planted!(FallbackForgottenAtDeath) {
            maybe[fallback] = false;
        }
        let fate;
        let mut shared_with = None;
        if at_once || maybe == [false; 2] {
            self.store_word(sh, idx, Word::free(live.head.generation));
            if maybe != [false; 2] && !planted!(AtOnceWithoutBarrier) {
                let done = self.barrier_word(sh, idx);
                self.barrier(sh, done)?;
            }
            fate = Fate::Free;
            self.free_slots.push(idx);
        } else {
            let seq = self.take_seq(sh, |_| true)?;
            let place = self
                .catalog
                .place(idx)
                .ok_or_else(|| Error::new(Code::Internal, "slot outside the catalog"))?;
            let dead_off = place.slot_off + slot::DEAD_SEQ_OFF as u64;
            if slot.dead_seq != NOT_DEAD && !planted!(StaleDeadSeq) {
                // A stale dead_seq beside a new DEAD word would make the death durable too early (hole 7).
                sh.seam.store(place.map, dead_off, &NOT_DEAD.to_le_bytes());
                let done = barrier_slot(sh, self, idx);
                self.barrier(sh, done)?;
            }
            word.state = State::Dead;
            if planted!(DeadBeforeDeadSeq) {
                self.store_word(sh, idx, word);
            }
            if let Some(p) = self.catalog.place(idx) {
                sh.seam.store(p.map, dead_off, &seq.to_le_bytes());
            }
            self.store_word(sh, idx, word);
            self.dead_slots.push_back((seq, idx));
            fate = if planted!(ReuseEarly) { Fate::Free } else { Fate::Retire(seq) };
            if !maybe[active] {
                shared_with = slot.bodies[fallback];
            }
        }
        for e in resolve::extents(&live.body) {
            let is_undoable = shared_with.is_none_or(|b| resolve::extents(&b).contains(&e));
            let fate = if is_undoable { fate } else { Fate::Free };
            if e == live.body.payload {
                self.bury_payload(idx, e, fate)?;
            } else {
                self.give_back(e, fate)?;
            }
        }
        if let (Some(h), Some(names)) = (name_hash, &mut self.names) {
            names.remove(h, idx);
        }
        Ok(())
    }

    /// An object that settling its name has just destroyed (rule 15), but whose end is to be durable when the call returns. Its bytes and slot
    /// stay retired.
    fn bury(&mut self, sh: &Shared, idx: u32) -> Result<()> {
        let (word, slot) = (Word::decode(self.catalog.word(idx), idx), self.catalog.slot(idx));
        if let (Some(word), Some(slot)) = (word, slot)
            && word.state == State::Dead
        {
            self.store_word(sh, idx, Word::free(slot.raw_generation));
            let done = self.barrier_word(sh, idx);
            self.barrier(sh, done)?;
        }
        Ok(())
    }

    /// Returns an extent to the map. Never fails but for a missing map.
    pub(super) fn give_back(&mut self, e: Extent, fate: Fate) -> Result<()> {
        if e.off < self.tail_from {
            // A damaged record may hold these bytes, too.
            return Ok(());
        }
        let is_read = self.upkeep.reads_old_bytes();
        let heap = self.heap()?;
        match fate {
            // A copy under way may still read them: compact_to gives them back when it ends.
            Fate::Free if is_read => self.withheld.push(e),
            Fate::Free => heap.free(e),
            Fate::Retire(stamp) => heap.retire(e, stamp),
        }
        Ok(())
    }

    /// A dead object's payload: given back when nothing in memory can reach it any more.
    fn bury_payload(&mut self, idx: u32, payload: Extent, fate: Fate) -> Result<()> {
        let gone = self.objects.bury_record(idx, payload, fate);
        self.let_go(gone)
    }

    /// An object in memory ends: its handles are told, its children end with it, what it held is let go.
    pub(super) fn kill(&mut self, key: u32, payload: Extent) -> Result<()> {
        let gone = self.objects.kill(key, payload, Fate::Free);
        self.let_go(gone)
    }

    /// Nothing reaches an object any more, perhaps.
    pub(super) fn reap(&mut self, key: u32) -> Result<()> {
        match self.objects.reap(key) {
            Some(gone) => self.let_go(gone),
            None => Ok(()),
        }
    }

    /// Gives back the bytes of what became unreachable, and lets go of what it owned or held.
    fn let_go(&mut self, gone: Gone) -> Result<()> {
        let mut rest = vec![gone];
        let mut done = Ok(());
        while let Some(gone) = rest.pop() {
            if let Some((e, fate)) = gone.bytes {
                done = done.and(self.give_back(e, fate));
            }
            for (key, serial) in gone.held {
                let Some(o) = self.objects.get(key, serial) else { continue };
                o.holds = o.holds.saturating_sub(1);
                let is_child = matches!(o.owner, Some(super::objects::Owner::Open(..)));
                let payload = o.payload;
                if is_child && o.alive && o.record.is_none() {
                    // A child does not outlive its owner, whoever else has a handle on it.
                    rest.push(self.objects.kill(key, payload, Fate::Free));
                } else {
                    rest.extend(self.objects.reap(key));
                }
            }
        }
        done
    }

    /// A child in memory that its owner no longer names.
    pub(super) fn end_child(&mut self, child: (u32, u64)) -> Result<()> {
        self.let_go(Gone { bytes: None, held: vec![child] })
    }
}
