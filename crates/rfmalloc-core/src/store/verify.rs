//! Verify: every check there is, over the whole store, changing nothing.
//!
//! Superblock copies, segment headers, words and slots, attributes, names, overlaps, the free-space map's own invariants, and (when asked
//! for) the payloads of sealed objects and all text (`verify_text`). The bytes are read from the file, not from the mapping, so stores through a read-only mapping are
//! not mistaken for damage. Records are looked at in batches and payloads without the store mutex, so work goes on meanwhile; what is
//! found by comparing records (names, overlaps) is compared again, or found, in one go.

use super::find::payload_nbytes;
use super::{Inner, Mode, Shared, Store};
use crate::dtype::Dtype;
use crate::error::{Code, Detail, Error, Result};
use crate::format::aux::{SEAL_BLOCK, Seal};
use crate::format::slot::{self, Slot};
use crate::format::superblock::{COPY_OFF, NBYTES, Superblock};
use crate::format::word::{State, Word};
use crate::format::{segment, u32_at};
use crate::resolve::{Live, Resolved};
use crate::seam::Seam;
use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// `superblock`, `catalog`, `record`, `name`, `overlap`, `map`, `payload`.
    pub place: &'static str,
    /// Byte offset in the file.
    pub off: u64,
    /// In words.
    pub what: String,
    /// The record concerned.
    pub id: Option<u32>,
}

/// What verify found.
#[derive(Clone, Debug, Default)]
pub struct VerifyReport {
    /// Empty: all is well.
    pub faults: Vec<Fault>,
}

/// How far verify has come: records first, then the bytes of sealed payloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum VerifyStep {
    Records { done: u64, total: u64 },
    Bytes { done: u64, total: u64 },
}

/// Told how far the work is; false stops it.
pub(super) type Watch<'a> = &'a mut dyn FnMut(VerifyStep) -> bool;

/// A report lists this many faults; one more says that there are others.
const MOST_FAULTS: usize = 10_000;
/// Records looked at under one hold of the mutex.
const BATCH: u32 = 1024;

impl Store {
    /// Checks everything that can be checked without reading elements, and reports all that is wrong, naming place and offset. Writes nothing.
    ///
    /// # Errors
    /// `IO`: the file cannot be read; `CLOSED`. Damage is no error here but an entry of the report.
    pub fn verify(&self) -> Result<VerifyReport> {
        self.for_work()?.verify(false, &mut |_| true)
    }

    /// [`Store::verify`], and with `payloads` also the elements of sealed objects against their checksums, and every string.
    ///
    /// # Errors
    /// As [`Store::verify`].
    pub fn verify_payloads(&self) -> Result<VerifyReport> {
        self.for_work()?.verify(true, &mut |_| true)
    }
}

/// What the passes hand on.
#[derive(Default)]
pub(super) struct Pass {
    pub(super) report: VerifyReport,
    names: HashMap<String, u32>,
    /// Sealed records: slot and generation.
    sealed: Vec<(u32, u32)>,
    sealed_bytes: u64,
    /// Character vectors, and the bytes of their elements.
    pub(super) texts: Vec<(u32, u32)>,
    pub(super) text_bytes: u64,
}

impl Shared {
    pub(super) fn verify(self: &Arc<Self>, payloads: bool, watch: Watch<'_>) -> Result<VerifyReport> {
        let mut pass = Pass::default();
        drop(self.lock_open()?);
        self.check_whole()?;
        self.verify_headers(&mut pass.report)?;
        if self.mode == Mode::Persistent {
            let mut from = 0;
            loop {
                let mut inner = self.lock_open()?;
                let end = inner.catalog.used_end().max(inner.sb.slots_used);
                let to = end.min(from + BATCH);
                inner.verify_records(&self.seam, from..to, &mut pass)?;
                drop(inner);
                from = to;
                proceed(watch(VerifyStep::Records { done: u64::from(to), total: u64::from(end) }))?;
                if from >= end {
                    break;
                }
            }
            self.lock_open()?.verify_map(&mut pass.report)?;
        }
        if let Some(heap) = &self.lock_open()?.heap
            && let Err(e) = heap.check()
        {
            pass.report.push_error("map", &e);
        }
        if payloads {
            self.verify_payloads(&mut pass, watch)?;
            self.verify_texts(&mut pass, watch)?;
        }
        self.seam.loss.check()?;
        Ok(pass.report)
    }

