//! Whole-vector work on elements: fill, copy, convert, import, export, compare, advise.
//!
//! Holds: the methods of [`Vector`], which is an element range owner: an object of a store or a plain mapped file. Elements move in blocks
//! of 2048 through private memory, since a worker's view may write the payload meanwhile. Index arguments are elements of the vector's own
//! type; every range is checked before the first write.

use crate::convert::{self, Source, Warnings};
use crate::dtype::Dtype;
use crate::error::{Code, Error, Result};
use crate::mapped::MappedFile;
use crate::platform::loss::Loss;
use crate::region::{PageAdvice, RawBytes, Span};
use crate::store::{Handle, Operation, Pin};
use std::path::{Path, PathBuf};
use std::sync::Arc;

mod strided;

/// Elements per block; few for Miri, which is slow.
pub(crate) const BLOCK: u64 = if cfg!(miri) { 32 } else { 2048 };

/// Something with elements: an open object, or a plain mapped file.
pub enum Vector {
    /// In a store.
    Object(Handle),
    /// `createMmapVector`.
    File(Arc<MappedFile>),
}

/// Keeps the memory in place during an access.
pub(crate) enum Guard {
    Object(Operation),
    File(Arc<MappedFile>),
}

impl Guard {
    pub(crate) fn span(&self) -> Span {
        match self {
            Self::Object(op) => op.span(),
            Self::File(f) => f.span(),
        }
    }
    pub(crate) fn wrote(&self, off: u64, nbytes: u64) {
        if let Self::Object(op) = self {
            op.wrote(off, nbytes);
        }
    }
    /// Whether its store is being closed and waits for this; a plain file does not wait.
    pub(crate) fn is_closing(&self) -> bool {
        match self {
            Self::Object(op) => op.is_closing(),
            Self::File(_) => false,
        }
    }
    /// `IO` if payload bytes `[off, off+nbytes)`, just read or written, are lost.
    pub(crate) fn check(&self, off: u64, nbytes: u64) -> Result<()> {
        match self {
            Self::Object(op) => op.check(off, nbytes),
            Self::File(f) => f.loss().check_range(off, nbytes),
        }
    }
}

/// Calls `f(index of the first element, bytes)` for blocks copied to private memory, until it answers.
fn blocks<T>(bytes: Span, width: u64, mut f: impl FnMut(u64, &[u8]) -> Option<T>) -> Option<T> {
    let mut block = vec![0u8; (width * BLOCK).min(bytes.nbytes()) as usize];
    let mut at = 0;
    while at < bytes.nbytes() {
        let n = (bytes.nbytes() - at).min(block.len() as u64);
        bytes.read(at, &mut block[..n as usize]);
        let answer = f(at / width, &block[..n as usize]);
        if answer.is_some() {
            return answer;
        }
        at += n;
    }
    None
}

impl Vector {
    /// Element type.
    pub fn dtype(&self) -> Dtype {
        match self {
            Self::Object(h) => h.facts().dtype,
            Self::File(f) => f.dtype(),
        }
    }

    /// Elements.
    pub fn len(&self) -> u64 {
        match self {
            Self::Object(h) => h.facts().len,
            Self::File(f) => f.len(),
        }
    }

    /// Whether it has no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// For access to elements as bytes.
    pub(crate) fn guard(&self) -> Result<Guard> {
        self.dtype().plain()?;
        self.guard_any()
    }

    /// For looking after elements of any type, which are not read.
    pub(crate) fn guard_any(&self) -> Result<Guard> {
        Ok(match self {
            Self::Object(h) => Guard::Object(h.begin()?),
            Self::File(f) => Guard::File(Arc::clone(f)),
        })
    }

    /// For work that writes elements: refused where they are immutable.
    pub(crate) fn guard_writing(&self) -> Result<Guard> {
        self.dtype().plain()?;
        Ok(match self {
            Self::Object(h) => Guard::Object(h.begin_writing()?),
            Self::File(f) => Guard::File(Arc::clone(f)),
        })
    }

