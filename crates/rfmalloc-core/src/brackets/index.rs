//! An index as a caller passes it, made ready for use.

use super::text::TextVector;
use crate::dtype::Dtype;
use crate::elements::{Guard, Vector};
use crate::error::Result;
use crate::region::{RawBytes, Span};
use crate::subscript::{Base, Kind, Mask, Numbers, Selection, Subscript, Texts};

/// What stands between the brackets.
#[derive(Clone, Copy)]
pub enum What<'a> {
    /// Nothing: everything is meant.
    All,
    /// R's NULL.
    Nothing,
    /// Doubles in a caller's buffer; NA is R's.
    F64(RawBytes),
    /// 32-bit integers in a caller's buffer; NA is `i32::MIN`.
    I32(RawBytes),
    /// Logical values (0, 1, NA), 32 bits each, in a caller's buffer.
    Mask(RawBytes),
    /// Names; `None` is NA.
    Names(&'a [Option<String>]),
    /// The elements of a vector: numbers, logical values or names.
    Vector(&'a Vector),
}

/// How numbers, and a mask, are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Positions from 0.
    Zero,
    /// R's subscript: from 1, zeros drop, negatives leave out, fractions are cut off.
    R,
    /// Positions from 0, or what is true, is left out.
    Except,
}

/// One index.
#[derive(Clone, Copy)]
pub struct Index<'a> {
    /// What stands there.
    pub what: What<'a>,
    /// How it is meant.
    pub style: Style,
}

impl<'a> Index<'a> {
    /// An index left empty.
    pub const ALL: Self = Self { what: What::All, style: Style::Zero };

    /// Positions from 0, a mask or names.
    pub fn of(what: What<'a>) -> Self {
        Self { what, style: Style::Zero }
    }

    /// R's subscript.
    pub fn r(what: What<'a>) -> Self {
        Self { what, style: Style::R }
    }

    /// What is left out.
    pub fn except(what: What<'a>) -> Self {
        Self { what, style: Style::Except }
    }

    /// Whether the indices are a single matrix of numbers or names with a column for each dimension of `x`, each of whose rows picks a
    /// cell: its rows.
    ///
    /// # Errors
    /// `DESTROYED`, `CLOSED`; `CORRUPT`: the attributes cannot be read.
    pub fn rows_of_cells(indices: &[Self], x: &Vector) -> Result<Option<u64>> {
        Self::rows_for(indices, extents(x)?.len())
    }

    /// The same for an array of `rank` dimensions.
    pub(super) fn rows_for(indices: &[Self], rank: usize) -> Result<Option<u64>> {
        let [Self { what: What::Vector(matrix), style: Style::Zero | Style::R }] = indices else {
            return Ok(None);
        };
        if !matches!(matrix.dtype(), Dtype::Integer | Dtype::Numeric | Dtype::Character) {
            return Ok(None);
        }
        match extents(matrix)?[..] {
            [rows, columns] if columns == rank as u64 => Ok(Some(rows)),
            _ => Ok(None),
        }
    }
}

/// The extents of an array, none of a plain vector.
fn extents(v: &Vector) -> Result<Vec<u64>> {
    match v {
        Vector::Object(h) if h.facts().has_attributes => Ok(h.attributes()?.dim),
        _ => Ok(Vec::new()),
    }
}

struct Given<'a>(&'a [Option<String>]);

impl Texts for Given<'_> {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn each(&self, start: u64, n: u64, f: &mut dyn FnMut(Option<&str>) -> bool) -> Result<()> {
        let part = self.0.iter().skip(start as usize).take(n as usize);
        for text in part {
            if !f(text.as_deref()) {
                break;
            }
        }
        Ok(())
    }
}

/// An index whose memory is held in place.
pub(super) struct Ready<'a> {
    index: Index<'a>,
    guard: Option<Guard>,
    texts: Option<Box<dyn Texts + 'a>>,
}

impl<'a> Ready<'a> {
    pub(super) fn new(index: &Index<'a>) -> Result<Self> {
        let mut ready = Self { index: *index, guard: None, texts: None };
        match index.what {
            What::Names(names) => ready.texts = Some(Box::new(Given(names))),
            What::Vector(v) if v.dtype() == Dtype::Character => {
                ready.texts = Some(Box::new(TextVector::borrowed(v)));
            }
            What::Vector(v) => ready.guard = Some(v.guard()?),
            _ => {}
        }
        if ready.texts.is_some() && index.style == Style::Except {
            return Err(Kind::BadSubscript.error(
                "invalid argument to unary operator: names cannot be left out, only positions or a mask",
            ));
        }
        Ok(ready)
    }

    /// All of several indices.
    pub(super) fn all(indices: &[Index<'a>]) -> Result<Vec<Self>> {
        indices.iter().map(Self::new).collect()
    }

    pub(super) fn subscript(&self) -> Subscript<'_> {
        if let Some(texts) = &self.texts {
            return Subscript::Names(&**texts);
        }
        match self.index.what {
            // Everything left out is nothing, and nothing left out everything.
            What::All | What::Nothing | What::Names(_) => {
                if matches!(self.index.what, What::All) == (self.index.style == Style::Except) {
                    Subscript::Nothing
                } else {
                    Subscript::All
                }
            }
            What::F64(bytes) => self.numbers(Numbers::F64(bytes.span())),
            What::I32(bytes) => self.numbers(Numbers::I32(bytes.span())),
            What::Mask(bytes) => self.mask(bytes.span()),
            What::Vector(v) => {
                let span = self.guard.as_ref().map_or(Span::EMPTY, Guard::span);
                match v.dtype() {
                    Dtype::Numeric => self.numbers(Numbers::F64(span)),
                    Dtype::Integer => self.numbers(Numbers::I32(span)),
                    Dtype::Logical => self.mask(span),
                    other => Subscript::Other(other),
                }
            }
        }
    }

    /// The names, if it is names.
    pub(super) fn texts(&self) -> Option<&dyn Texts> {
        self.texts.as_deref().map(|t| t as &dyn Texts)
    }

    /// Positions from 0 are written to all or not at all: a missing one is refused, unlike R's, which writes nowhere.
    pub(super) fn refuse_missing(&self, selected: &Selection) -> Result<()> {
        let is_positions = matches!(self.subscript(), Subscript::Numbers(_, Base::Zero));
        if is_positions && selected.has_missing() {
            return Err(
                Kind::NaSubscript.error("NAs are not allowed in subscripted assignments: a position is NA")
            );
        }
        Ok(())
    }

    fn numbers(&self, numbers: Numbers) -> Subscript<'_> {
        match self.index.style {
            Style::Zero => Subscript::Numbers(numbers, Base::Zero),
            Style::R => Subscript::Numbers(numbers, Base::One),
            Style::Except => Subscript::Except(numbers),
        }
    }

    fn mask(&self, span: Span) -> Subscript<'_> {
        let mask = Mask::new(span);
        if self.index.style == Style::Except { Subscript::ExceptMask(mask) } else { Subscript::Mask(mask) }
    }

    /// To be called after the last use.
    ///
    /// # Errors
    /// `IO`: bytes of the index are lost.
    pub(super) fn check(&self) -> Result<()> {
        self.guard.as_ref().map_or(Ok(()), |g| g.check(0, g.span().nbytes()))
    }
}
