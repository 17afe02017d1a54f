//! Changing records: create (rule 7), change (8), destroy (9), replace (10). Everything here runs under the store mutex, after `begin`.
//!
//! What can fail (space, the lease, a barrier) happens before the first store that matters; from there on the steps are plain stores in
//! the order of the rules, the state word last. Space comes first of all: an act that finds none has taken neither a slot nor a sequence
//! yet, so `Store::with_space` can sync and run it once more.

use super::find::check_name;
use super::harden::barrier_slot;
use super::space::copy;
use super::{Inner, Shared};
use crate::error::{Code, Error, Result};
use crate::format::Extent;
use crate::format::aux::{self, Aux, Naming, Seal};
use crate::format::slot::{self, Body, Head, NOT_DEAD};
use crate::format::word::{self, State, Word};
use crate::mutants::planted;
use crate::resolve::{self, Live};
use crate::store::objects::Fate;
use std::sync::Arc;

/// What a new record is made of.
pub(super) struct NewRecord<'a> {
    pub(super) dtype: u8,
    pub(super) kind: u8,
    pub(super) len: u64,
    pub(super) payload: Extent,
    pub(super) name: Option<&'a str>,
    pub(super) replace: bool,
}

/// Bytes that the buffer of attributes keeps between two acts.
const SCRATCH_KEPT: usize = 64 * 1024;

/// A name to be given, with id and generation of the object it is taken from; `None`: the name goes.
pub(super) type NewName<'a> = Option<(&'a str, Option<(u32, u32)>)>;

