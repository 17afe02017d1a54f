//! R's mathematical functions of one argument, over blocks (behaviours 9).
//!
//! `exp`, `log`, `sin`, `cos` are polynomial kernels of ours that vectorise (`exp`, `log`, `trig`); the other elementary functions are the
//! system's, which is what R calls. The gamma family (`gamma`), the functions of multiples of pi (`pi`), rounding (`round`) and complex
//! functions (`complex`) are ours, from the algorithms that their heads name.

pub(crate) mod complex;
mod exp;
mod gamma;
mod log;
mod pi;
pub(crate) mod round;
mod trig;

use super::C64;
use super::apply::{Out, map1, map1_mended, map2_mended};
use super::missing::{is_na_complex, repair_complex, repair1, repair2};
use super::simd::Isa;
use crate::convert::Warnings;
use crate::na::NA_INT;
use crate::region::Elems;

/// The functions of one argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "R's names")]
pub enum Math {
    Abs,
    Sign,
    Sqrt,
    Floor,
    Ceiling,
    Trunc,
    Exp,
    Log,
    Expm1,
    Log1p,
    Log2,
    Log10,
    Cos,
    Sin,
    Tan,
    CosPi,
    SinPi,
    TanPi,
    Acos,
    Asin,
    Atan,
    Cosh,
    Sinh,
    Tanh,
    Acosh,
    Asinh,
    Atanh,
    Gamma,
    LGamma,
    Digamma,
    Trigamma,
}

impl Math {
    /// Every function.
    pub const ALL: [Self; 31] = [
        Self::Abs,
        Self::Sign,
        Self::Sqrt,
        Self::Floor,
        Self::Ceiling,
        Self::Trunc,
        Self::Exp,
        Self::Log,
        Self::Expm1,
        Self::Log1p,
        Self::Log2,
        Self::Log10,
        Self::Cos,
        Self::Sin,
        Self::Tan,
        Self::CosPi,
        Self::SinPi,
        Self::TanPi,
        Self::Acos,
        Self::Asin,
        Self::Atan,
        Self::Cosh,
        Self::Sinh,
        Self::Tanh,
        Self::Acosh,
        Self::Asinh,
        Self::Atanh,
        Self::Gamma,
        Self::LGamma,
        Self::Digamma,
        Self::Trigamma,
    ];

    /// R's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Abs => "abs",
            Self::Sign => "sign",
            Self::Sqrt => "sqrt",
            Self::Floor => "floor",
            Self::Ceiling => "ceiling",
            Self::Trunc => "trunc",
            Self::Exp => "exp",
            Self::Log => "log",
            Self::Expm1 => "expm1",
            Self::Log1p => "log1p",
            Self::Log2 => "log2",
            Self::Log10 => "log10",
            Self::Cos => "cos",
            Self::Sin => "sin",
            Self::Tan => "tan",
            Self::CosPi => "cospi",
            Self::SinPi => "sinpi",
            Self::TanPi => "tanpi",
            Self::Acos => "acos",
            Self::Asin => "asin",
            Self::Atan => "atan",
            Self::Cosh => "cosh",
            Self::Sinh => "sinh",
            Self::Tanh => "tanh",
            Self::Acosh => "acosh",
            Self::Asinh => "asinh",
            Self::Atanh => "atanh",
            Self::Gamma => "gamma",
            Self::LGamma => "lgamma",
            Self::Digamma => "digamma",
            Self::Trigamma => "trigamma",
        }
    }

    /// Whether it is defined for complex arguments (behaviour 9.13).
    pub fn has_complex(self) -> bool {
        !matches!(
            self,
            Self::Sign
                | Self::Floor
                | Self::Ceiling
                | Self::Trunc
                | Self::Expm1
                | Self::Log1p
                | Self::CosPi
                | Self::SinPi
                | Self::TanPi
                | Self::Gamma
                | Self::LGamma
                | Self::Digamma
                | Self::Trigamma
        )
    }
}

/// The functions of two arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Math2 {
    /// `round(x, digits)`
    Round,
    /// `signif(x, digits)`
    Signif,
    /// `log(x, base)`
    Log,
    /// `atan2(y, x)`
    Atan2,
}

impl Math2 {
    /// R's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Round => "round",
            Self::Signif => "signif",
            Self::Log => "log",
            Self::Atan2 => "atan2",
        }
    }
}

/// -1, 0 or 1; NaN stays.
#[inline(always)]
fn sign(x: f64) -> f64 {
    let sign = if x > 0.0 {
        1.0
    } else if x < 0.0 {
        -1.0
    } else {
        0.0
    };
    if x.is_nan() { x } else { sign }
}

