//! The one executor: runs a block program over chunks, on a pool of threads.
//!
//! - here: [`Context`] (how to run), [`Watch`] (who may stop it), the pool, and the loop over chunks;
//! - `machine`: registers and the loop over instructions; `chain`: programs of a few operators of doubles, for which there is a faster loop; `elementwise`, `fold`, `scan`, `margin`, `margin_rows`, `product`, `product_plan`, `product_side`: what is done with
//!   the blocks; `ahead`: reading ahead of work on files.
//!
//! Chunks are cut by element index alone and their results are merged in index order, so any number of threads gives the same bits. Threads,
//! cancellation and progress are known here and nowhere else.

mod ahead;
mod chain;
pub(crate) mod elementwise;
pub(crate) mod fold;
pub(crate) mod machine;
pub(crate) mod margin;
pub(crate) mod margin_rows;
pub(crate) mod product;
mod product_plan;
mod product_side;
pub(crate) mod scan;

use crate::kernels::BLOCK;
use crate::kernels::simd::Isa;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Elements of a chunk: what one thread takes at a time, and between two looks at [`Watch::is_cancelled`].
pub(crate) const CHUNK: u64 = 32 * BLOCK as u64;

/// Follows a running operation and may stop it. Asked and told once per chunk, from any thread.
pub trait Watch: Sync {
    /// Whether to stop at the next chunk.
    fn is_cancelled(&self) -> bool;
    /// So many more units of work (elements) are done.
    fn done(&self, units: u64);
    /// Whether another thread, such as an event loop, must not be kept waiting meanwhile, even if the work takes longer so.
    fn spares_others(&self) -> bool {
        false
    }
}

/// Nobody watches.
pub struct Unwatched;

impl Watch for Unwatched {
    fn is_cancelled(&self) -> bool {
        false
    }
    fn done(&self, _: u64) {}
}

/// How an operation is run. Neither the threads nor the instruction set change a result.
#[derive(Clone, Copy)]
pub struct Context<'w> {
    /// The instruction set.
    pub isa: Isa,
    /// Threads, the caller's included; at least 1.
    pub threads: usize,
    /// Who follows it.
    pub watch: &'w dyn Watch,
}

impl Default for Context<'_> {
    fn default() -> Self {
        Self { isa: Isa::chosen(), threads: default_threads(), watch: &Unwatched }
    }
}

/// The physical cores this process may use: at most what the system lets it run at once, less its hyperthreads.
pub fn default_threads() -> usize {
    static THREADS: OnceLock<usize> = OnceLock::new();
    *THREADS.get_or_init(|| {
        let logical = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        (logical / threads_per_core()).max(1)
    })
}

/// Hyperthreads of a core, as Linux names them; 1 where nobody tells.
fn threads_per_core() -> usize {
    let siblings = std::fs::read_to_string("/sys/devices/system/cpu/cpu0/topology/thread_siblings_list");
    siblings.map_or(1, |list| count_of_list(list.trim()).max(1))
}

/// Numbers in a list such as `0,4` or `0-1`.
fn count_of_list(list: &str) -> usize {
    let count = |part: &str| match part.split_once('-') {
        Some((from, to)) => match (from.parse::<usize>(), to.parse::<usize>()) {
            (Ok(from), Ok(to)) if to >= from => to - from + 1,
            _ => 1,
        },
        None => 1,
    };
    list.split(',').map(count).sum()
}

/// The pool with this many helpers, made at its first use and kept. None if the system gives no threads: the caller works alone.
fn pool(helpers: usize) -> Option<Arc<ThreadPool>> {
    type Pools = HashMap<(u32, usize), Arc<ThreadPool>>;
    static POOLS: Mutex<Option<Pools>> = Mutex::new(None);
    let mut pools = POOLS.lock().unwrap_or_else(PoisonError::into_inner);
    // A forked child has none of its parent's threads: a pool belongs to the process that made it.
    let key = (std::process::id(), helpers);
    let pools = pools.get_or_insert_default();
    if let Some(pool) = pools.get(&key) {
        return Some(Arc::clone(pool));
    }
    let name = |i| format!("rfmalloc-{i}");
    let made = Arc::new(ThreadPoolBuilder::new().num_threads(helpers).thread_name(name).build().ok()?);
    pools.insert(key, Arc::clone(&made));
    Some(made)
}

