//! Safe wrapper over the C allocator of file space.
//!
//! Holds: [`Heap`]. May touch: `fmalloc-sys`, nothing else. C owns *which bytes of the file are free now*; the callers own *why*. All
//! calls happen under the store mutex.

use crate::error::{Code, Error, Result};
use crate::format::{Extent, UNIT};
use fmalloc_sys as sys;
use std::alloc::{Layout, alloc, dealloc};
use std::ffi::c_void;
use std::ptr::{self, NonNull};

/// Two extents that cannot both be right, with the ids their owners loaded them under.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Conflict {
    pub(crate) a: Extent,
    pub(crate) b: Extent,
    pub(crate) id_a: u64,
    pub(crate) id_b: u64,
}

/// Bytes by their state.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct HeapStats {
    pub(crate) used: u64,
    pub(crate) retired: u64,
    pub(crate) free: u64,
    /// The longest free stretch.
    pub(crate) largest: u64,
}

/// The free-space map of one store.
pub(crate) struct Heap {
    fm: NonNull<sys::fm>,
}

// SAFETY: the C heap has no thread affinity and no global state; the store mutex serialises calls.
unsafe impl Send for Heap {}

const NODE_ALIGN: usize = 16;

unsafe extern "C" fn get(_ctx: *mut c_void, n: usize) -> *mut c_void {
    match Layout::from_size_align(n, NODE_ALIGN) {
        // SAFETY: the layout has a size above zero (checked).
        Ok(layout) if n > 0 => unsafe { alloc(layout) }.cast(),
        _ => ptr::null_mut(),
    }
}

unsafe extern "C" fn put(_ctx: *mut c_void, p: *mut c_void, n: usize) {
    if let Ok(layout) = Layout::from_size_align(n, NODE_ALIGN)
        && !p.is_null()
    {
        // SAFETY: C returns each block once, with the size it asked for in `get`.
        unsafe { dealloc(p.cast(), layout) }
    }
}

fn to_c(e: Extent) -> sys::fm_extent {
    sys::fm_extent { off: e.off, len: e.nbytes }
}

fn from_c(e: sys::fm_extent) -> Extent {
    Extent { off: e.off, nbytes: e.len }
}

fn failed(code: i32) -> Error {
    let what = match -code {
        x if x == sys::FM_ENOMEM as i32 => "out of memory for the free-space map",
        x if x == sys::FM_ESTALE as i32 => {
            "the free-space map is incomplete after running out of memory; close and reopen the store"
        }
        x if x == sys::FM_ECORRUPT as i32 => "the free-space map contradicts itself; run verify()",
        _ => "the free-space map refused a request",
    };
    Error::new(Code::Internal, format!("{what} (code {code})"))
}

impl Heap {
    /// An empty map of `[lo, hi)`; nothing is known of it before [`Heap::ready`].
    pub(crate) fn new(lo: u64, hi: u64) -> Result<Self> {
        let mem = sys::fm_mem { get: Some(get), put: Some(put), ctx: ptr::null_mut() };
        let mut fm = ptr::null_mut();
        // SAFETY: both pointers are valid for the call; C copies `mem`.
        let r = unsafe { sys::fm_open(&raw mut fm, &raw const mem, lo, hi) };
        match NonNull::new(fm) {
            Some(fm) if r == 0 => Ok(Self { fm }),
            _ => Err(failed(r)),
        }
    }

    /// Adds live extents, each with an id to name it by in a conflict.
    pub(crate) fn load(&mut self, extents: &[sys::fm_extent], ids: &[u64]) -> Result<()> {
        let n = extents.len().min(ids.len());
        // SAFETY: both arrays have `n` elements; C copies them.
        match unsafe { sys::fm_load(self.fm.as_ptr(), extents.as_ptr(), ids.as_ptr(), n) } {
            0 => Ok(()),
            r => Err(failed(r)),
        }
    }

    /// Sorts and checks what was loaded and derives the gaps; `Err` names two owners of the same bytes.
    pub(crate) fn ready(&mut self) -> Result<std::result::Result<(), Conflict>> {
        let mut c = empty_conflict();
        // SAFETY: the heap is alive and `c` is valid for the call.
        match unsafe { sys::fm_ready(self.fm.as_ptr(), &raw mut c) } {
            0 => Ok(Ok(())),
            r if r == -(sys::FM_ECONFLICT as i32) => {
                Ok(Err(Conflict { a: from_c(c.a), b: from_c(c.b), id_a: c.id_a, id_b: c.id_b }))
            }
            r => Err(failed(r)),
        }
    }

