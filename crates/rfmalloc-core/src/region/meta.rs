//! A mapping of header or catalog bytes, apart from the data: nothing but this crate can reach it.

use super::{MAP_UNIT, round_up};
use crate::error::{Error, Result};
use rustix::mm::{Advice, MapFlags, MsyncFlags, ProtFlags};
use std::fs::File;
use std::io;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};

/// A mapping of header or catalog bytes that nothing but this crate can reach.
pub(crate) struct MetaMap {
    ptr: *mut u8,
    off: u64,
    nbytes: u64,
    writable: bool,
}

// SAFETY: words are accessed atomically, everything else under the store mutex.
unsafe impl Send for MetaMap {}
// SAFETY: as above.
unsafe impl Sync for MetaMap {}

impl MetaMap {
    /// Maps `[off, off+nbytes)` of the file (multiples of 16 KiB, inside the file).
    pub(crate) fn new(file: &File, off: u64, nbytes: u64, writable: bool) -> Result<Self> {
        let prot = if writable { ProtFlags::READ | ProtFlags::WRITE } else { ProtFlags::READ };
        // SAFETY: a fresh shared mapping at an address of the kernel's choice.
        match unsafe { rustix::mm::mmap(ptr::null_mut(), nbytes as usize, prot, MapFlags::SHARED, file, off) }
        {
            Ok(p) => Ok(Self { ptr: p.cast(), off, nbytes, writable }),
            Err(e) => {
                Err(Error::io(format!("cannot map {nbytes} bytes of the catalog"), &e.into())
                    .with("offset", off))
            }
        }
    }

    /// Whether `[off, off+n)` of the file lies in this mapping.
    pub(crate) fn covers(&self, off: u64, n: u64) -> bool {
        off >= self.off && off.checked_add(n).is_some_and(|end| end <= self.off + self.nbytes)
    }

    fn at(&self, off: u64, n: usize) -> *mut u8 {
        assert!(self.covers(off, n as u64), "metadata access outside its mapping");
        self.ptr.wrapping_add((off - self.off) as usize)
    }

    /// Copies bytes at file offset `off` out.
    pub(crate) fn read(&self, off: u64, out: &mut [u8]) {
        let p = self.at(off, out.len());
        // SAFETY: inside the mapping (asserted); `out` is private.
        unsafe { ptr::copy_nonoverlapping(p, out.as_mut_ptr(), out.len()) }
    }

    /// Copies bytes in. The store mutex is held.
    pub(crate) fn write(&self, off: u64, bytes: &[u8]) {
        assert!(self.writable, "store into read-only metadata");
        let p = self.at(off, bytes.len());
        // SAFETY: as in `read`, and the mapping is writable.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), p, bytes.len()) }
        std::sync::atomic::fence(Ordering::Release);
    }

    /// Loads the 8-byte word at `off` (a multiple of 8).
    pub(crate) fn load(&self, off: u64) -> u64 {
        let p = self.at(off, 8);
        assert!(off.is_multiple_of(8), "unaligned word");
        // SAFETY: aligned, inside the mapping, and words are only ever accessed atomically.
        unsafe { AtomicU64::from_ptr(p.cast()) }.load(Ordering::Acquire)
    }

    /// Stores the 8-byte word at `off` in one piece.
    pub(crate) fn store(&self, off: u64, word: u64) {
        assert!(self.writable && off.is_multiple_of(8), "store into read-only or unaligned metadata");
        let p = self.at(off, 8);
        // SAFETY: as in `load`, and the mapping is writable.
        unsafe { AtomicU64::from_ptr(p.cast()) }.store(word, Ordering::Release);
    }

    /// Finishes the writing back of `[off, off+n)`.
    pub(crate) fn msync(&self, off: u64, n: u64) -> io::Result<()> {
        let from = (off - self.off) & !(MAP_UNIT - 1);
        let to = round_up(off - self.off + n, MAP_UNIT).unwrap_or(self.nbytes).min(self.nbytes);
        // SAFETY: the range lies inside the mapping.
        unsafe {
            rustix::mm::msync(
                self.ptr.wrapping_add(from as usize).cast(),
                (to - from) as usize,
                MsyncFlags::SYNC,
            )
        }
        .map_err(Into::into)
    }

    /// Asks the system to read `[off, off+n)` ahead.
    pub(crate) fn will_need(&self, off: u64, n: u64) {
        let from = (off - self.off) & !(MAP_UNIT - 1);
        let to = (off - self.off + n).min(self.nbytes);
        // SAFETY: advice only; the range lies inside the mapping. Failure changes nothing.
        let _ = unsafe {
            rustix::mm::madvise(
                self.ptr.wrapping_add(from as usize).cast(),
                (to - from) as usize,
                Advice::WillNeed,
            )
        };
    }
}

impl Drop for MetaMap {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours and no pointer into it leaves this type.
        let _ = unsafe { rustix::mm::munmap(self.ptr.cast(), self.nbytes as usize) };
    }
}
