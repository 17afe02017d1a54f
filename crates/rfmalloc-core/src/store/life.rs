//! The life of an object, as an opener of the store commands it: reserved, written, committed, named, found again, destroyed.

use super::attributes::{Attrs, LIST, VECTOR};
use super::find::check_name;
use super::frames::Column;
use super::handle::Handle;
use super::objects::{Elements, Fate, Object, Owner};
use super::record::{Created, NewRecord};
use super::space::zero;
use super::{Inner, Mode, Shared, Store};
use crate::dtype::{Dtype, MAX_LEN};
use crate::error::{Code, Error, Result};
use crate::format::{Extent, UNIT};
use crate::mutants::planted;
use std::sync::Arc;

/// Payloads up to this many bytes are written under the store mutex.
const SMALL_PAYLOAD: usize = 64 * 1024;

impl Store {
    /// A temporary of `len` elements: bytes in the file, no record. It is gone with its last handle unless committed.
    /// `zeroed`: the elements are zero; otherwise they are whatever the space held. Padding is always zero.
    ///
    /// # Errors
    /// `ARGUMENT` (length), `UNSUPPORTED` (type), `NO_SPACE`, `READ_ONLY`, `CORRUPT`, `CLOSED`.
    pub fn reserve(&self, dtype: Dtype, len: u64, zeroed: bool) -> Result<Handle> {
        self.shared()?.reserve(dtype, len, zeroed)
    }

    /// A committed vector with these element bytes.
    ///
    /// # Errors
    /// As [`Store::reserve`] and [`Store::commit`]; `LENGTH`: `bytes` is not `len` × width.
    pub fn create(&self, dtype: Dtype, len: u64, bytes: &[u8], name: Option<&str>) -> Result<Handle> {
        self.put(dtype, len, bytes, name, false)
    }

    /// [`Store::create`], replacing the object that has the name if `replace` says so. A small payload is written in one critical section
    /// with its record: half the cost of reserve, write, commit.
    ///
    /// # Errors
    /// As [`Store::create`].
    pub fn put(
        &self,
        dtype: Dtype,
        len: u64,
        bytes: &[u8],
        name: Option<&str>,
        replace: bool,
    ) -> Result<Handle> {
        check_bytes(dtype, len, bytes)?;
        if bytes.len() <= SMALL_PAYLOAD && self.mode() == Mode::Persistent {
            return self.with_space(|| self.put_small(dtype, len, bytes, name, replace));
        }
        let mut handle = self.staged(dtype, len, bytes)?;
        self.commit(&mut handle, name, replace)?;
        Ok(handle)
    }

    /// A temporary with these element bytes: what is still to get a shape or names before it is committed.
    ///
    /// # Errors
    /// As [`Store::reserve`]; `LENGTH`: `bytes` is not `len` × width; `TYPE`: elements that are no plain bytes.
    pub fn staged(&self, dtype: Dtype, len: u64, bytes: &[u8]) -> Result<Handle> {
        check_bytes(dtype, len, bytes)?;
        let handle = self.reserve(dtype, len, false)?;
        if !bytes.is_empty() {
            let operation = handle.begin()?;
            operation.span().write(0, bytes);
            operation.wrote(0, handle.facts.nbytes);
        }
        Ok(handle)
    }

    fn put_small(
        &self,
        dtype: Dtype,
        len: u64,
        bytes: &[u8],
        name: Option<&str>,
        replace: bool,
    ) -> Result<Handle> {
        let sh = self.shared()?;
        dtype.supported()?;
        let nbytes = bytes.len() as u64;
        let units = nbytes.next_multiple_of(UNIT);
        let mut inner = sh.lock_open()?;
        inner.begin(sh)?;
        let payload = if units == 0 { Extent::EMPTY } else { inner.allocate(sh, units)?.0 };
        let span = sh.seam.region.span(payload.off, units);
        span.write(0, bytes);
        span.part(nbytes, units - nbytes).zero();
        sh.seam.announce(payload.off, units);
        let new = NewRecord {
            dtype: dtype.code(),
            kind: VECTOR,
            len,
            payload,
            owner: (0, 0),
            held: false,
            attrs: &Attrs::default(),
            cells: None,
        };
        let created = match inner.create_record(sh, &new, name, replace) {
            Ok(created) => created,
            Err(e) => {
                inner.give_back(payload, Fate::Free)?;
                return Err(e);
            }
        };
        let record = Some((created.idx, created.generation));
        let mut object = Object::new(dtype, VECTOR, len, payload, record);
        object.has_aux = !created.aux.is_empty();
        let key = inner.objects.insert(object);
        inner.handle(sh, key)
    }