    fn verify_headers(&self, report: &mut VerifyReport) -> Result<()> {
        let inner = self.lock_open()?;
        let file = &self.seam.file;
        for (i, off) in COPY_OFF.into_iter().enumerate() {
            let mut b = [0u8; NBYTES];
            file.read_exact_at(&mut b, off).map_err(|e| self.seam.error("cannot read the header of", &e))?;
            if let Err(fault) = Superblock::decode(&b) {
                report.push("superblock", off + fault.off(), format!("copy {i}: {fault}"), None);
            }
        }
        for (k, s) in inner.catalog.segments.iter().enumerate() {
            let mut head = [0u8; segment::HEAD];
            let mut link = [0u8; 8];
            file.read_exact_at(&mut head, s.off)
                .and_then(|()| file.read_exact_at(&mut link, s.off + segment::LINK_OFF))
                .map_err(|e| self.seam.error("cannot read the catalog of", &e).with("offset", s.off))?;
            match segment::Header::decode(&head) {
                Ok(h) if h.uuid == self.uuid && h.k == k as u32 && h.slots == s.slots && h.off == s.off => {}
                Ok(_) => {
                    report.push("catalog", s.off, format!("segment {k}: header of another segment"), None);
                }
                Err(what) => report.push("catalog", s.off, format!("segment {k}: {what}"), None),
            }
            let next = inner.catalog.segments.get(k + 1).map(|n| n.off);
            match segment::decode_link(u64::from_le_bytes(link), k as u32) {
                Ok(found) if found == next => {}
                Ok(_) => report.push(
                    "catalog",
                    s.off + segment::LINK_OFF,
                    format!("segment {k}: links another segment than the one in use"),
                    None,
                ),
                Err(what) => {
                    report.push("catalog", s.off + segment::LINK_OFF, format!("segment {k}: {what}"), None);
                }
            }
        }
        Ok(())
    }

    fn verify_payloads(self: &Arc<Self>, pass: &mut Pass, watch: Watch<'_>) -> Result<()> {
        let total = pass.sealed_bytes;
        let mut done = 0;
        let mut block = vec![0u8; SEAL_BLOCK as usize];
        for (idx, generation) in std::mem::take(&mut pass.sealed) {
            let mut inner = self.lock_open()?;
            // What was destroyed or became unreadable meanwhile is another pass's business.
            let Ok(Some(live)) = inner.record(idx) else { continue };
            let Ok(aux) = inner.read_aux(&live) else { continue };
            if live.head.generation != generation || !live.body.is_sealed() {
                continue;
            }
            let checksums = inner.checksums_of(&live, &aux);
            // Keeps the bytes from being used again, or moved, while they are read.
            // (What this version cannot open, it does not move or end either.)
            let _pin = inner.pin_record(self, idx).ok();
            drop(inner);
            let (off, nbytes) = (live.body.payload.off, payload_nbytes(&live));
            let mut at = 0;
            for (i, stored) in checksums.chunks_exact(4).enumerate() {
                let n = u64::from(SEAL_BLOCK).min(nbytes - at);
                let what = match self.seam.file.read_exact_at(&mut block[..n as usize], off + at) {
                    Ok(()) if crc32c::crc32c(&block[..n as usize]) == u32_at(stored, 0) => None,
                    Ok(()) => Some("wrong checksum".to_owned()),
                    Err(e) => Some(format!("cannot be read ({e})")),
                };
                if let Some(what) = what {
                    let block = format!(
                        "block {i} of {}, element bytes {at}..{}: {what}",
                        checksums.len() / 4,
                        at + n
                    );
                    pass.report.push("payload", off + at, block, Some(idx));
                }
                at += n;
                done += n;
                drop(self.lock_open()?);
                proceed(watch(VerifyStep::Bytes { done, total: total.max(done) }))?;
            }
        }
        Ok(())
    }
}

/// The caller who stopped the work is not waiting for this error.
pub(super) fn proceed(goes_on: bool) -> Result<()> {
    if goes_on { Ok(()) } else { Err(Error::new(Code::Closed, "the check was stopped")) }
}

impl VerifyReport {
    pub(super) fn push(&mut self, place: &'static str, off: u64, what: impl Into<String>, id: Option<u32>) {
        let what = match self.faults.len() {
            n if n < MOST_FAULTS => what.into(),
            MOST_FAULTS => format!("more than {MOST_FAULTS} faults: the others are not listed"),
            _ => return,
        };
        self.faults.push(Fault { place, off, what, id });
    }

