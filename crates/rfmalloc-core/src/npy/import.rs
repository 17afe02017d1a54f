//! A `.npy` file into a temporary of a store.

use super::header::{Header, Layout, parse, text_place};
use crate::convert::{self, Source};
use crate::dtype::{Dtype, MAX_LEN};
use crate::elements::Vector;
use crate::error::{Code, Error, Result};
use crate::region::Span;
use crate::store::{ARRAY, Change, Control, Handle, MATRIX, Store, StoreWork};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

/// Bytes of the file in memory at a time.
const BLOCK: u64 = if cfg!(miri) { 64 } else { 16 << 20 };
/// Bytes of the longest header.
const HEADER_MAX: u64 = 1 << 20;

/// What a `.npy` file became. Dropping it gives its space back.
pub struct NpyImport {
    handle: Handle,
    shape: Vec<u64>,
}

fn failed(path: &Path, e: &std::io::Error) -> Error {
    match e.kind() {
        std::io::ErrorKind::NotFound => {
            Error::new(Code::NotFound, format!("no file '{}'", path.display())).at(path)
        }
        std::io::ErrorKind::UnexpectedEof => {
            Error::new(Code::Length, "the npy file ends before its header or its elements do").at(path)
        }
        _ => Error::io(format!("cannot read '{}'", path.display()), e).at(path),
    }
}

impl StoreWork {
    /// Reads a `.npy` file into a temporary of the store, on any thread. `watch` is told of the progress in bytes.
    ///
    /// # Errors
    /// `NOT_FOUND`, `IO`; `CORRUPT`, `VERSION`: no file of this format; `UNSUPPORTED`: elements that no vector can have; `LENGTH`: more or fewer
    /// elements than the header says; `VALUE` (`index`): a 64-bit integer that no double is; `NO_SPACE`, `READ_ONLY`, `CLOSED` (also when
    /// `watch` answered false).
    pub fn import_npy(&self, path: &Path, watch: Control<'_>) -> Result<NpyImport> {
        let file = File::open(path).map_err(|e| failed(path, &e))?;
        let nbytes = file.metadata().map_err(|e| failed(path, &e))?.len();
        let mut file = BufReader::new(file);
        let (header, start) = read_header(&mut file, path).map_err(|e| e.at(path))?;
        let too_many =
            || Error::new(Code::TooLarge, "the array has more elements than a vector can have").at(path);
        let len = header.len().filter(|n| *n <= MAX_LEN).ok_or_else(too_many)?;
        if start + len * header.width() != nbytes {
            return Err(Error::new(
                Code::Length,
                format!(
                    "the npy file has {} bytes of elements; its header says {len} elements of {}",
                    nbytes.saturating_sub(start),
                    header.width()
                ),
            )
            .with("length", len)
            .at(path));
        }
        let vector = Vector::Object(self.reserve(header.dtype, len, false)?);
        let mut reader = Elements { file, path, header: &header, raw: Vec::new(), out: Vec::new(), at: 0 };
        let mut tell = |elements: u64| {
            if watch(start + elements * header.width(), nbytes) {
                return Ok(());
            }
            Err(Error::new(Code::Closed, "the import was stopped"))
        };
        if header.fortran || header.shape.len() < 2 {
            in_order(&vector, &mut reader, len, &mut tell)?;
        } else {
            turned(&vector, &mut reader, &header.shape, &mut tell)?;
        }
        match vector {
            Vector::Object(handle) => Ok(NpyImport { handle, shape: header.shape }),
            Vector::File(_) => Err(Error::new(Code::Internal, "a temporary is no plain file")),
        }
    }
}

impl Store {
    /// The temporary that was read, the calling thread's from now on: a vector, or with extents a matrix or array.
    ///
    /// # Errors
    /// `DIM`: extents that no array can have; `CLOSED`.
    pub fn array_of_npy(&self, import: NpyImport) -> Result<Handle> {
        let mut handle = import.handle.taken_over();
        let class = match import.shape.len() {
            0 | 1 => return Ok(handle),
            2 => MATRIX,
            _ => ARRAY,
        };
        self.set_attributes(&mut handle, &[Change::Dim(Some((class, &import.shape)))])?;
        Ok(handle)
    }
}

fn read_header(file: &mut impl Read, path: &Path) -> Result<(Header, u64)> {
    let mut head = [0; 12];
    // Version 1 has two bytes less before its text, which is never that short.
    file.read_exact(&mut head).map_err(|e| failed(path, &e))?;
    let (nbytes, from) = text_place(&head)?;
    if nbytes > HEADER_MAX {
        return Err(Error::new(Code::Corrupt, format!("no npy file: a header of {nbytes} bytes")));
    }
    let known = (12 - from) as usize;
    let mut text = vec![0; (nbytes as usize).max(known)];
    text[..known].copy_from_slice(&head[12 - known..]);
    file.read_exact(&mut text[known..]).map_err(|e| failed(path, &e))?;
    let text = String::from_utf8(text);
    let text = text.map_err(|_| Error::new(Code::Corrupt, "no npy file: its header is not UTF-8"))?;
    parse(&text).map(|header| (header, from + nbytes))
}

