//! Everything a caller may do with a file, and what must hold whatever the file says:
//! an error or an answer; nothing written before a change was asked for; verify and reading agree; a store that takes a change keeps what it
//! showed; what it kept it still has when it is opened again.

use crate::guard::Meter;
use crate::image::Image;
use crate::layout::Layout;
use crate::mutate::Hostile;
use crate::seeds::{BOOT, OTHER_BOOT, elements_of, options};
use crate::shown::{Object, Shown, check_error, look};
use rfmalloc_core::{Code, Dtype, Error, Fault, Handle, Mode, OpenOptions, Store};
use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Most memory one file may take, in bytes (beside the lab's own copies of it), and most processor time.
const MOST_MEMORY: u64 = 8 << 20;
const MOST_TIME: Duration = Duration::from_secs(1);

/// What may refuse an open.
const AT_OPEN: &[Code] = &[Code::NotAStore, Code::Corrupt, Code::Truncated, Code::Version, Code::Mode];
/// What may refuse a change.
const AT_CHANGE: &[Code] = &[Code::Corrupt, Code::NoSpace, Code::TooLarge, Code::Unsupported, Code::Exists];

/// How much is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Opened read-only and writable, looked at, verified, closed.
    Look,
    /// In both boots; then changed, closed, opened again.
    Change,
}

/// A place to try files, for one thread.
pub struct Bench {
    path: PathBuf,
    file: File,
    buf: Vec<u8>,
    /// Opens so far.
    pub opens: u64,
    /// Opens that were granted.
    pub granted: u64,
    /// Files whose store took a change.
    pub changed: u64,
}

type Step<T = ()> = Result<T, String>;

impl Bench {
    /// In this folder.
    ///
    /// # Errors
    /// Of the file.
    pub fn new(dir: &Path, thread: usize) -> std::io::Result<Self> {
        let path = dir.join(format!("{thread}.fm"));
        let file = File::options().read(true).write(true).create(true).truncate(true).open(&path)?;
        Ok(Self { path, file, buf: Vec::new(), opens: 0, granted: 0, changed: 0 })
    }

    /// Tries one file; what went wrong.
    ///
    /// # Errors
    /// The first thing that must not happen.
    pub fn try_file(&mut self, hostile: &Hostile, boot: [u8; 16], depth: Depth) -> Step {
        let meter = Meter::start();
        let done = catch_unwind(AssertUnwindSafe(|| self.steps(hostile, boot, depth)));
        let (memory, time) = meter.read();
        match done {
            Err(panic) => {
                let text = panic.downcast_ref::<String>().cloned();
                let text = text.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
                // The store of the panic may be open for ever; its file is left to it.
                self.renew().map_err(|e| format!("the bench: {e}"))?;
                Err(format!("panic: {}", text.unwrap_or_default()))
            }
            Ok(Err(e)) => Err(e),
            Ok(Ok(())) if memory > MOST_MEMORY + 3 * hostile.image.bytes.len() as u64 => {
                Err(format!("took {memory} bytes of memory"))
            }
            Ok(Ok(())) if time > MOST_TIME => Err(format!("took {time:?} of processor time")),
            Ok(Ok(())) => Ok(()),
        }
    }

    fn renew(&mut self) -> std::io::Result<()> {
        std::fs::remove_file(&self.path)?;
        self.file = File::options().read(true).write(true).create_new(true).open(&self.path)?;
        Ok(())
    }

    fn steps(&mut self, hostile: &Hostile, boot: [u8; 16], depth: Depth) -> Step {
        let image = &hostile.image;
        image.write_to(&self.file).map_err(|e| format!("the bench: {e}"))?;
        let layout = Layout::of(image);
        let ids = interesting(hostile, &layout, depth);
        let other = if boot == BOOT { OTHER_BOOT } else { BOOT };
        let seen = self.read_only(image, &layout, &ids, hostile.mode, boot)?;
        if depth == Depth::Change {
            self.read_only(image, &layout, &ids, hostile.mode, other)?;
        }
        let written = self.look_writable(image, &layout, &ids, hostile.mode, boot, seen.as_ref())?;
        if depth == Depth::Look {
            return Ok(());
        }
        if written {
            image.write_to(&self.file).map_err(|e| format!("the bench: {e}"))?;
        }
        self.change(image, &layout, &ids, hostile.mode, boot)?;
        image.write_to(&self.file).map_err(|e| format!("the bench: {e}"))?;
        let wrong = if hostile.mode == Mode::Scratch { Mode::Persistent } else { Mode::Scratch };
        self.wrong_mode(wrong, boot)
    }

