//! Stores: opened, closed, synced, looked into.

use crate::abi::{
    self, DURABLE, Entry, IS_READ_ONLY, IS_SCRATCH, KEEP_UNSYNCED, MUST_EXIST, NO_SIGBUS_HANDLER, READ_ONLY,
    Reference, SCRATCH, StoreInfo, Strings, Text,
};
use crate::call::{self, Err, given, null, run};
use crate::objects::Object;
use crate::text::hand_out;
use crate::{Out, Visit};
use rfmalloc_core::{Code, Error, Mode, OpenOptions, Result, Store, registry};
use std::ffi::{CStr, c_char, c_int, c_void};
use std::path::Path;
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

/// A counted pointer of C's, borrowed as one of ours.
pub(crate) fn counted(store: *const Store) -> Result<Arc<Store>> {
    if store.is_null() {
        return Err(null("store"));
    }
    // SAFETY: C has it from `Arc::into_raw` and gives its count back only by close().
    unsafe {
        Arc::increment_strong_count(store);
        Ok(Arc::from_raw(store))
    }
}

fn options(given: *const abi::OpenOptions) -> Result<OpenOptions> {
    let defaults = OpenOptions::default();
    if given.is_null() {
        return Ok(defaults);
    }
    let o = call::sized(given, "options")?;
    let known = READ_ONLY | MUST_EXIST | SCRATCH | DURABLE | KEEP_UNSYNCED | NO_SIGBUS_HANDLER;
    call::check_flags(o.flags, known)?;
    let has = |flag| o.flags & flag != 0;
    Ok(OpenOptions {
        mode: if has(SCRATCH) { Mode::Scratch } else { Mode::Persistent },
        capacity: (o.capacity != 0).then_some(o.capacity),
        max_size: (o.max_size != 0).then_some(o.max_size),
        read_only: has(READ_ONLY),
        create: !has(MUST_EXIST),
        sync_every: match o.sync_every_ms {
            0 => defaults.sync_every,
            ms => u64::try_from(ms).ok().map(Duration::from_millis),
        },
        full: has(DURABLE),
        keep_unsynced: has(KEEP_UNSYNCED),
        lock_timeout: match o.lock_timeout_ms {
            u64::MAX => Duration::MAX,
            ms => Duration::from_millis(ms),
        },
        contain: !has(NO_SIGBUS_HANDLER),
        ..defaults
    })
}

pub(crate) extern "C" fn open(
    path: *const c_char,
    given_options: *const abi::OpenOptions,
    out: Out<'_, *const Store>,
    err: Err<'_>,
) -> c_int {
    run(err, || {
        let out = given(out, "store")?;
        let opened = Store::open(call::path(path)?, &options(given_options)?)?;
        out.write(Arc::into_raw(Arc::new(opened.store)));
        Ok(())
    })
}

pub(crate) extern "C" fn open_uuid(uuid: *const c_char, out: Out<'_, *const Store>, err: Err<'_>) -> c_int {
    run(err, || {
        let out = given(out, "store")?;
        let store = open_here(call::text(uuid, "uuid")?)?;
        out.write(Arc::into_raw(Arc::new(store)));
        Ok(())
    })
}

fn open_here(uuid: &str) -> Result<Store> {
    registry::open_uuid(uuid).ok_or_else(|| {
        Error::new(Code::NotFound, format!("no store {uuid} is open in this process; open it by its path"))
    })
}

/// The store and the object that a reference names.
fn resolve(wanted: &Reference, path: Option<&Path>, options: &OpenOptions) -> Result<(Arc<Store>, Object)> {
    let uuid = CStr::from_bytes_until_nul(&wanted.uuid).ok().and_then(|u| u.to_str().ok());
    let uuid = given(uuid.filter(|u| u.len() == 32), "the reference's uuid of 32 digits")?;
    let store = match path {
        None => open_here(uuid)?,
        Some(path) => Store::open(path, &OpenOptions { create: false, ..options.clone() })?.store,
    };
    if !store.uuid().eq_ignore_ascii_case(uuid) {
        return Err(Error::new(
            Code::OtherStore,
            format!("{} is another store, not {uuid}, which the reference names", store.path().display()),
        ));
    }
    let handle = store.open_id(wanted.id, wanted.generation)?;
    let store = Arc::new(store);
    Ok((Arc::clone(&store), Object::new(store, handle)))
}

