//! Raw element memory: copies in and out, advice, and plain mapped files. No reference ever spans it, since others may write it.

use crate::sync_types::step;
use rustix::mm::Advice;
use std::fs::File;
use std::io;
use std::ptr;

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
// SAFETY: as above: a shared span can do nothing that a copied one cannot.
unsafe impl Sync for Span {}

impl Span {
    /// No bytes.
    pub(crate) const EMPTY: Self = Self { ptr: ptr::dangling_mut(), nbytes: 0, writable: false };

    /// A span over a store's own mapping.
    pub(super) fn over(ptr: *mut u8, nbytes: u64) -> Self {
        Self { ptr, nbytes, writable: true }
    }

    /// A span over memory mapped elsewhere (memmap2).
    pub(crate) fn foreign(ptr: *mut u8, nbytes: u64, writable: bool) -> Self {
        Self { ptr, nbytes, writable }
    }

    pub(crate) fn nbytes(self) -> u64 {
        self.nbytes
    }

    /// Whether both are the same bytes.
    pub(crate) fn is(self, other: Self) -> bool {
        self.ptr == other.ptr && self.nbytes == other.nbytes
    }

    /// Whether they have bytes in common.
    pub(crate) fn meets(self, other: Self) -> bool {
        let (from, other_from) = (self.ptr as u64, other.ptr as u64);
        from < other_from + other.nbytes && other_from < from + self.nbytes
    }

    pub(super) fn ptr(self) -> *mut u8 {
        self.ptr
    }

    pub(super) fn is_writable(self) -> bool {
        self.writable
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

    /// This part of `whole` with so many bytes more on both sides, as far as `whole` goes.
    pub(crate) fn widened(self, nbytes: u64, whole: Self) -> Self {
        let off = (self.ptr as usize).saturating_sub(whole.ptr as usize) as u64;
        let from = off.saturating_sub(nbytes);
        whole.part(from, off - from + self.nbytes + nbytes)
    }

    fn room(self, off: u64, n: usize) -> bool {
        off.checked_add(n as u64).is_some_and(|end| end <= self.nbytes)
    }

    /// Copies bytes out; what lies beyond the span reads as zero.
    pub(crate) fn read(self, off: u64, out: &mut [u8]) {
        step();
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
        step();
        if !self.room(off, bytes.len()) || !self.writable {
            debug_assert!(false, "write beyond a span");
            return;
        }
        // SAFETY: as in `read`, with the roles exchanged.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), self.ptr.wrapping_add(off as usize), bytes.len()) }
    }

    /// Copies 16-byte words out, each in one piece; what lies beyond the span reads as zero. `off` is a multiple of 16.
    #[expect(clippy::cast_ptr_alignment, reason = "the alignment is tested before any access")]
    pub(crate) fn read_words(self, off: u64, out: &mut [[u8; 16]]) {
        step();
        let at = self.ptr.wrapping_add(off as usize).cast::<Word16>();
        if !self.room(off, 16 * out.len()) || !at.is_aligned() {
            debug_assert!(false, "read of words beyond a span");
            out.fill([0; 16]);
            return;
        }
        for (i, word) in out.iter_mut().enumerate() {
            // SAFETY: the word lies inside the span and is aligned (checked); any bytes are a value of both types.
            *word =
                unsafe { std::mem::transmute::<Word16, [u8; 16]>(ptr::read_volatile(at.wrapping_add(i))) };
        }
    }

    /// Copies 16-byte words in, each in one piece, so that no kill leaves half of one; does nothing beyond the span.
    #[expect(clippy::cast_ptr_alignment, reason = "the alignment is tested before any access")]
    pub(crate) fn write_words(self, off: u64, words: &[[u8; 16]]) {
        step();
        let at = self.ptr.wrapping_add(off as usize).cast::<Word16>();
        if !self.room(off, 16 * words.len()) || !self.writable || !at.is_aligned() {
            debug_assert!(false, "write of words beyond a span");
            return;
        }
        for (i, word) in words.iter().enumerate() {
            // SAFETY: as in `read_words`.
            unsafe { ptr::write_volatile(at.wrapping_add(i), std::mem::transmute::<[u8; 16], Word16>(*word)) }
        }
    }

    /// Copies the whole of `src` to the start of this span; the two may overlap.
    pub(crate) fn copy_from(self, src: Self) {
        step();
        let n = self.nbytes.min(src.nbytes) as usize;
        if self.writable {
            // SAFETY: both ranges are mapped for `n` bytes; `copy` allows overlap.
            unsafe { ptr::copy(src.ptr, self.ptr, n) }
        }
    }

    /// Sets every byte to zero.
    pub(crate) fn zero(self) {
        step();
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

    /// Says that the span is about to be filled, until what is returned is dropped: where others are to be spared (`spares_others`), its pages come
    /// one at a time. Else the first store to fresh space of a file has the system zero all that it would read ahead, megabytes on some devices,
    /// in one go, during which an event loop waits for the processor or for the memory map; but all is filled sooner.
    pub(crate) fn filling(self, spares_others: bool) -> Filling {
        let filled = if spares_others && self.nbytes >= FILLED_SINGLY { self } else { Self::EMPTY };
        // Advice only: without it the same bytes are stored.
        let _ = filled.advise(PageAdvice::Random);
        Filling(filled)
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

/// Bytes from which on it is worth two calls to tell the system that a span is filled.
const FILLED_SINGLY: u64 = 1 << 20;

/// See [`Span::filling`]. To be dropped while the span is mapped.
pub(crate) struct Filling(Span);

impl Drop for Filling {
    fn drop(&mut self) {
        let _ = self.0.advise(PageAdvice::Normal);
    }
}

/// What one load or store moves: a vector register where there is one. Aligned, it reaches memory in one piece on every x86-64 with AVX and
/// every `AArch64` with LSE2; elsewhere two halves, which whoever reads text checks and reads again under the store mutex.
#[cfg(target_arch = "x86_64")]
type Word16 = std::arch::x86_64::__m128i;
#[cfg(target_arch = "aarch64")]
type Word16 = std::arch::aarch64::uint8x16_t;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
type Word16 = u128;

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

    /// No bytes.
    pub(crate) fn empty() -> Self {
        Self(Span::EMPTY)
    }

    /// A test's own buffer, which it keeps and does not touch while the value is used.
    #[cfg(test)]
    pub(crate) fn of(bytes: &mut [u8]) -> Self {
        Self(Span { ptr: bytes.as_mut_ptr(), nbytes: bytes.len() as u64, writable: true })
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

impl From<Span> for RawBytes {
    fn from(span: Span) -> Self {
        Self(span)
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

/// Maps a plain file of elements for `MappedFile`: shared, or private copy-on-write when read-only (a stray store must not kill the process).
pub(crate) fn map_plain(file: &File, nbytes: u64, read_only: bool) -> io::Result<memmap2::MmapRaw> {
    let mut options = memmap2::MmapOptions::new();
    options.len(usize::try_from(nbytes).map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?);
    if read_only {
        // SAFETY: a private mapping of a file we hold open; all access goes through raw copies. The caller has the mapping watched for lost pages.
        unsafe { options.no_reserve_swap().map_copy(file).map(Into::into) }
    } else {
        // SAFETY: as above, shared.
        unsafe { options.map_mut(file).map(Into::into) }
    }
}
