//! Operators: types, refusals, and the program of each (behaviours 8).

use super::operand::Operand;
use crate::convert::Warnings;
use crate::dtype::Dtype;
use crate::error::{Code, Error, Result};
use crate::executor::{Context, elementwise};
use crate::kernels::arith::Arith;
use crate::kernels::compare::Compare;
use crate::kernels::logic::Logic;
use crate::program::{Bank, Builder, Op, Program, Reg};
use crate::region::RawBytes;

/// The operators of two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Binary {
    Arith(Arith),
    Compare(Compare),
    Logic(Logic),
}

/// The operators of one operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Unary {
    Plus,
    Minus,
    Not,
}

/// How a type ranks when two meet: the higher one decides. None for what arithmetic refuses.
pub(crate) fn rank(dtype: Dtype) -> Option<u8> {
    match dtype {
        Dtype::Logical => Some(0),
        Dtype::Integer => Some(1),
        Dtype::Numeric => Some(2),
        Dtype::Complex => Some(3),
        _ => None,
    }
}

pub(crate) fn non_numeric(what: &str) -> Error {
    Error::new(Code::NonNumeric, format!("non-numeric argument to {what}")).with(super::KIND, "non-numeric")
}

pub(crate) fn complex_unsupported(message: &str) -> Error {
    Error::new(Code::Complex, message).with(super::KIND, "complex-unsupported")
}

fn higher(x: Dtype, y: Dtype) -> Option<Dtype> {
    let (a, b) = (rank(x)?, rank(y)?);
    Some(if a >= b { x } else { y })
}

/// The type of `x op y`, for a result of `len` elements: what is undefined for complex is refused only where there is something to do.
///
/// # Errors
/// `NON_NUMERIC` for text or raw in arithmetic; `COMPLEX` for remainders and order of complex; `TYPE` for text, or raw beside another type, in
/// logic; `UNSUPPORTED` for types without operators.
pub fn binary_type(op: Binary, x: Dtype, y: Dtype, len: u64) -> Result<Dtype> {
    let complex = x == Dtype::Complex || y == Dtype::Complex;
    match op {
        Binary::Arith(op) => {
            let high = higher(x, y).ok_or_else(|| non_numeric("binary operator"))?;
            Ok(match (op, high) {
                (Arith::Mod | Arith::IntDiv, Dtype::Complex) if len > 0 => {
                    return Err(complex_unsupported("invalid operation on complex numbers"));
                }
                (Arith::Div | Arith::Pow, Dtype::Logical | Dtype::Integer) => Dtype::Numeric,
                (_, Dtype::Logical) => Dtype::Integer,
                (_, high) => high,
            })
        }
        Binary::Compare(op) => {
            let known = |t: Dtype| rank(t).is_some() || matches!(t, Dtype::Raw | Dtype::Character);
            if !known(x) || !known(y) {
                return Err(Error::new(Code::Type, "comparison is possible only for atomic types")
                    .with(super::KIND, "bad-type"));
            }
            let text = x == Dtype::Character || y == Dtype::Character;
            if complex && len > 0 && !text && !matches!(op, Compare::Eq | Compare::Ne) {
                return Err(complex_unsupported("invalid comparison with complex values"));
            }
            Ok(Dtype::Logical)
        }
        Binary::Logic(_) => match (x, y) {
            (Dtype::Raw, Dtype::Raw) => Ok(Dtype::Raw),
            _ if rank(x).is_some() && rank(y).is_some() => Ok(Dtype::Logical),
            _ => Err(Error::new(
                Code::Type,
                "operations are possible only for numeric, logical or complex types",
            )
            .with(super::KIND, "bad-type")),
        },
    }
}

/// The type of `op x`, for `len` elements.
///
/// # Errors
/// `NON_NUMERIC` for the sign of text or raw; `TYPE` for `!` of text.
pub fn unary_type(op: Unary, x: Dtype, len: u64) -> Result<Dtype> {
    match (op, x) {
        (Unary::Not, Dtype::Raw) => Ok(Dtype::Raw),
        (Unary::Not, x) if rank(x).is_some() => Ok(Dtype::Logical),
        (Unary::Not, _) if len == 0 => Ok(Dtype::Logical),
        (Unary::Not, _) => Err(Error::new(Code::Type, "invalid argument type").with(super::KIND, "bad-type")),
        (_, Dtype::Logical) => Ok(Dtype::Integer),
        (_, x) if rank(x).is_some() => Ok(x),
        _ => Err(Error::new(Code::NonNumeric, "invalid argument to unary operator")
            .with(super::KIND, "non-numeric")),
    }
}

/// An operand of logic. Its kernels take any number but zero for true, so integers and logicals are read where they are.
fn to_logic(p: &mut Builder, a: Reg) -> Reg {
    if a.bank == Bank::Int { a } else { p.truth(a) }
}

