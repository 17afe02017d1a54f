//! Many strings in one piece of private memory: how text crosses between stores, and to and from JavaScript.
//!
//! All bytes stand one after the other; for each string there is the place where it ends. A missing string (NA) has no bytes.

use super::view::Long;
use crate::error::{Code, Error, Result};
use crate::region::Span;

/// Marks a missing string in [`Strings::ends`]; the rest of the word is the end.
const IS_NA: u64 = 1 << 63;

/// A list of strings, each text or missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Strings {
    bytes: Vec<u8>,
    ends: Vec<u64>,
}

impl Strings {
    /// No strings.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets all of them, but not the memory.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// Strings there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The text of all strings, one after the other.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The text of all strings as one.
    pub fn into_text(self) -> String {
        // Made of text, or checked by `first_invalid`.
        String::from_utf8(self.bytes).unwrap_or_default()
    }

    /// The bytes of [`Strings::bytes`] and the length of each string in them, -1 for missing ones.
    pub fn into_bytes(self) -> (Vec<u8>, Vec<i32>) {
        let lengths = self.iter().map(|text| text.map_or(-1, |b| i32::try_from(b.len()).unwrap_or(i32::MAX)));
        let lengths = lengths.collect();
        (self.bytes, lengths)
    }

    /// The strings at these positions, which must be there.
    pub(crate) fn picked(&self, order: &[u32]) -> Self {
        let mut out =
            Self { bytes: Vec::with_capacity(self.bytes.len()), ends: Vec::with_capacity(order.len()) };
        for i in order {
            match self.at(*i as usize) {
                Some(text) => out.push_bytes(text),
                None => out.push_na(),
            }
        }
        out
    }

    /// Adds a string; `None`: a missing one.
    pub fn push(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.push_bytes(text.as_bytes()),
            None => self.push_na(),
        }
    }

    /// Adds bytes that are text, or will be checked to be.
    pub(crate) fn push_bytes(&mut self, text: &[u8]) {
        self.bytes.extend_from_slice(text);
        self.ends.push(self.bytes.len() as u64);
    }

    /// Adds the text of a view, which stands at `span`.
    pub(super) fn push_from(&mut self, span: Span, long: Long) -> std::result::Result<(), &'static str> {
        let from = self.bytes.len();
        self.bytes.resize(from + long.nbytes as usize, 0);
        span.read(0, &mut self.bytes[from..]);
        if let Err(what) = long.check(&self.bytes[from..]) {
            self.bytes.truncate(from);
            return Err(what);
        }
        self.ends.push(self.bytes.len() as u64);
        Ok(())
    }

    pub(crate) fn push_na(&mut self) {
        self.ends.push(self.bytes.len() as u64 | IS_NA);
    }

    /// The bytes of string `i`, which must be there; `None`: it is missing.
    pub(crate) fn at(&self, i: usize) -> Option<&[u8]> {
        let end = self.ends[i];
        let start = if i == 0 { 0 } else { self.ends[i - 1] & !IS_NA };
        (end & IS_NA == 0).then(|| &self.bytes[start as usize..end as usize])
    }

    /// String `i`; `None`: it is missing, or not there.
    pub fn get(&self, i: usize) -> Option<&str> {
        if i >= self.len() {
            return None;
        }
        // Made of text, or checked by `first_invalid`.
        self.at(i).and_then(|b| std::str::from_utf8(b).ok())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Option<&[u8]>> {
        (0..self.len()).map(|i| self.at(i))
    }

    /// The first string whose bytes are no text.
    pub(crate) fn first_invalid(&self) -> Option<usize> {
        if self.bytes.is_ascii() {
            return None;
        }
        self.iter().position(|b| b.is_some_and(|b| std::str::from_utf8(b).is_err()))
    }

    /// The strings of `text`, separated by NUL; bit `i` of `na` (32 a word, the lowest first) says that string `i` is missing. `None`:
    /// there are more or fewer than `n`, since some of them contain NUL.
    pub fn split(text: String, n: usize, na: &[u32]) -> Option<Self> {
        let mut out = Self { bytes: text.into_bytes(), ends: Vec::with_capacity(n) };
        if n == 0 {
            return out.bytes.is_empty().then_some(out);
        }
        let (mut from, mut to) = (0, 0);
        let total = out.bytes.len();
        loop {
            let end = memchr(&out.bytes[from..]).map_or(total, |k| from + k);
            // The bytes move up to where the separators were.
            out.bytes.copy_within(from..end, to);
            to += end - from;
            out.ends.push(to as u64 | if is_set(na, out.ends.len()) { IS_NA } else { 0 });
            if end == total {
                break;
            }
            if out.ends.len() == n {
                return None;
            }
            from = end + 1;
        }
        out.bytes.truncate(to);
        (out.ends.len() == n).then_some(out)
    }

    /// The strings of `text`, one after the other, by their lengths in UTF-16 units as JavaScript counts; missing ones have −1.
    ///
    /// # Errors
    /// `ARGUMENT`: the lengths are not those of this text.
    pub fn cut(text: &str, lengths: &[i32]) -> Result<Self> {
        let wrong = || Error::new(Code::Argument, "the lengths of the strings are not those of their text");
        let mut out = Self { bytes: Vec::with_capacity(text.len()), ends: Vec::with_capacity(lengths.len()) };
        let mut rest = text;
        for length in lengths {
            let Ok(length) = usize::try_from(*length) else {
                out.push_na();
                continue;
            };
            let (mut units, mut nbytes) = (0, 0);
            for c in rest.chars() {
                if units >= length {
                    break;
                }
                units += c.len_utf16();
                nbytes += c.len_utf8();
            }
            if units != length {
                return Err(wrong());
            }
            let (text, behind) = rest.split_at(nbytes);
            out.push(Some(text));
            rest = behind;
        }
        if rest.is_empty() { Ok(out) } else { Err(wrong()) }
    }

    /// The reverse of [`Strings::split`]: text separated by NUL, and the positions of missing strings. `None`: some contain NUL.
    pub fn join(&self) -> Option<(String, Vec<u32>)> {
        let mut out = Vec::with_capacity(self.bytes.len() + self.len());
        let mut na = Vec::new();
        if memchr(&self.bytes).is_some() {
            return None;
        }
        for (i, text) in self.iter().enumerate() {
            if i > 0 {
                out.push(0);
            }
            match text {
                Some(text) => out.extend_from_slice(text),
                None => na.push(i as u32),
            }
        }
        Some((String::from_utf8(out).unwrap_or_default(), na))
    }

    /// The reverse of [`Strings::cut`]: the lengths in UTF-16 units, −1 for missing strings. The text is [`Strings::bytes`].
    pub fn lengths(&self) -> Vec<i32> {
        let units = |b: &[u8]| {
            // Every byte that starts a character is one unit, and that of four bytes two.
            let starts = b.iter().filter(|b| **b & 0xc0 != 0x80).count();
            let pairs = b.iter().filter(|b| **b >= 0xf0).count();
            i32::try_from(starts + pairs).unwrap_or(i32::MAX)
        };
        self.iter().map(|text| text.map_or(-1, units)).collect()
    }
}

