//! Finding records: by id, by name; reading attributes; who loses where a name stands twice (rule 15).
//!
//! The first lookups scan the column of state words for the name's tag; after [`SCANS`] of them, or before the first named change, an
//! index is built. Before recovery from a machine crash a tag may be of another version than the one that counts, so slots are scanned.
//! Where a damaged record might be the one asked for, the answer is an error, never "not there".

use super::attributes::{ARRAY, FRAME, LIST, VECTOR};
use super::{Inner, Shared};
use crate::dtype::Dtype;
use crate::error::{Code, Error, Result};
use crate::format::aux::{self, Aux, Naming, Seal};
use crate::format::slot::{self, SEALED, Slot};
use crate::format::word::{self, Word};
use crate::mutants::planted;
use crate::names::Names;
use crate::region::Region;
use crate::resolve::{self, Live, Resolved};
use std::sync::Arc;

/// Lookups answered by scanning before the index is built.
const SCANS: u32 = 16;

const SEAL_DIFFERS: &str = "sealed flag, seal and length of the payload differ";
const SHAPE_DIFFERS: &str = "kind, flags, dimensions, parts and length do not go together";

/// What attributes say of the shape is what the record says.
fn has_shape_of(aux: &Aux, live: &Live) -> bool {
    let is_frame = live.head.kind == FRAME;
    let fits = match &aux.dim {
        None => live.body.shape() == 0,
        Some(dim) => {
            live.body.shape() == dim.class && live.head.kind == VECTOR && dim.len() == Some(live.body.len)
        }
    };
    fits && aux.children().next().is_some() == live.body.has_parts()
        && (is_frame || aux.row_names.is_none())
        && (aux.heap.is_empty() || live.head.dtype == Dtype::Character.code())
}

/// Element bytes of a whole record, without padding.
pub(super) fn payload_nbytes(live: &Live) -> u64 {
    live.body.len.saturating_mul(Dtype::from_code(live.head.dtype).map_or(0, Dtype::width))
}

/// Checks a name given by a user.
pub(crate) fn check_name(name: &str) -> Result<()> {
    if name.is_empty() || name.len() > aux::MAX_NAME {
        return Err(Error::new(
            Code::Argument,
            format!("a name has 1 to {} UTF-8 bytes, this one has {}", aux::MAX_NAME, name.len()),
        )
        .with("nbytes", name.len()));
    }
    Ok(())
}

impl Inner {
    /// The error for a damaged record.
    pub(super) fn damaged(&self, idx: u32, what: &str) -> Error {
        if let Err(lost) = self.loss.check() {
            return lost;
        }
        let is_word = Word::decode(self.catalog.word(idx), idx).is_none();
        let off = self.catalog.place(idx).map_or(0, |p| if is_word { p.word_off } else { p.slot_off });
        Error::corrupt(format!("record {idx}: {what}"), off).with("id", idx)
    }

    /// What a slot holds (rule 1).
    pub(super) fn resolved(&self, raw: u64, slot: &Slot, idx: u32) -> Resolved {
        self.judged(raw, slot, idx, resolve::resolve(raw, slot, idx, self.trust()))
    }

    /// The record in a slot, checked for use: bounds, type, size, and no overlap with the catalog.
    pub(super) fn record(&self, idx: u32) -> Result<Option<Live>> {
        let Some(slot) = self.catalog.slot(idx) else { return Ok(None) };
        let resolved = self.resolved(self.catalog.word(idx), &slot, idx);
        self.loss.check()?;
        match resolved {
            Resolved::Absent => Ok(None),
            Resolved::Damaged(what) => Err(self.damaged(idx, what)),
            Resolved::Live(live) => match self.flaw(&live) {
                Some(what) => Err(self.damaged(idx, what)),
                None => Ok(Some(live)),
            },
        }
    }

