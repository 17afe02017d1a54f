//! Complex functions, after W. Kahan, "Branch Cuts for Complex Elementary Functions, or Much Ado About Nothing's Sign Bit" (1987).
//!
//! On the cuts R's rule holds: continuous counter-clockwise around the end of the cut, whatever the sign of the zero.

use super::super::C64;
use super::super::complex::{div, mul};
use super::super::exact::{two_prod, two_sum};
use super::Math;
use std::f64::consts::{FRAC_PI_2, LN_2, LN_10, PI};

/// The function's implementation.
pub(super) fn function(f: Math) -> fn(C64) -> C64 {
    match f {
        Math::Sqrt => sqrt,
        Math::Exp => exp,
        Math::Log => clog,
        Math::Log2 => |z| clog(z).map(|part| part / LN_2),
        Math::Log10 => |z| clog(z).map(|part| part / LN_10),
        Math::Cos => |z| cosh([-z[1], z[0]]),
        Math::Sin => |z| turned_back(sinh(turned(z))),
        Math::Tan => |z| turned_back(tanh(turned(z))),
        Math::Cosh => cosh,
        Math::Sinh => sinh,
        Math::Tanh => tanh,
        Math::Asin => asin,
        Math::Acos => acos,
        Math::Atan => atan,
        Math::Acosh => |z| turned(acos(z)),
        Math::Asinh => |z| turned_back(asin(turned(z))),
        Math::Atanh => |z| turned_back(atan(turned(z))),
        _ => unreachable!("{} has no complex form", f.name()),
    }
}

/// `i z`
fn turned(z: C64) -> C64 {
    [-z[1], z[0]]
}

/// `-i z`
fn turned_back(z: C64) -> C64 {
    [z[1], -z[0]]
}

fn is_nan(z: C64) -> bool {
    z[0].is_nan() || z[1].is_nan()
}

const NAN: C64 = [f64::NAN, f64::NAN];

/// The principal square root.
pub(super) fn sqrt(z: C64) -> C64 {
    let [x, y] = z;
    if y.is_infinite() {
        return [f64::INFINITY, y];
    }
    if is_nan(z) {
        return NAN;
    }
    if x == 0.0 && y == 0.0 {
        return [0.0, y];
    }
    if x.is_infinite() {
        return if x > 0.0 { [x, 0.0_f64.copysign(y)] } else { [0.0, (-x).copysign(y)] };
    }
    // Scaled by a power of four, so that the modulus neither overflows nor loses digits.
    let size = x.abs().max(y.abs());
    let (x, y, back) = if size > 1e300 {
        (x * 0.0625, y * 0.0625, 4.0)
    } else if size < 1e-290 {
        (x * 2f64.powi(108), y * 2f64.powi(108), 2f64.powi(-54))
    } else {
        (x, y, 1.0)
    };
    let t = ((x.abs() + x.hypot(y)) * 0.5).sqrt();
    if x >= 0.0 {
        [t * back, y / (2.0 * t) * back]
    } else {
        [y.abs() / (2.0 * t) * back, t.copysign(y) * back]
    }
}

/// `e^z`
pub(super) fn exp(z: C64) -> C64 {
    if z[1] == 0.0 { [z[0].exp(), z[1]] } else { polar_exp(z[0], z[1]) }
}

/// `e^x (cos y + i sin y)`, without overflow before the end.
pub(crate) fn polar_exp(x: f64, y: f64) -> C64 {
    let (sin, cos) = y.sin_cos();
    if x > 709.0 && x < 1420.0 {
        let half = (x * 0.5).exp();
        [half * cos * half, half * sin * half]
    } else {
        let r = x.exp();
        if r == 0.0 && !y.is_finite() && !x.is_nan() { [0.0, 0.0] } else { [r * cos, r * sin] }
    }
}

/// The logarithm of the modulus: near modulus 1 from the exact difference, where the modulus itself has lost the digits.
fn log_modulus(z: C64) -> f64 {
    let (big, small) = (z[0].abs().max(z[1].abs()), z[0].abs().min(z[1].abs()));
    if big > 0.5 && big < 2.0 && small < 2.0 {
        let (sum, low) = two_prod(big - 1.0, big + 1.0);
        let (square, low2) = two_prod(small, small);
        let (total, low3) = two_sum(sum, square);
        let difference = total + (low3 + low + low2);
        if difference > -0.5 {
            return 0.5 * difference.ln_1p();
        }
    }
    if big > 1e300 {
        return (z[0] * 0.5).hypot(z[1] * 0.5).ln() + LN_2;
    }
    if big < 1e-300 && big > 0.0 {
        let up = 2f64.powi(108);
        return (z[0] * up).hypot(z[1] * up).ln() - 108.0 * LN_2;
    }
    z[0].hypot(z[1]).ln()
}

