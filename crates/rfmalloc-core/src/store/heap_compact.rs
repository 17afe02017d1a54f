//! Compaction of text (rules 8, 20 and 25): a vector much of whose heap no view names gets new views and a heap without the gaps.
//!
//! As with every move, what somebody has open stays, the bytes are copied outside the mutex, and the copy is dropped if anybody came near
//! meanwhile. The new buffers are records before the version that names them; the old ones die after it.

use super::attributes::{Attrs, Child, VECTOR};
use super::change::Attributes;
use super::heaps::{Buffers, MOST, for_views};
use super::objects::{Fate, Moving, Object, Owner};
use super::space::zero;
use super::upkeep::Control;
use super::{Inner, Shared};
use crate::dtype::Dtype;
use crate::error::{Code, Result};
use crate::format::{Extent, UNIT};
use crate::resolve::Live;
use crate::strings::view::{self, Long, NA_RUN, Text, View};
use std::sync::Arc;

/// Slots looked at in one critical section.
const SLOTS_A_STEP: u32 = 4096;
/// A heap with less to gain stays as it is.
const LEAST_GAIN: u64 = 4096;

/// A vector whose heap is looked at.
struct Subject {
    live: Live,
    key: Option<u32>,
    buffers: Buffers,
    heap_nbytes: u64,
}

/// Where the text of the next view goes.
struct Layout {
    sizes: Vec<u64>,
    last: Option<(View, View)>,
}

impl Layout {
    fn new() -> Self {
        Self { sizes: vec![NA_RUN.len() as u64], last: None }
    }

    /// The new view of an old one, and the place of its text if that has to be copied. Neighbours that share their text go on sharing it.
    fn place(&mut self, old: &View) -> std::result::Result<(View, Option<Long>), &'static str> {
        let Text::Long(long) = view::decode(old)? else { return Ok((*old, None)) };
        if let Some((before, new)) = &self.last
            && before == old
        {
            return Ok((*new, None));
        }
        let nbytes = u64::from(long.nbytes);
        if self.sizes.last().is_none_or(|used| used + nbytes > MOST) {
            self.sizes.push(0);
        }
        let buffer = self.sizes.len() - 1;
        let place = Long { buffer: buffer as u32, off: self.sizes[buffer] as u32, ..long };
        self.sizes[buffer] += nbytes;
        self.last = Some((*old, place.view()));
        Ok((place.view(), Some(place)))
    }
}

impl Shared {
    /// Every heap with much garbage; returns the bytes written anew.
    pub(super) fn compact_heaps(self: &Arc<Self>, me: Option<u64>, control: Control<'_>) -> Result<u64> {
        let (mut idx, mut moved) = (0, 0);
        loop {
            let mut found = Vec::new();
            let inner = self.lock_open()?;
            let stop = inner.slots_used.min(idx + SLOTS_A_STEP);
            for idx in idx..stop {
                if crate::format::word::raw_is_live(inner.catalog.word(idx))
                    && let Some(live) = inner.record(idx)?
                    && live.head.dtype == Dtype::Character.code()
                    && !live.body.aux.is_empty()
                {
                    found.push(idx);
                }
            }
            idx = stop;
            let is_last = idx == inner.slots_used;
            drop(inner);
            for idx in found {
                if !control(0, 0) {
                    return Ok(moved);
                }
                moved += self.compact_heap(me, idx)?;
            }
            if is_last {
                return Ok(moved);
            }
        }
    }

    fn compact_heap(self: &Arc<Self>, me: Option<u64>, idx: u32) -> Result<u64> {
        let mut inner = self.lock_open()?;
        let Some(subject) = inner.heap_subject(me, idx)? else { return Ok(0) };
        inner.objects.moving = Some(Moving { record: Some(idx), key: subject.key, disturbed: false });
        drop(inner);
        let payload = subject.live.body.payload;
        let views = self.seam.region.span(payload.off, 16 * subject.live.body.len);
        let mut layout = Layout::new();
        let mut is_sound = true;
        for_views(views, |_, block| is_sound &= block.iter().all(|view| layout.place(view).is_ok()));
        let text: u64 = layout.sizes.iter().sum();
        let is_worth_it =
            is_sound && text + LEAST_GAIN < subject.heap_nbytes && text < subject.heap_nbytes / 4 * 3;
        let mut places = Vec::new();
        let mut copied = false;
        if is_worth_it {
            let mut inner = self.lock();
            let sizes = layout.sizes.iter().map(|n| n.next_multiple_of(UNIT));
            for nbytes in std::iter::once(payload.nbytes).chain(sizes) {
                match inner.allocate(self, nbytes) {
                    Ok((e, _)) => places.push(e),
                    Err(e) if e.code() == Code::NoSpace => break,
                    Err(e) => {
                        inner.objects.moving = None;
                        inner.return_extents(&places)?;
                        return Err(e);
                    }
                }
            }
            drop(inner);
            if places.len() == layout.sizes.len() + 1 {
                copied = self.copy_text(&subject, &places);
            }
        }
        let mut inner = self.lock();
        let undisturbed = inner.objects.moving.take().is_some_and(|m| !m.disturbed) && !inner.closing;
        let same = |now: &Subject| now.live.head == subject.live.head && now.live.body == subject.live.body;
        if copied && undisturbed && inner.heap_subject(me, idx).ok().flatten().is_some_and(|now| same(&now)) {
            let nbytes = places.iter().map(|e| e.nbytes).sum();
            inner.name_heap(self, idx, &places)?;
            return Ok(nbytes);
        }
        inner.return_extents(&places)?;
        Ok(0)
    }

