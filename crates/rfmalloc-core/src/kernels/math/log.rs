//! The natural logarithm, vectorisable, below 1 ulp; and what is made of logarithms.
//!
//! `x = 2^k m` with `m` in `[sqrt(1/2), sqrt(2))`; `log(m)` by the series in `s = f / (2 + f)` of FDLIBM's `e_log.c` (Sun Microsystems; "freely
//! granted, provided that this notice is preserved"), whose published coefficients these are.

const LN2_HI: f64 = f64::from_bits(0x3FE6_2E42_FEE0_0000);
const LN2_LO: f64 = f64::from_bits(0x3DEA_39EF_3579_3C76);
const LG: [f64; 7] = [
    6.666_666_666_666_735_130e-1,
    3.999_999_999_940_941_908e-1,
    2.857_142_874_366_239_149e-1,
    2.222_219_843_214_978_396e-1,
    1.818_357_216_161_805_012e-1,
    1.531_383_769_920_937_332e-1,
    1.479_819_860_511_658_591e-1,
];
/// 2^52, and the bits of the same number: an integer below 2^52 put under these bits is that number plus 2^52.
const TWO52: f64 = 4_503_599_627_370_496.0;

/// `log(x)`; NaN for negative numbers.
#[inline(always)]
pub(super) fn log(x: f64) -> f64 {
    let tiny = x < f64::MIN_POSITIVE;
    let y = if tiny { x * 18_014_398_509_481_984.0 } else { x };
    // The bits that separate sqrt(1/2) from 1: after adding them, the exponent field counts from sqrt(1/2).
    let shifted = y.to_bits().wrapping_add(0x3FF0_0000_0000_0000 - 0x3FE6_A09E_667F_3BCD);
    let m = f64::from_bits((shifted & 0x000F_FFFF_FFFF_FFFF).wrapping_add(0x3FE6_A09E_667F_3BCD));
    let field = f64::from_bits((shifted >> 52) | 0x4330_0000_0000_0000) - TWO52;
    let k = field - if tiny { 1077.0 } else { 1023.0 };
    let f = m - 1.0;
    let s = f / (2.0 + f);
    let z = s * s;
    let w = z * z;
    let t1 = w * (LG[1] + w * (LG[3] + w * LG[5]));
    let t2 = z * (LG[0] + w * (LG[2] + w * (LG[4] + w * LG[6])));
    let r = t2 + t1;
    let half = 0.5 * f * f;
    let out = k * LN2_HI - ((half - (s * (half + r) + k * LN2_LO)) - f);
    let out = if x == f64::INFINITY { x } else { out };
    let out = if x == 0.0 { f64::NEG_INFINITY } else { out };
    if x >= 0.0 { out } else { f64::NAN }
}

/// The logarithm to a base, exact where the base is 2 or 10 (behaviour 9.10).
pub(super) fn log_base(x: f64, base: f64) -> f64 {
    if base == 2.0 {
        x.log2()
    } else if base == 10.0 {
        x.log10()
    } else {
        x.ln() / base.ln()
    }
}

/// Inverse hyperbolic cosine: through `log1p` near 1, where the logarithm itself would lose all digits.
pub(super) fn acosh(x: f64) -> f64 {
    if x < 1.0 {
        f64::NAN
    } else if x < 2.0 {
        let t = x - 1.0;
        (t + (2.0 * t + t * t).sqrt()).ln_1p()
    } else if x < 1e8 {
        (2.0 * x - 1.0 / (x + (x * x - 1.0).sqrt())).ln()
    } else {
        x.ln() + std::f64::consts::LN_2
    }
}

/// Inverse hyperbolic sine.
pub(super) fn asinh(x: f64) -> f64 {
    let a = x.abs();
    let out = if a < 2.0 {
        let t = a * a;
        (a + t / (1.0 + (t + 1.0).sqrt())).ln_1p()
    } else if a < 1e8 {
        (2.0 * a + 1.0 / ((a * a + 1.0).sqrt() + a)).ln()
    } else {
        a.ln() + std::f64::consts::LN_2
    };
    out.copysign(x)
}

/// Inverse hyperbolic tangent.
pub(super) fn atanh(x: f64) -> f64 {
    let a = x.abs();
    let out = if a < 0.5 {
        let t = a + a;
        0.5 * (t + t * a / (1.0 - a)).ln_1p()
    } else {
        0.5 * ((a + a) / (1.0 - a)).ln_1p()
    };
    out.copysign(x)
}
