//! The seam: every durable write and every barrier of the store passes here, so that a test can watch, record or fail each one.
//!
//! Holds: [`Seam`] (file, data mapping, header mapping, observer). May touch: the file. Metadata is written through mappings nobody else
//! can reach; payload bytes are written in place by their owners, who announce it with [`Seam::announce`].
//!
//! An [`Observer`] is told before and after each event; an error from `before` takes the place of the system call's. Reading the file
//! through any descriptor shows the pages as they are at that moment, since mappings and `read` share the page cache. A file in the making
//! has no mappings yet and perhaps no name: [`Making`] is the seam it passes through.

use crate::error::{Error, Result};
use crate::format::HEADER_BYTES;
use crate::mutants::planted;
use crate::platform;
use crate::platform::loss::Loss;
use crate::region::{MetaMap, Region};
use crate::sync_types::AtomicBool;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// One step towards the disk. Offsets and lengths in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A store of metadata bytes.
    Store {
        /// From the start of the file.
        off: u64,
        /// Length.
        nbytes: u64,
    },
    /// Payload or aux bytes were written in place.
    Announce {
        /// From the start of the file.
        off: u64,
        /// Length.
        nbytes: u64,
    },
    /// A ranged barrier: these bytes are on stable storage once it returns.
    Barrier {
        /// From the start of the file.
        off: u64,
        /// Length.
        nbytes: u64,
    },
    /// A barrier over the whole file.
    SyncAll,
    /// The file is made this long.
    Length {
        /// New length.
        nbytes: u64,
    },
    /// The file, filled without a name, appears under its path.
    Link,
    /// A copy, complete under a hidden name, takes the place of the store's file.
    Rename,
    /// A barrier over the folder: the name is on stable storage once it returns.
    SyncFolder,
    /// After a failed sync: cached bytes from here on are forgotten where they are not dirty, and read from the disk again.
    Forget {
        /// From the start of the file.
        off: u64,
    },
}

/// Watches the seam, for tests: crash images, fault injection, counting.
pub trait Observer: Send + Sync {
    /// The file whose events follow: one that is being made, or one that was found.
    fn opened(&self, file: &File) {
        let _ = file;
    }
    /// Called before the event; an error is returned in the place of the system call's.
    fn before(&self, event: Event) -> io::Result<()> {
        let _ = event;
        Ok(())
    }
    /// Called after the event succeeded.
    fn after(&self, event: Event) {
        let _ = event;
    }
}

pub(crate) type Watch = Option<Arc<dyn Observer>>;

/// One event: told, done, told.
pub(crate) fn pass(watch: &Watch, event: Event, act: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    match watch {
        None => act(),
        Some(o) => {
            o.before(event)?;
            act()?;
            o.after(event);
            Ok(())
        }
    }
}

/// A file that is becoming a store: written through its descriptor.
pub(crate) struct Making<'a> {
    file: &'a File,
    watch: &'a Watch,
}

impl<'a> Making<'a> {
    pub(crate) fn new(file: &'a File, watch: &'a Watch) -> Self {
        if let Some(o) = watch {
            o.opened(file);
        }
        Self { file, watch }
    }

    pub(crate) fn allocate(&self, nbytes: u64) -> io::Result<()> {
        pass(self.watch, Event::Length { nbytes }, || platform::allocate(self.file, 0, nbytes))
    }

    pub(crate) fn write(&self, off: u64, bytes: &[u8]) -> io::Result<()> {
        pass(self.watch, Event::Store { off, nbytes: bytes.len() as u64 }, || {
            self.file.write_all_at(bytes, off)
        })
    }

    pub(crate) fn sync(&self) -> io::Result<()> {
        pass(self.watch, Event::SyncAll, || platform::sync_file(self.file))
    }
}

/// The file of one store with its mappings.
pub(crate) struct Seam {
    pub(crate) file: Arc<File>,
    pub(crate) region: Arc<Region>,
    pub(crate) header: MetaMap,
    path: PathBuf,
    /// What the mappings have lost. From the first loss on nothing is stored and no barrier succeeds: on the disk it is as if the process
    /// had died then, which the crash protocol is made for.
    pub(crate) loss: Arc<Loss>,
    /// A barrier has failed (rule 19). Set at the failure itself, since whoever met it has yet to lock the store to say so.
    has_failed: AtomicBool,
    observer: Watch,
}

impl Seam {
    pub(crate) fn new(
        file: Arc<File>,
        path: PathBuf,
        region: Arc<Region>,
        loss: Arc<Loss>,
        writable: bool,
        observer: Watch,
    ) -> Result<Self> {
        let header = MetaMap::new(&file, &loss, 0, HEADER_BYTES, writable)?;
        Ok(Self { file, region, header, path, loss, has_failed: AtomicBool::new(false), observer })
    }

