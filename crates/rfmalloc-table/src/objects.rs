//! Objects: a hold on one, and how they are made, found, named and ended.

use crate::Out;
use crate::abi::{New, REPLACE, TEMPORARY};
use crate::call::{self, Err, check_flags, given, quietly, run};
use crate::stores::counted;
use rfmalloc_core::{ARRAY, Change, Code, Dtype, Error, Handle, MATRIX, Result, Store, VECTOR, Vector};
use std::ffi::{c_char, c_int};
use std::ptr;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// `rfm_object`: a hold on an object, for any thread. The lock guards what a handle knows of its object, not the object.
pub struct Object {
    pub(crate) store: Arc<Store>,
    held: RwLock<Vector>,
}

impl Object {
    pub(crate) fn new(store: Arc<Store>, handle: Handle) -> Self {
        Self { store, held: RwLock::new(Vector::Object(handle)) }
    }

    /// For C, which gives it back by `release`.
    pub(crate) fn into_raw(self) -> *mut Self {
        Box::into_raw(Box::new(self))
    }

    /// For work with this object alone; with several see [`Several`].
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, Vector> {
        self.held.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// For what changes the handle's knowledge.
    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, Vector> {
        self.held.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Holds that one call works with. Each is locked once, however often it is given, and all threads lock in the same order: with one waiting
/// to change each of two, others that had taken one of them and wanted the other would wait in a circle.
pub(crate) struct Several<'a>(Vec<(*const Object, RwLockReadGuard<'a, Vector>)>);

impl<'a> Several<'a> {
    pub(crate) fn read(objects: impl IntoIterator<Item = &'a Object>) -> Self {
        let mut objects: Vec<&Object> = objects.into_iter().collect();
        objects.sort_unstable_by_key(|o| ptr::from_ref(*o));
        objects.dedup_by_key(|o| ptr::from_ref(*o));
        Self(objects.into_iter().map(|o| (ptr::from_ref(o), o.read())).collect())
    }

    /// The handle of one of them.
    pub(crate) fn handle(&self, object: *const Object) -> Result<&Handle> {
        let found = self.0.binary_search_by_key(&object, |(at, _)| *at);
        let missing = |_| Error::new(Code::Internal, "an object was not locked with the others");
        handle(&self.0[found.map_err(missing)?].1)
    }
}

/// The handle inside a hold.
pub(crate) fn handle(held: &Vector) -> Result<&Handle> {
    match held {
        Vector::Object(handle) => Ok(handle),
        Vector::File(_) => Err(no_object()),
    }
}

/// The same, to be changed.
pub(crate) fn handle_mut(held: &mut Vector) -> Result<&mut Handle> {
    match held {
        Vector::Object(handle) => Ok(handle),
        Vector::File(_) => Err(no_object()),
    }
}

fn no_object() -> Error {
    Error::new(Code::Internal, "a plain file among the objects")
}

/// What a new object is to be, read and checked.
struct Wanted<'a> {
    dtype: Dtype,
    kind: u8,
    len: u64,
    dim: &'a [u64],
    replace: bool,
    temporary: bool,
    name: Option<&'a str>,
}

fn wanted<'a>(new: &New) -> Result<Wanted<'a>> {
    let wrong = |what: &str| Err(Error::new(Code::Argument, what));
    let (name, replace, temporary) = naming(new.name, new.flags)?;
    let Some(dtype) = u8::try_from(new.dtype).ok().and_then(Dtype::from_code) else {
        return Err(Error::new(Code::Type, format!("{} is no element type", new.dtype)));
    };
    let kind = u8::try_from(new.kind).unwrap_or(u8::MAX);
    let dim = call::slice(new.dim, new.rank, "dim")?;
    match kind {
        VECTOR if !dim.is_empty() => return wrong("a vector has no extents; ask for a matrix or an array"),
        VECTOR | MATRIX | ARRAY => {}
        _ => return wrong("create makes vectors, matrices and arrays; create_list makes lists"),
    }
    let product = dim.iter().try_fold(1u64, |n, extent| n.checked_mul(*extent));
    let len = match (kind, product) {
        (VECTOR, _) => new.len,
        (_, Some(product)) if new.len == 0 || new.len == product => product,
        _ => return Err(Error::new(Code::Dim, "the extents' product is not the length")),
    };
    Ok(Wanted { dtype, kind, len, dim, replace, temporary, name })
}

/// A temporary with the elements that were given.
fn staged(store: &Store, new: &New, w: &Wanted<'_>) -> Result<Handle> {
    if w.dtype == Dtype::Character {
        if !new.data.is_null() {
            return Err(Error::new(Code::Argument, "the elements of text are given as text, not as data"));
        }
        if new.text.is_null() {
            return store.reserve(w.dtype, w.len, true);
        }
        return store.staged_text(&call::strings(new.text, w.len, "text")?);
    }
    if !new.text.is_null() {
        return Err(Error::new(Code::Argument, "text was given for elements that are none"));
    }
    match bytes_of(new, w)? {
        Some(bytes) => store.staged(w.dtype, w.len, bytes),
        None => store.reserve(w.dtype, w.len, true),
    }
}

