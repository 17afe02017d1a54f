//! Selecting: what a selection picks becomes the elements and attributes of a fresh result (behaviours 3.1 to 3.13).
//!
//! Holds: `gather`, which moves elements that are their bytes at memory speed, and `shape`, which says as data what becomes of names, dim and
//! dimnames. Knows spans and selections, nothing of stores.

mod gather;
mod shape;

pub(crate) use gather::{fill, gather, missing_element};
pub(crate) use shape::{NamesRule, Shape, ShapeRule, of_array, of_vector};
