//! Operations off the event loop.
//!
//! Holds: [`Job`] (begun core work that the event loop can stop), and the promise over it. An operation *begins* on the event loop's thread, under
//! [`Operands::begin`](crate::operands::Operands::begin); it *runs* on a thread of libuv's pool, watched through a [`Control`]; it is *delivered* on
//! the event loop's thread again. Whoever adds an operation implements [`Deliver`] for its work and calls [`start`].
//!
//! A store that is closed meanwhile, by this thread or as its environment ends, stops the jobs that touch it: work that has not started
//! is dropped at once, so that a close never waits for a place in libuv's queue; work that runs ends with the chunk it is at. The promise
//! then rejects with `CLOSED`.

use crate::error::reject;
use crate::object::is_pressed;
use crate::operands::context;
use crate::task::{Control, Step};
use crate::thread;
use napi::bindgen_prelude::{AsyncTask, ToNapiValue, TypeName};
use napi::{Env, Task};
use napi_derive::napi;
use rfmalloc_core::compute::{Context, Watch};
use rfmalloc_core::{Amount, Code, Error, Handle, Result, VectorWork, Warnings, Work};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Work whose result becomes a value for JavaScript.
pub trait Deliver: Work + Sized + 'static {
    type Value: ToNapiValue + TypeName;

    /// Of work that has run to its end, on the event loop's thread. `store`: the open one that it was begun with.
    fn deliver(self, store: u32) -> Result<Self::Value>;
}

/// Begun work, and who may stop it.
pub struct Job<W> {
    control: Arc<Control>,
    amount: Amount,
    /// Units done.
    done: AtomicU64,
    /// Handles of the stores that it touches; 0 is none.
    stores: Vec<u32>,
    is_closed: AtomicBool,
    /// Until it runs.
    work: Mutex<Option<W>>,
}

impl<W> Job<W> {
    fn take(&self) -> Option<W> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl<W: Send> Watch for Job<W> {
    fn is_cancelled(&self) -> bool {
        self.control.is_stopped()
    }

    fn done(&self, units: u64) {
        let done = self.done.fetch_add(units, Ordering::Relaxed) + units;
        let share = done.min(self.amount.units);
        let total = self.amount.nbytes.unwrap_or(self.amount.units);
        let done = (share as f64 / self.amount.units.max(1) as f64 * total as f64) as u64;
        let unit = if self.amount.nbytes.is_some() { "bytes" } else { "tiles" };
        self.control.advance(Step { done, total, unit });
    }

    fn spares_others(&self) -> bool {
        true
    }
}

/// A job as `thread` lists it.
pub(crate) trait Stoppable {
    /// The store with this handle is being closed.
    fn store_closes(&self, store: u32);
}

impl<W> Stoppable for Job<W> {
    fn store_closes(&self, store: u32) {
        if self.stores.contains(&store) {
            self.is_closed.store(true, Ordering::Release);
            self.control.stop();
            drop(self.take());
        }
    }
}

/// A promise over begun work; `stores` are the handles of the stores that it touches, that of the result first.
pub(crate) fn start<W: Deliver>(
    work: W,
    stores: Vec<u32>,
    control: &Arc<Control>,
    threads: u32,
) -> crate::error::Result<AsyncTask<Running<W>>> {
    let threads = context(threads)?.threads;
    let job = Arc::new(Job {
        control: Arc::clone(control),
        amount: work.amount(),
        done: AtomicU64::new(0),
        stores,
        is_closed: AtomicBool::new(false),
        work: Mutex::new(Some(work)),
    });
    let listed: Arc<dyn Stoppable> = Arc::clone(&job) as _;
    thread::list_job(Arc::downgrade(&listed));
    Ok(AsyncTask::new(Running { job, threads }))
}

/// See [`start`].
pub struct Running<W> {
    job: Arc<Job<W>>,
    threads: usize,
}

impl<W: Deliver> Running<W> {
    fn run(&self) -> Result<W> {
        let job = &*self.job;
        let Some(mut work) = job.take() else { return Err(self.stopped()) };
        let ctx = Context { threads: self.threads, watch: job, ..Context::default() };
        if job.control.is_stopped() || !work.run(&ctx)? {
            return Err(self.stopped());
        }
        Ok(work)
    }

    fn stopped(&self) -> Error {
        if self.job.is_closed.load(Ordering::Acquire) {
            Error::new(Code::Closed, "the store was closed while the operation ran")
        } else {
            // Whoever stopped it rejects with a reason of their own.
            Error::new(Code::Busy, "the operation was stopped")
        }
    }
}

impl<W: Deliver> Task for Running<W> {
    type Output = W;
    type JsValue = W::Value;

    fn compute(&mut self) -> napi::Result<W> {
        let done = catch_unwind(AssertUnwindSafe(|| self.run()));
        done.unwrap_or_else(|_| Err(Error::new(Code::Internal, "the operation panicked; nothing was made")))
            .map_err(|e| reject(&e))
    }

    fn resolve(&mut self, _env: Env, work: W) -> napi::Result<W::Value> {
        let store = self.job.stores.first().copied().unwrap_or(0);
        if self.job.is_closed.load(Ordering::Acquire) {
            return Err(reject(&self.stopped()));
        }
        work.deliver(store).map_err(|e| reject(&e))
    }
}

/// A vector that was made on another thread: its token, for `refresh`; R's warnings as bits; whether the store asks for a collection.
#[napi(object)]
pub struct NativeMade {
    pub token: u32,
    pub warnings: u32,
    pub pressure: bool,
}

/// A new vector of this thread.
pub(crate) fn made(store: u32, vector: Handle, warnings: Warnings) -> NativeMade {
    let pressure = thread::with_store(store, is_pressed).unwrap_or(false);
    let token = thread::add(store, rfmalloc_core::Vector::Object(vector));
    NativeMade { token, warnings: warnings.bits(), pressure }
}

impl Deliver for VectorWork {
    type Value = NativeMade;

    fn deliver(self, store: u32) -> Result<NativeMade> {
        let (vector, warnings) = self.finish()?;
        Ok(made(store, vector, warnings))
    }
}