/// The elements that were given; `None`: zeros.
fn bytes_of<'a>(new: &New, w: &Wanted<'_>) -> Result<Option<&'a [u8]>> {
    if new.data.is_null() {
        return Ok(None);
    }
    call::slice(new.data.cast::<u8>(), w.len.saturating_mul(w.dtype.width()), "data").map(Some)
}

fn make(store: &Store, new: &New) -> Result<Handle> {
    let w = wanted(new)?;
    let is_plain = w.kind == VECTOR && w.dtype.is_plain() && new.text.is_null() && !w.temporary;
    if is_plain && let Some(bytes) = bytes_of(new, &w)? {
        return store.put(w.dtype, w.len, bytes, w.name, w.replace);
    }
    let mut handle = staged(store, new, &w)?;
    if w.kind != VECTOR {
        store.set_attributes(&mut handle, &[Change::Dim(Some((w.kind, w.dim)))])?;
    }
    if !w.temporary {
        store.commit(&mut handle, w.name, w.replace)?;
    }
    Ok(handle)
}

pub(crate) extern "C" fn create(
    store: *const Store,
    new: *const New,
    out: Out<'_, *mut Object>,
    err: Err<'_>,
) -> c_int {
    run(err, || {
        let (store, out) = (counted(store)?, given(out, "object")?);
        let made = make(&store, &call::sized(new, "what")?)?;
        out.write(Object::new(store, made).into_raw());
        Ok(())
    })
}

pub(crate) extern "C" fn find(
    store: *const Store,
    name: *const c_char,
    out: Out<'_, *mut Object>,
    err: Err<'_>,
) -> c_int {
    run(err, || {
        let (store, out) = (counted(store)?, given(out, "object")?);
        let name = call::text(name, "name")?;
        let found = store.open_name(name)?.ok_or_else(|| {
            let path = store.path().display();
            Error::new(Code::NotFound, format!("no object named '{name}' in {path}")).with("name", name)
        })?;
        out.write(Object::new(store, found).into_raw());
        Ok(())
    })
}

pub(crate) extern "C" fn find_ref(
    store: *const Store,
    id: u64,
    generation: u64,
    out: Out<'_, *mut Object>,
    err: Err<'_>,
) -> c_int {
    run(err, || {
        let (store, out) = (counted(store)?, given(out, "object")?);
        let found = store.open_id(id, generation)?;
        out.write(Object::new(store, found).into_raw());
        Ok(())
    })
}

pub(crate) extern "C" fn commit(
    object: Option<&Object>,
    name: *const c_char,
    flags: u32,
    err: Err<'_>,
) -> c_int {
    run(err, || {
        let object = given(object, "object")?;
        check_flags(flags, REPLACE)?;
        let name = call::optional_text(name, "name")?;
        object.store.commit(handle_mut(&mut object.write())?, name, flags & REPLACE != 0)
    })
}

pub(crate) extern "C" fn rename(
    object: Option<&Object>,
    name: *const c_char,
    flags: u32,
    err: Err<'_>,
) -> c_int {
    run(err, || {
        let object = given(object, "object")?;
        check_flags(flags, REPLACE)?;
        let name = call::optional_text(name, "name")?;
        object.store.rename(handle_mut(&mut object.write())?, name, flags & REPLACE != 0)
    })
}

pub(crate) extern "C" fn destroy(object: Option<&Object>, err: Err<'_>) -> c_int {
    run(err, || {
        let object = given(object, "object")?;
        let held = object.read();
        if object.store.destroy(handle(&held)?, false)? {
            return Ok(());
        }
        Err(Error::new(Code::Destroyed, "the object was destroyed already; release() it"))
    })
}

pub(crate) extern "C" fn release(object: *mut Object) {
    if object.is_null() {
        return;
    }
    // SAFETY: C has it from `Object::into_raw`, and gives it back once, after all other calls with it.
    quietly(|| drop(unsafe { Box::from_raw(object) }));
}

/// The name that a new object gets, whether it replaces, whether it stays a temporary.
pub(crate) fn naming<'a>(name: *const c_char, flags: u32) -> Result<(Option<&'a str>, bool, bool)> {
    check_flags(flags, REPLACE | TEMPORARY)?;
    let (name, temporary) = (call::optional_text(name, "name")?, flags & TEMPORARY != 0);
    if name.is_some() && temporary {
        return Err(Error::new(Code::Argument, "a temporary has no name; commit() gives it one"));
    }
    Ok((name, flags & REPLACE != 0, temporary))
}

/// A hold from an array of C's, if there is one.
pub(crate) fn borrowed<'a>(object: *const Object) -> Option<&'a Object> {
    // SAFETY: as for every pointer of an object: valid during the call.
    unsafe { object.as_ref() }
}
