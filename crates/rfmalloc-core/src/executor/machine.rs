//! Registers, and the loop over a program's instructions.
//!
//! An operand that needs no recycling is not copied into a register: the register stands for the shared memory, which the instructions read in
//! place, by copies into the processor's own registers.

use crate::compute::operand::{Operand, Scalar, Source};
use crate::convert::Warnings;
use crate::kernels::apply::{Out, map1};
use crate::kernels::simd::Isa;
use crate::kernels::{C64, arith, compare, complex, logic, math, missing};
use crate::na::{NA_INT, na_real};
use crate::program::{Bank, Inst, Op, Program, Reg};
use crate::region::{Elems, Plain, Span, Stretch};
use std::mem::replace;

/// A block of private memory that begins a cache line: vectors that straddle lines cost up to a third of the speed.
struct Own<T> {
    room: Box<[T]>,
    first: usize,
}

impl<T: Plain> Own<T> {
    fn new(block: usize) -> Self {
        let room = vec![T::default(); block + LINE / size_of::<T>()].into_boxed_slice();
        let first = room.as_ptr().align_offset(LINE).min(LINE / size_of::<T>());
        Self { room, first }
    }

    fn is_there(&self) -> bool {
        !self.room.is_empty()
    }

    /// The first `n` elements.
    fn first(&self, n: usize) -> &[T] {
        &self.room[self.first..self.first + n]
    }

    /// The first `n` elements, to be written.
    fn first_mut(&mut self, n: usize) -> &mut [T] {
        &mut self.room[self.first..self.first + n]
    }
}

/// Bytes of a cache line.
const LINE: usize = 64;

/// The registers of one bank: blocks of private memory, each made at its first use, or stretches of shared memory that are read in place.
struct Registers<T: Plain> {
    own: Vec<Own<T>>,
    shared: Vec<Option<Elems<'static, T>>>,
    /// The one value that fills a register's private memory, if one does.
    constant: Vec<Option<T>>,
    /// Elements of a block.
    block: usize,
}

impl<T: Plain> Registers<T> {
    fn new(count: usize, block: usize) -> Self {
        let own = (0..count).map(|_| Own { room: Box::default(), first: 0 }).collect();
        Self { own, shared: vec![None; count], constant: vec![None; count], block }
    }

