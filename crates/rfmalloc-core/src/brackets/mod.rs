//! R's brackets on vectors that exist: selecting, assigning, converting and combining, with results as temporaries of a store.
//!
//! Holds: what a caller may pass ([`Index`]), and the methods of [`Store`](crate::Store) that put `subscript`, `select`, `assign`, `combine` and
//! `convert` together with objects: `read` selects, `rows` those of a data frame, `write` assigns, `part` through a part of a vector, `coerce`
//! converts and combines. `operand` is a vector that is read, `dress` gives a result its names and shape. The semantics are in those
//! modules; here they are only carried out.
//!
//! A result is a temporary with names and dimnames of its own. Whatever fails on the way leaves nothing behind.

mod coerce;
mod dress;
mod index;
mod operand;
mod part;
mod read;
mod rows;
mod text;
mod write;

pub use index::{Index, Style, What};
pub use part::Part;
pub(crate) use text::gather as gather_texts;
