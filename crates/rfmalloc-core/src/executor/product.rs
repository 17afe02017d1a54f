//! Matrix products, in blocks of cells and slabs of the inner extent (`product_plan`) of operands in memory (`product_side`), in core or tile by tile.
//!
//! Numbers go through a matrix kernel. An element that is no finite number leaves no cell it reaches finite, so only a result with such a
//! cell has its operands looked at: what is NaN becomes NA in the rows and columns that hold an NA, and cells that overflowed on the way are summed
//! once more, exactly. Such cells of complex numbers are summed term by term.

use super::Context;
use super::ahead::{Ahead, release, with_ahead};
use super::product_plan::{Plan, Tile};
pub(crate) use super::product_side::Side;
use super::product_side::{AROUND, Term};
use crate::kernels::C64;
use crate::kernels::exact::{Dd, two_prod};
use crate::kernels::missing::{is_na_complex, nan_of, repair_complex};
use crate::kernels::simd_product::{Factor, multiply};
use crate::na::is_na;
use crate::platform::blas::Blas;
use crate::region::{Cells, Span, Strided};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

/// Terms of a cell that are summed one by one in a task: some milliseconds of work.
const TERMS: usize = 1 << 18;
/// Elements of a side that one task looks at for what is not finite.
const LOOK: (usize, usize) = (256, 4096);

/// Extents of a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extents {
    pub(crate) rows: usize,
    pub(crate) inner: usize,
    pub(crate) cols: usize,
}

/// How a product is run apart from the context.
pub(crate) struct Run<'r> {
    /// Both sides are one matrix, and the result is symmetric.
    pub(crate) symmetric: bool,
    /// Bytes for what is in memory at once of operands that are released. None: in core.
    pub(crate) memory: Option<u64>,
    /// The result is a file's mapping, whose pages may leave the resident set when a tile is done.
    pub(crate) release: bool,
    /// The user's own kernel for doubles.
    pub(crate) blas: Option<&'r Blas>,
}

/// Blocks times slabs of a product.
pub(crate) fn tiles(e: Extents, symmetric: bool) -> u64 {
    let plan = Plan::new(e, symmetric);
    plan.blocks(0..e.rows, 0..e.cols).len() as u64 * plan.slabs(0..e.inner).len() as u64
}

/// The product of reals. False if it was cancelled.
pub(crate) fn real(ctx: &Context<'_>, a: Side, b: Side, e: Extents, out: Span, run: &Run<'_>) -> bool {
    let product = Multiplication { ctx, a, b, plan: Plan::new(e, run.symmetric), out, run };
    let done = product.run::<f64>().and_then(|finite| if finite { Some(()) } else { product.repair() });
    done.is_some()
}

/// The product of complex numbers. False if it was cancelled.
pub(crate) fn complex(ctx: &Context<'_>, a: Side, b: Side, e: Extents, out: Span, run: &Run<'_>) -> bool {
    let product = Multiplication { ctx, a, b, plan: Plan::new(e, run.symmetric), out, run };
    let done = product.run::<C64>().and_then(|finite| if finite { Some(()) } else { product.by_terms() });
    done.is_some()
}

/// An element of a product.
trait Cell: Factor + Term {
    /// A sum that begins with zero is never minus zero.
    fn settled(self) -> Self;
    fn plus(self, other: Self) -> Self;
    fn is_finite(self) -> bool;
    /// By the user's kernel, if it takes such elements and this block. False if not.
    fn by_blas(
        _: &Blas,
        _: Cells,
        _: Strided<'_, Self>,
        _: Strided<'_, Self>,
        _: [usize; 3],
        _: bool,
    ) -> bool {
        false
    }
}

impl Cell for f64 {
    fn settled(self) -> Self {
        self + 0.0
    }
    fn plus(self, other: Self) -> Self {
        self + other
    }
    fn is_finite(self) -> bool {
        self.is_finite()
    }
    fn by_blas(
        blas: &Blas,
        out: Cells,
        a: Strided<'_, f64>,
        b: Strided<'_, f64>,
        n: [usize; 3],
        add: bool,
    ) -> bool {
        blas.multiply(out, a, b, n, add)
    }
}

