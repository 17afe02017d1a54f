//! Text in brackets: looking through character vectors, selecting from them, and writing to them with recycling.

use super::operand::Operand;
use crate::dtype::Dtype;
use crate::elements::{BLOCK, Vector};
use crate::error::Result;
use crate::store::{Handle, Store};
use crate::strings::Strings;
use crate::subscript::{Run, Runs, Texts};

/// Bytes of text looked through at a time, unless one string has more.
const LOOK_NBYTES: u64 = 1 << 20;

/// A character vector whose texts are looked through.
pub(super) struct TextVector<'a>(Held<'a>);

enum Held<'a> {
    Own(Vector),
    Borrowed(&'a Vector),
}

impl TextVector<'static> {
    /// Of a vector that is kept for it.
    pub(super) fn new(vector: Vector) -> Self {
        Self(Held::Own(vector))
    }
}

impl<'a> TextVector<'a> {
    /// Of a caller's vector.
    pub(super) fn borrowed(vector: &'a Vector) -> Self {
        Self(Held::Borrowed(vector))
    }

    fn vector(&self) -> &Vector {
        match &self.0 {
            Held::Own(v) => v,
            Held::Borrowed(v) => v,
        }
    }
}

impl Texts for TextVector<'_> {
    fn len(&self) -> u64 {
        self.vector().len()
    }

    fn each(&self, start: u64, n: u64, f: &mut dyn FnMut(Option<&str>) -> bool) -> Result<()> {
        let mut at = 0;
        while at < n {
            let block = self.vector().strings(start + at, (n - at).min(BLOCK), LOOK_NBYTES)?;
            for i in 0..block.len() {
                if !f(block.get(i)) {
                    return Ok(());
                }
            }
            at += block.len() as u64;
        }
        Ok(())
    }
}

/// A temporary with the selected elements of a character vector.
pub(crate) fn gather(store: &Store, x: &Vector, runs: &dyn Runs) -> Result<Handle> {
    let out = Vector::Object(store.reserve(Dtype::Character, runs.len(), true)?);
    let mut at = 0;
    runs.each(&mut |run| {
        let (here, len) = match run {
            Run::Range { start, len } => {
                let here = len.min(x.len().saturating_sub(start));
                out.copy_strings(at, x, start, here)?;
                (here, len)
            }
            Run::At(positions) => {
                out.write_strings(at, &x.strings_at(positions)?)?;
                (positions.len() as u64, positions.len() as u64)
            }
            Run::Missing(len) => (0, len),
        };
        if here < len {
            out.fill_strings(at + here, at + len, None)?;
        }
        at += len;
        Ok(())
    })?;
    out.into_object()
}

/// Names one after the other; where there are none, so many empty ones.
pub(super) fn joined_names(store: &Store, parts: &[(Option<Vector>, u64)], len: u64) -> Result<Handle> {
    // New elements are empty strings.
    let out = Vector::Object(store.reserve(Dtype::Character, len, true)?);
    let mut at = 0;
    for (names, n) in parts {
        if let Some(names) = names {
            out.copy_strings(at, names, 0, *n)?;
        }
        at += n;
    }
    out.into_object()
}

/// The names of a vector that grew to `len` elements: the old ones, or empty ones, for the first `n`; then what the subscript (`wanted`) called
/// the new elements, by its indices in `fresh`; then empty ones.
pub(super) fn extended(
    store: &Store,
    old: Option<&Vector>,
    n: u64,
    wanted: Option<&dyn Texts>,
    fresh: &[u64],
    len: u64,
) -> Result<Handle> {
    let out = Vector::Object(store.reserve(Dtype::Character, len, true)?);
    if let Some(names) = old {
        out.copy_strings(0, names, 0, n)?;
    }
    if let Some(wanted) = wanted {
        // The indices ascend, so one pass over the subscript finds them.
        let (mut left, mut at, mut list) = (fresh.iter().peekable(), 0, Strings::new());
        wanted.each(0, wanted.len(), &mut |text| {
            if left.next_if_eq(&&at).is_some() {
                list.push(text);
            }
            at += 1;
            left.peek().is_some()
        })?;
        out.write_strings(n, &list)?;
    }
    out.into_object()
}

/// The elements of an assignment whose result is text: those of `x`, a gap of missing ones up to `len`, and the values written over them.
pub(super) fn replaced(
    store: &Store,
    x: &Operand<'_>,
    len: u64,
    runs: &dyn Runs,
    values: Option<&Vector>,
) -> Result<Handle> {
    let out = Vector::Object(store.reserve(Dtype::Character, len, true)?);
    out.copy_from(0, x.vector, 0, x.len())?;
    out.fill_strings(x.len(), len, None)?;
    if let Some(values) = values {
        write_recycled(&out, runs, store.as_type(values, Dtype::Character)?.vector())?;
    }
    out.into_object()
}

/// Writes the texts of `values`, recycled, to the elements of `target` that `runs` select; missing indices, and what lies beyond the end, use up a
/// value and write nothing.
pub(super) fn write_recycled(target: &Vector, runs: &dyn Runs, values: &Vector) -> Result<()> {
    if values.is_empty() {
        return Ok(());
    }
    let few = if values.len() <= BLOCK { Some(values.strings(0, values.len(), u64::MAX)?) } else { None };
    let mut next = 0;
    let mut take = |n: u64| -> Result<Strings> {
        let mut block = Strings::new();
        while (block.len() as u64) < n {
            let part = (n - block.len() as u64).min(values.len() - next);
            if let Some(texts) = &few {
                (next..next + part).for_each(|i| block.push(texts.get(i as usize)));
            } else {
                let texts = values.strings(next, part, u64::MAX)?;
                (0..texts.len()).for_each(|i| block.push(texts.get(i)));
            }
            next = (next + part) % values.len();
        }
        Ok(block)
    };
    runs.each(&mut |run| {
        match run {
            Run::Range { start, len } => {
                let mut at = 0;
                while at < len {
                    let n = (len - at).min(BLOCK);
                    let block = take(n)?;
                    if start + at + n <= target.len() {
                        target.write_strings(start + at, &block)?;
                    }
                    at += n;
                }
            }
            Run::At(positions) => {
                let block = take(positions.len() as u64)?;
                target.write_strings_at(positions, &block)?;
            }
            Run::Missing(len) => {
                let mut left = len;
                while left > 0 {
                    let n = left.min(BLOCK);
                    take(n)?;
                    left -= n;
                }
            }
        }
        Ok(())
    })
}
