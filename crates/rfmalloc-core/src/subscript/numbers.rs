//! Numeric subscripts: doubles or integers somewhere in memory, checked in one pass and read again in blocks.

use super::MISSING;
use super::errors::Kind;
use super::selection::Emitter;
use crate::elements::BLOCK;
use crate::error::Result;
use crate::na::{NA_INT, is_na, na_real};
use crate::region::Span;

/// Where numbers lie, and what they are. Whoever made the span keeps its memory in place.
#[derive(Clone, Copy)]
pub(crate) enum Numbers {
    /// Doubles; NA is R's.
    F64(Span),
    /// 32-bit integers; NA is `i32::MIN`.
    I32(Span),
}

/// How a number names an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Base {
    /// From 0; whole numbers only, nothing below zero.
    Zero,
    /// R's: from 1, zeros drop, negatives leave out, fractions are cut off.
    One,
}

/// What a first pass over a subscript found.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    /// Elements that select something, missing ones included.
    pub(super) selected: u64,
    /// Elements that leave something out.
    pub(super) negative: u64,
    /// NA, and what is no finite number.
    pub(super) missing: u64,
    /// Greatest position + 1.
    pub(super) end: u64,
    /// The first position, if all of them are consecutive.
    pub(super) run: Option<u64>,
}

/// 2^52: a number below it keeps its whole part, and nothing else, in the low bits of the sum of both.
const WHOLE: f64 = 4_503_599_627_370_496.0;

/// Whether all are whole numbers in `[least, 2^51)`, and the greatest. No branch, so that several are looked at at once.
fn plain(block: &[f64], least: f64) -> Option<f64> {
    // Rounded to a whole number and back; a NaN is equal to nothing.
    let is_right = |x: f64| u64::from((x + WHOLE) - WHOLE == x) & u64::from(x >= least);
    let (mut greatest, mut right) = ([least; 8], [1; 8]);
    let (eights, rest) = block.as_chunks::<8>();
    for x in eights {
        for i in 0..8 {
            greatest[i] = if x[i] > greatest[i] { x[i] } else { greatest[i] };
            right[i] &= is_right(x[i]);
        }
    }
    for &x in rest {
        greatest[0] = if x > greatest[0] { x } else { greatest[0] };
        right[0] &= is_right(x);
    }
    let greatest = greatest.into_iter().fold(least, f64::max);
    (!right.contains(&0) && greatest < WHOLE / 2.0).then_some(greatest)
}

impl Base {
    /// The least number that is a position.
    fn least(self) -> f64 {
        if self == Self::Zero { 0.0 } else { 1.0 }
    }
}

/// The positions of [`plain`] numbers.
fn plain_positions(block: &[f64], base: Base, positions: &mut [u64]) {
    let zero = WHOLE.to_bits() + u64::from(base == Base::One);
    for (p, &x) in positions.iter_mut().zip(block) {
        *p = (x + WHOLE).to_bits() - zero;
    }
}

/// What one number says.
#[derive(Clone, Copy)]
enum Says {
    Position(u64),
    Missing,
    Zero,
    Negative,
}

fn says(x: f64, base: Base) -> Says {
    // Not finite: also −Inf is a missing element in R.
    if x.is_nan() || x.is_infinite() {
        return Says::Missing;
    }
    // Beyond 2^63 the number saturates, far behind any end; the last value is kept for what is missing.
    let n = x as i64;
    match base {
        Base::Zero if n < 0 => Says::Negative,
        Base::Zero => Says::Position(n as u64),
        Base::One if n > 0 => Says::Position(n as u64 - 1),
        Base::One if n == 0 => Says::Zero,
        Base::One => Says::Negative,
    }
}

impl Numbers {
    /// How many.
    pub(crate) fn len(self) -> u64 {
        match self {
            Self::F64(s) => s.nbytes() / 8,
            Self::I32(s) => s.nbytes() / 4,
        }
    }

    /// Copies numbers from `at` on out, as doubles.
    pub(super) fn block(self, at: u64, out: &mut [f64]) {
        let mut bytes = [0; 8 * BLOCK as usize];
        match self {
            Self::F64(s) => {
                let bytes = &mut bytes[..out.len() * 8];
                s.read(at * 8, bytes);
                for (x, b) in out.iter_mut().zip(bytes.as_chunks::<8>().0) {
                    *x = f64::from_le_bytes(*b);
                }
            }
            Self::I32(s) => {
                let bytes = &mut bytes[..out.len() * 4];
                s.read(at * 4, bytes);
                for (x, b) in out.iter_mut().zip(bytes.as_chunks::<4>().0) {
                    let n = i32::from_le_bytes(*b);
                    *x = if n == NA_INT { na_real() } else { f64::from(n) };
                }
            }
        }
    }

