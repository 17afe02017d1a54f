//! Reading and writing ranges of a character vector.

use super::list::Strings;
use super::view::{self, INLINE, Long, Text, View};
use crate::elements::Vector;
use crate::error::{Code, Error, Result};
use crate::store::{Buffers, TextAccess, for_views};
use std::sync::atomic::{Ordering, fence};

pub(super) const BEYOND: &str = "view: points beyond the vector's heap";
pub(crate) const NO_TEXT: &str = "text: no UTF-8";

/// Bytes of text written with one claim: well below a buffer's longest.
const CLAIM: u64 = 1 << 30;

impl Vector {
    pub(super) fn text(&self, to_write: bool) -> Result<TextAccess<'_>> {
        match self {
            Self::Object(h) => h.begin_text(to_write),
            Self::File(_) => Err(Error::new(Code::Type, "a plain file has no strings")),
        }
    }

    /// Element `i` of a character vector; `None`: NA.
    ///
    /// # Errors
    /// `OUT_OF_BOUNDS`, `TYPE` (no character vector), `CORRUPT` (`offset`, `index`: what stands there is no string), `IO`, `DESTROYED`,
    /// `CLOSED`.
    pub fn string(&self, i: u64) -> Result<Option<String>> {
        let list = self.strings(i, 1, u64::MAX)?;
        Ok(list.get(0).map(str::to_owned))
    }

    /// Elements from `start` on, at most `n` of them, and no more once their text has `most_nbytes` bytes (but one at least, if `n` is not 0).
    ///
    /// # Errors
    /// As [`Vector::string`].
    pub fn strings(&self, start: u64, n: u64, most_nbytes: u64) -> Result<Strings> {
        self.check(start, n)?;
        let mut access = self.text(false)?;
        let mut out = Strings::new();
        read(&mut access, start, n, most_nbytes, &mut out)?;
        Ok(out)
    }

    /// Writes strings from element `start` on. Text longer than twelve bytes goes to the vector's heap, which grows.
    ///
    /// # Errors
    /// `OUT_OF_BOUNDS`, `TYPE`, `TOO_LARGE` (a string of 2 GiB), `NO_SPACE` (elements before the one that had no room are written),
    /// `READ_ONLY`, `SEALED`, `POISONED`, `IO`, `DESTROYED`, `CLOSED`.
    pub fn write_strings(&self, start: u64, list: &Strings) -> Result<()> {
        self.check(start, list.len() as u64)?;
        self.check_writable()?;
        let mut access = self.text(true)?;
        if (0..list.len()).any(|i| list.at(i).is_none()) {
            access.claim_na()?;
        }
        let mut from = 0;
        while from < list.len() {
            from = write_piece(&mut access, start, list, from)?;
        }
        Ok(())
    }

    /// Writes one string; `None`: NA. Arguments and errors as [`Vector::write_strings`].
    pub fn set_string(&self, i: u64, text: Option<&str>) -> Result<()> {
        self.write_strings(i, &[text].into_iter().collect())
    }
}

/// Writes strings `from..` of the list, as many as one claim can take; returns the first that is left.
fn write_piece(access: &mut TextAccess<'_>, start: u64, list: &Strings, from: usize) -> Result<usize> {
    let views = place_piece(access, list, from)?;
    access.publish(start + from as u64, &views)?;
    Ok(from + views.len())
}

