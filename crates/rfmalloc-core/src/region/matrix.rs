//! Matrices in raw memory, for code that takes pointers: every access is checked against the memory before the pointer is handed out.

use super::{Elems, Plain, Span};

/// A matrix in memory: element `(i, j)` stands at `i * down + j * right`.
#[derive(Clone, Copy)]
pub(crate) struct Strided<'e, T> {
    pub(crate) x: Elems<'e, T>,
    pub(crate) down: usize,
    pub(crate) right: usize,
}

impl<T: Plain> Strided<'_, T> {
    /// Whether `rows` times `cols` elements lie inside the memory.
    pub(crate) fn holds(&self, rows: usize, cols: usize) -> bool {
        reach(rows, cols, self.down, self.right).is_some_and(|last| last < self.x.len())
    }

    /// The matrix whose element `(0, 0)` is element `(i, j)` of this one.
    pub(crate) fn from(&self, i: usize, j: usize) -> Self {
        Self { x: self.x.rest(i * self.down + j * self.right), ..*self }
    }
}

/// Where the last of `rows` times `cols` elements stands.
fn reach(rows: usize, cols: usize, down: usize, right: usize) -> Option<usize> {
    let (down, right) = (rows.checked_sub(1)?.checked_mul(down)?, cols.checked_sub(1)?.checked_mul(right)?);
    down.checked_add(right)
}

/// A block of a result, column-major: cell `(i, j)` stands at `first + i + j * stride`. Nobody else reads or writes these cells.
#[derive(Clone, Copy)]
pub(crate) struct Cells {
    pub(crate) x: Span,
    pub(crate) first: usize,
    pub(crate) stride: usize,
}

impl Cells {
    /// Cell `(0, 0)`, if `rows` times `cols` cells lie inside the memory.
    pub(crate) fn place<T: Plain>(&self, rows: usize, cols: usize) -> Option<*mut T> {
        let n = reach(rows, cols, 1, self.stride)?.checked_add(1)?;
        if rows > self.stride && cols > 1 { None } else { self.x.place(self.first, n) }
    }
}
