//! The header of a `.npy` file: a magic word, a version, and a Python dictionary with the element type, the order and the extents.

use crate::convert::Source;
use crate::dtype::Dtype;
use crate::error::{Code, Error, Result};

pub(super) const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// Bytes before the header's text in version 1.
const PREFIX: usize = 10;
/// Elements begin at a multiple of this.
const ALIGN: usize = 64;

/// How a number of the file becomes an element of a vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// As the conversions know it.
    Plain(Source),
    U16,
    U64,
    /// Two `float32`.
    Complex64,
}

/// What a header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) layout: Layout,
    pub(super) dtype: Dtype,
    pub(super) big_endian: bool,
    /// Column-major.
    pub(super) fortran: bool,
    pub(super) shape: Vec<u64>,
}

impl Header {
    /// Bytes of one element in the file.
    pub(super) fn width(&self) -> u64 {
        match self.layout {
            Layout::Plain(source) => source.width(),
            Layout::U16 => 2,
            Layout::U64 | Layout::Complex64 => 8,
        }
    }

    /// Bytes of one number in the file; a complex element has two.
    pub(super) fn number_width(&self) -> usize {
        match self.layout {
            Layout::Complex64 => 4,
            Layout::Plain(Source::Complex) => 8,
            _ => self.width() as usize,
        }
    }

    /// Elements; `None`: more than a number can count.
    pub(super) fn len(&self) -> Option<u64> {
        self.shape.iter().try_fold(1_u64, |n, e| n.checked_mul(*e))
    }
}

fn corrupt(what: impl Into<String>) -> Error {
    Error::new(Code::Corrupt, format!("no npy file: {}", what.into()))
}

/// Bytes of the header's text and where it begins, from the first twelve bytes of the file.
pub(super) fn text_place(b: &[u8; 12]) -> Result<(u64, u64)> {
    if b[..6] != *MAGIC {
        return Err(corrupt("it does not begin with the magic word of numpy"));
    }
    match (b[6], b[7]) {
        (1, 0) => Ok((u64::from(u16::from_le_bytes([b[8], b[9]])), 10)),
        (2 | 3, 0) => Ok((u64::from(u32::from_le_bytes([b[8], b[9], b[10], b[11]])), 12)),
        (major, minor) => Err(Error::new(
            Code::Version,
            format!("the npy file has version {major}.{minor}; known are 1.0, 2.0 and 3.0"),
        )),
    }
}

/// Reads the dictionary.
pub(super) fn parse(text: &str) -> Result<Header> {
    let mut p = Parser { rest: text.trim() };
    let (mut descr, mut fortran, mut shape) = (None, None, None);
    p.expect('{')?;
    while !p.take('}') {
        let key = p.string()?;
        p.expect(':')?;
        match key {
            "descr" => descr = Some(p.descr()?),
            "fortran_order" => fortran = Some(p.flag()?),
            "shape" => shape = Some(p.shape()?),
            other => return Err(corrupt(format!("its header has a key '{other}'"))),
        }
        if !p.take(',') {
            p.expect('}')?;
            break;
        }
    }
    let (Some((big_endian, layout, dtype)), Some(fortran), Some(shape)) = (descr, fortran, shape) else {
        return Err(corrupt("its header does not name descr, fortran_order and shape"));
    };
    if !p.rest.trim().is_empty() {
        return Err(corrupt("something stands behind its header's dictionary"));
    }
    Ok(Header { layout, dtype, big_endian, fortran, shape })
}

struct Parser<'a> {
    rest: &'a str,
}

impl<'a> Parser<'a> {
    fn take(&mut self, c: char) -> bool {
        self.rest = self.rest.trim_start();
        match self.rest.strip_prefix(c) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, c: char) -> Result<()> {
        if self.take(c) { Ok(()) } else { Err(corrupt(format!("its header has no '{c}' where one belongs"))) }
    }

