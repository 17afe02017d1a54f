//! Character both ways: elements of every type as text, and text as elements (behaviours 12.2 to 12.6).
//!
//! Knows single texts and blocks of private element bytes, not how a store keeps its strings: the strings module calls with each text it
//! reads, or receives each text it is to write.

use super::{Source, Value, Warnings, first, to_integer, to_raw};
use crate::dtype::Dtype;
use crate::error::Result;
use crate::na::{NA_INT, na_real};
use crate::text::parse::{self, Read};
use crate::text::{TextBuf, format};

/// The text of one element (`element`: its bytes); `None`: NA. Character and list elements have no bytes of their own.
fn to_text<'a>(dtype: Dtype, element: &[u8], buf: &'a mut TextBuf) -> Option<&'a str> {
    if dtype == Dtype::Logical {
        return format::logical(i32::from_le_bytes(first(element)), buf);
    }
    if dtype == Dtype::Raw {
        return Some(format::raw(element[0], buf));
    }
    match Source::of(dtype).value(element) {
        Value::Na => None,
        Value::Int(n) => Some(format::whole(n, buf)),
        Value::Real(x) => format::numeric(x, buf),
        Value::Complex(re, im) => format::complex(re, im, buf),
    }
}

/// Calls `f` with the text of every element in `block`, in order.
///
/// # Errors
/// What `f` returns.
pub(crate) fn each_text(
    dtype: Dtype,
    block: &[u8],
    mut f: impl FnMut(Option<&str>) -> Result<()>,
) -> Result<()> {
    let mut buf = TextBuf::new();
    block.chunks_exact(dtype.width() as usize).try_for_each(|e| f(to_text(dtype, e, &mut buf)))
}

/// Writes the element that `text` (`None`: NA) becomes into `out`, which is one element of a type with bytes of its own.
pub(crate) fn from_text(text: Option<&str>, dtype: Dtype, out: &mut [u8], w: &mut Warnings) {
    match dtype {
        Dtype::Logical => {
            let n = text.and_then(parse::logical).map_or(NA_INT, i32::from);
            out.copy_from_slice(&n.to_le_bytes());
        }
        Dtype::Integer => out.copy_from_slice(&to_integer(number(text, w), w).to_le_bytes()),
        Dtype::Numeric => {
            let x = match number(text, w) {
                Value::Real(x) => x,
                _ => na_real(),
            };
            out.copy_from_slice(&x.to_le_bytes());
        }
        Dtype::Complex => {
            let (re, im) = match text.map_or(Read::Blank, parse::complex) {
                Read::Value(z) => z,
                Read::Blank => (na_real(), na_real()),
                Read::Garbage => {
                    *w |= Warnings::NA_COERCION;
                    (na_real(), na_real())
                }
            };
            out[..8].copy_from_slice(&re.to_le_bytes());
            out[8..].copy_from_slice(&im.to_le_bytes());
        }
        Dtype::Raw => out[0] = to_raw(number(text, w), w),
        _ => {}
    }
}

fn number(text: Option<&str>, w: &mut Warnings) -> Value {
    match text.map_or(Read::Blank, parse::numeric) {
        Read::Value(x) => Value::Real(x),
        Read::Blank => Value::Na,
        Read::Garbage => {
            *w |= Warnings::NA_COERCION;
            Value::Na
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(s: &str, dtype: Dtype) -> (Vec<u8>, u32) {
        let (mut out, mut w) = (vec![0; dtype.width() as usize], Warnings::default());
        from_text(Some(s), dtype, &mut out, &mut w);
        (out, w.bits())
    }

    #[test]
    fn the_text_na_is_no_missing_element() {
        assert_eq!(read("NA", Dtype::Integer), (NA_INT.to_le_bytes().to_vec(), 1));
        assert_eq!(read("", Dtype::Integer), (NA_INT.to_le_bytes().to_vec(), 0));
        let mut w = Warnings::default();
        let mut out = [0; 8];
        from_text(None, Dtype::Numeric, &mut out, &mut w);
        assert_eq!((out, w.bits()), (na_real().to_le_bytes(), 0));
    }

    #[test]
    fn raw_from_text_goes_by_way_of_integer() {
        assert_eq!(read("1e10", Dtype::Raw), (vec![0], 2 | 8));
        assert_eq!(read("abc", Dtype::Raw), (vec![0], 1 | 8));
        assert_eq!(read(" 0x1F ", Dtype::Raw), (vec![31], 0));
    }

    #[test]
    fn every_type_is_written_as_r_writes_it() {
        let mut buf = TextBuf::new();
        let mut text = |dtype, bytes: &[u8]| to_text(dtype, bytes, &mut buf).map(str::to_owned);
        assert_eq!(text(Dtype::Logical, &1i32.to_le_bytes()).as_deref(), Some("TRUE"));
        assert_eq!(text(Dtype::Integer, &100_000i32.to_le_bytes()).as_deref(), Some("100000"));
        assert_eq!(text(Dtype::Numeric, &1e5f64.to_le_bytes()).as_deref(), Some("1e+05"));
        assert_eq!(text(Dtype::Raw, &[10]).as_deref(), Some("0a"));
        assert_eq!(text(Dtype::Integer, &NA_INT.to_le_bytes()), None);
        assert_eq!(text(Dtype::Numeric, &na_real().to_le_bytes()), None);
        let pair = [1f64.to_le_bytes(), na_real().to_le_bytes()].concat();
        assert_eq!(text(Dtype::Complex, &pair), None);
    }
}
