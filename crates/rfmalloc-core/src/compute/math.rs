//! Mathematics of one and two arguments, and cumulative functions (behaviours 9).

use super::operand::Operand;
use super::ops::{complex_unsupported, non_numeric, rank, store};
use crate::convert::Warnings;
use crate::dtype::Dtype;
use crate::error::{Code, Error, Result};
use crate::executor::Context;
use crate::executor::scan::{self, Scanned};
use crate::kernels::math::{Math, Math2};
use crate::kernels::running_sum::CumSum;
use crate::kernels::scan::{
    ComplexCumProd, ComplexCumSum, CumBound, CumProd, IntCumBound, IntCumSum, Scan, WideCumSum,
};
use crate::program::{Bank, Builder, Op, Reg};
use crate::region::{Plain, RawBytes, Span};

/// The cumulative functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cumulative {
    /// `cumsum`
    Sum,
    /// `cumprod`
    Prod,
    /// `cummax`
    Max,
    /// `cummin`
    Min,
}

/// The type of `f(x)`.
///
/// # Errors
/// `NON_NUMERIC` for text and raw; `COMPLEX` for functions that complex numbers do not have.
pub fn math_type(f: Math, x: Dtype) -> Result<Dtype> {
    match x {
        Dtype::Logical | Dtype::Integer if f == Math::Abs => Ok(Dtype::Integer),
        Dtype::Logical | Dtype::Integer | Dtype::Numeric => Ok(Dtype::Numeric),
        Dtype::Complex if f == Math::Abs => Ok(Dtype::Numeric),
        Dtype::Complex if f.has_complex() => Ok(Dtype::Complex),
        Dtype::Complex => {
            Err(complex_unsupported("unimplemented complex function").with("function", f.name()))
        }
        _ => Err(non_numeric("mathematical function").with("function", f.name())),
    }
}

/// Writes `f(a)` for an operand of a type that [`math_type`] has passed.
pub(super) fn emit_math(p: &mut Builder, f: Math, a: Reg) -> Reg {
    match (f, a.bank) {
        (Math::Abs, Bank::Complex) => p.modulus(a),
        (f, Bank::Int) if f != Math::Abs => {
            let real = p.promote(a, Bank::Real);
            p.unary(Op::Math(f), real)
        }
        (f, _) => p.unary(Op::Math(f), a),
    }
}

/// Writes `f(a, b)` for a result of this type.
pub(super) fn emit_math2(p: &mut Builder, f: Math2, a: Reg, b: Reg, dtype: Dtype) -> Reg {
    let bank = if dtype == Dtype::Complex { Bank::Complex } else { Bank::Real };
    let (a, b) = (p.promote(a, bank), p.promote(b, bank));
    p.binary(Op::Math2(f), a, b)
}

/// Stores `f(x)`, as long as `x`, of [`math_type`]. None if it was cancelled.
///
/// # Errors
/// As [`math_type`]; `LENGTH` if `out` is too small.
pub fn math(ctx: &Context<'_>, f: Math, x: &Operand, out: RawBytes) -> Result<Option<Warnings>> {
    let dtype = math_type(f, x.dtype)?;
    if x.len == 0 {
        return Ok(Some(Warnings::default()));
    }
    let mut p = Builder::default();
    let a = p.load(0, x.bank()?);
    let result = emit_math(&mut p, f, a);
    store(ctx, &p.finish(result), &[*x], dtype, x.len, out)
}

/// The type of `f(x, y)`. Digits may not be complex, nor text.
///
/// # Errors
/// `NON_NUMERIC` for text and raw; `COMPLEX` for complex digits.
pub fn math2_type(f: Math2, x: Dtype, y: Dtype) -> Result<Dtype> {
    let (Some(a), Some(b)) = (rank(x), rank(y)) else {
        return Err(non_numeric("mathematical function").with("function", f.name()));
    };
    let digits = matches!(f, Math2::Round | Math2::Signif);
    if digits && y == Dtype::Complex {
        return Err(complex_unsupported("digits must be numbers"));
    }
    Ok(if a.max(b) == 3 { Dtype::Complex } else { Dtype::Numeric })
}

/// The length of `f(x, y)`.
///
/// # Errors
/// `ARGUMENT` for no digits where there is something to round.
pub fn math2_len(f: Math2, x: u64, y: u64) -> Result<u64> {
    if matches!(f, Math2::Round | Math2::Signif) && y == 0 && x > 0 {
        return Err(Error::new(Code::Argument, "invalid second argument of length 0")
            .with(super::KIND, "bad-argument"));
    }
    Ok(if x == 0 || y == 0 { 0 } else { x.max(y) })
}

