//! Elements that do not lie side by side: the transpose of a column-major matrix, and one row of it.
//!
//! Holds: two methods of [`Vector`]. Tiles of fixed-width elements are read column by column into private memory, turned there, and written
//! row by row, so both sides see whole runs of elements whatever the shape; nothing but one tile is held beside the payloads. Strings go
//! by position.

use super::Vector;
use crate::dtype::Dtype;
use crate::error::{Code, Error, Result};

/// Extent of a tile, elements: two tiles of the widest elements fit into a level-2 cache, and a run of doubles is several cache lines.
const TILE: u64 = if cfg!(miri) { 4 } else { 64 };

/// Strings that are read, and written, at a time.
const TEXTS: usize = 1024;

impl Vector {
    /// Writes the transpose of `src`'s elements from `src_start` on, which are `nrow` by `ncol`, to this vector's start.
    ///
    /// # Errors
    /// `TYPE` (of another element type), `ARGUMENT` (onto itself), and as [`Vector::fill`].
    pub fn transpose_from(&self, src: &Self, src_start: u64, nrow: u64, ncol: u64) -> Result<()> {
        let n = nrow.saturating_mul(ncol);
        self.check_strided(src)?;
        self.check(0, n)?;
        src.check(src_start, n)?;
        if self.dtype() == Dtype::Character {
            return self.copy_texts(src, (0..n).map(|k| src_start + k / ncol + k % ncol * nrow));
        }
        self.check_writable()?;
        let (to, from) = (self.guard_writing()?, src.guard()?);
        let w = self.dtype().width();
        let dst = to.span().part(0, n * w);
        let source = from.span().part(src_start * w, n * w);
        let (mut tile, mut turned) =
            (vec![0u8; (TILE * TILE * w) as usize], vec![0u8; (TILE * TILE * w) as usize]);
        for j in (0..ncol).step_by(TILE as usize) {
            let cols = (ncol - j).min(TILE);
            for i in (0..nrow).step_by(TILE as usize) {
                let rows = (nrow - i).min(TILE);
                let (column, row) = ((rows * w) as usize, (cols * w) as usize);
                for c in 0..cols {
                    let at = c as usize * column;
                    source.read(((j + c) * nrow + i) * w, &mut tile[at..at + column]);
                }
                turn(&tile, &mut turned, rows as usize, cols as usize, w);
                for r in 0..rows {
                    let at = r as usize * row;
                    dst.write(((i + r) * ncol + j) * w, &turned[at..at + row]);
                }
            }
        }
        to.wrote(0, n * w);
        from.check(src_start * w, n * w)?;
        to.check(0, n * w)
    }

    /// Copies `n` elements of `src`, the first at `src_start` and the others `step` apart, to this vector's start.
    ///
    /// # Errors
    /// As [`Vector::transpose_from`].
    pub fn copy_every(&self, src: &Self, src_start: u64, step: u64, n: u64) -> Result<()> {
        self.check_strided(src)?;
        self.check(0, n)?;
        // Of nothing, the first may lie anywhere: a row of a matrix without columns.
        let Some(last) = n.checked_sub(1) else { return Ok(()) };
        let reach = last.saturating_mul(step).saturating_add(1);
        src.check(src_start, reach)?;
        if self.dtype() == Dtype::Character {
            return self.copy_texts(src, (0..n).map(|k| src_start + k * step));
        }
        self.check_writable()?;
        let (to, from) = (self.guard_writing()?, src.guard()?);
        let w = self.dtype().width();
        let (dst, source) = (to.span().part(0, n * w), from.span().part(src_start * w, reach * w));
        let mut run = vec![0u8; (n.min(TILE * TILE) * w) as usize];
        for first in (0..n).step_by((TILE * TILE) as usize) {
            let count = (n - first).min(TILE * TILE);
            let out = &mut run[..(count * w) as usize];
            for (k, element) in (first..).zip(out.chunks_exact_mut(w as usize)) {
                source.read(k * step * w, element);
            }
            dst.write(first * w, out);
        }
        to.wrote(0, n * w);
        from.check(src_start * w, reach * w)?;
        to.check(0, n * w)
    }

    /// Writes the strings of `src` at these positions from this vector's start on.
    fn copy_texts(&self, src: &Self, mut positions: impl Iterator<Item = u64>) -> Result<()> {
        let mut start = 0;
        loop {
            let block: Vec<u64> = positions.by_ref().take(TEXTS).collect();
            self.write_strings(start, &src.strings_at(&block)?)?;
            if block.len() < TEXTS {
                return Ok(());
            }
            start += TEXTS as u64;
        }
    }

    fn check_strided(&self, src: &Self) -> Result<()> {
        if self.dtype() != src.dtype() {
            return Err(Error::new(
                Code::Type,
                format!(
                    "a '{}' vector cannot take elements of type '{}' as they are",
                    self.dtype().name(),
                    src.dtype().name()
                ),
            ));
        }
        // Reading a tile after its place was written would read turned elements.
        if let (Self::Object(a), Self::Object(b)) = (self, src)
            && a.serial() == b.serial()
        {
            return Err(Error::new(Code::Argument, "the result must be another vector than the source"));
        }
        Ok(())
    }
}

/// Turns a tile of `rows` by `cols` elements of width `w`, column by column, into the same row by row.
fn turn(tile: &[u8], turned: &mut [u8], rows: usize, cols: usize, w: u64) {
    match w {
        1 => turn_width::<1>(tile, turned, rows, cols),
        2 => turn_width::<2>(tile, turned, rows, cols),
        4 => turn_width::<4>(tile, turned, rows, cols),
        8 => turn_width::<8>(tile, turned, rows, cols),
        _ => turn_width::<16>(tile, turned, rows, cols),
    }
}

fn turn_width<const W: usize>(tile: &[u8], turned: &mut [u8], rows: usize, cols: usize) {
    let (from, to) = (tile.as_chunks::<W>().0, turned.as_chunks_mut::<W>().0);
    for (r, row) in to.chunks_exact_mut(cols).take(rows).enumerate() {
        for (c, element) in row.iter_mut().enumerate() {
            *element = from[c * rows + r];
        }
    }
}
