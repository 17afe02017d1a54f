//! The words of an element: what is compared first, what decides where that is equal, and so on.

use super::keys::{self, MISSING};
use crate::dtype::Dtype;
use crate::error::Result;
use crate::kernels::C64;
use crate::na::NA_INT;
use crate::region::{Plain, Span};

/// Which elements.
#[derive(Clone, Copy)]
pub(crate) enum Positions<'p> {
    /// Consecutive ones from this on.
    From(u64),
    /// These.
    At(&'p [u64]),
}

/// Elements that are ordered word by word. A word is a whole number; that of what is missing is `u64::MAX` in every word.
pub(crate) trait Words: Sync {
    /// Word `word` of the elements at these positions, as many as `out` has room for.
    ///
    /// # Errors
    /// `IO`, `CORRUPT`: an element cannot be read.
    fn words(&self, word: u32, at: Positions<'_>, out: &mut [u64]) -> Result<()>;

    /// Whether elements that have this word number `word`, and the same words before, are equal.
    fn is_last(&self, word: u32, value: u64) -> bool;
}

/// Elements of logical, integer, numeric or complex in memory.
pub(crate) struct PlainWords {
    dtype: Dtype,
    x: Span,
}

impl PlainWords {
    pub(crate) fn new(dtype: Dtype, x: Span) -> Self {
        Self { dtype, x }
    }

    fn read<T: Plain, const N: usize>(
        &self,
        at: Positions<'_>,
        out: &mut [u64],
        missing: T,
        word: impl Fn(T) -> u64,
    ) {
        let mut block = [missing; N];
        for (i, out) in (0..).step_by(N).zip(out.chunks_mut(N)) {
            let block = &mut block[..out.len()];
            match at {
                Positions::From(start) => self.x.load(start + i as u64, block),
                Positions::At(at) => self.x.load_at(&at[i..], missing, block),
            }
            for (out, x) in out.iter_mut().zip(&*block) {
                *out = word(*x);
            }
        }
    }
}

/// Elements read at a time.
const FEW: usize = 256;

impl Words for PlainWords {
    fn words(&self, word: u32, at: Positions<'_>, out: &mut [u64]) -> Result<()> {
        match self.dtype {
            Dtype::Logical | Dtype::Integer => self.read::<i32, FEW>(at, out, NA_INT, keys::of_int_wide),
            Dtype::Complex => self.read::<C64, FEW>(at, out, [f64::NAN; 2], |z| {
                if z[0].is_nan() || z[1].is_nan() { MISSING } else { keys::of_real(z[word as usize & 1]) }
            }),
            _ => self.read::<f64, FEW>(at, out, f64::NAN, keys::of_real),
        }
        Ok(())
    }

    fn is_last(&self, word: u32, value: u64) -> bool {
        self.dtype != Dtype::Complex || word > 0 || value == MISSING
    }
}
