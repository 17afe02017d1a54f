//! Attributes: shape, names and what the user noted; the objects that hold the names.

use crate::error::{Result, bad_argument, whole};
use crate::object::{found, post};
use crate::thread;
use crate::view::Raw;
use napi::bindgen_prelude::Either3;
use napi::{Either, Env};
use napi_derive::napi;
use rfmalloc_core::{Change, Role};

/// Attributes as they are now.
#[napi(object, use_nullable = true)]
pub struct NativeAttributes {
    pub kind: u32,
    pub dim: Option<Vec<f64>>,
    pub names: bool,
    pub dimnames: Option<Vec<bool>>,
    pub rows: Option<f64>,
    pub row_names: bool,
    /// Key and JSON text.
    pub user: Vec<Vec<String>>,
}

/// What is to change, all or nothing; what is absent stays. A token names a temporary that becomes a part, -1 means none.
#[napi(object)]
#[derive(Default)]
pub struct NativeChanges {
    /// 1 matrix, 2 array; beside `dim`.
    pub class: Option<u32>,
    /// No extents: a plain vector.
    pub dim: Option<Vec<f64>>,
    pub names: Option<i32>,
    pub dimnames: Option<Vec<i32>>,
    pub rows: Option<f64>,
    pub row_names: Option<i32>,
    /// Key, and JSON text unless the attribute goes.
    pub user: Option<Vec<Vec<String>>>,
}

#[napi(catch_unwind)]
pub fn attributes_of(token: u32) -> Result<NativeAttributes> {
    let a = thread::object(token, |s, h| s.attributes(h))?;
    Ok(NativeAttributes {
        kind: u32::from(a.kind),
        dim: (!a.dim.is_empty()).then(|| a.dim.iter().map(|e| *e as f64).collect()),
        names: a.has_names,
        dimnames: (!a.has_dimnames.is_empty()).then_some(a.has_dimnames),
        rows: a.rows.map(|n| n as f64),
        row_names: a.has_row_names,
        user: a.user.into_iter().map(|(key, json)| vec![key, json]).collect(),
    })
}

/// 0: names, 1: row names, 2 + i: dimnames of extent i.
fn role(code: u32) -> Role {
    match code {
        0 => Role::Names,
        1 => Role::RowNames,
        i => Role::Dimnames(i as usize - 2),
    }
}

#[napi(catch_unwind, ts_return_type = "object | 1 | undefined")]
pub fn child_of(env: Env, token: u32, role_code: u32) -> Result<Either3<Raw, u32, ()>> {
    let child = thread::object(token, |s, h| s.child(h, role(role_code)))?;
    Ok(match child.map(|h| found(&env, thread::store_of(token), h)) {
        Some(Either::A(facade)) => Either3::A(facade),
        Some(Either::B(made)) => Either3::B(made),
        None => Either3::C(()),
    })
}

#[napi(catch_unwind)]
pub fn set_attributes(token: u32, c: NativeChanges) -> Result<()> {
    let dim =
        c.dim.map(|dim| dim.into_iter().map(|e| whole(e, "dim")).collect::<Result<Vec<_>>>()).transpose()?;
    let rows = c.rows.map(|n| whole(n, "rows")).transpose()?;
    let class = u8::try_from(c.class.unwrap_or(0)).map_err(|_| bad_argument("no such class"))?;
    let named = c.names.map(|part| (Role::Names, part));
    let along =
        c.dimnames.unwrap_or_default().into_iter().enumerate().map(|(i, part)| (Role::Dimnames(i), part));
    let children: Vec<_> =
        named.into_iter().chain(along).chain(c.row_names.map(|p| (Role::RowNames, p))).collect();
    let parts: Vec<u32> = children.iter().filter_map(|(_, part)| u32::try_from(*part).ok()).collect();
    let user = c.user.unwrap_or_default();
    thread::object_with(token, &parts, |store, owner, parts| {
        let mut changes = Vec::new();
        changes.extend(dim.as_deref().map(|d| Change::Dim((!d.is_empty()).then_some((class, d)))));
        changes.extend(rows.map(Change::Rows));
        let mut given = parts.iter().copied();
        changes.extend(
            children
                .iter()
                .map(|(role, part)| Change::Child(*role, if *part < 0 { None } else { given.next() })),
        );
        changes.extend(user.iter().map(|entry| {
            Change::User(entry.first().map_or("", String::as_str), entry.get(1).map(String::as_str))
        }));
        store.set_attributes(owner, &changes)?;
        post(token, owner, false);
        Ok(())
    })
}
