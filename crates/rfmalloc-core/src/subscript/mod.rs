//! Subscripts: what a user may write between brackets, checked against what it indexes (behaviours 3.3 to 3.13).
//!
//! Holds: [`Subscript`], the words a caller has, and [`Selection`], the answer: which elements, in which order, as runs and blocks of
//! positions. `vector` resolves an index of a vector (beyond the end there is a missing element), `dimensions` those of an array (beyond an
//! extent is an error), `cells` a matrix of indices, `element` the one of `[[ ]]`.
//!
//! May touch: spans, by block copies, and texts through [`Texts`]; nothing of stores. A selection by numbers or by a mask keeps only where
//! they lie: 10^9 of them in a file are read twice, once to check and once to use, and never held. Should another thread write them
//! in between, the elements selected are unspecified, but their number stays and every position is checked again where it is used.

mod cells;
mod dimension;
mod element;
mod errors;
mod except;
mod mask;
mod names;
mod numbers;
mod product;
mod selection;
mod vector;

#[cfg(test)]
mod tests;

pub(crate) use cells::cells;
pub(crate) use dimension::{Dimnames, dimensions};
pub(crate) use element::{element, element_of_array};
pub(crate) use errors::Kind;
pub(crate) use mask::Mask;
pub(crate) use names::Texts;
pub(crate) use numbers::{Base, Numbers};
pub(crate) use product::Product;
pub(crate) use selection::{Receiver, Run, Runs, Selection};
pub(crate) use vector::{Purpose, Resolved, vector};

use crate::dtype::Dtype;

/// A position that selects a missing element.
pub(crate) const MISSING: u64 = u64::MAX;

/// One index as a caller gives it.
#[derive(Clone, Copy)]
pub(crate) enum Subscript<'a> {
    /// An index left empty: everything.
    All,
    /// R's NULL: nothing.
    Nothing,
    /// Positions, from 0 or as R writes them.
    Numbers(Numbers, Base),
    /// Positions from 0 that are left out.
    Except(Numbers),
    /// Logical values, recycled.
    Mask(Mask),
    /// Logical values, recycled; what is true is left out.
    ExceptMask(Mask),
    /// Names.
    Names(&'a dyn Texts),
    /// Something that is no index: its type.
    Other(Dtype),
}

impl Subscript<'_> {
    /// Elements of the subscript itself; `None`: left empty.
    pub(crate) fn len(&self) -> Option<u64> {
        match self {
            Self::All => None,
            Self::Nothing => Some(0),
            Self::Numbers(n, _) | Self::Except(n) => Some(n.len()),
            Self::Mask(m) | Self::ExceptMask(m) => Some(m.len()),
            Self::Names(t) => Some(t.len()),
            Self::Other(_) => Some(1),
        }
    }
}
