//! Trees: an object with its children, as they are committed, taken back, ended, and found without an owner (rule 25).
//!
//! An owner names its children in its attributes; a child's head says whose it is. Both must agree: what only one of them says is no
//! child. A kill between two steps, or a power cut, may leave a child without an owner that names it: an orphan, which the first mutation
//! of the next process destroys.

use super::attributes::{Child, LIST, VECTOR};
use super::objects::{Fate, Owner};
use super::record::{Created, Made, NewRecord};
use super::{Inner, Shared};
use crate::error::{Code, Error, Result};
use crate::format::aux::Key;
use crate::format::word::Word;
use hashbrown::HashSet;

/// A record that has an owner: itself, and whose it says it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Owned {
    pub(super) child: Key,
    pub(super) owner: Key,
}

impl Inner {
    /// A record of an open object that has none yet, as the child of `owner` or ((0, 0)) of nobody.
    pub(super) fn make_child(
        &mut self,
        sh: &Shared,
        (key, serial): (u32, u64),
        owner: Key,
        held: bool,
        made: &mut Vec<Made>,
    ) -> Result<Key> {
        let gone = || Error::new(Code::Destroyed, "a part of the object was destroyed meanwhile");
        let o = self.objects.get(key, serial).filter(|o| o.alive).ok_or_else(gone)?;
        if let Some(idx) = o.record {
            return Ok((idx, o.generation as u32));
        }
        // One object may be named or held several times in one tree.
        if let Some(m) = made.iter().find(|m| m.key == key) {
            return Ok((m.created.idx, m.created.generation));
        }
        self.trim_heap(key)?;
        let o = self.objects.get(key, serial).ok_or_else(gone)?;
        let (dtype, len, payload) = (o.dtype.code(), o.len, o.payload);
        let kind = if o.kind < LIST { VECTOR } else { o.kind };
        let (attrs, cells) = (o.attrs.clone(), o.cells.clone());
        let new =
            NewRecord { dtype, kind, len, payload, owner, held, attrs: &attrs, cells: cells.as_deref() };
        let created = self.make_record(sh, &new, None, made)?;
        made.push(Made { key, owner, created });
        Ok((created.idx, created.generation))
    }

    /// Takes back what was made of a tree: the objects are what they were. Nothing of it can be durable: no sync has started since.
    pub(super) fn unmake(&mut self, sh: &Shared, made: Vec<Made>) -> Result<()> {
        for Made { key, created, .. } in made.into_iter().rev() {
            self.store_word(sh, created.idx, Word::free(created.generation));
            self.free_slots.push(created.idx);
            self.give_back(created.aux, Fate::Free)?;
            let is_list = matches!(self.objects.slab.get(key as usize), Some(Some(o)) if o.cells.is_some());
            if is_list {
                self.give_back(created.payload, Fate::Free)?;
            }
        }
        Ok(())
    }

    /// The objects of a tree have become records.
    pub(super) fn settle_made(&mut self, made: Vec<Made>) -> Result<()> {
        made.into_iter().try_for_each(|m| {
            let owner = (m.owner.1 != 0).then_some(Owner::Record(m.owner));
            // Its handles know it as a temporary.
            if let Some(Some(o)) = self.objects.slab.get_mut(m.key as usize) {
                o.cell.renew();
            }
            self.settle(m.key, &m.created, owner)
        })
    }

    /// An open object has become a record: its attributes and cells stand in the file from now on.
    pub(super) fn settle(&mut self, key: u32, created: &Created, owner: Option<Owner>) -> Result<()> {
        self.objects.unlink(key);
        self.objects.by_record.insert(created.idx, key);
        let Some(Some(o)) = self.objects.slab.get_mut(key as usize) else { return Ok(()) };
        o.record = Some(created.idx);
        o.id = u64::from(created.idx);
        o.generation = u64::from(created.generation);
        o.committed = true;
        o.owner = owner;
        o.has_aux = !created.aux.is_empty();
        o.payload = created.payload;
        let (attrs, cells) = (std::mem::take(&mut o.attrs), o.cells.take());
        let held = attrs.children().chain(cells.iter().flatten().flatten()).filter_map(Child::open);
        held.collect::<Vec<_>>().into_iter().try_for_each(|child| self.end_child(child))?;
        self.reap(key)
    }

    /// A record and its children, their children included, owners before what they own. Damage ends a branch.
    pub(super) fn owned_tree(&self, idx: u32) -> Vec<u32> {
        let mut tree = vec![idx];
        let mut seen = HashSet::new();
        let mut at = 0;
        while let Some(owner) = tree.get(at).copied() {
            at += 1;
            let Ok(Some(live)) = self.record(owner) else { continue };
            if !live.body.has_parts() {
                continue;
            }
            let Ok(aux) = self.read_aux(&live) else { continue };
            for key in aux.children() {
                if self.is_child(key, (owner, live.head.generation)) && key.0 != idx && seen.insert(key.0) {
                    tree.push(key.0);
                }
            }
        }
        tree
    }

    /// Whether there is such a record, and it says that it is this owner's.
    pub(super) fn is_child(&self, child: Key, owner: Key) -> bool {
        matches!(self.record(child.0), Ok(Some(live))
            if live.head.generation == child.1 && (live.head.owner_id, live.head.owner_generation) == owner)
    }

    /// Destroys the children that no owner names. One whose owner is damaged stays: it may be named.
    pub(super) fn collect_orphans(&mut self, sh: &Shared, mut owned: Vec<Owned>) -> Result<()> {
        owned.sort_unstable_by_key(|o| o.owner);
        let mut orphans = Vec::new();
        for family in owned.chunk_by(|a, b| a.owner == b.owner) {
            let (idx, generation) = family[0].owner;
            let named: HashSet<Key> = match self.record(idx) {
                Ok(Some(live)) if live.head.generation == generation => match self.read_aux(&live) {
                    Ok(aux) => aux.children().collect(),
                    Err(_) => continue,
                },
                Ok(_) => HashSet::new(),
                Err(_) => continue,
            };
            orphans.extend(family.iter().map(|o| o.child).filter(|child| !named.contains(child)));
        }
        for (idx, generation) in orphans {
            if self.record(idx)?.is_some_and(|live| live.head.generation == generation) {
                self.destroy_record(sh, idx, false)?;
            }
        }
        Ok(())
    }

    /// Refuses what only an object of its own may do.
    pub(super) fn check_unowned(&self, key: u32) -> Result<()> {
        let owner = self.objects.slab.get(key as usize).and_then(Option::as_ref).and_then(|o| o.owner);
        if owner.is_none() {
            return Ok(());
        }
        Err(Error::new(
            Code::Busy,
            "the vector is a part of another object (its names, for one) and lives as long as that; copy() it to have one of its own",
        ))
    }
}
