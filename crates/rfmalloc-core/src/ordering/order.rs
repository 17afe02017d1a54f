//! Positions in order.
//!
//! An element's position is put behind the upper part of its word in one number of 64 bits: as many bits of the word's range as the positions leave
//! room for. Those numbers are all different, so they can be sorted by any way that sorts numbers, and elements whose parts are equal stand in
//! their original order. Where the part said less than the word, or the word less than the element, such a group is ordered again, by what its
//! words say beyond: short groups in private memory, long ones like the whole.

use super::keys::MISSING;
use super::words::{Positions, Words};
use super::{Limits, partition, quietly};
use crate::error::Result;
use crate::executor::{CHUNK, Context};
use crate::region::Span;

/// Elements that are equal in all words before `word`, by the numbers that stand in the result.
#[derive(Clone, Copy)]
struct Group {
    start: u64,
    len: u64,
    word: u32,
    /// Nothing is written yet: positions are those of the places.
    is_fresh: bool,
}

/// What the words of a group have in common, without what is missing.
#[derive(Clone, Copy)]
struct Bounds {
    low: u64,
    high: u64,
    /// Bits in which words differ from the first one.
    differ: u64,
    first: u64,
    missing: u64,
}

impl Bounds {
    const NONE: Self = Self { low: u64::MAX, high: 0, differ: 0, first: MISSING, missing: 0 };

    fn add(&mut self, word: u64) {
        if word == MISSING {
            self.missing += 1;
            return;
        }
        if self.first == MISSING {
            self.first = word;
        }
        self.low = self.low.min(word);
        self.high = self.high.max(word);
        self.differ |= word ^ self.first;
    }

    fn or(mut self, other: Self) -> Self {
        self.missing += other.missing;
        if other.first == MISSING {
            return self;
        }
        if self.first == MISSING {
            return Self { missing: self.missing, ..other };
        }
        self.differ |= other.differ | (self.first ^ other.first);
        Self { low: self.low.min(other.low), high: self.high.max(other.high), ..self }
    }
}

/// How the upper part of a word and a position make a number.
#[derive(Clone, Copy)]
struct Packing {
    /// Bits of a position.
    bits: u32,
    low: u64,
    shift: u32,
    /// The part of what is missing: one more than the greatest.
    missing: u64,
    /// The parts say as much as the words do.
    is_exact: bool,
}

impl Packing {
    fn new(bits: u32, bounds: &Bounds) -> Self {
        let range = bounds.high.saturating_sub(bounds.low);
        let most = u64::MAX >> bits;
        let mut shift = 0;
        while range >> shift >= most {
            shift += 1;
        }
        let is_exact = shift <= bounds.differ.trailing_zeros();
        Self { bits, low: bounds.low.min(bounds.high), shift, missing: (range >> shift) + 1, is_exact }
    }

    /// The words may have been written since their bounds were found: the part stays in range.
    fn pack(&self, word: u64, position: u64) -> u64 {
        let part = if word == MISSING {
            self.missing
        } else {
            (word.saturating_sub(self.low) >> self.shift).min(self.missing - 1)
        };
        part << self.bits | position
    }

    fn part(&self, number: u64) -> u64 {
        number >> self.bits
    }

    fn position(&self, number: u64) -> u64 {
        number & !(u64::MAX << self.bits)
    }

    /// A word with this part; the word, if parts are exact.
    fn word(&self, part: u64) -> u64 {
        if part >= self.missing { MISSING } else { self.low + (part << self.shift) }
    }
}

/// The work of one call.
struct Work<'c> {
    ctx: &'c Context<'c>,
    words: &'c dyn Words,
    out: Span,
    limits: Limits,
    bits: u32,
}

/// Stores the positions, from 0, of the `len` elements in order to `out`, as doubles. None if it was cancelled.
///
/// # Errors
/// What reading the elements meets.
pub(crate) fn order(
    ctx: &Context<'_>,
    limits: Limits,
    words: &dyn Words,
    len: u64,
    out: Span,
) -> Result<Option<()>> {
    let bits = u64::BITS - len.saturating_sub(1).leading_zeros();
    quietly(ctx, |quiet| {
        let work = Work { ctx: quiet, words, out, limits, bits: bits.max(1) };
        let mut waiting = vec![Group { start: 0, len, word: 0, is_fresh: true }];
        while let Some(group) = waiting.pop() {
            let Some(left) = work.order(ctx, group)? else { return Ok(None) };
            waiting.extend(left);
        }
        Ok(Some(()))
    })
}

