//! Sums, means and variances of rows or columns: one pass over memory, in the order it lies there (column-major).
//!
//! An array of any rank is a matrix here: `rows` elements lie side by side, `cols` times. Columns are summed as vectors are. Rows are summed in
//! bands whose accumulators stay in the cache: a band walks along the columns and adds each one's stretch, element by element.

use super::{CHUNK, Context};
use crate::kernels::BLOCK;
use crate::kernels::apply::{Out, map1};
use crate::kernels::exact::Dd;
use crate::kernels::simd::{Isa, run};
use crate::kernels::spread::{Spread, Squares};
use crate::kernels::sum::{Odd, SCALE, Sum};
use crate::na::{NA_INT, na_real};
use crate::program::Bank;
use crate::region::{Elems, Span};

/// What is wanted of each row or column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    Sum,
    Mean,
    /// The sample variance.
    Variance,
}

/// A matrix to be summarised.
#[derive(Clone, Copy)]
pub(crate) struct Grid {
    pub(crate) x: Span,
    /// Ints, reals, or complex.
    pub(crate) bank: Bank,
    pub(crate) rows: u64,
    pub(crate) cols: u64,
    /// Leave NA and NaN out.
    pub(crate) remove: bool,
    pub(crate) wanted: Wanted,
}

/// Private blocks to load into.
pub(super) struct Scratch {
    reals: Box<[f64]>,
}

impl Scratch {
    pub(super) fn new() -> Self {
        Self { reals: vec![0.0; BLOCK].into_boxed_slice() }
    }
}

/// Where both parts of a complex element count as missing if one is.
fn spread_missing(block: &mut [f64]) {
    for z in block.chunks_exact_mut(2) {
        if z[0].is_nan() != z[1].is_nan() {
            let nan = if z[0].is_nan() { z[0] } else { z[1] };
            z.fill(nan);
        }
    }
}

impl Grid {
    /// Doubles that an element is made of.
    pub(super) fn parts(&self) -> u64 {
        if self.bank == Bank::Complex { 2 } else { 1 }
    }

    /// Whether the doubles are summed as they lie there.
    pub(super) fn in_place(&self) -> bool {
        match self.bank {
            Bank::Int => false,
            Bank::Complex => !self.remove,
            _ => true,
        }
    }

    /// `n` doubles from double number `at` on: in place where they are doubles, else converted.
    pub(super) fn elems<'s>(&self, isa: Isa, at: u64, n: usize, scratch: &'s mut Scratch) -> Elems<'s, f64> {
        if self.in_place() {
            return self.x.elems(at, n);
        }
        let out = &mut scratch.reals[..n];
        if self.bank == Bank::Int {
            let na = na_real();
            map1(
                isa,
                self.x.elems(at, n),
                Out::from(&mut *out),
                |x: i32| if x == NA_INT { na } else { f64::from(x) },
            );
        } else {
            self.x.load(at, out);
            spread_missing(out);
        }
        Elems::from(out)
    }

    /// The result of a total.
    pub(super) fn finish(&self, odd: Odd, total: Dd, scale: f64, count: u64) -> f64 {
        match (odd.total(), self.wanted) {
            (Some(odd), _) => odd,
            (None, Wanted::Mean) => total.over(count as f64).round() / scale,
            (None, _) => total.round() / scale,
        }
    }
}

// ---- columns ---------------------------------------------------------------------------------------------------------------

/// One result per column into `out` (doubles; pairs for complex). False if it was cancelled.
pub(crate) fn columns(ctx: &Context<'_>, grid: &Grid, out: Span) -> bool {
    let per_task = (CHUNK / grid.rows.max(1)).max(1);
    let tasks = grid.cols.div_ceil(per_task) as usize;
    let range = |task: usize| (task as u64 * per_task)..grid.cols.min((task as u64 + 1) * per_task);
    if grid.rows > 64 * CHUNK {
        return long_columns(ctx, grid, out);
    }
    let work = |scratch: &mut Scratch, task: usize| {
        for col in range(task) {
            column(ctx.isa, grid, col, scratch, out);
        }
    };
    ctx.tasks(tasks, Scratch::new, work, |task| (range(task).end - range(task).start) * grid.rows).is_some()
}

/// Few and long: each column is cut into pieces, which go to the threads.
fn long_columns(ctx: &Context<'_>, grid: &Grid, out: Span) -> bool {
    for col in 0..grid.cols {
        let first = col * grid.rows;
        let piece = |scratch: &mut Scratch, range: std::ops::Range<u64>| {
            let range = first + range.start..first + range.end;
            match grid.wanted {
                Wanted::Variance => Piece::Spread(spread(ctx.isa, grid, range, scratch)),
                _ => Piece::Sums([1.0, SCALE].map(|scale| {
                    let part = sums(ctx.isa, grid, range.clone(), scale, scratch);
                    part.map(|sum| (sum.total(), sum.odd, sum.count))
                })),
            }
        };
        let Some(pieces) = ctx.chunks(grid.rows, Scratch::new, piece) else { return false };
        merge_pieces(grid, col, &pieces, out);
    }
    true
}

