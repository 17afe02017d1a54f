//! Holds on open objects: [`Handle`] (one thread's), [`Pin`] (a buffer given out over the bytes), `Operation` (work in progress).

use super::objects::{Elements, Object, current_thread};
use super::upkeep::Upkeep;
use super::{Inner, Shared};
use crate::dtype::Dtype;
use crate::error::{Code, Error, Result};
use crate::platform::loss::Loss;
use crate::region::{Alias, Hold, Span};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

fn being_sealed() -> Error {
    Error::new(Code::Busy, "the vector is being sealed by another thread; try again")
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
#[expect(clippy::struct_excessive_bools, reason = "independent facts, each documented")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObjectFacts {
    /// Slot index of a record; 2^32 and up for a temporary.
    pub id: u64,
    /// Generation of a record; the process's nonce for a temporary.
    pub generation: u64,
    /// Element type.
    pub dtype: Dtype,
    /// [`VECTOR`](crate::VECTOR), [`MATRIX`](crate::MATRIX), [`ARRAY`](crate::ARRAY), [`LIST`](crate::LIST) or [`FRAME`](crate::FRAME).
    pub kind: u8,
    /// Elements.
    pub len: u64,
    /// Byte offset of the payload in the file and in the data mapping; 0 when empty. Valid while the cell has its value.
    pub off: u64,
    /// Payload bytes (`len` × width).
    pub nbytes: u64,
    /// Liveness cell and the value it has while the object lives and lies at `off`.
    pub cell: (u32, i32),
    /// Has a record (persistent) or was committed (scratch).
    pub committed: bool,
    /// It is a part of another object, its names for one.
    pub owned: bool,
    /// There may be more to it: see [`Store::attributes`](crate::Store::attributes).
    pub has_attributes: bool,
    /// The elements are immutable.
    pub sealed: bool,
}

/// One thread's hold on an open object. Dropping it lets the object go.
pub struct Handle {
    pub(crate) shared: Arc<Shared>,
    pub(super) key: u32,
    pub(super) serial: u64,
    thread: u64,
    pub(super) facts: ObjectFacts,
}

impl Drop for Handle {
    fn drop(&mut self) {
        let Some(mut inner) = self.shared.lock_ours() else { return };
        let Some(o) = inner.objects.get(self.key, self.serial) else { return };
        let was_counted = o.alive;
        o.handles.remove(self.thread);
        inner.objects.live_handles = inner.objects.live_handles.saturating_sub(u64::from(was_counted));
        inner.reap_quietly(self.key);
    }
}

impl Inner {
    fn reap_quietly(&mut self, key: u32) {
        // Without a map (a closing store) there is nothing to give back to.
        let _ = self.reap(key);
    }

    /// The slot of an open object; `None`: a temporary.
    pub(super) fn record_of(&self, handle: &Handle) -> Result<Option<u32>> {
        match self.objects.slab.get(handle.key as usize) {
            Some(Some(o)) if o.serial == handle.serial && o.alive => Ok(o.record),
            _ => Err(handle.destroyed_error()),
        }
    }

    pub(super) fn handle(&mut self, sh: &Arc<Shared>, key: u32) -> Result<Handle> {
        let thread = current_thread();
        let Some(Some(o)) = self.objects.slab.get_mut(key as usize) else {
            return Err(Error::new(Code::Internal, "open object missing from the table"));
        };
        o.handles.add(thread);
        let handle = Handle { shared: Arc::clone(sh), key, serial: o.serial, thread, facts: o.facts() };
        self.objects.note_use(key);
        self.objects.live_handles += 1;
        Ok(handle)
    }
}

/// An object's place in the table of open objects, as a handle knows it; holds nothing.
#[derive(Clone, Copy)]
pub(super) struct Target {
    pub(super) key: u32,
    pub(super) serial: u64,
    facts: ObjectFacts,
}

impl Target {
    pub(super) fn destroyed_error(self) -> Error {
        Error::new(Code::Destroyed, "the vector was destroyed; this is a closed handle")
            .with("id", self.facts.id)
    }

    /// Slot and generation of its record; no slot that exists for a temporary.
    pub(super) fn record_named(self) -> (u32, u64) {
        (u32::try_from(self.facts.id).unwrap_or(u32::MAX), self.facts.generation)
    }

    /// See [`Handle::begin`].
    pub(super) fn begin(self, shared: &Arc<Shared>) -> Result<Operation> {
        self.begin_if(shared, |_| Ok(()))
    }

    fn begin_if(self, shared: &Arc<Shared>, check: impl FnOnce(&Object) -> Result<()>) -> Result<Operation> {
        let mut inner = shared.lock_open_for_elements()?;
        self.begin_in(shared, &mut inner, check)
    }