    pub(crate) fn check(&self, start: u64, n: u64) -> Result<()> {
        match start.checked_add(n) {
            Some(end) if end <= self.len() => Ok(()),
            _ => Err(Error::new(
                Code::OutOfBounds,
                format!(
                    "elements {start}..{} reach beyond the vector's length {}",
                    start.saturating_add(n),
                    self.len()
                ),
            )
            .with("start", start)
            .with("length", self.len())),
        }
    }

    pub(crate) fn check_writable(&self) -> Result<()> {
        let read_only = match self {
            Self::Object(h) => h.is_read_only(),
            Self::File(f) => f.is_read_only(),
        };
        if read_only {
            return Err(Error::new(
                Code::ReadOnly,
                "the vector is read-only; open its file without readOnly",
            ));
        }
        match self {
            Self::Object(h) => h.check_changeable(),
            Self::File(f) => f.loss().refuse(),
        }
    }

    /// Whether elements `[start, start+n)`, read or about to be written without a call, are the file's.
    ///
    /// # Errors
    /// `IO`: some are lost; `POISONED` (`to_write`): others are; `OUT_OF_BOUNDS`, `DESTROYED`, `CLOSED`.
    pub fn check_whole(&self, start: u64, n: u64, to_write: bool) -> Result<()> {
        self.check(start, n)?;
        let width = self.dtype().width();
        self.guard_any()?.check(start * width, n * width)?;
        if to_write { self.check_writable() } else { Ok(()) }
    }

    /// Sets elements `[start, end)` to the one whose bytes are `pattern`.
    ///
    /// # Errors
    /// `OUT_OF_BOUNDS`, `ARGUMENT` (`pattern` is not one element), `READ_ONLY`, `SEALED`, `DESTROYED`, `CLOSED`.
    pub fn fill(&self, start: u64, end: u64, pattern: &[u8]) -> Result<()> {
        self.check(start, end.saturating_sub(start))?;
        self.check_writable()?;
        let width = self.dtype().width();
        if pattern.len() as u64 != width {
            return Err(Error::new(
                Code::Argument,
                format!("a value of {} bytes for elements of {width}", pattern.len()),
            ));
        }
        let guard = self.guard_writing()?;
        let span = guard.span();
        let mut at = start * width;
        let stop = end.max(start) * width;
        let block_nbytes = (width * BLOCK * 4).min(stop - at);
        let block: Vec<u8> = pattern.iter().copied().cycle().take(block_nbytes as usize).collect();
        while at < stop {
            let n = (stop - at).min(block.len() as u64);
            span.write(at, &block[..n as usize]);
            at += n;
        }
        guard.wrote(start * width, stop - start * width);
        guard.check(start * width, stop - start * width)
    }

    /// Copies `n` elements of `src` from `src_start` to `start`, converted as R's `as.*` does where the types differ. Overlap within one
    /// payload behaves as if the source were copied first.
    ///
    /// # Errors
    /// As [`Vector::fill`].
    pub fn copy_from(&self, start: u64, src: &Self, src_start: u64, n: u64) -> Result<Warnings> {
        self.check(start, n)?;
        src.check(src_start, n)?;
        self.check_writable()?;
        if self.dtype() == Dtype::Character && src.dtype() == Dtype::Character {
            return self.copy_strings(start, src, src_start, n).map(|()| Warnings::default());
        }
        if self.dtype() == Dtype::Character || src.dtype() == Dtype::Character {
            return self.copy_as_text(start, src, src_start, n);
        }
        let (to, from) = (self.guard_writing()?, src.guard()?);
        let (dw, sw) = (self.dtype().width(), src.dtype().width());
        let dst = to.span().part(start * dw, n * dw);
        let source = from.span().part(src_start * sw, n * sw);
        let mut warnings = Warnings::default();
        if self.dtype() == src.dtype() {
            dst.copy_from(source);
        } else {
            warnings |= convert::convert_span(Source::of(src.dtype()), source, self.dtype(), dst);
        }
        to.wrote(start * dw, n * dw);
        from.check(src_start * sw, n * sw)?;
        to.check(start * dw, n * dw)?;
        Ok(warnings)
    }

