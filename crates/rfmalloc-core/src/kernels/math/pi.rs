//! Trigonometric functions of multiples of pi, exact where the result is (behaviour 9.11).

use std::f64::consts::PI;

/// `x` less the nearest even number, in `[-1, 1]`: exact.
fn reduced(x: f64) -> f64 {
    x % 2.0
}

/// `sin(pi x)`
pub(crate) fn sinpi(x: f64) -> f64 {
    if !x.is_finite() {
        return f64::NAN;
    }
    let r = reduced(x);
    let r = if r > 1.0 {
        r - 2.0
    } else if r < -1.0 {
        r + 2.0
    } else {
        r
    };
    let a = r.abs();
    let out = if a == 0.0 || a == 1.0 {
        0.0
    } else if a == 0.5 {
        1.0
    } else if a < 0.25 {
        (PI * a).sin()
    } else if a < 0.75 {
        (PI * (0.5 - a)).cos()
    } else {
        (PI * (1.0 - a)).sin()
    };
    if r < 0.0 { 0.0 - out } else { out }
}

/// `cos(pi x)`
pub(crate) fn cospi(x: f64) -> f64 {
    if !x.is_finite() {
        return f64::NAN;
    }
    let r = reduced(x).abs();
    let a = if r > 1.0 { 2.0 - r } else { r };
    if a == 0.5 {
        0.0
    } else if a == 0.0 {
        1.0
    } else if a == 1.0 {
        -1.0
    } else if a < 0.25 {
        (PI * a).cos()
    } else if a < 0.75 {
        (PI * (0.5 - a)).sin()
    } else {
        -(PI * (1.0 - a)).cos()
    }
}

/// `tan(pi x)`; NaN at odd halves.
pub(crate) fn tanpi(x: f64) -> f64 {
    if !x.is_finite() {
        return f64::NAN;
    }
    let r = x % 1.0;
    let r = if r > 0.5 {
        r - 1.0
    } else if r <= -0.5 {
        r + 1.0
    } else {
        r
    };
    if r == 0.0 {
        0.0
    } else if r == 0.5 {
        f64::NAN
    } else if r.abs() == 0.25 {
        1.0_f64.copysign(r)
    } else if r.abs() < 0.25 {
        (PI * r).tan()
    } else {
        // The reciprocal of the tangent of what is left to a half: no digits are lost near the pole.
        (1.0 / (PI * (0.5 - r.abs())).tan()).copysign(r)
    }
}
