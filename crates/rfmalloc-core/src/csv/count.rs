//! How many records a file has at most: its line ends outside of quotes, at the speed of reading.

use crate::error::Result;
use std::fs::File;
use std::io::{self, Read};

/// Bytes read at a time.
const BLOCK: usize = 1 << 20;

/// Line ends (`\n`, `\r\n` or `\r`) that are not between quotes, and one for a last line without. Where quotes stand inside of unquoted
/// fields it is a guess, and reading makes columns longer when there are more.
pub(super) fn records(
    file: &mut File,
    quote: Option<u8>,
    fail: impl Fn(&io::Error) -> crate::Error,
    go_on: &mut dyn FnMut() -> Result<()>,
) -> Result<u64> {
    let mut block = vec![0; BLOCK];
    let mut counter = Counter::default();
    loop {
        let n = match file.read(&mut block) {
            Ok(0) => return Ok(counter.n + 1),
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(fail(&e)),
        };
        counter.add(&block[..n], quote);
        go_on()?;
    }
}

#[derive(Default)]
struct Counter {
    n: u64,
    is_quoted: bool,
    /// The byte before the block was a carriage return.
    after_cr: bool,
}

impl Counter {
    fn add(&mut self, block: &[u8], quote: Option<u8>) {
        let mut cr = if self.after_cr { 0 } else { usize::MAX };
        let mut one = |at: usize, c: u8| {
            if Some(c) == quote {
                self.is_quoted = !self.is_quoted;
            } else if !self.is_quoted {
                // The second half of a pair ends nothing.
                self.n += u64::from(c == b'\r' || cr != at);
            }
            if c == b'\r' {
                cr = at + 1;
            }
        };
        match quote {
            Some(q) => memchr::memchr3_iter(b'\n', b'\r', q, block).for_each(|at| one(at, block[at])),
            None => memchr::memchr2_iter(b'\n', b'\r', block).for_each(|at| one(at, block[at])),
        }
        self.after_cr = block.last() == Some(&b'\r');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_line_end_counts_once_wherever_blocks_are_cut() {
        for (text, n) in [
            ("a\nb\n", 2),
            ("a\r\nb\r\n", 2),
            ("a\rb\r", 2),
            ("a,\"x\ny\"\nb", 1),
            ("\r\n\n\r\r\n", 4),
            ("", 0),
        ] {
            for cut in 0..=text.len() {
                let mut counter = Counter::default();
                let (a, b) = text.as_bytes().split_at(cut);
                if !a.is_empty() {
                    counter.add(a, Some(b'"'));
                }
                if !b.is_empty() {
                    counter.add(b, Some(b'"'));
                }
                assert_eq!(counter.n, n, "{text:?} cut at {cut}");
            }
        }
        let mut counter = Counter::default();
        counter.add(b"a,\"x\ny\"\n", None);
        assert_eq!(counter.n, 2);
    }
}
