//! Cumulative functions, in two passes: what a chunk adds up to, then the running values from what stood before it.
//!
//! The state before a chunk is merged from the chunks' totals in index order, never taken from the running values, so any number of threads
//! gives the same bits (behaviour 9.6).

use super::exact::{Dd, two_sum};
use super::missing::nan_of;
use super::prod::{Product, Scaled};
use super::simd::Isa;
use super::sum::{Odd, SCALE};
use crate::convert::Warnings;
use crate::na::{NA_INT, is_na};

/// A cumulative function of one element type.
pub(crate) trait Scan: Sync {
    /// The element type.
    type Elem;
    /// What stands before an element.
    type State: Clone + Send + Sync;
    /// What a chunk adds.
    type Part: Send;
    /// Before the first element.
    fn start(&self) -> Self::State;
    /// Before a chunk's first block.
    fn part(&self) -> Self::Part;
    /// Adds a block to a chunk's part. The block is scratch.
    fn gather(&self, isa: Isa, part: &mut Self::Part, block: &mut [Self::Elem]);
    /// The state after a chunk.
    fn after(&self, state: &Self::State, part: &Self::Part) -> Self::State;
    /// Whether the state after a chunk's last block, once [`Scan::turn`]ed, is what [`Scan::after`] gives: then a chunk is read once where one thread
    /// goes in order.
    const RUNS_ON: bool;
    /// At the end of a chunk.
    fn turn(&self, _: &mut Self::State) {}
    /// The running values of a block, and the state after it. Blocks are of [`super::BLOCK`] elements but for the vector's last. False: the running value left double's range.
    fn run(
        &self,
        isa: Isa,
        state: &mut Self::State,
        block: &[Self::Elem],
        out: &mut [Self::Elem],
        warnings: &mut Warnings,
    ) -> bool;
}

/// Running sums of doubles where some total leaves double's range: slower, and in order only. See [`super::running_sum::CumSum`].
pub(crate) struct WideCumSum;

/// The state of running sums.
#[derive(Clone, Copy, Default)]
pub(crate) struct SumState {
    total: Dd,
    /// The same times [`SCALE`], kept by [`WideCumSum`] alone.
    scaled: Dd,
    odd: Odd,
}

/// Whether `f` holds for any; looks at all, without branches.
fn holds_any(block: &[f64], f: impl Fn(f64) -> bool) -> bool {
    block.iter().fold(false, |found, &x| found | f(x))
}

#[inline]
pub(super) fn step(total: Dd, x: f64) -> Dd {
    let (s, e) = two_sum(total.hi, x);
    Dd { hi: s, lo: total.lo + e }
}

impl Scan for WideCumSum {
    const RUNS_ON: bool = true;
    type Elem = f64;
    type State = SumState;
    type Part = ();

    fn start(&self) -> SumState {
        SumState::default()
    }
    fn part(&self) {}
    fn gather(&self, _: Isa, (): &mut (), _: &mut [f64]) {}
    fn after(&self, state: &SumState, (): &()) -> SumState {
        *state
    }
    fn run(&self, _: Isa, state: &mut SumState, block: &[f64], out: &mut [f64], _: &mut Warnings) -> bool {
        for (o, &x) in out.iter_mut().zip(block) {
            if x.is_finite() {
                state.scaled = step(state.scaled, x * SCALE);
                // Once out of the range the plain total is lost for good; the scaled one has all the digits that then matter.
                if state.total.hi.is_finite() {
                    state.total = step(state.total, x);
                }
            } else {
                state.odd.note(x);
            }
            *o = match state.odd.total() {
                Some(odd) => odd,
                None if state.total.hi.is_finite() => state.total.round(),
                None => state.scaled.round() / SCALE,
            };
        }
        true
    }
}

/// Running products of doubles.
pub(crate) struct CumProd;

impl Scan for CumProd {
    const RUNS_ON: bool = false;
    type Elem = f64;
    type State = Product;
    type Part = Product;