    /// Takes `nbytes` (a multiple of 64); returns the extent and how many bytes at its end are known to be zero. `None`: no gap is large
    /// enough.
    pub(crate) fn alloc(&mut self, nbytes: u64, align: u64, boundary: u64) -> Result<Option<(Extent, u64)>> {
        self.alloc_where(nbytes, align, boundary, 0, sys::FM_BEST)
    }

    /// The lowest place for `nbytes` that ends at or below `below`.
    pub(crate) fn alloc_below(
        &mut self,
        nbytes: u64,
        align: u64,
        boundary: u64,
        below: u64,
    ) -> Result<Option<Extent>> {
        Ok(self.alloc_where(nbytes, align, boundary, below, sys::FM_LOWEST)?.map(|(e, _)| e))
    }

    fn alloc_where(
        &mut self,
        nbytes: u64,
        align: u64,
        boundary: u64,
        below: u64,
        flags: u32,
    ) -> Result<Option<(Extent, u64)>> {
        let req = sys::fm_req { len: nbytes, align, boundary, below, flags, pad: 0 };
        let mut out = to_c(Extent::EMPTY);
        let mut zeroed = 0;
        // SAFETY: all pointers are valid for the call.
        match unsafe { sys::fm_alloc(self.fm.as_ptr(), &raw const req, &raw mut out, &raw mut zeroed) } {
            0 => Ok(Some((from_c(out), zeroed))),
            r if r == -(sys::FM_ENOSPC as i32) => Ok(None),
            r => Err(failed(r)),
        }
    }

    /// Gives bytes back for immediate reuse. Never fails.
    pub(crate) fn free(&mut self, e: Extent) {
        if !e.is_empty() {
            // SAFETY: the heap is alive; C checks the range.
            unsafe { sys::fm_free(self.fm.as_ptr(), to_c(e)) }
        }
    }

    /// Gives bytes back for reuse once `stamp` is durable. Never fails.
    pub(crate) fn retire(&mut self, e: Extent, stamp: u64) {
        if !e.is_empty() {
            // SAFETY: as in `free`.
            unsafe { sys::fm_retire(self.fm.as_ptr(), to_c(e), stamp) }
        }
    }

    /// Frees what was retired with a stamp up to `durable`; returns the bytes.
    pub(crate) fn reclaim(&mut self, durable: u64) -> u64 {
        // SAFETY: the heap is alive.
        unsafe { sys::fm_reclaim(self.fm.as_ptr(), durable) }
    }

    /// The managed range ends at `hi` from now on; the new bytes are zero and free.
    pub(crate) fn grow(&mut self, hi: u64) -> Result<()> {
        // SAFETY: the heap is alive.
        match unsafe { sys::fm_grow(self.fm.as_ptr(), hi) } {
            0 => Ok(()),
            r => Err(failed(r)),
        }
    }

    /// Where the file could end: its free tail dropped down to a multiple of `unit`, not below `lowest`.
    pub(crate) fn end(&self, lowest: u64, unit: u64, hi: u64) -> Result<u64> {
        let last = match self.next(hi - 1)? {
            Some((e, kind)) if kind == sys::FM_FREE => e.off,
            _ => hi,
        };
        Ok(last.next_multiple_of(unit).clamp(lowest, hi))
    }

    /// The managed range ends at `end`, an answer of [`Heap::end`], from now on.
    pub(crate) fn trim(&mut self, mut end: u64) -> Result<()> {
        // SAFETY: the heap is alive and `end` is valid for the call.
        match unsafe { sys::fm_trim(self.fm.as_ptr(), &raw mut end) } {
            0 => Ok(()),
            r => Err(failed(r)),
        }
    }

    /// The range at or behind `from`, with its kind; `None` at the end.
    pub(crate) fn next(&self, from: u64) -> Result<Option<(Extent, u32)>> {
        let mut e = to_c(Extent::EMPTY);
        let mut kind = 0;
        // SAFETY: all pointers are valid for the call.
        match unsafe { sys::fm_next(self.fm.as_ptr(), from, &raw mut e, &raw mut kind) } {
            0 => Ok(Some((from_c(e), kind))),
            r if r == -(sys::FM_ENOSPC as i32) => Ok(None),
            r => Err(failed(r)),
        }
    }

    pub(crate) fn stats(&self) -> HeapStats {
        // SAFETY: fm_stat is plain numbers; C fills it.
        let s = unsafe {
            let mut s: sys::fm_stat = std::mem::zeroed();
            sys::fm_stats(self.fm.as_ptr(), &raw mut s);
            s
        };
        HeapStats { used: s.used, retired: s.retired, free: s.free, largest: s.largest }
    }

