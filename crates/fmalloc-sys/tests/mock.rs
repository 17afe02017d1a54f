//! The Rust mock that Miri runs in the place of the C sources gives their answers: the same random calls to both, every answer compared.
#![cfg(not(miri))] // There is no C to compare with.
#![allow(clippy::undocumented_unsafe_blocks)] // Every call passes live heaps and valid pointers.

use fmalloc_sys as c;
use fmalloc_sys::{fm, fm_conflict, fm_extent, fm_mem, fm_req, fm_stat};
use std::alloc::{Layout, alloc, dealloc};
use std::ffi::c_void;
use std::ptr::null_mut;

mod bindings {
    pub(crate) use fmalloc_sys::*;
}
#[allow(dead_code, unreachable_pub, missing_docs)]
#[path = "../src/mock/mod.rs"]
mod mock;

unsafe extern "C" fn get(held: *mut c_void, n: usize) -> *mut c_void {
    // SAFETY: both heaps are of this test and alive, no other thread has them, and what is pointed to are its own variables.
    unsafe {
        *held.cast::<usize>() += n;
        alloc(Layout::from_size_align(n, 16).unwrap()).cast()
    }
}

unsafe extern "C" fn put(held: *mut c_void, p: *mut c_void, n: usize) {
    // SAFETY: both heaps are of this test and alive, no other thread has them, and what is pointed to are its own variables.
    unsafe {
        *held.cast::<usize>() -= n;
        dealloc(p.cast(), Layout::from_size_align(n, 16).unwrap());
    }
}

/// xorshift64*.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % n
    }
}

const UNIT: u64 = 64;

fn extent(off: u64, len: u64) -> fm_extent {
    fm_extent { off, len }
}

/// One heap of each kind, driven alike.
struct Twin {
    c: *mut fm,
    m: *mut fm,
    lo: u64,
    hi: u64,
    given: Vec<fm_extent>,
}

/// The same call to both (arguments are evaluated twice); the answers, out parameters included, are equal.
macro_rules! both {
    ($t:expr, $name:ident($($arg:expr),*) $(, $out:ident: $type:ty = $init:expr)*) => {{
        let mut from_c = (0i128, $({ let $out: $type = $init; $out },)*);
        let mut from_m = from_c;
        {
            #[allow(unused_variables, unused_mut)]
            let (result, $($out,)*) = &mut from_c;
            // SAFETY: both heaps are of this test and alive, no other thread has them, and what is pointed to are its own variables.
            *result = i128::from(unsafe { c::$name($t.c $(, $arg)* $(, $out)*) });
        }
        {
            #[allow(unused_variables, unused_mut)]
            let (result, $($out,)*) = &mut from_m;
            // SAFETY: both heaps are of this test and alive, no other thread has them, and what is pointed to are its own variables.
            *result = i128::from(unsafe { mock::$name($t.m $(, $arg)* $(, $out)*) });
        }
        assert_eq!(from_c, from_m, stringify!($name));
        from_c
    }};
}

impl Twin {
    /// Some place, mostly a sensible one.
    fn any(&self, r: &mut Random) -> fm_extent {
        let units = (self.hi - self.lo) / UNIT + 4;
        let off = (self.lo + r.below(units) * UNIT).saturating_sub(2 * UNIT);
        let odd = u64::from(r.below(50) == 0);
        extent(off + odd, r.below(9) * UNIT)
    }

    fn load(&mut self, r: &mut Random) {
        let (mut extents, mut ids) = (Vec::new(), Vec::new());
        let mut at = self.lo;
        let clashing = r.below(6) == 0;
        while at < self.hi {
            let e = extent(at, (1 + r.below(12)) * UNIT);
            if e.off + e.len <= self.hi && r.below(3) > 0 {
                ids.push(extents.len() as u64);
                extents.push(e);
            }
            at = e.off + e.len;
        }
        if clashing {
            ids.push(99_999);
            extents.push(self.any(r));
        }
        for i in (1..extents.len()).rev() {
            let j = r.below(i as u64 + 1) as usize;
            extents.swap(i, j);
            ids.swap(i, j);
        }
        let n = extents.len();
        let _ = both!(self, fm_load(extents.as_ptr(), ids.as_ptr(), n));
        let (ready, _) = both!(self, fm_ready(), clash: fm_conflict = fm_conflict::default());
        if ready == 0 {
            self.given = extents;
        }
    }

