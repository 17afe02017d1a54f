//! Programs that are several operators of doubles, computed strip by strip as long as no result is NaN.
//!
//! Holds: [`Chain`], the program as links, made once per operation, and [`Walker`], one thread's strips. A walk may find NaN, or stand at a place
//! that strips cannot do (the end of a vector, the seam of one that is recycled): then the machine computes the block, and says what is NA.

use crate::compute::operand::{Operand, Scalar, Source};
use crate::kernels::BLOCK;
use crate::kernels::chain::{Link, Place, STRIP, Sink, Strip, passes_nan_on, walk};
use crate::kernels::simd::Isa;
use crate::program::{Bank, Inst, Op, Program};
use crate::region::{Elems, Span};

/// A program as a chain.
pub(crate) struct Chain {
    links: Vec<Link>,
    /// Each with its length, for which it is recycled.
    operands: Vec<(Span, u64)>,
    /// The strips that hold one value throughout.
    constants: Vec<(usize, f64)>,
    strips: usize,
}

impl Chain {
    /// The program as a chain, if it is one: two operators of doubles at least, all of which pass NaN on.
    ///
    /// `out` is where the results go: where that is an operand too, a block can be computed only once, and nothing is a chain.
    pub(crate) fn of(program: &Program, operands: &[Operand], out: Option<Span>) -> Option<Self> {
        let strips = program.registers[Bank::Real as usize];
        let mut chain = Self { links: Vec::new(), operands: Vec::new(), constants: Vec::new(), strips };
        // What the registers stand for just now.
        let mut places: Vec<Place> = (0..strips).map(Place::Strip).collect();
        for inst in &program.insts {
            let dst = inst.dst.idx;
            match inst.op {
                _ if inst.dst.bank != Bank::Real => return None,
                Op::Load(idx) => places[dst] = chain.load(&operands[idx], dst, out)?,
                Op::Arith(op) if passes_nan_on(op) => {
                    let (a, b) = (places[inst.a.idx], places[inst.b.idx]);
                    chain.links.push(Link { op, dst, a, b });
                    places[dst] = Place::Strip(dst);
                }
                _ => return None,
            }
        }
        // What is stored is what the last link computes.
        let is_last = |inst: &Inst| inst.dst == program.result && matches!(inst.op, Op::Arith(_));
        (chain.links.len() > 1 && program.insts.last().is_some_and(is_last)).then_some(chain)
    }

    /// An operand for register `dst`.
    fn load(&mut self, operand: &Operand, dst: usize, out: Option<Span>) -> Option<Place> {
        match operand.source {
            Source::Scalar(Scalar::Real(x)) => {
                self.constants.push((dst, x));
                Some(Place::Strip(dst))
            }
            Source::Span(span) if operand.len > 0 && !out.is_some_and(|out| out.meets(span)) => {
                self.operands.push((span, operand.len));
                Some(Place::Operand(self.operands.len() - 1))
            }
            _ => None,
        }
    }

    /// One thread's strips.
    pub(crate) fn walker(&self, isa: Isa) -> Walker<'_> {
        let mut strips: Vec<_> = (0..self.strips).map(|_| None).collect();
        for (idx, x) in &self.constants {
            strips[*idx] = Some(Box::new(Strip::filled(*x)));
        }
        Walker { chain: self, isa, strips, nan: false }
    }
}

/// A chain at work, on one thread.
pub(crate) struct Walker<'c> {
    chain: &'c Chain,
    isa: Isa,
    strips: Vec<Option<Box<Strip>>>,
    /// Whether the last walk was in vain: where there is one NaN there are often others, and the next block is left to the machine at once.
    nan: bool,
}

/// Operands of a chain whose elements are at hand without a list on the heap.
const FEW: usize = 16;

impl Walker<'_> {
    /// The results of the block of `n` elements that begins at element `start`, in a sink. Whether they are right: if not, they are nothing.
    pub(crate) fn run(&mut self, start: u64, n: usize, sink: Sink<'_>) -> bool {
        let given = &self.chain.operands;
        if !n.is_multiple_of(STRIP) || n > BLOCK || given.len() > FEW || std::mem::take(&mut self.nan) {
            return false;
        }
        let mut operands = [Elems::from(&[][..]); FEW];
        for (elems, (span, len)) in operands.iter_mut().zip(given) {
            let at = if start < *len { start } else { start % len };
            if len - at < n as u64 {
                return false;
            }
            *elems = span.elems(at, n);
        }
        self.nan = walk(self.isa, &self.chain.links, &operands[..given.len()], &mut self.strips, n, sink);
        !self.nan
    }
}
