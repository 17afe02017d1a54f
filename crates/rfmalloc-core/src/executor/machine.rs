//! Registers of private memory, and the loop over a program's instructions.

use crate::compute::operand::{Operand, Scalar, Source};
use crate::convert::Warnings;
use crate::kernels::apply::map1;
use crate::kernels::simd::Isa;
use crate::kernels::{BLOCK, C64, arith, compare, complex, logic, math};
use crate::na::{NA_INT, na_real};
use crate::program::{Bank, Inst, Op, Program, Reg};
use crate::region::{Plain, Span};
use std::mem::take;

/// One thread's registers for one program.
pub(crate) struct Machine<'p> {
    program: &'p Program,
    operands: &'p [Operand],
    isa: Isa,
    ints: Vec<Box<[i32]>>,
    reals: Vec<Box<[f64]>>,
    complexes: Vec<Box<[C64]>>,
    raws: Vec<Box<[u8]>>,
    /// What the instructions so far warned of.
    pub(crate) warnings: Warnings,
}

/// A result block.
pub(crate) enum Block<'m> {
    Int(&'m mut [i32]),
    Real(&'m mut [f64]),
    Complex(&'m mut [C64]),
    Raw(&'m mut [u8]),
}

fn blocks<T: Plain>(count: usize) -> Vec<Box<[T]>> {
    (0..count).map(|_| vec![T::default(); BLOCK].into_boxed_slice()).collect()
}

/// Elements `[start, start + out.len())` of a vector of `len` elements repeated for ever.
fn load_recycled<T: Plain>(span: Span, len: u64, start: u64, out: &mut [T]) {
    let at = start % len;
    let first = out.len().min((len - at) as usize);
    span.load(at, &mut out[..first]);
    let second = (out.len() - first).min(at as usize);
    span.load(0, &mut out[first..first + second]);
    // One whole period is there; it and its doubles are copied.
    let mut filled = first + second;
    while filled < out.len() {
        let n = filled.min(out.len() - filled);
        out.copy_within(..n, filled);
        filled += n;
    }
}

impl<'p> Machine<'p> {
    pub(crate) fn new(isa: Isa, program: &'p Program, operands: &'p [Operand]) -> Self {
        let [ints, reals, complexes, raws] = program.registers;
        Self {
            program,
            operands,
            isa,
            ints: blocks(ints),
            reals: blocks(reals),
            complexes: blocks(complexes),
            raws: blocks(raws),
            warnings: Warnings::default(),
        }
    }

    /// Computes the block of `n` elements that begins at element `start`.
    pub(crate) fn run(&mut self, start: u64, n: usize) -> Block<'_> {
        let program = self.program;
        for inst in &program.insts {
            self.step(inst, start, n);
        }
        self.block(program.result, n)
    }

    fn block(&mut self, reg: Reg, n: usize) -> Block<'_> {
        match reg.bank {
            Bank::Int => Block::Int(&mut self.ints[reg.idx][..n]),
            Bank::Real => Block::Real(&mut self.reals[reg.idx][..n]),
            Bank::Complex => Block::Complex(&mut self.complexes[reg.idx][..n]),
            Bank::Raw => Block::Raw(&mut self.raws[reg.idx][..n]),
        }
    }

    fn step(&mut self, inst: &Inst, start: u64, n: usize) {
        if let Op::Load(idx) = inst.op {
            self.load(idx, inst.dst, start, n);
            return;
        }
        // The destination is lifted out, so that operands can be read while it is written; it is never one of them.
        let dst = inst.dst.idx;
        match inst.dst.bank {
            Bank::Int => {
                let mut out = take(&mut self.ints[dst]);
                self.int_step(inst, n, &mut out[..n]);
                self.ints[dst] = out;
            }
            Bank::Real => {
                let mut out = take(&mut self.reals[dst]);
                self.real_step(inst, n, &mut out[..n]);
                self.reals[dst] = out;
            }
            Bank::Complex => {
                let mut out = take(&mut self.complexes[dst]);
                self.complex_step(inst, n, &mut out[..n]);
                self.complexes[dst] = out;
            }
            Bank::Raw => {
                let mut out = take(&mut self.raws[dst]);
                let (a, b) = (&self.raws[inst.a.idx][..n], &self.raws[inst.b.idx][..n]);
                match inst.op {
                    Op::Logic(op) => logic::bitwise(self.isa, op, a, b, &mut out[..n]),
                    Op::Not => logic::bitwise_not(self.isa, a, &mut out[..n]),
                    op => unreachable!("{op:?} gives no raw"),
                }
                self.raws[dst] = out;
            }
        }
    }

    fn load(&mut self, idx: usize, dst: Reg, start: u64, n: usize) {
        let operand = &self.operands[idx];
        match operand.source {
            Source::Scalar(scalar) => match (scalar, self.block(dst, n)) {
                (Scalar::Int(x), Block::Int(out)) => out.fill(x),
                (Scalar::Real(x), Block::Real(out)) => out.fill(x),
                (Scalar::Complex(x), Block::Complex(out)) => out.fill(x),
                (Scalar::Raw(x), Block::Raw(out)) => out.fill(x),
                _ => unreachable!("a scalar is loaded into its own bank"),
            },
            Source::Span(span) => match self.block(dst, n) {
                Block::Int(out) => load_recycled(span, operand.len, start, out),
                Block::Real(out) => load_recycled(span, operand.len, start, out),
                Block::Complex(out) => load_recycled(span, operand.len, start, out),
                Block::Raw(out) => load_recycled(span, operand.len, start, out),
            },
            Source::Absent => unreachable!("programs load only operands whose elements are given"),
        }
    }

    fn int_step(&mut self, inst: &Inst, n: usize, out: &mut [i32]) {
        let (isa, a, b) = (self.isa, inst.a.idx, inst.b.idx);
        match (inst.op, inst.a.bank) {
            (Op::Promote, Bank::Raw) => map1(isa, &self.raws[a][..n], out, i32::from),
            (Op::Truth, Bank::Int) => logic::of_integer(isa, &self.ints[a][..n], out),
            (Op::Truth, Bank::Real) => logic::of_real(isa, &self.reals[a][..n], out),
            (Op::Truth, Bank::Complex) => logic::of_complex(isa, &self.complexes[a][..n], out),
            (Op::Truth, Bank::Raw) => logic::of_raw(isa, &self.raws[a][..n], out),
            (Op::Compare(op), Bank::Int) => {
                compare::integer(isa, op, &self.ints[a][..n], &self.ints[b][..n], out);
            }
            (Op::Compare(op), Bank::Real) => {
                compare::real(isa, op, &self.reals[a][..n], &self.reals[b][..n], out);
            }
            (Op::Compare(op), Bank::Complex) => {
                compare::complex(isa, op, &self.complexes[a][..n], &self.complexes[b][..n], out);
            }
            (Op::Arith(op), Bank::Int) => {
                self.warnings |= arith::integer(isa, op, &self.ints[a][..n], &self.ints[b][..n], out);
            }
            (Op::Negate, Bank::Int) => arith::negate_integer(isa, &self.ints[a][..n], out),
            (Op::Logic(op), Bank::Int) => {
                logic::three_valued(isa, op, &self.ints[a][..n], &self.ints[b][..n], out);
            }
            (Op::Not, Bank::Int) => logic::not(isa, &self.ints[a][..n], out),
            (Op::Math(_), Bank::Int) => math::abs_integer(isa, &self.ints[a][..n], out),
            (op, bank) => unreachable!("{op:?} of {bank:?} gives no integers"),
        }
    }

    fn real_step(&mut self, inst: &Inst, n: usize, out: &mut [f64]) {
        let (isa, a, b) = (self.isa, inst.a.idx, inst.b.idx);
        match (inst.op, inst.a.bank) {
            (Op::Promote, Bank::Int) => {
                let na = na_real();
                map1(isa, &self.ints[a][..n], out, |x: i32| if x == NA_INT { na } else { f64::from(x) });
            }
            (Op::Arith(op), Bank::Real) => {
                arith::real(isa, op, &self.reals[a][..n], &self.reals[b][..n], out);
            }
            (Op::Negate, Bank::Real) => arith::negate_real(isa, &self.reals[a][..n], out),
            (Op::Math(f), Bank::Real) => self.warnings |= math::real(isa, f, &self.reals[a][..n], out),
            (Op::Math(_), Bank::Complex) => math::modulus(&self.complexes[a][..n], out),
            (Op::Math2(f), Bank::Real) => {
                self.warnings |= math::real2(isa, f, &self.reals[a][..n], &self.reals[b][..n], out);
            }
            (op, bank) => unreachable!("{op:?} of {bank:?} gives no reals"),
        }
    }

    fn complex_step(&mut self, inst: &Inst, n: usize, out: &mut [C64]) {
        let (isa, a, b) = (self.isa, inst.a.idx, inst.b.idx);
        match (inst.op, inst.a.bank) {
            (Op::Promote, Bank::Int) => map1(isa, &self.ints[a][..n], out, |x: i32| {
                if x == NA_INT { [na_real(), 0.0] } else { [f64::from(x), 0.0] }
            }),
            (Op::Promote, Bank::Real) => map1(isa, &self.reals[a][..n], out, |x: f64| [x, 0.0]),
            (Op::Arith(op), Bank::Complex) => {
                complex::arith(isa, op, &self.complexes[a][..n], &self.complexes[b][..n], out);
            }
            (Op::Negate, Bank::Complex) => complex::negate(&self.complexes[a][..n], out),
            (Op::Math(f), Bank::Complex) => {
                self.warnings |= math::of_complex(f, &self.complexes[a][..n], out);
            }
            (Op::Math2(f), Bank::Complex) => {
                self.warnings |= math::of_complex2(f, &self.complexes[a][..n], &self.complexes[b][..n], out);
            }
            (op, bank) => unreachable!("{op:?} of {bank:?} gives no complex"),
        }
    }
}
