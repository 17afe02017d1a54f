//! Stores: open, close, sync, report.

use crate::error::{OrFail, Result, bad_argument, whole};
use crate::task::{Control, StoreSync, StoreVerify};
use crate::thread;
use crate::view::{self, Raw};
use napi::Env;
use napi::bindgen_prelude::{AsyncTask, External};
use napi_derive::napi;
use rfmalloc_core::{Mode, OpenOptions, Store, VerifyReport};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Bytes between the starts of the facade's private buffers.
const STRIDE: u64 = 3 << 30;

/// How to open, as the facade has checked it.
#[napi(object)]
#[derive(Default)]
pub struct NativeOpen {
    pub mode: Option<String>,
    pub capacity: Option<f64>,
    pub max_size: Option<f64>,
    pub read_only: Option<bool>,
    pub create: Option<bool>,
    pub sync_every: Option<f64>,
    pub full: Option<bool>,
    pub keep_unsynced: Option<bool>,
}

/// An opened store.
#[napi(object, use_nullable = true)]
pub struct StoreFacts {
    pub handle: u32,
    pub path: String,
    pub uuid: String,
    pub mode: String,
    pub read_only: bool,
    pub created: bool,
    pub capacity: Option<f64>,
    pub max_size: f64,
    /// Objects that the first change will drop for good after a machine crash.
    pub discarding: f64,
    pub loss_cell: u32,
    pub loss_value: i32,
}

/// Numbers of an open store.
#[napi(object)]
pub struct NativeInfo {
    pub filepath: String,
    pub uuid: String,
    pub mode: String,
    pub mapped_bytes: f64,
    pub close_requested: bool,
    pub live_vectors: f64,
    pub external_refs: f64,
    pub catalog_head_offset: f64,
    pub catalog_count: f64,
    pub catalog_epoch: f64,
    pub runtime_open: bool,
    pub nbytes: f64,
    pub max_size: f64,
}

/// One row of the catalog.
#[napi(object, use_nullable = true)]
pub struct NativeRecord {
    pub record_offset: f64,
    pub generation: u32,
    pub state: String,
    #[napi(js_name = "type")]
    pub dtype: String,
    pub length: f64,
    pub payload_offset: f64,
    pub payload_nbytes: f64,
    pub flags: u32,
    pub recoverable: bool,
    pub name: Option<String>,
}

/// One thing that verify found.
#[napi(object, use_nullable = true)]
pub struct NativeFault {
    #[napi(js_name = "where")]
    pub place: String,
    pub offset: f64,
    pub what: String,
    pub id: Option<u32>,
}

/// What verify found.
#[napi(object)]
pub struct NativeReport {
    pub ok: bool,
    pub faults: Vec<NativeFault>,
}

pub(crate) fn report(r: VerifyReport) -> NativeReport {
    let fault = |f: rfmalloc_core::Fault| NativeFault {
        place: f.place.to_owned(),
        offset: f.off as f64,
        what: f.what,
        id: f.id,
    };
    NativeReport { ok: r.faults.is_empty(), faults: r.faults.into_iter().map(fault).collect() }
}

fn facts(env: &Env, store: Store, created: bool) -> StoreFacts {
    StoreFacts {
        path: store.path().display().to_string(),
        uuid: store.uuid(),
        mode: store.mode().name().to_owned(),
        read_only: store.is_read_only(),
        created,
        capacity: store.capacity().map(|c| c as f64),
        max_size: store.max_size() as f64,
        discarding: store.discarding().unwrap_or(0) as f64,
        loss_cell: store.loss_cell().0,
        loss_value: store.loss_cell().1,
        handle: thread::add_store(env, store),
    }
}

#[napi(catch_unwind)]
pub fn store_open(env: Env, path: String, o: NativeOpen) -> Result<StoreFacts> {
    let mode = match o.mode.as_deref() {
        None | Some("persistent") => Mode::Persistent,
        Some("scratch") => Mode::Scratch,
        Some(_) => return Err(bad_argument("mode must be 'persistent' or 'scratch'")),
    };
    let defaults = OpenOptions::default();
    let options = OpenOptions {
        mode,
        capacity: o.capacity.map(|c| whole(c, "capacity")).transpose()?,
        max_size: o.max_size.map(|m| whole(m, "maxSize")).transpose()?,
        read_only: o.read_only.unwrap_or(false),
        create: o.create.unwrap_or(true),
        sync_every: match o.sync_every {
            None => defaults.sync_every,
            Some(ms) if ms < 0.0 => None,
            Some(ms) => Some(Duration::from_millis(ms as u64)),
        },
        full: o.full.unwrap_or(false),
        keep_unsynced: o.keep_unsynced.unwrap_or(false),
        ..defaults
    };
    let opened = Store::open(Path::new(&path), &options).or_fail()?;
    Ok(facts(&env, opened.store, opened.created))
}

