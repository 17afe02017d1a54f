//! R's arithmetic on blocks of doubles and of integers (behaviours 8.2–8.9).

use super::apply::{Out, map1, map1_mended, map2, map2_mended};
use super::missing::{nan_of, repair2};
use super::simd::Isa;
use crate::convert::Warnings;
use crate::na::{NA_INT, is_na};
use crate::region::Elems;

/// The arithmetic operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Arith {
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `*`
    Mul,
    /// `/`
    Div,
    /// `^`
    Pow,
    /// `%%`
    Mod,
    /// `%/%`
    IntDiv,
}

/// Doubles. NaN of two numbers is no warning: R gives none for operators.
pub(crate) fn real(isa: Isa, op: Arith, a: Elems<'_, f64>, b: Elems<'_, f64>, out: Out<'_, f64>) {
    let mend = |at: usize, out: &mut [f64]| {
        let (a, b) = (a.rest(at), b.rest(at));
        let _ = repair2(a, b, out);
        if op == Arith::Mod {
            // A remainder by zero is NaN before anybody asks what of.
            for (o, _) in out.iter_mut().zip(b.iter()).filter(|(_, y)| *y == 0.0) {
                *o = f64::NAN;
            }
        }
    };
    let nan = f64::is_nan;
    match op {
        Arith::Add => map2_mended(isa, a, b, out, |x, y| x + y, nan, mend),
        Arith::Sub => map2_mended(isa, a, b, out, |x, y| x - y, nan, mend),
        Arith::Mul => map2_mended(isa, a, b, out, |x, y| x * y, nan, mend),
        Arith::Div => map2_mended(isa, a, b, out, |x, y| x / y, nan, mend),
        Arith::Mod => map2_mended(isa, a, b, out, modulo, nan, mend),
        Arith::IntDiv => map2_mended(isa, a, b, out, int_div, nan, mend),
        Arith::Pow if b.iter().all(|y| y == 2.0) => map1_mended(isa, a, out, |x| x * x, nan, mend),
        Arith::Pow => map2_mended(isa, a, b, out, pow, nan, mend),
    }
}

/// Powers as R has them: `1^y` and `x^0` are 1 whatever the other is, `x^2` is `x*x`, zero loses its sign, and a negative number to an
/// infinite power is NaN.
pub(crate) fn pow(x: f64, y: f64) -> f64 {
    if y == 2.0 {
        return x * x;
    }
    if x == 1.0 || y == 0.0 {
        return 1.0;
    }
    if x.is_nan() || y.is_nan() {
        return f64::NAN;
    }
    if x == 0.0 {
        return if y > 0.0 { 0.0 } else { f64::INFINITY };
    }
    if y.is_infinite() {
        let grows = (x >= 1.0) == (y > 0.0);
        return if x < 0.0 {
            f64::NAN
        } else if grows {
            f64::INFINITY
        } else {
            0.0
        };
    }
    if x == f64::NEG_INFINITY && y != y.floor() {
        return f64::NAN;
    }
    x.powf(y)
}

/// A quotient from this size on is a whole number already.
const WHOLE: f64 = 4_503_599_627_370_496.0;
/// A divisor beyond 2^63 is not divided by: a smaller dividend is its own remainder.
const HUGE: f64 = 9_223_372_036_854_775_808.0;

/// The remainder with the divisor's sign, exact (the remainder of C's `fmod` is).
fn modulo(x: f64, y: f64) -> f64 {
    if y == 0.0 || !x.is_finite() || y.is_nan() {
        return f64::NAN;
    }
    let rem = x % y;
    if rem == 0.0 {
        // An exact multiple gives plus zero; a zero against a divisor too large to divide by comes back with its sign.
        return if x == 0.0 && y.abs() > HUGE { x } else { 0.0 };
    }
    if (rem < 0.0) == (y < 0.0) {
        return rem;
    }
    let other = rem + y;
    // A remainder too close to the whole divisor even for R's 64-bit significand is none, unless there was no quotient to speak of.
    let whole = rem.abs() < y.abs() / HUGE * 0.5;
    if whole && x / y != 0.0 && y.abs() <= HUGE { 0.0 } else { other }
}

