//! Fused expressions: several operations as one program, so that memory is touched once. The instructions are those of the operations one by
//! one, so the results are theirs bit for bit.

use super::math::{emit_math, emit_math2, math_type, math2_len, math2_type};
use super::operand::Operand;
use super::ops::{Binary, Unary, binary_type, emit_binary, emit_unary, store, unary_type};
use crate::convert::Warnings;
use crate::dtype::Dtype;
use crate::error::{Code, Error, Result};
use crate::executor::Context;
use crate::kernels::math::{Math, Math2};
use crate::program::{Builder, Program, Reg};
use crate::region::RawBytes;

/// An expression over numbered operands.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// Operand number `.0`.
    Operand(usize),
    /// An operator of one operand.
    Unary(Unary, Box<Expr>),
    /// An operator of two operands.
    Binary(Binary, Box<Expr>, Box<Expr>),
    /// A function of one argument.
    Math(Math, Box<Expr>),
    /// A function of two arguments.
    Math2(Math2, Box<Expr>, Box<Expr>),
}

/// A checked expression, ready to run.
pub struct Fused {
    program: Program,
    operands: Vec<Operand>,
    dtype: Dtype,
    len: u64,
}

/// What a part of an expression is.
#[derive(Clone, Copy)]
struct Part {
    reg: Reg,
    dtype: Dtype,
    len: u64,
}

struct Compiler<'o> {
    p: Builder,
    operands: &'o [Operand],
}

impl Compiler<'_> {
    fn part(&mut self, expr: &Expr) -> Result<Part> {
        Ok(match expr {
            Expr::Operand(idx) => {
                let operand = self.operands.get(*idx).ok_or_else(|| {
                    Error::new(Code::Argument, format!("the expression has no operand {idx}"))
                })?;
                let reg = self.p.load(*idx, operand.bank()?);
                Part { reg, dtype: operand.dtype, len: operand.len }
            }
            Expr::Unary(op, x) => {
                let x = self.part(x)?;
                let dtype = unary_type(*op, x.dtype, x.len)?;
                Part { reg: emit_unary(&mut self.p, *op, x.reg), dtype, len: x.len }
            }
            Expr::Binary(op, x, y) => {
                let (x, y) = (self.part(x)?, self.part(y)?);
                let len = Self::recycled(x.len, y.len)?;
                let dtype = binary_type(*op, x.dtype, y.dtype, len)?;
                Part { reg: emit_binary(&mut self.p, *op, (x.reg, x.dtype), (y.reg, y.dtype)), dtype, len }
            }
            Expr::Math(f, x) => {
                let x = self.part(x)?;
                let dtype = math_type(*f, x.dtype)?;
                Part { reg: emit_math(&mut self.p, *f, x.reg), dtype, len: x.len }
            }
            Expr::Math2(f, x, y) => {
                let (x, y) = (self.part(x)?, self.part(y)?);
                let dtype = math2_type(*f, x.dtype, y.dtype)?;
                let len = math2_len(*f, x.len, y.len)?;
                Self::recycled(x.len, y.len)?;
                Part { reg: emit_math2(&mut self.p, *f, x.reg, y.reg, dtype), dtype, len }
            }
        })
    }

    /// The length of a result. A shorter part is read at places modulo its operands' lengths, which is the same as modulo its own only where
    /// it divides the longer: else the parts are to be evaluated one by one.
    fn recycled(x: u64, y: u64) -> Result<u64> {
        let (long, short) = (x.max(y), x.min(y));
        if short == 0 {
            return Ok(0);
        }
        if long % short == 0 {
            return Ok(long);
        }
        Err(Error::new(
            Code::Unsupported,
            format!(
                "in one expression the longer length ({long}) must be a multiple of the shorter ({short}); evaluate the parts first"
            ),
        ))
    }
}

impl Fused {
    /// Checks an expression and makes it one program. The operands' memory must stay mapped until it has run.
    ///
    /// # Errors
    /// Those of the operations; `ARGUMENT` for an operand that is not given; `UNSUPPORTED` where lengths are no multiples of each other.
    pub fn new(expr: &Expr, operands: &[Operand]) -> Result<Self> {
        let operands: Vec<Operand> = operands.iter().map(Operand::snapshot).collect();
        let mut compiler = Compiler { p: Builder::default(), operands: &operands };
        let Part { reg, dtype, len } = compiler.part(expr)?;
        let program = compiler.p.finish(reg);
        Ok(Self { program, operands, dtype, len })
    }

    /// The type of its elements.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// Elements.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Stores the elements. None if it was cancelled.
    ///
    /// # Errors
    /// `LENGTH` if `out` is too small.
    pub fn evaluate(&self, ctx: &Context<'_>, out: RawBytes) -> Result<Option<Warnings>> {
        if self.len == 0 {
            return Ok(Some(Warnings::default()));
        }
        store(ctx, &self.program, &self.operands, self.dtype, self.len, out)
    }
}
