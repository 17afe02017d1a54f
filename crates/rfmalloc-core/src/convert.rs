//! Element conversion, as R's `as.logical`, `as.integer`, `as.numeric`, `as.complex`, `as.raw` do it (behaviours 12.1, 12.3, 12.5,
//! 12.6), and the exactness test of `set` and `write`. Character, both ways, is in `text`.
//!
//! Works on private bytes; `blocks` leads the memory of vectors through them. Warnings are collected as a set: R warns once per call and
//! kind. The loops are compiled once per layout of the source, so that no element asks what it is.

mod blocks;
mod text;

pub(crate) use blocks::convert_span;
pub(crate) use text::{each_text, from_text};

use crate::dtype::Dtype;
use crate::na::{NA_INT, is_na, na_real};
use crate::region::Elems;
use std::ops::BitOrAssign;

/// How source bytes are laid out: the kinds of JavaScript's typed arrays, and complex pairs. `I32` has R's NA; the others have none,
/// but for numbers (NaN with R's low word).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Source {
    I8,
    I16,
    I32,
    I64,
    U8,
    U32,
    F32,
    F64,
    Complex,
}

/// Which of R's warnings a call gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Warnings(u32);

impl Warnings {
    /// A text that is no number became NA.
    pub const NA_COERCION: Self = Self(1);
    /// A number beyond integer's range became NA.
    pub const INTEGER_RANGE: Self = Self(2);
    /// A non-zero imaginary part was dropped.
    pub const IMAGINARY_DISCARDED: Self = Self(4);
    /// A value outside 0–255 became raw 0.
    pub const RAW_RANGE: Self = Self(8);
    /// A result is NaN though no argument was.
    pub const NAN_PRODUCED: Self = Self(16);
    /// A 64-bit integer lost its low digits.
    pub const PRECISION_LOSS: Self = Self(32);
    /// The number of elements to replace was no multiple of the number of values.
    pub const ASSIGN_REMAINDER: Self = Self(64);
    /// The longer operand's length is no multiple of the shorter's.
    pub const RECYCLE_REMAINDER: Self = Self(128);
    /// An integer result beyond the type's range became NA.
    pub const INTEGER_OVERFLOW: Self = Self(256);
    /// `all` or `any` of other than logicals and integers.
    pub const LOGICAL_COERCION: Self = Self(512);
    /// `max`, `min` or `range` of nothing.
    pub const EMPTY_EXTREMUM: Self = Self(1024);
    /// `mean` of what is no number.
    pub const NOT_NUMERIC: Self = Self(2048);
    /// An array of one element was recycled against a longer vector.
    pub const LENGTH1_ARRAY_RECYCLE: Self = Self(4096);

    /// The bits, as the addon passes them on.
    pub fn bits(self) -> u32 {
        self.0
    }

    /// Whether all of these are among them.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOrAssign for Warnings {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

#[derive(Clone, Copy)]
enum Value {
    Na,
    Int(i64),
    Real(f64),
    Complex(f64, f64),
}

impl Source {
    /// The layout of a vector's own elements.
    pub fn of(dtype: Dtype) -> Self {
        match dtype {
            Dtype::Logical | Dtype::Integer => Self::I32,
            Dtype::Complex => Self::Complex,
            Dtype::Raw => Self::U8,
            Dtype::Int8 => Self::I8,
            Dtype::Int16 => Self::I16,
            Dtype::Int64 | Dtype::List => Self::I64,
            Dtype::Float32 => Self::F32,
            Dtype::Numeric | Dtype::Character => Self::F64,
        }
    }

    /// Bytes per element.
    pub fn width(self) -> u64 {
        match self {
            Self::I8 | Self::U8 => 1,
            Self::I16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::I64 | Self::F64 => 8,
            Self::Complex => 16,
        }
    }

    /// Whether the bits can be copied as they are. Not so for integers given as logical: any number but zero is TRUE.
    pub(crate) fn is_bits_of(self, dtype: Dtype) -> bool {
        matches!(
            (self, dtype),
            (Self::I32, Dtype::Integer)
                | (Self::U8, Dtype::Raw)
                | (Self::F64, Dtype::Numeric)
                | (Self::Complex, Dtype::Complex)
        )
    }

