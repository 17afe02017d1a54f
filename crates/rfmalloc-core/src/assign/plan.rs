//! What an assignment makes of a vector, decided from types, lengths and the checked subscript alone.

use crate::convert::Warnings;
use crate::dtype::{Dtype, MAX_LEN};
use crate::error::{Code, Error, Result};
use crate::select::{NamesRule, Shape};
use crate::subscript::{Kind, Product, Resolved, Runs};

/// The values assigned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Values {
    /// Their type; `None`: NULL.
    pub(crate) dtype: Option<Dtype>,
    /// How many.
    pub(crate) len: u64,
}

/// The result of an assignment on a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Its type: both the elements and the values convert to it.
    pub(crate) dtype: Dtype,
    /// Its elements: those of the source, and a gap of missing ones behind them.
    pub(crate) len: u64,
    /// `None`: names, dim and dimnames stay. Else the result is a plain vector with these names.
    pub(crate) grown: Option<GrownNames>,
    /// R's warnings.
    pub(crate) warnings: Warnings,
}

/// The names of a vector that grew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GrownNames {
    /// None.
    None,
    /// Those of the source by this rule (empty where there are none); the new elements are called what the subscript called them, if
    /// it was names (`Resolved::fresh`), else nothing.
    Extended(NamesRule),
}

fn rank(dtype: Dtype) -> Option<u8> {
    Some(match dtype {
        Dtype::Logical => 1,
        Dtype::Integer => 2,
        Dtype::Numeric => 3,
        Dtype::Complex => 4,
        Dtype::Character => 5,
        _ => return None,
    })
}

/// The type that holds elements of both: logical < integer < numeric < complex < character. Others mix with themselves only.
///
/// # Errors
/// `TYPE` (bad-type).
fn rise(x: Dtype, values: Dtype) -> Result<Dtype> {
    if x == values {
        return Ok(x);
    }
    match (rank(x), rank(values)) {
        (Some(a), Some(b)) => Ok(if a >= b { x } else { values }),
        _ => Err(Kind::BadType.error(format!(
            "incompatible types (from {} to {}) in subassignment type fix",
            values.name(),
            x.name()
        ))),
    }
}

fn check_values(selected: u64, missing: bool, values: Values) -> Result<()> {
    if selected > 0 && values.len == 0 {
        return Err(Kind::EmptyReplacement.error("replacement has length zero"));
    }
    if missing && values.len > 1 {
        return Err(Kind::NaSubscript.error("NAs are not allowed in subscripted assignments"));
    }
    Ok(())
}

/// `x[index] <- values` for a vector of `n` elements, or an array taken as one. The index was resolved for writing.
///
/// # Errors
/// `LENGTH` (empty-replacement), `SUBSCRIPT` (na-subscript), `TYPE` (bad-type), `TOO_LARGE`.
pub(crate) fn in_vector(
    dtype: Dtype,
    n: u64,
    shape: &Shape<'_>,
    index: &Resolved,
    values: Values,
) -> Result<Plan> {
    let selection = &index.selection;
    check_values(selection.len(), selection.has_missing(), values)?;
    let dtype = values.dtype.map_or(Ok(dtype), |v| rise(dtype, v))?;
    let len = selection.end().max(n);
    if len > MAX_LEN {
        return Err(Error::new(Code::TooLarge, format!("the vector would grow beyond {MAX_LEN} elements"))
            .with("length", len));
    }
    let mut warnings = Warnings::default();
    if values.len > 0 && !selection.len().is_multiple_of(values.len) {
        warnings |= Warnings::ASSIGN_REMAINDER;
    }
    let grown = (len > n).then(|| grown_names(shape, !index.fresh.is_empty()));
    Ok(Plan { dtype, len, grown, warnings })
}

fn grown_names(shape: &Shape<'_>, by_name: bool) -> GrownNames {
    let old = match shape.dim {
        None if shape.names => NamesRule::Kept,
        Some([_]) if shape.dimnames.is_some_and(|d| d.first() == Some(&true)) => NamesRule::Dimension(0),
        _ => NamesRule::None,
    };
    if old == NamesRule::None && !by_name { GrownNames::None } else { GrownNames::Extended(old) }
}

/// `x[i, j, …] <- values` for an array of `n` elements.
///
/// # Errors
/// `LENGTH` (empty-replacement, assign-length), `SUBSCRIPT` (na-subscript), `TYPE` (bad-type).
pub(crate) fn in_array(dtype: Dtype, n: u64, cells: &Product, values: Values) -> Result<Plan> {
    check_values(cells.len(), cells.has_missing(), values)?;
    if values.len > 0 && !cells.len().is_multiple_of(values.len) {
        return Err(Kind::AssignLength
            .error("number of items to replace is not a multiple of replacement length")
            .with("cells", cells.len())
            .with("values", values.len));
    }
    let dtype = values.dtype.map_or(Ok(dtype), |v| rise(dtype, v))?;
    Ok(Plan { dtype, len: n, grown: None, warnings: Warnings::default() })
}

/// `set(index, values)` on the vector itself: it neither grows nor rises, and takes one value or as many as there are elements. `end`:
/// greatest position + 1; `missing`: some index is NA; `selected`: elements, so many as there are `values`, or one value for all.
///
/// # Errors
/// `OUT_OF_BOUNDS`, `SUBSCRIPT` (na-subscript), `LENGTH` (empty-replacement, assign-length).
pub(crate) fn in_place(n: u64, end: u64, missing: bool, selected: u64, values: u64) -> Result<()> {
    if end > n {
        return Err(Kind::OutOfBounds
            .error(format!("subscript out of bounds: set() does not grow a vector of length {n}; replace() makes a longer one"))
            .with("index", end - 1)
            .with("length", n));
    }
    check_values(selected, missing, Values { dtype: None, len: values })?;
    if values > 1 && values != selected {
        return Err(Kind::AssignLength
            .error(format!("{values} values for {selected} elements: give one, or as many"))
            .with("elements", selected)
            .with("values", values));
    }
    Ok(())
}