    /// Makes a temporary a record, with or without a name; a committed object is (re)named if a name is given.
    /// When the call returns, the object survives the death of the process, whole.
    ///
    /// # Errors
    /// `EXISTS`: the name is taken and `replace` is false; `ARGUMENT`: the name; `BUSY`: an operation runs on the object to be replaced;
    /// `NO_SPACE`, `READ_ONLY`, `POISONED`, `DESTROYED`, `CLOSED`.
    pub fn commit(&self, handle: &mut Handle, name: Option<&str>, replace: bool) -> Result<()> {
        let sh = self.shared()?;
        self.check_ours(handle)?;
        sh.with_space(|| Self::try_commit(sh, handle, name, replace))
    }

    /// See [`Shared::with_space`].
    pub(super) fn with_space<T>(&self, act: impl FnMut() -> Result<T>) -> Result<T> {
        self.shared()?.with_space(act)
    }

    pub(super) fn try_commit(
        sh: &Arc<Shared>,
        handle: &mut Handle,
        name: Option<&str>,
        replace: bool,
    ) -> Result<()> {
        let mut inner = sh.lock_open()?;
        sh.check_writable(&inner)?;
        let record = inner.record_of(handle)?;
        inner.check_unowned(handle.key)?;
        if let Some(idx) = record {
            return match name {
                Some(_) => inner.rename_record(sh, idx, name, replace),
                None => Ok(()),
            };
        }
        if sh.mode == Mode::Scratch {
            return inner.commit_scratch(sh, handle, name, replace);
        }
        let created = inner.commit_tree(sh, handle, name, replace)?;
        inner.settle(handle.key, &created, None)?;
        let o = inner.objects.get(handle.key, handle.serial).ok_or_else(|| handle.destroyed_error())?;
        handle.facts = o.facts();
        Ok(())
    }

    /// Names, renames or unnames a committed object. Arguments and errors as [`Store::commit`].
    pub fn rename(&self, handle: &mut Handle, name: Option<&str>, replace: bool) -> Result<()> {
        if name.is_some() {
            return self.commit(handle, name, replace);
        }
        let sh = self.shared()?;
        self.check_ours(handle)?;
        sh.seam.loss.during(|| {
            let mut inner = sh.lock_open()?;
            sh.check_writable(&inner)?;
            // Giving a name up takes no space.
            if let Some(idx) = inner.record_of(handle)? {
                inner.rename_record(sh, idx, None, false)
            } else {
                inner.objects.unname(handle.key);
                Ok(())
            }
        })
    }

    /// Destroys the object: every handle is dead from now on. False: it was dead already. `at_once`: its bytes need no sync before reuse.
    /// The columns that only a frame holds and that have no name of their own end with it (see [`Store::destroy_frame`]).
    ///
    /// # Errors
    /// `BUSY`: an operation runs on it, a list or frame holds it, or it is a part of another object; `READ_ONLY`, `POISONED`, `IO`, `CLOSED`.
    pub fn destroy(&self, handle: &Handle, at_once: bool) -> Result<bool> {
        let sh = self.shared()?;
        self.check_ours(handle)?;
        sh.seam.loss.during(|| Self::try_destroy(sh, handle, at_once, false))
    }

    pub(super) fn try_destroy(
        sh: &Arc<Shared>,
        handle: &Handle,
        at_once: bool,
        named_columns: bool,
    ) -> Result<bool> {
        let mut inner = sh.lock_open()?;
        let Some(o) = inner.objects.get(handle.key, handle.serial).filter(|o| o.alive) else {
            return Ok(false);
        };
        if o.operations > 0 {
            return Err(Error::new(Code::Busy, "an operation is running on the object; wait for it to end")
                .with("id", o.id));
        }
        let (record, payload, generation) = (o.record, o.payload, o.generation as u32);
        inner.check_unowned(handle.key)?;
        inner.check_unheld(handle.key, record)?;
        let whole =
            record.map_or(Column::Open(handle.key, handle.serial), |idx| Column::Record((idx, generation)));
        let columns = inner.columns_of(whole, named_columns)?;
        inner.check_columns(&columns)?;
        // Rule 9: where every commit is durable, so is every death.
        let at_once = at_once || (sh.is_full() && !planted!(FullDeathVolatile));
        let ends_records = record.is_some() || columns.iter().any(|c| matches!(c, Column::Record(_)));
        if ends_records {
            inner.begin(sh)?;
            inner.prepare_names(sh)?;
        }
        match record {
            Some(idx) => {
                inner.check_not_busy(idx)?;
                inner.destroy_record(sh, idx, at_once)?;
            }
            None => inner.kill(handle.key, payload)?,
        }
        inner.end_columns(sh, columns, at_once)?;
        if ends_records {
            sh.note_commit(&mut inner);
        }
        Ok(true)
    }

