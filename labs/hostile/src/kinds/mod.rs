//! The kinds of elements of the format's tables.

pub mod attributes;
pub mod record;
pub mod segment;
pub mod superblock;
