//! The refusals of subscripts and assignments: R's wording, a code, and the category as `details.kind`.

use crate::dtype::Dtype;
use crate::error::{Code, Error};

/// Why a subscript or an assignment is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// No index at all: a wrong type, or not one element where one is wanted.
    BadSubscript,
    /// Negative with positive or missing indices.
    MixedSigns,
    /// Beyond the extent, or an unknown name.
    OutOfBounds,
    /// A mask longer than the dimension.
    SubscriptTooLong,
    /// The number of indices is not that of the dimensions.
    WrongDims,
    /// A name for an array without dimnames.
    NoDimnames,
    /// No values for some elements.
    EmptyReplacement,
    /// A missing index with more than one value.
    NaSubscript,
    /// The number of cells is no multiple of the number of values.
    AssignLength,
    /// Types that do not mix.
    BadType,
}

impl Kind {
    /// The category's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::BadSubscript => "bad-subscript",
            Self::MixedSigns => "mixed-signs",
            Self::OutOfBounds => "out-of-bounds",
            Self::SubscriptTooLong => "subscript-too-long",
            Self::WrongDims => "wrong-dims",
            Self::NoDimnames => "no-dimnames",
            Self::EmptyReplacement => "empty-replacement",
            Self::NaSubscript => "na-subscript",
            Self::AssignLength => "assign-length",
            Self::BadType => "bad-type",
        }
    }

    fn code(self) -> Code {
        match self {
            Self::BadSubscript | Self::MixedSigns | Self::SubscriptTooLong | Self::NaSubscript => {
                Code::Subscript
            }
            Self::OutOfBounds => Code::OutOfBounds,
            Self::WrongDims | Self::NoDimnames => Code::Dim,
            Self::EmptyReplacement | Self::AssignLength => Code::Length,
            Self::BadType => Code::Type,
        }
    }

    /// The error, with `message`.
    pub(crate) fn error(self, message: impl Into<String>) -> Error {
        Error::new(self.code(), message).with("kind", self.name())
    }
}

pub(super) fn invalid_type(dtype: Dtype) -> Error {
    Kind::BadSubscript.error(format!("invalid subscript type '{}'", dtype.name()))
}

pub(super) fn out_of_bounds() -> Error {
    Kind::OutOfBounds.error("subscript out of bounds")
}

/// Beyond dimension `d` (from 0), which has `extent` elements.
pub(super) fn out_of_dimension(d: usize, extent: u64) -> Error {
    out_of_bounds().with("dimension", d).with("extent", extent)
}

pub(super) fn wrong_dims(given: usize, wanted: usize) -> Error {
    Kind::WrongDims
        .error(format!("incorrect number of dimensions: {given} subscripts for {wanted}"))
        .with("subscripts", given)
        .with("dimensions", wanted)
}

pub(super) fn no_dimnames() -> Error {
    Kind::NoDimnames.error("no 'dimnames' attribute for array")
}

pub(super) fn mixed_signs(with_missing: bool) -> Error {
    Kind::MixedSigns.error(if with_missing {
        "can't mix NAs with negative subscripts"
    } else {
        "can't mix positive and negative subscripts"
    })
}
