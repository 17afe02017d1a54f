//! Typed access to raw element memory: what the kernels read and write through.
//!
//! Holds: [`Plain`], the element types that any bit pattern is a value of; the loads and stores of [`Span`] in elements; and [`Elems`], a
//! stretch of elements that is read by copies alone, element by element or row by row into registers, because others may write the memory
//! meanwhile: no reference ever spans it. The loops of [`Elems`] are what the kernels are made of, and are inlined into them.

#![expect(
    clippy::inline_always,
    reason = "a kernel's loop is vectorised only where it is inlined into its instruction set's wrapper"
)]

use super::Span;
use crate::sync_types::step;
use std::marker::PhantomData;

/// An element type: any bit pattern is a value of it, and it has no padding.
///
/// # Safety
/// 1. Every bit pattern of the type's size is a valid value. 2. The type has no padding bytes.
#[allow(unreachable_pub)]
pub unsafe trait Plain: Copy + Default + PartialEq + Send + Sync + std::fmt::Debug + 'static {}

// SAFETY: integers and floats have no padding and no invalid pattern; so have arrays of them.
unsafe impl Plain for u8 {}
// SAFETY: as above.
unsafe impl Plain for i32 {}
// SAFETY: as above.
unsafe impl Plain for u32 {}
// SAFETY: as above.
unsafe impl Plain for u64 {}
// SAFETY: as above.
unsafe impl Plain for f64 {}
// SAFETY: as above.
unsafe impl Plain for [f64; 2] {}

/// The bytes of private elements.
pub(crate) fn bytes_of<T: Plain>(items: &[T]) -> &[u8] {
    // SAFETY: 1. the memory is one slice of initialised elements; 2. `Plain` has no padding; 3. bytes need no alignment.
    unsafe { std::slice::from_raw_parts(items.as_ptr().cast(), size_of_val(items)) }
}

/// The bytes of private elements, to be written.
pub(crate) fn bytes_of_mut<T: Plain>(items: &mut [T]) -> &mut [u8] {
    // SAFETY: as in `bytes_of`; 4. any bytes written are valid elements.
    unsafe { std::slice::from_raw_parts_mut(items.as_mut_ptr().cast(), size_of_val(items)) }
}

impl Span {
    /// Copies elements `[idx, idx + out.len())` out.
    pub(crate) fn load<T: Plain>(self, idx: u64, out: &mut [T]) {
        self.read(idx * size_of::<T>() as u64, bytes_of_mut(out));
    }

    /// Copies the elements at positions `at` out, one for each place of `out`; beyond the span's last one: `missing`.
    pub(crate) fn load_at<T: Plain>(self, at: &[u64], missing: T, out: &mut [T]) {
        let n = at.len().min(out.len());
        self.gather(size_of::<T>() as u64, &at[..n], bytes_of(&[missing]), bytes_of_mut(&mut out[..n]));
    }

    /// Copies elements in, to start at `idx`.
    pub(crate) fn store<T: Plain>(self, idx: u64, items: &[T]) {
        self.write(idx * size_of::<T>() as u64, bytes_of(items));
    }
}

/// Asks for the cache line at `at`, which need not be memory: a hint that reads nothing.
#[inline(always)]
pub(super) fn prefetch<T>(at: *const T) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: a prefetch of any address changes nothing that a program can see and never faults; SSE belongs to x86-64.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(at.cast());
    }
    #[cfg(all(target_arch = "aarch64", not(miri)))]
    // SAFETY: as above; every AArch64 has the instruction, which writes no register, no flag and no memory.
    unsafe {
        std::arch::asm!("prfm pldl1keep, [{}]", in(reg) at, options(readonly, nostack, preserves_flags));
    }
    #[cfg(not(all(any(target_arch = "x86_64", target_arch = "aarch64"), not(miri))))]
    let _ = at;
}

