//! Sorting private keys with AVX-512: by splitting until a sorting network in registers can do the rest.

use super::simd_split::{narrow_avx2, wide_avx512};
use std::arch::x86_64::{
    __m512i, _mm256_mask_storeu_epi32, _mm256_maskz_loadu_epi32, _mm512_cvtepi64_epi32,
    _mm512_cvtepu32_epi64, _mm512_mask_blend_epi64, _mm512_mask_loadu_epi64, _mm512_mask_max_epu64,
    _mm512_mask_storeu_epi64, _mm512_max_epu64, _mm512_min_epu64, _mm512_permutex_epi64,
    _mm512_permutexvar_epi64, _mm512_set_epi64, _mm512_set1_epi64, _mm512_shuffle_i64x2,
};

/// Keys that the greatest network sorts: eight registers of eight.
const MOST: usize = 64;

// A permutation's number says, from the highest lane of four down, two bits each, where that lane comes from.
/// Neighbours change places.
const NEIGHBOURS: i32 = 0b10_11_00_01;
/// Pairs change places.
const PAIRS: i32 = 0b01_00_11_10;
/// Four lanes backwards.
const BACKWARDS: i32 = 0b00_01_10_11;

/// The smaller of each lane and its partner, in the lanes of `MASK` the greater.
#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw")]
#[inline]
fn exchange<const MASK: u8>(x: __m512i, partner: __m512i) -> __m512i {
    _mm512_mask_max_epu64(_mm512_min_epu64(x, partner), MASK, x, partner)
}

#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw")]
#[inline]
fn reversed(x: __m512i) -> __m512i {
    _mm512_permutexvar_epi64(_mm512_set_epi64(0, 1, 2, 3, 4, 5, 6, 7), x)
}

/// Sorts the lanes of a bitonic register.
#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw")]
#[inline]
fn merge_lanes(x: __m512i) -> __m512i {
    let x = exchange::<0xF0>(x, _mm512_shuffle_i64x2::<PAIRS>(x, x));
    let x = exchange::<0xCC>(x, _mm512_permutex_epi64::<PAIRS>(x));
    exchange::<0xAA>(x, _mm512_permutex_epi64::<NEIGHBOURS>(x))
}

/// Sorts the lanes of a register.
#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw")]
#[inline]
fn sort_lanes(x: __m512i) -> __m512i {
    let x = exchange::<0xAA>(x, _mm512_permutex_epi64::<NEIGHBOURS>(x));
    let x = exchange::<0xCC>(x, _mm512_permutex_epi64::<BACKWARDS>(x));
    let x = exchange::<0xAA>(x, _mm512_permutex_epi64::<NEIGHBOURS>(x));
    let x = exchange::<0xF0>(x, reversed(x));
    let x = exchange::<0xCC>(x, _mm512_permutex_epi64::<PAIRS>(x));
    exchange::<0xAA>(x, _mm512_permutex_epi64::<NEIGHBOURS>(x))
}

/// Sorts registers, lane after lane, register after register: a bitonic network.
#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw")]
#[inline]
fn network<const R: usize>(r: &mut [__m512i; R]) {
    for x in r.iter_mut() {
        *x = sort_lanes(*x);
    }
    let mut half = 1;
    while half < R {
        let mut at = 0;
        while at < R {
            for i in 0..half {
                let j = at + 2 * half - 1 - i;
                let (a, b) = (r[at + i], reversed(r[j]));
                r[at + i] = _mm512_min_epu64(a, b);
                r[j] = _mm512_max_epu64(a, b);
            }
            let mut apart = half / 2;
            while apart > 0 {
                let mut group = at;
                while group < at + 2 * half {
                    for i in group..group + apart {
                        let (a, b) = (r[i], r[i + apart]);
                        r[i] = _mm512_min_epu64(a, b);
                        r[i + apart] = _mm512_max_epu64(a, b);
                    }
                    group += 2 * apart;
                }
                apart /= 2;
            }
            for x in &mut r[at..at + 2 * half] {
                *x = merge_lanes(*x);
            }
            at += 2 * half;
        }
        half *= 2;
    }
}