impl Cell for C64 {
    fn settled(self) -> Self {
        self.map(|part| part + 0.0)
    }
    fn plus(self, other: Self) -> Self {
        [self[0] + other[0], self[1] + other[1]]
    }
    fn is_finite(self) -> bool {
        self[0].is_finite() && self[1].is_finite()
    }
}

struct Multiplication<'m> {
    ctx: &'m Context<'m>,
    a: Side,
    b: Side,
    plan: Plan,
    out: Span,
    run: &'m Run<'m>,
}

impl Multiplication<'_> {
    /// All tiles, and the blocks settled: whether every cell is finite. None if it was cancelled.
    fn run<T: Cell>(&self) -> Option<bool> {
        let Extents { rows, cols, .. } = self.plan.extents;
        if rows == 0 || cols == 0 {
            return Some(true);
        }
        let tiles = self.plan.tiles(self.run.memory, size_of::<T>());
        if self.run.memory.is_none() {
            for tile in &tiles {
                self.tile::<T>(tile)?;
            }
            return self.settle::<T>();
        }
        with_ahead(|ahead| {
            let ask = |tile: Option<&Tile>, ahead: &Ahead<'_>| {
                if let Some(tile) = tile {
                    ahead.ask(self.stretches(tile));
                }
            };
            let (mut a_home, mut b_home) = (Vec::new(), Vec::new());
            ask(tiles.first(), ahead);
            for (i, tile) in tiles.iter().enumerate() {
                ask(tiles.get(i + 1), ahead);
                self.with_copies::<T>(tile, &mut a_home, &mut b_home)?.tile::<T>(tile)?;
                for [rows, cols] in self.plan.blocks(tile.rows.clone(), tile.cols.clone()) {
                    self.release_cells::<T>(&rows, &cols);
                }
            }
            Some(())
        })?;
        self.settle::<T>()
    }

    /// The same with what a tile needs of mapped operands in private memory. None if it was cancelled.
    fn with_copies<T: Cell>(&self, tile: &Tile, a: &mut Vec<T>, b: &mut Vec<T>) -> Option<Self> {
        let Tile { rows, inner, cols } = tile;
        let copied = |side: &Side, rows, cols, home| {
            if side.release || side.bank != T::BANK {
                side.copied(self.ctx, rows, cols, home)
            } else {
                Some(*side)
            }
        };
        let left = copied(&self.a, rows, inner, a)?;
        let right = if self.plan.symmetric && rows == cols {
            // The same elements, read the other way.
            Side { down: left.right, right: left.down, first: [left.first[1], left.first[0]], ..left }
        } else {
            copied(&self.b, inner, cols, b)?
        };
        Some(Self { a: left, b: right, ..*self })
    }

    /// The memory of both operands that a tile reads, where it is a file's.
    fn stretches(&self, tile: &Tile) -> Vec<Span> {
        let mut all = Vec::new();
        if self.a.release {
            all = self.a.stretches(&tile.rows, &tile.inner);
        }
        if self.b.release && !(self.plan.symmetric && tile.rows == tile.cols) {
            all.extend(self.b.stretches(&tile.inner, &tile.cols));
        }
        all
    }

    /// Lets the pages of cells leave the resident set, where they are a file's and more than an eighth of the memory that is to be kept to.
    fn release_cells<T: Term>(&self, rows: &Range<usize>, cols: &Range<usize>) {
        let Extents { rows: down, cols: right, .. } = self.plan.extents;
        if self.run.release && self.run.memory.is_some_and(|memory| self.out.nbytes() > memory / 8) {
            let cells = Side {
                x: self.out,
                bank: T::BANK,
                len: down * right,
                down: 1,
                right: down,
                first: [0; 2],
                release: true,
            };
            for stretch in cells.stretches(rows, cols) {
                release(stretch, AROUND, self.out);
            }
        }
    }

    fn tile<T: Cell>(&self, tile: &Tile) -> Option<()> {
        let blas = match self.run.blas {
            Some(blas) if self.finite::<T>(tile)? => Some(blas),
            _ => None,
        };
        if self.plan.apart { self.slabs_apart::<T>(tile, blas) } else { self.blocks::<T>(tile, blas) }
    }

    /// One block times one slab.
    fn multiply<T: Cell>(
        &self,
        out: Cells,
        [rows, cols]: &[Range<usize>; 2],
        slab: &Range<usize>,
        add: bool,
        blas: Option<&Blas>,
    ) {
        let a = self.a.from::<T>(rows.start, slab.start);
        let b = self.b.from::<T>(slab.start, cols.start);
        let n = [rows.len(), slab.len(), cols.len()];
        if !blas.is_some_and(|blas| T::by_blas(blas, out, a, b, n, add)) {
            multiply(out, a, b, n, add);
        }
        self.ctx.watch.done(1);
    }

    /// Blocks go to threads, and each adds its slabs in place.
    fn blocks<T: Cell>(&self, tile: &Tile, blas: Option<&Blas>) -> Option<()> {
        let blocks = self.plan.blocks(tile.rows.clone(), tile.cols.clone());
        let slabs = self.plan.slabs(tile.inner.clone());
        let stride = self.plan.extents.rows;
        let stopped = AtomicBool::new(false);
        let work = |(): &mut (), task: usize| {
            let block = &blocks[task];
            let out = Cells { x: self.out, first: block[0].start + block[1].start * stride, stride };
            for slab in &slabs {
                if self.ctx.watch.is_cancelled() {
                    stopped.store(true, Ordering::Relaxed);
                    return;
                }
                self.multiply::<T>(out, block, slab, slab.start > 0, blas);
            }
        };
        self.threads(blas).tasks(blocks.len(), || (), work, |_| 0)?;
        (!stopped.load(Ordering::Relaxed)).then_some(())
    }

    /// Slabs go to threads, each into cells of its own, which are then added in the slabs' order.
    fn slabs_apart<T: Cell>(&self, tile: &Tile, blas: Option<&Blas>) -> Option<()> {
        let blocks = self.plan.blocks(tile.rows.clone(), tile.cols.clone());
        let slabs = self.plan.slabs(tile.inner.clone());
        let ctx = self.threads(blas);
        for group in slabs.chunks(self.plan.group(self.run.memory)) {
            let apart = |(): &mut (), task: usize| {
                let (slab, block) = (&group[task / blocks.len()], &blocks[task % blocks.len()]);
                let mut cells = vec![T::default(); block[0].len() * block[1].len()];
                let x = Span::foreign(cells.as_mut_ptr().cast(), size_of_val(&cells[..]) as u64, true);
                self.multiply::<T>(Cells { x, first: 0, stride: block[0].len() }, block, slab, false, blas);
                cells
            };
            let parts = ctx.tasks(group.len() * blocks.len(), || (), apart, |_| 0)?;
            let add = |column: &mut Vec<T>, task: usize| {
                let [rows, cols] = &blocks[task];
                for (j, col) in cols.clone().enumerate() {
                    let first = (rows.start + col * self.plan.extents.rows) as u64;
                    column.resize(rows.len(), T::default());
                    if group[0].start > 0 {
                        self.out.load(first, column);
                    } else {
                        column.fill(T::default());
                    }
                    for part in parts.iter().skip(task).step_by(blocks.len()) {
                        for (cell, x) in column.iter_mut().zip(&part[j * rows.len()..]) {
                            *cell = cell.plus(*x);
                        }
                    }
                    self.out.store(first, column);
                }
            };
            self.ctx.tasks(blocks.len(), Vec::new, add, |_| 0)?;
        }
        Some(())
    }

    /// The user's kernel has threads of its own.
    fn threads(&self, blas: Option<&Blas>) -> Context<'_> {
        Context { threads: if blas.is_some() { 1 } else { self.ctx.threads }, ..*self.ctx }
    }

    /// Minus zeros become zeros, and a symmetric product gets its other half. Whether every cell is finite.
    fn settle<T: Cell>(&self) -> Option<bool> {
        let Extents { rows, inner, cols } = self.plan.extents;
        let blocks = self.plan.blocks(0..rows, 0..cols);
        let work = |(cells, line): &mut (Vec<T>, Vec<T>), task: usize| {
            let [r, c] = &blocks[task];
            cells.resize(r.len() * c.len(), T::default());
            for (j, column) in cells.chunks_exact_mut(r.len()).enumerate() {
                let first = (r.start + (c.start + j) * rows) as u64;
                if inner > 0 {
                    self.out.load(first, column);
                    for cell in &mut *column {
                        *cell = cell.settled();
                    }
                } else {
                    column.fill(T::default());
                }
                self.out.store(first, column);
            }
            if self.plan.symmetric {
                for (i, row) in r.clone().enumerate() {
                    // The diagonal's own block is computed whole: its upper half counts.
                    let from = if r == c { i } else { 0 };
                    line.clear();
                    line.extend(cells[i..].iter().step_by(r.len()).skip(from));
                    self.out.store((c.start + from + row * rows) as u64, line);
                }
            }
            self.release_cells::<T>(r, c);
            if self.plan.symmetric {
                self.release_cells::<T>(c, r);
            }
            cells.iter().all(|cell| cell.is_finite())
        };
        Some(!self.ctx.tasks(blocks.len(), Default::default, work, |_| 0)?.contains(&false))
    }

    /// Whether a tile's elements are all finite, for a kernel of which nothing else is known.
    fn finite<T: Cell>(&self, tile: &Tile) -> Option<bool> {
        let sides = [(self.a, [&tile.rows, &tile.inner]), (self.b, [&tile.inner, &tile.cols])];
        for (side, [down, right]) in sides {
            let work = |(): &mut (), task: usize| {
                let (i, j) = if side.down == 1 {
                    (down.start, right.start + task)
                } else {
                    (down.start + task, right.start)
                };
                let n = if side.down == 1 { down.len() } else { right.len() };
                side.from::<T>(i, j).x.first(n).iter().all(T::is_finite)
            };
            let lines = if side.down == 1 { right.len() } else { down.len() };
            if self.ctx.tasks(lines, || (), work, |_| 0)?.contains(&false) {
                return Some(false);
            }
        }
        Some(true)
    }

    /// What is not finite in each row of the left or column of the right operand.
    fn odd(&self, side: Side, lines: usize, step: usize, along: usize) -> Option<Vec<Odd>> {
        let inner = self.plan.extents.inner;
        let (across, deep) = (lines.div_ceil(LOOK.0), inner.div_ceil(LOOK.1));
        let range = |task: usize| {
            let (l, p) = (task % across * LOOK.0, task / across * LOOK.1);
            (l..lines.min(l + LOOK.0), p..inner.min(p + LOOK.1))
        };
        let work = |(): &mut (), task: usize| {
            let (l, p) = range(task);
            let mut found = vec![Odd::default(); l.len()];
            let mut look = |i: usize, p: usize| {
                let x: f64 = side.get((l.start + i) * step + p * along);
                found[i].any |= !x.is_finite();
                found[i].na |= is_na(x);
            };
            if step == 1 {
                p.clone().for_each(|p| (0..l.len()).for_each(|i| look(i, p)));
            } else {
                (0..l.len()).for_each(|i| p.clone().for_each(|p| look(i, p)));
            }
            if side.release {
                let (rows, cols) = if side.down == step { (&l, &p) } else { (&p, &l) };
                for stretch in side.stretches(rows, cols) {
                    release(stretch, AROUND, side.x);
                }
            }
            found
        };
        let mut all = vec![Odd::default(); lines];
        for (task, found) in self.ctx.tasks(across * deep, || (), work, |_| 0)?.into_iter().enumerate() {
            for (line, found) in all[range(task).0].iter_mut().zip(found) {
                line.any |= found.any;
                line.na |= found.na;
            }
        }
        Some(all)
    }

    /// Puts right the cells that are not finite.
    fn repair(&self) -> Option<()> {
        let Extents { rows, inner, cols } = self.plan.extents;
        let left = self.odd(self.a, rows, self.a.down, self.a.right)?;
        let right = self.odd(self.b, cols, self.b.right, self.b.down)?;
        if !left.iter().chain(&right).any(|line| line.any) {
            return Some(());
        }
        let work = |column: &mut Vec<f64>, j: usize| {
            column.resize(rows, 0.0);
            self.out.load((j * rows) as u64, column);
            for (i, cell) in column.iter_mut().enumerate().filter(|(_, cell)| !cell.is_finite()) {
                *cell = match (left[i], right[j]) {
                    (l, r) if l.any || r.any => {
                        if cell.is_nan() {
                            nan_of(l.na || r.na)
                        } else {
                            *cell
                        }
                    }
                    _ => exact(&self.a, &self.b, i, j, inner).unwrap_or(*cell),
                };
            }
            self.out.store((j * rows) as u64, column);
        };
        self.ctx.tasks(cols, Vec::new, work, |_| 0).map(|_| ())
    }

    /// The cells that are not finite, term by term: those in a row or column of what is not finite, and those that overflowed on the way. All others
    /// stay.
    fn by_terms(&self) -> Option<()> {
        let Extents { rows, inner, cols } = self.plan.extents;
        let per_task = (TERMS / inner.max(1)).clamp(1, rows * cols);
        let range = |task: usize| task * per_task..(rows * cols).min((task + 1) * per_task);
        let work = |cells: &mut Vec<C64>, task: usize| {
            cells.resize(range(task).len(), C64::default());
            self.out.load(range(task).start as u64, cells);
            for (cell, at) in cells.iter_mut().zip(range(task)).filter(|(cell, _)| !Cell::is_finite(**cell)) {
                *cell = complex_cell(&self.a, &self.b, at % rows, at / rows, inner);
            }
            self.out.store(range(task).start as u64, cells);
        };
        self.ctx.tasks((rows * cols).div_ceil(per_task), Vec::new, work, |_| 0).map(|_| ())
    }
}

