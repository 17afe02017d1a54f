//! The table of open objects: which objects of the store somebody in this process can reach, and what becomes of their bytes.
//!
//! An object is open while a handle, a pin or an operation exists. A dead object's bytes come free when nothing can reach them any more: no
//! pin, no operation, and no handle of another thread (which may be between its liveness test and its access). The handles of the
//! thread that destroyed it count no longer: that thread sees the death at once. Everything here runs under the store mutex.

use super::attributes::{Child, OwnAttrs};
use super::handle::ObjectFacts;
use super::heaps::Heap;
use crate::cells::Cell;
use crate::dtype::Dtype;
use crate::format::Extent;
use crate::format::fields::Key;
use crate::mutants::planted;
use crate::strings::Strings;
use hashbrown::HashMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// What becomes of a dead object's bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fate {
    /// Reusable at once: no version on disk speaks of them.
    Free,
    /// Reusable once this sequence is durable.
    Retire(u64),
}

/// Whether an object's elements may still be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Elements {
    Writable,
    /// Its checksums are being made: no writes and no buffers until it is decided.
    BeingSealed,
    Sealed,
}

/// Whose child an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    Record(Key),
    /// Key and serial of an object without a record.
    Open(u32, u64),
}

/// An object that is open in this process.
pub(super) struct Object {
    pub(super) serial: u64,
    pub(super) id: u64,
    pub(super) generation: u64,
    pub(super) dtype: Dtype,
    /// What it is now: a vector becomes a matrix by its attributes.
    pub(super) kind: u8,
    pub(super) len: u64,
    pub(super) payload: Extent,
    pub(super) record: Option<u32>,
    pub(super) owner: Option<Owner>,
    /// Without a record: its attributes. Those of a record stand in the file, and here is nothing.
    pub(super) attrs: OwnAttrs,
    /// Without a record, of a list or frame: what it holds. A record's cells are its payload.
    pub(super) cells: Option<Vec<Option<Child>>>,
    /// Of a character vector whose strings somebody has asked for.
    pub(super) text: Option<Box<Heap>>,
    /// Objects in memory that own or hold this one.
    pub(super) holds: u32,
    /// Whether a record has attributes at all.
    pub(super) has_aux: bool,
    pub(super) committed: bool,
    pub(super) elements: Elements,
    /// Scratch stores only: names live in memory there.
    pub(super) name: Option<String>,
    pub(super) cell: Cell,
    pub(super) handles: Holders,
    pub(super) pins: u32,
    pub(super) operations: u32,
    pub(super) alive: bool,
    pub(super) grave: Option<(Extent, Fate)>,
}

/// Handles by thread; nearly always one thread, so the first pair stands inline.
#[derive(Default)]
pub(super) struct Holders {
    first: (u64, u32),
    rest: Vec<(u64, u32)>,
}

impl Holders {
    pub(super) fn add(&mut self, thread: u64) {
        if self.first.1 == 0 || self.first.0 == thread {
            self.first = (thread, self.first.1 + 1);
        } else if let Some(h) = self.rest.iter_mut().find(|h| h.0 == thread) {
            h.1 += 1;
        } else {
            self.rest.push((thread, 1));
        }
    }
    pub(super) fn remove(&mut self, thread: u64) {
        for h in std::iter::once(&mut self.first).chain(&mut self.rest) {
            if h.0 == thread && h.1 > 0 {
                h.1 -= 1;
                return;
            }
        }
    }
    pub(super) fn forget(&mut self, thread: u64) {
        for h in std::iter::once(&mut self.first).chain(&mut self.rest) {
            if h.0 == thread {
                h.1 = 0;
            }
        }
    }
    pub(super) fn others_than(&self, thread: Option<u64>) -> bool {
        std::iter::once(&self.first).chain(&self.rest).any(|h| h.1 > 0 && Some(h.0) != thread)
    }
    pub(super) fn count(&self) -> u64 {
        std::iter::once(&self.first).chain(&self.rest).map(|h| u64::from(h.1)).sum()
    }
}

/// The table of open objects of one store.
#[derive(Default)]
pub(super) struct Objects {
    pub(super) slab: Vec<Option<Object>>,
    pub(super) free: Vec<u32>,
    pub(super) by_record: HashMap<u32, u32>,
    pub(super) by_temporary: HashMap<u64, u32>,
    pub(super) by_name: HashMap<String, u32>,
    pub(super) operations: u64,
    pub(super) live_handles: u64,
    pub(super) temporary_bytes: u64,
    pub(super) temporary_bytes_since_sweep: u64,
    /// What compaction is copying outside the mutex.
    pub(super) moving: Option<Moving>,
}

