//! Changing records: rule 8 with another name, a seal or other attributes, and the moves of compaction (20). Everything here runs under
//! the store mutex, after `begin`.
//!
//! What can fail comes before the first store that matters, as in `record`; the state word is stored last.

use super::attributes::{Attrs, Child};
use super::harden::barrier_slot;
use super::objects::{Fate, Owner};
use super::record::{Made, NewName};
use super::space::copy;
use super::{Inner, Shared};
use crate::error::{Code, Error, Result};
use crate::format::Extent;
use crate::format::aux::{Aux, Naming, Seal};
use crate::format::slot::{self, Body};
use crate::format::word::{self, Word};
use crate::mutants::planted;
use crate::resolve::{self, Live};
use hashbrown::HashMap;
use std::sync::Arc;

/// What a change makes of a record's attributes. Everything it does not speak of is carried over.
pub(super) enum Attributes<'a> {
    /// The object gets this name, or loses the one it had.
    Name(NewName<'a>),
    /// The payload is immutable from now on; these are its checksums.
    Seal(&'a [u8]),
    /// Everything but name and seal is this.
    Set(&'a Attrs),
    /// The same, and the elements, text with another heap, lie there.
    Text(&'a Attrs, Extent),
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
    /// Rule 8 with a name given or taken away.
    pub(super) fn change_name(&mut self, sh: &Shared, idx: u32, naming: NewName<'_>) -> Result<()> {
        self.change(sh, idx, &Attributes::Name(naming))
    }

    /// Rules 8 and 25: a record gets other attributes, whose new children are made before it; those it no longer names die after it.
    pub(super) fn change_attributes(&mut self, sh: &Arc<Shared>, idx: u32, new: &Attrs) -> Result<()> {
        self.begin(sh)?;
        self.check_not_busy(idx)?;
        let old = self.read_aux(&self.live(idx)?)?;
        self.change(sh, idx, &Attributes::Set(new))?;
        if sh.is_full() {
            self.harden(sh, idx)?;
        }
        let kept: Vec<_> = new.children().collect();
        for key in old.children().filter(|k| !kept.contains(&&Child::Record(*k))) {
            self.destroy_child(sh, idx, key, sh.is_full())?;
        }
        sh.note_commit(self);
        Ok(())
    }

    /// Rule 8 with new attributes: the idle body is written, then the word flips.
    pub(super) fn change(&mut self, sh: &Shared, idx: u32, attributes: &Attributes<'_>) -> Result<()> {
        let Some((_, live)) = self.live_with_word(idx)? else {
            return Err(Error::new(Code::Destroyed, "the object was destroyed").with("id", idx));
        };
        let old = self.read_aux(&live)?;
        let carried = self.checksums_of(&live, &old);
        let checksums = if let Attributes::Seal(new) = attributes { *new } else { &carried[..] };
        let new = changed(&old, attributes, 0, |_| (0, 1));
        let aux_extent =
            self.reserve_aux(sh, new.nbytes(checksums.len() as u64 / 4), checksums.len() as u64 / 4)?;
        let mut made = Vec::new();
        let changed = self.change_body(sh, idx, attributes, &old, (checksums, aux_extent), &mut made);
        if changed.is_err() {
            self.unmake(sh, made)?;
            self.give_back(aux_extent, Fate::Free)?;
            return changed;
        }
        self.settle_made(made)?;
        if let Some(key) = self.objects.by_record.get(&idx).copied()
            && let Some(Some(o)) = self.objects.slab.get_mut(key as usize)
        {
            o.has_aux = !aux_extent.is_empty();
        }
        Ok(())
    }

    fn change_body(
        &mut self,
        sh: &Shared,
        idx: u32,
        attributes: &Attributes<'_>,
        old: &Aux,
        (checksums, aux_extent): (&[u8], Extent),
        made: &mut Vec<Made>,
    ) -> Result<()> {
        let owner = (idx, self.live(idx)?.head.generation);
        let mut keys = HashMap::new();
        if let Attributes::Set(attrs) | Attributes::Text(attrs, _) = attributes {
            // Rule 25: before the version that names them takes its sequence.
            for child in attrs.children().filter_map(Child::open) {
                keys.insert(child.0, self.make_child(sh, child, owner, false, made)?);
            }
        }
        let change = self.prepare_change(sh, idx)?;
        let (live, seq) = (change.live, change.seq);
        let aux = changed(old, attributes, seq, |child| match child {
            Child::Record(key) => *key,
            Child::Open(key, _) => keys.get(key).copied().unwrap_or_default(),
        });
        let hash = aux.naming.as_ref().map(|n| self.hash(&n.name));
        self.write_aux(sh, &aux, checksums, owner, aux_extent);
        let payload = if let Attributes::Text(_, to) = attributes { *to } else { live.body.payload };
        let body = Body { payload, aux: aux_extent, flags: aux.body_flags(), seq, ..live.body };
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
        if let Some(to) = payload {
            match self.objects.by_record.get(&idx).copied() {
                Some(key) => self.objects.relocate(key, to),
                None => self.objects.renew_owner(change.live.head.owner().map(|(_, o)| Owner::Record(o))),
            }
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
}

/// The attributes after a change. `seq`: of the new version.
fn changed(old: &Aux, change: &Attributes<'_>, seq: u64, key_of: impl Fn(&Child) -> (u32, u32)) -> Aux {
    match change {
        Attributes::Name(new) => Aux { naming: Naming::of(*new, seq), ..old.clone() },
        // The naming stays the act it was: its sequence ranks it among others (rule 15).
        Attributes::Seal(checksums) => Aux { seal: Some(Seal::of(checksums)), ..old.clone() },
        Attributes::Set(attrs) | Attributes::Text(attrs, _) => {
            attrs.to_aux(old.naming.clone(), old.seal, key_of)
        }
    }
}
