//! Objects: make, find, commit, name, destroy, describe; the buffers given to users.

use crate::error::{OrFail, Result, bad_argument, whole};
use crate::task::{ObjectCommit, ObjectSync};
use crate::thread;
use crate::view::{self, Raw};
use napi::bindgen_prelude::AsyncTask;
use napi::bindgen_prelude::Either3;
use napi::bindgen_prelude::Function;
use napi::{Either, Env};
use napi_derive::napi;
use rfmalloc_core::{Dtype, Handle, MappedFile, ObjectFacts, Store, Vector, cells};
use std::path::Path;
use std::sync::Arc;

/// New temporaries beyond this share of the store's limit (within the bounds) ask the facade for a collection.
const PRESSURE_SHARE: u64 = 4;
const PRESSURE_FLOOR: u64 = 16 << 20;
const PRESSURE_CEILING: u64 = 256 << 20;

pub(crate) fn dtype(code: u8) -> Result<Dtype> {
    Dtype::from_code(code).ok_or_else(|| bad_argument("unknown type code"))
}

pub(crate) fn post(token: u32, h: &Handle, pressure: bool) {
    post_facts(token, &h.facts(), pressure);
}

pub(crate) fn post_facts(token: u32, f: &ObjectFacts, pressure: bool) {
    thread::mailbox().write(&[
        (0, f64::from(token)),
        (1, f.off as f64),
        (2, f.nbytes as f64),
        (3, f64::from(f.cell.0)),
        (4, f64::from(f.cell.1)),
        (5, f64::from(f.dtype.code())),
        (6, f.len as f64),
        (7, f.id as f64),
        (8, f.generation as f64),
        (9, if f.committed { 1.0 } else { 2.0 }),
        (10, f64::from(u8::from(pressure))),
        (11, f64::from(f.kind)),
        (12, f64::from(u8::from(f.sealed))),
        (15, f64::from(u8::from(f.has_attributes))),
    ]);
}

/// Ends up in the mailbox as a new object of the store.
pub(crate) fn post_new(store: u32, h: Handle, pressure: bool) {
    let facts = h.facts();
    let token = thread::add(store, Vector::Object(h));
    post_facts(token, &facts, pressure);
}

/// The facade object that the thread already has for this object, or 1 with a new token in the mailbox.
pub(crate) fn found(env: &Env, store: u32, handle: Handle) -> Either<Raw, u32> {
    if let Some(object) = thread::facade(env, store, handle.serial()) {
        return Either::A(object);
    }
    let facts = handle.facts();
    let token = thread::add(store, Vector::Object(handle));
    post_facts(token, &facts, false);
    Either::B(1)
}

#[napi(catch_unwind, ts_return_type = "ArrayBuffer")]
pub fn facts_buffer(env: Env) -> Result<Raw> {
    thread::mailbox().buffer(&env)
}

#[napi(catch_unwind, ts_return_type = "ArrayBuffer")]
pub fn staging_buffer(env: Env) -> Result<Raw> {
    thread::mailbox().staging_buffer(&env)
}

/// A committed vector whose elements are the first bytes of the staging page.
#[napi(catch_unwind)]
pub fn put(handle: u32, type_code: u8, len: f64, name: Option<String>, replace: bool) -> Result<()> {
    let (dtype, len) = (dtype(type_code)?, whole(len, "length")?);
    let h = thread::mailbox().with_staged(len.saturating_mul(dtype.width()), |bytes| {
        thread::store_for_new(handle, |s| s.put(dtype, len, bytes, name.as_deref(), replace))
    })??;
    post_new(handle, h, false);
    Ok(())
}

#[napi(js_name = "cells", catch_unwind, ts_return_type = "ArrayBuffer")]
pub fn cell_chunk(env: Env, chunk: u32) -> Result<Raw> {
    let cells = cells::chunk(chunk as usize).ok_or_else(|| bad_argument("no such chunk of cells"))?;
    view::static_buffer(&env, cells)
}

#[napi(catch_unwind)]
pub fn has(handle: u32, name: String) -> Result<bool> {
    thread::store(handle, |s| s.has(&name))
}

#[napi(catch_unwind, ts_return_type = "object | 1 | undefined")]
pub fn get_by_name(env: Env, handle: u32, name: String) -> Result<Either3<Raw, u32, ()>> {
    Ok(match thread::store(handle, |s| s.open_name(&name))?.map(|h| found(&env, handle, h)) {
        Some(Either::A(facade)) => Either3::A(facade),
        Some(Either::B(made)) => Either3::B(made),
        None => Either3::C(()),
    })
}

