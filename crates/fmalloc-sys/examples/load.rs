//! Times of the allocator: `cargo run --release --example load`.
//!
//! Deriving two million extents in and out of order, and small allocations from one big gap and among 10^5 gaps.
//! Medians of several runs, with the global allocator behind the callbacks.
#![allow(clippy::undocumented_unsafe_blocks)] // Every call passes a live heap and valid pointers.
#![allow(clippy::wildcard_imports, clippy::similar_names)] // The crate is nothing but names to import.

use std::alloc::{Layout, alloc, dealloc};
use std::ffi::c_void;
use std::ptr::null_mut;
use std::time::{Duration, Instant};

use fmalloc_sys::*;

const EXTENTS: u64 = 2_000_000;

unsafe extern "C" fn get(_: *mut c_void, n: usize) -> *mut c_void {
    unsafe { alloc(Layout::from_size_align(n, 16).unwrap()).cast() }
}

unsafe extern "C" fn put(_: *mut c_void, p: *mut c_void, n: usize) {
    unsafe { dealloc(p.cast(), Layout::from_size_align(n, 16).unwrap()) }
}

fn open(hi: u64) -> *mut fm {
    let mem = fm_mem { get: Some(get), put: Some(put), ctx: null_mut() };
    let mut heap = null_mut();
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
        .map(|_| unsafe {
            let heap = open(hi);
            let start = Instant::now();
            assert_eq!(fm_load(heap, extents.as_ptr(), ids.as_ptr(), extents.len()), 0);
            assert_eq!(fm_ready(heap, null_mut()), 0);
            let time = start.elapsed();
            let mut stat = fm_stat::default();
            fm_stats(heap, &raw mut stat);
            gaps = stat.gaps;
            fm_close(heap);
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

/// `n` allocations of 64 to 256 bytes; nanoseconds each.
fn allocate(heap: *mut fm, n: u64, flags: u32) -> f64 {
    let mut got = fm_extent::default();
    let mut zeroed = 0;
    let start = Instant::now();
    for i in 0..n {
        let req = fm_req { len: 64 * (1 + i % 4), flags, ..fm_req::default() };
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
    unsafe {
        let heap = open(1 << 40);
        assert_eq!(fm_ready(heap, null_mut()), 0);
        println!("one big gap: {:.1} ns per allocation of 64..256 bytes", allocate(heap, 2_000_000, FM_BEST));
        fm_close(heap);

        // Gaps of one unit but requests of two and more: served by the tail beside 10^5 gaps that do not fit.
        for (units, what) in [(1, "too small, so from the tail"), (64, "that fit")] {
            let heap = open(1 << 40);
            assert_eq!(fm_ready(heap, null_mut()), 0);
            for i in 0..100_000 {
                let off = 65_536 * i + 64 * units;
                assert_eq!(fm_claim(heap, fm_extent { off, len: 65_536 - 64 * units }), 0);
            }
            for flags in [FM_BEST, FM_LOWEST] {
                let name = if flags == FM_BEST { "best" } else { "lowest" };
                let start = Instant::now();
                let mut taken = Vec::new();
                for i in 0..500_000_u64 {
                    let mut got = fm_extent::default();
                    let req = fm_req { len: 64 * (2 + i % 3), flags, ..fm_req::default() };
                    assert_eq!(fm_alloc(heap, &raw const req, &raw mut got, null_mut()), 0);
                    taken.push(got);
                }
                let alloc_ns = start.elapsed().as_secs_f64() * 1e9 / 500_000.0;
                shuffle(&mut taken);
                let start = Instant::now();
                for &extent in &taken {
                    fm_free(heap, extent);
                }
                let free_ns = start.elapsed().as_secs_f64() * 1e9 / 500_000.0;
                println!(
                    "10^5 gaps {what}, {name}: {alloc_ns:.0} ns per allocation, {free_ns:.0} ns per free in random order"
                );
            }
            assert_eq!(fm_check(heap, null_mut()), 0);
            fm_close(heap);
        }
    }
}
