//! What an operation is given: elements of a type, in shared memory or as one value.

use crate::dtype::Dtype;
use crate::error::{Code, Error, Result};
use crate::kernels::C64;
use crate::na::{NA_INT, is_na};
use crate::program::Bank;
use crate::region::{RawBytes, Span};

/// One element, in its type's bank.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar {
    /// Logical (0, 1) or integer; NA is `i32::MIN`.
    Int(i32),
    /// Numeric.
    Real(f64),
    /// Complex: real and imaginary part.
    Complex([f64; 2]),
    /// Raw.
    Raw(u8),
}

impl Scalar {
    fn bank(self) -> Bank {
        match self {
            Self::Int(_) => Bank::Int,
            Self::Real(_) => Bank::Real,
            Self::Complex(_) => Bank::Complex,
            Self::Raw(_) => Bank::Raw,
        }
    }

    /// Whether it is NA (not merely NaN).
    pub fn is_na(self) -> bool {
        match self {
            Self::Int(x) => x == NA_INT,
            Self::Real(x) => is_na(x),
            Self::Complex(z) => is_na(z[0]) || is_na(z[1]),
            Self::Raw(_) => false,
        }
    }
}

#[derive(Clone, Copy)]
pub(crate) enum Source {
    Span(Span),
    Scalar(Scalar),
    /// Known by type and length only: refused by every operation that would need the elements.
    Absent,
}

/// An operand: type, length in elements, and where the elements are.
///
/// The memory is shared, not copied, and must stay mapped while an operation runs; others may write it meanwhile.
#[derive(Clone, Copy)]
pub struct Operand {
    pub(crate) dtype: Dtype,
    pub(crate) len: u64,
    pub(crate) source: Source,
}

impl Operand {
    /// Elements in memory: as many as the bytes hold.
    pub fn new(dtype: Dtype, bytes: RawBytes) -> Self {
        Self::over(dtype, bytes.span())
    }

    /// The same, inside the crate.
    pub(crate) fn over(dtype: Dtype, span: Span) -> Self {
        let len = span.nbytes() / dtype.width();
        let source = if Bank::of(dtype).is_some() { Source::Span(span) } else { Source::Absent };
        Self { dtype, len, source }
    }

    /// One value.
    ///
    /// # Errors
    /// `TYPE` if the value is not one of this type.
    pub fn scalar(dtype: Dtype, value: Scalar) -> Result<Self> {
        if Bank::of(dtype) == Some(value.bank()) {
            return Ok(Self { dtype, len: 1, source: Source::Scalar(value) });
        }
        Err(Error::new(Code::Type, format!("{value:?} is no element of type '{}'", dtype.name())))
    }

    /// An operand of which only type and length are known, for operations that refuse the type or read nothing.
    pub fn absent(dtype: Dtype, len: u64) -> Self {
        Self { dtype, len, source: Source::Absent }
    }

    /// The element type.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// Elements.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether both are the same elements in the same memory.
    pub(crate) fn is_the_same(&self, other: &Self) -> bool {
        match (self.source, other.source) {
            (Source::Span(a), Source::Span(b)) => self.dtype == other.dtype && a.is(b),
            _ => false,
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bank of its elements, if they are there or there are none to read.
    pub(crate) fn bank(&self) -> Result<Bank> {
        match (self.source, Bank::of(self.dtype)) {
            (Source::Absent, Some(bank)) if self.len == 0 => Ok(bank),
            (Source::Span(_) | Source::Scalar(_), Some(bank)) => Ok(bank),
            _ => Err(Error::new(
                Code::Unsupported,
                format!("this operation is not supported for type '{}'", self.dtype.name()),
            )),
        }
    }

    /// Whether its elements lie in memory, `len` of them: nothing is recycled.
    pub(crate) fn in_place(&self, len: u64) -> bool {
        matches!(self.source, Source::Span(_)) && self.len == len
    }

    /// The same operand, a single element read now: every block then has the same one.
    pub(crate) fn snapshot(&self) -> Self {
        match (self.source, Bank::of(self.dtype)) {
            (Source::Span(span), Some(bank)) if self.len == 1 => {
                Self { source: Source::Scalar(read_one(bank, span)), ..*self }
            }
            _ => *self,
        }
    }

    /// Gives `f` the elements as a span; a value is put into memory for that long.
    pub(crate) fn with_span<R>(&self, f: impl FnOnce(Span) -> R) -> Result<R> {
        let _: Bank = self.bank()?;
        let mut home = [0.0_f64; 2];
        let near = Span::foreign(home.as_mut_ptr().cast(), self.dtype.width(), true);
        Ok(f(match self.source {
            Source::Span(span) => span,
            Source::Absent => near.part(0, 0),
            Source::Scalar(value) => {
                match value {
                    Scalar::Int(x) => near.store(0, &[x]),
                    Scalar::Real(x) => near.store(0, &[x]),
                    Scalar::Complex(x) => near.store(0, &[x]),
                    Scalar::Raw(x) => near.store(0, &[x]),
                }
                near
            }
        }))
    }
}

fn read_one(bank: Bank, span: Span) -> Scalar {
    fn one<T: crate::region::Plain>(span: Span) -> T {
        let mut out = [T::default()];
        span.load(0, &mut out);
        out[0]
    }
    match bank {
        Bank::Int => Scalar::Int(one(span)),
        Bank::Real => Scalar::Real(one(span)),
        Bank::Complex => Scalar::Complex(one::<C64>(span)),
        Bank::Raw => Scalar::Raw(one(span)),
    }
}