impl Context<'_> {
    /// Runs `work` on every task `0..count`, each with a state of its thread's own, and gives the results in order. None if it was cancelled.
    ///
    /// `units` says how much work a task is, for progress.
    pub(crate) fn tasks<S, R: Send>(
        &self,
        count: usize,
        state: impl Fn() -> S + Sync,
        work: impl Fn(&mut S, usize) -> R + Sync,
        units: impl Fn(usize) -> u64 + Sync,
    ) -> Option<Vec<R>> {
        let next = AtomicUsize::new(0);
        let stopped = AtomicBool::new(false);
        let run = || {
            let mut state = state();
            let mut results = Vec::new();
            loop {
                let task = next.fetch_add(1, Ordering::Relaxed);
                if task >= count {
                    return results;
                }
                if self.watch.is_cancelled() {
                    stopped.store(true, Ordering::Relaxed);
                    next.store(count, Ordering::Relaxed);
                    return results;
                }
                results.push((task, work(&mut state, task)));
                self.watch.done(units(task));
            }
        };
        let helpers = self.threads.min(count).saturating_sub(1);
        let mut results = match (helpers > 0).then(|| pool(helpers)).flatten() {
            None => run(),
            Some(pool) => {
                let others = Mutex::new(Vec::new());
                let mut mine = Vec::new();
                pool.in_place_scope(|scope| {
                    for _ in 0..helpers {
                        scope.spawn(|_| {
                            let results = run();
                            others.lock().unwrap_or_else(PoisonError::into_inner).extend(results);
                        });
                    }
                    mine = run();
                });
                mine.extend(others.into_inner().unwrap_or_else(PoisonError::into_inner));
                mine
            }
        };
        if stopped.load(Ordering::Relaxed) {
            return None;
        }
        results.sort_unstable_by_key(|(task, _)| *task);
        Some(results.into_iter().map(|(_, result)| result).collect())
    }

    /// As `tasks`, over the chunks of `len` elements: `work` gets the range of elements.
    pub(crate) fn chunks<S, R: Send>(
        &self,
        len: u64,
        state: impl Fn() -> S + Sync,
        work: impl Fn(&mut S, std::ops::Range<u64>) -> R + Sync,
    ) -> Option<Vec<R>> {
        let range = |task: usize| (task as u64 * CHUNK)..len.min((task as u64 + 1) * CHUNK);
        let units = |task: usize| range(task).end - range(task).start;
        self.tasks(len.div_ceil(CHUNK) as usize, state, |s, task| work(s, range(task)), units)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_lists_are_counted() {
        assert_eq!(count_of_list("0"), 1);
        assert_eq!(count_of_list("0,64"), 2);
        assert_eq!(count_of_list("0-1"), 2);
        assert_eq!(count_of_list("0-1,4-5"), 4);
    }

    #[test]
    fn results_come_in_order_for_any_number_of_threads() {
        for threads in [1, 2, 3, 7] {
            let ctx = Context { threads, ..Context::default() };
            let out = ctx.tasks(100, || (), |(), task| task * 2, |_| 1);
            assert_eq!(out, Some((0..100).map(|task| task * 2).collect()));
        }
    }

    struct StopAfter(AtomicUsize, usize);
    impl Watch for StopAfter {
        fn is_cancelled(&self) -> bool {
            self.0.load(Ordering::Relaxed) >= self.1
        }
        fn done(&self, units: u64) {
            self.0.fetch_add(units as usize, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_cancelled_operation_stops_at_the_next_task() {
        for threads in [1, 2] {
            let watch = StopAfter(AtomicUsize::new(0), 10);
            let ctx = Context { threads, watch: &watch, ..Context::default() };
            assert_eq!(ctx.tasks(1000, || (), |(), task| task, |_| 1), None);
            assert!(watch.0.load(Ordering::Relaxed) < 20, "tasks went on after the stop");
        }
    }
}
