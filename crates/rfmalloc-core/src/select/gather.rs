//! Moves selected elements into a sink.

use crate::dtype::Dtype;
use crate::elements::BLOCK;
use crate::error::Result;
use crate::na::{NA_INT, na_real};
use crate::region::Span;
use crate::subscript::{Run, Runs};

/// Takes selected elements in order. Elements that are bits are written where they belong; string views are first counted, then, in a
/// second pass, copied with their bytes into the result's heap.
pub(crate) trait Sink {
    /// Takes a block of elements, which it may change.
    ///
    /// # Errors
    /// The sink's own.
    fn block(&mut self, elements: &mut [u8]) -> Result<()>;

    /// Takes consecutive elements that lie in `source`.
    ///
    /// # Errors
    /// As [`Sink::block`].
    fn range(&mut self, source: Span, width: u64) -> Result<()> {
        let mut block = vec![0; (width * BLOCK).min(source.nbytes()) as usize];
        let mut at = 0;
        while at < source.nbytes() {
            let part = &mut block[..(source.nbytes() - at).min(width * BLOCK) as usize];
            source.read(at, part);
            self.block(part)?;
            at += part.len() as u64;
        }
        Ok(())
    }
}

/// Writes elements that are nothing but their bits.
pub(crate) struct Copy {
    to: Span,
    at: u64,
}

impl Copy {
    /// Fills `to` from its start.
    pub(crate) fn new(to: Span) -> Self {
        Self { to, at: 0 }
    }
}

impl Sink for Copy {
    fn block(&mut self, elements: &mut [u8]) -> Result<()> {
        self.to.write(self.at, elements);
        self.at += elements.len() as u64;
        Ok(())
    }

    fn range(&mut self, source: Span, _width: u64) -> Result<()> {
        self.to.part(self.at, source.nbytes()).copy_from(source);
        self.at += source.nbytes();
        Ok(())
    }
}

/// The bytes of the element that a missing index selects: NA, raw 0, an empty list cell. `character`: the string NA's view.
pub(crate) fn missing_element(dtype: Dtype, character: [u8; 16]) -> Vec<u8> {
    match dtype {
        Dtype::Logical | Dtype::Integer => NA_INT.to_le_bytes().to_vec(),
        Dtype::Numeric => na_real().to_le_bytes().to_vec(),
        Dtype::Complex => [na_real().to_le_bytes(); 2].concat(),
        Dtype::Character => character.to_vec(),
        Dtype::Float32 => (na_real() as f32).to_le_bytes().to_vec(),
        Dtype::Raw | Dtype::List | Dtype::Int8 | Dtype::Int16 | Dtype::Int64 => {
            vec![0; dtype.width() as usize]
        }
    }
}

/// Moves the elements of `width` bytes that `runs` select from `source` to `sink`; `missing` stands for those that are not there.
///
/// # Errors
/// The sink's.
pub(crate) fn gather(
    source: Span,
    width: u64,
    runs: &dyn Runs,
    missing: &[u8],
    sink: &mut dyn Sink,
) -> Result<()> {
    let n = source.nbytes() / width;
    let mut block = vec![0; (runs.len().min(BLOCK) * width) as usize];
    let absent = |mut len: u64, block: &mut [u8], sink: &mut dyn Sink| {
        while len > 0 {
            let part = len.min(BLOCK);
            let bytes = &mut block[..(part * width) as usize];
            bytes.chunks_exact_mut(width as usize).for_each(|e| e.copy_from_slice(missing));
            sink.block(bytes)?;
            len -= part;
        }
        Ok(())
    };
    runs.each(&mut |run| match run {
        Run::Range { start, len } => {
            let here = len.min(n.saturating_sub(start));
            if here > 0 {
                sink.range(source.part(start * width, here * width), width)?;
            }
            absent(len - here, &mut block, sink)
        }
        Run::At(positions) => {
            let bytes = &mut block[..positions.len() * width as usize];
            source.gather(width, positions, missing, bytes);
            sink.block(bytes)
        }
        Run::Missing(len) => absent(len, &mut block, sink),
    })
}
