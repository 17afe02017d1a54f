//! Error-free sums and products of doubles, and numbers held as an unevaluated sum of two (double-double).
//!
//! `two_sum` is Knuth's, `two_prod` Dekker's with Veltkamp's split: no fused multiply-add, see [`super::simd`].

/// `a + b` and its exact rounding error.
#[inline(always)]
pub(crate) fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let s = a + b;
    let bb = s - a;
    (s, (a - (s - bb)) + (b - bb))
}

/// As `two_sum` where `|a| >= |b|` or `a` is zero.
#[inline(always)]
pub(crate) fn quick_two_sum(a: f64, b: f64) -> (f64, f64) {
    let s = a + b;
    (s, b - (s - a))
}

/// Halves of the significand whose sum is exact.
#[inline(always)]
fn split(a: f64) -> (f64, f64) {
    let t = 134_217_729.0 * a;
    let hi = t - (t - a);
    (hi, a - hi)
}

/// `a * b` and its exact rounding error, for operands far from the ends of the range.
#[inline(always)]
pub(crate) fn two_prod(a: f64, b: f64) -> (f64, f64) {
    let p = a * b;
    let ((ah, al), (bh, bl)) = (split(a), split(b));
    (p, ((ah * bh - p) + ah * bl + al * bh) + al * bl)
}

/// 2^-64.
const SMALLER: f64 = 1.0 / 18_446_744_073_709_551_616.0;

/// An unevaluated sum `hi + lo` of about 106 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Dd {
    pub(crate) hi: f64,
    pub(crate) lo: f64,
}

impl Dd {
    /// The number itself.
    pub(crate) fn of(x: f64) -> Self {
        Self { hi: x, lo: 0.0 }
    }

    /// The nearest pair to a whole number.
    pub(crate) fn of_whole(n: i128) -> Self {
        let hi = n as f64;
        Self { hi, lo: (n - hi as i128) as f64 }
    }

    /// The sum, with a relative error below 2^-104 of the larger operand.
    #[inline(always)]
    pub(crate) fn plus(self, other: Self) -> Self {
        let (s, e) = two_sum(self.hi, other.hi);
        let (t, f) = two_sum(self.lo, other.lo);
        let (s, e) = quick_two_sum(s, e + t);
        let (hi, lo) = quick_two_sum(s, e + f);
        Self { hi, lo }
    }

    /// The product.
    #[inline(always)]
    pub(crate) fn times(self, other: Self) -> Self {
        let (p, e) = two_prod(self.hi, other.hi);
        let (hi, lo) = quick_two_sum(p, e + (self.hi * other.lo + self.lo * other.hi));
        Self { hi, lo }
    }

    /// The quotient by a count.
    pub(crate) fn over(self, n: f64) -> Self {
        // Near the range's end the error-free product would overflow.
        if self.hi.abs() > 1e290 {
            let down = Self { hi: self.hi * SMALLER, lo: self.lo * SMALLER }.over(n);
            return Self { hi: down.hi / SMALLER, lo: down.lo / SMALLER };
        }
        let q = self.hi / n;
        let (p, e) = two_prod(q, n);
        let (hi, lo) = quick_two_sum(q, ((self.hi - p) - e + self.lo) / n);
        Self { hi, lo }
    }

    /// Rounded to one double.
    #[inline(always)]
    pub(crate) fn round(self) -> f64 {
        self.hi + self.lo
    }
}
