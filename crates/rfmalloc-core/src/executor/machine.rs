//! Registers, and the loop over a program's instructions.
//!
//! An operand that needs no recycling is not copied into a register: the register stands for the shared memory, which the instructions read in
//! place, by copies into the processor's own registers.

use crate::compute::operand::{Operand, Scalar, Source};
use crate::convert::Warnings;
use crate::kernels::apply::map1;
use crate::kernels::simd::Isa;
use crate::kernels::{BLOCK, C64, arith, compare, complex, logic, math, missing};
use crate::na::{NA_INT, na_real};
use crate::program::{Bank, Inst, Op, Program, Reg};
use crate::region::{Elems, Plain, Span};
use std::mem::take;

/// The registers of one bank: blocks of private memory, each made at its first use, or stretches of shared memory that are read in place.
struct Registers<T: Plain> {
    own: Vec<Box<[T]>>,
    shared: Vec<Option<Elems<'static, T>>>,
    /// Elements of a block.
    block: usize,
}

impl<T: Plain> Registers<T> {
    fn new(count: usize, block: usize) -> Self {
        Self { own: (0..count).map(|_| Box::default()).collect(), shared: vec![None; count], block }
    }

    /// What a register holds.
    fn get(&self, idx: usize, n: usize) -> Elems<'_, T> {
        match self.shared[idx] {
            Some(elems) => elems.first(n),
            None => Elems::from(&self.own[idx][..n]),
        }
    }

    /// A register's private memory, to be written; lifted out, so that others can be read meanwhile.
    fn lift(&mut self, idx: usize) -> Box<[T]> {
        self.shared[idx] = None;
        let own = take(&mut self.own[idx]);
        if own.is_empty() { vec![T::default(); self.block].into_boxed_slice() } else { own }
    }

    /// Fills a register with `n` elements from element `start` of a vector repeated for ever.
    fn load(&mut self, idx: usize, span: Span, len: u64, start: u64, n: usize) {
        let at = start % len;
        if at + n as u64 <= len {
            self.shared[idx] = Some(span.elems(at, n));
        } else {
            let mut own = self.lift(idx);
            load_recycled(span, len, start, &mut own[..n]);
            self.own[idx] = own;
        }
    }

    fn fill(&mut self, idx: usize, n: usize, value: T) {
        let mut own = self.lift(idx);
        own[..n].fill(value);
        self.own[idx] = own;
    }

    /// What a register holds, in private memory.
    fn owned(&mut self, idx: usize, n: usize) -> &[T] {
        if let Some(elems) = self.shared[idx] {
            let mut own = self.lift(idx);
            elems.copy_to(&mut own[..n]);
            self.own[idx] = own;
        }
        &self.own[idx][..n]
    }
}

/// One thread's registers for one program.
pub(crate) struct Machine<'p> {
    program: &'p Program,
    operands: &'p [Operand],
    isa: Isa,
    ints: Registers<i32>,
    reals: Registers<f64>,
    complexes: Registers<C64>,
    raws: Registers<u8>,
    /// What the instructions so far warned of.
    pub(crate) warnings: Warnings,
}