    fn push_error(&mut self, place: &'static str, e: &Error) {
        let number = |key| {
            e.details()
                .iter()
                .find(|(k, _)| *k == key)
                .and_then(|(_, d)| if let Detail::Number(n) = d { Some(*n) } else { None })
        };
        let id = number("id").or_else(|| number("idA")).and_then(|n| u32::try_from(n).ok());
        self.push(place, number("offset").unwrap_or(0), e.message(), id);
    }
}

impl Inner {
    fn verify_records(&mut self, seam: &Seam, slots: std::ops::Range<u32>, pass: &mut Pass) -> Result<()> {
        let must_be_used = if self.begun { self.slots_used } else { self.sb.slots_used };
        for idx in slots {
            let Some(place) = self.catalog.place(idx) else { break };
            let mut word = [0u8; 8];
            let mut bytes = [0u8; slot::NBYTES];
            seam.file
                .read_exact_at(&mut word, place.word_off)
                .and_then(|()| seam.file.read_exact_at(&mut bytes, place.slot_off))
                .map_err(|e| seam.error("cannot read the catalog of", &e).with("offset", place.slot_off))?;
            let raw = u64::from_le_bytes(word);
            let slot = Slot::decode(&bytes, idx);
            let (word_off, slot_off) = (place.word_off, place.slot_off);
            match Word::decode(raw, idx) {
                None => pass.report.push("record", word_off, "state word: wrong check bits", Some(idx)),
                Some(w) if w.state == State::Unused && idx < must_be_used => {
                    let what = "state word is zero, but the slot was in use";
                    pass.report.push("record", word_off, what, Some(idx));
                }
                Some(_) => match self.resolved(raw, &slot, idx) {
                    Resolved::Absent => {}
                    Resolved::Damaged(what) => pass.report.push("record", slot_off, what, Some(idx)),
                    Resolved::Live(live) => self.verify_live(&seam.file, raw, &live, slot_off, pass),
                },
            }
        }
        Ok(())
    }

    fn verify_live(&self, file: &File, raw: u64, live: &Live, slot_off: u64, pass: &mut Pass) {
        let idx = live.head.id;
        if let Some(what) = self.flaw(live) {
            pass.report.push("record", slot_off, what, Some(idx));
            return;
        }
        let aux = self.read_aux(live);
        let aux = match aux.and_then(|a| self.check_tag(raw, live, a.naming.as_ref()).map(|()| a)) {
            Ok(aux) => aux,
            Err(e) => return pass.report.push_error("record", &e),
        };
        if let Some(seal) = &aux.seal {
            let off = live.body.aux.off + seal.off;
            let mut array = vec![0u8; 4 * seal.count as usize];
            let whole = file.read_exact_at(&mut array, off).is_ok();
            if whole && Seal::of(&array).crc == seal.crc {
                pass.sealed.push((idx, live.head.generation));
                pass.sealed_bytes += payload_nbytes(live);
            } else {
                pass.report.push("record", off, "the seal's checksums: wrong checksum", Some(idx));
            }
        }
        if live.head.dtype == Dtype::Character.code() {
            pass.texts.push((idx, live.head.generation));
            pass.text_bytes += payload_nbytes(live);
            self.verify_heap(live, &aux.heap, slot_off, &mut pass.report);
        }
        let me = (idx, live.head.generation);
        for child in aux.children().filter(|child| !self.is_child(*child, me)) {
            let what =
                format!("names record {} of generation {} as a part, which is not there", child.0, child.1);
            pass.report.push("record", slot_off, what, Some(idx));
        }
        if let Some(naming) = aux.naming {
            self.verify_name(naming.name, idx, slot_off, pass);
        }
    }

    /// A name may stand twice after a kill or power cut inside a replace, until the next named change settles it.
    fn verify_name(&self, name: String, idx: u32, off: u64, pass: &mut Pass) {
        let settled = self.begun && self.names.is_some() && self.losers.is_empty();
        let Some(other) = pass.names.get(&name).copied() else {
            pass.names.insert(name, idx);
            return;
        };
        // It may have been another batch's, and renamed since.
        if settled && self.is_named(other, &name) {
            pass.report.push("name", off, format!("has the same name as record {other}"), Some(idx));
        }
        pass.names.insert(name, idx);
    }

    fn verify_map(&mut self, report: &mut VerifyReport) -> Result<()> {
        let end = self.catalog.used_end().max(self.sb.slots_used);
        let mut heap = self.load_map(end, !self.same_boot)?.heap;
        if heap.ready()?.is_err() {
            for conflict in self.overlaps(end, !self.same_boot) {
                report.push_error("overlap", &super::begin::conflict_error(&conflict));
            }
        }
        Ok(())
    }
}
