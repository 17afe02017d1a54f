//! Which of 64 parts a private key belongs to: a walk down a tree of 63 splitters, of eight keys at a time with AVX-512.

use super::simd::Isa;
use super::simd_sort::Key;

/// Parts that keys are told into.
pub(crate) const PARTS: usize = 64;

/// The splitters of the parts: of node `i` of a tree the children are nodes `2i` and `2i + 1`, the root being node 1.
pub(crate) struct Splitters([u64; PARTS]);

impl Splitters {
    /// The tree of 63 keys in ascending order; where there are fewer, the missing ones are the greatest key.
    pub(crate) fn new<K: Key>(keys: &[K]) -> Self {
        let mut tree = [u64::MAX; PARTS];
        for (node, splitter) in tree.iter_mut().enumerate().skip(1) {
            let level = node.ilog2();
            let place = ((2 * (node - (1 << level)) + 1) << (PARTS.ilog2() - 1 - level)) - 1;
            if let Some(key) = keys.get(place) {
                *splitter = key.wide();
            }
        }
        Self(tree)
    }

    /// For each key how many splitters are at most as great. Greater keys never have smaller numbers.
    pub(crate) fn classify<K: Key>(&self, isa: Isa, keys: &[K], parts: &mut [u8]) {
        assert_eq!(keys.len(), parts.len(), "each key has one part");
        let done = eights(&self.0, isa, keys, parts);
        for (part, key) in parts[done..].iter_mut().zip(&keys[done..]) {
            let key = key.wide();
            let mut node = 1;
            for _ in 0..PARTS.ilog2() {
                node = 2 * node + usize::from(key >= self.0[node]);
            }
            *part = (node - PARTS) as u8;
        }
    }
}

/// Does as many as fill whole registers, where the set has instructions for it. How many.
#[cfg(target_arch = "x86_64")]
fn eights<K: Key>(tree: &[u64; PARTS], isa: Isa, keys: &[K], parts: &mut [u8]) -> usize {
    if isa != Isa::Avx512 || !isa.available() {
        return 0;
    }
    let n = keys.len() / 8 * 8;
    // SAFETY: the processor has the four parts of AVX-512 (asked).
    unsafe { avx512::classify(tree, &keys[..n], &mut parts[..n]) };
    n
}

#[cfg(not(target_arch = "x86_64"))]
fn eights<K: Key>(_: &[u64; PARTS], _: Isa, _: &[K], _: &mut [u8]) -> usize {
    0
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use super::{Key, PARTS};
    use std::arch::x86_64::{
        __m512i, _mm_storel_epi64, _mm512_add_epi64, _mm512_cmpge_epu64_mask, _mm512_cvtepi64_epi8,
        _mm512_loadu_si512, _mm512_mask_add_epi64, _mm512_mask_blend_epi64, _mm512_permutex2var_epi64,
        _mm512_permutexvar_epi64, _mm512_set1_epi64, _mm512_setzero_si512, _mm512_test_epi64_mask,
    };

    /// The parts of whole registers of keys; keys beyond the last one are left out.
    #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw")]
    pub(super) fn classify<K: Key>(tree: &[u64; PARTS], keys: &[K], parts: &mut [u8]) {
        let at = |node: usize| {
            let eight: &[u64; 8] = tree[node..].first_chunk().unwrap_or(&[u64::MAX; 8]);
            // SAFETY: the array is a register's bytes.
            unsafe { _mm512_loadu_si512(eight.as_ptr().cast()) }
        };
        let root = _mm512_set1_epi64(tree[1] as i64);
        // Each level begins at the node that is its count, and is looked up by the number of the node in it.
        let (two, four, eight) = (at(2), at(4), at(8));
        let sixteen = [at(16), at(24)];
        let most = [at(32), at(40), at(48), at(56)];
        let (one, half) = (_mm512_set1_epi64(1), _mm512_set1_epi64(16));
        for (eight_keys, to) in keys.as_chunks::<8>().0.iter().zip(parts.as_chunks_mut::<8>().0) {
            let wide: [u64; 8] = eight_keys.map(Key::wide);
            // SAFETY: the array is a register's bytes.
            let x = unsafe { _mm512_loadu_si512(wide.as_ptr().cast()) };
            let down = |number: __m512i, splitters: __m512i| {
                let twice = _mm512_add_epi64(number, number);
                _mm512_mask_add_epi64(twice, _mm512_cmpge_epu64_mask(x, splitters), twice, one)
            };
            let mut number = down(_mm512_setzero_si512(), root);
            for level in [two, four, eight] {
                number = down(number, _mm512_permutexvar_epi64(number, level));
            }
            number = down(number, _mm512_permutex2var_epi64(sixteen[0], number, sixteen[1]));
            let splitters = _mm512_mask_blend_epi64(
                _mm512_test_epi64_mask(number, half),
                _mm512_permutex2var_epi64(most[0], number, most[1]),
                _mm512_permutex2var_epi64(most[2], number, most[3]),
            );
            number = down(number, splitters);
            // SAFETY: eight bytes are stored to an array of eight.
            unsafe { _mm_storel_epi64(to.as_mut_ptr().cast(), _mm512_cvtepi64_epi8(number)) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<K: Key>(splitters: &[K], keys: &[K]) {
        let tree = Splitters::new(splitters);
        for isa in Isa::ALL.into_iter().filter(|isa| isa.available()) {
            let mut parts = vec![0; keys.len()];
            tree.classify(isa, keys, &mut parts);
            for (key, part) in keys.iter().zip(parts) {
                assert_eq!(usize::from(part), splitters.partition_point(|s| s <= key), "{key:?}, {isa}");
            }
        }
    }

    #[test]
    fn keys_beside_splitters_and_at_them_fall_into_their_parts() {
        let wide: Vec<u64> = (1..64).map(|i| i << 58).collect();
        let around = |s: &u64| [*s - 1, *s, *s + 1];
        let keys: Vec<u64> = wide.iter().flat_map(around).chain([0, u64::MAX, 7]).collect();
        check(&wide, &keys);
        let narrow: Vec<u32> = (1..64).map(|i| i << 26).collect();
        check(&narrow, &keys.iter().map(|key| (key >> 32) as u32).collect::<Vec<_>>());
        // Equal splitters leave parts empty.
        let equal: Vec<u64> = (0..63).map(|i| i / 20).collect();
        check(&equal, &(0..10).collect::<Vec<_>>());
    }
}