    /// Destroys the object with this name; false: no such name.
    pub fn delete(&self, name: &str) -> Result<bool> {
        match self.open_name(name)? {
            Some(handle) => self.destroy(&handle, false),
            None => Ok(false),
        }
    }

    /// The object with this name.
    ///
    /// # Errors
    /// `CORRUPT`: it, or a record that may be it, is damaged; `UNSUPPORTED`: of a type this version does not read; `CLOSED`.
    pub fn open_name(&self, name: &str) -> Result<Option<Handle>> {
        let sh = self.shared()?;
        let mut inner = sh.lock_open()?;
        if sh.mode == Mode::Scratch {
            return match inner.objects.by_name.get(name).copied() {
                Some(key) => inner.handle(sh, key).map(Some),
                None => Ok(None),
            };
        }
        match inner.find(name)? {
            Some(idx) => inner.open_record(sh, idx).map(Some),
            None => Ok(None),
        }
    }

    /// Whether an object has this name.
    pub fn has(&self, name: &str) -> Result<bool> {
        let sh = self.shared()?;
        let mut inner = sh.lock_open()?;
        if sh.mode == Mode::Scratch {
            return Ok(inner.objects.by_name.contains_key(name));
        }
        Ok(inner.find(name)?.is_some())
    }

    /// The object a reference speaks of.
    ///
    /// # Errors
    /// `STALE_REF`: no such object, or one of another generation; `CORRUPT`, `CLOSED`.
    pub fn open_id(&self, id: u64, generation: u64) -> Result<Handle> {
        let sh = self.shared()?;
        let mut inner = sh.lock_open()?;
        let stale = || {
            Error::new(
                Code::StaleRef,
                "the object this reference names no longer exists; make a new reference",
            )
            .with("id", id)
            .with("generation", generation)
        };
        if let Some(key) = inner.objects.by_temporary.get(&id).copied() {
            let fits = inner.objects.slab[key as usize].as_ref().is_some_and(|o| o.generation == generation);
            return if fits { inner.handle(sh, key) } else { Err(stale()) };
        }
        if sh.mode == Mode::Scratch {
            // Scratch stores have no records; whatever stands in the file's catalog is none of theirs.
            return Err(stale());
        }
        let idx = u32::try_from(id).map_err(|_| stale())?;
        match inner.record(idx)? {
            Some(live) if u64::from(live.head.generation) == generation => inner.open_record(sh, idx),
            _ => Err(stale()),
        }
    }

    pub(super) fn check_ours(&self, handle: &Handle) -> Result<()> {
        if Arc::ptr_eq(&self.shared, &handle.shared) {
            Ok(())
        } else {
            Err(Error::new(
                Code::OtherStore,
                "the object belongs to another store; copy it into this one first",
            ))
        }
    }

    /// Bytes of temporaries: alive, and made since the last [`Store::swept`].
    pub fn temporary_bytes(&self) -> (u64, u64) {
        self.shared.lock_ours().map_or((0, 0), |inner| {
            (inner.objects.temporary_bytes, inner.objects.temporary_bytes_since_sweep)
        })
    }

    /// Starts the count of newly made temporaries again.
    pub fn swept(&self) {
        if let Some(mut inner) = self.shared.lock_ours() {
            inner.objects.temporary_bytes_since_sweep = 0;
        }
    }
}

fn check_bytes(dtype: Dtype, len: u64, bytes: &[u8]) -> Result<()> {
    if bytes.len() as u64 != len.saturating_mul(dtype.width()) {
        return Err(Error::new(
            Code::Length,
            format!("{} bytes given for {len} elements of {} bytes", bytes.len(), dtype.width()),
        ));
    }
    dtype.plain().map(|_| ())
}

impl Shared {
    /// See [`Store::reserve`].
    pub(super) fn reserve(self: &Arc<Self>, dtype: Dtype, len: u64, zeroed: bool) -> Result<Handle> {
        let sh = self;
        if dtype.supported()? == Dtype::List {
            return Err(Error::new(Code::Type, "a list is made of objects, not of elements"));
        }
        // An element of text that nobody wrote must be one: the empty string.
        let zeroed = zeroed || dtype == Dtype::Character;
        if len > MAX_LEN {
            return Err(Error::new(
                Code::Argument,
                format!("length {len} exceeds the limit of {MAX_LEN} elements"),
            ));
        }
        let nbytes = len * dtype.width();
        let units = nbytes.next_multiple_of(UNIT);
        let (mut inner, (payload, known_zero)) = self.with_space(|| {
            let mut inner = sh.lock_open()?;
            inner.begin(sh)?;
            let found = if units == 0 { (Extent::EMPTY, 0) } else { inner.allocate(sh, units)? };
            Ok((inner, found))
        })?;
        let key = inner.objects.insert(Object::new(dtype, 0, len, payload, None));
        let handle = inner.handle(sh, key)?;
        drop(inner);
        // The extent is ours: zeroed outside the lock, as an operation, so that a close waits for it.
        let dirty = units - known_zero;
        let from = if zeroed { 0 } else { nbytes };
        if from < dirty {
            let _operation = handle.begin()?;
            zero(sh, Extent { off: payload.off + from, nbytes: dirty - from });
        }
        sh.seam.loss.check()?;
        Ok(handle)
    }

