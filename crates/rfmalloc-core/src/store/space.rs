//! Space: allocating extents, growing the file, zeroing, new catalog segments (rule 14).
//!
//! Growth is: blocks, mapping, hand out; no sync. On a full disk the file is cut back; the caller's caller (`Store::with_space`) makes
//! the retired bytes reusable by a sync, outside the mutex, and tries the whole act once more before it reports `NO_SPACE`.

use super::{Inner, Shared};
use crate::catalog::Segment;
use crate::error::{Code, Error, Result};
use crate::format::segment::{self, Header};
use crate::format::{Extent, FILE_UNIT, PAGE_ALIGN, UNIT};
use crate::mutants::planted;
use crate::platform;
use crate::region::MetaMap;

/// An allocation preference, never format: no extent up to this size crosses a multiple of it, if that can be had.
pub(super) const BOUNDARY: u64 = 1 << 32;
const SMALLEST_STEP: u64 = 1 << 20;
const LARGEST_STEP: u64 = 1 << 30;
/// Longer stretches are zeroed by the file system.
const ZERO_BY_SYSTEM: u64 = 1 << 20;

/// Alignment of an extent of `nbytes`.
pub(super) fn alignment(nbytes: u64) -> u64 {
    if nbytes >= PAGE_ALIGN { PAGE_ALIGN } else { UNIT }
}

impl Inner {
    /// Takes an extent of `nbytes` (a multiple of 64, above 0); also how many bytes at its end are known to be zero.
    pub(super) fn allocate(&mut self, sh: &Shared, nbytes: u64) -> Result<(Extent, u64)> {
        self.allocate_aligned(sh, nbytes, alignment(nbytes))
    }

    fn allocate_aligned(&mut self, sh: &Shared, nbytes: u64, align: u64) -> Result<(Extent, u64)> {
        loop {
            if let Some(found) = self.heap()?.alloc(nbytes, align, BOUNDARY)? {
                return Ok(found);
            }
            self.grow(sh, nbytes, align)?;
        }
    }

    /// Makes the file long enough that an extent of `nbytes` fits at its end.
    fn grow(&mut self, sh: &Shared, nbytes: u64, align: u64) -> Result<()> {
        let from = self.file_len;
        let tail = match self.heap()?.next(from - 1)? {
            Some((e, kind)) if kind == fmalloc_sys::FM_FREE => e.off,
            _ => from,
        };
        let need = tail
            .checked_next_multiple_of(align)
            .and_then(|off| off.checked_add(nbytes))
            .and_then(|end| end.checked_next_multiple_of(FILE_UNIT))
            .map(|end| end.max(from + FILE_UNIT));
        let no_space = |why: String, available: u64| {
            let path = sh.path.display();
            Error::new(Code::NoSpace, format!("no space for {nbytes} more bytes in '{path}': {why}"))
                .with("nbytes", nbytes)
                .with("available", available)
                .with("path", path.to_string())
        };
        let below_limit = sh.limit.saturating_sub(from);
        let need = match need {
            Some(end) if end <= sh.limit => end,
            _ if sh.capacity != 0 && sh.limit == sh.capacity => {
                let why = format!(
                    "its fixed capacity is {} bytes (sizeGb); destroy objects and sync(), or copy what you need to a larger store",
                    sh.capacity
                );
                return Err(no_space(why, below_limit).with("limit", sh.limit));
            }
            _ => {
                let why = format!(
                    "it may grow to {} bytes (maxSize); open it with a larger maxSize, or destroy objects and sync()",
                    sh.limit
                );
                return Err(no_space(why, below_limit).with("limit", sh.limit));
            }
        };
        let step = (from / 8).clamp(SMALLEST_STEP, LARGEST_STEP).next_multiple_of(FILE_UNIT);
        let generous = need.max((from + step).min(sh.limit));
        let mut grown = sh.seam.grow(from, generous).map(|()| generous);
        if grown.is_err() && generous > need {
            grown = sh.seam.grow(from, need).map(|()| need);
        }
        let to = grown.map_err(|e| {
            let err = sh.seam.error("cannot grow", &e);
            if err.code() != Code::NoSpace {
                return err;
            }
            let room = platform::room(&sh.seam.file).unwrap_or(0);
            no_space(err.message().to_owned(), room).with("errno", e.raw_os_error().unwrap_or(0) as u32)
        })?;
        if let Err(e) = sh.seam.region.map_file(&sh.seam.file, from, to) {
            let _ = sh.seam.shrink(from);
            return Err(sh.seam.error("cannot map what was grown of", &e));
        }
        self.file_len = to;
        self.heap()?.grow(to)
    }

