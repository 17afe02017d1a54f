//! Opening: options, creation, the checks before a file is believed, and the first picture of it.
//!
//! Opening writes nothing to an existing file. Creation is complete or absent: a new file is filled under no name and then linked; an
//! empty file is initialised in place, its superblocks last. A non-empty file without our magic is never touched.

use super::sync::{Background, Progress};
use super::{Inner, Shared, Store};
use crate::catalog::Catalog;
use crate::error::{Code, Error, Result};
use crate::format::superblock::{self, COPY_OFF, Fault, Superblock};
use crate::format::word::NameSeed;
use crate::format::{FILE_UNIT, HEADER_BYTES, segment};
use crate::mutants::planted;
use crate::platform;
use crate::platform::loss::Loss;
use crate::region::{Access, Region};
use crate::registry::{self, Key, Opening};
use crate::seam::{Event, Making, Observer, Seam, Watch, pass};
use crate::sync_types::{AtomicBool, Condvar, Mutex};
use rustix::fs::FlockOperation;
use std::collections::VecDeque;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
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
    fn code(self) -> u32 {
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

/// A new file's length: the header and the first catalog segment.
pub(crate) const CREATION_NBYTES: u64 = HEADER_BYTES + 128 * 1024;
/// Address space reserved by default, in bytes.
const DEFAULT_RESERVE: u64 = 1 << 40;
const FIRST_LEASE_STEP: u64 = 4097;

const _: () = assert!(CREATION_NBYTES.is_multiple_of(FILE_UNIT));

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

fn check_file_mode(mode: Mode, options: &OpenOptions, path: &Path) -> Result<()> {
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

/// An empty file, or one of creation's exact length that is zero where the superblocks stand: nothing was ever stored in it. Asked only
/// under the lock: before it another process may have filled the file meanwhile.
fn is_unfinished(file: &File) -> io::Result<bool> {
    let len = file.metadata()?.len();
    if len != CREATION_NBYTES {
        return Ok(len == 0);
    }
    let mut b = vec![0u8; CREATION_NBYTES as usize];
    file.read_exact_at(&mut b, 0)?;
    // The segment header is written first, the superblocks last.
    let (header, rest) = b.split_at(HEADER_BYTES as usize);
    let (segment_head, slots) = rest.split_at(segment::HEAD);
    let ours = segment_head.iter().all(|x| *x == 0) || segment_head[..8] == segment::MAGIC;
    Ok(header.iter().chain(slots).all(|x| *x == 0) && ours)
}

/// The machine's boot id, or the one that stands in for it.
fn running_boot(options: &OpenOptions) -> io::Result<Option<[u8; 16]>> {
    options.boot_id.map_or_else(platform::boot_id, |id| Ok(Some(id)))
}

fn new_superblock(options: &OpenOptions) -> io::Result<Superblock> {
    let capacity = options.capacity.map_or(0, |c| c.max(CREATION_NBYTES).next_multiple_of(FILE_UNIT));
    Ok(Superblock {
        uuid: uuid::Uuid::new_v4().into_bytes(),
        sb_seq: 1,
        synced_seq: 0,
        lease: 1,
        file_len: CREATION_NBYTES,
        slots_used: 0,
        segments: 1,
        mode: options.mode.code(),
        state: superblock::CLEAN,
        capacity,
        boot_id: running_boot(options)?.unwrap_or([0; 16]),
        pid: std::process::id(),
        tag_seed: uuid::Uuid::new_v4().into_bytes(),
    })
}

/// Fills an empty file: segment header, barrier, superblocks, barrier.
fn initialise(file: &File, options: &OpenOptions) -> io::Result<()> {
    let mut sb = new_superblock(options)?;
    let making = Making::new(file, &options.observer);
    making.allocate(CREATION_NBYTES)?;
    let header = segment::Header { uuid: sb.uuid, k: 0, slots: segment::slots_of(0), off: HEADER_BYTES };
    if planted!(CreationSuperblockFirst) {
        for off in COPY_OFF {
            making.write(off, &sb.encode())?;
        }
    }
    making.write(HEADER_BYTES, &header.encode())?;
    making.sync()?;
    for off in COPY_OFF {
        making.write(off, &sb.encode())?;
        sb.sb_seq += 1;
    }
    if planted!(CreationLinkedUnsynced) {
        return Ok(());
    }
    making.sync()
}

/// The missing file that symbolic links at `path` lead to: a store is made where a link points, and the link stays.
pub(super) fn follow_links(path: &Path) -> PathBuf {
    let mut place = path.to_owned();
    // As many as the kernel follows; a loop ends here and is refused by `linkat`.
    for _ in 0..40 {
        let Ok(target) = fs::read_link(&place) else { break };
        place = place.parent().unwrap_or(Path::new("")).join(target);
    }
    place
}

/// A name is durable once its folder is.
pub(super) fn sync_folder(dir: &Path, watch: &Watch) -> Result<()> {
    match pass(watch, Event::SyncFolder, || File::open(dir).and_then(|d| d.sync_all())) {
        Err(e) if e.kind() != io::ErrorKind::InvalidInput => Err(describe_io(dir, "sync the directory", &e)),
        _ => Ok(()),
    }
}

fn create(path: &Path, options: &OpenOptions, mut opening: Opening) -> Result<Option<Opened>> {
    let place = follow_links(path);
    let dir = match place.parent() {
        Some(p) if !p.as_os_str().is_empty() => p,
        _ => Path::new("."),
    };
    let mut locked = None;
    let made = platform::publish_new(dir, &place, &mut |file| {
        let meta = file.metadata()?;
        // Locked before it has a name, so nobody meets it unlocked.
        platform::lock(file, FlockOperation::NonBlockingLockExclusive)?;
        locked = Some((meta.dev(), meta.ino()));
        initialise(file, options)?;
        options.observer.as_ref().map_or(Ok(()), |o| o.before(Event::Link))
    });
    let file = match made {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => return Ok(None),
        Err(e) => return Err(with_room(describe_io(path, "create", &e), CREATION_NBYTES, dir)),
    };
    if let Some(o) = &options.observer {
        o.after(Event::Link);
    }
    if let Err(e) = sync_folder(dir, &options.observer) {
        // Gone again, so that the next try makes and syncs it anew: an open of an existing file syncs no directory.
        let _ = fs::remove_file(&place);
        return Err(e);
    }
    let key = locked.unwrap_or_default();
    let shared = load(file, key, path, options)?;
    Ok(Some(Opened { store: opening.open(shared), created: true }))
}

/// The newer valid copy, which one it is, and whether the other is valid too.
fn read_superblock(file: &File, len: u64, path: &Path) -> Result<(Superblock, usize, bool)> {
    let mut raw = [[0u8; superblock::NBYTES]; 2];
    for (b, off) in raw.iter_mut().zip(COPY_OFF) {
        if len >= off + superblock::NBYTES as u64 {
            file.read_exact_at(b, off).map_err(|e| describe_io(path, "read the header of", &e))?;
        }
    }
    let copies = raw.map(|b| Superblock::decode(&b));
    let name = path.display();
    if let Some(v) = copies.iter().find_map(|c| if let Err(Fault::Version(v)) = c { Some(*v) } else { None })
    {
        return Err(Error::new(
            Code::Version,
            format!(
                "'{name}' has format version {v}, this rfmalloc reads version {}; use the release that wrote it",
                superblock::VERSION
            ),
        )
        .with("version", v));
    }
    if let Some(f) = copies.iter().find_map(|c| if let Err(Fault::Feature(f)) = c { Some(*f) } else { None })
    {
        return Err(Error::new(
            Code::Version,
            format!("'{name}' uses features ({f:#x}) this rfmalloc does not know; update it"),
        ));
    }
    match copies {
        [Ok(a), Ok(b)] if a.uuid != b.uuid => Err(Error::corrupt(
            format!("'{name}': the two superblock copies belong to different stores"),
            COPY_OFF[1],
        )),
        [Ok(a), Ok(b)] => Ok(if a.sb_seq > b.sb_seq { (a, 0, true) } else { (b, 1, true) }),
        [Ok(a), Err(_)] => Ok((a, 0, false)),
        [Err(_), Ok(b)] => Ok((b, 1, false)),
        [Err(Fault::NoMagic), Err(Fault::NoMagic)] => Err(Error::new(
            Code::NotAStore,
            format!(
                "'{name}' is not an rfmalloc store (no magic number at byte 0 or 16384); it was left as it is"
            ),
        )),
        [Err(a), Err(b)] => Err(Error::corrupt(
            format!("'{name}': both superblock copies are damaged (the first: {a}; the second: {b})"),
            COPY_OFF[0] + a.off(),
        )),
    }
}

/// Rule 19: the cache may hold pages that never reached the disk; they are read again from there. The header stays: where not even the mark
/// reached the disk, the cache is the one place that has it, and every number in it was written after the bytes it speaks of.
fn forget_cache(file: &File, path: &Path, options: &OpenOptions) -> Result<()> {
    let from = if planted!(HeaderForgotten) { 0 } else { HEADER_BYTES };
    pass(&options.observer, Event::Forget { off: from }, || {
        platform::drop_cache(file, from);
        Ok(())
    })
    .map_err(|e| describe_io(path, "read again", &e))
}

/// How much of a file of `real_len` bytes is the store's.
fn usable_len(real_len: u64, synced_len: u64, path: &Path) -> Result<u64> {
    // A kill during growth may leave a partial unit, which holds nothing.
    let file_len = real_len / FILE_UNIT * FILE_UNIT;
    let expected = synced_len.max(CREATION_NBYTES);
    if file_len >= expected {
        return Ok(file_len);
    }
    Err(Error::new(
        Code::Truncated,
        format!(
            "'{}' was cut short: it has {real_len} bytes, {expected} were synced; restore it from a copy",
            path.display()
        ),
    )
    .with("nbytes", real_len)
    .with("expected", expected))
}

/// Maps the file, watched for lost pages from the first read on, and follows its catalog; the catalog's place in the data mapping is blank.
fn map(
    file: File,
    path: &Path,
    file_len: u64,
    sb: &Superblock,
    options: &OpenOptions,
) -> Result<(Seam, Catalog)> {
    let access = if options.read_only { Access::Private } else { Access::Shared };
    let want = options.max_size.unwrap_or(DEFAULT_RESERVE).max(sb.capacity);
    let region = Arc::new(Region::reserve(want, file_len, access)?);
    region.map_file(&file, HEADER_BYTES, file_len).map_err(|e| describe_io(path, "map", &e))?;
    let (file, name) = (Arc::new(file), canonical(path));
    let loss = Loss::new(Some(Arc::clone(&file)), name.clone(), options.contain);
    region.watch(&loss);
    let (writable, observer) = (!options.read_only, options.observer.clone());
    let seam = Seam::new(file, name, Arc::clone(&region), Arc::clone(&loss), writable, observer)?;
    let catalog = Catalog::open(&seam, &sb.uuid, file_len, sb.segments, writable);
    // What was read as zeros because it could not be read is no damage, and no catalog either.
    loss.check()?;
    let catalog = catalog?;
    for s in &catalog.segments {
        region.blank(s.off, s.off + s.nbytes()).map_err(|e| describe_io(path, "map", &e))?;
    }
    if sb.slots_used > catalog.capacity() {
        return Err(Error::corrupt("superblock: more slots in use than the catalog has", COPY_OFF[0] + 96));
    }
    Ok((seam, catalog))
}

fn load(file: File, key: Key, path: &Path, options: &OpenOptions) -> Result<Arc<Shared>> {
    let real_len = file.metadata().map_err(|e| describe_io(path, "access", &e))?.len();
    let (sb, newer, both) = read_superblock(&file, real_len, path)?;
    let poisoned = sb.state & superblock::POISONED != 0;
    if poisoned {
        forget_cache(&file, path, options)?;
    }
    let mode = if sb.mode == superblock::MODE_SCRATCH { Mode::Scratch } else { Mode::Persistent };
    check_file_mode(mode, options, path)?;
    let file_len = usable_len(real_len, sb.file_len, path)?;
    let (seam, catalog) = map(file, path, file_len, &sb, options)?;
    let (region, loss) = (Arc::clone(&seam.region), Arc::clone(&seam.loss));
    let boot_id =
        running_boot(options).map_err(|e| describe_io(path, "learn the machine's boot id for", &e))?;
    if !options.read_only {
        // After every check: a file that is refused stays as it is, its blocks and its time of modification too.
        platform::back_holes(&seam.file, file_len).map_err(|e| {
            with_room(describe_io(path, "back with disk blocks the holes of", &e), file_len, path)
        })?;
    }
    let clean = sb.state & superblock::CLEAN != 0;
    let rebooted = boot_id.is_some_and(|id| id != sb.boot_id);
    let same_boot = (clean || boot_id == Some(sb.boot_id) || planted!(BootIdIgnored))
        && (!poisoned || planted!(PoisonBelieved));
    let limit = limit(options, sb.capacity).min(region.reserved());
    let mut inner = Inner {
        // A copy marked in this boot need not be on disk, and the other then is the only good one.
        sb_target: if poisoned && both && !rebooted { newer } else { 1 - newer },
        header_doubtful: poisoned && !rebooted,
        same_boot,
        was_unclean: !clean,
        one_copy: !both,
        synced_seq: sb.synced_seq,
        in_flight: None,
        next_seq: if planted!(LeaseNotUsedAtReopen) { sb.synced_seq + 1 } else { sb.lease },
        lease_step: FIRST_LEASE_STEP,
        begun: false,
        catalog,
        heap: None,
        tail_only: false,
        tail_from: 0,
        file_len,
        slots_used: sb.slots_used,
        free_slots: Vec::new(),
        dead_slots: VecDeque::new(),
        durable_links: 0,
        name_seed: NameSeed::new(&sb.tag_seed),
        names: None,
        losers: Vec::new(),
        lookups: 0,
        objects: super::objects::Objects::default(),
        region: Arc::clone(&region),
        loss,
        poisoned: None,
        closing: false,
        syncs: Progress::default(),
        upkeep: super::upkeep::Upkeep::None,
        withheld: Vec::new(),
        held_back: 0,
        picture: super::judge::Picture::default(),
        scratch_buf: Vec::new(),
        sb,
    };
    if !inner.same_boot && mode == Mode::Persistent {
        inner.judge_crash(options.keep_unsynced);
        // A picture of zeros that could not be read would drop what is there.
        inner.loss.check()?;
    }
    Ok(Arc::new(Shared {
        key,
        path: canonical(path),
        uuid: inner.sb.uuid,
        mode,
        read_only: options.read_only,
        limit,
        capacity: inner.sb.capacity,
        full: AtomicBool::new(options.full || boot_id.is_none()),
        boot_id: boot_id.unwrap_or([0; 16]),
        pid: std::process::id(),
        process: platform::process_epoch(),
        seam,
        inner: Mutex::new(inner),
        changed: Condvar::new(),
        background: Background::new(
            options.sync_every.filter(|_| mode == Mode::Persistent && !options.read_only),
        ),
    }))
}

/// What the caller and the file allow it to grow to, bytes.
fn limit(options: &OpenOptions, capacity: u64) -> u64 {
    let asked = options.max_size.map_or(u64::MAX, |m| m / FILE_UNIT * FILE_UNIT);
    if capacity == 0 { asked } else { asked.min(capacity) }
}

fn canonical(path: &Path) -> PathBuf {
    fs::canonicalize(path).or_else(|_| std::path::absolute(path)).unwrap_or_else(|_| path.to_owned())
}