    /// Walks every invariant of the map.
    pub(crate) fn check(&self) -> Result<()> {
        let mut c = empty_conflict();
        // SAFETY: all pointers are valid for the call.
        match unsafe { sys::fm_check(self.fm.as_ptr(), &raw mut c) } {
            0 => Ok(()),
            r => Err(failed(r).with("offset", c.a.off)),
        }
    }
}

impl Drop for Heap {
    fn drop(&mut self) {
        // SAFETY: the heap is ours and nobody uses it any more.
        unsafe { sys::fm_close(self.fm.as_ptr()) }
    }
}

fn empty_conflict() -> sys::fm_conflict {
    sys::fm_conflict { a: to_c(Extent::EMPTY), b: to_c(Extent::EMPTY), id_a: 0, id_b: 0 }
}

const _: () = assert!(UNIT == sys::FM_UNIT as u64);

#[cfg(test)]
mod tests {
    //! Under Miri these run over the mock of fmalloc: what is checked is this wrapper, and that C's side of the contract suffices for it.

    use super::*;

    const LO: u64 = 64 * 1024;
    const HI: u64 = 1 << 20;

    fn heap(live: &[(u64, u64)]) -> Heap {
        let mut heap = Heap::new(LO, HI).unwrap();
        let extents: Vec<_> = live.iter().map(|(off, len)| sys::fm_extent { off: *off, len: *len }).collect();
        let ids: Vec<u64> = (0..live.len() as u64).collect();
        heap.load(&extents, &ids).unwrap();
        heap
    }

    #[test]
    fn every_call_goes_through_and_comes_back() {
        let mut heap = heap(&[(LO, 4096), (LO + 8192, 64)]);
        assert!(heap.ready().unwrap().is_ok());
        let (e, zeroed) = heap.alloc(128, 64, 0).unwrap().unwrap();
        assert_eq!((e, zeroed), (Extent { off: LO + 4096, nbytes: 128 }, 0));
        heap.retire(e, 5);
        assert_eq!((heap.stats().used, heap.stats().retired), (4160, 128));
        assert_eq!(heap.reclaim(4), 0);
        assert_eq!(heap.reclaim(5), 128);
        assert!(heap.alloc(2 * HI, 64, 0).unwrap().is_none());
        heap.grow(4 * HI).unwrap();
        let (big, zeroed) = heap.alloc(2 * HI, 16 * 1024, 0).unwrap().unwrap();
        assert_eq!(zeroed, big.end().saturating_sub(big.off.max(HI)), "what came with the growth is zero");
        heap.free(big);
        assert_eq!(heap.next(0).unwrap().unwrap(), (Extent { off: LO, nbytes: 4096 }, sys::FM_USED));
        assert!(heap.next(4 * HI).unwrap().is_none());
        assert_eq!(heap.end(HI, LO, 4 * HI).unwrap(), HI);
        heap.trim(HI).unwrap();
        assert!(heap.next(HI).unwrap().is_none());
        heap.check().unwrap();
    }

    #[test]
    fn two_owners_of_the_same_bytes_are_named() {
        let mut heap = heap(&[(LO + 64, 128), (LO + 128, 64)]);
        let clash = heap.ready().unwrap().unwrap_err();
        assert_eq!((clash.id_a, clash.id_b), (0, 1));
        assert_eq!(clash.b, Extent { off: LO + 128, nbytes: 64 });
        assert!(heap.alloc(64, 64, 0).is_err(), "a heap with a conflict hands nothing out");
    }

    #[test]
    fn a_double_free_is_an_error_of_the_next_call() {
        let mut heap = heap(&[]);
        assert!(heap.ready().unwrap().is_ok());
        heap.free(Extent { off: LO, nbytes: 64 });
        assert_eq!(heap.alloc(64, 64, 0).unwrap_err().code(), Code::Internal);
        assert_eq!(heap.check().unwrap_err().code(), Code::Internal);
    }

    #[test]
    fn a_heap_may_move_to_another_thread_and_end_there() {
        let mut heap = heap(&[]);
        assert!(heap.ready().unwrap().is_ok());
        let many = std::thread::spawn(move || {
            let taken: Vec<_> = (0..300).map(|_| heap.alloc(64, 64, 0).unwrap().unwrap().0).collect();
            taken.iter().step_by(2).for_each(|e| heap.free(*e));
            heap.check().unwrap();
            heap.stats().used
        });
        assert_eq!(many.join().unwrap(), 150 * 64);
    }

    #[test]
    fn an_unfinished_load_is_given_back() {
        drop(heap(&[(LO, 64), (LO + 64, 64)]));
        assert!(Heap::new(HI, LO).is_err());
    }
}
