//! Sums: compensated in lanes, with what is not finite kept apart.
//!
//! Each of the lanes adds with an error-free sum and collects the errors (Ogita, Rump, Oishi: "Accurate sum and dot product", Sum2); lanes, then
//! chunks, are merged in a fixed order as double-doubles. Elements that are not finite are counted by kind and left out, so that the rest stays
//! exact; if the running total leaves double's range, the caller sums once more with [`SCALE`]d elements.

use super::exact::{Dd, two_sum};
use super::simd::{Isa, Kernel, run};
use super::simd_lanes::{self, LANES, LaneKernel, Lanes};
use crate::na::{NA_INT, is_na, na_real};
use crate::region::Elems;

/// What a total that left double's range is summed with again: 2^-64, so that no count of elements reaches the range's end.
pub(crate) const SCALE: f64 = 1.0 / 18_446_744_073_709_551_616.0;

/// Which elements that are no finite numbers were met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Odd {
    pub(crate) na: bool,
    pub(crate) nan: bool,
    /// How many.
    pub(crate) plus_inf: u64,
    /// How many.
    pub(crate) minus_inf: u64,
}

impl Odd {
    /// Notes one element.
    #[inline]
    pub(crate) fn note(&mut self, x: f64) {
        if x.is_nan() {
            if is_na(x) { self.na = true } else { self.nan = true }
        } else if x.is_infinite() {
            if x > 0.0 { self.plus_inf += 1 } else { self.minus_inf += 1 }
        }
    }

    /// Of both.
    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            na: self.na | other.na,
            nan: self.nan | other.nan,
            plus_inf: self.plus_inf + other.plus_inf,
            minus_inf: self.minus_inf + other.minus_inf,
        }
    }

    /// Infinite elements.
    pub(crate) fn infinite(self) -> u64 {
        self.plus_inf + self.minus_inf
    }

    /// What the total is because of them, if they decide it.
    pub(crate) fn total(self) -> Option<f64> {
        if self.na {
            Some(na_real())
        } else if self.nan || (self.plus_inf > 0 && self.minus_inf > 0) {
            Some(f64::NAN)
        } else if self.plus_inf > 0 {
            Some(f64::INFINITY)
        } else if self.minus_inf > 0 {
            Some(f64::NEG_INFINITY)
        } else {
            None
        }
    }
}

/// A running sum of doubles.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sum {
    sums: [f64; LANES],
    errors: [f64; LANES],
    /// What was left out of the lanes.
    pub(crate) odd: Odd,
    /// Elements counted (all, or those that are numbers if the others are removed).
    pub(crate) count: u64,
}

struct Add<'k> {
    x: Elems<'k, f64>,
    sums: [f64; LANES],
    errors: [f64; LANES],
    scale: f64,
    /// Leave out what is not finite.
    finite: bool,
}

/// The running sums in registers.
#[derive(Clone, Copy)]
struct Running<R> {
    sums: R,
    errors: R,
}

impl<R: Copy> Running<R> {
    #[inline(always)]
    fn plus<L: Lanes<Row = R>>(self, lanes: L, x: R) -> Self {
        let (sums, errors) = lanes.two_sum(self.sums, x);
        Self { sums, errors: lanes.add(self.errors, errors) }
    }
}

impl Add<'_> {
    /// What is added of a row: what is not finite left out, the rest scaled.
    #[inline(always)]
    fn chosen<L: Lanes>(&self, lanes: L, x: L::Row) -> L::Row {
        let mut row = [0.0; LANES];
        lanes.unpack(x, &mut row);
        for x in &mut row {
            *x = if self.finite & !x.is_finite() { 0.0 } else { *x * self.scale };
        }
        lanes.pack(&row)
    }
}

impl LaneKernel for Add<'_> {
    type Out = ([f64; LANES], [f64; LANES]);
    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) -> Self::Out {
        let mut running = Running { sums: lanes.pack(&self.sums), errors: lanes.pack(&self.errors) };
        let x = self.x;
        let whole = x.len() / LANES * LANES;
        if self.finite || self.scale != 1.0 {
            for at in (0..whole).step_by(LANES) {
                running = running.plus(lanes, self.chosen(lanes, lanes.walk(x, at)));
            }
        } else {
            for at in (0..whole).step_by(LANES) {
                running = running.plus(lanes, lanes.walk(x, at));
            }
        }
        running = running.plus(lanes, self.chosen(lanes, lanes.rest(x)));
        let mut out = ([0.0; LANES], [0.0; LANES]);
        lanes.unpack(running.sums, &mut out.0);
        lanes.unpack(running.errors, &mut out.1);
        out
    }
}

impl Sum {
    pub(crate) fn new() -> Self {
        Self { sums: [0.0; LANES], errors: [0.0; LANES], odd: Odd::default(), count: 0 }
    }

