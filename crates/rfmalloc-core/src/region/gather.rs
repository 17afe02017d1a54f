//! Elements at positions: loads from and stores to raw element memory, one by one, each position checked.
//!
//! A load of a far position waits for memory a hundred times longer than it takes: the loops have no branch that depends on it, so the
//! processor has as many in flight as it can, and later positions are asked for ahead.

use super::Span;
use super::plain::prefetch;
use crate::sync_types::step;
use std::ptr;

/// How far ahead of its load a position is asked for: about as many as memory serves at once.
pub(crate) const AHEAD: usize = 24;

/// Positions closer together than this, in bytes, are not asked for ahead.
const NEAR: u64 = 128;

impl Span {
    /// Copies the elements of `width` bytes at positions `at` to `out`, which has room for exactly them. Beyond the span's last element: `missing`.
    pub(crate) fn gather(self, width: u64, at: &[u64], missing: &[u8], out: &mut [u8]) {
        match width {
            1 => self.gather_as::<1>(at, missing, out),
            2 => self.gather_as::<2>(at, missing, out),
            4 => self.gather_as::<4>(at, missing, out),
            8 => self.gather_as::<8>(at, missing, out),
            16 => self.gather_as::<16>(at, missing, out),
            _ => debug_assert!(false, "no element has {width} bytes"),
        }
    }

    fn gather_as<const W: usize>(self, at: &[u64], missing: &[u8], out: &mut [u8]) {
        step();
        let mut none = [0; W];
        none.copy_from_slice(missing);
        let n = self.nbytes() / W as u64;
        let out = out.as_chunks_mut::<W>().0;
        if n == 0 || at.is_empty() {
            out[..at.len()].fill(none);
            return;
        }
        let base = self.ptr().cast::<[u8; W]>();
        // Neighbours come with the first of them.
        let spread = at[at.len() - 1].abs_diff(at[0]) / at.len() as u64;
        let ahead = if spread > NEAR / W as u64 { AHEAD } else { at.len() };
        for (i, (o, &p)) in out.iter_mut().zip(at).enumerate() {
            if let Some(&later) = at.get(i + ahead) {
                prefetch(base.wrapping_add(later.min(n - 1) as usize));
            }
            // SAFETY: 1. the position is below `n`, so the element lies inside the span; 2. a byte array needs no alignment, and any bits are one.
            let found = unsafe { ptr::read(base.add(p.min(n - 1) as usize)) };
            *o = if p < n { found } else { none };
        }
    }

    /// Asks for the cache line of byte `off`, which will be read soon.
    pub(crate) fn ask_for(self, off: u64) {
        if off < self.nbytes() {
            prefetch(self.ptr().wrapping_add(off as usize));
        }
    }

    /// Stores the elements of `width` bytes in `elements` at positions `at`, in order; positions beyond the span's last element are passed over.
    pub(crate) fn scatter(self, width: u64, at: &[u64], elements: &[u8]) {
        match width {
            1 => self.scatter_as::<1>(at, elements),
            2 => self.scatter_as::<2>(at, elements),
            4 => self.scatter_as::<4>(at, elements),
            8 => self.scatter_as::<8>(at, elements),
            16 => self.scatter_as::<16>(at, elements),
            _ => debug_assert!(false, "no element has {width} bytes"),
        }
    }

    fn scatter_as<const W: usize>(self, at: &[u64], elements: &[u8]) {
        step();
        let n = self.nbytes() / W as u64;
        if !self.is_writable() {
            debug_assert!(false, "write into read-only memory");
            return;
        }
        let base = self.ptr().cast::<[u8; W]>();
        for (e, &p) in elements.as_chunks::<W>().0.iter().zip(at) {
            if p < n {
                // SAFETY: 1. the position is below `n`, so the element lies inside the span; 2. a byte array needs no alignment.
                unsafe { ptr::write(base.add(p as usize), *e) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_position_reaches_beyond_the_span() {
        let mut memory: Vec<u8> = (0..40).collect();
        // Ten elements, of which the span holds nine and a half.
        let span = Span::foreign(memory.as_mut_ptr(), 38, true);
        let at = [8, 0, 9, u64::MAX, u64::MAX / 4, 3];
        let mut out = [0; 24];
        span.gather(4, &at, &[255; 4], &mut out);
        assert_eq!(out[..8], [32, 33, 34, 35, 0, 1, 2, 3]);
        assert_eq!(out[8..20], [255; 12]);
        span.scatter(4, &at, &[77; 24]);
        assert_eq!(memory[36..], [36, 37, 38, 39]);
        assert_eq!((memory[0], memory[12], memory[16], memory[32]), (77, 77, 16, 77));
        Span::foreign(memory.as_mut_ptr(), 3, true).gather(4, &at, &[9; 4], &mut out);
        assert_eq!(out, [9; 24]);
    }
}
