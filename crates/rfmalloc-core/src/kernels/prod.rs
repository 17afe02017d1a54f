//! Products: significands multiplied as double-doubles, exponents added apart, so that no running product leaves the range.

use super::BLOCK;
use super::apply::any;
use super::complex::ldexp;
use super::exact::{Dd, quick_two_sum, two_prod};
use super::simd::{Isa, Kernel, run};
use super::sum::Odd;
use crate::region::Elems;

/// A number `m * 2^e` with `m` a double-double near 1, or zero.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scaled {
    pub(crate) m: Dd,
    pub(crate) e: i64,
}

/// The significand in `[1, 2)` with its sign, and the exponent, of a finite number other than zero.
#[inline(always)]
pub(crate) fn parts(x: f64) -> (f64, i64) {
    let tiny = x.abs() < f64::MIN_POSITIVE;
    let y = if tiny { x * 18_446_744_073_709_551_616.0 } else { x };
    let bits = y.to_bits();
    let e = ((bits >> 52) & 0x7FF) as i64 - 1023 - if tiny { 64 } else { 0 };
    (f64::from_bits((bits & 0x800F_FFFF_FFFF_FFFF) | 0x3FF0_0000_0000_0000), e)
}

impl Scaled {
    pub(crate) fn one() -> Self {
        Self { m: Dd::of(1.0), e: 0 }
    }

    /// The number itself (finite).
    pub(crate) fn of(x: f64) -> Self {
        if x == 0.0 {
            return Self { m: Dd::of(x), e: 0 };
        }
        let (m, e) = parts(x);
        Self { m: Dd::of(m), e }
    }

    fn normal(self) -> Self {
        if self.m.hi == 0.0 {
            return Self { m: Dd::of(self.m.hi), e: 0 };
        }
        let (_, e) = parts(self.m.hi);
        let down = |x: f64| ldexp(x, -(e as i32));
        Self { m: Dd { hi: down(self.m.hi), lo: down(self.m.lo) }, e: self.e + e }
    }

    /// The product.
    pub(crate) fn times(self, other: Self) -> Self {
        Self { m: self.m.times(other.m), e: self.e + other.e }.normal()
    }

    /// The sum: the smaller aligned to the larger.
    pub(crate) fn plus(self, other: Self) -> Self {
        if self.m.hi == 0.0 {
            return other;
        }
        if other.m.hi == 0.0 {
            return self;
        }
        let (big, small) = if self.e >= other.e { (self, other) } else { (other, self) };
        let gap = (big.e - small.e).min(300) as i32;
        let aligned = Dd { hi: ldexp(small.m.hi, -gap), lo: ldexp(small.m.lo, -gap) };
        Self { m: big.m.plus(aligned), e: big.e }.normal()
    }

    /// With the sign changed.
    pub(crate) fn negated(self) -> Self {
        Self { m: Dd { hi: -self.m.hi, lo: -self.m.lo }, e: self.e }
    }

    /// Rounded to a double.
    pub(crate) fn round(self) -> f64 {
        ldexp(self.m.round(), self.e.clamp(-5000, 5000) as i32)
    }
}

/// A running product of doubles.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Product {
    /// Of the finite numbers other than zero.
    pub(crate) value: Scaled,
    /// Whether a zero was met.
    pub(crate) zero: bool,
    /// What is not finite.
    pub(crate) odd: Odd,
    /// The sign of the infinities met.
    negative: bool,
}

const LANES: usize = 8;

struct Multiply<'k> {
    x: Elems<'k, f64>,
}

impl Kernel for Multiply<'_> {
    type Out = ([Dd; LANES], i64);
    #[inline(always)]
    fn run(self) -> Self::Out {
        let (mut hi, mut lo, mut exps) = ([1.0; LANES], [0.0; LANES], [0_i64; LANES]);
        let mut step = |l: usize, x: f64| {
            // What is odd, and zero, has been noted elsewhere.
            let x = if x.is_finite() & (x != 0.0) { x } else { 1.0 };
            let (m, e) = parts(x);
            let (p, err) = two_prod(hi[l], m);
            (hi[l], lo[l]) = quick_two_sum(p, err + lo[l] * m);
            exps[l] += e;
        };
        let mut rest = [1.0; LANES];
        self.x.lanes::<LANES>(
            |l, x| {
                step(l, x);
            },
            |l, x| rest[l] = x,
        );
        for l in 0..LANES {
            step(l, rest[l]);
        }
        (std::array::from_fn(|l| Dd { hi: hi[l], lo: lo[l] }), exps.iter().sum())
    }
}

impl Product {
    pub(crate) fn new() -> Self {
        Self { value: Scaled::one(), zero: false, odd: Odd::default(), negative: false }
    }

    /// Multiplies elements in.
    pub(crate) fn multiply<'k>(&mut self, isa: Isa, x: impl Into<Elems<'k, f64>>, remove: bool) {
        let mut x = x.into();
        while x.len() > 0 {
            self.multiply_block(isa, x.first(BLOCK), remove);
            x = x.rest(BLOCK);
        }
    }

    /// At most [`BLOCK`] elements, so that a lane's significands stay far from the range's end.
    fn multiply_block(&mut self, isa: Isa, x: Elems<'_, f64>, remove: bool) {
        if any(isa, x, |x: f64| !x.is_finite() | (x == 0.0)) {
            for x in x.iter().filter(|&x| !x.is_finite() || x == 0.0) {
                if x == 0.0 {
                    self.zero = true;
                } else if !(x.is_nan() && remove) {
                    self.odd.note(x);
                    self.negative ^= x < 0.0;
                }
            }
        }
        let (lanes, e) = run(isa, Multiply { x });
        let mut value = Scaled { m: self.value.m, e: self.value.e + e };
        for lane in lanes {
            value = value.times(Scaled { m: lane, e: 0 }.normal());
        }
        self.value = value;
    }

    /// Of both, in this order.
    pub(crate) fn times(self, other: Self) -> Self {
        Self {
            value: self.value.times(other.value),
            zero: self.zero | other.zero,
            odd: self.odd.or(other.odd),
            negative: self.negative ^ other.negative,
        }
    }

    /// The product, rounded.
    pub(crate) fn total(&self) -> f64 {
        let infinite = self.odd.infinite() > 0;
        if self.odd.na || self.odd.nan {
            super::missing::nan_of(self.odd.na)
        } else if infinite && self.zero {
            f64::NAN
        } else if infinite {
            let sign = if self.negative { -self.value.m.hi } else { self.value.m.hi };
            f64::INFINITY.copysign(sign)
        } else if self.zero {
            0.0_f64.copysign(self.value.m.hi)
        } else {
            self.value.round()
        }
    }
}
