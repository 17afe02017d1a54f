//! Moves selected elements from raw memory to the start of a result's.

use crate::dtype::Dtype;
use crate::elements::BLOCK;
use crate::error::Result;
use crate::na::{NA_INT, na_real};
use crate::region::Span;
use crate::subscript::{Run, Runs};

/// The bytes of the element that a missing index selects, for a type whose elements are their bytes: NA, raw 0.
pub(crate) fn missing_element(dtype: Dtype) -> Vec<u8> {
    match dtype {
        Dtype::Logical | Dtype::Integer => NA_INT.to_le_bytes().to_vec(),
        Dtype::Numeric => na_real().to_le_bytes().to_vec(),
        Dtype::Complex => [na_real().to_le_bytes(); 2].concat(),
        _ => vec![0; dtype.width() as usize],
    }
}

/// Copies the elements of `width` bytes that `runs` select from `source` to `target`, one after the other; `missing` stands for those that are
/// not there. Nothing is written beyond the target.
///
/// # Errors
/// What the selection meets.
pub(crate) fn gather(source: Span, width: u64, runs: &dyn Runs, missing: &[u8], target: Span) -> Result<()> {
    let n = source.nbytes() / width;
    let mut block = vec![0; (runs.len().min(BLOCK) * width) as usize];
    let mut at = 0;
    runs.each(&mut |run| {
        let (here, len) = match run {
            Run::Range { start, len } => {
                let here = len.min(n.saturating_sub(start));
                if here > 0 {
                    target.part(at * width, here * width).copy_from(source.part(start * width, here * width));
                }
                (here, len)
            }
            Run::At(positions) => {
                let bytes = &mut block[..positions.len() * width as usize];
                source.gather(width, positions, missing, bytes);
                target.write(at * width, bytes);
                (positions.len() as u64, positions.len() as u64)
            }
            Run::Missing(len) => (0, len),
        };
        if here < len {
            fill(target.part((at + here) * width, (len - here) * width), missing);
        }
        at += len;
        Ok(())
    })
}

/// Sets every element of `target` to the one whose bytes are `pattern`.
pub(crate) fn fill(target: Span, pattern: &[u8]) {
    let nbytes = (pattern.len() as u64 * BLOCK).min(target.nbytes());
    let block: Vec<u8> = pattern.iter().copied().cycle().take(nbytes as usize).collect();
    let mut at = 0;
    while at < target.nbytes() {
        let n = (target.nbytes() - at).min(nbytes);
        target.write(at, &block[..n as usize]);
        at += n;
    }
}
