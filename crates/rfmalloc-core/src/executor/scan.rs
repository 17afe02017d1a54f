//! Cumulative functions over a whole vector: chunks are summed up, the states before them merged in order, then the running values stored.

use super::elementwise::STREAM_NBYTES;
use super::{CHUNK, Context};
use crate::convert::Warnings;
use crate::kernels::BLOCK;
use crate::kernels::scan::Scan;
use crate::kernels::simd::Isa;
use crate::region::{Plain, Span, Stretch, fence_streams};
use std::ops::Range;

fn each_block<T: Plain>(x: Span, range: Range<u64>, block: &mut [T], mut f: impl FnMut(u64, &mut [T])) {
    let mut at = range.start;
    while at < range.end {
        let n = (range.end - at).min(BLOCK as u64) as usize;
        x.load(at, &mut block[..n]);
        f(at, &mut block[..n]);
        at += n as u64;
    }
}

/// How a scan ended.
pub(crate) enum Scanned {
    /// All running values are stored.
    Done(Warnings),
    /// A running value left double's range: to be done again by the slower way.
    OutOfRange,
    /// Stopped on request; what was stored by then stays.
    Cancelled,
}

struct Buffers<T> {
    block: Box<[T]>,
    out: Box<[T]>,
}

impl<T: Plain> Buffers<T> {
    fn new() -> Self {
        let block = || vec![T::default(); BLOCK].into_boxed_slice();
        Self { block: block(), out: block() }
    }
}

/// Bytes that are stored before as many are asked for: turns close enough for reads and writes to overlap.
const TURN: usize = 1024;
/// Bytes of a cache line.
const LINE: usize = 64;

/// Stores a block, and asks for the elements of `x` from `next` on, which are read after it.
fn put<T: Plain>(results: &[T], out: Stretch<'_, T>, x: Span, next: u64) {
    let left = (x.nbytes() / size_of::<T>() as u64).saturating_sub(next);
    let ahead = x.elems::<T>(next, left.min(BLOCK as u64) as usize);
    for (i, part) in results.chunks(TURN / size_of::<T>()).enumerate() {
        let first = i * (TURN / size_of::<T>());
        out.put(first, part);
        for line in 0..TURN / LINE {
            ahead.ask_for(first + line * (LINE / size_of::<T>()));
        }
    }
}

/// Stores a chunk's running values, and leaves the state after its last block. None: one left double's range.
fn store_chunk<S: Scan<Elem: Plain>>(
    isa: Isa,
    scan: &S,
    state: &mut S::State,
    (x, out): (Span, Span),
    range: Range<u64>,
    buffers: &mut Buffers<S::Elem>,
) -> Option<Warnings> {
    let mut warnings = Warnings::default();
    let mut inside = true;
    let stream = out.nbytes() >= STREAM_NBYTES;
    let Buffers { block, out: results } = buffers;
    each_block(x, range, block, |at, block| {
        let results = &mut results[..block.len()];
        inside = inside && scan.run(isa, state, block, results, &mut warnings);
        if inside {
            put(results, out.stretch(at, results.len(), stream), x, at + results.len() as u64);
        }
    });
    if stream {
        fence_streams();
    }
    inside.then_some(warnings)
}

/// Stores the running values of the `len` elements of `x` in `out`, which is other memory.
pub(crate) fn run<S: Scan<Elem: Plain>>(
    ctx: &Context<'_>,
    scan: &S,
    x: Span,
    len: u64,
    out: Span,
) -> Scanned {
    if ctx.threads <= 1 || len <= CHUNK {
        return in_order(ctx, scan, x, len, out);
    }
    let gather = |buffers: &mut Buffers<S::Elem>, range: Range<u64>| gathered(ctx, scan, x, range, buffers);
    let Some(parts) = ctx.chunks(len, Buffers::new, gather) else { return Scanned::Cancelled };
    let mut states = vec![scan.start()];
    for part in &parts {
        states.push(scan.after(&states[states.len() - 1], part));
    }
    let store = |buffers: &mut Buffers<S::Elem>, range: Range<u64>| {
        let mut state = states[(range.start / CHUNK) as usize].clone();
        store_chunk(ctx.isa, scan, &mut state, (x, out), range, buffers)
    };
    match ctx.chunks(len, Buffers::new, store) {
        None => Scanned::Cancelled,
        Some(parts) => merged(parts),
    }
}

fn merged(parts: Vec<Option<Warnings>>) -> Scanned {
    let mut warnings = Warnings::default();
    for part in parts {
        match part {
            Some(part) => warnings |= part,
            None => return Scanned::OutOfRange,
        }
    }
    Scanned::Done(warnings)
}

fn gathered<S: Scan<Elem: Plain>>(
    ctx: &Context<'_>,
    scan: &S,
    x: Span,
    range: Range<u64>,
    buffers: &mut Buffers<S::Elem>,
) -> S::Part {
    let mut part = scan.part();
    each_block(x, range, &mut buffers.block, |_, block| scan.gather(ctx.isa, &mut part, block));
    part
}

/// One thread: chunk by chunk, and a second look at a chunk, where there must be one, finds it in the cache. The same states as in parallel, so the
/// same bits. Scans whose chunks have no parts go this way whatever the threads.
pub(crate) fn in_order<S: Scan<Elem: Plain>>(
    ctx: &Context<'_>,
    scan: &S,
    x: Span,
    len: u64,
    out: Span,
) -> Scanned {
    let mut state = scan.start();
    let mut buffers = Buffers::new();
    let mut warnings = Warnings::default();
    let mut at = 0;
    while at < len {
        if ctx.watch.is_cancelled() {
            return Scanned::Cancelled;
        }
        let range = at..len.min(at + CHUNK);
        let after =
            (!S::RUNS_ON).then(|| scan.after(&state, &gathered(ctx, scan, x, range.clone(), &mut buffers)));
        match store_chunk(ctx.isa, scan, &mut state, (x, out), range.clone(), &mut buffers) {
            Some(part) => warnings |= part,
            None => return Scanned::OutOfRange,
        }
        match after {
            Some(after) => state = after,
            None => scan.turn(&mut state),
        }
        ctx.watch.done(range.end - range.start);
        at = range.end;
    }
    Scanned::Done(warnings)
}
