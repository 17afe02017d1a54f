//! Attributes of objects: shape, names, row names, what the user noted, and the children that hold the long ones.
//!
//! Holds: [`Attrs`], an object's attributes in memory, whichever way it lives; what callers see of them; how they change. A *child* is an
//! object of its own that its owner names: in a persistent store a record with the owner's id and generation, otherwise an object in
//! memory. Children die with their owner. So attributes of any size are records like others, to the free-space map, to compaction, to a
//! copy and to a crash: children come before the version that names them, and go after the version that no longer does (rule 25).

use super::handle::Handle;
use super::objects::Owner;
use super::{Inner, Store};
use crate::dtype::Dtype;
use crate::error::{Code, Error, Result};
use crate::format::aux::{Aux, Dim, Key, Naming, RowNames, Seal};
use crate::format::fields::{MAX_EXTENT, MAX_KEY, MAX_RANK};
use std::ops::{Deref, DerefMut};

/// Bytes of all user attributes of one object.
const MAX_USER: usize = 512 * 1024;

/// A vector.
pub const VECTOR: u8 = 0;
/// A vector with two extents.
pub const MATRIX: u8 = 1;
/// A vector with any number of extents.
pub const ARRAY: u8 = 2;
/// Cells that hold other objects.
pub const LIST: u8 = 3;
/// A list of columns of equal length.
pub const FRAME: u8 = 4;

/// A child as its owner knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Child {
    Record(Key),
    /// Key and serial in the table of open objects; it may have become a record.
    Open(u32, u64),
}

impl Child {
    pub(super) fn open(&self) -> Option<(u32, u64)> {
        if let Self::Open(key, serial) = self { Some((*key, *serial)) } else { None }
    }
}

/// Attributes in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Attrs {
    pub(super) dim: Option<Dim>,
    pub(super) names: Option<Child>,
    pub(super) dimnames: Vec<Option<Child>>,
    /// Rows of a frame, and their names if they are stored.
    pub(super) row_names: Option<(u64, Option<Child>)>,
    pub(super) heap: Vec<Child>,
    pub(super) user: Vec<(String, String)>,
}

/// Attributes of an open object: a pointer, since nearly none has any.
#[derive(Clone, Debug, Default)]
pub(super) struct OwnAttrs(Option<Box<Attrs>>);

static NONE: Attrs = Attrs {
    dim: None,
    names: None,
    dimnames: Vec::new(),
    row_names: None,
    heap: Vec::new(),
    user: Vec::new(),
};

impl Deref for OwnAttrs {
    type Target = Attrs;

    fn deref(&self) -> &Attrs {
        self.0.as_deref().unwrap_or(&NONE)
    }
}

impl DerefMut for OwnAttrs {
    fn deref_mut(&mut self) -> &mut Attrs {
        self.0.get_or_insert_default()
    }
}

impl From<Attrs> for OwnAttrs {
    fn from(attrs: Attrs) -> Self {
        Self((!attrs.is_empty()).then(|| Box::new(attrs)))
    }
}

impl Attrs {
    pub(super) fn of(aux: &Aux) -> Self {
        Self {
            dim: aux.dim.clone(),
            names: aux.names.map(Child::Record),
            dimnames: aux.dimnames.iter().map(|k| k.map(Child::Record)).collect(),
            row_names: aux.row_names.as_ref().map(|r| (r.rows, r.stored.map(Child::Record))),
            heap: aux.heap.iter().copied().map(Child::Record).collect(),
            user: aux.user.clone(),
        }
    }

