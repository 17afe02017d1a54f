//! What an operation is given, and what holds it in place meanwhile.

use crate::compute::{Dims, Operand, Scalar};
use crate::dtype::Dtype;
use crate::elements::{Guard, Vector};
use crate::error::{Code, Error, Result};
use crate::region::Span;
use crate::store::{Attributes, FRAME, MATRIX, Role};

/// Consecutive elements of a vector.
#[derive(Clone, Copy)]
pub struct Piece<'a> {
    /// Whose elements.
    pub vector: &'a Vector,
    /// The first one.
    pub start: u64,
    /// How many.
    pub len: u64,
    /// A piece has no shape, and its names stand in a vector of their own from an element on. Of a whole vector they are its own.
    pub names: Option<(&'a Vector, u64)>,
    /// Rows and columns, of consecutive columns of a matrix: they are a matrix, with the names of the rows and of these columns.
    pub columns: Option<[u64; 2]>,
}

impl<'a> Piece<'a> {
    /// All elements, with shape and names.
    pub fn whole(vector: &'a Vector) -> Self {
        Self { vector, start: 0, len: vector.len(), names: None, columns: None }
    }

    /// The position of the first of these columns, if the matrix that they are of still has its shape.
    fn first_column(&self, now: &Attributes) -> Option<u64> {
        let [rows, _] = self.columns?;
        let is_same = now.dim.len() == 2 && now.dim[0] == rows;
        (is_same && rows > 0).then(|| self.start / rows)
    }

    /// Shape and names of these columns.
    fn attributes(&self, columns: [u64; 2]) -> Result<Attributes> {
        let now = match self.vector {
            Vector::Object(h) if h.facts().has_attributes => h.attributes()?,
            _ => Attributes::default(),
        };
        let is_shaped = self.first_column(&now).is_some();
        let has_dimnames = if is_shaped { now.has_dimnames } else { Vec::new() };
        Ok(Attributes { kind: MATRIX, dim: columns.to_vec(), has_dimnames, ..Attributes::default() })
    }

    pub(super) fn is_whole(&self) -> bool {
        self.start == 0 && self.len == self.vector.len() && self.names.is_none() && self.columns.is_none()
    }
}

/// An operand.
#[derive(Clone, Copy)]
pub enum Given<'a> {
    /// Elements of a vector.
    Piece(Piece<'a>),
    /// One value of a type.
    Value(Dtype, Scalar),
}

impl<'a> From<&'a Vector> for Given<'a> {
    fn from(vector: &'a Vector) -> Self {
        Self::Piece(Piece::whole(vector))
    }
}

/// Memory of elements that stays where it is until the work on it is done.
pub(super) struct Hold {
    guard: Guard,
    off: u64,
    nbytes: u64,
}

impl Hold {
    fn new(piece: &Piece<'_>, guard: Guard) -> Self {
        let width = piece.vector.dtype().width();
        Self { guard, off: piece.start * width, nbytes: piece.len * width }
    }

    fn span(&self) -> Span {
        self.guard.span().part(self.off, self.nbytes)
    }

    /// Whether its store is being closed and waits for this.
    pub(super) fn is_closing(&self) -> bool {
        self.guard.is_closing()
    }

    /// To be called after the last read.
    ///
    /// # Errors
    /// `IO`: bytes of the elements are lost.
    pub(super) fn check(&self) -> Result<()> {
        self.guard.check(self.off, self.nbytes)
    }
}

/// An operand whose type, shape and names are known.
pub(super) struct Input<'a> {
    pub(super) given: Given<'a>,
    pub(super) attributes: Attributes,
    pub(super) dtype: Dtype,
    pub(super) len: u64,
}

