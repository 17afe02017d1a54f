//! A store under observation: every act is announced to the expectations before it runs and acknowledged when it returns.

use super::images::{Capture, Expect, Point, Recorder, Subject, look_at_all, write_image};
use super::{BOOT, booted, bytes, folder, open};
use rfmalloc_core::{Dtype, OpenOptions, Result, Store};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, MutexGuard};
use tempfile::TempDir;

type Ref = (u64, u64);
/// Named objects and the bytes they have.
type Named = BTreeMap<String, (Ref, Vec<u8>)>;

/// Clones are the same laboratory: a hook takes one along.
#[derive(Clone)]
pub struct Lab {
    pub dir: Arc<TempDir>,
    pub path: PathBuf,
    pub store: Arc<Store>,
    pub recorder: Arc<Recorder>,
    named: Arc<Mutex<Named>>,
}

fn name_of(name: &str) -> Subject {
    Subject::Name(name.to_owned())
}

fn ref_of(r: Ref) -> Subject {
    Subject::Ref(r.0, r.1)
}

impl Lab {
    /// A new, empty, durable store.
    pub fn new() -> Self {
        Self::with(&booted(BOOT))
    }

    pub fn with(options: &OpenOptions) -> Self {
        let dir = Arc::new(folder());
        let path = dir.path().join("lab.fm");
        open(&path, options).close().unwrap();
        Self::at(dir, path, None, Expect::default(), options)
    }

    fn at(
        dir: Arc<TempDir>,
        path: PathBuf,
        point: Option<&Point>,
        expect: Expect,
        options: &OpenOptions,
    ) -> Self {
        let recorder = Recorder::new(point.map(|p| p.disk.clone()), expect, 1);
        let options = OpenOptions { observer: Some(recorder.clone()), ..options.clone() };
        let store = Arc::new(open(&path, &options));
        recorder.capture(Capture::Barriers);
        recorder.watch_all();
        Self { dir, path, store, recorder, named: Arc::default() }
    }

    /// The process died at this point; another one opens the file in the same boot. What of the disk was uncertain stays uncertain.
    pub fn after_kill(point: &Point) -> Self {
        Self::after(point, super::images::Pick::New, BOOT)
    }

    /// The machine died at this point and left this image.
    pub fn after_cut(point: &Point, pick: super::images::Pick) -> Self {
        Self::after(point, pick, super::OTHER_BOOT)
    }

    fn after(point: &Point, pick: super::images::Pick, boot: [u8; 16]) -> Self {
        let dir = Arc::new(folder());
        let path = dir.path().join("after.fm");
        write_image(&point.disk, &path, pick);
        let mut expect = point.told.clone();
        let same_boot = boot == BOOT;
        let lab = Self::at(dir, path, same_boot.then_some(point), Expect::default(), &booted(boot));
        let seen = look_at_all(&lab.store, &expect).unwrap();
        for (subject, value) in &seen {
            expect.seen(subject, value);
            if let (Subject::Name(name), Some(b)) = (subject, value) {
                let facts = lab.store.open_name(name).unwrap().unwrap().facts();
                lab.named().insert(name.clone(), ((facts.id, facts.generation), b.to_vec()));
                // The dead process may not have lived to tell its reference.
                let reference = Subject::Ref(facts.id, facts.generation);
                if !expect.values.contains_key(&reference) {
                    expect.will_be(reference, Some(b));
                }
            }
        }
        expect.done();
        expect.boot = Some(boot);
        if !same_boot {
            // What recovery found is what counts from now on; but a death it undid may be a replacement's, which is completed later.
            let mut undone = Vec::new();
            for (subject, value) in seen {
                if value.is_some() && expect.last(&subject).is_none() {
                    undone.push(subject.clone());
                }
                expect.will_be(subject, value.as_deref());
            }
            expect.done();
            for subject in undone {
                expect.may_end(&subject);
            }
            let now = expect.now();
            expect.synced(now);
        }
        *lab.expect() = expect;
        lab
    }

