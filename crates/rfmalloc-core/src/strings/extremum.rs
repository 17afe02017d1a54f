//! Smallest and largest string by code point, and what `all` and `any` need to know of strings.
//!
//! Views are copied to private memory in blocks, chunk by chunk on the executor's threads, and each is checked before it counts. A string whose
//! first four bytes lie between those of the smallest and the largest so far is neither; only the others are read.

use super::access::text_at;
use super::compare::is_sound;
use super::view::{self, View};
use crate::convert;
use crate::convert::Warnings;
use crate::dtype::Dtype;
use crate::elements::Vector;
use crate::error::Result;
use crate::executor::{Context, Watch};
use crate::kernels::truth::Truths;
use crate::na::NA_INT;
use crate::store::TextAccess;
use std::ops::Range;
use std::sync::atomic::{self, AtomicBool, fence};

/// Elements per block, and of a chunk.
const BLOCK: u64 = if cfg!(miri) { 32 } else { 2048 };
const CHUNK: u64 = 4 * BLOCK;
/// Bytes of text read between two looks at the watch.
const LOOK_NBYTES: usize = 1 << 20;

/// The smallest and the largest string met, and whether NA was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TextBounds {
    ends: Option<(String, String)>,
    na: bool,
}

impl TextBounds {
    /// With one more string; `None`: NA.
    pub(crate) fn add(&mut self, text: Option<&str>) {
        let Some(text) = text else {
            self.na = true;
            return;
        };
        match &mut self.ends {
            None => self.ends = Some((text.to_owned(), text.to_owned())),
            Some((low, _)) if text < low.as_str() => text.clone_into(low),
            Some((_, high)) if text > high.as_str() => text.clone_into(high),
            Some(_) => {}
        }
    }

    /// Those of both.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.na |= other.na;
        if let Some((low, high)) = other.ends {
            self.add(Some(&low));
            self.add(Some(&high));
        }
        self
    }

    /// The smallest and the largest; NA if there was one and `remove` does not leave it out. `None`: of nothing.
    pub(crate) fn bounds(self, remove: bool) -> Option<[Option<String>; 2]> {
        if self.na && !remove {
            return Some([None, None]);
        }
        self.ends.map(|(low, high)| [Some(low), Some(high)])
    }

    /// The first bytes of both ends.
    fn firsts(&self) -> Option<(u32, u32)> {
        let first = |text: &str| {
            let mut bytes = [0; 4];
            let n = text.len().min(4);
            bytes[..n].copy_from_slice(&text.as_bytes()[..n]);
            u32::from_be_bytes(bytes)
        };
        self.ends.as_ref().map(|(low, high)| (first(low), first(high)))
    }
}

impl Vector {
    /// The bounds of strings `[start, start+len)`. `None`: it was cancelled.
    ///
    /// # Errors
    /// As [`Vector::strings`].
    pub(crate) fn string_bounds(
        &self,
        ctx: &Context<'_>,
        start: u64,
        len: u64,
    ) -> Result<Option<TextBounds>> {
        let parts = self.string_chunks(ctx, start, len, |pass, access, chunk| {
            let mut all = TextBounds::default();
            let (mut firsts, mut scratch) = (None, Vec::new());
            pass.each_view(access, chunk, |access, i, view| {
                let first = u32::from_be_bytes([view[4], view[5], view[6], view[7]]);
                let is_between = firsts.is_some_and(|(low, high)| low < first && first < high);
                if is_between && is_sound(access.buffers(), view) && *view != view::NA {
                    return Ok(0);
                }
                // Checked to be UTF-8 where it was read.
                let text = text_at(access, i, view, &mut scratch)?;
                all.add(text.map(|text| std::str::from_utf8(text).unwrap_or_default()));
                firsts = all.firsts();
                Ok(scratch.len())
            })?;
            Ok(all)
        })?;
        Ok(parts.map(|parts| parts.into_iter().fold(TextBounds::default(), TextBounds::and)))
    }

