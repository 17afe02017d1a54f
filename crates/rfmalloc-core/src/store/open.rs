//! Opening: options, the lock, whose file it is. Creation is in `creation`, the checks before a file is believed in `load`.
//!
//! Opening writes nothing to an existing file.

use super::creation::{CREATION_NBYTES, create, initialise, is_unfinished};
use super::load::load;
use super::{Shared, Store};
use crate::error::{Code, Error, Result};
use crate::format::superblock;
use crate::platform;
use crate::registry::{self, Key};
use crate::seam::Observer;
use rustix::fs::FlockOperation;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What a store keeps over its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Objects stay in the file.
    Persistent,
    /// Objects live as long as their handles; the file is emptied at every open and close.
    Scratch,
}

impl Mode {
    pub(super) fn code(self) -> u32 {
        match self {
            Self::Persistent => superblock::MODE_PERSISTENT,
            Self::Scratch => superblock::MODE_SCRATCH,
        }
    }

    /// As the API spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Persistent => "persistent",
            Self::Scratch => "scratch",
        }
    }
}

/// How to open a store.
#[derive(Clone)]
#[expect(clippy::struct_excessive_bools, reason = "independent options, each documented")]
pub struct OpenOptions {
    /// Must be the file's; a new file gets it.
    pub mode: Mode,
    /// Fixed capacity in bytes for a new file; ignored for an existing one.
    pub capacity: Option<u64>,
    /// The file may grow to this many bytes; default: the reserved address space.
    pub max_size: Option<u64>,
    /// Shared lock, private mapping.
    pub read_only: bool,
    /// Whether a missing file is created.
    pub create: bool,
    /// Time from an unsynced commit to the background sync; `None`: no background sync and none at exit.
    pub sync_every: Option<Duration>,
    /// Every commit, change and death is on stable storage when its call returns. Any opener of the process can ask for it; it then holds
    /// for all of them as long as the file is open.
    pub full: bool,
    /// After a machine crash: keep what no sync covered, where it is whole.
    pub keep_unsynced: bool,
    /// How long to wait for another holder of the file's lock; blocks the thread. `Duration::MAX`: for ever.
    pub lock_timeout: Duration,
    /// A page of the file that cannot be had any more (somebody truncates it, the medium fails) is an error; otherwise it ends the process
    /// by SIGBUS. The environment variable `RFMALLOC_SIGBUS=off`, read at the process's first open, wins over `true`.
    pub contain: bool,
    /// Watches durable writes and barriers, for tests.
    pub observer: Option<Arc<dyn Observer>>,
    /// Stands in for the machine's boot id, for tests of machine crashes.
    pub boot_id: Option<[u8; 16]>,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            mode: Mode::Persistent,
            capacity: None,
            max_size: None,
            read_only: false,
            create: true,
            sync_every: Some(Duration::from_secs(5)),
            full: false,
            keep_unsynced: false,
            lock_timeout: Duration::ZERO,
            contain: true,
            observer: None,
            boot_id: None,
        }
    }
}

/// An opened store, and whether this call made the file.
pub struct Opened {
    /// The handle.
    pub store: Store,
    /// The file was newly initialised.
    pub created: bool,
}

impl Store {
    /// Opens the file at `path`, creating it if it is missing and `create` says so. Threads of one process share one mapping.
    ///
    /// # Errors
    /// `NOT_FOUND`, `LOCKED` (another holder, also after `lock_timeout`; `details.pid` where the system tells it), `MODE` (open or made in another mode),
    /// `NOT_A_STORE`, `CORRUPT`, `TRUNCATED`, `VERSION` (the file is left as it is), `NO_SPACE`, `IO`.
    ///
    /// ```
    /// use rfmalloc_core::{Dtype, OpenOptions, Store};
    /// let dir = tempfile::tempdir().unwrap();
    /// let path = dir.path().join("a.fm");
    /// let opened = Store::open(&path, &OpenOptions::default()).unwrap();
    /// let v = opened.store.create(Dtype::Integer, 2, &[1, 0, 0, 0, 2, 0, 0, 0], Some("v")).unwrap();
    /// assert_eq!(v.facts().len, 2);
    /// opened.store.close().unwrap();
    /// ```
    pub fn open(path: &Path, options: &OpenOptions) -> Result<Opened> {
        if path.as_os_str().is_empty() {
            return Err(Error::new(Code::Argument, "the file path is empty; pass the path of a file"));
        }
        if options.capacity.is_some_and(|c| c > superblock::MAX_CAPACITY) {
            return Err(Error::new(
                Code::Argument,
                format!("a fixed capacity is at most {} bytes", superblock::MAX_CAPACITY),
            ));
        }
        let mut patience = Patience::new(options.lock_timeout);
        // A concurrent creator or a file replaced under its path sends us round again; both end after a few rounds or never.
        let mut rounds = 0;
        while rounds < 100 {
            match try_open(path, options) {
                Ok(Some(opened)) => return Ok(opened),
                Ok(None) => rounds += 1,
                // Without any lock of ours meanwhile: the holder may be another copy of this library in the same process.
                Err(e) if e.code() == Code::Locked && patience.wait() => {}
                Err(e) => return Err(e.at(path)),
            }
        }
        Err(Error::new(
            Code::Io,
            format!(
                "cannot open '{}': the file keeps being replaced; see which process does it",
                path.display()
            ),
        )
        .at(path))
    }

