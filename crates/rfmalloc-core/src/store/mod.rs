//! One open store: its shared state, its locks, and who may do what.
//!
//! Holds: [`Store`] (a counted handle of one opener), `Shared` (one per file and process), `Inner` (everything under the store mutex).
//! The parts, one concept each:
//!
//! | module | what it does |
//! | --- | --- |
//! | `open` | options, the lock, whose file it is |
//! | `creation` | rule 18: a new file, complete or absent |
//! | `load` | the first picture of a file, and the checks before it is believed |
//! | `begin` | rule 3: what precedes the first mutation of a process; recovery; the free-space map |
//! | `judge` | rule 23: what counts after a machine crash, where the opener has a say |
//! | `space` | allocate, grow, zero, new catalog segments |
//! | `record`, `change`, `death` | rules 7 and 10: make and replace; 8: change; 9: destroy |
//! | `tree` | rule 25: an object with its children |
//! | `attributes` | shape, names and the rest of what belongs to an object |
//! | `heaps`, `heap_compact` | where the long strings of text stand, and the next one goes; a heap without garbage |
//! | `lists`, `frames` | rule 16: objects that hold others; columns of equal length |
//! | `superblock` | rules 5, 6, 19: its one writer, the lease, the mark of a failed barrier |
//! | `sync`, `background` | rule 12: everything on stable storage; the thread that sees to it |
//! | `harden` | rule 13: one record on stable storage |
//! | `compact` | rule 20: records move into lower gaps, the free tail goes |
//! | `copy`, `dense` | rule 21: a dense copy, under another path or in the own file's place |
//! | `upkeep` | one compaction or copy at a time, and what it keeps others from |
//! | `close` | rule 17, and the order of letting go |
//! | `life` | reserve, put, commit, name, destroy, open again |
//! | `objects` | the table of open objects |
//! | `handle` | handles, pins, operations |
//! | `find` | names and ids to records |
//! | `seal` | elements immutable from now on, with checksums |
//! | `temporaries` | filled on another thread before anybody knows them |
//! | `reset`, `usage` | a store emptied; where its bytes are |
//! | `layout` | every byte of the file, and what counts to which object |
//! | `report` | allocations, info, summary |
//! | `entries` | a walk over the catalog |
//! | `verify`, `verify_text` | every check there is, changing nothing |
//!
//! Locking: one mutex (`Shared::inner`) over catalog, map, objects and superblock. It is never held during a whole-file sync except when
//! a full disk forces one. The registry's lock is taken before it, never after.

mod attributes;
mod background;
mod begin;
mod change;
mod close;
mod commit_work;
mod compact;
mod copy;
mod creation;
mod death;
mod dense;
mod entries;
mod find;
mod frames;
mod handle;
mod harden;
mod heap_compact;
mod heaps;
mod judge;
mod layout;
mod life;
mod listing;
mod lists;
mod load;
mod name_list;
mod objects;
mod open;
mod record;
mod report;
mod reset;
mod seal;
mod space;
mod superblock;
mod sync;
mod temporaries;
mod tree;
mod upkeep;
mod usage;
mod verify;
mod verify_text;

pub use attributes::{ARRAY, Attributes, Change, FRAME, LIST, MATRIX, Role, VECTOR};
pub use background::sync_all_stores;
pub use commit_work::CommitWork;
pub use compact::Compaction;
pub use copy::CopyWork;
pub use entries::Entry;
pub use frames::frame_rows;
pub use handle::{Handle, ObjectFacts, ObjectState, Pin};
pub use harden::ObjectWork;
pub use layout::{Stretch, Use};
pub use listing::Listing;
pub use open::{Mode, OpenOptions, Opened};
pub use report::{Info, RecordRow, Summary};

pub use upkeep::Control;
pub use usage::Usage;
pub use verify::{Fault, VerifyReport, VerifyStep};

pub(crate) use handle::Operation;
pub(crate) use heaps::{Buffers, TextAccess, for_views};

