//! What a store says of itself: its records, its numbers, the summary R's package gives (behaviours 6.1–6.24).

use super::{Inner, Mode, Store};
use crate::dtype::Dtype;
use crate::error::Result;
use crate::format::HEADER_BYTES;
use crate::format::slot::Slot;
use crate::format::word::{State, Word};
use crate::resolve::{Live, Resolved};

/// One row of the catalog.
#[derive(Clone, Debug)]
pub struct RecordRow {
    /// Byte offset of the record in the file.
    pub record_off: u64,
    /// Unique, rising with creation.
    pub generation: u32,
    /// `committed`, `tombstone` or `unknown` (damaged).
    pub state: &'static str,
    /// R's name of the type, or `unknown`.
    pub dtype: &'static str,
    /// Elements.
    pub len: u64,
    /// Byte offset of the payload in the file, 0 when empty.
    pub payload_off: u64,
    /// Payload bytes.
    pub payload_nbytes: u64,
    /// 1 recoverable, 2 string payload, 4 container.
    pub flags: u32,
    /// A reference to it can be opened later.
    pub recoverable: bool,
    /// Name in the store.
    pub name: Option<String>,
    /// A part of another object: its names, the bytes of its long strings.
    pub(crate) is_part: bool,
}

/// Numbers of an open store.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, each documented")]
pub struct Info {
    /// Bytes of the file that are mapped.
    pub mapped_bytes: u64,
    /// Live handles of all threads.
    pub live_vectors: u64,
    /// Buffers given out over payloads and not yet collected.
    pub external_refs: u64,
    /// Byte offset of the first catalog segment.
    pub catalog_head_off: u64,
    /// Live records.
    pub catalog_count: u64,
    /// The last sequence number issued.
    pub catalog_epoch: u64,
    /// File length in bytes.
    pub nbytes: u64,
    /// Everything up to this sequence is on stable storage.
    pub synced_seq: u64,
    /// Whether the file had been closed cleanly before this open.
    pub was_clean: bool,
    /// Only one superblock copy was valid at open.
    pub one_superblock: bool,
    /// Records that a machine crash had left unfinished and recovery dropped.
    pub discarded: u64,
    /// Objects kept after a machine crash in a version that no sync had covered.
    pub kept: u64,
    /// A machine crash has not been settled yet: the first change will.
    pub is_unsettled: bool,
    /// An earlier sync failed.
    pub poisoned: bool,
    /// Objects that the last compaction of this process left where they were because somebody held them.
    pub held_back: u64,
}

/// The summary of R's `diagnose_fmalloc_runtime`.
#[derive(Clone, Copy, Debug, Default)]
#[expect(missing_docs, reason = "R's names, explained in behaviours 6.22 and 6.23")]
pub struct Summary {
    pub records: u64,
    pub committed: u64,
    pub tombstoned: u64,
    pub unknown: u64,
    pub recoverable: u64,
    pub nonrecoverable_active: u64,
    pub active_payload_bytes: u64,
    pub tombstoned_payload_bytes: u64,
    pub committed_payload_gaps_bytes: u64,
    pub potentially_reclaimable_payload_bytes: u64,
}

const FLAG_RECOVERABLE: u32 = 1;

/// 2: a payload of text; 4: a container.
fn flags_of(dtype: Option<Dtype>) -> u32 {
    match dtype {
        Some(Dtype::Character) => 2,
        Some(Dtype::List) => 4,
        _ => 0,
    }
}

impl Inner {
    fn row(&self, idx: u32, raw: u64, slot: &Slot) -> Option<RecordRow> {
        let word = Word::decode(raw, idx);
        let record_off = self.catalog.place(idx).map_or(0, |p| p.slot_off);
        let unknown = |generation| RecordRow {
            record_off,
            generation,
            state: "unknown",
            dtype: "unknown",
            len: 0,
            payload_off: 0,
            payload_nbytes: 0,
            flags: 0,
            recoverable: false,
            name: None,
            is_part: false,
        };
        match self.resolved(raw, slot, idx) {
            Resolved::Live(live) => {
                if self.flaw(&live).is_some() {
                    return Some(unknown(live.head.generation));
                }
                Some(self.live_row(record_off, &live, "committed"))
            }
            Resolved::Damaged(_) => Some(unknown(slot.raw_generation)),
            Resolved::Absent => {
                // A tombstone has a row until its slot and bytes can be used again.
                let w = word.filter(|w| w.state == State::Dead && slot.dead_seq > self.synced_seq)?;
                let (head, body) = (slot.head?, slot.bodies[w.active]?);
                Some(self.live_row(record_off, &Live { head, which: w.active, body }, "tombstone"))
            }
        }
    }

    fn live_row(&self, record_off: u64, live: &Live, state: &'static str) -> RecordRow {
        let dtype = Dtype::from_code(live.head.dtype);
        let is_live = state == "committed";
        RecordRow {
            record_off,
            generation: live.head.generation,
            state,
            dtype: dtype.map_or("unknown", Dtype::name),
            len: live.body.len,
            payload_off: live.body.payload.off,
            payload_nbytes: live.body.len.saturating_mul(dtype.map_or(0, Dtype::width)),
            flags: if is_live { FLAG_RECOVERABLE | flags_of(dtype) } else { 0 },
            recoverable: is_live,
            name: if is_live { self.naming_of(live).ok().flatten().map(|n| n.name) } else { None },
            is_part: live.head.owner().is_some(),
        }
    }

