//! One image, from the open to the second crash.
//!
//! It is opened as the next process would open it, held against the promises, changed for the first time (which decides for good what the
//! crash left open), filled with new objects (which write over whatever is wrongly taken for free), synced, and crashed again; some are
//! crashed inside the recovery, at any event, into images of their own.

use crate::disk::{Disk, Pick};
use crate::look::{booted, look, no_faults, no_faults_but_a_torn_superblock, read, same, text};
use crate::model::{End, Model, Name, Picture, Ref, adopt_all, judge_all};
use crate::random::Random;
use crate::recorder::{Capture, Recorder};
use rfmalloc_core::{Code, Dtype, Handle, OpenOptions, Store};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What an image is checked with.
pub struct Checker {
    path: PathBuf,
    again: PathBuf,
    /// Images checked so far.
    pub images: u64,
    /// Of these: inside recoveries.
    pub nested: u64,
    /// Crashes inside the recovery: of one in so many images.
    pub nest_one_in: u64,
}

/// The boot of the machine after a power cut; those of the histories are below.
const NEXT_BOOT: u8 = 200;
/// How far the file of an image may grow.
const ROOM: u64 = 192 * 1024;

/// How thoroughly one image is looked at.
#[derive(Clone, Copy)]
struct Depth {
    /// Crashes inside the recovery: one in so many images; 0: none.
    crash_one_in: u64,
    level: u32,
    boot: u8,
    /// The opener keeps what no sync covered.
    keeps: bool,
}

impl Checker {
    /// Works in this folder.
    pub fn new(dir: &Path) -> Self {
        Self { path: dir.join("image.fm"), again: dir.join("again.fm"), images: 0, nested: 0, nest_one_in: 6 }
    }

    /// Builds and checks one image of a disk; `boot`: the one in which it was left.
    ///
    /// # Errors
    /// The words of the first contradiction.
    pub fn check(
        &mut self,
        disk: &Disk,
        models: &[Model],
        end: End,
        boot: u8,
        random: &mut Random,
        pick: Pick,
    ) -> Result<(), String> {
        let is_cut = end.is_power_cut();
        let image = disk.image(if is_cut { pick } else { Pick::New });
        // After a process death the page cache lives, and what of it is on disk stays open.
        let known = if is_cut { image.clone() } else { disk.clone() };
        let boot = if is_cut { NEXT_BOOT } else { boot };
        let depth = Depth { crash_one_in: self.nest_one_in, level: 0, boot, keeps: end.keeps() };
        self.check_image(&image, known, models, end, depth, random)
    }

    fn check_image(
        &mut self,
        image: &Disk,
        known: Disk,
        models: &[Model],
        end: End,
        depth: Depth,
        random: &mut Random,
    ) -> Result<(), String> {
        self.images += 1;
        image.write(&self.path).map_err(|e| format!("harness: {e}"))?;
        let nested = depth.crash_one_in > 0 && random.one_in(depth.crash_one_in);
        let recorder = Recorder::new(Some(known), Vec::new(), random.next());
        // A cache that is not to be believed is forgotten through the observer.
        let watched = nested || depth.keeps || end == End::Poison;
        let observer: Option<Arc<dyn rfmalloc_core::Observer>> =
            if watched { Some(recorder.clone()) } else { None };
        // Growth goes in steps of a MiB where it may: zeroing that for each image is what would take the time.
        let max_size = Some(image.len() + ROOM);
        let options = OpenOptions { observer, max_size, keep_unsynced: depth.keeps, ..booted(depth.boot) };
        let store = open(&self.path, &options).map_err(|e| format!("does not open: {e}"))?;
        let verifies = random.one_in(4);
        if verifies && !end.keeps() {
            no_faults_but_a_torn_superblock(&store, models, "before recovery")?;
        }
        let first = look(&store, models)?;
        // Until the first change another opener may decide otherwise what is kept.
        let mut undecided = end.keeps().then(|| models.to_vec());
        let mut models = models.to_vec();
        judge_all(&models, &first, end)?;
        for m in undecided.iter_mut().flatten() {
            m.note_birth(&first)?;
        }
        adopt_all(&mut models, &first, end)?;
        if verifies && end.keeps() {
            no_faults_but_a_torn_superblock(&store, &models, "before recovery")?;
        }
        *recorder.models() = undecided.unwrap_or_else(|| models.clone());
        if nested {
            recorder.capture(Capture::OneIn(1 + random.below(6)));
        }
        // After a mere kill there is nothing to decide.
        let is_keeping = depth.keeps && store.info().map_err(text)?.is_unsettled;
        let (settled, r) = Self::first_change(&store, &recorder, &mut models, random)?;
        recorder.capture(Capture::Never);
        if is_keeping {
            let image = recorder.now().disk.image(Pick::Mix(random.next()));
            self.kept_stays(&image, &models, (&first, &settled), r, depth.boot)?;
        }
        let points = recorder.take_points();
        Self::new_work(&store, &models, &settled, random)?;
        if random.one_in(3) {
            self.second_crash(&store, &models, depth.boot, random)?;
        } else {
            store.close().map_err(text)?;
        }
        for point in points.into_iter().take(2) {
            self.nested += 1;
            let stop = if random.one_in(4) { End::Kill } else { End::Cut };
            let pick = if stop == End::Kill { Pick::New } else { Pick::Mix(random.next()) };
            let image = point.disk.image(pick);
            let boot = if stop == End::Kill { depth.boot } else { depth.boot + 1 };
            let known = if stop == End::Kill { point.disk.clone() } else { image.clone() };
            let crash_one_in = if depth.level == 0 { 4 } else { 0 };
            // Whoever opens next may keep or not. Once somebody has not, what that drops may be dropped for good.
            let (end, keeps) =
                if end.keeps() { (end, depth.keeps && random.one_in(2)) } else { (stop, false) };
            let inner = Depth { crash_one_in, level: depth.level + 1, boot, keeps };
            self.check_image(&image, known, &point.told, end, inner, random)
                .map_err(|why| format!("in recovery, {} ({end:?}, {stop:?}): {why}", point.label))?;
        }
        Ok(())
    }

