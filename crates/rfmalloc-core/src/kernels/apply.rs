//! A function of elements over whole blocks, compiled for each instruction set.

use super::simd::{Isa, Kernel, run};

struct Map1<'k, A, O, F> {
    a: &'k [A],
    out: &'k mut [O],
    f: F,
}

impl<A: Copy, O, F: Fn(A) -> O> Kernel for Map1<'_, A, O, F> {
    type Out = ();
    #[inline(always)]
    fn run(self) {
        for (o, &a) in self.out.iter_mut().zip(self.a) {
            *o = (self.f)(a);
        }
    }
}

struct Map2<'k, A, B, O, F> {
    a: &'k [A],
    b: &'k [B],
    out: &'k mut [O],
    f: F,
}

impl<A: Copy, B: Copy, O, F: Fn(A, B) -> O> Kernel for Map2<'_, A, B, O, F> {
    type Out = ();
    #[inline(always)]
    fn run(self) {
        for ((o, &a), &b) in self.out.iter_mut().zip(self.a).zip(self.b) {
            *o = (self.f)(a, b);
        }
    }
}

/// `out[i] = f(a[i])`. `f` must be `#[inline(always)]` or a small closure.
pub(crate) fn map1<A: Copy, O>(isa: Isa, a: &[A], out: &mut [O], f: impl Fn(A) -> O) {
    run(isa, Map1 { a, out, f });
}

/// `out[i] = f(a[i], b[i])`.
pub(crate) fn map2<A: Copy, B: Copy, O>(isa: Isa, a: &[A], b: &[B], out: &mut [O], f: impl Fn(A, B) -> O) {
    run(isa, Map2 { a, b, out, f });
}

struct Any<'k, A, F> {
    a: &'k [A],
    f: F,
}

impl<A: Copy, F: Fn(A) -> bool> Kernel for Any<'_, A, F> {
    type Out = bool;
    #[inline(always)]
    fn run(self) -> bool {
        let mut found = false;
        for &a in self.a {
            found |= (self.f)(a);
        }
        found
    }
}

/// Whether `f` holds for any element; looks at all, without branches.
pub(crate) fn any<A: Copy>(isa: Isa, a: &[A], f: impl Fn(A) -> bool) -> bool {
    run(isa, Any { a, f })
}

/// Whether a block holds any NaN.
pub(crate) fn any_nan(isa: Isa, a: &[f64]) -> bool {
    any(isa, a, f64::is_nan)
}
