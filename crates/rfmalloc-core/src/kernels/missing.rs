//! The one place that says what NA and NaN become.
//!
//! Numeric NA is a NaN with a low word of its own. Hardware passes on one operand's NaN, and the compiler may swap operands, so no operation
//! relies on that: a kernel computes, notices whether its block holds any NaN, and has the rare block repaired here. After repair there are two
//! NaNs only, NA and the plain one. Where NA and NaN meet, NA wins (R leaves it open).

use super::C64;
use super::apply::{Out, map1};
use super::simd::Isa;
use crate::compute::Missing;
use crate::convert::Warnings;
use crate::na::{NA_INT, is_na, na_real};
use crate::region::Elems;

/// What a NaN result of these operands is.
#[inline]
pub(crate) fn nan_of(any_na: bool) -> f64 {
    if any_na { na_real() } else { f64::NAN }
}

/// Repairs a block of results of one operand; warns where NaN came of a number.
pub(crate) fn repair1(x: Elems<'_, f64>, out: &mut [f64]) -> Warnings {
    let mut warnings = Warnings::default();
    for (o, x) in out.iter_mut().zip(x.iter()) {
        if o.is_nan() {
            *o = nan_of(is_na(x));
            if !x.is_nan() {
                warnings |= Warnings::NAN_PRODUCED;
            }
        }
    }
    warnings
}

/// Repairs a block of results of two operands; `warns` where NaN came of numbers.
pub(crate) fn repair2(a: Elems<'_, f64>, b: Elems<'_, f64>, out: &mut [f64]) -> Warnings {
    let mut warnings = Warnings::default();
    for ((o, a), b) in out.iter_mut().zip(a.iter()).zip(b.iter()) {
        if o.is_nan() {
            *o = nan_of(is_na(a) || is_na(b));
            if !a.is_nan() && !b.is_nan() {
                warnings |= Warnings::NAN_PRODUCED;
            }
        }
    }
    warnings
}

/// Whether either part is NA.
#[inline]
pub(crate) fn is_na_complex(z: C64) -> bool {
    is_na(z[0]) || is_na(z[1])
}

/// Whether either part is NA or NaN.
#[inline]
pub(crate) fn is_nan_complex(z: C64) -> bool {
    z[0].is_nan() || z[1].is_nan()
}

/// A complex result with its NaN parts made NA or the plain NaN.
#[inline]
pub(crate) fn repair_complex(z: C64, any_na: bool) -> C64 {
    z.map(|part| if part.is_nan() { nan_of(any_na) } else { part })
}

/// Whether integers and logicals are NA; none is NaN.
pub(crate) fn of_integer(isa: Isa, which: Missing, x: Elems<'_, i32>, out: Out<'_, i32>) {
    match which {
        Missing::NaOrNan => map1(isa, x, out, |x| i32::from(x == NA_INT)),
        Missing::Nan => map1(isa, x, out, |_| 0),
    }
}

/// Whether doubles are NaN, NA counting as one or not.
pub(crate) fn of_real(isa: Isa, which: Missing, x: Elems<'_, f64>, out: Out<'_, i32>) {
    match which {
        Missing::NaOrNan => map1(isa, x, out, |x: f64| i32::from(x.is_nan())),
        Missing::Nan => map1(isa, x, out, |x: f64| i32::from(x.is_nan() & !is_na(x))),
    }
}

/// The same of complex numbers: of either part.
pub(crate) fn of_complex(isa: Isa, which: Missing, x: Elems<'_, C64>, out: Out<'_, i32>) {
    match which {
        Missing::NaOrNan => map1(isa, x, out, |z| i32::from(is_nan_complex(z))),
        Missing::Nan => map1(isa, x, out, |z: C64| i32::from(z.iter().any(|x| x.is_nan() & !is_na(*x)))),
    }
}
