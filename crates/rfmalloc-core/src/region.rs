//! Address space: the only place that maps file bytes, and the only one that touches them through pointers.
//!
//! Holds: [`Region`] (the data mapping of one store), [`MetaMap`] (a separate mapping of header or catalog bytes), [`Span`] (raw
//! element memory that others may be writing). May touch: mmap, munmap, msync, madvise.
//!
//! Why it is so:
//! - The whole range is reserved once and file parts are mapped over it with `MAP_FIXED`, so growth never moves a byte and never
//!   invalidates a pointer. What is not file is anonymous memory: a stray access of a view's neighbour hits scratch pages.
//! - Header and catalog are mapped a second time, elsewhere; in the data mapping their place is blanked, so no view can reach them.
//! - Shared payloads may be written by a worker's view at any moment. No `&[T]` or `&mut [T]` ever spans them: [`Span`] copies blocks
//!   to and from private memory.
//! - After [`Region::close`] only the ranges under a [`Hold`] stay mapped (blank), each until its hold ends.
//!
//! What nobody can promise: another process that truncates the file turns an access into SIGBUS.

use crate::error::{Code, Error, Result};
use crate::platform;
use rustix::mm::{Advice, MapFlags, MsyncFlags, ProtFlags};
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

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

fn lock<T>(m: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
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
        self.mapped.fetch_max(to, Ordering::AcqRel);
        Ok(())
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
        // SAFETY: msync reads no memory of ours and the range is mapped.
        unsafe {
            let flags = if wait { MsyncFlags::SYNC } else { MsyncFlags::ASYNC };
            rustix::mm::msync(self.at(from).cast(), (to - from) as usize, flags)?;
        }
        Ok(())
    }

    /// A window on payload bytes; the caller has checked it against the file's length.
    pub(crate) fn span(self: &Arc<Self>, off: u64, nbytes: u64) -> Span {
        debug_assert!(off.checked_add(nbytes).is_some_and(|end| end <= self.reserved));
        Span { ptr: self.at(off), nbytes, writable: true }
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
        let mapped = self.mapped.load(Ordering::Acquire);
        if self.closed.load(Ordering::Acquire) {
            return Ok(());
        }
        self.blank(0, mapped).map_err(|e| Error::io("cannot unmap the store", &e))?;
        self.closed.store(true, Ordering::Release);
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
        let mut holds = lock(&self.region.holds);
        let freed = holds.change(self.start, self.end, -1);
        if holds.unmapped {
            for (from, to) in freed {
                self.region.unmap(from, to);
            }
        }
    }
}

/// Raw element memory: a payload in a store or in a plain mapped file. Others may write it meanwhile; every access copies.
///
/// The owner of the memory (an operation guard) must outlive the span; spans never leave the crate.
#[derive(Clone, Copy)]
pub(crate) struct Span {
    ptr: *mut u8,
    nbytes: u64,
    writable: bool,
}

// SAFETY: copies through a span are raw byte copies; races yield unspecified element values, which the API documents.
unsafe impl Send for Span {}

impl Span {
    /// A span over memory mapped elsewhere (memmap2).
    pub(crate) fn foreign(ptr: *mut u8, nbytes: u64, writable: bool) -> Self {
        Self { ptr, nbytes, writable }
    }

    pub(crate) fn nbytes(self) -> u64 {
        self.nbytes
    }

    /// The part `[off, off+nbytes)`; clipped to the span.
    pub(crate) fn part(self, off: u64, nbytes: u64) -> Self {
        let off = off.min(self.nbytes);
        Self {
            ptr: self.ptr.wrapping_add(off as usize),
            nbytes: nbytes.min(self.nbytes - off),
            writable: self.writable,
        }
    }

    fn room(self, off: u64, n: usize) -> bool {
        off.checked_add(n as u64).is_some_and(|end| end <= self.nbytes)
    }

    /// Copies bytes out; what lies beyond the span reads as zero.
    pub(crate) fn read(self, off: u64, out: &mut [u8]) {
        if !self.room(off, out.len()) {
            debug_assert!(false, "read beyond a span");
            out.fill(0);
            return;
        }
        // SAFETY: 1. the range lies inside the span (checked); 2. `out` is private memory and cannot overlap it.
        unsafe { ptr::copy_nonoverlapping(self.ptr.wrapping_add(off as usize), out.as_mut_ptr(), out.len()) }
    }

