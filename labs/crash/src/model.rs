//! What was promised: of every object each stage it went through, of every name when it was taken and free, of the elements each version;
//! and which of all that is beyond a power cut. [`Model::judge`] holds a picture against it.
//!
//! An act is announced before it runs and acknowledged when it returns; whatever crash falls between, both are allowed. After a power cut
//! an object may be at any stage since its last durable one, each object for itself. Names need one rule more: where every stage of a
//! name's history since the last durable one was taken, the name is not free.

mod judge;

pub use judge::{adopt_all, judge_all};

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Id and generation.
pub type Ref = (u64, u64);
/// A name.
pub type Name = Arc<str>;
/// Element bytes.
pub type Bytes = Arc<[u8]>;

/// A state of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Is {
    /// Not yet, or no more.
    Absent,
    /// There.
    Live {
        /// Its name.
        name: Option<Name>,
        /// The object that its naming took the name from.
        replaces: Option<Ref>,
    },
}

#[derive(Clone, Debug)]
struct Stage {
    act: u32,
    /// The act that gave the name: where a name stands twice, the later one counts. After a crash it may be one of several: the first and
    /// the last that fit.
    naming: (u32, u32),
    is: Is,
}

/// One object and all that was ever promised of it.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts about one object, each documented")]
pub struct Object {
    stages: Vec<Stage>,
    floor: usize,
    contents: Vec<(u32, Bytes)>,
    content_floor: usize,
    /// The act that sealed it, and whether that is beyond a power cut by itself.
    sealed: Option<u32>,
    seal_is_hard: bool,
    /// It was kept, sealed, though no barrier covered that: its elements need not be those of the checksums.
    seal_is_unverified: bool,
    /// Destroyed at once when no barrier had ever covered it: beyond a power cut it is gone, but whoever keeps may find it.
    ended_unsynced: bool,
    /// The name in a version that a killed process wrote and no word ever spoke of: whoever keeps may find it.
    abandoned: Vec<Option<Name>>,
    seal_was_abandoned: bool,
    /// Its death was undone by a crash, so settling a name may complete it.
    may_die: bool,
    /// Where its elements lie in the file: sectors are the file's.
    off: u64,
}

/// A creation that has not returned: its reference is not known yet.
#[derive(Clone, Debug)]
struct Unborn {
    name: Option<Name>,
    bytes: Bytes,
    replaces: Option<Ref>,
}

#[derive(Clone, Debug, Default)]
struct NameHistory {
    /// Whether it was taken, by act.
    taken: Vec<(u32, bool)>,
    /// Durable from this entry on, as long as this object keeps the name.
    hardened: Option<(usize, Ref)>,
}

/// How the store came to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The process died; the page cache lives.
    Kill,
    /// The machine died.
    Cut,
    /// The machine died, and whoever opens next keeps what no sync covered (rule 23).
    Kept,
    /// The same after a failed barrier.
    KeptPoison,
    /// A barrier failed and the process let go; the same boot, but the cache is not to be believed.
    Poison,
}

impl End {
    /// What no barrier covered may be of any version.
    pub fn is_power_cut(self) -> bool {
        matches!(self, Self::Cut | Self::Kept)
    }

    /// Whoever opens next keeps what no sync covered.
    pub fn keeps(self) -> bool {
        matches!(self, Self::Kept | Self::KeptPoison)
    }
}

/// An object as found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its own name.
    pub name: Option<Name>,
    /// Its elements.
    pub bytes: Bytes,
    /// Whether they are immutable.
    pub sealed: bool,
    /// Where they lie.
    pub off: u64,
}

/// A picture of a store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Picture {
    /// Every record.
    pub objects: BTreeMap<Ref, Seen>,
    /// Who is found under each name.
    pub names: BTreeMap<Name, Ref>,
}

impl Picture {
    /// Whether two objects have one name.
    pub fn has_name_twice(&self) -> bool {
        let mut names = BTreeSet::new();
        self.objects.values().filter_map(|s| s.name.as_ref()).any(|n| !names.insert(n))
    }
}

/// The promises of one opener.
#[derive(Clone, Debug, Default)]
pub struct Model {
    objects: BTreeMap<Ref, Object>,
    names: BTreeMap<Name, NameHistory>,
    generations: BTreeSet<u64>,
    unborn: Option<Unborn>,
    /// Who was found under a name that stands twice.
    found: BTreeMap<Name, Ref>,
    /// Whose end, durable by itself, is under way.
    burying: Option<Ref>,
    /// Acts that have returned.
    now: u32,
    /// Acts that survive a power cut.
    synced: u32,
}

impl Object {
    fn last(&self) -> &Is {
        &self.stages[self.stages.len() - 1].is
    }

    fn allowed(&self, end: End, now: u32, synced: u32) -> &[Stage] {
        let upto = |act: u32| self.stages.iter().rposition(|s| s.act <= act).unwrap_or(0);
        let from = match end {
            End::Kill => upto(now),
            _ if end.keeps() && self.ended_unsynced => upto(synced),
            _ => self.floor.max(upto(synced)),
        };
        &self.stages[from..]
    }

