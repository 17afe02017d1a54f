//! An operand of a product in memory: where its elements stand, what a tile reads of it, and elements of a smaller type as those that are multiplied.
//!
//! Out of core an operand is copied tile by tile into private memory, and converted on the way where it is integer, or real in a complex product:
//! so what is in memory at once does not depend on its type. What looks at single elements converts them one by one.

use super::Context;
use super::ahead::release;
use crate::kernels::C64;
use crate::na::{NA_INT, na_real};
use crate::program::Bank;
use crate::region::{Plain, Span, Strided};
use std::ops::Range;

/// A page that is used brings its neighbours into the resident set: as many as the system's cache holds in one piece. So many bytes on both sides
/// of a stretch are let go with it.
pub(super) const AROUND: u64 = 2 << 20;
/// Bytes that a task copies of a mapped operand before it lets them go: of one stretch, and of several with gaps between.
const COPIED: (usize, usize) = (4 << 20, 256 << 10);

/// Elements that are converted at a time.
const CONVERTED: usize = 4096;

/// What is multiplied: made of what operands hold.
pub(super) trait Term: Plain {
    const BANK: Bank;
    fn of_int(x: i32) -> Self;
    fn of_real(x: f64) -> Self;
}

impl Term for f64 {
    const BANK: Bank = Bank::Real;
    fn of_int(x: i32) -> Self {
        if x == NA_INT { na_real() } else { Self::from(x) }
    }
    fn of_real(x: f64) -> Self {
        x
    }
}

impl Term for C64 {
    const BANK: Bank = Bank::Complex;
    fn of_int(x: i32) -> Self {
        [f64::of_int(x), 0.0]
    }
    fn of_real(x: f64) -> Self {
        [x, 0.0]
    }
}

/// Where an operand's element `(i, j)` stands: at `i * down + j * right`.
#[derive(Clone, Copy)]
pub(crate) struct Side {
    pub(crate) x: Span,
    /// What the memory holds: ints, reals, or complex numbers.
    pub(crate) bank: Bank,
    pub(crate) len: usize,
    pub(crate) down: usize,
    pub(crate) right: usize,
    /// The row and column of the operand that its memory begins with: of a copy of a part.
    pub(crate) first: [usize; 2],
    /// Its pages may leave the resident set as soon as a tile is done: it is a file's mapping.
    pub(crate) release: bool,
}

impl Side {
    /// Bytes of an element in memory.
    fn width(&self) -> usize {
        match self.bank {
            Bank::Int => 4,
            Bank::Real => 8,
            Bank::Complex => 16,
            Bank::Raw => unreachable!("raw is not multiplied"),
        }
    }

    /// The elements from `(i, j)` on, of memory that holds what is multiplied.
    pub(super) fn from<T: Term>(&self, i: usize, j: usize) -> Strided<'_, T> {
        debug_assert_eq!(self.bank, T::BANK);
        let all = Strided { x: self.x.elems(0, self.len), down: self.down, right: self.right };
        all.from(i - self.first[0], j - self.first[1])
    }

    /// Element `(i, j)`.
    pub(super) fn at<T: Term>(&self, i: usize, j: usize) -> T {
        self.get((i - self.first[0]) * self.down + (j - self.first[1]) * self.right)
    }

    /// The element at place `idx` of the memory.
    pub(super) fn get<T: Term>(&self, idx: usize) -> T {
        match self.bank {
            bank if bank == T::BANK => self.x.elems::<T>(0, self.len).get(idx),
            Bank::Int => T::of_int(self.x.elems(0, self.len).get(idx)),
            _ => T::of_real(self.x.elems(0, self.len).get(idx)),
        }
    }

    /// The memory of elements `(rows, cols)`: where the first of their lines begins, how long each is, how far apart, and how many.
    fn lines(&self, rows: &Range<usize>, cols: &Range<usize>) -> Lines {
        let (along, step, across) =
            if self.down == 1 { (rows, self.right, cols) } else { (cols, self.down, rows) };
        let first = across.start * step + along.start;
        Lines { first, len: along.len(), step, count: across.len(), width: self.width() }
    }

    /// The stretches of memory in which elements `(rows, cols)` stand.
    pub(super) fn stretches(&self, rows: &Range<usize>, cols: &Range<usize>) -> Vec<Span> {
        let lines = self.lines(rows, cols);
        if lines.is_whole() {
            return vec![lines.span(self.x, 0..lines.count)];
        }
        (0..lines.count).map(|line| lines.span(self.x, line..line + 1)).collect()
    }

    /// A copy of elements `(rows, cols)` in `home`, as what is multiplied; a mapping's own pages are let go line by line. None if it was cancelled.
    pub(super) fn copied<T: Term>(
        &self,
        ctx: &Context<'_>,
        rows: &Range<usize>,
        cols: &Range<usize>,
        home: &mut Vec<T>,
    ) -> Option<Self> {
        let lines = self.lines(rows, cols);
        home.resize(lines.len * lines.count, T::default());
        let to = Span::foreign(home.as_mut_ptr().cast(), size_of_val(&home[..]) as u64, true);
        let nbytes = if lines.is_whole() { COPIED.0 } else { COPIED.1 };
        let per_task = (nbytes / (lines.len * lines.width).max(1)).max(1);
        let work = |block: &mut Vec<T>, task: usize| {
            let range = task * per_task..lines.count.min((task + 1) * per_task);
            for line in range.clone() {
                let width = (lines.len * size_of::<T>()) as u64;
                let to = to.part(line as u64 * width, width);
                self.line(lines.span(self.x, line..line + 1), lines.len, to, block);
            }
            if self.release {
                release(lines.span(self.x, range), if lines.is_whole() { 0 } else { AROUND }, self.x);
            }
        };
        ctx.tasks(lines.count.div_ceil(per_task), Vec::new, work, |_| 0)?;
        let (down, right) = if self.down == 1 { (1, lines.len) } else { (lines.len, 1) };
        let first = [rows.start, cols.start];
        Some(Self { x: to, bank: T::BANK, len: home.len(), down, right, first, release: false })
    }

    /// One line of `len` elements as what is multiplied.
    fn line<T: Term>(&self, from: Span, len: usize, to: Span, block: &mut Vec<T>) {
        if self.bank == T::BANK {
            to.copy_from(from);
            return;
        }
        for at in (0..len).step_by(CONVERTED) {
            let n = CONVERTED.min(len - at);
            block.resize(n, T::default());
            if self.bank == Bank::Int {
                from.elems(at as u64, n).map(block, T::of_int);
            } else {
                from.elems(at as u64, n).map(block, T::of_real);
            }
            to.store(at as u64, block);
        }
    }
}

/// Lines of elements in memory, in elements of so many bytes.
struct Lines {
    first: usize,
    len: usize,
    step: usize,
    count: usize,
    width: usize,
}

impl Lines {
    /// Whether nothing stands between them.
    fn is_whole(&self) -> bool {
        self.len == self.step
    }

    /// From the first of some lines to the last.
    fn span(&self, x: Span, lines: Range<usize>) -> Span {
        let len = lines.len().saturating_sub(1) * self.step + self.len;
        let off = (self.first + lines.start * self.step) * self.width;
        x.part(off as u64, (len * self.width) as u64)
    }
}
