//! Programs whose result is stored, element by element.

use super::Context;
use super::machine::{Machine, OwnBlock};
use crate::compute::operand::Operand;
use crate::convert::Warnings;
use crate::kernels::BLOCK;
use crate::program::Program;
use crate::region::{Plain, Span, fence_streams};

/// Results from this size on are stored past the caches: they would push out what is still needed, and be read from memory anyway.
const STREAM_NBYTES: u64 = 8 << 20;

fn put<T: Plain>(out: Span, at: u64, block: &[T], stream: bool) {
    if stream { out.stream(at, block) } else { out.store(at, block) }
}

/// Runs the program over `len` elements into `out`. None if it was cancelled; what was stored by then stays.
///
/// `out` may be an operand of the same length (in place): a block is read before it is stored.
pub(crate) fn run(
    ctx: &Context<'_>,
    program: &Program,
    operands: &[Operand],
    len: u64,
    out: Span,
) -> Option<Warnings> {
    let stream = out.nbytes() >= STREAM_NBYTES;
    let parts = ctx.chunks(
        len,
        || Machine::new(ctx.isa, program, operands, len),
        |machine, range| {
            let mut at = range.start;
            while at < range.end {
                let n = (range.end - at).min(BLOCK as u64) as usize;
                match machine.run_owned(at, n) {
                    OwnBlock::Int(block) => put(out, at, block, stream),
                    OwnBlock::Real(block) => put(out, at, block, stream),
                    OwnBlock::Complex(block) => put(out, at, block, stream),
                    OwnBlock::Raw(block) => put(out, at, block, stream),
                }
                at += n as u64;
            }
            if stream {
                fence_streams();
            }
            std::mem::take(&mut machine.warnings)
        },
    )?;
    let mut warnings = Warnings::default();
    for part in parts {
        warnings |= part;
    }
    Some(warnings)
}
