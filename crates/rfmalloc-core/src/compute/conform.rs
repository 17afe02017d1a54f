//! Lengths, shapes and attributes of a result of two operands (behaviours 8.4, 8.12, 8.13), as a pure function over descriptions.

use crate::convert::Warnings;
use crate::error::{Code, Error, Result};

/// What matters of an operand's shape.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dims<'d> {
    /// Elements.
    pub len: u64,
    /// Extents, if it is an array.
    pub dim: Option<&'d [u64]>,
    /// Whether it has dimnames.
    pub dimnames: bool,
    /// Whether it has names.
    pub names: bool,
}

/// One of the two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Side {
    Left,
    Right,
}

/// The result's length, and from which operand its attributes come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conformed {
    /// Elements.
    pub len: u64,
    /// Whose extents.
    pub dim: Option<Side>,
    /// Whose dimnames.
    pub dimnames: Option<Side>,
    /// Whose names.
    pub names: Option<Side>,
    /// What the lengths warn of.
    pub warnings: Warnings,
}

fn recycled(x: u64, y: u64) -> (u64, Warnings) {
    let (long, short) = (x.max(y), x.min(y));
    if short == 0 {
        return (0, Warnings::default());
    }
    (long, if long % short == 0 { Warnings::default() } else { Warnings::RECYCLE_REMAINDER })
}

/// What comes of operands of these shapes. `compared`: comparisons do not take an array of one element for a vector.
///
/// # Errors
/// `NON_CONFORMABLE` for arrays of different extents; `DIM` for a vector longer than the array.
pub fn conform(x: &Dims<'_>, y: &Dims<'_>, compared: bool) -> Result<Conformed> {
    let (mut x_dim, mut y_dim) = (x.dim, y.dim);
    let mut warnings = Warnings::default();
    // An array of one element against a longer vector counts as a vector, which R warns of.
    if x_dim.is_some() != y_dim.is_some() {
        let (array, vector) = if x_dim.is_some() { (x, y) } else { (y, x) };
        if array.len == 1 && vector.len > 1 && !compared {
            (x_dim, y_dim) = (None, None);
            warnings |= Warnings::LENGTH1_ARRAY_RECYCLE;
        } else if array.len > 0 && vector.len == 0 {
            (x_dim, y_dim) = (None, None);
        }
    }
    let dim = match (x_dim, y_dim) {
        (Some(a), Some(b)) if a != b => {
            return Err(Error::new(Code::NonConformable, "non-conformable arrays")
                .with("left", text(a))
                .with("right", text(b))
                .with(super::KIND, "non-conformable"));
        }
        (Some(_), _) => Some(Side::Left),
        (None, Some(_)) => Some(Side::Right),
        (None, None) => None,
    };
    let (len, lengths) = recycled(x.len, y.len);
    let array = match dim {
        Some(Side::Left) => Some(x.len),
        Some(Side::Right) => Some(y.len),
        None => None,
    };
    if let Some(array) = array {
        if x.len.max(y.len) > array && array > 0 {
            // R has looked at the lengths before, and has warned of them.
            return Err(Error::new(
                Code::Dim,
                format!("dims [product {array}] do not match the length of object [{}]", x.len.max(y.len)),
            )
            .with(super::WARNINGS, u64::from(lengths.bits()))
            .with(super::KIND, "dim-mismatch"));
        }
        warnings |= lengths;
        let dimnames = if x_dim.is_some() && x.dimnames {
            Some(Side::Left)
        } else if y_dim.is_some() && y.dimnames {
            Some(Side::Right)
        } else {
            None
        };
        return Ok(Conformed { len: if array == 0 { 0 } else { len }, dim, dimnames, names: None, warnings });
    }
    warnings |= lengths;
    let names = if x.names && x.len == len {
        Some(Side::Left)
    } else if y.names && y.len == len {
        Some(Side::Right)
    } else {
        None
    };
    Ok(Conformed { len, dim, dimnames: None, names, warnings })
}

fn text(dim: &[u64]) -> String {
    dim.iter().map(u64::to_string).collect::<Vec<_>>().join(" x ")
}
