//! Matrix products: `x %*% y`, `crossprod(x, y)`, `tcrossprod(x)`.

use super::dress::{Dress, Own};
use super::given::{Given, Input};
use super::work::{Amount, VectorWork};
use crate::compute::{self, Context, Product, Side, Tiles, product_shape};
use crate::convert::Warnings;
use crate::dtype::Dtype;
use crate::error::Result;
use crate::store::{Handle, Role, Store};

/// What a product may keep in memory of its operands at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProductMemory {
    /// Bytes. None: all of it, below the threshold.
    pub given: Option<u64>,
    /// Bytes of a numeric left operand from which `x %*% y`, `crossprod(x)` and `tcrossprod(x)` use as much as two tiles.
    pub threshold: u64,
    /// Bytes of a tile.
    pub tile: u64,
}

impl ProductMemory {
    fn bytes(self, f: Product, is_alone: bool, x: &Input<'_>, dtype: Dtype) -> Option<u64> {
        let switches =
            x.dtype == Dtype::Numeric && dtype == Dtype::Numeric && (is_alone || f == Product::Plain);
        let is_large = switches && x.len.saturating_mul(x.dtype.width()) >= self.threshold;
        self.given.or_else(|| is_large.then_some(self.tile.saturating_mul(2)))
    }
}

impl Store {
    /// A product as a temporary matrix with the names of its outer extents; without `y` that of `x` and itself. Vectors become rows or columns, whichever
    /// fits.
    ///
    /// # Errors
    /// `TYPE` (text, raw), `NON_CONFORMABLE` (inner extents differ), `NO_SPACE`, `READ_ONLY`, `DESTROYED`, `CLOSED`; `IO`: elements cannot be read.
    pub fn product(
        &self,
        ctx: &Context<'_>,
        f: Product,
        x: Given<'_>,
        y: Option<Given<'_>>,
        memory: ProductMemory,
    ) -> Result<(Handle, Warnings)> {
        self.begin_product(f, x, y, memory)?.complete(ctx)
    }

    /// Begins [`Store::product`].
    ///
    /// # Errors
    /// As there.
    pub fn begin_product(
        &self,
        f: Product,
        x: Given<'_>,
        y: Option<Given<'_>>,
        memory: ProductMemory,
    ) -> Result<VectorWork> {
        let (x, y, is_alone) = (Input::new(x)?, Input::new(y.unwrap_or(x))?, y.is_none());
        let shape = product_shape(f, (x.dtype, &x.dims()), (y.dtype, &y.dims()))?;
        let mut own = Own { dim: shape.dim.to_vec(), names: Vec::new() };
        for (role, named) in [(Role::Dimnames(0), shape.row_names), (Role::Dimnames(1), shape.col_names)] {
            if let Some((side, dimension)) = named {
                own.name(role, if side == Side::Left { &x } else { &y }, dimension);
            }
        }
        let mapped = |x: &Input<'_>| matches!(x.given, Given::Piece(_));
        let tiles = memory.bytes(f, is_alone, &x, shape.dtype);
        let tiles = tiles.map(|memory| Tiles { memory, mapped: [mapped(&x), mapped(&y), true] });
        let dress = Dress { own: Some(&own), ..Dress::default() };
        let (len, none) = (shape.dim[0].saturating_mul(shape.dim[1]), Warnings::default());
        let is_symmetric = f != Product::Plain && x.is_the_same(&y);
        let amount = Amount { units: shape.tiles(is_symmetric), nbytes: None };
        let result = (shape.dtype, len);
        let work = VectorWork::begin(self, &[&x, &y], result, dress, none, move |ctx, operands, out| {
            let done = compute::product(ctx, f, &operands[0], &operands[1], &shape, tiles, out)?;
            Ok(done.then_some(none))
        })?;
        Ok(work.amounting_to(amount))
    }
}