    /// Writes the elements of `bytes`, laid out as `source`, from `start` on. `exact`: an element that this type cannot hold exactly is
    /// refused before the first write. Returns the number of elements written and R's warnings.
    ///
    /// # Errors
    /// `VALUE` (`details.index`), `LENGTH` (bytes that are no whole number of elements), and as [`Vector::fill`].
    pub fn import(
        &self,
        start: u64,
        source: Source,
        bytes: RawBytes,
        exact: bool,
    ) -> Result<(u64, Warnings)> {
        let (dtype, sw, dw) = (self.dtype(), source.width(), self.dtype().width());
        let bytes = bytes.span();
        if !bytes.nbytes().is_multiple_of(sw) {
            return Err(Error::new(
                Code::Length,
                "complex values come in pairs of numbers; the array's length is odd",
            ));
        }
        let n = bytes.nbytes() / sw;
        self.check(start, n)?;
        self.check_writable()?;
        let guard = self.guard_writing()?;
        let span = guard.span().part(start * dw, n * dw);
        let mut warnings = Warnings::default();
        if source.is_bits_of(dtype) {
            span.copy_from(bytes);
        } else {
            if exact {
                let inexact = blocks(bytes, sw, |at, block| {
                    convert::first_inexact(source, block, dtype).map(|i| at + i)
                });
                if let Some(i) = inexact {
                    return Err(Error::new(
                        Code::Value,
                        format!("element {i} is no exact value of type '{}'", dtype.name()),
                    )
                    .with("index", i));
                }
            }
            warnings |= convert::convert_span(source, bytes, dtype, span);
        }
        guard.wrote(start * dw, n * dw);
        guard.check(start * dw, n * dw)?;
        Ok((n, warnings))
    }

    /// Copies the bits of elements from `start` on into `out` (a whole number of elements).
    ///
    /// # Errors
    /// `OUT_OF_BOUNDS`, `LENGTH`, `DESTROYED`, `CLOSED`.
    pub fn export(&self, start: u64, out: RawBytes) -> Result<()> {
        let width = self.dtype().width();
        let out = out.span();
        if !out.nbytes().is_multiple_of(width) {
            return Err(Error::new(
                Code::Length,
                format!("{} bytes are no whole number of elements of {width}", out.nbytes()),
            ));
        }
        self.check(start, out.nbytes() / width)?;
        let guard = self.guard()?;
        out.copy_from(guard.span().part(start * width, out.nbytes()));
        guard.check(start * width, out.nbytes())
    }

    /// Copies the bytes of elements from `start` on into private memory.
    pub(crate) fn read_bytes(&self, start: u64, out: &mut [u8]) -> Result<()> {
        let (off, nbytes) = (start * self.dtype().width(), out.len() as u64);
        let guard = self.guard()?;
        guard.span().read(off, out);
        guard.check(off, nbytes)
    }

    /// Writes the bytes of elements from `start` on.
    pub(crate) fn write_bytes(&self, start: u64, bytes: &[u8]) -> Result<()> {
        let (off, nbytes) = (start * self.dtype().width(), bytes.len() as u64);
        let guard = self.guard_writing()?;
        guard.span().write(off, bytes);
        guard.wrote(off, nbytes);
        guard.check(off, nbytes)
    }

