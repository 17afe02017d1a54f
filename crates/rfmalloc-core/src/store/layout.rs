//! What every byte of a store's file is, and what belongs to which object: the picture behind a map of the store, and the listing's sizes.
//!
//! Parts (names, the heaps of text) count to their owner, and what has no name of its own to the list or frame that holds it, so that a
//! data frame is as large as its columns. Reads the catalog and the cells of lists; elements are not touched.

use super::attributes::{Child, LIST};
use super::begin::Loaded;
use super::{Inner, Store};
use crate::error::Result;
use crate::format::superblock::MODE_SCRATCH;
use crate::format::{Extent, HEADER_BYTES};
use crate::heap::Heap;
use crate::resolve::{self, Live, Resolved};

/// No object.
const NOBODY: u32 = u32::MAX;

/// What a stretch of the file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// The header or a segment of the catalog.
    Metadata,
    /// Elements and attributes of living objects.
    Live,
    /// Of temporaries.
    Temporary,
    /// Of destroyed objects under buffers that are not collected, or handles of other threads.
    Pinned,
    /// Of destroyed or changed objects: usable after the next sync.
    Retired,
    /// Usable now.
    Free,
    /// Nobody knows: a damaged record may own it.
    Unknown,
}

impl Use {
    /// As the API spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Metadata => "metadata",
            Self::Live => "live",
            Self::Temporary => "temporary",
            Self::Pinned => "pinned",
            Self::Retired => "retired",
            Self::Free => "free",
            Self::Unknown => "unknown",
        }
    }
}

/// A stretch of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// First byte.
    pub off: u64,
    /// Bytes.
    pub nbytes: u64,
    /// What it is.
    pub what: Use,
    /// Of a live stretch: the object it counts to.
    pub id: Option<u64>,
}

/// What living records count to, by slot.
#[derive(Default)]
pub(super) struct Belonging {
    /// Whose part, or in whose cell an object is.
    above: Vec<u32>,
    /// Whether `above` is a holder, who counts only for what has no name.
    is_held: Vec<bool>,
}

impl Store {
    /// Every byte of the file, in order.
    ///
    /// # Errors
    /// `CORRUPT`: a list is damaged; `IO`, `CLOSED`.
    pub fn layout(&self) -> Result<Vec<Stretch>> {
        let mut inner = self.shared()?.lock_open()?;
        let mut living: Vec<(u32, [Extent; 2])> = Vec::new();
        let known = inner.catalogued(&mut |idx, live| {
            living.extend(live.map(|live| (idx, resolve::extents(&live.body))));
        })?;
        let mut list = vec![Stretch { off: 0, nbytes: HEADER_BYTES, what: Use::Metadata, id: None }];
        for s in &inner.catalog.segments {
            list.push(Stretch { off: s.off, nbytes: s.nbytes(), what: Use::Metadata, id: None });
        }
        for (idx, extents) in &living {
            let id = Some(u64::from(inner.top(&known, *idx)));
            let live = extents.iter().filter(|e| !e.is_empty());
            list.extend(live.map(|e| Stretch { off: e.off, nbytes: e.nbytes, what: Use::Live, id }));
        }
        for o in inner.objects.slab.iter().flatten().filter(|o| o.record.is_none() || !o.alive) {
            let (e, what, id) = match (o.alive, o.committed) {
                (true, true) => (o.payload, Use::Live, Some(o.id)),
                (true, false) => (o.payload, Use::Temporary, None),
                (false, _) => (o.grave.map_or(Extent::EMPTY, |(e, _)| e), Use::Pinned, None),
            };
            if !e.is_empty() {
                list.push(Stretch { off: e.off, nbytes: e.nbytes, what, id });
            }
        }
        inner.push_unused(&mut list)?;
        let end = inner.file_len;
        inner.loss.check()?;
        drop(inner);
        Ok(joined(list, end))
    }
}

