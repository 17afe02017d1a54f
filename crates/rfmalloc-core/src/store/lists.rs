//! Lists: objects that hold other objects of the same store, each as often as one likes, to any depth.
//!
//! A record's cells are its payload: id and generation of the object, (0, 0) for nothing, each stored in one piece. A held object is
//! committed and carries the HELD bit, set before the first cell and never taken back (rule 16): without it nobody needs to look for
//! parents. A list without a record (temporary, or of a scratch store) has its cells in memory, and what it holds stays open. A cell whose
//! object is gone, as a crash may leave it, is an error and never another object: identifiers do not recur.

use super::attributes::{Child, FRAME, LIST, VECTOR};
use super::handle::Handle;
use super::objects::{Elements, Object};
use super::record::Made;
use super::{Inner, Shared, Store};
use crate::dtype::{Dtype, MAX_LEN};
use crate::error::{Code, Error, Result};
use crate::format::aux::Key;
use crate::format::superblock::HELD_DISTRUST;
use crate::format::word::{self, Word};
use crate::format::{Extent, UNIT, u32_at};
use crate::resolve::Live;
use hashbrown::HashSet;
use std::sync::Arc;

/// Bytes of a cell.
const CELL: u64 = 8;
/// Cells read at a time.
const BLOCK: u64 = 8192;

/// A cell as it stands in a payload.
fn cell_bytes(key: Option<Key>) -> [u8; 8] {
    let (id, generation) = key.unwrap_or((0, 0));
    let mut b = [0; 8];
    b[..4].copy_from_slice(&id.to_le_bytes());
    b[4..].copy_from_slice(&generation.to_le_bytes());
    b
}

fn cell_at(b: &[u8], i: usize) -> Option<Key> {
    let key = (u32_at(b, 8 * i), u32_at(b, 8 * i + 4));
    (key.1 != 0).then_some(key)
}

/// Writes all cells of a new list into its payload.
pub(super) fn write_cells(sh: &Shared, payload: Extent, cells: &[Option<Key>]) {
    if payload.is_empty() {
        return;
    }
    let mut bytes: Vec<u8> = cells.iter().flat_map(|key| cell_bytes(*key)).collect();
    bytes.resize(payload.nbytes as usize, 0);
    sh.seam.region.span(payload.off, payload.nbytes).write(0, &bytes);
    sh.seam.announce(payload.off, payload.nbytes);
}

impl Store {
    /// A temporary list ([`LIST`]) or frame ([`FRAME`]) that holds these objects of the store.
    ///
    /// # Errors
    /// `OTHER_STORE`; `BUSY`: a part of another object; `ARGUMENT` (length, kind), `READ_ONLY`, `POISONED`, `DESTROYED`, `CLOSED`.
    pub fn list(&self, kind: u8, items: &[Option<&Handle>]) -> Result<Handle> {
        let sh = self.shared()?;
        if items.len() as u64 > MAX_LEN || !matches!(kind, LIST | FRAME) {
            return Err(Error::new(Code::Argument, "no list of this kind or length"));
        }
        items.iter().flatten().try_for_each(|item| self.check_ours(item))?;
        let mut inner = sh.lock_open()?;
        inner.begin(sh)?;
        let cells = items
            .iter()
            .map(|item| item.map(|item| inner.holdable(item)).transpose())
            .collect::<Result<Vec<_>>>()?;
        for (key, _) in cells.iter().flatten().filter_map(Child::open) {
            inner.objects.hold(key);
        }
        let mut object = Object::new(Dtype::List, kind, items.len() as u64, Extent::EMPTY, None);
        object.cells = Some(cells);
        let key = inner.objects.insert(object);
        inner.handle(sh, key)
    }

    /// The object in cell `i`.
    ///
    /// # Errors
    /// `OUT_OF_BOUNDS`, `TYPE` (no list); `STALE_REF`: the object that was there is gone; `CORRUPT`, `DESTROYED`, `CLOSED`.
    pub fn list_get(&self, list: &Handle, i: u64) -> Result<Option<Handle>> {
        let sh = self.shared()?;
        self.check_ours(list)?;
        let mut inner = sh.lock_open()?;
        check_cell(list, i)?;
        let found = inner.cell(list, i)?;
        let key = match found {
            None => return Ok(None),
            Some(Child::Open(key, serial)) if inner.objects.get(key, serial).is_some_and(|o| o.alive) => key,
            Some(Child::Record((id, generation))) if inner.is_live(id, generation)? => inner.object_of(id)?,
            Some(child) => return Err(stale_cell(i, child)),
        };
        inner.handle(sh, key).map(Some)
    }

