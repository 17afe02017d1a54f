//! Compares a store after a death with its model. Every byte is read twice: through the API and straight from the file.

use crate::child::{boot_id, dtype, name_text};
use crate::model::{Flying, Model, Object, State, born};
use crate::rng::content;
use rfmalloc_core::{Code, OpenOptions, RecordRow, Result, Store};
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

pub(crate) fn options(boot: u64, read_only: bool) -> OpenOptions {
    OpenOptions {
        boot_id: Some(boot_id(boot)),
        sync_every: None,
        read_only,
        create: !read_only,
        ..OpenOptions::default()
    }
}

/// Each byte is that of one of the versions.
fn mixed_of(now: &[u8], versions: &[&[u8]]) -> bool {
    versions.contains(&now)
        || versions.iter().all(|v| v.len() == now.len())
            && (0..now.len()).all(|i| versions.iter().any(|v| v[i] == now[i]))
}

/// The thread of an object that no thread goes on with.
const NOBODY: u64 = u64::MAX;
/// The id of an object that was born in flight and has no name to be found by.
pub(crate) const UNKNOWN: u64 = u64::MAX;

struct Seen {
    row: RecordRow,
    name: u64,
    bytes: Vec<u8>,
}

fn rows(path: &Path, store: &Store, problems: &mut Vec<String>) -> BTreeMap<u64, Seen> {
    let mut seen = BTreeMap::new();
    let (file, rows) = match (File::open(path), store.allocations()) {
        (Ok(file), Ok(rows)) => (file, rows),
        (f, r) => {
            problems.push(format!("cannot read: {:?} {:?}", f.err(), r.err()));
            return seen;
        }
    };
    for row in rows {
        if row.state == "unknown" {
            problems.push(format!("damaged: {row:?}"));
        }
        if row.state != "committed" {
            continue;
        }
        let mut bytes = vec![0; row.payload_nbytes as usize];
        if let Err(e) = file.read_exact_at(&mut bytes, row.payload_off) {
            problems.push(format!("{row:?}: {e}"));
        }
        let name = row.name.as_deref().map_or(0, |n| n[1..].parse().unwrap_or(u64::MAX));
        let generation = u64::from(row.generation);
        if seen.insert(generation, Seen { row, name, bytes }).is_some() {
            problems.push(format!("generation {generation} is there twice"));
        }
    }
    seen
}

/// What the API says of a row: found by name (unless another has the name) and by reference, with the same bytes.
fn by_api(store: &Store, id: Option<u64>, generation: u64, seen: &Seen, by_name: bool) -> Option<String> {
    let named = name_text(seen.name).filter(|_| by_name).map(|n| store.open_name(&n));
    let referred = id.filter(|id| *id != UNKNOWN).map(|id| store.open_id(id, generation).map(Some));
    for found in named.into_iter().chain(referred) {
        match found {
            Ok(Some(handle)) => {
                let facts = handle.facts();
                if facts.generation != generation || facts.len != seen.row.len {
                    return Some(format!("generation {generation} is found as {facts:?}"));
                }
                let Ok(pin) = handle.pin(0, facts.nbytes) else { return Some("no pin".into()) };
                let mut out = vec![0u8; facts.nbytes as usize];
                // SAFETY: the pin keeps the bytes mapped; nobody else has the store.
                unsafe { std::ptr::copy_nonoverlapping(pin.ptr(), out.as_mut_ptr(), out.len()) }
                if out != seen.bytes {
                    return Some(format!(
                        "generation {generation}: the API reads other bytes than the file holds"
                    ));
                }
            }
            Ok(None) => {
                return Some(format!("generation {generation}: not found by its name n{}", seen.name));
            }
            Err(e) => return Some(format!("generation {generation}: {e}")),
        }
    }
    None
}

