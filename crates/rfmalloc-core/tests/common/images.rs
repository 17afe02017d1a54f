//! Crash images: what a machine crash or a process death may leave of a store's file, and whether that is acceptable.
//!
//! The model of the disk: a file of 4 KiB pages and a length. Of each page any version since its last barrier may be the one on disk,
//! independently of all others; likewise the length. [`Recorder`] watches the seam and keeps those versions; at every event that could
//! matter it sets down a [`Point`]: the disk as it might be, and what the caller had been promised by then ([`Expect`]). [`check`]
//! builds one image of a point, opens it as a machine that was rebooted would, and holds it against the promises.

use super::{assert_code, booted, read, try_open};
use rfmalloc_core::{Code, Dtype, Event, Observer, Store};
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Mutex};

const PAGE: usize = 4096;
/// The pages of the two copies.
const SUPERBLOCKS: [u64; 2] = [0, 4];
type Page = Arc<[u8]>;

/// A file with everything of it that may be on disk, oldest first.
#[derive(Clone)]
pub struct Disk {
    pages: BTreeMap<u64, Vec<Page>>,
    lens: Vec<u64>,
}

/// Which versions an image takes.
#[derive(Clone, Copy, Debug)]
pub enum Pick {
    /// Nothing since the last barriers.
    Old,
    /// Everything: the page cache. With the same boot, a process death.
    New,
    /// Any mixture, by seed.
    Mix(u64),
}

/// `SplitMix64` (Steele, Lea, Flood).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ z >> 31
    }
    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }
}

impl Disk {
    /// The file as it stands, all of it durable.
    pub fn of(path: &Path) -> Self {
        let mut disk = Self { pages: BTreeMap::new(), lens: vec![std::fs::metadata(path).unwrap().len()] };
        disk.capture(&File::open(path).unwrap());
        disk.settle();
        disk
    }

    /// Notes every page that differs from its newest version.
    fn capture(&mut self, file: &File) {
        let len = file.metadata().unwrap().len();
        if self.lens.last() != Some(&len) {
            self.lens.push(len);
        }
        let mut bytes = vec![0u8; len as usize];
        file.read_exact_at(&mut bytes, 0).unwrap();
        for (i, page) in bytes.chunks(PAGE).enumerate() {
            match self.pages.get_mut(&(i as u64)) {
                Some(v) if v.last().is_some_and(|p| **p == *page) => {}
                Some(v) => v.push(page.into()),
                None if page.iter().all(|b| *b == 0) => {}
                // A page never seen before reads as zero on disk, unless this is the first look at all.
                None => {
                    let zero: Page = vec![0; PAGE].into();
                    self.pages.insert(i as u64, vec![zero, page.into()]);
                }
            }
        }
        // What was cut off reads as zero if the file grows again.
        let end = len / PAGE as u64;
        for (_, v) in self.pages.range_mut(end..) {
            if v.last().is_some_and(|p| p.iter().any(|b| *b != 0)) {
                v.push(vec![0; PAGE].into());
            }
        }
    }

    fn settle(&mut self) {
        for v in self.pages.values_mut() {
            v.drain(..v.len() - 1);
        }
        self.lens.drain(..self.lens.len() - 1);
    }

    /// Writes one image.
    pub fn write(&self, path: &Path, pick: Pick) {
        let mut random = Random(if let Pick::Mix(seed) = pick { seed } else { 0 });
        let mut choose = |n: usize| match pick {
            Pick::Old => 0,
            Pick::New => n - 1,
            // Mostly the ends: a crash rarely finds the middle of many changes, and the ends contradict each other most.
            Pick::Mix(_) => match random.below(4) {
                0 => random.below(n as u64) as usize,
                1 => 0,
                _ => [0, n - 1][random.below(2) as usize],
            },
        };
        let len = self.lens[choose(self.lens.len())];
        let file = File::create(path).unwrap();
        file.set_len(len).unwrap();
        for (i, versions) in &self.pages {
            let which = choose(versions.len());
            let mut page = versions[which].to_vec();
            // A superblock may tear between two versions.
            if SUPERBLOCKS.contains(i) && which > 0 && matches!(pick, Pick::Mix(seed) if seed % 3 == 0) {
                page[256..].copy_from_slice(&versions[which - 1][256..]);
            }
            if (i + 1) * PAGE as u64 <= len {
                file.write_all_at(&page, i * PAGE as u64).unwrap();
            }
        }
    }

    /// How many pages have more than one version.
    pub fn undecided(&self) -> usize {
        self.pages.values().filter(|v| v.len() > 1).count()
    }
}

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

/// A moment at which the process or the machine may stop.
#[derive(Clone)]
pub struct Point {
    pub disk: Disk,
    pub expect: Expect,
    /// Which event came next.
    pub label: String,
}