    /// Calls `f(index of the first, numbers)` for all of them in blocks.
    pub(super) fn blocks(self, mut f: impl FnMut(u64, &[f64]) -> Result<()>) -> Result<()> {
        let mut block = [0.0; BLOCK as usize];
        let (len, mut at) = (self.len(), 0);
        while at < len {
            let part = &mut block[..(len - at).min(BLOCK) as usize];
            self.block(at, part);
            f(at, part)?;
            at += part.len() as u64;
        }
        Ok(())
    }

    /// Reads all of them once.
    ///
    /// # Errors
    /// `SUBSCRIPT`: from 0, a fraction, a negative number or NaN (`details.index`).
    pub(super) fn tally(self, base: Base) -> Result<Tally> {
        let mut t = Tally::default();
        let (mut next, mut consecutive) = (None, true);
        self.blocks(|at, block| {
            if let Some(greatest) = plain(block, base.least()) {
                let (first, end) = (block[0] - base.least(), greatest - base.least() + 1.0);
                t.selected += block.len() as u64;
                t.end = t.end.max(end as u64);
                t.run = t.run.or(Some(first as u64));
                consecutive = consecutive
                    && next.is_none_or(|n| n == first as u64)
                    && block.windows(2).all(|w| w[1] - w[0] == 1.0);
                next = Some(end as u64);
                return Ok(());
            }
            if base == Base::Zero {
                check_whole(at, block)?;
            }
            for &x in block {
                match says(x, base) {
                    Says::Position(p) => {
                        t.selected += 1;
                        t.end = t.end.max(p + 1);
                        t.run = t.run.or(Some(p));
                        consecutive &= next.is_none_or(|n| n == p);
                        next = Some(p + 1);
                    }
                    Says::Missing => {
                        t.selected += 1;
                        t.missing += 1;
                    }
                    Says::Zero => {}
                    Says::Negative => t.negative += 1,
                }
            }
            Ok(())
        })?;
        if !consecutive || t.missing > 0 {
            t.run = None;
        }
        Ok(t)
    }

    /// Emits the positions selected.
    pub(super) fn emit(self, base: Base, out: &mut Emitter) -> Result<()> {
        let mut positions = [0; BLOCK as usize];
        self.blocks(|_, block| {
            if plain(block, base.least()).is_some() {
                let positions = &mut positions[..block.len()];
                plain_positions(block, base, positions);
                return out.positions(positions);
            }
            let mut n = 0;
            for &x in block {
                let (p, takes) = match says(x, base) {
                    Says::Position(p) => (p, 1),
                    Says::Missing => (MISSING, 1),
                    Says::Zero | Says::Negative => (0, 0),
                };
                positions[n] = p;
                n += takes;
            }
            out.positions(&positions[..n])
        })
    }

    /// Calls `f` with every position that negative numbers (R's) or positions from 0 leave out.
    pub(super) fn left_out(self, base: Base, mut f: impl FnMut(u64)) -> Result<()> {
        self.blocks(|_, block| {
            for &x in block {
                match (says(x, base), base) {
                    (Says::Position(p), Base::Zero) => f(p),
                    (Says::Negative, Base::One) => f(((x as i64).unsigned_abs()) - 1),
                    _ => {}
                }
            }
            Ok(())
        })
    }
}

/// Positions from 0 are whole and not negative; NA and the infinite are missing elements.
fn check_whole(at: u64, block: &[f64]) -> Result<()> {
    let is_wrong = |x: f64| !(x as i64 as f64 == x && x >= 0.0);
    let wrong = block.iter().fold(false, |w, &x| w | is_wrong(x));
    if !wrong {
        return Ok(());
    }
    let refused = |x: &f64| x.is_nan() && !is_na(*x) || *x < 0.0 || x.is_finite() && x.fract() != 0.0;
    match block.iter().position(refused) {
        None => Ok(()),
        Some(i) => {
            let why = if block[i] < 0.0 {
                "positions count from 0 and are not negative; exclude() leaves elements out, and rIndex() takes R's subscripts"
            } else {
                "a position is a whole number; null is NA, and rIndex() takes R's subscripts"
            };
            Err(Kind::BadSubscript
                .error(format!("invalid subscript {}: {why}", block[i]))
                .with("index", at + i as u64))
        }
    }
}
