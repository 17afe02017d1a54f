//! Several operators of doubles in one walk: short strips of elements go through all of them before the next strip is read.
//!
//! Nothing is asked on the way about NA and NaN. The operators are those that pass NaN on, so a look at the last results tells whether there was
//! any; whoever walks computes such a stretch again with care. Strips of a fixed length need no loops around the loops: the operators of a strip
//! take a few nanoseconds each, and every operand is read in small steps beside the others, which is how memory is read fastest.

use super::arith::Arith;
use super::simd::{Isa, Kernel, run};
use crate::region::{Elems, Stretch};

/// Elements of a strip: 1 KiB. Shorter ones are ruled by what an operator costs, longer ones by reading one operand after the other.
pub(crate) const STRIP: usize = 128;

/// Results of one operator for a strip, in whole cache lines.
#[repr(align(64))]
pub(crate) struct Strip([f64; STRIP]);

impl Default for Strip {
    fn default() -> Self {
        Self([0.0; STRIP])
    }
}

impl Strip {
    /// One value for all.
    pub(crate) fn filled(x: f64) -> Self {
        Self([x; STRIP])
    }
}

/// What an operator is given.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    /// The operand with this number.
    Operand(usize),
    /// The strip with this number.
    Strip(usize),
}

/// One operator of the chain: `dst = a op b`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    pub(crate) op: Arith,
    /// The strip it writes, which is none that it reads.
    pub(crate) dst: usize,
    pub(crate) a: Place,
    pub(crate) b: Place,
}

/// Where the results go.
pub(crate) enum Sink<'s> {
    /// To shared memory.
    Shared(Stretch<'s, f64>),
    /// To memory of one's own.
    Own(&'s mut [f64]),
}

/// The operators that a chain can have: their result is NaN whenever an operand is.
pub(crate) fn passes_nan_on(op: Arith) -> bool {
    matches!(op, Arith::Add | Arith::Sub | Arith::Mul | Arith::Div)
}

struct Walk<'k> {
    links: &'k [Link],
    operands: &'k [Elems<'k, f64>],
    strips: &'k mut [Option<Box<Strip>>],
    n: usize,
    sink: Sink<'k>,
}

impl Kernel for Walk<'_> {
    type Out = bool;
    #[inline(always)]
    fn run(self) -> bool {
        let Self { links, operands, strips, n, mut sink } = self;
        let mut nan = false;
        let Some(last) = links.last() else { return nan };
        for at in (0..n).step_by(STRIP) {
            for link in links {
                // Lifted out, so that others can be read while it is written.
                let mut own = strips[link.dst].take().unwrap_or_default();
                let given = |place| match place {
                    Place::Operand(k) => operands[k].rest(at),
                    Place::Strip(k) => Elems::from(strips[k].as_ref().map_or(&[][..], |strip| &strip.0)),
                };
                let (a, b, out) = (given(link.a), given(link.b), &mut own.0);
                match link.op {
                    Arith::Add => a.map_row(b, out, |x, y| x + y),
                    Arith::Sub => a.map_row(b, out, |x, y| x - y),
                    Arith::Mul => a.map_row(b, out, |x, y| x * y),
                    Arith::Div => a.map_row(b, out, |x, y| x / y),
                    Arith::Mod | Arith::IntDiv | Arith::Pow => unreachable!("these do not pass NaN on"),
                }
                strips[link.dst] = Some(own);
            }
            if let Some(done) = &strips[last.dst] {
                let mut odd = false;
                for x in done.0 {
                    odd |= x.is_nan();
                }
                nan |= odd;
                match &mut sink {
                    Sink::Shared(to) => to.put(at, &done.0),
                    Sink::Own(to) => to[at..at + STRIP].copy_from_slice(&done.0),
                }
            }
        }
        nan
    }
}

/// Takes the first `n` elements of all operands through the links; `n` is a multiple of [`STRIP`]. Whether a result is NaN.
pub(crate) fn walk(
    isa: Isa,
    links: &[Link],
    operands: &[Elems<'_, f64>],
    strips: &mut [Option<Box<Strip>>],
    n: usize,
    sink: Sink<'_>,
) -> bool {
    run(isa, Walk { links, operands, strips, n, sink })
}
