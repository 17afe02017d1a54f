//! Fused expressions: several operations as one program, so that memory is touched once. The instructions are those of the operations one by
//! one, so the results are theirs bit for bit. A list of steps, not a tree: what is used twice is computed once, and no depth overflows a stack.

use super::math::{emit_math, emit_math2, math_type, math2_len, math2_type};
use super::missing::{Missing, missing_type};
use super::operand::Operand;
use super::ops::{Binary, Unary, binary_type, emit_binary, emit_unary, store, unary_type};
use crate::convert::Warnings;
use crate::dtype::Dtype;
use crate::error::{Code, Error, Result};
use crate::executor::Context;
use crate::kernels::math::{Math, Math2};
use crate::program::{Bank, Builder, Program, Reg};
use crate::region::RawBytes;

/// One step of an expression: an operand, or an operation on what earlier steps gave, which are named by their places in the list.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step {
    /// Operand number `.0`.
    Operand(usize),
    /// An operator of one operand.
    Unary(Unary, usize),
    /// An operator of two operands.
    Binary(Binary, usize, usize),
    /// A function of one argument.
    Math(Math, usize),
    /// A function of two arguments.
    Math2(Math2, usize, usize),
    /// Whether it is missing.
    Missing(Missing, usize),
}

impl Step {
    /// The steps it needs.
    pub fn needs(self) -> impl Iterator<Item = usize> {
        let (a, b) = match self {
            Self::Operand(_) => (None, None),
            Self::Unary(_, x) | Self::Math(_, x) | Self::Missing(_, x) => (Some(x), None),
            Self::Binary(_, x, y) | Self::Math2(_, x, y) => (Some(x), Some(y)),
        };
        a.into_iter().chain(b)
    }

    /// The same step of a list in which its needs stand elsewhere.
    #[must_use]
    pub fn renumbered(self, place: impl Fn(usize) -> usize) -> Self {
        match self {
            Self::Operand(_) => self,
            Self::Unary(op, x) => Self::Unary(op, place(x)),
            Self::Binary(op, x, y) => Self::Binary(op, place(x), place(y)),
            Self::Math(f, x) => Self::Math(f, place(x)),
            Self::Math2(f, x, y) => Self::Math2(f, place(x), place(y)),
            Self::Missing(which, x) => Self::Missing(which, place(x)),
        }
    }

    /// The type and the length of what it gives, from those of its needs (the second ones count for steps of two).
    ///
    /// # Errors
    /// Those of the operation; `INTERNAL` for an operand, whose type is its own.
    pub fn gives(self, (x, n): (Dtype, u64), (y, m): (Dtype, u64)) -> Result<(Dtype, u64)> {
        let longest = if n == 0 || m == 0 { 0 } else { n.max(m) };
        Ok(match self {
            Self::Operand(_) => return Err(Error::new(Code::Internal, "an operand is no operation")),
            Self::Unary(op, _) => (unary_type(op, x, n)?, n),
            Self::Binary(op, ..) => (binary_type(op, x, y, longest)?, longest),
            Self::Math(f, _) => (math_type(f, x)?, n),
            Self::Math2(f, ..) => (math2_type(f, x, y)?, math2_len(f, n, m)?),
            Self::Missing(which, _) => (missing_type(which, x)?, n),
        })
    }
}

/// A checked expression, ready to run.
pub struct Fused {
    program: Builder,
    operands: Vec<Operand>,
    result: Part,
}

/// What a step gives.
#[derive(Clone, Copy)]
struct Part {
    reg: Reg,
    dtype: Dtype,
    len: u64,
    /// It repeats itself after `len` elements: read beyond its end it is what recycling it would give.
    repeats: bool,
}

fn no_such_step() -> Error {
    Error::new(Code::Argument, "a step of the expression needs one that does not come before it")
}

struct Compiler<'o> {
    p: Builder,
    operands: &'o [Operand],
    parts: Vec<Part>,
}

