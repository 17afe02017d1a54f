//! Sums: compensated in lanes, with what is not finite kept apart.
//!
//! Each of the lanes adds with an error-free sum and collects the errors (Ogita, Rump, Oishi: "Accurate sum and dot product", Sum2); lanes, then
//! chunks, are merged in a fixed order as double-doubles. Elements that are not finite are counted by kind and left out, so that the rest stays
//! exact; if the running total leaves double's range, the caller sums once more with [`SCALE`]d elements.

use super::exact::{Dd, two_sum};
use super::simd::{Isa, Kernel, run};
use crate::na::{NA_INT, is_na, na_real};
use crate::region::Elems;

/// Accumulators side by side: whole vectors on every instruction set, and enough of them to hide an addition's latency.
pub(crate) const LANES: usize = 16;

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

impl Add<'_> {
    #[inline(always)]
    fn add(self, f: impl Fn(f64) -> f64) -> ([f64; LANES], [f64; LANES]) {
        let (mut sums, mut errors) = (self.sums, self.errors);
        let mut rest = [0.0; LANES];
        self.x.lanes::<LANES>(
            |l, x| {
                let (s, e) = two_sum(sums[l], f(x));
                sums[l] = s;
                errors[l] += e;
            },
            |l, x| rest[l] = f(x),
        );
        for l in 0..LANES {
            let (s, e) = two_sum(sums[l], rest[l]);
            sums[l] = s;
            errors[l] += e;
        }
        (sums, errors)
    }
}

impl Kernel for Add<'_> {
    type Out = ([f64; LANES], [f64; LANES]);
    #[inline(always)]
    fn run(self) -> Self::Out {
        let scale = self.scale;
        if self.finite {
            self.add(|x| if x.is_finite() { x * scale } else { 0.0 })
        } else if scale == 1.0 {
            self.add(|x| x)
        } else {
            self.add(|x| x * scale)
        }
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
        let (mut sums, mut errors) = run(isa, add(false));
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
                (sums, errors) = run(isa, add(true));
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

/// Adds one element, times `scale`, to each row's sum: the lanes are rows.
pub(crate) struct AddRows<'k> {
    pub(crate) x: Elems<'k, f64>,
    pub(crate) sums: &'k mut [f64],
    pub(crate) errors: &'k mut [f64],
    pub(crate) scale: f64,
}

impl Kernel for AddRows<'_> {
    type Out = ();
    #[inline(always)]
    fn run(self) {
        let scale = self.scale;
        self.x.update(self.sums, self.errors, |x, s, e| {
            let (sum, error) = two_sum(s, x * scale);
            (sum, e + error)
        });
    }
}
