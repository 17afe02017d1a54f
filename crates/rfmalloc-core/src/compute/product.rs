//! `%*%`, `crossprod`, `tcrossprod`: promotion of vectors, shape and dimnames of the result, and the product itself (behaviour 13.2).

use super::conform::{Dims, Side};
use super::operand::Operand;
use super::ops::{rank, store};
use crate::dtype::Dtype;
use crate::error::{Code, Error, Result};
use crate::executor::Context;
use crate::executor::product::{self, Extents};
use crate::program::{Bank, Builder};
use crate::region::{RawBytes, Span};

/// The products.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Product {
    /// `x %*% y`
    Plain,
    /// `t(x) %*% y`, without conjugation.
    Cross,
    /// `x %*% t(y)`
    TCross,
}

/// What a product gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProductShape {
    /// Numeric or complex.
    pub dtype: Dtype,
    /// Extents of the result.
    pub dim: [u64; 2],
    /// Whose dimnames name the rows, and which of its two: none if that operand is no matrix.
    pub row_names: Option<(Side, usize)>,
    /// The same for columns.
    pub col_names: Option<(Side, usize)>,
    inner: u64,
    /// Rows and columns of both operands, as promoted, before any transposition.
    x: [u64; 2],
    y: [u64; 2],
}

/// Rows and columns of an operand: a matrix has its own, everything else is a vector.
fn matrix(x: &Dims<'_>) -> Option<[u64; 2]> {
    match x.dim {
        Some(&[rows, cols]) => Some([rows, cols]),
        _ => None,
    }
}

/// Vectors become rows or columns, whichever fits; those of [`Product::Cross`] and [`Product::TCross`] are columns but for the cases below.
fn promoted(f: Product, x: &Dims<'_>, y: &Dims<'_>) -> [[u64; 2]; 2] {
    let (column, row) = (|n| [n, 1], |n| [1, n]);
    match (f, matrix(x), matrix(y)) {
        (_, Some(a), Some(b)) => [a, b],
        (Product::Plain, None, None) if x.len == 1 => [row(1), row(y.len)],
        (Product::Plain, None, None) => [row(x.len), column(y.len)],
        (Product::Plain, None, Some(b)) => {
            [if x.len != b[0] && b[0] == 1 { column(x.len) } else { row(x.len) }, b]
        }
        (Product::Plain, Some(a), None) => {
            [a, if y.len != a[1] && a[1] == 1 { row(y.len) } else { column(y.len) }]
        }
        (Product::Cross, Some(a), None) => {
            [a, if y.len != a[0] && a[0] == 1 { row(y.len) } else { column(y.len) }]
        }
        (Product::TCross, None, Some(b)) => [if x.len == b[1] { row(x.len) } else { column(x.len) }, b],
        (_, a, b) => [a.unwrap_or(column(x.len)), b.unwrap_or(column(y.len))],
    }
}

/// Type, extents and names of a product.
///
/// # Errors
/// `TYPE` for text and raw; `NON_CONFORMABLE` where the inner extents differ.
pub fn product_shape(f: Product, x: (Dtype, &Dims<'_>), y: (Dtype, &Dims<'_>)) -> Result<ProductShape> {
    let (Some(a), Some(b)) = (rank(x.0), rank(y.0)) else {
        return Err(Error::new(Code::Type, "requires numeric/complex matrix/vector arguments")
            .with(super::KIND, "bad-type"));
    };
    let [xs, ys] = promoted(f, x.1, y.1);
    let (outer_x, inner_x) = if f == Product::Cross { (1, 0) } else { (0, 1) };
    let (inner_y, outer_y) = if f == Product::TCross { (1, 0) } else { (0, 1) };
    if xs[inner_x] != ys[inner_y] {
        return Err(Error::new(Code::NonConformable, "non-conformable arguments")
            .with("left", format!("{} x {}", xs[0], xs[1]))
            .with("right", format!("{} x {}", ys[0], ys[1]))
            .with(super::KIND, "non-conformable"));
    }
    let named =
        |dims: &Dims<'_>, side, which| (matrix(dims).is_some() && dims.dimnames).then_some((side, which));
    Ok(ProductShape {
        dtype: if a.max(b) == 3 { Dtype::Complex } else { Dtype::Numeric },
        dim: [xs[outer_x], ys[outer_y]],
        row_names: named(x.1, Side::Left, outer_x),
        col_names: named(y.1, Side::Right, outer_y),
        inner: xs[inner_x],
        x: xs,
        y: ys,
    })
}

/// An operand's elements in a bank: converted into `home` if they are in another.
fn in_bank(ctx: &Context<'_>, x: &Operand, bank: Bank, home: &mut Vec<[f64; 2]>) -> Result<Option<Span>> {
    let width = if bank == Bank::Complex { 16 } else { 8 };
    let own = x.bank()?;
    if own == bank && x.len != 1 {
        return x.with_span(Some);
    }
    // One value has no memory of its own that outlasts a call: it is converted as well.
    home.resize((x.len as usize * width).div_ceil(16), [0.0; 2]);
    let to = Span::foreign(home.as_mut_ptr().cast(), x.len * width as u64, true);
    if x.len == 0 {
        return Ok(Some(to));
    }
    let mut p = Builder::default();
    let a = p.load(0, own);
    let out = p.promote(a, bank);
    let dtype = if bank == Bank::Complex { Dtype::Complex } else { Dtype::Numeric };
    Ok(store(ctx, &p.finish(out), &[*x], dtype, x.len, to.into())?.map(|_| to))
}

/// Stores a product of `x` and `y` in `out`. False if it was cancelled.
///
/// # Errors
/// `LENGTH` if an operand or `out` is shorter than the shape says.
pub fn product(
    ctx: &Context<'_>,
    f: Product,
    x: &Operand,
    y: &Operand,
    shape: &ProductShape,
    out: RawBytes,
) -> Result<bool> {
    let cells = shape.dim[0].checked_mul(shape.dim[1]);
    let nbytes = cells.and_then(|cells| cells.checked_mul(shape.dtype.width()));
    let fits = |[rows, cols]: [u64; 2], x: &Operand| rows.checked_mul(cols) == Some(x.len);
    let (Some(nbytes), true) = (nbytes, fits(shape.x, x) && fits(shape.y, y)) else {
        return Err(Error::new(Code::Length, "the operands' extents do not fit their lengths"));
    };
    if out.span().nbytes() < nbytes {
        return Err(Error::new(Code::Length, "the product's memory is smaller than the product"));
    }
    let bank = if shape.dtype == Dtype::Complex { Bank::Complex } else { Bank::Real };
    let (mut x_home, mut y_home) = (Vec::new(), Vec::new());
    let (Some(a), Some(b)) = (in_bank(ctx, x, bank, &mut x_home)?, in_bank(ctx, y, bank, &mut y_home)?)
    else {
        return Ok(false);
    };
    let side = |x: Span, [rows, cols]: [u64; 2], transposed: bool| {
        let (down, right) = if transposed { (rows as usize, 1) } else { (1, rows as usize) };
        product::Side { x, len: (rows * cols) as usize, down, right }
    };
    let a = side(a, shape.x, f == Product::Cross);
    let b = side(b, shape.y, f == Product::TCross);
    let extents =
        Extents { rows: shape.dim[0] as usize, inner: shape.inner as usize, cols: shape.dim[1] as usize };
    let out = out.span().part(0, nbytes);
    Ok(if bank == Bank::Complex {
        product::complex(ctx, a, b, extents, out)
    } else {
        product::real(ctx, a, b, extents, out)
    })
}