    #[inline]
    fn value(self, b: &[u8]) -> Value {
        match self {
            Self::I8 => Value::Int(i64::from(b[0] as i8)),
            Self::U8 => Value::Int(i64::from(b[0])),
            Self::I16 => Value::Int(i64::from(i16::from_le_bytes(first(b)))),
            Self::U32 => Value::Int(i64::from(u32::from_le_bytes(first(b)))),
            Self::I32 => match i32::from_le_bytes(first(b)) {
                NA_INT => Value::Na,
                n => Value::Int(i64::from(n)),
            },
            Self::I64 => Value::Int(i64::from_le_bytes(first(b))),
            Self::F32 => Value::Real(f64::from(f32::from_le_bytes(first(b)))),
            Self::F64 => real(f64::from_le_bytes(first(b))),
            Self::Complex => Value::Complex(f64::from_le_bytes(first(b)), f64::from_le_bytes(first(&b[8..]))),
        }
    }
}

fn first<const N: usize>(b: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&b[..N]);
    out
}

fn real(x: f64) -> Value {
    if is_na(x) { Value::Na } else { Value::Real(x) }
}

/// Converts every element of `input` into `out`; both hold the same number of elements.
pub(crate) fn convert(source: Source, input: &[u8], dtype: Dtype, out: &mut [u8]) -> Warnings {
    match (source, dtype) {
        (Source::F64, Dtype::Integer) => return blocks::reals_to_integers(Elems::of_bytes(input), out),
        (Source::F64, Dtype::Logical) => return reals_to_logicals(input, out),
        _ => {}
    }
    match source {
        Source::I8 => convert_from(|b| Source::I8.value(b), source, input, dtype, out),
        Source::I16 => convert_from(|b| Source::I16.value(b), source, input, dtype, out),
        Source::I32 => convert_from(|b| Source::I32.value(b), source, input, dtype, out),
        Source::I64 => convert_from(|b| Source::I64.value(b), source, input, dtype, out),
        Source::U8 => convert_from(|b| Source::U8.value(b), source, input, dtype, out),
        Source::U32 => convert_from(|b| Source::U32.value(b), source, input, dtype, out),
        Source::F32 => convert_from(|b| Source::F32.value(b), source, input, dtype, out),
        Source::F64 => convert_from(|b| Source::F64.value(b), source, input, dtype, out),
        Source::Complex => convert_from(|b| Source::Complex.value(b), source, input, dtype, out),
    }
}

/// The loops of one layout. `value` reads it, with the layout known to the compiler.
fn convert_from(
    value: impl Fn(&[u8]) -> Value,
    source: Source,
    input: &[u8],
    dtype: Dtype,
    out: &mut [u8],
) -> Warnings {
    let mut w = Warnings::default();
    let pairs = input.chunks_exact(source.width() as usize).zip(out.chunks_exact_mut(dtype.width() as usize));
    match dtype {
        Dtype::Logical => {
            pairs.for_each(|(i, o)| o.copy_from_slice(&to_logical(value(i)).to_le_bytes()));
        }
        Dtype::Integer => {
            pairs.for_each(|(i, o)| o.copy_from_slice(&to_integer(value(i), &mut w).to_le_bytes()));
        }
        Dtype::Numeric => {
            pairs.for_each(|(i, o)| o.copy_from_slice(&to_numeric(value(i), &mut w).to_le_bytes()));
        }
        Dtype::Complex => pairs.for_each(|(i, o)| {
            let (re, im) = match value(i) {
                Value::Complex(re, im) => (re, im),
                v => (to_numeric(v, &mut w), 0.0),
            };
            o[..8].copy_from_slice(&re.to_le_bytes());
            o[8..].copy_from_slice(&im.to_le_bytes());
        }),
        Dtype::Raw => pairs.for_each(|(i, o)| o[0] = to_raw(value(i), &mut w)),
        _ => {}
    }
    w
}

