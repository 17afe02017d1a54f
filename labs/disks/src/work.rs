//! The workload that does everything a store can do, and after every act that fails asks whether the promises hold.
//!
//! An act either succeeds; or is refused, and then nothing has changed and it succeeds when tried again; or poisons the store, and then
//! further changes are refused, reading goes on, and the next open finds at least what a sync covered.

use crate::inject::quietly;
use crate::model::{After, Model, bytes};
use rfmalloc_core::{Code, Dtype, Error, Handle, MappedFile, OpenOptions, PageAdvice, Result, Store, Vector};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What the workload begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// No file.
    Nothing,
    /// An empty file, to be initialised in place.
    Empty,
    /// What a process killed in this boot has left.
    Killed,
    /// What the machine's crash has left.
    Crashed,
}

impl Start {
    pub(crate) const ALL: [Self; 4] = [Self::Nothing, Self::Empty, Self::Killed, Self::Crashed];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Empty => "empty",
            Self::Killed => "killed",
            Self::Crashed => "crashed",
        }
    }
}

/// What is expected of errors.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent allowances")]
pub(crate) struct Expect {
    /// Failures planned; an act may be tried again that often.
    pub(crate) failures: usize,
    /// Only interruptions were planned: nothing may be noticed of them.
    pub(crate) unnoticed: bool,
    /// A failing munmap leaks by its nature.
    pub(crate) may_leak_maps: bool,
    /// So does a failing unlink leave its file.
    pub(crate) may_leave_litter: bool,
    /// Full disks: later acts may fail as well, so refusals are not tried again.
    pub(crate) keeps_failing: bool,
    /// The disk may have no room to rewrite a page of the mapping: then the page is lost, and the store takes nothing more until it is opened again.
    pub(crate) may_lose_pages: bool,
    /// The system was made to say that a name exists.
    pub(crate) may_exist: bool,
}

pub(crate) struct Work {
    dir: PathBuf,
    pub(crate) path: PathBuf,
    pub(crate) options: OpenOptions,
    pub(crate) model: Model,
    pub(crate) store: Option<Store>,
    pub(crate) expect: Expect,
    /// Without the parts that do not depend on how the store begins.
    pub(crate) is_short: bool,
    /// What went wrong.
    pub(crate) found: Vec<String>,
    /// Codes of the errors the acts gave.
    pub(crate) errors: Vec<Error>,
    context: String,
    /// An open was refused for want of space on a disk where even that may take some; as what the next one is to be judged.
    refused: Option<After>,
}

const MIB: u64 = 1 << 20;

impl Work {
    pub(crate) fn new(dir: &Path, expect: Expect) -> Self {
        Self {
            dir: dir.to_owned(),
            path: dir.join("a.fm"),
            options: OpenOptions { sync_every: None, ..OpenOptions::default() },
            model: Model::default(),
            store: None,
            expect,
            is_short: false,
            found: Vec::new(),
            errors: Vec::new(),
            context: String::new(),
            refused: None,
        }
    }

    pub(crate) fn wrong(&mut self, what: impl std::fmt::Display) {
        if self.found.len() < 20 {
            let mut text = format!("{}: {what}", self.context);
            text.truncate(1500);
            self.found.push(text);
        }
    }

    fn all_wrong(&mut self, what: Vec<String>) {
        for w in what {
            self.wrong(w);
        }
    }

    pub(crate) fn during(&mut self, what: &str) {
        what.clone_into(&mut self.context);
    }

    /// Looks whether an error says what, where and what to do.
    fn note(&mut self, e: Error) {
        let has = |key| e.details().iter().any(|(k, _)| *k == key);
        let is_known = matches!(e.code(), Code::Io | Code::NoSpace | Code::Poisoned);
        if !(is_known || self.expect.may_exist && e.code() == Code::Exists) {
            self.wrong(format!("error of the wrong code: {e}"));
        }
        if !has("path") {
            self.wrong(format!("the error does not say where: {e} {:?}", e.details()));
        }
        if !e.message().contains(';') {
            self.wrong(format!("the error does not say what to do: {e}"));
        }
        if self.expect.unnoticed {
            self.wrong(format!("an interruption was noticed: {e}"));
        }
        self.errors.push(e);
    }

