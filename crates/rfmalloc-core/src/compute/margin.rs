//! `rowSums colSums rowMeans colMeans` and the variances of rows and columns, for arrays of any rank (behaviours 11, 13.10).

use super::operand::Operand;
use super::ops::rank;
use crate::dtype::Dtype;
use crate::error::{Code, Error, Result};
use crate::executor::Context;
use crate::executor::margin::{Grid, Wanted, columns};
use crate::executor::margin_rows::rows;
use crate::program::Bank;
use crate::region::RawBytes;

/// The margins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "R's names")]
pub enum Margin {
    RowSums,
    ColSums,
    RowMeans,
    ColMeans,
    RowVars,
    ColVars,
}

impl Margin {
    fn by_rows(self) -> bool {
        matches!(self, Self::RowSums | Self::RowMeans | Self::RowVars)
    }

    fn wanted(self) -> Wanted {
        match self {
            Self::RowSums | Self::ColSums => Wanted::Sum,
            Self::RowMeans | Self::ColMeans => Wanted::Mean,
            Self::RowVars | Self::ColVars => Wanted::Variance,
        }
    }
}

/// What a margin of an array gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarginShape {
    /// Numeric or complex.
    pub dtype: Dtype,
    /// Elements.
    pub len: u64,
    /// Which of the array's dimensions are kept: their extents are the result's, and their dimnames. One kept dimension gives a vector with names.
    pub kept: std::ops::Range<usize>,
    rows: u64,
    cols: u64,
}

/// Type, length and shape of a margin; `dims` splits the dimensions: columns are summed over the first `dims`, rows kept by them.
///
/// # Errors
/// `DIM` without two dimensions, or for a `dims` that leaves none on one side; `TYPE` for text and raw; `COMPLEX` for variances of complex.
pub fn margin_shape(f: Margin, dtype: Dtype, dim: Option<&[u64]>, dims: i64) -> Result<MarginShape> {
    let Some(dim) = dim.filter(|dim| dim.len() >= 2) else {
        return Err(Error::new(Code::Dim, "'x' must be an array of at least two dimensions")
            .with(super::KIND, "bad-shape"));
    };
    let split = usize::try_from(dims).ok().filter(|&split| split >= 1 && split < dim.len());
    let Some(split) = split else {
        return Err(Error::new(Code::Dim, "invalid 'dims'")
            .with("dims", dims.to_string())
            .with(super::KIND, "bad-dims"));
    };
    let high = rank(dtype).ok_or_else(|| {
        Error::new(Code::Type, "'x' must be numeric").with("type", dtype.name()).with(super::KIND, "bad-type")
    })?;
    if high == 3 && f.wanted() == Wanted::Variance {
        return Err(super::ops::complex_unsupported("variances of complex numbers are not defined"));
    }
    let (rows, cols) = (dim[..split].iter().product(), dim[split..].iter().product());
    let by_rows = f.by_rows();
    Ok(MarginShape {
        dtype: if high == 3 { Dtype::Complex } else { Dtype::Numeric },
        len: if by_rows { rows } else { cols },
        kept: if by_rows { 0..split } else { split..dim.len() },
        rows,
        cols,
    })
}

/// Stores a margin of `x` in `out`; `remove` leaves NA and NaN out. False if it was cancelled.
///
/// # Errors
/// `LENGTH` if `x` or `out` is shorter than the shape says.
pub fn margin(
    ctx: &Context<'_>,
    f: Margin,
    x: &Operand,
    shape: &MarginShape,
    remove: bool,
    out: RawBytes,
) -> Result<bool> {
    let nbytes = shape.len * shape.dtype.width();
    let elements = shape.rows.checked_mul(shape.cols);
    if out.span().nbytes() < nbytes || elements != Some(x.len) {
        return Err(Error::new(
            Code::Length,
            "the array's extents do not fit its length, or the result's memory",
        ));
    }
    let bank: Bank = x.bank()?;
    let out = out.span().part(0, nbytes);
    x.with_span(|span| {
        let grid = Grid { x: span, bank, rows: shape.rows, cols: shape.cols, remove, wanted: f.wanted() };
        if f.by_rows() { rows(ctx, &grid, out) } else { columns(ctx, &grid, out) }
    })
}
