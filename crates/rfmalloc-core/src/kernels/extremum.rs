//! Smallest and largest (behaviour 10.6): NA wins over NaN, NaN over numbers; of equal zeros the first one's sign counts.

use super::simd::{Isa, Kernel, run};
use crate::na::{NA_INT, is_na, na_real};
use crate::region::Elems;

const LANES: usize = 16;

/// The end of the elements on one side, and whether an element may be NaN (or is infinite: a product with zero does not tell them apart).
struct End<'k, F> {
    x: Elems<'k, f64>,
    start: f64,
    /// The first if it lies further out, else the second, also where the first is NaN.
    further: F,
}

impl<F: Fn(f64, f64) -> f64> Kernel for End<'_, F> {
    type Out = (f64, bool);
    #[inline(always)]
    fn run(self) -> Self::Out {
        let (mut ends, mut rest_end) = ([self.start; LANES], self.start);
        // Sums of products with zero stay zero until something is not finite. No comparison: it would cost more than the search.
        let (mut zeros, mut rest_zero) = ([0.0; LANES], 0.0);
        let further = &self.further;
        self.x.lanes::<LANES>(
            |l, x| {
                ends[l] = further(x, ends[l]);
                zeros[l] += x * 0.0;
            },
            |_, x| {
                rest_end = further(x, rest_end);
                rest_zero += x * 0.0;
            },
        );
        for l in 0..LANES {
            rest_end = further(ends[l], rest_end);
            rest_zero += zeros[l];
        }
        (rest_end, rest_zero.is_nan())
    }
}

/// Which ends are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ends {
    Low,
    High,
    Both,
}

/// The running bounds of doubles.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RealBounds {
    low: f64,
    high: f64,
    na: bool,
    nan: bool,
    /// Elements that are numbers.
    pub(crate) count: u64,
}

impl RealBounds {
    pub(crate) fn new() -> Self {
        Self { low: f64::INFINITY, high: f64::NEG_INFINITY, na: false, nan: false, count: 0 }
    }

    /// Looks at a block, for these ends alone.
    pub(crate) fn add(&mut self, isa: Isa, block: Elems<'_, f64>, ends: Ends) {
        let (mut low, mut high, mut suspect) = (self.low, self.high, false);
        if ends != Ends::High {
            let further = |x, y| if x < y { x } else { y };
            let (end, odd) = run(isa, End { x: block, start: f64::INFINITY, further });
            (low, suspect) = (end, odd);
        }
        if ends != Ends::Low {
            let further = |x, y| if x > y { x } else { y };
            let (end, odd) = run(isa, End { x: block, start: f64::NEG_INFINITY, further });
            (high, suspect) = (end, suspect | odd);
        }
        let missing = if suspect { self.note_missing(block) } else { 0 };
        self.count += block.len() as u64 - missing;
        // Lanes see zeros out of order: the sign of the first one in the block counts.
        if low == 0.0 || high == 0.0 {
            let zero = block.iter().find(|&x| x == 0.0).unwrap_or(0.0);
            low = if low == 0.0 { zero } else { low };
            high = if high == 0.0 { zero } else { high };
        }
        self.low = if low < self.low { low } else { self.low };
        self.high = if high > self.high { high } else { self.high };
    }

    fn note_missing(&mut self, block: Elems<'_, f64>) -> u64 {
        let mut missing = 0;
        for x in block.iter().filter(|x| x.is_nan()) {
            missing += 1;
            if is_na(x) { self.na = true } else { self.nan = true }
        }
        missing
    }

    /// Of both, in this order.
    pub(crate) fn then(self, other: Self) -> Self {
        Self {
            low: if other.low < self.low { other.low } else { self.low },
            high: if other.high > self.high { other.high } else { self.high },
            na: self.na | other.na,
            nan: self.nan | other.nan,
            count: self.count + other.count,
        }
    }

    /// Smallest and largest; with `remove`, of the numbers only.
    pub(crate) fn bounds(&self, remove: bool) -> (f64, f64) {
        if self.na && !remove {
            (na_real(), na_real())
        } else if self.nan && !remove {
            (f64::NAN, f64::NAN)
        } else {
            (self.low, self.high)
        }
    }
}

struct IntBoundsOf<'k> {
    x: Elems<'k, i32>,
}

impl Kernel for IntBoundsOf<'_> {
    type Out = (i32, i32, u32);
    #[inline(always)]
    fn run(self) -> Self::Out {
        let (mut low, mut high, mut missing) = (i32::MAX, i32::MIN, 0_u32);
        for x in self.x.iter() {
            let na = x == NA_INT;
            // NA is the smallest pattern: it never raises the upper bound, and counts as the largest for the lower.
            low = low.min(if na { i32::MAX } else { x });
            high = high.max(x);
            missing += u32::from(na);
        }
        (low, high, missing)
    }
}

/// The running bounds of integers or logicals.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IntBounds {
    low: i32,
    high: i32,
    na: bool,
    /// Elements that are not NA.
    pub(crate) count: u64,
}

impl IntBounds {
    pub(crate) fn new() -> Self {
        Self { low: i32::MAX, high: i32::MIN, na: false, count: 0 }
    }

    /// Looks at a block.
    pub(crate) fn add(&mut self, isa: Isa, block: Elems<'_, i32>) {
        let (low, high, missing) = run(isa, IntBoundsOf { x: block });
        *self =
            self.then(Self { low, high, na: missing > 0, count: block.len() as u64 - u64::from(missing) });
    }

    /// Of both.
    pub(crate) fn then(self, other: Self) -> Self {
        Self {
            low: self.low.min(other.low),
            high: self.high.max(other.high),
            na: self.na | other.na,
            count: self.count + other.count,
        }
    }

    /// Smallest and largest; NA if there is one and it is not removed.
    pub(crate) fn bounds(&self, remove: bool) -> (i32, i32) {
        if self.na && !remove { (NA_INT, NA_INT) } else { (self.low, self.high) }
    }
}
