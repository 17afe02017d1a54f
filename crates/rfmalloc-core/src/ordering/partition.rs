//! Sorting keys that lie in shared memory, in place.
//!
//! A range of keys is split around a pivot from both ends: two blocks are taken aside, then blocks are read from the end that has less room, split
//! in private memory, and stored at both ends. So a range is read once and written once, in two sequences. Ranges that fit into private memory
//! are loaded, sorted there and handed to the caller, who stores what he makes of them.

use super::Limits;
use crate::executor::Context;
use crate::kernels::simd_sort::Key;
use crate::region::Span;
use std::hash::{BuildHasher, Hasher, RandomState};

/// Keys moved at a time by a split; few in tests, so that little data is split often.
const BLOCK: usize = if cfg!(test) { 64 } else { 4096 };
/// Blocks between two looks at whether to stop.
const LOOK: u64 = 16;
/// Ranges for each thread, so that threads end together.
const SHARES: usize = 8;
/// Keys whose median is a pivot.
const SAMPLE: usize = 65;

/// Consecutive keys.
#[derive(Clone, Copy)]
pub(super) struct Range {
    pub(super) start: u64,
    pub(super) len: u64,
}

/// Receives a sorted run and the index of its first key.
pub(super) type Done<'d, K> = &'d (dyn Fn(u64, &mut [K]) + Sync);

/// A thread's private memory.
struct Private<K> {
    first: Vec<K>,
    last: Vec<K>,
    block: Vec<K>,
    parted: Vec<K>,
    run: Vec<K>,
    scratch: Vec<K>,
}

impl<K: Key> Private<K> {
    fn new() -> Self {
        let block = || vec![K::default(); BLOCK];
        Self {
            first: block(),
            last: block(),
            block: block(),
            parted: block(),
            run: Vec::new(),
            scratch: Vec::new(),
        }
    }
}

/// The work on one span of keys.
struct Work<'c, K> {
    ctx: &'c Context<'c>,
    keys: Span,
    run: u64,
    done: Done<'c, K>,
}

/// Sorts the keys in ranges of a span in place, each by itself, `done` being given every one of them once, in sorted runs: it stores them, or what it
/// makes of them. None if it was cancelled.
pub(super) fn sort<K: Key>(
    ctx: &Context<'_>,
    limits: Limits,
    keys: Span,
    mut ranges: Vec<Range>,
    done: Done<'_, K>,
) -> Option<()> {
    let work = Work { ctx, keys, run: limits.run.max(4 * BLOCK as u64), done };
    // Level by level, until there is something for each thread.
    while ctx.threads > 1 && ranges.len() < SHARES * ctx.threads && ranges.iter().any(|r| r.len > work.run) {
        let halves = ctx.tasks(
            ranges.len(),
            Private::new,
            |private, i| {
                let range = ranges[i];
                if range.len > work.run { work.divide(range, private) } else { Some([Some(range), None]) }
            },
            |_| 0,
        )?;
        let mut next = Vec::with_capacity(2 * ranges.len());
        for half in halves {
            next.extend(half?.into_iter().flatten());
        }
        ranges = next;
    }
    let sorted = ctx.tasks(ranges.len(), Private::new, |private, i| work.sort(ranges[i], private), |_| 0)?;
    sorted.into_iter().collect()
}

impl<K: Key> Work<'_, K> {
    /// Sorts a range; None if it was cancelled.
    fn sort(&self, range: Range, private: &mut Private<K>) -> Option<()> {
        let mut waiting = vec![range];
        while let Some(range) = waiting.pop() {
            if self.ctx.watch.is_cancelled() {
                return None;
            }
            if range.len > self.run {
                waiting.extend(self.divide(range, private)?.into_iter().flatten());
                continue;
            }
            let n = range.len as usize;
            let Private { run, scratch, .. } = private;
            if run.len() < n {
                run.resize(n, K::default());
                scratch.resize(n, K::default());
            }
            self.keys.load(range.start, &mut run[..n]);
            K::sort(self.ctx.isa, &mut run[..n], &mut scratch[..n]);
            (self.done)(range.start, &mut run[..n]);
            self.ctx.watch.done(range.len);
        }
        Some(())
    }

    /// Splits a range in two, of which one may be nothing. None if it was cancelled.
    fn divide(&self, range: Range, private: &mut Private<K>) -> Option<[Option<Range>; 2]> {
        let pivot = self.pivot(range);
        let low = self.split(range, pivot, private)?;
        if low > 0 {
            let high = Range { start: range.start + low, len: range.len - low };
            return Some([Some(Range { len: low, ..range }), Some(high)]);
        }
        // Nothing is below the pivot: it and its equals come first, and are done.
        let next = pivot.next();
        let equal = if next == pivot { range.len } else { self.split(range, next, private)? };
        let mut at = 0;
        while at < equal {
            let n = (equal - at).min(BLOCK as u64) as usize;
            private.block[..n].fill(pivot);
            (self.done)(range.start + at, &mut private.block[..n]);
            at += n as u64;
        }
        self.ctx.watch.done(equal);
        let rest = Range { start: range.start + equal, len: range.len - equal };
        Some([None, (rest.len > 0).then_some(rest)])
    }

    /// The median of some keys, chosen so that no data can be made to mislead.
    fn pivot(&self, range: Range) -> K {
        let seed = RandomState::new();
        let mut some = [K::default(); SAMPLE];
        for (i, key) in some.iter_mut().enumerate() {
            let mut hasher = seed.build_hasher();
            hasher.write_usize(i);
            self.keys.load(range.start + hasher.finish() % range.len, std::slice::from_mut(key));
        }
        some.sort_unstable();
        some[SAMPLE / 2]
    }

    /// Moves keys below the pivot to the front; returns how many. The range has at least two blocks. None if it was cancelled.
    fn split(&self, range: Range, pivot: K, private: &mut Private<K>) -> Option<u64> {
        let block = BLOCK as u64;
        let Private { first, last, block: moved, parted, .. } = private;
        let (start, end) = (range.start, range.start + range.len);
        self.keys.load(start, first);
        self.keys.load(end - block, last);
        // Stored are `[start, low)` and `[high, end)`; to be read is `[from, to)`. Between them are two blocks of room.
        let (mut low, mut high) = (start, end);
        let (mut from, mut to) = (start + block, end - block);
        let mut put = |keys: &[K]| {
            let parted = &mut parted[..keys.len()];
            let n = K::split(self.ctx.isa, keys, parted, pivot);
            high -= (keys.len() - n) as u64;
            self.keys.store(low, &parted[..n]);
            self.keys.store(high, &parted[n..]);
            low += n as u64;
            (low, high)
        };
        let (mut left, mut right) = (start, end);
        let mut blocks: u64 = 0;
        while to - from >= block {
            blocks += 1;
            if blocks.is_multiple_of(LOOK) && self.ctx.watch.is_cancelled() {
                return None;
            }
            if from - left <= right - to {
                self.keys.load(from, moved);
                from += block;
            } else {
                to -= block;
                self.keys.load(to, moved);
            }
            (left, right) = put(moved);
        }
        let rest = (to - from) as usize;
        self.keys.load(from, &mut moved[..rest]);
        put(&moved[..rest]);
        put(first);
        let (low, _) = put(last);
        Some(low - start)
    }
}
