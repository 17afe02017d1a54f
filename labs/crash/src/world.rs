//! A store under observation, and the lives of the processes that open it: opened, worked on, killed, cut off, closed, opened again.

use crate::check::Checker;
use crate::disk::Pick;
use crate::lean::Lean;
use crate::look::{booted, look, no_faults, no_faults_but_a_torn_superblock, same, text};
use crate::model::{Bytes, End, Model, Ref, adopt_all, judge_all};
use crate::random::Random;
use crate::recorder::{Capture, Point, Recorder};
use rfmalloc_core::{Code, Error, Handle, OpenOptions, Pin, Store};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use tempfile::TempDir;

/// A folder in memory where the system has such a place.
///
/// # Panics
/// There is no place for temporary files.
pub fn folder() -> TempDir {
    let memory = std::path::Path::new("/dev/shm");
    if memory.is_dir()
        && let Ok(dir) = tempfile::tempdir_in(memory)
    {
        return dir;
    }
    tempfile::tempdir().expect("a folder for temporary files")
}

/// What somebody holds, and the bytes it must go on showing.
pub(crate) struct Held {
    pub(crate) r: Ref,
    /// A buffer given out over it, or the handle of another thread.
    pub(crate) _hold: Hold,
    /// Where its bytes are in memory.
    pub(crate) at: *const u8,
    pub(crate) bytes: Bytes,
}

pub(crate) enum Hold {
    Pin { _pin: Pin },
    Handle { _handle: Handle },
}

impl Held {
    fn is_intact(&self) -> bool {
        let mut now = vec![0u8; self.bytes.len()];
        // SAFETY: `hold` keeps the bytes where they are, mapped and unused by anyone else; that it does is what is tested, and the store's
        // whole range stays mapped until it is closed, before which every hold is dropped.
        unsafe { std::ptr::copy_nonoverlapping(self.at, now.as_mut_ptr(), now.len()) }
        *now == *self.bytes
    }
}

/// See the module.
#[expect(clippy::struct_excessive_bools, reason = "independent facts about one life, each documented")]
pub struct World {
    pub(crate) dir: TempDir,
    life: u32,
    path: PathBuf,
    store: Option<Arc<Store>>,
    /// The observer of the present life.
    pub rec: Arc<Recorder>,
    pub(crate) random: Random,
    /// The machine's boot.
    pub boot: u8,
    pub(crate) held: Vec<Held>,
    pub(crate) temporaries: Vec<(Handle, Bytes)>,
    pub(crate) poisoned: bool,
    pub(crate) forks: Vec<(Point, u8)>,
    pub(crate) limit: u64,
    /// What is done more than other things.
    pub lean: Lean,
    /// Every act is durable when it returns.
    pub(crate) full: bool,
    /// The opener of this life keeps what no sync covered.
    keeps: bool,
    /// A crash was not settled when the present act began: whoever opens an image of it may decide otherwise, so none is opened to keep.
    unsettled: bool,
    pub(crate) stamp: u64,
    /// What fills the first catalog segment of a prepared store.
    pub(crate) fillers: BTreeSet<Ref>,
    capture: Capture,
    /// Points of a close, for whoever looks at all of them himself.
    kept: Vec<Point>,
    checker: Checker,
    /// What happened, for people; `None`: not written down.
    pub trace: Option<Vec<String>>,
}

