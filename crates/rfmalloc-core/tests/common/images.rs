//! Crash images of scripted stores: the disk, its images and the observer are those of labs/crash; here is what was promised ([`Expect`]), name
//! by name and reference by reference, and how one image is held against it ([`check`]): opened as a machine that was rebooted would, through
//! recovery, new work and a second crash.

use super::{assert_code, booted, read, try_open};
use rfmalloc_core::{Code, Dtype, Store};
use rfmalloc_lab_crash::recorder;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

pub use rfmalloc_lab_crash::disk::{Disk, Pick};
pub use rfmalloc_lab_crash::random::Random;
pub use rfmalloc_lab_crash::recorder::Capture;

/// A thing the caller can ask for again.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    Name(String),
    /// Id and generation.
    Ref(u64, u64),
}

pub type Value = Option<Arc<[u8]>>;

/// What was promised: every value a subject had, by the number of the act that gave it, and which acts are beyond a power cut.
#[derive(Clone, Default)]
pub struct Expect {
    pub values: BTreeMap<Subject, Vec<(u32, Value)>>,
    floors: BTreeMap<Subject, u32>,
    /// The last act whose call has returned.
    now: u32,
    synced: u32,
    /// The machine's boot in which all this happened, if not the usual one.
    pub boot: Option<[u8; 16]>,
}

impl Expect {
    /// The act about to run will give the subject this value.
    pub fn will_be(&mut self, subject: Subject, value: Option<&[u8]>) {
        let history = self.values.entry(subject).or_insert_with(|| vec![(0, None)]);
        history.push((self.now + 1, value.map(Into::into)));
    }
    /// The act has returned.
    pub fn done(&mut self) {
        self.now += 1;
    }
    /// The act failed: nothing it would have done counts.
    pub fn undone(&mut self) {
        for history in self.values.values_mut() {
            history.retain(|(act, _)| *act <= self.now);
        }
    }
    pub fn now(&self) -> u32 {
        self.now
    }
    /// What the subject was last told to be.
    pub fn last(&self, subject: &Subject) -> Value {
        self.values[subject].last().and_then(|(_, v)| v.clone())
    }
    /// The subject may be gone at any time from now on.
    pub fn may_end(&mut self, subject: &Subject) {
        self.values.get_mut(subject).unwrap().push((u32::MAX, None));
    }
    /// The process died and this was seen after it: the act that was running had happened or it never will; but an object may still
    /// end, since a name taken twice is settled later.
    pub fn seen(&mut self, subject: &Subject, value: &Value) {
        let now = self.now;
        let Some(history) = self.values.get_mut(subject) else { return };
        if matches!(subject, Subject::Name(_)) {
            history.retain(|(act, v)| *act <= now || v == value);
        }
        for (act, v) in history {
            if *act > now && v != value {
                *act = u32::MAX;
            }
        }
    }
    /// All acts up to this one survive a power cut.
    pub fn synced(&mut self, act: u32) {
        self.synced = self.synced.max(act);
    }
    /// This subject survives as it is now.
    pub fn hardened(&mut self, subject: Subject) {
        self.floors.insert(subject, self.now);
    }
    fn allowed(&self, subject: &Subject, cut: bool) -> Vec<&Value> {
        let history = &self.values[subject];
        let floor =
            if cut { self.synced.max(self.floors.get(subject).copied().unwrap_or(0)) } else { self.now };
        let first = history.iter().rposition(|(act, _)| *act <= floor).unwrap_or(0);
        history[first..].iter().map(|(_, v)| v).collect()
    }
}

pub type Point = recorder::Point<Expect>;
pub type Recorder = recorder::Recorder<Expect>;

/// Writes one image.
pub fn write_image(disk: &Disk, path: &Path, pick: Pick) {
    disk.image(pick).write(path).unwrap();
}

fn look(store: &Store, subject: &Subject) -> Result<Value, String> {
    let found = match subject {
        Subject::Name(name) => store.open_name(name),
        Subject::Ref(id, generation) => match store.open_id(*id, *generation) {
            Err(e) if e.code() == Code::StaleRef => Ok(None),
            other => other.map(Some),
        },
    };
    match found.and_then(|h| h.map(|h| read(&h)).transpose()) {
        Ok(v) => Ok(v.map(Into::into)),
        Err(e) => Err(format!("{subject:?}: {e}")),
    }
}

pub fn look_at_all(store: &Store, expect: &Expect) -> Result<BTreeMap<Subject, Value>, String> {
    expect.values.keys().map(|s| Ok((s.clone(), look(store, s)?))).collect()
}

fn brief(v: &Value) -> String {
    match v {
        None => "absent".into(),
        Some(b) => format!("{} bytes {:?}…", b.len(), &b[..b.len().min(8)]),
    }
}

fn is_as_promised(found: &BTreeMap<Subject, Value>, expect: &Expect, cut: bool) -> Result<(), String> {
    for (subject, value) in found {
        let allowed = expect.allowed(subject, cut);
        if !allowed.contains(&value) {
            let allowed: Vec<String> = allowed.into_iter().map(brief).collect();
            return Err(format!("{subject:?} is {}, allowed: {allowed:?}", brief(value)));
        }
    }
    Ok(())
}

