//! Three-valued logic on blocks of 0, 1 and NA; bitwise logic on raw; conversions to logical (behaviour 8.11).

use super::C64;
use super::apply::{Out, map1, map2};
use super::missing::is_nan_complex;
use super::simd::Isa;
use crate::na::NA_INT;
use crate::region::Elems;

/// The logical operators of two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Logic {
    And,
    Or,
    Xor,
}

/// FALSE wins over NA in `&`, TRUE in `|`; NA stays in `xor`.
pub(crate) fn three_valued(isa: Isa, op: Logic, a: Elems<'_, i32>, b: Elems<'_, i32>, out: Out<'_, i32>) {
    match op {
        Logic::And => map2(isa, a, b, out, |x, y| {
            let unknown = if (x == NA_INT) | (y == NA_INT) { NA_INT } else { 1 };
            if (x == 0) | (y == 0) { 0 } else { unknown }
        }),
        Logic::Or => map2(isa, a, b, out, |x, y| {
            let unknown = if (x == NA_INT) | (y == NA_INT) { NA_INT } else { 0 };
            let yes = ((x != 0) & (x != NA_INT)) | ((y != 0) & (y != NA_INT));
            if yes { 1 } else { unknown }
        }),
        Logic::Xor => map2(isa, a, b, out, |x, y| {
            if (x == NA_INT) | (y == NA_INT) { NA_INT } else { i32::from((x != 0) != (y != 0)) }
        }),
    }
}

/// `!`
pub(crate) fn not(isa: Isa, a: Elems<'_, i32>, out: Out<'_, i32>) {
    map1(isa, a, out, |x| if x == NA_INT { NA_INT } else { i32::from(x == 0) });
}

/// Bit by bit.
pub(crate) fn bitwise(isa: Isa, op: Logic, a: Elems<'_, u8>, b: Elems<'_, u8>, out: Out<'_, u8>) {
    match op {
        Logic::And => map2(isa, a, b, out, |x, y| x & y),
        Logic::Or => map2(isa, a, b, out, |x, y| x | y),
        Logic::Xor => map2(isa, a, b, out, |x, y| x ^ y),
    }
}

/// Bit by bit.
pub(crate) fn bitwise_not(isa: Isa, a: Elems<'_, u8>, out: Out<'_, u8>) {
    map1(isa, a, out, |x: u8| !x);
}

/// Integers as logical: any number but zero is TRUE.
pub(crate) fn of_integer(isa: Isa, a: Elems<'_, i32>, out: Out<'_, i32>) {
    map1(isa, a, out, |x| if x == NA_INT { NA_INT } else { i32::from(x != 0) });
}

/// Doubles as logical; NaN counts as NA.
pub(crate) fn of_real(isa: Isa, a: Elems<'_, f64>, out: Out<'_, i32>) {
    map1(isa, a, out, |x: f64| if x.is_nan() { NA_INT } else { i32::from(x != 0.0) });
}

/// Complex as logical.
pub(crate) fn of_complex(isa: Isa, a: Elems<'_, C64>, out: Out<'_, i32>) {
    map1(
        isa,
        a,
        out,
        |z: C64| if is_nan_complex(z) { NA_INT } else { i32::from((z[0] != 0.0) | (z[1] != 0.0)) },
    );
}

/// Raw as logical.
pub(crate) fn of_raw(isa: Isa, a: Elems<'_, u8>, out: Out<'_, i32>) {
    map1(isa, a, out, |x| i32::from(x != 0));
}
