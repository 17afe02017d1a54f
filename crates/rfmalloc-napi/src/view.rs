//! The addon's only unsafe file: raw Node-API calls for external buffers, weak references to facade objects, the mailbox, buffers
//! handed in, and the external that other addons take.
//!
//! Rules it keeps (measured on Node 20 to 26): an external buffer over our memory keeps that memory alive by an owner which its finalizer
//! drops; at the end of an environment finalizers run although another thread may still hold the memory (a transferred buffer), so there
//! the owner is leaked on purpose, unless the buffer was still attached when the end began; zero-length buffers are never external; nothing
//! is marked untransferable, no external memory is adjusted.
#![allow(unsafe_code)]

use crate::error::{Result, bad_argument, fail};
use napi::bindgen_prelude::{FromNapiValue, ToNapiValue, TypeName, ValidateNapiValue};
use napi::{Env, ValueType, sys};
use rfmalloc_core::{Code, Error, RawBytes, Source};
use std::cell::UnsafeCell;
use std::ffi::c_void;
use std::ptr;

/// Any JavaScript value, passed through unread.
pub(crate) struct Raw(sys::napi_value);

impl TypeName for Raw {
    fn type_name() -> &'static str {
        "unknown"
    }
    fn value_type() -> ValueType {
        ValueType::Unknown
    }
}

impl ValidateNapiValue for Raw {
    unsafe fn validate(_env: sys::napi_env, _value: sys::napi_value) -> napi::Result<sys::napi_value> {
        Ok(ptr::null_mut())
    }
}

impl FromNapiValue for Raw {
    unsafe fn from_napi_value(_env: sys::napi_env, value: sys::napi_value) -> napi::Result<Self> {
        Ok(Self(value))
    }
}

impl ToNapiValue for Raw {
    unsafe fn to_napi_value(_env: sys::napi_env, value: Self) -> napi::Result<sys::napi_value> {
        Ok(value.0)
    }
}

/// Memory shared with the facade: sixteen numbers written here and read there, and a page written there and read here.
pub(crate) struct Mailbox {
    facts: Box<UnsafeCell<[f64; FACTS]>>,
    staging: Box<UnsafeCell<[u8; STAGING]>>,
}

/// Numbers of one answer.
const FACTS: usize = 20;

/// Bytes of a small vector's elements that need no array of their own.
const STAGING: usize = 4096;

impl Mailbox {
    pub(crate) fn new() -> Self {
        Self {
            facts: Box::new(UnsafeCell::new([0.0; FACTS])),
            staging: Box::new(UnsafeCell::new([0; STAGING])),
        }
    }

    /// Runs `f` with the first `nbytes` staged bytes.
    pub(crate) fn with_staged<T>(&self, nbytes: u64, f: impl FnOnce(&[u8]) -> T) -> Result<T> {
        if nbytes > STAGING as u64 {
            return Err(bad_argument("more bytes than the staging page has"));
        }
        // SAFETY: 1. one thread owns the mailbox; 2. no JavaScript runs during the call, so nobody writes the page.
        Ok(f(unsafe { std::slice::from_raw_parts(self.staging.get().cast::<u8>(), nbytes as usize) }))
    }

    /// A buffer over the staging page.
    pub(crate) fn staging_buffer(&self, env: &Env) -> Result<Raw> {
        external(env, self.staging.get().cast(), STAGING, None)
    }

    pub(crate) fn write(&self, values: &[(usize, f64)]) {
        for (i, v) in values {
            if *i < FACTS {
                // SAFETY: 1. one thread owns the mailbox; 2. JavaScript reads it only between calls; 3. no reference to the array exists.
                unsafe { self.facts.get().cast::<f64>().add(*i).write(*v) }
            }
        }
    }

    /// A buffer over the mailbox. The box is leaked by the caller's thread state living as long as the environment.
    pub(crate) fn buffer(&self, env: &Env) -> Result<Raw> {
        external(env, self.facts.get().cast(), size_of::<[f64; FACTS]>(), None)
    }
}

/// What an external buffer's finalizer gets: what keeps the memory, and the buffer's number in this thread's list (0: not listed).
struct Owner {
    memory: Box<dyn Send>,
    number: u64,
}

