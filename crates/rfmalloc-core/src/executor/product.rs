//! Matrix products: columns of the result are cut into panels by the shape alone, so any number of threads gives the same bits.

use super::Context;
use crate::kernels::C64;
use crate::kernels::apply::any;
use crate::kernels::exact::{Dd, two_prod};
use crate::kernels::missing::{is_na_complex, nan_of, repair_complex};
use crate::kernels::simd_product::{Strided, multiply};
use crate::na::is_na;
use crate::region::{Elems, Plain, Span};

/// Doubles of a panel of the result, at most, where that leaves it eight columns.
const PANEL: usize = 1 << 20;

/// Extents of a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extents {
    pub(crate) rows: usize,
    pub(crate) inner: usize,
    pub(crate) cols: usize,
}

/// Where an operand's element `(i, j)` stands: at `i * down + j * right`.
#[derive(Clone, Copy)]
pub(crate) struct Side {
    pub(crate) x: Span,
    pub(crate) len: usize,
    pub(crate) down: usize,
    pub(crate) right: usize,
}

fn panels<T: Plain>(ctx: &Context<'_>, e: Extents, out: Span, f: impl Fn(usize, &mut [T]) + Sync) -> bool {
    let width = (PANEL / e.rows.max(1)).clamp(8, 256);
    let range = |task: usize| task * width..e.cols.min((task + 1) * width);
    let work = |panel: &mut Vec<T>, task: usize| {
        panel.resize(range(task).len() * e.rows, T::default());
        f(range(task).start, panel);
        out.store((range(task).start * e.rows) as u64, panel);
    };
    let units = |task: usize| (range(task).len() * e.rows * e.inner.max(1)) as u64;
    ctx.tasks(e.cols.div_ceil(width), Vec::new, work, units).is_some()
}

/// Whether every element is finite. None if it was cancelled.
fn finite(ctx: &Context<'_>, side: &Side) -> Option<bool> {
    let odd = |(): &mut (), range: std::ops::Range<u64>| {
        any(ctx.isa, side.x.elems(range.start, (range.end - range.start) as usize), |x: f64| !x.is_finite())
    };
    Some(!ctx.chunks(side.len as u64, || (), odd)?.contains(&true))
}

/// The product of reals. False if it was cancelled.
pub(crate) fn real(ctx: &Context<'_>, a: Side, b: Side, e: Extents, out: Span) -> bool {
    let (Some(a_finite), Some(b_finite)) = (finite(ctx, &a), finite(ctx, &b)) else { return false };
    let of = |side: &Side| Strided { x: side.x.elems(0, side.len), down: side.down, right: side.right };
    panels(ctx, e, out, |col, panel: &mut [f64]| {
        let (left, right) = (of(&a), of(&b));
        if a_finite && b_finite {
            let width = panel.len() / e.rows.max(1);
            let x = right.x.rest(col * right.right);
            multiply(panel, left, Strided { x, ..right }, e.rows, e.inner, width);
            // A sum that begins with zero is never minus zero.
            for cell in panel.iter_mut() {
                *cell += 0.0;
            }
            return;
        }
        for (i, cell) in panel.iter_mut().enumerate() {
            *cell = careful(&left, &right, i % e.rows, col + i / e.rows, e.inner);
        }
    })
}

/// One cell where operands hold what is not finite: NA and NaN reach the cells of their row or column, and no others.
fn careful(a: &Strided<'_>, b: &Strided<'_>, row: usize, col: usize, inner: usize) -> f64 {
    let (mut plain, mut exact, mut na) = (0.0, Dd::default(), false);
    for p in 0..inner {
        let (x, y) = (a.at(row, p), b.at(p, col));
        plain += x * y;
        na |= is_na(x) || is_na(y);
        let (hi, lo) = two_prod(x, y);
        exact = exact.plus(Dd { hi, lo });
    }
    if plain.is_nan() {
        nan_of(na)
    } else if exact.round().is_finite() {
        exact.round()
    } else {
        plain
    }
}

/// The product of complex numbers. False if it was cancelled.
pub(crate) fn complex(ctx: &Context<'_>, a: Side, b: Side, e: Extents, out: Span) -> bool {
    panels(ctx, e, out, |col, panel: &mut [C64]| {
        let (left, right): (Elems<'_, C64>, Elems<'_, C64>) = (a.x.elems(0, a.len), b.x.elems(0, b.len));
        for (i, cell) in panel.iter_mut().enumerate() {
            let (row, col) = (i % e.rows, col + i / e.rows);
            let (mut re, mut im, mut na) = (Sum::default(), Sum::default(), false);
            for p in 0..e.inner {
                let (x, y) = (left.get(row * a.down + p * a.right), right.get(p * b.down + col * b.right));
                na |= is_na_complex(x) || is_na_complex(y);
                re.add(x[0], y[0]);
                re.add(-x[1], y[1]);
                im.add(x[0], y[1]);
                im.add(x[1], y[0]);
            }
            *cell = repair_complex([re.total(), im.total()], na);
        }
    })
}

/// A sum of products, plain and exact: the exact one is lost where a product is not finite.
#[derive(Default)]
struct Sum {
    plain: f64,
    exact: Dd,
}

impl Sum {
    fn add(&mut self, x: f64, y: f64) {
        self.plain += x * y;
        let (hi, lo) = two_prod(x, y);
        self.exact = self.exact.plus(Dd { hi, lo });
    }

    fn total(&self) -> f64 {
        if self.exact.round().is_finite() { self.exact.round() } else { self.plain }
    }
}
