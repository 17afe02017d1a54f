//! What one field is: a logical, a whole number, a number, a complex one, missing, or text (R's `type.convert`).
//!
//! Blanks around a field count for text only. Whole numbers and short decimal ones are read here, exactly; every other form of a number by
//! `text::parse`.

use crate::dtype::Dtype;
use crate::na::NA_INT;
use crate::text::parse::{self, Read};

/// Texts that mean NA.
pub(super) struct Missing {
    list: Vec<Vec<u8>>,
    /// Some look like a number or a logical, so that they must be looked for first.
    looks_like_value: bool,
}

/// A field as an element of some type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Parsed<T> {
    Value(T),
    /// Nothing but blanks.
    Blank,
    /// One of the texts that mean NA.
    Na,
    /// No value of the type.
    Other,
}

impl Missing {
    pub(super) fn new(list: &[String]) -> Self {
        let list: Vec<Vec<u8>> = list.iter().map(|s| s.as_bytes().to_vec()).collect();
        let looks_like_value = list.iter().any(|s| kind(s).is_some_and(|k| k != Dtype::Character));
        Self { list, looks_like_value }
    }

    /// Whether a field of text is missing: blanks count.
    pub(super) fn is(&self, field: &[u8]) -> bool {
        self.list.iter().any(|s| s == field)
    }

    fn read<T>(&self, field: &[u8], read: impl Fn(&[u8]) -> Option<T>) -> Parsed<T> {
        if !self.looks_like_value
            && let Some(x) = read(field)
        {
            return Parsed::Value(x);
        }
        let field = field.trim_ascii();
        if field.is_empty() {
            return Parsed::Blank;
        }
        if self.is(field) {
            return Parsed::Na;
        }
        read(field).map_or(Parsed::Other, Parsed::Value)
    }

    pub(super) fn logical(&self, field: &[u8]) -> Parsed<i32> {
        self.read(field, |f| logical(f).map(i32::from))
    }

    pub(super) fn integer(&self, field: &[u8]) -> Parsed<i32> {
        self.read(field, integer)
    }

    pub(super) fn numeric(&self, field: &[u8]) -> Parsed<f64> {
        self.read(field, numeric)
    }

    pub(super) fn complex(&self, field: &[u8]) -> Parsed<(f64, f64)> {
        self.read(field, complex)
    }
}

fn logical(field: &[u8]) -> Option<bool> {
    parse::logical(std::str::from_utf8(field).ok()?)
}

/// Digits with or without a sign, in the range of the type.
fn integer(field: &[u8]) -> Option<i32> {
    let (negative, digits) = sign(field);
    if digits.is_empty() {
        return None;
    }
    let mut n = 0_i64;
    for c in digits {
        let d = c.wrapping_sub(b'0');
        if d > 9 || n > i64::from(i32::MAX) {
            return None;
        }
        n = n * 10 + i64::from(d);
    }
    i32::try_from(if negative { -n } else { n }).ok().filter(|n| *n != NA_INT)
}

fn sign(field: &[u8]) -> (bool, &[u8]) {
    match field {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] | rest => (false, rest),
    }
}

/// Powers of ten that are doubles exactly.
const TENS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19, 1e20, 1e21, 1e22,
];

fn numeric(field: &[u8]) -> Option<f64> {
    if let Some(x) = short_decimal(field) {
        return Some(x);
    }
    match parse::numeric(std::str::from_utf8(field).ok()?) {
        Read::Value(x) => Some(x),
        _ => None,
    }
}

/// A decimal number whose digits fit a double and whose power of ten is one: a single operation rounds it correctly. `None`: any other form.
fn short_decimal(field: &[u8]) -> Option<f64> {
    let (negative, body) = sign(field);
    // More than eighteen digits could leave the range of the sum.
    if body.len() > 19 {
        return None;
    }
    let (mut m, mut decimals, mut point, mut digits) = (0_u64, 0_usize, false, 0_usize);
    for c in body {
        let d = c.wrapping_sub(b'0');
        if d <= 9 {
            m = m.wrapping_mul(10).wrapping_add(u64::from(d));
            digits += 1;
            decimals += usize::from(point);
        } else if *c == b'.' && !point {
            point = true;
        } else {
            return None;
        }
    }
    if digits == 0 || digits > 18 || m > 1 << 53 {
        return None;
    }
    let x = m as f64 / TENS[decimals];
    Some(if negative { -x } else { x })
}

