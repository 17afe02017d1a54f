//! The first mutation of a process: rule 3, recovery after a machine crash, and the derivation of the free-space map (rule 4).
//!
//! Nothing is written before the picture has been checked: a zero word where a used slot must be, or two records on the same bytes, is
//! an error and the file stays as it is. A damaged record hides its extents, so from then on only bytes behind the file's old end are
//! handed out.

use super::harden::{barrier_metadata, store_metadata_again};
use super::superblock::MOST_LEASED_BEYOND;
use super::tree::Owned;
use super::{Inner, Mode, Shared};
use crate::error::{Error, Result};
use crate::format::superblock::{CLEAN, HELD_DISTRUST, POISONED};
use crate::format::word::{State, Word};
use crate::format::{Extent, HEADER_BYTES, word};
use crate::heap::{Conflict, Heap};
use crate::mutants::planted;
use crate::resolve::{self, Live, Occupied, Resolved};
use fmalloc_sys::fm_extent;

/// Ids of catalog segments in a conflict start here; record ids are 32 bits wide.
const SEGMENT_ID: u64 = 1 << 40;
const BATCH: usize = 1 << 16;

/// The extents of all records, loaded.
pub(super) struct Loaded {
    /// Not ready yet.
    pub(super) heap: Heap,
    /// What is to be retired once it is, with its stamps.
    pub(super) retired: Vec<(Vec<Extent>, u64)>,
    /// Damaged records.
    pub(super) damaged: u64,
    /// Records that have an owner.
    pub(super) owned: Vec<Owned>,
}

impl Inner {
    /// Rule 3; idempotent. After it, free space may be allocated and records changed.
    pub(super) fn begin(&mut self, sh: &Shared) -> Result<()> {
        self.begin_checked(sh, false)
    }

    /// Rule 3 for a sync that changes nothing itself: a store with a damaged record is left as it is, for no change was asked for.
    pub(super) fn begin_if_whole(&mut self, sh: &Shared) -> Result<()> {
        self.begin_checked(sh, true)
    }

    fn begin_checked(&mut self, sh: &Shared, refuse_damage: bool) -> Result<()> {
        sh.check_writable(self)?;
        if self.begun {
            return Ok(());
        }
        let begun = self.begin_now(sh, refuse_damage);
        // A page that reads as zeros because it is lost looks like damage, or like free space.
        let begun = self.loss.check().and(begun);
        self.begun &= begun.is_ok();
        begun
    }

    fn begin_now(&mut self, sh: &Shared, refuse_damage: bool) -> Result<()> {
        if sh.mode == Mode::Scratch {
            return self.begin_scratch();
        }
        let used_end = self.catalog.used_end().max(self.sb.slots_used);
        self.check_words(self.sb.slots_used)?;
        if self.one_copy {
            // Rule 17: the lost copy may have leased more; nothing in the slots may recur.
            self.next_seq = self.highest_seq(used_end).max(self.sb.lease) + self.lease_step;
        }
        self.check_lease()?;
        // Overlaps are found before the first store. After a machine crash this is the virtual picture; it is derived again below.
        let (mut heap, mut owned) = self.derive(used_end, !self.same_boot)?;
        if refuse_damage && self.tail_only {
            return Err(Error::corrupt(
                "a record is damaged, so what a killed process left is not promised beyond this machine's next failure; verify() names it",
                HEADER_BYTES,
            ));
        }
        if self.header_doubtful && !planted!(HeaderNotWrittenAgain) {
            let again = self.write_header_again(sh);
            self.barrier(sh, again)?;
        }
        if self.was_unclean && self.same_boot && !planted!(MetadataNotStoredAgain) {
            store_metadata_again(sh, self);
        }
        let a = if planted!(CacheTrustedAfterKill) { Ok(()) } else { barrier_metadata(sh, self) };
        self.barrier(sh, a)?;
        let was_trusted = self.same_boot;
        let recovered = self.recover(sh, used_end);
        self.barrier(sh, recovered)?;
        if !was_trusted {
            // Rule 16: a bit may have been lost with its page. Where a damaged list keeps them from being counted, they stay distrusted.
            self.sb.state |= HELD_DISTRUST;
            let counted = self.recount_held(sh).map(|all| {
                if all {
                    self.sb.state &= !HELD_DISTRUST;
                }
            });
            self.barrier(sh, counted)?;
        }
        if !was_trusted && self.picture.is_keeping {
            self.cover_kept(sh, used_end)?;
        }
        self.sb.state &= !(CLEAN | POISONED);
        if !planted!(RecoveryWithoutSuperblock) {
            self.extend_lease(sh)?;
        }
        self.synced_seq = self.sb.synced_seq;
        self.same_boot = true;
        self.forget_picture();
        if !was_trusted {
            (heap, owned) = self.derive(used_end, false)?;
        }
        self.slots_used = used_end;
        self.collect_free_slots();
        self.heap = Some(heap);
        self.begun = true;
        self.settle_losers(sh)?;
        self.collect_orphans(sh, owned)
    }