    fn step(&mut self, r: &mut Random) {
        match r.below(20) {
            0..=6 => {
                let shape = r.below(16);
                let flags = if r.below(40) == 0 { 5 } else { 3 };
                let req = fm_req {
                    len: (1 + r.below(if shape < 12 { 8 } else { 60 })) * UNIT,
                    align: if shape & 1 == 1 { UNIT << r.below(6) } else { 0 },
                    boundary: if shape & 2 == 2 { UNIT << r.below(9) } else { 0 },
                    below: if r.below(8) == 0 { self.lo + r.below(200) * UNIT } else { 0 },
                    flags: r.below(flags) as u32,
                    pad: 0,
                };
                let (done, got, _) =
                    both!(self, fm_alloc(&raw const req), got: fm_extent = extent(1, 1), zeroed: u64 = 7);
                if done == 0 {
                    self.given.push(got);
                }
            }
            7..=10 if !self.given.is_empty() => {
                let e = self.given.swap_remove(r.below(self.given.len() as u64) as usize);
                let half = extent(e.off, (e.len / 2).next_multiple_of(UNIT));
                let part = if r.below(4) == 0 { half } else { e };
                if r.below(2) == 0 {
                    // SAFETY: both heaps are of this test and alive, no other thread has them, and what is pointed to are its own variables.
                    unsafe {
                        c::fm_free(self.c, part);
                        mock::fm_free(self.m, part);
                    }
                } else {
                    let stamp = r.below(10);
                    // SAFETY: both heaps are of this test and alive, no other thread has them, and what is pointed to are its own variables.
                    unsafe {
                        c::fm_retire(self.c, part, stamp);
                        mock::fm_retire(self.m, part, stamp);
                    }
                }
                if part.len < e.len {
                    self.given.push(extent(e.off + part.len, e.len - part.len));
                }
            }
            11 => {
                let durable = r.below(11);
                let _ = both!(self, fm_reclaim(durable));
            }
            12 => {
                let want = self.any(r);
                if both!(self, fm_claim(want)).0 == 0 {
                    self.given.push(want);
                }
            }
            13 if !self.given.is_empty() => {
                let i = r.below(self.given.len() as u64) as usize;
                let len = self.given[i].len + r.below(6) * UNIT;
                let old = self.given[i];
                let (mut of_c, mut of_m) = (old, old);
                let (mut zc, mut zm) = (7, 7);
                // SAFETY: both heaps are of this test and alive, no other thread has them, and what is pointed to are its own variables.
                let done = unsafe { c::fm_extend(self.c, &raw mut of_c, len, &raw mut zc) };
                assert_eq!(done, unsafe { mock::fm_extend(self.m, &raw mut of_m, len, &raw mut zm) });
                assert_eq!((of_c, zc), (of_m, zm), "fm_extend");
                self.given[i] = of_c;
            }
            14 if r.below(3) == 0 => {
                let hi = self.hi + r.below(64) * UNIT;
                if both!(self, fm_grow(hi)).0 == 0 {
                    self.hi = hi;
                }
            }
            15 if r.below(3) == 0 => {
                let (done, hi) = both!(self, fm_trim(), hi: u64 = self.lo + 32 * UNIT);
                if done == 0 {
                    self.hi = hi;
                }
            }
            // What a mistaken caller gives back: the heap turns corrupt, both tell the same of it, and start again.
            16 if r.below(60) == 0 => {
                let e = self.any(r);
                // SAFETY: both heaps are of this test and alive, no other thread has them, and what is pointed to are its own variables.
                unsafe {
                    c::fm_free(self.c, e);
                    mock::fm_free(self.m, e);
                }
                self.look();
                // SAFETY: both heaps are of this test and alive, no other thread has them, and what is pointed to are its own variables.
                unsafe {
                    c::fm_reset(self.c);
                    mock::fm_reset(self.m);
                }
                self.given.clear();
                self.load(r);
            }
            _ => self.look(),
        }
    }

    /// Everything that can be seen of the heaps.
    fn look(&self) {
        let mut from = self.lo - UNIT;
        loop {
            let (done, e, _) = both!(self, fm_next(from), e: fm_extent = extent(0, 0), kind: u32 = 0);
            if done != 0 {
                break;
            }
            from = e.off + e.len;
        }
        let _ = both!(self, fm_check(), clash: fm_conflict = fm_conflict::default());
        let (mut a, mut b) = (fm_stat::default(), fm_stat::default());
        // SAFETY: both heaps are of this test and alive, no other thread has them, and what is pointed to are its own variables.
        unsafe {
            c::fm_stats(self.c, &raw mut a);
            mock::fm_stats(self.m, &raw mut b);
        }
        (a.bytes, b.bytes) = (0, 0);
        assert_eq!(a, b);
    }
}

#[test]
fn the_mock_answers_as_the_c_sources_do() {
    let seeds = std::env::var("FM_MOCK_SEEDS").ok().and_then(|s| s.parse().ok()).unwrap_or(300u64);
    for seed in 1..=seeds {
        // A failed assertion names the call; this line the run.
        println!("seed {seed}");
        let mut r = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut held = [0usize; 2];
        let (lo, hi) = (UNIT * (1 + r.below(64)), UNIT * (66 + r.below(1500)));
        let mut t = Twin { c: null_mut(), m: null_mut(), lo, hi, given: Vec::new() };
        let [of_c, of_m] =
            held.each_mut().map(|h| fm_mem { get: Some(get), put: Some(put), ctx: (&raw mut *h).cast() });
        // SAFETY: both heaps are of this test and alive, no other thread has them, and what is pointed to are its own variables.
        assert_eq!(unsafe { c::fm_open(&raw mut t.c, &raw const of_c, lo, hi) }, 0);
        assert_eq!(unsafe { mock::fm_open(&raw mut t.m, &raw const of_m, lo, hi) }, 0);
        let mut stat = fm_stat::default();
        t.look();
        t.load(&mut r);
        for _ in 0..400 {
            t.step(&mut r);
        }
        t.look();
        for n in [0, 1] {
            // Each tells the truth about its own memory.
            // SAFETY: both heaps are of this test and alive, no other thread has them, and what is pointed to are its own variables.
            unsafe {
                if n == 0 {
                    c::fm_stats(t.c, &raw mut stat);
                } else {
                    mock::fm_stats(t.m, &raw mut stat);
                }
            }
            assert_eq!(stat.bytes, held[n] as u64);
        }
        // SAFETY: both heaps are of this test and alive, no other thread has them, and what is pointed to are its own variables.
        unsafe {
            c::fm_close(t.c);
            mock::fm_close(t.m);
        }
        assert_eq!(held, [0, 0]);
    }
}