    /// As they stand in a record; `key_of` knows the children's.
    pub(super) fn to_aux(
        &self,
        naming: Option<Naming>,
        seal: Option<Seal>,
        key_of: impl Fn(&Child) -> Key,
    ) -> Aux {
        Aux {
            naming,
            dim: self.dim.clone(),
            names: self.names.as_ref().map(&key_of),
            dimnames: self.dimnames.iter().map(|c| c.as_ref().map(&key_of)).collect(),
            row_names: self
                .row_names
                .as_ref()
                .map(|(rows, c)| RowNames { rows: *rows, stored: c.as_ref().map(&key_of) }),
            heap: self.heap.iter().map(&key_of).collect(),
            user: self.user.clone(),
            seal,
        }
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn children(&self) -> impl Iterator<Item = &Child> + use<'_> {
        let row_names = self.row_names.iter().filter_map(|(_, c)| c.as_ref());
        self.names.iter().chain(self.dimnames.iter().flatten()).chain(row_names).chain(&self.heap)
    }

    /// The kind of an object with these attributes whose record's head says `kind`.
    pub(super) fn kind(&self, kind: u8) -> u8 {
        match &self.dim {
            Some(dim) if kind < LIST => dim.class,
            _ => kind,
        }
    }
}

/// Which child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Names of the elements; of a frame those of its columns.
    Names,
    /// Names along this extent of a matrix or array.
    Dimnames(usize),
    /// Names of a frame's rows.
    RowNames,
}

/// What callers see of an object's attributes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// [`VECTOR`], [`MATRIX`], [`ARRAY`], [`LIST`] or [`FRAME`].
    pub kind: u8,
    /// Extents, column-major; none for what has no shape.
    pub dim: Vec<u64>,
    /// Whether the elements (of a frame: the columns) have names.
    pub has_names: bool,
    /// For each extent whether it has names; none at all: empty.
    pub has_dimnames: Vec<bool>,
    /// Rows of a frame.
    pub rows: Option<u64>,
    /// Whether these have stored names.
    pub has_row_names: bool,
    /// The user's attributes: key and JSON text, in the order they were first set.
    pub user: Vec<(String, String)>,
}