fn same(a: &BTreeMap<Subject, Value>, b: &BTreeMap<Subject, Value>, when: &str) -> Result<(), String> {
    for (subject, value) in a {
        let now = b.get(subject).unwrap_or(&None);
        if now != value {
            return Err(format!("{subject:?} changed {when}: {} became {}", brief(value), brief(now)));
        }
    }
    Ok(())
}

fn no_faults(store: &Store, when: &str) -> Result<(), String> {
    let faults = store.verify().map_err(|e| format!("verify {when}: {e}"))?.faults;
    if faults.is_empty() { Ok(()) } else { Err(format!("faults {when}: {faults:?}")) }
}

/// Opens an image at `path` (as a rebooted machine, or in the same boot) and checks it through recovery, new work, a sync, another
/// machine crash and a clean close. The words of the first contradiction.
pub fn check(path: &Path, expect: &Expect, cut: bool) -> Result<(), String> {
    let text = |e: rfmalloc_core::Error| e.to_string();
    let boot = expect.boot.unwrap_or(super::BOOT);
    let mut options = booted(if cut { [0xC; 16] } else { boot });
    options.create = false;
    let store = try_open(path, &options).map_err(|e| format!("does not open: {e}"))?;
    let mut first = look_at_all(&store, expect)?;
    is_as_promised(&first, expect, cut)?;
    for name in store.names().map_err(text)? {
        if !expect.values.contains_key(&Subject::Name(name.clone())) {
            return Err(format!("a name nobody gave: {name}"));
        }
    }
    // The first mutation decides for good; then everything free is written over.
    let mut fresh = Vec::new();
    for i in 0..24u32 {
        let n = [16u64, 100, 1500, 6000][i as usize % 4];
        let junk = vec![0xEE; n as usize];
        fresh.push(store.create(Dtype::Raw, n, &junk, None).map_err(|e| format!("first work: {e}"))?);
        if i == 0 {
            no_faults(&store, "after recovery")?;
            // A replacement that was cut in two is completed now; nothing else may change.
            let second = look_at_all(&store, expect)?;
            is_as_promised(&second, expect, cut)?;
            for (subject, value) in &second {
                let may_end = matches!(subject, Subject::Ref(..)) && value.is_none();
                if !may_end && first[subject] != *value {
                    return Err(format!("{subject:?} changed by recovery to {}", brief(value)));
                }
            }
            first = second;
        }
    }
    same(&first, &look_at_all(&store, expect)?, "by new objects")?;
    store.sync().map_err(text)?;
    let after = path.with_extension("again");
    std::fs::copy(path, &after).map_err(|e| e.to_string())?;
    for h in &fresh {
        if read(h).map_err(text)?.iter().any(|b| *b != 0xEE) {
            return Err("a new object was written over".into());
        }
    }
    no_faults(&store, "after sync")?;
    drop(fresh);
    store.close().map_err(text)?;
    // What was dropped stays dropped, whatever synced_seq passes.
    let mut options = booted([3; 16]);
    options.create = false;
    for (path, when) in [(after.as_path(), "by a second power cut"), (path, "by a clean close")] {
        let store = try_open(path, &options).map_err(|e| format!("does not open again: {e}"))?;
        same(&first, &look_at_all(&store, expect)?, when)?;
        store.create(Dtype::Raw, 1, &[1], Some("mutation")).map_err(|e| format!("work {when}: {e}"))?;
        same(&first, &look_at_all(&store, expect)?, when)?;
        no_faults(&store, when)?;
        store.close().map_err(text)?;
    }
    Ok(())
}

/// Checks `mixes` random images of every point and both extremes as power cuts, and the page cache as a process death.
#[track_caller]
pub fn check_points(points: &[Point], mixes: u64) {
    let dir = super::folder();
    let mut images = 0;
    for (i, point) in points.iter().enumerate() {
        let mut picks = vec![(Pick::New, false), (Pick::New, true), (Pick::Old, true)];
        if point.disk.undecided() > 0 {
            picks.extend((0..mixes).map(|k| (Pick::Mix(i as u64 * 7919 + k), true)));
        }
        for (pick, cut) in picks {
            let path = dir.path().join("image.fm");
            write_image(&point.disk, &path, pick);
            if let Err(why) = check(&path, &point.told, cut) {
                let end = if cut { "power cut" } else { "process death" };
                panic!("{end}, point {i} of {} ({}), {pick:?}: {why}", points.len(), point.label);
            }
            images += 1;
        }
    }
    assert!(images > 0);
}

/// Whether some image of these points breaks the promises: for proving that the checker sees what it should.
pub fn first_failure(points: &[Point], mixes: u64) -> Option<String> {
    let dir = super::folder();
    for (i, point) in points.iter().enumerate() {
        let mixed = (0..mixes).map(|k| Pick::Mix(i as u64 * 7919 + k));
        for pick in [Pick::New, Pick::Old].into_iter().chain(mixed) {
            let path = dir.path().join("image.fm");
            write_image(&point.disk, &path, pick);
            if let Err(why) = check(&path, &point.told, true) {
                return Some(why);
            }
        }
    }
    None
}

/// For tests that expect a stale reference.
#[track_caller]
pub fn assert_stale(store: &Store, id: u64, generation: u64) {
    assert_code(store.open_id(id, generation).map(|_| ()), Code::StaleRef);
}