/// The principal logarithm.
pub(crate) fn clog(z: C64) -> C64 {
    if is_nan(z) { NAN } else { [log_modulus(z), z[1].atan2(z[0])] }
}

fn cosh(z: C64) -> C64 {
    let [x, y] = z;
    if y == 0.0 {
        return [x.cosh(), y * x.signum()];
    }
    if x == 0.0 {
        return [y.cos(), x * y.sin()];
    }
    if x.abs() > 700.0 {
        let [re, im] = polar_exp(x.abs() - LN_2, y);
        return [re, im.copysign(if x < 0.0 { -im } else { im })];
    }
    [x.cosh() * y.cos(), x.sinh() * y.sin()]
}

fn sinh(z: C64) -> C64 {
    let [x, y] = z;
    if y == 0.0 {
        return [x.sinh(), y];
    }
    if x == 0.0 {
        return [x, y.sin()];
    }
    if x.abs() > 700.0 {
        let [re, im] = polar_exp(x.abs() - LN_2, y);
        return [if x < 0.0 { -re } else { re }, im];
    }
    [x.sinh() * y.cos(), x.cosh() * y.sin()]
}

fn tanh(z: C64) -> C64 {
    let [x, y] = z;
    if is_nan(z) {
        return if y == 0.0 { [x, y] } else { NAN };
    }
    if y == 0.0 {
        return [x.tanh(), y];
    }
    if x.abs() > 22.0 {
        let small = if y.is_finite() {
            4.0 * y.sin() * y.cos() * (-2.0 * x.abs()).exp()
        } else {
            0.0_f64.copysign(y)
        };
        return [1.0_f64.copysign(x), small];
    }
    let t = y.tan();
    let beta = 1.0 + t * t;
    let s = x.sinh();
    let rho = (1.0 + s * s).sqrt();
    if t.is_infinite() {
        return [rho / s, 1.0 / t];
    }
    let bottom = 1.0 + beta * s * s;
    [beta * rho * s / bottom, t / bottom]
}

/// A point on a cut of `asin` moved to the side that R takes: right of 1 from below, left of -1 from above.
fn off_the_cut(z: C64) -> C64 {
    if z[1] == 0.0 && z[0].abs() > 1.0 { [z[0], if z[0] > 0.0 { -0.0 } else { 0.0 }] } else { z }
}

fn asin(z: C64) -> C64 {
    if is_nan(z) {
        return NAN;
    }
    let z = off_the_cut(z);
    let (below, above) = (sqrt([1.0 - z[0], -z[1]]), sqrt([1.0 + z[0], z[1]]));
    let re = z[0].atan2(mul(below, above)[0]);
    let im = super::log::asinh(mul([below[0], -below[1]], above)[1]);
    [re, im]
}

fn acos(z: C64) -> C64 {
    if is_nan(z) {
        return NAN;
    }
    let z = off_the_cut(z);
    let (below, above) = (sqrt([1.0 - z[0], -z[1]]), sqrt([1.0 + z[0], z[1]]));
    let re = 2.0 * below[0].atan2(above[0]);
    let im = super::log::asinh(mul([above[0], -above[1]], below)[1]);
    [re, im]
}

fn atan(z: C64) -> C64 {
    if is_nan(z) {
        return NAN;
    }
    let [x, y] = z;
    if x.is_infinite() || y.is_infinite() {
        let side = if x == 0.0 { y } else { x };
        return [FRAC_PI_2.copysign(side), 0.0_f64.copysign(y)];
    }
    // On the cuts: above i from the right, below -i from the left.
    let x = if x == 0.0 && y.abs() > 1.0 { 0.0_f64.copysign(y) } else { x };
    let square = x * x;
    let re = 0.5 * (2.0 * x).atan2((1.0 - y) * (1.0 + y) - square);
    let im = if y >= 0.0 {
        0.25 * (4.0 * y / (square + (y - 1.0) * (y - 1.0))).ln_1p()
    } else {
        -0.25 * (-4.0 * y / (square + (y + 1.0) * (y + 1.0))).ln_1p()
    };
    [re, im]
}

/// The angle of `y / x` in the plane of complex numbers.
pub(super) fn atan2(y: C64, x: C64) -> C64 {
    if x == [0.0, 0.0] {
        return if y == [0.0, 0.0] { NAN } else { [FRAC_PI_2.copysign(y[0]), 0.0] };
    }
    let mut out = atan(div(y, x));
    if x[0] < 0.0 {
        out[0] += PI;
    }
    if out[0] > PI {
        out[0] -= 2.0 * PI;
    }
    out
}
