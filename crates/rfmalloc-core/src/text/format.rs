//! One element as R's `as.character` writes it: fixed or exponent form, whichever is shorter, fixed on a tie (behaviours 12.4).

use super::TextBuf;
use super::digits::decimal;
use crate::na::{NA_INT, is_na};

const HEX: &[u8; 16] = b"0123456789abcdef";

/// `TRUE`, `FALSE`; NA is `None`.
pub(crate) fn logical(x: i32, buf: &mut TextBuf) -> Option<&str> {
    buf.clear();
    match x {
        NA_INT => return None,
        0 => buf.extend(b"FALSE"),
        _ => buf.extend(b"TRUE"),
    }
    Some(buf.as_str())
}

/// Decimal digits, never an exponent; the caller knows which number is NA.
pub(crate) fn whole(x: i64, buf: &mut TextBuf) -> &str {
    buf.clear();
    if x < 0 {
        buf.push(b'-');
    }
    push_digits(u128::from(x.unsigned_abs()), buf);
    buf.as_str()
}

/// Two hexadecimal digits.
pub(crate) fn raw(x: u8, buf: &mut TextBuf) -> &str {
    buf.clear();
    buf.extend(&[HEX[usize::from(x >> 4)], HEX[usize::from(x & 15)]]);
    buf.as_str()
}

/// Up to fifteen significant digits; NA is `None`, NaN and the infinities are words, −0 is `0`.
pub(crate) fn numeric(x: f64, buf: &mut TextBuf) -> Option<&str> {
    if is_na(x) {
        return None;
    }
    buf.clear();
    push_number(x, buf);
    Some(buf.as_str())
}

/// Both parts, the imaginary one with its sign and `i`; NA (in either part) is `None`.
pub(crate) fn complex(re: f64, im: f64, buf: &mut TextBuf) -> Option<&str> {
    if is_na(re) || is_na(im) {
        return None;
    }
    buf.clear();
    push_number(re, buf);
    if im.is_nan() || im >= 0.0 {
        buf.push(b'+');
    }
    push_number(im, buf);
    buf.push(b'i');
    Some(buf.as_str())
}

fn push_digits(mut n: u128, buf: &mut TextBuf) {
    let (mut digits, mut at) = ([0; 20], 20);
    // 64-bit division is far cheaper, and nearly every number takes it.
    while n > u128::from(u64::MAX) {
        at -= 1;
        digits[at] = b'0' + (n % 10) as u8;
        n /= 10;
    }
    let mut n = n as u64;
    loop {
        at -= 1;
        digits[at] = b'0' + (n % 10) as u8;
        n /= 10;
        if n == 0 {
            break;
        }
    }
    buf.extend(&digits[at..]);
}

fn push_number(x: f64, buf: &mut TextBuf) {
    if x.is_nan() {
        return buf.extend(b"NaN");
    }
    if x < 0.0 {
        buf.push(b'-');
    }
    let x = x.abs();
    if x.is_infinite() {
        return buf.extend(b"Inf");
    }
    // Whole numbers below 10^15 have their own digits, and the most frequent ones no exponent form that is shorter.
    if x < 1e15 && x.trunc() == x {
        let n = x as u64;
        if n < 100_000 || !n.is_multiple_of(10) {
            return push_digits(u128::from(n), buf);
        }
    }
    let mut shortest = ryu::Buffer::new();
    let shortest = shortest.format_finite(x).as_bytes();
    // A fraction of at most fifteen digits in this range is written as it is: no exponent form is shorter.
    if (1e-3..1e15).contains(&x) && x.trunc() != x && shortest.len() <= if x < 1.0 { 17 } else { 16 } {
        return buf.extend(shortest);
    }
    let d = decimal(x, shortest);
    let (digits, n, exponent) = (&d.digits[..d.len], d.len as i32, d.exponent);
    let decimals = (n - exponent - 1).max(0);
    let fixed = exponent.max(0) + 1 + if decimals > 0 { decimals + 1 } else { 0 };
    let scientific = n + i32::from(n > 1) + if exponent.abs() >= 100 { 5 } else { 4 };
    if fixed > scientific {
        return push_scientific(digits, exponent, buf);
    }
    if exponent >= 15 {
        // More digits before the point than are significant: all of them are written, and such a number is whole.
        return push_digits(x as u128, buf);
    }
    if exponent < 0 {
        buf.extend(b"0.");
        buf.zeros((-exponent - 1) as usize);
        buf.extend(digits);
        return;
    }
    let before = exponent as usize + 1;
    if digits.len() <= before {
        buf.extend(digits);
        buf.zeros(before - digits.len());
    } else {
        buf.extend(&digits[..before]);
        buf.push(b'.');
        buf.extend(&digits[before..]);
    }
}

fn push_scientific(digits: &[u8], exponent: i32, buf: &mut TextBuf) {
    buf.push(digits[0]);
    if digits.len() > 1 {
        buf.push(b'.');
        buf.extend(&digits[1..]);
    }
    buf.push(b'e');
    buf.push(if exponent < 0 { b'-' } else { b'+' });
    let e = exponent.unsigned_abs();
    if e < 10 {
        buf.push(b'0');
    }
    push_digits(u128::from(e), buf);
}
