//! Hostile files: stores mutated field by field, with right checksums, and what the core may do with them.
//!
//! - `source`: where decisions come from; `image`, `layout`: a file in memory and its catalog;
//! - `elements`, `kinds`: what a file is made of (a new kind of element is one more file in `kinds`);
//! - `seeds`: real stores to start from; `mutate`: what is done to them;
//! - `shown`: what a store shows; `drive`: everything a caller may do, and what must hold; `guard`: memory, time, crashes;
//! - `corpus`: files that once failed.

pub mod corpus;
pub mod drive;
pub mod elements;
pub mod guard;
pub mod image;
pub mod kinds;
pub mod layout;
pub mod mutate;
pub mod seeds;
pub mod shown;
pub mod source;
