//! Strings of character vectors. They cross many at a time, as one text: separated by NUL, or, where some contain NUL, one after the other
//! with their lengths.

use crate::error::{Result, whole};
use crate::thread;
use napi::bindgen_prelude::{Int32Array, Uint32Array};
use napi_derive::napi;
use rfmalloc_core::Strings;

/// Writes strings separated by NUL; bit `i` of `na` says that string `i` is missing. False, and nothing written: some contain NUL.
#[napi(catch_unwind)]
pub fn text_write(token: u32, start: f64, text: String, n: u32, na: Uint32Array) -> Result<bool> {
    let start = whole(start, "start")?;
    match Strings::split(text, n as usize, &na) {
        Some(list) => thread::vector(token, |v| v.write_strings(start, &list)).map(|()| true),
        None => Ok(false),
    }
}

/// Writes strings that stand one after the other, by their lengths; −1: missing.
#[napi(catch_unwind)]
pub fn text_write_cut(token: u32, start: f64, text: String, lengths: Int32Array) -> Result<()> {
    let start = whole(start, "start")?;
    thread::vector(token, |v| v.write_strings(start, &Strings::cut(&text, &lengths)?))
}

#[napi(catch_unwind)]
pub fn text_set(token: u32, i: f64, text: Option<String>) -> Result<()> {
    let i = whole(i, "index")?;
    thread::vector(token, |v| v.set_string(i, text.as_deref()))
}

#[napi(catch_unwind)]
pub fn text_get(token: u32, i: f64) -> Result<Option<String>> {
    let i = whole(i, "index")?;
    thread::vector(token, |v| v.string(i))
}

#[napi(catch_unwind)]
pub fn text_fill(token: u32, start: f64, end: f64, text: Option<String>) -> Result<()> {
    let (start, end) = (whole(start, "start")?, whole(end, "end")?);
    thread::vector(token, |v| v.fill_strings(start, end, text.as_deref()))
}

/// Strings read from a vector.
#[napi(object)]
pub struct NativeText {
    pub count: u32,
    pub text: String,
    /// Positions of missing strings.
    pub na: Uint32Array,
    /// Where some contain NUL: the text has no separators, and these are the lengths.
    pub lengths: Option<Int32Array>,
}

/// At most `n` strings, and no more once they have `mostNbytes` bytes.
#[napi(catch_unwind)]
pub fn text_read(token: u32, start: f64, n: f64, most_nbytes: f64) -> Result<NativeText> {
    let (start, n, most) = (whole(start, "start")?, whole(n, "count")?, whole(most_nbytes, "bytes")?);
    let list = thread::vector(token, |v| v.strings(start, n, most))?;
    let count = list.len() as u32;
    Ok(match list.join() {
        Some((text, na)) => NativeText { count, text, na: na.into(), lengths: None },
        None => NativeText {
            count,
            na: Vec::new().into(),
            lengths: Some(list.lengths().into()),
            text: list.into_text(),
        },
    })
}
