//! Text: out of the store as an array of C's, and into it.

use crate::Out;
use crate::abi::{Strings, Text};
use crate::call::{self, Err, given, quietly, run};
use crate::objects::Object;
use std::ffi::c_int;
use std::ptr;

/// What an `rfm_strings` points to: what C sees, then what it points to. Neither vector changes any more.
#[repr(C)]
struct Owned {
    seen: Strings,
    _items: Vec<Text>,
    _bytes: Vec<u8>,
}

/// Texts for C, which gives them back by `strings_free`; `None` is NA.
pub(crate) fn hand_out<'a>(texts: impl IntoIterator<Item = Option<&'a [u8]>>) -> *mut Strings {
    let (mut bytes, mut ends) = (Vec::new(), Vec::new());
    for text in texts {
        if let Some(text) = text {
            bytes.extend_from_slice(text);
            bytes.push(0);
        }
        ends.push((bytes.len(), text.map(<[u8]>::len)));
    }
    let item = |(end, nbytes): &(usize, Option<usize>)| match nbytes {
        Some(n) => Text { data: bytes[end - 1 - n..].as_ptr().cast(), nbytes: *n as u64 },
        None => Text { data: ptr::null(), nbytes: 0 },
    };
    let items: Vec<Text> = ends.iter().map(item).collect();
    let seen = Strings { len: items.len() as u64, items: items.as_ptr() };
    Box::into_raw(Box::new(Owned { seen, _items: items, _bytes: bytes })).cast()
}

/// The same of a whole list.
pub(crate) fn hand_out_all(list: &rfmalloc_core::Strings) -> *mut Strings {
    hand_out((0..list.len()).map(|i| list.get(i).map(str::as_bytes)))
}

pub(crate) extern "C" fn strings_read(
    object: Option<&Object>,
    start: u64,
    len: u64,
    out: Out<'_, *mut Strings>,
    err: Err<'_>,
) -> c_int {
    run(err, || {
        let (object, out) = (given(object, "object")?, given(out, "strings")?);
        let list = object.read().strings(start, len, u64::MAX)?;
        out.write(hand_out_all(&list));
        Ok(())
    })
}

pub(crate) extern "C" fn strings_write(
    object: Option<&Object>,
    start: u64,
    text: *const Text,
    len: u64,
    err: Err<'_>,
) -> c_int {
    run(err, || {
        let object = given(object, "object")?;
        let list = call::strings(text, len, "text")?;
        object.read().write_strings(start, &list)
    })
}

pub(crate) extern "C" fn strings_free(strings: *mut Strings) {
    if strings.is_null() {
        return;
    }
    // SAFETY: C has it from `hand_out`, whose box it is, and gives it back once.
    quietly(|| drop(unsafe { Box::from_raw(strings.cast::<Owned>()) }));
}
