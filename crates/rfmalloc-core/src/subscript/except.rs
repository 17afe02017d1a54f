//! Exclusion: everything but some positions.

use super::numbers::{Base, Numbers};
use super::selection::Emitter;
use crate::error::Result;

/// What is left out of `n` elements.
pub(super) struct Except {
    n: u64,
    gone: Gone,
}

enum Gone {
    /// Few: ascending, each once.
    Few(Vec<u64>),
    /// Many: a bit for each element.
    Many(Vec<u64>),
}

impl Except {
    /// Leaves out what `numbers` say; beyond the end is harmless, and so are repetitions.
    pub(super) fn new(numbers: Numbers, base: Base, n: u64) -> Result<Self> {
        let gone = if numbers.len() <= n / 64 {
            let mut few = Vec::with_capacity(numbers.len() as usize);
            numbers.left_out(base, |p| {
                if p < n {
                    few.push(p);
                }
            })?;
            few.sort_unstable();
            few.dedup();
            Gone::Few(few)
        } else {
            let mut bits = vec![0; n.div_ceil(64) as usize];
            numbers.left_out(base, |p| {
                if p < n {
                    bits[(p / 64) as usize] |= 1 << (p % 64);
                }
            })?;
            Gone::Many(bits)
        };
        Ok(Self { n, gone })
    }

    /// Elements left.
    pub(super) fn len(&self) -> u64 {
        self.n
            - match &self.gone {
                Gone::Few(few) => few.len() as u64,
                Gone::Many(bits) => bits.iter().map(|w| u64::from(w.count_ones())).sum(),
            }
    }

    pub(super) fn emit(&self, out: &mut Emitter) -> Result<()> {
        match &self.gone {
            Gone::Few(few) => {
                let mut start = 0;
                for &p in few {
                    out.range(start, p - start)?;
                    start = p + 1;
                }
                out.range(start, self.n - start)
            }
            Gone::Many(bits) => {
                for (w, &word) in bits.iter().enumerate() {
                    let first = w as u64 * 64;
                    let width = (self.n - first).min(64);
                    if word == 0 {
                        out.range(first, width)?;
                        continue;
                    }
                    let mut kept = !word & (u64::MAX >> (64 - width));
                    while kept != 0 {
                        out.push(first + u64::from(kept.trailing_zeros()))?;
                        kept &= kept - 1;
                    }
                }
                Ok(())
            }
        }
    }
}
