//! After a machine crash: which versions count, where the opener has a say (`unsynced`, rule 23), and how many do not.
//!
//! By default what no barrier made durable is dropped (rule 1). With *keep*, every version that is whole counts, whether or not a sync
//! covered it. What is decided otherwise than by rule 1 stands in [`Picture`], which `Inner::resolved` asks; nothing is written before
//! the first mutation, which makes the picture durable in one step. A version that rule 1 keeps is never given up for one that it does not.

use super::Inner;
use crate::format::Extent;
use crate::format::slot::{Body, Slot};
use crate::format::word::{GEN24, State, Word};
use crate::mutants::planted;
use crate::resolve::{self, Live, Resolved};
use hashbrown::HashMap;
use std::collections::BTreeMap;

/// What becomes of a slot, otherwise than rule 1 says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    /// Its death counts although no sync covered it.
    Dead,
    /// This body counts.
    Body(usize),
}

/// Decisions that differ from rule 1, and totals, as long as the machine crash is not settled.
#[derive(Default)]
pub(super) struct Picture {
    choices: HashMap<u32, Choice>,
    /// Objects that count in a version no sync covered.
    pub(super) kept: u64,
    /// Objects that were there for the crashed process and count no more.
    pub(super) discarded: u64,
    /// The opener asked to keep.
    pub(super) is_keeping: bool,
}

/// Bytes that a version which counts lies on: start → (end, slot).
#[derive(Default)]
struct Claims(BTreeMap<u64, (u64, u32)>);

/// Stands for the catalog's segments among the owners of bytes.
const CATALOG: u32 = u32::MAX;

impl Claims {
    fn add(&mut self, e: Extent, owner: u32) {
        if !e.is_empty() {
            let end = self.0.get(&e.off).map_or(e.end(), |(end, _)| e.end().max(*end));
            self.0.insert(e.off, (end, owner));
        }
    }

    /// Whether somebody else has some of these bytes. What different owners have is disjoint.
    fn is_taken(&self, e: Extent, owner: u32) -> bool {
        let before = self.0.range(..e.end()).rev();
        !e.is_empty()
            && before.take_while(|(_, (end, _))| *end > e.off).any(|(_, (_, other))| *other != owner)
    }
}

impl Inner {
    /// Takes the picture at open, after a machine crash; a store in the same boot has none.
    pub(super) fn judge_crash(&mut self, keep: bool) {
        self.picture = Picture { is_keeping: keep, ..Picture::default() };
        let end = self.catalog.used_end().max(self.sb.slots_used);
        if keep {
            self.choose_unsynced(end);
        }
        let mut discarded = 0;
        self.catalog.scan(end, |idx, raw| {
            let was_live = Word::decode(raw, idx).is_some_and(|w| w.state == State::Live);
            if was_live && let Some(slot) = self.catalog.slot(idx) {
                discarded += u64::from(matches!(self.resolved(raw, &slot, idx), Resolved::Absent));
            }
            true
        });
        let kept = self.picture.choices.values().filter(|c| matches!(c, Choice::Body(_))).count() as u64;
        self.picture.kept = kept;
        self.picture.discarded = discarded;
    }

    /// What the picture says of a slot for which rule 1 says `plain`.
    pub(super) fn judged(&self, raw: u64, slot: &Slot, idx: u32, plain: Resolved) -> Resolved {
        match self.picture.choices.get(&idx) {
            None => plain,
            Some(Choice::Dead) => Resolved::Absent,
            Some(Choice::Body(which)) => {
                let word = Word::decode(raw, idx);
                match word.and_then(|w| resolve::valid(&w, slot, *which)) {
                    Some((head, body)) => Resolved::Live(Live { head, which: *which, body }),
                    None => plain,
                }
            }
        }
    }

    /// The crash is settled: every version in the file counts.
    pub(super) fn forget_picture(&mut self) {
        self.picture.choices = HashMap::new();
    }

