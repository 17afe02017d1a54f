//! Lists: made, and their cells.

use crate::Out;
use crate::call::{self, Err, given, run};
use crate::objects::{Object, borrowed, handle, naming};
use crate::stores::counted;
use rfmalloc_core::{Code, Error, Handle, LIST, MAX_LEN, Result, Store};
use std::collections::HashMap;
use std::ffi::{c_char, c_int};
use std::ptr;

/// A temporary list of these objects, of which null is none.
fn list_of(store: &Store, items: &[*const Object]) -> Result<Handle> {
    // Each object's lock is taken once, however often it stands there.
    let mut held = HashMap::new();
    for item in items.iter().filter(|item| !item.is_null()) {
        held.entry(*item).or_insert(borrowed(*item)?.read());
    }
    let item = |item: &*const Object| held.get(item).map(|held| handle(held)).transpose();
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
        let held = list.read();
        // A list that is put into itself is refused by the core; its lock is taken once all the same.
        let other = item.filter(|item| !ptr::eq(*item, list)).map(Object::read);
        let item = item.map(|_| handle(other.as_ref().unwrap_or(&held))).transpose()?;
        list.store.list_set(handle(&held)?, i, item)
    })
}
