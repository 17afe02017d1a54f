//! Open objects in memory: handles, pins, running operations, temporaries.
//!
//! Holds: [`Handle`] (one thread's hold on an object), [`Pin`] (a buffer given out over its bytes), `Operation` (work in progress),
//! and the table behind them. An object is open while any of these exist. A dead object's bytes come free when nothing can reach them any
//! more: no pin, no operation, and no handle of another thread (which may be between its liveness test and its access). The handles of
//! the thread that destroyed it count no longer: that thread sees the death at once.

use super::find::check_name;
use super::record::NewRecord;
use super::space::zero;
use super::{Inner, Mode, Shared, Store};
use crate::cells::Cell;
use crate::dtype::{Dtype, MAX_LEN};
use crate::error::{Code, Error, Result};
use crate::format::{Extent, UNIT};
use crate::region::{Hold, Span};
use hashbrown::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};

/// Payloads up to this many bytes are written under the store mutex.
const SMALL_PAYLOAD: usize = 64 * 1024;

/// What becomes of a dead object's bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fate {
    /// Reusable at once: no version on disk speaks of them.
    Free,
    /// Reusable once this sequence is durable.
    Retire(u64),
}

/// Where an object stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum ObjectState {
    Committed,
    Temporary,
    Destroyed,
    Closed,
}

impl ObjectState {
    /// As the API spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Committed => "committed",
            Self::Temporary => "temporary",
            Self::Destroyed => "destroyed",
            Self::Closed => "closed",
        }
    }
}

/// What a handle knows of its object without asking again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObjectFacts {
    /// Slot index of a record; 2^32 and up for a temporary.
    pub id: u64,
    /// Generation of a record; the process's nonce for a temporary.
    pub generation: u64,
    /// Element type.
    pub dtype: Dtype,
    /// 0: vector.
    pub kind: u8,
    /// Elements.
    pub len: u64,
    /// Byte offset of the payload in the file and in the data mapping; 0 when empty.
    pub off: u64,
    /// Payload bytes (`len` × width).
    pub nbytes: u64,
    /// Liveness cell and the value it has while the object lives.
    pub cell: (u32, i32),
    /// Has a record (persistent) or was committed (scratch).
    pub committed: bool,
}

struct Object {
    serial: u64,
    id: u64,
    generation: u64,
    dtype: Dtype,
    kind: u8,
    len: u64,
    payload: Extent,
    record: Option<u32>,
    committed: bool,
    /// Scratch stores only: names live in memory there.
    name: Option<String>,
    cell: Cell,
    handles: Holders,
    pins: u32,
    operations: u32,
    alive: bool,
    grave: Option<(Extent, Fate)>,
}

/// Handles by thread; nearly always one thread, so the first pair stands inline.
#[derive(Default)]
struct Holders {
    first: (u64, u32),
    rest: Vec<(u64, u32)>,
}

impl Holders {
    fn add(&mut self, thread: u64) {
        if self.first.1 == 0 || self.first.0 == thread {
            self.first = (thread, self.first.1 + 1);
        } else if let Some(h) = self.rest.iter_mut().find(|h| h.0 == thread) {
            h.1 += 1;
        } else {
            self.rest.push((thread, 1));
        }
    }
    fn remove(&mut self, thread: u64) {
        for h in std::iter::once(&mut self.first).chain(&mut self.rest) {
            if h.0 == thread && h.1 > 0 {
                h.1 -= 1;
                return;
            }
        }
    }
    fn forget(&mut self, thread: u64) {
        for h in std::iter::once(&mut self.first).chain(&mut self.rest) {
            if h.0 == thread {
                h.1 = 0;
            }
        }
    }
    fn count(&self) -> u64 {
        std::iter::once(&self.first).chain(&self.rest).map(|h| u64::from(h.1)).sum()
    }
}

/// The table of open objects of one store.
#[derive(Default)]
pub(super) struct Objects {
    slab: Vec<Option<Object>>,
    free: Vec<u32>,
    by_record: HashMap<u32, u32>,
    by_temporary: HashMap<u64, u32>,
    by_name: HashMap<String, u32>,
    operations: u64,
    live_handles: u64,
    temporary_bytes: u64,
    temporary_bytes_since_sweep: u64,
}

fn current_thread() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    thread_local!(static KEY: u64 = NEXT.fetch_add(1, Ordering::Relaxed));
    KEY.with(|k| *k)
}

