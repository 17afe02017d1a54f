//! A plain file of elements, without header or store: `createMmapVector`.
//!
//! Holds: [`MappedFile`] over memmap2. The file is little-endian, its length a multiple of the element; an existing file is never resized.

use crate::cells::Cell;
use crate::dtype::{Dtype, MAX_LEN};
use crate::error::{Code, Error, Result};
use crate::platform;
use crate::platform::bus::Watch;
use crate::platform::loss::{Loss, Part};
use crate::region::Span;
use memmap2::MmapRaw;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A mapped file of elements of one type.
pub struct MappedFile {
    /// Declared before the mapping, so that it is dropped first.
    watch: Option<Watch>,
    /// Raw: a reference made on the way to an address would span bytes that others write.
    map: Option<MmapRaw>,
    loss: Arc<Loss>,
    path: PathBuf,
    dtype: Dtype,
    len: u64,
    read_only: bool,
    cell: Cell,
}

impl MappedFile {
    /// Maps `path`: an existing file (its length must fit `len`, if given), or a new one of `len` zero elements.
    ///
    /// # Errors
    /// `NOT_FOUND` (missing, and no length or read-only), `LENGTH` (no multiple of the element, or another length than asked for),
    /// `ARGUMENT`, `NO_SPACE`, `IO`.
    pub fn open(path: &Path, dtype: Dtype, len: Option<u64>, read_only: bool) -> Result<Self> {
        dtype.supported()?.plain()?;
        let named = |e: Error| e.with("path", path.display().to_string());
        if len.is_some_and(|n| n > MAX_LEN) {
            return Err(Error::new(
                Code::Argument,
                format!("length exceeds the limit of {MAX_LEN} elements"),
            ));
        }
        let (file, exists) = match File::options().read(true).write(!read_only).open(path) {
            Ok(f) => (f, true),
            Err(e) if e.kind() == io::ErrorKind::NotFound => match len {
                Some(n) if !read_only => (Self::create(path, n * dtype.width())?, false),
                _ => {
                    return Err(named(Error::new(
                        Code::NotFound,
                        format!("'{}' does not exist; give a length to create it", path.display()),
                    )));
                }
            },
            Err(e) => return Err(named(Error::io(format!("cannot access '{}'", path.display()), &e))),
        };
        let meta = file
            .metadata()
            .map_err(|e| named(Error::io(format!("cannot access '{}'", path.display()), &e)))?;
        if !meta.is_file() {
            return Err(named(Error::new(
                Code::Argument,
                format!("'{}' is not a regular file", path.display()),
            )));
        }
        let nbytes = meta.len();
        let width = dtype.width();
        let fits = nbytes.is_multiple_of(width) && len.is_none_or(|n| n * width == nbytes);
        if exists && !fits {
            return Err(named(
                Error::new(
                    Code::Length,
                    format!(
                        "'{}' has {nbytes} bytes, which is not {} of {width} bytes; an existing file is never resized",
                        path.display(),
                        len.map_or_else(|| "a whole number of elements".to_owned(), |n| format!("{n} elements"))
                    ),
                )
                .with("nbytes", nbytes),
            ));
        }
        let map = if nbytes == 0 { None } else { Some(Self::map(&file, nbytes, read_only).map_err(named)?) };
        let loss = Loss::new(Some(Arc::new(file)), path.to_owned(), true);
        let watch = map.as_ref().and_then(|m| Watch::new(&loss, Part::Data, m.as_mut_ptr(), m.len(), 0));
        Ok(Self {
            watch,
            map,
            loss,
            path: path.to_owned(),
            dtype,
            len: nbytes / width,
            read_only,
            cell: Cell::take(),
        })
    }

    /// Real blocks, so that a full disk is an error here; nothing is left on failure.
    fn create(path: &Path, nbytes: u64) -> Result<File> {
        let failed = |e: &io::Error| Error::io(format!("cannot create '{}'", path.display()), e).at(path);
        let file =
            File::options().read(true).write(true).create_new(true).open(path).map_err(|e| failed(&e))?;
        if nbytes > 0
            && let Err(e) = platform::allocate(&file, 0, nbytes)
        {
            let _ = std::fs::remove_file(path);
            return Err(failed(&e));
        }
        Ok(file)
    }

    fn map(file: &File, nbytes: u64, read_only: bool) -> Result<MmapRaw> {
        crate::region::map_plain(file, nbytes, read_only)
            .map_err(|e| Error::io("cannot map the file", &e).with("nbytes", nbytes))
    }

    /// Elements.
    pub fn len(&self) -> u64 {
        self.len
    }
    /// Whether the file is empty.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
    /// Element type.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }
    /// Whether stores stay private.
    pub fn is_read_only(&self) -> bool {
        self.read_only
    }
    /// The path as given.
    pub fn path(&self) -> &Path {
        &self.path
    }
    /// Liveness cell and value.
    pub fn cell(&self) -> (u32, i32) {
        (self.cell.idx, self.cell.value)
    }
    /// Every handle is dead from now on; the mapping goes with the last owner.
    pub fn kill(&self) {
        self.cell.kill();
    }
    /// Address of byte `start`, with `nbytes` bytes behind it.
    ///
    /// # Errors
    /// `OUT_OF_BOUNDS`.
    pub fn window(&self, start: u64, nbytes: u64) -> Result<*mut u8> {
        match start.checked_add(nbytes) {
            Some(end) if end <= self.len * self.dtype.width() => Ok(self.base().wrapping_add(start as usize)),
            _ => Err(Error::new(Code::OutOfBounds, "the window reaches beyond the file")),
        }
    }

    /// Everything written is on stable storage when this returns.
    ///
    /// # Errors
    /// `IO`.
    pub fn flush(&self) -> Result<()> {
        match &self.map {
            Some(m) if !self.read_only => {
                // An interrupted sync has failed at nothing.
                let done = loop {
                    match m.flush() {
                        Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                        done => break done,
                    }
                };
                done.map_err(|e| {
                    Error::io(format!("cannot sync '{}'", self.path.display()), &e).at(&self.path)
                })?;
                self.loss.check_length(m.len() as u64)
            }
            _ => Ok(()),
        }
    }

    fn base(&self) -> *mut u8 {
        self.map.as_ref().map_or(std::ptr::null_mut(), MmapRaw::as_mut_ptr)
    }

    /// Memory without a file, for tests.
    #[cfg(test)]
    pub(crate) fn anonymous(dtype: Dtype, len: u64) -> Self {
        let nbytes = (len * dtype.width()) as usize;
        let map = (nbytes > 0).then(|| memmap2::MmapMut::map_anon(nbytes).unwrap().into());
        let loss = Loss::new(None, PathBuf::new(), false);
        let (path, cell) = (PathBuf::new(), Cell::take());
        Self { watch: None, map, loss, path, dtype, len, read_only: false, cell }
    }

    /// The cell that changes when bytes of the file are lost, and its value until then.
    pub fn loss_cell(&self) -> (u32, i32) {
        self.loss.cell()
    }

    pub(crate) fn loss(&self) -> &Arc<Loss> {
        &self.loss
    }

    pub(crate) fn span(&self) -> Span {
        Span::foreign(self.base(), self.len * self.dtype.width(), !self.read_only)
    }
}

impl Drop for MappedFile {
    fn drop(&mut self) {
        self.watch = None;
        self.cell.give_back();
    }
}