impl Compiler<'_> {
    fn part(&mut self, step: Step) -> Result<Part> {
        if let Step::Operand(idx) = step {
            let operand = self
                .operands
                .get(idx)
                .ok_or_else(|| Error::new(Code::Argument, format!("the expression has no operand {idx}")))?;
            let reg = self.p.load(idx, operand.bank()?);
            return Ok(Part { reg, dtype: operand.dtype, len: operand.len, repeats: true });
        }
        let mut needs = step.needs().map(|x| self.parts.get(x).copied());
        let x = needs.next().flatten().ok_or_else(no_such_step)?;
        let y = needs.next().unwrap_or(Some(x)).ok_or_else(no_such_step)?;
        let (dtype, len) = step.gives((x.dtype, x.len), (y.dtype, y.len))?;
        let repeats = Self::recycled(x, len)? && Self::recycled(y, len)?;
        let p = &mut self.p;
        let reg = match step {
            Step::Operand(_) => x.reg,
            Step::Unary(op, _) => emit_unary(p, op, x.reg),
            Step::Binary(op, ..) => emit_binary(p, op, (x.reg, x.dtype), (y.reg, y.dtype)),
            Step::Math(f, _) => emit_math(p, f, x.reg),
            Step::Math2(f, ..) => emit_math2(p, f, x.reg, y.reg, dtype),
            Step::Missing(which, _) => p.missing(x.reg, which),
        };
        Ok(Part { reg, dtype, len, repeats })
    }

    /// Whether a part repeats itself in a result of `len` elements. Elements beyond its end are read from its operands, each modulo its own length:
    /// that is right for an operand, and where all lengths are multiples; another part is to be evaluated first.
    fn recycled(x: Part, len: u64) -> Result<bool> {
        if len == 0 || x.len == len {
            return Ok(x.repeats);
        }
        if x.repeats {
            return Ok(len.is_multiple_of(x.len));
        }
        Err(Error::new(
            Code::Unsupported,
            format!(
                "a part of {} elements whose operands' lengths do not divide it cannot be recycled to {len}; evaluate it first",
                x.len
            ),
        ))
    }
}

impl Fused {
    /// Checks an expression, the last step its result, and makes it one program. The operands' memory must stay mapped until it has run.
    ///
    /// # Errors
    /// Those of the operations; `ARGUMENT` for an operand or step that is not given; `UNSUPPORTED` where a part is recycled that does not repeat itself.
    pub fn new(steps: &[Step], operands: &[Operand]) -> Result<Self> {
        let operands: Vec<Operand> = operands.iter().map(Operand::snapshot).collect();
        let parts = Vec::with_capacity(steps.len());
        let mut compiler = Compiler { p: Builder::default(), operands: &operands, parts };
        for step in steps {
            let part = compiler.part(*step)?;
            compiler.parts.push(part);
        }
        let result = *compiler.parts.last().ok_or_else(no_such_step)?;
        Ok(Self { program: compiler.p, operands, result })
    }

    /// The type of its elements.
    pub fn dtype(&self) -> Dtype {
        self.result.dtype
    }

    /// Elements.
    pub fn len(&self) -> u64 {
        self.result.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.result.len == 0
    }

    /// Stores the elements. None if it was cancelled.
    ///
    /// # Errors
    /// `LENGTH` if `out` is too small.
    pub fn evaluate(&self, ctx: &Context<'_>, out: RawBytes) -> Result<Option<Warnings>> {
        let Part { reg, dtype, len, .. } = self.result;
        if len == 0 {
            return Ok(Some(Warnings::default()));
        }
        store(ctx, &self.program.clone().finish(reg), &self.operands, dtype, len, out)
    }

    pub(super) fn bank(&self) -> Bank {
        self.result.reg.bank
    }

    /// The program that goes on with the result.
    pub(super) fn program(&self, then: impl FnOnce(&mut Builder, Reg) -> Reg) -> Program {
        let mut p = self.program.clone();
        let out = then(&mut p, self.result.reg);
        p.finish(out)
    }

    pub(super) fn operands(&self) -> &[Operand] {
        &self.operands
    }
}
