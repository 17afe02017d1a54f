//! Sorting private keys: the loops that compilers do not vectorise by themselves, with AVX-512 where the processor has it.
//!
//! Two things are done, for keys of 32 and of 64 bits: [`Key::split`] moves what is below a pivot to the front and the rest to the back, and
//! [`Key::sort`] sorts, by splitting until a sorting network in registers can do the rest. Keys are whole numbers, so equal ones cannot be told
//! apart and every way of sorting gives the same bits. Without AVX-512 the standard library sorts.

use super::simd::Isa;
use crate::region::Plain;

/// A key that is sorted.
pub(crate) trait Key: Plain + Ord {
    /// The next greater one; the greatest has none and stays.
    fn next(self) -> Self;

    /// Copies `from` to `to`, which is as long: what is below `pivot` from the front on, the rest from the back on, in no order. How many are below.
    fn split(isa: Isa, from: &[Self], to: &mut [Self], pivot: Self) -> usize;

    /// Sorts `keys`; what stands in `scratch`, which is as long, is lost.
    fn sort(isa: Isa, keys: &mut [Self], scratch: &mut [Self]);
}

/// [`Key::split`] for any processor: both places are written, and one of them counts.
fn split_any<K: Key>(from: &[K], to: &mut [K], pivot: K) -> usize {
    let (mut low, mut high) = (0, to.len());
    for &key in from {
        let is_low = usize::from(key < pivot);
        to[low] = key;
        to[high - 1] = key;
        low += is_low;
        high -= 1 - is_low;
    }
    low
}

macro_rules! key {
    ($key:ty, $lanes:ident) => {
        impl Key for $key {
            fn next(self) -> Self {
                self.saturating_add(1)
            }

            fn split(isa: Isa, from: &[Self], to: &mut [Self], pivot: Self) -> usize {
                assert_eq!(from.len(), to.len(), "keys are split into as much memory");
                #[cfg(target_arch = "x86_64")]
                if isa == Isa::Avx512 && isa.available() {
                    // SAFETY: the processor has the four parts of AVX-512 (asked); both slices have the same length (asserted).
                    return unsafe { avx512::$lanes::split(from, to, pivot) };
                }
                let _ = isa;
                split_any(from, to, pivot)
            }

            fn sort(isa: Isa, keys: &mut [Self], scratch: &mut [Self]) {
                assert_eq!(keys.len(), scratch.len(), "keys are sorted with as much memory");
                #[cfg(target_arch = "x86_64")]
                if isa == Isa::Avx512 && isa.available() {
                    let depth = 2 * keys.len().checked_ilog2().unwrap_or(0);
                    // SAFETY: as above.
                    return unsafe { avx512::$lanes::quicksort(keys, scratch, false, depth) };
                }
                let _ = (isa, scratch);
                keys.sort_unstable();
            }
        }
    };
}

