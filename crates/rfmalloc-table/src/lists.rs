//! Lists and data frames: made, and their cells.

use crate::Out;
use crate::abi::NewFrame;
use crate::call::{self, Err, given, run};
use crate::objects::{Object, Several, borrowed, handle, naming};
use crate::stores::counted;
use rfmalloc_core::{Code, Error, Handle, LIST, MAX_LEN, Result, Store};
use std::ffi::{c_char, c_int};
use std::ptr;

/// A temporary list of these objects, of which null is none.
fn list_of(store: &Store, items: &[*const Object]) -> Result<Handle> {
    let held = Several::read(items.iter().filter_map(|item| borrowed(*item)));
    let item = |item: &*const Object| (!item.is_null()).then(|| held.handle(*item)).transpose();
    let items = items.iter().map(item).collect::<Result<Vec<_>>>()?;
    store.list(LIST, &items)
}

pub(crate) extern "C" fn create_list(
    store: *const Store,
    items: *const *const Object,
    len: u64,
    name: *const c_char,
    flags: u32,
    out: Out<'_, *mut Object>,
    err: Err<'_>,
) -> c_int {
    run(err, || {
        let (store, out) = (counted(store)?, given(out, "list")?);
        let (name, replace, temporary) = naming(name, flags)?;
        let mut made = if items.is_null() {
            if len > MAX_LEN {
                return Err(Error::new(Code::Argument, format!("a list has at most {MAX_LEN} cells")));
            }
            store.list(LIST, &vec![None; len as usize])?
        } else {
            list_of(&store, call::slice(items, len, "items")?)?
        };
        if !temporary {
            store.commit(&mut made, name, replace)?;
        }
        out.write(Object::new(store, made).into_raw());
        Ok(())
    })
}

/// A temporary frame.
fn frame_of(store: &Store, what: &NewFrame) -> Result<Handle> {
    let columns = call::slice(what.columns, what.len, "columns")?;
    let columns = columns.iter().map(|c| given(borrowed(*c), "a column")).collect::<Result<Vec<_>>>()?;
    let names = call::strings(what.names, what.len, "names")?;
    let row_names = if what.row_names.is_null() {
        None
    } else {
        Some(call::strings(what.row_names, what.rows, "row_names")?)
    };
    let held = Several::read(columns.iter().copied());
    let columns = columns.into_iter().map(|c| held.handle(c)).collect::<Result<Vec<_>>>()?;
    store.frame(&columns, &names, row_names.as_ref())
}

pub(crate) extern "C" fn create_frame(
    store: *const Store,
    what: *const NewFrame,
    out: Out<'_, *mut Object>,
    err: Err<'_>,
) -> c_int {
    run(err, || {
        let (store, out) = (counted(store)?, given(out, "frame")?);
        let what = call::sized(what, "what")?;
        let (name, replace, temporary) = naming(what.name, what.flags)?;
        let mut made = frame_of(&store, &what)?;
        if !temporary {
            store.commit(&mut made, name, replace)?;
        }
        out.write(Object::new(store, made).into_raw());
        Ok(())
    })
}

pub(crate) extern "C" fn list_get(
    list: Option<&Object>,
    i: u64,
    out: Out<'_, *mut Object>,
    err: Err<'_>,
) -> c_int {
    run(err, || {
        let (list, out) = (given(list, "list")?, given(out, "item")?);
        let item = list.store.list_get(handle(&list.read())?, i)?;
        let store = &list.store;
        out.write(item.map_or(ptr::null_mut(), |item| Object::new(store.clone(), item).into_raw()));
        Ok(())
    })
}

pub(crate) extern "C" fn list_set(
    list: Option<&Object>,
    i: u64,
    item: Option<&Object>,
    err: Err<'_>,
) -> c_int {
    run(err, || {
        let list = given(list, "list")?;
        let held = Several::read(item.into_iter().chain([list]));
        let item = item.map(|item| held.handle(item)).transpose()?;
        list.store.list_set(held.handle(list)?, i, item)
    })
}
