//! Writes recycled values to selected elements.

use crate::elements::BLOCK;
use crate::error::Result;
use crate::region::Span;
use crate::subscript::{Run, Runs};

/// The values, recycled, and how far they are used up.
struct Recycled {
    values: Span,
    width: u64,
    len: u64,
    /// Few values, laid out with a block more, so that every block of their recycling is one piece; empty if they are many.
    unrolled: Vec<u8>,
    block: Vec<u8>,
    next: u64,
}

impl Recycled {
    fn new(values: Span, width: u64) -> Self {
        let len = values.nbytes() / width;
        let mut unrolled = Vec::new();
        if len > 0 && len < BLOCK {
            let mut once = vec![0; (len * width) as usize];
            values.read(0, &mut once);
            unrolled.extend(once.iter().copied().cycle().take(((len + BLOCK) * width) as usize));
        }
        Self { values, width, len, unrolled, block: vec![0; (BLOCK * width) as usize], next: 0 }
    }

    /// The bytes of the next `n` values, at most a block.
    fn take(&mut self, n: u64) -> &[u8] {
        let start = self.next;
        self.next = (self.next + n) % self.len;
        if !self.unrolled.is_empty() {
            return &self.unrolled[(start * self.width) as usize..((start + n) * self.width) as usize];
        }
        let out = &mut self.block[..(n * self.width) as usize];
        let first = n.min(self.len - start);
        let (head, tail) = out.split_at_mut((first * self.width) as usize);
        self.values.read(start * self.width, head);
        self.values.read(0, tail);
        out
    }

    fn skip(&mut self, n: u64) {
        self.next = (self.next + n) % self.len;
    }

    /// Writes the next values over the whole of `target`.
    fn fill(&mut self, target: Span) {
        let (mut at, end) = (0, target.nbytes() / self.width);
        while at < end {
            if self.unrolled.is_empty() {
                let n = (end - at).min(self.len - self.next);
                let from = self.values.part(self.next * self.width, n * self.width);
                target.part(at * self.width, n * self.width).copy_from(from);
                self.skip(n);
                at += n;
            } else {
                let n = (end - at).min(BLOCK);
                target.write(at * self.width, self.take(n));
                at += n;
            }
        }
    }
}

/// Writes `values`, elements of `width` bytes, to the elements of `target` that `runs` select, in order, from the first again when they are
/// used up. Missing indices use up a value and write nothing; so does what lies beyond the end.
///
/// # Errors
/// What the selection meets.
pub(crate) fn scatter(target: Span, width: u64, runs: &dyn Runs, values: Span) -> Result<()> {
    let mut values = Recycled::new(values, width);
    if values.len == 0 {
        return Ok(());
    }
    let n = target.nbytes() / width;
    runs.each(&mut |run| {
        match run {
            Run::Range { start, len } => {
                let here = len.min(n.saturating_sub(start));
                values.fill(target.part(start.min(n) * width, here * width));
                values.skip(len - here);
            }
            Run::At(positions) => {
                let bytes = values.take(positions.len() as u64);
                target.scatter(width, positions, bytes);
            }
            Run::Missing(len) => values.skip(len),
        }
        Ok(())
    })
}