key!(u32, narrow);
key!(u64, wide);

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::{
        __m512i, _mm512_mask_max_epu64, _mm512_max_epu64, _mm512_min_epu64, _mm512_permutex_epi64,
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

    /// The mask of the first `n` lanes of a register of `N`.
    fn first<const N: usize>(n: usize) -> u16 {
        ((1_u32 << n.min(N)) - 1) as u16
    }

    macro_rules! lanes {
        (
            $name:ident, $key:ty, $signed:ty, $mask:ty, $lanes:literal, $set1:ident, $lt:ident, $le:ident,
            $compress:ident, $store:ident, $load_wide:expr, $store_wide:expr
        ) => {
            pub(super) mod $name {
                use super::*;
                use std::arch::x86_64::{_mm512_loadu_si512, $compress, $le, $lt, $set1, $store};

                /// Moves what is below the pivot (`OR_EQUAL`: or is it) to the front. Both slices have the same length.
                #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw")]
                #[inline]
                fn split_by<const OR_EQUAL: bool>(from: &[$key], to: &mut [$key], pivot: $key) -> usize {
                    let n = from.len().min(to.len());
                    let pivots = $set1(pivot as $signed);
                    let (mut low, mut high) = (0, n);
                    let out = to.as_mut_ptr();
                    let mut i = 0;
                    while i + $lanes <= n {
                        // SAFETY: a whole register of keys is left in `from`.
                        let x = unsafe { _mm512_loadu_si512(from.as_ptr().add(i).cast()) };
                        let is_low = if OR_EQUAL { $le(x, pivots) } else { $lt(x, pivots) };
                        let lows = is_low.count_ones() as usize;
                        high -= $lanes - lows;
                        // SAFETY: of the `n` places `low` and `n - high` are taken, together as many as keys were read, so `low` and `high` do
                        // not cross and the masked stores stay inside `to`.
                        unsafe {
                            let below = first::<$lanes>(lows) as $mask;
                            let above = first::<$lanes>($lanes - lows) as $mask;
                            $store(out.add(high).cast(), above, $compress(!is_low, x));
                            $store(out.add(low).cast(), below, $compress(is_low, x));
                        }
                        low += lows;
                        i += $lanes;
                    }
                    for &key in &from[i..n] {
                        if key < pivot || OR_EQUAL && key == pivot {
                            to[low] = key;
                            low += 1;
                        } else {
                            high -= 1;
                            to[high] = key;
                        }
                    }
                    low
                }

                #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw")]
                pub(in super::super) fn split(from: &[$key], to: &mut [$key], pivot: $key) -> usize {
                    split_by::<false>(from, to, pivot)
                }

                /// Sorts at most `8 * R` keys in registers.
                #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw")]
                fn few<const R: usize>(keys: &mut [$key]) {
                    let n = keys.len().min(8 * R);
                    let mut r = [_mm512_set1_epi64(-1); R];
                    for (i, x) in r.iter_mut().enumerate() {
                        let mask = first::<8>(n.saturating_sub(8 * i)) as u8;
                        // SAFETY: the masked load reads keys below `n`; a register that has none reads nothing.
                        *x = unsafe { $load_wide(*x, mask, keys.as_ptr().wrapping_add(8 * i)) };
                    }
                    network(&mut r);
                    for (i, x) in r.iter().enumerate() {
                        let mask = first::<8>(n.saturating_sub(8 * i)) as u8;
                        // SAFETY: the masked store writes keys below `n`.
                        unsafe { $store_wide(keys.as_mut_ptr().wrapping_add(8 * i), mask, *x) }
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
                    let mut low = split_by::<false>(here, there, pivot);
                    if low == 0 {
                        // Nothing is below: the pivot and its equals go to the front and are done.
                        low = split_by::<true>(here, there, pivot);
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

    use std::arch::x86_64::{
        _mm256_mask_storeu_epi32, _mm256_maskz_loadu_epi32, _mm512_cvtepi64_epi32, _mm512_cvtepu32_epi64,
        _mm512_mask_blend_epi64, _mm512_mask_loadu_epi64,
    };

    lanes!(
        wide,
        u64,
        i64,
        u8,
        8,
        _mm512_set1_epi64,
        _mm512_cmplt_epu64_mask,
        _mm512_cmple_epu64_mask,
        _mm512_maskz_compress_epi64,
        _mm512_mask_storeu_epi64,
        |rest: __m512i, mask: u8, at: *const u64| _mm512_mask_loadu_epi64(rest, mask, at.cast()),
        |at: *mut u64, mask: u8, x: __m512i| _mm512_mask_storeu_epi64(at.cast(), mask, x)
    );
    // Networks sort narrow keys as wide ones.
    lanes!(
        narrow,
        u32,
        i32,
        u16,
        16,
        _mm512_set1_epi32,
        _mm512_cmplt_epu32_mask,
        _mm512_cmple_epu32_mask,
        _mm512_maskz_compress_epi32,
        _mm512_mask_storeu_epi32,
        |rest: __m512i, mask: u8, at: *const u32| {
            let x = _mm512_cvtepu32_epi64(_mm256_maskz_loadu_epi32(mask, at.cast()));
            _mm512_mask_blend_epi64(mask, rest, x)
        },
        |at: *mut u32, mask: u8, x: __m512i| {
            _mm256_mask_storeu_epi32(at.cast(), mask, _mm512_cvtepi64_epi32(x));
        }
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(n: usize, seed: u64) -> Vec<u64> {
        let mut x = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut next = || {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            x
        };
        (0..n).map(|_| next()).collect()
    }

    fn check<K: Key>(keys: &[K]) {
        let mut want = keys.to_vec();
        want.sort_unstable();
        for isa in Isa::ALL.into_iter().filter(|isa| isa.available()) {
            let (mut mine, mut scratch) = (keys.to_vec(), keys.to_vec());
            K::sort(isa, &mut mine, &mut scratch);
            assert_eq!(mine, want, "{isa}");
            for pivot in [
                want.first(),
                want.get(want.len() / 2),
                want.last(),
                want.last().map(|key| key.next()).as_ref(),
            ] {
                let Some(&pivot) = pivot else { continue };
                let low = K::split(isa, keys, &mut scratch, pivot);
                assert_eq!(low, want.partition_point(|key| *key < pivot), "{isa}");
                assert!(scratch[..low].iter().all(|key| *key < pivot), "{isa}");
                scratch.sort_unstable();
                assert_eq!(scratch, want, "{isa}: keys were lost");
            }
        }
    }

    #[test]
    fn keys_are_sorted_whatever_stands_in_them() {
        let lengths =
            if cfg!(miri) { vec![0, 1, 65] } else { (0..300).chain([511, 1000, 4097, 70_000]).collect() };
        for n in lengths {
            let keys = words(n, n as u64 + 1);
            for modulus in [u64::MAX, 1, 2, 100] {
                let mut keys: Vec<u64> = keys.iter().map(|key| key % modulus).collect();
                check(&keys);
                check(&keys.iter().map(|key| *key as u32).collect::<Vec<_>>());
                keys.sort_unstable();
                check(&keys);
                keys.reverse();
                check(&keys);
            }
            check(&vec![u64::MAX; n]);
            check(&vec![u32::MAX; n]);
        }
    }

    /// Every second key is the smallest, the others rise: pivots taken at even places cut off little.
    #[test]
    fn keys_that_mislead_the_pivot_end() {
        let n = if cfg!(miri) { 200 } else { 100_000 };
        let comb: Vec<u64> = (0..n).map(|i| if i % 2 == 0 { 0 } else { i }).collect();
        check(&comb);
        check(&(0..n).map(|i| (i * 7919) % 64).collect::<Vec<_>>());
    }
}