/// What a row or column holds that is not finite.
#[derive(Clone, Copy, Default)]
struct Odd {
    any: bool,
    na: bool,
}

/// A cell of finite operands that overflowed on its way, if it is in range after all.
fn exact(a: &Side, b: &Side, i: usize, j: usize, inner: usize) -> Option<f64> {
    let mut sum = Dd::default();
    for p in 0..inner {
        let (hi, lo) = two_prod(a.at(i, p), b.at(p, j));
        sum = sum.plus(Dd { hi, lo });
    }
    Some(sum.round()).filter(|sum| sum.is_finite())
}

fn complex_cell(a: &Side, b: &Side, i: usize, j: usize, inner: usize) -> C64 {
    let (mut re, mut im, mut na) = (Sum::default(), Sum::default(), false);
    for p in 0..inner {
        let (x, y): (C64, C64) = (a.at(i, p), b.at(p, j));
        na |= is_na_complex(x) || is_na_complex(y);
        re.add(x[0], y[0]);
        re.add(-x[1], y[1]);
        im.add(x[0], y[1]);
        im.add(x[1], y[0]);
    }
    repair_complex([re.total(), im.total()], na)
}

/// A sum of products, plain and exact: the exact one is lost where a product is not finite.
#[derive(Default)]
struct Sum {
    plain: f64,
    exact: Dd,
}

impl Sum {
    fn add(&mut self, x: f64, y: f64) {
        self.plain += x * y;
        let (hi, lo) = two_prod(x, y);
        self.exact = self.exact.plus(Dd { hi, lo });
    }

    fn total(&self) -> f64 {
        if self.exact.round().is_finite() { self.exact.round() } else { self.plain }
    }
}
