//! Programs whose result is summarised: each chunk gives a part, and the parts come back in index order.

use super::machine::{Block, Machine};
use super::{CHUNK, Context};
use crate::compute::operand::Operand;
use crate::convert::Warnings;
use crate::kernels::BLOCK;
use crate::program::{Op, Program};

/// Elements that are fed at a time: of a vector that is only read, all of a chunk, since no block of it is made.
fn fed(program: &Program, operands: &[Operand], len: u64) -> u64 {
    match (&program.insts[..], operands) {
        ([inst], [x]) if matches!(inst.op, Op::Load(_)) && x.in_place(len) => CHUNK,
        _ => BLOCK as u64,
    }
}

/// Runs the program over `len` elements and feeds its result blocks to a part per chunk. None if it was cancelled.
pub(crate) fn run<P: Send>(
    ctx: &Context<'_>,
    program: &Program,
    operands: &[Operand],
    len: u64,
    start: impl Fn() -> P + Sync,
    feed: impl Fn(&mut P, Block<'_>) + Sync,
) -> Option<(Vec<P>, Warnings)> {
    let fed = fed(program, operands, len);
    let parts = ctx.chunks(
        len,
        || Machine::new(ctx.isa, program, operands, len.min(BLOCK as u64)),
        |machine, range| {
            let mut part = start();
            let mut at = range.start;
            while at < range.end {
                let n = (range.end - at).min(fed) as usize;
                feed(&mut part, machine.run(at, n));
                at += n as u64;
            }
            (part, std::mem::take(&mut machine.warnings))
        },
    )?;
    let mut warnings = Warnings::default();
    let parts = parts
        .into_iter()
        .map(|(part, w)| {
            warnings |= w;
            part
        })
        .collect();
    Some((parts, warnings))
}