/// Sorted, without overlaps, up to the file's end; what nobody named is unknown.
fn joined(mut list: Vec<Stretch>, end: u64) -> Vec<Stretch> {
    list.sort_by_key(|s| (s.off, s.nbytes));
    let mut out: Vec<Stretch> = Vec::with_capacity(list.len());
    let mut at = 0;
    let unknown = |off: u64, to: u64| Stretch { off, nbytes: to - off, what: Use::Unknown, id: None };
    for mut s in list {
        let stop = (s.off + s.nbytes).min(end);
        if s.off > at {
            out.push(unknown(at, s.off.min(end)));
        }
        s.off = s.off.max(at);
        if stop <= s.off {
            continue;
        }
        s.nbytes = stop - s.off;
        at = stop;
        match out.last_mut() {
            Some(last) if last.what == s.what && last.id == s.id && last.off + last.nbytes == s.off => {
                last.nbytes += s.nbytes;
            }
            _ => out.push(s),
        }
    }
    if at < end {
        out.push(unknown(at, end));
    }
    out
}

impl Inner {
    /// Calls `each` for every slot in use: with the record, or with nothing if it is damaged. Gives what counts to what.
    pub(super) fn catalogued(&self, each: &mut dyn FnMut(u32, Option<&Live>)) -> Result<Belonging> {
        if self.sb.mode == MODE_SCRATCH {
            return Ok(Belonging::default());
        }
        let bound = if self.begun { self.slots_used } else { self.catalog.used_end() };
        let mut known =
            Belonging { above: vec![NOBODY; bound as usize], is_held: vec![false; bound as usize] };
        let mut lists: Vec<Live> = Vec::new();
        self.catalog.scan(bound, |idx, raw| {
            let Some(slot) = self.catalog.slot(idx) else { return true };
            let resolved = self.resolved(raw, &slot, idx);
            if let Resolved::Live(live) = resolved
                && self.flaw(&live).is_none()
            {
                each(idx, Some(&live));
                if live.head.owner().is_some() {
                    known.above[idx as usize] = live.head.owner_id;
                }
                if live.head.kind >= LIST {
                    lists.push(live);
                }
            } else if raw != 0 || idx < self.sb.slots_used {
                each(idx, None);
            }
            true
        });
        for list in lists {
            for cell in self.record_cells(list.head.id, list.head.kind)? {
                if let Child::Record((idx, _)) = cell
                    && let Some(above) = known.above.get_mut(idx as usize)
                    && *above == NOBODY
                {
                    *above = list.head.id;
                    known.is_held[idx as usize] = true;
                }
            }
        }
        Ok(known)
    }

    /// The object that a record counts to.
    pub(super) fn top(&self, known: &Belonging, idx: u32) -> u32 {
        let mut at = idx;
        // Lists hold no circles; a damaged store might.
        for _ in 0..64 {
            let above = known.above.get(at as usize).copied().unwrap_or(NOBODY);
            let is_its_own = || known.is_held[at as usize] && self.has_name(at).unwrap_or(true);
            if above as usize >= known.above.len() || is_its_own() {
                return at;
            }
            at = above;
        }
        at
    }

    /// Free and retired stretches: of the map, or before the first change of what the map will be. None of a store with overlapping records.
    fn push_unused(&mut self, list: &mut Vec<Stretch>) -> Result<()> {
        if let Some(heap) = &self.heap {
            return unused_of(heap, self.file_len, list);
        }
        if self.sb.mode == MODE_SCRATCH {
            let taken: u64 = list.iter().map(|s| s.off + s.nbytes).max().unwrap_or(0);
            list.push(Stretch { off: taken, nbytes: self.file_len - taken, what: Use::Free, id: None });
            return Ok(());
        }
        match self.derived_map()? {
            Some(heap) => unused_of(&heap, self.file_len, list),
            None => Ok(()),
        }
    }

    /// The map as the first change will make it; `None`: records overlap.
    pub(super) fn derived_map(&self) -> Result<Option<Heap>> {
        let end = self.catalog.used_end().max(self.sb.slots_used);
        let Loaded { mut heap, retired, .. } = self.load_map(end, !self.same_boot)?;
        if heap.ready()?.is_err() {
            return Ok(None);
        }
        for (extents, stamp) in retired {
            for e in extents {
                heap.retire(e, stamp);
            }
        }
        heap.reclaim(self.synced_seq);
        Ok(Some(heap))
    }
}