/// `to_logical` of numbers, without a branch.
fn reals_to_logicals(input: &[u8], out: &mut [u8]) -> Warnings {
    for (i, o) in input.chunks_exact(8).zip(out.chunks_exact_mut(4)) {
        let x = f64::from_le_bytes(first(i));
        let n = if x.is_nan() { NA_INT } else { i32::from(x != 0.0) };
        o.copy_from_slice(&n.to_le_bytes());
    }
    Warnings::default()
}

fn to_logical(v: Value) -> i32 {
    match v {
        Value::Na => NA_INT,
        Value::Int(n) => i32::from(n != 0),
        Value::Real(x) if x.is_nan() => NA_INT,
        Value::Real(x) => i32::from(x != 0.0),
        Value::Complex(re, im) if re.is_nan() || im.is_nan() => NA_INT,
        Value::Complex(re, im) => i32::from(re != 0.0 || im != 0.0),
    }
}

fn to_integer(v: Value, w: &mut Warnings) -> i32 {
    match v {
        Value::Na => NA_INT,
        Value::Int(n) => match i32::try_from(n) {
            Ok(n) if n != NA_INT => n,
            _ => {
                *w |= Warnings::INTEGER_RANGE;
                NA_INT
            }
        },
        Value::Real(x) if x.is_nan() => NA_INT,
        // Truncation towards zero; −2147483648 is NA's pattern and counts as out of range.
        Value::Real(x) if x >= 2_147_483_648.0 || x <= -2_147_483_648.0 => {
            *w |= Warnings::INTEGER_RANGE;
            NA_INT
        }
        Value::Real(x) => x as i32,
        Value::Complex(re, im) if re.is_nan() || im.is_nan() => NA_INT,
        // Out of range, that alone is said.
        Value::Complex(re, im) => match to_integer(Value::Real(re), w) {
            NA_INT => NA_INT,
            n => {
                discard(im, w);
                n
            }
        },
    }
}

/// Warns of an imaginary part that is lost.
fn discard(im: f64, w: &mut Warnings) {
    if im != 0.0 {
        *w |= Warnings::IMAGINARY_DISCARDED;
    }
}

fn to_numeric(v: Value, w: &mut Warnings) -> f64 {
    match v {
        Value::Na => na_real(),
        Value::Int(n) => {
            let x = n as f64;
            if n.unsigned_abs() > 1 << 53 && x as i128 != i128::from(n) {
                *w |= Warnings::PRECISION_LOSS;
            }
            x
        }
        Value::Real(x) => x,
        Value::Complex(re, im) if re.is_nan() || im.is_nan() => na_real(),
        Value::Complex(re, im) => {
            discard(im, w);
            re
        }
    }
}

/// By way of integer, whose warnings it gives, too; truncates first: 255.9 is 255, −0.5 is 0.
fn to_raw(v: Value, w: &mut Warnings) -> u8 {
    u8::try_from(to_integer(v, w)).unwrap_or_else(|_| {
        *w |= Warnings::RAW_RANGE;
        0
    })
}

/// Index of the first element that `dtype` cannot hold exactly.
pub(crate) fn first_inexact(source: Source, bytes: &[u8], dtype: Dtype) -> Option<u64> {
    let is_exact = |v: Value| match (dtype, v) {
        (Dtype::Raw, Value::Int(n)) => (0..=255).contains(&n),
        (Dtype::Raw, Value::Real(x)) => x.fract() == 0.0 && (0.0..=255.0).contains(&x),
        (Dtype::Raw, _) => false,
        (_, Value::Na)
        | (Dtype::Complex, Value::Real(_) | Value::Complex(..))
        | (Dtype::Numeric, Value::Real(_)) => true,
        (Dtype::Logical, Value::Int(n)) => n == 0 || n == 1,
        (Dtype::Logical, Value::Real(x)) => x == 0.0 || x == 1.0,
        (Dtype::Integer, Value::Int(n)) => i32::try_from(n).is_ok_and(|n| n != NA_INT),
        (Dtype::Integer, Value::Real(x)) => x.fract() == 0.0 && x.abs() < 2_147_483_648.0,
        (Dtype::Numeric | Dtype::Complex, Value::Int(n)) => n as f64 as i128 == i128::from(n),
        _ => false,
    };
    if source.is_bits_of(dtype) {
        return None;
    }
    bytes.chunks_exact(source.width() as usize).position(|b| !is_exact(source.value(b))).map(|i| i as u64)
}