    /// Adds elements, each times `scale` (1, or [`SCALE`] when the total left the range). With `remove`, NA and NaN are left out without a
    /// trace.
    pub(crate) fn add<'k>(&mut self, isa: Isa, x: impl Into<Elems<'k, f64>>, remove: bool, scale: f64) {
        let x = x.into();
        self.count += x.len() as u64;
        let add = |finite| Add { x, sums: self.sums, errors: self.errors, scale, finite };
        let (mut sums, mut errors) = simd_lanes::run(isa, add(false));
        // Any element that is not finite leaves its lane not finite; so does overflow.
        if !sums.iter().all(|s| s.is_finite()) {
            let mut met = false;
            for x in x.iter().filter(|x| !x.is_finite()) {
                met = true;
                if x.is_nan() && remove {
                    self.count -= 1;
                } else {
                    self.odd.note(x);
                }
            }
            if met {
                (sums, errors) = simd_lanes::run(isa, add(true));
            }
        }
        (self.sums, self.errors) = (sums, errors);
    }

    /// The lanes' total. Not finite means: the total left double's range, sum again scaled.
    pub(crate) fn total(&self) -> Dd {
        let mut lanes = [Dd::default(); LANES];
        for l in 0..LANES {
            lanes[l] = Dd::of(self.sums[l]).plus(Dd::of(self.errors[l]));
        }
        let mut width = LANES / 2;
        while width > 0 {
            for l in 0..width {
                lanes[l] = lanes[l].plus(lanes[l + width]);
            }
            width /= 2;
        }
        lanes[0]
    }
}

/// A running sum of integers or logicals.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct IntSum {
    /// The exact total.
    pub(crate) total: i128,
    /// Whether an NA was met (and not removed).
    pub(crate) na: bool,
    /// Elements counted.
    pub(crate) count: u64,
}

struct AddInts<'k> {
    x: Elems<'k, i32>,
}

impl Kernel for AddInts<'_> {
    type Out = (i64, u32);
    #[inline(always)]
    fn run(self) -> Self::Out {
        // Sums of whole numbers do not depend on their order: no lanes of our own.
        let (mut total, mut missing) = (0_i64, 0_u32);
        for x in self.x.iter() {
            total += i64::from(x);
        }
        for x in self.x.iter() {
            missing += u32::from(x == NA_INT);
        }
        (total - i64::from(NA_INT) * i64::from(missing), missing)
    }
}

impl IntSum {
    /// Adds elements, at most 2^31.
    pub(crate) fn add(&mut self, isa: Isa, block: Elems<'_, i32>, remove: bool) {
        let (total, missing) = run(isa, AddInts { x: block });
        self.total += i128::from(total);
        self.na |= missing > 0 && !remove;
        self.count += block.len() as u64 - if remove { u64::from(missing) } else { 0 };
    }

    /// Of both.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self { total: self.total + other.total, na: self.na | other.na, count: self.count + other.count }
    }
}

/// Columns that [`AddColumns`] takes at a time: each row's sum then goes through the cache once for all of them.
pub(crate) const COLUMNS: usize = 8;

/// Adds columns, times `scale`, to their rows' sums, element by element in the order of the columns: the lanes are rows.
pub(crate) struct AddColumns<'k> {
    /// From the first column's first element to the last one's last.
    pub(crate) x: Elems<'k, f64>,
    /// Elements from a column's first to the next one's.
    pub(crate) stride: usize,
    pub(crate) count: usize,
    /// As many as rows.
    pub(crate) sums: &'k mut [f64],
    /// As many as rows.
    pub(crate) errors: &'k mut [f64],
    pub(crate) scale: f64,
}

impl AddColumns<'_> {
    #[inline(always)]
    fn rows<L: Lanes>(&mut self, lanes: L, scaled: bool) {
        let scale = lanes.splat(self.scale);
        // What is read next: the same rows of as many columns on.
        let next = self.stride * self.count;
        let (sums, _) = self.sums.as_chunks_mut::<LANES>();
        let (errors, _) = self.errors.as_chunks_mut::<LANES>();
        for (i, (sums, errors)) in sums.iter_mut().zip(errors).enumerate() {
            let mut running = Running { sums: lanes.pack(sums), errors: lanes.pack(errors) };
            for column in 0..self.count {
                let at = column * self.stride + i * LANES;
                self.x.ask_for(at + next);
                self.x.ask_for(at + next + LANES / 2);
                let x = lanes.read(self.x, at);
                running = running.plus(lanes, if scaled { lanes.mul(x, scale) } else { x });
            }
            lanes.unpack(running.sums, sums);
            lanes.unpack(running.errors, errors);
        }
    }
}

impl LaneKernel for AddColumns<'_> {
    type Out = ();
    #[inline(always)]
    fn run<L: Lanes>(mut self, lanes: L) {
        if self.scale == 1.0 {
            self.rows(lanes, false);
        } else {
            self.rows(lanes, true);
        }
        // The last rows, which fill no row of lanes.
        let n = self.sums.len().min(self.errors.len());
        for i in n / LANES * LANES..n {
            for column in 0..self.count {
                let x = self.x.get(column * self.stride + i) * self.scale;
                let (sum, error) = two_sum(self.sums[i], x);
                self.sums[i] = sum;
                self.errors[i] += error;
            }
        }
    }
}
