//! A walk over the catalog: every object that a name or a reference can mean, in batches, so that nobody else waits long.

use super::attributes::LIST;
use super::{Inner, Mode, Store};
use crate::dtype::Dtype;
use crate::error::Result;
use crate::resolve::{Live, Resolved};

/// Records looked at in one critical section.
const BATCH: u32 = 4096;

/// One object of the catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// See [`ObjectFacts::id`](crate::ObjectFacts::id).
    pub id: u64,
    /// See [`ObjectFacts::generation`](crate::ObjectFacts::generation).
    pub generation: u64,
    /// Element type; `None`: the record is damaged, and of the rest only the id is known.
    pub dtype: Option<Dtype>,
    /// [`VECTOR`](crate::VECTOR), [`MATRIX`](crate::MATRIX), [`ARRAY`](crate::ARRAY), [`LIST`](crate::LIST) or [`FRAME`](crate::FRAME).
    pub kind: u8,
    /// Elements.
    pub len: u64,
    /// Name in the store.
    pub name: Option<String>,
}

impl Entry {
    pub(super) fn damaged(idx: u32, generation: u32) -> Self {
        let (id, generation) = (u64::from(idx), u64::from(generation));
        Self { id, generation, dtype: None, kind: 0, len: 0, name: None }
    }
}

impl Store {
    /// Calls `visit` for every committed object that is no part of another one, in no particular order, until it answers false. No lock is
    /// held meanwhile: it may use the store, and what is made or destroyed during the walk is met or not.
    ///
    /// # Errors
    /// `IO`: bytes of the catalog are lost; `CLOSED`.
    pub fn walk(&self, mut visit: impl FnMut(&Entry) -> bool) -> Result<()> {
        let sh = self.shared()?;
        let mut from = 0;
        let mut batch = Vec::new();
        loop {
            let inner = sh.lock_open()?;
            let end = match sh.mode {
                Mode::Scratch => inner.objects.slab.len() as u32,
                Mode::Persistent if inner.begun => inner.slots_used,
                Mode::Persistent => inner.catalog.used_end(),
            };
            let to = end.min(from + BATCH);
            match sh.mode {
                Mode::Scratch => batch.extend((from..to).filter_map(|key| inner.scratch_entry(key))),
                Mode::Persistent => batch.extend((from..to).filter_map(|idx| inner.record_entry(idx))),
            }
            inner.loss.check()?;
            drop(inner);
            if !batch.drain(..).all(|entry| visit(&entry)) || to >= end {
                return Ok(());
            }
            from = to;
        }
    }
}

impl Inner {
    pub(super) fn record_entry(&self, idx: u32) -> Option<Entry> {
        let (raw, slot) = (self.catalog.word(idx), self.catalog.slot(idx)?);
        let damaged = |generation| Entry::damaged(idx, generation);
        match self.resolved(raw, &slot, idx) {
            // The superblock says that the slot was used, and a used slot's word is never zero again.
            Resolved::Absent if raw == 0 && idx < self.sb.slots_used => Some(damaged(slot.raw_generation)),
            Resolved::Absent => None,
            Resolved::Damaged(_) => Some(damaged(slot.raw_generation)),
            Resolved::Live(live) if live.head.owner().is_some() => None,
            Resolved::Live(live) => {
                Some(self.live_entry(&live).unwrap_or_else(|| damaged(live.head.generation)))
            }
        }
    }

    /// `None`: it is damaged.
    fn live_entry(&self, live: &Live) -> Option<Entry> {
        if self.flaw(live).is_some() {
            return None;
        }
        Some(Entry {
            id: u64::from(live.head.id),
            generation: u64::from(live.head.generation),
            dtype: Dtype::from_code(live.head.dtype),
            kind: live.kind(),
            len: live.body.len,
            name: self.naming_of(live).ok()?.map(|n| n.name),
        })
    }

    /// Scratch stores have no records: their committed objects stand in the table of open ones.
    pub(super) fn scratch_entry(&self, key: u32) -> Option<Entry> {
        let o = self.objects.slab.get(key as usize)?.as_ref()?;
        (o.alive && o.committed && o.owner.is_none()).then(|| Entry {
            id: o.id,
            generation: o.generation,
            dtype: Some(o.dtype),
            kind: o.kind,
            len: o.len,
            name: o.name.clone(),
        })
    }
}

impl Live {
    /// What it is: of a vector its shape says so, lists and frames are what they were made as.
    pub(super) fn kind(&self) -> u8 {
        if self.head.kind < LIST { self.body.shape() } else { self.head.kind }
    }
}
