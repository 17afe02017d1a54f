//! numpy's files: imports and exports off the event loop, followed and stopped through a control.

use crate::error::{Result, bad_argument, reject};
use crate::object::post_new;
use crate::task::{Control, Step};
use crate::thread;
use napi::bindgen_prelude::{AsyncTask, External};
use napi::{Env, Task};
use napi_derive::napi;
use rfmalloc_core::{NpyExport, NpyImport, Store, StoreWork};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// An array on its way from the thread that reads it.
pub type NpyParcel = Arc<Mutex<Option<NpyImport>>>;

/// What `npyRead` fills and `npyArray` takes.
#[napi(catch_unwind)]
pub fn npy_parcel() -> External<NpyParcel> {
    External::new(Arc::default())
}

/// Resolves when the parcel is full.
#[napi(catch_unwind)]
pub fn npy_read(
    handle: u32,
    path: String,
    parcel: &External<NpyParcel>,
    control: &External<Arc<Control>>,
) -> Result<AsyncTask<NpyRead>> {
    let (parcel, control) = (Arc::clone(parcel), Arc::clone(control));
    let store = thread::store(handle, Store::for_work)?;
    Ok(AsyncTask::new(NpyRead { store, path: path.into(), parcel, control }))
}

/// A temporary vector, matrix or array of what was read, in the mailbox.
#[napi(catch_unwind)]
pub fn npy_array(handle: u32, parcel: &External<NpyParcel>) -> Result<()> {
    let import = parcel.lock().unwrap_or_else(PoisonError::into_inner).take();
    let import = import.ok_or_else(|| bad_argument("these elements have a vector already"))?;
    post_new(handle, thread::store_for_new(handle, |s| s.array_of_npy(import))?, false);
    Ok(())
}

/// Resolves with the bytes written, or nothing if it was told to stop.
#[napi(catch_unwind)]
pub fn npy_write(
    token: u32,
    path: String,
    replace: bool,
    control: &External<Arc<Control>>,
) -> Result<AsyncTask<NpyWrite>> {
    let work = thread::object(token, |s, h| s.npy_export(h))?;
    Ok(AsyncTask::new(NpyWrite {
        work: Some(work),
        path: path.into(),
        replace,
        control: Arc::clone(control),
    }))
}

/// `store.importNpy()`.
pub struct NpyRead {
    store: StoreWork,
    path: PathBuf,
    parcel: NpyParcel,
    control: Arc<Control>,
}

impl Task for NpyRead {
    type Output = ();
    type JsValue = ();
    fn compute(&mut self) -> napi::Result<()> {
        let Self { store, path, parcel, control } = self;
        let watch = &mut |done, total| control.tell(Step { done, total, unit: "bytes" });
        let import = store.import_npy(path, watch).map_err(|e| reject(&e))?;
        *parcel.lock().unwrap_or_else(PoisonError::into_inner) = Some(import);
        Ok(())
    }
    fn resolve(&mut self, _env: Env, (): ()) -> napi::Result<()> {
        Ok(())
    }
}

/// `vector.exportNpy()`.
pub struct NpyWrite {
    work: Option<NpyExport>,
    path: PathBuf,
    replace: bool,
    control: Arc<Control>,
}

impl Task for NpyWrite {
    type Output = Option<u64>;
    type JsValue = Option<f64>;
    fn compute(&mut self) -> napi::Result<Option<u64>> {
        let Self { work, path, replace, control } = self;
        let watch = &mut |done, total| control.tell(Step { done, total, unit: "bytes" });
        // Dropped here: the vector is free again when the promise settles.
        work.take().map_or(Ok(None), |work| work.run(path, *replace, watch)).map_err(|e| reject(&e))
    }
    fn resolve(&mut self, _env: Env, output: Option<u64>) -> napi::Result<Option<f64>> {
        Ok(output.map(|n| n as f64))
    }
}
