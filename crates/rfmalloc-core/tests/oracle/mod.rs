//! An independent oracle: fixed-point numbers of 384 binary places, and functions from their defining series. Shares no code with the engine.

use std::cmp::Ordering;

/// 64-bit places below the point.
const PLACES: usize = 6;
/// And above it.
const WHOLE: usize = 3;
const LIMBS: usize = PLACES + WHOLE;

/// A signed fixed-point number, limbs from the lowest; exact but for products and quotients, which lose what lies below 2^-384.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fix {
    negative: bool,
    limbs: [u64; LIMBS],
}

impl Fix {
    pub(crate) const ZERO: Self = Self { negative: false, limbs: [0; LIMBS] };

    pub(crate) fn whole(n: i64) -> Self {
        let mut out = Self { negative: n < 0, ..Self::ZERO };
        out.limbs[PLACES] = n.unsigned_abs();
        out
    }

    /// The exact value of a double between 2^-300 and 2^180, or zero.
    pub(crate) fn of(x: f64) -> Self {
        if x == 0.0 {
            return Self::ZERO;
        }
        let bits = x.to_bits();
        let e = ((bits >> 52) & 0x7FF) as i32 - 1075;
        let mantissa = (bits & ((1 << 52) - 1)) | 1 << 52;
        let at = e + 64 * PLACES as i32;
        assert!(at >= 0 && at < 64 * (LIMBS as i32 - 1), "{x} is outside the oracle's range");
        let (limb, shift) = (at as usize / 64, at as u32 % 64);
        let mut out = Self { negative: x < 0.0, ..Self::ZERO };
        out.limbs[limb] = mantissa << shift;
        out.limbs[limb + 1] = if shift == 0 { 0 } else { mantissa >> (64 - shift) };
        out
    }

    /// Near enough for reports: the leading digits.
    pub(crate) fn approx(self) -> f64 {
        let mut out = 0.0;
        for (i, &limb) in self.limbs.iter().enumerate().rev().skip_while(|(_, limb)| **limb == 0).take(3) {
            out += limb as f64 * 2f64.powi(64 * (i as i32 - PLACES as i32));
        }
        if self.negative { -out } else { out }
    }

    pub(crate) fn neg(self) -> Self {
        Self { negative: !self.negative, ..self }
    }

    pub(crate) fn abs(self) -> Self {
        Self { negative: false, ..self }
    }

    fn size(self, other: Self) -> Ordering {
        self.limbs.iter().rev().cmp(other.limbs.iter().rev())
    }

    pub(crate) fn add(self, other: Self) -> Self {
        if self.negative == other.negative {
            let mut out = self;
            let mut carry = false;
            for (a, b) in out.limbs.iter_mut().zip(other.limbs) {
                let (s, c1) = a.overflowing_add(b);
                let (s, c2) = s.overflowing_add(u64::from(carry));
                (*a, carry) = (s, c1 | c2);
            }
            return out;
        }
        let (big, small) = if self.size(other) == Ordering::Less { (other, self) } else { (self, other) };
        let mut out = big;
        let mut borrow = false;
        for (a, b) in out.limbs.iter_mut().zip(small.limbs) {
            let (d, c1) = a.overflowing_sub(b);
            let (d, c2) = d.overflowing_sub(u64::from(borrow));
            (*a, borrow) = (d, c1 | c2);
        }
        out
    }

    pub(crate) fn sub(self, other: Self) -> Self {
        self.add(other.neg())
    }

    pub(crate) fn mul(self, other: Self) -> Self {
        let mut wide = [0_u64; 2 * LIMBS];
        for (i, &a) in self.limbs.iter().enumerate() {
            let mut carry = 0_u128;
            for (j, &b) in other.limbs.iter().enumerate() {
                let t = u128::from(a) * u128::from(b) + u128::from(wide[i + j]) + carry;
                wide[i + j] = t as u64;
                carry = t >> 64;
            }
            wide[i + LIMBS] = carry as u64;
        }
        let mut out = Self { negative: self.negative != other.negative, ..Self::ZERO };
        out.limbs.copy_from_slice(&wide[PLACES..PLACES + LIMBS]);
        out
    }

    /// Divided by a small number.
    pub(crate) fn over(self, n: u64) -> Self {
        let mut out = self;
        let mut rem = 0_u128;
        for limb in out.limbs.iter_mut().rev() {
            let t = rem << 64 | u128::from(*limb);
            *limb = (t / u128::from(n)) as u64;
            rem = t % u128::from(n);
        }
        out
    }

    pub(crate) fn times(self, n: i64) -> Self {
        self.mul(Self::whole(n))
    }

    /// The quotient, by Newton's reciprocal.
    pub(crate) fn div(self, other: Self) -> Self {
        let mut r = Self::of(1.0 / other.approx());
        for _ in 0..4 {
            r = r.add(r.mul(Self::whole(1).sub(other.mul(r))));
        }
        self.mul(r)
    }

    pub(crate) fn sqrt(self) -> Self {
        if self == Self::ZERO {
            return self;
        }
        let mut y = Self::of(self.approx().sqrt());
        for _ in 0..4 {
            y = y.add(self.div(y)).over(2);
        }
        y
    }
}