fn unused_of(heap: &Heap, end: u64, list: &mut Vec<Stretch>) -> Result<()> {
    let mut at = HEADER_BYTES;
    while at < end
        && let Some((e, kind)) = heap.next(at)?
    {
        let what = match kind {
            fmalloc_sys::FM_FREE => Some(Use::Free),
            fmalloc_sys::FM_RETIRED => Some(Use::Retired),
            _ => None,
        };
        if let Some(what) = what {
            list.push(Stretch { off: e.off, nbytes: e.nbytes, what, id: None });
        }
        at = e.end();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;
    use crate::store::attributes::FRAME;
    use crate::{Dtype, OpenOptions, Strings};

    fn sum(list: &[Stretch], what: Use) -> u64 {
        list.iter().filter(|s| s.what == what).map(|s| s.nbytes).sum()
    }

    fn check(store: &Store) -> Vec<Stretch> {
        let (list, usage) = (store.layout().unwrap(), store.usage().unwrap());
        let mut at = 0;
        for s in &list {
            assert_eq!(s.off, at, "no gap and no overlap");
            at += s.nbytes;
        }
        assert_eq!(at, store.mapped_bytes().unwrap());
        for (what, nbytes) in [
            (Use::Metadata, usage.metadata_bytes),
            (Use::Live, usage.live_bytes),
            (Use::Temporary, usage.temporary_bytes),
            (Use::Pinned, usage.pinned_bytes),
            (Use::Retired, usage.retired_bytes),
            (Use::Free, usage.free_bytes),
            (Use::Unknown, 0),
        ] {
            assert_eq!(sum(&list, what), nbytes, "{what:?}");
        }
        list
    }

    #[test]
    fn every_byte_has_one_use_and_the_numbers_are_those_of_usage() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.fm");
        let store = Store::open(&path, &OpenOptions::default()).unwrap().store;
        check(&store);
        let a = store.create(Dtype::Raw, 100_000, &vec![1; 100_000], Some("a")).unwrap();
        let b = store.create(Dtype::Raw, 50_000, &vec![1; 50_000], Some("b")).unwrap();
        store.destroy(&b, false).unwrap();
        let text: Strings = ["a text longer than twelve bytes", "x"].into_iter().map(Some).collect();
        let column = store.reserve(Dtype::Character, 2, true).unwrap();
        let column = crate::Vector::Object(column);
        column.write_strings(0, &text).unwrap();
        let crate::Vector::Object(column) = column else { return };
        let names: Strings = [Some("what")].into_iter().collect();
        let mut frame = store.frame(&[&column], &names, None).unwrap();
        store.commit(&mut frame, Some("df"), false).unwrap();
        let pin = a.pin(0, 100).unwrap();
        store.destroy(&a, false).unwrap();
        let temporary = store.reserve(Dtype::Raw, 30_000, true).unwrap();
        let list = check(&store);
        assert!(list.iter().any(|s| s.what == Use::Pinned) && list.iter().any(|s| s.what == Use::Temporary));
        // Everything alive counts to the frame: its names, its column and the column's heap.
        let listing = store.listing().unwrap();
        let df = (0..listing.ids.len()).find(|i| listing.names.get(*i) == Some("df")).unwrap();
        assert_eq!((listing.dims.as_slice(), listing.kinds[df]), (&[(df as u32, vec![2, 1])][..], FRAME));
        assert_eq!(listing.nbytes[df], sum(&list, Use::Live));
        assert!(list.iter().filter(|s| s.what == Use::Live).all(|s| s.id == Some(listing.ids[df])));
        drop((pin, temporary));
        store.close().unwrap();
        let again =
            Store::open(&path, &OpenOptions { read_only: true, ..OpenOptions::default() }).unwrap().store;
        check(&again);
        assert_eq!(again.listing().unwrap(), listing);
        again.close().unwrap();
        assert_eq!(again.layout().unwrap_err().code(), Code::Closed);
    }
}
