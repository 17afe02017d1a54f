//! What one mapped file has lost while it was open: pages that could not be read any more and were replaced by zeros (`bus`), and bytes
//! that somebody cut off.
//!
//! Holds: [`Loss`]. May touch: atomics, and the file's length; the signal handler writes it. A loss is never taken back: until the
//! file is closed nothing is written to it, and whoever met the lost bytes gets an error. Errors are made here, outside the handler.
#![forbid(unsafe_code)]

use crate::cells::Cell;
use crate::error::{Code, Error, Result};
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};

/// What a page belonged to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Elements and attributes.
    Data,
    /// Header or catalog: no answer of the store can be believed any more.
    Metadata,
}

/// The lost bytes of one file. Offsets and lengths in bytes of the file.
pub(crate) struct Loss {
    /// `None`: memory without a file, in tests.
    file: Option<Arc<File>>,
    path: PathBuf,
    contained: bool,
    /// Changes with the first loss, for the facade, which reads elements without a call.
    cell: Cell,
    /// All lost data lie in `[low, high)`; `NONE`: none are lost.
    low: AtomicU64,
    high: AtomicU64,
    /// The lowest lost byte of header or catalog.
    metadata: AtomicU64,
    /// The shortest length the file was seen to have when something was lost.
    length: AtomicU64,
    /// An error has told of it.
    told: AtomicBool,
}

const NONE: u64 = u64::MAX;

impl Loss {
    /// Nothing is lost yet. Without `contained` the file's pages are not watched: a lost one ends the process.
    pub(crate) fn new(file: Option<Arc<File>>, path: PathBuf, contained: bool) -> Arc<Self> {
        let new = || AtomicU64::new(NONE);
        Arc::new(Self {
            file,
            path,
            contained,
            cell: Cell::take(),
            low: new(),
            high: AtomicU64::new(0),
            metadata: new(),
            length: new(),
            told: AtomicBool::new(false),
        })
    }

    pub(crate) fn is_contained(&self) -> bool {
        self.contained
    }

    /// The cell that changes with the first loss, and its value until then.
    pub(crate) fn cell(&self) -> (u32, i32) {
        (self.cell.idx, self.cell.value)
    }

    /// The file's length now. Async-signal-safe.
    pub(super) fn file_length(&self) -> Option<u64> {
        rustix::fs::fstat(&**self.file.as_ref()?).ok().map(|s| s.st_size as u64)
    }

    /// Bytes `[from, to)` are lost; called before anybody can read zeros in their place. Async-signal-safe.
    pub(super) fn note(&self, part: Part, from: u64, to: u64, length: Option<u64>) {
        self.length.fetch_min(length.unwrap_or(NONE), Ordering::SeqCst);
        match part {
            Part::Data => {
                // Of a file that was cut all the rest is lost, touched or not; the end of the page in which the cut lies raises no signal.
                let from = from.min(length.unwrap_or(NONE));
                self.high.fetch_max(to, Ordering::SeqCst);
                self.low.fetch_min(from, Ordering::SeqCst);
            }
            Part::Metadata => {
                self.metadata.fetch_min(from, Ordering::SeqCst);
            }
        }
        self.cell.kill();
    }

    /// Whether anything was lost. What was read before the call was read whole if this is false.
    pub(crate) fn any(&self) -> bool {
        // The reads before the fence were done before the loads behind it, and a lost page is noted before it reads as zeros.
        fence(Ordering::Acquire);
        self.low.load(Ordering::Acquire) != NONE || self.metadata.load(Ordering::Acquire) != NONE
    }

    /// `IO` once anything was lost: for what was read from header, catalog or attributes before the call.
    pub(crate) fn check(&self) -> Result<()> {
        if self.any() { Err(self.error()) } else { Ok(()) }
    }

    /// Runs a change: `POISONED` if something was lost before, `IO` if something is lost meanwhile, whatever the change says of itself.
    pub(crate) fn during<T>(&self, change: impl FnOnce() -> Result<T>) -> Result<T> {
        self.refuse()?;
        let done = change();
        self.check().and(done)
    }

    /// The same as an error of the system, for barriers.
    pub(crate) fn check_io(&self) -> io::Result<()> {
        if self.any() { Err(io::Error::other(self.error().message())) } else { Ok(()) }
    }

    /// `IO` if some of the data `[off, off+nbytes)` are lost, or header or catalog.
    pub(crate) fn check_range(&self, off: u64, nbytes: u64) -> Result<()> {
        fence(Ordering::Acquire);
        let end = off.saturating_add(nbytes);
        let low = self.low.load(Ordering::Acquire);
        let meets = low < end && off < self.high.load(Ordering::Acquire);
        if meets || self.metadata.load(Ordering::Acquire) != NONE { Err(self.error()) } else { Ok(()) }
    }

    /// Notices a file shorter than `expected`: whoever truncates a file that nobody touches raises no signal.
    pub(crate) fn check_length(&self, expected: u64) -> Result<()> {
        if let Some(length) = self.file_length()
            && length < expected
        {
            self.note(Part::Data, length, expected, Some(length));
        }
        self.check()
    }

    /// The error of a call that met lost bytes.
    pub(crate) fn error(&self) -> Error {
        self.told.store(true, Ordering::Release);
        let (name, off, length) = (self.path.display(), self.first(), self.length.load(Ordering::Acquire));
        let e = if length <= off {
            Error::new(
                Code::Io,
                format!(
                    "'{name}' was cut to {length} bytes while it was open: what lay behind is gone and reads as zeros here, and \
                     nothing more is written to the file; close it and restore it from a copy"
                ),
            )
            .with("nbytes", length)
        } else {
            Error::new(
                Code::Io,
                format!(
                    "byte {off} of '{name}' cannot be read or written (a failing or full disk, a lost connection): its page reads as \
                     zeros here, and nothing more is written to the file; close it, see to the disk, open it again"
                ),
            )
        };
        e.with("offset", off).with("path", name.to_string())
    }

    /// `POISONED` once anything was lost: for calls that come afterwards.
    pub(crate) fn refuse(&self) -> Result<()> {
        if !self.any() {
            return Ok(());
        }
        let e = self.error();
        let refusal = Error::new(
            Code::Poisoned,
            format!(
                "bytes were lost earlier: {}; vectors that are open can be read where nothing is lost",
                e.message()
            ),
        );
        Err(e.details().iter().fold(refusal, |r, (key, value)| r.with(key, value.clone())))
    }

    /// The error of a loss that no call has told of, for the last one.
    pub(crate) fn untold(&self) -> Result<()> {
        if self.any() && !self.told.load(Ordering::Acquire) { Err(self.error()) } else { Ok(()) }
    }

    /// Runs a call whose errors nobody sees, as those of a name for printing: it does not count as having told.
    pub(crate) fn quietly<T>(&self, call: impl FnOnce() -> Result<T>) -> Result<T> {
        let told = self.told.load(Ordering::Acquire);
        let done = call();
        self.told.fetch_and(told, Ordering::AcqRel);
        done
    }

    fn first(&self) -> u64 {
        self.low.load(Ordering::Acquire).min(self.metadata.load(Ordering::Acquire))
    }
}

impl Drop for Loss {
    fn drop(&mut self) {
        self.cell.give_back();
    }
}
