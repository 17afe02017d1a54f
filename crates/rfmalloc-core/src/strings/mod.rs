//! Text: character vectors, whose elements are views of sixteen bytes and whose long strings stand in the vector's heap.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `view` | one element: encode, decode, check |
//! | `list` | many strings in private memory |
//! | `access` | reading and writing ranges of a vector |
//! | `compare` | equality and order |
//! | `extremum` | smallest, largest, truth |
//! | `hash` | a hash of each string |
//! | `positions` | reading and writing single elements |
//! | `ranges` | fill, copy, compare for identity |
//! | `words` | strings as whole numbers, to be ordered |
//! | `seen` | a table of texts, to tell what is unique |
//!
//! The heap itself (which buffers there are, where the next string goes) is `store/heaps.rs`. The order of every write: the bytes of long
//! strings first, then, under the store mutex, the views. Bytes in a heap are never written again, so a view that was read whole stays
//! true. Readers take no lock; one that finds a view that cannot be (torn by a writer on a machine that stores it in two halves) reads it
//! again under the mutex. What cannot be then either is damage.

mod access;
mod compare;
mod extremum;
mod hash;
mod list;
mod positions;
mod ranges;
mod seen;
pub(crate) mod view;
mod words;

pub(crate) use access::{NO_TEXT, push};
pub use compare::TextOperand;
pub(crate) use extremum::{TextBounds, text_chunks};
pub use list::Strings;
pub(crate) use seen::SeenTexts;
pub(crate) use words::{TextReader, is_last as is_last_word};