    /// Rule 14: zeros and header are on stable storage before the link that makes the segment part of the catalog.
    pub(super) fn add_segment(&mut self, sh: &Shared) -> Result<()> {
        let k = self.catalog.segments.len() as u32;
        if k >= segment::MAX_SEGMENTS {
            return Err(Error::new(Code::TooLarge, "the catalog is full"));
        }
        let slots = segment::slots_of(k);
        let nbytes = segment::nbytes(slots);
        let (extent, zeroed) = self.allocate_aligned(sh, nbytes, FILE_UNIT)?;
        if planted!(LinkBeforeZeros) {
            let previous = &self.catalog.segments[k as usize - 1];
            let link = segment::encode_link(extent.off, k - 1);
            sh.seam.store_word(&previous.map, previous.off + segment::LINK_OFF, link);
        }
        let made = self.write_segment(sh, k, slots, extent, zeroed);
        match made {
            Ok(s) => self.catalog.segments.push(s),
            Err(e) => {
                self.heap()?.free(extent);
                return Err(e);
            }
        }
        let previous = &self.catalog.segments[k as usize - 1];
        sh.seam.store_word(
            &previous.map,
            previous.off + segment::LINK_OFF,
            segment::encode_link(extent.off, k - 1),
        );
        Ok(())
    }

    fn write_segment(
        &mut self,
        sh: &Shared,
        k: u32,
        slots: u32,
        extent: Extent,
        zeroed: u64,
    ) -> Result<Segment> {
        zero(sh, Extent { off: extent.off, nbytes: extent.nbytes - zeroed });
        let map = MetaMap::new(&sh.seam.file, &sh.seam.loss, extent.off, extent.nbytes, true)
            .map_err(|e| e.at(&sh.path))?;
        let header = Header { uuid: sh.uuid, k, slots, off: extent.off };
        sh.seam.store(&map, extent.off, &header.encode());
        let done = sh.seam.barrier_meta(&map, extent.off, extent.nbytes);
        self.barrier(sh, done)?;
        // Last, so that a failure leaves the data mapping whole for whoever gets the extent next.
        sh.seam
            .region
            .blank(extent.off, extent.end())
            .map_err(|e| sh.seam.error("cannot map a catalog segment of", &e))?;
        Ok(Segment { off: extent.off, slots, map })
    }
}

/// Makes an extent's bytes zero.
pub(super) fn zero(sh: &Shared, e: Extent) {
    if e.is_empty() || planted!(ZeroingSkipped) {
        return;
    }
    let span = sh.seam.region.span(e.off, e.nbytes);
    if e.nbytes >= ZERO_BY_SYSTEM {
        let (start, end) = (e.off.next_multiple_of(FILE_UNIT), e.end() / FILE_UNIT * FILE_UNIT);
        if start < end && platform::zero_range(&sh.seam.file, start, end - start).is_ok() {
            span.part(0, start - e.off).zero();
            span.part(end - e.off, e.end() - end).zero();
            sh.seam.announce(e.off, e.nbytes);
            return;
        }
    }
    span.zero();
    sh.seam.announce(e.off, e.nbytes);
}

/// Copies an extent's bytes to another one of the same length, apart from it.
pub(super) fn copy(sh: &Shared, from: Extent, to: Extent) {
    let region = &sh.seam.region;
    region.span(to.off, to.nbytes).copy_from(region.span(from.off, from.nbytes));
    sh.seam.announce(to.off, to.nbytes);
}
