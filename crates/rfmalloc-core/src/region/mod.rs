//! Address space: the only room that maps file bytes, and the only one that touches them through pointers.
//!
//! Holds: [`Region`] (the data mapping of one store) and [`Hold`] here, [`MetaMap`] (a separate mapping of header or catalog bytes) in
//! `meta`, [`Alias`] (private windows) in `alias`, [`Span`] (raw element memory that others may be writing) in `span`, loads and
//! stores of single elements in `gather`, of typed blocks in `plain`, matrices in `matrix`. May touch: mmap, munmap, msync, madvise.
//!
//! Why it is so:
//! - The whole range is reserved once and file parts are mapped over it with `MAP_FIXED`, so growth never moves a byte and never
//!   invalidates a pointer. What is not file is anonymous memory: a stray access of a view's neighbour hits scratch pages.
//! - Header and catalog are mapped a second time, elsewhere; in the data mapping their place is blanked, so no view can reach them.
//! - Shared payloads may be written by a worker's view at any moment. No `&[T]` or `&mut [T]` ever spans them: [`Span`] copies blocks
//!   to and from private memory.
//! - After [`Region::close`] only the ranges under a [`Hold`] stay mapped (blank), each until its hold ends.
//!
//! - A page that cannot be had any more (another process truncates the file, the medium fails) reads as zeros, and the store's
//!   [`Loss`] knows: see `platform/bus.rs`.

mod alias;
mod gather;
mod matrix;
mod meta;
mod plain;
mod span;

pub(crate) use alias::Alias;
pub(crate) use gather::AHEAD;
pub(crate) use matrix::{Cells, Strided};
pub(crate) use meta::MetaMap;
pub(crate) use plain::{Elems, Plain, Stretch, fence_streams};
pub use span::{PageAdvice, RawBytes};
pub(crate) use span::{Span, map_plain};

use crate::error::{Code, Error, Result};
use crate::platform;
use crate::platform::bus::Watch;
use crate::platform::loss::{Loss, Part};
use crate::sync_types::{AtomicBool, AtomicU64, Mutex, MutexGuard};
use rustix::mm::{MapFlags, MsyncFlags, ProtFlags};
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::ptr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

/// All mapping offsets and lengths are multiples of this: the largest page size of the supported systems.
pub(crate) const MAP_UNIT: u64 = 16 * 1024;
/// Reservations start at a multiple of this, so that equal file offsets can use huge pages.
const BASE_ALIGN: usize = 2 << 20;
/// The smallest address range worth having.
const MIN_RESERVE: u64 = 64 << 20;

/// The data mapping of one store: `[0, reserved)` of address space, file bytes where mapped, scratch elsewhere.
pub(crate) struct Region {
    base: *mut u8,
    reserved: u64,
    raw: (*mut u8, usize),
    /// End of the mapped file bytes; grows under the store mutex.
    mapped: AtomicU64,
    access: Access,
    closed: AtomicBool,
    holds: Mutex<Holds>,
    aliases: Mutex<alias::Aliases>,
    /// The process that reserved it, by its `process_epoch`.
    process: u64,
    watch: Mutex<Option<Watch>>,
}

/// How file bytes are mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Stores reach the file.
    Shared,
    /// Stores stay in this process.
    Private,
}

/// Ranges that live pointers may still reach: page-rounded start → (end, count) pieces, disjoint.
#[derive(Default)]
struct Holds {
    pieces: BTreeMap<u64, (u64, u32)>,
    unmapped: bool,
}

// SAFETY: 1. `base` never changes and the memory outlives the value; 2. all methods are either plain system calls on ranges or raw copies whose
// races are confined to element bytes, which no reference ever spans.
unsafe impl Send for Region {}
// SAFETY: as above.
unsafe impl Sync for Region {}

fn lock<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    m.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `n` rounded up to a multiple of `unit` (a power of two); `None` on overflow.
pub(crate) fn round_up(n: u64, unit: u64) -> Option<u64> {
    n.checked_add(unit - 1).map(|m| m & !(unit - 1))
}

fn idle_protection() -> ProtFlags {
    if platform::overcommit_is_strict() { ProtFlags::empty() } else { ProtFlags::READ | ProtFlags::WRITE }
}