    /// The same with the store locked already.
    pub(super) fn begin_in(
        self,
        shared: &Arc<Shared>,
        inner: &mut Inner,
        check: impl FnOnce(&Object) -> Result<()>,
    ) -> Result<Operation> {
        let Some(o) = inner.objects.get(self.key, self.serial).filter(|o| o.alive) else {
            return Err(self.destroyed_error());
        };
        check(o)?;
        o.operations += 1;
        let off = o.payload.off;
        inner.objects.operations += 1;
        inner.objects.note_use(self.key);
        let span = shared.seam.region.span(off, self.facts.nbytes);
        Ok(Operation { shared: Arc::clone(shared), key: self.key, serial: self.serial, off, span })
    }
}

impl Inner {
    /// Pins a record's payload for reading, without a handle.
    pub(super) fn pin_record(&mut self, sh: &Arc<Shared>, idx: u32) -> Result<Pin> {
        let key = self.object_of(idx)?;
        let Some(Some(o)) = self.objects.slab.get_mut(key as usize) else {
            return Err(Error::new(Code::Internal, "open object missing from the table"));
        };
        let memory = Memory::Shared(sh.seam.region.hold(o.payload.off, o.payload.nbytes)?);
        o.pins += 1;
        let serial = o.serial;
        self.objects.note_use(key);
        Ok(Pin { shared: Arc::downgrade(sh), key, serial, memory })
    }
}

impl Handle {
    /// What is known of the object since it was opened, committed or refreshed.
    pub fn facts(&self) -> ObjectFacts {
        self.facts
    }

    /// Asks again where the object lies, what its liveness cell says and whether it is sealed.
    ///
    /// # Errors
    /// `DESTROYED`, `CLOSED`; `BUSY`: the store is being copied onto its own path.
    pub fn refresh(&mut self) -> Result<()> {
        let mut inner = self.shared.lock_open_for_elements()?;
        self.facts = match inner.objects.get(self.key, self.serial) {
            Some(o) if o.alive => o.facts(),
            _ => return Err(self.destroyed_error()),
        };
        Ok(())
    }

    /// From now on the hold is the calling thread's.
    pub(super) fn change_thread(&mut self) {
        let now = current_thread();
        let Some(mut inner) = self.shared.lock_ours() else { return };
        if let Some(o) = inner.objects.get(self.key, self.serial) {
            o.handles.remove(self.thread);
            o.handles.add(now);
            self.thread = now;
        }
    }

    /// Another hold on the object, for work that may outlive this one.
    ///
    /// # Errors
    /// As [`Handle::refresh`].
    pub(crate) fn again(&self) -> Result<Self> {
        let mut inner = self.shared.lock_open_for_elements()?;
        inner.record_of(self)?;
        inner.handle(&self.shared, self.key)
    }

    /// A number that no other object of this process ever has.
    pub fn serial(&self) -> u64 {
        self.serial
    }

    pub(super) fn destroyed_error(&self) -> Error {
        self.target().destroyed_error()
    }