/// Temporaries are named by a counter above all record ids and a number drawn once per process, so no other process's refs fit.
fn temporary_id() -> (u64, u64) {
    static NEXT: AtomicU64 = AtomicU64::new(1 << 32);
    static NONCE: OnceLock<u64> = OnceLock::new();
    let nonce = NONCE.get_or_init(|| (uuid::Uuid::new_v4().as_u128() as u64 & ((1 << 48) - 1)).max(1));
    (NEXT.fetch_add(1, Ordering::Relaxed), *nonce)
}

fn next_serial() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl Object {
    fn facts(&self) -> ObjectFacts {
        ObjectFacts {
            id: self.id,
            generation: self.generation,
            dtype: self.dtype,
            kind: self.kind,
            len: self.len,
            off: self.payload.off,
            nbytes: self.len * self.dtype.width(),
            cell: (self.cell.idx, self.cell.value),
            committed: self.committed,
        }
    }

    fn is_reachable(&self) -> bool {
        self.pins > 0 || self.operations > 0 || self.handles.count() > 0
    }
}

impl Objects {
    fn insert(&mut self, object: Object) -> u32 {
        let key = self.free.pop().unwrap_or_else(|| {
            self.slab.push(None);
            self.slab.len() as u32 - 1
        });
        if let Some(idx) = object.record {
            self.by_record.insert(idx, key);
        } else {
            self.by_temporary.insert(object.id, key);
            self.temporary_bytes += object.payload.nbytes;
            self.temporary_bytes_since_sweep += object.payload.nbytes;
        }
        self.slab[key as usize] = Some(object);
        key
    }

    fn get(&mut self, key: u32, serial: u64) -> Option<&mut Object> {
        self.slab.get_mut(key as usize)?.as_mut().filter(|o| o.serial == serial)
    }

    /// Takes an object out of the indices by which it can be found.
    fn unlink(&mut self, key: u32) {
        let Some(Some(o)) = self.slab.get(key as usize) else { return };
        match o.record {
            Some(idx) => {
                if self.by_record.get(&idx) == Some(&key) {
                    self.by_record.remove(&idx);
                }
            }
            None => {
                if self.by_temporary.remove(&o.id).is_some() {
                    self.temporary_bytes = self.temporary_bytes.saturating_sub(o.payload.nbytes);
                }
            }
        }
        if let Some(name) = &o.name
            && self.by_name.get(name) == Some(&key)
        {
            self.by_name.remove(name);
        }
    }

    fn remove(&mut self, key: u32) -> Option<Object> {
        self.unlink(key);
        let o = self.slab.get_mut(key as usize)?.take()?;
        o.cell.give_back();
        self.free.push(key);
        Some(o)
    }

    /// Removes the object if nothing reaches it any more; returns bytes to give back.
    fn reap(&mut self, key: u32) -> Option<(Extent, Fate)> {
        let Some(Some(o)) = self.slab.get(key as usize) else { return None };
        if o.is_reachable() || (o.alive && o.name.is_some()) {
            return None;
        }
        let o = self.remove(key)?;
        match (o.alive, o.record) {
            (true, Some(_)) => None,
            (true, None) => Some((o.payload, Fate::Free)),
            (false, _) => o.grave,
        }
    }

    /// The object is dead: its handles are told, and it is found no more. The calling thread's handles no longer count.
    fn kill(&mut self, key: u32, payload: Extent, fate: Fate) -> Option<(Extent, Fate)> {
        self.unlink(key);
        let Some(Some(o)) = self.slab.get_mut(key as usize) else { return Some((payload, fate)) };
        o.alive = false;
        o.name = None;
        o.cell.kill();
        o.grave = Some((payload, fate));
        self.live_handles = self.live_handles.saturating_sub(o.handles.count());
        o.handles.forget(current_thread());
        self.reap(key)
    }

    /// A record died: its bytes, if they can be given back now.
    pub(super) fn bury_record(&mut self, idx: u32, payload: Extent, fate: Fate) -> Option<(Extent, Fate)> {
        match self.by_record.get(&idx).copied() {
            Some(key) => self.kill(key, payload, fate),
            None => Some((payload, fate)),
        }
    }

    pub(super) fn is_record_busy(&self, idx: u32) -> bool {
        self.by_record
            .get(&idx)
            .and_then(|key| self.slab[*key as usize].as_ref())
            .is_some_and(|o| o.operations > 0)
    }

