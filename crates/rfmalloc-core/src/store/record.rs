//! Making records: create (rule 7) and replace (10), one object or a tree of an object and its children. Everything here runs under the
//! store mutex, after `begin`.
//!
//! What can fail (space, the lease, a barrier) happens before the first store that matters; from there on the steps are plain stores in
//! the order of the rules, the state word last. Space comes first of all: an act that finds none has taken neither a slot nor a sequence
//! yet, so `Store::with_space` can sync and run it once more. Of a tree the children are made first (rule 25): what has been made of it when
//! the rest fails is taken back by `unmake`.

use super::attributes::{Attrs, Child, LIST};
use super::find::check_name;
use super::frames::Column;
use super::lists::write_cells;
use super::objects::Fate;
use super::{Inner, Shared};
use crate::error::{Code, Error, Result};
use crate::format::Extent;
use crate::format::aux::{self, Aux, Key, Naming};
use crate::format::slot::{self, Body, Head, NOT_DEAD};
use crate::format::word::{self, State, Word};
use crate::mutants::planted;
use crate::resolve::Live;
use hashbrown::HashMap;
use std::sync::Arc;

/// What a new record is made of.
pub(super) struct NewRecord<'a> {
    pub(super) dtype: u8,
    /// Of the head: 0, 3 or 4.
    pub(super) kind: u8,
    pub(super) len: u64,
    pub(super) payload: Extent,
    /// Whose child it is; (0, 0): nobody's.
    pub(super) owner: Key,
    /// A list or frame is about to hold it.
    pub(super) held: bool,
    pub(super) attrs: &'a Attrs,
    /// What a list or frame holds: its payload is made from this.
    pub(super) cells: Option<&'a [Option<Child>]>,
}

/// A record that was made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Created {
    pub(super) idx: u32,
    pub(super) generation: u32,
    pub(super) payload: Extent,
    pub(super) aux: Extent,
}

/// A record that was made of an open object, while the rest of its tree may still fail.
pub(super) struct Made {
    pub(super) key: u32,
    pub(super) owner: Key,
    pub(super) created: Created,
}

/// The object whose name a new one takes, and what becomes of it.
struct Replaced {
    idx: u32,
    key: Key,
    /// False: a list or frame holds it, so it only loses the name.
    dies: bool,
    /// Of a frame that dies: the columns that end with it.
    columns: Vec<Column>,
}

/// Bytes that the buffer of attributes keeps between two acts.
const SCRATCH_KEPT: usize = 64 * 1024;

/// A name to be given, with id and generation of the object it is taken from; `None`: the name goes.
pub(super) type NewName<'a> = Option<(&'a str, Option<Key>)>;

/// A slot chosen for a new record, and what stands in it.
struct Vacancy {
    idx: u32,
    old_word: Word,
    old: slot::Slot,
}

impl Inner {
    /// Rules 7 and 10: makes the record, and those of its children. The payload is already written, but for a list's.
    pub(super) fn create_record(
        &mut self,
        sh: &Arc<Shared>,
        new: &NewRecord<'_>,
        name: Option<&str>,
        replace: bool,
    ) -> Result<Created> {
        self.begin(sh)?;
        let replaced = match name {
            Some(name) => self.claim_name(sh, name, replace)?,
            None => None,
        };
        if planted!(TombstoneBeforeSuccessor)
            && let Some(old) = &replaced
        {
            self.destroy_record(sh, old.idx, false)?;
        }
        let naming = name.map(|n| (n, replaced.as_ref().filter(|r| r.dies).map(|r| r.key)));
        let mut made = Vec::new();
        let created = match self.make_record(sh, new, naming, &mut made) {
            Ok(created) => created,
            Err(e) => {
                self.unmake(sh, made)?;
                return Err(e);
            }
        };
        self.settle_made(made)?;
        if let Some(name) = name {
            let hash = self.hash(name);
            if let Some(names) = &mut self.names {
                if let Some(old) = &replaced {
                    names.remove(hash, old.idx);
                }
                names.insert(hash, created.idx);
            }
        }
        if sh.is_full() {
            self.harden_held(sh, created.idx)?;
        }
        if let Some(old) = replaced {
            // Rule 10: after the new record stands, and under full durability with a barrier of its own.
            self.end_replaced(sh, old, created.idx)?;
        }
        sh.note_commit(self);
        Ok(created)
    }

