//! The bindings call what they name: one heap taken through its life from Rust.
#![allow(clippy::undocumented_unsafe_blocks)] // Every call passes a live heap and valid pointers.

use std::alloc::{Layout, alloc, dealloc};
use std::ffi::{c_int, c_void};
use std::ptr::null_mut;

use fmalloc_sys::*;

unsafe extern "C" fn get(held: *mut c_void, n: usize) -> *mut c_void {
    // SAFETY: `held` is the test's counter, which outlives the heap and which nobody else touches; `n` is not zero and 16 is a power of two.
    unsafe {
        *held.cast::<usize>() += n;
        alloc(Layout::from_size_align(n, 16).unwrap()).cast()
    }
}

unsafe extern "C" fn put(held: *mut c_void, p: *mut c_void, n: usize) {
    // SAFETY: `held` as in `get`; `p` came from there with the same size and alignment, and is given back once.
    unsafe {
        *held.cast::<usize>() -= n;
        dealloc(p.cast(), Layout::from_size_align(n, 16).unwrap());
    }
}

const fn failed(code: fm_error) -> c_int {
    -(code as c_int)
}

fn extent(off: u64, len: u64) -> fm_extent {
    fm_extent { off, len }
}

/// Runs `f` on an unready heap over `[4096, 1 MiB)` and checks that all memory comes back.
fn with_heap(f: impl FnOnce(*mut fm)) {
    let mut held = 0_usize;
    let mem = fm_mem { get: Some(get), put: Some(put), ctx: (&raw mut held).cast() };
    let mut heap = null_mut();
    // SAFETY: the heap and its memory are of this test and alive, no other thread has them, and what is pointed to are its own variables.
    assert_eq!(unsafe { fm_open(&raw mut heap, &raw const mem, 4096, 1 << 20) }, 0);
    f(heap);
    // SAFETY: the heap was opened above and is not used again.
    unsafe { fm_close(heap) };
    assert_eq!(held, 0);
}

#[test]
fn a_heap_lives_its_life() {
    // SAFETY: the heap and its memory are of this test and alive, no other thread has them, and what is pointed to are its own variables.
    with_heap(|heap| unsafe {
        let live = [extent(65_536, 4096), extent(4096, 64)];
        assert_eq!(fm_load(heap, live.as_ptr(), [7, 8].as_ptr(), 2), 0);
        assert_eq!(fm_ready(heap, null_mut()), 0);

        let mut got = fm_extent::default();
        let mut zeroed = 1;
        let req = fm_req { len: 128, align: 16_384, flags: FM_LOWEST, ..fm_req::default() };
        assert_eq!(fm_alloc(heap, &raw const req, &raw mut got, &raw mut zeroed), 0);
        assert_eq!((got, zeroed), (extent(16_384, 128), 0));
        assert_eq!(fm_extend(heap, &raw mut got, 256, &raw mut zeroed), 0);
        assert_eq!(got.len, 256);
        assert_eq!(fm_claim(heap, extent(65_536, 64)), failed(FM_ENOSPC));

        fm_retire(heap, got, 5);
        assert_eq!(fm_reclaim(heap, 4), 0);
        assert_eq!(fm_reclaim(heap, 5), 256);
        assert_eq!(fm_grow(heap, 2 << 20), 0);
        let mut hi = 0;
        assert_eq!(fm_trim(heap, &raw mut hi), 0);
        assert_eq!(hi, 65_536 + 4096);

        let mut pieces = Vec::new();
        let (mut from, mut piece, mut kind) = (0, fm_extent::default(), 0);
        while fm_next(heap, from, &raw mut piece, &raw mut kind) == 0 {
            pieces.push((piece.off, kind));
            from = piece.off + piece.len;
        }
        assert_eq!(pieces, [(4096, FM_USED), (4160, FM_FREE), (65_536, FM_USED)]);
        let mut stat = fm_stat::default();
        fm_stats(heap, &raw mut stat);
        assert_eq!((stat.used, stat.gaps, stat.retired), (4160, 1, 0));
        assert_eq!(fm_check(heap, null_mut()), 0);
    });
}

#[test]
fn overlapping_extents_name_both_owners() {
    // SAFETY: the heap and its memory are of this test and alive, no other thread has them, and what is pointed to are its own variables.
    with_heap(|heap| unsafe {
        let live = [extent(8192, 128), extent(8256, 64)];
        let mut clash = fm_conflict::default();
        assert_eq!(fm_load(heap, live.as_ptr(), [7, 8].as_ptr(), 2), 0);
        assert_eq!(fm_ready(heap, &raw mut clash), failed(FM_ECONFLICT));
        assert_eq!(clash, fm_conflict { a: live[0], b: live[1], id_a: 7, id_b: 8 });
    });
}

#[test]
fn a_double_free_is_refused_and_reported() {
    // SAFETY: the heap and its memory are of this test and alive, no other thread has them, and what is pointed to are its own variables.
    with_heap(|heap| unsafe {
        assert_eq!(fm_ready(heap, null_mut()), 0);
        fm_free(heap, extent(8192, 64));
        let (mut bad, mut got) = (fm_conflict::default(), fm_extent::default());
        let req = fm_req { len: 64, ..fm_req::default() };
        assert_eq!(fm_alloc(heap, &raw const req, &raw mut got, null_mut()), failed(FM_ECORRUPT));
        assert_eq!(fm_check(heap, &raw mut bad), failed(FM_ECORRUPT));
        assert_eq!(bad.a, extent(8192, 64));
    });
}
