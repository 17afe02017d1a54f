//! What was promised: of every object each stage it went through, of every name when it was taken and free, of the elements each version;
//! and which of all that is beyond a power cut. [`Model::judge`] holds a picture against it.
//!
//! An act is announced before it runs and acknowledged when it returns; whatever crash falls between, both are allowed. After a power cut
//! an object may be at any stage since its last durable one, each object for itself. Names need one rule more: where every stage of a
//! name's history since the last durable one was taken, the name is not free.

use crate::disk::SECTOR;
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
pub struct Object {
    stages: Vec<Stage>,
    floor: usize,
    contents: Vec<(u32, Bytes)>,
    content_floor: usize,
    /// The act that sealed it, and whether that is beyond a power cut by itself.
    sealed: Option<u32>,
    seal_is_hard: bool,
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
    /// A barrier failed and the process let go; the same boot, but the cache is not to be believed.
    Poison,
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
        let from = if end == End::Kill { upto(now) } else { self.floor.max(upto(synced)) };
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
                may_die: false,
                off,
            },
        );
        Ok(())
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
        self.will_be(r, Is::Absent);
        self.burying = Some(r);
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
        if let Some(o) = self.objects.get_mut(&r) {
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

    /// Whether a name stands twice.
    pub fn is_unsettled(&self) -> bool {
        self.found.iter().any(|(name, winner)| {
            self.objects.iter().any(|(r, o)| r != winner && live_name(o.last()) == Some(name))
        })
    }
}

fn has_none_since(taken: &[(u32, bool)], from: usize) -> bool {
    taken[from.min(taken.len())..].iter().any(|t| !t.1)
}

fn since(taken: &[(u32, bool)], act: u32) -> usize {
    taken.iter().rposition(|t| t.0 <= act).unwrap_or(0)
}

/// Every sector of the file that the elements touch is of one of these versions.
fn is_mixture(seen: &[u8], off: u64, allowed: &[(u32, Bytes)]) -> bool {
    if allowed.last().is_some_and(|c| *c.1 == *seen) {
        return true;
    }
    let mut at = 0;
    while at < seen.len() {
        let end = (at + SECTOR - (off as usize + at) % SECTOR).min(seen.len());
        if !allowed.iter().any(|c| c.1.len() == seen.len() && c.1[at..end] == seen[at..end]) {
            return false;
        }
        at = end;
    }
    allowed.iter().any(|c| c.1.len() == seen.len())
}

/// Judging.
impl Model {
    /// Whether a store that stopped like this may look so; the words of the first contradiction.
    ///
    /// # Errors
    /// What contradicts the promises.
    pub fn judge(&self, picture: &Picture, end: End) -> Result<(), String> {
        for (r, o) in &self.objects {
            self.judge_object(*r, o, picture, end)?;
        }
        let mut births = 0;
        for (r, seen) in picture.objects.iter().filter(|(r, _)| !self.objects.contains_key(r)) {
            let fits = self.unborn.as_ref().is_some_and(|u| u.name == seen.name && *u.bytes == *seen.bytes);
            births += 1;
            if !fits || births > 1 || self.generations.contains(&r.1) {
                return Err(format!("{r:?} ({:?}, {}) is nobody's object", seen.name, brief(&seen.bytes)));
            }
        }
        for (name, r) in &picture.names {
            self.judge_holder(name, *r, picture, end)?;
        }
        for (name, history) in self.names.iter().filter(|(n, _)| !picture.names.contains_key(*n)) {
            let from = if end == End::Kill {
                since(&history.taken, self.now)
            } else {
                let hardened = history.hardened.filter(|h| self.burying != Some(h.1));
                since(&history.taken, self.synced).max(hardened.map_or(0, |h| h.0))
            };
            if !has_none_since(&history.taken, from) {
                return Err(format!(
                    "the name {name:?} is free, and was taken all the time since it was durable"
                ));
            }
        }
        Ok(())
    }

