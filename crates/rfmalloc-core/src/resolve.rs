//! *Keep and resolve*: which version of a record counts. One function, used by get, open, map derivation, verify and recovery.
//!
//! Holds: rules 1, 2 and 4 of the crash protocol (`docs/FORMAT.md`, "Crash protocol"). May touch: decoded words and slots only.

use crate::format::slot::{Body, Head, Slot};
use crate::format::word::{State, Word};
use crate::format::{Extent, word};
use crate::mutants::planted;

/// What may be believed of the file as it stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trust {
    /// No machine crash lies between the last writer and now (same boot, or a clean close): every version in the file counts.
    pub(crate) same_boot: bool,
    pub(crate) synced_seq: u64,
    /// No writer ever had a sequence from here on: a body or a death that has one is forged or damaged.
    pub(crate) lease: u64,
    /// The file's real length in bytes.
    pub(crate) file_len: u64,
}

/// What a slot holds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Resolved {
    Absent,
    /// An object: its head, the index of the body that counts, and that body.
    Live(Live),
    /// The bytes contradict themselves; the words say how.
    Damaged(&'static str),
}

/// A record that counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Live {
    pub(crate) head: Head,
    pub(crate) which: usize,
    pub(crate) body: Body,
}

/// Rule 1. `idx` is the slot's index.
pub(crate) fn resolve(raw: u64, slot: &Slot, idx: u32, trust: Trust) -> Resolved {
    let Some(word) = Word::decode(raw, idx) else {
        return Resolved::Damaged("state word: wrong check bits");
    };
    match word.state {
        State::Unused | State::Free => return Resolved::Absent,
        State::Dead if trust.same_boot && slot.dead_seq >= trust.lease => {
            return Resolved::Damaged("death: a sequence that no writer had");
        }
        State::Dead if trust.same_boot || slot.dead_seq <= trust.synced_seq => return Resolved::Absent,
        State::Dead | State::Live => {}
    }
    let keep = |i: usize| keep(&word, slot, i, trust);
    let a = word.active;
    if let Some((head, body)) = keep(a)
        && (word.pair == body.seq as u8 || planted!(PairUnchecked))
    {
        return Resolved::Live(Live { head, which: a, body });
    }
    if trust.same_boot {
        return Resolved::Damaged(match (slot.head, slot.bodies[a]) {
            (None, _) => "record head: wrong checksum",
            (_, None) => "record body: wrong checksum",
            (Some(h), _) if h.generation & word::GEN24 != word.gen24 => {
                "record and state word differ in generation"
            }
            (_, Some(b)) if word.pair != b.seq as u8 => "record and state word differ in version",
            (_, Some(b)) if b.seq >= trust.lease => "record body: a sequence that no writer had",
            _ => "record points outside the file",
        });
    }
    match keep(1 - a).filter(|_| !planted!(NoFallback)) {
        Some((head, body)) => Resolved::Live(Live { head, which: 1 - a, body }),
        // D is stored only after the body's barrier: a durable body that does not check is damage, not a lost page. Unless the slot has
        // gone to the next object already, and this is the word of the dead one (hole 10).
        None if word.durable[a]
            && slot.bodies[a].is_none()
            && slot.raw_generation & word::GEN24 == word.gen24 =>
        {
            Resolved::Damaged("durable record: wrong checksum")
        }
        None => Resolved::Absent,
    }
}

/// Rule 1, keep(i): checksum (which binds id and generation), generation as in the word, extents within the real file, and version
/// trusted, durable or synced.
fn keep(word: &Word, slot: &Slot, i: usize, trust: Trust) -> Option<(Head, Body)> {
    let (head, body) = valid(word, slot, i)?;
    (extents(&body).iter().all(|e| e.is_inside(trust.file_len))
        && body.seq < trust.lease
        && (trust.same_boot || word.durable[i] || body.seq <= trust.synced_seq))
        .then_some((head, body))
}