pub(crate) extern "C" fn open_ref(
    wanted: Option<&Reference>,
    path: *const c_char,
    given_options: *const abi::OpenOptions,
    out_store: Out<'_, *const Store>,
    out: Out<'_, *mut Object>,
    err: Err<'_>,
) -> c_int {
    run(err, || {
        let (wanted, out_store) = (given(wanted, "ref")?, given(out_store, "store")?);
        let out = given(out, "object")?;
        let path = if path.is_null() { None } else { Some(call::path(path)?) };
        let (store, object) = resolve(wanted, path, &options(given_options)?)?;
        out_store.write(Arc::into_raw(store));
        out.write(object.into_raw());
        Ok(())
    })
}

pub(crate) extern "C" fn close(store: *const Store, err: Err<'_>) -> c_int {
    run(err, || {
        if store.is_null() {
            return Err(null("store"));
        }
        // SAFETY: C has it from `Arc::into_raw`, and gives it back once, after all other calls with it.
        let store = unsafe { Arc::from_raw(store) };
        // Holds on objects keep what they need; they are told that it is closed.
        store.close()
    })
}

pub(crate) extern "C" fn sync(store: Option<&Store>, err: Err<'_>) -> c_int {
    run(err, || given(store, "store")?.sync())
}

/// 32 digits, with NUL behind them.
pub(crate) fn uuid_of(store: &Store) -> [u8; 40] {
    let mut out = [0; 40];
    for (to, from) in out.iter_mut().zip(store.uuid().bytes().take(39)) {
        *to = from;
    }
    out
}

pub(crate) extern "C" fn store_info(store: Option<&Store>, out: *mut StoreInfo, err: Err<'_>) -> c_int {
    run(err, || {
        let store = given(store, "store")?;
        let flag = |is: bool, flag| if is { flag } else { 0 };
        let info = StoreInfo {
            size: 0,
            flags: flag(store.is_read_only(), IS_READ_ONLY) | flag(store.mode() == Mode::Scratch, IS_SCRATCH),
            uuid: uuid_of(store),
            nbytes: store.mapped_bytes()?,
            max_size: store.max_size(),
            named: store.named_count()?,
        };
        call::fill(out, &info, "info")
    })
}

pub(crate) extern "C" fn store_path(
    store: Option<&Store>,
    out: Out<'_, *mut Strings>,
    err: Err<'_>,
) -> c_int {
    use std::os::unix::ffi::OsStrExt;
    run(err, || {
        let (store, out) = (given(store, "store")?, given(out, "path")?);
        // As the system has it, UTF-8 or not: it is to be opened again.
        out.write(hand_out([Some(store.path().as_os_str().as_bytes())]));
        Ok(())
    })
}

pub(crate) extern "C" fn walk(
    store: Option<&Store>,
    visit: Option<Visit>,
    context: *mut c_void,
    err: Err<'_>,
) -> c_int {
    run(err, || {
        let (store, visit) = (given(store, "store")?, given(visit, "visit")?);
        let mut name = Vec::new();
        store.walk(|entry| {
            name.clear();
            name.extend_from_slice(entry.name.as_deref().unwrap_or("").as_bytes());
            name.push(0);
            let data = if entry.name.is_some() { name.as_ptr().cast() } else { ptr::null() };
            let seen = Entry {
                size: size_of::<Entry>() as u32,
                dtype: entry.dtype.map_or(0, |t| u32::from(t.code())),
                kind: u32::from(entry.kind),
                reserved: 0,
                id: entry.id,
                generation: entry.generation,
                len: entry.len,
                name: Text { data, nbytes: name.len() as u64 - 1 },
            };
            visit(context, &raw const seen) == 0
        })
    })
}
