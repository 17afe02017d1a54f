//! The engine of rfmalloc: a heap of typed vectors in one memory-mapped file.
//!
//! Layers, bottom up; each may use those above it in this list only:
//! - `error`, `dtype`, `na`, `sync_types`: words everybody uses; `cells`: words in memory that JavaScript sees;
//! - `platform`, `region`: operating system and address space (the rooms of `unsafe`, with `heap`);
//! - `format`: the bytes of the file, encoders and decoders only;
//! - `resolve`: which version of a record counts;
//! - `seam`: the way to the disk; `heap`: the free-space map (C); `catalog`, `names`: the file's index in memory;
//! - `store`: one open store: open, begin, change, sync, close, verify; `registry`: one per file and process;
//! - `text`, `convert`, `mapped`, `elements`: whole-vector work; `convert` has one kernel do its longest loop;
//! - `subscript`, `select`, `assign`, `combine`: R's brackets and `c`, over raw element memory; nothing of stores;
//! - `kernels`: arithmetic on private blocks; `program`: the block instruction set; `executor`: chunks, threads, cancellation;
//!   `compute`: R's operations, over raw element memory like these; `ordering`: order, sort, unique and which, in the same way;
//! - `csv`, `npy`: frames and arrays from files of others and into them; `output`: those appear whole;
//! - `brackets`: subscripts, assignment, conversion and `c` on objects; `operations`: `compute` on objects.
//!
//! Start with [`Store::open`]. Every error has a [`Code`]; nothing here panics on any file or argument by intent, and a panic is a bug.

#![deny(unsafe_code)]

#[cfg(not(target_pointer_width = "64"))]
compile_error!("rfmalloc needs a 64-bit system: files are mapped whole");
#[cfg(target_endian = "big")]
compile_error!("rfmalloc files are little-endian and mapped as they are");

mod assign;
mod brackets;
mod catalog;
pub mod cells;
mod combine;
pub mod compute;
mod convert;
mod csv;
#[cfg(test)]
mod draw;
mod dtype;
mod elements;
mod error;
mod executor;
mod format;
#[cfg(test)]
mod golden_tests;
#[allow(unsafe_code)]
mod heap;
mod kernels;
mod labels;
mod mapped;
#[cfg(test)]
mod memory_tests;
#[cfg(not(feature = "mutants"))]
mod mutants;
#[cfg(feature = "mutants")]
pub mod mutants;
pub mod na;
mod names;
mod npy;
mod operations;
mod ordering;
mod output;
#[allow(unsafe_code)]
mod platform;
mod program;
#[allow(unsafe_code)]
mod region;
pub mod registry;
mod resolve;
mod seam;
mod segment_view;
mod select;
mod store;
mod strings;
mod subscript;
mod sync_types;
mod text;

pub use brackets::{Index, Part, Style, What};
pub use convert::{Source, Warnings};
pub use csv::{ColumnReport, CsvExport, CsvImport, CsvOptions, CsvStyle, WhyText};
pub use dtype::{Dtype, MAX_LEN};
pub use elements::{PrefetchWork, Vector};
pub use error::{Code, Detail, Error, Result};
pub use labels::{make_names, make_unique};
pub use mapped::MappedFile;
pub use npy::{NpyExport, NpyImport};
pub use operations::{
    Amount, Answer, Digest, Evaluation, Given, OrderingWork, Piece, ProductMemory, SummaryWork, Value,
    VectorWork, Work,
};
pub use region::{PageAdvice, RawBytes};
pub use seam::{Event, Observer};
pub use segment_view::SegmentView;
pub use store::{
    ARRAY, Attributes, Change, CommitWork, Compaction, Control, CopyWork, Entry, FRAME, Fault, Handle, Info,
    LIST, Listing, MATRIX, Mode, ObjectFacts, ObjectState, ObjectWork, OpenOptions, Opened, Pin, RecordRow,
    Role, Store, StoreWork, Stretch, Summary, Usage, Use, VECTOR, VerifyReport, VerifyStep, frame_rows,
    sync_all_stores,
};
pub use strings::{Strings, TextOperand};
