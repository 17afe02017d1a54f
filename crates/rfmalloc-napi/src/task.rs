//! Work off the event loop: promises over core calls.

use crate::error::reject;
use crate::store::{NativeReport, report};
use napi::{Env, Result, Task};
use rfmalloc_core::{CommitWork, ObjectWork, PrefetchWork, StoreWork, VerifyReport, VerifyStep};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// `store.sync()`.
pub struct StoreSync(pub(crate) StoreWork);

impl Task for StoreSync {
    type Output = ();
    type JsValue = ();
    fn compute(&mut self) -> Result<()> {
        self.0.sync().map_err(|e| reject(&e))
    }
    fn resolve(&mut self, _env: Env, (): ()) -> Result<()> {
        Ok(())
    }
}

/// `vector.sync()`.
pub struct ObjectSync(pub(crate) ObjectWork);

impl Task for ObjectSync {
    type Output = ();
    type JsValue = ();
    fn compute(&mut self) -> Result<()> {
        self.0.sync().map_err(|e| reject(&e))
    }
    fn resolve(&mut self, _env: Env, (): ()) -> Result<()> {
        Ok(())
    }
}

/// `commitAsync()`.
pub struct ObjectCommit(pub(crate) Option<CommitWork>, pub(crate) Option<String>, pub(crate) bool);

impl Task for ObjectCommit {
    type Output = (u64, u64);
    type JsValue = Vec<f64>;
    fn compute(&mut self) -> Result<(u64, u64)> {
        let Self(work, name, replace) = self;
        // Dropped here: nothing is held any more when the promise settles.
        work.take().map_or(Ok((0, 0)), |mut work| work.run(name.as_deref(), *replace)).map_err(|e| reject(&e))
    }
    fn resolve(&mut self, _env: Env, (id, generation): (u64, u64)) -> Result<Vec<f64>> {
        Ok(vec![id as f64, generation as f64])
    }
}

/// How far work is.
#[derive(Clone, Copy)]
pub(crate) struct Step {
    pub(crate) done: u64,
    pub(crate) total: u64,
    /// As the API spells it.
    pub(crate) unit: &'static str,
}

/// How far work on another thread is, and whether it shall stop. The facade reads and sets it; the work sees it at its next step.
#[derive(Default)]
pub struct Control {
    stopped: AtomicBool,
    step: Mutex<Option<Step>>,
}

impl Control {
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    pub(crate) fn step(&self) -> Option<Step> {
        *self.step.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As `tell`, from one of several threads: what comes late and is old by then is dropped.
    pub(crate) fn advance(&self, step: Step) {
        let mut last = self.step.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_none_or(|last| last.done < step.done) {
            *last = Some(step);
        }
    }

    /// False: it shall stop.
    pub(crate) fn tell(&self, step: Step) -> bool {
        *self.step.lock().unwrap_or_else(PoisonError::into_inner) = Some(step);
        !self.is_stopped()
    }
}

fn verify_step(step: VerifyStep) -> Step {
    match step {
        VerifyStep::Records { done, total } => Step { done, total, unit: "records" },
        VerifyStep::Bytes { done, total } => Step { done, total, unit: "bytes" },
    }
}

/// `store.verifyAsync()`.
pub struct StoreVerify {
    pub(crate) store: StoreWork,
    pub(crate) payloads: bool,
    pub(crate) control: Arc<Control>,
}

impl Task for StoreVerify {
    type Output = VerifyReport;
    type JsValue = NativeReport;
    fn compute(&mut self) -> Result<VerifyReport> {
        let Self { store, payloads, control } = self;
        store.verify(*payloads, &mut |step| control.tell(verify_step(step))).map_err(|e| reject(&e))
    }
    fn resolve(&mut self, _env: Env, output: VerifyReport) -> Result<NativeReport> {
        Ok(report(output))
    }
}

/// `vector.prefetch()`.
pub struct Prefetch(pub(crate) Option<PrefetchWork>);

impl Task for Prefetch {
    type Output = ();
    type JsValue = ();
    fn compute(&mut self) -> Result<()> {
        self.0.take().map_or(Ok(()), PrefetchWork::run).map_err(|e| reject(&e))
    }
    fn resolve(&mut self, _env: Env, (): ()) -> Result<()> {
        Ok(())
    }
}