    fn start(&self) -> Product {
        Product::new()
    }
    fn part(&self) -> Product {
        Product::new()
    }
    fn gather(&self, isa: Isa, part: &mut Product, block: &mut [f64]) {
        part.multiply(isa, &*block, false);
    }
    fn after(&self, state: &Product, part: &Product) -> Product {
        state.times(*part)
    }
    fn run(&self, _: Isa, state: &mut Product, block: &[f64], out: &mut [f64], _: &mut Warnings) -> bool {
        for (o, &x) in out.iter_mut().zip(block) {
            if x.is_finite() && x != 0.0 {
                state.value = state.value.times(Scaled::of(x));
            } else {
                state.multiply(Isa::Baseline, &[x][..], false);
            }
            *o = state.total();
        }
        true
    }
}

/// Running sums of complex numbers: both parts, in order only.
pub(crate) struct ComplexCumSum;

impl Scan for ComplexCumSum {
    const RUNS_ON: bool = true;
    type Elem = [f64; 2];
    type State = [SumState; 2];
    type Part = ();

    fn start(&self) -> Self::State {
        Self::State::default()
    }
    fn part(&self) {}
    fn gather(&self, _: Isa, (): &mut (), _: &mut [[f64; 2]]) {}
    fn after(&self, state: &Self::State, (): &()) -> Self::State {
        *state
    }
    fn run(
        &self,
        isa: Isa,
        state: &mut Self::State,
        block: &[[f64; 2]],
        out: &mut [[f64; 2]],
        w: &mut Warnings,
    ) -> bool {
        for (o, &z) in out.iter_mut().zip(block) {
            for part in 0..2 {
                WideCumSum.run(isa, &mut state[part], &z[part..=part], &mut o[part..=part], w);
            }
        }
        true
    }
}

/// Running products of complex numbers: no parts of chunks, in order only.
pub(crate) struct ComplexCumProd;

impl Scan for ComplexCumProd {
    const RUNS_ON: bool = true;
    type Elem = [f64; 2];
    /// Both parts, and what was not finite.
    type State = ([Scaled; 2], Option<[f64; 2]>);
    type Part = ();

    fn start(&self) -> Self::State {
        ([Scaled::one(), Scaled::of(0.0)], None)
    }
    fn part(&self) {}
    fn gather(&self, _: Isa, (): &mut (), _: &mut [[f64; 2]]) {}
    fn after(&self, state: &Self::State, (): &()) -> Self::State {
        *state
    }
    fn run(
        &self,
        _: Isa,
        state: &mut Self::State,
        block: &[[f64; 2]],
        out: &mut [[f64; 2]],
        _: &mut Warnings,
    ) -> bool {
        let ([re, im], odd) = state;
        for (o, &z) in out.iter_mut().zip(block) {
            let finite = z[0].is_finite() && z[1].is_finite();
            if odd.is_some() || !finite {
                let before = odd.unwrap_or([re.round(), im.round()]);
                let na = super::missing::is_na_complex(before) || super::missing::is_na_complex(z);
                *odd = Some(super::missing::repair_complex(super::complex::mul(before, z), na));
            } else {
                let (c, d) = (Scaled::of(z[0]), Scaled::of(z[1]));
                (*re, *im) = (re.times(c).plus(im.times(d).negated()), re.times(d).plus(im.times(c)));
            }
            *o = odd.unwrap_or([re.round(), im.round()]);
        }
        true
    }
}

/// Running extremes of doubles; the first NA or NaN stays.
pub(crate) struct CumBound {
    /// The largest so far, or the smallest.
    pub(crate) largest: bool,
}

impl CumBound {
    fn better(&self, x: f64, than: f64) -> bool {
        // Of equal zeros the later one's sign counts.
        if self.largest { x >= than } else { x <= than }
    }

    /// The running extremes of a block without NaN, each given to `each`, and the last one. None where the slower way must be taken.
    fn run_numbers(&self, best: Option<f64>, block: &[f64], mut each: impl FnMut(usize, f64)) -> Option<f64> {
        let mut best = best.or(block.first().copied())?;
        if best.is_nan() || holds_any(block, f64::is_nan) {
            return None;
        }
        for (i, &x) in block.iter().enumerate() {
            best = if self.better(x, best) { x } else { best };
            each(i, best);
        }
        Some(best)
    }
}

impl Scan for CumBound {
    const RUNS_ON: bool = true;
    type Elem = f64;
    type State = Option<f64>;
    type Part = Option<f64>;

