//! Variances: spreads of parts, merged; and many rows' spreads at once.

use super::simd::Kernel;
use super::sum::Odd;
use crate::na::na_real;
use crate::region::Elems;

/// Count, mean and sum of squared deviations, merged as Chan, Golub and `LeVeque` do ("Updating Formulae and a Pairwise Algorithm for Computing
/// Sample Variances", 1979).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spread {
    pub(crate) count: f64,
    pub(crate) mean: f64,
    pub(crate) squares: f64,
    pub(crate) odd: Odd,
}

impl Spread {
    /// Of both.
    pub(crate) fn with(self, other: Self) -> Self {
        let odd = self.odd.or(other.odd);
        if other.count == 0.0 || self.count == 0.0 {
            return Self { odd, ..if self.count == 0.0 { other } else { self } };
        }
        let count = self.count + other.count;
        let delta = other.mean - self.mean;
        Self {
            count,
            mean: self.mean + delta * (other.count / count),
            squares: self.squares + other.squares + delta * delta * (self.count * (other.count / count)),
            odd,
        }
    }

    /// NA of fewer than two elements; NaN where an element is infinite.
    pub(crate) fn variance(&self) -> f64 {
        if self.odd.na || self.odd.nan {
            return super::missing::nan_of(self.odd.na);
        }
        if self.count + (self.odd.infinite() as f64) < 2.0 {
            return na_real();
        }
        if self.odd.infinite() > 0 { f64::NAN } else { self.squares / (self.count - 1.0) }
    }
}

/// The sum of squared deviations from a mean.
pub(crate) struct Squares<'k> {
    pub(crate) x: &'k [f64],
    pub(crate) mean: f64,
}

impl Kernel for Squares<'_> {
    type Out = f64;
    #[inline(always)]
    fn run(self) -> f64 {
        let mut lanes = [0.0; 16];
        let chunks = self.x.chunks_exact(16);
        let tail = chunks.remainder();
        for row in chunks {
            for l in 0..16 {
                let d = row[l] - self.mean;
                lanes[l] += d * d;
            }
        }
        for (l, &x) in tail.iter().enumerate() {
            let d = x - self.mean;
            lanes[l] += d * d;
        }
        lanes.iter().sum()
    }
}

/// Adds one element to each row's spread (Welford's update).
pub(crate) struct WelfordRows<'k> {
    pub(crate) x: Elems<'k, f64>,
    pub(crate) counts: &'k mut [f64],
    pub(crate) means: &'k mut [f64],
    pub(crate) squares: &'k mut [f64],
}

impl Kernel for WelfordRows<'_> {
    type Out = ();
    #[inline(always)]
    fn run(self) {
        let n = self.x.len().min(self.counts.len());
        let counts = &mut self.counts[..n];
        for ((x, c), (m, s)) in self.x.iter().zip(counts).zip(self.means.iter_mut().zip(self.squares)) {
            // What is missing or odd has been noted elsewhere and changes nothing here.
            let counts = x.is_finite();
            let count = *c + if counts { 1.0 } else { 0.0 };
            let delta = if counts { x - *m } else { 0.0 };
            let mean = *m + delta / if count == 0.0 { 1.0 } else { count };
            *s += delta * if counts { x - mean } else { 0.0 };
            *m = mean;
            *c = count;
        }
    }
}