#[napi(catch_unwind, ts_return_type = "object | 1")]
pub fn get_by_id(env: Env, handle: u32, id: f64, generation: f64) -> Result<Either<Raw, u32>> {
    let (id, generation) = (whole(id, "id")?, whole(generation, "generation")?);
    Ok(found(&env, handle, thread::store(handle, |s| s.open_id(id, generation))?))
}

#[napi(catch_unwind, ts_return_type = "object | 1")]
pub fn get_temporary(env: Env, handle: u32, id: f64, generation: f64) -> Result<Either<Raw, u32>> {
    get_by_id(env, handle, id, generation)
}

/// Whether new temporaries call for a collection.
pub(crate) fn is_pressed(s: &Store) -> bool {
    let share = (s.max_size() / PRESSURE_SHARE).clamp(PRESSURE_FLOOR, PRESSURE_CEILING);
    s.temporary_bytes().1 > share
}

#[napi(catch_unwind)]
pub fn reserve(handle: u32, type_code: u8, len: f64, zero: bool) -> Result<()> {
    let (dtype, len) = (dtype(type_code)?, whole(len, "length")?);
    let (h, pressure) = thread::store_for_new(handle, |s| {
        let h = s.reserve(dtype, len, zero)?;
        Ok((h, is_pressed(s)))
    })?;
    post_new(handle, h, pressure);
    Ok(())
}

#[napi(catch_unwind)]
pub fn attach(env: Env, token: u32, #[napi(ts_arg_type = "object")] facade: Raw) -> Result<()> {
    thread::attach(&env, token, &facade)
}

#[napi(catch_unwind)]
pub fn commit(token: u32, name: Option<String>, replace: bool) -> Result<()> {
    thread::object(token, |s, h| {
        s.commit(h, name.as_deref(), replace)?;
        post(token, h, false);
        Ok(())
    })
}

/// The same off the event loop; resolves with id and generation, and the token's facts want a `refresh`.
#[napi(catch_unwind)]
pub fn commit_async(token: u32, name: Option<String>, replace: bool) -> Result<AsyncTask<ObjectCommit>> {
    let work = thread::object(token, |s, h| s.commit_work(h))?;
    Ok(AsyncTask::new(ObjectCommit(Some(work), name, replace)))
}

#[napi(catch_unwind)]
pub fn rename(token: u32, name: Option<String>, replace: bool) -> Result<()> {
    thread::object(token, |s, h| s.rename(h, name.as_deref(), replace))
}

/// The object's facts as they are now: the liveness cell of a living object changed.
#[napi(catch_unwind)]
pub fn refresh(token: u32) -> Result<()> {
    thread::object(token, |_, h| {
        h.refresh()?;
        post(token, h, false);
        Ok(())
    })
}

#[napi(catch_unwind)]
pub fn seal(token: u32) -> Result<()> {
    thread::object(token, |s, h| {
        s.seal(h)?;
        post(token, h, false);
        Ok(())
    })
}

#[napi(catch_unwind)]
pub fn sync_object(token: u32) -> Result<AsyncTask<ObjectSync>> {
    thread::object(token, |s, h| s.object_work(h)).map(|w| AsyncTask::new(ObjectSync(w)))
}

#[napi(catch_unwind)]
pub fn destroy(token: u32, at_once: bool) -> Result<bool> {
    let file = thread::vector(token, |v| {
        if let Vector::File(f) = v {
            f.kill();
        }
        Ok(matches!(v, Vector::File(_)))
    })
    .unwrap_or(false);
    let done = file
        || match thread::object(token, |s, h| s.destroy(h, at_once)) {
            Ok(done) => done,
            Err(_) if thread::state(token) == "destroyed" => false,
            Err(e) => return Err(e),
        };
    thread::release(token);
    Ok(done)
}

#[napi(catch_unwind)]
pub fn release(token: u32) {
    thread::release(token);
}

#[napi(catch_unwind)]
pub fn name_of(token: u32) -> Result<Option<String>> {
    thread::vector(token, |v| match v {
        Vector::Object(h) => h.name(),
        Vector::File(_) => Ok(None),
    })
}

#[napi(catch_unwind)]
pub fn state_of(token: u32) -> &'static str {
    thread::state(token)
}

