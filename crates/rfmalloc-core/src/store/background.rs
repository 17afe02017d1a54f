//! The background sync: a thread that syncs some time after an unsynced commit, and the sync of every store at exit.

use super::{Inner, Shared};
use crate::sync_types::{AtomicBool, Condvar, Mutex, MutexGuard, thread};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

/// Retired bytes beyond this (or a quarter of the live ones, if more) ask for a sync, so that they can be used again.
const RETIRED_PRESSURE: u64 = 1 << 30;

/// The thread that syncs some time after an unsynced commit.
pub(crate) struct Background {
    every: Option<Duration>,
    dirty: AtomicBool,
    state: Mutex<BackgroundState>,
    wake: Condvar,
}

#[derive(Default)]
struct BackgroundState {
    due: Option<Instant>,
    /// Started with the first commit.
    thread: Option<thread::JoinHandle<()>>,
    stop: bool,
}

impl Background {
    pub(crate) fn new(every: Option<Duration>) -> Self {
        Self { every, dirty: AtomicBool::new(false), state: Mutex::default(), wake: Condvar::new() }
    }

    /// Whether the store is synced at exit.
    pub(crate) fn is_on(&self) -> bool {
        self.every.is_some()
    }

    fn lock(&self) -> MutexGuard<'_, BackgroundState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When this returns the thread is gone, and with it its hold on the store's descriptor: a closed store's disk can be unmounted.
    pub(crate) fn stop(&self) {
        let thread = {
            let mut state = self.lock();
            state.stop = true;
            state.thread.take()
        };
        self.wake.notify_all();
        if let Some(thread) = thread {
            // A panic in there was one of a sync, whose locks survive it.
            let _ = thread.join();
        }
    }
}

impl Shared {
    /// A commit was made that no sync covers yet: one follows within `sync_every`, at once under space pressure.
    pub(super) fn note_commit(self: &Arc<Self>, inner: &mut Inner) {
        let Some(every) = self.background.every else { return };
        let pressed = inner.heap.as_ref().is_some_and(|h| {
            let s = h.stats();
            s.retired > RETIRED_PRESSURE.max(s.used / 4)
        });
        if self.background.dirty.swap(true, Ordering::AcqRel) && !pressed {
            return;
        }
        let mut state = self.background.lock();
        let due = Instant::now() + if pressed { Duration::ZERO } else { every };
        state.due = Some(state.due.map_or(due, |d| d.min(due)));
        if state.thread.is_none() && !state.stop {
            // The thread is no opener, so it does not keep the store open; `finish` stops it.
            let shared = Arc::clone(self);
            let started = thread::Builder::new()
                .name("rfmalloc-sync".into())
                .spawn(move || while shared.background_round() {});
            // Without a thread the promise of sync() and close() still stands; only the time bound of the background sync is lost.
            state.thread = started.ok();
        }
        drop(state);
        self.background.wake.notify_all();
    }

    /// Waits until a sync may be due, or makes the one that is; false: the store is closing.
    fn background_round(self: &Arc<Self>) -> bool {
        let mut state = self.background.lock();
        if state.stop {
            return false;
        }
        let now = Instant::now();
        match state.due {
            Some(due) if due <= now => {
                state.due = None;
                drop(state);
                self.background.dirty.store(false, Ordering::Release);
                // A failure poisons the store; the next change reports it.
                let _ = self.sync();
                true
            }
            Some(due) => {
                let waited = self.background.wake.wait_timeout(state, due - now);
                let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
                !state.stop
            }
            None => !self.background.wake.wait(state).unwrap_or_else(PoisonError::into_inner).stop,
        }
    }
}

/// Syncs every store of the process that has not switched the exit sync off; failures are kept for the stores' next callers.
pub fn sync_all_stores() {
    for shared in crate::registry::all() {
        if shared.background.is_on() {
            let _ = shared.sync();
        }
    }
}