    fn open(&mut self, options: &OpenOptions) -> rfmalloc_core::Result<(Store, bool)> {
        self.opens += 1;
        let opened = Store::open(&self.path, options).map(|o| (o.store, o.created));
        self.granted += u64::from(opened.is_ok());
        opened
    }

    fn unchanged(&mut self, image: &Image, mtime: Option<(i64, i64)>, after: &str) -> Step {
        let now = self.mtime()?;
        match image.difference(&self.file, &mut self.buf).map_err(|e| format!("the bench: {e}"))? {
            Some(what) => Err(format!("{after}: {what}")),
            None if mtime.is_some_and(|t| t != now) => {
                Err(format!("{after}: the file's time of modification changed"))
            }
            None => Ok(()),
        }
    }

    fn mtime(&self) -> Step<(i64, i64)> {
        let meta = self.file.metadata().map_err(|e| format!("the bench: {e}"))?;
        Ok((meta.mtime(), meta.mtime_nsec()))
    }

    fn read_only(
        &mut self,
        image: &Image,
        layout: &Layout,
        ids: &BTreeSet<u32>,
        mode: Mode,
        boot: [u8; 16],
    ) -> Step<Option<Shown>> {
        let mtime = self.mtime()?;
        let seen = match self.open(&OpenOptions { read_only: true, create: false, mode, ..options(boot) }) {
            Err(e) => {
                check_error("open read-only", &e, AT_OPEN)?;
                None
            }
            Ok((store, _)) => {
                let shown = look(&store, &self.file, layout, ids)?;
                let faults = verify(&store)?;
                agree(&shown, &faults)?;
                match store.create(Dtype::Raw, 1, &[1], Some("no")) {
                    Err(e) if e.code() == Code::ReadOnly => {}
                    other => return Err(format!("a read-only store took a change: {:?}", other.map(|_| ()))),
                }
                store.close().map_err(|e| format!("close read-only: {e}"))?;
                Some(shown)
            }
        };
        self.unchanged(image, Some(mtime), "after looking read-only")?;
        Ok(seen)
    }

    /// Opens writable, looks, closes; whether the file may have been written (a close covers what a process killed in this boot left).
    fn look_writable(
        &mut self,
        image: &Image,
        layout: &Layout,
        ids: &BTreeSet<u32>,
        mode: Mode,
        boot: [u8; 16],
        seen: Option<&Shown>,
    ) -> Step<bool> {
        let mtime = self.mtime()?;
        let opened = self.open(&OpenOptions { create: false, mode, ..options(boot) });
        match opened {
            Err(e) => {
                check_error("open", &e, AT_OPEN)?;
                self.unchanged(image, Some(mtime), "after a refused open")?;
                if seen.is_some() {
                    return Err(format!("opens read-only, but not writable: {e}"));
                }
                Ok(false)
            }
            Ok((store, created)) => {
                let covers = covers_at_close(&store)?;
                let shown = look(&store, &self.file, layout, ids)?;
                match seen {
                    None if !created => return Err("opens writable, but not read-only".into()),
                    Some(seen) if *seen != shown => {
                        return Err(format!("read-only it shows {seen:?}, writable {shown:?}"));
                    }
                    _ => {}
                }
                // A writable open gives the holes of a sparse copy blocks, which is no change of its bytes.
                let mtime = (!image.has_holes()).then_some(mtime);
                let quiet = !created && !covers && mode == Mode::Persistent;
                if !created {
                    self.unchanged(image, mtime, "after looking")?;
                }
                store.close().map_err(|e| format!("close: {e}"))?;
                if quiet {
                    self.unchanged(image, mtime, "after looking and closing")?;
                }
                Ok(!quiet)
            }
        }
    }

    fn wrong_mode(&mut self, mode: Mode, boot: [u8; 16]) -> Step {
        match self.open(&OpenOptions { create: false, mode, ..options(boot) }) {
            Err(e) => check_error("open in the other mode", &e, AT_OPEN),
            Ok((store, _)) => store.close().map_err(|e| format!("close: {e}")),
        }
    }