impl World {
    /// A new, empty, durable store that may grow to `limit` bytes.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn new(seed: u64, limit: u64, capture: Capture, trace: bool) -> Result<Self, String> {
        let dir = folder();
        let path = dir.path().join("life-0.fm");
        let mut world = Self {
            checker: Checker::new(dir.path()),
            life: 0,
            store: None,
            rec: Recorder::new(None, vec![Model::default()], seed),
            random: Random(seed),
            boot: 1,
            held: Vec::new(),
            temporaries: Vec::new(),
            poisoned: false,
            forks: Vec::new(),
            limit,
            full: false,
            keeps: false,
            unsettled: false,
            lean: Lean::General,
            stamp: seed << 20,
            fillers: BTreeSet::new(),
            capture,
            kept: Vec::new(),
            trace: trace.then(Vec::new),
            dir,
            path,
        };
        let options = OpenOptions { create: true, ..world.options() };
        let store = Store::open(&world.path, &options).map_err(|e| e.to_string())?.store;
        store.close().map_err(text)?;
        world.rec = Recorder::new(None, vec![Model::default()], seed);
        world.open()?;
        Ok(world)
    }

    fn options(&self) -> OpenOptions {
        OpenOptions {
            observer: Some(self.rec.clone()),
            max_size: Some(self.limit),
            full: self.full,
            keep_unsynced: self.keeps,
            ..booted(self.boot)
        }
    }

    fn open(&mut self) -> Result<(), String> {
        if self.trace.is_some() {
            self.rec.trace();
        }
        self.full = !matches!(self.capture, Capture::Never) && self.random.one_in(6);
        let opened = Store::open(&self.path, &self.options()).map_err(|e| format!("does not open: {e}"))?;
        self.store = Some(Arc::new(opened.store));
        self.rec.capture(self.capture);
        self.note_settled()
    }

    /// The open store.
    ///
    /// # Panics
    /// Between two lives.
    pub fn store(&self) -> Arc<Store> {
        Arc::clone(self.store.as_ref().expect("a store is open between acts"))
    }

    /// Writes a line of the trace.
    pub fn say(&mut self, line: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            for event in self.rec.take_trace() {
                trace.push(format!("      {event}"));
            }
            trace.push(line());
        }
    }

    /// How many images are crashed inside their recovery: one in so many.
    pub fn nest_one_in(&mut self, n: u64) {
        self.checker.nest_one_in = n;
    }

    /// The points of the last act; those of a life that has ended with it, too.
    pub fn kept_points(&mut self) -> Vec<Point> {
        let mut points = std::mem::take(&mut self.kept);
        points.extend(self.rec.take_points());
        points
    }

    /// Images checked so far, and those inside recoveries.
    pub fn images(&self) -> (u64, u64) {
        (self.checker.images, self.checker.nested)
    }

    /// Element bytes that no other object has, in any eight of them.
    pub fn fresh_bytes(&mut self, n: usize) -> Vec<u8> {
        self.stamp += 1;
        let mut words = Random(self.stamp);
        (0..n.div_ceil(8)).flat_map(|_| words.next().to_le_bytes()).take(n).collect()
    }

    /// The process has gone: its handles, pins and temporaries with it.
    fn let_go(&mut self) {
        self.held.clear();
        self.temporaries.clear();
        self.rec.arm(None);
        self.store = None;
        self.poisoned = false;
    }

    /// The next process finds what this point left of the file.
    ///
    /// # Errors
    /// What it finds contradicts the promises.
    pub fn rise(&mut self, point: &Point, end: End, pick: Pick) -> Result<(), String> {
        let is_cut = end.is_power_cut();
        let image = point.disk.image(if is_cut { pick } else { Pick::New });
        self.say(|| format!("-- {end:?} {pick:?} at: {}", point.label));
        // What the dying process still does is not seen any more.
        self.rec.capture(Capture::Never);
        self.let_go();
        let _ = std::fs::remove_file(&self.path);
        self.life += 1;
        self.path = self.dir.path().join(format!("life-{}.fm", self.life));
        image.write(&self.path).map_err(|e| format!("harness: {e}"))?;
        let known = if is_cut { image } else { point.disk.clone() };
        self.boot += u8::from(is_cut);
        self.keeps = end.keeps();
        self.rec = Recorder::new(Some(known), point.told.clone(), self.random.next());
        self.open()?;
        self.see(end)?;
        if end.keeps() {
            // Until then another opener may decide otherwise; from then on all of it is synced.
            let (kept, is_keeping) = (self.rec.tell(|m| m.now()), self.unsettled);
            self.rec.capture(Capture::Never);
            self.create_as(None, 40, false)?;
            self.rec.capture(self.capture);
            if is_keeping {
                self.rec.tell(|m| m.synced(kept));
            }
            self.note_settled()?;
        }
        Ok(())
    }

    /// An act begins.
    ///
    /// # Errors
    /// The store does not tell.
    pub fn note_settled(&mut self) -> Result<(), String> {
        if let Some(store) = self.store.as_ref().filter(|s| !s.is_closed()) {
            self.unsettled = store.info().map_err(text)?.is_unsettled;
        }
        Ok(())
    }

    /// Whether an image of the present act may be opened to keep what no sync covered.
    pub fn may_keep(&self) -> bool {
        !self.unsettled && self.rec.models().len() == 1
    }

    /// Closes and opens again; with `reboot`, on another day.
    ///
    /// # Errors
    /// What is found then contradicts the promises.
    pub fn close_and_open(&mut self, reboot: bool) -> Result<(), String> {
        self.check_held()?;
        let now = self.rec.tell(|m| m.now());
        // The sync of a close may be a process's first change.
        for m in self.rec.models().iter_mut() {
            m.will_settle();
        }
        let store = self.store();
        self.held.clear();
        self.temporaries.clear();
        let closed = store.close();
        self.rec.capture(Capture::Never);
        drop(store);
        let failed = self.rec.take_failed() > 0;
        let was_poisoned = self.poisoned;
        if closed.is_ok() && !failed && !was_poisoned {
            self.rec.point("closed");
        }
        match closed {
            Ok(()) if failed => return Err("close() succeeded over a failed barrier".into()),
            Ok(()) if !was_poisoned => self.rec.tell(|m| m.synced(now)),
            Ok(()) => {}
            Err(e) if failed || was_poisoned => self.say(|| format!("close: {e}")),
            Err(e) => return Err(format!("close: {e}")),
        }
        let lost = failed || was_poisoned;
        if matches!(self.capture, Capture::Never) {
            self.kept = self.rec.take_points();
        } else {
            self.check_points()?;
        }
        let point = self.rec.now();
        self.rec.compare()?;
        self.let_go();
        if lost {
            let end = match (reboot, self.may_keep() && self.random.one_in(2)) {
                (true, false) => End::Cut,
                (true, true) => End::Kept,
                (false, false) => End::Poison,
                (false, true) => End::KeptPoison,
            };
            let pick = Pick::Mix(self.random.next());
            return self.rise(&point, end, pick);
        }
        // Closed cleanly: nothing is open, whatever day it is.
        self.boot += u8::from(reboot);
        self.rec = Recorder::new(Some(point.disk), point.told, self.random.next());
        self.open()?;
        self.see(End::Kill)
    }

    /// Writes a dense copy, checks images of every event of that, and, in place, goes on with the copy.
    pub(crate) fn copy_to(&mut self, in_place: bool) -> Result<(), String> {
        self.check_held()?;
        let models = self.rec.models().clone();
        let store = self.store();
        let before = look(&store, &models)?;
        let path = if in_place { self.path.clone() } else { self.dir.path().join("copy.fm") };
        let side = Recorder::new(None, Vec::new(), self.random.next());
        side.unlinked();
        side.capture(Capture::OneIn(3));
        if in_place {
            self.held.clear();
            self.temporaries.clear();
        }
        self.rec.arm(None);
        self.rec.aside(Some(side.clone()));
        let done = store.compact_to(&path, &mut |_, _| true);
        self.rec.aside(None);
        if !done.map_err(|e| format!("copy: {e}"))? {
            return Err("a copy that nobody stopped was stopped".into());
        }
        let points = side.take_points();
        drop(side);
        for point in points.iter().filter(|p| p.linked).take(4) {
            let image = self.dir.path().join("copy-image.fm");
            let pick = Pick::Mix(self.random.next());
            point.disk.image(pick).write(&image).map_err(|e| format!("harness: {e}"))?;
            check_copy(&image, &before, &models)
                .map_err(|why| format!("{pick:?} at '{}': {why}", point.label))?;
        }
        if !in_place {
            let checked = check_copy(&path, &before, &models);
            let _ = std::fs::remove_file(&path);
            return checked;
        }
        self.rec.capture(Capture::Never);
        let now = models[0].now();
        drop(store);
        self.let_go();
        self.rec = Recorder::new(None, models, self.random.next());
        self.rec.tell(|m| m.synced(now));
        self.open()?;
        self.see(End::Kill)
    }

    /// Looks, judges and takes what is there for how things stand.
    ///
    /// # Errors
    /// The first contradiction.
    pub fn see(&mut self, end: End) -> Result<(), String> {
        let models = self.rec.models().clone();
        let picture = look(&self.store(), &models)?;
        judge_all(&models, &picture, end)?;
        adopt_all(&mut self.rec.models(), &picture, end)
    }

    /// An act has returned: its outcome, or `None` where it failed as it may.
    ///
    /// # Errors
    /// It failed as it may not.
    pub fn outcome<T>(
        &mut self,
        what: &str,
        result: Result<T, Error>,
        tolerated: &[Code],
        unsettled: bool,
        done: impl FnOnce(&mut Model, &T) -> Result<(), String>,
    ) -> Result<Option<T>, String> {
        match result {
            Ok(_) if self.poisoned && !unsettled => {
                Err(format!("{what} succeeded on a store whose barrier had failed"))
            }
            Ok(value) if unsettled => {
                self.see(End::Kill)?;
                Ok(Some(value))
            }
            Ok(value) => {
                self.rec.tell(|m| {
                    done(m, &value)?;
                    m.done();
                    Ok::<(), String>(())
                })?;
                Ok(Some(value))
            }
            Err(e) => {
                self.say(|| format!("   {what}: {e}"));
                if self.store().info().map_err(text)?.poisoned {
                    // Whether it happened is open until the next process looks.
                    self.poisoned = true;
                    let typed = matches!(e.code(), Code::Io | Code::NoSpace | Code::Poisoned);
                    return if typed { Ok(None) } else { Err(format!("{what}: {e}")) };
                }
                if !tolerated.contains(&e.code()) {
                    return Err(format!("{what}: {e}"));
                }
                self.see(End::Kill)?;
                Ok(None)
            }
        }
    }

    /// Under full durability the act that has returned is beyond a power cut.
    pub(crate) fn acted(&self, r: Ref, buried: Option<Ref>) {
        if self.full {
            self.rec.tell(|m| {
                let versions = m.versions(r);
                m.hardened(r, versions);
                if let Some(old) = buried {
                    m.buried(old);
                }
            });
        }
    }

    /// Builds images of the points set down since the last call.
    ///
    /// # Errors
    /// One of them contradicts the promises.
    pub fn check_points(&mut self) -> Result<(), String> {
        let points = self.rec.take_points();
        self.rec.take_failed();
        let most = 4;
        let skip = points.len().saturating_sub(most);
        for (i, point) in points.iter().enumerate() {
            // Of many, some.
            if skip > 0 && self.random.below(points.len() as u64) >= most as u64 {
                continue;
            }
            let _ = i;
            let (end, pick) = self.choose_end(point);
            self.check_image(point, end, pick)?;
        }
        self.note_settled()
    }

    /// How the next image of this point stops.
    pub(crate) fn choose_end(&mut self, point: &Point) -> (End, Pick) {
        let mix = Pick::Mix(self.random.next());
        match self.random.below(8) {
            0 if self.poisoned && !point.cut_only => (End::Poison, Pick::New),
            1 if self.poisoned && !point.cut_only && self.may_keep() => (End::KeptPoison, Pick::New),
            0 if !point.cut_only && !self.poisoned => (End::Kill, Pick::New),
            1 => (End::Cut, [Pick::Old, Pick::New][self.random.below(2) as usize]),
            2.. if self.lean == Lean::Churn && self.may_keep() => (End::Kept, mix),
            2 if self.may_keep() => (End::Kept, mix),
            _ => (End::Cut, mix),
        }
    }

    /// Builds and checks one image.
    ///
    /// # Errors
    /// It contradicts the promises.
    pub fn check_image(&mut self, point: &Point, end: End, pick: Pick) -> Result<(), String> {
        self.checker
            .check(&point.disk, &point.told, end, self.boot, &mut self.random, pick)
            .map_err(|why| format!("image {end:?} {pick:?} at '{}': {why}", point.label))
    }

    /// What somebody holds shows the same bytes as ever.
    pub(crate) fn check_held(&self) -> Result<(), String> {
        for h in &self.held {
            if !h.is_intact() {
                return Err(format!("the bytes of {:?} changed while somebody held them", h.r));
            }
        }
        Ok(())
    }

    /// At intervals: the living store is what the model says, and nothing was stored past the seam.
    pub(crate) fn audit(&mut self) -> Result<(), String> {
        self.check_held()?;
        self.rec.compare()?;
        if self.poisoned {
            return Ok(());
        }
        // A copy that a power cut tore stays torn until the first change, which writes that one.
        let store = self.store();
        if self.rec.has_written_header() {
            no_faults(&store, &self.rec.models(), "in life")?;
        } else {
            no_faults_but_a_torn_superblock(&store, &self.rec.models(), "in life")?;
        }
        self.see(End::Kill)
    }
}

/// A dense copy has what the store had.
fn check_copy(
    path: &std::path::Path,
    before: &crate::model::Picture,
    models: &[Model],
) -> Result<(), String> {
    let copy = Store::open(path, &booted(150)).map_err(|e| format!("the copy does not open: {e}"))?.store;
    same(before, &look(&copy, models)?, "in the copy")?;
    no_faults(&copy, models, "in the copy")?;
    copy.create(rfmalloc_core::Dtype::Raw, 1, &[1], None).map_err(text)?;
    copy.close().map_err(text)
}