    fn contents_allowed(&self, end: End, now: u32, synced: u32) -> &[(u32, Bytes)] {
        let upto = |act: u32| self.contents.iter().rposition(|c| c.0 <= act).unwrap_or(0);
        let from = if end == End::Kill { upto(now) } else { self.content_floor.max(upto(synced)) };
        &self.contents[from..]
    }
}

fn live_name(is: &Is) -> Option<&Name> {
    if let Is::Live { name, .. } = is { name.as_ref() } else { None }
}

/// Announcing and acknowledging.
impl Model {
    /// Acts that have returned.
    pub fn now(&self) -> u32 {
        self.now
    }

    fn next(&self) -> u32 {
        self.now + 1
    }

    /// The object will be this.
    pub fn will_be(&mut self, r: Ref, is: Is) {
        let act = self.next();
        let Some(o) = self.objects.get_mut(&r) else { return };
        let (old, new) = (live_name(o.last()).cloned(), live_name(&is).cloned());
        o.stages.push(Stage { act, naming: (act, act), is });
        if old == new {
            return;
        }
        if let Some(old) = old
            && !self.objects.values().any(|o| live_name(o.last()) == Some(&old))
        {
            self.name_will_be(&old, false);
        }
        if let Some(new) = new {
            self.name_will_be(&new, true);
        }
    }

    fn name_will_be(&mut self, name: &Name, taken: bool) {
        let act = self.next();
        let history = self.names.entry(Arc::clone(name)).or_default();
        if history.taken.is_empty() {
            history.taken.push((0, false));
        }
        history.taken.push((act, taken));
    }

    /// A new object will be there, taking its name from the one it replaces.
    pub fn will_create(&mut self, name: Option<&Name>, bytes: Bytes, replaces: Option<Ref>) {
        self.unborn = Some(Unborn { name: name.cloned(), bytes, replaces });
        if let Some(old) = replaces {
            // The name passes over: it is never free.
            let act = self.next();
            if let Some(o) = self.objects.get_mut(&old) {
                o.stages.push(Stage { act, naming: (act, act), is: Is::Absent });
            }
        } else if let Some(name) = name {
            self.name_will_be(name, true);
        }
    }

    /// The creation has returned with this reference.
    pub fn born(&mut self, r: Ref, off: u64) -> Result<(), String> {
        let act = self.next();
        let unborn = self.unborn.take().ok_or("a birth that nobody announced")?;
        self.insert(r, off, act, unborn)
    }

    fn insert(&mut self, r: Ref, off: u64, act: u32, unborn: Unborn) -> Result<(), String> {
        if !self.generations.insert(r.1) {
            return Err(format!("generation {} was issued before", r.1));
        }
        let live = Is::Live { name: unborn.name, replaces: unborn.replaces };
        let stages = vec![
            Stage { act: 0, naming: (0, 0), is: Is::Absent },
            Stage { act, naming: (act, act), is: live },
        ];
        let contents = vec![(act, unborn.bytes)];
        self.objects.insert(
            r,
            Object {
                stages,
                floor: 0,
                contents,
                content_floor: 0,
                sealed: None,
                seal_is_hard: false,
                seal_is_unverified: false,
                ended_unsynced: false,
                abandoned: Vec::new(),
                seal_was_abandoned: false,
                may_die: false,
                off,
            },
        );
        Ok(())
    }

    /// A creation that never returned is here: an object like others, which may also be absent.
    pub fn note_birth(&mut self, picture: &Picture) -> Result<(), String> {
        let act = self.next();
        let Some(unborn) = self.unborn.take() else { return Ok(()) };
        match picture.objects.iter().find(|(r, _)| !self.objects.contains_key(*r)) {
            Some((r, seen)) => self.insert(*r, seen.off, act, unborn),
            None => Ok(()),
        }
    }

    /// The object will take a name from the one that has it (`replaces`), or lose its own.
    pub fn will_rename(&mut self, r: Ref, name: Option<&Name>, replaces: Option<Ref>) {
        if let Some(old) = replaces {
            let act = self.next();
            if let Some(o) = self.objects.get_mut(&old) {
                o.stages.push(Stage { act, naming: (act, act), is: Is::Absent });
            }
        }
        self.will_be(r, Is::Live { name: name.cloned(), replaces });
    }

    /// The object's elements will be these.
    pub fn will_write(&mut self, r: Ref, bytes: Bytes) {
        let act = self.next();
        if let Some(o) = self.objects.get_mut(&r) {
            o.contents.push((act, bytes));
        }
    }

    /// The object's elements will be immutable.
    pub fn will_seal(&mut self, r: Ref) {
        let act = self.next();
        if let Some(o) = self.objects.get_mut(&r) {
            o.sealed = o.sealed.or(Some(act));
        }
    }

    /// Whether the object is, or is about to be, sealed.
    pub fn is_sealed(&self, r: Ref) -> bool {
        self.objects.get(&r).is_some_and(|o| o.sealed.is_some())
    }