    /// Whether `n` elements are the same: NA equals NA, NaN equals NaN, 0 equals −0. Vectors of different types never are.
    ///
    /// # Errors
    /// `OUT_OF_BOUNDS`, `DESTROYED`, `CLOSED`.
    pub fn equals(&self, start: u64, other: &Self, other_start: u64, n: u64) -> Result<bool> {
        self.check(start, n)?;
        other.check(other_start, n)?;
        if self.dtype() != other.dtype() {
            return Ok(false);
        }
        if self.dtype() == Dtype::Character {
            return self.equal_strings(start, other, other_start, n);
        }
        let width = self.dtype().width();
        let (mine, theirs) = (self.guard()?, other.guard()?);
        let (a, b) =
            (mine.span().part(start * width, n * width), theirs.span().part(other_start * width, n * width));
        let (mut x, mut y) = (vec![0u8; (width * BLOCK) as usize], vec![0u8; (width * BLOCK) as usize]);
        let (mut at, mut equal) = (0, true);
        while at < n && equal {
            let m = (n - at).min(BLOCK);
            let (x, y) = (&mut x[..(m * width) as usize], &mut y[..(m * width) as usize]);
            a.read(at * width, x);
            b.read(at * width, y);
            equal = x == y || convert::equal_blocks(self.dtype(), x, y);
            at += m;
        }
        mine.check(start * width, n * width)?;
        theirs.check(other_start * width, n * width)?;
        Ok(equal)
    }

    fn byte_part(&self, start: u64, end: u64) -> Result<(Guard, Span)> {
        let nbytes = self.len() * self.dtype().width();
        if start > end || end > nbytes {
            return Err(Error::new(
                Code::OutOfBounds,
                format!("bytes {start}..{end} reach beyond the payload's {nbytes} bytes"),
            ));
        }
        let guard = self.guard_any()?;
        let span = guard.span().part(start, end - start);
        Ok((guard, span))
    }

    /// Advice on payload bytes `[start, end)`; never changes data.
    ///
    /// # Errors
    /// `OUT_OF_BOUNDS`, `IO`, `DESTROYED`, `CLOSED`.
    pub fn advise(&self, start: u64, end: u64, advice: PageAdvice) -> Result<()> {
        let (_guard, span) = self.byte_part(start, end)?;
        span.advise(advice)
            .map_err(|e| Error::io("cannot advise the system on a vector's pages", &e).at(self.path()))
    }

    fn path(&self) -> &Path {
        match self {
            Self::Object(h) => &h.shared.path,
            Self::File(f) => f.path(),
        }
    }

    /// Work that reads payload bytes `[start, end)` into memory, for another thread to run. It pins the bytes as a buffer does, so the
    /// object may be destroyed and the store closed meanwhile.
    ///
    /// # Errors
    /// As [`Vector::advise`].
    pub fn prefetching(&self, start: u64, end: u64) -> Result<PrefetchWork> {
        let (guard, span) = self.byte_part(start, end)?;
        drop(guard);
        let path = self.path().to_owned();
        Ok(match self {
            Self::Object(h) => {
                let pin = h.pin_for_reading(start, end - start)?;
                let span = Span::foreign(pin.ptr(), pin.nbytes(), false);
                let (off, loss) = (h.facts().off + start, h.loss());
                PrefetchWork { span, off, loss, path, _owner: Keeper::Pin(pin) }
            }
            Self::File(f) => {
                let loss = Arc::clone(f.loss());
                PrefetchWork { span, off: start, loss, path, _owner: Keeper::File(Arc::clone(f)) }
            }
        })
    }
}

/// See [`Vector::prefetching`].
pub struct PrefetchWork {
    span: Span,
    /// Where the span lies in the file.
    off: u64,
    loss: Arc<Loss>,
    path: PathBuf,
    _owner: Keeper,
}

#[expect(dead_code, reason = "held for their drops")]
enum Keeper {
    Pin(Pin),
    File(Arc<MappedFile>),
}

impl PrefetchWork {
    /// Blocks until the pages are in memory.
    ///
    /// # Errors
    /// `IO`: the system refused, or some of the bytes are lost.
    pub fn run(self) -> Result<()> {
        let read_ahead = self.span.advise(PageAdvice::WillNeed);
        read_ahead.map_err(|e| Error::io("cannot read a vector ahead", &e).at(&self.path))?;
        self.span.touch();
        self.loss.check_range(self.off, self.span.nbytes())
    }
}
