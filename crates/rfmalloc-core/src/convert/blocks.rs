//! Conversion of the memory of vectors, block by block: what stands there may be written meanwhile.

use super::{Source, Warnings, convert};
use crate::dtype::Dtype;
use crate::elements::BLOCK;
use crate::kernels::simd::Isa;
use crate::kernels::truncate::truncate;
use crate::region::{Elems, Span};

/// Converts every element of `input`, which others may be writing, into `out`; both hold the same number of elements. Elements pass through
/// private blocks; what a kernel converts is read in place.
pub(crate) fn convert_span(source: Source, input: Span, dtype: Dtype, out: Span) -> Warnings {
    let (from, to) = (source.width(), dtype.width());
    let n = input.nbytes() / from;
    let most = BLOCK.min(n);
    let in_place = (source, dtype) == (Source::F64, Dtype::Integer);
    let mut private = vec![0; if in_place { 0 } else { (most * from) as usize }];
    let mut converted = vec![0; (most * to) as usize];
    let mut warnings = Warnings::default();
    let mut at = 0;
    while at < n {
        let m = (n - at).min(BLOCK);
        let o = &mut converted[..(m * to) as usize];
        warnings |= if in_place {
            reals_to_integers(input.elems(at, m as usize), o)
        } else {
            let i = &mut private[..(m * from) as usize];
            input.read(at * from, i);
            convert(source, i, dtype, o)
        };
        out.write(at * to, o);
        at += m;
    }
    warnings
}

/// `to_integer` of numbers.
pub(super) fn reals_to_integers(input: Elems<'_, f64>, out: &mut [u8]) -> Warnings {
    let is_lost = truncate(Isa::chosen(), input, out.as_chunks_mut().0);
    if is_lost { Warnings::INTEGER_RANGE } else { Warnings::default() }
}