    fn begin_scratch(&mut self) -> Result<()> {
        let mut heap = Heap::new(HEADER_BYTES, self.file_len)?;
        let segments: Vec<_> =
            self.catalog.segments.iter().map(|s| fm_extent { off: s.off, len: s.nbytes() }).collect();
        let ids: Vec<u64> = (0..segments.len() as u64).map(|k| SEGMENT_ID + k).collect();
        heap.load(&segments, &ids)?;
        heap.ready()?.map_err(|c| conflict_error(&c))?;
        self.heap = Some(heap);
        self.begun = true;
        Ok(())
    }

    /// Decision 25: a slot once used never has the word 0 again.
    pub(super) fn check_words(&self, end: u32) -> Result<()> {
        let mut zero = None;
        self.catalog.scan(end, |idx, raw| {
            zero = (raw == 0).then_some(idx);
            zero.is_none()
        });
        match zero {
            Some(idx) => Err(Error::corrupt(
                format!("record {idx}: its state word is zero, but it was in use at the last sync; nothing is written to this store"),
                self.catalog.place(idx).map_or(0, |p| p.word_off),
            )
            .with("id", idx)),
            None => Ok(()),
        }
    }

    /// The highest number in the slots that the lost superblock copy can have leased: it was one write ahead, so what is far beyond is
    /// damage (a death has no checksum), and counting on from there would use the numbers up.
    pub(super) fn highest_seq(&self, used_end: u32) -> u64 {
        let most = self.sb.lease.saturating_add(MOST_LEASED_BEYOND);
        let mut highest = 0;
        self.catalog.scan(used_end, |idx, _| {
            if let Some(slot) = self.catalog.slot(idx) {
                let bodies = slot.bodies.iter().flatten().map(|b| b.seq);
                let found = bodies.chain([slot.dead_seq, u64::from(slot.raw_generation)]);
                highest = found.filter(|seq| *seq <= most).fold(highest, u64::max);
            }
            true
        });
        highest
    }

    /// Rule 19: what the header says comes to be on disk before anything is decided by it: where its barrier had failed, only the cache
    /// has it, and no barrier writes a page that nobody stored to since. The doubtful copy first (`sb_target`), while the other is whole;
    /// then that one, so that writing either once more loses nothing. Still marked: if it ends here, the next open does the same.
    fn write_header_again(&mut self, sh: &Shared) -> Result<()> {
        // Where one copy was lost, both are whole from here on: what it may have leased stands in them.
        self.sb.lease = self.sb.lease.max(self.next_seq);
        self.write_superblock(sh)?;
        self.write_superblock(sh)
    }

    /// Rule 3b: what a machine crash left is decided once and written, so that it cannot be decided otherwise later.
    fn recover(&mut self, sh: &Shared, used_end: u32) -> Result<()> {
        let trust = self.trust();
        let mut changes: Vec<(u32, Word)> = Vec::new();
        let mut scan = |idx: u32, raw: u64| {
            if planted!(RecoveryDoesNotWrite) {
                return true;
            }
            if raw == 0 {
                if planted!(RecoveryKeepsZeroWords) {
                    return true;
                }
                // Lost or skipped; from the next sync on a zero word here would count as damage.
                changes.push((idx, Word::free(0)));
                return true;
            }
            let (Some(old), Some(slot)) = (Word::decode(raw, idx), self.catalog.slot(idx)) else {
                return true;
            };
            if trust.same_boot || !matches!(old.state, State::Live | State::Dead) {
                return true;
            }
            match self.resolved(raw, &slot, idx) {
                Resolved::Absent if planted!(RecoveryKeepsDeadWords) && old.state == State::Dead => {}
                Resolved::Absent => {
                    // Dead ones too: a word that outlives its slot's page (dead_seq lost) would revive the object once a sync passes it.
                    changes.push((idx, Word::free(slot.raw_generation)));
                }
                Resolved::Damaged(_) => {}
                Resolved::Live(live) => {
                    let kept = self.kept_word(&old, &live);
                    if kept != old {
                        changes.push((idx, kept));
                    }
                }
            }
            true
        };
        self.catalog.scan(used_end, &mut scan);
        for (idx, word) in &changes {
            self.store_word(sh, *idx, *word);
        }
        if changes.is_empty() || planted!(RecoveryWithoutBarrier) {
            Ok(())
        } else {
            barrier_metadata(sh, self)
        }
    }

