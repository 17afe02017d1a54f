//! One column of a CSV file on its way into a store.
//!
//! It holds a temporary vector that is filled from its first element on, what its type is so far, and what will be said of it. A column
//! whose type is given refuses the field that is none of it; another one becomes wider.

use super::field::{self, Missing, Parsed};
use super::records::Batch;
use crate::dtype::Dtype;
use crate::elements::Vector;
use crate::error::{Code, Error, Result};
use crate::na::{NA_INT, na_real};
use crate::store::{Handle, StoreWork};
use crate::strings::Strings;

/// Characters of a field that a report or an error repeats.
const SHOWN: usize = 60;

/// Why a column is text: its first field that is nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WhyText {
    /// Row of the frame, from 0.
    pub row: u64,
    /// Line of the file, from 1.
    pub line: u64,
    /// The field, or its beginning.
    pub text: String,
}

/// What a column was read as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnReport {
    /// Its name in the frame.
    pub name: String,
    /// Its type.
    pub dtype: Dtype,
    /// Missing elements.
    pub nas: u64,
    /// The first field that is no number and no logical; `None`: there is none, or the type was given.
    pub why_text: Option<WhyText>,
}

/// What the caller says of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Given {
    Nothing,
    Type(Dtype),
    LeftOut,
}

/// What the current pass does with a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Task {
    /// Fills it.
    Fill,
    /// Leaves it to the next pass, from its first element on.
    Wait,
    /// Nothing: it is complete, or left out.
    Rest,
}

/// See the module's head.
pub(super) struct Column {
    pub(super) name: String,
    dtype: Dtype,
    is_given: bool,
    /// Some element is a value, so that the type means something.
    has_value: bool,
    task: Task,
    vector: Option<Vector>,
    nas: u64,
    why_text: Option<WhyText>,
}

/// What one batch of a column came to.
struct Filled {
    nas: u64,
    has_value: bool,
    /// The first record whose field is no value of the type.
    unfit: Option<usize>,
}

/// Memory that the columns share.
#[derive(Default)]
pub(super) struct Scratch {
    bytes: Vec<u8>,
    strings: Strings,
}

/// Where the elements of a batch go.
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    pub(super) store: &'a StoreWork,
    pub(super) missing: &'a Missing,
    /// Row of the batch's first record.
    pub(super) row: u64,
    /// Elements to reserve.
    pub(super) capacity: u64,
}

fn shown(field: &[u8]) -> String {
    let text = String::from_utf8_lossy(field);
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into_owned(),
    }
}

impl Column {
    pub(super) fn new(name: String, given: Given) -> Self {
        Self {
            name,
            dtype: if let Given::Type(dtype) = given { dtype } else { Dtype::Logical },
            is_given: given != Given::Nothing,
            has_value: false,
            task: if given == Given::LeftOut { Task::Rest } else { Task::Fill },
            vector: None,
            nas: 0,
            why_text: None,
        }
    }

    pub(super) fn is_left_out(&self) -> bool {
        self.task == Task::Rest && self.vector.is_none()
    }

    /// Whether another pass is needed.
    pub(super) fn waits(&self) -> bool {
        self.task == Task::Wait
    }

    /// Before another pass.
    pub(super) fn next_pass(&mut self) {
        self.task = if self.task == Task::Wait { Task::Fill } else { Task::Rest };
    }

    /// Takes field `c` of every record of the batch.
    pub(super) fn take(
        &mut self,
        to: Target<'_>,
        batch: &Batch,
        c: usize,
        scratch: &mut Scratch,
    ) -> Result<()> {
        while self.task == Task::Fill {
            let filled = if self.dtype == Dtype::Character {
                self.read_text(to, batch, c, &mut scratch.strings)?
            } else {
                read_values(self.dtype, to.missing, batch, c, &mut scratch.bytes)
            };
            if let Some(record) = filled.unfit {
                self.has_value |= filled.has_value;
                self.widen(to, batch, c, record)?;
                continue;
            }
            self.has_value |= filled.has_value;
            self.nas += filled.nas;
            let vector = self.vector(to, to.row + batch.len() as u64)?;
            return match vector.dtype() {
                Dtype::Character => vector.write_strings(to.row, &scratch.strings),
                _ => vector.write_bytes(to.row, &scratch.bytes),
            };
        }
        Ok(())
    }

    /// The vector, with room for `rows` elements and those before them in it.
    fn vector(&mut self, to: Target<'_>, rows: u64) -> Result<&Vector> {
        let len = self.vector.as_ref().map_or(0, Vector::len);
        if self.vector.is_none() || len < rows {
            let capacity = to.capacity.max(rows).max(len.saturating_mul(3) / 2);
            let longer = Vector::Object(to.store.reserve(self.dtype, capacity, false)?);
            if let Some(old) = &self.vector {
                longer.copy_from(0, old, 0, len.min(to.row))?;
            }
            self.vector = Some(longer);
        }
        self.vector.as_ref().ok_or_else(|| Error::new(Code::Internal, "a column without elements"))
    }

