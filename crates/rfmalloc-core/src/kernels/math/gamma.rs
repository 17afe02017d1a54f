//! The gamma family.
//!
//! `gamma` and `lgamma`: Lanczos' approximation with the coefficients of Boost's `lanczos13m53` (N = 13, g = 6.0246800407767296; published under
//! the Boost licence), the reflection formula below zero, exact factorials at whole numbers, and Stirling's series for large `lgamma`.
//! `digamma` and `trigamma`: the recurrence up to 10, then the asymptotic series (Abramowitz and Stegun 6.3.18, 6.4.12), reflection below zero.
//! Near the zeros of `lgamma` at 1 and 2: the Taylor series in zeta values (Abramowitz and Stegun 6.1.33).

use super::super::exact::Dd;
use super::pi::sinpi;
use std::f64::consts::PI;
use std::sync::OnceLock;

const G: f64 = 6.024_680_040_776_729_583_740_234_375;
const NUMERATOR: [f64; 13] = [
    23_531_376_880.410_759_688_572_007_674_451,
    42_919_803_642.649_098_768_957_899_047_001,
    35_711_959_237.355_668_049_440_185_451_547,
    17_921_034_426.037_209_699_919_755_754_458,
    6_039_542_586.352_028_005_064_291_644_307_2,
    1_439_720_407.311_721_673_663_223_072_794_9,
    248_874_557.862_054_156_511_460_386_413_22,
    31_426_415.585_400_194_380_614_231_628_318,
    2_876_370.628_935_372_441_225_409_051_620_8,
    186_056.265_395_223_495_040_294_989_716_04,
    8_071.672_002_365_816_210_638_002_902_272_2,
    210.824_277_751_579_345_877_250_973_391_92,
    2.506_628_274_631_000_270_164_908_177_133_8,
];
const DENOMINATOR: [f64; 13] = [
    0.0,
    39_916_800.0,
    120_543_840.0,
    150_917_976.0,
    105_258_076.0,
    45_995_730.0,
    13_339_535.0,
    2_637_558.0,
    357_423.0,
    32_670.0,
    1_925.0,
    66.0,
    1.0,
];

/// Lanczos' sum: a quotient of polynomials, in `1/x` where `x` is large.
fn lanczos(x: f64) -> f64 {
    let horner =
        |coefficients: &mut dyn Iterator<Item = f64>, x: f64| coefficients.fold(0.0, |acc, c| acc * x + c);
    if x < 5.0 {
        horner(&mut NUMERATOR.into_iter().rev(), x) / horner(&mut DENOMINATOR.into_iter().rev(), x)
    } else {
        horner(&mut NUMERATOR.into_iter(), 1.0 / x) / horner(&mut DENOMINATOR.into_iter(), 1.0 / x)
    }
}

/// `n!` for `n` up to 170, each rounded once.
fn factorials() -> &'static [f64; 171] {
    static TABLE: OnceLock<[f64; 171]> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut table = [1.0; 171];
        // Scaled by 2^-512 from halfway on: the error-free product needs room above.
        let mut running = Dd::of(1.0);
        let mut scale = 1.0;
        for (n, entry) in table.iter_mut().enumerate().skip(1) {
            running = running.times(Dd::of(n as f64));
            if n == 100 {
                scale = 2f64.powi(512);
                running = Dd { hi: running.hi / scale, lo: running.lo / scale };
            }
            *entry = running.round() * scale;
        }
        table
    })
}

/// The gamma function; NaN at zero and negative whole numbers.
pub(super) fn gamma(x: f64) -> f64 {
    if x.is_nan() || x == f64::NEG_INFINITY {
        return f64::NAN;
    }
    if x == x.floor() {
        return if x <= 0.0 {
            f64::NAN
        } else if x <= 171.0 {
            factorials()[x as usize - 1]
        } else {
            f64::INFINITY
        };
    }
    if x > 171.7 {
        return f64::INFINITY;
    }
    let a = x.abs();
    if a < 1e-20 {
        return 1.0 / x;
    }
    if x < -184.0 {
        // Below half of the smallest number, with the sign that alternates between the poles.
        return if x.floor() % 2.0 == 0.0 { 0.0 } else { -0.0 };
    }
    let y = a + (G - 0.5);
    // What the sum above lost, as a first-order correction of the power.
    let lost = if a > G - 0.5 { (y - a) - (G - 0.5) } else { (y - (G - 0.5)) - a };
    let correction = 1.0 + lost * G / y;
    let (power, twice) =
        if a < 140.0 { (y.powf(a - 0.5), 1.0) } else { (y.powf(a / 2.0 - 0.25), y.powf(a / 2.0 - 0.25)) };
    if x > 0.0 {
        lanczos(a) / y.exp() * power * twice * correction
    } else {
        -PI / sinpi(a) / a * y.exp() / lanczos(a) / power / twice / correction
    }
}