/// One change of an object's attributes.
pub enum Change<'a> {
    /// Another shape, of class [`MATRIX`] or [`ARRAY`]; the dimnames go. `None`: a plain vector.
    Dim(Option<(u8, &'a [u64])>),
    /// Whether there are dimnames at all, of none of the extents yet: selecting nothing of an array leaves such.
    Dimnames(bool),
    /// The child in this role; it must be a temporary that nobody else owns, and is the object's from now on. `None`: none.
    Child(Role, Option<&'a Handle>),
    /// Rows of a frame, numbered.
    Rows(u64),
    /// The user's attribute with this key, as JSON text. `None`: it goes.
    User(&'a str, Option<&'a str>),
}

impl Store {
    /// The object's attributes as they are now.
    ///
    /// # Errors
    /// `DESTROYED`, `CLOSED`, `CORRUPT`.
    pub fn attributes(&self, handle: &Handle) -> Result<Attributes> {
        self.shared()?;
        self.check_ours(handle)?;
        handle.attributes()
    }

    /// The child in this role; it shares the object's names, so writing it changes them.
    ///
    /// # Errors
    /// `DESTROYED`, `CLOSED`; `CORRUPT`: the object names a child that is not there.
    pub fn child(&self, handle: &Handle, role: Role) -> Result<Option<Handle>> {
        self.shared()?;
        self.check_ours(handle)?;
        handle.child(role)
    }

    /// Changes attributes, all or none; children that are no longer named die. Every handle has to ask again for the object's facts.
    ///
    /// # Errors
    /// `DIM` (extents that do not give the length, or out of range), `LENGTH` (names of another length), `TYPE` (names that are no text),
    /// `ARGUMENT` (a child that is no temporary, or somebody's already; a key), `BUSY` (it is a part itself), `TOO_LARGE`, `NO_SPACE`,
    /// `READ_ONLY`, `POISONED`, `OTHER_STORE`, `DESTROYED`, `CLOSED`.
    pub fn set_attributes(&self, handle: &mut Handle, changes: &[Change<'_>]) -> Result<()> {
        self.check_ours(handle)?;
        for change in changes {
            if let Change::Child(_, Some(child)) = change {
                self.check_ours(child)?;
            }
        }
        self.with_space(|| self.try_set_attributes(handle, changes))?;
        handle.refresh()
    }

    fn try_set_attributes(&self, handle: &Handle, changes: &[Change<'_>]) -> Result<()> {
        let sh = self.shared()?;
        let mut inner = sh.lock_open()?;
        sh.check_writable(&inner)?;
        inner.check_unowned(handle.key)?;
        let old = inner.attrs_of(handle)?;
        let mut new = old.clone();
        for change in changes {
            inner.apply(handle, &mut new, change)?;
        }
        inner.check_consistent(handle, &new)?;
        if new == old {
            return Ok(());
        }
        match inner.record_of(handle)? {
            Some(idx) => inner.change_attributes(sh, idx, &new)?,
            None => inner.change_in_memory(handle, &new)?,
        }
        let kind = inner.attrs_of(handle)?.kind(inner.head_kind(handle)?);
        if let Some(o) = inner.objects.get(handle.key, handle.serial) {
            o.kind = kind;
            o.cell.renew();
        }
        Ok(())
    }
}

impl Handle {
    /// See [`Store::attributes`]; asks no opener.
    pub(crate) fn attributes(&self) -> Result<Attributes> {
        let inner = self.shared.lock_open()?;
        let attrs = inner.attrs_of(self)?;
        let kind = inner.kind_of(self)?;
        Ok(Attributes {
            kind,
            dim: attrs.dim.map_or(Vec::new(), |d| d.extents),
            has_names: attrs.names.is_some(),
            has_dimnames: attrs.dimnames.iter().map(Option::is_some).collect(),
            rows: attrs.row_names.map(|(rows, _)| rows),
            has_row_names: attrs.row_names.is_some_and(|(_, c)| c.is_some()),
            user: attrs.user,
        })
    }

    /// See [`Store::child`]; asks no opener.
    pub(crate) fn child(&self, role: Role) -> Result<Option<Self>> {
        let mut inner = self.shared.lock_open()?;
        let attrs = inner.attrs_of(self)?;
        let child = match role {
            Role::Names => attrs.names,
            Role::Dimnames(i) => attrs.dimnames.get(i).copied().flatten(),
            Role::RowNames => attrs.row_names.and_then(|(_, c)| c),
        };
        let Some(child) = child else { return Ok(None) };
        let key = inner.child_key(self, child)?;
        inner.handle(&self.shared, key).map(Some)
    }
}

impl Inner {
    /// Attributes of an open object.
    pub(super) fn attrs_of(&self, handle: &Handle) -> Result<Attrs> {
        match self.record_of(handle)? {
            Some(idx) => Ok(Attrs::of(&self.read_aux(&self.live(idx)?)?)),
            None => Ok(Attrs::clone(&self.open(handle)?.attrs)),
        }
    }

    fn open(&self, handle: &Handle) -> Result<&super::objects::Object> {
        match self.objects.slab.get(handle.key as usize) {
            Some(Some(o)) if o.serial == handle.serial && o.alive => Ok(o),
            _ => Err(handle.destroyed_error()),
        }
    }

    fn kind_of(&self, handle: &Handle) -> Result<u8> {
        Ok(self.open(handle)?.kind)
    }

    /// What does not change: lists and frames are what they were made as.
    fn head_kind(&self, handle: &Handle) -> Result<u8> {
        Ok(if self.kind_of(handle)? < LIST { VECTOR } else { self.kind_of(handle)? })
    }

    /// The place of a child in the table of open objects.
    pub(super) fn child_key(&mut self, owner: &Handle, child: Child) -> Result<u32> {
        match child {
            Child::Open(key, serial) if self.objects.get(key, serial).is_some_and(|o| o.alive) => Ok(key),
            Child::Open(..) => Err(owner.destroyed_error()),
            Child::Record((id, generation)) => {
                let live = self.record(id)?.filter(|live| live.head.generation == generation);
                match (live, self.record_of(owner)?) {
                    (Some(live), Some(idx)) if live.head.owner_id == idx => self.object_of(id),
                    (_, idx) => {
                        Err(self.damaged(idx.unwrap_or(id), "attributes: name a child that is not there"))
                    }
                }
            }
        }
    }

    fn apply(&mut self, handle: &Handle, attrs: &mut Attrs, change: &Change<'_>) -> Result<()> {
        match change {
            Change::Dim(dim) => {
                attrs.dim = dim.map(|(class, extents)| Dim { class, extents: extents.to_vec() });
                attrs.dimnames.clear();
            }
            Change::Child(role, child) => {
                let child = child.map(|c| self.adoptable(handle, c)).transpose()?;
                match role {
                    Role::Names => attrs.names = child,
                    Role::RowNames => {
                        let rows = attrs.row_names.map_or(0, |(rows, _)| rows);
                        attrs.row_names = Some((rows, child));
                    }
                    Role::Dimnames(i) => {
                        let rank = attrs.dim.as_ref().map_or(0, |d| d.extents.len());
                        if *i >= rank {
                            return Err(dim_error("dimnames for an extent that the array does not have"));
                        }
                        attrs.dimnames.resize(rank, None);
                        attrs.dimnames[*i] = child;
                        if attrs.dimnames.iter().all(Option::is_none) {
                            attrs.dimnames.clear();
                        }
                    }
                }
            }
            Change::Dimnames(has) => {
                let rank = if *has { attrs.dim.as_ref().map_or(0, |d| d.extents.len()) } else { 0 };
                attrs.dimnames = vec![None; rank];
            }
            Change::Rows(rows) => attrs.row_names = Some((*rows, None)),
            Change::User(key, json) => set_user(&mut attrs.user, key, *json)?,
        }
        Ok(())
    }

    /// A temporary that can become somebody's child.
    fn adoptable(&mut self, owner: &Handle, child: &Handle) -> Result<Child> {
        let gone = child.destroyed_error();
        let (key, serial) = (child.key, child.serial);
        let Some(o) = self.objects.get(key, serial).filter(|o| o.alive) else { return Err(gone) };
        if o.committed || o.owner.is_some() || o.holds > 0 || (key, serial) == (owner.key, owner.serial) {
            return Err(Error::new(
                Code::Argument,
                "names must be an object of their own: copy() the vector and give the copy",
            ));
        }
        Ok(Child::Open(key, serial))
    }

    /// What attributes must have in common with the object, and with each other.
    fn check_consistent(&mut self, handle: &Handle, attrs: &Attrs) -> Result<()> {
        let (len, kind) = (handle.facts.len, self.head_kind(handle)?);
        if let Some(dim) = &attrs.dim {
            check_dim(dim, len, kind)?;
            for (child, extent) in attrs.dimnames.iter().zip(&dim.extents) {
                if let Some(child) = child {
                    self.check_names(handle, *child, *extent, "dimnames")?;
                }
            }
        }
        if let Some(names) = attrs.names {
            self.check_names(handle, names, len, "names")?;
        }
        match attrs.row_names {
            Some(_) if kind != FRAME => Err(Error::new(Code::Argument, "row names belong to data frames")),
            Some((rows, Some(child))) => self.check_names(handle, child, rows, "row names"),
            _ => Ok(()),
        }
    }

    fn check_names(&mut self, owner: &Handle, child: Child, len: u64, what: &str) -> Result<()> {
        let key = self.child_key(owner, child)?;
        let Some(Some(o)) = self.objects.slab.get(key as usize) else { return Err(owner.destroyed_error()) };
        if o.dtype != Dtype::Character {
            return Err(Error::new(
                Code::Type,
                format!("{what} must be a character vector, not '{}'", o.dtype.name()),
            ));
        }
        if o.len != len {
            return Err(Error::new(
                if what == "dimnames" { Code::Dim } else { Code::Length },
                format!("{what} of length {} for an extent of {len}", o.len),
            )
            .with("length", o.len)
            .with("extent", len));
        }
        Ok(())
    }

    /// The attributes of an object without a record.
    pub(super) fn change_in_memory(&mut self, handle: &Handle, new: &Attrs) -> Result<()> {
        let me = Owner::Open(handle.key, handle.serial);
        let Some(o) = self.objects.get(handle.key, handle.serial) else {
            return Err(handle.destroyed_error());
        };
        let is_committed = o.committed;
        let old = std::mem::replace(&mut o.attrs, new.clone().into());
        self.own(me, new, &old);
        if is_committed {
            // Parts are what their owner is.
            new.children().filter_map(Child::open).for_each(|(key, _)| self.objects.commit_in_memory(key));
        }
        let dropped: Vec<_> = old.children().filter(|c| !new.children().any(|n| n == *c)).copied().collect();
        dropped.into_iter().filter_map(|c| c.open()).try_for_each(|c| self.end_child(c))
    }

    /// Children of `new` that `old` does not name have an owner from now on.
    pub(super) fn own(&mut self, owner: Owner, new: &Attrs, old: &Attrs) {
        let fresh = new.children().filter(|c| !old.children().any(|o| o == *c));
        for (key, serial) in fresh.filter_map(Child::open) {
            if let Some(o) = self.objects.get(key, serial) {
                o.owner = Some(owner);
                o.holds += 1;
            }
        }
    }
}

fn dim_error(why: impl Into<String>) -> Error {
    Error::new(Code::Dim, why)
}

/// Checks extents given by a user against R's limits and the length.
fn check_dim(dim: &Dim, len: u64, kind: u8) -> Result<()> {
    if kind != VECTOR {
        return Err(Error::new(Code::Argument, "lists and data frames have no dimensions"));
    }
    if dim.extents.is_empty() || dim.extents.len() > MAX_RANK {
        return Err(dim_error(format!("an array has 1 to {MAX_RANK} dimensions, not {}", dim.extents.len())));
    }
    if dim.class == MATRIX && dim.extents.len() != 2 {
        return Err(dim_error(format!("a matrix has 2 dimensions, not {}", dim.extents.len())));
    }
    if let Some(e) = dim.extents.iter().find(|e| **e > MAX_EXTENT) {
        return Err(dim_error(format!("an extent is at most {MAX_EXTENT}, not {e}")));
    }
    match dim.len() {
        Some(n) if n == len => Ok(()),
        n => Err(dim_error(format!(
            "dims [product {}] do not match the length of object [{len}]",
            n.map_or_else(|| "above 2^64".to_owned(), |n| n.to_string())
        ))
        .with("length", len)),
    }
}

fn set_user(user: &mut Vec<(String, String)>, key: &str, json: Option<&str>) -> Result<()> {
    if key.is_empty() || key.len() > MAX_KEY {
        return Err(Error::new(
            Code::Argument,
            format!("an attribute's key has 1 to {MAX_KEY} UTF-8 bytes, this one has {}", key.len()),
        ));
    }
    match (json, user.iter_mut().find(|(k, _)| k == key)) {
        (Some(json), Some(entry)) => json.clone_into(&mut entry.1),
        (Some(json), None) => user.push((key.to_owned(), json.to_owned())),
        (None, _) => user.retain(|(k, _)| k != key),
    }
    let nbytes: usize = user.iter().map(|(k, v)| k.len() + v.len() + 24).sum();
    if nbytes > MAX_USER {
        return Err(Error::new(
            Code::TooLarge,
            format!(
                "the attributes of one object have at most {MAX_USER} bytes; store larger things as objects"
            ),
        )
        .with("nbytes", nbytes as u64));
    }
    Ok(())
}