    fn start(&self) -> Option<f64> {
        None
    }
    fn part(&self) -> Option<f64> {
        None
    }
    fn gather(&self, _: Isa, part: &mut Option<f64>, block: &mut [f64]) {
        if let Some(best) = self.run_numbers(*part, block, |_, _| {}) {
            *part = Some(best);
            return;
        }
        for &x in &*block {
            *part = self.after(part, &Some(x));
        }
    }
    fn after(&self, state: &Option<f64>, part: &Option<f64>) -> Option<f64> {
        match (*state, *part) {
            (Some(best), _) if best.is_nan() => Some(best),
            (_, Some(x)) if x.is_nan() => Some(nan_of(is_na(x))),
            (Some(best), Some(x)) => Some(if self.better(x, best) { x } else { best }),
            (one, other) => one.or(other),
        }
    }
    fn run(&self, _: Isa, state: &mut Option<f64>, block: &[f64], out: &mut [f64], _: &mut Warnings) -> bool {
        if let Some(best) = self.run_numbers(*state, block, |i, best| out[i] = best) {
            *state = Some(best);
            return true;
        }
        for (o, &x) in out.iter_mut().zip(block) {
            *state = self.after(state, &Some(x));
            *o = state.unwrap_or(x);
        }
        true
    }
}

/// Running extremes of integers; NA stays.
pub(crate) struct IntCumBound {
    /// The largest so far, or the smallest.
    pub(crate) largest: bool,
}

impl Scan for IntCumBound {
    const RUNS_ON: bool = true;
    type Elem = i32;
    type State = Option<i32>;
    type Part = Option<i32>;

    fn start(&self) -> Option<i32> {
        None
    }
    fn part(&self) -> Option<i32> {
        None
    }
    fn gather(&self, _: Isa, part: &mut Option<i32>, block: &mut [i32]) {
        for &x in &*block {
            *part = self.after(part, &Some(x));
        }
    }
    fn after(&self, state: &Option<i32>, part: &Option<i32>) -> Option<i32> {
        match (*state, *part) {
            (Some(NA_INT), _) | (_, Some(NA_INT)) => Some(NA_INT),
            (Some(best), Some(x)) => Some(if self.largest { best.max(x) } else { best.min(x) }),
            (one, other) => one.or(other),
        }
    }
    fn run(&self, _: Isa, state: &mut Option<i32>, block: &[i32], out: &mut [i32], _: &mut Warnings) -> bool {
        for (o, &x) in out.iter_mut().zip(block) {
            *state = self.after(state, &Some(x));
            *o = state.unwrap_or(x);
        }
        true
    }
}

/// Running sums of integers: NA from the first NA on, and from the first total beyond the range of integer on, with a warning.
pub(crate) struct IntCumSum;

/// A chunk of integers: its total, and how far its running sums reach from where they start.
#[derive(Clone, Copy, Default)]
pub(crate) struct Reach {
    total: i64,
    low: i64,
    high: i64,
    na: bool,
}

impl Scan for IntCumSum {
    const RUNS_ON: bool = true;
    type Elem = i32;
    /// The total; none once it is NA.
    type State = Option<i64>;
    type Part = Reach;

    fn start(&self) -> Option<i64> {
        Some(0)
    }
    fn part(&self) -> Reach {
        Reach::default()
    }
    fn gather(&self, _: Isa, part: &mut Reach, block: &mut [i32]) {
        for &x in &*block {
            part.na |= x == NA_INT;
            part.total += i64::from(x);
            part.low = part.low.min(part.total);
            part.high = part.high.max(part.total);
        }
    }
    fn after(&self, state: &Option<i64>, part: &Reach) -> Option<i64> {
        let limit = i64::from(i32::MAX);
        state
            .filter(|before| !part.na && before + part.high <= limit && before + part.low >= -limit)
            .map(|n| n + part.total)
    }
    fn run(
        &self,
        _: Isa,
        state: &mut Option<i64>,
        block: &[i32],
        out: &mut [i32],
        warnings: &mut Warnings,
    ) -> bool {
        for (o, &x) in out.iter_mut().zip(block) {
            if let Some(total) = *state {
                let next = total + i64::from(x);
                let known = x != NA_INT;
                let fits = next.abs() <= i64::from(i32::MAX);
                if known && !fits {
                    *warnings |= Warnings::INTEGER_OVERFLOW;
                }
                *state = (known && fits).then_some(next);
            }
            *o = state.map_or(NA_INT, |total| total as i32);
        }
        true
    }
}