/// An object whose bytes are being copied to another place while others may open it.
pub(super) struct Moving {
    pub(super) record: Option<u32>,
    /// Its key, if it is open.
    pub(super) key: Option<u32>,
    /// Somebody has got at it meanwhile, so the copy may lack a write.
    pub(super) disturbed: bool,
}

/// A number of the calling thread, never used again.
pub(super) fn current_thread() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    crate::sync_types::thread_local!(static KEY: u64 = NEXT.fetch_add(1, Ordering::Relaxed));
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
    /// An open object that nobody holds yet. `record`: its slot; `None`: a temporary, under a name of this process.
    pub(super) fn new(dtype: Dtype, kind: u8, len: u64, payload: Extent, record: Option<(u32, u32)>) -> Self {
        let (id, generation) = match record {
            Some((idx, generation)) => (u64::from(idx), u64::from(generation)),
            None => temporary_id(),
        };
        Self {
            serial: next_serial(),
            id,
            generation,
            dtype,
            kind,
            len,
            payload,
            record: record.map(|(idx, _)| idx),
            owner: None,
            attrs: OwnAttrs::default(),
            cells: None,
            text: None,
            holds: 0,
            has_aux: false,
            committed: record.is_some(),
            elements: Elements::Writable,
            name: None,
            cell: Cell::take(),
            handles: Holders::default(),
            pins: 0,
            operations: 0,
            alive: true,
            grave: None,
        }
    }

    pub(super) fn facts(&self) -> ObjectFacts {
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
            owned: self.owner.is_some(),
            has_attributes: self.has_aux || !self.attrs.is_empty(),
            sealed: self.elements != Elements::Writable,
        }
    }

    pub(super) fn is_reachable(&self) -> bool {
        self.pins > 0 || self.operations > 0 || self.holds > 0 || self.handles.count() > 0
    }

    /// The objects in memory that this one owns or holds.
    fn held(&self) -> Vec<(u32, u64)> {
        let cells = self.cells.iter().flatten().flatten();
        self.attrs.children().chain(cells).filter_map(Child::open).collect()
    }
}

/// What became unreachable: bytes to give back, and the objects that it held.
#[derive(Default)]
pub(super) struct Gone {
    pub(super) bytes: Option<(Extent, Fate)>,
    pub(super) held: Vec<(u32, u64)>,
}