/// Opens the file as `boot` and checks it. `crashed`: older states count too. The model is brought to what is there, except when `crashed`.
pub(crate) fn check(
    path: &Path,
    model: &mut Model,
    flying: &Flying,
    boot: u64,
    read_only: bool,
    crashed: bool,
) -> Vec<String> {
    let mut problems = Vec::new();
    let store = match Store::open(path, &options(boot, read_only)) {
        Ok(opened) => opened.store,
        Err(e) => return vec![format!("cannot be opened: {e}")],
    };
    match store.verify() {
        Ok(report) if report.faults.is_empty() => {}
        Ok(report) => problems.push(format!("verify: {:?}", report.faults)),
        Err(e) => problems.push(format!("verify: {e}")),
    }
    let seen = rows(path, &store, &mut problems);
    let mut holders: HashMap<u64, u64> = HashMap::new();
    for s in seen.values().filter(|s| s.name != 0) {
        *holders.entry(s.name).or_default() += 1;
    }
    let mut births = Births::new(&store, model, flying, &seen);
    for (generation, s) in &seen {
        let single = holders.get(&s.name).is_none_or(|n| *n == 1);
        let id = model.objects.get(generation).map(|o| o.id);
        if id.is_none() && !births.found.contains_key(generation) {
            problems.push(format!("unaccounted or half there: {:?}", s.row));
        }
        problems.extend(by_api(&store, id, *generation, s, single));
    }
    let mut decided = Vec::new();
    for (generation, o) in &model.objects {
        let state = seen.get(generation).map_or(State::Absent, |s| State::Live(s.name));
        let what = format!("generation {generation} (thread {}, {:?} [{}])", o.thread, dtype(o.dtype), o.len);
        problems.extend(judge(&what, *generation, o, state, flying, &births, &seen, crashed));
        if let Some(s) = seen.get(generation) {
            let mut versions: Vec<&[u8]> =
                if crashed { o.bytes.iter().map(|(_, b)| b.as_slice()).collect() } else { vec![o.current()] };
            versions.extend(flying.patch.get(generation).map(Vec::as_slice));
            if s.row.dtype != dtype(o.dtype).name() || s.row.len != o.len {
                problems.push(format!("{what} has become {:?}", s.row));
            } else if !o.loser && !mixed_of(&s.bytes, &versions) {
                problems.push(format!("{what} holds other bytes"));
            }
        }
        decided.push((*generation, state));
    }
    for (id, generation) in model.dead.iter().filter(|(id, _)| *id != UNKNOWN) {
        match store.open_id(*id, *generation) {
            Err(e) if e.code() == Code::StaleRef => {}
            r => problems.push(format!(
                "the reference of generation {generation}, which is dead: {:?}",
                r.map(|h| h.facts())
            )),
        }
    }
    if !crashed {
        adopt(model, flying, &decided, &mut births, &seen);
    }
    if let Err(e) = store.close() {
        problems.push(format!("close: {e}"));
    }
    if !read_only && !crashed {
        // The close has covered what the death left.
        model.settle();
    }
    problems
}

/// Whether an object may be found like this.
#[expect(clippy::too_many_arguments, reason = "one question with its evidence")]
fn judge(
    what: &str,
    generation: u64,
    o: &Object,
    state: State,
    flying: &Flying,
    births: &Births,
    seen: &BTreeMap<u64, Seen>,
    crashed: bool,
) -> Option<String> {
    if o.loser && (state == State::Absent || crashed) {
        return None;
    }
    let old = if crashed { o.states.iter().any(|(_, s)| *s == state) } else { o.state() == state };
    if old {
        return None;
    }
    if state == State::Absent {
        // An object that dies of another's birth or naming: only if that has succeeded.
        if let Some(successor) = births.replaces.get(&generation) {
            return successor.is_none().then(|| format!("a replacement in flight lost both: {what}"));
        }
        if let Some((thief, name)) = flying.thefts.get(&generation) {
            let has = seen.get(thief).is_some_and(|s| s.name == *name);
            return (!has).then(|| format!("a theft in flight lost both: {what}"));
        }
    }
    if flying.next.get(&generation) == Some(&state) {
        return None;
    }
    Some(format!("{what} is {state:?}; it may be {:?}", o.states))
}

/// Objects in flight that are there, whole.
struct Births {
    found: HashMap<u64, Object>,
    /// Who was to be replaced → the successor, if it is there.
    replaces: HashMap<u64, Option<u64>>,
}

impl Births {
    fn new(store: &Store, model: &Model, flying: &Flying, seen: &BTreeMap<u64, Seen>) -> Self {
        let mut births = Self { found: HashMap::new(), replaces: HashMap::new() };
        for (thread, act) in &flying.births {
            let mut object = born(*thread, act, model.base);
            let found = seen.iter().find(|(generation, s)| {
                !model.objects.contains_key(generation)
                    && !births.found.contains_key(generation)
                    && s.name == act.name
                    && s.row.len == act.len
                    && s.row.dtype == dtype(act.dtype).name()
                    && s.bytes == object.current()
            });
            if act.old != 0 {
                births.replaces.insert(act.old, found.map(|(g, _)| *g));
            }
            if let Some((generation, s)) = found {
                object.id = name_text(act.name)
                    .and_then(|n| store.open_name(&n).ok().flatten())
                    .map_or(UNKNOWN, |handle| handle.facts().id);
                object.states = vec![(0, State::Absent), (model.base, State::Live(s.name))];
                births.found.insert(*generation, object);
            }
        }
        births
    }
}

fn adopt(
    model: &mut Model,
    flying: &Flying,
    decided: &[(u64, State)],
    births: &mut Births,
    seen: &BTreeMap<u64, Seen>,
) {
    let order = model.base;
    model.base += 1;
    for (generation, state) in decided {
        let Some(o) = model.objects.get_mut(generation) else { continue };
        // Also a loser that the store has destroyed meanwhile: until a sync covers it, a machine crash may undo that.
        if o.state() != *state {
            o.states.push((order, *state));
        }
        if let (Some(s), Some(_)) = (seen.get(generation), flying.patch.get(generation)) {
            o.bytes.push((order, s.bytes.clone()));
        }
        let replaced = births.replaces.get(generation).copied().flatten();
        let robbed = flying
            .thefts
            .get(generation)
            .is_some_and(|(thief, name)| seen.get(thief).is_some_and(|s| s.name == *name));
        if *state != State::Absent && (replaced.is_some() || robbed) {
            o.loser = true;
        }
    }
    for (generation, object) in births.found.drain() {
        model.highest = model.highest.max(generation);
        model.objects.insert(generation, object);
    }
    model.bury();
}