    /// Opens the store, again if a failure was planned for it; then everything must be there.
    pub(crate) fn open(&mut self, after: After) {
        let after = self.refused.take().unwrap_or(after);
        for _ in 0..=self.expect.failures {
            match Store::open(&self.path, &self.options) {
                Ok(opened) => {
                    self.store = Some(opened.store);
                    break;
                }
                Err(e) => {
                    self.note(e);
                    self.check_no_litter(false);
                }
            }
        }
        let Some(store) = &self.store else {
            match self.errors.last() {
                Some(e) if self.expect.may_lose_pages && e.code() == Code::NoSpace => {
                    self.refused = Some(after);
                }
                other => self.wrong(format!("the store cannot be opened: {other:?}")),
            }
            return;
        };
        let wrong = quietly(|| self.model.check(store, after));
        let sound = wrong.is_empty();
        self.all_wrong(wrong);
        if after != After::Nothing
            && sound
            && let Some(store) = &self.store
            && let Err(e) = quietly(|| self.model.adopt(store, after))
        {
            self.wrong(e);
        }
    }

    /// One act: see the file's head. `told` tells the model, with whether the outcome is sure.
    pub(crate) fn act<T>(
        &mut self,
        what: &str,
        run: impl Fn(&Store) -> Result<T>,
        told: impl Fn(&mut Model, bool),
    ) -> Option<T> {
        self.during(what);
        for _ in 0..=self.expect.failures {
            let store = self.store.as_ref()?;
            match run(store) {
                Ok(done) => {
                    told(&mut self.model, true);
                    return Some(done);
                }
                Err(e) => {
                    self.note(e);
                    if quietly(|| self.store.as_ref()?.info().ok()).is_none_or(|i| i.poisoned) {
                        told(&mut self.model, false);
                        self.poisoned();
                        return None;
                    }
                    self.check_now();
                    if self.expect.keeps_failing {
                        return None;
                    }
                }
            }
        }
        self.wrong("it still fails");
        None
    }

    /// Everything is there, and verify finds nothing.
    pub(crate) fn check_now(&mut self) {
        let Some(store) = &self.store else { return };
        let mut wrong = quietly(|| self.model.check(store, After::Nothing));
        match quietly(|| store.verify()) {
            Ok(report) => wrong.extend(report.faults.iter().map(|f| format!("verify: {f:?}"))),
            Err(e) => wrong.push(format!("verify: {e}")),
        }
        self.all_wrong(wrong);
    }

    /// A sync has failed: no changes, but reading; then a new open as after a machine crash. Or a page was lost: then the catalog is not shown
    /// either, and if no sync has failed besides, the next open is as after the death of the process.
    fn poisoned(&mut self) {
        let Some(store) = self.store.take() else { return };
        self.errors.push(Error::new(Code::Poisoned, "the store is poisoned"));
        let has_lost = self.expect.may_lose_pages
            && quietly(|| store.allocations()).is_err_and(|e| e.code() == Code::Poisoned);
        let look = || if has_lost { Vec::new() } else { self.model.check(&store, After::Nothing) };
        let wrong = quietly(|| {
            let mut wrong = look();
            let mut must_refuse = |act: &str, r: Result<()>| match r {
                Err(e) if e.code() == Code::Poisoned => {}
                other => wrong.push(format!("poisoned, but {act} gives {other:?}")),
            };
            must_refuse("put", put(&store, 999_999, 0, 64, Some("poison"), false).map(drop));
            must_refuse("reserve", store.reserve(Dtype::Integer, 10, true).map(drop));
            must_refuse("sync", store.sync());
            let names = self.model.names();
            if let Some(Ok(Some(mut h))) = names.first().map(|n| store.open_name(n)) {
                must_refuse("rename", store.rename(&mut h, Some("poison"), false));
                must_refuse("destroy", store.destroy(&h, false).map(drop));
                must_refuse("sync of an object", store.sync_object(&h));
            }
            wrong.extend(look());
            wrong
        });
        self.all_wrong(wrong);
        if let Err(e) = store.close() {
            self.note(e);
        }
        drop(store);
        let is_loss_alone = has_lost && !quietly(|| is_marked_poisoned(&self.path));
        self.open(if is_loss_alone { After::Loss } else { After::Crash });
    }