    /// The first mutation of the process: named, so that names are settled, or not.
    fn first_change(
        store: &Store,
        recorder: &Recorder,
        models: &mut [Model],
        random: &mut Random,
    ) -> Result<(Picture, Ref), String> {
        let named = random.one_in(2);
        let name = named.then(|| Name::from(format!("first change {}", random.below(1 << 40))));
        let bytes: Arc<[u8]> = vec![0xF1; 40].into();
        // Where the names were looked at, any first change settles them; else a named one does.
        let announce = |models: &mut [Model]| {
            for m in models.iter_mut() {
                m.will_settle();
            }
            models[0].will_create(name.as_ref(), bytes.clone(), None);
        };
        announce(models);
        announce(&mut recorder.models());
        let handle = store
            .create(Dtype::Raw, 40, &bytes, name.as_deref())
            .map_err(|e| format!("the first change: {e}"))?;
        let r = (handle.facts().id, handle.facts().generation);
        drop(handle);
        let seen = look(store, models)?;
        judge_all(models, &seen, End::Kill).map_err(|why| format!("after recovery: {why}"))?;
        if named && seen.has_name_twice() {
            return Err("a name stands twice after a named change".into());
        }
        adopt_all(models, &seen, End::Kill)?;
        if random.one_in(2) {
            no_faults(store, models, "after recovery")?;
        }
        Ok((seen, r))
    }

    /// Rule 23: what was kept is synced by the first change. That itself, and what it settled (rule 15), need not be.
    fn kept_stays(
        &self,
        image: &Disk,
        models: &[Model],
        (kept, settled): (&Picture, &Picture),
        new: Ref,
        boot: u8,
    ) -> Result<(), String> {
        let when = "by a power cut after the change that kept it";
        image.write(&self.again).map_err(|e| format!("harness: {e}"))?;
        let store =
            open(&self.again, &booted(boot + 10)).map_err(|e| format!("does not open {when}: {e}"))?;
        let seen = look(&store, models)?;
        for (r, was) in &kept.objects {
            let (now, then) = (seen.objects.get(r), settled.objects.get(r));
            let is_kept = match now {
                None => then.is_none(),
                Some(now) => now == was || Some(now) == then,
            };
            if !is_kept {
                return Err(format!("{r:?} ({:?}) changed {when}", was.name));
            }
        }
        match seen.objects.keys().find(|r| **r != new && !kept.objects.contains_key(*r)) {
            Some(r) => Err(format!("{r:?} came to be {when}")),
            None => store.close().map_err(text),
        }
    }

    /// New objects of many sizes: what is not free must not be written over.
    fn new_work(
        store: &Store,
        models: &[Model],
        before: &Picture,
        random: &mut Random,
    ) -> Result<(), String> {
        let mut fresh: Vec<Handle> = Vec::new();
        for i in 0..4 + random.below(6) {
            let n = [40u64, 100, 1500, 6000, 20_000][random.below(5) as usize];
            match store.create(Dtype::Raw, n, &vec![0xE0 + i as u8; n as usize], None) {
                Ok(h) => fresh.push(h),
                Err(e) if e.code() == Code::NoSpace => {}
                Err(e) => return Err(format!("new work: {e}")),
            }
        }
        let generations: Vec<u64> = fresh.iter().map(|h| h.facts().generation).collect();
        let mut after = look(store, models)?;
        after.objects.retain(|r, _| !generations.contains(&r.1));
        same(before, &after, "by new objects")?;
        store.sync().map_err(text)?;
        for (i, h) in fresh.iter().enumerate() {
            let b = read(h)?;
            if b.windows(2).any(|w| w[0] != w[1]) {
                return Err(format!("new object {i} was written over"));
            }
        }
        for h in &fresh {
            if random.one_in(2) {
                store.destroy(h, random.one_in(2)).map_err(text)?;
            }
        }
        no_faults(store, models, "after new work")
    }

    /// What was dropped stays dropped, whatever a sync covers now.
    fn second_crash(
        &self,
        store: &Store,
        models: &[Model],
        boot: u8,
        random: &mut Random,
    ) -> Result<(), String> {
        store.sync().map_err(text)?;
        let before = look(store, models)?;
        let (path, when) = if random.one_in(2) {
            std::fs::copy(&self.path, &self.again).map_err(|e| format!("harness: {e}"))?;
            store.close().map_err(text)?;
            (&self.again, "by a second power cut")
        } else {
            store.close().map_err(text)?;
            (&self.path, "by a clean close")
        };
        let read_only = random.one_in(4);
        let store = open(path, &OpenOptions { read_only, ..booted(boot + 10) })
            .map_err(|e| format!("does not open {when}: {e}"))?;
        same(&before, &look(&store, models)?, when)?;
        if !read_only {
            store
                .create(Dtype::Raw, 1, &[1], Some("the last change"))
                .map_err(|e| format!("work {when}: {e}"))?;
            no_faults(&store, models, when)?;
        }
        store.close().map_err(text)
    }
}

fn open(path: &Path, options: &OpenOptions) -> Result<Store, String> {
    Store::open(path, options).map(|o| o.store).map_err(text)
}