/// Stores `f(x, y)`, recycled to [`math2_len`], of [`math2_type`]. None if it was cancelled.
///
/// # Errors
/// As [`math2_type`] and [`math2_len`]; `LENGTH` if `out` is too small.
pub fn math2(
    ctx: &Context<'_>,
    f: Math2,
    x: &Operand,
    y: &Operand,
    out: RawBytes,
) -> Result<Option<Warnings>> {
    let dtype = math2_type(f, x.dtype, y.dtype)?;
    let len = math2_len(f, x.len, y.len)?;
    if len == 0 {
        return Ok(Some(Warnings::default()));
    }
    let mut p = Builder::default();
    let (a, b) = (p.load(0, x.bank()?), p.load(1, y.bank()?));
    let result = emit_math2(&mut p, f, a, b, dtype);
    store(ctx, &p.finish(result), &[*x, *y], dtype, len, out)
}

/// The type of a cumulative function's result of `len` elements. Raw counts as numeric.
///
/// # Errors
/// `COMPLEX` for the extremes of complex; `UNSUPPORTED` for text, which the caller converts first.
pub fn cumulative_type(f: Cumulative, x: Dtype, len: u64) -> Result<Dtype> {
    match (f, x) {
        (Cumulative::Prod, Dtype::Logical | Dtype::Integer) | (_, Dtype::Numeric | Dtype::Raw) => {
            Ok(Dtype::Numeric)
        }
        (_, Dtype::Logical | Dtype::Integer) => Ok(Dtype::Integer),
        (Cumulative::Sum | Cumulative::Prod, Dtype::Complex) => Ok(Dtype::Complex),
        (_, Dtype::Complex) if len == 0 => Ok(Dtype::Complex),
        (_, Dtype::Complex) => {
            Err(complex_unsupported("'cummax' and 'cummin' are not defined for complex numbers"))
        }
        _ => Err(Error::new(Code::Unsupported, format!("convert type '{}' to numeric first", x.name()))),
    }
}

fn scanned(scanned: &Scanned) -> Option<Warnings> {
    match scanned {
        Scanned::Done(warnings) => Some(*warnings),
        Scanned::OutOfRange | Scanned::Cancelled => None,
    }
}

fn plain<S: Scan<Elem: Plain>>(
    ctx: &Context<'_>,
    scan: &S,
    x: Span,
    len: u64,
    out: Span,
) -> Option<Warnings> {
    scanned(&scan::run(ctx, scan, x, len, out))
}

fn real(ctx: &Context<'_>, f: Cumulative, x: Span, len: u64, out: Span) -> Option<Warnings> {
    match f {
        Cumulative::Sum => match scan::run(ctx, &CumSum, x, len, out) {
            Scanned::OutOfRange => scanned(&scan::in_order(ctx, &WideCumSum, x, len, out)),
            done => scanned(&done),
        },
        Cumulative::Prod => plain(ctx, &CumProd, x, len, out),
        Cumulative::Max => plain(ctx, &CumBound { largest: true }, x, len, out),
        Cumulative::Min => plain(ctx, &CumBound { largest: false }, x, len, out),
    }
}

/// Stores the running values of `x`, as many, of [`cumulative_type`], in `out`, which is other memory than `x`'s. None if it was cancelled.
///
/// # Errors
/// As [`cumulative_type`]; `LENGTH` if `out` is too small.
pub fn cumulate(ctx: &Context<'_>, f: Cumulative, x: &Operand, out: RawBytes) -> Result<Option<Warnings>> {
    let dtype = cumulative_type(f, x.dtype, x.len)?;
    let (bank, len) = (x.bank()?, x.len);
    if len == 0 {
        return Ok(Some(Warnings::default()));
    }
    if out.span().nbytes() / dtype.width() < len {
        return Err(Error::new(
            Code::Length,
            format!("the result has {len} elements, its memory is smaller"),
        ));
    }
    let to = out.span().part(0, len * dtype.width());
    if dtype == Dtype::Numeric && bank != Bank::Real {
        // Converted into the result's place first: a scan reads each block before it stores it.
        let mut p = Builder::default();
        let a = p.load(0, bank);
        let real_values = p.promote(a, Bank::Real);
        let converted = store(ctx, &p.finish(real_values), &[*x], dtype, len, out)?;
        return Ok(converted.and_then(|_| real(ctx, f, to, len, to)));
    }
    x.with_span(|span| match (f, bank) {
        (_, Bank::Real) => real(ctx, f, span, len, to),
        (Cumulative::Sum, Bank::Complex) => scanned(&scan::in_order(ctx, &ComplexCumSum, span, len, to)),
        (_, Bank::Complex) => scanned(&scan::in_order(ctx, &ComplexCumProd, span, len, to)),
        (Cumulative::Sum, _) => plain(ctx, &IntCumSum, span, len, to),
        (f, _) => plain(ctx, &IntCumBound { largest: f == Cumulative::Max }, span, len, to),
    })
}