#[derive(Default)]
struct State {
    file: Option<File>,
    disk: Option<Disk>,
    points: Vec<Point>,
    every_store: bool,
    paused: bool,
}

type Hook = Box<dyn FnOnce() + Send>;

/// The observer that keeps page versions and sets down points.
#[derive(Default)]
pub struct Recorder {
    state: Mutex<State>,
    pub expect: Mutex<Expect>,
    hook: Mutex<Option<Hook>>,
    stash: Mutex<HashMap<std::thread::ThreadId, Vec<Disk>>>,
}

impl Recorder {
    /// Watches the file at `path`; `disk`: what is known of it from before, else it is taken to be durable.
    pub fn new(path: &Path, disk: Option<Disk>) -> Arc<Self> {
        let recorder = Self::default();
        {
            let mut s = recorder.state.lock().unwrap();
            s.file = Some(File::open(path).unwrap());
            let mut known = disk.unwrap_or_else(|| Disk::of(path));
            known.capture(s.file.as_ref().unwrap());
            s.disk = Some(known);
        }
        Arc::new(recorder)
    }

    /// A point after every single store too, not only where a barrier follows: for process deaths.
    pub fn every_store(&self) {
        self.state.lock().unwrap().every_store = true;
    }

    /// Between the two, versions are not kept (a long preparation), only the last one.
    pub fn pause(&self, paused: bool) {
        self.state.lock().unwrap().paused = paused;
        self.point("resumed");
    }

    /// Runs inside the next whole-file sync, after its start and before its end.
    pub fn during_sync(&self, hook: Hook) {
        *self.hook.lock().unwrap() = Some(hook);
    }

    /// Sets down a point.
    pub fn point(&self, label: &str) {
        let expect = self.expect.lock().unwrap().clone();
        let mut s = self.state.lock().unwrap();
        if s.paused {
            return;
        }
        let State { file, disk, points, .. } = &mut *s;
        let (Some(file), Some(disk)) = (file, disk) else { return };
        disk.capture(file);
        points.push(Point { disk: disk.clone(), expect, label: label.to_owned() });
    }

    pub fn take_points(&self) -> Vec<Point> {
        std::mem::take(&mut self.state.lock().unwrap().points)
    }

    /// The disk as it might be now.
    pub fn disk(&self) -> Disk {
        let mut s = self.state.lock().unwrap();
        let State { file, disk, .. } = &mut *s;
        let disk = disk.as_mut().unwrap();
        disk.capture(file.as_ref().unwrap());
        disk.clone()
    }

    fn start_barrier(&self) {
        let now = self.disk();
        self.stash.lock().unwrap().entry(std::thread::current().id()).or_default().push(now);
    }

    /// Of the pages concerned, what was there when the barrier started is the oldest version left.
    fn end_barrier(&self, range: std::ops::Range<u64>) {
        let started = self.stash.lock().unwrap().get_mut(&std::thread::current().id()).and_then(Vec::pop);
        let Some(started) = started else { return };
        let mut s = self.state.lock().unwrap();
        let Some(disk) = &mut s.disk else { return };
        let pages = range.start / PAGE as u64..range.end.div_ceil(PAGE as u64);
        for (i, versions) in disk.pages.range_mut(pages) {
            let then = started.pages.get(i).and_then(|v| v.last());
            if let Some(at) = then.and_then(|p| versions.iter().position(|v| Arc::ptr_eq(v, p))) {
                versions.drain(..at);
            }
        }
        // A barrier on bytes beyond the old end makes the new length durable with them.
        if range.end > disk.lens[0]
            && let Some(at) = started.lens.last().and_then(|l| disk.lens.iter().rposition(|x| x == l))
        {
            disk.lens.drain(..at);
        }
    }
}

impl Observer for Recorder {
    fn before(&self, event: Event) -> io::Result<()> {
        match event {
            Event::Barrier { .. } | Event::SyncAll => {
                self.point(&format!("before {event:?}"));
                self.start_barrier();
                if event == Event::SyncAll {
                    let hook = self.hook.lock().unwrap().take();
                    if let Some(hook) = hook {
                        hook();
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn after(&self, event: Event) {
        match event {
            Event::Barrier { off, nbytes } => self.end_barrier(off..off + nbytes),
            Event::SyncAll => self.end_barrier(0..u64::MAX - PAGE as u64),
            _ => {
                let (paused, every) = {
                    let s = self.state.lock().unwrap();
                    (s.paused, s.every_store)
                };
                if every {
                    self.point(&format!("after {event:?}"));
                } else if !paused {
                    drop(self.disk());
                }
            }
        }
    }
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
            point.disk.write(&path, pick);
            if let Err(why) = check(&path, &point.expect, cut) {
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
            point.disk.write(&path, pick);
            if let Err(why) = check(&path, &point.expect, true) {
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
