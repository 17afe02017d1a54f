//! What an object is: type, length, extents, names.

use crate::Out;
use crate::abi::{
    HAS_DIMNAMES, HAS_NAMES, HAS_ROW_NAMES, IS_PART, IS_READ_ONLY, IS_SEALED, Info, NAMES, ROW_NAMES,
    Reference, Strings, Text,
};
use crate::call::{self, Err, given, null, run};
use crate::objects::{Object, handle, handle_mut};
use crate::stores::uuid_of;
use crate::text::{hand_out, hand_out_all};
use rfmalloc_core::{Attributes, Change, Code, Error, ObjectState, Result, Role, Vector};
use std::ffi::c_int;
use std::ptr;

fn state_number(state: ObjectState) -> u32 {
    match state {
        ObjectState::Committed => 1,
        ObjectState::Temporary => 2,
        ObjectState::Destroyed => 3,
        ObjectState::Closed => 4,
    }
}

fn info_of(object: &Object) -> Result<Info> {
    let mut held = object.write();
    let handle = handle_mut(&mut held)?;
    let mut state = if object.store.is_closed() { ObjectState::Closed } else { handle.state() };
    let attributes = match (handle.refresh(), state) {
        (Ok(()), ObjectState::Committed | ObjectState::Temporary) => object.store.attributes(handle)?,
        // It may have ended since it was asked.
        (Err(e), _) if e.code() == Code::Destroyed => {
            state = ObjectState::Destroyed;
            Attributes::default()
        }
        (Err(e), ObjectState::Committed | ObjectState::Temporary) => return Err(e),
        _ => Attributes::default(),
    };
    let f = handle.facts();
    let flag = |is: bool, flag| if is { flag } else { 0 };
    Ok(Info {
        size: 0,
        flags: flag(handle.is_read_only(), IS_READ_ONLY)
            | flag(f.sealed, IS_SEALED)
            | flag(f.owned, IS_PART)
            | flag(attributes.has_names, HAS_NAMES)
            | flag(attributes.has_dimnames.contains(&true), HAS_DIMNAMES)
            | flag(attributes.has_row_names, HAS_ROW_NAMES),
        dtype: u32::from(f.dtype.code()),
        kind: u32::from(f.kind),
        state: state_number(state),
        rank: attributes.dim.len() as u32,
        len: f.len,
        nbytes: f.nbytes,
        rows: attributes.rows.unwrap_or(0),
        reference: Reference { uuid: uuid_of(&object.store), id: f.id, generation: f.generation },
    })
}

pub(crate) extern "C" fn info(object: Option<&Object>, out: *mut Info, err: Err<'_>) -> c_int {
    run(err, || call::fill(out, &info_of(given(object, "object")?)?, "info"))
}

pub(crate) extern "C" fn dim(
    object: Option<&Object>,
    extents: *mut u64,
    capacity: u64,
    rank: Out<'_, u64>,
    err: Err<'_>,
) -> c_int {
    run(err, || {
        let (object, rank) = (given(object, "object")?, given(rank, "rank")?);
        if extents.is_null() && capacity > 0 {
            return Err(null("extents"));
        }
        let dim = object.store.attributes(handle(&object.read())?)?.dim;
        let n = dim.len().min(usize::try_from(capacity).unwrap_or(usize::MAX));
        if n > 0 {
            // SAFETY: the caller gives room for `capacity` numbers, and `n` is no more.
            unsafe { ptr::copy_nonoverlapping(dim.as_ptr(), extents, n) };
        }
        rank.write(dim.len() as u64);
        Ok(())
    })
}

pub(crate) extern "C" fn name(object: Option<&Object>, out: Out<'_, *mut Strings>, err: Err<'_>) -> c_int {
    run(err, || {
        let (object, out) = (given(object, "object")?, given(out, "name")?);
        let name = handle(&object.read())?.name()?;
        out.write(hand_out([name.as_deref().map(str::as_bytes)]));
        Ok(())
    })
}

/// Which names; `rank`: the object's extents.
fn role(which: i32, rank: usize) -> Result<Role> {
    match usize::try_from(which) {
        Ok(extent) if extent < rank => Ok(Role::Dimnames(extent)),
        _ if which == NAMES => Ok(Role::Names),
        _ if which == ROW_NAMES => Ok(Role::RowNames),
        _ => Err(Error::new(
            Code::Argument,
            format!(
                "no names {which}: the object has {rank} extents; RFM_NAMES and RFM_ROW_NAMES are the others"
            ),
        )),
    }
}

pub(crate) extern "C" fn names(
    object: Option<&Object>,
    which: i32,
    out: Out<'_, *mut Strings>,
    err: Err<'_>,
) -> c_int {
    run(err, || {
        let (object, out) = (given(object, "object")?, given(out, "names")?);
        let held = object.read();
        let handle = handle(&held)?;
        let rank = object.store.attributes(handle)?.dim.len();
        out.write(match object.store.child(handle, role(which, rank)?)? {
            None => ptr::null_mut(),
            Some(child) => {
                let child = Vector::Object(child);
                hand_out_all(&child.strings(0, child.len(), u64::MAX)?)
            }
        });
        Ok(())
    })
}

pub(crate) extern "C" fn set_names(
    object: Option<&Object>,
    which: i32,
    names: *const Text,
    len: u64,
    err: Err<'_>,
) -> c_int {
    run(err, || {
        let object = given(object, "object")?;
        let store = &object.store;
        let mut held = object.write();
        let handle = handle_mut(&mut held)?;
        let role = role(which, store.attributes(handle)?.dim.len())?;
        if names.is_null() && len == 0 {
            return store.set_attributes(handle, &[Change::Child(role, None)]);
        }
        let made = store.staged_text(&call::strings(names, len, "names")?)?;
        store.set_attributes(handle, &[Change::Child(role, Some(&made))])
    })
}