use crate::catalog::Catalog;
use crate::error::{Code, Error, Result};
use crate::format::Extent;
use crate::format::superblock::Superblock;
use crate::format::word::NameSeed;
use crate::heap::Heap;
use crate::names::Names;
use crate::platform;
use crate::platform::loss::Loss;
use crate::region::Region;
use crate::registry;
use crate::resolve::Trust;
use crate::seam::Seam;
use crate::sync_types::{AtomicBool, Condvar, Mutex, MutexGuard};
use objects::Objects;
use std::collections::VecDeque;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use superblock::MOST_LEASED_BEYOND;
use upkeep::Upkeep;

/// One opener's handle on a store. Dropping it closes it; the file is let go when the last handle of the process is closed.
pub struct Store {
    shared: Arc<Shared>,
    closed: AtomicBool,
}

/// One per file and process.
pub(crate) struct Shared {
    pub(crate) key: registry::Key,
    pub(crate) path: PathBuf,
    pub(crate) uuid: [u8; 16],
    pub(crate) mode: Mode,
    pub(crate) read_only: bool,
    /// The file may not grow beyond this many bytes.
    pub(crate) limit: u64,
    pub(crate) capacity: u64,
    /// Every commit survives a power cut: asked for, or forced where no boot id can be read. Raised, never lowered.
    full: AtomicBool,
    /// The last opener has begun to close it: what running operations look at, without the mutex.
    is_ending: AtomicBool,
    boot_id: [u8; 16],
    pid: u32,
    /// The process that opened it, by its `process_epoch`.
    process: u64,
    pub(crate) seam: Seam,
    inner: Mutex<Inner>,
    /// Signalled when an operation or a sync ends.
    changed: Condvar,
    background: background::Background,
}

/// Everything under the store mutex.
#[expect(clippy::struct_excessive_bools, reason = "independent facts about one open file, each documented")]
pub(crate) struct Inner {
    /// The superblock as last written; the next write changes it and goes to copy `sb_target` (rule 5).
    sb: Superblock,
    sb_target: usize,
    /// A barrier failed in this boot: the copy that counts may be in the cache only (rule 19).
    header_doubtful: bool,
    /// The header was read from the disk: the last to write it did so in another boot.
    header_is_read: bool,
    /// Every version in the file counts (rule 1): same boot, clean, or recovered.
    same_boot: bool,
    /// The file was not closed cleanly before this open.
    was_unclean: bool,
    /// Only one superblock copy was valid at open.
    one_copy: bool,
    synced_seq: u64,
    /// N of the sync in flight (rule 2).
    in_flight: Option<u64>,
    next_seq: u64,
    lease_step: u64,
    /// Rule 3 has been done: mutations may follow.
    begun: bool,
    pub(crate) catalog: Catalog,
    heap: Option<Heap>,
    /// A damaged record hides its extents: only bytes behind the file's old end are handed out.
    tail_only: bool,
    /// Where that end was; 0: no record is damaged. What comes free below is not handed out either.
    tail_from: u64,
    pub(crate) file_len: u64,
    slots_used: u32,
    free_slots: Vec<u32>,
    /// Destroyed slots in the order of their deaths.
    dead_slots: VecDeque<(u64, u32)>,
    /// Segments whose link is known to be on stable storage.
    durable_links: usize,
    name_seed: NameSeed,
    names: Option<Names>,
    /// Name losers to be settled before the next named change (rule 15): (loser, winner).
    losers: Vec<(u32, u32)>,
    lookups: u32,
    objects: Objects,
    /// The data mapping, for reading attributes.
    region: Arc<Region>,
    /// What the mappings have lost: what was read of catalog or attributes counts only while there is nothing.
    loss: Arc<Loss>,
    poisoned: Option<String>,
    closing: bool,
    syncs: sync::Progress,
    upkeep: upkeep::Upkeep,
    /// Freed while a copy under way may still read them.
    withheld: Vec<Extent>,
    /// Objects that the last compaction would have moved, had nobody held them.
    held_back: u64,
    /// What a machine crash left, as long as it is not settled, and what became of it.
    picture: judge::Picture,
    scratch_buf: Vec<u8>,
}

impl Shared {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic under the lock is reported by its own call; the structures are only ever changed in whole steps.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the process that opened it forked this one: no lock of it may be taken here.
    pub(crate) fn is_inherited(&self) -> bool {
        self.process != platform::process_epoch()
    }

