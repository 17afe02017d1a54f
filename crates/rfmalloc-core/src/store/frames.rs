//! Data frames: columns of equal length under one name, made from vectors and ended with the columns that nobody else has.
//!
//! A frame is a list whose cells are its columns and whose names are theirs; here is what it has beyond a list. It may touch lists and
//! attributes through their own functions. The columns keep their storage: making a frame copies none, so rows are read from the columns.
//! Which columns end with a frame is decided and carried out in one critical section, after the frame's own end (rule 9), so no crash
//! leaves a frame without its columns.

use super::attributes::{Change, Child, FRAME, Role, VECTOR};
use super::handle::Handle;
use super::{Inner, Shared, Store};
use crate::dtype::Dtype;
use crate::elements::Vector;
use crate::error::{Code, Error, Result};
use crate::format::aux::Key;
use crate::labels;
use crate::strings::Strings;
use hashbrown::HashMap;

/// Repeated names that an error lists.
const NAMED: usize = 10;

/// Rows of a frame with columns of these lengths, and stored names for so many rows: the longest column's. A shorter one is repeated
/// where its length divides that.
///
/// # Errors
/// `LENGTH`: a column cannot be repeated to the number of rows (the counts are listed), or there are more or fewer row names.
pub fn frame_rows(lens: &[u64], row_names: Option<u64>) -> Result<u64> {
    let Some(rows) = lens.iter().copied().max() else { return Ok(row_names.unwrap_or(0)) };
    if lens.iter().any(|len| *len != rows && (*len == 0 || rows % len != 0)) {
        let mut counts: Vec<u64> = Vec::new();
        for len in lens {
            if !counts.contains(len) {
                counts.push(*len);
            }
        }
        let counts: Vec<_> = counts.iter().map(u64::to_string).collect();
        return Err(Error::new(
            Code::Length,
            format!("arguments imply differing number of rows: {}", counts.join(", ")),
        )
        .with("rows", rows));
    }
    match row_names {
        Some(n) if n != rows => Err(row_names_error(n, rows)),
        _ => Ok(rows),
    }
}

fn row_names_error(given: u64, rows: u64) -> Error {
    Error::new(Code::Length, format!("row names supplied are of the wrong length: {given} for {rows} rows"))
        .with("length", given)
        .with("rows", rows)
}

impl Store {
    /// A temporary frame of these columns, which keep their storage. Rows have stored names or are numbered.
    ///
    /// # Errors
    /// `LENGTH` (columns of different lengths, too few or too many names), `ARGUMENT` (names missing or repeated), `DIM` (a column with
    /// dimensions), `TYPE` (a column that is no vector), and those of [`Store::list`] and [`Store::reserve`].
    pub fn frame(&self, columns: &[&Handle], names: &Strings, row_names: Option<&Strings>) -> Result<Handle> {
        columns.iter().try_for_each(|column| check_column(column))?;
        let lens: Vec<u64> = columns.iter().map(|column| column.facts.len).collect();
        let rows = frame_rows(&lens, row_names.map(|names| names.len() as u64))?;
        check_distinct(names, "column names contain missing values", "duplicate column names")?;
        if let Some(names) = row_names {
            check_distinct(names, "row names contain missing values", "duplicate row.names")?;
        }
        if let Some(len) = lens.iter().find(|len| **len != rows) {
            return Err(Error::new(
                Code::Length,
                format!("a column of {len} elements in a frame of {rows} rows: repeat it first"),
            ));
        }
        let items: Vec<_> = columns.iter().map(|column| Some(*column)).collect();
        let names = self.staged_text(names)?;
        let row_names = row_names.map(|names| self.staged_text(names)).transpose()?;
        let mut frame = self.list(FRAME, &items)?;
        let mut changes = vec![Change::Child(Role::Names, Some(&names)), Change::Rows(rows)];
        if row_names.is_some() {
            changes.push(Change::Child(Role::RowNames, row_names.as_ref()));
        }
        self.set_attributes(&mut frame, &changes)?;
        Ok(frame)
    }

    /// A temporary with these strings; see [`Store::staged`].
    ///
    /// # Errors
    /// As [`Store::reserve`] and [`Vector::write_strings`].
    pub fn staged_text(&self, list: &Strings) -> Result<Handle> {
        let made = Vector::Object(self.reserve(Dtype::Character, list.len() as u64, true)?);
        made.write_strings(0, list)?;
        match made {
            Vector::Object(handle) => Ok(handle),
            Vector::File(_) => Err(Error::new(Code::Internal, "a temporary is no plain file")),
        }
    }

    /// Destroys a frame with its columns: those that only it holds and that have no name of their own, and with `named` those that have one,
    /// too. A temporary frame only lets go of its columns, unless `named` is given. False: it was dead already.
    ///
    /// # Errors
    /// As [`Store::destroy`]; `BUSY` also if an operation runs on a column; `TYPE`: no frame.
    pub fn destroy_frame(&self, frame: &Handle, named: bool) -> Result<bool> {
        if frame.facts.kind != FRAME {
            return Err(Error::new(Code::Type, "the object is no data frame"));
        }
        let sh = self.shared()?;
        self.check_ours(frame)?;
        sh.seam.loss.during(|| Self::try_destroy(sh, frame, false, named))
    }
}

