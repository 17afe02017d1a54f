//! Verify: every check there is, over the whole store, changing nothing.
//!
//! Superblock copies, the words and slots, attributes, names, overlaps, and the free-space map's own invariants. The bytes are read from
//! the file, not from the mapping, so stores through a read-only mapping are not mistaken for damage.

use super::{Inner, Mode, Shared, Store};
use crate::error::{Detail, Error, Result};
use crate::format::slot::{self, Slot};
use crate::format::superblock::{COPY_OFF, NBYTES, Superblock};
use crate::format::word::{State, Word};
use crate::resolve::{Resolved, resolve};
use crate::seam::Seam;
use std::collections::HashMap;
use std::os::unix::fs::FileExt;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// `superblock`, `catalog`, `record`, `name`, `overlap`, `map`.
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

/// A report lists this many faults and then stops looking.
const MOST_FAULTS: usize = 1000;

impl Store {
    /// Checks everything that can be checked and reports what is wrong, naming place and offset. Writes nothing.
    ///
    /// # Errors
    /// `IO`: the file cannot be read; `CLOSED`. Damage is no error here but an entry of the report.
    pub fn verify(&self) -> Result<VerifyReport> {
        self.shared()?.verify()
    }
}

impl Shared {
    pub(super) fn verify(&self) -> Result<VerifyReport> {
        let mut inner = self.lock_open()?;
        let mut report = VerifyReport::default();
        for (i, off) in COPY_OFF.into_iter().enumerate() {
            let mut b = [0u8; NBYTES];
            let read = self.seam.file.read_exact_at(&mut b, off);
            read.map_err(|e| self.seam.error("cannot read the header of", &e))?;
            if let Err(fault) = Superblock::decode(&b) {
                report.push("superblock", off + fault.off(), format!("copy {i}: {fault}"), None);
            }
        }
        if self.mode == Mode::Persistent {
            inner.verify_records(&self.seam, &mut report)?;
            inner.verify_map(&mut report)?;
        }
        if let Some(heap) = &inner.heap
            && let Err(e) = heap.check()
        {
            report.push_error("map", &e);
        }
        Ok(report)
    }
}

impl VerifyReport {
    fn push(&mut self, place: &'static str, off: u64, what: impl Into<String>, id: Option<u32>) {
        if self.faults.len() < MOST_FAULTS {
            self.faults.push(Fault { place, off, what: what.into(), id });
        }
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
    fn verify_records(&mut self, seam: &Seam, report: &mut VerifyReport) -> Result<()> {
        let end = self.catalog.used_end().max(self.sb.slots_used);
        let must_be_used = if self.begun { self.slots_used } else { self.sb.slots_used };
        let mut names: HashMap<String, u32> = HashMap::new();
        for idx in 0..end {
            if report.faults.len() >= MOST_FAULTS {
                break;
            }
            let Some(place) = self.catalog.place(idx) else { break };
            let mut word = [0u8; 8];
            let mut bytes = [0u8; slot::NBYTES];
            seam.file
                .read_exact_at(&mut word, place.word_off)
                .and_then(|()| seam.file.read_exact_at(&mut bytes, place.slot_off))
                .map_err(|e| seam.error("cannot read the catalog of", &e).with("offset", place.slot_off))?;
            let raw = u64::from_le_bytes(word);
            let decoded = Word::decode(raw, idx);
            let slot = Slot::decode(&bytes, idx);
            match decoded {
                None => report.push("record", place.word_off, "state word: wrong check bits", Some(idx)),
                Some(w) if w.state == State::Unused && idx < must_be_used => {
                    report.push(
                        "record",
                        place.word_off,
                        "state word is zero, but the slot was in use",
                        Some(idx),
                    );
                }
                Some(_) => match resolve(raw, &slot, idx, self.trust()) {
                    Resolved::Absent => {}
                    Resolved::Damaged(what) => report.push("record", place.slot_off, what, Some(idx)),
                    Resolved::Live(live) => {
                        if let Some(what) = self.flaw(&live) {
                            report.push("record", place.slot_off, what, Some(idx));
                            continue;
                        }
                        let naming = self
                            .naming_of(&live)
                            .and_then(|n| self.check_tag(raw, &live, n.as_ref()).map(|()| n));
                        match naming {
                            Err(e) => report.push_error("record", &e),
                            Ok(Some(n)) => self.verify_name(n.name, idx, place.slot_off, &mut names, report),
                            Ok(None) => {}
                        }
                    }
                },
            }
        }
        Ok(())
    }

    /// A name may stand twice after a kill or power cut inside a replace, until the next named change settles it.
    fn verify_name(
        &self,
        name: String,
        idx: u32,
        off: u64,
        names: &mut HashMap<String, u32>,
        report: &mut VerifyReport,
    ) {
        let settled = self.begun && self.names.is_some() && self.losers.is_empty();
        if let Some(other) = names.insert(name, idx)
            && settled
        {
            report.push("name", off, format!("has the same name as record {other}"), Some(idx));
        }
    }

    fn verify_map(&mut self, report: &mut VerifyReport) -> Result<()> {
        let end = self.catalog.used_end().max(self.sb.slots_used);
        let (mut heap, _, _) = self.load_map(end, !self.same_boot)?;
        if let Err(c) = heap.ready()? {
            report.push_error("overlap", &super::begin::conflict_error(&c));
        }
        Ok(())
    }
}