impl Region {
    /// Reserves address space: `want` bytes, or half of it, and so on while the system refuses; at least `need`.
    pub(crate) fn reserve(want: u64, need: u64, access: Access) -> Result<Self> {
        let need = round_up(need.max(MIN_RESERVE), BASE_ALIGN as u64).ok_or_else(|| too_large(need))?;
        let mut size = round_up(want.max(need), BASE_ALIGN as u64).ok_or_else(|| too_large(want))?;
        loop {
            let len = usize::try_from(size)
                .ok()
                .and_then(|n| n.checked_add(BASE_ALIGN))
                .ok_or_else(|| too_large(size))?;
            // SAFETY: a fresh anonymous mapping at an address of the kernel's choice touches no existing memory.
            match unsafe {
                rustix::mm::mmap_anonymous(
                    ptr::null_mut(),
                    len,
                    idle_protection(),
                    MapFlags::PRIVATE | MapFlags::NORESERVE,
                )
            } {
                Ok(p) => {
                    let raw = p.cast::<u8>();
                    let base = raw.wrapping_add(raw.align_offset(BASE_ALIGN));
                    return Ok(Self {
                        base,
                        reserved: size,
                        raw: (raw, len),
                        mapped: AtomicU64::new(0),
                        access,
                        closed: AtomicBool::new(false),
                        holds: Mutex::default(),
                        aliases: Mutex::default(),
                        process: platform::process_epoch(),
                        watch: Mutex::default(),
                    });
                }
                Err(e) if size == need => {
                    return Err(Error::io(
                        format!("cannot reserve {size} bytes of address space"),
                        &e.into(),
                    ));
                }
                Err(_) => size = round_up((size / 2).max(need), BASE_ALIGN as u64).unwrap_or(need),
            }
        }
    }

    /// Bytes of address space: the most the file can grow to.
    pub(crate) fn reserved(&self) -> u64 {
        self.reserved
    }

    /// Maps file bytes `[from, to)` at the same offsets of the region.
    pub(crate) fn map_file(&self, file: &File, from: u64, to: u64) -> io::Result<()> {
        self.check(from, to)?;
        if from == to {
            return Ok(());
        }
        let (flags, prot) = match self.access {
            Access::Shared => (MapFlags::SHARED, ProtFlags::READ | ProtFlags::WRITE),
            Access::Private if platform::overcommit_is_strict() => (MapFlags::PRIVATE, ProtFlags::READ),
            Access::Private => (MapFlags::PRIVATE | MapFlags::NORESERVE, ProtFlags::READ | ProtFlags::WRITE),
        };
        // SAFETY: 1. `[from, to)` lies inside our reservation (checked); 2. MAP_FIXED replaces only our own pages; 3. live pointers into the
        // range stay valid addresses.
        unsafe {
            rustix::mm::mmap(
                self.at(from).cast(),
                (to - from) as usize,
                prot,
                flags | MapFlags::FIXED,
                file,
                from,
            )?;
        }
        let mapped = self.mapped.fetch_max(to, Ordering::AcqRel).max(to);
        if let Some(watch) = &*lock(&self.watch) {
            watch.set_nbytes(mapped as usize);
        }
        Ok(())
    }

    /// From now on a page of the file that cannot be had is noted in `loss` and reads as zeros.
    pub(crate) fn watch(&self, loss: &Arc<Loss>) {
        let mapped = self.mapped.load(Ordering::Acquire) as usize;
        *lock(&self.watch) = Watch::new(loss, Part::Data, self.base, mapped, 0);
    }

    /// Replaces `[from, to)` by scratch pages: the file's bytes are no longer reachable, the addresses stay valid.
    pub(crate) fn blank(&self, from: u64, to: u64) -> io::Result<()> {
        self.check(from, to)?;
        if from == to {
            return Ok(());
        }
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE | MapFlags::FIXED;
        // Dead views must read zeros and swallow stores; where strict overcommit refuses that much memory, they still read zeros and
        // the file is out of reach, which matters more.
        let scratch = |prot| {
            // SAFETY: as in `map_file`.
            unsafe { rustix::mm::mmap_anonymous(self.at(from).cast(), (to - from) as usize, prot, flags) }
        };
        scratch(ProtFlags::READ | ProtFlags::WRITE).or_else(|_| scratch(ProtFlags::READ))?;
        Ok(())
    }