    pub(super) fn running(&self) -> u64 {
        self.operations
    }

    pub(super) fn live_handles(&self) -> u64 {
        self.live_handles
    }

    pub(super) fn pinned(&self) -> u64 {
        self.slab.iter().flatten().map(|o| u64::from(o.pins)).sum()
    }

    /// Every handle is dead; nothing is found any more.
    pub(super) fn end_all(&mut self) {
        for o in self.slab.drain(..).flatten() {
            o.cell.give_back();
        }
        *self = Self::default();
    }
}

/// One thread's hold on an open object. Dropping it lets the object go.
pub struct Handle {
    shared: Arc<Shared>,
    key: u32,
    serial: u64,
    thread: u64,
    facts: ObjectFacts,
}

impl Drop for Handle {
    fn drop(&mut self) {
        let mut inner = self.shared.lock();
        let Some(o) = inner.objects.get(self.key, self.serial) else { return };
        let was_counted = o.alive;
        o.handles.remove(self.thread);
        inner.objects.live_handles = inner.objects.live_handles.saturating_sub(u64::from(was_counted));
        inner.reap(self.key);
    }
}

impl Inner {
    fn reap(&mut self, key: u32) {
        if let Some((e, fate)) = self.objects.reap(key) {
            // Without a map (a closing store) there is nothing to give back to.
            let _ = self.give_back(e, fate);
        }
    }

    /// The slot of an open object; `None`: a temporary.
    pub(super) fn record_of(&self, handle: &Handle) -> Result<Option<u32>> {
        match self.objects.slab.get(handle.key as usize) {
            Some(Some(o)) if o.serial == handle.serial && o.alive => Ok(o.record),
            _ => Err(handle.destroyed_error()),
        }
    }

    fn handle(&mut self, sh: &Arc<Shared>, key: u32) -> Result<Handle> {
        let thread = current_thread();
        let Some(Some(o)) = self.objects.slab.get_mut(key as usize) else {
            return Err(Error::new(Code::Internal, "open object missing from the table"));
        };
        o.handles.add(thread);
        let handle = Handle { shared: Arc::clone(sh), key, serial: o.serial, thread, facts: o.facts() };
        self.objects.live_handles += 1;
        Ok(handle)
    }

    fn open_record(&mut self, sh: &Arc<Shared>, idx: u32) -> Result<Handle> {
        if let Some(key) = self.objects.by_record.get(&idx).copied() {
            return self.handle(sh, key);
        }
        let live = self.live(idx)?;
        let dtype = Dtype::from_code(live.head.dtype)
            .ok_or_else(|| self.damaged(idx, "unknown element type"))?
            .fixed()?;
        let key = self.objects.insert(Object {
            serial: next_serial(),
            id: u64::from(idx),
            generation: u64::from(live.head.generation),
            dtype,
            kind: live.head.kind,
            len: live.body.len,
            payload: live.body.payload,
            record: Some(idx),
            committed: true,
            name: None,
            cell: Cell::take(),
            handles: Holders::default(),
            pins: 0,
            operations: 0,
            alive: true,
            grave: None,
        });
        self.handle(sh, key)
    }
}

