//! Work off the event loop: promises over core calls.

use crate::error::reject;
use crate::store::{NativeReport, report};
use napi::{Env, Result, Task};
use rfmalloc_core::{ObjectWork, PrefetchWork, StoreWork, VerifyReport};

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

/// `store.verifyAsync()`.
pub struct StoreVerify(pub(crate) StoreWork);

impl Task for StoreVerify {
    type Output = VerifyReport;
    type JsValue = NativeReport;
    fn compute(&mut self) -> Result<VerifyReport> {
        self.0.verify().map_err(|e| reject(&e))
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