enum Piece {
    /// Plain and scaled; for both parts of complex.
    Sums([[(Dd, Odd, u64); 2]; 2]),
    Spread(Spread),
}

fn merge_pieces(grid: &Grid, col: u64, pieces: &[Piece], out: Span) {
    let mut spread = Spread::default();
    let mut sums = [[(Dd::default(), Odd::default(), 0_u64); 2]; 2];
    for piece in pieces {
        match piece {
            Piece::Spread(part) => spread = spread.with(*part),
            Piece::Sums(part) => {
                for (all, part) in sums.iter_mut().flatten().zip(part.iter().flatten()) {
                    *all = (all.0.plus(part.0), all.1.or(part.1), all.2 + part.2);
                }
            }
        }
    }
    if grid.wanted == Wanted::Variance {
        out.store(col, &[spread.variance()]);
        return;
    }
    for (part, (plain, scaled)) in sums[0].into_iter().zip(sums[1]).take(grid.parts() as usize).enumerate() {
        let (used, scale) = if plain.0.hi.is_finite() { (plain, 1.0) } else { (scaled, SCALE) };
        out.store(col * grid.parts() + part as u64, &[grid.finish(used.1, used.0, scale, used.2)]);
    }
}

/// The sums of the elements of a range: of both parts for complex, else the first counts.
fn sums(isa: Isa, grid: &Grid, range: std::ops::Range<u64>, scale: f64, scratch: &mut Scratch) -> [Sum; 2] {
    if grid.bank == Bank::Complex {
        return complex_sums(isa, grid, range, scale, scratch);
    }
    let mut sum = Sum::new();
    let piece = if grid.in_place() { CHUNK } else { BLOCK as u64 };
    let (mut at, end) = (range.start, range.end);
    while at < end {
        let n = (end - at).min(piece) as usize;
        sum.add(isa, grid.elems(isa, at, n, scratch), grid.remove, scale);
        at += n as u64;
    }
    [sum, Sum::new()]
}

fn complex_sums(
    isa: Isa,
    grid: &Grid,
    range: std::ops::Range<u64>,
    scale: f64,
    scratch: &mut Scratch,
) -> [Sum; 2] {
    let mut sums = [Sum::new(), Sum::new()];
    let mut halves = [[0.0; BLOCK / 2]; 2];
    let (mut at, end) = (range.start * 2, range.end * 2);
    while at < end {
        let n = (end - at).min(BLOCK as u64) as usize;
        for (i, x) in grid.elems(isa, at, n, scratch).iter().enumerate() {
            halves[i % 2][i / 2] = x;
        }
        for (sum, half) in sums.iter_mut().zip(&halves) {
            sum.add(isa, &half[..n / 2], grid.remove, scale);
        }
        at += n as u64;
    }
    sums
}

fn column(isa: Isa, grid: &Grid, col: u64, scratch: &mut Scratch, out: Span) {
    let range = col * grid.rows..(col + 1) * grid.rows;
    if grid.wanted == Wanted::Variance {
        out.store(col, &[spread(isa, grid, range, scratch).variance()]);
        return;
    }
    let plain = sums(isa, grid, range.clone(), 1.0, scratch);
    let parts = grid.parts() as usize;
    let mut totals = plain.map(|sum| sum.total());
    let (mut used, mut scale) = (plain, 1.0);
    if totals[..parts].iter().any(|total| !total.hi.is_finite()) {
        (used, scale) = (sums(isa, grid, range, SCALE, scratch), SCALE);
        totals = used.map(|sum| sum.total());
    }
    for (part, (sum, total)) in used.iter().zip(totals).take(parts).enumerate() {
        let result = grid.finish(sum.odd, total, scale, sum.count);
        out.store((col as usize * parts + part) as u64, &[result]);
    }
}

// ---- variances -------------------------------------------------------------------------------------------------------------

/// The spread of the elements of a range of reals or ints; a block's mean is exact, and its squares are taken from it while it is in the cache.
fn spread(isa: Isa, grid: &Grid, range: std::ops::Range<u64>, scratch: &mut Scratch) -> Spread {
    let mut all = Spread::default();
    let mut kept = vec![0.0; BLOCK];
    let mut at = range.start;
    while at < range.end {
        let n = (range.end - at).min(BLOCK as u64) as usize;
        let block = grid.elems(isa, at, n, scratch);
        let mut odd = Odd::default();
        let mut count = 0;
        for x in block.iter() {
            kept[count] = x;
            if x.is_finite() {
                count += 1;
            } else if !(x.is_nan() && grid.remove) {
                odd.note(x);
            }
        }
        let kept = &mut kept[..count];
        let mut sum = Sum::new();
        sum.add(isa, &*kept, false, 1.0);
        let mean = sum.total().over((count as f64).max(1.0)).round();
        let squares = run(isa, Squares { x: kept, mean });
        all = all.with(Spread { count: count as f64, mean, squares, odd });
        at += n as u64;
    }
    all
}
