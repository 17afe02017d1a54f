//! librfmalloc: the C interface as a shared and a static library. Everything behind the table is in `rfmalloc-table`, which the Node addon
//! links as well; this crate is apart from it so that a build of the addon makes no libraries. `include/rfmalloc.h` is its manual.

use rfmalloc_table::Api;
use std::ptr;

/// The table of this version of the interface; null: this library does not have it.
// SAFETY: no other crate of this library, nor libc, has a symbol of this name; `rfm_` is the interface's prefix.
#[unsafe(no_mangle)]
pub extern "C" fn rfm_get_api(version: u32) -> *const Api {
    rfmalloc_table::api(version).map_or(ptr::null(), ptr::from_ref)
}
