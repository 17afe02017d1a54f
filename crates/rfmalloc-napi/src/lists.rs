//! Lists and frames: make, read and set cells, count parents, end a frame with its columns.

use crate::error::{OrFail, Result, whole};
use crate::object::{found, post_new};
use crate::thread;
use crate::view::Raw;
use napi::Env;
use napi::bindgen_prelude::{Either3, Int32Array};
use napi_derive::napi;
use rfmalloc_core::{Handle, Strings};

/// A temporary list (3) of these objects; -1: nothing.
#[napi(catch_unwind)]
pub fn list(handle: u32, kind: u8, tokens: Int32Array) -> Result<()> {
    let made = thread::objects(handle, &tokens, |s, items| s.list(kind, items))?;
    post_new(handle, made, false);
    Ok(())
}

#[napi(catch_unwind, ts_return_type = "object | 1 | undefined")]
pub fn list_get(env: Env, token: u32, i: f64) -> Result<Either3<Raw, u32, ()>> {
    let i = whole(i, "index")?;
    let item = thread::object(token, |s, h| s.list_get(h, i))?;
    Ok(match item.map(|item| found(&env, thread::store_of(token), item)) {
        Some(napi::Either::A(facade)) => Either3::A(facade),
        Some(napi::Either::B(made)) => Either3::B(made),
        None => Either3::C(()),
    })
}

/// `child`: a token, or -1 for nothing.
#[napi(catch_unwind)]
pub fn list_set(token: u32, i: f64, child: i32) -> Result<()> {
    let i = whole(i, "index")?;
    thread::objects(thread::store_of(token), &[token as i32, child], |s, items| match items {
        [Some(list), child] => s.list_set(list, i, *child),
        _ => Ok(()),
    })
}

#[napi(catch_unwind)]
pub fn parents(token: u32) -> Result<f64> {
    thread::object(token, |s, h| s.parents(h)).map(|n| n as f64)
}

/// Rows of a frame with columns of these lengths; `rowNames`: how many, or -1.
#[napi(catch_unwind)]
pub fn frame_rows(lens: Vec<f64>, row_names: f64) -> Result<f64> {
    let lens = lens.into_iter().map(|n| whole(n, "length")).collect::<Result<Vec<_>>>()?;
    let names = if row_names < 0.0 { None } else { Some(whole(row_names, "length")?) };
    rfmalloc_core::frame_rows(&lens, names).or_fail().map(|n| n as f64)
}

/// A temporary frame; `row_names`: none, or one for each row, of which none may be missing.
#[napi(catch_unwind)]
pub fn frame(
    handle: u32,
    columns: Int32Array,
    names: Vec<String>,
    row_names: Option<Vec<Option<String>>>,
) -> Result<()> {
    let names: Strings = names.iter().map(|name| Some(name.as_str())).collect();
    let row_names: Option<Strings> = row_names.map(|n| n.iter().map(Option::as_deref).collect());
    let made = thread::objects(handle, &columns, |s, items| {
        let columns: Vec<&Handle> = items.iter().flatten().copied().collect();
        s.frame(&columns, &names, row_names.as_ref())
    })?;
    post_new(handle, made, false);
    Ok(())
}

/// R's make.names with unique names.
#[napi(catch_unwind)]
pub fn make_names(names: Vec<String>) -> Vec<String> {
    rfmalloc_core::make_names(&names)
}

#[napi(catch_unwind)]
pub fn destroy_frame(token: u32, columns: bool) -> Result<bool> {
    let done = thread::object(token, |s, h| s.destroy_frame(h, columns))?;
    thread::release(token);
    Ok(done)
}
