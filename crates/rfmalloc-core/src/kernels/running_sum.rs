//! Running sums of doubles: compensated, in runs of fixed places, several of which are added up at a time.
//!
//! One chain of error-free additions is bound by what an addition takes, a tenth of what memory gives. So a strip of elements is cut into
//! [`RUNS`] runs of [`RUN`], whose places follow from the vector's start alone. First each run is added up by itself (as in [`super::sum`]); what
//! stands before a run is the chunk's start and the totals of the runs before it, merged as double-doubles; then each run's running values go out,
//! beginning there. Runs are the lanes of a register, so that squares of elements are transposed on the way in and out. Every instruction set,
//! and any number of threads, does the same additions. The strip stays in the first-level cache between the two looks at it.

use super::exact::{Dd, quick_two_sum, two_sum};
use super::scan::{Scan, step};
use super::simd::Isa;
use super::simd_lanes::{self, LaneKernel, Lanes};
use super::sum::Odd;
use crate::convert::Warnings;

/// Runs of a strip: as many as the widest register has lanes.
const RUNS: usize = 8;
/// Elements of a run.
const RUN: usize = 128;
/// Elements of a strip; a block is a whole number of them.
const STRIP: usize = RUNS * RUN;
const _: () = assert!(super::BLOCK.is_multiple_of(STRIP));

/// Running sums of doubles. Where some total leaves double's range, [`super::scan::WideCumSum`] does it again.
pub(crate) struct CumSum;

/// The state of running sums.
#[derive(Clone, Copy, Default)]
pub(crate) struct Running {
    /// Before the chunk.
    before: Dd,
    /// Since the chunk's start. Unspecified once the odd decide: nothing depends on it any more.
    within: Dd,
    odd: Odd,
}

/// The totals of a strip's runs.
struct Totals<'k> {
    x: &'k [f64; STRIP],
}

impl LaneKernel for Totals<'_> {
    type Out = [Dd; RUNS];
    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) -> Self::Out {
        let (mut his, mut los) = ([0.0; RUNS], [0.0; RUNS]);
        for first in (0..RUNS).step_by(L::WIDTH) {
            let (mut hi, mut lo) = (lanes.column(&his[first..]), lanes.column(&los[first..]));
            for at in (0..RUN).step_by(L::WIDTH) {
                let x = lanes.square(self.x, first * RUN + at, RUN);
                for k in 0..L::WIDTH {
                    let (s, e) = lanes.two_sum_columns(hi, x[k]);
                    (hi, lo) = (s, lanes.add_columns(lo, e));
                }
            }
            lanes.put_column(hi, &mut his[first..]);
            lanes.put_column(lo, &mut los[first..]);
        }
        std::array::from_fn(|i| Dd { hi: his[i], lo: los[i] })
    }
}

/// The running values of a strip's runs, from what stands before each.
struct Values<'k> {
    x: &'k [f64; STRIP],
    his: [f64; RUNS],
    los: [f64; RUNS],
    out: &'k mut [f64; STRIP],
}

impl LaneKernel for Values<'_> {
    /// Where each run ended, not rounded: not finite if it left the range anywhere, since what is added afterwards is finite.
    type Out = [f64; RUNS];
    #[inline(always)]
    fn run<L: Lanes>(mut self, lanes: L) -> Self::Out {
        for first in (0..RUNS).step_by(L::WIDTH) {
            let (mut hi, mut lo) = (lanes.column(&self.his[first..]), lanes.column(&self.los[first..]));
            for at in (0..RUN).step_by(L::WIDTH) {
                let mut x = lanes.square(self.x, first * RUN + at, RUN);
                for k in 0..L::WIDTH {
                    let (s, e) = lanes.two_sum_columns(hi, x[k]);
                    (hi, lo) = (s, lanes.add_columns(lo, e));
                    x[k] = lanes.add_columns(hi, lo);
                }
                lanes.put_square(x, self.out, first * RUN + at, RUN);
            }
            lanes.put_column(hi, &mut self.his[first..]);
        }
        self.his
    }
}

