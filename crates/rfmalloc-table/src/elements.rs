//! Element bytes: pinned, retained, released, checked.

use crate::Out;
use crate::abi::Pin;
use crate::call::{Err, given, quietly, run};
use crate::objects::{Object, handle};
use rfmalloc_core::{Code, Error};
use std::ffi::c_int;
use std::ptr;
use std::sync::Arc;

/// What an `rfm_pin` points to: what C sees, then what keeps the bytes.
#[repr(C)]
struct Pinned {
    seen: Pin,
    _bytes: rfmalloc_core::Pin,
}

// SAFETY: `data` is an address, given out to be used from any thread; the pin itself is the core's, and sendable.
unsafe impl Send for Pinned {}
// SAFETY: as above; nothing in it changes.
unsafe impl Sync for Pinned {}

pub(crate) extern "C" fn pin(
    object: Option<&Object>,
    start: u64,
    len: u64,
    out: Out<'_, *const Pin>,
    err: Err<'_>,
) -> c_int {
    run(err, || {
        let (object, out) = (given(object, "object")?, given(out, "pin")?);
        let held = object.read();
        let handle = handle(&held)?;
        let width = handle.facts().dtype.width();
        let (Some(from), Some(nbytes)) = (start.checked_mul(width), len.checked_mul(width)) else {
            return Err(Error::new(Code::OutOfBounds, "the window reaches beyond the vector"));
        };
        let bytes = handle.pin(from, nbytes)?;
        let data = if nbytes == 0 { ptr::null_mut() } else { bytes.ptr().cast() };
        let pinned = Arc::new(Pinned { seen: Pin { data, nbytes, len }, _bytes: bytes });
        out.write(Arc::into_raw(pinned).cast());
        Ok(())
    })
}

pub(crate) extern "C" fn pin_retain(pin: *const Pin) -> *const Pin {
    if !pin.is_null() {
        // SAFETY: C has it from `Arc::into_raw`, and has not given it back.
        unsafe { Arc::increment_strong_count(pin.cast::<Pinned>()) };
    }
    pin
}

pub(crate) extern "C" fn pin_release(pin: *const Pin) {
    if pin.is_null() {
        return;
    }
    // SAFETY: C has it from `Arc::into_raw`, and gives back each count once.
    quietly(|| drop(unsafe { Arc::from_raw(pin.cast::<Pinned>()) }));
}

pub(crate) extern "C" fn check(
    object: Option<&Object>,
    start: u64,
    len: u64,
    write: c_int,
    err: Err<'_>,
) -> c_int {
    run(err, || given(object, "object")?.read().check_whole(start, len, write != 0))
}
