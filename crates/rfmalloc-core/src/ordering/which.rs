//! Positions of what is true.

use super::quietly;
use super::sort::each_block;
use crate::executor::{CHUNK, Context};
use crate::kernels::BLOCK;
use crate::na::NA_INT;
use crate::region::Span;

fn is_true(x: i32) -> bool {
    x != 0 && x != NA_INT
}

/// How many of the `len` logicals of `x` are TRUE, in each chunk. None if it was cancelled.
pub(crate) fn count_true(ctx: &Context<'_>, x: Span, len: u64) -> Option<Vec<u64>> {
    quietly(ctx, |ctx| {
        ctx.chunks(
            len,
            || vec![0; BLOCK],
            |block, range| {
                let mut count = 0;
                each_block(range, |at, n| {
                    x.load(at, &mut block[..n]);
                    count += block[..n].iter().map(|x| u64::from(is_true(*x))).sum::<u64>();
                });
                count
            },
        )
    })
}

/// Stores the positions, from 0, of what is TRUE, as doubles; `counts` are [`count_true`]'s. Where another thread made more of them TRUE meanwhile
/// they have no room; where it made fewer, positions of the last one found, or 0, fill up. None if it was cancelled.
pub(crate) fn which(ctx: &Context<'_>, x: Span, len: u64, counts: &[u64], out: Span) -> Option<()> {
    let mut before = vec![0];
    for count in counts {
        before.push(before[before.len() - 1] + count);
    }
    ctx.chunks(
        len,
        || (vec![0; BLOCK], Vec::with_capacity(BLOCK)),
        |(block, found), range| {
            let chunk = (range.start / CHUNK) as usize;
            let (mut to, end) = (before[chunk], before[chunk + 1]);
            let mut last = 0.0;
            each_block(range, |at, n| {
                x.load(at, &mut block[..n]);
                found.clear();
                for (i, x) in (at..).zip(&block[..n]) {
                    if is_true(*x) {
                        found.push(i as f64);
                    }
                }
                let room = (end - to).min(found.len() as u64) as usize;
                out.store::<f64>(to, &found[..room]);
                to += room as u64;
                last = found.last().copied().unwrap_or(last);
            });
            while to < end {
                out.store(to, &[last]);
                to += 1;
            }
        },
    )?;
    Some(())
}
