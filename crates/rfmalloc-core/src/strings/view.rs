//! One element of a character vector: sixteen bytes, laid out as a view of Arrow's `Utf8View`. Table: `docs/FORMAT.md`, "Strings".
//!
//! Encoders, decoders and checks over private bytes only: nothing here touches a file. Every view is checked before it is believed; what a
//! check finds is said in words, and the caller knows where it was.

use crate::format::u32_at;

/// A view as it stands in a payload.
pub(crate) type View = [u8; 16];

/// Longest string that stands in its view, bytes.
pub(crate) const INLINE: usize = 12;
/// The empty string.
pub(crate) const EMPTY: View = [0; 16];
/// The first bytes of every heap's first buffer: what the view of NA points at. Valid text, so that readers who know nothing of NA read it.
pub(crate) const NA_RUN: [u8; 16] = *b"<NA of rfmalloc>";
/// The view of NA: it alone points at the reserved run.
pub(crate) const NA: View = long_view(16, [b'<', b'N', b'A', b' '], 0, 0);

/// What is wrong with a long string whose bytes do not begin as its view says.
pub(crate) const PREFIX: &str = "text: its first bytes are not those the view names";

/// What a view says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Text {
    Na,
    /// Up to twelve bytes in the view itself.
    Inline([u8; INLINE], usize),
    /// Bytes in a buffer of the heap.
    Long(Long),
}

/// Where a long string stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Long {
    pub(crate) nbytes: u32,
    /// The first four bytes.
    pub(crate) prefix: [u8; 4],
    /// The heap's buffer.
    pub(crate) buffer: u32,
    /// Its first byte in there.
    pub(crate) off: u32,
}

const fn long_view(nbytes: u32, prefix: [u8; 4], buffer: u32, off: u32) -> View {
    let (n, b, o) = (nbytes.to_le_bytes(), buffer.to_le_bytes(), off.to_le_bytes());
    [
        n[0], n[1], n[2], n[3], prefix[0], prefix[1], prefix[2], prefix[3], b[0], b[1], b[2], b[3], o[0],
        o[1], o[2], o[3],
    ]
}

/// The view of a string that fits into it; `None`: it needs a heap.
pub(crate) fn inline_view(text: &[u8]) -> Option<View> {
    let mut view = EMPTY;
    view[4..].get_mut(..text.len())?.copy_from_slice(text);
    view[0] = text.len() as u8;
    Some(view)
}

impl Long {
    /// The place of `text`, which is longer than [`INLINE`] and shorter than 2^31, at byte `off` of a buffer.
    pub(crate) fn of(text: &[u8], buffer: u32, off: u32) -> Self {
        let mut prefix = [0; 4];
        prefix.copy_from_slice(&text[..4]);
        Self { nbytes: text.len() as u32, prefix, buffer, off }
    }

    pub(crate) fn view(self) -> View {
        long_view(self.nbytes, self.prefix, self.buffer, self.off)
    }

    /// One after its last byte.
    pub(crate) fn end(self) -> u64 {
        u64::from(self.off) + u64::from(self.nbytes)
    }

    /// Whether these bytes, found at its place, can be its text.
    pub(crate) fn check(self, text: &[u8]) -> Result<(), &'static str> {
        if text.len() != self.nbytes as usize || !text.starts_with(&self.prefix) {
            return Err(PREFIX);
        }
        Ok(())
    }
}

/// What a view says. The error: what cannot be, in words.
pub(crate) fn decode(view: &View) -> Result<Text, &'static str> {
    if *view == NA {
        return Ok(Text::Na);
    }
    let nbytes = u32_at(view, 0);
    let mut rest = [0; INLINE];
    rest.copy_from_slice(&view[4..]);
    if let Some(padding) = rest.get(nbytes as usize..) {
        return if padding.iter().all(|b| *b == 0) {
            Ok(Text::Inline(rest, nbytes as usize))
        } else {
            Err("view: bytes behind the end of its text")
        };
    }
    let mut prefix = [0; 4];
    prefix.copy_from_slice(&view[4..8]);
    let long = Long { nbytes, prefix, buffer: u32_at(view, 8), off: u32_at(view, 12) };
    if [nbytes, long.buffer, long.off].iter().any(|n| *n > i32::MAX as u32) {
        return Err("view: a negative length, buffer or offset");
    }
    if long.buffer == 0 && (long.off as usize) < NA_RUN.len() {
        return Err("view: points into the bytes reserved for NA");
    }
    Ok(Text::Long(long))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_says_what_it_was_made_of() {
        for text in ["", "a", "NA", "zwölf bytes", "123456789012"] {
            let view = inline_view(text.as_bytes()).unwrap();
            let Ok(Text::Inline(bytes, n)) = decode(&view) else { panic!("{text}") };
            assert_eq!(&bytes[..n], text.as_bytes());
        }
        assert_eq!(inline_view(b"1234567890123"), None);
        assert_eq!(inline_view(b""), Some(EMPTY));
        let long = Long::of(b"1234567890123", 3, 77);
        assert_eq!(decode(&long.view()), Ok(Text::Long(long)));
        assert!(long.check(b"1234567890123").is_ok());
        assert!(long.check(b"1234567890124").is_ok(), "only the first bytes stand in the view");
        assert!(long.check(b"1235567890123").is_err() && long.check(b"123456789012").is_err());
        assert_eq!(decode(&NA), Ok(Text::Na));
        assert_eq!(decode(&Long::of(&NA_RUN, 0, 16).view()), Ok(Text::Long(Long::of(&NA_RUN, 0, 16))));
    }

    /// Whatever stands in sixteen bytes, the answer is a text whose parts are in range, or words.
    #[test]
    fn no_view_is_believed_that_cannot_be() {
        for (i, b) in [(0, 13), (3, 0x80), (11, 0x80), (15, 0x80)] {
            let mut view = Long::of(b"1234567890123", 1, 2).view();
            view[i] = b;
            let ok = matches!(decode(&view), Ok(Text::Long(l)) if l.nbytes == 13 && i == 0);
            assert!(ok || decode(&view).is_err(), "byte {i}");
        }
        assert!(decode(&[1, 0, 0, 0, b'a', b'b', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).is_err());
        for off in 0..16 {
            assert!(decode(&Long::of(b"1234567890123", 0, off).view()).is_err(), "into NA's bytes");
        }
        let mut word: u64 = 0x9e37_79b9_7f4a_7c15;
        for _ in 0..if cfg!(miri) { 200 } else { 100_000 } {
            let mut view = EMPTY;
            for half in view.chunks_exact_mut(8) {
                word = word.rotate_left(23).wrapping_mul(0xff51_afd7_ed55_8ccd) ^ (word >> 29);
                half.copy_from_slice(&word.to_le_bytes());
            }
            view[1..4].fill(0);
            match decode(&view) {
                Ok(Text::Inline(_, n)) => assert!(n <= INLINE),
                Ok(Text::Long(l)) => assert!(l.nbytes > 12 && l.end() < 1 << 32),
                Ok(Text::Na) => assert_eq!(view, NA),
                Err(what) => assert!(!what.is_empty()),
            }
        }
    }
}
