//! Typed copies between raw element memory and private blocks: what the kernels read and write through.
//!
//! Holds: [`Plain`], the element types that any bit pattern is a value of, and the loads and stores of [`Span`] in elements. Whole blocks are
//! copied, because others may write the memory meanwhile: a kernel sees one private picture of each block and no reference spans the rest.

use super::Span;

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

    /// Copies elements in, to start at `idx`.
    pub(crate) fn store<T: Plain>(self, idx: u64, items: &[T]) {
        self.write(idx * size_of::<T>() as u64, bytes_of(items));
    }

    /// As `store`, past the caches where the processor can: for results larger than them, which nobody reads soon. The stores are visible
    /// to other threads only after [`fence_streams`].
    pub(crate) fn stream<T: Plain>(self, idx: u64, items: &[T]) {
        self.write_past_caches(idx * size_of::<T>() as u64, bytes_of(items));
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
