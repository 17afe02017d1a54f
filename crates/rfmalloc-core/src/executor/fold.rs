//! Programs whose result is summarised: each chunk gives a part, and the parts come back in index order.

use super::chain::Chain;
use super::machine::{Block, Machine};
use super::{CHUNK, Context};
use crate::compute::operand::Operand;
use crate::convert::Warnings;
use crate::kernels::BLOCK;
use crate::kernels::chain::Sink;
use crate::program::{Op, Program};
use crate::region::Elems;
use std::sync::atomic::{AtomicBool, Ordering};

/// Elements that are fed at a time: of a vector that is only read, all of a chunk, since no block of it is made.
fn fed(program: &Program, operands: &[Operand], len: u64) -> u64 {
    match (&program.insts[..], operands) {
        ([inst], [x]) if matches!(inst.op, Op::Load(_)) && x.in_place(len) => CHUNK,
        _ => BLOCK as u64,
    }
}

/// Runs the program over `len` elements and feeds its result blocks to a part per chunk. None if it was cancelled.
///
/// A part that is `enough` says that the others' no longer matter: chunks not yet begun, in whatever order, are then left out and have the parts that
/// `start` gives. Asked at the end of a chunk.
pub(crate) fn run<P: Send>(
    ctx: &Context<'_>,
    program: &Program,
    operands: &[Operand],
    len: u64,
    start: impl Fn() -> P + Sync,
    feed: impl Fn(&mut P, Block<'_>) + Sync,
    enough: impl Fn(&P) -> bool + Sync,
) -> Option<(Vec<P>, Warnings)> {
    let decided = AtomicBool::new(false);
    let fed = fed(program, operands, len);
    let chain = Chain::of(program, operands, None);
    let parts = ctx.chunks(
        len,
        || {
            let machine = Machine::new(ctx.isa, program, operands, len.min(BLOCK as u64));
            (machine, chain.as_ref().map(|chain| (chain.walker(ctx.isa), [0.0; BLOCK])))
        },
        |(machine, walker), range| {
            let mut part = start();
            if decided.load(Ordering::Relaxed) {
                return (part, Warnings::default());
            }
            let mut at = range.start;
            while at < range.end {
                let n = (range.end - at).min(fed) as usize;
                let walked = walker.as_mut().and_then(|(walker, own)| {
                    walker.run(at, n, Sink::Own(&mut own[..n])).then_some(&own[..n])
                });
                match walked {
                    Some(own) => feed(&mut part, Block::Real(Elems::from(own))),
                    None => feed(&mut part, machine.run(at, n)),
                }
                at += n as u64;
            }
            if enough(&part) {
                decided.store(true, Ordering::Relaxed);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compute::operand::Scalar;
    use crate::dtype::Dtype;
    use crate::program::{Bank, Builder};
    use std::sync::atomic::AtomicU64;

    /// A story of waste: `any` of a column whose first element is true read all of it.
    #[test]
    fn nothing_is_looked_at_after_the_chunk_that_decides() {
        let one = Operand::scalar(Dtype::Logical, Scalar::Int(1)).expect("a logical");
        let mut p = Builder::default();
        let a = p.load(0, Bank::Int);
        let program = p.finish(a);
        let seen = |enough: bool| {
            let seen = AtomicU64::new(0);
            let ctx = Context { threads: 1, ..Context::default() };
            let feed = |(): &mut (), block: Block<'_>| {
                if let Block::Int(block) = block {
                    seen.fetch_add(block.len() as u64, Ordering::Relaxed);
                }
            };
            let done = run(&ctx, &program, &[one], 10 * CHUNK, || (), feed, |()| enough);
            assert_eq!(done.map(|(parts, _)| parts.len()), Some(10));
            seen.into_inner()
        };
        assert_eq!((seen(true), seen(false)), (CHUNK, 10 * CHUNK));
    }
}
