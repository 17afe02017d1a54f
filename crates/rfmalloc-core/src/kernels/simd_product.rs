//! Products of finite doubles, by the `gemm` crate, which chooses its own instruction set (it uses fused multiply-add where the processor has
//! it: products alone may differ in the last bits between processors). One thread here; the executor cuts the work.

use crate::region::Elems;

/// A matrix in memory: element `(i, j)` stands at `i * down + j * right`.
#[derive(Clone, Copy)]
pub(crate) struct Strided<'e> {
    pub(crate) x: Elems<'e, f64>,
    pub(crate) down: usize,
    pub(crate) right: usize,
}

impl Strided<'_> {
    /// Whether `rows` times `cols` elements lie inside the memory.
    fn holds(&self, rows: usize, cols: usize) -> bool {
        let last = (rows - 1).checked_mul(self.down).zip((cols - 1).checked_mul(self.right));
        last.and_then(|(a, b)| a.checked_add(b)).is_some_and(|last| last < self.x.len())
    }

    /// Element `(i, j)`.
    pub(crate) fn at(&self, i: usize, j: usize) -> f64 {
        self.x.get(i * self.down + j * self.right)
    }
}

/// `out`, column-major `rows` times `cols`, becomes `a` times `b`, with `inner` columns and rows between. Nothing if a matrix does not hold so much.
pub(crate) fn multiply(
    out: &mut [f64],
    a: Strided<'_>,
    b: Strided<'_>,
    rows: usize,
    inner: usize,
    cols: usize,
) {
    if rows == 0 || cols == 0 {
        return;
    }
    if inner == 0 {
        out.fill(0.0);
        return;
    }
    if out.len() != rows * cols || !a.holds(rows, inner) || !b.holds(inner, cols) {
        debug_assert!(false, "a product beyond its matrices");
        return;
    }
    // SAFETY: 1. every element that is read lies inside its matrix (`holds`), every one written inside `out`; 2. `out` is private memory and
    // cannot overlap what is read; 3. the strides are those of the checks; 4. others may write the operands meanwhile: the crate copies them
    // into panels by pointer, and unspecified elements give unspecified results.
    unsafe {
        gemm::gemm(
            rows,
            cols,
            inner,
            out.as_mut_ptr(),
            rows as isize,
            1,
            false,
            a.x.as_ptr(),
            a.right as isize,
            a.down as isize,
            b.x.as_ptr(),
            b.right as isize,
            b.down as isize,
            0.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}