/// An external buffer; its owner keeps the memory alive and is dropped by the finalizer.
fn external(env: &Env, ptr: *mut u8, nbytes: usize, owner: Option<Owner>) -> Result<Raw> {
    let mut value = ptr::null_mut();
    let hint = owner.map_or(ptr::null_mut(), |o| Box::into_raw(Box::new(o)).cast::<c_void>());
    // SAFETY: 1. `ptr` is mapped for `nbytes` until `owner` is dropped (or for ever without one); 2. the finalizer gets the hint once.
    let status = unsafe {
        sys::napi_create_external_arraybuffer(
            env.raw(),
            ptr.cast(),
            nbytes,
            Some(drop_owner),
            hint,
            &raw mut value,
        )
    };
    if status == sys::Status::napi_ok {
        return Ok(Raw(value));
    }
    if !hint.is_null() {
        // SAFETY: no buffer was made, so the finalizer will not run: the box is still ours.
        drop(unsafe { Box::from_raw(hint.cast::<Owner>()) });
    }
    clear_exception(env);
    let e = if status == sys::Status::napi_no_external_buffers_allowed {
        Error::new(
            Code::NoExternal,
            "this runtime refuses external buffers; use readInto, toTypedArray and write instead of view",
        )
    } else {
        Error::new(Code::TooLarge, format!("this runtime refuses a buffer of {nbytes} bytes; use windows()"))
    };
    Err(fail(&e))
}

fn clear_exception(env: &Env) {
    let mut pending = ptr::null_mut();
    // SAFETY: plain query of the environment of the current call.
    unsafe { sys::napi_get_and_clear_last_exception(env.raw(), &raw mut pending) };
}

unsafe extern "C" fn drop_owner(env: sys::napi_env, _data: *mut c_void, hint: *mut c_void) {
    if hint.is_null() {
        return;
    }
    // SAFETY: `hint` is the box made in `external`, given to this finalizer once.
    let owner = unsafe { Box::from_raw(hint.cast::<Owner>()) };
    let (weak, is_ours) =
        std::panic::catch_unwind(|| crate::thread::buffer_gone(owner.number)).unwrap_or_default();
    if let Some(WeakObject(reference)) = weak {
        // SAFETY: the reference was made for this buffer in this environment and is deleted once.
        unsafe { sys::napi_delete_reference(env, reference) };
    }
    // SAFETY: `env` is the environment that runs this finalizer.
    if !is_ours && unsafe { is_ending(env) } {
        // The thread ends. A buffer transferred to another thread may still be in use there: the memory stays. The buffers that are still
        // attached now are nobody else's.
        // SAFETY: finalizers run on the environment's thread.
        let is_attached = |weak: &WeakObject| unsafe { weak.is_attached(env) };
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| crate::thread::ending(is_attached)));
        std::mem::forget(owner);
        return;
    }
    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || drop(owner.memory)));
}

/// Whether JavaScript can no longer run in this environment: then a finalizer does not prove that its buffer was collected.
unsafe fn is_ending(env: sys::napi_env) -> bool {
    let mut global = ptr::null_mut();
    let mut has = false;
    let mut scope = ptr::null_mut();
    // SAFETY: 1. all out-pointers are valid; 2. the scope is closed on every path; 3. the property query runs no user code on a plain global.
    unsafe {
        if sys::napi_open_handle_scope(env, &raw mut scope) != sys::Status::napi_ok {
            return true;
        }
        let ok = sys::napi_get_global(env, &raw mut global) == sys::Status::napi_ok
            && sys::napi_has_named_property(env, global, c"Object".as_ptr(), &raw mut has)
                == sys::Status::napi_ok;
        sys::napi_close_handle_scope(env, scope);
        !ok
    }
}

/// A buffer over memory that `owner` keeps; `ptr` must come from it.
pub(crate) fn owned_buffer<T: Send + 'static>(env: &Env, ptr: *mut u8, nbytes: u64, owner: T) -> Result<Raw> {
    if ptr.is_null() || nbytes == 0 {
        return Err(bad_argument("an external buffer needs at least one byte"));
    }
    external(env, ptr, nbytes as usize, Some(Owner { memory: Box::new(owner), number: 0 }))
}

