//! Sixteen doubles at a time in the registers of one instruction set, for sums that carry their rounding errors along: there the compiler's own
//! vectorisation of sixteen running sums fails (it mixes scalars and vectors of three widths, a third of the speed).
//!
//! A [`Lanes`] is a token that says which registers there are; only [`run`] makes one, after asking the processor. Every set computes the same
//! lanes with the same roundings: sets differ in speed, never in bits.

use super::simd::Isa;
use crate::region::Elems;
use std::ops::IndexMut;

/// Doubles of a row, on every instruction set.
pub(crate) const LANES: usize = 16;

/// How far ahead of a sequential read memory is asked for, in elements: 4 KiB. One core's additions and loads alone keep too few lines in
/// flight to read memory as fast as it can be read.
const AHEAD: usize = 512;

/// Rows of sixteen doubles in the registers of an instruction set that the processor has.
pub(crate) trait Lanes: Copy {
    /// Sixteen doubles.
    type Row: Copy;
    /// One register of doubles, [`Lanes::WIDTH`] of them.
    type Column: Copy;
    /// As many registers as each has doubles.
    type Square: Copy + IndexMut<usize, Output = Self::Column>;
    /// Doubles of a register: a power of two, eight at most.
    const WIDTH: usize;
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

    /// The first doubles of memory of one's own.
    ///
    /// # Panics
    /// If they do not fill a register: the caller has counted wrongly.
    fn column(self, x: &[f64]) -> Self::Column;
    /// To the start of memory of one's own.
    ///
    /// # Panics
    /// As [`Lanes::column`].
    fn put_column(self, column: Self::Column, out: &mut [f64]);
    /// Double by double.
    fn add_columns(self, a: Self::Column, b: Self::Column) -> Self::Column;
    /// Double by double.
    fn sub_columns(self, a: Self::Column, b: Self::Column) -> Self::Column;
    /// The register `k` becomes what stands at place `k` of each register.
    fn transpose(self, square: Self::Square) -> Self::Square;

    /// As [`Lanes::two_sum`].
    #[inline(always)]
    fn two_sum_columns(self, a: Self::Column, b: Self::Column) -> (Self::Column, Self::Column) {
        let s = self.add_columns(a, b);
        let bb = self.sub_columns(s, a);
        let (da, db) = (self.sub_columns(a, self.sub_columns(s, bb)), self.sub_columns(b, bb));
        (s, self.add_columns(da, db))
    }

    /// A square whose register `k` holds element `at + k` of the first run, of the next one, and so on, `step` elements from run to run.
    ///
    /// # Panics
    /// If they are not all there: the caller has counted wrongly.
    #[inline(always)]
    fn square(self, x: &[f64], at: usize, step: usize) -> Self::Square {
        let mut square = self.empty_square();
        for i in 0..Self::WIDTH {
            square[i] = self.column(&x[at + i * step..]);
        }
        self.transpose(square)
    }

    /// Puts one back where [`Lanes::square`] reads it.
    ///
    /// # Panics
    /// As there.
    #[inline(always)]
    fn put_square(self, square: Self::Square, out: &mut [f64], at: usize, step: usize) {
        let rows = self.transpose(square);
        for i in 0..Self::WIDTH {
            self.put_column(rows[i], &mut out[at + i * step..]);
        }
    }