    /// Puts the file out of this process's reach. Takes no lock.
    pub(crate) fn blank_all(&self) -> io::Result<()> {
        if self.closed.load(Ordering::Acquire) {
            return Ok(());
        }
        self.blank(0, self.mapped.load(Ordering::Acquire))
    }

    fn check(&self, from: u64, to: u64) -> io::Result<()> {
        if from > to
            || to > self.reserved
            || !from.is_multiple_of(MAP_UNIT)
            || !to.is_multiple_of(MAP_UNIT)
            || self.closed.load(Ordering::Acquire)
        {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        }
        Ok(())
    }

    fn at(&self, off: u64) -> *mut u8 {
        self.base.wrapping_add(off as usize)
    }

    /// Starts or finishes the writing back of dirty pages of `[off, off+nbytes)`.
    pub(crate) fn msync(&self, off: u64, nbytes: u64, wait: bool) -> io::Result<()> {
        let from = off & !(MAP_UNIT - 1);
        let to = round_up(off.saturating_add(nbytes), MAP_UNIT)
            .unwrap_or(self.reserved)
            .min(self.mapped.load(Ordering::Acquire));
        if from >= to {
            return Ok(());
        }
        let flags = if wait { MsyncFlags::SYNC } else { MsyncFlags::ASYNC };
        let (p, n) = (self.at(from).cast(), (to - from) as usize);
        // SAFETY: msync reads no memory of ours and the range is mapped.
        platform::uninterrupted(|| unsafe { rustix::mm::msync(p, n, flags) })
    }

    /// A window on payload bytes; the caller has checked it against the file's length.
    pub(crate) fn span(self: &Arc<Self>, off: u64, nbytes: u64) -> Span {
        debug_assert!(off.checked_add(nbytes).is_some_and(|end| end <= self.reserved));
        Span::over(self.at(off), nbytes)
    }

    /// Keeps `[off, off+nbytes)` mapped (blank after `close`) until the hold is dropped.
    pub(crate) fn hold(self: &Arc<Self>, off: u64, nbytes: u64) -> Result<Hold> {
        let end = off.checked_add(nbytes).and_then(|e| round_up(e, MAP_UNIT)).filter(|e| *e <= self.reserved);
        let Some(end) = end else { return Err(too_large(nbytes)) };
        let start = off & !(MAP_UNIT - 1);
        let mut holds = lock(&self.holds);
        if holds.unmapped {
            return Err(Error::new(Code::Closed, "the store is closed"));
        }
        holds.change(start, end, 1);
        drop(holds);
        Ok(Hold { region: Arc::clone(self), start, end, ptr: self.at(off), nbytes })
    }

    /// Ends access to the file: every page becomes scratch, and what no hold covers is unmapped. Idempotent.
    pub(crate) fn close(&self) -> Result<()> {
        if self.closed.load(Ordering::Acquire) {
            return Ok(());
        }
        self.blank_all().map_err(|e| Error::io("cannot unmap the store", &e))?;
        self.closed.store(true, Ordering::Release);
        self.close_aliases();
        // Scratch pages raise no signal, and nothing may be unmapped under a handler at work.
        *lock(&self.watch) = None;
        let mut holds = lock(&self.holds);
        holds.unmapped = true;
        let mut from = 0;
        let pieces: Vec<(u64, u64)> = holds.pieces.iter().map(|(s, (e, _))| (*s, *e)).collect();
        for (start, end) in pieces.into_iter().chain([(self.reserved, self.reserved)]) {
            if from < start {
                self.unmap(from, start);
            }
            from = from.max(end);
        }
        let head = self.base as usize - self.raw.0 as usize;
        let tail = self.raw.1 - head - self.reserved as usize;
        for (p, n) in [(self.raw.0, head), (self.base.wrapping_add(self.reserved as usize), tail)] {
            if n > 0 {
                // SAFETY: the alignment slack around the region belongs to our reservation and was never handed out.
                let _ = unsafe { rustix::mm::munmap(p.cast(), n) };
            }
        }
        Ok(())
    }