fn complex(field: &[u8]) -> Option<(f64, f64)> {
    match parse::complex(std::str::from_utf8(field).ok()?) {
        Read::Value(z) => Some(z),
        _ => None,
    }
}

/// The narrowest type that holds the field; `None`: it is blank.
pub(super) fn kind(field: &[u8]) -> Option<Dtype> {
    let field = field.trim_ascii();
    if field.is_empty() {
        return None;
    }
    Some(if logical(field).is_some() {
        Dtype::Logical
    } else if integer(field).is_some() {
        Dtype::Integer
    } else if numeric(field).is_some() {
        Dtype::Numeric
    } else if complex(field).is_some() {
        Dtype::Complex
    } else {
        Dtype::Character
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_has_the_narrowest_type_that_holds_it() {
        for (text, dtype) in [
            ("T", Dtype::Logical),
            ("false", Dtype::Logical),
            ("1", Dtype::Integer),
            (" -17 ", Dtype::Integer),
            ("0000000000012", Dtype::Integer),
            ("00000000000000", Dtype::Integer),
            ("2147483647", Dtype::Integer),
            ("2147483648", Dtype::Numeric),
            ("-2147483648", Dtype::Numeric),
            ("12345678901", Dtype::Numeric),
            ("1e5", Dtype::Numeric),
            (".5", Dtype::Numeric),
            ("Inf", Dtype::Numeric),
            ("-nan", Dtype::Numeric),
            ("0x1F", Dtype::Numeric),
            ("1+2i", Dtype::Complex),
            ("1,5", Dtype::Character),
            ("yes", Dtype::Character),
            ("-", Dtype::Character),
            (".", Dtype::Character),
            ("1 2", Dtype::Character),
        ] {
            assert_eq!(kind(text.as_bytes()), Some(dtype), "{text}");
        }
        assert_eq!(kind(b"  "), None);
        assert_eq!(kind(b"\xff"), Some(Dtype::Character));
    }

    /// The short cut must be the same function as the parser it replaces, to the last bit.
    #[test]
    fn short_decimals_are_rounded_as_the_parser_rounds_them() {
        let mut word: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut taken = 0;
        for _ in 0..if cfg!(miri) { 300 } else { 300_000 } {
            word = word.rotate_left(23).wrapping_mul(0xff51_afd7_ed55_8ccd) ^ (word >> 29);
            let digits = word % 10_u64.pow((word >> 60) as u32 + 3);
            let text = digits.to_string();
            let at = (word >> 50) as usize % (text.len() + 1);
            let text = format!("{}{}.{}", if word & 1 == 0 { "-" } else { "" }, &text[..at], &text[at..]);
            if let Some(x) = short_decimal(text.as_bytes()) {
                taken += 1;
                assert_eq!(x.to_bits(), text.parse::<f64>().unwrap().to_bits(), "{text}");
            }
        }
        assert!(taken > 100);
        assert_eq!(short_decimal(b"-0").map(f64::to_bits), Some((-0.0f64).to_bits()));
    }

    #[test]
    fn missing_texts_come_before_values_that_look_like_them() {
        let na = Missing::new(&["NA".into(), "-999".into()]);
        assert_eq!(na.integer(b"-999"), Parsed::Na);
        assert_eq!(na.integer(b" NA "), Parsed::Na);
        assert_eq!(na.integer(b""), Parsed::Blank);
        assert_eq!(na.numeric(b"-999.0"), Parsed::Value(-999.0));
        assert!(na.is(b"NA") && !na.is(b" NA") && !na.is(b""));
        let na = Missing::new(&["NA".into()]);
        assert_eq!(na.integer(b"-999"), Parsed::Value(-999));
        assert_eq!(na.logical(b"1"), Parsed::Other);
    }
}
