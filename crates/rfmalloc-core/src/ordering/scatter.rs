//! Keys told into parts on their way to the result: each part's keys come to stand where they belong as a whole.
//!
//! The source is read twice, in sequence: to count the keys of each part, chunk by chunk, and to store them. A chunk's keys are brought
//! together by part in private memory first, so that what is stored is a stretch for each part. That takes the place of the first
//! six splits of [`super::partition`], which would read and write everything each time.

use super::Limits;
use super::partition::Range;
use super::sort::each_block;
use crate::executor::{CHUNK, Context};
use crate::kernels::BLOCK;
use crate::kernels::simd_classify::{PARTS, Splitters};
use crate::kernels::simd_sort::Key;
use crate::region::Span;
use std::hash::{BuildHasher, Hasher, RandomState};

/// Keys looked at for each splitter.
const SAMPLES: usize = 16;

/// Makes the keys of elements from one on, and notes what keys do not say.
pub(super) type Fill<'f, K, T> = &'f (dyn Fn(u64, &mut [K], &mut T) + Sync);

/// A thread's private memory.
struct Private<K> {
    block: Vec<K>,
    parts: Vec<u8>,
    parted: Vec<K>,
}

impl<K: Key> Private<K> {
    fn new() -> Self {
        Self { block: vec![K::default(); BLOCK], parts: vec![0; BLOCK], parted: Vec::new() }
    }
}

/// Stores the keys of `len` elements to `out`, in ranges of which each has greater keys than those before it, or equal ones. Gives the ranges, and
/// what was noted of each chunk. None if it was cancelled.
pub(super) fn scatter<K: Key, T: Default + Send>(
    ctx: &Context<'_>,
    limits: Limits,
    len: u64,
    fill: Fill<'_, K, T>,
    out: Span,
) -> Option<(Vec<T>, Vec<Range>)> {
    let _filling = out.filling(ctx.watch.spares_others());
    if len <= limits.run {
        let notes = ctx.chunks(len, Private::new, |private, range| {
            let mut note = T::default();
            each_block(range, |at, n| {
                fill(at, &mut private.block[..n], &mut note);
                out.store(at, &private.block[..n]);
            });
            note
        })?;
        return Some((notes, vec![Range { start: 0, len }]));
    }
    let splitters = splitters(len, fill);
    let counted = ctx.chunks(len, Private::new, |private, range| {
        let (mut note, mut counts) = (T::default(), [0_u64; PARTS]);
        each_block(range, |at, n| {
            let Private { block, parts, .. } = &mut *private;
            fill(at, &mut block[..n], &mut note);
            splitters.classify(ctx.isa, &block[..n], &mut parts[..n]);
            count(&parts[..n], &mut counts);
        });
        (note, counts)
    })?;
    let (notes, counts): (Vec<T>, Vec<[u64; PARTS]>) = counted.into_iter().unzip();
    let (ranges, starts) = places(&counts);
    ctx.chunks(len, Private::new, |private, range| {
        let chunk = (range.start / CHUNK) as usize;
        let Private { block, parts, parted } = private;
        parted.resize(CHUNK as usize, K::default());
        let mut places = [0; PARTS];
        let mut place = 0;
        for (first, n) in places.iter_mut().zip(counts[chunk]) {
            *first = place;
            place += n as usize;
        }
        each_block(range, |at, n| {
            fill(at, &mut block[..n], &mut T::default());
            splitters.classify(ctx.isa, &block[..n], &mut parts[..n]);
            for (key, part) in block[..n].iter().zip(&parts[..n]) {
                let place = &mut places[usize::from(*part) % PARTS];
                // Another thread may have written the source meanwhile: then keys are lost, and nothing else.
                if let Some(to) = parted.get_mut(*place) {
                    *to = *key;
                }
                *place += 1;
            }
        });
        let mut place = 0;
        for (start, n) in starts[chunk].iter().zip(counts[chunk]) {
            out.store(*start, &parted[place..place + n as usize]);
            place += n as usize;
        }
    })?;
    Some((notes, ranges))
}

/// Adds how many keys are of each part. Four tables take turns: a count just stored is not yet there to be read.
fn count(parts: &[u8], counts: &mut [u64; PARTS]) {
    let mut tables = [[0_u32; PARTS]; 4];
    let (fours, rest) = parts.as_chunks::<4>();
    for four in fours {
        for (table, part) in tables.iter_mut().zip(four) {
            table[usize::from(*part) % PARTS] += 1;
        }
    }
    for part in rest {
        tables[0][usize::from(*part) % PARTS] += 1;
    }
    for table in tables {
        counts.iter_mut().zip(table).for_each(|(sum, n)| *sum += u64::from(n));
    }
}

/// The ranges of the parts, and where in them the keys of each chunk begin.
fn places(counts: &[[u64; PARTS]]) -> (Vec<Range>, Vec<[u64; PARTS]>) {
    let mut starts = vec![[0; PARTS]; counts.len()];
    let mut ranges = Vec::with_capacity(PARTS);
    let mut at = 0;
    for part in 0..PARTS {
        let start = at;
        for (starts, counts) in starts.iter_mut().zip(counts) {
            starts[part] = at;
            at += counts[part];
        }
        if at > start {
            ranges.push(Range { start, len: at - start });
        }
    }
    (ranges, starts)
}

/// Splitters of some of the keys, chosen so that no data can be made to mislead.
fn splitters<K: Key, T: Default>(len: u64, fill: Fill<'_, K, T>) -> Splitters {
    let seed = RandomState::new();
    let mut some = [K::default(); PARTS * SAMPLES];
    for (i, key) in some.iter_mut().enumerate() {
        let mut hasher = seed.build_hasher();
        hasher.write_usize(i);
        fill(hasher.finish() % len, std::slice::from_mut(key), &mut T::default());
    }
    some.sort_unstable();
    let keys: Vec<K> = (1..PARTS).map(|i| some[i * SAMPLES]).collect();
    Splitters::new(&keys)
}