    /// A field that the type does not hold: another type, or an error where the type was given.
    fn widen(&mut self, to: Target<'_>, batch: &Batch, c: usize, record: usize) -> Result<()> {
        let text = batch.field(record, c);
        let (row, line) = (to.row + record as u64, batch.line(record));
        if self.is_given {
            return Err(self.refused(row, line, text));
        }
        let kind = field::kind(text).unwrap_or(Dtype::Character);
        let wider = match (self.has_value, self.dtype, kind) {
            (false, ..)
            | (true, Dtype::Integer, Dtype::Numeric | Dtype::Complex)
            | (true, Dtype::Numeric, Dtype::Complex) => kind,
            _ => Dtype::Character,
        };
        if wider == Dtype::Character {
            self.why_text = Some(WhyText { row, line, text: shown(text) });
            // How numbers and blanks were written is not known any more.
            self.task = if to.row == 0 { Task::Fill } else { Task::Wait };
            self.vector = None;
            self.nas = 0;
        } else if let Some(old) = self.vector.take() {
            let wide = Vector::Object(to.store.reserve(wider, old.len(), false)?);
            wide.copy_from(0, &old, 0, to.row)?;
            self.vector = Some(wide);
        }
        self.dtype = wider;
        Ok(())
    }

    fn refused(&self, row: u64, line: u64, text: &[u8]) -> Error {
        let wanted = match self.dtype {
            Dtype::Logical => "a logical",
            Dtype::Integer => "an integer",
            Dtype::Complex => "a complex",
            _ => "a real",
        };
        let text = shown(text);
        Error::new(
            Code::Value,
            format!("line {line}, column '{}': expected {wanted}, got '{text}'", self.name),
        )
        .with("row", row)
        .with("line", line)
        .with("column", self.name.as_str())
        .with("text", text)
    }

    fn read_text(&self, to: Target<'_>, batch: &Batch, c: usize, out: &mut Strings) -> Result<Filled> {
        out.clear();
        let mut nas = 0;
        for (record, text) in batch.column(c).enumerate() {
            if to.missing.is(text) {
                nas += 1;
                out.push_na();
            } else if text.is_ascii() || std::str::from_utf8(text).is_ok() {
                out.push_bytes(text);
            } else {
                let line = batch.line(record);
                return Err(Error::new(
                    Code::Encoding,
                    format!(
                        "line {line}, column '{}': '{}' is not UTF-8; convert the file first",
                        self.name,
                        shown(text)
                    ),
                )
                .with("row", to.row + record as u64)
                .with("line", line)
                .with("column", self.name.as_str()));
            }
        }
        Ok(Filled { nas, has_value: true, unfit: None })
    }

    /// The finished column of `rows` elements: its report and its vector.
    pub(super) fn finish(mut self, to: Target<'_>, rows: u64) -> Result<(ColumnReport, Handle)> {
        self.vector(to, rows)?;
        let Some(Vector::Object(mut handle)) = self.vector else {
            return Err(Error::new(Code::Internal, "a column without elements"));
        };
        handle.shorten(rows)?;
        let Self { name, dtype, nas, why_text, .. } = self;
        Ok((ColumnReport { name, dtype, nas, why_text }, handle))
    }
}

/// Reads the fields as elements of the type, up to the first that is none.
fn read_values(dtype: Dtype, missing: &Missing, batch: &Batch, c: usize, out: &mut Vec<u8>) -> Filled {
    out.clear();
    out.reserve(batch.len() * dtype.width() as usize);
    let na = NA_INT.to_le_bytes();
    let na_double = na_real().to_le_bytes();
    match dtype {
        Dtype::Logical => each(batch, c, |f| missing.logical(f), out, i32::to_le_bytes, na),
        Dtype::Integer => each(batch, c, |f| missing.integer(f), out, i32::to_le_bytes, na),
        Dtype::Complex => {
            let pair = |(re, im): (f64, f64)| join(re.to_le_bytes(), im.to_le_bytes());
            each(batch, c, |f| missing.complex(f), out, pair, join(na_double, na_double))
        }
        _ => each(batch, c, |f| missing.numeric(f), out, f64::to_le_bytes, na_double),
    }
}

fn join(a: [u8; 8], b: [u8; 8]) -> [u8; 16] {
    let mut out = [0; 16];
    out[..8].copy_from_slice(&a);
    out[8..].copy_from_slice(&b);
    out
}

fn each<T, const N: usize>(
    batch: &Batch,
    c: usize,
    read: impl Fn(&[u8]) -> Parsed<T>,
    out: &mut Vec<u8>,
    bytes: impl Fn(T) -> [u8; N],
    na: [u8; N],
) -> Filled {
    let mut filled = Filled { nas: 0, has_value: false, unfit: None };
    for (record, text) in batch.column(c).enumerate() {
        match read(text) {
            Parsed::Value(x) => {
                filled.has_value = true;
                out.extend_from_slice(&bytes(x));
            }
            Parsed::Blank | Parsed::Na => {
                filled.nas += 1;
                out.extend_from_slice(&na);
            }
            Parsed::Other => {
                filled.unfit = Some(record);
                break;
            }
        }
    }
    filled
}