/// What a change makes of a record's attributes. Everything it does not speak of is carried over.
pub(super) enum Attributes<'a> {
    /// The object gets this name, or loses the one it had.
    Name(NewName<'a>),
    /// The payload is immutable from now on; these are its checksums.
    Seal(&'a [u8]),
}

/// A slot chosen for a new record, and what stands in it.
struct Vacancy {
    idx: u32,
    old_word: Word,
    old: slot::Slot,
}

/// A record whose idle body may be overwritten, and the sequence of the version to come.
#[derive(Clone, Copy)]
struct Change {
    word: Word,
    live: Live,
    seq: u64,
    /// The active version may be durable: its bytes are kept until the new one is.
    keep: bool,
}

impl Inner {
    /// Rules 7 and 10: makes the record; returns its slot and generation. The payload is already written.
    pub(super) fn create_record(&mut self, sh: &Arc<Shared>, new: &NewRecord<'_>) -> Result<(u32, u32)> {
        self.begin(sh)?;
        let replaced = match new.name {
            Some(name) => self.claim_name(sh, name, new.replace)?,
            None => None,
        };
        let aux_extent = self.reserve_aux(sh, new.name, None)?;
        if planted!(TombstoneBeforeSuccessor)
            && let Some(old) = replaced
        {
            self.destroy_record(sh, old, false)?;
        }
        let made = self.take_slot(sh).and_then(|vacancy| {
            let written = self.write_record(sh, new, &vacancy, aux_extent, replaced);
            if written.is_err() {
                self.return_slot(&vacancy);
            }
            written.map(|(generation, hash)| (vacancy.idx, generation, hash))
        });
        let (idx, generation, hash) = match made {
            Ok(done) => done,
            Err(e) => {
                self.give_back(aux_extent, Fate::Free)?;
                return Err(e);
            }
        };
        if let (Some(old), Some(names)) = (replaced, &mut self.names) {
            names.remove(hash, old);
        }
        if let (Some(_), Some(names)) = (new.name, &mut self.names) {
            names.insert(hash, idx);
        }
        if sh.is_full() {
            self.harden(sh, idx)?;
        }
        if let Some(old) = replaced {
            // Rule 10: after the new record stands, and under full durability with a barrier of its own.
            self.destroy_record(sh, old, sh.is_full() && !planted!(FullDeathVolatile))?;
        }
        sh.note_commit(self);
        Ok((idx, generation))
    }

    /// The slot that holds the name now, which the caller replaces; `None`: the name is free.
    fn claim_name(&mut self, sh: &Shared, name: &str, replace: bool) -> Result<Option<u32>> {
        check_name(name)?;
        self.prepare_names(sh)?;
        let Some(old) = self.find(name)? else { return Ok(None) };
        if !replace {
            return Err(Error::new(
                Code::Exists,
                format!("the name '{name}' is taken; pass {{ replace: true }} to replace the object, or choose another name"),
            )
            .with("name", name));
        }
        self.check_not_busy(old)?;
        Ok(Some(old))
    }

    fn check_not_busy(&self, idx: u32) -> Result<()> {
        if self.objects.is_record_busy(idx) {
            return Err(Error::new(Code::Busy, "an operation is running on the object; wait for it to end")
                .with("id", idx));
        }
        Ok(())
    }

    /// Rule 11: a free slot, a destroyed one whose death is durable, or the next unused one.
    fn take_slot(&mut self, sh: &Shared) -> Result<Vacancy> {
        let dead = self
            .dead_slots
            .front()
            .filter(|(seq, _)| *seq <= self.synced_seq || planted!(DeadSlotReusedEarly))
            .map(|(_, idx)| *idx);
        let idx = if let Some(idx) = self.free_slots.pop() {
            idx
        } else if let Some(idx) = dead {
            self.dead_slots.pop_front();
            idx
        } else {
            if self.slots_used == u32::MAX {
                return Err(Error::new(Code::TooLarge, "the catalog is full"));
            }
            if self.slots_used == self.catalog.capacity() {
                self.add_segment(sh)?;
            }
            self.slots_used += 1;
            self.slots_used - 1
        };
        let old =
            self.catalog.slot(idx).ok_or_else(|| Error::new(Code::Internal, "slot outside the catalog"))?;
        let old_word = Word::decode(self.catalog.word(idx), idx).unwrap_or(Word::UNUSED);
        Ok(Vacancy { idx, old_word, old })
    }

    fn return_slot(&mut self, v: &Vacancy) {
        if v.idx + 1 == self.slots_used && v.old_word.state == State::Unused {
            // Its word is still 0, and no used slot may have the word 0.
            self.slots_used -= 1;
        } else {
            self.free_slots.push(v.idx);
        }
    }

    fn write_record(
        &mut self,
        sh: &Shared,
        new: &NewRecord<'_>,
        v: &Vacancy,
        aux_extent: Extent,
        replaced: Option<u32>,
    ) -> Result<(u32, u64)> {
        let replaces = match replaced {
            Some(old) => self.record(old)?.map(|live| (live.head.id, live.head.generation)),
            None => None,
        };
        // Rules 6 and (hole ii): differ from what stands in body A and, in the low 24 bits, from the slot's last generation.
        let (old_pair, old_gen) = (v.old.raw_pairs[0], v.old_word.gen24);
        let old_raw_gen = v.old.raw_generation & word::GEN24;
        let used_before = v.old_word.state != State::Unused || !v.old.blank[0];
        let seq = self.take_seq(sh, |s| {
            let low24 = s as u32 & word::GEN24;
            !used_before || (s as u8 != old_pair && low24 != old_gen && low24 != old_raw_gen)
        })?;
        let generation = seq as u32;
        let naming = new.name.map(|name| Naming { name: name.to_owned(), seq, replaces });
        self.write_aux(sh, &Aux { naming, seal: None }, &[], (v.idx, generation), aux_extent);
        let hash = new.name.map_or(0, |n| self.hash(n));
        let body = Body { payload: new.payload, flags: 0, len: new.len, aux: aux_extent, seq };
        let head = Head {
            id: v.idx,
            generation,
            dtype: new.dtype,
            kind: new.kind,
            owner_id: 0,
            owner_generation: 0,
        };
        let is_dead = v.old_word.state == State::Dead;
        if is_dead && !planted!(HeadBeforeFreeWord) {
            // Before the head changes (hole 11).
            self.store_word(sh, v.idx, Word::free(v.old.raw_generation));
        }
        if let Some(p) = self.catalog.place(v.idx) {
            // {id, generation} before dead_seq = ones (hole 10), then body A.
            if planted!(DeadSeqBeforeHead) {
                sh.seam.store(p.map, p.slot_off + slot::DEAD_SEQ_OFF as u64, &NOT_DEAD.to_le_bytes());
            }
            sh.seam.store(p.map, p.slot_off, &head.encode());
            sh.seam.store(p.map, p.slot_off + slot::DEAD_SEQ_OFF as u64, &NOT_DEAD.to_le_bytes());
            sh.seam.store(p.map, p.slot_off + slot::BODY_OFF[0] as u64, &body.encode(v.idx, generation));
        }
        let word = Word {
            state: State::Live,
            active: 0,
            durable: [false; 2],
            is_list: false,
            held: false,
            gen24: generation & word::GEN24,
            tag: if new.name.is_some() { word::name_tag(hash) } else { 0 },
            pair: seq as u8,
        };
        self.store_word(sh, v.idx, word);
        Ok((generation, hash))
    }

    /// Space for the attributes of an object with this name and that many checksums; empty when there are none.
    fn reserve_aux(&mut self, sh: &Shared, name: Option<&str>, checksums: Option<u64>) -> Result<Extent> {
        match Aux::nbytes_with(name, checksums) {
            0 => Ok(Extent::EMPTY),
            n if n > aux::MAX_NBYTES => {
                Err(Error::new(Code::TooLarge, "the vector has more checksums than a seal can hold"))
            }
            n => self.allocate(sh, n).map(|(e, _)| e),
        }
    }

    /// Writes attributes into the extent reserved for them. `owner`: id and generation.
    fn write_aux(&mut self, sh: &Shared, aux: &Aux, checksums: &[u8], owner: (u32, u32), extent: Extent) {
        aux.encode(owner.0, owner.1, checksums, &mut self.scratch_buf);
        if !extent.is_empty() {
            sh.seam.region.span(extent.off, extent.nbytes).write(0, &self.scratch_buf);
            sh.seam.announce(extent.off, extent.nbytes);
        }
        // A seal's array can be long; most attributes are not.
        self.scratch_buf.shrink_to(SCRATCH_KEPT);
    }

    /// Names, renames or (`None`) unnames a record; with `replace`, the object that had the name is destroyed after the change stands.
    pub(super) fn rename_record(
        &mut self,
        sh: &Arc<Shared>,
        idx: u32,
        name: Option<&str>,
        replace: bool,
    ) -> Result<()> {
        self.begin(sh)?;
        self.prepare_names(sh)?;
        let replaced = match name {
            Some(name) => {
                check_name(name)?;
                if self.find(name)? == Some(idx) {
                    // Rule 10: an earlier opener may have named it and not synced.
                    return if sh.is_full() { self.harden(sh, idx) } else { Ok(()) };
                }
                self.claim_name(sh, name, replace)?
            }
            None => None,
        };
        let replaces = match replaced {
            Some(old) => self.record(old)?.map(|live| (live.head.id, live.head.generation)),
            None => None,
        };
        self.change_name(sh, idx, name.map(|n| (n, replaces)))?;
        if sh.is_full() {
            self.harden(sh, idx)?;
        }
        if let Some(old) = replaced {
            if let (Some(names), Some(name)) = (&mut self.names, name) {
                let hash = word::name_hash(self.name_seed, name);
                names.remove(hash, old);
            }
            self.destroy_record(sh, old, sh.is_full())?;
        }
        sh.note_commit(self);
        Ok(())
    }

    /// Rule 8 with a name given or taken away.
    pub(super) fn change_name(&mut self, sh: &Shared, idx: u32, naming: NewName<'_>) -> Result<()> {
        self.change(sh, idx, &Attributes::Name(naming))
    }

    /// Rule 8 with new attributes: the idle body is written, then the word flips.
    pub(super) fn change(&mut self, sh: &Shared, idx: u32, attributes: &Attributes<'_>) -> Result<()> {
        let Some((_, live)) = self.live_with_word(idx)? else {
            return Err(Error::new(Code::Destroyed, "the object was destroyed").with("id", idx));
        };
        let old = self.read_aux(&live)?;
        let carried = self.checksums_of(&live, &old);
        let (checksums, seal) = match attributes {
            Attributes::Seal(new) => (*new, Some(Seal::of(new))),
            Attributes::Name(_) => (&carried[..], old.seal),
        };
        let name = match attributes {
            Attributes::Name(naming) => naming.map(|(name, _)| name),
            Attributes::Seal(_) => old.naming.as_ref().map(|n| n.name.as_str()),
        };
        let aux_extent = self.reserve_aux(sh, name, seal.map(|s| u64::from(s.count)))?;
        let changed = self.change_body(sh, idx, attributes, &old, (seal, checksums), aux_extent);
        if changed.is_err() {
            self.give_back(aux_extent, Fate::Free)?;
        }
        changed
    }

    fn change_body(
        &mut self,
        sh: &Shared,
        idx: u32,
        attributes: &Attributes<'_>,
        old: &Aux,
        (seal, checksums): (Option<Seal>, &[u8]),
        aux_extent: Extent,
    ) -> Result<()> {
        let change = self.prepare_change(sh, idx)?;
        let (live, seq) = (change.live, change.seq);
        let naming = match attributes {
            Attributes::Name(new) => {
                new.map(|(name, replaces)| Naming { name: name.to_owned(), seq, replaces })
            }
            // The naming stays the act it was: its sequence ranks it among others (rule 15).
            Attributes::Seal(_) => old.naming.clone(),
        };
        let hash = naming.as_ref().map(|n| self.hash(&n.name));
        let owner = (idx, live.head.generation);
        self.write_aux(sh, &Aux { naming, seal }, checksums, owner, aux_extent);
        let flags = if seal.is_some() { live.body.flags | slot::SEALED } else { live.body.flags };
        let body = Body { aux: aux_extent, flags, seq, ..live.body };
        self.flip(sh, idx, &change, &body, hash.map_or(0, word::name_tag))?;
        let old_hash = old.naming.as_ref().map(|n| self.hash(&n.name));
        if let Some(names) = &mut self.names {
            if let Some(h) = old_hash {
                names.remove(h, idx);
            }
            if let Some(h) = hash {
                names.insert(h, idx);
            }
        }
        Ok(())
    }

    /// Rule 20: the record's bytes lie elsewhere from now on; `payload` has been copied already, attributes are copied here as they are.
    pub(super) fn move_record(
        &mut self,
        sh: &Shared,
        idx: u32,
        payload: Option<Extent>,
        aux: Option<Extent>,
    ) -> Result<()> {
        let change = self.prepare_change(sh, idx)?;
        let old = change.live.body;
        if let Some(to) = aux {
            copy(sh, old.aux, to);
        }
        let body = Body {
            payload: payload.unwrap_or(old.payload),
            aux: aux.unwrap_or(old.aux),
            seq: change.seq,
            ..old
        };
        let tag = change.word.tag;
        self.flip(sh, idx, &change, &body, tag)?;
        if let Some(to) = payload
            && let Some(key) = self.objects.by_record.get(&idx).copied()
        {
            self.objects.relocate(key, to);
        }
        Ok(())
    }

    /// Rule 8 up to the first store: the idle body may be overwritten, and the new version has its sequence.
    fn prepare_change(&mut self, sh: &Shared, idx: u32) -> Result<Change> {
        let Some((word, live)) = self.live_with_word(idx)? else {
            return Err(Error::new(Code::Destroyed, "the object was destroyed").with("id", idx));
        };
        let (active, idle) = (live.which, 1 - live.which);
        let slot =
            self.catalog.slot(idx).ok_or_else(|| Error::new(Code::Internal, "slot outside the catalog"))?;
        let horizon = if planted!(ChangeIgnoresSyncInFlight) { self.synced_seq } else { self.horizon() };
        if resolve::is_maybe_durable(&word, &slot, idle, horizon)
            && !resolve::is_durable(&word, &slot, active, self.synced_seq)
            && !planted!(OnlyDurableBodyOverwritten)
        {
            // The only durable version is never overwritten.
            self.harden(sh, idx)?;
        }
        let (word, _) = self.live_with_word(idx)?.unwrap_or((word, live));
        let abandoned = match slot.bodies[idle] {
            Some(b) => b.seq > live.body.seq,
            None => !slot.blank[idle],
        };
        if abandoned && !planted!(AbandonedBody) {
            let done = barrier_slot(sh, self, idx);
            self.barrier(sh, done)?;
        }
        let old_pair = slot.raw_pairs[idle];
        let seq = self.take_seq(sh, |s| s as u8 != old_pair && s as u8 != live.body.seq as u8)?;
        let keep = resolve::is_maybe_durable(&word, &slot, active, horizon) || word.durable[active];
        Ok(Change { word, live, seq, keep })
    }

    /// The rest of rule 8: the idle body, the word, and what only the old body had is given back.
    fn flip(&mut self, sh: &Shared, idx: u32, change: &Change, body: &Body, tag: u16) -> Result<()> {
        let Change { word, live, seq, keep } = *change;
        let idle = 1 - live.which;
        if let Some(p) = self.catalog.place(idx) {
            sh.seam.store(
                p.map,
                p.slot_off + slot::BODY_OFF[idle] as u64,
                &body.encode(idx, live.head.generation),
            );
        }
        let mut durable = word.durable;
        durable[idle] = false;
        self.store_word(sh, idx, Word { active: idle, durable, pair: seq as u8, tag, ..word });
        for e in resolve::only_in(&live.body, body) {
            self.give_back(e, if keep && !planted!(ReuseEarly) { Fate::Retire(seq) } else { Fate::Free })?;
        }
        Ok(())
    }

    /// Rule 9. `at_once`: the death is given its own barrier, so the bytes can be reused without waiting for a sync.
    pub(super) fn destroy_record(&mut self, sh: &Shared, idx: u32, at_once: bool) -> Result<()> {
        let Some((mut word, live)) = self.live_with_word(idx)? else {
            return if at_once { self.bury(sh, idx) } else { Ok(()) };
        };
        let slot =
            self.catalog.slot(idx).ok_or_else(|| Error::new(Code::Internal, "slot outside the catalog"))?;
        let name_hash = match &self.names {
            Some(_) => self.naming_of(&live)?.map(|n| self.hash(&n.name)),
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
        match self.objects.bury_record(idx, payload, fate) {
            Some((e, fate)) => self.give_back(e, fate),
            None => Ok(()),
        }
    }

    /// The live record of an open object, for callers that hold its slot index.
    pub(super) fn live(&self, idx: u32) -> Result<Live> {
        self.record(idx)?
            .ok_or_else(|| Error::new(Code::Destroyed, "the object was destroyed").with("id", idx))
    }
}