    fn change(
        &mut self,
        image: &Image,
        layout: &Layout,
        ids: &BTreeSet<u32>,
        mode: Mode,
        boot: [u8; 16],
    ) -> Step {
        // After a machine crash, one way and the other.
        let keep_unsynced = image.bytes.iter().fold(0, |a, b| a ^ b) & 1 == 0 && mode == Mode::Persistent;
        let how = OpenOptions { create: false, mode, keep_unsynced, ..options(boot) };
        let Ok((store, created)) = self.open(&how) else { return Ok(()) };
        let faults = verify(&store)?;
        let before = look(&store, &self.file, layout, ids)?;
        let covers = covers_at_close(&store)?;
        let mut refusals = BTreeSet::new();
        let accepted = some_changes(&store, &faults, &mut refusals)?;
        self.changed += u64::from(accepted);
        let mut gone = before.losers(&before.named());
        let now = look(&store, &self.file, layout, ids)?;
        if let Some(what) = before.lost(&now, &gone) {
            return Err(format!("after new objects: {what}"));
        }
        end_old_objects(&store, &before, &mut gone)?;
        let now = look(&store, &self.file, layout, ids)?;
        if let Some(what) = before.lost(&now, &gone) {
            return Err(format!("after old objects were destroyed: {what}"));
        }
        if let Err(e) = store.compact(&mut |_, _| true) {
            check_error("compact", &e, AT_CHANGE)?;
        }
        let now = look(&store, &self.file, layout, ids)?;
        if let Some(what) = before.lost(&now, &gone) {
            return Err(format!("after compaction: {what}"));
        }
        let left = verify(&store)?;
        if faults.is_empty() && !left.is_empty() {
            return Err(format!("no faults before the changes, and then {left:?}"));
        }
        store.close().map_err(|e| format!("close after changes: {e}"))?;
        if !accepted {
            // A store without room takes the first change and finds out then.
            let refused = !refusals.contains(Code::NoSpace.as_str());
            if refused && !created && !covers && mode == Mode::Persistent {
                let what =
                    image.difference(&self.file, &mut self.buf).map_err(|e| format!("the bench: {e}"))?;
                if let Some(what) = what {
                    return Err(format!("every change was refused, yet: {what}"));
                }
            }
            return Ok(());
        }
        if mode == Mode::Scratch {
            return Ok(());
        }
        for (boot, read_only) in [(boot, false), (if boot == BOOT { OTHER_BOOT } else { BOOT }, true)] {
            let (store, _) = self
                .open(&OpenOptions { read_only, create: false, ..options(boot) })
                .map_err(|e| format!("open again after changes: {e}"))?;
            let now = look(&store, &self.file, layout, ids)?;
            if let Some(what) = before.lost(&now, &gone) {
                return Err(format!("opened again after changes: {what}"));
            }
            let left = verify(&store)?;
            if faults.is_empty() && !left.is_empty() {
                return Err(format!("opened again after changes: {left:?}"));
            }
            store.close().map_err(|e| format!("close again: {e}"))?;
        }
        Ok(())
    }
}

fn interesting(hostile: &Hostile, layout: &Layout, depth: Depth) -> BTreeSet<u32> {
    let all = layout.used.min(4096);
    if depth == Depth::Change || all <= 16 {
        return (0..=all).collect();
    }
    let mut ids: BTreeSet<u32> = hostile.touched.iter().copied().collect();
    ids.extend([0, 1, all / 2, all - 1]);
    ids
}

fn covers_at_close(store: &Store) -> Step<bool> {
    Ok(!store.info().map_err(|e| format!("info: {e}"))?.was_clean)
}

fn verify(store: &Store) -> Step<Vec<Fault>> {
    Ok(store.verify_payloads().map_err(|e| format!("verify: {e}"))?.faults)
}

/// Faults of records, not of a superblock copy that the other stands in for.
fn faults_are_damage(faults: &[Fault]) -> bool {
    faults.iter().any(|f| f.place != "superblock")
}

/// What is refused to a reader is a fault, and a store without faults refuses nothing.
fn agree(shown: &Shown, faults: &[Fault]) -> Step {
    const MANY: usize = 1000;
    if faults.len() >= MANY {
        return Ok(());
    }
    let named: BTreeSet<u32> = faults.iter().filter_map(|f| f.id).collect();
    let damaged = shown.refused.iter().filter(|(_, c)| **c == Code::Corrupt).map(|(id, _)| *id);
    let is_refused = |o: &Object| o.name.is_err() || o.elements == Err(Code::Corrupt);
    let unnamed = shown.objects.iter().filter(|(_, o)| is_refused(o)).map(|(id, _)| *id);
    for id in damaged.chain(unnamed) {
        if !named.contains(&id) {
            return Err(format!("record {id} is refused, verify says nothing of it: {faults:?}"));
        }
    }
    if shown.names.is_none() && !faults_are_damage(faults) {
        return Err("names() is refused, verify finds nothing".into());
    }
    Ok(())
}