/// The same for a buffer that goes to the user: the thread's list can find it again while it is reachable.
pub(crate) fn listed_buffer<T: Send + 'static>(
    env: &Env,
    ptr: *mut u8,
    nbytes: u64,
    owner: T,
    number: u64,
) -> Result<(Raw, WeakObject)> {
    if ptr.is_null() || nbytes == 0 {
        return Err(bad_argument("an external buffer needs at least one byte"));
    }
    let buffer = external(env, ptr, nbytes as usize, Some(Owner { memory: Box::new(owner), number }))?;
    let weak = weak(env, &buffer)?;
    Ok((buffer, weak))
}

/// Deletes a weak reference that is in no table any more.
pub(crate) fn delete_weak(env: &Env, weak: WeakObject) {
    // SAFETY: the caller took the only copy out of the tables.
    unsafe { sys::napi_delete_reference(env.raw(), weak.0) };
}

/// A weak reference to an object.
pub(crate) fn weak(env: &Env, object: &Raw) -> Result<WeakObject> {
    let mut reference = ptr::null_mut();
    // SAFETY: `object` is a value of the current call; a reference of count 0 is weak.
    let status = unsafe { sys::napi_create_reference(env.raw(), object.0, 0, &raw mut reference) };
    if status == sys::Status::napi_ok {
        Ok(WeakObject(reference))
    } else {
        Err(bad_argument("no weak reference"))
    }
}

/// A buffer over memory that is never freed.
pub(crate) fn static_buffer<T: Sync>(env: &Env, memory: &'static [T]) -> Result<Raw> {
    external(env, memory.as_ptr().cast_mut().cast(), size_of_val(memory), None)
}

/// An external around memory that is there for ever, with a type tag by which another addon knows what it is.
pub(crate) fn tagged_external<T: Sync>(
    env: &Env,
    memory: Option<&'static T>,
    tag: (u64, u64),
) -> Result<Raw> {
    let Some(memory) = memory else {
        return Err(fail(&Error::new(Code::Internal, "the addon has no table of its own version")));
    };
    let tag = sys::napi_type_tag { lower: tag.0, upper: tag.1 };
    let (mut value, data) = (ptr::null_mut(), ptr::from_ref(memory).cast_mut().cast::<c_void>());
    // SAFETY: 1. the memory is static and this library is never unloaded, so no finalizer is needed; 2. the tag is copied.
    let done = unsafe {
        sys::napi_create_external(env.raw(), data, None, ptr::null_mut(), &raw mut value)
            == sys::Status::napi_ok
            && sys::napi_type_tag_object(env.raw(), value, &raw const tag) == sys::Status::napi_ok
    };
    if done {
        return Ok(Raw(value));
    }
    clear_exception(env);
    Err(fail(&Error::new(
        Code::Unsupported,
        "this runtime puts no type tags on externals; use Node 20.12 or newer",
    )))
}

/// Detaches a private buffer.
pub(crate) fn detach(env: &Env, buffer: &Raw) -> Result<()> {
    // SAFETY: `buffer` is a value of the current call; Node-API checks that it is an ArrayBuffer.
    if unsafe { sys::napi_detach_arraybuffer(env.raw(), buffer.0) } == sys::Status::napi_ok {
        Ok(())
    } else {
        clear_exception(env);
        Err(bad_argument("not a detachable ArrayBuffer"))
    }
}

/// A weak reference to a facade object.
pub(crate) struct WeakObject(sys::napi_ref);

/// Ties `token` to the facade object: when it is collected, `collected(token)` runs on this thread.
pub(crate) fn wrap(env: &Env, object: &Raw, token: u32) -> Result<WeakObject> {
    let mut reference = ptr::null_mut();
    // SAFETY: 1. `object` is a value of the current call; 2. the native pointer is a number in disguise and never dereferenced; 3. the
    // reference is deleted in the finalizer, as Node-API demands.
    let status = unsafe {
        sys::napi_wrap(
            env.raw(),
            object.0,
            ptr::without_provenance_mut(token as usize + 1),
            Some(collected),
            ptr::null_mut(),
            &raw mut reference,
        )
    };
    if status == sys::Status::napi_ok {
        Ok(WeakObject(reference))
    } else {
        clear_exception(env);
        Err(bad_argument("attach needs a fresh object"))
    }
}

