//! Every object of a store as a few long columns, in one pass over the catalog.
//!
//! Holds: [`Listing`]. A million objects cost a million small reads and no allocation each: names stand one after the other, and shapes only
//! where there are some. What counts to whom is `layout`'s business.

use super::attributes::{FRAME, LIST, VECTOR};
use super::entries::Entry;
use super::{Inner, Store};
use crate::dtype::Dtype;
use crate::error::Result;
use crate::format::superblock::MODE_SCRATCH;
use crate::resolve::{self, Live};
use crate::strings::Strings;

/// Objects in the order of creation: element `i` of each column is of the same one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Names in the store; NA: none.
    pub names: Strings,
    /// See [`ObjectFacts::id`](crate::ObjectFacts::id).
    pub ids: Vec<u64>,
    /// See [`ObjectFacts::generation`](crate::ObjectFacts::generation).
    pub generations: Vec<u64>,
    /// [`VECTOR`](crate::VECTOR), [`MATRIX`](crate::MATRIX), [`ARRAY`](crate::ARRAY), [`LIST`](crate::LIST) or [`FRAME`](crate::FRAME).
    pub kinds: Vec<u8>,
    /// [`Dtype::code`] of the elements; 0: the record is damaged, and of the rest only the id is known.
    pub type_codes: Vec<u8>,
    /// Elements.
    pub lens: Vec<u64>,
    /// Bytes that count to it: of a frame also its columns.
    pub nbytes: Vec<u64>,
    /// Positions in this listing, rising, of matrices, arrays and frames; with extents, or rows and columns.
    pub dims: Vec<(u32, Vec<u64>)>,
}

impl Store {
    /// Every committed object that is no part of another one, in the order of creation.
    ///
    /// # Errors
    /// `CORRUPT`: a list is damaged; `IO`, `CLOSED`.
    pub fn listing(&self) -> Result<Listing> {
        let inner = self.shared()?.lock_open()?;
        let mut all = Listing::default();
        let mut buf = Vec::new();
        // Bytes of each slot's own.
        let mut own: Vec<u64> = Vec::new();
        let known = inner.catalogued(&mut |idx, live| match live {
            Some(live) => {
                own.resize(idx as usize, 0);
                own.push(resolve::extents(&live.body).iter().map(|e| e.nbytes).sum());
                if live.head.owner().is_none() {
                    all.push_record(&inner, live, &mut buf);
                }
            }
            None => inner.record_entry(idx).iter().for_each(|entry| all.push(entry)),
        })?;
        for idx in 0..own.len() {
            let top = inner.top(&known, idx as u32) as usize;
            if top != idx && top < own.len() {
                own[top] += std::mem::take(&mut own[idx]);
            }
        }
        let bytes_of = |id: &u64| own.get(*id as usize).copied().unwrap_or(0);
        all.nbytes = all.ids.iter().map(bytes_of).collect();
        if inner.sb.mode == MODE_SCRATCH {
            for entry in (0..inner.objects.slab.len() as u32).filter_map(|key| inner.scratch_entry(key)) {
                all.push(&entry);
                all.nbytes.push(entry.len * entry.dtype.map_or(0, Dtype::width));
            }
        }
        inner.loss.check()?;
        drop(inner);
        all.sort();
        Ok(all)
    }
}

impl Listing {
    /// A record that was found whole, but for its attributes.
    fn push_record(&mut self, inner: &Inner, live: &Live, buf: &mut Vec<u8>) {
        let kind = live.kind();
        let Ok(aux) = inner.read_aux_in(live, buf) else {
            return self.push(&Entry::damaged(live.head.id, live.head.generation));
        };
        if kind != VECTOR && kind != LIST {
            let dim = match (kind, aux.dim) {
                (FRAME, _) => vec![aux.row_names.map_or(0, |names| names.rows), live.body.len],
                (_, dim) => dim.map_or_else(Vec::new, |dim| dim.extents),
            };
            self.dims.push((self.ids.len() as u32, dim));
        }
        self.names.push(aux.naming.as_ref().map(|n| n.name.as_str()));
        self.ids.push(u64::from(live.head.id));
        self.generations.push(u64::from(live.head.generation));
        self.kinds.push(kind);
        self.type_codes.push(live.head.dtype);
        self.lens.push(live.body.len);
    }

