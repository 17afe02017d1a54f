//! Complex arithmetic as C's Annex G has it (infinities survive products and quotients), and powers.
//!
//! The recovery steps of [`mul`] and [`div`] follow the reference code of ISO C, G.5.1 and G.5.2.

use super::C64;
use super::apply::{Out, map2};
use super::arith::Arith;
use super::math::complex::{clog, polar_exp};
use super::missing::{is_na_complex, repair_complex};
use super::simd::Isa;
use crate::region::Elems;

/// An operator over blocks. Remainders are refused before a program is built.
pub(crate) fn arith(isa: Isa, op: Arith, a: Elems<'_, C64>, b: Elems<'_, C64>, out: &mut [C64]) {
    match op {
        Arith::Add => map2(isa, a, b, Out::from(&mut *out), |x: C64, y: C64| [x[0] + y[0], x[1] + y[1]]),
        Arith::Sub => map2(isa, a, b, Out::from(&mut *out), |x: C64, y: C64| [x[0] - y[0], x[1] - y[1]]),
        Arith::Mul => map2(isa, a, b, Out::from(&mut *out), mul),
        Arith::Div => map2(isa, a, b, Out::from(&mut *out), div),
        Arith::Pow => map2(isa, a, b, Out::from(&mut *out), pow),
        Arith::Mod | Arith::IntDiv => unreachable!("complex has no remainder"),
    }
    for ((o, x), y) in out.iter_mut().zip(a.iter()).zip(b.iter()) {
        if o[0].is_nan() || o[1].is_nan() {
            *o = repair_complex(*o, is_na_complex(x) || is_na_complex(y));
        }
    }
}

/// Changes of sign.
pub(crate) fn negate(a: Elems<'_, C64>, out: &mut [C64]) {
    for (o, z) in out.iter_mut().zip(a.iter()) {
        *o = z.map(|part| if part.is_nan() { part } else { -part });
    }
}

fn boxed(part: f64) -> f64 {
    (if part.is_infinite() { 1.0_f64 } else { 0.0 }).copysign(part)
}

fn zero_if_nan(part: f64) -> f64 {
    if part.is_nan() { 0.0_f64.copysign(part) } else { part }
}

/// The product.
#[inline]
pub(crate) fn mul(x: C64, y: C64) -> C64 {
    let z = [x[0] * y[0] - x[1] * y[1], x[0] * y[1] + x[1] * y[0]];
    if z[0].is_nan() && z[1].is_nan() { recover_product(x, y, z) } else { z }
}

#[cold]
fn recover_product(x: C64, y: C64, z: C64) -> C64 {
    let ([mut a, mut b], [mut c, mut d]) = (x, y);
    let mut recalculate = false;
    if a.is_infinite() || b.is_infinite() {
        (a, b, c, d) = (boxed(a), boxed(b), zero_if_nan(c), zero_if_nan(d));
        recalculate = true;
    }
    if c.is_infinite() || d.is_infinite() {
        (c, d, a, b) = (boxed(c), boxed(d), zero_if_nan(a), zero_if_nan(b));
        recalculate = true;
    }
    let overflowed = [x[0] * y[0], x[1] * y[1], x[0] * y[1], x[1] * y[0]].iter().any(|p| p.is_infinite());
    if !recalculate && overflowed {
        (a, b, c, d) = (zero_if_nan(a), zero_if_nan(b), zero_if_nan(c), zero_if_nan(d));
        recalculate = true;
    }
    if recalculate { [f64::INFINITY * (a * c - b * d), f64::INFINITY * (a * d + b * c)] } else { z }
}

/// The quotient, the divisor scaled by a power of two so that nothing overflows before the end.
#[inline]
pub(crate) fn div(x: C64, y: C64) -> C64 {
    let ([mut a, mut b], [mut c, mut d]) = (x, y);
    let size = c.abs().max(d.abs());
    let scale = exponent(size);
    if let Some(e) = scale {
        (c, d) = (ldexp(c, -e), ldexp(d, -e));
    }
    let e = scale.unwrap_or(0);
    let denominator = c * c + d * d;
    let z = [ldexp((a * c + b * d) / denominator, -e), ldexp((b * c - a * d) / denominator, -e)];
    if !(z[0].is_nan() && z[1].is_nan()) {
        return z;
    }
    if denominator == 0.0 && (!a.is_nan() || !b.is_nan()) {
        let inf = f64::INFINITY.copysign(c);
        return [inf * a, inf * b];
    }
    if (a.is_infinite() || b.is_infinite()) && c.is_finite() && d.is_finite() {
        (a, b) = (boxed(a), boxed(b));
        return [f64::INFINITY * (a * c + b * d), f64::INFINITY * (b * c - a * d)];
    }
    if size.is_infinite() && a.is_finite() && b.is_finite() {
        (c, d) = (boxed(c), boxed(d));
        return [0.0 * (a * c + b * d), 0.0 * (b * c - a * d)];
    }
    z
}

/// The binary exponent of a finite number above zero.
fn exponent(x: f64) -> Option<i32> {
    if x == 0.0 || !x.is_finite() {
        return None;
    }
    let (x, less) = if x < f64::MIN_POSITIVE { (x * 2f64.powi(64), 64) } else { (x, 0) };
    Some(((x.to_bits() >> 52) & 0x7FF) as i32 - 1023 - less)
}

/// `x` times a power of two, rounded once.
pub(crate) fn ldexp(x: f64, e: i32) -> f64 {
    let pow2 = |e: i32| f64::from_bits(((e + 1023) as u64) << 52);
    match e {
        -1022..=1023 => x * pow2(e),
        1024..=2046 => x * pow2(1023) * pow2(e - 1023),
        2047.. => x * pow2(1023) * pow2(1023) * pow2((e - 2046).min(1023)),
        // Down in steps that stay clear of the subnormal range until the last, so that only one rounds.
        -2044..=-1023 => x * pow2(e + 1022) * pow2(-1022),
        _ => x * pow2(-969) * pow2((e + 969 + 1022).max(-1022)) * pow2(-1022),
    }
}

/// The largest whole power that is taken by repeated multiplication (behaviour 8.8).
const WHOLE_POWER_MAX: f64 = 65536.0;

/// The power: whole ones by repeated multiplication, others through the logarithm.
pub(crate) fn pow(x: C64, y: C64) -> C64 {
    if y[1] == 0.0 {
        if y[0] == 0.0 {
            return [1.0, 0.0];
        }
        if y[0] == 1.0 {
            return x;
        }
        if y[0] == y[0].trunc() && y[0].abs() <= WHOLE_POWER_MAX {
            let p = whole_power(x, y[0].abs() as u32);
            return if y[0] < 0.0 { div([1.0, 0.0], p) } else { p };
        }
    }
    if x == [0.0, 0.0] {
        return if y[1] == 0.0 && y[0] > 0.0 { [0.0, 0.0] } else { [f64::NAN, f64::NAN] };
    }
    let [radius, angle] = clog(x);
    polar_exp(radius * y[0] - angle * y[1], radius * y[1] + angle * y[0])
}

fn whole_power(mut x: C64, mut k: u32) -> C64 {
    let mut out = [1.0, 0.0];
    loop {
        if k & 1 == 1 {
            out = mul(out, x);
        }
        k >>= 1;
        if k == 0 {
            return out;
        }
        x = mul(x, x);
    }
}
