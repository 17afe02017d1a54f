//! A function of elements over whole blocks, compiled for each instruction set.

use super::simd::{Isa, Kernel, run};
use crate::region::{Elems, Plain};

struct Map1<'k, A, O, F> {
    a: Elems<'k, A>,
    out: &'k mut [O],
    f: F,
}

impl<A: Plain, O, F: Fn(A) -> O> Kernel for Map1<'_, A, O, F> {
    type Out = ();
    #[inline(always)]
    fn run(self) {
        self.a.map(self.out, self.f);
    }
}

struct Map2<'k, A, B, O, F> {
    a: Elems<'k, A>,
    b: Elems<'k, B>,
    out: &'k mut [O],
    f: F,
}

impl<A: Plain, B: Plain, O, F: Fn(A, B) -> O> Kernel for Map2<'_, A, B, O, F> {
    type Out = ();
    #[inline(always)]
    fn run(self) {
        self.a.map_with(self.b, self.out, self.f);
    }
}

/// `out[i] = f(a[i])`. `f` must be `#[inline(always)]` or a small closure.
pub(crate) fn map1<'k, A: Plain, O>(isa: Isa, a: impl Into<Elems<'k, A>>, out: &mut [O], f: impl Fn(A) -> O) {
    run(isa, Map1 { a: a.into(), out, f });
}

/// `out[i] = f(a[i], b[i])`.
pub(crate) fn map2<A: Plain, B: Plain, O>(
    isa: Isa,
    a: Elems<'_, A>,
    b: Elems<'_, B>,
    out: &mut [O],
    f: impl Fn(A, B) -> O,
) {
    run(isa, Map2 { a, b, out, f });
}

struct Any<'k, A, F> {
    a: Elems<'k, A>,
    f: F,
}

impl<A: Plain, F: Fn(A) -> bool> Kernel for Any<'_, A, F> {
    type Out = bool;
    #[inline(always)]
    fn run(self) -> bool {
        self.a.any(self.f)
    }
}

/// Whether `f` holds for any element; looks at all, without branches.
pub(crate) fn any<'k, A: Plain>(isa: Isa, a: impl Into<Elems<'k, A>>, f: impl Fn(A) -> bool) -> bool {
    run(isa, Any { a: a.into(), f })
}

/// Whether a block holds any NaN.
pub(crate) fn any_nan(isa: Isa, a: &[f64]) -> bool {
    any(isa, a, f64::is_nan)
}
