//! The bytes of the file: encoders and decoders, one file per structure, facing the tables of `docs/FORMAT.md`.
//!
//! May touch: bytes in memory only. Nothing here reads the file, holds a lock or trusts a value: every decoder checks what it
//! returns and answers with what is wrong. All integers are little-endian; all constants are independent of the host.

pub(crate) mod aux;
pub(crate) mod fields;
pub(crate) mod segment;
pub(crate) mod slot;
pub(crate) mod superblock;
pub(crate) mod word;

/// Extents are counted in units of this many bytes.
pub(crate) const UNIT: u64 = 64;
/// The header with both superblock copies; the first catalog segment follows.
pub(crate) const HEADER_BYTES: u64 = 64 * 1024;
/// The file's length is always a multiple of this, so no mapped page is ever partly beyond its end.
pub(crate) const FILE_UNIT: u64 = 64 * 1024;
/// Payloads of at least this many bytes start at a multiple of it.
pub(crate) const PAGE_ALIGN: u64 = 16 * 1024;

pub(crate) fn u32_at(b: &[u8], off: usize) -> u32 {
    u32::from_le_bytes([b[off], b[off + 1], b[off + 2], b[off + 3]])
}

pub(crate) fn u64_at(b: &[u8], off: usize) -> u64 {
    u64::from(u32_at(b, off)) | u64::from(u32_at(b, off + 4)) << 32
}

pub(crate) fn put_u32(b: &mut [u8], off: usize, v: u32) {
    b[off..off + 4].copy_from_slice(&v.to_le_bytes());
}

pub(crate) fn put_u64(b: &mut [u8], off: usize, v: u64) {
    b[off..off + 8].copy_from_slice(&v.to_le_bytes());
}

/// A byte range of the file; both numbers are multiples of [`UNIT`]. Empty: `nbytes == 0`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Extent {
    pub(crate) off: u64,
    pub(crate) nbytes: u64,
}

impl Extent {
    pub(crate) const EMPTY: Self = Self { off: 0, nbytes: 0 };

    pub(crate) fn end(self) -> u64 {
        self.off + self.nbytes
    }
    pub(crate) fn is_empty(self) -> bool {
        self.nbytes == 0
    }
    /// Inside the data part of a file of `file_len` bytes (or empty).
    pub(crate) fn is_inside(self, file_len: u64) -> bool {
        self.is_empty()
            || (self.off >= HEADER_BYTES && self.off.checked_add(self.nbytes).is_some_and(|e| e <= file_len))
    }
}
