//! Where a store's bytes are: what lives, what is garbage and why it is still there, what is free.

use super::{Inner, Mode, Store};
use crate::error::Result;
use crate::format::HEADER_BYTES;
use crate::format::superblock::MODE_SCRATCH;
use crate::resolve::{self, Resolved};

/// Bytes of the file by their state, and counts. In a store without damage the bytes add up to the file's length: metadata, live, pinned,
/// temporary, retired and free ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Elements and attributes of living objects.
    pub live_bytes: u64,
    /// Of destroyed or changed objects: usable after the next sync.
    pub retired_bytes: u64,
    /// Of destroyed objects, under buffers that are not collected or handles of other threads.
    pub pinned_bytes: u64,
    /// Of temporaries.
    pub temporary_bytes: u64,
    /// Usable now.
    pub free_bytes: u64,
    /// The longest free stretch.
    pub largest_gap_bytes: u64,
    /// Header and catalog.
    pub metadata_bytes: u64,
    /// Temporaries.
    pub temporaries: u64,
    /// Objects that only a reference finds.
    pub unnamed: u64,
    /// Objects whose elements are immutable.
    pub sealed: u64,
}

impl Store {
    /// Where the bytes are. Reads the catalog.
    ///
    /// # Errors
    /// `CLOSED`, `INTERNAL` (memory).
    pub fn usage(&self) -> Result<Usage> {
        let sh = self.shared()?;
        let mut inner = sh.lock_open()?;
        let mut u = Usage {
            metadata_bytes: HEADER_BYTES
                + inner.catalog.segments.iter().map(crate::catalog::Segment::nbytes).sum::<u64>(),
            ..Usage::default()
        };
        if sh.mode == Mode::Persistent {
            inner.count_records(&mut u);
        }
        for o in inner.objects.slab.iter().flatten() {
            match (o.alive, o.committed, o.record) {
                (true, false, _) => {
                    u.temporary_bytes += o.payload.nbytes;
                    u.temporaries += 1;
                }
                // In a scratch store the table is all there is.
                (true, true, None) => {
                    u.live_bytes += o.payload.nbytes;
                    u.unnamed += u64::from(o.name.is_none() && o.owner.is_none());
                    u.sealed += u64::from(o.facts().sealed);
                }
                (true, true, Some(_)) => {}
                (false, ..) => u.pinned_bytes += o.grave.map_or(0, |(e, _)| e.nbytes),
            }
        }
        inner.count_space(&mut u)?;
        Ok(u)
    }
}

impl Inner {
    fn count_records(&self, u: &mut Usage) {
        let bound = if self.begun { self.slots_used } else { self.catalog.used_end() };
        self.catalog.scan(bound, |idx, raw| {
            if raw != 0
                && let Some(slot) = self.catalog.slot(idx)
                && let Resolved::Live(live) = self.resolved(raw, &slot, idx)
                && self.flaw(&live).is_none()
            {
                u.live_bytes += resolve::extents(&live.body).iter().map(|e| e.nbytes).sum::<u64>();
                u.sealed += u64::from(live.body.is_sealed());
                let is_alone = live.head.owner().is_none();
                u.unnamed += u64::from(is_alone && matches!(self.naming_of(&live), Ok(None)));
            }
            true
        });
    }

    /// Free and retired bytes: of the map, or before the first change of what the map will be.
    fn count_space(&mut self, u: &mut Usage) -> Result<()> {
        let stats = if let Some(heap) = &self.heap {
            heap.stats()
        } else if self.sb.mode == MODE_SCRATCH {
            // What a killed process left in a scratch file counts for nothing: the first change takes it all.
            u.free_bytes = self.file_len - u.metadata_bytes;
            u.largest_gap_bytes = u.free_bytes;
            return Ok(());
        } else {
            // Overlapping records: verify names them, and nothing is free before they are gone.
            let Some(heap) = self.derived_map()? else { return Ok(()) };
            heap.stats()
        };
        u.free_bytes = stats.free;
        u.retired_bytes = stats.retired;
        u.largest_gap_bytes = stats.largest;
        Ok(())
    }
}