/// `out = f(x)` for doubles; NaN of a number warns.
pub(crate) fn real(isa: Isa, f: Math, x: Elems<'_, f64>, out: Out<'_, f64>) -> Warnings {
    let mut warnings = Warnings::default();
    let mend = |at: usize, out: &mut [f64]| {
        let x = x.rest(at);
        trig::mend_far(f, x, out);
        warnings |= repair1(x, out);
    };
    let nan = f64::is_nan;
    let fast = matches!(f, Math::Abs | Math::Sign | Math::Sqrt | Math::Floor | Math::Ceiling | Math::Trunc);
    let out = if fast { out } else { out.slowly() };
    match f {
        Math::Abs => map1_mended(isa, x, out, f64::abs, nan, mend),
        Math::Sign => map1_mended(isa, x, out, sign, nan, mend),
        Math::Sqrt => map1_mended(isa, x, out, f64::sqrt, nan, mend),
        Math::Floor => map1_mended(isa, x, out, f64::floor, nan, mend),
        Math::Ceiling => map1_mended(isa, x, out, f64::ceil, nan, mend),
        Math::Trunc => map1_mended(isa, x, out, f64::trunc, nan, mend),
        Math::Exp => map1_mended(isa, x, out, exp::exp, nan, mend),
        Math::Log => map1_mended(isa, x, out, log::log, nan, mend),
        Math::Cos => map1_mended(isa, x, out, trig::cos, nan, mend),
        Math::Sin => map1_mended(isa, x, out, trig::sin, nan, mend),
        Math::Expm1 => map1_mended(isa, x, out, f64::exp_m1, nan, mend),
        Math::Log1p => map1_mended(isa, x, out, f64::ln_1p, nan, mend),
        Math::Log2 => map1_mended(isa, x, out, f64::log2, nan, mend),
        Math::Log10 => map1_mended(isa, x, out, f64::log10, nan, mend),
        Math::Tan => map1_mended(isa, x, out, f64::tan, nan, mend),
        Math::CosPi => map1_mended(isa, x, out, pi::cospi, nan, mend),
        Math::SinPi => map1_mended(isa, x, out, pi::sinpi, nan, mend),
        Math::TanPi => map1_mended(isa, x, out, pi::tanpi, nan, mend),
        Math::Acos => map1_mended(isa, x, out, f64::acos, nan, mend),
        Math::Asin => map1_mended(isa, x, out, f64::asin, nan, mend),
        Math::Atan => map1_mended(isa, x, out, f64::atan, nan, mend),
        Math::Cosh => map1_mended(isa, x, out, f64::cosh, nan, mend),
        Math::Sinh => map1_mended(isa, x, out, f64::sinh, nan, mend),
        Math::Tanh => map1_mended(isa, x, out, f64::tanh, nan, mend),
        Math::Acosh => map1_mended(isa, x, out, log::acosh, nan, mend),
        Math::Asinh => map1_mended(isa, x, out, log::asinh, nan, mend),
        Math::Atanh => map1_mended(isa, x, out, log::atanh, nan, mend),
        Math::Gamma => map1_mended(isa, x, out, gamma::gamma, nan, mend),
        Math::LGamma => map1_mended(isa, x, out, gamma::lgamma, nan, mend),
        Math::Digamma => map1_mended(isa, x, out, gamma::digamma, nan, mend),
        Math::Trigamma => map1_mended(isa, x, out, gamma::trigamma, nan, mend),
    }
    warnings
}

/// `abs` of integers.
pub(crate) fn abs_integer(isa: Isa, x: Elems<'_, i32>, out: Out<'_, i32>) {
    map1(isa, x, out, |x: i32| if x == NA_INT { NA_INT } else { x.wrapping_abs() });
}

/// `f(x, y)` for doubles.
pub(crate) fn real2(isa: Isa, f: Math2, x: Elems<'_, f64>, y: Elems<'_, f64>, out: Out<'_, f64>) -> Warnings {
    let mut warnings = Warnings::default();
    let mend = |at: usize, out: &mut [f64]| warnings |= repair2(x.rest(at), y.rest(at), out);
    let nan = f64::is_nan;
    match f {
        Math2::Round if y.iter().all(|d| d == 0.0) => {
            map1_mended(isa, x, out, f64::round_ties_even, nan, mend);
        }
        Math2::Round => map2_mended(isa, x, y, out, round::round, nan, mend),
        Math2::Signif => map2_mended(isa, x, y, out, round::signif, nan, mend),
        Math2::Log => map2_mended(isa, x, y, out, log::log_base, nan, mend),
        Math2::Atan2 => map2_mended(isa, x, y, out, f64::atan2, nan, mend),
    }
    warnings
}

/// `out = f(z)` for complex; `abs` is [`modulus`].
pub(crate) fn of_complex(f: Math, x: Elems<'_, C64>, out: &mut [C64]) -> Warnings {
    let g = complex::function(f);
    let mut warnings = Warnings::default();
    for (o, z) in out.iter_mut().zip(x.iter()) {
        *o = g(z);
        if o[0].is_nan() || o[1].is_nan() {
            *o = repair_complex(*o, is_na_complex(z));
            if !z[0].is_nan() && !z[1].is_nan() {
                warnings |= Warnings::NAN_PRODUCED;
            }
        }
    }
    warnings
}

/// `f(z, w)` for complex; `round` and `signif` take the digits from `w`'s real part.
pub(crate) fn of_complex2(f: Math2, x: Elems<'_, C64>, y: Elems<'_, C64>, out: &mut [C64]) -> Warnings {
    let mut warnings = Warnings::default();
    for ((o, z), w) in out.iter_mut().zip(x.iter()).zip(y.iter()) {
        *o = match f {
            Math2::Round => z.map(|part| round::round(part, w[0])),
            Math2::Signif => round::signif_complex(z, w[0]),
            Math2::Log => super::complex::div(complex::clog(z), complex::clog(w)),
            Math2::Atan2 => complex::atan2(z, w),
        };
        if o[0].is_nan() || o[1].is_nan() {
            *o = repair_complex(*o, is_na_complex(z) || is_na_complex(w));
            if !z.iter().chain(&w).any(|part| part.is_nan()) {
                warnings |= Warnings::NAN_PRODUCED;
            }
        }
    }
    warnings
}

/// The modulus.
pub(crate) fn modulus(x: Elems<'_, C64>, out: &mut [f64]) {
    for (o, z) in out.iter_mut().zip(x.iter()) {
        *o = if z[0].is_nan() || z[1].is_nan() {
            super::missing::nan_of(is_na_complex(z))
        } else {
            z[0].hypot(z[1])
        };
    }
}
