//! The names index: name hash → slot index, built lazily, in memory only.
//!
//! Holds: [`Names`]. May touch: nothing; comparing a candidate's name is the caller's, who can read the catalog. Eight bytes per name,
//! since the names themselves are in the file.

use hashbrown::HashTable;

/// Low half of the hash, and the slot.
#[derive(Clone, Copy)]
struct Entry {
    hash: u32,
    idx: u32,
}

/// Name hash → slot index.
#[derive(Default)]
pub(crate) struct Names {
    table: HashTable<Entry>,
}

fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

impl Names {
    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    pub(crate) fn reserve(&mut self, n: usize) {
        self.table.reserve(n, |e| spread(e.hash));
    }

    /// The slot whose name has this hash and satisfies `is_it`.
    pub(crate) fn find(&self, hash: u64, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        let hash = hash as u32;
        self.table.find(spread(hash), |e| e.hash == hash && is_it(e.idx)).map(|e| e.idx)
    }

    /// Adds a slot; the caller has made sure that the name is not there.
    pub(crate) fn insert(&mut self, hash: u64, idx: u32) {
        let hash = hash as u32;
        self.table.insert_unique(spread(hash), Entry { hash, idx }, |e| spread(e.hash));
    }

    /// Removes the entry of a slot.
    pub(crate) fn remove(&mut self, hash: u64, idx: u32) {
        let hash = hash as u32;
        if let Ok(e) = self.table.find_entry(spread(hash), |e| e.hash == hash && e.idx == idx) {
            e.remove();
        }
    }

    /// All slots with a name.
    pub(crate) fn slots(&self) -> impl Iterator<Item = u32> + '_ {
        self.table.iter().map(|e| e.idx)
    }
}
