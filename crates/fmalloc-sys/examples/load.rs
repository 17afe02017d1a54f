//! Times of the allocator: `cargo run --release --example load`.
//!
//! Deriving two million extents in and out of order, and small allocations from one big gap and among 10^5 gaps.
//! Medians of several runs, with the global allocator behind the callbacks.
#![allow(clippy::wildcard_imports, clippy::similar_names)] // The crate is nothing but names to import.

use std::alloc::{Layout, alloc, dealloc};
use std::ffi::c_void;
use std::ptr::null_mut;
use std::time::{Duration, Instant};

use fmalloc_sys::*;

const EXTENTS: u64 = 2_000_000;

unsafe extern "C" fn get(_: *mut c_void, n: usize) -> *mut c_void {
    // SAFETY: fmalloc asks for `n > 0` bytes, so the layout is not empty.
    unsafe { alloc(Layout::from_size_align(n, 16).unwrap()).cast() }
}

unsafe extern "C" fn put(_: *mut c_void, p: *mut c_void, n: usize) {
    // SAFETY: fmalloc gives back what `get` returned, once and with the same `n`; so the layout is that of the allocation.
    unsafe { dealloc(p.cast(), Layout::from_size_align(n, 16).unwrap()) }
}

fn open(hi: u64) -> *mut fm {
    let mem = fm_mem { get: Some(get), put: Some(put), ctx: null_mut() };
    let mut heap = null_mut();
    // SAFETY: both pointers are of locals that outlive the call; fm_open copies `mem`, whose callbacks are functions of this program.
    assert_eq!(unsafe { fm_open(&raw mut heap, &raw const mem, 0, hi) }, 0);
    heap
}

fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

fn shuffle(extents: &mut [fm_extent]) {
    let mut state = 88_172_645_463_325_252;
    for i in (1..extents.len()).rev() {
        extents.swap(i, (random(&mut state) % (i as u64 + 1)) as usize);
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// Loads and readies `extents`, several times.
fn derive(what: &str, extents: &[fm_extent], hi: u64) {
    let ids: Vec<u64> = (0..extents.len() as u64).collect();
    let mut gaps = 0;
    let times = (0..7)
        .map(|_| {
            let heap = open(hi);
            let mut stat = fm_stat::default();
            let start = Instant::now();
            // SAFETY: the heap was just opened and only this thread has it; there are as many ids as extents; fm_ready takes null for an
            // answer that nobody wants.
            unsafe {
                assert_eq!(fm_load(heap, extents.as_ptr(), ids.as_ptr(), extents.len()), 0);
                assert_eq!(fm_ready(heap, null_mut()), 0);
            }
            let time = start.elapsed();
            // SAFETY: the heap is open, `stat` a local; nothing uses the heap after fm_close.
            unsafe {
                fm_stats(heap, &raw mut stat);
                fm_close(heap);
            }
            gaps = stat.gaps;
            time
        })
        .collect();
    println!("{what:<58} {:>7.1} ms   ({gaps} gaps)", median(times).as_secs_f64() * 1e3);
}

/// Extents of 1 to `most` units; every `sparse`-th is followed by a gap of 1 to `most` units.
fn lay_out(sparse: u64, most: u64) -> (Vec<fm_extent>, u64) {
    let (mut state, mut off) = (4_101_842_887_655_102_017, 4096);
    let extents = (0..EXTENTS)
        .map(|i| {
            let len = 64 * (1 + random(&mut state) % most);
            let extent = fm_extent { off, len };
            off += len;
            if i % sparse == 0 {
                off += 64 * (1 + random(&mut state) % most);
            }
            extent
        })
        .collect();
    (extents, off + (1 << 30))
}

/// `n` allocations of 64 to 256 bytes from an open heap; nanoseconds each.
fn allocate(heap: *mut fm, n: u64, flags: u32) -> f64 {
    let mut got = fm_extent::default();
    let mut zeroed = 0;
    let start = Instant::now();
    for i in 0..n {
        let req = fm_req { len: 64 * (1 + i % 4), flags, ..fm_req::default() };
        // SAFETY: `main`, the only caller, passes a heap that it closes afterwards; the other pointers are of locals.
        assert_eq!(unsafe { fm_alloc(heap, &raw const req, &raw mut got, &raw mut zeroed) }, 0);
    }
    start.elapsed().as_secs_f64() * 1e9 / n as f64
}

fn main() {
    for (sparse, most) in [(1, 1), (1, 16), (1, 4096), (10, 16), (EXTENTS, 16)] {
        let (mut extents, hi) = lay_out(sparse, most);
        let what = format!("2 000 000 extents of 1..{most} units, a gap every {sparse}");
        derive(&format!("{what}, ascending"), &extents, hi);
        shuffle(&mut extents);
        derive(&format!("{what}, shuffled"), &extents, hi);
    }
    one_big_gap();
    among_gaps(1, "too small, so from the tail");
    among_gaps(64, "that fit");
}

fn one_big_gap() {
    let heap = open(1 << 40);
    // SAFETY: the heap was just opened; fm_ready takes null for an answer that nobody wants.
    assert_eq!(unsafe { fm_ready(heap, null_mut()) }, 0);
    println!("one big gap: {:.1} ns per allocation of 64..256 bytes", allocate(heap, 2_000_000, FM_BEST));
    // SAFETY: the heap is open, and nothing uses it afterwards.
    unsafe { fm_close(heap) };
}

/// Requests of two units and more among 10^5 gaps of `units`: those of one unit do not fit, and the tail serves beside them.
fn among_gaps(units: u64, what: &str) {
    let heap = open(1 << 40);
    // SAFETY: the heap was just opened; fm_ready takes null for an answer that nobody wants.
    assert_eq!(unsafe { fm_ready(heap, null_mut()) }, 0);
    for i in 0..100_000 {
        let off = 65_536 * i + 64 * units;
        // SAFETY: the heap is open, and the extent is passed by value.
        assert_eq!(unsafe { fm_claim(heap, fm_extent { off, len: 65_536 - 64 * units }) }, 0);
    }
    for (flags, name) in [(FM_BEST, "best"), (FM_LOWEST, "lowest")] {
        let start = Instant::now();
        let mut taken = Vec::new();
        for i in 0..500_000_u64 {
            let mut got = fm_extent::default();
            let req = fm_req { len: 64 * (2 + i % 3), flags, ..fm_req::default() };
            // SAFETY: the heap is open, `req` and `got` are locals, and fm_alloc takes null for the fresh bytes.
            assert_eq!(unsafe { fm_alloc(heap, &raw const req, &raw mut got, null_mut()) }, 0);
            taken.push(got);
        }
        let alloc_ns = start.elapsed().as_secs_f64() * 1e9 / 500_000.0;
        shuffle(&mut taken);
        let start = Instant::now();
        for &extent in &taken {
            // SAFETY: the heap is open; each extent was allocated above and is freed once.
            unsafe { fm_free(heap, extent) };
        }
        let free_ns = start.elapsed().as_secs_f64() * 1e9 / 500_000.0;
        println!(
            "10^5 gaps {what}, {name}: {alloc_ns:.0} ns per allocation, {free_ns:.0} ns per free in random order"
        );
    }
    // SAFETY: the heap is open, fm_check takes null for a conflict that nobody reads, and nothing uses the heap after fm_close.
    unsafe {
        assert_eq!(fm_check(heap, null_mut()), 0);
        fm_close(heap);
    }
}
