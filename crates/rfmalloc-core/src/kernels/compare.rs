//! Comparisons of blocks: 0, 1 or NA (behaviour 8.10).

use super::C64;
use super::apply::{Out, map2};
use super::missing::is_nan_complex;
use super::simd::Isa;
use crate::na::NA_INT;
use crate::region::{Elems, Plain};

/// The comparison operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Compare {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

fn by<T: Plain>(
    isa: Isa,
    a: Elems<'_, T>,
    b: Elems<'_, T>,
    out: Out<'_, i32>,
    known: impl Fn(T, T) -> bool,
    f: impl Fn(T, T) -> bool,
) {
    map2(isa, a, b, out, |x, y| if known(x, y) { i32::from(f(x, y)) } else { NA_INT });
}

/// Doubles; NA and NaN give NA, minus zero equals zero.
pub(crate) fn real(isa: Isa, op: Compare, a: Elems<'_, f64>, b: Elems<'_, f64>, out: Out<'_, i32>) {
    let known = |x: f64, y: f64| !(x.is_nan() | y.is_nan());
    match op {
        Compare::Eq => by(isa, a, b, out, known, |x, y| x == y),
        Compare::Ne => by(isa, a, b, out, known, |x, y| x != y),
        Compare::Lt => by(isa, a, b, out, known, |x, y| x < y),
        Compare::Le => by(isa, a, b, out, known, |x, y| x <= y),
        Compare::Gt => by(isa, a, b, out, known, |x, y| x > y),
        Compare::Ge => by(isa, a, b, out, known, |x, y| x >= y),
    }
}

/// Integers and logicals.
pub(crate) fn integer(isa: Isa, op: Compare, a: Elems<'_, i32>, b: Elems<'_, i32>, out: Out<'_, i32>) {
    let known = |x: i32, y: i32| (x != NA_INT) & (y != NA_INT);
    match op {
        Compare::Eq => by(isa, a, b, out, known, |x, y| x == y),
        Compare::Ne => by(isa, a, b, out, known, |x, y| x != y),
        Compare::Lt => by(isa, a, b, out, known, |x, y| x < y),
        Compare::Le => by(isa, a, b, out, known, |x, y| x <= y),
        Compare::Gt => by(isa, a, b, out, known, |x, y| x > y),
        Compare::Ge => by(isa, a, b, out, known, |x, y| x >= y),
    }
}

/// Complex: equal or not. The other four are refused before a program is built.
pub(crate) fn complex(isa: Isa, op: Compare, a: Elems<'_, C64>, b: Elems<'_, C64>, out: Out<'_, i32>) {
    let known = |x: C64, y: C64| !(is_nan_complex(x) | is_nan_complex(y));
    let equal = |x: C64, y: C64| (x[0] == y[0]) & (x[1] == y[1]);
    match op {
        Compare::Ne => by(isa, a, b, out, known, |x, y| !equal(x, y)),
        _ => by(isa, a, b, out, known, equal),
    }
}