    /// A failed system call on the store's file.
    pub(crate) fn error(&self, doing: &str, e: &io::Error) -> Error {
        Error::io(format!("{doing} '{}'", self.path.display()), e).at(&self.path)
    }

    fn event(&self, event: Event, act: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        pass(&self.observer, event, act)
    }

    /// A barrier that succeeds only if none has failed before its end: the system tells one caller of a lost page, and takes it for clean.
    fn barrier(&self, event: Event, act: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let done = self.event(event, act);
        if done.is_err() {
            self.has_failed.store(true, Ordering::Release);
        } else if self.has_failed.load(Ordering::Acquire) && !planted!(FailedBarrierIgnored) {
            return Err(io::Error::other("another sync of this store failed meanwhile"));
        }
        done
    }

    /// Who watches, for files that this store makes.
    pub(crate) fn watch(&self) -> &Watch {
        &self.observer
    }

    /// An event that is no store or barrier of this file.
    pub(crate) fn pass(&self, event: Event, act: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        self.event(event, act)
    }

    /// Stores metadata bytes. Stores cannot fail; an observer's error is ignored here and belongs on barriers.
    pub(crate) fn store(&self, map: &MetaMap, off: u64, bytes: &[u8]) {
        if self.loss.any() {
            return;
        }
        let _ = self.event(Event::Store { off, nbytes: bytes.len() as u64 }, || {
            map.write(off, bytes);
            Ok(())
        });
    }

    /// Stores one 8-byte word in one piece.
    pub(crate) fn store_word(&self, map: &MetaMap, off: u64, word: u64) {
        if self.loss.any() {
            return;
        }
        let _ = self.event(Event::Store { off, nbytes: 8 }, || {
            map.store(off, word);
            Ok(())
        });
    }

    /// Tells the observer about bytes written in place.
    pub(crate) fn announce(&self, off: u64, nbytes: u64) {
        if self.observer.is_some() {
            let _ = self.event(Event::Announce { off, nbytes }, || Ok(()));
        }
    }

    /// Metadata bytes `[off, off+nbytes)` are on stable storage when this returns.
    pub(crate) fn barrier_meta(&self, map: &MetaMap, off: u64, nbytes: u64) -> Result<()> {
        self.barrier(Event::Barrier { off, nbytes }, || self.msync_meta(map, off, nbytes))
            .map_err(|e| self.error("cannot sync the catalog of", &e).with("offset", off))
    }

    fn msync_meta(&self, map: &MetaMap, off: u64, nbytes: u64) -> io::Result<()> {
        map.msync(off, nbytes)?;
        platform::after_msync(&self.file)?;
        // Zeros in the place of lost pages are no pages of the file: msync is content with them.
        self.check_length(off + nbytes)
    }

    /// Data bytes `[off, off+nbytes)` are on stable storage when this returns, and so is the file's length.
    pub(crate) fn barrier_data(&self, off: u64, nbytes: u64) -> Result<()> {
        if nbytes == 0 {
            return Ok(());
        }
        self.barrier(Event::Barrier { off, nbytes }, || {
            self.region.msync(off, nbytes, true)?;
            platform::after_msync(&self.file)?;
            self.check_length(off.saturating_add(nbytes))
        })
        .map_err(|e| self.error("cannot sync elements of", &e).with("offset", off))
    }

    fn check_length(&self, expected: u64) -> io::Result<()> {
        let _ = self.loss.check_length(expected);
        self.loss.check_io()
    }

    /// Everything of the file, which is at least `file_len` bytes long, is on stable storage when this returns.
    pub(crate) fn sync_all(&self, file_len: u64) -> Result<()> {
        self.barrier(Event::SyncAll, || {
            // Apple's fsync need not see pages that are dirty through a mapping only.
            #[cfg(target_vendor = "apple")]
            self.region.msync(0, self.region.reserved(), true)?;
            platform::sync_file(&self.file)?;
            self.check_length(file_len)
        })
        .map_err(|e| self.error("cannot sync", &e))
    }

    /// Makes the file `to` bytes long with real blocks; on failure it is `from` bytes long again.
    pub(crate) fn grow(&self, from: u64, to: u64) -> io::Result<()> {
        // Growing a file that somebody cut would fill the gap with zeros that look like data.
        self.check_length(from)?;
        let grown =
            self.event(Event::Length { nbytes: to }, || platform::allocate(&self.file, from, to - from));
        if grown.is_err() {
            // ext4 keeps a partly extended file and the space. If this fails too, the tail beyond `from` is merely unused space.
            if self.check_length(from).is_ok() {
                let _ = self.file.set_len(from);
            }
        }
        grown
    }

    /// Cuts the file to `to` bytes.
    pub(crate) fn shrink(&self, to: u64) -> io::Result<()> {
        self.check_length(to)?;
        self.event(Event::Length { nbytes: to }, || self.file.set_len(to))
    }
}