/// The mask of the first `n` lanes of a register.
fn first(n: usize) -> u8 {
    ((1_u32 << n.min(8)) - 1) as u8
}

macro_rules! sort {
    ($name:ident, $key:ty, $split:ident, $load:expr, $store:expr) => {
        pub(super) mod $name {
            use super::*;

            /// Sorts at most `8 * R` keys in registers.
            #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw")]
            fn few<const R: usize>(keys: &mut [$key]) {
                let n = keys.len().min(8 * R);
                let mut r = [_mm512_set1_epi64(-1); R];
                for (i, x) in r.iter_mut().enumerate() {
                    let mask = first(n.saturating_sub(8 * i));
                    // SAFETY: the masked load reads keys below `n`; a register that has none reads nothing.
                    *x = unsafe { $load(*x, mask, keys.as_ptr().wrapping_add(8 * i)) };
                }
                network(&mut r);
                for (i, x) in r.iter().enumerate() {
                    let mask = first(n.saturating_sub(8 * i));
                    // SAFETY: the masked store writes keys below `n`.
                    unsafe { $store(keys.as_mut_ptr().wrapping_add(8 * i), mask, *x) }
                }
            }

            /// Sorts at most `MOST` keys.
            #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw")]
            fn short(keys: &mut [$key]) {
                match keys.len() {
                    0..=1 => {}
                    2..=8 => few::<1>(keys),
                    9..=16 => few::<2>(keys),
                    17..=32 => few::<4>(keys),
                    _ => few::<8>(keys),
                }
            }

            /// The median of `N` of the keys, evenly spread.
            #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw")]
            fn median<const N: usize>(keys: &[$key]) -> $key {
                let step = keys.len() / N;
                let mut some: [$key; N] = std::array::from_fn(|i| keys[i * step + step / 2]);
                short(&mut some);
                some[N / 2]
            }

            /// Sorts what stands in `here` into `there` (`cross`), or where it is; both have the same length, and the other one is scratch.
            /// After `depth` splits that made little progress the standard library goes on.
            #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw")]
            pub(in super::super) fn quicksort(
                here: &mut [$key],
                there: &mut [$key],
                cross: bool,
                depth: u32,
            ) {
                let n = here.len();
                if n <= MOST || depth == 0 {
                    if n <= MOST {
                        short(here);
                    } else {
                        here.sort_unstable();
                    }
                    if cross {
                        there.copy_from_slice(here);
                    }
                    return;
                }
                let pivot = match n {
                    ..512 => median::<8>(here),
                    512..16384 => median::<32>(here),
                    _ => median::<64>(here),
                };
                let mut low = $split(here, there, pivot);
                if low == 0 {
                    // Nothing is below: the pivot and its equals go to the front and are done.
                    let Some(next) = pivot.checked_add(1) else {
                        if cross {
                            there.copy_from_slice(here);
                        }
                        return;
                    };
                    low = $split(here, there, next);
                    if !cross {
                        here[..low].fill(pivot);
                    }
                } else {
                    quicksort(&mut there[..low], &mut here[..low], !cross, depth - 1);
                }
                quicksort(&mut there[low..], &mut here[low..], !cross, depth - 1);
            }
        }
    };
}

sort!(
    wide,
    u64,
    wide_avx512,
    |rest: __m512i, mask: u8, at: *const u64| _mm512_mask_loadu_epi64(rest, mask, at.cast()),
    |at: *mut u64, mask: u8, x: __m512i| _mm512_mask_storeu_epi64(at.cast(), mask, x)
);
// Networks sort narrow keys as wide ones.
sort!(
    narrow,
    u32,
    narrow_avx2,
    |rest: __m512i, mask: u8, at: *const u32| {
        let x = _mm512_cvtepu32_epi64(_mm256_maskz_loadu_epi32(mask, at.cast()));
        _mm512_mask_blend_epi64(mask, rest, x)
    },
    |at: *mut u32, mask: u8, x: __m512i| {
        _mm256_mask_storeu_epi32(at.cast(), mask, _mm512_cvtepi64_epi32(x));
    }
);