/// After a machine crash on the file itself, which has been checked: recovery changes nothing of what was seen, and is final. The model is
/// what is there then.
pub(crate) fn recover(path: &Path, model: &mut Model, boot: u64) -> Vec<String> {
    let mut problems = Vec::new();
    if let Err(e) = try_recover(path, model, boot, &mut problems) {
        problems.push(format!("recovery: {e}"));
    }
    model.bury();
    problems
}

fn try_recover(path: &Path, model: &mut Model, boot: u64, problems: &mut Vec<String>) -> Result<()> {
    let store = Store::open(path, &options(boot, true))?.store;
    let before = rows(path, &store, problems);
    store.close()?;

    let store = Store::open(path, &options(boot, false))?.store;
    // The first named change settles names that the crash has left twice.
    let handle = store.create(dtype(4), 3, &[1, 2, 3], Some("n1"))?;
    let generation = handle.facts().generation;
    if generation <= model.highest {
        problems.push(format!("generation {generation} recurs after the crash"));
    }
    store.destroy(&handle, true)?;
    drop(handle);
    store.close()?;

    let store = Store::open(path, &options(boot, true))?.store;
    let report = store.verify()?;
    if !report.faults.is_empty() {
        problems.push(format!("verify after recovery: {:?}", report.faults));
    }
    let after = rows(path, &store, problems);
    store.close()?;

    let holders = |name: u64| before.values().filter(|s| s.name == name).count();
    for (generation, was) in &before {
        match after.get(generation) {
            Some(is) if is.name == was.name && is.bytes == was.bytes => {}
            // One of several of that name: destroyed, or without it.
            None if was.name != 0 && holders(was.name) > 1 => {}
            Some(is) if is.name == 0 && is.bytes == was.bytes && holders(was.name) > 1 => {}
            is => problems.push(format!("recovery has changed {:?} to {:?}", was.row, is.map(|s| &s.row))),
        }
    }
    for generation in after.keys().filter(|g| !before.contains_key(g)) {
        problems.push(format!("recovery has revived generation {generation}"));
    }
    for (generation, o) in &mut model.objects {
        o.states = vec![(0, after.get(generation).map_or(State::Absent, |s| State::Live(s.name)))];
        o.bytes = after.get(generation).map(|s| (0, s.bytes.clone())).into_iter().collect();
        o.loser = false;
    }
    // Born in flight: the check has found them whole. No thread goes on with them.
    for (generation, s) in after {
        model.objects.entry(generation).or_insert_with(|| Object {
            thread: NOBODY,
            id: UNKNOWN,
            dtype: (0..5).find(|code| dtype(*code).name() == s.row.dtype).unwrap_or(0),
            len: s.row.len,
            states: vec![(0, State::Live(s.name))],
            bytes: vec![(0, s.bytes)],
            loser: false,
        });
    }
    model.highest = model.highest.max(generation).max(model.objects.keys().copied().max().unwrap_or(0));
    Ok(())
}

/// Small objects that nobody changes, a little fewer than the first catalog segment holds: what the threads make goes on in the second.
pub(crate) fn ballast(path: &Path, model: &mut Model, boot: u64) -> Result<()> {
    let store = Store::open(path, &options(boot, false))?.store;
    for seed in 1..=490u64 {
        let bytes = content(seed, seed % 70);
        let handle = store.create(dtype(4), seed % 70, &bytes, name_text(seed + 1).as_deref())?;
        let facts = handle.facts();
        model.highest = facts.generation;
        model.objects.insert(
            facts.generation,
            Object {
                thread: NOBODY,
                id: facts.id,
                dtype: 4,
                len: seed % 70,
                states: vec![(0, State::Live(seed + 1))],
                bytes: vec![(0, bytes)],
                loser: false,
            },
        );
    }
    store.close()
}

/// Whether creation has come to its end: a file without a superblock is none, or one that the next opener makes a store of.
pub(crate) fn is_store(path: &Path) -> bool {
    let mut magic = [0u8; 9];
    File::open(path).and_then(|f| f.read_exact_at(&mut magic, 0)).is_ok() && magic[1..] == *b"rfmalloc"
}

/// A creation that was killed leaves nothing beside the store.
pub(crate) fn litter(folder: &Path) -> Option<String> {
    let names: Vec<_> = std::fs::read_dir(folder).ok()?.flatten().map(|e| e.file_name()).collect();
    names.iter().any(|n| n != "store.fm").then(|| format!("beside the store there is {names:?}"))
}