/// Body `i` is whole and belongs to the object the word speaks of.
pub(crate) fn valid(word: &Word, slot: &Slot, i: usize) -> Option<(Head, Body)> {
    let head =
        slot.head.filter(|h| h.generation & word::GEN24 == word.gen24 || planted!(GenerationUnchecked))?;
    Some((head, slot.bodies[i]?))
}

/// Rule 2, durable(i). The D bits of `word` must have had their barrier.
pub(crate) fn is_durable(word: &Word, slot: &Slot, i: usize, synced_seq: u64) -> bool {
    valid(word, slot, i).is_some_and(|(_, b)| word.durable[i] || b.seq <= synced_seq)
}

/// Rule 2, maybe(i): `horizon` = `max(synced_seq`, N of the sync in flight).
pub(crate) fn is_maybe_durable(word: &Word, slot: &Slot, i: usize, horizon: u64) -> bool {
    is_durable(word, slot, i, horizon)
}

/// The extents of a body.
pub(crate) fn extents(body: &Body) -> [Extent; 2] {
    [body.payload, body.aux]
}

/// The extents of `from` that `to` does not have.
pub(crate) fn only_in(from: &Body, to: &Body) -> impl Iterator<Item = Extent> + use<> {
    let kept = extents(to);
    extents(from).into_iter().filter(move |e| !e.is_empty() && !kept.contains(e))
}

/// How the map sees one slot (rule 4): bytes in use, and bytes that come free with a stamp.
#[derive(Default, Debug)]
pub(crate) struct Occupied {
    pub(crate) used: Vec<Extent>,
    pub(crate) retired: Option<(Vec<Extent>, u64)>,
    pub(crate) damaged: Option<&'static str>,
    /// The record's own key and that of its owner, where it has one.
    pub(crate) owned: Option<(crate::format::aux::Key, crate::format::aux::Key)>,
}

/// Rule 4, after recovery (every version in the file counts).
pub(crate) fn occupied(raw: u64, slot: &Slot, idx: u32, trust: Trust, out: &mut Occupied) {
    out.used.clear();
    out.retired = None;
    out.damaged = None;
    out.owned = None;
    let Some(w) = Word::decode(raw, idx) else {
        out.damaged = Some("state word: wrong check bits");
        return;
    };
    let durable = |i| is_durable(&w, slot, i, trust.synced_seq);
    match w.state {
        State::Unused | State::Free => {}
        State::Live => match resolve(raw, slot, idx, Trust { same_boot: true, ..trust }) {
            Resolved::Live(Live { head, which, body }) => {
                out.owned = head.owner();
                out.used.extend(extents(&body).into_iter().filter(|e| !e.is_empty()));
                if !durable(which)
                    && durable(1 - which)
                    && !planted!(FallbackNotInMap)
                    && let Some(other) = slot.bodies[1 - which]
                {
                    out.retired = Some((only_in(&other, &body).collect(), body.seq));
                }
            }
            Resolved::Damaged(what) => out.damaged = Some(what),
            Resolved::Absent => {}
        },
        State::Dead if slot.dead_seq <= trust.synced_seq || planted!(UndoableDeathsNotInMap) => {}
        State::Dead if slot.dead_seq >= trust.lease => {
            out.damaged = Some("death: a sequence that no writer had");
        }
        State::Dead => {
            let durable = |i| durable(i) || planted!(UndoableDeathsWithBothBodies);
            let which = if durable(w.active) {
                Some(w.active)
            } else {
                durable(1 - w.active).then_some(1 - w.active)
            };
            if let Some((_, body)) = which.and_then(|i| valid(&w, slot, i)) {
                let held = extents(&body).into_iter().filter(|e| !e.is_empty()).collect();
                out.retired = Some((held, slot.dead_seq));
            }
        }
    }
    if let Some((list, _)) = &out.retired
        && list.iter().chain(&out.used).any(|e| !e.is_inside(trust.file_len))
    {
        out.damaged = Some("record points outside the file");
        out.used.clear();
        out.retired = None;
    }
}
