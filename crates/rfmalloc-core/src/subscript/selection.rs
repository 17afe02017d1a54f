//! A checked subscript: which elements, in which order.

use super::MISSING;
use super::cells::CellRows;
use super::except::Except;
use super::mask::Mask;
use super::numbers::{Base, Numbers};
use crate::elements::BLOCK;
use crate::error::Result;

/// A piece of a selection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Run<'a> {
    /// Consecutive positions; they may reach beyond the end of what is indexed.
    Range {
        /// The first.
        start: u64,
        /// How many.
        len: u64,
    },
    /// Positions one by one; [`MISSING`], and what lies beyond the end, is a missing element. At most a block.
    At(&'a [u64]),
    /// So many missing elements.
    Missing(u64),
}

/// Receives the pieces in order.
pub(crate) type Receiver<'f> = dyn FnMut(Run<'_>) -> Result<()> + 'f;

/// Something that selects elements in an order.
pub(crate) trait Runs {
    /// How many elements it selects, missing ones included.
    fn len(&self) -> u64;

    /// Calls `f` with pieces that together select exactly [`Runs::len`] elements.
    ///
    /// # Errors
    /// What `f` returns.
    fn each(&self, f: &mut Receiver<'_>) -> Result<()>;

    /// All positions, for selections that are known to be small.
    fn positions(&self) -> Result<Vec<u64>> {
        let mut all = Vec::with_capacity(self.len() as usize);
        self.each(&mut |run| {
            match run {
                Run::Range { start, len } => all.extend(start..start + len),
                Run::At(positions) => all.extend_from_slice(positions),
                Run::Missing(n) => all.resize(all.len() + n as usize, MISSING),
            }
            Ok(())
        })?;
        Ok(all)
    }
}

/// A checked subscript of one vector or one dimension.
pub(crate) struct Selection {
    pub(super) len: u64,
    /// Greatest position + 1; 0 if there is none.
    pub(super) end: u64,
    /// Some indices are NA.
    pub(super) missing: bool,
    pub(super) what: What,
}

pub(super) enum What {
    Range(u64),
    Numbers(Numbers, Base),
    List(Vec<u64>),
    Mask { mask: Mask, total: u64, inverted: bool },
    Except(Except),
    Cells(CellRows),
}

impl Selection {
    /// Consecutive positions.
    pub(crate) fn range(start: u64, len: u64) -> Self {
        Self { len, end: if len == 0 { 0 } else { start + len }, missing: false, what: What::Range(start) }
    }

    pub(super) fn list(positions: Vec<u64>) -> Self {
        let known = positions.iter().filter(|p| **p != MISSING);
        Self {
            len: positions.len() as u64,
            end: known.max().map_or(0, |p| p + 1),
            missing: positions.contains(&MISSING),
            what: What::List(positions),
        }
    }

    /// Greatest position + 1; 0 if there is none.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// Whether some indices are NA.
    pub(crate) fn has_missing(&self) -> bool {
        self.missing
    }

    /// The first position, if the positions are consecutive.
    pub(super) fn start_of_range(&self) -> Option<u64> {
        if let What::Range(start) = self.what { Some(start) } else { None }
    }

    /// Whether it selects all of `n` elements in order.
    pub(super) fn is_all(&self, n: u64) -> bool {
        self.len == n && self.start_of_range() == Some(0)
    }
}

impl Runs for Selection {
    fn len(&self) -> u64 {
        self.len
    }

    fn each(&self, f: &mut Receiver<'_>) -> Result<()> {
        let mut out = Emitter::new(self.len, f);
        match &self.what {
            What::Range(start) => out.range(*start, self.len)?,
            What::Numbers(numbers, base) => numbers.emit(*base, &mut out)?,
            What::List(positions) => out.positions(positions)?,
            What::Mask { mask, total, inverted } => mask.emit(*total, *inverted, &mut out)?,
            What::Except(except) => except.emit(&mut out)?,
            What::Cells(rows) => rows.emit(&mut out)?,
        }
        out.finish()
    }
}

/// Ranges shorter than this go the way of single positions.
const SHORT: u64 = 32;

/// Gathers positions into pieces, and keeps their number: what another thread wrote into a subscript meanwhile changes which elements are
/// selected, never how many.
pub(super) struct Emitter<'f, 'g> {
    left: u64,
    waiting: Vec<u64>,
    f: &'f mut Receiver<'g>,
}

impl<'f, 'g> Emitter<'f, 'g> {
    pub(super) fn new(len: u64, f: &'f mut Receiver<'g>) -> Self {
        Self { left: len, waiting: Vec::with_capacity(BLOCK.min(len) as usize), f }
    }

    pub(super) fn push(&mut self, position: u64) -> Result<()> {
        self.waiting.push(position);
        if self.waiting.len() as u64 >= BLOCK { self.flush() } else { Ok(()) }
    }

    pub(super) fn range(&mut self, start: u64, len: u64) -> Result<()> {
        if len < SHORT {
            return (start..start + len).try_for_each(|p| self.push(p));
        }
        self.flush()?;
        let len = len.min(self.left);
        self.left -= len;
        if len == 0 { Ok(()) } else { (self.f)(Run::Range { start, len }) }
    }

    pub(super) fn positions(&mut self, positions: &[u64]) -> Result<()> {
        let short = (positions.len() as u64) < BLOCK / 2;
        if short && self.waiting.len() + positions.len() < BLOCK as usize {
            self.waiting.extend_from_slice(positions);
            return Ok(());
        }
        self.flush()?;
        positions.chunks(BLOCK as usize).try_for_each(|block| give(block, &mut self.left, self.f))
    }

    pub(super) fn missing(&mut self, n: u64) -> Result<()> {
        self.flush()?;
        let n = n.min(self.left);
        self.left -= n;
        if n == 0 { Ok(()) } else { (self.f)(Run::Missing(n)) }
    }

    fn flush(&mut self) -> Result<()> {
        let given = give(&self.waiting, &mut self.left, self.f);
        self.waiting.clear();
        given
    }

    /// To be called at the end.
    pub(super) fn finish(&mut self) -> Result<()> {
        self.flush()?;
        self.missing(self.left)
    }
}

fn give(positions: &[u64], left: &mut u64, f: &mut Receiver<'_>) -> Result<()> {
    let n = (*left).min(positions.len() as u64);
    let positions = &positions[..n as usize];
    *left -= n;
    let (Some(&first), Some(&last)) = (positions.first(), positions.last()) else { return Ok(()) };
    // Sorted positions and masks have long stretches of neighbours: those are copied whole.
    if n > 1
        && last.wrapping_sub(first) == n - 1
        && first != MISSING
        && positions.windows(2).all(|w| w[1] == w[0] + 1)
    {
        return f(Run::Range { start: first, len: n });
    }
    f(Run::At(positions))
}
