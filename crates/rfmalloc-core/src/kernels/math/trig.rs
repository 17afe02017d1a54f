//! Sine and cosine, vectorisable, below 1 ulp.
//!
//! `x = k pi/2 + r` with `pi/2` in parts of 33 bits (Cody and Waite), for `|x|` up to [`LIMIT`]; beyond it the system's functions, which reduce
//! any argument exactly, do the element. The polynomials are those of FDLIBM's `k_sin.c` and `k_cos.c` (Sun Microsystems; "freely granted,
//! provided that this notice is preserved").

use super::Math;
use super::exp::SHIFT;
use crate::region::Elems;

/// Up to here `k` has 16 bits, so its products with the parts of `pi/2` are exact.
const LIMIT: f64 = 102_000.0;
const INV_PIO2: f64 = std::f64::consts::FRAC_2_PI;
const PIO2_1: f64 = f64::from_bits(0x3FF9_21FB_5440_0000);
const PIO2_2: f64 = f64::from_bits(0x3DD0_B461_1A60_0000);
/// `pi/2` less the two parts before.
const PIO2_2T: f64 = f64::from_bits(0x3BA3_198A_2E03_7073);

const S: [f64; 6] = [
    -1.666_666_666_666_663_243_48e-1,
    8.333_333_333_322_489_461_24e-3,
    -1.984_126_982_985_794_931_34e-4,
    2.755_731_370_707_006_767_89e-6,
    -2.505_076_025_340_686_341_95e-8,
    1.589_690_995_211_550_102_21e-10,
];
const C: [f64; 6] = [
    4.166_666_666_666_660_190_37e-2,
    -1.388_888_888_887_410_957_49e-3,
    2.480_158_728_947_672_941_78e-5,
    -2.755_731_435_139_066_330_35e-7,
    2.087_572_321_298_174_827_90e-9,
    -1.135_964_755_778_819_482_65e-11,
];

/// The sine of `x + shift * pi/2` for `|x| <= LIMIT`.
#[inline(always)]
fn sine(x: f64, shift: u64) -> f64 {
    let rounded = x * INV_PIO2 + SHIFT;
    let k = rounded - SHIFT;
    let t = x - k * PIO2_1;
    let w = k * PIO2_2;
    let r = t - w;
    let rest = ((t - r) - w) - k * PIO2_2T;
    let y = r + rest;
    let low = (r - y) + rest;
    let z = y * y;

    let v = z * y;
    let p = S[1] + z * (S[2] + z * (S[3] + z * (S[4] + z * S[5])));
    let sin = y - ((z * (0.5 * low - v * p) - low) - v * S[0]);

    let q = z * (C[0] + z * (C[1] + z * (C[2] + z * (C[3] + z * (C[4] + z * C[5])))));
    let half = 0.5 * z;
    let a = 1.0 - half;
    let cos = a + (((1.0 - a) - half) + (z * q - y * low));

    let quadrant = rounded.to_bits().wrapping_add(shift);
    let out = if quadrant & 1 == 0 { sin } else { cos };
    let out = f64::from_bits(out.to_bits() ^ ((quadrant & 2) << 62));
    // Minus zero has quadrant 0 and stays as it is.
    if x == 0.0 && shift == 0 { x } else { out }
}

#[inline(always)]
fn far(x: f64) -> bool {
    x.is_nan() | (x.abs() > LIMIT)
}

/// The sine; NaN where [`mend_far`] must do it.
#[inline(always)]
pub(super) fn sin(x: f64) -> f64 {
    let near = sine(x, 0);
    if far(x) { f64::NAN } else { near }
}

/// The cosine; NaN where [`mend_far`] must do it.
#[inline(always)]
pub(super) fn cos(x: f64) -> f64 {
    let near = sine(x, 1);
    if far(x) { f64::NAN } else { near }
}

/// Does what [`sin`] and [`cos`] left undone; nothing for other functions.
pub(super) fn mend_far(f: Math, x: Elems<'_, f64>, out: &mut [f64]) {
    let system = match f {
        Math::Sin => f64::sin,
        Math::Cos => f64::cos,
        _ => return,
    };
    for (o, x) in out.iter_mut().zip(x.iter()).filter(|(_, x)| far(*x)) {
        *o = system(x);
    }
}
