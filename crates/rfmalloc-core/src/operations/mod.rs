//! R's operations on vectors that exist: operands held in place, results as temporaries of a store.
//!
//! Holds: what a caller may pass ([`Given`]), and the methods of [`Store`](crate::Store) that put [`compute`](crate::compute) together with objects.
//! Semantics are there; here they are only carried out.
//!
//! - `given`: operands, and what holds their memory; `work`: an operation between its beginning and its end; `dress`: a result's shape and names;
//! - `elementwise`: operators and mathematics; `text`: comparison of text; `in_place`: arithmetic that writes through; `summary`; `ordering`; `margin`,
//!   `product`: of matrices;
//! - `expression`: lazy expressions, `plan`: what one gives, `stages`: what is done for it.
//!
//! An operation has three steps. It *begins* on the thread that asks: everything that can be refused is, operands are held, the result's memory is
//! reserved and dressed. It *runs* on any thread. It *ends* where it began, with the result. Whatever fails on the way leaves nothing behind:
//! until then the result is a temporary that nobody else knows.

mod dress;
mod elementwise;
mod expression;
mod given;
mod in_place;
mod margin;
mod ordering;
mod plan;
mod product;
mod stages;
mod summary;
mod text;
mod work;

pub use expression::{Digest, Evaluation};
pub use given::{Given, Piece};
pub use ordering::OrderingWork;
pub use product::ProductMemory;
pub use summary::{Answer, SummaryWork, Value};
pub use work::{Amount, VectorWork, Work};