impl Store {
    /// A temporary of `len` elements: bytes in the file, no record. It is gone with its last handle unless committed.
    /// `zeroed`: the elements are zero; otherwise they are whatever the space held. Padding is always zero.
    ///
    /// # Errors
    /// `ARGUMENT` (length), `UNSUPPORTED` (type), `NO_SPACE`, `READ_ONLY`, `CORRUPT`, `CLOSED`.
    pub fn reserve(&self, dtype: Dtype, len: u64, zeroed: bool) -> Result<Handle> {
        let sh = self.shared()?;
        dtype.fixed()?;
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
        let (id, generation) = temporary_id();
        let key = inner.objects.insert(Object {
            serial: next_serial(),
            id,
            generation,
            dtype,
            kind: 0,
            len,
            payload,
            record: None,
            committed: false,
            name: None,
            cell: Cell::take(),
            handles: Holders::default(),
            pins: 0,
            operations: 0,
            alive: true,
            grave: None,
        });
        let handle = inner.handle(sh, key)?;
        drop(inner);
        // The extent is ours: zeroed outside the lock, as an operation, so that a close waits for it.
        let dirty = units - known_zero;
        let from = if zeroed { 0 } else { nbytes };
        if from < dirty {
            let _operation = handle.begin()?;
            zero(sh, Extent { off: payload.off + from, nbytes: dirty - from });
        }
        Ok(handle)
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
        if bytes.len() as u64 != len.saturating_mul(dtype.width()) {
            return Err(Error::new(
                Code::Length,
                format!("{} bytes given for {len} elements of {} bytes", bytes.len(), dtype.width()),
            ));
        }
        if bytes.len() <= SMALL_PAYLOAD && self.mode() == Mode::Persistent {
            return self.with_space(|| self.put_small(dtype, len, bytes, name, replace));
        }
        let mut handle = self.reserve(dtype, len, false)?;
        if !bytes.is_empty() {
            let operation = handle.begin()?;
            operation.span().write(0, bytes);
            operation.wrote(handle.facts.off, 0, handle.facts.nbytes);
        }
        self.commit(&mut handle, name, replace)?;
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
        dtype.fixed()?;
        let nbytes = bytes.len() as u64;
        let units = nbytes.next_multiple_of(UNIT);
        let mut inner = sh.lock_open()?;
        inner.begin(sh)?;
        let payload = if units == 0 { Extent::EMPTY } else { inner.allocate(sh, units)?.0 };
        let span = sh.seam.region.span(payload.off, units);
        span.write(0, bytes);
        span.part(nbytes, units - nbytes).zero();
        sh.seam.announce(payload.off, units);
        let new = NewRecord { dtype: dtype.code(), kind: 0, len, payload, name, replace };
        let (idx, generation) = match inner.create_record(sh, &new) {
            Ok(made) => made,
            Err(e) => {
                inner.give_back(payload, Fate::Free)?;
                return Err(e);
            }
        };
        let key = inner.objects.insert(Object {
            serial: next_serial(),
            id: u64::from(idx),
            generation: u64::from(generation),
            dtype,
            kind: 0,
            len,
            payload,
            record: Some(idx),
            committed: true,
            name: None,
            cell: Cell::take(),
            handles: Holders::default(),
            pins: 0,
            operations: 0,
            alive: true,
            grave: None,
        });
        inner.handle(sh, key)
    }

    /// Makes a temporary a record, with or without a name; a committed object is (re)named if a name is given.
    /// When the call returns, the object survives the death of the process, whole.
    ///
    /// # Errors
    /// `EXISTS`: the name is taken and `replace` is false; `ARGUMENT`: the name; `BUSY`: an operation runs on the object to be replaced;
    /// `NO_SPACE`, `READ_ONLY`, `POISONED`, `DESTROYED`, `CLOSED`.
    pub fn commit(&self, handle: &mut Handle, name: Option<&str>, replace: bool) -> Result<()> {
        self.with_space(|| self.try_commit(handle, name, replace))
    }

    /// Runs `act`, which changes nothing when it fails; where it finds no space while the bytes of destroyed objects wait for a sync, syncs
    /// and runs it once more.
    fn with_space<T>(&self, mut act: impl FnMut() -> Result<T>) -> Result<T> {
        match act() {
            Err(e) if e.code() == Code::NoSpace && self.shared.has_retired() => {
                self.shared.sync()?;
                act()
            }
            done => done,
        }
    }

    fn try_commit(&self, handle: &mut Handle, name: Option<&str>, replace: bool) -> Result<()> {
        let sh = self.shared()?;
        self.check_ours(handle)?;
        let mut inner = sh.lock_open()?;
        sh.check_writable(&inner)?;
        if let Some(idx) = inner.record_of(handle)? {
            return match name {
                Some(_) => inner.rename_record(sh, idx, name, replace),
                None => Ok(()),
            };
        }
        if sh.mode == Mode::Scratch {
            return inner.commit_scratch(handle, name, replace);
        }
        let (dtype, kind, len, payload) = {
            let o = inner.objects.get(handle.key, handle.serial).ok_or_else(|| handle.destroyed_error())?;
            (o.dtype.code(), o.kind, o.len, o.payload)
        };
        let (idx, generation) =
            inner.create_record(sh, &NewRecord { dtype, kind, len, payload, name, replace })?;
        inner.objects.unlink(handle.key);
        inner.objects.by_record.insert(idx, handle.key);
        let o = inner.objects.get(handle.key, handle.serial).ok_or_else(|| handle.destroyed_error())?;
        o.record = Some(idx);
        o.id = u64::from(idx);
        o.generation = u64::from(generation);
        o.committed = true;
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
        let mut inner = sh.lock_open()?;
        sh.check_writable(&inner)?;
        // Giving a name up takes no space.
        if let Some(idx) = inner.record_of(handle)? {
            inner.rename_record(sh, idx, None, false)
        } else {
            inner.objects.unname(handle.key);
            Ok(())
        }
    }

