//! Heaps of text: the raw children in which a character vector's long strings stand (rule 25), and where the next one goes.
//!
//! A heap's buffers are the owner's parts in the order of its HEAP attribute, each shorter than 2 GiB. Only the last one has room; what is
//! used of it is known in memory alone, and derived from the views when it is first asked for. Bytes are never written twice: a view on
//! the disk may be older than the one in memory, and finds its text all the same. That is why the views get a barrier before the used
//! bytes are derived from them: behind what they name nothing durable stands then.

use super::attributes::{Child, VECTOR};
use super::change::Attributes;
use super::handle::{Handle, Operation};
use super::objects::{Fate, Object};
use super::{Inner, Shared};
use crate::dtype::Dtype;
use crate::error::{Code, Error, Result};
use crate::format::aux::Key;
use crate::format::{Extent, PAGE_ALIGN, UNIT};
use crate::region::{Region, Span};
use crate::resolve::Live;
use crate::strings::view::{self, NA_RUN, Text, View};
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

/// Most bytes of one buffer: offsets in it are signed numbers of 32 bits.
pub(super) const MOST: u64 = (1 << 31) - PAGE_ALIGN;
/// A buffer made for strings to come is not longer than this.
const MOST_AHEAD: u64 = 1 << 30;
/// Views looked at, or written, under one hold of the mutex.
const VIEWS_A_STEP: usize = if cfg!(miri) { 32 } else { 4096 };

/// One buffer of a heap.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Buffer {
    /// Byte offset in the file.
    pub(crate) off: u64,
    pub(crate) nbytes: u64,
    /// Nothing more is written into it.
    is_sealed: bool,
}

/// The buffers of one heap, as they lay when somebody looked.
#[derive(Clone)]
pub(crate) struct Buffers {
    list: Vec<Buffer>,
    region: Arc<Region>,
}

impl Buffers {
    /// The bytes where a long string stands; `None`: beyond its buffer, or there is none.
    pub(crate) fn place(&self, long: view::Long) -> Option<Span> {
        let buffer = self.list.get(long.buffer as usize).filter(|b| long.end() <= b.nbytes)?;
        Some(self.region.span(buffer.off + u64::from(long.off), u64::from(long.nbytes)))
    }
}

/// What is known of an open vector's heap.
#[derive(Debug)]
pub(super) struct Heap {
    /// The liveness cell's value when the buffers were looked up: with another one they may lie elsewhere.
    stamp: i32,
    buffers: Vec<Buffer>,
    /// Bytes of the last buffer that are, or are about to be, text; `None`: not derived yet.
    used: Option<u64>,
    /// Bytes of strings that no view names any more, as far as is known.
    garbage: u64,
}

/// A place for new text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim {
    pub(crate) buffer: u32,
    pub(crate) off: u32,
    /// Where that is in the file.
    pub(crate) file_off: u64,
}

fn too_long(nbytes: u64) -> Error {
    Error::new(Code::TooLarge, format!("a string of {nbytes} bytes; one has at most {} bytes", MOST - 16))
        .with("nbytes", nbytes)
}

impl Inner {
    /// The heap of an open character vector.
    pub(super) fn heap_of(&mut self, handle: &Handle) -> Result<&mut Heap> {
        let record = self.record_of(handle)?;
        let gone = handle.destroyed_error();
        let o = self.objects.get(handle.key, handle.serial).ok_or(gone)?;
        let stamp = o.cell.value;
        if o.text.as_ref().is_none_or(|heap| heap.stamp != stamp) {
            let buffers = match record {
                Some(idx) => self.record_buffers(idx, &self.read_aux(&self.live(idx)?)?.heap)?.list,
                None => self.memory_buffers(handle)?,
            };
            if let Some(o) = self.objects.get(handle.key, handle.serial) {
                let known = o.text.take().filter(|known| known.buffers.len() == buffers.len());
                let nothing_yet = (record.is_none() && buffers.is_empty()).then_some(0);
                let (used, garbage) = known.map_or((nothing_yet, 0), |known| (known.used, known.garbage));
                o.text = Some(Box::new(Heap { stamp, buffers, used, garbage }));
            }
        }
        let heap = self.objects.get(handle.key, handle.serial).and_then(|o| o.text.as_deref_mut());
        heap.ok_or_else(|| handle.destroyed_error())
    }