impl Objects {
    pub(super) fn insert(&mut self, object: Object) -> u32 {
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

    pub(super) fn get(&mut self, key: u32, serial: u64) -> Option<&mut Object> {
        self.slab.get_mut(key as usize)?.as_mut().filter(|o| o.serial == serial)
    }

    /// Takes an object out of the indices by which it can be found.
    pub(super) fn unlink(&mut self, key: u32) {
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

    pub(super) fn remove(&mut self, key: u32) -> Option<Object> {
        self.unlink(key);
        let o = self.slab.get_mut(key as usize)?.take()?;
        o.cell.give_back();
        self.free.push(key);
        Some(o)
    }

    /// Removes the object if nothing reaches it any more.
    pub(super) fn reap(&mut self, key: u32) -> Option<Gone> {
        let Some(Some(o)) = self.slab.get(key as usize) else { return None };
        if o.is_reachable() || (o.alive && o.name.is_some()) {
            return None;
        }
        let o = self.remove(key)?;
        let bytes = match (o.alive, o.record) {
            (true, Some(_)) => None,
            (true, None) => Some((o.payload, Fate::Free)),
            (false, _) => o.grave,
        };
        Some(Gone { bytes, held: o.held() })
    }

    /// The object is dead: its handles are told, and it is found no more. The calling thread's handles no longer count. What it owned or held
    /// is let go of at once.
    pub(super) fn kill(&mut self, key: u32, payload: Extent, fate: Fate) -> Gone {
        self.unlink(key);
        let Some(Some(o)) = self.slab.get_mut(key as usize) else {
            return Gone { bytes: Some((payload, fate)), held: Vec::new() };
        };
        o.alive = false;
        o.name = None;
        o.cell.kill();
        o.grave = Some((payload, fate));
        let held = o.held();
        o.attrs = OwnAttrs::default();
        o.cells = None;
        self.live_handles = self.live_handles.saturating_sub(o.handles.count());
        o.handles.forget(current_thread());
        let bytes = self.reap(key).and_then(|gone| gone.bytes);
        Gone { bytes, held }
    }

    /// A record died: its bytes, if they can be given back now.
    pub(super) fn bury_record(&mut self, idx: u32, payload: Extent, fate: Fate) -> Gone {
        match self.by_record.get(&idx).copied() {
            Some(key) if planted!(PinsIgnored) => {
                let _ = self.kill(key, Extent::EMPTY, Fate::Free);
                Gone { bytes: Some((payload, fate)), held: Vec::new() }
            }
            Some(key) => self.kill(key, payload, fate),
            None => Gone { bytes: Some((payload, fate)), held: Vec::new() },
        }
    }

    /// An object without a record counts as committed, and with it what it owns and holds.
    pub(super) fn commit_in_memory(&mut self, key: u32) {
        let mut rest = vec![key];
        while let Some(key) = rest.pop() {
            if let Some(Some(o)) = self.slab.get_mut(key as usize)
                && !std::mem::replace(&mut o.committed, true)
            {
                rest.extend(o.held().into_iter().map(|(key, _)| key));
            }
        }
    }

    /// An object in memory owns or holds this one from now on.
    pub(super) fn hold(&mut self, key: u32) {
        if let Some(Some(o)) = self.slab.get_mut(key as usize) {
            o.holds += 1;
        }
    }

    pub(super) fn is_record_busy(&self, idx: u32) -> bool {
        self.by_record
            .get(&idx)
            .and_then(|key| self.slab[*key as usize].as_ref())
            .is_some_and(|o| o.operations > 0)
    }

    /// Somebody is about to reach this object's bytes.
    pub(super) fn note_use(&mut self, key: u32) {
        let Some(moving) = &mut self.moving else { return };
        let record = self.slab.get(key as usize).and_then(Option::as_ref).and_then(|o| o.record);
        moving.disturbed |= moving.key == Some(key) || (record.is_some() && record == moving.record);
    }

    /// The same of a part, which need not be open.
    pub(super) fn note_use_of(&mut self, part: Child) {
        match (part, &mut self.moving) {
            (Child::Open(key, _), _) => self.note_use(key),
            (Child::Record((idx, _)), Some(moving)) => moving.disturbed |= moving.record == Some(idx),
            (Child::Record(_), None) => {}
        }
    }

    /// Whether nobody can reach the object's bytes but the handles of this thread, which does not touch them meanwhile. The handles of its
    /// owner reach a string heap's.
    pub(super) fn is_movable(&self, key: u32, thread: Option<u64>) -> bool {
        let o = self.slab.get(key as usize).and_then(Option::as_ref);
        o.is_some_and(|o| {
            let is_free = o.alive && o.pins == 0 && o.operations == 0 && !o.handles.others_than(thread);
            is_free && self.is_owner_movable(o.owner, thread)
        })
    }

    /// The same of an owner that may be open or not.
    pub(super) fn is_owner_movable(&self, owner: Option<Owner>, thread: Option<u64>) -> bool {
        self.owner_key(owner).is_none_or(|key| self.is_movable(key, thread))
    }

    fn owner_key(&self, owner: Option<Owner>) -> Option<u32> {
        match owner? {
            Owner::Record((idx, _)) => self.by_record.get(&idx).copied(),
            Owner::Open(key, serial) => {
                let o = self.slab.get(key as usize).and_then(Option::as_ref);
                o.filter(|o| o.serial == serial).map(|_| key)
            }
        }
    }

    /// The object's elements lie at `to` from now on: every handle has to ask again, and those of its owner, who may know where it lay.
    pub(super) fn relocate(&mut self, key: u32, to: Extent) {
        if let Some(Some(o)) = self.slab.get_mut(key as usize) {
            o.payload = to;
            o.cell.renew();
            let owner = o.owner;
            self.renew_owner(owner);
        }
    }

    /// The handles of an owner have to ask again: a child moved or died.
    pub(super) fn renew_owner(&mut self, owner: Option<Owner>) {
        if let Some(key) = self.owner_key(owner)
            && let Some(Some(o)) = self.slab.get_mut(key as usize)
        {
            o.cell.renew();
        }
    }

    /// Every handle has to ask again before its next access.
    pub(super) fn renew_all(&mut self) {
        for o in self.slab.iter_mut().flatten() {
            o.cell.renew();
        }
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

impl Objects {
    pub(super) fn unname(&mut self, key: u32) {
        if let Some(Some(o)) = self.slab.get_mut(key as usize)
            && let Some(name) = o.name.take()
        {
            self.by_name.remove(&name);
        }
    }

    /// Names of a scratch store, in the order of creation.
    pub(super) fn scratch_names(&self) -> Strings {
        let id_of = |key: u32| self.slab[key as usize].as_ref().map_or(0, |o| o.id);
        let mut list: Vec<_> = self.by_name.iter().map(|(name, key)| (id_of(*key), name)).collect();
        list.sort_unstable();
        list.into_iter().map(|(_, name)| Some(name.as_str())).collect()
    }

    /// How many there are.
    pub(super) fn scratch_name_count(&self) -> u64 {
        self.by_name.len() as u64
    }
}