    /// Errors are ignored: munmap of our own whole pages fails only when the system is out of map entries, and then the pages stay, blank.
    fn unmap(&self, from: u64, to: u64) {
        // SAFETY: only called after `close` for ranges that no hold covers, so no live pointer reaches them.
        let _ = unsafe { rustix::mm::munmap(self.at(from).cast(), (to - from) as usize) };
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        *lock(&self.watch) = None;
        if !self.closed.load(Ordering::Acquire) {
            // SAFETY: the last owner goes, and holds own an `Arc`: nobody can reach the range any more.
            let _ = unsafe { rustix::mm::munmap(self.raw.0.cast(), self.raw.1) };
        }
    }
}

impl Holds {
    /// Adds `delta` (+1 or −1) over `[start, end)`, splitting pieces where needed; returns the ranges nobody holds any more.
    fn change(&mut self, start: u64, end: u64, delta: i32) -> Vec<(u64, u64)> {
        self.split(start);
        self.split(end);
        let mut freed = Vec::new();
        let mut at = start;
        while at < end {
            match self.pieces.range(at..end).next().map(|(s, p)| (*s, *p)) {
                Some((s, (e, n))) if s == at => {
                    let n = n.saturating_add_signed(delta);
                    if n == 0 {
                        self.pieces.remove(&s);
                        freed.push((s, e));
                    } else {
                        self.pieces.insert(s, (e, n));
                    }
                    at = e;
                }
                next => {
                    let gap_end = next.map_or(end, |(s, _)| s);
                    if delta > 0 {
                        self.pieces.insert(at, (gap_end, 1));
                    }
                    at = gap_end;
                }
            }
        }
        freed
    }

    fn split(&mut self, at: u64) {
        if let Some((s, (e, n))) = self.pieces.range(..at).next_back().map(|(s, p)| (*s, *p))
            && at < e
        {
            self.pieces.insert(s, (at, n));
            self.pieces.insert(at, (e, n));
        }
    }
}

/// A promise that a range stays mapped; made for buffers that JavaScript may keep for ever.
pub(crate) struct Hold {
    region: Arc<Region>,
    start: u64,
    end: u64,
    ptr: *mut u8,
    nbytes: u64,
}

// SAFETY: a hold is a range and a reference count; the pointer is only handed out.
unsafe impl Send for Hold {}
// SAFETY: as above.
unsafe impl Sync for Hold {}

impl Hold {
    pub(crate) fn ptr(&self) -> *mut u8 {
        self.ptr
    }
    pub(crate) fn nbytes(&self) -> u64 {
        self.nbytes
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        // A forked child's copy of the lock may be held for ever.
        if self.region.process != platform::process_epoch() {
            return;
        }
        let mut holds = lock(&self.region.holds);
        let freed = holds.change(self.start, self.end, -1);
        if holds.unmapped {
            for (from, to) in freed {
                self.region.unmap(from, to);
            }
        }
    }
}

fn too_large(n: u64) -> Error {
    Error::new(Code::TooLarge, format!("{n} bytes exceed the address space")).with("nbytes", n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_split_and_merge_without_losing_a_page() {
        let mut h = Holds::default();
        assert!(h.change(0, 100, 1).is_empty());
        assert!(h.change(50, 150, 1).is_empty());
        assert_eq!(h.change(0, 100, -1), vec![(0, 50)]);
        assert_eq!(h.change(50, 150, -1), vec![(50, 100), (100, 150)]);
        assert!(h.pieces.is_empty());
    }

    #[test]
    #[cfg_attr(miri, ignore = "Miri maps no files")]
    fn growth_keeps_addresses_and_a_blanked_range_reads_zero() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(1 << 20).unwrap();
        let region = Arc::new(Region::reserve(1 << 30, 1 << 20, Access::Shared).unwrap());
        region.map_file(&file, 0, 1 << 19).unwrap();
        let span = region.span(100, 4);
        span.write(0, b"abcd");
        region.map_file(&file, 1 << 19, 1 << 20).unwrap();
        let mut out = [0; 4];
        span.read(0, &mut out);
        assert_eq!(&out, b"abcd");
        let hold = region.hold(0, 4096).unwrap();
        region.close().unwrap();
        span.read(0, &mut out);
        assert_eq!(out, [0; 4]);
        drop(hold);
    }
}