    /// A scratch store in an unlinked file of `dir`: gone with its last handle.
    pub fn anonymous(dir: &Path, options: &OpenOptions) -> Result<Self> {
        let path = dir.join(format!(".rfmalloc-scratch-{}", uuid::Uuid::new_v4().simple()));
        let options = OpenOptions { mode: Mode::Scratch, create: true, read_only: false, ..options.clone() };
        let opened = Self::open(&path, &options);
        // Also after a failure, which may have come when the file was there already.
        let unlinked = fs::remove_file(&path);
        let opened = opened?;
        unlinked.map_err(|e| describe_io(&path, "unlink", &e))?;
        Ok(opened.store)
    }
}

/// Waiting for a lock by trying again: the system's blocking lock knows no time limit and could not be left again.
struct Patience {
    since: Instant,
    most: Duration,
    pause: Duration,
}

impl Patience {
    /// Most milliseconds between two tries: a lock that comes free is noticed about that fast.
    const LONGEST_PAUSE: Duration = Duration::from_millis(25);

    fn new(most: Duration) -> Self {
        Self { since: Instant::now(), most, pause: Duration::from_millis(1) }
    }

    /// Sleeps a little longer each time; false: the time is up.
    fn wait(&mut self) -> bool {
        let left = self.most.saturating_sub(self.since.elapsed());
        if left.is_zero() {
            return false;
        }
        std::thread::sleep(self.pause.min(left));
        self.pause = (self.pause * 2).min(Self::LONGEST_PAUSE);
        true
    }
}

pub(super) fn describe_io(path: &Path, act: &str, e: &io::Error) -> Error {
    let err = match e.kind() {
        io::ErrorKind::NotFound => Error::new(
            Code::NotFound,
            format!("cannot {act} '{}': no such file or directory; check the path", path.display()),
        ),
        _ => Error::io(format!("cannot {act} '{}'", path.display()), e),
    };
    err.with("path", path.display().to_string())
}

/// Of a refusal for want of space: how much was needed and how much there is where `at` lies.
pub(super) fn with_room(err: Error, nbytes: u64, at: &Path) -> Error {
    if err.code() != Code::NoSpace {
        return err;
    }
    let room = File::open(at).ok().and_then(|file| platform::room(&file));
    err.with("nbytes", nbytes).with("available", room.unwrap_or(0))
}

fn try_open(path: &Path, options: &OpenOptions) -> Result<Option<Opened>> {
    let opening = registry::opening();
    let file = match File::options().read(true).write(!options.read_only).open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound && options.create && !options.read_only => {
            return create(path, options, opening);
        }
        Err(e) => return Err(describe_io(path, "access", &e)),
    };
    let meta = file.metadata().map_err(|e| describe_io(path, "access", &e))?;
    if !meta.is_file() {
        return Err(Error::new(Code::Argument, format!("'{}' is not a regular file", path.display())));
    }
    let key = (meta.dev(), meta.ino());
    let (mut opening, open_already) = opening.find(key);
    if let Some(shared) = open_already {
        check_mode(&shared, options)?;
        shared.check_not_replacing()?;
        shared.ask_full(options.full);
        return Ok(Some(Opened { store: opening.open(shared), created: false }));
    }
    lock(&file, key, path, options.read_only)?;
    // The lock is on the file we opened; the path may name another one by now.
    if fs::metadata(path).map(|m| (m.dev(), m.ino())).ok() != Some(key) {
        return Ok(None);
    }
    let created = if is_unfinished(&file).map_err(|e| describe_io(path, "read the header of", &e))? {
        if options.read_only {
            return Err(Error::new(
                Code::NotAStore,
                format!("'{}' is empty; open it once without readOnly to initialise it", path.display()),
            ));
        }
        initialise(&file, options).map_err(|e| {
            let _ = file.set_len(0);
            with_room(describe_io(path, "create", &e), CREATION_NBYTES, path)
        })?;
        true
    } else {
        if let Some(o) = &options.observer {
            o.opened(&file);
        }
        false
    };
    let shared = load(file, key, path, options)?;
    if !options.read_only {
        super::copy::remove_leftover(&shared.path);
    }
    Ok(Some(Opened { store: opening.open(shared), created }))
}

fn check_mode(shared: &Shared, options: &OpenOptions) -> Result<()> {
    let (is, wanted) = (shared.read_only, options.read_only);
    if is != wanted {
        let word = |ro| if ro { "read-only" } else { "writable" };
        return Err(Error::new(
            Code::Mode,
            format!(
                "'{}' is open {} in this process; close it before opening it {}",
                shared.path.display(),
                word(is),
                word(wanted)
            ),
        ));
    }
    check_file_mode(shared.mode, options, &shared.path)
}

pub(super) fn check_file_mode(mode: Mode, options: &OpenOptions, path: &Path) -> Result<()> {
    if mode == options.mode {
        return Ok(());
    }
    Err(Error::new(
        Code::Mode,
        format!("'{}' is a {} store; open it with mode '{}'", path.display(), mode.name(), mode.name()),
    )
    .with("mode", mode.name()))
}

fn lock(file: &File, key: Key, path: &Path, shared: bool) -> Result<()> {
    let how =
        if shared { FlockOperation::NonBlockingLockShared } else { FlockOperation::NonBlockingLockExclusive };
    match platform::lock(file, how) {
        Ok(()) => Ok(()),
        Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
            let pid = platform::lock_holder(key.0, key.1);
            let who = pid.map_or_else(|| "another process".to_owned(), |p| format!("process {p}"));
            let err = Error::new(
                Code::Locked,
                format!(
                    "'{}' is in use by {who}; a store has one writer or many readers at a time",
                    path.display()
                ),
            )
            .with("path", path.display().to_string());
            Err(match pid {
                Some(p) => err.with("pid", p),
                None => err,
            })
        }
        Err(e) => Err(describe_io(path, "lock", &e)),
    }
}