/// Elements to be read, of a private block or of shared memory. Every read copies; two reads of one element may differ.
#[derive(Clone, Copy)]
pub(crate) struct Elems<'e, T> {
    ptr: *const T,
    len: usize,
    life: PhantomData<&'e [T]>,
}

impl<'e, T: Plain> From<&'e [T]> for Elems<'e, T> {
    fn from(items: &'e [T]) -> Self {
        Self { ptr: items.as_ptr(), len: items.len(), life: PhantomData }
    }
}

impl<'e, T: Plain> From<&'e mut [T]> for Elems<'e, T> {
    fn from(items: &'e mut [T]) -> Self {
        Self::from(&*items)
    }
}

impl<'e, T: Plain> Elems<'e, T> {
    /// The whole elements that private bytes hold.
    pub(crate) fn of_bytes(bytes: &'e [u8]) -> Self {
        Self { ptr: bytes.as_ptr().cast(), len: bytes.len() / size_of::<T>(), life: PhantomData }
    }
}

impl<T: Plain> Elems<'_, T> {
    /// How many.
    pub(crate) fn len(self) -> usize {
        self.len
    }

    /// Element `i`, which is below `len`.
    #[inline(always)]
    fn at(self, i: usize) -> T {
        debug_assert!(i < self.len);
        // SAFETY: 1. `i` is below `len` (the loops here count to it), so the element lies inside the memory; 2. any bits are a value; 3. the
        // read needs no alignment.
        unsafe { self.ptr.add(i).read_unaligned() }
    }

    /// Element `i`.
    ///
    /// # Panics
    /// If there is none: the caller has counted wrongly.
    #[inline]
    pub(crate) fn get(self, i: usize) -> T {
        assert!(i < self.len, "element {i} of {}", self.len);
        self.at(i)
    }

    /// Asks the processor to bring element `i` near, which need not exist: a hint that reads nothing.
    #[inline(always)]
    pub(crate) fn ask_for(self, i: usize) {
        prefetch(self.ptr.wrapping_add(i));
    }

    /// Those from element `i` on.
    #[inline(always)]
    pub(crate) fn rest(self, i: usize) -> Self {
        let i = i.min(self.len);
        Self { ptr: self.ptr.wrapping_add(i), len: self.len - i, ..self }
    }

    /// Where they begin, for code that takes pointers.
    pub(crate) fn as_ptr(self) -> *const T {
        self.ptr
    }

    /// All of them, in order.
    #[inline(always)]
    pub(crate) fn iter(self) -> impl Iterator<Item = T> {
        (0..self.len).map(move |i| self.at(i))
    }

    /// The first `n`, or all if there are fewer.
    pub(crate) fn first(self, n: usize) -> Self {
        Self { len: self.len.min(n), ..self }
    }

    /// Copies them to the start of `out`.
    pub(crate) fn copy_to(self, out: &mut [T]) {
        let n = self.len.min(out.len());
        // SAFETY: 1. both are at least `n` elements long; 2. `out` is borrowed alone, so it is other memory.
        unsafe { std::ptr::copy_nonoverlapping(self.ptr, out.as_mut_ptr(), n) }
    }

    /// `out[i] = f(self[i])`, as far as both go.
    #[inline(always)]
    pub(crate) fn map<O>(self, out: &mut [O], f: impl Fn(T) -> O) {
        let n = self.len.min(out.len());
        for (i, o) in out[..n].iter_mut().enumerate() {
            *o = f(self.at(i));
        }
    }

    /// `out[i] = f(self[i], other[i])`, as far as all go.
    #[inline(always)]
    pub(crate) fn map_with<B: Plain, O>(self, other: Elems<'_, B>, out: &mut [O], f: impl Fn(T, B) -> O) {
        let n = self.len.min(out.len()).min(other.len);
        for (i, o) in out[..n].iter_mut().enumerate() {
            *o = f(self.at(i), other.at(i));
        }
    }

    /// `out[i] = f(self[i], other[i])` for as many as `out` always has.
    ///
    /// # Panics
    /// If they are not all there: the caller has counted wrongly.
    #[inline(always)]
    pub(crate) fn map_row<O, const N: usize>(self, other: Self, out: &mut [O; N], f: impl Fn(T, T) -> O) {
        assert!(self.len >= N && other.len >= N, "a row beyond the elements");
        for (i, o) in out.iter_mut().enumerate() {
            *o = f(self.at(i), other.at(i));
        }
    }

    /// Whether `f` holds for any; looks at all, without branches.
    #[inline(always)]
    pub(crate) fn any(self, f: impl Fn(T) -> bool) -> bool {
        let mut found = false;
        for i in 0..self.len {
            found |= f(self.at(i));
        }
        found
    }

    /// Each element with its lane of `N`, row by row; then the elements that fill no row.
    #[inline(always)]
    pub(crate) fn lanes<const N: usize>(
        self,
        mut each: impl FnMut(usize, T),
        mut rest: impl FnMut(usize, T),
    ) {
        let whole = self.len / N;
        for r in 0..whole {
            for l in 0..N {
                each(l, self.at(r * N + l));
            }
        }
        for i in whole * N..self.len {
            rest(i - whole * N, self.at(i));
        }
    }
}

