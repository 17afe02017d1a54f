//! Private windows on file bytes that nobody may change any more: stores through them stay in this process and never reach the file.
//!
//! Holds: [`Alias`] and the region's list of them. May touch: mmap, munmap. Long windows are a private mapping of the file (no byte is
//! copied before it is written); short ones, which need not start at a page, are a copy. Closing the store blanks them as it blanks the
//! data mapping: what another process makes of the file afterwards is none of their business, and a file cut short must not kill this one.

use super::{MAP_UNIT, Region, Span, lock, round_up, too_large};
use crate::error::{Code, Error, Result};
use crate::platform;
use crate::platform::bus::Watch;
use crate::platform::loss::Part;
use rustix::mm::{MapFlags, ProtFlags};
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::ptr;
use std::sync::Arc;

/// Live aliases of one region: address → bytes, and what makes the handler of lost pages know them.
#[derive(Default)]
pub(super) struct Aliases {
    list: BTreeMap<usize, (usize, Option<Watch>)>,
    closed: bool,
}

/// Private memory that shows file bytes.
pub(crate) struct Alias {
    region: Arc<Region>,
    base: *mut u8,
    mapped: usize,
    ptr: *mut u8,
    nbytes: u64,
}

// SAFETY: an alias is an address range of its own; the pointer is only handed out.
unsafe impl Send for Alias {}
// SAFETY: as above.
unsafe impl Sync for Alias {}

impl Region {
    /// A private window on bytes `[off, off+nbytes)` of the file, which must lie inside it.
    pub(crate) fn alias(self: &Arc<Self>, file: &File, off: u64, nbytes: u64) -> Result<Alias> {
        let is_copy = nbytes < MAP_UNIT;
        let from = if is_copy { off } else { off & !(MAP_UNIT - 1) };
        let Some(mapped) = (off - from).checked_add(nbytes).and_then(|n| round_up(n.max(1), MAP_UNIT)) else {
            return Err(too_large(nbytes));
        };
        let (prot, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE | MapFlags::NORESERVE);
        let mut aliases = lock(&self.aliases);
        if aliases.closed {
            return Err(Error::new(Code::Closed, "the store is closed"));
        }
        let mapped = mapped as usize;
        // SAFETY: fresh mappings at an address of the kernel's choice touch no existing memory; the file's descriptor stays open with the
        // store, and the mapping outlives it all the same.
        let base = unsafe {
            if is_copy {
                rustix::mm::mmap_anonymous(ptr::null_mut(), mapped, prot, flags)
            } else {
                rustix::mm::mmap(ptr::null_mut(), mapped, prot, flags, file, from)
            }
        };
        let base = base.map_err(|e| refused(nbytes, &e.into()))?.cast::<u8>();
        let watch = lock(&self.watch)
            .as_ref()
            .filter(|_| !is_copy)
            .and_then(|w| Watch::new(w.loss(), Part::Data, base, mapped, from));
        aliases.list.insert(base as usize, (mapped, watch));
        drop(aliases);
        let ptr = base.wrapping_add((off - from) as usize);
        if is_copy {
            Span::over(ptr, nbytes).copy_from(self.span(off, nbytes));
        }
        Ok(Alias { region: Arc::clone(self), base, mapped, ptr, nbytes })
    }

    /// Blanks every alias; new ones are refused. Part of `close`.
    pub(super) fn close_aliases(&self) {
        let mut aliases = lock(&self.aliases);
        aliases.closed = true;
        for (base, (mapped, watch)) in &mut aliases.list {
            let scratch = |prot| {
                let flags = MapFlags::PRIVATE | MapFlags::NORESERVE | MapFlags::FIXED;
                // SAFETY: the range is one of our mappings, alive as long as it is in the list; live pointers stay valid addresses.
                unsafe {
                    rustix::mm::mmap_anonymous(ptr::with_exposed_provenance_mut(*base), *mapped, prot, flags)
                }
            };
            // As in `blank`: reading zeros matters more than swallowing stores.
            let _ = scratch(ProtFlags::READ | ProtFlags::WRITE).or_else(|_| scratch(ProtFlags::READ));
            *watch = None;
        }
    }
}

/// Where memory is strictly accounted, a private window counts in full although it is only read.
fn refused(nbytes: u64, e: &io::Error) -> Error {
    Error::new(
        Code::TooLarge,
        format!("the system refuses {nbytes} bytes of private memory for a view of sealed elements ({e}); use windows() or readInto()"),
    )
    .with("nbytes", nbytes)
}

impl Alias {
    pub(crate) fn ptr(&self) -> *mut u8 {
        self.ptr
    }
    pub(crate) fn nbytes(&self) -> u64 {
        self.nbytes
    }
}

impl Drop for Alias {
    fn drop(&mut self) {
        // As a hold's: a forked child's copy of the lock may be held for ever.
        if self.region.process != platform::process_epoch() {
            return;
        }
        let mut aliases = lock(&self.region.aliases);
        aliases.list.remove(&(self.base as usize));
        // Under the lock: once unmapped, the address may be another alias's. An error (no map entries left) leaves unused pages.
        // SAFETY: the last owner of the range goes.
        let _ = unsafe { rustix::mm::munmap(self.base.cast(), self.mapped) };
    }
}

#[cfg(test)]
mod tests {
    use super::super::Access;
    use super::*;
    use std::os::unix::fs::FileExt;

    /// Stores through a private window must not reach the file, and closing must not leave it a window on the file.
    #[test]
    #[cfg_attr(miri, ignore = "Miri maps no files")]
    fn stores_through_an_alias_stay_private_and_closing_blanks_it() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(1 << 20).unwrap();
        file.write_all_at(b"abcd", (1 << 19) + 64).unwrap();
        let region = Arc::new(Region::reserve(1 << 30, 1 << 20, Access::Shared).unwrap());
        region.map_file(&file, 0, 1 << 20).unwrap();
        for nbytes in [64, 100_000] {
            let alias = region.alias(&file, (1 << 19) + 64, nbytes).unwrap();
            let span = Span::over(alias.ptr(), alias.nbytes());
            let mut b = [0; 4];
            span.read(0, &mut b);
            assert_eq!(&b, b"abcd");
            span.write(0, b"wxyz");
            file.read_exact_at(&mut b, (1 << 19) + 64).unwrap();
            assert_eq!(&b, b"abcd");
        }
        let alias = region.alias(&file, (1 << 19) + 64, 100_000).unwrap();
        region.close().unwrap();
        let mut b = [1; 4];
        Span::over(alias.ptr(), 4).read(0, &mut b);
        assert_eq!(b, [0; 4]);
        assert!(region.alias(&file, 0, 64).is_err());
    }
}
