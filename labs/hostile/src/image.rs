//! A store file in memory, and the way back to a real file.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;

/// Length in bytes of a catalog segment's or file's unit.
pub const FILE_UNIT: u64 = 64 * 1024;

/// A file: these bytes, and a hole behind them.
#[derive(Clone)]
pub struct Image {
    /// What is not a hole.
    pub bytes: Vec<u8>,
    /// The file's length in bytes, at least that of `bytes`.
    pub len: u64,
    /// On disk, too, what is zero is a hole; else all of it has blocks.
    pub sparse: bool,
}

/// A longer file stays sparse.
const MOST_BACKED: u64 = 512 << 10;

impl Image {
    /// Whether the file has holes once it is written.
    #[must_use]
    pub fn has_holes(&self) -> bool {
        self.sparse || self.len > MOST_BACKED
    }

    /// A file with these bytes; zeros at its end become a hole.
    #[must_use]
    pub fn new(mut bytes: Vec<u8>) -> Self {
        let len = bytes.len() as u64;
        let used = bytes.iter().rposition(|b| *b != 0).map_or(0, |i| i + 1);
        bytes.truncate(used.next_multiple_of(4096).min(bytes.len()));
        Self { bytes, len, sparse: false }
    }

    /// Makes the file `len` bytes long.
    pub fn set_len(&mut self, len: u64) {
        self.len = len;
        self.bytes.truncate(usize::try_from(len).unwrap_or(usize::MAX));
    }

    /// Bytes at `off`; zeros where there are none.
    #[must_use]
    pub fn get<const N: usize>(&self, off: u64) -> [u8; N] {
        let mut b = [0; N];
        self.read(off, &mut b);
        b
    }

    /// As [`Image::get`].
    pub fn read(&self, off: u64, out: &mut [u8]) {
        out.fill(0);
        let Ok(off) = usize::try_from(off) else { return };
        if let Some(rest) = self.bytes.get(off..) {
            let n = rest.len().min(out.len());
            out[..n].copy_from_slice(&rest[..n]);
        }
    }

    /// Little-endian at `off`.
    #[must_use]
    pub fn u64(&self, off: u64) -> u64 {
        u64::from_le_bytes(self.get(off))
    }

    /// Little-endian at `off`.
    #[must_use]
    pub fn u32(&self, off: u64) -> u32 {
        u32::from_le_bytes(self.get(off))
    }

    /// Writes bytes that lie within the file and not far behind what is no hole; others are ignored.
    pub fn put(&mut self, off: u64, bytes: &[u8]) {
        let Some(end) = off.checked_add(bytes.len() as u64) else { return };
        if end > self.len || end > self.bytes.len() as u64 + (8 << 20) {
            return;
        }
        if end > self.bytes.len() as u64 {
            self.bytes.resize(end as usize, 0);
        }
        self.bytes[off as usize..end as usize].copy_from_slice(bytes);
    }

    /// The file's bytes become the image's.
    ///
    /// # Errors
    /// Of the file.
    pub fn write_to(&self, file: &File) -> io::Result<()> {
        file.set_len(0)?;
        file.set_len(self.len)?;
        if !self.has_holes() {
            let mut all = self.bytes.clone();
            all.resize(self.len as usize, 0);
            return file.write_all_at(&all, 0);
        }
        // Pages of zeros stay holes.
        let mut off = 0usize;
        while off < self.bytes.len() {
            let mut end = off;
            while end < self.bytes.len() && !is_zero(page(&self.bytes, end)) {
                end += page(&self.bytes, end).len();
            }
            if end > off {
                file.write_all_at(&self.bytes[off..end], off as u64)?;
                off = end;
            } else {
                off += page(&self.bytes, off).len();
            }
        }
        Ok(())
    }

    /// What differs between the file and the image; `None`: nothing. `buf` is scratch.
    ///
    /// # Errors
    /// Of the file.
    pub fn difference(&self, file: &File, buf: &mut Vec<u8>) -> io::Result<Option<String>> {
        let len = file.metadata()?.len();
        if len != self.len {
            return Ok(Some(format!("the file's length was {} and is {len}", self.len)));
        }
        buf.resize(self.bytes.len(), 0);
        file.read_exact_at(buf, 0)?;
        if *buf == self.bytes {
            return self.hole_difference(file);
        }
        let at = buf.iter().zip(&self.bytes).position(|(a, b)| a != b).unwrap_or(0);
        Ok(Some(format!("byte {at} was {:#x} and is {:#x}", self.bytes[at], buf[at])))
    }
}

impl Image {
    /// The first byte in the hole behind the bytes that is not zero.
    fn hole_difference(&self, file: &File) -> io::Result<Option<String>> {
        let mut at = self.bytes.len() as u64;
        let mut block = vec![0u8; 1 << 16];
        while at < self.len {
            // SAFETY: a system call on a descriptor that we own.
            let data = unsafe { libc::lseek(file.as_raw_fd(), at as i64, libc::SEEK_DATA) };
            let Ok(data) = u64::try_from(data) else { return Ok(None) };
            let n = (self.len - data).min(block.len() as u64) as usize;
            file.read_exact_at(&mut block[..n], data)?;
            if !is_zero(&block[..n]) {
                return Ok(Some(format!("the hole behind byte {data} has bytes")));
            }
            at = data + n as u64;
        }
        Ok(None)
    }
}

fn page(b: &[u8], at: usize) -> &[u8] {
    &b[at..(at + 4096).min(b.len())]
}

fn is_zero(b: &[u8]) -> bool {
    let (words, rest) = b.as_chunks::<8>();
    rest.iter().all(|x| *x == 0) && words.iter().all(|w| *w == [0; 8])
}
