//! R's `is.na` and `is.nan`.

use super::operand::Operand;
use super::ops::store;
use crate::convert::Warnings;
use crate::dtype::Dtype;
use crate::error::{Code, Error, Result};
use crate::executor::Context;
use crate::program::{Bank, Builder};
use crate::region::RawBytes;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Missing {
    /// `is.na`: NA or NaN.
    NaOrNan,
    /// `is.nan`: NaN that is not NA.
    Nan,
}

/// The type of the answer, which is logical. Text has NA, but no NaN.
///
/// # Errors
/// `TYPE` for lists, and for NaN of text.
pub fn missing_type(which: Missing, x: Dtype) -> Result<Dtype> {
    if Bank::of(x).is_some() || (x == Dtype::Character && which == Missing::NaOrNan) {
        return Ok(Dtype::Logical);
    }
    let what = if which == Missing::Nan { "isNaN" } else { "isNa" };
    Err(Error::new(Code::Type, format!("{what}() is not defined for objects of type '{}'", x.name()))
        .with(super::KIND, "bad-type"))
}

/// Stores for each element of `x` whether it is missing. A complex number is if either part is. None if it was cancelled.
///
/// # Errors
/// As [`missing_type`]; `UNSUPPORTED` for text, whose elements are not read here; `LENGTH` if `out` is too small.
pub fn missing(ctx: &Context<'_>, which: Missing, x: &Operand, out: RawBytes) -> Result<Option<Warnings>> {
    let dtype = missing_type(which, x.dtype)?;
    if x.len == 0 {
        return Ok(Some(Warnings::default()));
    }
    let mut p = Builder::default();
    let a = p.load(0, x.bank()?);
    let result = p.missing(a, which);
    store(ctx, &p.finish(result), &[*x], dtype, x.len, out)
}