    /// What a register holds.
    fn get(&self, idx: usize, n: usize) -> Elems<'_, T> {
        match self.shared[idx] {
            Some(elems) => elems.first(n),
            None => Elems::from(self.own[idx].first(n)),
        }
    }

    /// A register's private memory, to be written; lifted out, so that others can be read meanwhile.
    fn lift(&mut self, idx: usize) -> Own<T> {
        self.shared[idx] = None;
        self.constant[idx] = None;
        let own = replace(&mut self.own[idx], Own { room: Box::default(), first: 0 });
        if own.is_there() { own } else { Own::new(self.block) }
    }

    /// Fills a register with `n` elements from element `start` of a vector repeated for ever.
    fn load(&mut self, idx: usize, span: Span, len: u64, start: u64, n: usize) {
        let at = start % len;
        if at + n as u64 <= len {
            self.shared[idx] = Some(span.elems(at, n));
        } else {
            let mut own = self.lift(idx);
            load_recycled(span, len, start, own.first_mut(n));
            self.own[idx] = own;
        }
    }

    /// Fills a register's whole block with one value, unless it is full of it.
    fn fill(&mut self, idx: usize, value: T) {
        if self.constant[idx] != Some(value) {
            let mut own = self.lift(idx);
            own.first_mut(self.block).fill(value);
            self.own[idx] = own;
            self.constant[idx] = Some(value);
        }
        self.shared[idx] = None;
    }

    /// What a register holds, in private memory.
    fn owned(&mut self, idx: usize, n: usize) -> &[T] {
        if let Some(elems) = self.shared[idx] {
            let mut own = self.lift(idx);
            elems.copy_to(own.first_mut(n));
            self.own[idx] = own;
        }
        self.own[idx].first(n)
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

/// Where a result block goes: as many elements of shared memory.
#[derive(Clone, Copy)]
struct Target {
    out: Span,
    start: u64,
    n: usize,
    /// Past the caches.
    stream: bool,
}

impl Target {
    fn stretch<'t, T: Plain>(self) -> Stretch<'t, T> {
        self.out.stretch(self.start, self.n, self.stream)
    }
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
    /// Registers for a program over blocks of so many elements.
    pub(crate) fn new(isa: Isa, program: &'p Program, operands: &'p [Operand], block: u64) -> Self {
        let [ints, reals, complexes, raws] = program.registers;
        let block = block as usize;
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

    /// Computes the block of `n` elements that begins at element `start`.
    pub(crate) fn run(&mut self, start: u64, n: usize) -> Block<'_> {
        let program = self.program;
        for inst in &program.insts {
            self.step(inst, start, n, None);
        }
        let Reg { bank, idx } = program.result;
        match bank {
            Bank::Int => Block::Int(self.ints.get(idx, n)),
            Bank::Real => Block::Real(self.reals.get(idx, n)),
            Bank::Complex => Block::Complex(self.complexes.get(idx, n)),
            Bank::Raw => unreachable!("raw is summarised as integers"),
        }
    }

    /// Computes that block and stores it at the same place of `out`: the last instruction stores what it computes.
    pub(crate) fn run_into(&mut self, start: u64, n: usize, out: Span, stream: bool) {
        let target = Target { out, start, n, stream };
        let program = self.program;
        let Some((last, before)) = program.insts.split_last() else { return };
        for inst in before {
            self.step(inst, start, n, None);
        }
        self.step(last, start, n, Some(target));
        if let Op::Load(_) = last.op {
            let Reg { bank, idx } = program.result;
            match bank {
                Bank::Int => target.stretch().put(0, self.ints.owned(idx, n)),
                Bank::Real => target.stretch().put(0, self.reals.owned(idx, n)),
                Bank::Complex => target.stretch().put(0, self.complexes.owned(idx, n)),
                Bank::Raw => target.stretch().put(0, self.raws.owned(idx, n)),
            }
        }
    }

    fn step(&mut self, inst: &Inst, start: u64, n: usize, to: Option<Target>) {
        if let Op::Load(idx) = inst.op {
            self.load(idx, inst.dst, start, n);
            return;
        }
        // The destination is lifted out, so that operands can be read while it is written; it is never one of them.
        let dst = inst.dst.idx;
        match inst.dst.bank {
            Bank::Int => {
                let mut own = self.ints.lift(dst);
                self.int_step(inst, n, Out::through(own.first_mut(n), to.map(Target::stretch)));
                self.ints.own[dst] = own;
            }
            Bank::Real => {
                let mut own = self.reals.lift(dst);
                self.real_step(inst, n, Out::through(own.first_mut(n), to.map(Target::stretch)));
                self.reals.own[dst] = own;
            }
            Bank::Complex => {
                let mut own = self.complexes.lift(dst);
                let out = Out::through(own.first_mut(n), to.map(Target::stretch));
                out.whole(|out| self.complex_step(inst, n, out));
                self.complexes.own[dst] = own;
            }
            Bank::Raw => {
                let mut own = self.raws.lift(dst);
                let out = Out::through(own.first_mut(n), to.map(Target::stretch));
                let (a, b) = (self.raws.get(inst.a.idx, n), self.raws.get(inst.b.idx, n));
                match inst.op {
                    Op::Logic(op) => logic::bitwise(self.isa, op, a, b, out),
                    Op::Not => logic::bitwise_not(self.isa, a, out),
                    op => unreachable!("{op:?} gives no raw"),
                }
                self.raws.own[dst] = own;
            }
        }
    }

    fn load(&mut self, idx: usize, dst: Reg, start: u64, n: usize) {
        let operand = &self.operands[idx];
        let len = operand.len;
        match (operand.source, dst.bank) {
            (Source::Scalar(Scalar::Int(x)), Bank::Int) => self.ints.fill(dst.idx, x),
            (Source::Scalar(Scalar::Real(x)), Bank::Real) => self.reals.fill(dst.idx, x),
            (Source::Scalar(Scalar::Complex(x)), Bank::Complex) => self.complexes.fill(dst.idx, x),
            (Source::Scalar(Scalar::Raw(x)), Bank::Raw) => self.raws.fill(dst.idx, x),
            (Source::Span(span), Bank::Int) => self.ints.load(dst.idx, span, len, start, n),
            (Source::Span(span), Bank::Real) => self.reals.load(dst.idx, span, len, start, n),
            (Source::Span(span), Bank::Complex) => self.complexes.load(dst.idx, span, len, start, n),
            (Source::Span(span), Bank::Raw) => self.raws.load(dst.idx, span, len, start, n),
            _ => unreachable!("programs load operands whose elements are given, each into its own bank"),
        }
    }

    fn int_step(&mut self, inst: &Inst, n: usize, out: Out<'_, i32>) {
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
            (Op::Missing(_), Bank::Raw) => out.whole(|out| out.fill(0)),
            (Op::Math(_), Bank::Int) => math::abs_integer(isa, self.ints.get(a, n), out),
            (op, bank) => unreachable!("{op:?} of {bank:?} gives no integers"),
        }
    }

    fn real_step(&mut self, inst: &Inst, n: usize, out: Out<'_, f64>) {
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
            (Op::Math(_), Bank::Complex) => out.whole(|out| math::modulus(self.complexes.get(a, n), out)),
            (Op::Math2(f), Bank::Real) => {
                self.warnings |= math::real2(isa, f, self.reals.get(a, n), self.reals.get(b, n), out);
            }
            (op, bank) => unreachable!("{op:?} of {bank:?} gives no reals"),
        }
    }

    fn complex_step(&mut self, inst: &Inst, n: usize, out: &mut [C64]) {
        let (isa, a, b) = (self.isa, inst.a.idx, inst.b.idx);
        match (inst.op, inst.a.bank) {
            (Op::Promote, Bank::Int) => map1(isa, self.ints.get(a, n), Out::from(out), |x: i32| {
                if x == NA_INT { [na_real(), 0.0] } else { [f64::from(x), 0.0] }
            }),
            (Op::Promote, Bank::Real) => map1(isa, self.reals.get(a, n), Out::from(out), |x: f64| [x, 0.0]),
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
