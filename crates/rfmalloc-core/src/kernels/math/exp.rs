//! The exponential, vectorisable, below 0.6 ulp.
//!
//! `x = k ln 2 + r` with `ln 2` in two parts (Cody and Waite), `|r| <= ln 2 / 2`; `exp(r)` by its series to the 13th power, the leading 1 added
//! without error; the result scaled by two powers of two, so that it rounds once even below the normal range.

const INV_LN2: f64 = std::f64::consts::LOG2_E;
/// `ln 2` to 33 bits: its product with any exponent is exact.
const LN2_HI: f64 = f64::from_bits(0x3FE6_2E42_FEE0_0000);
/// The rest of it.
const LN2_LO: f64 = f64::from_bits(0x3DEA_39EF_3579_3C76);
/// Adding and subtracting this rounds to a whole number, which the sum's low bits hold.
pub(super) const SHIFT: f64 = 6_755_399_441_055_744.0;

/// Reciprocal factorials from 1/2! to 1/13!.
const SERIES: [f64; 12] = [
    1.0 / 2.0,
    1.0 / 6.0,
    1.0 / 24.0,
    1.0 / 120.0,
    1.0 / 720.0,
    1.0 / 5040.0,
    1.0 / 40320.0,
    1.0 / 362_880.0,
    1.0 / 3_628_800.0,
    1.0 / 39_916_800.0,
    1.0 / 479_001_600.0,
    1.0 / 6_227_020_800.0,
];

/// Two to a whole power between -1022 and 1023.
#[inline(always)]
fn pow2(k: f64) -> f64 {
    f64::from_bits(((k + SHIFT).to_bits() << 52).wrapping_add(1023 << 52))
}

/// `e^x`.
#[inline(always)]
pub(super) fn exp(x: f64) -> f64 {
    // Beyond these everything is infinite or zero; NaN passes through.
    let inside = if x > 720.0 { 720.0 } else { x };
    let inside = if inside < -760.0 { -760.0 } else { inside };
    let k = (inside * INV_LN2 + SHIFT) - SHIFT;
    let hi = inside - k * LN2_HI;
    let lo = k * LN2_LO;
    let r = hi - lo;
    let rest = (hi - r) - lo;
    let mut p = SERIES[11];
    for c in SERIES.iter().rev().skip(1) {
        p = p * r + c;
    }
    let q = r * r * p + rest;
    let s = 1.0 + r;
    let e = (1.0 - s) + r;
    let whole = s + (e + q);
    let half = (k * 0.5 + SHIFT) - SHIFT;
    whole * pow2(half) * pow2(k - half)
}