    fn judge_object(&self, r: Ref, o: &Object, picture: &Picture, end: End) -> Result<(), String> {
        let allowed = o.allowed(end, self.now, self.synced);
        let Some(seen) = picture.objects.get(&r) else {
            return if allowed.iter().any(|s| s.is == Is::Absent) {
                Ok(())
            } else {
                Err(format!("{r:?} is gone; allowed: {}", stages(allowed)))
            };
        };
        let fits = |is: &Is| match is {
            Is::Live { name, .. } if *name == seen.name => true,
            // Someone else has the name now: the loser of rule 15.
            Is::Live { name: Some(name), .. } => {
                seen.name.is_none() && picture.names.get(name).is_some_and(|other| *other != r)
            }
            _ => false,
        };
        if !allowed.iter().any(|s| fits(&s.is)) {
            return Err(format!("{r:?} is there with name {:?}; allowed: {}", seen.name, stages(allowed)));
        }
        let mut contents = o.contents_allowed(end, self.now, self.synced);
        let upto = if end == End::Kill { self.now } else { self.synced };
        match (seen.sealed, o.sealed) {
            (true, None) => return Err(format!("{r:?} is sealed, and nobody sealed it")),
            (false, Some(act)) if act <= upto || (o.seal_is_hard && end != End::Kill) => {
                return Err(format!("{r:?} is not sealed any more"));
            }
            // What is sealed has the elements that it was sealed with.
            (true, Some(_)) => contents = &contents[contents.len() - 1..],
            _ => {}
        }
        if !is_mixture(&seen.bytes, seen.off, contents) {
            let versions: Vec<String> = contents.iter().map(|c| brief(&c.1)).collect();
            return Err(format!("{r:?} has the elements {}; allowed: {versions:?}", brief(&seen.bytes)));
        }
        Ok(())
    }

    /// Of several that carry a name, the one whose naming was last is found.
    fn judge_holder(&self, name: &Name, r: Ref, picture: &Picture, end: End) -> Result<(), String> {
        if picture.objects.get(&r).is_none_or(|s| s.name.as_ref() != Some(name)) {
            return Err(format!("under {name:?} {r:?} is found, which has no such name"));
        }
        // The first and the last naming that this may be.
        let naming = |r: &Ref| -> Option<(u32, u32)> {
            let Some(o) = self.objects.get(r) else { return Some((self.next(), self.next())) };
            let allowed = o.allowed(end, self.now, self.synced).iter();
            let namings = allowed.filter(|s| live_name(&s.is) == Some(name)).map(|s| s.naming);
            namings.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
        };
        let mine = naming(&r).map(|n| n.1);
        for (other, seen) in &picture.objects {
            if *other != r && seen.name.as_ref() == Some(name) && naming(other).map(|n| n.0) > mine {
                return Err(format!("under {name:?} {r:?} is found, but {other:?} took the name later"));
            }
        }
        Ok(())
    }

    /// The picture is how things stand now. After a power cut nothing else can come back.
    ///
    /// # Errors
    /// A generation that was issued before.
    pub fn adopt(&mut self, picture: &Picture, end: End) -> Result<(), String> {
        let (now, synced) = (self.now, self.synced);
        let act = now + 1;
        let unborn = self.unborn.take();
        self.burying = None;
        let cut = end == End::Cut;
        if cut {
            self.objects.retain(|r, _| picture.objects.contains_key(r));
        }
        for (r, o) in &mut self.objects {
            let seen = picture.objects.get(r);
            let window = o.allowed(end, now, synced);
            let name = seen.map(|s| &s.name);
            let matching = |s: &&Stage| match (&s.is, name) {
                (Is::Absent, None) => true,
                (Is::Live { name, .. }, Some(seen)) => name == seen,
                _ => false,
            };
            let may_die = o.may_die || window.iter().any(|s| s.is == Is::Absent && s.act > 0);
            let found = window.iter().rfind(matching).cloned();
            // The naming keeps its place among the namings.
            let first = window.iter().filter(matching).map(|s| s.naming.0).min().unwrap_or(act);
            let naming = (first, found.as_ref().map_or(act, |s| s.naming.1));
            let is = match (&found, seen) {
                (Some(s), _) => s.is.clone(),
                (None, None) => Is::Absent,
                (None, Some(s)) => Is::Live { name: s.name.clone(), replaces: None },
            };
            o.may_die = may_die && seen.is_some();
            if let Some(seen) = seen {
                o.sealed = if seen.sealed { o.sealed.filter(|a| *a <= now).or(Some(act)) } else { None };
                o.seal_is_hard &= seen.sealed;
            }
            if end == End::Kill {
                o.stages.retain(|s| s.act <= now);
                o.contents.retain(|c| c.0 <= now);
            }
            if cut {
                (o.stages, o.floor, o.contents, o.content_floor) =
                    (vec![Stage { act, naming, is }], 0, Vec::new(), 0);
            } else if *o.last() != is {
                o.stages.push(Stage { act, naming, is });
            }
            if let Some(seen) = seen {
                o.off = seen.off;
                if o.contents.last().is_none_or(|c| *c.1 != *seen.bytes) {
                    o.contents.push((act, Arc::clone(&seen.bytes)));
                }
            }
        }
        for (r, seen) in &picture.objects {
            if !self.objects.contains_key(r)
                && let Some(u) = &unborn
            {
                self.insert(*r, seen.off, act, u.clone())?;
                if cut && let Some(o) = self.objects.get_mut(r) {
                    o.stages.remove(0);
                }
            }
        }
        if cut {
            self.names.clear();
        }
        for name in picture.names.keys() {
            self.names.entry(Arc::clone(name)).or_default();
        }
        for (name, history) in &mut self.names {
            let is_taken = picture.names.contains_key(name);
            if end == End::Kill {
                history.taken.retain(|t| t.0 <= now);
            }
            if history.taken.is_empty() && !cut {
                history.taken.push((0, false));
            }
            if history.taken.last().is_none_or(|t| t.1 != is_taken) {
                history.taken.push((act, is_taken));
            }
        }
        self.found.clear();
        for (name, r) in &picture.names {
            if picture.objects.iter().any(|(other, s)| other != r && s.name.as_ref() == Some(name)) {
                self.found.insert(Arc::clone(name), *r);
            }
        }
        self.now = act;
        if cut {
            self.synced = act;
        }
        Ok(())
    }