    /// Puts an object into cell `i`, or nothing; what was there is held once less. A temporary is committed first.
    ///
    /// # Errors
    /// As [`Store::list`] and [`Store::list_get`]; `CYCLE`: the list would hold itself; `SEALED`, `NO_SPACE`, `IO`.
    pub fn list_set(&self, list: &Handle, i: u64, item: Option<&Handle>) -> Result<()> {
        self.check_ours(list)?;
        item.map_or(Ok(()), |item| self.check_ours(item))?;
        self.with_space(|| self.try_list_set(list, i, item))
    }

    fn try_list_set(&self, list: &Handle, i: u64, item: Option<&Handle>) -> Result<()> {
        let sh = self.shared()?;
        let mut inner = sh.lock_open()?;
        sh.check_writable(&inner)?;
        check_cell(list, i)?;
        if list.facts.kind == FRAME {
            return Err(Error::new(
                Code::Argument,
                "the columns of a data frame are not exchanged one by one; use with()",
            ));
        }
        if inner.objects.get(list.key, list.serial).is_some_and(|o| o.elements == Elements::BeingSealed) {
            return Err(Error::new(Code::Busy, "the list is being sealed by another thread; try again"));
        }
        let child = item.map(|item| inner.holdable(item)).transpose()?;
        if let Some(child) = child {
            inner.check_acyclic(list, child)?;
        }
        match inner.record_of(list)? {
            Some(idx) => inner.set_record_cell(sh, idx, i, child),
            None => inner.set_memory_cell(list, i, child),
        }
    }

    /// How many cells of lists and frames hold the object.
    ///
    /// # Errors
    /// `CORRUPT`: a list is damaged, so nobody knows; `DESTROYED`, `CLOSED`.
    pub fn parents(&self, handle: &Handle) -> Result<u64> {
        self.check_ours(handle)?;
        let inner = self.shared()?.lock_open()?;
        match inner.record_of(handle)? {
            Some(idx) => inner.parents_of(idx),
            None => Ok(inner.holders_in_memory(handle.key)),
        }
    }
}

fn check_cell(list: &Handle, i: u64) -> Result<()> {
    if list.facts.kind < LIST {
        return Err(Error::new(Code::Type, "the object is no list"));
    }
    if i >= list.facts.len {
        return Err(Error::new(
            Code::OutOfBounds,
            format!("subscript out of bounds: {i} is not in the list's {} cells", list.facts.len),
        )
        .with("index", i)
        .with("length", list.facts.len));
    }
    Ok(())
}

fn stale_cell(i: u64, child: Child) -> Error {
    let (id, generation) = match child {
        Child::Record((id, generation)) => (u64::from(id), u64::from(generation)),
        Child::Open(key, serial) => (u64::from(key), serial),
    };
    Error::new(
        Code::StaleRef,
        format!("cell {i} of the list names an object that no longer exists; set it anew"),
    )
    .with("cell", i)
    .with("id", id)
    .with("generation", generation)
}

impl Inner {
    /// An object that lists may hold.
    fn holdable(&mut self, item: &Handle) -> Result<Child> {
        let gone = item.destroyed_error();
        if self.objects.get(item.key, item.serial).is_none_or(|o| !o.alive) {
            return Err(gone);
        }
        self.check_unowned(item.key)?;
        Ok(Child::Open(item.key, item.serial))
    }

    pub(super) fn is_live(&self, id: u32, generation: u32) -> Result<bool> {
        Ok(self.record(id)?.is_some_and(|live| live.head.generation == generation))
    }

    /// What stands in a cell that is there.
    fn cell(&mut self, list: &Handle, i: u64) -> Result<Option<Child>> {
        if let Some(idx) = self.record_of(list)? {
            let live = self.live(idx)?;
            let mut b = [0u8; CELL as usize];
            self.region.span(live.body.payload.off, live.body.payload.nbytes).read(CELL * i, &mut b);
            self.loss.check()?;
            return Ok(cell_at(&b, 0).map(Child::Record));
        }
        let gone = list.destroyed_error();
        let o = self.objects.get(list.key, list.serial).ok_or(gone)?;
        Ok(o.cells.as_ref().and_then(|cells| cells.get(i as usize).copied()).flatten())
    }

    fn set_memory_cell(&mut self, list: &Handle, i: u64, child: Option<Child>) -> Result<()> {
        if let Some((key, _)) = child.as_ref().and_then(Child::open) {
            self.objects.hold(key);
        }
        let gone = list.destroyed_error();
        let o = self.objects.get(list.key, list.serial).ok_or(gone)?;
        let is_committed = o.committed;
        let cell = o.cells.as_mut().and_then(|cells| cells.get_mut(i as usize));
        let old = cell.and_then(|cell| std::mem::replace(cell, child));
        if let Some((key, _)) = child.as_ref().and_then(Child::open).filter(|_| is_committed) {
            self.objects.commit_in_memory(key);
        }
        old.as_ref().and_then(Child::open).map_or(Ok(()), |old| self.end_child(old))
    }