    /// The name has gone to `winner`.
    fn end_replaced(&mut self, sh: &Shared, old: Replaced, winner: u32) -> Result<()> {
        if old.dies {
            let at_once = sh.is_full() && !planted!(FullDeathVolatile);
            self.destroy_record(sh, old.idx, at_once)?;
            return self.end_columns(sh, old.columns, at_once);
        }
        match self.change_name(sh, old.idx, None) {
            // Rule 15 does it before the next named change, and until then the later naming counts.
            Err(e) if e.code() == Code::NoSpace => {
                self.losers.push((old.idx, winner));
                Ok(())
            }
            Ok(()) if sh.is_full() => self.harden(sh, old.idx),
            done => done,
        }
    }

    /// The object that holds the name now, which the caller replaces; `None`: the name is free.
    fn claim_name(&mut self, sh: &Shared, name: &str, replace: bool) -> Result<Option<Replaced>> {
        check_name(name)?;
        self.prepare_names(sh)?;
        let Some(idx) = self.find(name)? else { return Ok(None) };
        if !replace {
            return Err(Error::new(
                Code::Exists,
                format!("the name '{name}' is taken; pass {{ replace: true }} to replace the object, or choose another name"),
            )
            .with("name", name));
        }
        self.check_not_busy(idx)?;
        let live = self.live(idx)?;
        let key = (idx, live.head.generation);
        let dies = self.parents_of(idx)? == 0;
        let columns = if dies { self.columns_of(Column::Record(key), false)? } else { Vec::new() };
        self.check_columns(&columns)?;
        Ok(Some(Replaced { idx, key, dies, columns }))
    }

