//! A table of the texts that were met, for what is unique.

use super::access::read_text;
use super::hash::seeded;
use super::view::{self, INLINE, View};
use crate::elements::{BLOCK, Vector};
use crate::error::Result;
use crate::store::TextAccess;
use hashbrown::HashTable;
use std::hash::BuildHasher;
use std::sync::atomic::{Ordering, fence};

/// Texts that were met, of one vector, by their hash and their view: bytes that a view names stay what they are.
#[derive(Default)]
pub(crate) struct SeenTexts {
    table: HashTable<(u64, View)>,
    text: Vec<u8>,
    other: Vec<u8>,
    views: Vec<View>,
}

impl SeenTexts {
    /// Bytes of the table.
    pub(crate) fn nbytes(&self) -> u64 {
        self.table.allocation_size() as u64
    }

    /// Looks at strings `[start, start + n)` of a vector whose hash `is_mine`, and calls `f` with the elements that were not met before.
    ///
    /// # Errors
    /// As [`Vector::string`].
    pub(crate) fn look(
        &mut self,
        vector: &Vector,
        (start, n): (u64, u64),
        is_mine: impl Fn(u64) -> bool,
        mut f: impl FnMut(u64),
    ) -> Result<()> {
        let mut access = vector.text(false)?;
        let mut views = std::mem::take(&mut self.views);
        let mut at = start;
        while at < start + n {
            views.resize((start + n - at).min(BLOCK) as usize, view::EMPTY);
            access.views().read_words(16 * at, &mut views);
            fence(Ordering::Acquire);
            for view in &views {
                if self.is_new(&mut access, at, *view, &is_mine)? {
                    f(at);
                }
                at += 1;
            }
        }
        self.views = views;
        access.check_views(start, n)
    }

    fn is_new(
        &mut self,
        access: &mut TextAccess<'_>,
        i: u64,
        mut view: View,
        is_mine: impl Fn(u64) -> bool,
    ) -> Result<bool> {
        if read_text(access.buffers(), &view, &mut self.text).is_err() {
            view = access.read_again(i)?;
            read_text(access.buffers(), &view, &mut self.text).map_err(|what| access.damaged(i, what))?;
        }
        // A short text is its view; so is NA, which no other text is.
        let is_view = self.text.len() <= INLINE || view == view::NA;
        let hash = if is_view { seeded().hash_one(view) } else { seeded().hash_one(&self.text) };
        if !is_mine(hash) {
            return Ok(false);
        }
        let (text, other) = (&self.text, &mut self.other);
        let buffers = access.buffers();
        let is_same = |seen: &(u64, View)| {
            let is_alike = seen.0 == hash && seen.1[..8] == view[..8];
            seen.1 == view
                || is_alike
                    && !is_view
                    && matches!(read_text(buffers, &seen.1, other), Ok(true))
                    && text == other
        };
        if self.table.find(hash, is_same).is_some() {
            return Ok(false);
        }
        self.table.insert_unique(hash, (hash, view), |seen| seen.0);
        Ok(true)
    }
}