    /// Writes views and text to their new places; false: a view that cannot be, or not what it was a moment ago.
    fn copy_text(&self, subject: &Subject, places: &[Extent]) -> bool {
        let region = &self.seam.region;
        let span = |e: Extent| region.span(e.off, e.nbytes);
        let payload = subject.live.body.payload;
        for e in places {
            zero(self, Extent { off: e.end() - UNIT, nbytes: UNIT });
        }
        span(places[1]).write(0, &NA_RUN);
        let (mut layout, mut is_sound) = (Layout::new(), true);
        for_views(region.span(payload.off, 16 * subject.live.body.len), |at, block| {
            let mut new = Vec::with_capacity(block.len());
            for old in block {
                let from = match view::decode(old) {
                    Ok(Text::Long(long)) => subject.buffers.place(long),
                    _ => None,
                };
                match (layout.place(old), from) {
                    (Ok((view, None)), _) => new.push(view),
                    (Ok((view, Some(to))), Some(from)) if (to.buffer as usize) + 1 < places.len() => {
                        let to_span = span(places[to.buffer as usize + 1]);
                        is_sound &= to.end() <= to_span.nbytes();
                        to_span.part(u64::from(to.off), from.nbytes()).copy_from(from);
                        new.push(view);
                    }
                    _ => is_sound = false,
                }
            }
            if is_sound {
                span(places[0]).write_words(16 * at, &new);
            }
        });
        for e in places {
            self.seam.announce(e.off, e.nbytes);
        }
        is_sound
    }
}

impl Inner {
    fn return_extents(&mut self, places: &[Extent]) -> Result<()> {
        places.iter().try_for_each(|e| self.give_back(*e, Fate::Free))
    }

    /// The vector, if nobody has it open and it is not sealed.
    fn heap_subject(&mut self, me: Option<u64>, idx: u32) -> Result<Option<Subject>> {
        let Some(live) = self.record(idx)? else { return Ok(None) };
        let key = self.objects.by_record.get(&idx).copied();
        let owner = live.head.owner().map(|(_, owner)| Owner::Record(owner));
        let is_free = key.is_none_or(|key| self.objects.is_movable(key, me))
            && self.objects.is_owner_movable(owner, me);
        let aux = self.read_aux(&live)?;
        if !is_free || live.body.is_sealed() || aux.heap.is_empty() || live.body.payload.is_empty() {
            return Ok(None);
        }
        let mut heap_nbytes = 0;
        for key in &aux.heap {
            heap_nbytes += self.heap_record(idx, *key)?.map_or(0, |l| l.body.payload.nbytes);
        }
        Ok(Some(Subject { live, key, buffers: self.record_buffers(idx, &aux.heap)?, heap_nbytes }))
    }

    /// The record gets its new views, `places[0]`, and a heap of the others.
    fn name_heap(&mut self, sh: &Arc<Shared>, idx: u32, places: &[Extent]) -> Result<()> {
        let old = self.read_aux(&self.live(idx)?)?.heap;
        let mut attrs = Attrs::of(&self.read_aux(&self.live(idx)?)?);
        let mut made = Vec::new();
        for e in &places[1..] {
            let key = self.objects.insert(Object::new(Dtype::Raw, VECTOR, e.nbytes, *e, None));
            made.push((key, *e));
        }
        let serial =
            |inner: &Self, key: u32| inner.objects.slab[key as usize].as_ref().map_or(0, |o| o.serial);
        attrs.heap = made.iter().map(|(key, _)| Child::Open(*key, serial(self, *key))).collect();
        if let Err(e) = self.change(sh, idx, &Attributes::Text(&attrs, places[0])) {
            for (key, e) in made {
                self.kill(key, e)?;
            }
            self.give_back(places[0], Fate::Free)?;
            return if e.code() == Code::NoSpace { Ok(()) } else { Err(e) };
        }
        if sh.is_full() {
            self.harden(sh, idx)?;
        }
        if let Some(key) = self.objects.by_record.get(&idx).copied() {
            if let Some(Some(o)) = self.objects.slab.get_mut(key as usize) {
                o.text = None;
            }
            self.objects.relocate(key, places[0]);
        }
        for key in old {
            self.destroy_child(sh, idx, key, sh.is_full())?;
        }
        sh.note_commit(self);
        Ok(())
    }
}
