//! Crash images of a store: what a power cut or a process death may leave of its file, and whether that is acceptable.
//!
//! Built from the product's own crates and their public calls alone. The parts, bottom up:
//! - `random`, `disk`: numbers by seed; the page versions that may be on disk, and the images they make;
//! - `model`: what was promised; `recorder`: the observer that keeps both in step with the seam;
//! - `look`, `check`: a picture of a store; one image, from its open to its second crash;
//! - `world`, `lean`, `acts`, `run`: a store under random work, crashes and faults; histories by seed;
//! - `creation`, `threads`, `small`: files in the making, several threads at one store, everything up to three acts;
//! - `mutants`: planted faults, each of which the above must catch.

pub mod acts;
pub mod check;
pub mod creation;
pub mod disk;
pub mod lean;
pub mod look;
pub mod model;
#[cfg(feature = "mutants")]
pub mod mutants;
pub mod random;
pub mod recorder;
pub mod run;
pub mod small;
pub mod threads;
pub mod world;