/// A thread's private memory.
#[derive(Default)]
struct Private {
    numbers: Vec<u64>,
    positions: Vec<u64>,
    words: Vec<u64>,
    pairs: Vec<(u64, u64)>,
    results: Vec<f64>,
}

impl Work<'_> {
    /// Orders a group; returns what of it is left to be ordered by later words. `watched` is told of progress with the whole. None if it was cancelled.
    fn order(&self, watched: &Context<'_>, group: Group) -> Result<Option<Vec<Group>>> {
        if group.len <= self.limits.run.min(CHUNK / 16) {
            if group.is_fresh {
                watched.watch.done(group.len);
            }
            return self.few(group);
        }
        let Some(bounds) = self.bounds(group)? else { return Ok(None) };
        let is_one = bounds.differ == 0 && (bounds.missing == 0 || bounds.missing == group.len);
        if is_one && !self.words.is_last(group.word, bounds.first) {
            return Ok(Some(vec![Group { word: group.word + 1, ..group }]));
        }
        let packing = Packing::new(self.bits, &bounds);
        if self.pack(group, packing)?.is_none() {
            return Ok(None);
        }
        if is_one {
            if group.is_fresh {
                watched.watch.done(group.len);
            }
        } else {
            let ctx = if group.is_fresh { watched } else { self.ctx };
            let store = |at, numbers: &mut [u64]| self.out.store(at, numbers);
            let whole = vec![partition::Range { start: group.start, len: group.len }];
            if partition::sort::<u64>(ctx, self.limits, self.out, whole, &store).is_none() {
                return Ok(None);
            }
        }
        self.settle(group, packing)
    }

    /// The positions of `n` elements of a group from its element `i` on.
    fn positions(&self, group: Group, i: u64, into: &mut [u64]) {
        self.out.load(group.start + i, into);
        for position in into {
            *position &= !(u64::MAX << self.bits);
        }
    }

    /// Reads the words of elements `range` of a group, and their positions.
    fn read(&self, group: Group, range: std::ops::Range<u64>, private: &mut Private) -> Result<()> {
        let n = (range.end - range.start) as usize;
        private.words.resize(n, 0);
        private.positions.resize(n, 0);
        let at = if group.is_fresh {
            for (position, place) in private.positions.iter_mut().zip(group.start + range.start..) {
                *position = place;
            }
            Positions::From(group.start + range.start)
        } else {
            self.positions(group, range.start, &mut private.positions);
            Positions::At(&private.positions)
        };
        self.words.words(group.word, at, &mut private.words)
    }

    fn bounds(&self, group: Group) -> Result<Option<Bounds>> {
        let parts = self.ctx.chunks(group.len, Private::default, |private, range| {
            self.read(group, range, private)?;
            let mut bounds = Bounds::NONE;
            private.words.iter().for_each(|word| bounds.add(*word));
            Ok(bounds)
        });
        let Some(parts) = parts else { return Ok(None) };
        parts.into_iter().try_fold(Bounds::NONE, |all, part| Ok(all.or(part?))).map(Some)
    }

    /// Stores the numbers of a group.
    fn pack(&self, group: Group, packing: Packing) -> Result<Option<()>> {
        let _filling = self.out.filling(group.is_fresh && self.ctx.watch.spares_others());
        let stored = self.ctx.chunks(group.len, Private::default, |private, range| {
            let start = group.start + range.start;
            self.read(group, range, private)?;
            for (word, position) in private.words.iter_mut().zip(&private.positions) {
                *word = packing.pack(*word, *position);
            }
            self.out.store(start, &private.words);
            Ok(())
        });
        let Some(stored) = stored else { return Ok(None) };
        stored.into_iter().collect::<Result<()>>().map(Some)
    }

    /// Makes positions of sorted numbers; groups of equal parts that say too little are ordered. Those too long for that are returned.
    fn settle(&self, group: Group, packing: Packing) -> Result<Option<Vec<Group>>> {
        let cuts = self.cuts(group, packing);
        let tasks = self.ctx.tasks(
            cuts.len() - 1,
            Private::default,
            |private, i| self.settle_part(group, packing, cuts[i]..cuts[i + 1], private),
            |_| 0,
        );
        let Some(tasks) = tasks else { return Ok(None) };
        let mut left = Vec::new();
        for task in tasks {
            let Some(more) = task? else { return Ok(None) };
            left.extend(more);
        }
        Ok(Some(left))
    }

    fn number(&self, at: u64) -> u64 {
        let mut one = [0];
        self.out.load(at, &mut one);
        one[0]
    }

    /// Where the chunks of a group's sorted numbers end, so that none cuts equal parts.
    fn cuts(&self, group: Group, packing: Packing) -> Vec<u64> {
        let end = group.start + group.len;
        let mut cuts = vec![group.start];
        let mut at = group.start + CHUNK;
        while at < end {
            at = self.end_of_part(packing, at - 1, end);
            cuts.push(at);
            at += CHUNK;
        }
        if cuts.last() != Some(&end) {
            cuts.push(end);
        }
        cuts
    }

    /// One after the last number that has the same part as the one at `at`.
    fn end_of_part(&self, packing: Packing, at: u64, end: u64) -> u64 {
        let part = packing.part(self.number(at));
        let (mut from, mut to) = (at + 1, end);
        while from < to {
            let mid = from + (to - from) / 2;
            if packing.part(self.number(mid)) > part {
                to = mid;
            } else {
                from = mid + 1;
            }
        }
        from
    }

    fn settle_part(
        &self,
        group: Group,
        packing: Packing,
        range: std::ops::Range<u64>,
        private: &mut Private,
    ) -> Result<Option<Vec<Group>>> {
        let mut left = Vec::new();
        let mut numbers = std::mem::take(&mut private.numbers);
        let mut at = range.start;
        while at < range.end {
            if self.ctx.watch.is_cancelled() {
                return Ok(None);
            }
            let n = (range.end - at).min(self.limits.run) as usize;
            numbers.resize(n, 0);
            self.out.load(at, &mut numbers);
            let is_whole = at + n as u64 == range.end;
            let mut i = 0;
            while i < n {
                let part = packing.part(numbers[i]);
                let len = numbers[i..].iter().take_while(|x| packing.part(**x) == part).count();
                let is_settled = packing.is_exact && self.words.is_last(group.word, packing.word(part))
                    || part == packing.missing;
                if i + len == n && !is_whole && !is_settled {
                    // Goes on behind what was loaded.
                    break;
                }
                for x in &mut numbers[i..i + len] {
                    *x = packing.position(*x);
                }
                if len > 1 && !is_settled {
                    let word = group.word + u32::from(packing.is_exact);
                    if !self.resolve(word, &mut numbers[i..i + len], private)? {
                        return Ok(None);
                    }
                }
                i += len;
            }
            private.results.clear();
            private.results.extend(numbers[..i].iter().map(|position| *position as f64));
            self.out.store::<f64>(at, &private.results);
            at += i as u64;
            if i == 0 {
                // As long as everything that may be loaded.
                let end = self.end_of_part(packing, at, range.end);
                let word = group.word + u32::from(packing.is_exact);
                left.push(Group { start: at, len: end - at, word, is_fresh: false });
                at = end;
            }
        }
        private.numbers = numbers;
        Ok(Some(left))
    }

    /// Orders a short group as a whole.
    fn few(&self, group: Group) -> Result<Option<Vec<Group>>> {
        let mut private = Private::default();
        let mut positions: Vec<u64> = (group.start..group.start + group.len).collect();
        if !group.is_fresh {
            self.positions(group, 0, &mut positions);
        }
        if !self.resolve(group.word, &mut positions, &mut private)? {
            return Ok(None);
        }
        let results: Vec<f64> = positions.iter().map(|position| *position as f64).collect();
        self.out.store(group.start, &results);
        Ok(Some(Vec::new()))
    }

    /// Orders positions of elements that are equal in all words before `word`, which stand in their original order. False if it was cancelled.
    fn resolve(&self, word: u32, positions: &mut [u64], private: &mut Private) -> Result<bool> {
        let mut waiting = vec![(0, positions.len(), word)];
        while let Some((from, to, word)) = waiting.pop() {
            if self.ctx.watch.is_cancelled() {
                return Ok(false);
            }
            let positions = &mut positions[from..to];
            private.words.resize(positions.len(), 0);
            self.words.words(word, Positions::At(positions), &mut private.words)?;
            let pairs = &mut private.pairs;
            pairs.clear();
            pairs.extend(private.words.iter().copied().zip(positions.iter().copied()));
            // No two are equal, so this is stable.
            pairs.sort_unstable();
            for (position, (_, sorted)) in positions.iter_mut().zip(&*pairs) {
                *position = *sorted;
            }
            let mut i = 0;
            for same in pairs.chunk_by(|a, b| a.0 == b.0) {
                if same.len() > 1 && !self.words.is_last(word, same[0].0) {
                    waiting.push((from + i, from + i + same.len(), word + 1));
                }
                i += same.len();
            }
        }
        Ok(true)
    }
}