    fn named(&self) -> MutexGuard<'_, Named> {
        self.named.lock().unwrap()
    }

    pub fn expect(&self) -> MutexGuard<'_, Expect> {
        self.recorder.book()
    }

    fn finish<T>(&self, result: Result<T>, act: &str) -> Result<T> {
        match &result {
            Ok(_) => self.expect().done(),
            Err(_) => self.expect().undone(),
        }
        self.recorder.point(&format!("after {act}"));
        result
    }

    /// A new object under a name that nobody has; returns its id and generation.
    pub fn create(&self, name: &str, seed: u32, n: u64) -> Ref {
        let b = bytes(seed, n);
        self.expect().will_be(name_of(name), Some(&b));
        let handle = self.store.create(Dtype::Integer, n, &b, Some(name)).unwrap();
        let facts = handle.facts();
        self.expect().will_be(Subject::Ref(facts.id, facts.generation), Some(&b));
        self.named().insert(name.to_owned(), ((facts.id, facts.generation), b));
        self.finish(Ok((facts.id, facts.generation)), "create").unwrap()
    }

    /// An object without a name.
    pub fn create_unnamed(&self, seed: u32, n: u64) -> Ref {
        let b = bytes(seed, n);
        let facts = self.store.create(Dtype::Integer, n, &b, None).unwrap().facts();
        self.expect().will_be(Subject::Ref(facts.id, facts.generation), Some(&b));
        self.finish(Ok((facts.id, facts.generation)), "create").unwrap()
    }

    pub fn replace(&self, name: &str, seed: u32, n: u64) -> Ref {
        self.try_replace(name, seed, n).unwrap()
    }

    pub fn try_replace(&self, name: &str, seed: u32, n: u64) -> Result<Ref> {
        let b = bytes(seed, n);
        let old = self.named().get(name).map(|(r, _)| *r);
        {
            let mut e = self.expect();
            e.will_be(name_of(name), Some(&b));
            if let Some(old) = old {
                e.will_be(ref_of(old), None);
            }
        }
        let made = self.replace_with(name, &b, n);
        if let Ok(r) = made {
            self.expect().will_be(ref_of(r), Some(&b));
            self.named().insert(name.to_owned(), (r, b));
        }
        self.finish(made, "replace")
    }

    /// As [`super::replace`], and what is written in place is announced.
    fn replace_with(&self, name: &str, bytes: &[u8], n: u64) -> Result<Ref> {
        let mut handle = self.store.reserve(Dtype::Integer, n, false)?;
        super::write(&handle, bytes)?;
        self.recorder.wrote(handle.facts().off, bytes.len() as u64);
        self.store.commit(&mut handle, Some(name), true)?;
        Ok((handle.facts().id, handle.facts().generation))
    }

    pub fn destroy(&self, name: &str) {
        self.end(name, false);
    }

    /// Its bytes are reused without waiting for a sync.
    pub fn destroy_at_once(&self, name: &str) {
        self.end(name, true);
    }

    fn end(&self, name: &str, at_once: bool) {
        let (old, _) = self.named().remove(name).unwrap();
        {
            let mut e = self.expect();
            e.will_be(name_of(name), None);
            e.will_be(ref_of(old), None);
        }
        let handle = self.store.open_name(name).unwrap().unwrap();
        assert!(self.store.destroy(&handle, at_once).unwrap());
        self.finish(Ok(()), "destroy").unwrap();
    }

    /// Gives the object another name, taking it from whoever has it.
    pub fn rename(&self, from: &str, to: &str) {
        let (r, b) = self.named().remove(from).unwrap();
        let old = self.named().insert(to.to_owned(), (r, b.clone()));
        {
            let mut e = self.expect();
            e.will_be(name_of(from), None);
            e.will_be(name_of(to), Some(&b));
            if let Some((old, _)) = old {
                e.will_be(ref_of(old), None);
            }
        }
        let mut handle = self.store.open_name(from).unwrap().unwrap();
        let renamed = self.store.rename(&mut handle, Some(to), true);
        self.finish(renamed, "rename").unwrap();
    }

    pub fn sync(&self) {
        let act = self.expect().now();
        self.store.sync().unwrap();
        self.expect().synced(act);
        self.recorder.point("after sync");
    }

    /// A sync during which `work` runs, after its numbers were taken.
    pub fn sync_during(&self, work: impl FnOnce(&Self)) {
        let (reached, at_barrier) = channel();
        let (go, gone) = channel();
        self.recorder.hold(reached, gone, None);
        let (act, store) = (self.expect().now(), self.store.clone());
        let sync = std::thread::spawn(move || store.sync());
        at_barrier.recv().unwrap();
        work(self);
        drop(go);
        sync.join().unwrap().unwrap();
        self.expect().synced(act);
        self.recorder.point("after sync");
    }

    /// A point at every event, not only where a barrier follows: for process deaths.
    pub fn every_store(&self) {
        self.recorder.capture(Capture::Always);
    }

    /// Makes one object durable.
    pub fn harden(&self, name: &str) {
        let handle = self.store.open_name(name).unwrap().unwrap();
        self.store.sync_object(&handle).unwrap();
        let (r, _) = self.named()[name];
        let mut e = self.expect();
        e.hardened(name_of(name));
        e.hardened(ref_of(r));
        drop(e);
        self.recorder.point("after sync of one object");
    }

    pub fn points(&self) -> Vec<Point> {
        self.recorder.take_points()
    }

    /// The moment now.
    pub fn now(&self) -> Point {
        self.recorder.now()
    }
}