    /// The buffers of a temporary's heap.
    fn memory_buffers(&mut self, handle: &Handle) -> Result<Vec<Buffer>> {
        let children = self.attrs_of(handle)?.heap;
        let buffer = |(key, serial)| {
            let o = self.objects.get(key, serial).ok_or_else(|| handle.destroyed_error())?;
            Ok(Buffer { off: o.payload.off, nbytes: o.len, is_sealed: false })
        };
        children.iter().filter_map(Child::open).map(buffer).collect()
    }

    /// The record of one buffer of a vector's heap, if it is there and of the right kind.
    pub(super) fn heap_record(&self, owner: u32, key: Key) -> Result<Option<Live>> {
        let is_buffer = |l: &Live| {
            l.head.generation == key.1 && l.head.owner_id == owner && l.head.dtype == Dtype::Raw.code()
        };
        Ok(self.record(key.0)?.filter(is_buffer).filter(|l| l.body.len <= MOST))
    }

    /// The buffers of a record's heap.
    pub(super) fn record_buffers(&self, idx: u32, heap: &[Key]) -> Result<Buffers> {
        let list = heap.iter().map(|key| match self.heap_record(idx, *key)? {
            Some(l) => {
                Ok(Buffer { off: l.body.payload.off, nbytes: l.body.len, is_sealed: l.body.is_sealed() })
            }
            None => Err(self.damaged(idx, "attributes: name a heap that is not there")),
        });
        Ok(Buffers { list: list.collect::<Result<_>>()?, region: Arc::clone(&self.region) })
    }

    /// Whoever copies one of the buffers elsewhere has to do it again: somebody is about to write into them.
    fn note_use_of_heap(&mut self, handle: &Handle) -> Result<()> {
        self.objects.note_use(handle.key);
        if self.objects.moving.is_some() {
            for child in self.attrs_of(handle)?.heap {
                self.objects.note_use_of(child);
            }
        }
        Ok(())
    }

    /// A place for `nbytes` of new text, which the caller writes and then names in a view. `exact`: a new buffer has no room for more.
    fn claim(&mut self, sh: &Arc<Shared>, handle: &Handle, nbytes: u64, exact: bool) -> Result<Claim> {
        self.begin(sh)?;
        self.note_use_of_heap(handle)?;
        if self.heap_of(handle)?.used.is_none() {
            self.derive_used(sh, handle)?;
        }
        let has_room = |heap: &Heap| {
            let used = heap.used.unwrap_or(MOST);
            heap.buffers.last().is_some_and(|b| !b.is_sealed && b.nbytes.saturating_sub(used) >= nbytes)
        };
        if !has_room(self.heap_of(handle)?) {
            self.add_buffer(sh, handle, nbytes, exact)?;
        }
        let heap = self.heap_of(handle)?;
        let used = heap.used.unwrap_or_default();
        heap.used = Some(used + nbytes);
        let last = heap.buffers.len() - 1;
        Ok(Claim { buffer: last as u32, off: used as u32, file_off: heap.buffers[last].off + used })
    }

    /// What the views name of the last buffer, and what they do not name of the others. A view that cannot be counts as far as it goes.
    fn derive_used(&mut self, sh: &Shared, handle: &Handle) -> Result<()> {
        let is_record = self.record_of(handle)?.is_some();
        let (off, n) = match self.objects.get(handle.key, handle.serial) {
            Some(o) => (o.payload.off, o.len),
            None => return Err(handle.destroyed_error()),
        };
        if is_record && n > 0 {
            let done = sh.seam.barrier_data(off, 16 * n);
            self.barrier(sh, done)?;
        }
        let heap = self.heap_of(handle)?;
        let last = heap.buffers.len().saturating_sub(1);
        let room = heap.buffers.last().map_or(0, |b| b.nbytes);
        let total: u64 = heap.buffers.iter().rev().skip(1).map(|b| b.nbytes).sum();
        let first = if heap.buffers.len() == 1 { NA_RUN.len() as u64 } else { 0 };
        let (mut used, mut live) = (first, 0);
        let span = sh.seam.region.span(off, 16 * n);
        for_views(span, |_, views| {
            for view in views {
                if let Ok(Text::Long(long)) = view::decode(view) {
                    live += u64::from(long.nbytes);
                    if long.buffer as usize == last {
                        used = used.max(long.end().min(room));
                    }
                }
            }
        });
        sh.seam.loss.check_range(off, 16 * n)?;
        heap.used = Some(if heap.buffers.is_empty() { 0 } else { used });
        heap.garbage = (total + used).saturating_sub(live + NA_RUN.len() as u64);
        Ok(())
    }