/// Writes `a op b` for operands of types that [`binary_type`] has passed.
pub(super) fn emit_binary(p: &mut Builder, op: Binary, (a, x): (Reg, Dtype), (b, y): (Reg, Dtype)) -> Reg {
    let rank = |bank: Bank| match bank {
        Bank::Raw => 0,
        Bank::Int => 1,
        Bank::Real => 2,
        Bank::Complex => 3,
    };
    let high = if rank(a.bank) >= rank(b.bank) { a.bank } else { b.bank };
    let logical = x == Dtype::Logical || y == Dtype::Logical;
    match op {
        Binary::Logic(op) if high == Bank::Raw => p.binary(Op::Logic(op), a, b),
        Binary::Logic(op) => {
            let (a, b) = (to_logic(p, a), to_logic(p, b));
            p.binary(Op::Logic(op), a, b)
        }
        Binary::Compare(op) if logical && (a.bank == Bank::Raw || b.bank == Bank::Raw) => {
            // Logical ranks above raw, which becomes one.
            let (a, b) = (p.truth(a), p.truth(b));
            p.binary(Op::Compare(op), a, b)
        }
        Binary::Compare(op) => {
            let bank = if high == Bank::Raw { Bank::Int } else { high };
            let (a, b) = (p.promote(a, bank), p.promote(b, bank));
            p.binary(Op::Compare(op), a, b)
        }
        Binary::Arith(op) => {
            let quotient = matches!(op, Arith::Div | Arith::Pow) && high == Bank::Int;
            let bank = if quotient { Bank::Real } else { high };
            let (a, b) = (p.promote(a, bank), p.promote(b, bank));
            p.binary(Op::Arith(op), a, b)
        }
    }
}

/// Writes `op a` for an operand of a type that [`unary_type`] has passed.
pub(super) fn emit_unary(p: &mut Builder, op: Unary, a: Reg) -> Reg {
    match op {
        Unary::Plus => a,
        Unary::Minus => p.unary(Op::Negate, a),
        Unary::Not if a.bank == Bank::Raw => p.unary(Op::Not, a),
        Unary::Not => {
            let a = to_logic(p, a);
            p.unary(Op::Not, a)
        }
    }
}

fn program(op: Binary, x: &Operand, y: &Operand) -> Result<Program> {
    let mut p = Builder::default();
    let (a, b) = (p.load(0, x.bank()?), p.load(1, y.bank()?));
    let out = emit_binary(&mut p, op, (a, x.dtype), (b, y.dtype));
    Ok(p.finish(out))
}

fn room(out: RawBytes, dtype: Dtype, len: u64) -> Result<()> {
    if out.span().nbytes() / dtype.width() >= len {
        return Ok(());
    }
    Err(Error::new(Code::Length, format!("the result has {len} elements, its memory is smaller")))
}

/// Runs a program into checked memory.
pub(crate) fn store(
    ctx: &Context<'_>,
    program: &Program,
    operands: &[Operand],
    dtype: Dtype,
    len: u64,
    out: RawBytes,
) -> Result<Option<Warnings>> {
    room(out, dtype, len)?;
    let operands: Vec<Operand> = operands.iter().map(Operand::snapshot).collect();
    Ok(elementwise::run(ctx, program, &operands, len, out.span().part(0, len * dtype.width())))
}

/// Stores `x op y`, recycled to `len` elements ([`super::Conformed::len`]) of [`binary_type`]. None if it was cancelled.
///
/// # Errors
/// As [`binary_type`]; `UNSUPPORTED` where text meets a comparison; `LENGTH` if `out` is too small.
pub fn binary(
    ctx: &Context<'_>,
    op: Binary,
    x: &Operand,
    y: &Operand,
    len: u64,
    out: RawBytes,
) -> Result<Option<Warnings>> {
    let dtype = binary_type(op, x.dtype, y.dtype, len)?;
    if len == 0 {
        return Ok(Some(Warnings::default()));
    }
    store(ctx, &program(op, x, y)?, &[*x, *y], dtype, len, out)
}

/// Stores `op x`, as long as `x`, of [`unary_type`]. None if it was cancelled.
///
/// # Errors
/// As [`unary_type`]; `LENGTH` if `out` is too small.
pub fn unary(ctx: &Context<'_>, op: Unary, x: &Operand, out: RawBytes) -> Result<Option<Warnings>> {
    let dtype = unary_type(op, x.dtype, x.len)?;
    if x.len == 0 {
        return Ok(Some(Warnings::default()));
    }
    let mut p = Builder::default();
    let a = p.load(0, x.bank()?);
    let result = emit_unary(&mut p, op, a);
    store(ctx, &p.finish(result), &[*x], dtype, x.len, out)
}
