//! Arithmetic that writes through: `x <- x op y` in the memory of `x`.

use super::given::{Given, Hold, Input, Piece};
use crate::compute::{self, Arith, Binary, Context, Operand, binary_type};
use crate::convert::Warnings;
use crate::dtype::Dtype;
use crate::elements::Vector;
use crate::error::{Code, Error, Result};
use crate::store::Store;

impl Store {
    /// Writes `x op y` over the elements of `x`, whose type stays: `y` is converted to it first, and recycled; temporaries that takes are this
    /// store's. R's warnings. Where both share elements it is as if `y` had been copied before. Readers meanwhile see some elements changed and some not.
    ///
    /// # Errors
    /// `VALUE` (`y` has a value that the type of `x` cannot hold exactly), `TYPE` (the result would be of another type), `NON_NUMERIC`,
    /// `COMPLEX`; `LENGTH` (`y` is longer, or empty where `x` is not), `READ_ONLY`, `SEALED`, `BUSY`, `DESTROYED`, `CLOSED`. Nothing is written then.
    pub fn binary_in_place(
        &self,
        ctx: &Context<'_>,
        op: Arith,
        x: Piece<'_>,
        y: Given<'_>,
    ) -> Result<Warnings> {
        let op = Binary::Arith(op);
        let (given, y) = (Input::new(Given::Piece(x))?, Input::new(y)?);
        let dtype = given.dtype;
        // The operands' own types are refused in R's words; then it counts what the type of `x` gives with itself.
        binary_type(op, dtype, y.dtype, x.len)?;
        if binary_type(op, dtype, dtype, x.len)? != dtype {
            return Err(Error::new(
                Code::Type,
                format!(
                    "the result of this operation is not of type '{}': it cannot be written in place, make a new vector of it",
                    dtype.name()
                ),
            ));
        }
        if y.len > x.len || (y.len == 0 && x.len > 0) {
            return Err(Error::new(
                Code::Length,
                format!("{} elements cannot be recycled into {} in place", y.len, x.len),
            )
            .with("length", y.len));
        }
        x.vector.check_writable()?;
        let converted = self.exact_of(&y, dtype, shares(&x, &y))?;
        let y = match &converted {
            Some(copy) => Input::new(copy.into())?,
            None => y,
        };
        if x.len == 0 {
            return Ok(Warnings::default());
        }
        let (operand, hold) = y.hold()?;
        let writing = x.vector.guard_writing()?;
        let width = dtype.width();
        let (off, nbytes) = (x.start * width, x.len * width);
        let span = writing.span().part(off, nbytes);
        let target = Operand::over(dtype, span);
        let mut warnings = Warnings::default();
        if !x.len.is_multiple_of(y.len) {
            warnings |= Warnings::RECYCLE_REMAINDER;
        }
        let done = compute::binary(ctx, op, &target, &operand, x.len, span.into())?;
        writing.wrote(off, nbytes);
        hold.as_ref().map_or(Ok(()), Hold::check)?;
        writing.check(off, nbytes)?;
        warnings |= done.unwrap_or_default();
        Ok(warnings)
    }

    /// The operand as a temporary of another type, or of its own if `copies`; `None`: it may be read where it is.
    fn exact_of(&self, y: &Input<'_>, dtype: Dtype, copies: bool) -> Result<Option<Vector>> {
        if y.dtype == dtype && !copies {
            return Ok(None);
        }
        // Checked before anything is converted: no value may change on the way.
        let own = self.own_copy(y)?;
        if let Some(i) = own.first_inexact(dtype)? {
            return Err(Error::new(
                Code::Value,
                format!("element {i} of the operand is no exact value of type '{}'", dtype.name()),
            )
            .with("index", i));
        }
        if y.dtype == dtype {
            return Ok(Some(own));
        }
        let out = Vector::Object(self.reserve(dtype, y.len, false)?);
        out.copy_from(0, &own, 0, y.len)?;
        Ok(Some(out))
    }
}

/// Whether an operand's elements are among those of `x`, but not the same ones in the same order.
fn shares(x: &Piece<'_>, y: &Input<'_>) -> bool {
    match y.given {
        Given::Piece(y) => {
            y.vector.is(x.vector)
                && (y.start, y.len) != (x.start, x.len)
                && y.start < x.start + x.len
                && x.start < y.start + y.len
        }
        Given::Value(..) => false,
    }
}