/// Writes the text of strings `from..` of the list, as many as one claim can take; returns the views that name it.
pub(super) fn place_piece(access: &mut TextAccess<'_>, list: &Strings, from: usize) -> Result<Vec<View>> {
    let (mut to, mut total) = (from, 0);
    while to < list.len() {
        let nbytes = list.at(to).map_or(0, <[u8]>::len) as u64;
        let nbytes = if nbytes > INLINE as u64 { nbytes } else { 0 };
        if to > from && total + nbytes > CLAIM {
            break;
        }
        total += nbytes;
        to += 1;
    }
    let claim = if total > 0 { Some(access.claim(total, list.len() > 1)?) } else { None };
    let (mut text, mut views) = (Vec::with_capacity(total as usize), Vec::with_capacity(to - from));
    for i in from..to {
        let view = match list.at(i) {
            None => view::NA,
            Some(bytes) => view::inline_view(bytes).unwrap_or_else(|| {
                let (buffer, off) = claim.map_or((0, 0), |c| (c.buffer, c.off));
                let long = Long::of(bytes, buffer, off + text.len() as u32);
                text.extend_from_slice(bytes);
                long.view()
            }),
        };
        views.push(view);
    }
    if let Some(claim) = claim {
        access.write_text(claim, &text);
    }
    Ok(views)
}

/// Adds the strings of elements `[start, start+n)` to `out`; see [`Vector::strings`].
pub(super) fn read(
    access: &mut TextAccess<'_>,
    start: u64,
    n: u64,
    most_nbytes: u64,
    out: &mut Strings,
) -> Result<()> {
    let span = access.views().part(16 * start, 16 * n);
    let mut done = Ok(());
    let first = out.len();
    let before = out.bytes().len() as u64;
    for_views(span, |at, views| {
        fence(Ordering::Acquire);
        for (i, view) in (start + at..).zip(views) {
            let is_full = out.len() > first && out.bytes().len() as u64 - before >= most_nbytes;
            if is_full || done.is_err() {
                return;
            }
            if push(access.buffers(), view, out).is_err() {
                done = push_again(access, i, out);
            }
        }
    });
    done?;
    let read = (out.len() - first) as u64;
    if let Some(i) = out.first_invalid() {
        return Err(access.damaged(start + (i - first) as u64, NO_TEXT));
    }
    access.check_views(start, read)
}

/// Adds the string of a view. The error: why there is none, in words.
pub(crate) fn push(
    buffers: &Buffers,
    view: &View,
    out: &mut Strings,
) -> std::result::Result<(), &'static str> {
    match view::decode(view)? {
        Text::Na => out.push_na(),
        Text::Inline(bytes, n) => out.push_bytes(&bytes[..n]),
        Text::Long(long) => {
            let span = buffers.place(long).ok_or(BEYOND)?;
            out.push_from(span, long)?;
        }
    }
    Ok(())
}

/// The same for an element whose view could not be, as it stands while nobody writes.
pub(super) fn push_again(access: &mut TextAccess<'_>, i: u64, out: &mut Strings) -> Result<()> {
    let view = access.read_again(i)?;
    push(access.buffers(), &view, out).map_err(|what| access.damaged(i, what))
}

/// The bytes of element `i`, whose view was read as `view`; `None`: NA. They stand in `scratch`.
pub(super) fn text_at<'s>(
    access: &mut TextAccess<'_>,
    i: u64,
    view: &View,
    scratch: &'s mut Vec<u8>,
) -> Result<Option<&'s [u8]>> {
    let is_there = if let Ok(is_there) = read_text(access.buffers(), view, scratch) {
        is_there
    } else {
        let view = access.read_again(i)?;
        read_text(access.buffers(), &view, scratch).map_err(|what| access.damaged(i, what))?
    };
    Ok(is_there.then_some(&scratch[..]))
}

/// Reads the text of a view; false: it is NA.
pub(super) fn read_text(
    buffers: &Buffers,
    view: &View,
    out: &mut Vec<u8>,
) -> std::result::Result<bool, &'static str> {
    out.clear();
    match view::decode(view)? {
        Text::Na => return Ok(false),
        Text::Inline(bytes, n) => out.extend_from_slice(&bytes[..n]),
        Text::Long(long) => {
            let span = buffers.place(long).ok_or(BEYOND)?;
            out.resize(long.nbytes as usize, 0);
            span.read(0, out);
            long.check(out)?;
        }
    }
    if out.is_ascii() || std::str::from_utf8(out).is_ok() { Ok(true) } else { Err(NO_TEXT) }
}
