//! Records of a CSV file, a batch at a time.
//!
//! The grammar is `csv-core`'s: quotes around fields, doubled inside, line ends of every kind, empty lines left out. A line without a quote
//! in it needs none of that and is cut at its delimiters directly. What that crate accepts silently, a last quote that is never closed, is
//! an error here, as are records of another number of fields than the first has.

use super::CsvOptions;
use crate::error::{Code, Error, Result};
use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Bytes read at a time; few for Miri, which is slow.
const BLOCK: usize = if cfg!(miri) { 64 } else { 1 << 20 };
/// Records in a batch, at most.
pub(super) const BATCH: usize = if cfg!(miri) { 4 } else { 4096 };
/// A batch ends once its fields have so many bytes.
const BATCH_NBYTES: usize = 1 << 20;
/// Bytes of the longest record: one quote too many would make one of the rest of the file.
const LONGEST: usize = 1 << 30;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// Some consecutive records.
#[derive(Default)]
pub(super) struct Batch {
    bytes: Vec<u8>,
    /// Bytes in use.
    used: usize,
    /// Of each record: where its fields' bytes begin, and how many stand between two fields.
    starts: Vec<(usize, usize)>,
    /// Of each field: where it ends, counted from its record's start.
    ends: Vec<usize>,
    /// Of each record: the line of the file it begins in, from 1.
    lines: Vec<u64>,
    /// Fields of each record.
    width: usize,
}

impl Batch {
    fn clear(&mut self) {
        self.used = 0;
        self.starts.clear();
        self.ends.clear();
        self.lines.clear();
    }

    /// Records.
    pub(super) fn len(&self) -> usize {
        self.starts.len()
    }

    pub(super) fn line(&self, record: usize) -> u64 {
        self.lines[record]
    }

    /// The bytes of a field, without its quotes.
    pub(super) fn field(&self, record: usize, column: usize) -> &[u8] {
        let ends = &self.ends[record * self.width..(record + 1) * self.width];
        self.cut(self.starts[record], ends, column)
    }

    fn cut(&self, (start, gap): (usize, usize), ends: &[usize], column: usize) -> &[u8] {
        let from = if column == 0 { 0 } else { ends[column - 1] + gap };
        &self.bytes[start + from..start + ends[column]]
    }

    /// Makes room for so many bytes more.
    fn room_for(&mut self, nbytes: usize) {
        if self.bytes.len() - self.used < nbytes {
            self.bytes.resize((self.used + nbytes).max(2 * self.bytes.len()), 0);
        }
    }

    /// The fields of one column.
    pub(super) fn column(&self, column: usize) -> impl Iterator<Item = &[u8]> {
        let records = self.starts.iter().zip(self.ends.chunks_exact(self.width.max(1)));
        records.map(move |(start, ends)| self.cut(*start, ends, column))
    }
}

/// A CSV file that is being read.
pub(super) struct Records {
    file: File,
    path: PathBuf,
    core: Reader,
    delimiter: u8,
    quote: Option<u8>,
    block: Vec<u8>,
    /// The part of the block that is not read yet.
    at: usize,
    end: usize,
    /// Nothing is left in the file; the block got a line end of ours behind the last byte.
    is_over: bool,
    /// Line ends seen.
    line: u64,
    /// Bytes of the file that were read.
    read: u64,
    /// Fields of every record; 0: not known yet.
    width: usize,
    ends: Vec<usize>,
    /// Names of the columns, once they are known.
    pub(super) names: Vec<String>,
    /// Records read, without the header.
    row: u64,
}

