//! Sixteen doubles at a time in the registers of one instruction set, for sums that carry their rounding errors along: there the compiler's own
//! vectorisation of sixteen running sums fails (it mixes scalars and vectors of three widths, a third of the speed).
//!
//! A [`Lanes`] is a token that says which registers there are; only [`run`] makes one, after asking the processor. Every set computes the same
//! lanes with the same roundings: sets differ in speed, never in bits.

use super::simd::Isa;
use crate::region::Elems;

/// Doubles of a row, on every instruction set.
pub(crate) const LANES: usize = 16;

/// How far ahead of a sequential read memory is asked for, in elements: 4 KiB. One core's additions and loads alone keep too few lines in
/// flight to read memory as fast as it can be read.
const AHEAD: usize = 512;

/// Rows of sixteen doubles in the registers of an instruction set that the processor has.
pub(crate) trait Lanes: Copy {
    /// Sixteen doubles.
    type Row: Copy;
    /// The same sixteen times.
    fn splat(self, x: f64) -> Self::Row;
    /// From memory of one's own.
    fn pack(self, x: &[f64; LANES]) -> Self::Row;
    /// To memory of one's own.
    fn unpack(self, row: Self::Row, out: &mut [f64; LANES]);
    /// Elements `[at, at + 16)`.
    ///
    /// # Panics
    /// If they are not all there: the caller has counted wrongly.
    fn read(self, x: Elems<'_, f64>, at: usize) -> Self::Row;
    /// Lane by lane.
    fn add(self, a: Self::Row, b: Self::Row) -> Self::Row;
    /// Lane by lane.
    fn sub(self, a: Self::Row, b: Self::Row) -> Self::Row;
    /// Lane by lane.
    fn mul(self, a: Self::Row, b: Self::Row) -> Self::Row;

    /// `a + b` and its exact rounding error: see [`super::exact::two_sum`].
    #[inline(always)]
    fn two_sum(self, a: Self::Row, b: Self::Row) -> (Self::Row, Self::Row) {
        let s = self.add(a, b);
        let bb = self.sub(s, a);
        (s, self.add(self.sub(a, self.sub(s, bb)), self.sub(b, bb)))
    }

    /// As [`Lanes::read`] in a walk through memory, which is asked for ahead.
    #[inline(always)]
    fn walk(self, x: Elems<'_, f64>, at: usize) -> Self::Row {
        x.ask_for(at + AHEAD);
        x.ask_for(at + AHEAD + LANES / 2);
        self.read(x, at)
    }

    /// The elements that fill no row, with zeros behind them.
    #[inline(always)]
    fn rest(self, x: Elems<'_, f64>) -> Self::Row {
        let mut rest = [0.0; LANES];
        x.rest(x.len() / LANES * LANES).copy_to(&mut rest);
        self.pack(&rest)
    }
}

/// Work on rows that is compiled once for each instruction set. `run` must be `#[inline(always)]`, and so must what it calls.
pub(crate) trait LaneKernel {
    /// What it gives back.
    type Out;
    /// The work.
    fn run<L: Lanes>(self, lanes: L) -> Self::Out;
}

/// `[f(0), f(1), ...]`, without a closure: what is called there must be compiled for the caller's instruction set.
macro_rules! parts {
    ($count:literal, $i:ident, $part:expr) => {{
        let mut out = [{
            let $i = 0;
            $part
        }; $count];
        for $i in 1..$count {
            out[$i] = $part;
        }
        out
    }};
}

/// Implements a set whose registers are `$vector`, `$count` of them a row.
macro_rules! set {
    ($name:ident, $vector:ty, $count:literal, $splat:ident, $load:ident, $store:ident, $add:ident, $sub:ident, $mul:ident) => {
        #[derive(Clone, Copy)]
        pub(crate) struct $name(());

        impl Lanes for $name {
            type Row = [$vector; $count];

            #[inline(always)]
            fn splat(self, x: f64) -> Self::Row {
                // SAFETY: the token says that the processor has the set.
                unsafe { [$splat(x); $count] }
            }
            #[inline(always)]
            fn pack(self, x: &[f64; LANES]) -> Self::Row {
                // SAFETY: 1. as in `splat`; 2. the registers of a row are as long as its sixteen doubles.
                unsafe { parts!($count, i, $load(x.as_ptr().add(i * (LANES / $count)))) }
            }
            #[inline(always)]
            fn unpack(self, row: Self::Row, out: &mut [f64; LANES]) {
                for (i, part) in row.into_iter().enumerate() {
                    // SAFETY: as in `pack`.
                    unsafe { $store(out.as_mut_ptr().add(i * (LANES / $count)), part) }
                }
            }
            #[inline(always)]
            fn read(self, x: Elems<'_, f64>, at: usize) -> Self::Row {
                assert!(at + LANES <= x.len(), "a row beyond the elements");
                let from = x.as_ptr().wrapping_add(at);
                // SAFETY: 1. as in `splat`; 2. the sixteen elements lie inside the memory (checked); 3. the loads need no alignment.
                unsafe { parts!($count, i, $load(from.add(i * (LANES / $count)))) }
            }
            #[inline(always)]
            fn add(self, a: Self::Row, b: Self::Row) -> Self::Row {
                // SAFETY: as in `splat`.
                unsafe { parts!($count, i, $add(a[i], b[i])) }
            }
            #[inline(always)]
            fn sub(self, a: Self::Row, b: Self::Row) -> Self::Row {
                // SAFETY: as in `splat`.
                unsafe { parts!($count, i, $sub(a[i], b[i])) }
            }
            #[inline(always)]
            fn mul(self, a: Self::Row, b: Self::Row) -> Self::Row {
                // SAFETY: as in `splat`.
                unsafe { parts!($count, i, $mul(a[i], b[i])) }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
mod sets {
    use super::{Elems, LANES, LaneKernel, Lanes};
    use std::arch::x86_64::{
        __m128d, __m256d, __m512d, _mm_add_pd, _mm_loadu_pd, _mm_mul_pd, _mm_set1_pd, _mm_storeu_pd,
        _mm_sub_pd, _mm256_add_pd, _mm256_loadu_pd, _mm256_mul_pd, _mm256_set1_pd, _mm256_storeu_pd,
        _mm256_sub_pd, _mm512_add_pd, _mm512_loadu_pd, _mm512_mul_pd, _mm512_set1_pd, _mm512_storeu_pd,
        _mm512_sub_pd,
    };

    set!(Sse2, __m128d, 8, _mm_set1_pd, _mm_loadu_pd, _mm_storeu_pd, _mm_add_pd, _mm_sub_pd, _mm_mul_pd);
    set!(
        Avx2,
        __m256d,
        4,
        _mm256_set1_pd,
        _mm256_loadu_pd,
        _mm256_storeu_pd,
        _mm256_add_pd,
        _mm256_sub_pd,
        _mm256_mul_pd
    );
    set!(
        Avx512,
        __m512d,
        2,
        _mm512_set1_pd,
        _mm512_loadu_pd,
        _mm512_storeu_pd,
        _mm512_add_pd,
        _mm512_sub_pd,
        _mm512_mul_pd
    );

    #[target_feature(enable = "avx2")]
    pub(super) fn with_avx2<K: LaneKernel>(kernel: K) -> K::Out {
        kernel.run(Avx2(()))
    }

    #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw")]
    pub(super) fn with_avx512<K: LaneKernel>(kernel: K) -> K::Out {
        kernel.run(Avx512(()))
    }

    /// SSE2 belongs to x86-64.
    pub(super) fn with_baseline<K: LaneKernel>(kernel: K) -> K::Out {
        kernel.run(Sse2(()))
    }
}

#[cfg(target_arch = "aarch64")]
mod sets {
    use super::{Elems, LANES, LaneKernel, Lanes};
    use std::arch::aarch64::{
        float64x2_t, vaddq_f64, vdupq_n_f64, vld1q_f64, vmulq_f64, vst1q_f64, vsubq_f64,
    };

    set!(Neon, float64x2_t, 8, vdupq_n_f64, vld1q_f64, vst1q_f64, vaddq_f64, vsubq_f64, vmulq_f64);

    /// NEON belongs to `AArch64`.
    pub(super) fn with_baseline<K: LaneKernel>(kernel: K) -> K::Out {
        kernel.run(Neon(()))
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
mod sets {
    use super::{Elems, LANES, LaneKernel, Lanes};

    /// One double at a time, for processors of which nothing is known.
    unsafe fn load(x: *const f64) -> f64 {
        // SAFETY: the caller says that there is a double.
        unsafe { x.read_unaligned() }
    }
    unsafe fn store(x: *mut f64, value: f64) {
        // SAFETY: as in `load`.
        unsafe { x.write_unaligned(value) }
    }
    unsafe fn same(x: f64) -> f64 {
        x
    }
    unsafe fn add(a: f64, b: f64) -> f64 {
        a + b
    }
    unsafe fn sub(a: f64, b: f64) -> f64 {
        a - b
    }
    unsafe fn mul(a: f64, b: f64) -> f64 {
        a * b
    }

    set!(Scalar, f64, 16, same, load, store, add, sub, mul);

    pub(super) fn with_baseline<K: LaneKernel>(kernel: K) -> K::Out {
        kernel.run(Scalar(()))
    }
}

/// Runs a kernel on this instruction set; on the baseline if the processor lacks it.
#[inline]
pub(crate) fn run<K: LaneKernel>(isa: Isa, kernel: K) -> K::Out {
    #[cfg(target_arch = "x86_64")]
    match isa {
        // SAFETY: the processor has AVX2 (asked).
        Isa::Avx2 if isa.available() => return unsafe { sets::with_avx2(kernel) },
        // SAFETY: the processor has the four parts of AVX-512 (asked).
        Isa::Avx512 if isa.available() => return unsafe { sets::with_avx512(kernel) },
        _ => {}
    }
    let _ = isa;
    sets::with_baseline(kernel)
}
