//! Whole-vector work: fill, copy, import, export, compare, advise.

use crate::error::{Result, bad_argument, whole};
use crate::task::Prefetch;
use crate::thread;
use crate::view::{self, Raw};
use napi::Env;
use napi::bindgen_prelude::{AsyncTask, Uint8Array};
use napi_derive::napi;
use rfmalloc_core::{Dtype, PageAdvice, Source};

#[napi(catch_unwind)]
pub fn fill(token: u32, start: f64, end: f64, pattern: Uint8Array) -> Result<()> {
    let (start, end) = (whole(start, "start")?, whole(end, "end")?);
    thread::vector(token, |v| v.fill(start, end, &pattern))
}

/// Returns R's warnings as bits.
#[napi(catch_unwind)]
pub fn copy_range(dst: u32, dst_idx: f64, src: u32, src_start: f64, n: f64) -> Result<u32> {
    let (to, from, n) = (whole(dst_idx, "index")?, whole(src_start, "start")?, whole(n, "count")?);
    thread::vectors(dst, src, |d, s| d.copy_from(to, s, from, n)).map(rfmalloc_core::Warnings::bits)
}

#[napi(catch_unwind)]
pub fn import_array(
    env: Env,
    dst: u32,
    dst_idx: f64,
    #[napi(ts_arg_type = "ArrayBufferView")] src: Raw,
    exact: bool,
) -> Result<u32> {
    let at = whole(dst_idx, "index")?;
    let (source, bytes) = view::typed_array(&env, &src)?;
    thread::vector(dst, |v| {
        // Doubles given to a complex vector are pairs.
        let source =
            if v.dtype() == Dtype::Complex && source == Source::F64 { Source::Complex } else { source };
        v.import(at, source, bytes, exact)
    })
    .map(|(_, warnings)| warnings.bits())
}

#[napi(catch_unwind)]
pub fn export_range(
    env: Env,
    src: u32,
    start: f64,
    n: f64,
    #[napi(ts_arg_type = "ArrayBufferView")] target: Raw,
) -> Result<()> {
    let (start, n) = (whole(start, "start")?, whole(n, "count")?);
    let (_, bytes) = view::typed_array(&env, &target)?;
    thread::vector(src, |v| v.export(start, bytes.first(n.saturating_mul(v.dtype().width()))))
}

/// The transpose of `nrow` by `ncol` elements of `src`, written to the start of `dst`.
#[napi(catch_unwind)]
pub fn transpose_range(dst: u32, src: u32, src_start: f64, nrow: f64, ncol: f64) -> Result<()> {
    let (start, nrow, ncol) = (whole(src_start, "start")?, whole(nrow, "nrow")?, whole(ncol, "ncol")?);
    thread::vectors(dst, src, |d, s| d.transpose_from(s, start, nrow, ncol))
}

/// `n` elements of `src`, `step` apart, to the start of `dst`.
#[napi(catch_unwind)]
pub fn copy_every(dst: u32, src: u32, src_start: f64, step: f64, n: f64) -> Result<()> {
    let (start, step, n) = (whole(src_start, "start")?, whole(step, "step")?, whole(n, "count")?);
    thread::vectors(dst, src, |d, s| d.copy_every(s, start, step, n))
}

/// Throws unless elements read, or about to be written, without a call are the file's.
#[napi(catch_unwind)]
pub fn check_whole(token: u32, start: f64, n: f64, to_write: bool) -> Result<()> {
    let (start, n) = (whole(start, "start")?, whole(n, "count")?);
    thread::vector(token, |v| v.check_whole(start, n, to_write))
}

#[napi(catch_unwind)]
pub fn equals(a: u32, a_start: f64, b: u32, b_start: f64, n: f64) -> Result<bool> {
    let (x, y, n) = (whole(a_start, "start")?, whole(b_start, "start")?, whole(n, "count")?);
    thread::vectors(a, b, |p, q| p.equals(x, q, y, n))
}

#[napi(catch_unwind)]
pub fn advise(token: u32, start_byte: f64, end_byte: f64, advice: String) -> Result<()> {
    let (start, end) = (whole(start_byte, "start")?, whole(end_byte, "end")?);
    let advice = match advice.as_str() {
        "sequential" => PageAdvice::Sequential,
        "random" => PageAdvice::Random,
        "willneed" => PageAdvice::WillNeed,
        "dontneed" => PageAdvice::DontNeed,
        _ => return Err(bad_argument("advice must be 'sequential', 'random', 'willneed' or 'dontneed'")),
    };
    thread::vector(token, |v| v.advise(start, end, advice))
}

#[napi(catch_unwind)]
pub fn prefetch(token: u32, start_byte: f64, end_byte: f64) -> Result<AsyncTask<Prefetch>> {
    let (start, end) = (whole(start_byte, "start")?, whole(end_byte, "end")?);
    thread::vector(token, |v| v.prefetching(start, end)).map(|w| AsyncTask::new(Prefetch(Some(w))))
}