impl Span {
    /// Elements `[idx, idx + n)`, to be read in place; none if the span does not hold them all. Not longer than the span's memory is mapped.
    pub(crate) fn elems<'e, T: Plain>(self, idx: u64, n: usize) -> Elems<'e, T> {
        let off = idx.saturating_mul(size_of::<T>() as u64);
        let held = (n as u64).checked_mul(size_of::<T>() as u64).and_then(|nbytes| off.checked_add(nbytes));
        let len = if held.is_some_and(|end| end <= self.nbytes()) { n } else { 0 };
        debug_assert_eq!(len, n, "read beyond a span");
        step();
        Elems { ptr: self.ptr().wrapping_add(off as usize).cast(), len, life: PhantomData }
    }
}

impl Span {
    /// Where elements `[idx, idx + n)` stand, for code that writes through pointers into memory that only it reaches; none if the span does not
    /// hold them all or is read-only.
    pub(crate) fn place<T: Plain>(self, idx: usize, n: usize) -> Option<*mut T> {
        let off = idx.checked_mul(size_of::<T>())?;
        let end = n.checked_mul(size_of::<T>()).and_then(|nbytes| off.checked_add(nbytes))?;
        (self.is_writable() && end as u64 <= self.nbytes()).then(|| self.ptr().wrapping_add(off).cast())
    }
}

/// Elements of shared memory to be written.
#[derive(Clone, Copy)]
pub(crate) struct Stretch<'e, T> {
    ptr: *mut T,
    len: usize,
    past_caches: bool,
    life: PhantomData<&'e [T]>,
}

impl<T: Plain> Stretch<'_, T> {
    /// Copies elements in, to start at `at`; does nothing beyond the end.
    #[inline(always)]
    pub(crate) fn put(self, at: usize, items: &[T]) {
        if at.checked_add(items.len()).is_none_or(|end| end > self.len) {
            debug_assert!(false, "write beyond a stretch");
            return;
        }
        let to = self.ptr.wrapping_add(at).cast::<u8>();
        let bytes = bytes_of(items);
        if self.past_caches {
            // SAFETY: 1. the elements lie inside the memory (checked), which is mapped and writable (`Span::stretch`); 2. `items` is private
            // memory and cannot overlap it.
            unsafe { past_caches(to, bytes) }
        } else {
            // SAFETY: as above.
            unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len()) }
        }
    }
}

