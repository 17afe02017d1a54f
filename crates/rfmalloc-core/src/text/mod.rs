//! Numbers as text and text as numbers, by R's rules (behaviours 12.2, 12.3, 12.4).
//!
//! Holds: [`format`], which writes one element into a caller's buffer, and [`parse`], which reads one. [`digits`] finds the decimal
//! digits, [`hex`] reads hexadecimal constants. Nothing here allocates, knows vectors or raises warnings: a text that is no number is
//! `None`, and the caller (`convert`) decides what that means for the element.

mod digits;
pub(crate) mod format;
mod hex;
pub(crate) mod parse;

#[cfg(test)]
mod tests;

/// The longest text of any number: a complex one, twice `-1.23456789012346e-308`, and `i`.
const LONGEST: usize = 48;

/// Room for one number's text.
pub(crate) struct TextBuf {
    bytes: [u8; LONGEST],
    len: usize,
}

impl TextBuf {
    pub(crate) fn new() -> Self {
        Self { bytes: [0; LONGEST], len: 0 }
    }

    fn clear(&mut self) {
        self.len = 0;
    }

    fn push(&mut self, byte: u8) {
        self.bytes[self.len] = byte;
        self.len += 1;
    }

    fn extend(&mut self, bytes: &[u8]) {
        self.bytes[self.len..self.len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }

    fn zeros(&mut self, n: usize) {
        self.bytes[self.len..self.len + n].fill(b'0');
        self.len += n;
    }

    /// What was written last. Only ASCII is ever written.
    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.len]).unwrap_or_default()
    }
}