    /// Where the object stands now. Never fails.
    pub fn state(&self) -> ObjectState {
        let Some(mut inner) = self.shared.lock_ours() else { return ObjectState::Closed };
        if inner.closing || inner.upkeep == Upkeep::Replaced {
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
        self.shared.seam.loss.quietly(|| self.current_name())
    }

    fn current_name(&self) -> Result<Option<String>> {
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

    /// Byte offsets of the record (0: none) and of the payload in the file, and whether buffers over the payload are alive.
    pub fn whereabouts(&self) -> Result<(u64, u64, bool)> {
        let mut inner = self.shared.lock_open_for_elements()?;
        let (record, off, pins) = match inner.objects.get(self.key, self.serial) {
            Some(o) if o.alive => (o.record, o.payload.off, o.pins),
            _ => return Err(self.destroyed_error()),
        };
        Ok((record.and_then(|idx| inner.catalog.place(idx)).map_or(0, |p| p.slot_off), off, pins > 0))
    }

    /// Whether stores through this handle's elements reach the file.
    pub fn is_read_only(&self) -> bool {
        self.shared.read_only
    }

    /// What is needed to find the object again, without a hold on it.
    pub(super) fn target(&self) -> Target {
        Target { key: self.key, serial: self.serial, facts: self.facts }
    }

    pub(crate) fn loss(&self) -> Arc<Loss> {
        Arc::clone(&self.shared.seam.loss)
    }

    /// `POISONED` once bytes of the store are lost: its elements are no longer written.
    pub(crate) fn check_changeable(&self) -> Result<()> {
        self.shared.seam.loss.refuse()
    }

    /// Starts work on the elements: the object cannot be destroyed nor its store let go before the guard is dropped.
    pub(crate) fn begin(&self) -> Result<Operation> {
        self.target().begin(&self.shared)
    }

    /// The same for work that writes elements.
    pub(crate) fn begin_writing(&self) -> Result<Operation> {
        self.target().begin_if(&self.shared, |o| match o.elements {
            Elements::Writable => Ok(()),
            Elements::BeingSealed => Err(being_sealed()),
            Elements::Sealed => Err(Error::new(
                Code::Sealed,
                "the vector is sealed: its elements are immutable; copy() it to change them",
            )
            .with("id", o.id)),
        })
    }

    /// Pins payload bytes `[start, start+nbytes)`: their addresses stay valid, and the bytes are not reused, until the pin is dropped.
    /// Those of a sealed object are private memory: stores through them do not reach the file.
    ///
    /// # Errors
    /// `OUT_OF_BOUNDS`, `BUSY` (it is being sealed), `TOO_LARGE` (the system refuses the private memory), `DESTROYED`, `CLOSED`; `IO`: some of the
    /// bytes are lost.
    pub fn pin(&self, start: u64, nbytes: u64) -> Result<Pin> {
        self.pin_as(start, nbytes, false)
    }

    /// A pin for reading only: shared memory also where the object is sealed.
    pub(crate) fn pin_for_reading(&self, start: u64, nbytes: u64) -> Result<Pin> {
        self.pin_as(start, nbytes, true)
    }

    fn pin_as(&self, start: u64, nbytes: u64, for_reading: bool) -> Result<Pin> {
        if !for_reading {
            // Views and cells are read by the core alone, which checks each.
            self.facts.dtype.plain()?;
        }
        let mut inner = self.shared.lock_open_for_elements()?;
        if start.checked_add(nbytes).is_none_or(|end| end > self.facts.nbytes) {
            return Err(Error::new(Code::OutOfBounds, "the window reaches beyond the vector"));
        }
        let destroyed = self.destroyed_error();
        let Some(o) = inner.objects.get(self.key, self.serial).filter(|o| o.alive) else {
            return Err(destroyed);
        };
        let (seam, off) = (&self.shared.seam, o.payload.off + start);
        seam.loss.check_range(off, nbytes)?;
        let memory = match o.elements {
            Elements::BeingSealed => return Err(being_sealed()),
            Elements::Sealed if !for_reading => Memory::Private(seam.region.alias(&seam.file, off, nbytes)?),
            Elements::Writable | Elements::Sealed => Memory::Shared(seam.region.hold(off, nbytes)?),
        };
        o.pins += 1;
        inner.objects.note_use(self.key);
        Ok(Pin { shared: Arc::downgrade(&self.shared), key: self.key, serial: self.serial, memory })
    }
}

/// Keeps payload bytes where they are, for a buffer that may outlive every handle.
pub struct Pin {
    /// Weak: a buffer that nobody collects must not keep a closed store's descriptors.
    shared: Weak<Shared>,
    key: u32,
    serial: u64,
    memory: Memory,
}

enum Memory {
    Shared(Hold),
    Private(Alias),
}

impl Pin {
    /// Address of the first byte.
    pub fn ptr(&self) -> *mut u8 {
        match &self.memory {
            Memory::Shared(m) => m.ptr(),
            Memory::Private(m) => m.ptr(),
        }
    }
    /// Bytes pinned.
    pub fn nbytes(&self) -> u64 {
        match &self.memory {
            Memory::Shared(m) => m.nbytes(),
            Memory::Private(m) => m.nbytes(),
        }
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        let Some(shared) = self.shared.upgrade() else { return };
        let Some(mut inner) = shared.lock_ours() else { return };
        if let Some(o) = inner.objects.get(self.key, self.serial) {
            o.pins -= 1;
            inner.reap_quietly(self.key);
        }
    }
}

/// Work in progress on an object's elements.
pub(crate) struct Operation {
    shared: Arc<Shared>,
    key: u32,
    serial: u64,
    /// Where the payload lies: it does not move while an operation runs.
    off: u64,
    span: Span,
}

impl Operation {
    /// Where the payload starts in the file.
    pub(super) fn off(&self) -> u64 {
        self.off
    }

    pub(crate) fn span(&self) -> Span {
        self.span
    }

    /// Whether the store is being closed and waits for this to end. Takes no lock.
    pub(crate) fn is_closing(&self) -> bool {
        self.shared.is_ending.load(Ordering::Relaxed)
    }

    /// `IO` if bytes `[off, off+nbytes)` of the payload are lost.
    pub(crate) fn check(&self, off: u64, nbytes: u64) -> Result<()> {
        self.shared.seam.loss.check_range(self.off + off, nbytes)
    }

    /// Bytes `[off, off+nbytes)` of the payload were written.
    pub(crate) fn wrote(&self, off: u64, nbytes: u64) {
        self.shared.seam.announce(self.off + off, nbytes);
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        let Some(mut inner) = self.shared.lock_ours() else { return };
        if let Some(o) = inner.objects.get(self.key, self.serial) {
            o.operations -= 1;
            inner.objects.operations -= 1;
            inner.reap_quietly(self.key);
        }
        if inner.closing {
            self.shared.changed.notify_all();
        }
    }
}
