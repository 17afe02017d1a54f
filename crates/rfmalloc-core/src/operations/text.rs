//! Text among operands: made text or numbers of, and compared.

use super::dress::Dress;
use super::given::{Given, Input, Piece};
use crate::compute::{Compare, Scalar};
use crate::convert::Warnings;
use crate::dtype::Dtype;
use crate::elements::Vector;
use crate::error::Result;
use crate::na::{is_na, na_real};
use crate::store::{Handle, Store};
use crate::strings::TextOperand;
use std::sync::Arc;

/// Strings of an operand.
enum Texts<'a> {
    Own(Vector),
    Given(Piece<'a>),
}

impl Texts<'_> {
    fn place(&self) -> (&Vector, u64, u64) {
        match self {
            Self::Own(v) => (v, 0, v.len()),
            Self::Given(piece) => (piece.vector, piece.start, piece.len),
        }
    }
}

impl Store {
    /// An operand's elements as a temporary of their own, without attributes.
    pub(super) fn own_copy(&self, x: &Input<'_>) -> Result<Vector> {
        self.as_another(x, x.dtype, &mut Warnings::default())
    }

    /// The same of another type.
    fn as_another(&self, x: &Input<'_>, dtype: Dtype, w: &mut Warnings) -> Result<Vector> {
        let out = Vector::Object(self.reserve(dtype, x.len, false)?);
        match x.given {
            Given::Piece(piece) => *w |= out.copy_from(0, piece.vector, piece.start, piece.len)?,
            Given::Value(dtype, value) => {
                let one = Vector::Object(self.reserve(dtype, 1, false)?);
                one.write_bytes(0, &bytes_of(value))?;
                *w |= out.copy_from(0, &one, 0, 1)?;
            }
        }
        Ok(out)
    }

    /// Text as numbers.
    pub(super) fn as_numbers(&self, x: &Input<'_>, w: &mut Warnings) -> Result<Vector> {
        self.as_another(x, Dtype::Numeric, w)
    }

    fn texts<'a>(&self, x: &Input<'a>, w: &mut Warnings) -> Result<Texts<'a>> {
        match x.given {
            Given::Piece(piece) if x.dtype == Dtype::Character => Ok(Texts::Given(piece)),
            _ => self.as_another(x, Dtype::Character, w).map(Texts::Own),
        }
    }

    /// `x op y` by code point, of operands of which at least one is text; the other is turned into text, each NA staying NA.
    pub(super) fn compared_texts(
        &self,
        op: Compare,
        x: &Input<'_>,
        y: &Input<'_>,
        len: u64,
        dress: Dress<'_, '_>,
    ) -> Result<Handle> {
        let mut none = Warnings::default();
        let (x, y) = (self.texts(x, &mut none)?, self.texts(y, &mut none)?);
        let out = Vector::Object(self.reserve(Dtype::Logical, len, false)?);
        let ((a, start, n), (b, from, m)) = (x.place(), y.place());
        a.compare_strings(op, (start, n), TextOperand::Many(b, from, m), &out)?;
        let mut result = out.into_object()?;
        dress.put_on(self, &mut result)?;
        Ok(result)
    }
}

/// The vector once more, for work that outlives its caller's hold.
pub(super) fn own_vector(vector: &Vector) -> Result<Vector> {
    Ok(match vector {
        Vector::Object(h) => Vector::Object(h.again()?),
        Vector::File(f) => Vector::File(Arc::clone(f)),
    })
}

/// One value as an element's bytes. NA of every type is the bits of NA.
pub(super) fn bytes_of(value: Scalar) -> Vec<u8> {
    let real = |x: f64| if is_na(x) { na_real() } else { x }.to_le_bytes();
    match value {
        Scalar::Int(x) => x.to_le_bytes().to_vec(),
        Scalar::Real(x) => real(x).to_vec(),
        Scalar::Complex([re, im]) => [real(re), real(im)].concat(),
        Scalar::Raw(x) => vec![x],
    }
}
