//! What a store must hold: every object that was acknowledged, by a number in its own bytes, with the versions and names that count.
//!
//! An object's bytes say what they should be (`bytes`), so each is checked whole wherever it is found. The model knows three questions:
//! what must be there now, what must be there after the death of the process (the same), and what must be there after a machine crash,
//! as which a store that a failed sync has poisoned is opened again: at least what a sync covered, nothing that was never made.
//! Elements are written in place: of an object that was written since the last sync, each sector may then be of another version.

use rfmalloc_core::{Result, Store};
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::rc::Rc;

/// What a disk writes in one piece.
const SECTOR: u64 = 512;

/// The content of version `version` of object `tag`: `nbytes` (a multiple of 4, at least 12).
pub(crate) fn bytes(tag: u32, version: u32, nbytes: u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(nbytes as usize);
    out.extend_from_slice(&tag.to_le_bytes());
    out.extend_from_slice(&version.to_le_bytes());
    let mut x = (u64::from(tag) << 32 | u64::from(version)) ^ 0x9e37_79b9_7f4a_7c15;
    while (out.len() as u64) < nbytes {
        x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        out.extend_from_slice(&((x >> 32) as u32).to_le_bytes());
    }
    out
}

/// What an object holds.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Content {
    Version(u32),
    /// Sectors of several versions, as found.
    Mixed(Rc<[u8]>),
}

impl Content {
    fn bytes(&self, tag: u32, nbytes: u64) -> Rc<[u8]> {
        match self {
            Self::Version(v) => bytes(tag, *v, nbytes).into(),
            Self::Mixed(b) => Rc::clone(b),
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub(crate) nbytes: u64,
    /// Those that may be found after a machine crash; the last is the current one.
    contents: Vec<Content>,
    /// The number of the last version written.
    version: u32,
    names: Vec<Option<String>>,
    /// A sync has covered it.
    durable: bool,
    alive: bool,
    /// An act whose outcome is open concerned it: there or not.
    open: bool,
}

/// How a store is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// As it is, or after the death of the process.
    Nothing,
    /// The death of a process that could not write all pages of its mapping: every record, but elements as after a machine crash.
    Loss,
    /// A machine crash, or a failed sync and a new open.
    Crash,
}

/// See the file's head.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    objects: BTreeMap<u32, Object>,
    /// The living by name.
    by_name: HashMap<String, u32>,
    next: u32,
}

impl Model {
    pub(crate) fn next_tag(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    /// The object that has this name now.
    pub(crate) fn named(&self, name: &str) -> Option<u32> {
        self.by_name.get(name).copied()
    }

    pub(crate) fn nbytes(&self, tag: u32) -> u64 {
        self.objects.get(&tag).map_or(0, |o| o.nbytes)
    }

    pub(crate) fn version(&self, tag: u32) -> u32 {
        self.objects.get(&tag).map_or(0, |o| o.version)
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.objects.values().filter(|o| o.alive).filter_map(|o| o.name().map(str::to_owned)).collect()
    }

    pub(crate) fn created(&mut self, tag: u32, nbytes: u64, name: Option<&str>, sure: bool) {
        if let Some(old) = name.and_then(|n| self.named(n)) {
            self.destroyed(old, sure, false);
        }
        let o = Object {
            nbytes,
            contents: vec![Content::Version(0)],
            version: 0,
            names: vec![name.map(str::to_owned)],
            durable: false,
            alive: true,
            open: !sure,
        };
        self.objects.insert(tag, o);
        if let Some(name) = name {
            self.by_name.insert(name.to_owned(), tag);
        }
    }

    pub(crate) fn wrote(&mut self, tag: u32, version: u32) {
        if let Some(o) = self.objects.get_mut(&tag) {
            o.contents.push(Content::Version(version));
            o.version = version;
        }
    }

    pub(crate) fn renamed(&mut self, tag: u32, name: Option<&str>, sure: bool) {
        if let Some(old) = name.and_then(|n| self.named(n)).filter(|old| *old != tag) {
            self.destroyed(old, sure, false);
        }
        if let Some(o) = self.objects.get_mut(&tag) {
            if let Some(old) = o.name() {
                self.by_name.remove(old);
            }
            o.names.push(name.map(str::to_owned));
            o.open |= !sure;
        }
        if let Some(name) = name {
            self.by_name.insert(name.to_owned(), tag);
        }
    }

    pub(crate) fn destroyed(&mut self, tag: u32, sure: bool, durably: bool) {
        let Some(o) = self.objects.get_mut(&tag) else { return };
        if !sure {
            o.open = true;
            return;
        }
        if let Some(name) = o.name() {
            self.by_name.remove(name);
        }
        if durably || !(o.durable || o.open) {
            self.objects.remove(&tag);
        } else {
            o.alive = false;
        }
    }

    /// A whole-file sync or a close succeeded.
    pub(crate) fn synced(&mut self) {
        self.objects.retain(|_, o| o.alive);
        for o in self.objects.values_mut() {
            o.hardened();
        }
    }

    pub(crate) fn hardened(&mut self, tag: u32) {
        if let Some(o) = self.objects.get_mut(&tag) {
            o.hardened();
        }
    }

    /// Compares the store with what must be there; empty: all is well.
    pub(crate) fn check(&self, store: &Store, after: After) -> Vec<String> {
        match scan(store) {
            Ok(found) => self.compare(&found, after),
            Err(e) => vec![format!("cannot be looked at: {e}")],
        }
    }

    fn compare(&self, found: &Found, after: After) -> Vec<String> {
        let mut wrong = found.wrong.clone();
        for (tag, Row { content, name, off }) in &found.objects {
            let Some(o) = self.objects.get(tag) else {
                wrong.push(format!("object {tag} ({name:?}) is there and must not be"));
                continue;
            };
            let loose = after == After::Crash || o.open;
            if !o.alive && !(loose && (o.durable || o.open)) {
                wrong.push(format!("object {tag} ({name:?}) was destroyed and is there"));
            }
            let fits = |fits_any: bool, fits_last: bool| if loose { fits_any } else { fits_last };
            let is_loose = loose || after == After::Loss;
            match content {
                _ if o.contents.last() == Some(content) => {}
                Content::Version(_) if is_loose && o.contents.contains(content) => {}
                Content::Version(v) => wrong.push(format!(
                    "object {tag} has version {v}, expected {}",
                    if is_loose { "an older one" } else { "the last" }
                )),
                Content::Mixed(b) => {
                    if let Some(at) = o.alien_sector(*tag, b, *off, is_loose) {
                        wrong.push(format!("object {tag} ({name:?}): alien bytes from byte {at} on"));
                    }
                }
            }
            if !fits(o.names.contains(name), o.names.last() == Some(name)) {
                wrong.push(format!("object {tag} is named {name:?}, expected {:?}", o.names));
            }
        }
        for (tag, o) in &self.objects {
            let must = o.alive && !o.open && (after == After::Nothing || o.durable);
            if must && !found.objects.contains_key(tag) {
                wrong.push(format!("object {tag} ({:?}) is lost", o.names));
            }
        }
        wrong
    }

    /// What is there from now on is what was found; to be called after a look that found nothing wrong.
    pub(crate) fn adopt(&mut self, store: &Store, after: After) -> Result<()> {
        let found = scan(store)?.objects;
        if after == After::Crash {
            self.objects.retain(|tag, _| found.contains_key(tag));
        }
        for (tag, o) in &mut self.objects {
            match found.get(tag) {
                Some(row) if after == After::Crash => {
                    (o.contents, o.names) = (vec![row.content.clone()], vec![row.name.clone()]);
                    (o.alive, o.open) = (true, false);
                }
                // Seen in the cache, which is not on the disk: a machine crash may still bring what was before.
                Some(row) => {
                    o.contents.push(row.content.clone());
                    o.names.push(row.name.clone());
                    (o.alive, o.open) = (true, false);
                }
                None if o.open => (o.alive, o.open, o.durable) = (false, false, true),
                None => {}
            }
        }
        // A replacement that was cut off leaves a name twice, until the next named change ends one of the two.
        let mut holders: HashMap<&str, u32> = HashMap::new();
        for o in self.objects.values().filter(|o| o.alive) {
            *holders.entry(o.name().unwrap_or_default()).or_default() += 1;
        }
        let twice: Vec<String> = holders
            .iter()
            .filter(|(name, n)| !name.is_empty() && **n > 1)
            .map(|(name, _)| (*name).to_owned())
            .collect();
        for o in self.objects.values_mut().filter(|o| o.name().is_some_and(|n| twice.iter().any(|t| t == n)))
        {
            o.open = true;
        }
        let named = |(tag, o): (&u32, &Object)| Some((o.name()?.to_owned(), *tag));
        self.by_name = self.objects.iter().filter(|(_, o)| o.alive).filter_map(named).collect();
        Ok(())
    }
}

impl Object {
    fn name(&self) -> Option<&str> {
        self.names.last()?.as_deref()
    }