    /// Another buffer at the heap's end: an object in memory, and then a record if the owner is one.
    fn add_buffer(&mut self, sh: &Arc<Shared>, handle: &Handle, nbytes: u64, exact: bool) -> Result<()> {
        let heap = self.heap_of(handle)?;
        let total: u64 = heap.buffers.iter().map(|b| b.nbytes).sum();
        let head = if heap.buffers.is_empty() { NA_RUN.len() as u64 } else { 0 };
        let need = nbytes.saturating_add(head);
        if need > MOST {
            return Err(too_long(nbytes));
        }
        let ahead = if exact { 0 } else { total.min(MOST_AHEAD) };
        let units = need.max(ahead).next_multiple_of(UNIT);
        let (payload, _) = self.allocate(sh, units)?;
        if head > 0 {
            sh.seam.region.span(payload.off, head).write(0, &NA_RUN);
            sh.seam.announce(payload.off, head);
        }
        let key = self.objects.insert(Object::new(Dtype::Raw, VECTOR, units, payload, None));
        let serial = self.objects.slab[key as usize].as_ref().map_or(0, |o| o.serial);
        if let Err(e) = self.append_to_heap(sh, handle, Child::Open(key, serial)) {
            self.kill(key, payload)?;
            return Err(e);
        }
        if let Some(o) = self.objects.get(handle.key, handle.serial) {
            o.cell.renew();
            if let Some(heap) = &mut o.text {
                heap.stamp = o.cell.value;
                heap.buffers.push(Buffer { off: payload.off, nbytes: units, is_sealed: false });
                // What is left of the buffer before is lost to new strings.
                heap.used = Some(head);
            }
        }
        Ok(())
    }

    fn append_to_heap(&mut self, sh: &Arc<Shared>, handle: &Handle, child: Child) -> Result<()> {
        let mut attrs = self.attrs_of(handle)?;
        attrs.heap.push(child);
        let Some(idx) = self.record_of(handle)? else {
            return self.change_in_memory(handle, &attrs);
        };
        // Unlike other changes of attributes this one is made while operations run: it ends nothing that they use.
        self.change(sh, idx, &Attributes::Set(&attrs))?;
        if sh.is_full() {
            self.harden(sh, idx)?;
        }
        sh.note_commit(self);
        Ok(())
    }

    /// Before a temporary becomes a record: what its heap has no text in is given back.
    pub(super) fn trim_heap(&mut self, key: u32) -> Result<()> {
        let Some(Some(o)) = self.objects.slab.get_mut(key as usize) else { return Ok(()) };
        let (Some(heap), Some(child)) = (&mut o.text, o.attrs.heap.last().and_then(Child::open)) else {
            return Ok(());
        };
        let (Some(used), Some(last)) = (heap.used, heap.buffers.last_mut()) else { return Ok(()) };
        let keep = used.next_multiple_of(UNIT);
        if keep >= last.nbytes {
            return Ok(());
        }
        last.nbytes = keep;
        let Some(buffer) = self.objects.get(child.0, child.1) else { return Ok(()) };
        let tail = Extent { off: buffer.payload.off + keep, nbytes: buffer.payload.nbytes - keep };
        buffer.payload.nbytes = keep;
        buffer.len = keep;
        self.objects.temporary_bytes = self.objects.temporary_bytes.saturating_sub(tail.nbytes);
        self.give_back(tail, Fate::Free)
    }
}

/// Calls `f(index of the first, views)` for blocks of views copied to private memory.
pub(crate) fn for_views(span: Span, mut f: impl FnMut(u64, &[View])) {
    let n = span.nbytes() / 16;
    let mut block = vec![view::EMPTY; (VIEWS_A_STEP as u64).min(n) as usize];
    let mut at = 0;
    while at < n {
        let m = (n - at).min(block.len() as u64);
        let views = &mut block[..m as usize];
        span.read_words(16 * at, views);
        f(at, views);
        at += m;
    }
}

/// Access to the strings of a vector: keeps views and heap where they are.
pub(crate) struct TextAccess<'a> {
    handle: &'a Handle,
    operation: Operation,
    buffers: Buffers,
}