    /// No operation runs on the object or one of its children.
    pub(super) fn check_not_busy(&self, idx: u32) -> Result<()> {
        if self.objects.running() == 0 {
            return Ok(());
        }
        if self.owned_tree(idx).into_iter().any(|idx| self.objects.is_record_busy(idx)) {
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

    fn return_slot(&mut self, sh: &Shared, v: &Vacancy) {
        if v.old_word.state == State::Unused {
            if v.idx + 1 == self.slots_used {
                self.slots_used -= 1;
                return;
            }
            // A child has taken the next one, and no slot below a used one may have the word 0.
            self.store_word(sh, v.idx, Word::free(v.old.raw_generation));
        }
        self.free_slots.push(v.idx);
    }

    /// One record of a tree, its children before it. Those go to `made`, also where this fails after some of them.
    pub(super) fn make_record(
        &mut self,
        sh: &Shared,
        new: &NewRecord<'_>,
        naming: NewName<'_>,
        made: &mut Vec<Made>,
    ) -> Result<Created> {
        // Nearly all have a name and nothing else.
        let nbytes = match naming {
            Some((name, _)) if new.attrs.is_empty() => Aux::nbytes_named(name.len()),
            None if new.attrs.is_empty() => 0,
            _ => new.attrs.to_aux(Naming::of(naming, 0), None, |_| (0, 1)).nbytes(0),
        };
        let aux = self.reserve_aux(sh, nbytes, 0)?;
        let payload = match new.cells {
            Some(cells) => self.reserve_cells(sh, cells.len() as u64),
            None => Ok(new.payload),
        };
        let done = payload.and_then(|payload| {
            let written = self.take_slot(sh).and_then(|vacancy| {
                let written = self.write_record(sh, new, &vacancy, (payload, aux), naming, made);
                if written.is_err() {
                    self.return_slot(sh, &vacancy);
                }
                written
            });
            if written.is_err() && new.cells.is_some() {
                self.give_back(payload, Fate::Free)?;
            }
            written
        });
        if done.is_err() {
            self.give_back(aux, Fate::Free)?;
        }
        done
    }

    fn write_record(
        &mut self,
        sh: &Shared,
        new: &NewRecord<'_>,
        v: &Vacancy,
        (payload, aux_extent): (Extent, Extent),
        naming: NewName<'_>,
        made: &mut Vec<Made>,
    ) -> Result<Created> {
        // Rules 6 and (hole ii): differ from what stands in body A and, in the low 24 bits, from the slot's last generation.
        let (old_pair, old_gen) = (v.old.raw_pairs[0], v.old_word.gen24);
        let old_raw_gen = v.old.raw_generation & word::GEN24;
        let used_before = v.old_word.state != State::Unused || !v.old.blank[0];
        let is_new_generation = |s: u64| {
            let low24 = s as u32 & word::GEN24;
            !used_before || (low24 != old_gen && low24 != old_raw_gen)
        };
        let is_new_pair = |s: u64| !used_before || s as u8 != old_pair;
        // Rule 25: children have lower sequences than the version that names them, and know its generation.
        let open: Vec<_> = new.attrs.children().filter_map(Child::open).collect();
        let early = if open.is_empty() { None } else { Some(self.take_seq(sh, is_new_generation)?) };
        let mut keys = HashMap::new();
        for (key, serial) in open {
            let owner = (v.idx, early.unwrap_or_default() as u32);
            keys.insert(key, self.make_child(sh, (key, serial), owner, false, made)?);
        }
        let cells = new.cells.map(|cells| self.make_held(sh, cells, made)).transpose()?;
        let seq = self.take_seq(sh, |s| is_new_pair(s) && (early.is_some() || is_new_generation(s)))?;
        let generation = early.unwrap_or(seq) as u32;
        let tag = naming.map_or(0, |(name, _)| word::name_tag(self.hash(name)));
        let aux = new.attrs.to_aux(Naming::of(naming, seq), None, |child| known_key(child, &keys));
        self.write_aux(sh, &aux, &[], (v.idx, generation), aux_extent);
        if let Some(cells) = &cells {
            write_cells(sh, payload, cells);
        }
        let body = Body { payload, flags: aux.body_flags(), len: new.len, aux: aux_extent, seq };
        let head = Head {
            id: v.idx,
            generation,
            dtype: new.dtype,
            kind: new.kind,
            owner_id: new.owner.0,
            owner_generation: new.owner.1,
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
            is_list: new.kind >= LIST,
            held: new.held,
            gen24: generation & word::GEN24,
            tag,
            pair: seq as u8,
        };
        self.store_word(sh, v.idx, word);
        Ok(Created { idx: v.idx, generation, payload, aux: aux_extent })
    }

    /// Space for attributes of so many bytes, the checksums among them; empty when there are none.
    pub(super) fn reserve_aux(&mut self, sh: &Shared, nbytes: u64, checksums: u64) -> Result<Extent> {
        match nbytes {
            0 => Ok(Extent::EMPTY),
            n if n - 4 * checksums > aux::MAX_USED => Err(Error::new(
                Code::TooLarge,
                format!("the attributes of one object have at most {} bytes", aux::MAX_USED),
            )),
            n if n > aux::MAX_NBYTES => {
                Err(Error::new(Code::TooLarge, "the vector has more checksums than a seal can hold"))
            }
            n => self.allocate(sh, n).map(|(e, _)| e),
        }
    }

    /// Writes attributes into the extent reserved for them. `owner`: id and generation.
    pub(super) fn write_aux(
        &mut self,
        sh: &Shared,
        aux: &Aux,
        checksums: &[u8],
        owner: (u32, u32),
        extent: Extent,
    ) {
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
                    return if sh.is_full() { self.harden_held(sh, idx) } else { Ok(()) };
                }
                self.claim_name(sh, name, replace)?
            }
            None => None,
        };
        let replaced = replaced.map(|old| Replaced {
            // A column that takes its frame's name has one of its own.
            columns: old.columns.into_iter().filter(|column| !column.is_record(idx)).collect(),
            ..old
        });
        let replaces = replaced.as_ref().filter(|r| r.dies).map(|r| r.key);
        self.change_name(sh, idx, name.map(|n| (n, replaces)))?;
        if sh.is_full() {
            self.harden(sh, idx)?;
        }
        if let Some(old) = replaced {
            if let (Some(names), Some(name)) = (&mut self.names, name) {
                let hash = word::name_hash(self.name_seed, name);
                names.remove(hash, old.idx);
            }
            self.end_replaced(sh, old, idx)?;
        }
        sh.note_commit(self);
        Ok(())
    }

    /// The live record of an open object, for callers that hold its slot index.
    pub(super) fn live(&self, idx: u32) -> Result<Live> {
        self.record(idx)?
            .ok_or_else(|| Error::new(Code::Destroyed, "the object was destroyed").with("id", idx))
    }
}

fn known_key(child: &Child, keys: &HashMap<u32, Key>) -> Key {
    match child {
        Child::Record(key) => *key,
        // Every open child was made a record just before.
        Child::Open(key, _) => keys.get(key).copied().unwrap_or_default(),
    }
}
