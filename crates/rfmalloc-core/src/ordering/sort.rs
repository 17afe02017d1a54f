//! Elements in order, of the types whose keys say all there is to say of an element: logical, integer and numeric.
//!
//! The keys are written to the result, told into parts on the way, sorted there, and become elements again. What keys do not say, the signs of zeros and what NA and NaN carry,
//! is copied from the source afterwards, in the order in which it stands there.

use super::keys::{self, Tally};
use super::scatter::scatter;
use super::{Limits, partition, quietly};
use crate::dtype::Dtype;
use crate::executor::{CHUNK, Context};
use crate::kernels::BLOCK;
use crate::region::Span;
use std::ops::Range;

/// Stores the `len` elements of `x` in order to `out`, which is other memory: ascending, NA and NaN last. None if it was cancelled, or the type is
/// none of the three.
pub(crate) fn sort(
    ctx: &Context<'_>,
    limits: Limits,
    dtype: Dtype,
    x: Span,
    len: u64,
    out: Span,
) -> Option<()> {
    match dtype {
        Dtype::Logical | Dtype::Integer => ints(ctx, limits, x, len, out),
        Dtype::Numeric => reals(ctx, limits, x, len, out),
        _ => None,
    }
}

fn ints(ctx: &Context<'_>, limits: Limits, x: Span, len: u64, out: Span) -> Option<()> {
    let fill = |at, keys: &mut [u32], (): &mut ()| {
        x.load(at, keys);
        for key in keys {
            *key = keys::of_int(*key as i32);
        }
    };
    let (_, ranges) = quietly(ctx, |ctx| scatter(ctx, limits, len, &fill, out))?;
    partition::sort::<u32>(ctx, limits, out, ranges, &|at, keys| {
        for key in &mut *keys {
            *key = keys::int_of(*key) as u32;
        }
        out.store(at, keys);
    })
}

fn reals(ctx: &Context<'_>, limits: Limits, x: Span, len: u64, out: Span) -> Option<()> {
    let fill = |at, keys: &mut [u64], tally: &mut Tally| {
        x.load(at, keys);
        *tally = keys::of_reals(ctx.isa, keys, *tally);
    };
    let (tallies, ranges) = quietly(ctx, |ctx| scatter(ctx, limits, len, &fill, out))?;
    partition::sort::<u64>(ctx, limits, out, ranges, &|at, keys| {
        keys::to_reals(ctx.isa, keys);
        out.store(at, keys);
    })?;
    let sum = |part: fn(&Tally) -> u64| tallies.iter().map(part).sum::<u64>();
    let (missing, zeros) = (sum(|t| t.missing), sum(|t| t.zeros));
    if missing > 0 {
        let run = len - missing..len;
        restore(ctx, x, len, out, run, &tallies, |t| t.missing, f64::is_nan)?;
    }
    if sum(|t| t.signed) > 0 {
        let start = sum(|t| t.below_zero);
        restore(ctx, x, len, out, start..start + zeros, &tallies, |t| t.zeros, |x| x == 0.0)?;
    }
    Some(())
}

/// Stores the elements of `x` for which `is_one` holds, in their order, to `run` of the result.
#[expect(clippy::too_many_arguments, reason = "two memories, and what is copied from the one to the other")]
fn restore(
    ctx: &Context<'_>,
    x: Span,
    len: u64,
    out: Span,
    run: Range<u64>,
    tallies: &[Tally],
    count: impl Fn(&Tally) -> u64,
    is_one: impl Fn(f64) -> bool + Sync,
) -> Option<()> {
    let mut before = Vec::with_capacity(tallies.len());
    let mut at = run.start;
    for tally in tallies {
        before.push(at);
        at += count(tally);
    }
    quietly(ctx, |ctx| {
        ctx.chunks(
            len,
            || (vec![0.0; BLOCK], Vec::with_capacity(BLOCK)),
            |(block, found), range| {
                let mut to = before[(range.start / CHUNK) as usize];
                each_block(range, |at, n| {
                    x.load(at, &mut block[..n]);
                    found.clear();
                    found.extend(block[..n].iter().copied().filter(|x| is_one(*x)));
                    // Another thread may have written the source meanwhile: nothing goes beyond the run.
                    let room = run.end.saturating_sub(to).min(found.len() as u64) as usize;
                    out.store::<f64>(to, &found[..room]);
                    to += room as u64;
                });
            },
        )
    })?;
    Some(())
}

/// Calls `f(first, how many)` for the blocks of a range of elements.
pub(super) fn each_block(range: Range<u64>, mut f: impl FnMut(u64, usize)) {
    let mut at = range.start;
    while at < range.end {
        let n = (range.end - at).min(BLOCK as u64);
        f(at, n as usize);
        at += n;
    }
}
