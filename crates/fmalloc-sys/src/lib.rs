//! Raw bindings to fmalloc, the C11 allocator of file space in `csrc`.
//!
//! fmalloc decides which bytes of a file are free now. It never touches them: it knows offsets and lengths, derives the
//! gaps from the extents that are live, and keeps them in RAM. `csrc/fm.h` is the manual: words, units, ownership,
//! errors and cost of every function. This crate adds nothing to it; the safe wrapper is `rfmalloc-core`'s `heap`.
//!
//! The bindings are committed, so that users need no libclang. `bindings.sh` regenerates them, `bindings.sh --check`
//! tells whether they drifted from the header.
#![no_std]

/// What bindgen makes of `csrc/fm.h`.
mod bindings {
    // Generated: names are C's, documentation is in fm.h.
    #![allow(missing_docs, non_camel_case_types, unreachable_pub)]
    #![allow(clippy::all, clippy::pedantic, clippy::undocumented_unsafe_blocks)]

    #[cfg(not(feature = "generate"))]
    include!("bindings.rs");
    #[cfg(feature = "generate")]
    include!(concat!(env!("OUT_DIR"), "/bindings.rs"));
}

#[cfg(miri)]
mod mock;

pub use bindings::*;

// The layout both sides count on; a header changed without its bindings fails here before it fails at run time.
const _: () = {
    use core::mem::{align_of, offset_of, size_of};
    assert!(size_of::<fm_extent>() == 16 && align_of::<fm_extent>() == 8);
    assert!(offset_of!(fm_extent, off) == 0 && offset_of!(fm_extent, len) == 8);
    assert!(size_of::<fm_req>() == 40);
    assert!(offset_of!(fm_req, below) == 24 && offset_of!(fm_req, flags) == 32);
    assert!(size_of::<fm_conflict>() == 48 && offset_of!(fm_conflict, id_a) == 32);
    assert!(size_of::<fm_stat>() == 56 && offset_of!(fm_stat, bytes) == 48);
    assert!(FM_UNIT == 64);
};