    /// Destroys the object: every handle is dead from now on. False: it was dead already. `at_once`: its bytes need no sync before reuse.
    ///
    /// # Errors
    /// `BUSY`: an operation runs on it; `READ_ONLY`, `POISONED`, `IO`, `CLOSED`.
    pub fn destroy(&self, handle: &Handle, at_once: bool) -> Result<bool> {
        let sh = self.shared()?;
        self.check_ours(handle)?;
        let mut inner = sh.lock_open()?;
        let Some(o) = inner.objects.get(handle.key, handle.serial).filter(|o| o.alive) else {
            return Ok(false);
        };
        if o.operations > 0 {
            return Err(Error::new(Code::Busy, "an operation is running on the object; wait for it to end")
                .with("id", o.id));
        }
        let (record, payload) = (o.record, o.payload);
        match record {
            Some(idx) => {
                inner.begin(sh)?;
                inner.prepare_names(sh)?;
                // Rule 9: where every commit is durable, so is every death.
                inner.destroy_record(sh, idx, at_once || sh.full)?;
                sh.note_commit(&mut inner);
            }
            None => {
                if let Some((e, fate)) = inner.objects.kill(handle.key, payload, Fate::Free) {
                    inner.give_back(e, fate)?;
                }
            }
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
        let idx = u32::try_from(id).map_err(|_| stale())?;
        match inner.record(idx)? {
            Some(live) if u64::from(live.head.generation) == generation => inner.open_record(sh, idx),
            _ => Err(stale()),
        }
    }

    fn check_ours(&self, handle: &Handle) -> Result<()> {
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
        let o = &self.shared.lock().objects;
        (o.temporary_bytes, o.temporary_bytes_since_sweep)
    }

    /// Starts the count of newly made temporaries again.
    pub fn swept(&self) {
        self.shared.lock().objects.temporary_bytes_since_sweep = 0;
    }
}

impl Objects {
    fn unname(&mut self, key: u32) {
        if let Some(Some(o)) = self.slab.get_mut(key as usize)
            && let Some(name) = o.name.take()
        {
            self.by_name.remove(&name);
        }
    }

    /// Names of a scratch store with their objects' ids, in the order of creation.
    pub(super) fn scratch_names(&self) -> Vec<String> {
        let mut list: Vec<_> = self
            .by_name
            .iter()
            .map(|(name, key)| (self.slab[*key as usize].as_ref().map_or(0, |o| o.id), name.clone()))
            .collect();
        list.sort_unstable();
        list.into_iter().map(|(_, name)| name).collect()
    }
}

impl Inner {
    fn commit_scratch(&mut self, handle: &mut Handle, name: Option<&str>, replace: bool) -> Result<()> {
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
                if let Some((e, fate)) = self.objects.kill(other, payload, Fate::Free) {
                    self.give_back(e, fate)?;
                }
            }
            self.objects.unname(handle.key);
            self.objects.by_name.insert(name.to_owned(), handle.key);
        }
        let o = self.objects.get(handle.key, handle.serial).ok_or_else(|| handle.destroyed_error())?;
        o.committed = true;
        if let Some(name) = name {
            o.name = Some(name.to_owned());
        }
        handle.facts = o.facts();
        Ok(())
    }
}

impl Handle {
    /// What is known of the object since it was opened or committed.
    pub fn facts(&self) -> ObjectFacts {
        self.facts
    }

    /// A number that no other object of this process ever has.
    pub fn serial(&self) -> u64 {
        self.serial
    }

    pub(super) fn destroyed_error(&self) -> Error {
        Error::new(Code::Destroyed, "the vector was destroyed; this is a closed handle")
            .with("id", self.facts.id)
    }

    /// Where the object stands now. Never fails.
    pub fn state(&self) -> ObjectState {
        let mut inner = self.shared.lock();
        if inner.closing {
            return ObjectState::Closed;
        }
        match inner.objects.get(self.key, self.serial) {
            Some(o) if o.alive && o.committed => ObjectState::Committed,
            Some(o) if o.alive => ObjectState::Temporary,
            _ => ObjectState::Destroyed,
        }
    }