    fn rows(&self) -> Vec<RecordRow> {
        let bound = if self.begun { self.slots_used } else { self.catalog.used_end() };
        let mut rows = Vec::new();
        self.catalog.scan(bound, |idx, raw| {
            if raw != 0
                && let Some(slot) = self.catalog.slot(idx)
            {
                rows.extend(self.row(idx, raw, &slot));
            }
            true
        });
        rows.sort_by_key(|r| std::cmp::Reverse(r.generation));
        rows
    }

    fn live_count(&self) -> u64 {
        let bound = if self.begun { self.slots_used } else { self.catalog.used_end() };
        let mut n = 0;
        self.catalog.scan(bound, |idx, raw| {
            if raw != 0
                && let Some(slot) = self.catalog.slot(idx)
            {
                n += u64::from(matches!(self.resolved(raw, &slot, idx), Resolved::Live(_)));
            }
            true
        });
        n
    }
}

/// Behaviours 6.22, 6.23: totals over the rows; gaps are the bytes between neighbouring committed payloads.
fn summarise(rows: &[RecordRow]) -> Summary {
    let mut s = Summary { records: rows.len() as u64, ..Summary::default() };
    let mut spans = Vec::new();
    for r in rows {
        if r.is_part && r.payload_nbytes > 0 && r.state == "committed" {
            // Its bytes are its owner's: no record of the user's, and no gap.
            spans.push((r.payload_off, r.payload_off + r.payload_nbytes));
        }
        if r.is_part {
            s.records -= 1;
            continue;
        }
        match r.state {
            "committed" => {
                s.committed += 1;
                s.active_payload_bytes = s.active_payload_bytes.saturating_add(r.payload_nbytes);
                if r.recoverable {
                    s.recoverable += 1;
                } else {
                    s.nonrecoverable_active += 1;
                }
                if r.payload_nbytes > 0 {
                    spans.push((r.payload_off, r.payload_off + r.payload_nbytes));
                }
            }
            "tombstone" => {
                s.tombstoned += 1;
                s.tombstoned_payload_bytes = s.tombstoned_payload_bytes.saturating_add(r.payload_nbytes);
            }
            _ => s.unknown += 1,
        }
    }
    spans.sort_unstable();
    s.committed_payload_gaps_bytes = spans.windows(2).map(|w| w[1].0.saturating_sub(w[0].1)).sum();
    s.potentially_reclaimable_payload_bytes =
        s.tombstoned_payload_bytes.saturating_add(s.committed_payload_gaps_bytes);
    s
}

impl Store {
    /// Every record but those that are parts of others, newest first; tombstones until they are reusable. Scratch stores have none.
    pub fn allocations(&self) -> Result<Vec<RecordRow>> {
        let mut rows = self.every_row()?;
        rows.retain(|r| !r.is_part);
        Ok(rows)
    }

    fn every_row(&self) -> Result<Vec<RecordRow>> {
        let sh = self.shared()?;
        let inner = sh.lock_open()?;
        let rows = if sh.mode == Mode::Scratch { Vec::new() } else { inner.rows() };
        inner.loss.check()?;
        Ok(rows)
    }

    /// Totals over [`Store::allocations`].
    pub fn summary(&self) -> Result<Summary> {
        Ok(summarise(&self.every_row()?))
    }

    /// Objects that the first change will drop for good after a machine crash. Counted at open: nothing is read here.
    ///
    /// # Errors
    /// `CLOSED`.
    pub fn discarding(&self) -> Result<u64> {
        let inner = self.shared()?.lock_open_for_elements()?;
        Ok(if inner.same_boot { 0 } else { inner.picture.discarded })
    }

    /// The store's numbers.
    pub fn info(&self) -> Result<Info> {
        let sh = self.shared()?;
        let inner = sh.lock_open()?;
        let catalog_count = if sh.mode == Mode::Scratch { 0 } else { inner.live_count() };
        inner.loss.check()?;
        Ok(Info {
            mapped_bytes: inner.file_len,
            live_vectors: inner.objects.live_handles(),
            external_refs: inner.objects.pinned(),
            catalog_head_off: HEADER_BYTES,
            catalog_count,
            catalog_epoch: inner.next_seq - 1,
            nbytes: inner.file_len,
            synced_seq: inner.synced_seq,
            was_clean: !inner.was_unclean,
            one_superblock: inner.one_copy,
            discarded: inner.picture.discarded,
            kept: inner.picture.kept,
            is_unsettled: !inner.same_boot,
            poisoned: inner.poisoned.is_some(),
            held_back: inner.held_back,
        })
    }

    /// Mapped bytes of the file; what `fmalloc_sync` answers.
    pub fn mapped_bytes(&self) -> Result<u64> {
        Ok(self.shared()?.lock_open_for_elements()?.file_len)
    }
}
