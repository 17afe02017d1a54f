//! First occurrences: one bit for each element.
//!
//! The elements are read once for each part that their hashes fall into; parts run beside each other, each with a table of its own. Where the
//! tables outgrow their budget there are twice as many parts, and the work begins again: more passes, each in sequence, never more memory.

use super::sort::each_block;
use super::{Limits, quietly};
use crate::dtype::Dtype;
use crate::elements::Vector;
use crate::error::Result;
use crate::executor::{CHUNK, Context};
use crate::kernels::{BLOCK, C64};
use crate::na::{is_na, na_real};
use crate::region::{Plain, Span};
use crate::strings::SeenTexts;
use crate::subscript::{Receiver, Run, Runs};
use hashbrown::{DefaultHashBuilder, HashSet};
use std::hash::{BuildHasher, Hash};
use std::sync::atomic::{AtomicU64, Ordering};

/// Most parts: beyond that many passes tables may grow.
const MOST_PARTS: usize = 1 << 16;

/// Which elements occur for the first time.
pub(crate) struct Seen {
    bits: Vec<AtomicU64>,
    /// The first element's position.
    start: u64,
}

impl Seen {
    fn new(start: u64, len: u64) -> Self {
        Self { start, bits: (0..len.div_ceil(64)).map(|_| AtomicU64::new(0)).collect() }
    }

    fn add(&self, i: u64) {
        self.bits[(i / 64) as usize].fetch_or(1 << (i % 64), Ordering::Relaxed);
    }

    fn clear(&self) {
        self.bits.iter().for_each(|bits| bits.store(0, Ordering::Relaxed));
    }
}

impl Runs for Seen {
    fn len(&self) -> u64 {
        self.bits.iter().map(|bits| u64::from(bits.load(Ordering::Relaxed).count_ones())).sum()
    }

    fn each(&self, f: &mut Receiver<'_>) -> Result<()> {
        let mut block = Vec::with_capacity(BLOCK);
        for (i, bits) in (0_u64..).step_by(64).zip(&self.bits) {
            let mut bits = bits.load(Ordering::Relaxed);
            if block.len() + bits.count_ones() as usize > BLOCK {
                f(Run::At(&block))?;
                block.clear();
            }
            while bits != 0 {
                block.push(self.start + i + u64::from(bits.trailing_zeros()));
                bits &= bits - 1;
            }
        }
        if block.is_empty() { Ok(()) } else { f(Run::At(&block)) }
    }
}

/// Runs `scan(part, parts, most bytes of a table)` until the tables keep to their budget; it answers whether they did. None if it was cancelled.
fn in_parts(
    ctx: &Context<'_>,
    limits: Limits,
    len: u64,
    seen: &Seen,
    scan: impl Fn(usize, usize, u64) -> Result<Option<bool>> + Sync,
) -> Result<Option<()>> {
    let mut parts = if len > CHUNK { ctx.threads.next_power_of_two().min(MOST_PARTS) } else { 1 };
    loop {
        let most = if parts < MOST_PARTS {
            limits.table_nbytes / ctx.threads.min(parts).max(1) as u64
        } else {
            u64::MAX
        };
        let tasks = quietly(ctx, |ctx| ctx.tasks(parts, || (), |(), part| scan(part, parts, most), |_| 0));
        let Some(tasks) = tasks else { return Ok(None) };
        let mut fits = true;
        for task in tasks {
            let Some(fit) = task? else { return Ok(None) };
            fits &= fit;
        }
        if fits {
            ctx.watch.done(len);
            return Ok(Some(()));
        }
        seen.clear();
        parts = (2 * parts).min(MOST_PARTS);
    }
}

/// Whether a hash falls into a part; the bits are others than those a table uses.
fn is_of(hash: u64, part: usize, parts: usize) -> bool {
    (hash >> 32) as usize & (parts - 1) == part
}

/// Which of the `len` elements of `x` occur for the first time. NA differs from NaN, zeros of both signs are equal; a complex number is NA if a part
/// is, and else NaN if a part is. None if it was cancelled.
///
/// # Errors
/// None of its own.
pub(crate) fn unique_plain(
    ctx: &Context<'_>,
    limits: Limits,
    dtype: Dtype,
    x: Span,
    len: u64,
) -> Result<Option<Seen>> {
    match dtype {
        Dtype::Raw => plain(ctx, limits, x, len, |x: u8| x),
        Dtype::Complex => plain(ctx, limits, x, len, complex_key),
        Dtype::Numeric => plain(ctx, limits, x, len, real_key),
        _ => plain(ctx, limits, x, len, |x: i32| x),
    }
}

fn real_key(x: f64) -> u64 {
    if is_na(x) {
        na_real().to_bits()
    } else if x.is_nan() {
        f64::NAN.to_bits()
    } else {
        (x + 0.0).to_bits()
    }
}

fn complex_key(z: C64) -> [u64; 2] {
    if is_na(z[0]) || is_na(z[1]) {
        [real_key(na_real()); 2]
    } else if z[0].is_nan() || z[1].is_nan() {
        [real_key(f64::NAN); 2]
    } else {
        z.map(real_key)
    }
}

fn plain<T: Plain, K: Hash + Eq>(
    ctx: &Context<'_>,
    limits: Limits,
    x: Span,
    len: u64,
    key: impl Fn(T) -> K + Sync,
) -> Result<Option<Seen>> {
    let seen = Seen::new(0, len);
    let state = DefaultHashBuilder::default();
    let done = in_parts(ctx, limits, len, &seen, |part, parts, most| {
        let mut table = HashSet::with_hasher(state.clone());
        let mut block = [T::default(); BLOCK];
        let mut at = 0;
        while at < len {
            if ctx.watch.is_cancelled() {
                return Ok(None);
            }
            let end = len.min(at + CHUNK);
            each_block(at..end, |at, n| {
                x.load(at, &mut block[..n]);
                for (i, x) in (at..).zip(&block[..n]) {
                    let key = key(*x);
                    if (parts == 1 || is_of(state.hash_one(&key), part, parts)) && table.insert(key) {
                        seen.add(i);
                    }
                }
            });
            if table.allocation_size() as u64 > most {
                return Ok(Some(false));
            }
            at = end;
        }
        Ok(Some(true))
    })?;
    Ok(done.map(|()| seen))
}

/// Which of strings `[start, start + len)` of a vector occur for the first time, by their positions in it. NA equals NA. None if it was cancelled.
///
/// # Errors
/// As [`Vector::string`].
pub(crate) fn unique_texts(
    ctx: &Context<'_>,
    limits: Limits,
    vector: &Vector,
    (start, len): (u64, u64),
) -> Result<Option<Seen>> {
    vector.check(start, len)?;
    let seen = Seen::new(start, len);
    let done = in_parts(ctx, limits, len, &seen, |part, parts, most| {
        let mut table = SeenTexts::default();
        let mut at = 0;
        while at < len {
            if ctx.watch.is_cancelled() {
                return Ok(None);
            }
            let n = (len - at).min(CHUNK);
            let is_mine = |hash| is_of(hash, part, parts);
            table.look(vector, (start + at, n), is_mine, |i| seen.add(i - start))?;
            if table.nbytes() > most {
                return Ok(Some(false));
            }
            at += n;
        }
        Ok(Some(true))
    })?;
    Ok(done.map(|()| seen))
}
