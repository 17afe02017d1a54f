//! The catalog in memory: where each slot and state word lies, and how to read them.
//!
//! Holds: [`Catalog`], the list of mapped segments. May touch: metadata mappings, reading only; stores go through the seam with the
//! offsets given here. Segments never move and their sizes follow from their number, so an index maps to its place by arithmetic.

use crate::error::{Error, Result};
use crate::format::{FILE_UNIT, HEADER_BYTES, segment, slot};
use crate::region::MetaMap;
use crate::seam::Seam;

/// One mapped segment.
pub(crate) struct Segment {
    pub(crate) off: u64,
    pub(crate) slots: u32,
    pub(crate) map: MetaMap,
}

impl Segment {
    pub(crate) fn nbytes(&self) -> u64 {
        segment::nbytes(self.slots)
    }
}

/// All segments, in chain order.
#[derive(Default)]
pub(crate) struct Catalog {
    pub(crate) segments: Vec<Segment>,
}

/// Where one slot lies.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) map: &'a MetaMap,
    pub(crate) word_off: u64,
    pub(crate) slot_off: u64,
}

const DOUBLING: u32 = 11;
const BEFORE_FULL: u32 = 512 * ((1 << DOUBLING) - 1);

impl Catalog {
    /// Follows the chain from its first segment; every link, header and bound is checked.
    pub(crate) fn open(
        seam: &Seam,
        uuid: &[u8; 16],
        file_len: u64,
        expected: u32,
        writable: bool,
    ) -> Result<Self> {
        let mut catalog = Self::default();
        let mut off = HEADER_BYTES;
        loop {
            let k = catalog.segments.len() as u32;
            let slots = segment::slots_of(k);
            let inside = off.is_multiple_of(FILE_UNIT)
                && off >= HEADER_BYTES
                && off.checked_add(segment::nbytes(slots)).is_some_and(|end| end <= file_len);
            if !inside || k >= segment::MAX_SEGMENTS {
                return Err(Error::corrupt(format!("catalog segment {k} lies outside the file"), off));
            }
            let nbytes = segment::nbytes(slots);
            if catalog.segments.iter().any(|s| off < s.off + s.nbytes() && s.off < off + nbytes) {
                return Err(Error::corrupt(format!("catalog segment {k} overlaps an earlier one"), off));
            }
            let map = MetaMap::new(&seam.file, &seam.loss, off, nbytes, writable)?;
            let mut head = [0u8; segment::HEAD];
            map.read(off, &mut head);
            let header = segment::Header::decode(&head)
                .map_err(|what| Error::corrupt(format!("segment {k}: {what}"), off))?;
            if header.uuid != *uuid || header.k != k || header.slots != slots || header.off != off {
                return Err(Error::corrupt(format!("catalog segment {k}: header of another segment"), off));
            }
            let link = segment::decode_link(map.load(off + segment::LINK_OFF), k)
                .map_err(|what| Error::corrupt(format!("segment {k}: {what}"), off + segment::LINK_OFF))?;
            catalog.segments.push(Segment { off, slots, map });
            match link {
                Some(next) => off = next,
                None if (catalog.segments.len() as u32) < expected => {
                    return Err(Error::corrupt(
                        format!("the catalog ends after segment {k}, but {expected} segments were synced"),
                        off + segment::LINK_OFF,
                    ));
                }
                None => return Ok(catalog),
            }
        }
    }

    /// Slots in all segments.
    pub(crate) fn capacity(&self) -> u32 {
        self.segments.iter().map(|s| s.slots).sum()
    }

    /// Segment number and index within it.
    fn split(idx: u32) -> (usize, u32) {
        if idx < BEFORE_FULL {
            let k = (idx / 512 + 1).ilog2();
            (k as usize, idx - 512 * ((1 << k) - 1))
        } else {
            let rest = idx - BEFORE_FULL;
            ((DOUBLING + (rest >> 20)) as usize, rest & ((1 << 20) - 1))
        }
    }

    /// Where slot `idx` lies; `None` beyond the last segment.
    pub(crate) fn place(&self, idx: u32) -> Option<Place<'_>> {
        let (k, i) = Self::split(idx);
        let s = self.segments.get(k)?;
        let words = s.off + segment::HEADER_NBYTES;
        Some(Place {
            map: &s.map,
            word_off: words + 8 * u64::from(i),
            slot_off: words + 8 * u64::from(s.slots) + slot::NBYTES as u64 * u64::from(i),
        })
    }

    /// The raw state word of a slot; 0 beyond the last segment.
    pub(crate) fn word(&self, idx: u32) -> u64 {
        self.place(idx).map_or(0, |p| p.map.load(p.word_off))
    }

    /// The slot's bytes, decoded.
    pub(crate) fn slot(&self, idx: u32) -> Option<slot::Slot> {
        let p = self.place(idx)?;
        let mut b = [0u8; slot::NBYTES];
        p.map.read(p.slot_off, &mut b);
        Some(slot::Slot::decode(&b, idx))
    }

    /// Calls `f(idx, raw word)` for all words of slots `[0, end)`, in order, until it returns false.
    pub(crate) fn scan(&self, end: u32, mut f: impl FnMut(u32, u64) -> bool) {
        let mut first = 0u32;
        let mut block = [0u8; 4096];
        for s in &self.segments {
            let words = s.off + segment::HEADER_NBYTES;
            let mut i = 0u32;
            while i < s.slots && first + i < end {
                let n = (s.slots - i).min(512);
                s.map.read(words + 8 * u64::from(i), &mut block[..8 * n as usize]);
                for (j, w) in block[..8 * n as usize].chunks_exact(8).enumerate() {
                    let idx = first + i + j as u32;
                    if idx >= end || !f(idx, crate::format::u64_at(w, 0)) {
                        return;
                    }
                }
                i += n;
            }
            first += s.slots;
        }
    }

    /// One more than the highest index whose word is not zero.
    pub(crate) fn used_end(&self) -> u32 {
        let mut first = self.capacity();
        let mut block = [0u8; 4096];
        for s in self.segments.iter().rev() {
            first -= s.slots;
            let words = s.off + segment::HEADER_NBYTES;
            let mut i = s.slots;
            while i > 0 {
                let n = i.min(512);
                i -= n;
                s.map.read(words + 8 * u64::from(i), &mut block[..8 * n as usize]);
                if let Some(j) = block[..8 * n as usize].chunks_exact(8).rposition(|w| w != [0; 8]) {
                    return first + i + j as u32 + 1;
                }
            }
        }
        0
    }

    /// Whether an extent touches a catalog segment.
    pub(crate) fn overlaps(&self, e: crate::format::Extent) -> bool {
        !e.is_empty() && self.segments.iter().any(|s| e.off < s.off + s.nbytes() && s.off < e.end())
    }

    /// Starts reading all state words, so that a first scan does not wait page by page.
    pub(crate) fn read_ahead_words(&self) {
        for s in &self.segments {
            s.map.will_need(s.off + segment::HEADER_NBYTES, 8 * u64::from(s.slots));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_map_to_segments_without_gaps() {
        let mut first = 0u32;
        for k in 0..14 {
            assert_eq!(Catalog::split(first), (k as usize, 0));
            let n = segment::slots_of(k);
            assert_eq!(Catalog::split(first + n - 1), (k as usize, n - 1));
            first += n;
        }
    }
}
