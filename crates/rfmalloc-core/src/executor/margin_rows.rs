//! Margins by rows: bands of rows walk along the columns. See `margin`.

use super::margin::{Grid, Scratch, Wanted};
use super::{CHUNK, Context};
use crate::kernels::C64;
use crate::kernels::apply::any;
use crate::kernels::exact::Dd;
use crate::kernels::simd::{Isa, run};
use crate::kernels::simd_lanes;
use crate::kernels::spread::{Spread, WelfordRows};
use crate::kernels::sum::{AddColumns, COLUMNS, Odd, SCALE};
use crate::region::{Elems, Span};

/// Doubles of a band: its accumulators and one column's stretch of it fit the first-level cache.
const BAND: u64 = 1024;
/// Tasks that are enough for any machine; below that, bands are cut into groups of columns as well.
const TASKS: u64 = 64;

/// The accumulators of a band over some columns.
struct Band {
    /// Sums, or means.
    first: Vec<f64>,
    /// Their errors, or the squared deviations.
    second: Vec<f64>,
    counts: Vec<f64>,
    /// Empty until an element is odd.
    odd: Vec<Odd>,
}

/// The doubles `rows` of the columns `cols` of a grid.
struct Patch {
    rows: std::ops::Range<u64>,
    cols: std::ops::Range<u64>,
}

fn band(isa: Isa, grid: &Grid, patch: &Patch, scale: f64, scratch: &mut Scratch) -> Band {
    let n = (patch.rows.end - patch.rows.start) as usize;
    let mut out = Band { first: vec![0.0; n], second: vec![0.0; n], counts: vec![0.0; n], odd: Vec::new() };
    // Odd elements are looked for one by one only where they can be: removed ones, and in a second pass after sums that are not finite.
    let watchful = grid.remove || grid.wanted == Wanted::Variance || scale != 1.0;
    add_columns(isa, grid, patch, scale, watchful, scratch, &mut out);
    if !watchful && !out.first.iter().all(|s| s.is_finite()) {
        out.first.fill(0.0);
        out.second.fill(0.0);
        add_columns(isa, grid, patch, scale, true, scratch, &mut out);
    }
    out
}

/// Adds a patch to its band, several columns at a time where they are summed as they lie there. `watchful`: odd elements are noted first.
fn add_columns(
    isa: Isa,
    grid: &Grid,
    patch: &Patch,
    scale: f64,
    watchful: bool,
    scratch: &mut Scratch,
    out: &mut Band,
) {
    let n = (patch.rows.end - patch.rows.start) as usize;
    let stride = (grid.rows * grid.parts()) as usize;
    let at = |col: u64| col * stride as u64 + patch.rows.start;
    let sums_in_place = grid.wanted != Wanted::Variance && grid.in_place();
    let mut col = patch.cols.start;
    while col < patch.cols.end {
        let count = if sums_in_place { COLUMNS.min((patch.cols.end - col) as usize) } else { 1 };
        if count > 1 {
            let x = grid.x.elems(at(col), (count - 1) * stride + n);
            let odd = |k: usize| any(isa, x.rest(k * stride).first(n), |x: f64| !x.is_finite());
            if !(watchful && (0..count).any(odd)) {
                let (sums, errors) = (&mut out.first[..], &mut out.second[..]);
                simd_lanes::run(isa, AddColumns { x, stride, count, sums, errors, scale });
                col += count as u64;
                continue;
            }
        }
        for col in col..col + count as u64 {
            let x = grid.elems(isa, at(col), n, scratch);
            add_column(isa, grid, x, scale, watchful, out);
        }
        col += count as u64;
    }
}

/// Adds one column's stretch.
fn add_column(isa: Isa, grid: &Grid, x: Elems<'_, f64>, scale: f64, watchful: bool, out: &mut Band) {
    let mut blanked = [0.0; BAND as usize];
    let x = if watchful && any(isa, x, |x: f64| !x.is_finite()) {
        let blanked = &mut blanked[..x.len()];
        note_odd(grid, x, blanked, out);
        Elems::from(blanked)
    } else {
        x
    };
    let Band { first, second, counts, .. } = out;
    if grid.wanted == Wanted::Variance {
        run(isa, WelfordRows { x, counts, means: first, squares: second });
    } else {
        let (stride, count) = (x.len(), 1);
        simd_lanes::run(isa, AddColumns { x, stride, count, sums: first, errors: second, scale });
    }
}