    /// Rule 23: what was kept is on stable storage, and the superblock that ends recovery says so. Every sequence in the file is below the
    /// lease, and every version that does not count has been overruled by its word, so the numbers may pass them all.
    fn cover_kept(&mut self, sh: &Shared, used_end: u32) -> Result<()> {
        if !planted!(KeptWithoutBarrier) {
            let done = sh.seam.sync_all(self.file_len);
            self.barrier(sh, done)?;
        }
        self.sb.synced_seq = self.sb.synced_seq.max(self.next_seq - 1);
        self.sb.file_len = self.file_len;
        self.sb.slots_used = self.sb.slots_used.max(used_end);
        self.sb.segments = self.sb.segments.max(self.catalog.segments.len() as u32);
        Ok(())
    }

    /// The word of a record that recovery keeps: the kept body active, its pair and tag; of the D bits only its own if it changed.
    fn kept_word(&self, old: &Word, live: &Live) -> Word {
        if old.active == live.which && old.state == State::Live {
            return *old;
        }
        let mut durable = old.durable;
        if old.active != live.which && !planted!(KeptWordKeepsOtherD) {
            durable[1 - live.which] = false;
        }
        let tag = match self.read_aux(live) {
            Ok(aux) => aux.naming.map_or(0, |n| word::name_tag(self.hash(&n.name))),
            Err(_) => old.tag,
        };
        Word { state: State::Live, active: live.which, durable, pair: live.body.seq as u8, tag, ..*old }
    }

    /// Rule 4: the free-space map, and the records that have an owner. `before_recovery`: as recovery will leave the file.
    fn derive(&mut self, used_end: u32, before_recovery: bool) -> Result<(Heap, Vec<Owned>)> {
        let Loaded { mut heap, retired, damaged, owned } = self.load_map(used_end, before_recovery)?;
        // Also where only the file's tail will be used: of two whole records on the same bytes one would be freed under the other.
        heap.ready()?.map_err(|c| conflict_error(&c))?;
        self.tail_only = damaged > 0;
        self.tail_from = if self.tail_only { self.file_len } else { 0 };
        if self.tail_only {
            return Ok((self.tail_heap()?, owned));
        }
        for (extents, stamp) in retired {
            for e in extents {
                heap.retire(e, stamp);
            }
        }
        heap.reclaim(self.synced_seq);
        Ok((heap, owned))
    }

    fn tail_heap(&self) -> Result<Heap> {
        let mut heap = Heap::new(HEADER_BYTES, self.file_len)?;
        heap.load(&[fm_extent { off: HEADER_BYTES, len: self.file_len - HEADER_BYTES }], &[SEGMENT_ID])?;
        heap.ready()?.map_err(|c| conflict_error(&c))?;
        Ok(heap)
    }

    /// Calls `f(slot, what it occupies)` for every used slot until it returns false.
    fn each_occupied(
        &self,
        used_end: u32,
        before_recovery: bool,
        mut f: impl FnMut(u32, &mut Occupied) -> bool,
    ) {
        let mut found = Occupied::default();
        self.catalog.scan(used_end, |idx, raw| {
            let Some(slot) = self.catalog.slot(idx) else { return true };
            if before_recovery {
                found.used.clear();
                found.retired = None;
                found.damaged = None;
                found.owned = None;
                match self.resolved(raw, &slot, idx) {
                    Resolved::Absent => {}
                    Resolved::Damaged(what) => found.damaged = Some(what),
                    Resolved::Live(live) => {
                        found.used.extend(resolve::extents(&live.body).into_iter().filter(|e| !e.is_empty()));
                        found.owned = live.head.owner();
                    }
                }
            } else {
                resolve::occupied(raw, &slot, idx, self.trust(), &mut found);
            }
            f(idx, &mut found)
        });
    }

