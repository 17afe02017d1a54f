//! A hash of each string: for tables of texts (what is unique, what matches), whose keys it spares.
//!
//! The hash is of the bytes of the text, wherever they stand, and of nothing else; NA has one of its own. It is seeded once per process, so
//! that no file can be made to collide: the hashes of two vectors can be compared, those of two processes cannot. Nothing is stored.

use super::access::text_at;
use super::view;
use crate::elements::{BLOCK, Vector};
use crate::error::Result;
use hashbrown::DefaultHashBuilder;
use std::hash::BuildHasher;
use std::sync::OnceLock;
use std::sync::atomic::{Ordering, fence};

pub(super) fn seeded() -> &'static DefaultHashBuilder {
    static SEEDED: OnceLock<DefaultHashBuilder> = OnceLock::new();
    SEEDED.get_or_init(DefaultHashBuilder::default)
}

impl Vector {
    /// The 64-bit hashes of strings `[start, start + out.len())`, into `out`: the same for equal text in all vectors of this process. Different
    /// texts may share one.
    ///
    /// # Errors
    /// As [`Vector::string`].
    pub fn hash_strings(&self, start: u64, out: &mut [u64]) -> Result<()> {
        let n = out.len() as u64;
        self.check(start, n)?;
        let mut access = self.text(false)?;
        let state = seeded();
        let mut views = vec![view::EMPTY; BLOCK.min(n) as usize];
        let mut scratch = Vec::new();
        let mut i = start;
        for hashes in out.chunks_mut(BLOCK as usize) {
            let views = &mut views[..hashes.len()];
            access.views().read_words(16 * i, views);
            fence(Ordering::Acquire);
            for (hash, view) in hashes.iter_mut().zip(&*views) {
                *hash = state.hash_one(text_at(&mut access, i, view, &mut scratch)?);
                i += 1;
            }
        }
        access.check_views(start, n)
    }
}