fn check_distinct(names: &Strings, missing: &str, repeated: &str) -> Result<()> {
    let texts: Vec<&str> = (0..names.len()).filter_map(|i| names.get(i)).collect();
    if texts.len() < names.len() {
        return Err(Error::new(Code::Argument, missing));
    }
    let twice = labels::duplicates(texts.into_iter());
    if twice.is_empty() {
        return Ok(());
    }
    let shown = twice.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    let more = if twice.len() > NAMED { ", …" } else { "" };
    Err(Error::new(Code::Argument, format!("{repeated}: {shown}{more}")).with("count", twice.len() as u64))
}

fn check_column(column: &Handle) -> Result<()> {
    let facts = column.facts;
    if facts.dtype == Dtype::List {
        return Err(Error::new(Code::Type, "a column is a vector, no list and no data frame"));
    }
    if facts.kind != VECTOR {
        return Err(Error::new(
            Code::Dim,
            "a matrix or array is no column: give its columns one by one, or a copy without dimensions",
        ));
    }
    Ok(())
}

/// A column by what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Column {
    Record(Key),
    /// Key and serial of an object without a record.
    Open(u32, u64),
}

impl Column {
    pub(super) fn is_record(self, idx: u32) -> bool {
        matches!(self, Self::Record((of, _)) if of == idx)
    }

    pub(super) fn is_open(self, key: u32) -> bool {
        matches!(self, Self::Open(of, _) if of == key)
    }
}

impl Inner {
    /// The columns that end with this object, if it is a frame; see [`Store::destroy_frame`].
    pub(super) fn columns_of(&self, frame: Column, named: bool) -> Result<Vec<Column>> {
        let (cells, was_committed) = match frame {
            Column::Record((idx, _)) => (self.record_cells(idx, FRAME)?, true),
            Column::Open(key, _) => match self.objects.slab.get(key as usize) {
                Some(Some(o)) if o.kind == FRAME => {
                    (o.cells.iter().flatten().flatten().copied().collect(), o.committed)
                }
                _ => return Ok(Vec::new()),
            },
        };
        if cells.is_empty() {
            return Ok(Vec::new());
        }
        let mut here = HashMap::new();
        let mut order = Vec::new();
        for column in cells.into_iter().map(|cell| self.column(cell)) {
            let Some(column) = column? else { continue };
            let count = here.entry(column).or_insert(0u64);
            if *count == 0 {
                order.push(column);
            }
            *count += 1;
        }
        let everywhere = self.count_holders(&here)?;
        let mut doomed = Vec::new();
        for column in order {
            let is_its_own = named || (was_committed && !self.is_named_column(column)?);
            if is_its_own && everywhere.get(&column) == here.get(&column) {
                doomed.push(column);
            }
        }
        Ok(doomed)
    }

    /// No operation runs on one of these.
    pub(super) fn check_columns(&self, columns: &[Column]) -> Result<()> {
        columns.iter().try_for_each(|column| match column {
            Column::Record((idx, _)) => self.check_not_busy(*idx),
            Column::Open(key, _) => match self.objects.slab.get(*key as usize) {
                Some(Some(o)) if o.operations > 0 => {
                    Err(Error::new(Code::Busy, "an operation is running on a column; wait for it to end")
                        .with("id", o.id))
                }
                _ => Ok(()),
            },
        })
    }

    /// Ends columns, after their frame.
    pub(super) fn end_columns(&mut self, sh: &Shared, columns: Vec<Column>, at_once: bool) -> Result<()> {
        columns.into_iter().try_for_each(|column| match column {
            Column::Record((idx, _)) => self.destroy_record(sh, idx, at_once),
            Column::Open(key, serial) => match self.objects.get(key, serial).filter(|o| o.alive) {
                Some(o) => {
                    let payload = o.payload;
                    self.kill(key, payload)
                }
                None => Ok(()),
            },
        })
    }

    /// What a cell holds; `None`: it is gone.
    fn column(&self, cell: Child) -> Result<Option<Column>> {
        match cell {
            Child::Record(key) => Ok(self.is_live(key.0, key.1)?.then_some(Column::Record(key))),
            Child::Open(key, serial) => {
                let o = self.objects.slab.get(key as usize).and_then(Option::as_ref);
                Ok(o.filter(|o| o.serial == serial && o.alive).map(|o| match o.record {
                    Some(idx) => Column::Record((idx, o.generation as u32)),
                    None => Column::Open(key, serial),
                }))
            }
        }
    }

    /// How many cells of lists and frames, in the file and in memory, hold each of these.
    fn count_holders(&self, wanted: &HashMap<Column, u64>) -> Result<HashMap<Column, u64>> {
        let mut count = HashMap::new();
        let mut note = |column: Column| {
            if wanted.contains_key(&column) {
                *count.entry(column).or_insert(0) += 1;
            }
        };
        for list in self.objects.slab.iter().flatten().filter(|o| o.alive) {
            for cell in list.cells.iter().flatten().flatten() {
                if let Some(column) = self.column(*cell)? {
                    note(column);
                }
            }
        }
        self.each_held(|key| note(Column::Record(key)))?;
        Ok(count)
    }

    /// Whether a record has a name of its own.
    pub(super) fn has_name(&self, idx: u32) -> Result<bool> {
        Ok(self.naming_of(&self.live(idx)?)?.is_some())
    }

    fn is_named_column(&self, column: Column) -> Result<bool> {
        match column {
            Column::Record((idx, _)) => self.has_name(idx),
            Column::Open(key, _) => {
                Ok(matches!(self.objects.slab.get(key as usize), Some(Some(o)) if o.name.is_some()))
            }
        }
    }
}
