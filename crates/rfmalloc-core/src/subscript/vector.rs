//! Resolves an index of a vector: beyond the end there are missing elements, or, for writing, new ones.

use super::Subscript;
use super::errors::{invalid_type, mixed_signs};
use super::except::Except;
use super::mask::Mask;
use super::names::{Texts, lookup, lookup_or_append};
use super::numbers::{Base, Numbers};
use super::selection::{Selection, What};
use crate::error::Result;

/// What the elements are wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Unknown names select a missing element.
    Read,
    /// Unknown names are new elements behind the end.
    Write,
}

/// An index of a vector, checked.
pub(crate) struct Resolved {
    pub(crate) selection: Selection,
    /// Writing by name: which texts of the subscript name new elements, in the order of these.
    pub(crate) fresh: Vec<u64>,
}

impl From<Selection> for Resolved {
    fn from(selection: Selection) -> Self {
        Self { selection, fresh: Vec::new() }
    }
}

/// Resolves `subscript` for a vector of `n` elements with these names.
///
/// # Errors
/// `SUBSCRIPT` with `details.kind` bad-subscript or mixed-signs; what reading texts meets.
pub(crate) fn vector(
    subscript: &Subscript<'_>,
    n: u64,
    names: Option<&dyn Texts>,
    purpose: Purpose,
) -> Result<Resolved> {
    Ok(match *subscript {
        Subscript::All => Selection::range(0, n).into(),
        Subscript::Nothing => Selection::range(0, 0).into(),
        Subscript::Numbers(numbers, base) => numeric(numbers, base, n)?.into(),
        Subscript::Except(numbers) => {
            numbers.tally(Base::Zero)?.refuse_missing()?;
            without(numbers, Base::Zero, n)?.into()
        }
        Subscript::Mask(mask) => logical(mask, n.max(mask.len()), false)?.into(),
        Subscript::ExceptMask(mask) => {
            let left = logical(mask, n, true)?;
            if left.missing {
                return Err(mixed_signs(true));
            }
            left.into()
        }
        Subscript::Names(wanted) => match purpose {
            Purpose::Read => Selection::list(lookup(names, wanted, 0, wanted.len())?).into(),
            Purpose::Write => {
                let named = lookup_or_append(names, wanted, n)?;
                Resolved { selection: Selection::list(named.positions), fresh: named.fresh }
            }
        },
        Subscript::Other(dtype) => return Err(invalid_type(dtype)),
    })
}

impl super::numbers::Tally {
    fn refuse_missing(self) -> Result<()> {
        if self.missing == 0 { Ok(()) } else { Err(mixed_signs(true)) }
    }
}

/// Numbers of either base, for `n` elements.
pub(super) fn numeric(numbers: Numbers, base: Base, n: u64) -> Result<Selection> {
    let t = numbers.tally(base)?;
    if t.negative > 0 {
        if t.selected > 0 {
            return Err(mixed_signs(t.missing > 0));
        }
        return without(numbers, base, n);
    }
    Ok(match t.run {
        Some(start) => Selection::range(start, t.selected),
        None if t.selected == 0 => Selection::range(0, 0),
        None => Selection {
            len: t.selected,
            end: t.end,
            missing: t.missing > 0,
            what: What::Numbers(numbers, base),
        },
    })
}

fn without(numbers: Numbers, base: Base, n: u64) -> Result<Selection> {
    let except = Except::new(numbers, base, n)?;
    let len = except.len();
    Ok(if len == n {
        Selection::range(0, n)
    } else {
        Selection { len, end: n, missing: false, what: What::Except(except) }
    })
}

/// A mask recycled over `total` elements. An empty one selects nothing.
pub(super) fn logical(mask: Mask, total: u64, inverted: bool) -> Result<Selection> {
    if mask.len() == 0 {
        return Ok(Selection::range(0, if inverted { total } else { 0 }));
    }
    let t = mask.tally(total, inverted)?;
    Ok(if t.selected == total && !t.missing {
        Selection::range(0, total)
    } else if t.selected == 0 && !t.missing {
        Selection::range(0, 0)
    } else {
        Selection {
            len: t.selected,
            end: t.end,
            missing: t.missing,
            what: What::Mask { mask, total, inverted },
        }
    })
}