    fn set_record_cell(&mut self, sh: &Arc<Shared>, idx: u32, i: u64, child: Option<Child>) -> Result<()> {
        self.begin(sh)?;
        let live = self.live(idx)?;
        if live.body.is_sealed() {
            return Err(
                Error::new(Code::Sealed, "the list is sealed: its cells are immutable").with("id", idx)
            );
        }
        let mut made = Vec::new();
        let key = match self.make_held(sh, &[child], &mut made) {
            Ok(keys) => keys[0],
            Err(e) => {
                self.unmake(sh, made)?;
                return Err(e);
            }
        };
        self.settle_made(made)?;
        if let Some((child, _)) = key
            && sh.is_full()
        {
            self.harden_held(sh, child)?;
        }
        let off = live.body.payload.off + CELL * i;
        sh.seam.region.span(off, CELL).write(0, &cell_bytes(key));
        sh.seam.announce(off, CELL);
        if sh.is_full() {
            let done = sh.seam.barrier_data(off, CELL);
            self.barrier(sh, done)?;
        }
        sh.note_commit(self);
        Ok(())
    }

    /// Space for the cells of a new list.
    pub(super) fn reserve_cells(&mut self, sh: &Shared, len: u64) -> Result<Extent> {
        if len == 0 {
            return Ok(Extent::EMPTY);
        }
        self.allocate(sh, (CELL * len).next_multiple_of(UNIT)).map(|(e, _)| e)
    }

    /// The records of what cells are to hold, made where there are none, with HELD in their words (rule 16).
    pub(super) fn make_held(
        &mut self,
        sh: &Shared,
        cells: &[Option<Child>],
        made: &mut Vec<Made>,
    ) -> Result<Vec<Option<Key>>> {
        let mut keys = Vec::with_capacity(cells.len());
        for cell in cells {
            keys.push(match cell {
                None => None,
                Some(Child::Record(key)) => Some(*key),
                Some(Child::Open(key, serial)) => {
                    let child = self.make_child(sh, (*key, *serial), (0, 0), true, made)?;
                    self.mark_held(sh, child.0)?;
                    Some(child)
                }
            });
        }
        Ok(keys)
    }

    fn mark_held(&mut self, sh: &Shared, idx: u32) -> Result<()> {
        if let Some((word, _)) = self.live_with_word(idx)?
            && !word.held
        {
            self.store_word(sh, idx, Word { held: true, ..word });
        }
        Ok(())
    }

    /// Calls `f` with the cells of a list, block by block, until it answers false.
    fn each_cell(&self, live: &Live, mut f: impl FnMut(Key) -> bool) -> Result<()> {
        let span = self.region.span(live.body.payload.off, live.body.payload.nbytes);
        let mut block = vec![0u8; (CELL * BLOCK.min(live.body.len)) as usize];
        let mut at = 0;
        while at < live.body.len {
            let n = BLOCK.min(live.body.len - at);
            span.read(CELL * at, &mut block[..(CELL * n) as usize]);
            for i in 0..n as usize {
                if let Some(key) = cell_at(&block, i)
                    && !f(key)
                {
                    return self.loss.check();
                }
            }
            at += n;
        }
        self.loss.check()
    }

    /// Lists and frames that are records.
    fn list_records(&self) -> Result<Vec<Live>> {
        let bound = if self.begun { self.slots_used } else { self.catalog.used_end() };
        let mut lists = Vec::new();
        let mut failed = None;
        self.catalog.scan(bound, |idx, raw| {
            if raw != 0 && word::raw_is_list(raw) {
                match self.record(idx) {
                    Ok(Some(live)) if live.head.kind >= LIST => lists.push(live),
                    Ok(_) => {}
                    Err(e) => failed = Some(e),
                }
            }
            failed.is_none()
        });
        failed.map_or(Ok(lists), Err)
    }

    /// Cells that hold a record.
    pub(super) fn parents_of(&self, idx: u32) -> Result<u64> {
        let in_memory = self.objects.by_record.get(&idx).map_or(0, |key| self.holders_in_memory(*key));
        let may_be_held = Word::decode(self.catalog.word(idx), idx).is_none_or(|word| word.held);
        if !may_be_held && self.sb.state & HELD_DISTRUST == 0 {
            return Ok(in_memory);
        }
        let Some((_, live)) = self.live_with_word(idx)? else { return Ok(in_memory) };
        let wanted = (idx, live.head.generation);
        let mut count = 0;
        self.each_held(|key| count += u64::from(key == wanted))?;
        Ok(in_memory + count)
    }

