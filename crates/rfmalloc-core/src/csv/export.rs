//! A frame's rows into a CSV file, which appears complete or not at all.

use super::{check_marks, number};
use crate::dtype::Dtype;
use crate::elements::Vector;
use crate::error::{Code, Error, Result};
use crate::output::write_whole;
use crate::store::{Control, FRAME, Handle, Operation, Role, Store};
use crate::strings::Strings;
use crate::text::TextBuf;
use std::path::Path;

/// Rows formatted at a time.
const ROWS: u64 = 4096;

/// How a CSV file is written.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent options, each documented")]
pub struct CsvStyle {
    /// Between fields: one ASCII character.
    pub delimiter: u8,
    /// Around text that needs it: with a delimiter, a quote or a line end in it, empty, or like the text for NA.
    pub quote: u8,
    /// Around all text.
    pub quote_all: bool,
    /// The columns' names come first.
    pub header: bool,
    /// The rows' names, or their numbers from 1, come in a first column without a name.
    pub row_names: bool,
    /// Stands for NA, never quoted.
    pub na: String,
    /// Lines end with CR LF.
    pub crlf: bool,
    /// The file begins with a byte order mark.
    pub bom: bool,
    /// A file that is there already is replaced.
    pub replace: bool,
}

impl Default for CsvStyle {
    fn default() -> Self {
        Self {
            delimiter: b',',
            quote: b'"',
            quote_all: false,
            header: true,
            row_names: false,
            na: "NA".to_owned(),
            crlf: false,
            bom: false,
            replace: false,
        }
    }
}

/// A frame to be written, for any thread.
pub struct CsvExport {
    columns: Vec<Vector>,
    names: Strings,
    /// Stored names of the rows.
    row_names: Option<Vector>,
    rows: u64,
    style: CsvStyle,
    /// Nobody destroys a column meanwhile.
    _operations: Vec<Operation>,
}

impl Store {
    /// Work that writes a frame's rows as CSV. Its columns cannot be destroyed before the work is dropped.
    ///
    /// # Errors
    /// `TYPE` (no frame), `ARGUMENT` (the style), `STALE_REF`, `CORRUPT`, `DESTROYED`, `CLOSED`.
    pub fn csv_export(&self, frame: &Handle, style: CsvStyle) -> Result<CsvExport> {
        if frame.facts().kind != FRAME {
            return Err(Error::new(Code::Type, "only data frames are written as CSV"));
        }
        check_marks(style.delimiter, Some(style.quote))?;
        if style.na.bytes().any(|b| b == style.delimiter || b == style.quote || matches!(b, b'\n' | b'\r')) {
            return Err(Error::new(
                Code::Argument,
                "the text for NA contains a delimiter, a quote or a line end",
            ));
        }
        let attributes = self.attributes(frame)?;
        let mut columns = Vec::new();
        for i in 0..frame.facts().len {
            let column = self.list_get(frame, i)?;
            columns.push(column.ok_or_else(|| {
                Error::corrupt(format!("column {i} of the frame is empty"), frame.facts().off)
            })?);
        }
        let names = match self.child(frame, Role::Names)?.map(Vector::Object) {
            Some(names) => names.strings(0, names.len(), u64::MAX)?,
            None => Strings::new(),
        };
        let row_names = if style.row_names { self.child(frame, Role::RowNames)? } else { None };
        let operations = columns.iter().chain(&row_names).map(Handle::begin).collect::<Result<_>>()?;
        Ok(CsvExport {
            columns: columns.into_iter().map(Vector::Object).collect(),
            names,
            row_names: row_names.map(Vector::Object),
            rows: attributes.rows.unwrap_or(0),
            style,
            _operations: operations,
        })
    }
}

/// Elements of one column in memory.
enum Block {
    Text(Strings),
    Bytes(Vec<u8>),
}

fn read(column: &Vector, start: u64, n: u64) -> Result<Block> {
    if column.dtype() == Dtype::Character {
        return column.strings(start, n, u64::MAX).map(Block::Text);
    }
    let mut bytes = vec![0; (n * column.dtype().width()) as usize];
    column.read_bytes(start, &mut bytes)?;
    Ok(Block::Bytes(bytes))
}

