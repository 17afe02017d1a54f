//! Liveness cells: one 32-bit word in memory per open object of the process, which every thread can test without a call.
//!
//! Holds: the process-wide chunks of cells, never freed (their addresses are given to JavaScript). A handle remembers its cell's value;
//! while the cell still has it, the object is alive and as the handle knows it. Killing changes the value, and so do moving and sealing: who
//! finds another value asks the store which of them it was. A cell is reused only after every handle is gone.

use crate::platform::{PerProcess, process_epoch};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Cells per chunk.
pub const CHUNK: usize = if cfg!(miri) { 1 << 8 } else { 1 << 16 };

#[derive(Default)]
struct Table {
    chunks: Vec<&'static [AtomicI32]>,
    free: Vec<u32>,
    next: u32,
}

static TABLE: PerProcess<Mutex<Table>> = PerProcess::new();

fn table() -> MutexGuard<'static, Table> {
    TABLE.get().lock().unwrap_or_else(PoisonError::into_inner)
}

/// A cell that belongs to one open object.
#[derive(Clone, Copy)]
pub(crate) struct Cell {
    pub(crate) idx: u32,
    pub(crate) value: i32,
    word: &'static AtomicI32,
    /// The process whose table it is of, by its `process_epoch`.
    process: u64,
}

impl Cell {
    pub(crate) fn take() -> Self {
        let mut t = table();
        let idx = t.free.pop().unwrap_or_else(|| {
            if t.next as usize == t.chunks.len() * CHUNK {
                let chunk: Vec<AtomicI32> = (0..CHUNK).map(|_| AtomicI32::new(1)).collect();
                t.chunks.push(Box::leak(chunk.into_boxed_slice()));
            }
            t.next += 1;
            t.next - 1
        });
        let word = &t.chunks[idx as usize / CHUNK][idx as usize % CHUNK];
        Self { idx, value: word.load(Ordering::Acquire), word, process: process_epoch() }
    }

    /// Every handle of the object is dead from now on. Idempotent.
    pub(crate) fn kill(self) {
        let _ = self.word.compare_exchange(self.value, self.after(), Ordering::AcqRel, Ordering::Acquire);
    }

    /// What handles know of the object is no longer so: whoever remembers the old value has to ask again. Dead cells stay dead.
    pub(crate) fn renew(&mut self) {
        let next = self.after();
        let done = self.word.compare_exchange(self.value, next, Ordering::AcqRel, Ordering::Acquire);
        if done.is_ok() {
            self.value = next;
        }
    }

    fn after(self) -> i32 {
        let next = self.value.wrapping_add(1);
        if next == 0 { 1 } else { next }
    }

    /// Gives the cell back; no handle may test it any more.
    pub(crate) fn give_back(self) {
        self.kill();
        // A forked child has a table of its own, in which the index means another cell or none.
        if self.process == process_epoch() {
            table().free.push(self.idx);
        }
    }
}

/// The cells of chunk `k`, for sharing with JavaScript; `None` when there is no such chunk yet.
pub fn chunk(k: usize) -> Option<&'static [AtomicI32]> {
    table().chunks.get(k).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

    #[test]
    fn a_reused_cell_never_speaks_for_its_last_object() {
        let first = Cell::take();
        let word = &chunk(first.idx as usize / CHUNK).unwrap()[first.idx as usize % CHUNK];
        assert_eq!(word.load(Ordering::Acquire), first.value);
        first.give_back();
        assert_ne!(word.load(Ordering::Acquire), first.value);
        let second = Cell::take();
        assert!(second.idx != first.idx || second.value != first.value);
        // Late and twice: it kills nobody else.
        first.kill();
        assert_eq!(second.word.load(Ordering::Acquire), second.value);
        second.give_back();
    }

    /// What the facade counts on: what the killer did before the kill is seen by whoever saw it.
    #[test]
    fn who_sees_the_death_sees_what_came_before_it() {
        for _ in 0..if cfg!(miri) { 4 } else { 200 } {
            let cell = Cell::take();
            let told = AtomicBool::new(false);
            std::thread::scope(|s| {
                s.spawn(|| {
                    told.store(true, Ordering::Relaxed);
                    cell.kill();
                });
                s.spawn(|| {
                    while cell.word.load(Ordering::Acquire) == cell.value {
                        std::thread::yield_now();
                    }
                    assert!(told.load(Ordering::Relaxed));
                });
            });
            cell.give_back();
        }
    }
}