impl Records {
    /// At the first record of the file, behind a byte order mark and the lines to be left out.
    pub(super) fn open(path: &Path, options: &CsvOptions) -> Result<Self> {
        let file = File::open(path).map_err(|e| failed(path, &e))?;
        let mut core = ReaderBuilder::new();
        core.delimiter(options.delimiter).quoting(options.quote.is_some());
        if let Some(quote) = options.quote {
            core.quote(quote);
        }
        let mut records = Self {
            file,
            path: path.to_owned(),
            core: core.build(),
            delimiter: options.delimiter,
            quote: options.quote,
            // One more for the line end of ours.
            block: vec![0; BLOCK + 1],
            at: 0,
            end: 0,
            is_over: false,
            line: 0,
            read: 0,
            width: 0,
            ends: vec![0; 64],
            names: Vec::new(),
            row: 0,
        };
        records.refill()?;
        let head = &records.block[..records.end];
        if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") {
            return Err(Error::new(
                Code::Encoding,
                "the file is UTF-16 by its byte order mark: convert it to UTF-8",
            )
            .at(path));
        }
        if head.starts_with(BOM) {
            records.at = BOM.len();
        }
        for _ in 0..options.skip {
            records.skip_line()?;
        }
        Ok(records)
    }

    /// Bytes of the file that were read so far.
    pub(super) fn read_nbytes(&self) -> u64 {
        self.read - (self.end - self.at).min(self.read as usize) as u64
    }

    /// Reads more bytes behind those that are left.
    fn refill(&mut self) -> Result<()> {
        self.block.copy_within(self.at..self.end, 0);
        (self.at, self.end) = (0, self.end - self.at);
        while !self.is_over && self.end < BLOCK {
            match self.file.read(&mut self.block[self.end..BLOCK]) {
                Ok(0) => {
                    // Ends the last record unless it is in the middle of a quoted field.
                    self.is_over = true;
                    self.block[self.end] = b'\n';
                    self.end += 1;
                }
                Ok(n) => {
                    self.end += n;
                    self.read += n as u64;
                    break;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(failed(&self.path, &e)),
            }
        }
        Ok(())
    }

    fn skip_line(&mut self) -> Result<()> {
        loop {
            let rest = &self.block[self.at..self.end];
            if let Some(n) = memchr::memchr2(b'\n', b'\r', rest) {
                let is_pair = rest[n] == b'\r';
                self.at += n + 1;
                self.line += 1;
                if is_pair {
                    self.at_line_feed()?;
                }
                return Ok(());
            }
            self.at = self.end;
            if self.is_over {
                return Ok(());
            }
            self.refill()?;
        }
    }

    /// Steps over a line feed that belongs to the carriage return before it.
    fn at_line_feed(&mut self) -> Result<()> {
        if self.at == self.end && !self.is_over {
            self.refill()?;
        }
        if self.block[self.at..self.end].first() == Some(&b'\n') {
            self.at += 1;
        }
        Ok(())
    }

    /// The first record as text, each field: the columns' names. `None`: the file has no record.
    pub(super) fn header(&mut self) -> Result<Option<Vec<String>>> {
        let mut batch = Batch::default();
        if !self.next(&mut batch)? {
            return Ok(None);
        }
        self.row = 0;
        (0..batch.width)
            .map(|i| match std::str::from_utf8(batch.field(0, i)) {
                Ok(name) => Ok(name.to_owned()),
                Err(_) => Err(Error::new(
                    Code::Encoding,
                    format!("line {}: the name of column {} is not UTF-8", batch.line(0), i + 1),
                )
                .with("line", batch.line(0))
                .with("index", i)
                .at(&self.path)),
            })
            .collect::<Result<_>>()
            .map(Some)
    }

    /// Fields of the first record, which is read; 0: there is none.
    pub(super) fn first_width(mut self) -> Result<usize> {
        self.next(&mut Batch::default())?;
        Ok(self.width)
    }

    /// The next records; none at the end of the file.
    pub(super) fn fill(&mut self, batch: &mut Batch) -> Result<()> {
        batch.clear();
        while batch.len() < BATCH && batch.used < BATCH_NBYTES && self.next(batch)? {}
        Ok(())
    }

    /// Adds one record; false: there is none.
    fn next(&mut self, batch: &mut Batch) -> Result<bool> {
        // Empty lines. A line feed behind the carriage return of the record before is none.
        loop {
            if self.at == self.end {
                if self.is_over {
                    return Ok(false);
                }
                self.refill()?;
                continue;
            }
            match self.block[self.at] {
                b'\n' => self.line += 1,
                b'\r' => {
                    self.line += 1;
                    self.at += 1;
                    self.at_line_feed()?;
                    continue;
                }
                _ => break,
            }
            self.at += 1;
        }
        let line = self.line + 1;
        if !self.next_plain(batch)? {
            self.next_any(batch, line)?;
        }
        batch.width = self.width;
        batch.lines.push(line);
        self.row += 1;
        Ok(true)
    }

    /// A record that ends in the block and has no quote in it; false: it is none, and nothing was read.
    fn next_plain(&mut self, batch: &mut Batch) -> Result<bool> {
        let rest = &self.block[self.at..self.end];
        // The byte behind a carriage return must be there, too: it may belong to it.
        let end = memchr::memchr2(b'\n', b'\r', rest).filter(|n| n + 1 < rest.len() || rest[*n] == b'\n');
        let Some(nbytes) = end else { return Ok(false) };
        let line = &rest[..nbytes];
        if self.width == 0 || self.quote.is_some_and(|q| memchr::memchr(q, line).is_some()) {
            return Ok(false);
        }
        let step = if rest[nbytes] == b'\r' && rest[nbytes + 1] == b'\n' { 2 } else { 1 };
        let first = batch.ends.len();
        batch.room_for(nbytes);
        batch.bytes[batch.used..batch.used + nbytes].copy_from_slice(line);
        batch.ends.extend(memchr::memchr_iter(self.delimiter, line));
        batch.ends.push(nbytes);
        // Delimiters stay between the fields.
        batch.starts.push((batch.used, 1));
        batch.used += nbytes;
        self.at += nbytes + step;
        self.line += 1;
        let width = batch.ends.len() - first;
        self.check_width(width, self.line)?;
        Ok(true)
    }

    /// Any record; the first byte of it is there.
    fn next_any(&mut self, batch: &mut Batch, line: u64) -> Result<()> {
        let (start, mut width) = (batch.used, 0);
        loop {
            if self.at == self.end {
                if self.is_over {
                    // The line end behind the last byte went into the field.
                    return Err(Error::new(
                        Code::Value,
                        format!("line {line}: a quoted field is not closed before the end of the file"),
                    )
                    .with("line", line)
                    .with("row", self.row)
                    .with("column", self.name(width))
                    .at(&self.path));
                }
                self.refill()?;
            }
            let input = &self.block[self.at..self.end];
            batch.room_for(input.len());
            let (result, nin, nout, nends) =
                self.core.read_record(input, &mut batch.bytes[batch.used..], &mut self.ends[width..]);
            self.line += memchr::memchr_iter(b'\n', &input[..nin]).count() as u64;
            let last = nin.checked_sub(1).map(|i| input[i]);
            self.at += nin;
            batch.used += nout;
            width += nends;
            match result {
                ReadRecordResult::InputEmpty | ReadRecordResult::OutputFull => {}
                ReadRecordResult::OutputEndsFull => self.ends.resize(2 * self.ends.len(), 0),
                ReadRecordResult::Record => {
                    if last == Some(b'\r') {
                        self.line += 1;
                        self.at_line_feed()?;
                    }
                    break;
                }
                ReadRecordResult::End => {
                    return Err(Error::new(Code::Internal, "records end before the file"));
                }
            }
            if batch.used - start > LONGEST {
                return Err(Error::new(
                    Code::TooLarge,
                    format!("line {line}: a record longer than {LONGEST} bytes; is a quote missing?"),
                )
                .with("line", line)
                .with("row", self.row)
                .at(&self.path));
            }
        }
        self.check_width(width, line)?;
        batch.ends.extend_from_slice(&self.ends[..width]);
        batch.starts.push((start, 0));
        Ok(())
    }

    /// What column `i` is called, as far as that is known.
    fn name(&self, i: usize) -> String {
        self.names.get(i).cloned().unwrap_or_else(|| format!("V{}", i + 1))
    }

    fn check_width(&mut self, width: usize, line: u64) -> Result<()> {
        if self.width == 0 {
            self.width = width;
        }
        if width == self.width {
            return Ok(());
        }
        let what = if width < self.width {
            format!("column '{}' has no value", self.name(width))
        } else {
            format!("there is one behind the last column '{}'", self.name(self.width - 1))
        };
        Err(Error::new(
            Code::Length,
            format!("line {line} did not have {} elements but {width}: {what}", self.width),
        )
        .with("line", line)
        .with("row", self.row)
        .with("column", self.name(width.min(self.width - 1)))
        .at(&self.path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// A failed read.
pub(super) fn failed(path: &Path, e: &io::Error) -> Error {
    if e.kind() == io::ErrorKind::NotFound {
        return Error::new(Code::NotFound, format!("no file '{}'", path.display())).at(path);
    }
    Error::io(format!("cannot read '{}'", path.display()), e).at(path)
}