/// The sum of a series whose term `k` is the one before times `x * step(k)`, from `first` on.
fn series(first: Fix, ratio: impl Fn(Fix, u64) -> Fix) -> Fix {
    let (mut sum, mut term) = (first, first);
    for k in 1..400 {
        term = ratio(term, k);
        if term.limbs == Fix::ZERO.limbs {
            break;
        }
        sum = sum.add(term);
    }
    sum
}

pub(crate) fn exp(x: Fix) -> Fix {
    // exp(x) = exp(x / 2^16)^(2^16); the error grows by as much and leaves more than 300 places.
    let small = x.over(1 << 16);
    let mut y = series(Fix::whole(1), |t, k| t.mul(small).over(k));
    for _ in 0..16 {
        y = y.mul(y);
    }
    y
}

/// `2 atanh(s)`, for small `s`.
fn log_ratio(s: Fix) -> Fix {
    let square = s.mul(s);
    let (mut sum, mut power) = (s, s);
    for k in 1..600 {
        power = power.mul(square);
        if power.limbs == Fix::ZERO.limbs {
            break;
        }
        sum = sum.add(power.over(2 * k + 1));
    }
    sum.times(2)
}

pub(crate) fn ln(x: Fix) -> Fix {
    // From the double's estimate: ln x = y + ln(x exp(-y)), the rest near 1.
    let y = Fix::of(x.approx().ln());
    let rest = x.mul(exp(y.neg()));
    let one = Fix::whole(1);
    y.add(log_ratio(rest.sub(one).div(rest.add(one))))
}

pub(crate) fn sin_cos(x: Fix) -> (Fix, Fix) {
    // Halved until small, then doubled back.
    const HALVINGS: u32 = 24;
    let small = x.over(1 << HALVINGS);
    let square = small.mul(small).neg();
    let mut sin = series(small, |t, k| t.mul(square).over(2 * k * (2 * k + 1)));
    let mut cos = series(Fix::whole(1), |t, k| t.mul(square).over((2 * k - 1) * 2 * k));
    for _ in 0..HALVINGS {
        (sin, cos) = (sin.mul(cos).times(2), cos.mul(cos).sub(sin.mul(sin)));
    }
    (sin, cos)
}

pub(crate) fn atan(x: Fix) -> Fix {
    let y = Fix::of(x.approx().atan());
    let (sin, cos) = sin_cos(y);
    let t = x.mul(cos).sub(sin).div(cos.add(x.mul(sin)));
    y.add(t.sub(t.mul(t).mul(t).over(3)))
}

pub(crate) fn pi() -> Fix {
    atan(Fix::whole(1)).times(4)
}

/// Bernoulli's numbers of index 2, 4, … as numerator and denominator.
const BERNOULLI: [(i64, u64); 14] = [
    (1, 6),
    (-1, 30),
    (1, 42),
    (-1, 30),
    (5, 66),
    (-691, 2730),
    (7, 6),
    (-3617, 510),
    (43_867, 798),
    (-174_611, 330),
    (854_513, 138),
    (-236_364_091, 2730),
    (8_553_103, 6),
    (-23_749_461_029, 870),
];
/// The asymptotic series are used from `x + SHIFT` on: their error there is below 10^-45.
const SHIFT: i64 = 50;

pub(crate) fn lgamma(x: Fix) -> Fix {
    let mut product = Fix::whole(0);
    for i in 0..SHIFT {
        product = product.add(ln(x.add(Fix::whole(i))));
    }
    let y = x.add(Fix::whole(SHIFT));
    let half = Fix::whole(1).over(2);
    let mut out = y.sub(half).mul(ln(y)).sub(y).add(ln(pi().times(2)).over(2));
    let inverse = Fix::whole(1).div(y);
    let square = inverse.mul(inverse);
    let mut power = inverse;
    for (k, &(n, d)) in (1_u64..).zip(&BERNOULLI) {
        out = out.add(power.times(n).over(d * 2 * k * (2 * k - 1)));
        power = power.mul(square);
    }
    out.sub(product)
}

pub(crate) fn digamma(x: Fix) -> Fix {
    let one = Fix::whole(1);
    let y = x.add(Fix::whole(SHIFT));
    let inverse = one.div(y);
    let square = inverse.mul(inverse);
    let mut out = ln(y).sub(inverse.over(2));
    let mut power = square;
    for (k, &(n, d)) in (1_u64..).zip(&BERNOULLI) {
        out = out.sub(power.times(n).over(d * 2 * k));
        power = power.mul(square);
    }
    (0..SHIFT).fold(out, |out, i| out.sub(one.div(x.add(Fix::whole(i)))))
}

pub(crate) fn trigamma(x: Fix) -> Fix {
    let one = Fix::whole(1);
    let y = x.add(Fix::whole(SHIFT));
    let inverse = one.div(y);
    let square = inverse.mul(inverse);
    let mut out = inverse.add(square.over(2));
    let mut power = square.mul(inverse);
    for &(n, d) in &BERNOULLI {
        out = out.add(power.times(n).over(d));
        power = power.mul(square);
    }
    (0..SHIFT).fold(out, |out, i| {
        let r = one.div(x.add(Fix::whole(i)));
        out.add(r.mul(r))
    })
}

/// How far a double is from the exact value, in units of the last place of the exact value.
pub(crate) fn ulps(got: f64, exact: Fix) -> f64 {
    let size = exact.abs().approx();
    let ulp = f64::from_bits(size.to_bits() + 1) - size;
    Fix::of(got).sub(exact).abs().approx() / ulp
}