    /// Which truths strings `[start, start+len)` say, as R turns text into logicals. `None`: it was cancelled.
    ///
    /// # Errors
    /// As [`Vector::strings`].
    pub(crate) fn string_truths(&self, ctx: &Context<'_>, start: u64, len: u64) -> Result<Option<Truths>> {
        let parts = self.string_chunks(ctx, start, len, |pass, access, chunk| {
            let (mut all, mut scratch) = (Truths::default(), Vec::new());
            pass.each_view(access, chunk, |access, i, view| {
                let text = text_at(access, i, view, &mut scratch)?;
                let (mut out, mut none) = ([0; 4], Warnings::default());
                let text = text.and_then(|text| std::str::from_utf8(text).ok());
                convert::from_text(text, Dtype::Logical, &mut out, &mut none);
                match i32::from_le_bytes(out) {
                    NA_INT => all.na = true,
                    0 => all.no = true,
                    _ => all.yes = true,
                }
                Ok(scratch.len())
            })?;
            Ok(all)
        })?;
        Ok(parts.map(|parts| parts.into_iter().fold(Truths::default(), Truths::or)))
    }

    /// What `work` makes of each chunk of strings `[start, start+len)`, in order.
    fn string_chunks<R: Send>(
        &self,
        ctx: &Context<'_>,
        start: u64,
        len: u64,
        work: impl Fn(&Pass<'_>, &mut TextAccess<'_>, Range<u64>) -> Result<R> + Sync,
    ) -> Result<Option<Vec<R>>> {
        self.check(start, len)?;
        let pass = Pass { watch: ctx.watch, is_stopped: AtomicBool::new(false) };
        let parts = text_chunks(
            ctx,
            len,
            || self.text(false),
            |access, chunk| match access {
                Ok(access) => work(&pass, access, start + chunk.start..start + chunk.end),
                Err(e) => Err(e.clone()),
            },
        )?;
        Ok(parts.filter(|_| !pass.is_stopped.into_inner()))
    }
}

/// As [`Context::chunks`], in smaller ones: what is done with text takes longer. The first error, if there is one.
pub(crate) fn text_chunks<S, R: Send>(
    ctx: &Context<'_>,
    len: u64,
    state: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, Range<u64>) -> Result<R> + Sync,
) -> Result<Option<Vec<R>>> {
    let range = |task: usize| (task as u64 * CHUNK)..len.min((task as u64 + 1) * CHUNK);
    let units = |task: usize| range(task).end - range(task).start;
    let parts = ctx.tasks(len.div_ceil(CHUNK) as usize, state, |s, task| work(s, range(task)), units);
    parts.map(|parts| parts.into_iter().collect()).transpose()
}

/// One pass over strings, which may stop inside of a chunk: each can be long.
struct Pass<'w> {
    watch: &'w dyn Watch,
    is_stopped: AtomicBool,
}

impl Pass<'_> {
    /// Calls `f(element, view)` for the views of a range; it returns how many bytes it read beside the view.
    fn each_view(
        &self,
        access: &mut TextAccess<'_>,
        range: Range<u64>,
        mut f: impl FnMut(&mut TextAccess<'_>, u64, &View) -> Result<usize>,
    ) -> Result<()> {
        let mut views = vec![view::EMPTY; BLOCK.min(range.end - range.start) as usize];
        let (mut at, mut nbytes) = (range.start, 0);
        while at < range.end {
            let m = BLOCK.min(range.end - at) as usize;
            access.views().read_words(16 * at, &mut views[..m]);
            fence(atomic::Ordering::Acquire);
            for (i, view) in (at..).zip(&views[..m]) {
                nbytes += f(access, i, view)?;
                if nbytes > LOOK_NBYTES {
                    nbytes = 0;
                    if self.watch.is_cancelled() {
                        self.is_stopped.store(true, atomic::Ordering::Relaxed);
                        return Ok(());
                    }
                }
            }
            at += m as u64;
        }
        access.check_views(range.start, range.end - range.start)
    }
}