    /// The object's name in the store.
    pub fn name(&self) -> Result<Option<String>> {
        let mut inner = self.shared.lock_open()?;
        let destroyed = self.destroyed_error();
        let (record, name) = match inner.objects.get(self.key, self.serial) {
            Some(o) if o.alive => (o.record, o.name.clone()),
            _ => return Err(destroyed),
        };
        match record {
            Some(idx) => Ok(inner.naming_of(&inner.live(idx)?)?.map(|n| n.name)),
            None => Ok(name),
        }
    }

    /// Byte offset of the record in the file (0: no record), and whether buffers over the payload are alive.
    pub fn whereabouts(&self) -> Result<(u64, bool)> {
        let mut inner = self.shared.lock_open()?;
        let (record, pins) = match inner.objects.get(self.key, self.serial) {
            Some(o) if o.alive => (o.record, o.pins),
            _ => return Err(self.destroyed_error()),
        };
        Ok((record.and_then(|idx| inner.catalog.place(idx)).map_or(0, |p| p.slot_off), pins > 0))
    }

    /// Whether stores through this handle's elements reach the file.
    pub fn is_read_only(&self) -> bool {
        self.shared.read_only
    }

    /// Starts work on the elements: the object cannot be destroyed nor its store let go before the guard is dropped.
    pub(crate) fn begin(&self) -> Result<Operation> {
        let mut inner = self.shared.lock_open()?;
        let destroyed = self.destroyed_error();
        let Some(o) = inner.objects.get(self.key, self.serial).filter(|o| o.alive) else {
            return Err(destroyed);
        };
        o.operations += 1;
        inner.objects.operations += 1;
        let span = self.shared.seam.region.span(self.facts.off, self.facts.nbytes);
        Ok(Operation { shared: Arc::clone(&self.shared), key: self.key, serial: self.serial, span })
    }

    /// Pins payload bytes `[start, start+nbytes)`: their addresses stay valid, and the bytes are not reused, until the pin is dropped.
    ///
    /// # Errors
    /// `OUT_OF_BOUNDS`, `DESTROYED`, `CLOSED`.
    pub fn pin(&self, start: u64, nbytes: u64) -> Result<Pin> {
        let mut inner = self.shared.lock_open()?;
        if start.checked_add(nbytes).is_none_or(|end| end > self.facts.nbytes) {
            return Err(Error::new(Code::OutOfBounds, "the window reaches beyond the vector"));
        }
        let destroyed = self.destroyed_error();
        let Some(o) = inner.objects.get(self.key, self.serial).filter(|o| o.alive) else {
            return Err(destroyed);
        };
        let hold = self.shared.seam.region.hold(o.payload.off + start, nbytes)?;
        o.pins += 1;
        Ok(Pin { shared: Arc::downgrade(&self.shared), key: self.key, serial: self.serial, hold })
    }
}

/// Keeps payload bytes where they are, for a buffer that may outlive every handle.
pub struct Pin {
    /// Weak: a buffer that nobody collects must not keep a closed store's descriptors.
    shared: Weak<Shared>,
    key: u32,
    serial: u64,
    hold: Hold,
}

impl Pin {
    /// Address of the first byte.
    pub fn ptr(&self) -> *mut u8 {
        self.hold.ptr()
    }
    /// Bytes pinned.
    pub fn nbytes(&self) -> u64 {
        self.hold.nbytes()
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        let Some(shared) = self.shared.upgrade() else { return };
        let mut inner = shared.lock();
        if let Some(o) = inner.objects.get(self.key, self.serial) {
            o.pins -= 1;
            inner.reap(self.key);
        }
    }
}

/// Work in progress on an object's elements.
pub(crate) struct Operation {
    shared: Arc<Shared>,
    key: u32,
    serial: u64,
    span: Span,
}

impl Operation {
    pub(crate) fn span(&self) -> Span {
        self.span
    }

    /// Bytes `[off, off+nbytes)` of the payload were written.
    pub(crate) fn wrote(&self, payload_off: u64, off: u64, nbytes: u64) {
        self.shared.seam.announce(payload_off + off, nbytes);
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        let mut inner = self.shared.lock();
        if let Some(o) = inner.objects.get(self.key, self.serial) {
            o.operations -= 1;
            inner.objects.operations -= 1;
            inner.reap(self.key);
        }
        if inner.closing {
            self.shared.changed.notify_all();
        }
    }
}
