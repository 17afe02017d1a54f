//! R's `order`, `sort`, `unique` and `which`: over raw element memory, in parallel, in bounded private memory.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `keys` | whole numbers that are ordered as elements are |
//! | `partition` | sorting keys that lie in shared memory |
//! | `scatter` | keys told into parts on their way there |
//! | `order` | positions in order, ties broken word by word |
//! | `words`, `text` | the words of elements, of plain types and of strings |
//! | `sort` | elements in order, of types whose keys say all |
//! | `unique` | first occurrences |
//! | `which` | positions of what is true |
//!
//! Everything is stable and leaves NA and NaN last in the order in which they stand, `sort` too: it is `x[order(x)]`. Zeros of both signs are equal.
//! What is sorted are whole numbers of which no two that are equal can be told apart, so any number of threads and any instruction set gives
//! the same bits.
//!
//! **Larger than memory.** Keys are sorted in the result's own memory, which is a file's: split in place around pivots, both ends being read and
//! written in blocks one after the other, until a run fits into a thread's private memory ([`Limits`]). A vector `k` times as large as memory is read
//! and written about `log2 k` times, six less where the source is another memory (read twice for those), always in sequence, and nothing but the result and those runs needs room.

mod keys;
mod order;
mod partition;
mod scatter;
mod sort;
mod text;
mod unique;
mod which;
mod words;

pub(crate) use order::order;
pub(crate) use sort::sort;
pub(crate) use text::TextWords;
pub(crate) use unique::{unique_plain, unique_texts};
pub(crate) use which::{count_true, which};
pub(crate) use words::PlainWords;

use crate::executor::{Context, Watch};

/// How much private memory a thread may use.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    /// Keys sorted there at a time; as many again for scratch.
    pub(crate) run: u64,
    /// Bytes of a table of what was seen, of all threads together.
    pub(crate) table_nbytes: u64,
}

impl Default for Limits {
    /// 4 MiB for the runs of a thread: they stay in its caches. A quarter of a GiB for tables.
    fn default() -> Self {
        Self { run: 1 << 18, table_nbytes: 1 << 28 }
    }
}

/// A watch that stops what it is asked to stop and is told of no progress: for passes that are not the whole of the work.
pub(crate) struct Quiet<'w>(pub(crate) &'w dyn Watch);

impl Watch for Quiet<'_> {
    fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }
    fn done(&self, _: u64) {}
    fn spares_others(&self) -> bool {
        self.0.spares_others()
    }
}

/// The context without progress, given to `f`.
fn quietly<R>(ctx: &Context<'_>, f: impl FnOnce(&Context<'_>) -> R) -> R {
    let quiet = Quiet(ctx.watch);
    f(&Context { watch: &quiet, ..*ctx })
}

#[cfg(test)]
mod tests;
