//! The cells of an array that a selection in each dimension picks, in column-major order, as runs over its elements.
//!
//! Leading dimensions that are selected whole make the runs longer: whole columns are one range. The other dimensions are walked like the
//! wheels of a counter. The first of them is read again for each of the others' positions; of these a list is kept, unless they are
//! consecutive.

use super::MISSING;
use super::selection::{Emitter, Receiver, Run, Runs, Selection};
use crate::error::{Code, Error, Result};

/// Selections of this many positions are kept as a list while the others are walked.
const KEPT: u64 = 1 << 16;

/// One selection for each dimension.
pub(crate) struct Product {
    extents: Vec<u64>,
    parts: Vec<Selection>,
    len: u64,
}

impl Product {
    pub(super) fn new(extents: Vec<u64>, parts: Vec<Selection>) -> Result<Self> {
        let len =
            parts.iter().try_fold(1_u64, |n, s| n.checked_mul(s.len())).filter(|n| *n <= crate::MAX_LEN);
        let too_large = || Error::new(Code::TooLarge, "the selection has more than 2^52 elements");
        // An extent of zero makes nothing of any product.
        let len = if parts.iter().any(|s| s.len() == 0) { 0 } else { len.ok_or_else(too_large)? };
        Ok(Self { extents, parts, len })
    }

    /// The selections, one for each dimension.
    pub(crate) fn parts(&self) -> &[Selection] {
        &self.parts
    }

    /// Whether some index is NA.
    pub(crate) fn has_missing(&self) -> bool {
        self.parts.iter().any(Selection::has_missing)
    }
}

impl Runs for Product {
    fn len(&self) -> u64 {
        self.len
    }

    fn each(&self, f: &mut Receiver<'_>) -> Result<()> {
        let mut out = Emitter::new(self.len, f);
        if self.len == 0 {
            return out.finish();
        }
        let lead = self.parts.iter().zip(&self.extents).take_while(|(s, n)| s.is_all(**n)).count();
        let unit: u64 = self.extents[..lead].iter().product();
        let Some(first) = self.parts.get(lead) else {
            out.range(0, unit)?;
            return out.finish();
        };
        let inner = Inner {
            unit,
            extent: self.extents[lead],
            selection: first,
            kept: if first.len() <= KEPT && first.start_of_range().is_none() {
                Some(first.positions()?)
            } else {
                None
            },
        };
        let wheels: Vec<Wheel> = self.parts[lead + 1..]
            .iter()
            .zip(&self.extents[lead + 1..])
            .map(|(s, extent)| Wheel::new(s, *extent))
            .collect::<Result<_>>()?;
        let mut at = vec![0; wheels.len()];
        loop {
            // The offset of this column (or of this run of columns); none if one of its indices is NA.
            let (mut base, mut stride) = (Some(0), unit * inner.extent);
            for (wheel, &i) in wheels.iter().zip(&at) {
                let p = wheel.position(i);
                base = base.filter(|_| p < wheel.extent).map(|b| b + p * stride);
                stride *= wheel.extent;
            }
            match base {
                Some(base) => inner.emit(base, &mut out)?,
                None => out.missing(unit * first.len())?,
            }
            let turned = wheels.iter().zip(&mut at).any(|(wheel, i)| {
                *i = (*i + 1) % wheel.len;
                *i != 0
            });
            if !turned {
                return out.finish();
            }
        }
    }
}

/// A dimension that is walked position by position.
struct Wheel {
    len: u64,
    extent: u64,
    /// The first position, if they are consecutive; then there is no list.
    start: Option<u64>,
    positions: Vec<u64>,
}

impl Wheel {
    fn new(selection: &Selection, extent: u64) -> Result<Self> {
        let start = selection.start_of_range();
        let positions = if start.is_some() { Vec::new() } else { selection.positions()? };
        Ok(Self { len: selection.len(), extent, start, positions })
    }

    fn position(&self, i: u64) -> u64 {
        self.start.map_or_else(|| self.positions[i as usize], |start| start + i)
    }
}

/// The first dimension that is not selected whole; each of its positions stands for `unit` elements.
struct Inner<'a> {
    unit: u64,
    extent: u64,
    selection: &'a Selection,
    kept: Option<Vec<u64>>,
}

impl Inner<'_> {
    fn emit(&self, base: u64, out: &mut Emitter) -> Result<()> {
        if let Some(positions) = &self.kept {
            return self.at(base, positions, out);
        }
        self.selection.each(&mut |run| match run {
            // A range lies inside the extent, which was checked, unless its numbers were written meanwhile.
            Run::Range { start, len } if start + len <= self.extent => {
                out.range(base + start * self.unit, len * self.unit)
            }
            Run::Range { start, len } => (start..start + len).try_for_each(|p| self.at(base, &[p], out)),
            Run::At(positions) => self.at(base, positions, out),
            Run::Missing(n) => out.missing(n * self.unit),
        })
    }

    fn at(&self, base: u64, positions: &[u64], out: &mut Emitter) -> Result<()> {
        positions.iter().try_for_each(|&p| match (p < self.extent, self.unit) {
            (true, 1) => out.push(base + p),
            (true, unit) => out.range(base + p * unit, unit),
            (false, 1) => out.push(MISSING),
            (false, unit) => out.missing(unit),
        })
    }
}
