//! Matrix subscripts: each row of a matrix of numbers or names picks one cell of an array (behaviours 3.13).

use super::dimension::{Dimnames, named};
use super::errors::{Kind, out_of_dimension, wrong_dims};
use super::numbers::{Base, Numbers};
use super::selection::{Emitter, Runs, Selection, What};
use super::{MISSING, Subscript};
use crate::elements::BLOCK;
use crate::error::Result;

/// A matrix of numbers with a column for each dimension.
pub(super) struct CellRows {
    numbers: Numbers,
    base: Base,
    rows: u64,
    dim: Vec<u64>,
}

/// Resolves a matrix subscript of `rows` rows, which has a column for each dimension.
///
/// # Errors
/// `SUBSCRIPT` (bad-subscript: negative, or no numbers or names), `OUT_OF_BOUNDS`, `DIM` (no-dimnames, wrong-dims).
pub(crate) fn cells(
    subscript: &Subscript<'_>,
    rows: u64,
    dim: &[u64],
    dimnames: Dimnames<'_>,
) -> Result<Selection> {
    let columns = dim.len() as u64;
    if subscript.len() != rows.checked_mul(columns) {
        return Err(wrong_dims(
            subscript.len().map_or(0, |n| n.checked_div(rows).unwrap_or(0) as usize),
            dim.len(),
        ));
    }
    match *subscript {
        Subscript::Numbers(numbers, base) => {
            let cells = CellRows { numbers, base, rows, dim: dim.to_vec() };
            if base == Base::Zero {
                numbers.tally(base)?;
            }
            let (mut len, mut end, mut missing) = (0, 0, false);
            cells.blocks(true, |positions| {
                len += positions.len() as u64;
                for &p in positions {
                    if p == MISSING {
                        missing = true;
                    } else {
                        end = end.max(p + 1);
                    }
                }
                Ok(())
            })?;
            Ok(Selection { len, end, missing, what: What::Cells(cells) })
        }
        Subscript::Names(wanted) => {
            let mut positions = vec![0; rows as usize];
            let mut stride = 1;
            for (d, extent) in dim.iter().enumerate() {
                let column = known(wanted, d as u64 * rows, rows, d, dimnames)?;
                for (p, c) in positions.iter_mut().zip(column) {
                    *p = if *p == MISSING || c == MISSING { MISSING } else { *p + c * stride };
                }
                stride *= extent;
            }
            Ok(Selection::list(positions))
        }
        _ => Err(Kind::BadSubscript.error("a matrix subscript holds numbers or names")),
    }
}

/// Positions of the names in one column; NA selects a missing element, an unknown name is refused.
fn known(
    wanted: &dyn super::Texts,
    start: u64,
    n: u64,
    d: usize,
    dimnames: Dimnames<'_>,
) -> Result<Vec<u64>> {
    let mut some = Vec::with_capacity(n as usize);
    wanted.each(start, n, &mut |text| {
        some.push(text.is_some());
        true
    })?;
    if some.iter().all(|s| *s) {
        return named(wanted, start, n, d, dimnames)?.positions();
    }
    let mut positions = Vec::with_capacity(some.len());
    for (i, is_some) in some.iter().enumerate() {
        let one = || named(wanted, start + i as u64, 1, d, dimnames)?.positions();
        positions.push(if *is_some { one()?[0] } else { MISSING });
    }
    Ok(positions)
}

impl CellRows {
    /// Calls `f` with the positions of the cells. `strict`: refuses what lies outside; else that is a missing element.
    fn blocks(&self, strict: bool, mut f: impl FnMut(&[u64]) -> Result<()>) -> Result<()> {
        let mut columns = vec![[0.0; BLOCK as usize]; self.dim.len()];
        let mut positions = Vec::with_capacity(BLOCK as usize);
        let mut at = 0;
        while at < self.rows {
            let n = (self.rows - at).min(BLOCK) as usize;
            for (d, column) in columns.iter_mut().enumerate() {
                self.numbers.block(d as u64 * self.rows + at, &mut column[..n]);
            }
            positions.clear();
            for i in 0..n {
                match self.cell(columns.iter().map(|column| column[i])) {
                    Ok(Some(p)) => positions.push(p),
                    Ok(None) => {}
                    Err(e) if strict => return Err(e.with("row", at + i as u64)),
                    Err(_) => positions.push(MISSING),
                }
            }
            f(&positions)?;
            at += n as u64;
        }
        Ok(())
    }

    /// The position of one row's cell; `None`: the row has a zero and drops out.
    fn cell(&self, indices: impl Iterator<Item = f64>) -> Result<Option<u64>> {
        let (mut position, mut stride) = (0, 1);
        for (d, (&extent, x)) in self.dim.iter().zip(indices).enumerate() {
            if !x.is_finite() {
                return Ok(Some(MISSING));
            }
            let i = x as i64 - i64::from(self.base == Base::One);
            match (i, self.base) {
                (-1, Base::One) => return Ok(None),
                (..0, _) => {
                    return Err(
                        Kind::BadSubscript.error("negative values are not allowed in a matrix subscript")
                    );
                }
                _ if i as u64 >= extent => return Err(out_of_dimension(d, extent)),
                _ => {}
            }
            position += i as u64 * stride;
            stride *= extent;
        }
        Ok(Some(position))
    }

    pub(super) fn emit(&self, out: &mut Emitter) -> Result<()> {
        self.blocks(false, |positions| out.positions(positions))
    }
}