impl<'a> FromIterator<Option<&'a str>> for Strings {
    fn from_iter<I: IntoIterator<Item = Option<&'a str>>>(list: I) -> Self {
        let mut out = Self::new();
        list.into_iter().for_each(|text| out.push(text));
        out
    }
}

fn is_set(bits: &[u32], i: usize) -> bool {
    bits.get(i / 32).is_some_and(|word| word >> (i % 32) & 1 == 1)
}

/// The first NUL.
fn memchr(bytes: &[u8]) -> Option<usize> {
    // Eight bytes at a time: a byte is zero where subtracting one borrows from a bit that was not set.
    let mut chunks = bytes.chunks_exact(8);
    let mut at = 0;
    for chunk in &mut chunks {
        let mut word = [0; 8];
        word.copy_from_slice(chunk);
        let word = u64::from_le_bytes(word);
        let zeros = word.wrapping_sub(0x0101_0101_0101_0101) & !word & 0x8080_8080_8080_8080;
        if zeros != 0 {
            return Some(at + zeros.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    chunks.remainder().iter().position(|b| *b == 0).map(|k| at + k)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(items: &[Option<&str>]) -> Strings {
        items.iter().copied().collect()
    }

    #[test]
    fn what_is_joined_is_split_and_what_is_cut_has_the_lengths() {
        for items in [
            &[][..],
            &[Some("")],
            &[None],
            &[Some("a"), None, Some(""), Some("NA"), Some("ä€😀 and some more")],
            &[None, None, Some("1234567890123")],
        ] {
            let strings = list(items);
            let (text, na) = strings.join().unwrap();
            let mut bits = vec![0u32; items.len().div_ceil(32)];
            for i in na {
                bits[i as usize / 32] |= 1 << (i % 32);
            }
            assert_eq!(Strings::split(text, items.len(), &bits), Some(strings.clone()));
            let text = String::from_utf8(strings.bytes().to_vec()).unwrap();
            assert_eq!(Strings::cut(&text, &strings.lengths()).unwrap(), strings);
        }
        assert_eq!(list(&[Some("ä€😀")]).lengths(), [4]);
    }

    /// A string with NUL in it looks like two: it must not be taken for them.
    #[test]
    fn strings_with_nul_go_by_their_lengths() {
        let strings = list(&[Some("a\0b"), Some(""), None]);
        assert_eq!(strings.join(), None);
        assert_eq!(Strings::split("a\0b\0\0".into(), 3, &[4]), None);
        assert_eq!(Strings::split("a".into(), 2, &[0]), None);
        assert_eq!(Strings::split("a".into(), 0, &[0]), None);
        assert_eq!(Strings::cut("a\0b", &[3, 0, -1]).unwrap(), strings);
        assert!(Strings::cut("a\0b", &[2]).is_err() && Strings::cut("a", &[2]).is_err());
        assert!(Strings::cut("😀", &[1, 1]).is_err(), "half a character");
    }
}
