//! Structures and numbers of `include/rfmalloc.h`, member for member. `tests/layout.rs` compiles the header and compares.
#![expect(missing_docs, reason = "every member is documented in include/rfmalloc.h")]

use std::ffi::{c_char, c_void};
use std::mem::MaybeUninit;

/// `RFM_API_VERSION`.
pub const VERSION: u32 = 1;
/// `RFM_NAPI_TAG_LOWER`, `RFM_NAPI_TAG_UPPER`.
pub const NAPI_TAG: (u64, u64) = (0x4012_e22f_19b1_410a, 0x9085_eb09_29bc_639d);

pub const READ_ONLY: u32 = 1;
pub const MUST_EXIST: u32 = 2;
pub const SCRATCH: u32 = 4;
pub const DURABLE: u32 = 8;
pub const KEEP_UNSYNCED: u32 = 16;
pub const NO_SIGBUS_HANDLER: u32 = 32;

pub const REPLACE: u32 = 1;
pub const TEMPORARY: u32 = 2;

pub const IS_READ_ONLY: u32 = 1;
pub const IS_SCRATCH: u32 = 2;
pub const IS_SEALED: u32 = 4;
pub const IS_PART: u32 = 8;
pub const HAS_NAMES: u32 = 16;
pub const HAS_DIMNAMES: u32 = 32;
pub const HAS_ROW_NAMES: u32 = 64;

pub const NUL_TERMINATED: u64 = u64::MAX;
pub const NAMES: i32 = -1;
pub const ROW_NAMES: i32 = -2;

/// Bytes of an error's message, its NUL included.
pub const MESSAGE: usize = 760;
/// Bytes of an error's details, their NUL included.
pub const DETAILS: usize = 256;

/// `rfm_error`.
#[repr(C)]
pub struct ErrorOut {
    pub code: i32,
    pub reserved: u32,
    pub message: [MaybeUninit<u8>; MESSAGE],
    pub details: [MaybeUninit<u8>; DETAILS],
}

/// `rfm_text`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Text {
    pub data: *const c_char,
    pub nbytes: u64,
}

/// `rfm_strings`: the head of what `text` allocates.
#[repr(C)]
pub struct Strings {
    pub len: u64,
    pub items: *const Text,
}

/// `rfm_pin`: the head of what `elements` counts.
#[repr(C)]
pub struct Pin {
    pub data: *mut c_void,
    pub nbytes: u64,
    pub len: u64,
}

/// `rfm_open_options`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct OpenOptions {
    pub size: u32,
    pub flags: u32,
    pub capacity: u64,
    pub max_size: u64,
    pub sync_every_ms: i64,
    pub lock_timeout_ms: u64,
}

/// `rfm_new`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct New {
    pub size: u32,
    pub dtype: u32,
    pub kind: u32,
    pub flags: u32,
    pub len: u64,
    pub dim: *const u64,
    pub rank: u64,
    pub data: *const c_void,
    pub text: *const Text,
    pub name: *const c_char,
}

/// `rfm_new_frame`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct NewFrame {
    pub size: u32,
    pub flags: u32,
    pub len: u64,
    pub columns: *const *const crate::Object,
    pub names: *const Text,
    pub rows: u64,
    pub row_names: *const Text,
    pub name: *const c_char,
}

/// `rfm_ref`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Reference {
    pub uuid: [u8; 40],
    pub id: u64,
    pub generation: u64,
}

/// `rfm_info`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Info {
    pub size: u32,
    pub flags: u32,
    pub dtype: u32,
    pub kind: u32,
    pub state: u32,
    pub rank: u32,
    pub len: u64,
    pub nbytes: u64,
    pub rows: u64,
    pub reference: Reference,
}

/// `rfm_store_info`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct StoreInfo {
    pub size: u32,
    pub flags: u32,
    pub uuid: [u8; 40],
    pub nbytes: u64,
    pub max_size: u64,
    pub named: u64,
}

/// `rfm_entry`.
#[repr(C)]
pub struct Entry {
    pub size: u32,
    pub dtype: u32,
    pub kind: u32,
    pub reserved: u32,
    pub id: u64,
    pub generation: u64,
    pub len: u64,
    pub name: Text,
}

/// A structure that begins with its size as the caller knows it.
///
/// # Safety
/// `repr(C)`, a `u32` first, no padding, and any bytes are a value of it.
pub(crate) unsafe trait Sized32: Copy {}
// SAFETY: numbers and raw pointers without padding between or behind them, as the sums in `tests/layout.rs` show.
unsafe impl Sized32 for OpenOptions {}
// SAFETY: as above.
unsafe impl Sized32 for New {}
// SAFETY: as above.
unsafe impl Sized32 for NewFrame {}
// SAFETY: as above.
unsafe impl Sized32 for Info {}
// SAFETY: as above.
unsafe impl Sized32 for StoreInfo {}