unsafe extern "C" fn collected(env: sys::napi_env, data: *mut c_void, _hint: *mut c_void) {
    let token = (data.addr() - 1) as u32;
    let done = std::panic::catch_unwind(|| crate::thread::collected(token));
    if let Ok(Some(WeakObject(reference))) = done {
        // SAFETY: the reference came from `napi_wrap` in this environment and is deleted once, in its finalizer.
        unsafe { sys::napi_delete_reference(env, reference) };
    }
}

impl WeakObject {
    /// The object, if it is still reachable.
    pub(crate) fn get(&self, env: &Env) -> Option<Raw> {
        let mut value = ptr::null_mut();
        // SAFETY: the reference is alive until its finalizer, which removes it from the tables first.
        let status = unsafe { sys::napi_get_reference_value(env.raw(), self.0, &raw mut value) };
        (status == sys::Status::napi_ok && !value.is_null()).then_some(Raw(value))
    }

    /// Whether the object is a reachable buffer that has not been transferred away.
    unsafe fn is_attached(&self, env: sys::napi_env) -> bool {
        let (mut scope, mut value, mut is_detached) = (ptr::null_mut(), ptr::null_mut(), true);
        // SAFETY: 1. the caller's environment is alive and this is its thread; 2. the scope is closed on every path.
        unsafe {
            if sys::napi_open_handle_scope(env, &raw mut scope) != sys::Status::napi_ok {
                return false;
            }
            let known = sys::napi_get_reference_value(env, self.0, &raw mut value) == sys::Status::napi_ok
                && !value.is_null()
                && sys::napi_is_detached_arraybuffer(env, value, &raw mut is_detached)
                    == sys::Status::napi_ok;
            sys::napi_close_handle_scope(env, scope);
            known && !is_detached
        }
    }

    /// Whether the object is already unreachable, without making it reachable again for longer than the call.
    pub(crate) fn is_gone(&self, env: &Env) -> bool {
        let mut scope = ptr::null_mut();
        // SAFETY: the scope is closed right after the query.
        unsafe {
            sys::napi_open_handle_scope(env.raw(), &raw mut scope);
            let gone = self.get(env).is_none();
            sys::napi_close_handle_scope(env.raw(), scope);
            gone
        }
    }
}

/// Calls `crate::thread::ended` when the environment ends.
pub(crate) fn on_end(env: &Env) {
    unsafe extern "C" fn hook(_arg: *mut c_void) {
        let _ = std::panic::catch_unwind(crate::thread::ended);
    }
    // SAFETY: the hook is a static function of a library that is never unloaded.
    unsafe { sys::napi_add_env_cleanup_hook(env.raw(), Some(hook), ptr::null_mut()) };
}

/// Bytes of a typed array handed in, with the layout of its elements. Valid during the current call.
pub(crate) fn typed_array(env: &Env, value: &Raw) -> Result<(Source, RawBytes)> {
    use sys::TypedarrayType as T;
    let (mut kind, mut len, mut data, mut buffer, mut off) =
        (0, 0usize, ptr::null_mut(), ptr::null_mut(), 0usize);
    // SAFETY: all out-pointers are valid; Node-API checks that the value is a typed array.
    let status = unsafe {
        sys::napi_get_typedarray_info(
            env.raw(),
            value.0,
            &raw mut kind,
            &raw mut len,
            &raw mut data,
            &raw mut buffer,
            &raw mut off,
        )
    };
    if status != sys::Status::napi_ok {
        return Err(bad_argument("not a typed array"));
    }
    let source = match kind {
        T::int8_array => Source::I8,
        T::uint8_array | T::uint8_clamped_array => Source::U8,
        T::int16_array => Source::I16,
        T::int32_array => Source::I32,
        T::uint32_array => Source::U32,
        T::float32_array => Source::F32,
        T::float64_array => Source::F64,
        T::bigint64_array => Source::I64,
        _ => return Err(bad_argument("this kind of typed array has no element type here")),
    };
    let nbytes = if data.is_null() { 0 } else { len as u64 * source.width() };
    let ptr = if nbytes == 0 { ptr::NonNull::dangling().as_ptr() } else { data.cast() };
    // SAFETY: 1. the array's memory stays where it is during the call, since no JavaScript runs; 2. nobody forms references to it.
    Ok((source, unsafe { RawBytes::new(ptr, nbytes) }))
}