#[napi(catch_unwind)]
pub fn store_anonymous(env: Env, dir: String) -> Result<StoreFacts> {
    let store = Store::anonymous(Path::new(&dir), &OpenOptions::default()).or_fail()?;
    Ok(facts(&env, store, true))
}

#[napi(catch_unwind)]
pub fn store_close(handle: u32) -> Result<()> {
    thread::close(handle)
}

#[napi(catch_unwind)]
pub fn store_drain(handle: u32) -> Result<bool> {
    thread::drain(handle)
}

#[napi(catch_unwind)]
pub fn store_sync_now(handle: u32) -> Result<f64> {
    thread::store(handle, |s| s.sync().and_then(|()| s.mapped_bytes())).map(|n| n as f64)
}

#[napi(catch_unwind)]
pub fn store_sync(handle: u32) -> Result<AsyncTask<StoreSync>> {
    thread::store(handle, Store::for_work).map(|s| AsyncTask::new(StoreSync(s)))
}

#[napi(catch_unwind)]
pub fn store_reset(handle: u32) -> Result<()> {
    thread::store(handle, Store::reset)
}

#[napi(catch_unwind)]
pub fn store_flush(handle: u32) -> Result<()> {
    thread::store(handle, Store::start_writeback)
}

#[napi(catch_unwind)]
pub fn store_info(handle: u32) -> Result<NativeInfo> {
    let draining = thread::is_draining(handle);
    thread::store(handle, |s| {
        let i = s.info()?;
        Ok(NativeInfo {
            filepath: s.path().display().to_string(),
            uuid: s.uuid(),
            mode: s.mode().name().to_owned(),
            mapped_bytes: i.mapped_bytes as f64,
            close_requested: draining,
            live_vectors: i.live_vectors as f64,
            external_refs: i.external_refs as f64,
            catalog_head_offset: i.catalog_head_off as f64,
            catalog_count: i.catalog_count as f64,
            catalog_epoch: i.catalog_epoch as f64,
            runtime_open: !draining,
            nbytes: i.nbytes as f64,
            max_size: s.max_size() as f64,
        })
    })
}

#[napi(catch_unwind)]
pub fn store_named(handle: u32) -> Result<f64> {
    thread::store(handle, Store::named_count).map(|n| n as f64)
}

#[napi(catch_unwind)]
pub fn store_named_last(handle: u32) -> Result<f64> {
    thread::store(handle, Store::last_named_count).map(|n| n as f64)
}

#[napi(catch_unwind)]
pub fn store_nbytes(handle: u32) -> Result<f64> {
    thread::store(handle, Store::mapped_bytes).map(|n| n as f64)
}

#[napi(catch_unwind)]
pub fn store_allocations(handle: u32) -> Result<Vec<NativeRecord>> {
    let rows = thread::store(handle, Store::allocations)?;
    let row = |r: rfmalloc_core::RecordRow| NativeRecord {
        record_offset: r.record_off as f64,
        generation: r.generation,
        state: r.state.to_owned(),
        dtype: r.dtype.to_owned(),
        length: r.len as f64,
        payload_offset: r.payload_off as f64,
        payload_nbytes: r.payload_nbytes as f64,
        flags: r.flags,
        recoverable: r.recoverable,
        name: r.name,
    };
    Ok(rows.into_iter().map(row).collect())
}

