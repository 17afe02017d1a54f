//! One text as R's `as.numeric`, `as.complex` and `as.logical` read it (behaviours 12.2, 12.3).
//!
//! A number is: blanks, a sign, then decimal digits with a point and an exponent, a hexadecimal constant, `Inf`, `infinity` or `NaN` in
//! any case; blanks. Blanks are ASCII's white space. Rounding is exact.

use super::hex;

/// What a text says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Read<T> {
    /// Nothing but blanks: NA, silently.
    Blank,
    /// Something that is no number: NA with a warning.
    Garbage,
    /// A value.
    Value(T),
}

fn is_blank(c: u8) -> bool {
    matches!(c, b' ' | b'\t'..=b'\r')
}

fn trim(mut s: &[u8]) -> &[u8] {
    while let [c, rest @ ..] = s
        && is_blank(*c)
    {
        s = rest;
    }
    while let [rest @ .., c] = s
        && is_blank(*c)
    {
        s = rest;
    }
    s
}

/// `T TRUE true True`, `F FALSE false False`; anything else, blanks around them included, is NA without a warning.
pub(crate) fn logical(text: &str) -> Option<bool> {
    match text {
        "T" | "TRUE" | "true" | "True" => Some(true),
        "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

/// A number.
pub(crate) fn numeric(text: &str) -> Read<f64> {
    let s = trim(text.as_bytes());
    if s.is_empty() {
        return Read::Blank;
    }
    match number(s) {
        Some((x, [])) => Read::Value(x),
        _ => Read::Garbage,
    }
}

/// A complex number: a real part, an imaginary one behind its sign and with `i`, or only one of them. No blanks inside.
pub(crate) fn complex(text: &str) -> Read<(f64, f64)> {
    let s = trim(text.as_bytes());
    if s.is_empty() {
        return Read::Blank;
    }
    match number(s) {
        Some((re, [])) => Read::Value((re, 0.0)),
        Some((im, b"i")) => Read::Value((0.0, im)),
        Some((re, rest @ [b'+' | b'-', ..])) => match number(rest) {
            Some((im, b"i")) => Read::Value((re, im)),
            _ => Read::Garbage,
        },
        _ => Read::Garbage,
    }
}

/// The number that `s` begins with, and what follows it.
fn number(s: &[u8]) -> Option<(f64, &[u8])> {
    let (negative, body) = match s {
        [sign @ (b'+' | b'-'), rest @ ..] => (*sign == b'-', rest),
        rest => (false, rest),
    };
    let (x, rest) = word(body, b"infinity", f64::INFINITY)
        .or_else(|| word(body, b"inf", f64::INFINITY))
        .or_else(|| word(body, b"nan", f64::NAN))
        .or_else(|| hex::constant(body))
        .or_else(|| decimal(body))?;
    Some((if negative { -x } else { x }, rest))
}

fn word<'a>(s: &'a [u8], word: &[u8], x: f64) -> Option<(f64, &'a [u8])> {
    let (head, rest) = s.split_at_checked(word.len())?;
    head.eq_ignore_ascii_case(word).then_some((x, rest))
}

/// Bytes of `s` that are digits.
fn digits(s: &[u8]) -> usize {
    s.iter().take_while(|c| c.is_ascii_digit()).count()
}

fn decimal(s: &[u8]) -> Option<(f64, &[u8])> {
    let whole = digits(s);
    let mut end = whole;
    let mut decimals = 0;
    if s.get(end) == Some(&b'.') {
        decimals = digits(&s[end + 1..]);
        end += 1 + decimals;
    }
    if whole + decimals == 0 {
        return None;
    }
    if matches!(s.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(s.get(end + 1), Some(b'+' | b'-')));
        match digits(&s[end + 1 + sign..]) {
            // An exponent without digits: the letter stays behind and spoils the number.
            0 => {}
            n => end += 1 + sign + n,
        }
    }
    // The standard library reads exactly this grammar, and rounds correctly.
    let x = std::str::from_utf8(&s[..end]).ok()?.parse().ok()?;
    Some((x, &s[end..]))
}
