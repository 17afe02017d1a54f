//! Numbers as text that reads back as the same bits: the fewest digits that do, as `ryu` finds them, without `.0` behind a whole number.
//!
//! R writes fifteen significant digits, which lose the last bits of a double; a file that is to be read again must not.

use crate::dtype::Dtype;
use crate::na::{NA_INT, is_na};
use crate::text::{TextBuf, format};

/// Adds the text of one element (`bytes`, of a type with bytes of its own) to `out`; false, and nothing added: it is NA.
pub(super) fn push(dtype: Dtype, bytes: &[u8], buf: &mut TextBuf, out: &mut Vec<u8>) -> bool {
    match dtype {
        Dtype::Logical => match format::logical(int(bytes), buf) {
            Some(text) => out.extend_from_slice(text.as_bytes()),
            None => return false,
        },
        Dtype::Integer => match int(bytes) {
            NA_INT => return false,
            n => out.extend_from_slice(format::whole(i64::from(n), buf).as_bytes()),
        },
        Dtype::Raw => out.extend_from_slice(format::whole(i64::from(bytes[0]), buf).as_bytes()),
        Dtype::Complex => {
            let (re, im) = (double(bytes), double(&bytes[8..]));
            if is_na(re) || is_na(im) {
                return false;
            }
            push_double(re, buf, out);
            if im.is_nan() || im.is_sign_positive() {
                out.push(b'+');
            }
            push_double(im, buf, out);
            out.push(b'i');
        }
        _ => {
            let x = double(bytes);
            if is_na(x) {
                return false;
            }
            push_double(x, buf, out);
        }
    }
    true
}

fn int(bytes: &[u8]) -> i32 {
    let mut b = [0; 4];
    b.copy_from_slice(&bytes[..4]);
    i32::from_le_bytes(b)
}

fn double(bytes: &[u8]) -> f64 {
    let mut b = [0; 8];
    b.copy_from_slice(&bytes[..8]);
    f64::from_le_bytes(b)
}

/// NaN has no sign.
fn push_double(x: f64, buf: &mut TextBuf, out: &mut Vec<u8>) {
    if x.is_nan() {
        out.extend_from_slice(b"NaN");
    } else if x.is_infinite() {
        out.extend_from_slice(if x > 0.0 { b"Inf" } else { b"-Inf" });
    } else if x.trunc() == x && x.abs() < 1e15 {
        if x == 0.0 && x.is_sign_negative() {
            out.push(b'-');
        }
        out.extend_from_slice(format::whole(x as i64, buf).as_bytes());
    } else {
        let mut shortest = ryu::Buffer::new();
        let text = shortest.format_finite(x).as_bytes();
        out.extend_from_slice(text.strip_suffix(b".0").unwrap_or(text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::na::na_real;

    fn text(x: f64) -> String {
        let mut out = Vec::new();
        if !push(Dtype::Numeric, &x.to_le_bytes(), &mut TextBuf::new(), &mut out) {
            return "<NA>".to_owned();
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn doubles_read_back_as_their_bits() {
        for (x, expected) in [
            (0.1 + 0.2, "0.30000000000000004"),
            (1e5, "100000"),
            (-0.0, "-0"),
            (1.0 / 3.0, "0.3333333333333333"),
            (123_456_789_012_345.0, "123456789012345"),
            (1e22, "1e22"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e308"),
            (f64::NEG_INFINITY, "-Inf"),
            (f64::NAN, "NaN"),
            (na_real(), "<NA>"),
        ] {
            assert_eq!(text(x), expected);
        }
        let mut word: u64 = 0x9e37_79b9_7f4a_7c15;
        for _ in 0..if cfg!(miri) { 100 } else { 100_000 } {
            word = word.rotate_left(23).wrapping_mul(0xff51_afd7_ed55_8ccd) ^ (word >> 29);
            let x = f64::from_bits(word);
            if x.is_finite() {
                assert_eq!(text(x).parse::<f64>().unwrap().to_bits(), x.to_bits());
            }
        }
    }

    #[test]
    fn the_other_types_are_written_as_they_are_read() {
        let mut buf = TextBuf::new();
        let mut one = |dtype, bytes: &[u8]| {
            let mut out = Vec::new();
            push(dtype, bytes, &mut buf, &mut out).then(|| String::from_utf8(out).unwrap())
        };
        assert_eq!(one(Dtype::Logical, &1i32.to_le_bytes()).as_deref(), Some("TRUE"));
        assert_eq!(one(Dtype::Logical, &NA_INT.to_le_bytes()), None);
        assert_eq!(one(Dtype::Integer, &(-7i32).to_le_bytes()).as_deref(), Some("-7"));
        assert_eq!(one(Dtype::Raw, &[200]).as_deref(), Some("200"));
        let pair = |re: f64, im: f64| [re.to_le_bytes(), im.to_le_bytes()].concat();
        assert_eq!(one(Dtype::Complex, &pair(1.5, -0.0)).as_deref(), Some("1.5-0i"));
        assert_eq!(one(Dtype::Complex, &pair(f64::NAN, f64::INFINITY)).as_deref(), Some("NaN+Infi"));
        assert_eq!(one(Dtype::Complex, &pair(1.0, na_real())), None);
    }
}