    fn choose_unsynced(&mut self, end: u32) {
        let mut claims = Claims::default();
        for s in &self.catalog.segments {
            claims.add(Extent { off: s.off, nbytes: s.nbytes() }, CATALOG);
        }
        // (sequence, slot, body), and the deaths.
        let mut wanted: Vec<(u64, u32, usize, [Extent; 2])> = Vec::new();
        let mut choices = HashMap::new();
        self.catalog.scan(end, |idx, raw| {
            let Some(slot) = self.catalog.slot(idx) else { return true };
            let plain = resolve::resolve(raw, &slot, idx, self.trust());
            if let Resolved::Live(live) = &plain {
                // Also where a newer version is wanted: it may turn out not to be there.
                for e in resolve::extents(&live.body) {
                    claims.add(e, idx);
                }
            }
            match self.wanted(raw, &slot, idx) {
                Some(Choice::Dead) if matches!(plain, Resolved::Live(_)) => {
                    choices.insert(idx, Choice::Dead);
                }
                Some(Choice::Body(which)) => {
                    let (is_plain, covered) = match &plain {
                        Resolved::Live(l) => (l.which == which, Some(l.body.payload)),
                        _ => (false, None),
                    };
                    let body = slot.bodies[which].filter(|_| !is_plain);
                    // Elements that were moved are at their new place by no barrier yet; where they came from, they are.
                    let is_moved =
                        |b: &Body| covered.is_some_and(|e| e != b.payload) && !planted!(KeptWhereMoved);
                    if let Some(body) = body.filter(|b| !is_moved(b)) {
                        wanted.push((body.seq, idx, which, resolve::extents(&body)));
                    }
                }
                _ => {}
            }
            true
        });
        // Where two claim the same bytes, the later one was written over the earlier one.
        wanted.sort_unstable_by_key(|(seq, ..)| std::cmp::Reverse(*seq));
        for (_, idx, which, extents) in wanted {
            if planted!(KeptOverOthers) || !extents.iter().any(|e| claims.is_taken(*e, idx)) {
                for e in extents {
                    claims.add(e, idx);
                }
                choices.insert(idx, Choice::Body(which));
            }
        }
        self.picture.choices = choices;
        self.keep_families(end);
    }

    /// A version counts beside rule 1 only with all the parts it names, and a part's death only if nobody who counts names the part (rule 25).
    /// What was wanted of the others is given up, one after the other, until it is so.
    fn keep_families(&mut self, end: u32) {
        loop {
            let mut given_up = Vec::new();
            self.catalog.scan(end, |idx, _| {
                let Ok(Some(live)) = self.record(idx) else { return true };
                if live.body.aux.is_empty() {
                    return true;
                }
                let Ok(aux) = self.read_aux(&live) else { return true };
                let me = (idx, live.head.generation);
                for (child, _) in aux.children().filter(|child| !self.is_child(*child, me)) {
                    let dead = self.picture.choices.get(&child) == Some(&Choice::Dead);
                    given_up.push(if dead { child } else { idx });
                }
                true
            });
            let before = self.picture.choices.len();
            for idx in given_up {
                self.picture.choices.remove(&idx);
            }
            if self.picture.choices.len() == before {
                return;
            }
        }
    }

    /// What a slot would be if nothing else claimed its bytes; `None`: as rule 1 says.
    fn wanted(&self, raw: u64, slot: &Slot, idx: u32) -> Option<Choice> {
        let word = Word::decode(raw, idx)?;
        // A lease is on the disk before it is used, so the crashed process had no sequence beyond it.
        let lease = self.trust().lease;
        match word.state {
            State::Unused | State::Free => return None,
            State::Dead if slot.dead_seq <= self.synced_seq => return None,
            State::Dead if slot.dead_seq < lease && slot.raw_generation & GEN24 == word.gen24 => {
                return Some(Choice::Dead);
            }
            State::Dead | State::Live => {}
        }
        let is_whole = |which: usize| {
            resolve::valid(&word, slot, which).is_some_and(|(head, body)| {
                let live = Live { head, which, body };
                body.seq < lease
                    && resolve::extents(&body).iter().all(|e| e.is_inside(self.file_len))
                    && self.flaw(&live).is_none()
                    // The bytes of an older version's attributes at the same place check as well: the word's tag tells them apart.
                    && self.read_aux(&live).is_ok_and(|aux| {
                        planted!(KeptUnderOtherName) || self.check_tag(raw, &live, aux.naming.as_ref()).is_ok()
                    })
            })
        };
        let active = word.active;
        let fits = slot.bodies[active].is_some_and(|b| word.pair == b.seq as u8);
        if fits && is_whole(active) {
            Some(Choice::Body(active))
        } else {
            is_whole(1 - active).then_some(Choice::Body(1 - active))
        }
    }
}
