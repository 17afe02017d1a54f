//! One product of blocks by the `gemm` crate, which chooses its own instruction set (it uses fused multiply-add where the processor has it:
//! products alone may differ in the last bits between processors). One thread here; the executor cuts the work.

use super::C64;
use crate::region::{Cells, Plain, Strided};

/// An element that the crate can multiply.
pub(crate) trait Factor: Plain {
    /// The crate's own type, of the same layout.
    type Own: Copy + 'static;
    /// Zero and one.
    const UNITS: [Self::Own; 2];
}

impl Factor for f64 {
    type Own = Self;
    const UNITS: [Self; 2] = [0.0, 1.0];
}

impl Factor for C64 {
    type Own = gemm::c64;
    const UNITS: [gemm::c64; 2] = [gemm::c64::new(0.0, 0.0), gemm::c64::new(1.0, 0.0)];
}

/// `out`, `rows` times `cols`, becomes `a` times `b`, with `inner` columns and rows between, or has it `add`ed. Nothing if a matrix does not hold
/// so much.
pub(crate) fn multiply<T: Factor>(
    out: Cells,
    a: Strided<'_, T>,
    b: Strided<'_, T>,
    [rows, inner, cols]: [usize; 3],
    add: bool,
) {
    let Some(cell) = out.place::<T>(rows, cols).filter(|_| a.holds(rows, inner) && b.holds(inner, cols))
    else {
        debug_assert!(rows == 0 || cols == 0 || inner == 0, "a product beyond its matrices");
        return;
    };
    let [zero, one] = T::UNITS;
    // SAFETY: 1. every element that is read lies inside its matrix (`holds`), every cell written inside `out` (`place`); 2. the cells are the
    // caller's alone and no operand's; 3. the strides are those of the checks, and `Own` has the layout of `T`; 4. others may write the operands
    // meanwhile: the crate copies them into panels by pointer, and unspecified elements give unspecified results.
    unsafe {
        gemm::gemm::<T::Own>(
            rows,
            cols,
            inner,
            cell.cast(),
            out.stride as isize,
            1,
            add,
            a.x.as_ptr().cast(),
            a.right as isize,
            a.down as isize,
            b.x.as_ptr().cast(),
            b.right as isize,
            b.down as isize,
            if add { one } else { zero },
            one,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}
