//! A mapping of header or catalog bytes, apart from the data: nothing but this crate can reach it.

use super::{MAP_UNIT, round_up};
use crate::error::{Error, Result};
use crate::platform;
use crate::platform::bus::Watch;
use crate::platform::loss::{Loss, Part};
use rustix::mm::{Advice, MapFlags, MsyncFlags, ProtFlags};
use std::fs::File;
use std::io;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A mapping of header or catalog bytes that nothing but this crate can reach.
pub(crate) struct MetaMap {
    ptr: *mut u8,
    off: u64,
    nbytes: u64,
    writable: bool,
    watch: Option<Watch>,
}

// SAFETY: words are accessed atomically, everything else under the store mutex.
unsafe impl Send for MetaMap {}
// SAFETY: as above.
unsafe impl Sync for MetaMap {}

impl MetaMap {
    /// Maps `[off, off+nbytes)` of the file (multiples of 16 KiB, inside the file). What is read from it counts only while `loss` has
    /// nothing to tell.
    pub(crate) fn new(file: &File, loss: &Arc<Loss>, off: u64, nbytes: u64, writable: bool) -> Result<Self> {
        let prot = if writable { ProtFlags::READ | ProtFlags::WRITE } else { ProtFlags::READ };
        // SAFETY: a fresh shared mapping at an address of the kernel's choice.
        match unsafe { rustix::mm::mmap(ptr::null_mut(), nbytes as usize, prot, MapFlags::SHARED, file, off) }
        {
            Ok(p) => {
                let watch = Watch::new(loss, Part::Metadata, p.cast(), nbytes as usize, off);
                Ok(Self { ptr: p.cast(), off, nbytes, writable, watch })
            }
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
        let (p, n) = (self.ptr.wrapping_add(from as usize).cast(), (to - from) as usize);
        // SAFETY: the range lies inside the mapping.
        platform::uninterrupted(|| unsafe { rustix::mm::msync(p, n, MsyncFlags::SYNC) })
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
        self.watch = None;
        // SAFETY: the mapping is ours and no pointer into it leaves this type.
        let _ = unsafe { rustix::mm::munmap(self.ptr.cast(), self.nbytes as usize) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::word::{State, Word};
    use std::mem::ManuallyDrop;

    /// Memory that no file is behind, so that Miri can look: never unmapped, freed by the caller.
    fn over(words: &mut [u64]) -> ManuallyDrop<MetaMap> {
        let nbytes = size_of_val(words) as u64;
        let ptr = words.as_mut_ptr().cast();
        ManuallyDrop::new(MetaMap { ptr, off: MAP_UNIT, nbytes, writable: true, watch: None })
    }

    #[test]
    fn words_are_read_whole_while_another_thread_stores_them() {
        let mut memory = vec![0u64; 64];
        let map = over(&mut memory);
        let word = |generation| Word { state: State::Live, tag: 7, ..Word::free(generation) }.encode(3);
        let rounds = if cfg!(miri) { 40 } else { 20_000 };
        std::thread::scope(|s| {
            s.spawn(|| (1..rounds).for_each(|g| map.store(MAP_UNIT + 24, word(g))));
            s.spawn(|| {
                let mut last = 0;
                for _ in 0..rounds {
                    let seen = Word::decode(map.load(MAP_UNIT + 24), 3).expect("half a word was seen");
                    assert!(seen.gen24 >= last, "a word went back");
                    last = seen.gen24;
                }
            });
            // A neighbour's bytes are no business of theirs.
            s.spawn(|| (0..rounds).for_each(|i| map.write(MAP_UNIT + 32, &i.to_le_bytes())));
        });
    }

    #[test]
    #[should_panic(expected = "outside its mapping")]
    fn bytes_beyond_the_mapping_are_out_of_reach() {
        let mut memory = vec![0u64; 8];
        over(&mut memory).read(MAP_UNIT + 60, &mut [0; 8]);
    }
}