    /// What keeps a whole record from being used.
    pub(super) fn flaw(&self, live: &Live) -> Option<&'static str> {
        let Some(dtype) = Dtype::from_code(live.head.dtype) else { return Some("unknown element type") };
        match live.body.len.checked_mul(dtype.width()) {
            Some(nbytes) if nbytes <= live.body.payload.nbytes => {}
            _ => return Some("more elements than its bytes can hold"),
        }
        match live.head.kind {
            VECTOR if dtype != Dtype::List => {}
            LIST | FRAME if dtype == Dtype::List => {}
            _ => return Some("kind and element type do not go together"),
        }
        if live.body.aux.nbytes > aux::MAX_NBYTES {
            return Some("attributes: length out of range");
        }
        if live.body.flags & !(SEALED | slot::MATRIX | slot::ARRAY | slot::PARTS) != 0
            || live.body.shape() > ARRAY
        {
            return Some("unknown flags");
        }
        if live.body.aux.is_empty() && live.body.is_sealed() {
            return Some(SEAL_DIFFERS);
        }
        if live.body.aux.is_empty() && (live.body.shape() != 0 || live.body.has_parts()) {
            return Some(SHAPE_DIFFERS);
        }
        resolve::extents(&live.body)
            .into_iter()
            .any(|e| self.catalog.overlaps(e))
            .then_some("overlaps the catalog")
    }

    pub(super) fn read_aux(&self, live: &Live) -> Result<Aux> {
        self.read_aux_in(live, &mut Vec::new())
    }

    /// As [`Inner::read_aux`], for many: `buf` is used again.
    pub(super) fn read_aux_in(&self, live: &Live, buf: &mut Vec<u8>) -> Result<Aux> {
        let e = live.body.aux;
        if e.nbytes > aux::MAX_NBYTES || !e.is_inside(self.file_len) || self.catalog.overlaps(e) {
            return Err(self.damaged(live.head.id, "attributes: out of range"));
        }
        let span = self.region().span(e.off, e.nbytes);
        let mut head = [0u8; aux::HEAD];
        buf.clear();
        if !e.is_empty() {
            // Not as much as the body claims, which may be the whole file: as much as there is.
            span.read(0, &mut head);
            buf.resize(Aux::nbytes_used(&head, e.nbytes) as usize, 0);
            span.read(0, buf);
        }
        self.loss.check()?;
        let aux = Aux::decode(buf, e.nbytes, live.head.id, live.head.generation);
        let aux = aux.map_err(|what| self.damaged(live.head.id, what))?;
        if aux.naming.as_ref().is_some_and(|n| n.seq > live.body.seq) {
            return Err(self.damaged(live.head.id, "attributes: a name given after this version was made"));
        }
        // The flag is the fast answer, the seal the whole one: they were written together.
        let wanted = live.body.is_sealed().then(|| Seal::count_for(payload_nbytes(live)));
        if aux.seal.map(|s| u64::from(s.count)) != wanted {
            return Err(self.damaged(live.head.id, SEAL_DIFFERS));
        }
        if !has_shape_of(&aux, live) {
            return Err(self.damaged(live.head.id, SHAPE_DIFFERS));
        }
        Ok(aux)
    }

    /// The checksums of a sealed record as they stand in its attributes; none if it is not sealed.
    pub(super) fn checksums_of(&self, live: &Live, aux: &Aux) -> Vec<u8> {
        let Some(seal) = aux.seal else { return Vec::new() };
        let mut array = vec![0u8; 4 * seal.count as usize];
        self.region().span(live.body.aux.off, live.body.aux.nbytes).read(seal.off, &mut array);
        array
    }

    fn region(&self) -> &Arc<Region> {
        &self.region
    }

    pub(super) fn naming_of(&self, live: &Live) -> Result<Option<Naming>> {
        if live.body.aux.is_empty() { Ok(None) } else { Ok(self.read_aux(live)?.naming) }
    }

    /// The tag in a record's word is that of its name; with another one the name would be found or not, as the search goes.
    pub(super) fn check_tag(&self, raw: u64, live: &Live, naming: Option<&Naming>) -> Result<()> {
        let tag = naming.map_or(0, |n| word::name_tag(self.hash(&n.name)));
        match Word::decode(raw, live.head.id) {
            // The word speaks of another version where that one was lost in a machine crash.
            Some(w) if w.active == live.which && w.pair == live.body.seq as u8 && w.tag != tag => {
                Err(self.damaged(live.head.id, "state word: tag of another name"))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn hash(&self, name: &str) -> u64 {
        word::name_hash(self.name_seed, name)
    }

    /// The slot of the object with this name.
    pub(super) fn find(&mut self, name: &str) -> Result<Option<u32>> {
        if self.names.is_none() {
            self.lookups += 1;
            // A damaged record prevents the index, but must not take the other names with it.
            if self.lookups <= SCANS || self.build_names().is_err() {
                let found = self.find_by_scan(name);
                self.loss.check()?;
                return found;
            }
        }
        let found = self.find_in_index(name);
        // "Not there" is no answer where a page of names reads as zeros.
        self.loss.check()?;
        Ok(found)
    }

    fn find_in_index(&self, name: &str) -> Option<u32> {
        self.names.as_ref()?.find(self.hash(name), |idx| self.is_named(idx, name))
    }

    pub(super) fn is_named(&self, idx: u32, name: &str) -> bool {
        matches!(self.record(idx), Ok(Some(live)) if self.naming_of(&live).is_ok_and(|n| n.is_some_and(|n| n.name == name)))
    }

    pub(super) fn used_bound(&self) -> u32 {
        if self.begun { self.slots_used } else { self.catalog.capacity() }
    }

    fn find_by_scan(&self, name: &str) -> Result<Option<u32>> {
        let tag = word::name_tag(self.hash(name));
        let every_slot = !self.same_boot;
        self.catalog.read_ahead_words();
        let mut candidates = Vec::new();
        self.catalog.scan(self.used_bound(), |idx, raw| {
            if raw != 0 && (every_slot || (word::raw_is_live(raw) && word::raw_tag(raw) == tag)) {
                candidates.push(idx);
            }
            true
        });
        let mut best: Option<(u64, u32)> = None;
        let mut damage = None;
        for idx in candidates {
            let naming = self.record(idx).and_then(|r| r.map_or(Ok(None), |live| self.naming_of(&live)));
            match naming {
                Ok(Some(n)) if n.name == name => {
                    let seq = if planted!(NameOrderByGeneration) {
                        self.record(idx)?.map_or(0, |live| u64::from(live.head.generation))
                    } else {
                        n.seq
                    };
                    best = best.max(Some((seq, idx)));
                }
                Ok(_) => {}
                Err(e) => damage = Some(e),
            }
        }
        match (best, damage) {
            (Some((_, idx)), _) => Ok(Some(idx)),
            (None, Some(e)) => Err(e),
            (None, None) => self.check_all_words().map(|()| None),
        }
    }

    /// "Not there" is only an answer when no word is damaged.
    pub(super) fn check_all_words(&self) -> Result<()> {
        let mut bad = None;
        let must_be_used = self.sb.slots_used;
        self.catalog.scan(self.used_bound(), |idx, raw| {
            if Word::decode(raw, idx).is_none() || (raw == 0 && idx < must_be_used) {
                bad = Some(idx);
            }
            bad.is_none()
        });
        match bad {
            Some(idx) => Err(self.damaged(idx, "state word: damaged, so a name may be missing")),
            None => Ok(()),
        }
    }

    /// Builds the index; a record that cannot be read is an error, since its name would seem free.
    pub(super) fn build_names(&mut self) -> Result<()> {
        if self.names.is_some() { Ok(()) } else { self.build_names_telling(|_, _| {}) }
    }

    /// Builds the index from nothing and calls `tell` for every record with a name, in the order of slots, those that lose it too.
    pub(super) fn build_names_telling(&mut self, mut tell: impl FnMut(&Live, &str)) -> Result<()> {
        self.check_all_words()?;
        let mut names = Names::default();
        let bound = if self.begun { self.slots_used } else { self.catalog.used_end() };
        names.reserve(bound as usize);
        let mut losers = Vec::new();
        let mut failed = None;
        let mut buf = Vec::new();
        self.catalog.scan(bound, |idx, raw| {
            if raw == 0 {
                return true;
            }
            let naming = self.record(idx).and_then(|r| match r {
                Some(live) => {
                    let naming = self.read_aux_in(&live, &mut buf)?.naming;
                    self.check_tag(raw, &live, naming.as_ref())?;
                    if let Some(n) = &naming {
                        tell(&live, &n.name);
                    }
                    Ok(naming)
                }
                None => Ok(None),
            });
            match naming {
                Ok(None) => {}
                Ok(Some(n)) => {
                    let hash = self.hash(&n.name);
                    match names.find(hash, |other| self.is_named(other, &n.name)) {
                        None => names.insert(hash, idx),
                        Some(other) => {
                            let other_seq = self
                                .record(other)
                                .ok()
                                .flatten()
                                .and_then(|l| self.naming_of(&l).ok().flatten());
                            let by_generation = |i| self.record(i).ok().flatten().map(|l| l.head.generation);
                            let is_later = if planted!(NameOrderByGeneration) {
                                by_generation(other) > by_generation(idx)
                            } else {
                                other_seq.is_some_and(|o| o.seq > n.seq)
                            };
                            if is_later {
                                losers.push((idx, other));
                            } else {
                                names.remove(hash, other);
                                names.insert(hash, idx);
                                losers.push((other, idx));
                            }
                        }
                    }
                }
                Err(e) => failed = Some(e),
            }
            failed.is_none()
        });
        self.loss.check()?;
        if let Some(e) = failed {
            return Err(e);
        }
        self.names = Some(names);
        self.losers = losers;
        Ok(())
    }

    /// Rule 15, before any named change: the index is there and every name stands once.
    pub(super) fn prepare_names(&mut self, sh: &Shared) -> Result<()> {
        self.build_names()?;
        self.settle_losers(sh)
    }

    /// A loser that a later naming act replaced dies of it; any other one only loses the name (a power cut may have reverted the act that
    /// took the name away from it, and destroying it would lose data). Of several the oldest goes first: whatever interrupts this, the
    /// act that replaced a loser is still there to say so.
    pub(super) fn settle_losers(&mut self, sh: &Shared) -> Result<()> {
        if !self.begun || self.losers.is_empty() || planted!(LosersNotSettled) {
            return Ok(());
        }
        for (loser, dies) in self.judge_losers()? {
            if dies {
                self.destroy_record(sh, loser, false)?;
            } else {
                self.change_name(sh, loser, None)?;
            }
            self.losers.retain(|(l, _)| *l != loser);
        }
        self.losers.clear();
        Ok(())
    }

    /// The losers, the oldest naming first, and whether each dies or only loses its name.
    pub(super) fn judge_losers(&self) -> Result<Vec<(u32, bool)>> {
        let mut replaced = Vec::new();
        let mut order = Vec::new();
        for (loser, winner) in self.losers.iter().copied() {
            for idx in [loser, winner] {
                if let Some(live) = self.record(idx)?
                    && let Some(n) = self.naming_of(&live)?
                {
                    replaced.extend(n.replaces);
                    if idx == loser {
                        order.push((n.seq, loser, (live.head.id, live.head.generation)));
                    }
                }
            }
        }
        order.sort_unstable();
        Ok(order
            .into_iter()
            .map(|(_, loser, key)| (loser, replaced.contains(&key) || planted!(EveryLoserDies)))
            .collect())
    }
}
