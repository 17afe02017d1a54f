//! The words of strings.

use super::words::{Positions, Words};
use crate::elements::Vector;
use crate::error::Result;
use crate::strings::{TextReader, is_last_word};

/// Strings of a vector from an element on.
pub(crate) struct TextWords<'v> {
    reader: TextReader<'v>,
    start: u64,
    len: u64,
}

impl<'v> TextWords<'v> {
    /// Strings `[start, start + len)`.
    ///
    /// # Errors
    /// `OUT_OF_BOUNDS`, `TYPE` (no character vector), `DESTROYED`, `CLOSED`.
    pub(crate) fn new(vector: &'v Vector, start: u64, len: u64) -> Result<Self> {
        vector.check(start, len)?;
        Ok(Self { reader: TextReader::new(vector)?, start, len })
    }

    /// To be called after the last read.
    ///
    /// # Errors
    /// `IO`: bytes of the strings are lost.
    pub(crate) fn check(&self) -> Result<()> {
        self.reader.check(self.start, self.len)
    }
}

impl Words for TextWords<'_> {
    fn words(&self, word: u32, at: Positions<'_>, out: &mut [u64]) -> Result<()> {
        match at {
            Positions::From(i) => self.reader.words(word, self.start + i, out),
            Positions::At(at) => self.reader.words_at(word, self.start, at, out),
        }
    }

    fn is_last(&self, _: u32, value: u64) -> bool {
        is_last_word(value)
    }
}
