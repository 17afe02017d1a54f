//! Whole numbers that are ordered as elements are: equal elements have equal keys, and what is missing has the greatest.

#![expect(
    clippy::inline_always,
    reason = "a kernel's loop is vectorised only where it is inlined into its instruction set's wrapper"
)]

use crate::kernels::simd::{Isa, Kernel, run};
use crate::na::NA_INT;

/// The key of NA and NaN among keys of 64 bits.
pub(super) const MISSING: u64 = u64::MAX;

/// The key of zero.
pub(super) const ZERO: u64 = 1 << 63;

/// The key of a number. NA and NaN, whatever they carry, are [`MISSING`]; the zeros are equal.
#[inline]
pub(super) fn of_real(x: f64) -> u64 {
    if x.is_nan() {
        return MISSING;
    }
    let bits = (x + 0.0).to_bits();
    // Negative numbers run backwards and come first.
    bits ^ if bits >> 63 == 1 { u64::MAX } else { ZERO }
}

/// The number of a key that is not [`MISSING`]; zero is the positive one.
#[inline]
pub(super) fn real_of(key: u64) -> f64 {
    f64::from_bits(key ^ if key >> 63 == 1 { ZERO } else { u64::MAX })
}

/// The key of an integer or logical in 32 bits: NA, the smallest number, is moved behind the greatest.
#[inline]
pub(super) fn of_int(x: i32) -> u32 {
    x.wrapping_sub(1) as u32 ^ (1 << 31)
}

/// The integer of a key.
#[inline]
pub(super) fn int_of(key: u32) -> i32 {
    ((key ^ (1 << 31)) as i32).wrapping_add(1)
}

/// The same key in 64 bits.
#[inline]
pub(super) fn of_int_wide(x: i32) -> u64 {
    if x == NA_INT { MISSING } else { u64::from(of_int(x)) }
}

/// What a stretch of numbers has that its keys do not say, or where that comes to stand.
#[derive(Clone, Copy, Default)]
pub(super) struct Tally {
    pub(super) missing: u64,
    pub(super) below_zero: u64,
    pub(super) zeros: u64,
    /// Zeros with a sign.
    pub(super) signed: u64,
}

struct OfReals<'k> {
    keys: &'k mut [u64],
    tally: Tally,
}

impl Kernel for OfReals<'_> {
    type Out = Tally;
    #[inline(always)]
    fn run(mut self) -> Tally {
        let tally = &mut self.tally;
        for key in &mut *self.keys {
            let bits = *key;
            *key = of_real(f64::from_bits(bits));
            tally.missing += u64::from(*key == MISSING);
            tally.below_zero += u64::from(*key < ZERO);
            tally.zeros += u64::from(*key == ZERO);
            tally.signed += u64::from(bits == ZERO);
        }
        self.tally
    }
}

/// Makes of the bits of private numbers their keys, and adds their tally to another one.
pub(super) fn of_reals(isa: Isa, keys: &mut [u64], tally: Tally) -> Tally {
    run(isa, OfReals { keys, tally })
}

struct ToReals<'k>(&'k mut [u64]);

impl Kernel for ToReals<'_> {
    type Out = ();
    #[inline(always)]
    fn run(self) {
        for key in self.0 {
            *key = real_of(*key).to_bits();
        }
    }
}

/// Makes of keys the bits of their numbers.
pub(super) fn to_reals(isa: Isa, keys: &mut [u64]) {
    run(isa, ToReals(keys));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::na::na_real;

    #[test]
    fn keys_are_ordered_as_elements_are() {
        let reals =
            [f64::NEG_INFINITY, f64::MIN, -1.5, -f64::MIN_POSITIVE, -5e-324, 0.0, 5e-324, 1.0, f64::INFINITY];
        for pair in reals.windows(2) {
            assert!(of_real(pair[0]) < of_real(pair[1]), "{pair:?}");
        }
        for x in reals {
            assert_eq!(real_of(of_real(x)).to_bits(), x.to_bits());
            assert!(of_real(x) < MISSING);
        }
        assert_eq!(of_real(-0.0), of_real(0.0));
        assert_eq!(of_real(0.0), ZERO);
        for nan in [f64::NAN, -f64::NAN, na_real(), f64::from_bits(u64::MAX)] {
            assert_eq!(of_real(nan), MISSING);
        }
        let ints = [i32::MIN + 1, -7, -1, 0, 1, i32::MAX, NA_INT];
        for pair in ints.windows(2) {
            assert!(of_int(pair[0]) < of_int(pair[1]) && of_int_wide(pair[0]) < of_int_wide(pair[1]));
        }
        for x in ints {
            assert_eq!(int_of(of_int(x)), x);
        }
    }
}