/// R's summary (behaviour 6.22) and the store's own numbers, by R's names in camel case.
#[napi(catch_unwind)]
pub fn store_summary(handle: u32) -> Result<HashMap<String, f64>> {
    let (s, i, u) = thread::store(handle, |s| Ok((s.summary()?, s.info()?, s.usage()?)))?;
    let flag = |b: bool| f64::from(u8::from(b));
    let list = [
        ("recordCount", s.records as f64),
        ("committedRecords", s.committed as f64),
        ("tombstonedRecords", s.tombstoned as f64),
        ("unknownRecords", s.unknown as f64),
        ("recoverableRecords", s.recoverable as f64),
        ("nonrecoverableActiveRecords", s.nonrecoverable_active as f64),
        ("activePayloadBytes", s.active_payload_bytes as f64),
        ("tombstonedPayloadBytes", s.tombstoned_payload_bytes as f64),
        ("committedPayloadGapsBytes", s.committed_payload_gaps_bytes as f64),
        ("potentiallyReclaimablePayloadBytes", s.potentially_reclaimable_payload_bytes as f64),
        ("discardedRecords", i.discarded as f64),
        ("keptRecords", i.kept as f64),
        ("damagedRecords", s.unknown as f64),
        ("unnamedRecords", u.unnamed as f64),
        ("sealedRecords", u.sealed as f64),
        ("temporaries", u.temporaries as f64),
        ("liveBytes", u.live_bytes as f64),
        ("retiredBytes", u.retired_bytes as f64),
        ("pinnedBytes", u.pinned_bytes as f64),
        ("temporaryBytes", u.temporary_bytes as f64),
        ("freeBytes", u.free_bytes as f64),
        ("largestGapBytes", u.largest_gap_bytes as f64),
        ("metadataBytes", u.metadata_bytes as f64),
        ("syncedSequence", i.synced_seq as f64),
        ("cleanAtOpen", flag(i.was_clean)),
        ("oneSuperblockAtOpen", flag(i.one_superblock)),
        ("poisoned", flag(i.poisoned)),
        ("compactionHeldBack", i.held_back as f64),
    ];
    Ok(list.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())
}

#[napi(catch_unwind)]
pub fn store_verify(handle: u32, payloads: bool) -> Result<NativeReport> {
    thread::store(handle, |s| if payloads { s.verify_payloads() } else { s.verify() }).map(report)
}

/// A control for one piece of work off the event loop.
#[napi(js_name = "control", catch_unwind)]
pub fn new_control() -> External<Arc<Control>> {
    External::new(Arc::default())
}

#[napi(catch_unwind)]
pub fn control_stop(control: &External<Arc<Control>>) {
    control.stop();
}

/// How far work is.
#[napi(object)]
pub struct NativeProgress {
    pub done: f64,
    pub total: f64,
    pub unit: String,
}

#[napi(catch_unwind)]
pub fn control_read(control: &External<Arc<Control>>) -> Option<NativeProgress> {
    control.step().map(|s| NativeProgress {
        done: s.done as f64,
        total: s.total as f64,
        unit: s.unit.to_owned(),
    })
}

#[napi(catch_unwind)]
pub fn store_verify_async(
    handle: u32,
    payloads: bool,
    control: &External<Arc<Control>>,
) -> Result<AsyncTask<StoreVerify>> {
    let control = Arc::clone(control);
    thread::store(handle, Store::for_work)
        .map(|store| AsyncTask::new(StoreVerify { store, payloads, control }))
}

#[napi(catch_unwind, ts_return_type = "ArrayBuffer")]
pub fn segment(env: Env, handle: u32, stride: u32, nbytes: f64) -> Result<Raw> {
    let nbytes = whole(nbytes, "nbytes")?;
    let window = thread::store(handle, |s| s.segment_view(u64::from(stride) * STRIDE, nbytes))?;
    view::owned_buffer(&env, window.ptr(), window.nbytes(), window)
}

#[napi(catch_unwind)]
pub fn detach(env: Env, #[napi(ts_arg_type = "ArrayBuffer")] ab: Raw) -> Result<()> {
    view::detach(&env, &ab)
}

#[napi(catch_unwind)]
pub fn exit_sync() {
    rfmalloc_core::sync_all_stores();
}

#[napi(catch_unwind)]
pub fn sweep(env: Env) -> f64 {
    thread::sweep(&env) as f64
}

/// A handle of this thread on the store with this uuid that the process has open; opens no file.
#[napi(catch_unwind)]
pub fn store_by_uuid(env: Env, uuid: String) -> Option<StoreFacts> {
    rfmalloc_core::registry::open_uuid(&uuid).map(|s| facts(&env, s, false))
}
