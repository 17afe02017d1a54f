//! Sums, means and variances of rows and columns: `rowSums(x)`, `colMeans(x, dims = 2)`.

use super::dress::{Dress, Own};
use super::given::{Given, Input};
use super::work::{Amount, VectorWork};
use crate::compute::{self, Context, Margin, margin_shape};
use crate::convert::Warnings;
use crate::error::Result;
use crate::store::{Handle, Role, Store};

impl Store {
    /// A margin of an array as a temporary: a vector named from the kept dimension's names, or an array of the kept ones. `dims` splits the dimensions:
    /// columns are summed over the first `dims`, rows kept by them. `remove` leaves NA and NaN out.
    ///
    /// # Errors
    /// `DIM` (fewer than two dimensions, or a `dims` that leaves none on one side), `TYPE` (text, raw), `COMPLEX` (variances), `NO_SPACE`, `READ_ONLY`,
    /// `DESTROYED`, `CLOSED`; `IO`: elements cannot be read.
    pub fn margin(
        &self,
        ctx: &Context<'_>,
        f: Margin,
        x: Given<'_>,
        remove: bool,
        dims: i64,
    ) -> Result<(Handle, Warnings)> {
        self.begin_margin(f, x, remove, dims)?.complete(ctx)
    }

    /// Begins [`Store::margin`].
    ///
    /// # Errors
    /// As there.
    pub fn begin_margin(&self, f: Margin, x: Given<'_>, remove: bool, dims: i64) -> Result<VectorWork> {
        let x = Input::new(x)?;
        let shape = margin_shape(f, x.dtype, x.dims().dim, dims)?;
        let mut own = Own::default();
        if shape.kept.len() == 1 {
            own.name(Role::Names, &x, shape.kept.start);
        } else {
            own.dim = x.attributes.dim[shape.kept.clone()].to_vec();
            for (to, from) in shape.kept.clone().enumerate() {
                own.name(Role::Dimnames(to), &x, from);
            }
        }
        let dress = Dress { own: Some(&own), ..Dress::default() };
        let none = Warnings::default();
        let amount = Amount { units: x.len, nbytes: Some(x.len * x.dtype.width()) };
        let result = (shape.dtype, shape.len);
        let work = VectorWork::begin(self, &[&x], result, dress, none, move |ctx, operands, out| {
            let done = compute::margin(ctx, f, &operands[0], &shape, remove, out)?;
            Ok(done.then_some(none))
        })?;
        Ok(work.amounting_to(amount))
    }
}
