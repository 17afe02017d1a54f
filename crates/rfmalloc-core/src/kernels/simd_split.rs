//! Splitting private keys around a pivot, by permutations from a table: for AVX-512 and for AVX2.
//!
//! A register of keys is compared with the pivot; the result of the comparison, as a number, finds a permutation that brings what is below to the
//! front. The permuted register is stored whole at both ends of the room: at the front its first keys count, at the back its last ones, and what is
//! too much is overwritten by what comes next. So there is no branch on what keys are, and no store under a mask.

use std::arch::x86_64::{
    __m128i, __m256i, __m512i, _mm_cvtsi64_si128, _mm256_castsi256_pd, _mm256_castsi256_ps,
    _mm256_cmpgt_epi32, _mm256_cmpgt_epi64, _mm256_cvtepu8_epi32, _mm256_loadu_si256, _mm256_movemask_pd,
    _mm256_movemask_ps, _mm256_permutevar8x32_epi32, _mm256_set1_epi32, _mm256_set1_epi64x,
    _mm256_storeu_si256, _mm256_xor_si256, _mm512_cmplt_epu64_mask, _mm512_cvtepu8_epi64, _mm512_loadu_si512,
    _mm512_permutexvar_epi64, _mm512_set1_epi64, _mm512_storeu_si512,
};

/// For every set of eight lanes the lanes in it and then the others, each in a byte from the lowest on.
static EIGHT: [u64; 256] = {
    let mut table = [0; 256];
    let mut set = 0;
    while set < 256 {
        let (mut place, mut lane) = (0, 0);
        let below = (set as u32).count_ones();
        let mut rest = below;
        while lane < 8 {
            if set >> lane & 1 == 1 {
                table[set] |= lane << (8 * place);
                place += 1;
            } else {
                table[set] |= lane << (8 * rest);
                rest += 1;
            }
            lane += 1;
        }
        set += 1;
    }
    table
};

/// The same for four lanes of two halves each.
static FOUR: [u64; 16] = {
    let mut table = [0; 16];
    let mut set = 0;
    while set < 16 {
        let mut place = 0;
        // Eight lanes of which the upper four are in no set: the first four of the permutation are those of four lanes.
        while place < 4 {
            let lane = (EIGHT[set] >> (8 * place)) & 0xFF;
            table[set] |= ((2 * lane) | ((2 * lane + 1) << 8)) << (16 * place);
            place += 1;
        }
        set += 1;
    }
    table
};

macro_rules! split {
    (
        $name:ident, $features:literal, $key:ty, $lanes:literal, $table:ident,
        $set1:expr, $load:expr, $is_low:expr, $permute:expr, $store:expr
    ) => {
        /// Copies `from` to `to`: what is below the pivot from the front on, the rest from the back on. How many are below. As much is
        /// copied as both have room for.
        #[target_feature(enable = $features)]
        #[inline]
        pub(super) fn $name(from: &[$key], to: &mut [$key], pivot: $key) -> usize {
            const LANES: usize = $lanes;
            let n = from.len().min(to.len());
            let pivots = $set1(pivot);
            let out = to.as_mut_ptr();
            let (mut low, mut high, mut i) = (0, n, 0);
            while i + 2 * LANES <= n {
                // SAFETY: a whole register of keys is left in `from`.
                let x = unsafe { $load(from.as_ptr().add(i)) };
                let set: usize = $is_low(x, pivots);
                let x = $permute(x, $table[set]);
                let lows = set.count_ones() as usize;
                // SAFETY: of the `n` places `low` and `n - high` are taken, together `i`: at least two registers' places lie between
                // `low` and `high`, and the stores stay between them and do not meet.
                unsafe {
                    $store(out.add(low), x);
                    $store(out.add(high - LANES), x);
                }
                low += lows;
                high -= LANES - lows;
                i += LANES;
            }
            for &key in &from[i..n] {
                // Both places are free: one key is left for each place between them.
                to[low] = key;
                to[high - 1] = key;
                let is_low = usize::from(key < pivot);
                low += is_low;
                high -= 1 - is_low;
            }
            low
        }
    };
}

/// What compares signed numbers compares others, too, if their highest bits are turned over.
const TOP: i64 = i64::MIN;

split!(
    wide_avx512,
    "avx512f,avx512vl,avx512dq,avx512bw",
    u64,
    8,
    EIGHT,
    |pivot: u64| _mm512_set1_epi64(pivot as i64),
    |at: *const u64| _mm512_loadu_si512(at.cast()),
    |x: __m512i, pivots: __m512i| usize::from(_mm512_cmplt_epu64_mask(x, pivots)),
    |x: __m512i, lanes: u64| {
        let lanes: __m128i = _mm_cvtsi64_si128(lanes as i64);
        _mm512_permutexvar_epi64(_mm512_cvtepu8_epi64(lanes), x)
    },
    |at: *mut u64, x: __m512i| _mm512_storeu_si512(at.cast(), x)
);

split!(
    wide_avx2,
    "avx2",
    u64,
    4,
    FOUR,
    |pivot: u64| _mm256_set1_epi64x(pivot as i64 ^ TOP),
    |at: *const u64| _mm256_loadu_si256(at.cast()),
    |x: __m256i, pivots: __m256i| {
        let is_low = _mm256_cmpgt_epi64(pivots, _mm256_xor_si256(x, _mm256_set1_epi64x(TOP)));
        _mm256_movemask_pd(_mm256_castsi256_pd(is_low)) as usize
    },
    |x: __m256i, lanes: u64| {
        _mm256_permutevar8x32_epi32(x, _mm256_cvtepu8_epi32(_mm_cvtsi64_si128(lanes as i64)))
    },
    |at: *mut u64, x: __m256i| _mm256_storeu_si256(at.cast(), x)
);

// Eight lanes also with AVX-512: a table for sixteen would not fit into any cache.
split!(
    narrow_avx2,
    "avx2",
    u32,
    8,
    EIGHT,
    |pivot: u32| _mm256_set1_epi32(pivot as i32 ^ i32::MIN),
    |at: *const u32| _mm256_loadu_si256(at.cast()),
    |x: __m256i, pivots: __m256i| {
        let is_low = _mm256_cmpgt_epi32(pivots, _mm256_xor_si256(x, _mm256_set1_epi32(i32::MIN)));
        _mm256_movemask_ps(_mm256_castsi256_ps(is_low)) as usize
    },
    |x: __m256i, lanes: u64| {
        _mm256_permutevar8x32_epi32(x, _mm256_cvtepu8_epi32(_mm_cvtsi64_si128(lanes as i64)))
    },
    |at: *mut u32, x: __m256i| _mm256_storeu_si256(at.cast(), x)
);