    /// A named change will first settle names that stand twice (rule 15); true: there are such.
    pub fn will_settle(&mut self) -> bool {
        let mut losers = Vec::new();
        for (name, winner) in &self.found {
            for (r, o) in &self.objects {
                if r != winner && live_name(o.last()) == Some(name) {
                    losers.push(*r);
                }
            }
        }
        let act = self.next();
        for r in &losers {
            let Some(o) = self.objects.get_mut(r) else { continue };
            o.stages.push(Stage { act, naming: (act, act), is: Is::Live { name: None, replaces: None } });
            // Only what was destroyed once, and came back, may be destroyed by this.
            if o.may_die {
                o.stages.push(Stage { act, naming: (act, act), is: Is::Absent });
            }
        }
        !losers.is_empty()
    }

    /// The object will be gone beyond a power cut, and with it whatever name was durable through it: also one that somebody has taken over
    /// who is not durable yet.
    pub fn will_bury(&mut self, r: Ref) {
        // As it was: settling may have taken it by now.
        let before =
            |o: &Object| o.stages.iter().rfind(|s| s.act <= self.now).and_then(|s| live_name(&s.is).cloned());
        let name = self.objects.get(&r).and_then(before);
        self.will_be(r, Is::Absent);
        self.burying = Some(r);
        if let Some(name) = name
            && self.objects.values().any(|o| live_name(o.last()) == Some(&name))
        {
            self.name_will_be(&name, false);
            self.name_will_be(&name, true);
        }
    }

    /// The act has returned.
    pub fn done(&mut self) {
        self.burying = None;
        self.now += 1;
    }

    /// All acts up to this one survive a power cut.
    pub fn synced(&mut self, act: u32) {
        self.synced = self.synced.max(act);
    }

    /// How many versions of the elements there are: what a barrier that starts now will make durable.
    pub fn versions(&self, r: Ref) -> usize {
        self.objects.get(&r).map_or(0, |o| o.contents.len())
    }

    /// This object, as it is now, survives a power cut, with the elements it had when the barrier started.
    pub fn hardened(&mut self, r: Ref, versions: usize) {
        let Some(o) = self.objects.get_mut(&r) else { return };
        o.floor = o.stages.len() - 1;
        o.content_floor = o.content_floor.max(versions.saturating_sub(1));
        o.seal_is_hard = o.sealed.is_some();
        let name = live_name(o.last()).cloned();
        for (n, history) in &mut self.names {
            if history.hardened.is_some_and(|h| h.1 == r) && Some(n) != name.as_ref() {
                history.hardened = None;
            }
        }
        if let Some(name) = name
            && self.holder(&name) == Some(r)
            && let Some(history) = self.names.get_mut(&name)
        {
            history.hardened = Some((history.taken.len() - 1, r));
        }
    }

    /// This object's end survives a power cut.
    pub fn buried(&mut self, r: Ref) {
        let synced = self.synced;
        if let Some(o) = self.objects.get_mut(&r) {
            o.ended_unsynced = o.allowed(End::Cut, self.now, synced)[0].is == Is::Absent;
            o.floor = o.stages.len() - 1;
        }
        for history in self.names.values_mut() {
            if history.hardened.is_some_and(|h| h.1 == r) {
                history.hardened = None;
            }
        }
    }
}

/// Asking.
impl Model {
    /// Who has the name, if all acknowledged acts count.
    pub fn holder(&self, name: &Name) -> Option<Ref> {
        if let Some(r) = self.found.get(name) {
            return Some(*r);
        }
        self.objects.iter().find(|(_, o)| live_name(o.last()) == Some(name)).map(|(r, _)| *r)
    }

    /// Objects that are there, with their names.
    pub fn live(&self) -> Vec<(Ref, Option<Name>)> {
        let is_live = |o: &&Object| *o.last() != Is::Absent;
        let mut list: Vec<_> = self
            .objects
            .iter()
            .filter(|(_, o)| is_live(o))
            .map(|(r, o)| (*r, live_name(o.last()).cloned()))
            .collect();
        list.sort_unstable();
        list
    }

    /// The object's elements.
    pub fn bytes(&self, r: Ref) -> Option<Bytes> {
        self.objects.get(&r).and_then(|o| o.contents.last()).map(|c| Arc::clone(&c.1))
    }

    /// The object with this generation.
    pub fn by_generation(&self, generation: u64) -> Option<Ref> {
        self.objects.keys().find(|r| r.1 == generation).copied()
    }

    /// Whether a record with this id was kept with a seal that no barrier covered.
    pub fn has_unverified_seal(&self, id: u64) -> bool {
        self.objects.iter().any(|(r, o)| r.0 == id && o.seal_is_unverified)
    }

    /// Whether a name stands twice.
    pub fn is_unsettled(&self) -> bool {
        self.found.iter().any(|(name, winner)| {
            self.objects.iter().any(|(r, o)| r != winner && live_name(o.last()) == Some(name))
        })
    }
}

/// The first bytes, for messages.
pub fn brief(bytes: &[u8]) -> String {
    format!("{} bytes {:02x?}…", bytes.len(), &bytes[..bytes.len().min(8)])
}
