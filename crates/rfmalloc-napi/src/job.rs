//! Compaction and copies: what a store does to its file as a whole, followed and stopped through a [`Control`].

use crate::error::{Result, reject};
use crate::task::{Control, Step};
use crate::thread;
use napi::bindgen_prelude::{AsyncTask, External};
use napi::{Env, Task};
use napi_derive::napi;
use rfmalloc_core::{Compaction, CopyWork, Store, StoreWork};
use std::path::Path;
use std::sync::Arc;

fn tell(control: &Control, done: u64, total: u64) -> bool {
    control.tell(Step { done, total, unit: "bytes" })
}

/// What a compaction did, in bytes; `stopped`: it was told to.
#[napi(object)]
pub struct NativeCompaction {
    pub moved: f64,
    pub freed: f64,
    pub stopped: bool,
}

fn facts(c: Compaction) -> NativeCompaction {
    NativeCompaction { moved: c.moved as f64, freed: c.freed as f64, stopped: c.stopped }
}

#[napi(catch_unwind)]
pub fn store_compact(handle: u32) -> Result<NativeCompaction> {
    thread::store(handle, |s| s.compact(&mut |_, _| true)).map(facts)
}

#[napi(catch_unwind)]
pub fn store_compact_async(handle: u32, control: &External<Arc<Control>>) -> Result<AsyncTask<StoreCompact>> {
    let control = Arc::clone(control);
    thread::store(handle, Store::for_work).map(|s| AsyncTask::new(StoreCompact(s, control)))
}

/// Resolves with false if it was told to stop.
#[napi(catch_unwind)]
pub fn store_compact_to(
    handle: u32,
    path: String,
    control: &External<Arc<Control>>,
) -> Result<AsyncTask<StoreCopy>> {
    let control = Arc::clone(control);
    let work = thread::store(handle, |s| s.copy_work(Path::new(&path)))?;
    Ok(AsyncTask::new(StoreCopy(Some(work), control)))
}

/// Another file has the store's path: it only remains to be closed.
#[napi(catch_unwind)]
pub fn store_is_replaced(handle: u32) -> Result<bool> {
    thread::store(handle, |s| Ok(s.is_replaced()))
}

/// `store.compactAsync()`.
pub struct StoreCompact(StoreWork, Arc<Control>);

impl Task for StoreCompact {
    type Output = Compaction;
    type JsValue = NativeCompaction;
    fn compute(&mut self) -> napi::Result<Compaction> {
        self.0.compact(&mut |done, total| tell(&self.1, done, total)).map_err(|e| reject(&e))
    }
    fn resolve(&mut self, _env: Env, output: Compaction) -> napi::Result<NativeCompaction> {
        Ok(facts(output))
    }
}

/// `store.compactTo()`.
pub struct StoreCopy(Option<CopyWork>, Arc<Control>);

impl Task for StoreCopy {
    type Output = bool;
    type JsValue = bool;
    fn compute(&mut self) -> napi::Result<bool> {
        let control = &self.1;
        let run = |work: CopyWork| work.run(&mut |done, total| tell(control, done, total));
        self.0.take().map_or(Ok(true), run).map_err(|e| reject(&e))
    }
    fn resolve(&mut self, _env: Env, output: bool) -> napi::Result<bool> {
        Ok(output)
    }
}