    /// Where these bytes, the elements at `off` of the file, are of no version that may be there; sector by sector if `is_loose`.
    fn alien_sector(&self, tag: u32, b: &[u8], off: u64, is_loose: bool) -> Option<usize> {
        let from = if is_loose { 0 } else { self.contents.len() - 1 };
        let known: Vec<Rc<[u8]>> = self.contents[from..].iter().map(|c| c.bytes(tag, self.nbytes)).collect();
        let mut at = 0;
        while at < b.len() {
            let sector = (SECTOR - (off + at as u64) % SECTOR) as usize;
            let end = if is_loose { (at + sector).min(b.len()) } else { b.len() };
            if !known.iter().any(|k| k.get(at..end) == Some(&b[at..end])) {
                return Some(at);
            }
            at = end;
        }
        None
    }

    fn hardened(&mut self) {
        self.contents.drain(..self.contents.len() - 1);
        self.names.drain(..self.names.len() - 1);
        self.durable = true;
    }
}

#[derive(Default)]
struct Found {
    /// By tag.
    objects: BTreeMap<u32, Row>,
    wrong: Vec<String>,
}

struct Row {
    content: Content,
    name: Option<String>,
    /// Where its elements are in the file.
    off: u64,
}

/// Every committed object, its bytes read from the file.
fn scan(store: &Store) -> Result<Found> {
    let mut found = Found::default();
    let file = File::open(store.path()).map_err(|e| rfmalloc_core::Error::io("the lab cannot read", &e))?;
    for row in store.allocations()?.iter().filter(|r| r.state != "tombstone") {
        let mut b = vec![0; row.payload_nbytes as usize];
        if let Err(e) = file.read_exact_at(&mut b, row.payload_off) {
            found.wrong.push(format!("{row:?}: {e}"));
            continue;
        }
        if row.state != "committed" || b.len() < 12 {
            found.wrong.push(format!("an unknown record: {row:?}"));
            continue;
        }
        let word = |i: usize| u32::from_le_bytes([b[i], b[i + 1], b[i + 2], b[i + 3]]);
        let (tag, version) = (word(0), word(4));
        let is_whole = b == bytes(tag, version, row.payload_nbytes);
        let content = if is_whole { Content::Version(version) } else { Content::Mixed(b.into()) };
        let seen = Row { content, name: row.name.clone(), off: row.payload_off };
        if found.objects.insert(tag, seen).is_some() {
            found.wrong.push(format!("object {tag} is there twice"));
        }
    }
    Ok(found)
}
