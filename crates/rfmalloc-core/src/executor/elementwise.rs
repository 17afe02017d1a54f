//! Programs whose result is stored, element by element.

use super::Context;
use super::chain::Chain;
use super::machine::Machine;
use crate::compute::operand::Operand;
use crate::convert::Warnings;
use crate::kernels::BLOCK;
use crate::kernels::chain::Sink;
use crate::program::{Op, Program};
use crate::region::{Span, fence_streams};

/// Elements of a block of a program that leaves results of one instruction to the next: all of them stay in the first-level cache, and memory
/// is read and written in turns close enough to overlap. Blocks four times as long take twice as long.
const SHORT_BLOCK: usize = 512;

fn block_of(program: &Program, len: u64) -> u64 {
    let computed = program.insts.iter().filter(|inst| !matches!(inst.op, Op::Load(_))).count();
    len.min(if computed > 1 { SHORT_BLOCK } else { BLOCK } as u64)
}

/// Results from this size on are stored past the caches: they would push out what is still needed, and be read from memory anyway.
pub(super) const STREAM_NBYTES: u64 = 8 << 20;

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
    let block = block_of(program, len);
    let chain = Chain::of(program, operands, Some(out));
    let parts = ctx.chunks(
        len,
        || {
            let machine = Machine::new(ctx.isa, program, operands, block);
            (machine, chain.as_ref().map(|chain| chain.walker(ctx.isa)))
        },
        |(machine, walker), range| {
            let step = if walker.is_some() { BLOCK as u64 } else { block };
            let mut at = range.start;
            while at < range.end {
                let end = range.end.min(at + step);
                let sink = || Sink::Shared(out.stretch(at, (end - at) as usize, stream));
                if walker.as_mut().is_some_and(|walker| walker.run(at, (end - at) as usize, sink())) {
                    at = end;
                }
                while at < end {
                    let n = (end - at).min(block) as usize;
                    machine.run_into(at, n, out, stream);
                    at += n as u64;
                }
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