    /// Closes the store; everything must be on the disk, or the error says otherwise.
    pub(crate) fn close(&mut self) -> After {
        self.during("close");
        let Some(store) = self.store.take() else { return After::Nothing };
        let closed = store.close();
        drop(store);
        match closed {
            Ok(()) => {
                self.model.synced();
                After::Nothing
            }
            Err(e) => {
                self.note(e);
                if quietly(|| is_marked_poisoned(&self.path)) {
                    After::Crash
                } else if self.expect.may_lose_pages {
                    After::Loss
                } else {
                    After::Nothing
                }
            }
        }
    }

    pub(crate) fn put(&mut self, name: Option<&str>, nbytes: u64, replace: bool) -> Option<u32> {
        let tag = self.model.next_tag();
        let what = format!("put {name:?}, {nbytes} bytes, replace {replace}");
        self.act(
            &what,
            |s| put(s, tag, 0, nbytes, name, replace),
            |m, sure| m.created(tag, nbytes, name, sure),
        )?;
        Some(tag)
    }

    /// Reserve, write, commit: in three acts.
    pub(crate) fn reserve_and_commit(
        &mut self,
        name: Option<&str>,
        nbytes: u64,
        replace: bool,
    ) -> Option<u32> {
        let tag = self.model.next_tag();
        let mut handle = self.act(
            &format!("reserve {nbytes} bytes"),
            |s| s.reserve(Dtype::Integer, nbytes / 4, false),
            |_, _| {},
        )?;
        self.during("write into a temporary");
        if let Err(e) = write(&handle, &bytes(tag, 0, nbytes)) {
            self.note(e);
        }
        let handle = std::cell::RefCell::new(&mut handle);
        self.act(
            &format!("commit {name:?}"),
            |s| s.commit(&mut handle.borrow_mut(), name, replace),
            |m, sure| m.created(tag, nbytes, name, sure),
        )?;
        Some(tag)
    }

    pub(crate) fn rename(&mut self, from: &str, to: Option<&str>, replace: bool) {
        let Some(tag) = self.model.named(from) else { return };
        self.act(
            &format!("rename {from} to {to:?}"),
            |s| match s.open_name(from)? {
                Some(mut h) => s.rename(&mut h, to, replace),
                None => Err(Error::new(Code::Internal, "the lab finds no such name")),
            },
            |m, sure| m.renamed(tag, to, sure),
        );
    }

    pub(crate) fn destroy(&mut self, name: &str, at_once: bool) {
        let Some(tag) = self.model.named(name) else { return };
        self.act(
            &format!("destroy {name}, at once {at_once}"),
            |s| match s.open_name(name)? {
                Some(h) => s.destroy(&h, at_once),
                None => Err(Error::new(Code::Internal, "the lab finds no such name")),
            },
            |m, sure| m.destroyed(tag, sure, at_once),
        );
    }

    /// Sealed or not, the elements are the same.
    pub(crate) fn seal(&mut self, name: &str) {
        if self.model.named(name).is_none() {
            return;
        }
        self.act(
            &format!("seal {name}"),
            |s| match s.open_name(name)? {
                Some(mut h) => s.seal(&mut h),
                None => Err(Error::new(Code::Internal, "the lab finds no such name")),
            },
            |_, _| {},
        );
    }

    pub(crate) fn overwrite(&mut self, name: &str) {
        let Some(tag) = self.model.named(name) else { return };
        let (version, nbytes) = (self.model.version(tag) + 1, self.model.nbytes(tag));
        self.act(
            &format!("write elements of {name}"),
            |s| match s.open_name(name)? {
                Some(h) => write(&h, &bytes(tag, version, nbytes)),
                None => Err(Error::new(Code::Internal, "the lab finds no such name")),
            },
            |m, _| m.wrote(tag, version),
        );
    }

    pub(crate) fn sync(&mut self) {
        self.act("sync", Store::sync, |m, sure| {
            if sure {
                m.synced();
            }
        });
    }

    fn sync_object(&mut self, name: &str) {
        let Some(tag) = self.model.named(name) else { return };
        self.act(
            &format!("sync of {name}"),
            |s| match s.open_name(name)? {
                Some(h) => s.sync_object(&h),
                None => Ok(()),
            },
            |m, sure| {
                if sure {
                    m.hardened(tag);
                }
            },
        );
    }

    /// Nothing but the store's own files in the folder. A file of a failed creation is no store to be found.
    pub(crate) fn check_litter(&mut self) {
        self.check_no_litter(true);
    }

