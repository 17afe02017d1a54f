//! The function table of `include/rfmalloc.h`: C's door to the engine. Conversion only; semantics are in `rfmalloc-core`.
//!
//! The header is the contract, and the manual for those who call. This crate keeps to it like so:
//! - what C passes comes as `Option<&T>` or as a raw pointer that `call` reads; both are checked for null before anything else;
//! - every function body runs in [`call::run`]: a panic becomes `INTERNAL`, an error fills the caller's `rfm_error`;
//! - what C holds is a counted pointer ([`Store`](rfmalloc_core::Store), pins) or a box (objects, strings), and independent of all others;
//! - structures and numbers are those of the header, held against it by `tests/layout.rs`, which compiles it.
//!
//! `unsafe` is the business of the whole crate. Behind every block stands the same promise, which only the caller can keep: a pointer that
//! is not null is valid for what the header says it is, for the time of the call.
//!
//! | module | holds |
//! | --- | --- |
//! | `abi` | structures and numbers of the header |
//! | `call` | one call: arguments in, results out, errors, panics |
//! | `stores`, `objects`, `inspect`, `elements`, `text`, `lists` | the functions, grouped as in the header |

pub mod abi;
mod call;
mod elements;
mod inspect;
mod lists;
mod objects;
mod stores;
mod text;

pub use objects::Object;

use abi::{Entry, Info, New, NewFrame, OpenOptions, Pin, Reference, StoreInfo, Strings, Text, VERSION};
use call::Err;
use rfmalloc_core::Store;
use std::ffi::{c_char, c_int, c_void};
use std::mem::MaybeUninit;

/// Where a result goes.
type Out<'a, T> = Option<&'a mut MaybeUninit<T>>;
/// `rfm_visit`.
type Visit = extern "C" fn(*mut c_void, *const Entry) -> c_int;

/// `rfm_api`. Members only ever join at the end.
#[repr(C)]
#[expect(missing_docs, reason = "each is documented in include/rfmalloc.h")]
pub struct Api {
    pub version: u32,
    pub size: u32,
    pub release_name: extern "C" fn() -> *const c_char,
    pub code_name: extern "C" fn(i32) -> *const c_char,
    pub open:
        for<'a> extern "C" fn(*const c_char, *const OpenOptions, Out<'a, *const Store>, Err<'a>) -> c_int,
    pub open_uuid: for<'a> extern "C" fn(*const c_char, Out<'a, *const Store>, Err<'a>) -> c_int,
    pub close: extern "C" fn(*const Store, Err<'_>) -> c_int,
    pub sync: for<'a> extern "C" fn(Option<&'a Store>, Err<'a>) -> c_int,
    pub store_info: for<'a> extern "C" fn(Option<&'a Store>, *mut StoreInfo, Err<'a>) -> c_int,
    pub store_path: for<'a> extern "C" fn(Option<&'a Store>, Out<'a, *mut Strings>, Err<'a>) -> c_int,
    pub walk: for<'a> extern "C" fn(Option<&'a Store>, Option<Visit>, *mut c_void, Err<'a>) -> c_int,
    pub create: for<'a> extern "C" fn(*const Store, *const New, Out<'a, *mut Object>, Err<'a>) -> c_int,
    pub create_list: for<'a> extern "C" fn(
        *const Store,
        *const *const Object,
        u64,
        *const c_char,
        u32,
        Out<'a, *mut Object>,
        Err<'a>,
    ) -> c_int,
    pub create_frame:
        for<'a> extern "C" fn(*const Store, *const NewFrame, Out<'a, *mut Object>, Err<'a>) -> c_int,
    pub find: for<'a> extern "C" fn(*const Store, *const c_char, Out<'a, *mut Object>, Err<'a>) -> c_int,
    pub find_ref: for<'a> extern "C" fn(*const Store, u64, u64, Out<'a, *mut Object>, Err<'a>) -> c_int,
    pub open_ref: for<'a> extern "C" fn(
        Option<&'a Reference>,
        *const c_char,
        *const OpenOptions,
        Out<'a, *const Store>,
        Out<'a, *mut Object>,
        Err<'a>,
    ) -> c_int,
    pub commit: for<'a> extern "C" fn(Option<&'a Object>, *const c_char, u32, Err<'a>) -> c_int,
    pub rename: for<'a> extern "C" fn(Option<&'a Object>, *const c_char, u32, Err<'a>) -> c_int,
    pub destroy: for<'a> extern "C" fn(Option<&'a Object>, Err<'a>) -> c_int,
    pub release: extern "C" fn(*mut Object),
    pub info: for<'a> extern "C" fn(Option<&'a Object>, *mut Info, Err<'a>) -> c_int,
    pub dim: for<'a> extern "C" fn(Option<&'a Object>, *mut u64, u64, Out<'a, u64>, Err<'a>) -> c_int,
    pub name: for<'a> extern "C" fn(Option<&'a Object>, Out<'a, *mut Strings>, Err<'a>) -> c_int,
    pub names: for<'a> extern "C" fn(Option<&'a Object>, i32, Out<'a, *mut Strings>, Err<'a>) -> c_int,
    pub set_names: for<'a> extern "C" fn(Option<&'a Object>, i32, *const Text, u64, Err<'a>) -> c_int,
    pub pin: for<'a> extern "C" fn(Option<&'a Object>, u64, u64, Out<'a, *const Pin>, Err<'a>) -> c_int,
    pub pin_retain: extern "C" fn(*const Pin) -> *const Pin,
    pub pin_release: extern "C" fn(*const Pin),
    pub check: for<'a> extern "C" fn(Option<&'a Object>, u64, u64, c_int, Err<'a>) -> c_int,
    pub strings_read:
        for<'a> extern "C" fn(Option<&'a Object>, u64, u64, Out<'a, *mut Strings>, Err<'a>) -> c_int,
    pub strings_write: for<'a> extern "C" fn(Option<&'a Object>, u64, *const Text, u64, Err<'a>) -> c_int,
    pub strings_free: extern "C" fn(*mut Strings),
    pub list_get: for<'a> extern "C" fn(Option<&'a Object>, u64, Out<'a, *mut Object>, Err<'a>) -> c_int,
    pub list_set: for<'a> extern "C" fn(Option<&'a Object>, u64, Option<&'a Object>, Err<'a>) -> c_int,
}

static API: Api = Api {
    version: VERSION,
    size: size_of::<Api>() as u32,
    release_name: call::release_name,
    code_name: call::code_name,
    open: stores::open,
    open_uuid: stores::open_uuid,
    close: stores::close,
    sync: stores::sync,
    store_info: stores::store_info,
    store_path: stores::store_path,
    walk: stores::walk,
    create: objects::create,
    create_list: lists::create_list,
    create_frame: lists::create_frame,
    find: objects::find,
    find_ref: objects::find_ref,
    open_ref: stores::open_ref,
    commit: objects::commit,
    rename: objects::rename,
    destroy: objects::destroy,
    release: objects::release,
    info: inspect::info,
    dim: inspect::dim,
    name: inspect::name,
    names: inspect::names,
    set_names: inspect::set_names,
    pin: elements::pin,
    pin_retain: elements::pin_retain,
    pin_release: elements::pin_release,
    check: elements::check,
    strings_read: text::strings_read,
    strings_write: text::strings_write,
    strings_free: text::strings_free,
    list_get: lists::list_get,
    list_set: lists::list_set,
};

/// The table of this version of the interface, if this release has it.
pub fn api(version: u32) -> Option<&'static Api> {
    (version == VERSION).then_some(&API)
}