impl<'a> Input<'a> {
    pub(super) fn new(given: Given<'a>) -> Result<Self> {
        let piece = match given {
            Given::Value(dtype, _) => {
                return Ok(Self { given, attributes: Attributes::default(), dtype, len: 1 });
            }
            Given::Piece(piece) => piece,
        };
        piece.vector.check(piece.start, piece.len)?;
        if let Some([rows, cols]) = piece.columns {
            if rows.checked_mul(cols) != Some(piece.len) {
                return Err(Error::new(Code::Dim, "dims do not match the length of object"));
            }
            let attributes = piece.attributes([rows, cols])?;
            return Ok(Self { given, attributes, dtype: piece.vector.dtype(), len: piece.len });
        }
        let attributes = match piece.vector {
            Vector::Object(h) if h.facts().kind == FRAME => {
                return Err(Error::new(Code::Type, "a data frame is no operand; take its columns"));
            }
            Vector::Object(h) if h.facts().has_attributes && piece.is_whole() => h.attributes()?,
            _ => Attributes { has_names: piece.names.is_some(), ..Attributes::default() },
        };
        Ok(Self { given, attributes, dtype: piece.vector.dtype(), len: piece.len })
    }

    /// Whether both are the same elements of one vector, as matrices of the same shape.
    pub(super) fn is_the_same(&self, other: &Self) -> bool {
        let (Given::Piece(x), Given::Piece(y)) = (self.given, other.given) else { return false };
        let is_same = x.vector.is(y.vector) && (x.start, x.len) == (y.start, y.len) && x.len > 0;
        is_same && self.attributes.dim == other.attributes.dim
    }

    /// Lengths and attributes as `conform` wants them.
    pub(super) fn dims(&self) -> Dims<'_> {
        let a = &self.attributes;
        Dims {
            len: self.len,
            dim: (!a.dim.is_empty()).then_some(&a.dim),
            dimnames: !a.has_dimnames.is_empty(),
            names: a.has_names,
        }
    }

    /// The operand for the engine, and what holds it. Of text and lists, and of nothing, only type and length are known.
    pub(super) fn hold(&self) -> Result<(Operand, Option<Hold>)> {
        let piece = match self.given {
            Given::Value(dtype, value) => return Ok((Operand::scalar(dtype, value)?, None)),
            Given::Piece(piece) => piece,
        };
        if !self.dtype.is_plain() || self.len == 0 {
            return Ok((Operand::absent(self.dtype, self.len), None));
        }
        let hold = Hold::new(&piece, piece.vector.guard()?);
        Ok((Operand::over(self.dtype, hold.span()), Some(hold)))
    }

    /// The same, and what holds text and lists, too.
    pub(super) fn hold_any(&self) -> Result<(Operand, Option<Hold>)> {
        let (operand, hold) = self.hold()?;
        match (&hold, self.given) {
            (None, Given::Piece(piece)) if !self.dtype.is_plain() => {
                Ok((operand, Some(Hold::new(&piece, piece.vector.guard_any()?))))
            }
            _ => Ok((operand, hold)),
        }
    }

    /// The names in this role, and the position of the first of them there.
    pub(super) fn names(&self, role: Role) -> Result<Option<(Named<'a>, u64)>> {
        let Given::Piece(piece) = self.given else { return Ok(None) };
        if let Some((names, start)) = piece.names {
            return Ok((role == Role::Names).then_some((Named::Lent(names), start)));
        }
        match piece.vector {
            Vector::Object(h) if piece.columns.is_some() => {
                let first = piece.first_column(&h.attributes()?);
                let (Some(first), Some(names)) = (first, h.child(role)?) else { return Ok(None) };
                let start = if role == Role::Dimnames(1) { first } else { 0 };
                Ok(Some((Named::Own(Vector::Object(names)), start)))
            }
            Vector::Object(h) if piece.is_whole() => {
                Ok(h.child(role)?.map(|h| (Named::Own(Vector::Object(h)), 0)))
            }
            _ => Ok(None),
        }
    }
}

/// A vector of names.
pub(super) enum Named<'a> {
    Own(Vector),
    Lent(&'a Vector),
}

impl Named<'_> {
    pub(super) fn vector(&self) -> &Vector {
        match self {
            Self::Own(v) => v,
            Self::Lent(v) => v,
        }
    }
}