    fn check_no_litter(&mut self, at_end: bool) {
        let names: Vec<String> = quietly(|| {
            fs::read_dir(&self.dir)
                .map(|d| d.flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect())
                .unwrap_or_default()
        });
        for name in names.iter().filter(|n| n.starts_with('.')) {
            if !(self.expect.may_leave_litter || !at_end && self.store.is_some()) {
                self.wrong(format!("a temporary file is left over: {name}"));
            }
        }
    }

    /// Makes the file the workload starts from; nothing fails yet.
    pub(crate) fn prepare(&mut self, start: Start) {
        self.during("preparation");
        match start {
            Start::Nothing => {}
            Start::Empty => drop(fs::File::create(&self.path)),
            Start::Killed | Start::Crashed => {
                for i in 0..20 {
                    if i == 0 {
                        self.open(After::Nothing);
                    }
                    self.put(Some(&format!("old{i}")), 64 + 8 * i, false);
                }
                self.put(Some("oldbig"), 300_000, false);
                self.sync();
                // Not covered by a sync: changes of what is, deaths, a replacement, a body of its own, in-place elements.
                self.rename("old1", Some("old1b"), false);
                self.rename("old2", Some("old2b"), false);
                self.rename("old2b", Some("old2c"), false);
                self.destroy("old3", false);
                self.put(Some("old4"), 128, true);
                self.put(Some("new1"), 200, false);
                self.sync_object("new1");
                self.rename("new1", Some("new1b"), false);
                self.put(Some("new2"), 40_000, false);
                let image = self.dir.join("image");
                if let Err(e) = fs::copy(&self.path, &image) {
                    self.wrong(e);
                }
                if let Some(store) = self.store.take() {
                    let _ = store.close();
                }
                let _ = fs::rename(&image, &self.path);
                if start == Start::Crashed {
                    self.options.boot_id = Some([0xcc; 16]);
                }
            }
        }
    }

    /// All of it.
    pub(crate) fn everything(&mut self, start: Start) {
        self.during("open");
        self.open(if start == Start::Crashed { After::Crash } else { After::Nothing });
        if start == Start::Crashed {
            self.model.synced();
        }
        self.objects();
        if !self.is_short {
            self.many();
        }
        let after = self.close();
        self.during("open again");
        self.open(after);
        if !self.is_short {
            self.growth();
        }
        let after = self.close();
        self.read_only(after);
        if !self.is_short {
            self.background();
            self.scratch();
            self.foreign_file();
        }
        self.during("the end");
        self.options.read_only = false;
        quietly(|| {
            self.expect.failures = 0;
            self.open(After::Nothing);
            self.check_now();
            self.close();
        });
        self.check_no_litter(true);
    }

    /// Every change there is, on small and large objects.
    fn objects(&mut self) {
        self.put(Some("a"), 64, false);
        self.put(None, 100, false);
        self.put(Some("big"), 600_000, false);
        self.put(Some("b"), 5_000, false);
        self.reserve_and_commit(Some("t"), 200_000, false);
        self.reserve_and_commit(None, 12, false);
        self.act("drop a temporary", |s| s.reserve(Dtype::Numeric, 100_000, true).map(drop), |_, _| {});
        self.sync();
        self.rename("a", Some("a2"), false);
        self.rename("a2", Some("a3"), false);
        self.rename("b", None, false);
        self.overwrite("big");
        self.put(Some("a3"), 64, true);
        self.sync_object("a3");
        self.rename("a3", Some("a4"), false);
        self.sync_object("a4");
        self.put(Some("big"), 700_000, true);
        self.reserve_and_commit(Some("t"), 30_000, true);
        self.sync();
        self.put(Some("c"), 24_000, false);
        self.put(Some("d"), 24_000, false);
        self.sync_object("c");
        self.rename("d", Some("c"), true);
        self.destroy("t", false);
        self.put(Some("e"), 1_000, false);
        self.sync_object("e");
        self.destroy("e", true);
        self.put(Some("e"), 1_000, false);
        self.destroy("e", false);
        self.put(Some("sealed"), 3_000_000, false);
        self.seal("sealed");
        self.rename("sealed", Some("sealed2"), false);
        self.put(Some("sealed3"), 64, false);
        self.seal("sealed3");
        self.act("verify", |s| s.verify_payloads().map(drop), |_, _| {});
        self.act("start of write-back", Store::start_writeback, |_, _| {});
        self.advice("big");
        self.act(
            "sync of all stores",
            |s| {
                rfmalloc_core::sync_all_stores();
                s.info().map(drop)
            },
            |_, _| {},
        );
        self.overwrite("big");
        self.sync();
    }

