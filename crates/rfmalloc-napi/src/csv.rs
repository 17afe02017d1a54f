//! CSV files: imports and exports off the event loop, followed and stopped through a control.

use crate::error::{Result, bad_argument, reject, whole};
use crate::object::{dtype, post_new};
use crate::task::{Control, Step};
use crate::thread;
use napi::bindgen_prelude::{AsyncTask, External};
use napi::{Env, Task};
use napi_derive::napi;
use rfmalloc_core::{ColumnReport, CsvExport, CsvImport, CsvOptions, CsvStyle, Store, StoreWork};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// How a CSV file is read; `type_codes` beside `type_names`, −1: left out.
#[napi(object)]
pub struct NativeCsvOptions {
    pub delimiter: String,
    pub quote: Option<String>,
    pub header: bool,
    pub names: Option<Vec<String>>,
    pub check_names: bool,
    pub type_names: Vec<String>,
    pub type_codes: Vec<i32>,
    pub na: Vec<String>,
    pub skip: f64,
}

/// How a CSV file is written.
#[napi(object)]
#[expect(clippy::struct_excessive_bools, reason = "the options of the facade, one by one")]
pub struct NativeCsvStyle {
    pub delimiter: String,
    pub quote: String,
    pub quote_all: bool,
    pub header: bool,
    pub row_names: bool,
    pub na: String,
    pub crlf: bool,
    pub bom: bool,
    pub replace: bool,
}

/// What a column was read as; `row` is -1 unless `text` says why it is text.
#[napi(object)]
pub struct NativeCsvColumn {
    pub name: String,
    #[napi(js_name = "type")]
    pub dtype: String,
    pub nas: f64,
    pub row: f64,
    pub line: f64,
    pub text: String,
}

/// What was read.
#[napi(object)]
pub struct NativeCsvReport {
    pub rows: f64,
    pub nbytes: f64,
    pub columns: Vec<NativeCsvColumn>,
}

/// Columns on their way from the thread that reads them.
pub type CsvParcel = Arc<Mutex<Option<CsvImport>>>;

/// What `csvRead` fills and `csvFrame` takes.
#[napi(catch_unwind)]
pub fn csv_parcel() -> External<CsvParcel> {
    External::new(Arc::default())
}

fn mark(text: &str) -> Result<u8> {
    match text.as_bytes() {
        [c] => Ok(*c),
        _ => Err(bad_argument("delimiter and quote are one ASCII character each")),
    }
}

fn options(o: NativeCsvOptions) -> Result<CsvOptions> {
    let code = |code: i32| u8::try_from(code).ok().map(dtype).transpose();
    let types = o.type_names.into_iter().zip(o.type_codes);
    Ok(CsvOptions {
        delimiter: mark(&o.delimiter)?,
        quote: o.quote.as_deref().map(mark).transpose()?,
        header: o.header,
        names: o.names,
        check_names: o.check_names,
        types: types.map(|(name, c)| Ok((name, code(c)?))).collect::<Result<_>>()?,
        na: o.na,
        skip: whole(o.skip, "skip")?,
    })
}

/// Resolves when the parcel is full.
#[napi(catch_unwind)]
pub fn csv_read(
    handle: u32,
    path: String,
    o: NativeCsvOptions,
    parcel: &External<CsvParcel>,
    control: &External<Arc<Control>>,
) -> Result<AsyncTask<CsvRead>> {
    let (options, parcel, control) = (options(o)?, Arc::clone(parcel), Arc::clone(control));
    let store = thread::store(handle, Store::for_work)?;
    Ok(AsyncTask::new(CsvRead { store, path: path.into(), options, parcel, control }))
}

/// A temporary frame of what was read, in the mailbox.
#[napi(catch_unwind)]
pub fn csv_frame(handle: u32, parcel: &External<CsvParcel>) -> Result<NativeCsvReport> {
    let import = parcel.lock().unwrap_or_else(PoisonError::into_inner).take();
    let import = import.ok_or_else(|| bad_argument("these columns have a frame already"))?;
    let report = NativeCsvReport {
        rows: import.rows as f64,
        nbytes: import.nbytes as f64,
        columns: import.columns.iter().map(column).collect(),
    };
    post_new(handle, thread::store_for_new(handle, |s| s.frame_of_csv(import))?, false);
    Ok(report)
}

fn column(c: &ColumnReport) -> NativeCsvColumn {
    let why = c.why_text.as_ref();
    NativeCsvColumn {
        name: c.name.clone(),
        dtype: c.dtype.name().to_owned(),
        nas: c.nas as f64,
        row: why.map_or(-1.0, |w| w.row as f64),
        line: why.map_or(0.0, |w| w.line as f64),
        text: why.map_or_else(String::new, |w| w.text.clone()),
    }
}

/// Resolves with the bytes written, or nothing if it was told to stop.
#[napi(catch_unwind)]
pub fn csv_write(
    token: u32,
    path: String,
    style: NativeCsvStyle,
    control: &External<Arc<Control>>,
) -> Result<AsyncTask<CsvWrite>> {
    let style = CsvStyle {
        delimiter: mark(&style.delimiter)?,
        quote: mark(&style.quote)?,
        quote_all: style.quote_all,
        header: style.header,
        row_names: style.row_names,
        na: style.na,
        crlf: style.crlf,
        bom: style.bom,
        replace: style.replace,
    };
    let work = thread::object(token, |s, h| s.csv_export(h, style))?;
    Ok(AsyncTask::new(CsvWrite(Some(work), path.into(), Arc::clone(control))))
}

/// `store.importCsv()`.
pub struct CsvRead {
    store: StoreWork,
    path: PathBuf,
    options: CsvOptions,
    parcel: CsvParcel,
    control: Arc<Control>,
}

impl Task for CsvRead {
    type Output = ();
    type JsValue = ();
    fn compute(&mut self) -> napi::Result<()> {
        let Self { store, path, options, parcel, control } = self;
        let watch = &mut |done, total| control.tell(Step { done, total, unit: "bytes" });
        let import = store.import_csv(path, options, watch).map_err(|e| reject(&e))?;
        *parcel.lock().unwrap_or_else(PoisonError::into_inner) = Some(import);
        Ok(())
    }
    fn resolve(&mut self, _env: Env, (): ()) -> napi::Result<()> {
        Ok(())
    }
}

/// `frame.exportCsv()`.
pub struct CsvWrite(Option<CsvExport>, PathBuf, Arc<Control>);

impl Task for CsvWrite {
    type Output = Option<u64>;
    type JsValue = Option<f64>;
    fn compute(&mut self) -> napi::Result<Option<u64>> {
        let watch = &mut |done, total| self.2.tell(Step { done, total, unit: "records" });
        // Dropped here: the columns are free again when the promise settles.
        self.0.take().map_or(Ok(None), |work| work.run(&self.1, watch)).map_err(|e| reject(&e))
    }
    fn resolve(&mut self, _env: Env, output: Option<u64>) -> napi::Result<Option<f64>> {
        Ok(output.map(|n| n as f64))
    }
}