/// `zeta(k) - 1` for k = 2…: the Taylor coefficients of `lgamma` about 1 need `zeta`, those about 2 need these.
const ZETA_LESS_ONE: [f64; 30] = [
    0.644_934_066_848_226_4,
    0.202_056_903_159_594_28,
    0.082_323_233_711_138_19,
    0.036_927_755_143_369_926,
    0.017_343_061_984_449_14,
    0.008_349_277_381_922_826,
    0.004_077_356_197_944_339,
    0.002_008_392_826_082_214_4,
    0.000_994_575_127_818_085_3,
    0.000_494_188_604_119_464_5,
    0.000_246_086_553_308_048_3,
    0.000_122_713_347_578_489_15,
    6.124_813_505_870_483e-5,
    3.058_823_630_702_049_4e-5,
    1.528_225_940_865_187_2e-5,
    7.637_197_637_899_762e-6,
    3.817_293_264_999_84e-6,
    1.908_212_716_553_939e-6,
    9.539_620_338_727_962e-7,
    4.769_329_867_878_065e-7,
    2.384_505_027_277_329_8e-7,
    1.192_199_259_653_110_6e-7,
    5.960_818_905_125_948e-8,
    2.980_350_351_465_228e-8,
    1.490_155_482_836_504_3e-8,
    7.450_711_789_835_43e-9,
    3.725_334_024_788_457e-9,
    1.862_659_723_513_049e-9,
    9.313_274_324_196_682e-10,
    4.656_629_065_033_784e-10,
];
/// 1 less Euler's constant.
const ONE_LESS_EULER: f64 = 0.422_784_335_098_467_13;

/// `lgamma(2 + t)` for `|t| <= 0.3`: no digits are lost at its zero.
fn lgamma_near_two(t: f64) -> f64 {
    let mut sum = 0.0;
    for (i, z) in ZETA_LESS_ONE.iter().enumerate().rev() {
        let k = (i + 2) as f64;
        let sign = if i % 2 == 0 { 1.0 } else { -1.0 };
        sum = sum * t + sign * z / k;
    }
    t * (ONE_LESS_EULER + t * sum)
}

const HALF_LOG_TWO_PI: f64 = 0.918_938_533_204_672_8;

/// The logarithm of gamma's absolute value; infinite at zero and negative whole numbers.
pub(super) fn lgamma(x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    if x.is_infinite() || (x <= 0.0 && x == x.floor()) {
        return f64::INFINITY;
    }
    if x < 0.0 {
        // Reflection; far below zero the sine's logarithm is the small part.
        let sine = sinpi(x).abs();
        return (PI / (sine * -x)).ln() - lgamma(-x);
    }
    if x < 1e-20 {
        return -x.ln();
    }
    if (x - 2.0).abs() <= 0.3 {
        return lgamma_near_two(x - 2.0);
    }
    if (x - 1.0).abs() <= 0.3 {
        // lgamma(x) = lgamma(x + 1) - log(x), both from the same small number.
        let t = x - 1.0;
        return lgamma_near_two(t) - t.ln_1p();
    }
    if x < 20.0 {
        let y = x + (G - 0.5);
        return (lanczos(x).ln() - G) + (x - 0.5) * (y.ln() - 1.0);
    }
    // Stirling's series (Abramowitz and Stegun 6.1.41).
    let z = 1.0 / (x * x);
    let tail = (1.0 / 12.0 - z * (1.0 / 360.0 - z * (1.0 / 1260.0 - z * (1.0 / 1680.0 - z / 1188.0)))) / x;
    (x - 0.5) * (x.ln() - 1.0) - 0.5 + HALF_LOG_TWO_PI + tail
}

/// From here the asymptotic series have all digits.
const ASYMPTOTIC: f64 = 10.0;

/// The derivative of `lgamma`; NaN at zero and negative whole numbers.
pub(super) fn digamma(x: f64) -> f64 {
    if x.is_nan() || x == f64::NEG_INFINITY || (x <= 0.0 && x == x.floor()) {
        return f64::NAN;
    }
    if x == f64::INFINITY {
        return x;
    }
    if x < 0.0 {
        let r = x % 1.0;
        return digamma(1.0 - x) - PI / (PI * r).tan();
    }
    let (mut y, mut below) = (x, 0.0);
    while y < ASYMPTOTIC {
        below += 1.0 / y;
        y += 1.0;
    }
    let z = 1.0 / (y * y);
    let tail = z
        * (1.0 / 12.0
            - z * (1.0 / 120.0
                - z * (1.0 / 252.0
                    - z * (1.0 / 240.0 - z * (1.0 / 132.0 - z * (691.0 / 32760.0 - z / 12.0))))));
    y.ln() - 0.5 / y - tail - below
}

/// Below this the square's reciprocal is too near the range's end for R, whose answer is NaN.
const TRIGAMMA_MIN: f64 = 7.4e-153;

/// The derivative of `digamma`; infinite at zero and negative whole numbers.
pub(super) fn trigamma(x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    if x == f64::INFINITY {
        return 0.0;
    }
    if x == f64::NEG_INFINITY || (x <= 0.0 && x == x.floor()) {
        return f64::INFINITY;
    }
    if x < 0.0 {
        let ratio = PI / sinpi(x);
        return ratio * ratio - trigamma(1.0 - x);
    }
    if x < TRIGAMMA_MIN {
        return f64::NAN;
    }
    let (mut y, mut below) = (x, 0.0);
    while y < ASYMPTOTIC {
        below += 1.0 / (y * y);
        y += 1.0;
    }
    let z = 1.0 / (y * y);
    let tail = z
        * (1.0 / 6.0
            - z * (1.0 / 30.0
                - z * (1.0 / 42.0
                    - z * (1.0 / 30.0 - z * (5.0 / 66.0 - z * (691.0 / 2730.0 - z * 7.0 / 6.0))))));
    (1.0 + 0.5 / y + tail) / y + below
}
