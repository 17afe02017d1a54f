//! Strings as whole numbers, seven bytes at a time: what they are ordered by.
//!
//! A word holds seven bytes of the text, zeros behind its end, and in its lowest byte how many of them there are, or 8 if the text goes on behind
//! them. So words are ordered as texts are, one that ends before one that goes on with a zero; and text without such bytes as 0xff (all UTF-8)
//! stays below [`MISSING`], NA's word.

use super::access::BEYOND;
use super::view::{self, Text, View};
use crate::elements::Vector;
use crate::error::Result;
use crate::store::{Buffers, TextAccess};
use std::sync::atomic::{Ordering, fence};

/// The word of NA.
pub(crate) const MISSING: u64 = u64::MAX;

/// Bytes of text in a word.
const NBYTES: u64 = 7;
/// The lowest byte of a word whose text goes on.
const MORE: u64 = NBYTES + 1;

/// Whether texts that have this word, and the same words before, are equal.
pub(crate) fn is_last(word: u64) -> bool {
    word == MISSING || word & 0xff < MORE
}

/// The strings of a vector, held in place, to be read by several threads.
pub(crate) struct TextReader<'v> {
    vector: &'v Vector,
    access: TextAccess<'v>,
}

impl<'v> TextReader<'v> {
    /// # Errors
    /// `TYPE` (no character vector), `DESTROYED`, `CLOSED`.
    pub(crate) fn new(vector: &'v Vector) -> Result<Self> {
        Ok(Self { vector, access: vector.text(false)? })
    }

    /// Word `word` of the strings from element `start` on.
    ///
    /// # Errors
    /// `CORRUPT` (`offset`, `index`: what stands there is no string).
    pub(crate) fn words(&self, word: u32, start: u64, out: &mut [u64]) -> Result<()> {
        let mut views = [view::EMPTY; 64];
        for (start, out) in (start..).step_by(views.len()).zip(out.chunks_mut(views.len())) {
            let views = &mut views[..out.len()];
            self.access.views().read_words(16 * start, views);
            fence(Ordering::Acquire);
            for ((i, view), out) in (start..).zip(views).zip(out) {
                *out = self.word(word, i, view)?;
            }
        }
        Ok(())
    }

    /// Word `word` of the strings at these positions, counted from element `start`.
    ///
    /// # Errors
    /// As [`TextReader::words`].
    pub(crate) fn words_at(&self, word: u32, start: u64, at: &[u64], out: &mut [u64]) -> Result<()> {
        let mut view = [view::EMPTY];
        for (k, (i, out)) in at.iter().map(|i| start + i).zip(out).enumerate() {
            if let Some(later) = at.get(k + crate::region::AHEAD) {
                self.access.views().ask_for((start + later).saturating_mul(16));
            }
            self.access.views().read_words(16 * i, &mut view);
            fence(Ordering::Acquire);
            *out = self.word(word, i, &view[0])?;
        }
        Ok(())
    }

    /// To be called after the last read of strings `[start, start + n)`.
    ///
    /// # Errors
    /// `IO`: bytes of them are lost.
    pub(crate) fn check(&self, start: u64, n: u64) -> Result<()> {
        self.access.check_views(start, n)
    }

    fn word(&self, word: u32, i: u64, view: &View) -> Result<u64> {
        if let Ok(found) = read(self.access.buffers(), view, word) {
            return Ok(found);
        }
        let mut access = self.vector.text(false)?;
        let view = access.read_again(i)?;
        read(access.buffers(), &view, word).map_err(|what| access.damaged(i, what))
    }
}

fn read(buffers: &Buffers, view: &View, word: u32) -> std::result::Result<u64, &'static str> {
    let off = NBYTES * u64::from(word);
    let mut bytes = [0; NBYTES as usize];
    let nbytes = match view::decode(view)? {
        Text::Na => return Ok(MISSING),
        Text::Inline(text, n) => {
            let text = text[..n].get(off as usize..).unwrap_or_default();
            let here = text.len().min(bytes.len());
            bytes[..here].copy_from_slice(&text[..here]);
            n as u64
        }
        Text::Long(long) => {
            let span = buffers.place(long).ok_or(BEYOND)?;
            let here = span.nbytes().saturating_sub(off).min(NBYTES);
            if here > 0 {
                span.read(off, &mut bytes[..here as usize]);
            }
            if word == 0 && !bytes.starts_with(&long.prefix) {
                return Err(view::PREFIX);
            }
            u64::from(long.nbytes)
        }
    };
    let mut out = [0; 8];
    out[..bytes.len()].copy_from_slice(&bytes);
    out[bytes.len()] = nbytes.saturating_sub(off).min(MORE) as u8;
    Ok(u64::from_be_bytes(out))
}