/// Where an object lies.
#[napi(object)]
pub struct NativeDescription {
    pub catalog_offset: f64,
    pub payload_offset: f64,
    pub generation: f64,
    pub id: f64,
    pub recoverable: bool,
    pub dataptr_exposed: bool,
    pub maybe_dirty: bool,
}

#[napi(catch_unwind)]
pub fn describe(token: u32) -> Result<NativeDescription> {
    thread::vector(token, |v| {
        let Vector::Object(h) = v else {
            return Ok(NativeDescription {
                catalog_offset: 0.0,
                payload_offset: 0.0,
                generation: 0.0,
                id: 0.0,
                recoverable: false,
                dataptr_exposed: true,
                maybe_dirty: true,
            });
        };
        let f = h.facts();
        let (record_off, payload_off, pinned) = h.whereabouts()?;
        Ok(NativeDescription {
            catalog_offset: record_off as f64,
            payload_offset: payload_off as f64,
            generation: f.generation as f64,
            id: f.id as f64,
            recoverable: record_off != 0,
            dataptr_exposed: pinned,
            maybe_dirty: !h.is_read_only(),
        })
    })
}

/// A plain mapped file keeps itself alive under a user's buffer.
struct FileOwner(#[expect(dead_code, reason = "held for its drop")] Arc<MappedFile>);

/// What keeps the bytes of a user's buffer.
enum Owner {
    Pin(rfmalloc_core::Pin),
    File(*mut u8, u64, Arc<MappedFile>),
}

#[napi(catch_unwind, ts_return_type = "ArrayBuffer")]
pub fn user_buffer(env: Env, token: u32, start: f64, nbytes: f64) -> Result<Raw> {
    let (start, nbytes) = (whole(start, "start")?, whole(nbytes, "nbytes")?);
    let owner = thread::vector(token, |v| match v {
        Vector::Object(h) => h.pin(start, nbytes).map(Owner::Pin),
        Vector::File(f) => f.window(start, nbytes).map(|p| Owner::File(p, nbytes, Arc::clone(f))),
    })?;
    match owner {
        Owner::Pin(pin) => thread::list_buffer(thread::store_of(token), |number| {
            view::listed_buffer(&env, pin.ptr(), pin.nbytes(), pin, number)
        }),
        Owner::File(ptr, nbytes, f) => view::owned_buffer(&env, ptr, nbytes, FileOwner(f)),
    }
}

/// Gives every live buffer that `userBuffer` made in this thread over the store's file to `transfer`, and lists what it returns in the
/// buffer's place: the facade keeps the moved buffer, so it is still this thread's when the thread ends.
#[napi(catch_unwind)]
pub fn move_user_buffers(
    env: Env,
    handle: u32,
    #[napi(ts_arg_type = "(buffer: ArrayBuffer) => ArrayBuffer")] transfer: Function<'_, Raw, Raw>,
) -> Result<()> {
    for (number, buffer) in thread::buffers(&env, handle) {
        let moved = transfer.call(buffer).map_err(|e| bad_argument(&e.reason))?;
        let weak = view::weak(&env, &moved)?;
        view::delete_weak(&env, thread::relist(number, weak));
    }
    Ok(())
}

#[napi(catch_unwind)]
pub fn mmap_open(path: String, type_code: u8, len: Option<f64>, read_only: bool) -> Result<()> {
    let len = len.map(|n| whole(n, "length")).transpose()?;
    let file = MappedFile::open(Path::new(&path), dtype(type_code)?, len, read_only).or_fail()?;
    let facts = [
        (1, 0.0),
        (2, (file.len() * file.dtype().width()) as f64),
        (3, f64::from(file.cell().0)),
        (4, f64::from(file.cell().1)),
        (5, f64::from(file.dtype().code())),
        (6, file.len() as f64),
        (7, 0.0),
        (8, 0.0),
        (9, 1.0),
        (10, 0.0),
        (11, 0.0),
        (12, 0.0),
        (13, f64::from(file.loss_cell().0)),
        (14, f64::from(file.loss_cell().1)),
        (15, 0.0),
    ];
    let token = thread::add(0, Vector::File(Arc::new(file)));
    thread::mailbox().write(&facts);
    thread::mailbox().write(&[(0, f64::from(token))]);
    Ok(())
}

#[napi(catch_unwind)]
pub fn mmap_path(token: u32) -> Result<String> {
    thread::vector(token, |v| {
        Ok(match v {
            Vector::File(f) => f.path().display().to_string(),
            Vector::Object(_) => String::new(),
        })
    })
}