    /// Copies bytes in; does nothing beyond the span or when it is read-only.
    pub(crate) fn write(self, off: u64, bytes: &[u8]) {
        if !self.room(off, bytes.len()) || !self.writable {
            debug_assert!(false, "write beyond a span");
            return;
        }
        // SAFETY: as in `read`, with the roles exchanged.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), self.ptr.wrapping_add(off as usize), bytes.len()) }
    }

    /// Copies the whole of `src` to the start of this span; the two may overlap.
    pub(crate) fn copy_from(self, src: Self) {
        let n = self.nbytes.min(src.nbytes) as usize;
        if self.writable {
            // SAFETY: both ranges are mapped for `n` bytes; `copy` allows overlap.
            unsafe { ptr::copy(src.ptr, self.ptr, n) }
        }
    }

    /// Sets every byte to zero.
    pub(crate) fn zero(self) {
        if self.writable {
            // SAFETY: the span is mapped and writable for its whole length.
            unsafe { ptr::write_bytes(self.ptr, 0, self.nbytes as usize) }
        }
    }

    fn pages(self) -> (*mut u8, usize) {
        let page = rustix::param::page_size();
        let start = self.ptr as usize & !(page - 1);
        let end = (self.ptr as usize + self.nbytes as usize).next_multiple_of(page);
        (self.ptr.wrapping_sub(self.ptr as usize - start), end - start)
    }

    /// Passes advice on the pages under the span to the system.
    pub(crate) fn advise(self, advice: PageAdvice) -> io::Result<()> {
        if self.nbytes == 0 {
            return Ok(());
        }
        let (ptr, len) = self.pages();
        let advice = match advice {
            PageAdvice::Normal => Advice::Normal,
            PageAdvice::Sequential => Advice::Sequential,
            PageAdvice::Random => Advice::Random,
            PageAdvice::WillNeed => Advice::WillNeed,
            // Linux's MADV_DONTNEED on a shared mapping drops the page table entries only: the data stay in the page cache and the file.
            PageAdvice::DontNeed => drop_pages(),
        };
        // SAFETY: 1. the pages belong to our mapping; 2. none of these advices changes the bytes of a file mapping.
        unsafe { rustix::mm::madvise(ptr.cast(), len, advice) }.map_err(Into::into)
    }

    /// Reads the pages in: one byte of each page, through volatile loads.
    pub(crate) fn touch(self) {
        let page = rustix::param::page_size() as u64;
        let mut off = 0;
        while off < self.nbytes {
            // SAFETY: `off` lies inside the span.
            let _ = unsafe { ptr::read_volatile(self.ptr.wrapping_add(off as usize)) };
            off += page;
        }
    }
}

/// Bytes of a caller's buffer, which others may be writing meanwhile; accessed by copies only.
#[derive(Clone, Copy)]
pub struct RawBytes(Span);

impl RawBytes {
    /// The `nbytes` bytes at `ptr`.
    ///
    /// # Safety
    /// 1. The range is mapped, readable and writable until the value is last used. 2. No reference spans it meanwhile.
    pub unsafe fn new(ptr: *mut u8, nbytes: u64) -> Self {
        Self(Span { ptr, nbytes, writable: true })
    }

    /// The first `nbytes` bytes, or all if there are fewer.
    #[must_use]
    pub fn first(self, nbytes: u64) -> Self {
        Self(self.0.part(0, nbytes))
    }

    pub(crate) fn span(self) -> Span {
        self.0
    }
}

/// Advice on pages, in the words of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are POSIX's")]
pub enum PageAdvice {
    Normal,
    Sequential,
    Random,
    WillNeed,
    DontNeed,
}

/// On a private mapping (read-only stores) dropping pages would lose stray stores only; on others it is harmless. Elsewhere than on Linux
/// the call may discard dirty pages, so it is not made.
const fn drop_pages() -> Advice {
    #[cfg(target_os = "linux")]
    return Advice::LinuxDontNeed;
    #[cfg(not(target_os = "linux"))]
    return Advice::Normal;
}

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

/// Maps a plain file of elements for `MappedFile`: shared, or private copy-on-write when read-only (a stray store must not kill the process).
pub(crate) fn map_plain(file: &File, nbytes: u64, read_only: bool) -> io::Result<memmap2::MmapMut> {
    let mut options = memmap2::MmapOptions::new();
    options.len(usize::try_from(nbytes).map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?);
    if read_only {
        // SAFETY: a private mapping of a file we hold open; all access goes through raw copies. Truncation by others is the documented risk.
        unsafe { options.no_reserve_swap().map_copy(file) }
    } else {
        // SAFETY: as above, shared.
        unsafe { options.map_mut(file) }
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