    fn push(&mut self, entry: &Entry) {
        self.names.push(entry.name.as_deref());
        self.ids.push(entry.id);
        self.generations.push(entry.generation);
        self.kinds.push(entry.kind);
        self.type_codes.push(entry.dtype.map_or(0, Dtype::code));
        self.lens.push(entry.len);
    }

    /// Into the order of creation, in which slots that were never used again are already.
    fn sort(&mut self) {
        let key = |i: u32| (self.generations[i as usize], self.ids[i as usize]);
        let mut order: Vec<u32> = (0..self.ids.len() as u32).collect();
        if order.is_sorted_by_key(|i| key(*i)) {
            return;
        }
        order.sort_unstable_by_key(|i| key(*i));
        let mut place = vec![0; order.len()];
        order.iter().zip(0..).for_each(|(i, to)| place[*i as usize] = to);
        self.dims.iter_mut().for_each(|(i, _)| *i = place[*i as usize]);
        self.dims.sort_unstable_by_key(|(i, _)| *i);
        self.names = self.names.picked(&order);
        for column in [&mut self.ids, &mut self.generations, &mut self.lens, &mut self.nbytes] {
            *column = order.iter().map(|i| column[*i as usize]).collect();
        }
        for column in [&mut self.kinds, &mut self.type_codes] {
            *column = order.iter().map(|i| column[*i as usize]).collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OpenOptions;

    fn named(store: &Store, name: &str) {
        store.create(Dtype::Integer, 1, &[0; 4], Some(name)).unwrap();
    }

    /// A slot that was used again stands before older ones: names and numbers of a listing must move together.
    #[test]
    fn objects_in_slots_used_again_stand_where_they_were_made() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.fm");
        let store = Store::open(&path, &OpenOptions::default()).unwrap().store;
        (0..20).for_each(|i| named(&store, &format!("n{i}")));
        for i in (0..20).step_by(3) {
            let found = store.open_name(&format!("n{i}")).unwrap().unwrap();
            store.destroy(&found, false).unwrap();
        }
        store.sync().unwrap();
        let column = store.reserve(Dtype::Integer, 2, true).unwrap();
        let names: Strings = [Some("what")].into_iter().collect();
        let mut frame = store.frame(&[&column], &names, None).unwrap();
        store.commit(&mut frame, Some("df"), false).unwrap();
        drop((column, frame));
        (20..24).for_each(|i| named(&store, &format!("n{i}")));
        let old = (0..20).filter(|i| i % 3 > 0).map(|i| format!("n{i}"));
        let wanted: Vec<String> = old.chain(["df".into()]).chain((20..24).map(|i| format!("n{i}"))).collect();
        let check = |store: &Store| {
            let all = store.listing().unwrap();
            assert_eq!(all.ids.len(), wanted.len() + 1, "and the column");
            assert!(all.generations.is_sorted() && !all.ids.is_sorted(), "{:?}", all.ids);
            let mut names = Vec::new();
            for i in 0..all.ids.len() {
                let Some(name) = all.names.get(i) else { continue };
                let facts = store.open_name(name).unwrap().unwrap().facts();
                let listed = (all.ids[i], all.generations[i], all.lens[i], all.kinds[i]);
                assert_eq!(listed, (facts.id, facts.generation, facts.len, facts.kind));
                if name == "df" {
                    assert_eq!(all.dims, [(i as u32, vec![2, 1])]);
                }
                names.push(name.to_owned());
            }
            assert_eq!(names, wanted);
            assert_eq!(store.names().unwrap(), wanted);
            assert_eq!(store.named_count().unwrap(), wanted.len() as u64);
        };
        check(&store);
        store.close().unwrap();
        // Before there is an index, and with it.
        let again = Store::open(&path, &OpenOptions::default()).unwrap().store;
        assert_eq!(again.last_named_count().unwrap(), wanted.len() as u64);
        assert_eq!(again.names().unwrap(), wanted);
        check(&again);
    }
}