    /// The lock, for whoever gives back what was held; `None`: in a forked child there is nothing to give back.
    fn lock_ours(&self) -> Option<MutexGuard<'_, Inner>> {
        (!self.is_inherited()).then(|| self.lock())
    }

    /// The lock, for a call that needs the store open and whole.
    pub(crate) fn lock_open(&self) -> Result<MutexGuard<'_, Inner>> {
        let inner = self.lock_open_for_elements()?;
        self.seam.loss.refuse()?;
        Ok(inner)
    }

    /// The lock, for a call that needs the store open and touches elements only: it asks itself whether those are lost.
    pub(crate) fn lock_open_for_elements(&self) -> Result<MutexGuard<'_, Inner>> {
        if self.is_inherited() {
            return Err(Error::new(
                Code::Unsupported,
                "the store was opened before a fork and is the parent process's; open it in this process",
            )
            .with("path", self.path.display().to_string()));
        }
        let inner = self.lock();
        if inner.closing || inner.upkeep == Upkeep::Replaced {
            return Err(self.closed_error());
        }
        if inner.upkeep == Upkeep::Replacing {
            return Err(self.replacing_error());
        }
        Ok(inner)
    }

    /// For a new opener: a store that is being replaced, or was, takes none.
    pub(crate) fn check_not_replacing(&self) -> Result<()> {
        match self.lock().upkeep {
            Upkeep::Replacing | Upkeep::Replaced => Err(self.replacing_error()),
            _ => Ok(()),
        }
    }

    fn replacing_error(&self) -> Error {
        Error::new(
            Code::Busy,
            "the store is being compacted onto its own path; wait for that to end, then open it again",
        )
        .with("path", self.path.display().to_string())
    }

    /// `IO` if a page was lost, or the file is shorter than it should be.
    fn check_whole(&self) -> Result<()> {
        // Under the mutex until the file was asked: a compaction of ours may cut it.
        let inner = self.lock();
        self.seam.loss.check_length(inner.file_len)
    }

    fn wait<'a>(&self, guard: MutexGuard<'a, Inner>) -> MutexGuard<'a, Inner> {
        self.changed.wait(guard).unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn closed_error(&self) -> Error {
        Error::new(Code::Closed, "the runtime is closed; open the file again")
            .with("path", self.path.display().to_string())
    }

    /// Decision 11: a file renamed over the path gets none of what this store writes, so a sync must not look like success. A file that
    /// was moved away is still ours, under its new name.
    fn check_not_replaced(&self) -> Result<()> {
        match std::fs::metadata(&self.path) {
            // A store that took its own file's place: all that was synced is in the new one.
            Ok(_) if matches!(self.lock().upkeep, Upkeep::Replacing | Upkeep::Replaced) => Ok(()),
            Ok(now) if (now.dev(), now.ino()) != self.key && self.mode == Mode::Persistent => Err(Error::new(
                Code::Io,
                format!(
                    "'{}' is another file now: it was replaced while the store was open, and what was synced is in the old file, which is gone \
                     when the store is closed; copy what you need into the new one",
                    self.path.display()
                ),
            )
            .with("path", self.path.display().to_string())),
            _ => Ok(()),
        }
    }

    /// Whether every act must be on stable storage before its call returns.
    fn is_full(&self) -> bool {
        self.full.load(Ordering::Acquire)
    }

    /// One more opener of the file; if it asks for full durability, all get it.
    fn ask_full(&self, full: bool) {
        self.full.fetch_or(full, Ordering::AcqRel);
    }

    /// Whether bytes of destroyed objects wait for a sync, which can still be made.
    fn has_retired(&self) -> bool {
        let inner = self.lock();
        self.mode == Mode::Persistent
            && inner.poisoned.is_none()
            && inner.heap.as_ref().is_some_and(|h| h.stats().retired > 0)
    }

    /// Refuses what would change a store that cannot be changed.
    fn check_writable(&self, inner: &Inner) -> Result<()> {
        if self.read_only {
            return Err(Error::new(
                Code::ReadOnly,
                "the store is open read-only; open it without readOnly to change it",
            )
            .with("path", self.path.display().to_string()));
        }
        self.seam.loss.refuse()?;
        if let Some(why) = &inner.poisoned {
            return Err(Error::new(
                Code::Poisoned,
                format!(
                    "an earlier sync failed ({why}); the store can be read, but not changed: close it and open it again"
                ),
            )
            .at(&self.path));
        }
        Ok(())
    }
}