    /// Every two owners of the same bytes (of three or more, the neighbours; a record may be both), in the order of the bytes: for `verify`, where the map
    /// itself names only the first.
    pub(super) fn overlaps(&self, used_end: u32, before_recovery: bool) -> Vec<Conflict> {
        let segments = (SEGMENT_ID..).zip(&self.catalog.segments);
        let mut claims: Vec<(Extent, u64)> =
            segments.map(|(id, s)| (Extent { off: s.off, nbytes: s.nbytes() }, id)).collect();
        self.each_occupied(used_end, before_recovery, |idx, found| {
            let retired = found.retired.iter().flat_map(|(list, _)| list);
            claims.extend(found.used.iter().chain(retired).map(|e| (*e, u64::from(idx))));
            true
        });
        claims.sort_unstable();
        let mut conflicts = Vec::new();
        let mut furthest: Option<(Extent, u64)> = None;
        for (e, id) in claims {
            if let Some((a, id_a)) = furthest
                && e.off < a.end()
            {
                conflicts.push(Conflict { a, b: e, id_a, id_b: id });
            }
            if furthest.is_none_or(|(a, _)| e.end() > a.end()) {
                furthest = Some((e, id));
            }
        }
        conflicts
    }

    /// Loads every occupied extent.
    pub(super) fn load_map(&self, used_end: u32, before_recovery: bool) -> Result<Loaded> {
        let mut heap = Heap::new(HEADER_BYTES, self.file_len)?;
        let mut extents: Vec<fm_extent> = Vec::with_capacity(BATCH + 8);
        let mut ids: Vec<u64> = Vec::with_capacity(BATCH + 8);
        for (k, s) in self.catalog.segments.iter().enumerate() {
            extents.push(fm_extent { off: s.off, len: s.nbytes() });
            ids.push(SEGMENT_ID + k as u64);
        }
        let mut retired = Vec::new();
        let mut owned = Vec::new();
        let mut damaged = 0u64;
        let mut failed = None;
        self.each_occupied(used_end, before_recovery, |idx, found| {
            owned.extend(found.owned.map(|(child, owner)| Owned { child, owner }));
            damaged += u64::from(found.damaged.is_some());
            // Payload and aux of a record usually touch: one extent then.
            let mut last: Option<Extent> = None;
            let also = found.retired.as_ref().map_or(&[][..], |(e, _)| e.as_slice());
            for e in found.used.iter().chain(also) {
                match &mut last {
                    Some(l) if l.end() == e.off => l.nbytes += e.nbytes,
                    _ => {
                        if let Some(l) = last.replace(*e) {
                            extents.push(fm_extent { off: l.off, len: l.nbytes });
                            ids.push(u64::from(idx));
                        }
                    }
                }
            }
            if let Some(l) = last {
                extents.push(fm_extent { off: l.off, len: l.nbytes });
                ids.push(u64::from(idx));
            }
            if let Some(r) = found.retired.take() {
                retired.push(r);
            }
            if extents.len() >= BATCH {
                failed = heap.load(&extents, &ids).err();
                extents.clear();
                ids.clear();
            }
            failed.is_none()
        });
        if let Some(e) = failed {
            return Err(e);
        }
        heap.load(&extents, &ids)?;
        Ok(Loaded { heap, retired, damaged, owned })
    }

    fn collect_free_slots(&mut self) {
        let (mut free, mut dead) = (Vec::new(), Vec::new());
        let synced = self.synced_seq;
        self.catalog.scan(self.slots_used, |idx, raw| {
            match Word::decode(raw, idx).map(|w| w.state) {
                Some(State::Free | State::Unused) => free.push(idx),
                Some(State::Dead) => match self.catalog.slot(idx) {
                    Some(s) if s.dead_seq <= synced => free.push(idx),
                    Some(s) => dead.push((s.dead_seq, idx)),
                    None => {}
                },
                _ => {}
            }
            true
        });
        // The lowest index is taken first, so slots in use stay together.
        free.reverse();
        dead.sort_unstable();
        self.free_slots = free;
        self.dead_slots = dead.into();
    }
}

pub(super) fn conflict_error(c: &Conflict) -> Error {
    let who = |id: u64| {
        if id >= SEGMENT_ID { format!("catalog segment {}", id - SEGMENT_ID) } else { format!("record {id}") }
    };
    let what = if c.id_b == u64::MAX {
        format!("{} points outside the file", who(c.id_a))
    } else {
        format!(
            "{} (bytes {}..{}) and {} (bytes {}..{}) claim the same bytes; nothing is written to this store",
            who(c.id_a),
            c.a.off,
            c.a.end(),
            who(c.id_b),
            c.b.off,
            c.b.end()
        )
    };
    Error::corrupt(what, c.a.off.max(c.b.off)).with("idA", c.id_a).with("idB", c.id_b)
}