/// The elements of the file, block by block, as the vector has them.
struct Elements<'a, R> {
    file: R,
    path: &'a Path,
    header: &'a Header,
    raw: Vec<u8>,
    out: Vec<u8>,
    /// Elements read so far.
    at: u64,
}

impl<R: Read> Elements<'_, R> {
    fn next(&mut self, n: u64) -> Result<&[u8]> {
        let Header { layout, dtype, big_endian, .. } = *self.header;
        self.raw.resize((n * self.header.width()) as usize, 0);
        self.file.read_exact(&mut self.raw).map_err(|e| failed(self.path, &e))?;
        if big_endian {
            self.raw.chunks_exact_mut(self.header.number_width()).for_each(<[u8]>::reverse);
        }
        let first = self.at;
        self.at += n;
        let source = match layout {
            Layout::Plain(source) if source.is_bits_of(dtype) => return Ok(&self.raw),
            Layout::Plain(source) => source,
            Layout::U16 => {
                let wide = |b: &[u8; 2]| u32::from(u16::from_le_bytes(*b)).to_le_bytes();
                self.raw = self.raw.as_chunks::<2>().0.iter().flat_map(wide).collect();
                Source::U32
            }
            // One with the highest bit is no double below 2^53 either way.
            Layout::U64 => Source::I64,
            Layout::Complex64 => Source::F32,
        };
        let (dtype, numbers) = if layout == Layout::Complex64 { (Dtype::Numeric, 2 * n) } else { (dtype, n) };
        let negative = |b: &[u8; 8]| layout == Layout::U64 && b[7] >= 0x80;
        let inexact = convert::first_inexact(source, &self.raw, dtype)
            .or_else(|| self.raw.as_chunks().0.iter().position(negative).map(|i| i as u64));
        if let Some(i) = inexact {
            return Err(Error::new(
                Code::Value,
                format!("element {} is no exact value of type '{}'", first + i, dtype.name()),
            )
            .with("index", first + i)
            .at(self.path));
        }
        self.out.resize((numbers * dtype.width()) as usize, 0);
        let _ = convert::convert(source, &self.raw, dtype, &mut self.out);
        Ok(&self.out)
    }
}

/// Elements in the vector's own order.
fn in_order(
    vector: &Vector,
    reader: &mut Elements<'_, impl Read>,
    len: u64,
    tell: &mut dyn FnMut(u64) -> Result<()>,
) -> Result<()> {
    let most = BLOCK / reader.header.width();
    let mut at = 0;
    while at < len {
        let n = most.min(len - at);
        vector.write_bytes(at, reader.next(n)?)?;
        at += n;
        tell(at)?;
    }
    Ok(())
}

/// Elements whose last subscript runs fastest, to where the first one does: some whole rows at a time, of which every column gets its part.
fn turned(
    vector: &Vector,
    reader: &mut Elements<'_, impl Read>,
    shape: &[u64],
    tell: &mut dyn FnMut(u64) -> Result<()>,
) -> Result<()> {
    let (rows, rest) = (shape[0], &shape[1..]);
    let columns: u64 = rest.iter().product();
    let width = vector.dtype().width() as usize;
    let most = (BLOCK / (columns * reader.header.width()).max(1)).max(1);
    let (mut part, mut row) = (Vec::new(), 0);
    while row < rows && columns > 0 {
        let n = most.min(rows - row);
        let block = reader.next(n * columns)?;
        // Anew for each block: a store that is being closed refuses it.
        let guard = vector.guard_writing()?;
        let span: Span = guard.span();
        let mut subscripts = vec![0; rest.len()];
        for c in 0..columns as usize {
            part.clear();
            for r in 0..n as usize {
                let at = (r * columns as usize + c) * width;
                part.extend_from_slice(&block[at..at + width]);
            }
            let column = place(&subscripts, rest);
            span.write((column * rows + row) * width as u64, &part);
            advance(&mut subscripts, rest);
        }
        let nbytes = rows * columns * width as u64;
        guard.wrote(0, nbytes);
        guard.check(0, nbytes)?;
        row += n;
        tell(row * columns)?;
    }
    Ok(())
}

/// The position of an element in column-major order.
fn place(subscripts: &[u64], shape: &[u64]) -> u64 {
    subscripts.iter().zip(shape).rev().fold(0, |at, (i, extent)| at * extent + i)
}

/// The next subscripts, the last running fastest.
fn advance(subscripts: &mut [u64], shape: &[u64]) {
    for (i, extent) in subscripts.iter_mut().zip(shape).rev() {
        *i += 1;
        if *i < *extent {
            return;
        }
        *i = 0;
    }
}