/// The quotient rounded toward minus infinity; by zero as plain division.
fn int_div(x: f64, y: f64) -> f64 {
    let quotient = x / y;
    if y == 0.0 || !quotient.is_finite() || quotient.abs() > WHOLE {
        return quotient;
    }
    // The quotient may have been rounded to a whole number; the exact remainder decides. Adding zero makes minus zero plus zero.
    let rem = x % y;
    let truncated = ((x - rem) / y).round() + 0.0;
    if rem != 0.0 && (rem < 0.0) != (y < 0.0) { truncated - 1.0 } else { truncated }
}

/// Integers: add, subtract, multiply. Beyond the range of integer: NA and a warning.
fn wide(
    isa: Isa,
    a: Elems<'_, i32>,
    b: Elems<'_, i32>,
    out: Out<'_, i32>,
    f: impl Fn(i64, i64) -> i64 + Copy,
) -> Warnings {
    let mut warnings = Warnings::default();
    let result = |x, y| {
        let r = f(i64::from(x), i64::from(y));
        let fits = (r <= i64::from(i32::MAX)) & (r >= -i64::from(i32::MAX));
        let known = (x != NA_INT) & (y != NA_INT);
        if fits & known { r as i32 } else { NA_INT }
    };
    let note_lost = |at: usize, out: &mut [i32]| {
        let operands = a.rest(at).iter().zip(b.rest(at).iter());
        if out.iter().zip(operands).any(|(&r, (x, y))| r == NA_INT && x != NA_INT && y != NA_INT) {
            warnings |= Warnings::INTEGER_OVERFLOW;
        }
    };
    map2_mended(isa, a, b, out, result, |r| r == NA_INT, note_lost);
    warnings
}

/// Integers, for the operators whose result is integer. The quotient of two of them is exact enough in double to be rounded down there.
pub(crate) fn integer(
    isa: Isa,
    op: Arith,
    a: Elems<'_, i32>,
    b: Elems<'_, i32>,
    out: Out<'_, i32>,
) -> Warnings {
    match op {
        Arith::Add => return wide(isa, a, b, out, |x, y| x + y),
        Arith::Sub => return wide(isa, a, b, out, |x, y| x - y),
        Arith::Mul => return wide(isa, a, b, out, |x, y| x * y),
        Arith::Mod => map2(isa, a, b, out, |x, y| {
            let (p, q) = (f64::from(x), f64::from(y));
            let rem = (p - (p / q).floor() * q) as i32;
            if (x == NA_INT) | (y == NA_INT) | (y == 0) { NA_INT } else { rem }
        }),
        Arith::IntDiv => map2(isa, a, b, out, |x, y| {
            let quotient = (f64::from(x) / f64::from(y)).floor() as i32;
            if (x == NA_INT) | (y == NA_INT) | (y == 0) { NA_INT } else { quotient }
        }),
        Arith::Div | Arith::Pow => unreachable!("integers are divided and raised as doubles"),
    }
    Warnings::default()
}

/// Changes of sign.
pub(crate) fn negate_real(isa: Isa, a: Elems<'_, f64>, out: Out<'_, f64>) {
    let mend = |_: usize, out: &mut [f64]| {
        for x in out.iter_mut().filter(|x| x.is_nan()) {
            *x = nan_of(is_na(*x));
        }
    };
    map1_mended(isa, a, out, |x: f64| if x.is_nan() { x } else { -x }, f64::is_nan, mend);
}

/// Changes of sign; NA stays.
pub(crate) fn negate_integer(isa: Isa, a: Elems<'_, i32>, out: Out<'_, i32>) {
    map1(isa, a, out, |x: i32| x.wrapping_neg());
}