fn outcome<T>(doing: &str, r: Result<T, Error>, faults: &[Fault]) -> Step<Option<T>> {
    match r {
        Ok(v) => Ok(Some(v)),
        Err(e) => {
            if std::env::var_os("HOSTILE_TELL").is_some() {
                println!("{doing}: {e}");
            }
            check_error(doing, &e, AT_CHANGE)?;
            if e.code() == Code::Corrupt && !faults_are_damage(faults) {
                return Err(format!("{doing}: {e}; verify finds nothing"));
            }
            Ok(None)
        }
    }
}

/// New objects: unnamed, named, long, replacing, renamed, destroyed; whether any change was taken.
fn some_changes(store: &Store, faults: &[Fault], refusals: &mut BTreeSet<&'static str>) -> Step<bool> {
    let new = |n: usize, name: Option<&str>, replace| {
        store.put(Dtype::Raw, n as u64, &elements_of(n as u32, n), name, replace)
    };
    let mut made: Vec<(Handle, usize)> = Vec::new();
    for (n, name, replace) in [
        (10, None, false),
        (300, Some("hostile new"), false),
        (40_000, None, false),
        (70, Some("hostile new"), true),
        (5, Some("hostile other"), false),
    ] {
        let new = new(n, name, replace);
        refusals.extend(new.as_ref().err().map(|e| e.code().as_str()));
        made.extend(outcome("create", new, faults)?.map(|h| (h, n)));
    }
    let accepted = !made.is_empty();
    outcome("sync", store.sync(), faults)?;
    if let Some((h, _)) = made.last_mut()
        && let Some(old) = outcome("open", store.open_name("hostile other"), faults)?
    {
        drop(old);
        outcome("rename", store.rename(h, Some("hostile renamed"), false), faults)?;
        outcome("rename", store.rename(h, None, false), faults)?;
    }
    if let Some((h, _)) = made.first()
        && store.mode() == Mode::Persistent
    {
        outcome("sync one", store.sync_object(h), faults)?;
    }
    if made.len() > 1 {
        let (h, _) = made.remove(1);
        if h.state() == rfmalloc_core::ObjectState::Committed {
            outcome("destroy", store.destroy(&h, false), faults)?;
        }
    }
    for (h, n) in &made {
        if h.state() != rfmalloc_core::ObjectState::Committed {
            continue;
        }
        let pin = h.pin(0, *n as u64).map_err(|e| format!("read a new object: {e}"))?;
        // SAFETY: the pin keeps the bytes mapped; nobody else has this file open.
        let bytes = unsafe { std::slice::from_raw_parts(pin.ptr(), *n) };
        if bytes != elements_of(*n as u32, *n) {
            return Err(format!("a new object of {n} bytes reads otherwise than it was written"));
        }
    }
    Ok(accepted)
}

/// Some of the old objects are renamed and destroyed, one way and another; `gone` gets what may differ from now on.
fn end_old_objects(store: &Store, before: &Shown, gone: &mut BTreeSet<u32>) -> Step {
    let faults = verify(store)?;
    let all: Vec<_> = before.objects.iter().filter(|(id, _)| !gone.contains(id)).collect();
    for (i, (id, o)) in all.iter().step_by(all.len().div_ceil(6).max(1)).enumerate() {
        let Some(mut h) = outcome("open", store.open_id(u64::from(**id), u64::from(o.generation)), &faults)?
        else {
            continue;
        };
        if i % 3 == 0 {
            gone.insert(**id);
            let name = (i % 2 == 0).then(|| format!("moved {i}"));
            outcome("rename", store.rename(&mut h, name.as_deref(), false), &faults)?;
        }
        if i % 3 == 1 {
            // What it shows stays, and so does what it is called.
            outcome("seal", store.seal(&mut h), &faults)?;
        }
        if i % 2 == 0 {
            gone.insert(**id);
            outcome("destroy", store.destroy(&h, i % 4 == 0), &faults)?;
            drop(h);
            outcome("create", store.put(Dtype::Raw, 3000, &elements_of(9, 3000), None, false), &faults)?;
        }
    }
    outcome("sync", store.sync(), &faults)?;
    outcome("create", store.put(Dtype::Raw, 9000, &elements_of(8, 9000), Some("last"), true), &faults)?;
    Ok(())
}
