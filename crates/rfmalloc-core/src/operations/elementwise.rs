//! Operators and mathematics: `x + y`, `-x`, `exp(x)`, `round(x, y)`, `cumsum(x)`, `is.na(x)`.

use super::dress::Dress;
use super::given::{Given, Input, Piece};
use super::work::VectorWork;
use crate::compute::{
    self, Binary, Context, Cumulative, Math, Math2, Missing, Unary, binary_type, conform, cumulative_type,
    math_type, math2_len, math2_type, unary_type,
};
use crate::convert::Warnings;
use crate::dtype::Dtype;
use crate::elements::Vector;
use crate::error::Result;
use crate::store::{Handle, Store};

impl Store {
    /// `x op y` as a temporary, with R's recycling, type and attributes (extents, dimnames, names), and R's warnings. Text is compared by code point.
    ///
    /// # Errors
    /// `NON_NUMERIC`, `TYPE`, `COMPLEX` (types that the operator does not take), `NON_CONFORMABLE`, `DIM` (shapes), `NO_SPACE`, `READ_ONLY`, `DESTROYED`,
    /// `CLOSED`; `IO`, `CORRUPT`: elements cannot be read.
    pub fn binary(
        &self,
        ctx: &Context<'_>,
        op: Binary,
        x: Given<'_>,
        y: Given<'_>,
    ) -> Result<(Handle, Warnings)> {
        let (x, y) = (Input::new(x)?, Input::new(y)?);
        let conformed = conform(&x.dims(), &y.dims(), matches!(op, Binary::Compare(_)))?;
        let (len, warnings) = (conformed.len, conformed.warnings);
        let dtype = binary_type(op, x.dtype, y.dtype, len)?;
        let dress = Dress::conformed(&conformed, &x, &y);
        if let Binary::Compare(op) = op
            && (x.dtype == Dtype::Character || y.dtype == Dtype::Character)
        {
            return Ok((self.compared_texts(op, &x, &y, len, dress)?, warnings));
        }
        VectorWork::begin(self, &[&x, &y], (dtype, len), dress, warnings, move |ctx, operands, out| {
            compute::binary(ctx, op, &operands[0], &operands[1], len, out)
        })?
        .complete(ctx)
    }

    /// `op x` as a temporary with the attributes of `x`.
    ///
    /// # Errors
    /// As [`Store::binary`].
    pub fn unary(&self, ctx: &Context<'_>, op: Unary, x: Given<'_>) -> Result<(Handle, Warnings)> {
        let x = Input::new(x)?;
        let shape = (unary_type(op, x.dtype, x.len)?, x.len);
        let none = Warnings::default();
        VectorWork::begin(self, &[&x], shape, Dress::of(&x), none, move |ctx, operands, out| {
            compute::unary(ctx, op, &operands[0], out)
        })?
        .complete(ctx)
    }

    /// `f(x)` as a temporary with the attributes of `x`.
    ///
    /// # Errors
    /// As [`Store::binary`].
    pub fn math(&self, ctx: &Context<'_>, f: Math, x: Given<'_>) -> Result<(Handle, Warnings)> {
        let x = Input::new(x)?;
        let shape = (math_type(f, x.dtype)?, x.len);
        let none = Warnings::default();
        VectorWork::begin(self, &[&x], shape, Dress::of(&x), none, move |ctx, operands, out| {
            compute::math(ctx, f, &operands[0], out)
        })?
        .complete(ctx)
    }

    /// `f(x, y)` as a temporary, recycled and dressed as by an operator.
    ///
    /// # Errors
    /// As [`Store::binary`]; `ARGUMENT`: no digits.
    pub fn math2(
        &self,
        ctx: &Context<'_>,
        f: Math2,
        x: Given<'_>,
        y: Given<'_>,
    ) -> Result<(Handle, Warnings)> {
        let (x, y) = (Input::new(x)?, Input::new(y)?);
        let dtype = math2_type(f, x.dtype, y.dtype)?;
        let len = math2_len(f, x.len, y.len)?;
        let conformed = conform(&x.dims(), &y.dims(), false)?;
        let dress = Dress::conformed(&conformed, &x, &y);
        // R recycles the second arguments of functions without a word.
        let none = Warnings::default();
        VectorWork::begin(self, &[&x, &y], (dtype, len), dress, none, move |ctx, operands, out| {
            compute::math2(ctx, f, &operands[0], &operands[1], out)
        })?
        .complete(ctx)
    }

    /// The running values of `x` as a temporary with its names. Text that is numeric counts as numeric.
    ///
    /// # Errors
    /// As [`Store::binary`].
    pub fn cumulate(&self, ctx: &Context<'_>, f: Cumulative, x: Given<'_>) -> Result<(Handle, Warnings)> {
        let given = Input::new(x)?;
        let mut warnings = Warnings::default();
        let numbers = if given.dtype == Dtype::Character {
            Some(self.as_numbers(&given, &mut warnings)?)
        } else {
            None
        };
        let x = match &numbers {
            Some(numbers) => Input::new(numbers.into())?,
            None => Input::new(x)?,
        };
        let dtype = cumulative_type(f, x.dtype, x.len)?;
        let dress = Dress { names: Dress::of(&given).names, ..Dress::default() };
        VectorWork::begin(self, &[&x], (dtype, x.len), dress, warnings, move |ctx, operands, out| {
            compute::cumulate(ctx, f, &operands[0], out)
        })?
        .complete(ctx)
    }

    /// R's `is.na` or `is.nan`: a logical temporary with the attributes of `x`.
    ///
    /// # Errors
    /// `TYPE` for lists, and for NaN of text; as [`Store::binary`].
    pub fn is_missing(&self, ctx: &Context<'_>, which: Missing, x: Given<'_>) -> Result<(Handle, Warnings)> {
        let x = Input::new(x)?;
        let shape = (compute::missing_type(which, x.dtype)?, x.len);
        let none = Warnings::default();
        if let Given::Piece(piece @ Piece { vector, .. }) = x.given
            && x.dtype == Dtype::Character
        {
            let out = Vector::Object(self.reserve(Dtype::Logical, x.len, false)?);
            vector.missing_strings(piece.start, &out)?;
            let mut result = out.into_object()?;
            Dress::of(&x).put_on(self, &mut result)?;
            return Ok((result, none));
        }
        VectorWork::begin(self, &[&x], shape, Dress::of(&x), none, move |ctx, operands, out| {
            compute::missing(ctx, which, &operands[0], out)
        })?
        .complete(ctx)
    }
}
