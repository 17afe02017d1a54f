//! All names of a store, and how many there are.
//!
//! The index of names has hashes and slots only, so the names themselves are read from the records: in the order of slots, which is that of
//! the file and nearly always that of creation. Who asks before there is an index gets it built by the same pass.

use super::{Inner, Mode, Shared, Store};
use crate::error::Result;
use crate::format::word;
use crate::names::Names;
use crate::resolve::Live;
use crate::strings::Strings;
use std::collections::HashSet;

/// Names with what puts them in order.
#[derive(Default)]
struct Found {
    names: Strings,
    /// Generation and slot of each.
    keys: Vec<(u32, u32)>,
}

impl Found {
    fn push(&mut self, live: &Live, name: &str) {
        self.names.push(Some(name));
        self.keys.push((live.head.generation, live.head.id));
    }

    /// In the order of creation, without those of `left_out`.
    fn in_order(self, left_out: &HashSet<u32>) -> Strings {
        if left_out.is_empty() && self.keys.is_sorted() {
            return self.names;
        }
        let stays = |i: &u32| !left_out.contains(&self.keys[*i as usize].1);
        let mut order: Vec<u32> = (0..self.keys.len() as u32).filter(stays).collect();
        order.sort_unstable_by_key(|i| self.keys[*i as usize]);
        self.names.picked(&order)
    }
}

impl Store {
    /// As [`Store::name_list`], as strings of their own.
    ///
    /// # Errors
    /// As [`Store::name_list`].
    pub fn names(&self) -> Result<Vec<String>> {
        let list = self.name_list()?;
        Ok((0..list.len()).filter_map(|i| list.get(i).map(str::to_owned)).collect())
    }

    /// Names in the order of creation.
    ///
    /// # Errors
    /// `CORRUPT`: a record that may have a name is damaged; `IO`, `CLOSED`.
    pub fn name_list(&self) -> Result<Strings> {
        let sh = self.shared()?;
        let mut inner = sh.lock_open()?;
        if sh.mode == Mode::Scratch {
            return Ok(inner.objects.scratch_names());
        }
        let mut found = Found::default();
        if inner.names.is_none() {
            inner.build_names_telling(|live, name| found.push(live, name))?;
            return Ok(found.in_order(&inner.losers.iter().map(|(loser, _)| *loser).collect()));
        }
        let mut slots: Vec<u32> = inner.names.iter().flat_map(Names::slots).collect();
        slots.sort_unstable();
        let mut buf = Vec::new();
        for idx in slots {
            if let Some(live) = inner.record(idx)?
                && let Some(naming) = inner.read_aux_in(&live, &mut buf)?.naming
            {
                found.push(&live, &naming.name);
            }
        }
        Ok(found.in_order(&HashSet::new()))
    }

    /// How many objects have a name. Builds the index of names.
    ///
    /// # Errors
    /// As [`Store::name_list`].
    pub fn named_count(&self) -> Result<u64> {
        let sh = self.shared()?;
        sh.seam.loss.quietly(|| sh.lock_open()?.count_names(sh))
    }

    /// The same for who is about to close the store and wants no index any more: where there is none, what the state words say, which is
    /// one too many for each name that a killed process left twice (rule 15).
    ///
    /// # Errors
    /// As [`Store::name_list`].
    pub fn last_named_count(&self) -> Result<u64> {
        let sh = self.shared()?;
        sh.seam.loss.quietly(|| {
            let mut inner = sh.lock_open()?;
            // After a machine crash a word may speak of a version that was lost.
            if sh.mode == Mode::Scratch || inner.names.is_some() || !inner.same_boot {
                return inner.count_names(sh);
            }
            let mut n = 0;
            inner.catalog.scan(inner.used_bound(), |_, raw| {
                n += u64::from(word::raw_is_live(raw) && word::raw_tag(raw) != 0);
                true
            });
            inner.loss.check()?;
            Ok(n)
        })
    }
}

impl Inner {
    fn count_names(&mut self, sh: &Shared) -> Result<u64> {
        if sh.mode == Mode::Scratch {
            return Ok(self.objects.scratch_name_count());
        }
        self.build_names()?;
        Ok(self.names.as_ref().map_or(0, |n| n.len() as u64))
    }
}