/// Notes what is odd, by row, and blanks it in a copy; removed elements are counted.
#[cold]
fn note_odd(grid: &Grid, block: Elems<'_, f64>, blanked: &mut [f64], out: &mut Band) {
    if out.odd.is_empty() {
        out.odd = vec![Odd::default(); block.len()];
    }
    let blank = if grid.wanted == Wanted::Variance { f64::NAN } else { 0.0 };
    block.copy_to(blanked);
    for (i, x) in blanked.iter_mut().enumerate().filter(|(_, x)| !x.is_finite()) {
        if x.is_nan() && grid.remove {
            if grid.wanted != Wanted::Variance {
                out.counts[i] -= 1.0;
            }
        } else {
            out.odd[i].note(*x);
        }
        *x = blank;
    }
}

/// One result per row into `out` (doubles; pairs for complex). False if it was cancelled.
pub(crate) fn rows(ctx: &Context<'_>, grid: &Grid, out: Span) -> bool {
    let height = grid.rows * grid.parts();
    let bands = height.div_ceil(BAND);
    // By the shape alone: every number of threads cuts alike.
    let groups = if bands >= TASKS || bands == 0 {
        1
    } else {
        TASKS.div_ceil(bands).min((grid.cols * height.min(BAND)).div_ceil(CHUNK)).max(1)
    };
    let width = grid.cols.div_ceil(groups).max(1);
    let patch = |task: usize| {
        let (band, group) = (task as u64 / groups, task as u64 % groups);
        Patch {
            rows: band * BAND..height.min((band + 1) * BAND),
            cols: (group * width).min(grid.cols)..((group + 1) * width).min(grid.cols),
        }
    };
    let units = |task: usize| {
        let patch = patch(task);
        (patch.rows.end - patch.rows.start) * (patch.cols.end - patch.cols.start) / grid.parts()
    };
    let work = |scratch: &mut Scratch, task: usize| {
        let patch = patch(task);
        let part = band(ctx.isa, grid, &patch, 1.0, scratch);
        if groups > 1 {
            return Some(part);
        }
        store_rows(ctx.isa, grid, &patch.rows, std::slice::from_ref(&part), scratch, out);
        None
    };
    let Some(parts) = ctx.tasks((bands * groups) as usize, Scratch::new, work, units) else { return false };
    if groups > 1 {
        let parts: Vec<Band> = parts.into_iter().flatten().collect();
        let mut scratch = Scratch::new();
        for (band, parts) in parts.chunks(groups as usize).enumerate() {
            let rows = patch(band * groups as usize).rows;
            store_rows(ctx.isa, grid, &rows, parts, &mut scratch, out);
        }
    }
    true
}

/// Merges a band's groups of columns in order and stores its results.
fn store_rows(
    isa: Isa,
    grid: &Grid,
    rows: &std::ops::Range<u64>,
    parts: &[Band],
    scratch: &mut Scratch,
    out: Span,
) {
    let n = (rows.end - rows.start) as usize;
    let odd_of = |part: &Band, i: usize| part.odd.get(i).copied().unwrap_or_default();
    let mut results = vec![0.0; n];
    for (i, result) in results.iter_mut().enumerate() {
        if grid.wanted == Wanted::Variance {
            let spread = parts.iter().fold(Spread::default(), |all, part| {
                let odd = odd_of(part, i);
                all.with(Spread { count: part.counts[i], mean: part.first[i], squares: part.second[i], odd })
            });
            *result = spread.variance();
            continue;
        }
        let mut total = Dd::default();
        let (mut odd, mut removed) = (Odd::default(), 0.0);
        for part in parts {
            total = total.plus(Dd::of(part.first[i]).plus(Dd::of(part.second[i])));
            odd = odd.or(odd_of(part, i));
            removed += part.counts[i];
        }
        let count = (grid.cols as f64 + removed) as u64;
        if odd.total().is_some() || total.hi.is_finite() {
            *result = grid.finish(odd, total, 1.0, count);
        } else {
            // The total left double's range: this row again, scaled.
            let at = rows.start + i as u64;
            let again = band(isa, grid, &Patch { rows: at..at + 1, cols: 0..grid.cols }, SCALE, scratch);
            let total = Dd::of(again.first[0]).plus(Dd::of(again.second[0]));
            *result = grid.finish(odd, total, SCALE, count);
        }
    }
    out.store(rows.start, &results);
}

/// The complex element type is two doubles side by side, which is what rows of complex are summed as.
const _: () = assert!(size_of::<C64>() == 2 * size_of::<f64>());
