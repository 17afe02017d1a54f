//! `round` and `signif` with digits, as R 4 has them (behaviours 9.7–9.9; facts, section 2).

use super::super::C64;
use std::sync::OnceLock;

/// Decimal digits that a double always holds.
const DIGITS: f64 = 15.0;

/// Ten to a power by repeated squaring, as R takes it: exact to 10^22, a few ulp off towards the range's end, and ties and results go with it.
fn pow10(n: i32) -> f64 {
    static TABLE: OnceLock<[f64; 309]> = OnceLock::new();
    let table = TABLE.get_or_init(|| {
        std::array::from_fn(|n| {
            let (mut power, mut square, mut n) = (1.0, 10.0, n);
            while n > 0 {
                if n & 1 == 1 {
                    power *= square;
                }
                n >>= 1;
                if n > 0 {
                    square *= square;
                }
            }
            power
        })
    });
    table[n.clamp(0, 308) as usize]
}

/// The decimal logarithm as R estimates it here: from the binary exponent.
fn magnitude(x: f64) -> f64 {
    let exponent =
        if x < f64::MIN_POSITIVE { x.log2().floor() } else { ((x.to_bits() >> 52) as f64) - 1023.0 };
    (exponent + 0.5) * std::f64::consts::LOG10_2
}

/// A number of digits as R reads it: half up to a whole number.
fn whole(digits: f64) -> f64 {
    (digits + 0.5).floor()
}

/// Rounds to `digits` decimals: of the two nearest decimals, as doubles, the nearer; on a tie the even one.
pub(super) fn round(x: f64, digits: f64) -> f64 {
    if x.is_nan() || digits.is_nan() {
        return f64::NAN;
    }
    let digits = whole(digits);
    if !x.is_finite() || digits > 323.0 || x == 0.0 {
        return x;
    }
    if digits < -308.0 {
        return 0.0;
    }
    if digits == 0.0 {
        return x.round_ties_even();
    }
    let a = x.abs();
    if digits + magnitude(a) > DIGITS {
        return x;
    }
    decimal(a, digits as i32).copysign(x)
}

fn decimal(x: f64, digits: i32) -> f64 {
    let (near, far) = match digits {
        309.. => (pow10(308), pow10(digits - 308)),
        0..=308 => (pow10(digits), 1.0),
        _ => (1.0 / pow10(-digits), 1.0),
    };
    let scaled = |x: f64| x * near * far;
    let back = |x: f64| x / near / far;
    let floor = scaled(x).floor();
    let (below, above) = (back(floor), back(scaled(x).ceil()));
    let (down, up) = (x - below, above - x);
    if down < up || (down == up && floor % 2.0 == 0.0) { below } else { above }
}

/// Rounds to `digits` significant digits.
pub(super) fn signif(x: f64, digits: f64) -> f64 {
    if x.is_nan() || digits.is_nan() {
        return f64::NAN;
    }
    let digits = whole(digits);
    if !x.is_finite() || x == 0.0 || digits > 22.0 {
        return x;
    }
    let digits = digits.max(1.0) as i32;
    let a = x.abs();
    let magnitude = a.log10().floor() as i32;
    significant(a, digits - 1 - magnitude).copysign(x)
}

/// `x` rounded to `places` decimals (negative: left of the point), through a power of ten that is at least 1.
fn significant(x: f64, places: i32) -> f64 {
    if places > 308 {
        let (far, near) = (pow10(308), pow10(places - 308));
        (x * far * near).round_ties_even() / far / near
    } else if places >= 0 {
        (x * pow10(places)).round_ties_even() / pow10(places)
    } else {
        (x / pow10(-places)).round_ties_even() * pow10(-places)
    }
}

/// Complex: both parts to the place that the larger one's digits reach.
pub(super) fn signif_complex(z: C64, digits: f64) -> C64 {
    if z[0].is_nan() || z[1].is_nan() || digits.is_nan() {
        return [f64::NAN, f64::NAN];
    }
    let size = z[0].abs().max(z[1].abs());
    let digits = whole(digits);
    if !size.is_finite() || size == 0.0 || digits > 22.0 {
        return z;
    }
    let places = digits.max(1.0) as i32 - 1 - size.log10().floor() as i32;
    z.map(|part| if part == 0.0 { part } else { significant(part.abs(), places).copysign(part) })
}