/// Whether two blocks of the same type hold the same values although their bits differ.
pub(crate) fn equal_blocks(dtype: Dtype, a: &[u8], b: &[u8]) -> bool {
    let same = |x: f64, y: f64| {
        if x.is_nan() || y.is_nan() { x.is_nan() && y.is_nan() && is_na(x) == is_na(y) } else { x == y }
    };
    match dtype {
        Dtype::Numeric | Dtype::Complex => {
            let numbers = |s: &[u8]| f64::from_le_bytes(first(s));
            a.chunks_exact(8).zip(b.chunks_exact(8)).all(|(x, y)| same(numbers(x), numbers(y)))
        }
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(source: Source, input: &[u8], dtype: Dtype) -> (Vec<u8>, u32) {
        let mut out = vec![0; dtype.width() as usize];
        let w = convert(source, input, dtype, &mut out);
        (out, w.bits())
    }

    #[test]
    fn na_survives_every_conversion_but_to_raw() {
        let na = na_real().to_le_bytes();
        assert_eq!(one(Source::F64, &na, Dtype::Integer), (NA_INT.to_le_bytes().to_vec(), 0));
        assert_eq!(one(Source::I32, &NA_INT.to_le_bytes(), Dtype::Numeric).0, na.to_vec());
        assert_eq!(one(Source::F64, &na, Dtype::Raw), (vec![0], 8));
        let nan = f64::NAN.to_le_bytes();
        assert_eq!(one(Source::F64, &nan, Dtype::Integer), (NA_INT.to_le_bytes().to_vec(), 0));
    }

    // as.raw(1e10) gave one warning where R gives two, and as.numeric of a complex number with a missing part kept the other part.
    #[test]
    fn raw_and_complex_warn_and_lose_as_integer_does() {
        let complex = |re: f64, im: f64| [re.to_le_bytes(), im.to_le_bytes()].concat();
        assert_eq!(one(Source::F64, &1e10f64.to_le_bytes(), Dtype::Raw), (vec![0], 2 | 8));
        assert_eq!(one(Source::F64, &256f64.to_le_bytes(), Dtype::Raw), (vec![0], 8));
        assert_eq!(one(Source::F64, &255.9f64.to_le_bytes(), Dtype::Raw), (vec![255], 0));
        assert_eq!(one(Source::F64, &(-0.5f64).to_le_bytes(), Dtype::Raw), (vec![0], 0));
        assert_eq!(one(Source::Complex, &complex(f64::INFINITY, 1.0), Dtype::Raw), (vec![0], 2 | 8));
        assert_eq!(one(Source::Complex, &complex(7.0, 1.0), Dtype::Raw), (vec![7], 4));
        let na = na_real().to_le_bytes().to_vec();
        for missing in [complex(f64::NAN, 1.0), complex(1.0, f64::NAN), complex(1.0, na_real())] {
            assert_eq!(one(Source::Complex, &missing, Dtype::Numeric), (na.clone(), 0));
            assert_eq!(one(Source::Complex, &missing, Dtype::Integer).1, 0);
        }
    }

    #[test]
    fn integer_range_ends_where_na_begins() {
        for (x, n, w) in [
            (2_147_483_647.9, 2_147_483_647, 0),
            (2_147_483_648.0, NA_INT, 2),
            (-2_147_483_647.9, -2_147_483_647, 0),
            (-2_147_483_648.0, NA_INT, 2),
            (f64::INFINITY, NA_INT, 2),
        ] {
            assert_eq!(
                one(Source::F64, &f64::to_le_bytes(x), Dtype::Integer),
                (i32::to_le_bytes(n).to_vec(), w),
                "{x}"
            );
        }
    }
}