    /// Runs `act`, which changes nothing when it fails; where it finds no space while the bytes of destroyed objects wait for a sync, syncs
    /// and runs it once more.
    pub(super) fn with_space<T>(self: &Arc<Self>, mut act: impl FnMut() -> Result<T>) -> Result<T> {
        self.seam.loss.during(|| match act() {
            Err(e) if e.code() == Code::NoSpace && self.has_retired() => {
                self.sync()?;
                act()
            }
            done => done,
        })
    }
}

impl Inner {
    /// The record of a temporary, with all its children's.
    fn commit_tree(
        &mut self,
        sh: &Arc<Shared>,
        handle: &Handle,
        name: Option<&str>,
        replace: bool,
    ) -> Result<Created> {
        self.trim_heap(handle.key)?;
        let o = self.objects.get(handle.key, handle.serial).ok_or_else(|| handle.destroyed_error())?;
        let kind = if o.kind < LIST { VECTOR } else { o.kind };
        let (dtype, len, payload) = (o.dtype.code(), o.len, o.payload);
        let (attrs, cells) = (o.attrs.clone(), o.cells.clone());
        let new = NewRecord {
            dtype,
            kind,
            len,
            payload,
            owner: (0, 0),
            held: false,
            attrs: &attrs,
            cells: cells.as_deref(),
        };
        self.create_record(sh, &new, name, replace)
    }

    fn open_record(&mut self, sh: &Arc<Shared>, idx: u32) -> Result<Handle> {
        let key = self.object_of(idx)?;
        self.handle(sh, key)
    }

    /// The record's place in the table of open objects; it is put there if nobody has it open.
    pub(super) fn object_of(&mut self, idx: u32) -> Result<u32> {
        if let Some(key) = self.objects.by_record.get(&idx).copied() {
            return Ok(key);
        }
        let live = self.live(idx)?;
        let dtype = Dtype::from_code(live.head.dtype)
            .ok_or_else(|| self.damaged(idx, "unknown element type"))?
            .supported()?;
        let kind = live.kind();
        let mut object =
            Object::new(dtype, kind, live.body.len, live.body.payload, Some((idx, live.head.generation)));
        if live.body.is_sealed() {
            object.elements = Elements::Sealed;
        }
        object.has_aux = !live.body.aux.is_empty();
        object.owner = (live.head.owner_generation != 0)
            .then_some(Owner::Record((live.head.owner_id, live.head.owner_generation)));
        Ok(self.objects.insert(object))
    }

    fn commit_scratch(
        &mut self,
        sh: &Shared,
        handle: &mut Handle,
        name: Option<&str>,
        replace: bool,
    ) -> Result<()> {
        if let Some(name) = name {
            check_name(name)?;
            if let Some(other) = self.objects.by_name.get(name).copied()
                && other != handle.key
            {
                if !replace {
                    return Err(Error::new(
                        Code::Exists,
                        format!("the name '{name}' is taken; pass {{ replace: true }} to replace the object"),
                    )
                    .with("name", name));
                }
                let old = self.objects.slab[other as usize].as_ref();
                if old.is_some_and(|o| o.operations > 0) {
                    return Err(Error::new(
                        Code::Busy,
                        "an operation is running on the object; wait for it to end",
                    ));
                }
                let payload = old.map_or(Extent::EMPTY, |o| o.payload);
                if self.holders_in_memory(other) > 0 {
                    // What a list or frame holds only loses the name.
                    self.objects.unname(other);
                } else {
                    let mut columns = self.columns_of(Column::Open(other, 0), false)?;
                    // A column that takes its frame's name has one of its own.
                    columns.retain(|column| !column.is_open(handle.key));
                    self.check_columns(&columns)?;
                    self.kill(other, payload)?;
                    self.end_columns(sh, columns, false)?;
                }
            }
            self.objects.unname(handle.key);
            self.objects.by_name.insert(name.to_owned(), handle.key);
        }
        self.objects.commit_in_memory(handle.key);
        let o = self.objects.get(handle.key, handle.serial).ok_or_else(|| handle.destroyed_error())?;
        if let Some(name) = name {
            o.name = Some(name.to_owned());
        }
        handle.facts = o.facts();
        Ok(())
    }
}
