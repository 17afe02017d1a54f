//! How a product is cut: into blocks of cells and slabs of the inner extent, by its shape alone, and into tiles by the memory it may use.
//!
//! A cell is the sum of its slabs' products, added in the order of the slabs. Blocks and slabs depend on nothing but the extents, so a result
//! has the same bits for any number of threads and any tiles: a tile is a whole number of both, and only says what is in memory at once.

use super::product::Extents;
use std::ops::Range;

/// Rows and columns of a block of cells, at most. A block times a slab is some milliseconds of work: between two looks at the watch.
const HEIGHT: usize = 1024;
const WIDTH: usize = 256;
/// Elements of both operands in a slab, about, and its depth at least and at most.
const SLAB: usize = 1 << 21;
const DEPTH: (usize, usize) = (1024, 65_536);
/// With fewer blocks than this, slabs are multiplied apart and added in order.
const FEW_BLOCKS: usize = 32;
/// Cells of a product whose slabs are multiplied apart, at most.
const FEW_CELLS: usize = 1 << 20;

/// Blocks and slabs of a product.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) extents: Extents,
    height: usize,
    width: usize,
    depth: usize,
    /// The product of a matrix with itself: symmetric, of which the blocks on and above the diagonal are computed.
    pub(super) symmetric: bool,
    /// Slabs go to threads, not blocks.
    pub(super) apart: bool,
}

/// The size of parts that are alike, at most `limit` and a multiple of 8 where there are several.
fn even(n: usize, limit: usize) -> usize {
    let parts = n.div_ceil(limit).max(1);
    if parts == 1 { n.max(1) } else { n.div_ceil(parts).next_multiple_of(8) }
}

/// `0..n` in parts of `size`.
fn parts(range: Range<usize>, size: usize) -> impl Iterator<Item = Range<usize>> {
    let end = range.end;
    range.step_by(size.max(1)).map(move |from| from..end.min(from + size))
}

impl Plan {
    pub(super) fn new(extents: Extents, symmetric: bool) -> Self {
        let Extents { rows, inner, cols } = extents;
        let width = even(cols, WIDTH);
        // A narrow block is made taller, as long as its cells stay in a cache.
        let height = if symmetric { width } else { even(rows, (HEIGHT * WIDTH / width).min(16 * HEIGHT)) };
        let depth = (SLAB / (rows + cols).max(1)).clamp(DEPTH.0, DEPTH.1);
        let mut plan = Self { extents, height, width, depth, symmetric, apart: false };
        let blocks = plan.blocks(0..rows, 0..cols).len();
        plan.apart = blocks < FEW_BLOCKS && inner > depth && rows.saturating_mul(cols) <= FEW_CELLS;
        plan
    }

    /// The blocks of a tile of cells; those on and above the diagonal of a symmetric product.
    pub(super) fn blocks(&self, rows: Range<usize>, cols: Range<usize>) -> Vec<[Range<usize>; 2]> {
        let pairs = parts(cols, self.width)
            .flat_map(|c| parts(rows.clone(), self.height).map(move |r| [r, c.clone()]));
        pairs.filter(|[r, c]| !self.symmetric || r.start <= c.start).collect()
    }

    /// The slabs of a tile.
    pub(super) fn slabs(&self, inner: Range<usize>) -> Vec<Range<usize>> {
        parts(inner, self.depth).collect()
    }

    /// Slabs multiplied apart at once: so many that their cells fit into 16 MiB or the memory's eighth.
    pub(super) fn group(&self, memory: Option<u64>) -> usize {
        let cells = self.extents.rows * self.extents.cols;
        let room = memory.map_or(16 << 20, |memory| (memory / 8).min(16 << 20)) as usize;
        (room / (8 * cells.max(1))).clamp(1, 256)
    }

    /// Tiles in the order of the slabs, whose elements of both operands take half of `memory` bytes: the other half is for the next tile, which
    /// is read meanwhile. A tile is a block times a slab at least.
    pub(super) fn tiles(&self, memory: Option<u64>, width_of_element: usize) -> Vec<Tile> {
        let Extents { rows, inner, cols } = self.extents;
        let Some(memory) = memory else {
            return vec![Tile { rows: 0..rows, inner: 0..inner, cols: 0..cols }];
        };
        let half = memory as usize / 2 / width_of_element;
        let across = if self.symmetric { rows } else { rows + cols };
        let slabs = half / across.saturating_mul(self.depth).max(1);
        let (mut tall, mut wide) = (rows.max(1), cols.max(1));
        if slabs == 0 && !self.apart {
            // Not one slab of both: the narrower operand whole if it leaves the other a half.
            let lines = half / self.depth;
            if cols <= lines / 2 {
                tall = lines - cols;
            } else if rows <= lines / 2 {
                wide = lines - rows;
            } else {
                (tall, wide) = (lines / 2, lines / 2);
            }
            tall = (tall / self.height * self.height).max(self.height);
            wide = (wide / self.width * self.width).max(self.width);
        }
        let mut tiles = Vec::new();
        for inner in parts(0..inner, slabs.max(1) * self.depth) {
            for cols in parts(0..cols, wide) {
                let all =
                    parts(0..rows, tall).map(|rows| Tile { rows, inner: inner.clone(), cols: cols.clone() });
                tiles.extend(all.filter(|tile| !self.symmetric || tile.rows.start < tile.cols.end));
            }
        }
        tiles
    }
}

/// What is multiplied before anything else is read: cells, and the stretch of the inner extent that is added to them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tile {
    pub(super) rows: Range<usize>,
    pub(super) inner: Range<usize>,
    pub(super) cols: Range<usize>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_cover_every_cell_and_slab_once_and_keep_to_the_memory() {
        for (rows, inner, cols) in
            [(64, 1 << 20, 64), (800, 100_000, 800), (1 << 20, 3000, 1), (5000, 5000, 5000)]
        {
            for symmetric in [false, true] {
                let plan = Plan::new(Extents { rows, inner, cols }, symmetric && rows == cols);
                for memory in [1_u64 << 20, 1 << 26, 1 << 30] {
                    let tiles = plan.tiles(Some(memory), 8);
                    let of = |t: &Tile| -> u128 {
                        let blocks = plan.blocks(t.rows.clone(), t.cols.clone());
                        let cells: usize = blocks.iter().map(|[r, c]| r.len() * c.len()).sum();
                        cells as u128 * t.inner.len() as u128
                    };
                    let work: u128 = tiles.iter().map(of).sum();
                    let cells: u128 =
                        plan.blocks(0..rows, 0..cols).iter().map(|[r, c]| (r.len() * c.len()) as u128).sum();
                    assert_eq!(work, cells * inner as u128, "{plan:?} in {memory} bytes");
                    let least = if plan.apart { rows + cols } else { plan.height + plan.width } * plan.depth;
                    let most = (memory as usize / 16).max(2 * least);
                    for t in &tiles {
                        let across =
                            t.rows.len() + if plan.symmetric && t.rows == t.cols { 0 } else { t.cols.len() };
                        assert!(across * t.inner.len() <= most, "{t:?} of {plan:?} in {memory} bytes");
                    }
                }
            }
        }
    }
}
