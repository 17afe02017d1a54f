//! Assigning to selected elements: R's `[<-` on a copy, and `set` in place (behaviours 3.14 to 3.16).
//!
//! Holds: `plan`, which decides before anything is made: the result's type, length, names and warnings, or the refusal; and `scatter`, which
//! writes recycled values to selected elements. Knows spans, selections and types, nothing of stores.

mod plan;
mod scatter;

#[cfg(test)]
mod tests;

pub(crate) use plan::{GrownNames, Plan, Values, in_array, in_place, in_vector};
pub(crate) use scatter::scatter;