/// The sum, of which the lower part is not kept below the upper one's last place.
#[inline]
fn loosely(a: Dd, b: Dd) -> Dd {
    let (hi, e) = two_sum(a.hi, b.hi);
    Dd { hi, lo: (a.lo + b.lo) + e }
}

impl Running {
    /// What stands before the next element.
    fn total(&self) -> Dd {
        loosely(self.before, self.within)
    }

    /// Adds the totals of a strip's runs; gives what stands before each.
    fn add(&mut self, totals: &[Dd; RUNS]) -> [Dd; RUNS] {
        let before = totals.map(|total| {
            let start = self.total();
            self.within = loosely(self.within, total);
            start
        });
        let (hi, lo) = quick_two_sum(self.within.hi, self.within.lo);
        self.within = Dd { hi, lo };
        before
    }

    /// Adds a strip up.
    fn gather(&mut self, isa: Isa, x: &[f64; STRIP]) {
        let totals = simd_lanes::run(isa, Totals { x });
        if totals.iter().any(|total| !total.hi.is_finite()) {
            for &x in x {
                self.odd.note(x);
            }
        }
        self.add(&totals);
    }

    /// The running values of a strip. False: one left double's range.
    fn strip(&mut self, isa: Isa, x: &[f64; STRIP], out: &mut [f64; STRIP]) -> bool {
        let totals = simd_lanes::run(isa, Totals { x });
        if totals.iter().any(|total| !total.hi.is_finite()) && x.iter().any(|x| !x.is_finite()) {
            return self.one_by_one(x, out);
        }
        let starts = self.add(&totals);
        let (his, los) = (starts.map(|start| start.hi), starts.map(|start| start.lo));
        simd_lanes::run(isa, Values { x, his, los, out }).iter().all(|end| end.is_finite())
    }

    /// The same where not all elements are finite, or few are left. Nothing is added to what stands before: either the odd decide from now on, or no
    /// element follows.
    fn one_by_one(&mut self, x: &[f64], out: &mut [f64]) -> bool {
        let mut total = self.total();
        for (o, &x) in out.iter_mut().zip(x) {
            if x.is_finite() {
                total = step(total, x);
            } else {
                self.odd.note(x);
            }
            *o = self.odd.total().unwrap_or_else(|| total.round());
            if !total.hi.is_finite() && self.odd.total().is_none() {
                return false;
            }
        }
        true
    }
}

impl Scan for CumSum {
    const RUNS_ON: bool = true;
    type Elem = f64;
    type State = Running;
    type Part = Running;

    fn start(&self) -> Running {
        Running::default()
    }
    fn part(&self) -> Running {
        Running::default()
    }
    fn gather(&self, isa: Isa, part: &mut Running, block: &mut [f64]) {
        // What fills no strip ends the vector: nobody asks for the state after it.
        for strip in block.as_chunks::<STRIP>().0 {
            part.gather(isa, strip);
        }
    }
    fn after(&self, state: &Running, part: &Running) -> Running {
        let mut after = Running { within: part.within, odd: state.odd.or(part.odd), ..*state };
        self.turn(&mut after);
        after
    }
    fn turn(&self, state: &mut Running) {
        state.before = state.before.plus(state.within);
        state.within = Dd::default();
    }
    fn run(&self, isa: Isa, state: &mut Running, block: &[f64], out: &mut [f64], _: &mut Warnings) -> bool {
        if state.odd.total().is_some() {
            return state.one_by_one(block, out);
        }
        let ((strips, rest), (outs, rest_out)) = (block.as_chunks::<STRIP>(), out.as_chunks_mut::<STRIP>());
        for (x, out) in strips.iter().zip(outs) {
            let done = match state.odd.total() {
                None => state.strip(isa, x, out),
                Some(_) => state.one_by_one(x, out),
            };
            if !done {
                return false;
            }
        }
        if rest.len() <= RUN || state.odd.total().is_some() {
            return state.one_by_one(rest, rest_out);
        }
        // Zeros behind the last elements change nothing.
        let (mut x, mut values) = ([0.0; STRIP], [0.0; STRIP]);
        x[..rest.len()].copy_from_slice(rest);
        let done = state.strip(isa, &x, &mut values);
        rest_out.copy_from_slice(&values[..rest.len()]);
        done
    }
}