impl Handle {
    /// Starts work on a character vector's strings; `to_write`: refused where they are immutable.
    pub(crate) fn begin_text(&self, to_write: bool) -> Result<TextAccess<'_>> {
        if self.facts.dtype != Dtype::Character {
            return Err(Error::new(
                Code::Type,
                format!("a vector of type '{}' has no strings", self.facts.dtype.name()),
            ));
        }
        // Declared before the guard of the mutex, so that it is dropped after it: ending an operation takes the mutex.
        let operation = if to_write { self.begin_writing()? } else { self.begin()? };
        let mut inner = self.shared.lock_open_for_elements()?;
        let list = inner.heap_of(self)?.buffers.clone();
        drop(inner);
        let buffers = Buffers { list, region: Arc::clone(&self.shared.seam.region) };
        Ok(TextAccess { handle: self, operation, buffers })
    }
}

impl TextAccess<'_> {
    /// The views.
    pub(crate) fn views(&self) -> Span {
        self.operation.span()
    }

    /// The heap's buffers.
    pub(crate) fn buffers(&self) -> &Buffers {
        &self.buffers
    }

    /// The view of an element as it stands while nobody writes; what is known of the heap is up to date afterwards.
    pub(crate) fn read_again(&mut self, i: u64) -> Result<View> {
        let mut inner = self.handle.shared.lock_open_for_elements()?;
        self.buffers.list.clone_from(&inner.heap_of(self.handle)?.buffers);
        let mut view = [view::EMPTY];
        self.views().read_words(16 * i, &mut view);
        Ok(view[0])
    }

    /// `IO` if views `[start, start+n)`, just read, or anything in the heap is lost.
    pub(crate) fn check_views(&self, start: u64, n: u64) -> Result<()> {
        self.operation.check(16 * start, 16 * n)?;
        self.buffers.list.iter().try_for_each(|b| self.handle.shared.seam.loss.check_range(b.off, b.nbytes))
    }

    /// The error for element `i`, of which nothing makes a string.
    pub(crate) fn damaged(&self, i: u64, what: &str) -> Error {
        let off = self.operation.off() + 16 * i;
        if let Err(lost) = self.handle.shared.seam.loss.check() {
            return lost;
        }
        Error::corrupt(format!("element {i}: {what}"), off).with("id", self.handle.facts.id).with("index", i)
    }

    /// Whether the vector may still become a record, so that room it does not need is given back then.
    fn is_temporary(&self) -> bool {
        !self.handle.facts.committed
    }

    /// A place for `nbytes` of new text. `is_bulk`: many strings at once, so that no room is made for more.
    pub(crate) fn claim(&mut self, nbytes: u64, is_bulk: bool) -> Result<Claim> {
        let sh = &self.handle.shared;
        let exact = is_bulk && !self.is_temporary();
        sh.with_space(|| {
            let mut inner = sh.lock_open()?;
            sh.check_writable(&inner)?;
            inner.claim(sh, self.handle, nbytes, exact)
        })
    }

    /// Makes sure that there is a first buffer, at which NA points.
    pub(crate) fn claim_na(&mut self) -> Result<()> {
        if self.buffers.list.is_empty() {
            self.claim(0, false)?;
        }
        Ok(())
    }

    /// Writes new text to its place.
    pub(crate) fn write_text(&self, claim: Claim, text: &[u8]) {
        let sh = &self.handle.shared;
        sh.seam.region.span(claim.file_off, text.len() as u64).write(0, text);
        sh.seam.announce(claim.file_off, text.len() as u64);
    }

    /// Writes views from element `start` on, whose text stands already.
    pub(crate) fn publish(&self, start: u64, views: &[View]) -> Result<()> {
        // Whoever sees a view sees the text that it names.
        fence(Ordering::Release);
        let span = self.views();
        let mut old = vec![view::EMPTY; views.len().min(VIEWS_A_STEP)];
        for (k, step) in (0u64..).zip(views.chunks(VIEWS_A_STEP)) {
            let at = start + k * VIEWS_A_STEP as u64;
            let old = &mut old[..step.len()];
            let mut inner = self.handle.shared.lock_open_for_elements()?;
            inner.objects.note_use(self.handle.key);
            span.read_words(16 * at, old);
            span.write_words(16 * at, step);
            let dropped: u64 = old.iter().map(long_nbytes).sum();
            if dropped > 0 {
                inner.heap_of(self.handle)?.garbage += dropped;
            }
            drop(inner);
            self.operation.wrote(16 * at, 16 * step.len() as u64);
        }
        self.operation.check(16 * start, 16 * views.len() as u64)
    }
}

/// Bytes in the heap that a view names.
fn long_nbytes(view: &View) -> u64 {
    match view::decode(view) {
        Ok(Text::Long(long)) => u64::from(long.nbytes),
        _ => 0,
    }
}