impl Span {
    /// Elements `[idx, idx + n)`, to be written; none if the span does not hold them all or is read-only. Not longer than its memory is mapped.
    ///
    /// `stream`: past the caches where the processor can, for results larger than them, which nobody reads soon. Such stores are visible to
    /// other threads only after [`fence_streams`].
    pub(crate) fn stretch<'e, T: Plain>(self, idx: u64, n: usize, stream: bool) -> Stretch<'e, T> {
        let off = idx.saturating_mul(size_of::<T>() as u64);
        let held = (n as u64).checked_mul(size_of::<T>() as u64).and_then(|nbytes| off.checked_add(nbytes));
        let all = self.is_writable() && held.is_some_and(|end| end <= self.nbytes());
        debug_assert!(all, "write beyond a span");
        step();
        let ptr = self.ptr().wrapping_add(off as usize).cast();
        Stretch { ptr, len: if all { n } else { 0 }, past_caches: stream, life: PhantomData }
    }
}

/// Bytes of a cache line.
#[cfg(all(target_arch = "x86_64", not(miri)))]
const LINE: usize = 64;

/// Copies bytes past the caches where the processor can; what begins or ends inside a cache line is stored as ever.
///
/// # Safety
/// `to` has room for the bytes, and they do not overlap it.
#[inline(always)]
unsafe fn past_caches(to: *mut u8, bytes: &[u8]) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        let (head, rest) = bytes.split_at(to.align_offset(LINE).min(bytes.len()));
        let whole = rest.len() / LINE;
        let lines = to.wrapping_add(head.len());
        // SAFETY: 1. head, lines and rest lie inside both; 2. the lines are aligned; 3. the processor was asked for AVX-512; SSE2 belongs to
        // x86-64.
        unsafe {
            std::ptr::copy_nonoverlapping(head.as_ptr(), to, head.len());
            if std::is_x86_feature_detected!("avx512f") {
                lines_by_64(lines, rest.as_ptr(), whole);
            } else {
                lines_by_16(lines, rest.as_ptr(), whole);
            }
            let rest = &rest[whole * LINE..];
            std::ptr::copy_nonoverlapping(rest.as_ptr(), lines.wrapping_add(whole * LINE), rest.len());
        }
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    // SAFETY: as the caller says.
    unsafe {
        std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len());
    }
}

/// # Safety
/// `count` lines lie inside both, `to` is aligned to a line, and the processor has AVX-512 F.
#[cfg(all(target_arch = "x86_64", not(miri)))]
#[target_feature(enable = "avx512f")]
#[inline]
#[expect(
    clippy::cast_ptr_alignment,
    reason = "loads are unaligned ones; stores are aligned, as the caller says"
)]
unsafe fn lines_by_64(to: *mut u8, from: *const u8, count: usize) {
    use std::arch::x86_64::{__m512i, _mm512_loadu_si512, _mm512_stream_si512};
    for i in 0..count {
        // SAFETY: as the caller says.
        unsafe {
            _mm512_stream_si512(
                to.cast::<__m512i>().add(i),
                _mm512_loadu_si512(from.cast::<__m512i>().add(i)),
            );
        }
    }
}

/// # Safety
/// `count` lines lie inside both, and `to` is aligned to a line.
#[cfg(all(target_arch = "x86_64", not(miri)))]
#[expect(
    clippy::cast_ptr_alignment,
    reason = "loads are unaligned ones; stores are aligned, as the caller says"
)]
unsafe fn lines_by_16(to: *mut u8, from: *const u8, count: usize) {
    use std::arch::x86_64::{__m128i, _mm_loadu_si128, _mm_stream_si128};
    for i in 0..count * (LINE / 16) {
        // SAFETY: as the caller says.
        unsafe {
            _mm_stream_si128(to.cast::<__m128i>().add(i), _mm_loadu_si128(from.cast::<__m128i>().add(i)));
        }
    }
}

/// Makes this thread's streamed stores visible before anything it stores later.
pub(crate) fn fence_streams() {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: `sfence` belongs to SSE, which every x86-64 processor has; it orders stores and touches no memory.
    unsafe {
        std::arch::x86_64::_mm_sfence();
    }
}