impl Inner {
    fn trust(&self) -> Trust {
        // Where one copy is lost, it may have leased more than the other says.
        let beyond = if self.one_copy && !self.begun { MOST_LEASED_BEYOND } else { 0 };
        Trust {
            same_boot: self.same_boot,
            synced_seq: self.synced_seq,
            lease: self.sb.lease.saturating_add(beyond),
            file_len: self.file_len,
        }
    }

    /// Rule 2: what a sync in flight may make durable counts as maybe durable.
    fn horizon(&self) -> u64 {
        self.synced_seq.max(self.in_flight.unwrap_or(0))
    }

    fn heap(&mut self) -> Result<&mut Heap> {
        self.heap.as_mut().ok_or_else(|| Error::new(Code::Internal, "the free-space map is not there yet"))
    }
}

impl Store {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, closed: AtomicBool::new(false) }
    }

    /// The shared state, if this handle is still open.
    pub(crate) fn shared(&self) -> Result<&Arc<Shared>> {
        if self.closed.load(Ordering::Acquire) { Err(self.shared.closed_error()) } else { Ok(&self.shared) }
    }

    /// The file's canonical path.
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    /// 32 lower-case hex digits.
    pub fn uuid(&self) -> String {
        uuid::Uuid::from_bytes(self.shared.uuid).simple().to_string()
    }

    /// Persistent or scratch.
    pub fn mode(&self) -> Mode {
        self.shared.mode
    }

    /// Whether the store was opened read-only.
    pub fn is_read_only(&self) -> bool {
        self.shared.read_only
    }

    /// The most bytes the file may grow to.
    pub fn max_size(&self) -> u64 {
        self.shared.limit
    }

    /// The fixed capacity in bytes stored in the file, if it has one.
    pub fn capacity(&self) -> Option<u64> {
        (self.shared.capacity != 0).then_some(self.shared.capacity)
    }

    /// The store for work on another thread. It does not keep the file open: once the last handle is closed the work fails with `CLOSED`.
    ///
    /// # Errors
    /// `CLOSED`.
    pub fn for_work(&self) -> Result<StoreWork> {
        Ok(StoreWork(Arc::clone(self.shared()?)))
    }

    /// The cell that changes when bytes of the file are lost, and its value until then. Elements read without a call count only if it has
    /// not changed afterwards; [`Vector::check_whole`](crate::Vector::check_whole) tells where.
    pub fn loss_cell(&self) -> (u32, i32) {
        self.shared.seam.loss.cell()
    }

    /// Whether this handle was closed.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Device and inode of the file.
    pub fn file_id(&self) -> (u64, u64) {
        self.shared.key
    }

    /// Two handles on the same open file.
    pub fn is_same_file(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// Closes this handle; the last one of the process cancels running operations, waits for the chunks they are at, syncs and lets the file go.
    /// Idempotent.
    ///
    /// # Errors
    /// `IO`, `POISONED`: the final sync failed, or bytes were lost and no call has told of it; the handle is closed and the file released all the same.
    pub fn close(&self) -> Result<()> {
        if self.closed.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        registry::release(&self.shared)
    }
}

/// See [`Store::for_work`].
pub struct StoreWork(Arc<Shared>);

impl StoreWork {
    /// As [`Store::sync`].
    ///
    /// # Errors
    /// As there.
    pub fn sync(&self) -> Result<()> {
        drop(self.0.lock_open()?);
        self.0.sync()?;
        self.0.check_not_replaced()
    }

    /// As [`Store::verify`], or with `payloads` as [`Store::verify_payloads`]. `watch` is told how far the work is; it stops with an error
    /// when the answer is false.
    ///
    /// # Errors
    /// As there.
    pub fn verify(&self, payloads: bool, watch: &mut dyn FnMut(VerifyStep) -> bool) -> Result<VerifyReport> {
        self.0.verify(payloads, watch)
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // The error belongs to an explicit close(); here nobody could receive it.
        let _ = self.close();
    }
}
