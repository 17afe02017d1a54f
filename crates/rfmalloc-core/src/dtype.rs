//! Element types: their codes on disk, widths and names.
//!
//! Holds: [`Dtype`]. The codes are part of the file format (`docs/FORMAT.md`, "Types"); those beyond raw have their place there
//! and are refused by [`Dtype::supported`] until a release implements them.

use crate::error::{Code, Error, Result};

/// An element type, by its code in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Dtype {
    /// `int32` 0 or 1; NA is `i32::MIN`.
    Logical = 1,
    /// `int32`; NA is `i32::MIN`.
    Integer = 2,
    /// `float64`; NA is the NaN whose low word is 1954.
    Numeric = 3,
    /// Two `float64`; NA if either part is NA.
    Complex = 4,
    /// `uint8`; no NA.
    Raw = 5,
    /// 16-byte string views.
    Character = 6,
    /// (id, generation) cells.
    List = 7,
    /// `float32` storage.
    Float32 = 8,
    /// `int8` storage.
    Int8 = 9,
    /// `int16` storage.
    Int16 = 10,
    /// `int64` storage.
    Int64 = 11,
}

impl Dtype {
    /// The type with this code, if the format knows it.
    pub fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            1 => Self::Logical,
            2 => Self::Integer,
            3 => Self::Numeric,
            4 => Self::Complex,
            5 => Self::Raw,
            6 => Self::Character,
            7 => Self::List,
            8 => Self::Float32,
            9 => Self::Int8,
            10 => Self::Int16,
            11 => Self::Int64,
            _ => return None,
        })
    }

    /// The code in the file.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// Bytes per element.
    pub fn width(self) -> u64 {
        match self {
            Self::Raw | Self::Int8 => 1,
            Self::Int16 => 2,
            Self::Logical | Self::Integer | Self::Float32 => 4,
            Self::Numeric | Self::Int64 | Self::List => 8,
            Self::Complex | Self::Character => 16,
        }
    }

    /// R's name of the type.
    pub fn name(self) -> &'static str {
        match self {
            Self::Logical => "logical",
            Self::Integer => "integer",
            Self::Numeric => "numeric",
            Self::Complex => "complex",
            Self::Raw => "raw",
            Self::Character => "character",
            Self::List => "list",
            Self::Float32 => "float32",
            Self::Int8 => "int8",
            Self::Int16 => "int16",
            Self::Int64 => "int64",
        }
    }

    /// Whether an element is its bytes: not so for text and lists, which refer to other bytes.
    pub fn is_plain(self) -> bool {
        !matches!(self, Self::Character | Self::List)
    }

    /// The type, if its elements are their bytes.
    ///
    /// # Errors
    /// `TYPE` for character and lists.
    pub fn plain(self) -> Result<Self> {
        if self.is_plain() {
            return Ok(self);
        }
        Err(Error::new(
            Code::Type,
            format!("elements of type '{}' are no plain bytes; read and write them by value", self.name()),
        )
        .with("type", self.name()))
    }

    /// The type, if this release can make and read objects of it.
    ///
    /// # Errors
    /// `UNSUPPORTED` for the types whose place in the format is reserved.
    pub fn supported(self) -> Result<Self> {
        match self {
            Self::Logical
            | Self::Integer
            | Self::Numeric
            | Self::Complex
            | Self::Raw
            | Self::Character
            | Self::List => Ok(self),
            other => Err(Error::new(
                Code::Unsupported,
                format!(
                    "vectors of type '{}' are not supported by this version; update rfmalloc",
                    other.name()
                ),
            )
            .with("type", other.name())),
        }
    }
}

/// The most elements a vector may have (2^52, R's limit).
pub const MAX_LEN: u64 = 1 << 52;
