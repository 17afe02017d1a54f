//! A commit for another thread: what full durability waits for is waited for there, and mostly without the store's mutex.
//!
//! A new object's bytes can be gigabytes. They are brought to stable storage before the commit, while nobody knows the object; the commit by
//! the rules of any other one follows, whose barriers find those pages clean.

use super::attributes::Child;
use super::{Handle, Inner, Operation, Shared, Store};
use crate::error::Result;
use crate::format::Extent;
use hashbrown::HashSet;
use std::sync::Arc;

/// See [`Store::commit_work`].
pub struct CommitWork {
    handle: Handle,
    /// A close waits, and nobody destroys it meanwhile.
    _operation: Operation,
}

impl Store {
    /// [`Store::commit`] for another thread to run. The caller's handle knows of it after [`Handle::refresh`].
    ///
    /// # Errors
    /// `DESTROYED`, `CLOSED`, `OTHER_STORE`.
    pub fn commit_work(&self, handle: &Handle) -> Result<CommitWork> {
        self.shared()?;
        self.check_ours(handle)?;
        Ok(CommitWork { handle: handle.again()?, _operation: handle.begin()? })
    }
}

impl CommitWork {
    /// Commits, and returns the record's id and generation.
    ///
    /// # Errors
    /// As [`Store::commit`]; `IO`: a barrier failed, as [`Store::sync`].
    pub fn run(&mut self, name: Option<&str>, replace: bool) -> Result<(u64, u64)> {
        let sh = Arc::clone(&self.handle.shared);
        if sh.is_full() && !sh.read_only {
            self.harden_elements(&sh)?;
        }
        sh.with_space(|| Store::try_commit(&sh, &mut self.handle, name, replace))?;
        let facts = self.handle.facts();
        Ok((facts.id, facts.generation))
    }

    /// Where something moves or grows meanwhile, the commit's own barriers find it.
    fn harden_elements(&self, sh: &Shared) -> Result<()> {
        let extents = sh.lock_open()?.extents_in_memory((self.handle.key, self.handle.serial));
        let done = extents.iter().try_for_each(|e| sh.seam.barrier_data(e.off, e.nbytes));
        sh.lock_open_for_elements()?.barrier(sh, done)
    }
}

impl Inner {
    /// Element bytes of an open object and of all that it owns or holds, as far as these have no records.
    fn extents_in_memory(&mut self, top: (u32, u64)) -> Vec<Extent> {
        let mut extents = Vec::new();
        let (mut todo, mut seen) = (vec![top], HashSet::new());
        while let Some((key, serial)) = todo.pop() {
            let Some(o) = self.objects.get(key, serial).filter(|o| o.record.is_none()) else { continue };
            if !seen.insert(key) {
                continue;
            }
            extents.extend((!o.payload.is_empty()).then_some(o.payload));
            todo.extend(o.attrs.children().chain(o.cells.iter().flatten().flatten()).filter_map(Child::open));
        }
        extents
    }
}