    /// Zeros.
    fn empty_square(self) -> Self::Square;

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
    ($name:ident, $vector:ty, $count:literal, $transpose:ident, $splat:ident, $load:ident, $store:ident, $add:ident, $sub:ident, $mul:ident) => {
        #[derive(Clone, Copy)]
        pub(crate) struct $name(());

        impl Lanes for $name {
            type Row = [$vector; $count];
            type Column = $vector;
            type Square = [$vector; LANES / $count];
            const WIDTH: usize = LANES / $count;

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
            #[inline(always)]
            fn column(self, x: &[f64]) -> Self::Column {
                assert!(x.len() >= Self::WIDTH, "a register beyond the elements");
                // SAFETY: 1. as in `splat`; 2. the doubles of a register are there (checked); 3. the load needs no alignment.
                unsafe { $load(x.as_ptr()) }
            }
            #[inline(always)]
            fn put_column(self, column: Self::Column, out: &mut [f64]) {
                assert!(out.len() >= Self::WIDTH, "a register beyond the elements");
                // SAFETY: as in `column`.
                unsafe { $store(out.as_mut_ptr(), column) }
            }
            #[inline(always)]
            fn add_columns(self, a: Self::Column, b: Self::Column) -> Self::Column {
                // SAFETY: as in `splat`.
                unsafe { $add(a, b) }
            }
            #[inline(always)]
            fn sub_columns(self, a: Self::Column, b: Self::Column) -> Self::Column {
                // SAFETY: as in `splat`.
                unsafe { $sub(a, b) }
            }
            #[inline(always)]
            fn transpose(self, square: Self::Square) -> Self::Square {
                // SAFETY: as in `splat`.
                unsafe { $transpose(square) }
            }
            #[inline(always)]
            fn empty_square(self) -> Self::Square {
                // SAFETY: as in `splat`.
                unsafe { [$splat(0.0); LANES / $count] }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
mod sets {
    use super::{Elems, LANES, LaneKernel, Lanes};
    use std::arch::x86_64::{
        __m128d, __m256d, __m512d, _mm_add_pd, _mm_loadu_pd, _mm_mul_pd, _mm_set1_pd, _mm_storeu_pd,
        _mm_sub_pd, _mm_unpackhi_pd, _mm_unpacklo_pd, _mm256_add_pd, _mm256_loadu_pd, _mm256_mul_pd,
        _mm256_permute2f128_pd, _mm256_set1_pd, _mm256_storeu_pd, _mm256_sub_pd, _mm256_unpackhi_pd,
        _mm256_unpacklo_pd, _mm512_add_pd, _mm512_loadu_pd, _mm512_mul_pd, _mm512_set1_pd,
        _mm512_shuffle_f64x2, _mm512_storeu_pd, _mm512_sub_pd, _mm512_unpackhi_pd, _mm512_unpacklo_pd,
    };

    /// # Safety
    /// SSE2 belongs to x86-64.
    #[inline(always)]
    unsafe fn transpose_2([a, b]: [__m128d; 2]) -> [__m128d; 2] {
        // SAFETY: as said.
        unsafe { [_mm_unpacklo_pd(a, b), _mm_unpackhi_pd(a, b)] }
    }

    /// # Safety
    /// The processor has AVX2.
    #[inline(always)]
    unsafe fn transpose_4([a, b, c, d]: [__m256d; 4]) -> [__m256d; 4] {
        // SAFETY: as the caller says.
        unsafe {
            let (ab, cd) = (_mm256_unpacklo_pd(a, b), _mm256_unpacklo_pd(c, d));
            let (ba, dc) = (_mm256_unpackhi_pd(a, b), _mm256_unpackhi_pd(c, d));
            [
                _mm256_permute2f128_pd::<0x20>(ab, cd),
                _mm256_permute2f128_pd::<0x20>(ba, dc),
                _mm256_permute2f128_pd::<0x31>(ab, cd),
                _mm256_permute2f128_pd::<0x31>(ba, dc),
            ]
        }
    }

    /// Registers 0, 2, 4 and 6 of a square of eight from pairs of rows whose even places are interleaved, or 1, 3, 5 and 7 from their odd ones.
    ///
    /// # Safety
    /// The processor has AVX-512 F.
    #[inline(always)]
    unsafe fn every_other([a, b, c, d]: [__m512d; 4]) -> [__m512d; 4] {
        // SAFETY: as the caller says.
        unsafe {
            let (ab, cd) = (_mm512_shuffle_f64x2::<0x88>(a, b), _mm512_shuffle_f64x2::<0x88>(c, d));
            let (ba, dc) = (_mm512_shuffle_f64x2::<0xDD>(a, b), _mm512_shuffle_f64x2::<0xDD>(c, d));
            [
                _mm512_shuffle_f64x2::<0x88>(ab, cd),
                _mm512_shuffle_f64x2::<0x88>(ba, dc),
                _mm512_shuffle_f64x2::<0xDD>(ab, cd),
                _mm512_shuffle_f64x2::<0xDD>(ba, dc),
            ]
        }
    }

    /// # Safety
    /// The processor has AVX-512 F.
    #[inline(always)]
    unsafe fn transpose_8([a, b, c, d, e, f, g, h]: [__m512d; 8]) -> [__m512d; 8] {
        // SAFETY: as the caller says.
        unsafe {
            let even = every_other([
                _mm512_unpacklo_pd(a, b),
                _mm512_unpacklo_pd(c, d),
                _mm512_unpacklo_pd(e, f),
                _mm512_unpacklo_pd(g, h),
            ]);
            let odd = every_other([
                _mm512_unpackhi_pd(a, b),
                _mm512_unpackhi_pd(c, d),
                _mm512_unpackhi_pd(e, f),
                _mm512_unpackhi_pd(g, h),
            ]);
            [even[0], odd[0], even[1], odd[1], even[2], odd[2], even[3], odd[3]]
        }
    }

    set!(
        Sse2,
        __m128d,
        8,
        transpose_2,
        _mm_set1_pd,
        _mm_loadu_pd,
        _mm_storeu_pd,
        _mm_add_pd,
        _mm_sub_pd,
        _mm_mul_pd
    );
    set!(
        Avx2,
        __m256d,
        4,
        transpose_4,
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
        transpose_8,
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
        float64x2_t, vaddq_f64, vdupq_n_f64, vld1q_f64, vmulq_f64, vst1q_f64, vsubq_f64, vzip1q_f64,
        vzip2q_f64,
    };

    /// # Safety
    /// NEON belongs to `AArch64`.
    #[inline(always)]
    unsafe fn transpose_2([a, b]: [float64x2_t; 2]) -> [float64x2_t; 2] {
        // SAFETY: as said.
        unsafe { [vzip1q_f64(a, b), vzip2q_f64(a, b)] }
    }

    set!(
        Neon,
        float64x2_t,
        8,
        transpose_2,
        vdupq_n_f64,
        vld1q_f64,
        vst1q_f64,
        vaddq_f64,
        vsubq_f64,
        vmulq_f64
    );

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

    unsafe fn transpose_1(square: [f64; 1]) -> [f64; 1] {
        square
    }

    set!(Scalar, f64, 16, transpose_1, same, load, store, add, sub, mul);

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