impl CsvExport {
    /// Writes the file; `watch` is told of the rows, done and in all. Returns the bytes written; `None`: it was stopped, and there is no file.
    ///
    /// # Errors
    /// `EXISTS`: there is a file, and `replace` is off; `NOT_FOUND` (the folder), `NO_SPACE`, `IO`, `CORRUPT`, `CLOSED`. There is no new
    /// file then, and an old one is as it was.
    pub fn run(&self, path: &Path, watch: Control<'_>) -> Result<Option<u64>> {
        write_whole(path, self.style.replace, &mut |file| {
            let mut out = Vec::new();
            if self.style.bom {
                out.extend_from_slice("\u{feff}".as_bytes());
            }
            self.push_header(&mut out);
            let (mut row, mut buf) = (0, TextBuf::new());
            loop {
                file.write_all(&out)?;
                out.clear();
                if !watch(row, self.rows) {
                    return Ok(false);
                }
                if row == self.rows {
                    return Ok(true);
                }
                let n = ROWS.min(self.rows - row);
                self.push_rows(row, n, &mut buf, &mut out)?;
                row += n;
            }
        })
    }

    fn push_header(&self, out: &mut Vec<u8>) {
        if !self.style.header {
            return;
        }
        if self.style.row_names {
            self.push_text(b"", out);
        }
        for i in 0..self.columns.len() {
            if i > 0 || self.style.row_names {
                out.push(self.style.delimiter);
            }
            match self.names.get(i) {
                Some(name) => self.push_text(name.as_bytes(), out),
                None => self.push_text(format!("V{}", i + 1).as_bytes(), out),
            }
        }
        self.end_line(out);
    }

    fn push_rows(&self, start: u64, n: u64, buf: &mut TextBuf, out: &mut Vec<u8>) -> Result<()> {
        let blocks = self.columns.iter().map(|c| read(c, start, n)).collect::<Result<Vec<_>>>()?;
        let labels = self.row_names.as_ref().map(|names| names.strings(start, n, u64::MAX)).transpose()?;
        for i in 0..n as usize {
            if self.style.row_names {
                match labels.as_ref().and_then(|labels| labels.get(i)) {
                    Some(label) => self.push_text(label.as_bytes(), out),
                    None => self.push_text((start + i as u64 + 1).to_string().as_bytes(), out),
                }
            }
            for (c, (column, block)) in self.columns.iter().zip(&blocks).enumerate() {
                if c > 0 || self.style.row_names {
                    out.push(self.style.delimiter);
                }
                let is_there = match block {
                    Block::Text(list) => match list.at(i) {
                        Some(text) => {
                            self.push_text(text, out);
                            true
                        }
                        None => false,
                    },
                    Block::Bytes(bytes) => {
                        let width = column.dtype().width() as usize;
                        number::push(column.dtype(), &bytes[i * width..(i + 1) * width], buf, out)
                    }
                };
                if !is_there {
                    out.extend_from_slice(self.style.na.as_bytes());
                }
            }
            self.end_line(out);
        }
        Ok(())
    }

    fn end_line(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(if self.style.crlf { b"\r\n" } else { b"\n" });
    }

    fn push_text(&self, text: &[u8], out: &mut Vec<u8>) {
        let CsvStyle { delimiter, quote, .. } = self.style;
        let is_special = |b: &u8| matches!(*b, b'\n' | b'\r') || *b == delimiter || *b == quote;
        let needs_quotes = self.style.quote_all
            || text.is_empty()
            || text == self.style.na.as_bytes()
            || text.iter().any(is_special);
        if !needs_quotes {
            return out.extend_from_slice(text);
        }
        out.push(quote);
        for part in text.split_inclusive(|b| *b == quote) {
            out.extend_from_slice(part);
            if part.last() == Some(&quote) {
                out.push(quote);
            }
        }
        out.push(quote);
    }
}
