//! Verify, of text: every view of every character vector, and the bytes that it names.
//!
//! Read from the mapping, since no buffer that a user has reaches text. Vectors are read without the store mutex while others write them: a
//! view that cannot be is looked at once more under it, with the heap as it is then.

use super::heaps::{Buffers, for_views};
use super::verify::{Pass, VerifyReport, VerifyStep, Watch, proceed};
use super::{Inner, Pin, Shared};
use crate::error::Result;
use crate::format::aux::Key;
use crate::resolve::Live;
use crate::strings::view::{self, View};
use crate::strings::{NO_TEXT, Strings, push};
use std::sync::Arc;

/// Elements of one vector that are reported one by one.
const MOST_FAULTS: u64 = 100;

/// A vector whose elements are looked at.
struct Subject {
    live: Live,
    buffers: Buffers,
    /// Keep views and heap where they are. What this version cannot open, it does not move or end either.
    _pins: Vec<Pin>,
}

impl Inner {
    /// What can be said of a heap without reading it.
    pub(super) fn verify_heap(&self, live: &Live, heap: &[Key], slot_off: u64, report: &mut VerifyReport) {
        let idx = live.head.id;
        let is_there = |key: &Key| matches!(self.heap_record(idx, *key), Ok(Some(_)));
        for key in
            heap.iter().filter(|key| self.is_child(**key, (idx, live.head.generation)) && !is_there(key))
        {
            let what = format!("names record {} as a string heap, which it is not", key.0);
            report.push("record", slot_off, what, Some(idx));
        }
    }

    fn text_subject(&mut self, sh: &Arc<Shared>, (idx, generation): Key) -> Option<Subject> {
        // What was destroyed or became unreadable meanwhile is another pass's business.
        let live = self.record(idx).ok()?.filter(|l| l.head.generation == generation)?;
        let aux = self.read_aux(&live).ok()?;
        let buffers = self.record_buffers(idx, &aux.heap).ok()?;
        let records = aux.heap.iter().map(|key| key.0).chain([idx]);
        let pins = records.filter_map(|idx| self.pin_record(sh, idx).ok()).collect();
        Some(Subject { live, buffers, _pins: pins })
    }
}

impl Shared {
    pub(super) fn verify_texts(self: &Arc<Self>, pass: &mut Pass, watch: Watch<'_>) -> Result<()> {
        let total = pass.text_bytes;
        let mut done = 0;
        for key in std::mem::take(&mut pass.texts) {
            let subject = self.lock_open()?.text_subject(self, key);
            let Some(subject) = subject else { continue };
            let mut faults = 0;
            let payload = subject.live.body.payload;
            let views = self.seam.region.span(payload.off, 16 * subject.live.body.len);
            let mut goes_on = Ok(());
            for_views(views, |at, block| {
                if goes_on.is_err() {
                    return;
                }
                for (i, what) in self.faults_in(&subject, at, block) {
                    faults += 1;
                    if faults <= MOST_FAULTS {
                        let what = format!("element {i}: {what}");
                        pass.report.push("payload", payload.off + 16 * i, what, Some(key.0));
                    }
                }
                done += 16 * block.len() as u64;
                goes_on = self
                    .lock_open()
                    .map(drop)
                    .and_then(|()| proceed(watch(VerifyStep::Bytes { done, total: total.max(done) })));
            });
            goes_on?;
            if faults > MOST_FAULTS {
                let what =
                    format!("{faults} elements are no strings: only the first {MOST_FAULTS} are listed");
                pass.report.push("payload", payload.off, what, Some(key.0));
            }
        }
        Ok(())
    }

    fn faults_in(self: &Arc<Self>, subject: &Subject, at: u64, block: &[View]) -> Vec<(u64, &'static str)> {
        let mut faults = Vec::new();
        let mut text = Strings::new();
        for (i, view) in (at..).zip(block) {
            text.clear();
            if check(&subject.buffers, view, &mut text).is_err()
                && let Err(what) = self.check_again(subject, i)
            {
                faults.push((i, what));
            }
        }
        faults
    }

    /// An element that could not be, as it is while nobody writes.
    fn check_again(self: &Arc<Self>, subject: &Subject, i: u64) -> std::result::Result<(), &'static str> {
        let inner = self.lock();
        let idx = subject.live.head.id;
        let heap = inner.record(idx).and_then(|l| l.map_or(Ok(Vec::new()), |l| Ok(inner.read_aux(&l)?.heap)));
        let buffers = heap.and_then(|heap| inner.record_buffers(idx, &heap));
        let mut view = [view::EMPTY];
        self.seam
            .region
            .span(subject.live.body.payload.off, 16 * subject.live.body.len)
            .read_words(16 * i, &mut view);
        check(buffers.as_ref().unwrap_or(&subject.buffers), &view[0], &mut Strings::new())
    }
}

fn check(buffers: &Buffers, view: &View, text: &mut Strings) -> std::result::Result<(), &'static str> {
    push(buffers, view, text)?;
    if text.first_invalid().is_some() { Err(NO_TEXT) } else { Ok(()) }
}
