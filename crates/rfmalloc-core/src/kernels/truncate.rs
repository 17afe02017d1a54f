//! Numbers made integers: truncated towards zero, and NA where an integer cannot hold them.
//!
//! The processor's own conversion is not used: Rust's `as` tests each lane for what does not fit, and without SSE4 there is no truncation of
//! doubles. Adding 3·2^51 instead leaves the nearest whole number in the low bits of the sum, exactly for all that fits.

use super::simd::{Isa, Kernel, run};
use crate::na::NA_INT;
use crate::region::Elems;

/// Where integers end; its negative is NA's pattern.
const END: f64 = 2_147_483_648.0;
/// From here to 2^53 a double's last bit counts ones.
const ONES: f64 = 6_755_399_441_055_744.0;

struct Truncate<'k> {
    x: Elems<'k, f64>,
    out: &'k mut [[u8; 4]],
}

impl Kernel for Truncate<'_> {
    type Out = bool;
    #[inline(always)]
    fn run(self) -> bool {
        let mut lost = 0_u64;
        for (x, out) in self.x.iter().zip(self.out) {
            let size = x.abs();
            // A NaN is not lost: it was missing before.
            lost |= u64::from(size >= END);
            let sum = size + ONES;
            let is_above = sum - ONES > size;
            let whole = sum.to_bits().cast_signed() - i64::from(is_above);
            let sign = x.to_bits().cast_signed() >> 63;
            let whole = ((whole ^ sign) - sign) as i32;
            *out = (if size < END { whole } else { NA_INT }).to_le_bytes();
        }
        lost != 0
    }
}

/// `out[i]` = the bytes of `x[i]` as an integer, as far as both go; whether a number was too large for one.
pub(crate) fn truncate(isa: Isa, x: Elems<'_, f64>, out: &mut [[u8; 4]]) -> bool {
    run(isa, Truncate { x, out })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one_by_one(x: f64) -> (i32, bool) {
        if x.is_nan() {
            (NA_INT, false)
        } else if x.abs() >= END {
            (NA_INT, true)
        } else {
            (x as i32, false)
        }
    }

    /// Numbers next to every end, to halves, to the powers of two, and whatever bits there are.
    fn numbers() -> Vec<f64> {
        let mut out =
            vec![0.0, f64::MIN_POSITIVE, 5e-324, 1e300, f64::INFINITY, f64::NAN, crate::na::na_real()];
        for e in -2..54 {
            let power = 2f64.powi(e);
            for near in [0.0, 0.25, 0.5, 0.75, 1.0, 1.5] {
                for x in [power - near, power + near] {
                    out.extend([x, x.next_up(), x.next_down()]);
                }
            }
        }
        let mut word: u64 = 0x9e37_79b9_7f4a_7c15;
        for i in 0..if cfg!(miri) { 100 } else { 20_000 } {
            word = word.rotate_left(23).wrapping_mul(0xff51_afd7_ed55_8ccd) ^ (word >> 29);
            out.push(if i % 2 == 0 { f64::from_bits(word) } else { (word >> 31) as f64 / 1024.0 });
        }
        out.extend(out.clone().iter().map(|x| -x));
        out
    }

    #[test]
    fn every_set_truncates_as_one_number_is_truncated() {
        let numbers = numbers();
        for isa in Isa::ALL.into_iter().filter(|isa| isa.available()) {
            let mut out = vec![[0; 4]; numbers.len()];
            assert!(truncate(isa, Elems::from(&numbers[..]), &mut out), "{isa}");
            for (x, n) in numbers.iter().zip(&out) {
                assert_eq!(i32::from_le_bytes(*n), one_by_one(*x).0, "{isa}: {x:e}");
                let mut alone = [[0; 4]];
                assert_eq!(
                    truncate(isa, Elems::from(&[*x][..]), &mut alone),
                    one_by_one(*x).1,
                    "{isa}: {x:e}"
                );
                assert_eq!(alone[0], *n, "{isa}: {x:e}");
            }
        }
    }
}