    /// The act failed and changed nothing.
    pub fn undone(&mut self) {
        let now = self.now;
        self.unborn = None;
        self.burying = None;
        for o in self.objects.values_mut() {
            o.stages.retain(|s| s.act <= now);
            o.contents.retain(|c| c.0 <= now);
            o.sealed = o.sealed.filter(|act| *act <= now);
        }
        for history in self.names.values_mut() {
            history.taken.retain(|t| t.0 <= now);
        }
    }
}

/// The first bytes, for messages.
pub fn brief(bytes: &[u8]) -> String {
    format!("{} bytes {:02x?}…", bytes.len(), &bytes[..bytes.len().min(8)])
}

fn stages(list: &[Stage]) -> String {
    let words: Vec<String> = list
        .iter()
        .map(|s| match &s.is {
            Is::Absent => format!("{}: absent", s.act),
            Is::Live { name, .. } => format!("{}: {name:?}", s.act),
        })
        .collect();
    format!("[{}]", words.join(", "))
}

/// Each model's part of a picture: its objects and names, and the birth that it announced.
fn parts(models: &[Model], picture: &Picture) -> Result<Vec<Picture>, String> {
    if models.len() == 1 {
        return Ok(vec![picture.clone()]);
    }
    let mut parts = vec![Picture::default(); models.len()];
    for (r, seen) in &picture.objects {
        let owner = models.iter().position(|m| m.objects.contains_key(r)).or_else(|| {
            models
                .iter()
                .position(|m| m.unborn.as_ref().is_some_and(|u| u.name == seen.name && u.bytes == seen.bytes))
        });
        let owner = owner
            .ok_or_else(|| format!("{r:?} ({:?}, {}) is nobody's object", seen.name, brief(&seen.bytes)))?;
        parts[owner].objects.insert(*r, seen.clone());
    }
    for (name, r) in &picture.names {
        if let Some(owner) = parts.iter_mut().find(|p| p.objects.contains_key(r)) {
            owner.names.insert(Arc::clone(name), *r);
        }
    }
    Ok(parts)
}

/// [`Model::judge`] of several openers, who share neither objects nor names.
///
/// # Errors
/// As there.
pub fn judge_all(models: &[Model], picture: &Picture, end: End) -> Result<(), String> {
    let parts = parts(models, picture)?;
    models.iter().zip(&parts).try_for_each(|(m, part)| m.judge(part, end))
}

/// [`Model::adopt`] of several openers.
///
/// # Errors
/// As there.
pub fn adopt_all(models: &mut [Model], picture: &Picture, end: End) -> Result<(), String> {
    let parts = parts(models, picture)?;
    models.iter_mut().zip(&parts).try_for_each(|(m, part)| m.adopt(part, end))
}