    /// More slots than the first catalog segment has, so a new one; and many deaths.
    fn many(&mut self) {
        for i in 0..520 {
            self.put(Some(&format!("n{i}")), 64, false);
        }
        self.sync_object("n519");
        for i in 0..100 {
            self.destroy(&format!("n{i}"), i % 10 == 0);
        }
        self.sync();
    }

    fn advice(&mut self, name: &str) {
        self.act(
            "advice and reading ahead",
            |s| {
                let Some(handle) = s.open_name(name)? else { return Ok(()) };
                let v = Vector::Object(handle);
                let n = v.len() * v.dtype().width();
                v.advise(0, n, PageAdvice::Sequential)?;
                v.advise(0, n, PageAdvice::WillNeed)?;
                v.prefetching(0, n)?.run()
            },
            |_, _| {},
        );
    }

    /// Growth by steps and by one large request, the reuse of what was freed, and a tail to trim.
    fn growth(&mut self) {
        for i in 0..3 {
            self.put(Some(&format!("g{i}")), 3 * MIB, false);
        }
        self.act("reserve zeroed", |s| s.reserve(Dtype::Raw, 3 * MIB, true).map(drop), |_, _| {});
        self.sync();
        self.destroy("g1", false);
        self.destroy("g2", false);
        self.sync();
        // Zeroed anew by the file system.
        self.act("reserve zeroed again", |s| s.reserve(Dtype::Raw, 2 * MIB, true).map(drop), |_, _| {});
        // Where the sync of its end failed, the old one may be there again.
        self.reserve_and_commit(Some("g1"), 2 * MIB, true);
        for i in 20..60 {
            self.destroy(&format!("n{i}"), false);
        }
        self.act("compact", |s| s.compact(&mut |_, _| true), |_, _| {});
        let copy = self.dir.join("c.fm");
        self.act("copy", |s| s.compact_to(&copy, &mut |_, _| true), |_, _| {});
        self.check_copy(&copy);
        self.replace_itself();
        self.put(Some("tail"), 2 * MIB, false);
        self.destroy("tail", false);
    }

    /// A copy has all there is.
    fn check_copy(&mut self, copy: &Path) {
        self.during("look at the copy");
        let wrong = quietly(|| match Store::open(copy, &self.options) {
            Ok(opened) => self.model.check(&opened.store, After::Nothing),
            Err(e) => vec![e.to_string()],
        });
        // A copy of a store that a failed sync closed meanwhile was not made.
        if copy.exists() || self.errors.is_empty() {
            self.all_wrong(wrong);
        }
        let _ = quietly(|| fs::remove_file(copy));
    }

    /// A dense copy takes the place of the store's file, which closes the store.
    fn replace_itself(&mut self) {
        self.during("replace the store by its copy");
        for _ in 0..=self.expect.failures {
            let Some(store) = &self.store else { return };
            let path = self.path.clone();
            let done = store.compact_to(&path, &mut |_, _| true);
            let told = done.is_err();
            if let Err(e) = done {
                self.note(e);
            }
            if self.store.as_ref().is_some_and(|s| !s.is_closed()) {
                if quietly(|| self.store.as_ref()?.info().ok()).is_none_or(|i| i.poisoned) {
                    self.poisoned();
                    continue;
                }
                self.check_now();
                if !told {
                    self.wrong("it was replaced and is open");
                }
                continue;
            }
            self.store = None;
            if !told {
                self.model.synced();
            }
            self.during("open the copy in the store's place");
            self.open(After::Nothing);
            return;
        }
        self.wrong("it still fails");
    }

