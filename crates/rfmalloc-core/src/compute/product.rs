//! `%*%`, `crossprod`, `tcrossprod`: promotion of vectors, shape and dimnames of the result, and the product itself (behaviour 13.2).

use super::conform::{Dims, Side};
use super::operand::Operand;
use super::ops::{rank, store};
use crate::dtype::Dtype;
use crate::error::{Code, Error, Result};
use crate::executor::Context;
use crate::executor::product::{self, Extents};
use crate::platform::blas;
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

impl ProductShape {
    /// Tiles of work, which the watch is told of one by one: a block of cells times a slab of the inner extent. `same`: both operands are the
    /// same elements, and the product is not [`Product::Plain`].
    pub fn tiles(&self, same: bool) -> u64 {
        product::tiles(self.extents(), same)
    }

    fn extents(&self) -> Extents {
        Extents { rows: self.dim[0] as usize, inner: self.inner as usize, cols: self.dim[1] as usize }
    }
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

/// An operand's elements and the bank they are in: converted to `bank` in `home` if they are in another, unless that is done tile by tile.
fn in_bank(
    ctx: &Context<'_>,
    x: &Operand,
    bank: Bank,
    by_tiles: bool,
    home: &mut Vec<[f64; 2]>,
) -> Result<Option<(Span, Bank)>> {
    let width = if bank == Bank::Complex { 16 } else { 8 };
    let own = x.bank()?;
    if (own == bank || by_tiles) && x.len != 1 {
        return x.with_span(|span| Some((span, own)));
    }
    // One value has no memory of its own that outlasts a call: it is converted as well.
    home.resize((x.len as usize * width).div_ceil(16), [0.0; 2]);
    let to = Span::foreign(home.as_mut_ptr().cast(), x.len * width as u64, true);
    if x.len == 0 {
        return Ok(Some((to, bank)));
    }
    let mut p = Builder::default();
    let a = p.load(0, own);
    let out = p.promote(a, bank);
    let dtype = if bank == Bank::Complex { Dtype::Complex } else { Dtype::Numeric };
    Ok(store(ctx, &p.finish(out), &[*x], dtype, x.len, to.into())?.map(|_| (to, bank)))
}

/// The name of the matrix kernel in use: `"blas"` for the built-in one, or a library as it was named.
pub fn matmul_backend() -> String {
    blas::chosen().map_or_else(|| blas::BUILT_IN.to_owned(), |blas| blas.name().to_owned())
}

/// Chooses the matrix kernel for products of finite doubles, for the whole process: `"blas"` or `""` for the built-in one, or a BLAS library by its
/// path or soname, which is opened and must multiply rightly.
///
/// # Errors
/// `NOT_FOUND` if there is no such library or it has no `dgemm`, `UNSUPPORTED` if its `dgemm` does not multiply; the choice stays as it was.
pub fn choose_matmul_backend(name: &str) -> Result<()> {
    blas::choose(name)
}

/// The built-in kernel's name and those of the libraries chosen so far.
pub fn matmul_backends() -> Vec<String> {
    blas::names()
}

/// What a product may keep in memory at once of its operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tiles {
    /// Bytes; one block times one slab of the operands (some MiB) are in memory whatever it says.
    pub memory: u64,
    /// Whether the left operand, the right one, and the result are a file's mapping, whose pages may leave the resident set when a tile is done.
    pub mapped: [bool; 3],
}

/// Stores a product of `x` and `y` in `out`. False if it was cancelled.
///
/// With `tiles` the operands are read tile by tile, the next one ahead, converted on the way where they are of a smaller type, and the pages of what
/// is mapped are let go; the result has the same bits. Without, operands of a smaller type are converted whole. The watch is told of each of [`ProductShape::tiles`].
///
/// # Errors
/// `LENGTH` if an operand or `out` is shorter than the shape says.
pub fn product(
    ctx: &Context<'_>,
    f: Product,
    x: &Operand,
    y: &Operand,
    shape: &ProductShape,
    tiles: Option<Tiles>,
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
    let same = x.is_the_same(y) && shape.x == shape.y;
    let (mut x_home, mut y_home) = (Vec::new(), Vec::new());
    let Some(a) = in_bank(ctx, x, bank, tiles.is_some(), &mut x_home)? else { return Ok(false) };
    let b = if same { Some(a) } else { in_bank(ctx, y, bank, tiles.is_some(), &mut y_home)? };
    let Some(b) = b else { return Ok(false) };
    let mapped =
        |which: usize, home: &Vec<_>| home.is_empty() && tiles.is_some_and(|tiles| tiles.mapped[which]);
    let side = |(x, bank): (Span, Bank), [rows, cols]: [u64; 2], transposed: bool, release: bool| {
        let (down, right) = if transposed { (rows as usize, 1) } else { (1, rows as usize) };
        product::Side { x, bank, len: (rows * cols) as usize, down, right, first: [0; 2], release }
    };
    let a = side(a, shape.x, f == Product::Cross, mapped(0, &x_home));
    let b = side(b, shape.y, f == Product::TCross, if same { a.release } else { mapped(1, &y_home) });
    let extents = shape.extents();
    let out = out.span().part(0, nbytes);
    let blas = (bank == Bank::Real).then(blas::chosen).flatten();
    let run = product::Run {
        symmetric: same && f != Product::Plain,
        memory: tiles.map(|tiles| tiles.memory),
        release: tiles.is_some_and(|tiles| tiles.mapped[2]),
        blas: blas.as_deref(),
    };
    Ok(if bank == Bank::Complex {
        product::complex(ctx, a, b, extents, out, &run)
    } else {
        product::real(ctx, a, b, extents, out, &run)
    })
}