    /// Calls `f` with what the cells of all lists and frames in the file hold.
    pub(super) fn each_held(&self, mut f: impl FnMut(Key)) -> Result<()> {
        self.list_records()?.iter().try_for_each(|list| {
            self.each_cell(list, |key| {
                f(key);
                true
            })
        })
    }

    /// What a record of this kind holds; nothing for another's.
    pub(super) fn record_cells(&self, idx: u32, kind: u8) -> Result<Vec<Child>> {
        let mut cells = Vec::new();
        if let Some(live) = self.record(idx)?.filter(|live| live.head.kind == kind) {
            self.each_cell(&live, |key| {
                cells.push(Child::Record(key));
                true
            })?;
        }
        Ok(cells)
    }

    pub(super) fn holders_in_memory(&self, key: u32) -> u64 {
        let held = self.objects.slab.get(key as usize).and_then(Option::as_ref).filter(|o| o.holds > 0);
        let Some(wanted) = held.map(|o| (key, o.serial)) else { return 0 };
        let lists = self.objects.slab.iter().flatten().filter(|o| o.alive);
        let cells = lists.filter_map(|o| o.cells.as_ref()).flatten().flatten();
        cells.filter(|cell| cell.open() == Some(wanted)).count() as u64
    }

    /// `BUSY` while a list or frame holds the object.
    pub(super) fn check_unheld(&self, key: u32, record: Option<u32>) -> Result<()> {
        let count = match record {
            Some(idx) => self.parents_of(idx)?,
            None => self.holders_in_memory(key),
        };
        if count == 0 {
            return Ok(());
        }
        Err(Error::new(
            Code::Busy,
            format!(
                "the object cannot be destroyed: it has {count} parent reference{} in lists or data frames; set those to null or destroy them first",
                if count == 1 { "" } else { "s" }
            ),
        )
        .with("parents", count))
    }

    /// Rule 16: after a machine crash the bits are counted anew. True: all of them are right now; false: a list is damaged.
    pub(super) fn recount_held(&mut self, sh: &Shared) -> Result<bool> {
        let Ok(lists) = self.list_records() else { return Ok(false) };
        let mut held = HashSet::new();
        for list in lists {
            self.each_cell(&list, |key| {
                held.insert(key);
                true
            })?;
        }
        let mut changed = false;
        for (idx, generation) in held {
            if let Ok(Some((word, live))) = self.live_with_word(idx)
                && live.head.generation == generation
                && !word.held
            {
                self.store_word(sh, idx, Word { held: true, ..word });
                changed = true;
            }
        }
        if changed {
            super::harden::barrier_metadata(sh, self)?;
        }
        Ok(true)
    }

    /// The object put into a list must not hold that list, at any depth.
    fn check_acyclic(&mut self, list: &Handle, child: Child) -> Result<()> {
        let target = self.record_of(list)?;
        let mut rest = vec![child];
        let mut seen = HashSet::new();
        while let Some(child) = rest.pop() {
            let (key, record) = match child {
                Child::Open(key, serial) => {
                    let Some(o) = self.objects.get(key, serial) else { continue };
                    if o.kind < LIST || o.kind == VECTOR {
                        continue;
                    }
                    (Some(key), o.record)
                }
                Child::Record((id, _)) => (self.objects.by_record.get(&id).copied(), Some(id)),
            };
            if key == Some(list.key) || (record.is_some() && record == target) {
                return Err(Error::new(
                    Code::Cycle,
                    "a list cannot be put into itself, nor into what it holds",
                ));
            }
            match record {
                Some(idx) if seen.insert(idx) => {
                    if let Some(live) = self.record(idx)?.filter(|live| live.head.kind >= LIST) {
                        self.each_cell(&live, |key| {
                            rest.push(Child::Record(key));
                            true
                        })?;
                    }
                }
                Some(_) => {}
                None => {
                    let o = key.and_then(|key| self.objects.slab.get(key as usize)).and_then(Option::as_ref);
                    rest.extend(o.and_then(|o| o.cells.as_ref()).into_iter().flatten().flatten());
                }
            }
        }
        Ok(())
    }

    /// What a record holds and owns, at any depth, itself last: in this order each is durable before what refers to it.
    pub(super) fn dependents_first(&self, idx: u32) -> Result<Vec<Key>> {
        let mut order = Vec::new();
        let mut seen = HashSet::new();
        let mut rest = vec![idx];
        while let Some(idx) = rest.pop() {
            if !seen.insert(idx) {
                continue;
            }
            let Some(live) = self.record(idx)? else { continue };
            order.push((idx, live.head.generation));
            rest.extend(self.read_aux(&live)?.children().map(|key| key.0));
            if live.head.kind >= LIST {
                self.each_cell(&live, |key| {
                    rest.push(key.0);
                    true
                })?;
            }
        }
        order.reverse();
        Ok(order)
    }
}
