//! Writing through a part of a vector: a subarray, or a range of a matrix's columns. Its subscripts count from its own first element.

use super::index::{Index, Ready};
use super::text::TextVector;
use crate::assign;
use crate::convert::Warnings;
use crate::elements::Vector;
use crate::error::{Code, Error, Result};
use crate::store::Store;
use crate::subscript::{self as sub, MISSING, Purpose, Receiver, Run, Runs, Selection, Texts};
use std::slice;

/// Consecutive elements of a vector, taken as a vector of their own.
#[derive(Clone, Copy)]
pub struct Part<'a> {
    /// The first element.
    pub start: u64,
    /// How many.
    pub len: u64,
    /// Extents of its own; none of a plain part.
    pub dim: &'a [u64],
    /// Names of the elements.
    pub names: Option<&'a Vector>,
}

impl Store {
    /// As [`Store::set_at`] with one index, but of a part of `x`.
    ///
    /// # Errors
    /// As [`Store::set_at`]; `OUT_OF_BOUNDS`: the part does not lie in the vector.
    pub fn set_in_part(
        &self,
        x: &Vector,
        part: &Part<'_>,
        index: &Index<'_>,
        values: &Vector,
        exact: bool,
    ) -> Result<Warnings> {
        self.shared()?;
        x.check_writable()?;
        if part.start.checked_add(part.len).is_none_or(|end| end > x.len()) {
            return Err(Error::new(
                Code::OutOfBounds,
                format!(
                    "elements {}..{} are not in a vector of {}",
                    part.start,
                    part.start.saturating_add(part.len),
                    x.len()
                ),
            ));
        }
        let ready = Ready::new(index)?;
        let rows = Index::rows_for(slice::from_ref(index), part.dim.len())?;
        let selection = if let Some(rows) = rows {
            sub::cells(&ready.subscript(), rows, part.dim, None)?
        } else {
            let names = part.names.map(TextVector::borrowed);
            let names = names.as_ref().map(|n| n as &dyn Texts);
            sub::vector(&ready.subscript(), part.len, names, Purpose::Write)?.selection
        };
        ready.refuse_missing(&selection)?;
        let (end, len) = (selection.end(), selection.len());
        assign::in_place(part.len, end, selection.has_missing(), len, values.len())?;
        let shifted = Shifted { of: &selection, start: part.start, end: part.start + part.len };
        self.write_through(x, slice::from_ref(&ready), &shifted, values, exact)
    }
}

/// A selection counted from another element, which stays within its part.
struct Shifted<'a> {
    of: &'a Selection,
    start: u64,
    end: u64,
}

impl Runs for Shifted<'_> {
    fn len(&self) -> u64 {
        self.of.len()
    }

    fn each(&self, f: &mut Receiver<'_>) -> Result<()> {
        let mut block = Vec::new();
        self.of.each(&mut |run| match run {
            Run::Range { start, len } if start + len <= self.end - self.start => {
                f(Run::Range { start: self.start + start, len })
            }
            Run::At(positions) => {
                block.clear();
                // Another thread may write the index meanwhile: what is not in the part is not written.
                block.extend(positions.iter().map(|p| {
                    let at = p.checked_add(self.start).unwrap_or(MISSING);
                    if at < self.end { at } else { MISSING }
                }));
                f(Run::At(&block))
            }
            Run::Range { len, .. } | Run::Missing(len) => f(Run::Missing(len)),
        })
    }
}
