//! Sorting private keys: the one place that chooses among the loops that compilers do not vectorise by themselves.
//!
//! Two things are done, for keys of 32 and of 64 bits: [`Key::split`] (`simd_split`) moves what is below a pivot to the front and the rest to the back, and
//! [`Key::sort`] (`simd_network`) sorts, by splitting until a sorting network in registers can do the rest. Keys are whole numbers, so equal ones cannot be told
//! apart and every way of sorting gives the same bits. Without AVX-512 the standard library sorts.

use super::simd::Isa;
#[cfg(target_arch = "x86_64")]
use super::{simd_network, simd_split};
use crate::region::Plain;

/// A key that is sorted.
pub(crate) trait Key: Plain + Ord {
    /// The next greater one; the greatest has none and stays.
    fn next(self) -> Self;

    /// The same number in 64 bits.
    fn wide(self) -> u64;

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
    ($key:ty, $lanes:ident, $split512:ident, $split2:ident) => {
        impl Key for $key {
            fn next(self) -> Self {
                self.saturating_add(1)
            }

            #[inline]
            fn wide(self) -> u64 {
                u64::from(self)
            }

            fn split(isa: Isa, from: &[Self], to: &mut [Self], pivot: Self) -> usize {
                assert_eq!(from.len(), to.len(), "keys are split into as much memory");
                #[cfg(target_arch = "x86_64")]
                if isa == Isa::Avx512 && isa.available() {
                    // SAFETY: the processor has the four parts of AVX-512, and with them AVX2 (asked).
                    return unsafe { simd_split::$split512(from, to, pivot) };
                } else if isa == Isa::Avx2 && isa.available() {
                    // SAFETY: the processor has AVX2 (asked).
                    return unsafe { simd_split::$split2(from, to, pivot) };
                }
                let _ = isa;
                split_any(from, to, pivot)
            }

            fn sort(isa: Isa, keys: &mut [Self], scratch: &mut [Self]) {
                assert_eq!(keys.len(), scratch.len(), "keys are sorted with as much memory");
                #[cfg(target_arch = "x86_64")]
                if isa == Isa::Avx512 && isa.available() {
                    let depth = 2 * keys.len().checked_ilog2().unwrap_or(0);
                    // SAFETY: the processor has the four parts of AVX-512, and with them AVX2 (asked).
                    return unsafe { simd_network::$lanes::quicksort(keys, scratch, false, depth) };
                }
                let _ = (isa, scratch);
                keys.sort_unstable();
            }
        }
    };
}

key!(u32, narrow, narrow_avx2, narrow_avx2);
key!(u64, wide, wide_avx512, wide_avx2);

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