    fn string(&mut self) -> Result<&'a str> {
        let quote = if self.take('\'') { '\'' } else { self.expect('"').map(|()| '"')? };
        let (text, rest) =
            self.rest.split_once(quote).ok_or_else(|| corrupt("a text in its header has no end"))?;
        self.rest = rest;
        Ok(text)
    }

    fn flag(&mut self) -> Result<bool> {
        self.rest = self.rest.trim_start();
        for (word, value) in [("True", true), ("False", false)] {
            if let Some(rest) = self.rest.strip_prefix(word) {
                self.rest = rest;
                return Ok(value);
            }
        }
        Err(corrupt("fortran_order is neither True nor False"))
    }

    fn shape(&mut self) -> Result<Vec<u64>> {
        let mut shape = Vec::new();
        self.expect('(')?;
        while !self.take(')') {
            self.rest = self.rest.trim_start();
            let end = self.rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.rest.len());
            let extent =
                self.rest[..end].parse().map_err(|_| corrupt("an extent of its shape is no number"))?;
            self.rest = &self.rest[end..];
            shape.push(extent);
            if !self.take(',') {
                self.expect(')')?;
                break;
            }
        }
        Ok(shape)
    }

    /// The element type, if a vector can have it.
    fn descr(&mut self) -> Result<(bool, Layout, Dtype)> {
        let unknown = |what: &str| {
            Error::new(
                Code::Unsupported,
                format!("elements of numpy's type {what} have no vector: convert the array to float64, int32, bool, uint8 or complex128"),
            )
            .with("type", what)
        };
        if self.rest.trim_start().starts_with('[') {
            return Err(unknown("'structured'"));
        }
        let text = self.string()?;
        let big_endian = text.starts_with('>');
        let kind = text.trim_start_matches(['<', '>', '|', '=']);
        let plain = Layout::Plain;
        let (layout, dtype) = match kind {
            "b1" | "?" => (plain(Source::U8), Dtype::Logical),
            "u1" => (plain(Source::U8), Dtype::Raw),
            "i1" => (plain(Source::I8), Dtype::Integer),
            "i2" => (plain(Source::I16), Dtype::Integer),
            "u2" => (Layout::U16, Dtype::Integer),
            "i4" => (plain(Source::I32), Dtype::Integer),
            "u4" => (plain(Source::U32), Dtype::Numeric),
            "i8" => (plain(Source::I64), Dtype::Numeric),
            "u8" => (Layout::U64, Dtype::Numeric),
            "f4" => (plain(Source::F32), Dtype::Numeric),
            "f8" => (plain(Source::F64), Dtype::Numeric),
            "c8" => (Layout::Complex64, Dtype::Complex),
            "c16" => (plain(Source::Complex), Dtype::Complex),
            _ => return Err(unknown(&format!("'{text}'"))),
        };
        Ok((big_endian, layout, dtype))
    }
}

/// The header of a file with elements of this type, which is one with bytes of its own.
pub(super) fn encode(dtype: Dtype, shape: &[u64]) -> Vec<u8> {
    let descr = match dtype {
        Dtype::Logical => "|b1",
        Dtype::Raw => "|u1",
        Dtype::Integer => "<i4",
        Dtype::Complex => "<c16",
        _ => "<f8",
    };
    // A vector has both orders; numpy says False of it.
    let order = if shape.len() > 1 { "True" } else { "False" };
    let extents: String = shape.iter().map(|e| e.to_string() + ",").collect::<Vec<_>>().join(" ");
    let extents = if shape.len() > 1 { extents.trim_end_matches(',') } else { &extents };
    let mut text = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': ({extents}), }}");
    // At most 8 extents of 20 digits: version 1 holds them all.
    while !(PREFIX + text.len() + 1).is_multiple_of(ALIGN) {
        text.push(' ');
    }
    text.push('\n');
    let mut out = MAGIC.to_vec();
    out.extend_from_slice(&[1, 0]);
    out.extend_from_slice(&(text.len() as u16).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
    out
}
