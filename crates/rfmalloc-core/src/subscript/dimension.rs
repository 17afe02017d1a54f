//! Resolves the indices of an array, one for each dimension: beyond the extent is an error.

use super::errors::Kind;
use super::errors::{invalid_type, no_dimnames, out_of_bounds, out_of_dimension, wrong_dims};
use super::names::{Texts, lookup};
use super::product::Product;
use super::selection::Selection;
use super::vector::{logical, numeric};
use super::{MISSING, Purpose, Subscript};
use crate::error::Result;

/// The names of an array's dimensions: absent, or for each dimension its names or none.
pub(crate) type Dimnames<'a> = Option<&'a [Option<&'a dyn Texts>]>;

/// Resolves the index of dimension `d` (from 0), which has `extent` elements.
///
/// # Errors
/// `SUBSCRIPT`, `OUT_OF_BOUNDS`, `DIM`, with `details.kind` bad-subscript, mixed-signs, subscript-too-long, out-of-bounds, no-dimnames.
fn dimension(subscript: &Subscript<'_>, d: usize, extent: u64, dimnames: Dimnames<'_>) -> Result<Selection> {
    let selection = match *subscript {
        Subscript::All => Selection::range(0, extent),
        Subscript::Nothing => Selection::range(0, 0),
        Subscript::Numbers(numbers, base) => numeric(numbers, base, extent)?,
        Subscript::Except(_) => super::vector(subscript, extent, None, Purpose::Read)?.selection,
        Subscript::Mask(mask) | Subscript::ExceptMask(mask) => {
            if mask.len() > extent {
                return Err(Kind::SubscriptTooLong
                    .error(format!(
                        "(subscript) logical subscript too long: {} values for an extent of {extent}",
                        mask.len()
                    ))
                    .with("dimension", d));
            }
            logical(mask, extent, matches!(subscript, Subscript::ExceptMask(_)))?
        }
        Subscript::Names(wanted) => named(wanted, 0, wanted.len(), d, dimnames)?,
        Subscript::Other(dtype) => return Err(invalid_type(dtype)),
    };
    if selection.end > extent { Err(out_of_dimension(d, extent)) } else { Ok(selection) }
}

/// Names `[start, start + n)` of a subscript among those of dimension `d`.
pub(super) fn named(
    wanted: &dyn Texts,
    start: u64,
    n: u64,
    d: usize,
    dimnames: Dimnames<'_>,
) -> Result<Selection> {
    let Some(dimnames) = dimnames else { return Err(no_dimnames()) };
    let positions = lookup(dimnames.get(d).copied().flatten(), wanted, start, n)?;
    if positions.contains(&MISSING) {
        return Err(out_of_bounds().with("dimension", d));
    }
    Ok(Selection::list(positions))
}

/// Resolves one index for each dimension.
///
/// # Errors
/// As [`dimension`]; `DIM` (wrong-dims): another number of indices.
pub(crate) fn dimensions(
    subscripts: &[Subscript<'_>],
    dim: &[u64],
    dimnames: Dimnames<'_>,
) -> Result<Product> {
    if subscripts.len() != dim.len() {
        return Err(wrong_dims(subscripts.len(), dim.len()));
    }
    let parts = subscripts.iter().zip(dim).enumerate();
    let parts = parts.map(|(d, (s, &extent))| dimension(s, d, extent, dimnames)).collect::<Result<_>>()?;
    Product::new(dim.to_vec(), parts)
}
