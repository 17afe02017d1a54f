//! Where the catalog of an image lies: read leniently, following links whose check bits fit, stopping at nonsense.

use crate::elements::crc;
use crate::image::{FILE_UNIT, Image};

/// Where the first segment starts.
pub const FIRST_SEGMENT: u64 = 64 * 1024;
/// Bytes of a segment before its state words.
pub const SEGMENT_HEADER: u64 = 4096;

/// One catalog segment.
#[derive(Clone, Copy)]
pub struct Segment {
    /// Bytes from the file's start.
    pub off: u64,
    /// Slots.
    pub slots: u32,
    /// Index of its first slot.
    pub first: u32,
}

/// The catalog's place.
#[derive(Clone, Default)]
pub struct Layout {
    /// In chain order.
    pub segments: Vec<Segment>,
    /// One more than the highest slot whose word is not zero.
    pub used: u32,
}

/// Slots of segment `k`.
#[must_use]
pub fn slots_of(k: u32) -> u32 {
    if k < 11 { 512 << k } else { 1 << 20 }
}

/// Length in bytes of a segment.
#[must_use]
pub fn segment_nbytes(slots: u32) -> u64 {
    (SEGMENT_HEADER + 136 * u64::from(slots)).next_multiple_of(FILE_UNIT)
}

/// The check bits of a link.
#[must_use]
pub fn link_check(low: u64, k: u32) -> u64 {
    u64::from(crc(&[&low.to_le_bytes(), &k.to_le_bytes()]) >> 8)
}

impl Layout {
    /// Of an image.
    #[must_use]
    pub fn of(image: &Image) -> Self {
        let mut layout = Self::default();
        let (mut off, mut first) = (FIRST_SEGMENT, 0u32);
        for k in 0..16u32 {
            let slots = slots_of(k);
            if off.checked_add(segment_nbytes(slots)).is_none_or(|end| end > image.len) {
                break;
            }
            layout.segments.push(Segment { off, slots, first });
            first += slots;
            let link = image.u64(off + 56);
            let low = link & ((1 << 40) - 1);
            if link == 0 || link_check(low, k) != link >> 40 {
                break;
            }
            off = low * FILE_UNIT;
        }
        for s in &layout.segments {
            let words = s.off + SEGMENT_HEADER;
            let used = (0..s.slots).rev().find(|i| image.u64(words + 8 * u64::from(*i)) != 0);
            if let Some(i) = used {
                layout.used = s.first + i + 1;
            }
        }
        layout
    }

    /// Byte offsets of a slot's state word and of the slot.
    #[must_use]
    pub fn place(&self, idx: u32) -> Option<(u64, u64)> {
        let s = self.segments.iter().find(|s| idx >= s.first && idx - s.first < s.slots)?;
        let (i, words) = (u64::from(idx - s.first), s.off + SEGMENT_HEADER);
        Some((words + 8 * i, words + 8 * u64::from(s.slots) + 128 * i))
    }

    /// The slots worth looking at: those in use and a few behind them.
    pub fn slots(&self) -> impl Iterator<Item = (u32, u64, u64)> + '_ {
        (0..self.used.saturating_add(2)).filter_map(|idx| self.place(idx).map(|(w, s)| (idx, w, s)))
    }
}