/// A result block, perhaps in shared memory.
pub(crate) enum Block<'m> {
    Int(Elems<'m, i32>),
    Real(Elems<'m, f64>),
    Complex(Elems<'m, C64>),
}

/// A result block in private memory.
pub(crate) enum OwnBlock<'m> {
    Int(&'m [i32]),
    Real(&'m [f64]),
    Complex(&'m [C64]),
    Raw(&'m [u8]),
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
    /// Registers for a program over `len` elements.
    pub(crate) fn new(isa: Isa, program: &'p Program, operands: &'p [Operand], len: u64) -> Self {
        let [ints, reals, complexes, raws] = program.registers;
        let block = len.min(BLOCK as u64) as usize;
        Self {
            program,
            operands,
            isa,
            ints: Registers::new(ints, block),
            reals: Registers::new(reals, block),
            complexes: Registers::new(complexes, block),
            raws: Registers::new(raws, block),
            warnings: Warnings::default(),
        }
    }

    fn compute(&mut self, start: u64, n: usize) -> Reg {
        let program = self.program;
        for inst in &program.insts {
            self.step(inst, start, n);
        }
        program.result
    }

    /// Computes the block of `n` elements that begins at element `start`.
    pub(crate) fn run(&mut self, start: u64, n: usize) -> Block<'_> {
        let Reg { bank, idx } = self.compute(start, n);
        match bank {
            Bank::Int => Block::Int(self.ints.get(idx, n)),
            Bank::Real => Block::Real(self.reals.get(idx, n)),
            Bank::Complex => Block::Complex(self.complexes.get(idx, n)),
            Bank::Raw => unreachable!("raw is summarised as integers"),
        }
    }

    /// As `run`, the result in private memory.
    pub(crate) fn run_owned(&mut self, start: u64, n: usize) -> OwnBlock<'_> {
        let Reg { bank, idx } = self.compute(start, n);
        match bank {
            Bank::Int => OwnBlock::Int(self.ints.owned(idx, n)),
            Bank::Real => OwnBlock::Real(self.reals.owned(idx, n)),
            Bank::Complex => OwnBlock::Complex(self.complexes.owned(idx, n)),
            Bank::Raw => OwnBlock::Raw(self.raws.owned(idx, n)),
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
                let mut out = self.ints.lift(dst);
                self.int_step(inst, n, &mut out[..n]);
                self.ints.own[dst] = out;
            }
            Bank::Real => {
                let mut out = self.reals.lift(dst);
                self.real_step(inst, n, &mut out[..n]);
                self.reals.own[dst] = out;
            }
            Bank::Complex => {
                let mut out = self.complexes.lift(dst);
                self.complex_step(inst, n, &mut out[..n]);
                self.complexes.own[dst] = out;
            }
            Bank::Raw => {
                let mut out = self.raws.lift(dst);
                let (a, b) = (self.raws.get(inst.a.idx, n), self.raws.get(inst.b.idx, n));
                match inst.op {
                    Op::Logic(op) => logic::bitwise(self.isa, op, a, b, &mut out[..n]),
                    Op::Not => logic::bitwise_not(self.isa, a, &mut out[..n]),
                    op => unreachable!("{op:?} gives no raw"),
                }
                self.raws.own[dst] = out;
            }
        }
    }

    fn load(&mut self, idx: usize, dst: Reg, start: u64, n: usize) {
        let operand = &self.operands[idx];
        let len = operand.len;
        match (operand.source, dst.bank) {
            (Source::Scalar(Scalar::Int(x)), Bank::Int) => self.ints.fill(dst.idx, n, x),
            (Source::Scalar(Scalar::Real(x)), Bank::Real) => self.reals.fill(dst.idx, n, x),
            (Source::Scalar(Scalar::Complex(x)), Bank::Complex) => self.complexes.fill(dst.idx, n, x),
            (Source::Scalar(Scalar::Raw(x)), Bank::Raw) => self.raws.fill(dst.idx, n, x),
            (Source::Span(span), Bank::Int) => self.ints.load(dst.idx, span, len, start, n),
            (Source::Span(span), Bank::Real) => self.reals.load(dst.idx, span, len, start, n),
            (Source::Span(span), Bank::Complex) => self.complexes.load(dst.idx, span, len, start, n),
            (Source::Span(span), Bank::Raw) => self.raws.load(dst.idx, span, len, start, n),
            _ => unreachable!("programs load operands whose elements are given, each into its own bank"),
        }
    }

    fn int_step(&mut self, inst: &Inst, n: usize, out: &mut [i32]) {
        let (isa, a, b) = (self.isa, inst.a.idx, inst.b.idx);
        match (inst.op, inst.a.bank) {
            (Op::Promote, Bank::Raw) => map1(isa, self.raws.get(a, n), out, i32::from),
            (Op::Truth, Bank::Int) => logic::of_integer(isa, self.ints.get(a, n), out),
            (Op::Truth, Bank::Real) => logic::of_real(isa, self.reals.get(a, n), out),
            (Op::Truth, Bank::Complex) => logic::of_complex(isa, self.complexes.get(a, n), out),
            (Op::Truth, Bank::Raw) => logic::of_raw(isa, self.raws.get(a, n), out),
            (Op::Compare(op), Bank::Int) => {
                compare::integer(isa, op, self.ints.get(a, n), self.ints.get(b, n), out);
            }
            (Op::Compare(op), Bank::Real) => {
                compare::real(isa, op, self.reals.get(a, n), self.reals.get(b, n), out);
            }
            (Op::Compare(op), Bank::Complex) => {
                compare::complex(isa, op, self.complexes.get(a, n), self.complexes.get(b, n), out);
            }
            (Op::Arith(op), Bank::Int) => {
                self.warnings |= arith::integer(isa, op, self.ints.get(a, n), self.ints.get(b, n), out);
            }
            (Op::Negate, Bank::Int) => arith::negate_integer(isa, self.ints.get(a, n), out),
            (Op::Logic(op), Bank::Int) => {
                logic::three_valued(isa, op, self.ints.get(a, n), self.ints.get(b, n), out);
            }
            (Op::Not, Bank::Int) => logic::not(isa, self.ints.get(a, n), out),
            (Op::Missing(which), Bank::Int) => missing::of_integer(isa, which, self.ints.get(a, n), out),
            (Op::Missing(which), Bank::Real) => missing::of_real(isa, which, self.reals.get(a, n), out),
            (Op::Missing(which), Bank::Complex) => {
                missing::of_complex(isa, which, self.complexes.get(a, n), out);
            }
            // Raw has neither.
            (Op::Missing(_), Bank::Raw) => out.fill(0),
            (Op::Math(_), Bank::Int) => math::abs_integer(isa, self.ints.get(a, n), out),
            (op, bank) => unreachable!("{op:?} of {bank:?} gives no integers"),
        }
    }

    fn real_step(&mut self, inst: &Inst, n: usize, out: &mut [f64]) {
        let (isa, a, b) = (self.isa, inst.a.idx, inst.b.idx);
        match (inst.op, inst.a.bank) {
            (Op::Promote, Bank::Int) => {
                let na = na_real();
                map1(isa, self.ints.get(a, n), out, |x: i32| if x == NA_INT { na } else { f64::from(x) });
            }
            (Op::Arith(op), Bank::Real) => {
                arith::real(isa, op, self.reals.get(a, n), self.reals.get(b, n), out);
            }
            (Op::Negate, Bank::Real) => arith::negate_real(isa, self.reals.get(a, n), out),
            (Op::Math(f), Bank::Real) => self.warnings |= math::real(isa, f, self.reals.get(a, n), out),
            (Op::Math(_), Bank::Complex) => math::modulus(self.complexes.get(a, n), out),
            (Op::Math2(f), Bank::Real) => {
                self.warnings |= math::real2(isa, f, self.reals.get(a, n), self.reals.get(b, n), out);
            }
            (op, bank) => unreachable!("{op:?} of {bank:?} gives no reals"),
        }
    }

    fn complex_step(&mut self, inst: &Inst, n: usize, out: &mut [C64]) {
        let (isa, a, b) = (self.isa, inst.a.idx, inst.b.idx);
        match (inst.op, inst.a.bank) {
            (Op::Promote, Bank::Int) => map1(isa, self.ints.get(a, n), out, |x: i32| {
                if x == NA_INT { [na_real(), 0.0] } else { [f64::from(x), 0.0] }
            }),
            (Op::Promote, Bank::Real) => map1(isa, self.reals.get(a, n), out, |x: f64| [x, 0.0]),
            (Op::Arith(op), Bank::Complex) => {
                complex::arith(isa, op, self.complexes.get(a, n), self.complexes.get(b, n), out);
            }
            (Op::Negate, Bank::Complex) => complex::negate(self.complexes.get(a, n), out),
            (Op::Math(f), Bank::Complex) => {
                self.warnings |= math::of_complex(f, self.complexes.get(a, n), out);
            }
            (Op::Math2(f), Bank::Complex) => {
                self.warnings |=
                    math::of_complex2(f, self.complexes.get(a, n), self.complexes.get(b, n), out);
            }
            (op, bank) => unreachable!("{op:?} of {bank:?} gives no complex"),
        }
    }
}