    fn read_only(&mut self, after: After) {
        self.during("open read-only");
        self.options.read_only = true;
        self.open(after);
        let pin = self.act(
            "pin, read-only",
            |s| match s.open_name("big")? {
                Some(h) => {
                    s.verify()?;
                    h.pin(0, h.facts().nbytes).map(Some)
                }
                None => Ok(None),
            },
            |_, _| {},
        );
        if let Some(store) = self.store.take() {
            self.during("close read-only, with a buffer out");
            if let Err(e) = store.close() {
                self.note(e);
            }
        }
        if let Some(Some(pin)) = pin {
            // SAFETY: a pin's memory stays readable after the close.
            let first = unsafe { pin.ptr().read_volatile() };
            if first != 0 {
                self.wrong("a view of a closed store reads something");
            }
        }
        self.options.read_only = false;
    }

    /// A commit with the background thread on, and what it syncs.
    fn background(&mut self) {
        let (path, model) = (self.path.clone(), std::mem::take(&mut self.model));
        self.path = self.dir.join("b.fm");
        self.options.sync_every = Some(Duration::ZERO);
        self.during("open with a background thread");
        self.open(After::Nothing);
        self.put(Some("x"), 64, false);
        let waited = self.store.as_ref().map(|s| {
            let begun = Instant::now();
            loop {
                match quietly(|| s.info()) {
                    Ok(i) if i.synced_seq == 0 && !i.poisoned && begun.elapsed() < Duration::from_secs(1) => {
                        std::thread::yield_now();
                    }
                    other => break other.is_ok_and(|i| i.poisoned),
                }
            }
        });
        if waited == Some(true) {
            self.during("a background sync that failed");
            self.poisoned();
        }
        self.put(Some("y"), 64, false);
        let after = self.close();
        self.during("open for full durability");
        self.options.full = true;
        self.open(after);
        for i in 0..4 {
            self.put(Some("z"), 64 << (3 * i), i > 0);
        }
        self.rename("z", Some("y"), true);
        self.destroy("x", false);
        let after = self.close();
        (self.options.sync_every, self.options.full) = (None, false);
        quietly(|| {
            self.open(after);
            self.close();
        });
        (self.path, self.model) = (path, model);
    }

    fn scratch(&mut self) {
        self.during("an anonymous scratch store");
        for _ in 0..=self.expect.failures {
            let made = Store::anonymous(&self.dir, &self.options).and_then(|s| {
                let mut h = s.reserve(Dtype::Integer, 500_000, true)?;
                s.commit(&mut h, Some("s"), false)?;
                let big = s.reserve(Dtype::Numeric, 1_000_000, false)?;
                s.destroy(&h, false)?;
                drop(big);
                s.close()
            });
            match made {
                Ok(()) => return,
                Err(e) => {
                    self.note(e);
                    self.check_no_litter(true);
                }
            }
        }
        self.wrong("it still fails");
    }

    fn foreign_file(&mut self) {
        self.during("a foreign file, mapped");
        let path = self.dir.join("foreign.bin");
        if let Err(e) = quietly(|| fs::write(&path, [1u8; 4096])) {
            self.wrong(e);
        }
        for _ in 0..=self.expect.failures {
            let mapped = MappedFile::open(&path, Dtype::Raw, None, false).and_then(|m| m.flush());
            match mapped {
                Ok(()) => return,
                Err(e) => self.note(e),
            }
        }
        self.wrong("it still fails");
    }
}

fn put(s: &Store, tag: u32, version: u32, nbytes: u64, name: Option<&str>, replace: bool) -> Result<Handle> {
    s.put(Dtype::Integer, nbytes / 4, &bytes(tag, version, nbytes / 4 * 4), name, replace)
}

/// Writes all elements as a view does.
pub(crate) fn write(h: &Handle, content: &[u8]) -> Result<()> {
    let pin = h.pin(0, content.len() as u64)?;
    // SAFETY: the pin covers that many bytes, and nobody else writes them.
    unsafe { std::ptr::copy_nonoverlapping(content.as_ptr(), pin.ptr(), content.len()) };
    Ok(())
}

/// The poison mark of the newer superblock copy (`docs/FORMAT.md`, "Superblock").
fn is_marked_poisoned(path: &Path) -> bool {
    let Ok(b) = fs::read(path) else { return false };
    let copy = |off: usize| {
        let seq = u64::from_le_bytes(b.get(off + 64..off + 72)?.try_into().ok()?);
        let state = u32::from_le_bytes(b.get(off + 108..off + 112)?.try_into().ok()?);
        Some((seq, state & 4 != 0))
    };
    [copy(0), copy(16_384)].into_iter().flatten().max().is_some_and(|c| c.1)
}
