//! The seam: every durable write and every barrier of the store passes here, so that a test can watch, record or fail each one.
//!
//! Holds: [`Seam`] (file, data mapping, header mapping, observer). May touch: the file. Metadata is written through mappings nobody else
//! can reach; payload bytes are written in place by their owners, who announce it with [`Seam::announce`].
//!
//! An [`Observer`] is told before and after each event; an error from `before` takes the place of the system call's. Reading the file
//! through any descriptor shows the pages as they are at that moment, since mappings and `read` share the page cache.

use crate::error::{Error, Result};
use crate::format::HEADER_BYTES;
use crate::platform;
use crate::region::{MetaMap, Region};
use std::fs::File;
use std::io;
use std::sync::Arc;

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
}

/// Watches the seam, for tests: crash images, fault injection, counting.
pub trait Observer: Send + Sync {
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

/// The file of one store with its mappings.
pub(crate) struct Seam {
    pub(crate) file: File,
    pub(crate) region: Arc<Region>,
    pub(crate) header: MetaMap,
    observer: Option<Arc<dyn Observer>>,
}

impl Seam {
    pub(crate) fn new(
        file: File,
        region: Arc<Region>,
        writable: bool,
        observer: Option<Arc<dyn Observer>>,
    ) -> Result<Self> {
        let header = MetaMap::new(&file, 0, HEADER_BYTES, writable)?;
        Ok(Self { file, region, header, observer })
    }

    fn event(&self, event: Event, act: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        match &self.observer {
            None => act(),
            Some(o) => {
                o.before(event)?;
                act()?;
                o.after(event);
                Ok(())
            }
        }
    }

    /// Stores metadata bytes. Stores cannot fail; an observer's error is ignored here and belongs on barriers.
    pub(crate) fn store(&self, map: &MetaMap, off: u64, bytes: &[u8]) {
        let _ = self.event(Event::Store { off, nbytes: bytes.len() as u64 }, || {
            map.write(off, bytes);
            Ok(())
        });
    }

    /// Stores one 8-byte word in one piece.
    pub(crate) fn store_word(&self, map: &MetaMap, off: u64, word: u64) {
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
        self.event(Event::Barrier { off, nbytes }, || {
            map.msync(off, nbytes)?;
            platform::after_msync(&self.file)
        })
        .map_err(|e| Error::io("cannot sync the catalog", &e).with("offset", off))
    }

    /// Data bytes `[off, off+nbytes)` are on stable storage when this returns, and so is the file's length.
    pub(crate) fn barrier_data(&self, off: u64, nbytes: u64) -> Result<()> {
        if nbytes == 0 {
            return Ok(());
        }
        self.event(Event::Barrier { off, nbytes }, || {
            self.region.msync(off, nbytes, true)?;
            platform::after_msync(&self.file)
        })
        .map_err(|e| Error::io("cannot sync elements", &e).with("offset", off))
    }

    /// Everything of the file is on stable storage when this returns.
    pub(crate) fn sync_all(&self) -> Result<()> {
        self.event(Event::SyncAll, || {
            // Apple's fsync need not see pages that are dirty through a mapping only.
            #[cfg(target_vendor = "apple")]
            self.region.msync(0, self.region.reserved(), true)?;
            platform::sync_file(&self.file)
        })
        .map_err(|e| Error::io("cannot sync the store", &e))
    }

    /// Makes the file `to` bytes long with real blocks; on failure it is `from` bytes long again.
    pub(crate) fn grow(&self, from: u64, to: u64) -> io::Result<()> {
        let grown =
            self.event(Event::Length { nbytes: to }, || platform::allocate(&self.file, from, to - from));
        if grown.is_err() {
            // ext4 keeps a partly extended file and the space. If this fails too, the tail beyond `from` is merely unused space.
            let _ = self.file.set_len(from);
        }
        grown
    }

    /// Cuts the file to `to` bytes.
    pub(crate) fn shrink(&self, to: u64) -> io::Result<()> {
        self.event(Event::Length { nbytes: to }, || self.file.set_len(to))
    }
}
