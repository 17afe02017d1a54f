//! Logical subscripts: recycled to the length, or reaching beyond it.

use super::MISSING;
use super::selection::Emitter;
use crate::elements::BLOCK;
use crate::error::Result;
use crate::na::NA_INT;
use crate::region::Span;

/// Where logical values lie. Whoever made the span keeps its memory in place.
#[derive(Clone, Copy)]
pub(crate) struct Mask(Span);

/// What a first pass found.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct MaskTally {
    /// Elements that are true or NA.
    pub(super) selected: u64,
    pub(super) missing: bool,
    /// Last position selected + 1.
    pub(super) end: u64,
}

impl Mask {
    /// A mask of 32-bit logical values (0, 1, NA).
    pub(crate) fn new(span: Span) -> Self {
        Self(span)
    }

    /// How many.
    pub(crate) fn len(self) -> u64 {
        self.0.nbytes() / 4
    }

    /// The first value.
    pub(super) fn first(self) -> i32 {
        let mut value = [0];
        self.block(0, &mut value);
        value[0]
    }

    /// Copies `out.len()` values of the recycled mask from `at` on out.
    fn block(self, at: u64, out: &mut [i32]) {
        let len = self.len();
        let mut bytes = [0; 4 * BLOCK as usize];
        let mut done = 0;
        while done < out.len() {
            let start = (at + done as u64) % len;
            let n = (out.len() - done).min((len - start) as usize);
            let bytes = &mut bytes[..n * 4];
            self.0.read(start * 4, bytes);
            for (m, b) in out[done..done + n].iter_mut().zip(bytes.as_chunks::<4>().0) {
                *m = i32::from_le_bytes(*b);
            }
            done += n;
        }
    }

    /// Calls `f(index of the first, values)` for `total` values of the recycled mask in blocks.
    fn blocks(self, total: u64, mut f: impl FnMut(u64, &[i32]) -> Result<()>) -> Result<()> {
        let len = self.len();
        let total = if len == 0 { 0 } else { total };
        let mut block = [0; BLOCK as usize];
        // A short mask is laid out once, with a block more, so that every block of its recycling is one piece.
        let mut unrolled = Vec::new();
        if len < BLOCK && total > len {
            self.block(0, &mut block[..len as usize]);
            let once = block[..len as usize].iter().copied();
            unrolled.extend(once.cycle().take((len + BLOCK) as usize));
        }
        let mut at = 0;
        while at < total {
            let n = (total - at).min(BLOCK) as usize;
            if unrolled.is_empty() {
                self.block(at, &mut block[..n]);
                f(at, &block[..n])?;
            } else {
                let start = (at % len) as usize;
                f(at, &unrolled[start..start + n])?;
            }
            at += n as u64;
        }
        Ok(())
    }

    /// Reads `total` values of it, recycled, once. `inverted`: what is true is left out.
    pub(super) fn tally(self, total: u64, inverted: bool) -> Result<MaskTally> {
        let mut t = MaskTally::default();
        self.blocks(total, |at, block| {
            let (mut selected, mut missing) = (0_u32, 0_u32);
            for &m in block {
                selected += u32::from((m != 0) != inverted);
                missing |= u32::from(m == NA_INT);
            }
            t.selected += u64::from(selected);
            t.missing |= missing != 0;
            if selected > 0 {
                let last = block.iter().rposition(|&m| (m != 0) != inverted).unwrap_or(0);
                t.end = at + last as u64 + 1;
            }
            Ok(())
        })?;
        Ok(t)
    }

    /// Emits the positions selected among `total`.
    pub(super) fn emit(self, total: u64, inverted: bool, out: &mut Emitter) -> Result<()> {
        let mut positions = [0; BLOCK as usize];
        self.blocks(total, |at, block| {
            let mut n = 0;
            for (i, &m) in block.iter().enumerate() {
                positions[n] = if m == NA_INT { MISSING } else { at + i as u64 };
                n += usize::from((m != 0) != inverted);
            }
            out.positions(&positions[..n])
        })
    }
}
