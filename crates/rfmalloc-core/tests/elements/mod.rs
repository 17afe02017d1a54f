//! Private memory that stands for a vector's payload.

use rfmalloc_core::{Dtype, RawBytes};

/// Memory for elements, at a start that is aligned, or one element past one that is.
pub(crate) struct Memory {
    room: Vec<u8>,
    off: usize,
    nbytes: usize,
}

impl Memory {
    /// Room for `len` elements, filled with a pattern.
    pub(crate) fn new(dtype: Dtype, len: u64, odd: bool) -> Self {
        let nbytes = (len * dtype.width()) as usize;
        let room = vec![0xAA; nbytes + 128];
        let off = room.as_ptr().align_offset(64) + if odd { dtype.width() as usize } else { 0 };
        Self { room, off, nbytes }
    }

    /// These elements.
    pub(crate) fn holding(dtype: Dtype, bytes: &[u8], odd: bool) -> Self {
        let mut memory = Self::new(dtype, bytes.len() as u64 / dtype.width(), odd);
        memory.room[memory.off..memory.off + bytes.len()].copy_from_slice(bytes);
        memory
    }

    /// The memory, for an operation.
    pub(crate) fn raw(&mut self) -> RawBytes {
        // SAFETY: the vector outlives every use, and nothing else touches it while an operation runs.
        unsafe { RawBytes::new(self.room.as_mut_ptr().add(self.off), self.nbytes as u64) }
    }

    /// What it holds.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.room[self.off..self.off + self.nbytes].to_vec()
    }
}
