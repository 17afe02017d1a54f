//! The passes over a CSV file. All that is made stands in temporaries, so an error or an abort leaves nothing in the store.

use super::column::{Column, ColumnReport, Given, Scratch, Target};
use super::field::Missing;
use super::records::{Batch, Records, failed};
use super::{CsvOptions, count};
use crate::error::{Code, Error, Result};
use crate::labels::{make_names, make_unique};
use crate::store::{Control, Handle, Store, StoreWork};
use crate::strings::Strings;
use std::fs::File;
use std::path::Path;

/// What a CSV file became: columns that no frame has yet. Dropping it gives their space back.
pub struct CsvImport {
    /// Rows read.
    pub rows: u64,
    /// Bytes of the file.
    pub nbytes: u64,
    /// What each column was read as.
    pub columns: Vec<ColumnReport>,
    handles: Vec<Handle>,
}

/// The caller who stopped the work is not waiting for this error.
fn proceed(goes_on: bool) -> Result<()> {
    if goes_on { Ok(()) } else { Err(Error::new(Code::Closed, "the import was stopped")) }
}

impl StoreWork {
    /// Reads a CSV file into temporaries of the store, on any thread. `watch` is told of the progress in bytes.
    ///
    /// # Errors
    /// `NOT_FOUND`, `IO`; `VALUE`: the file is empty, a field is none of its column's given type, a quote is not closed; `LENGTH`: a record has
    /// more or fewer fields than the first, or there are more or fewer names; `ENCODING`: text that is not UTF-8; `ARGUMENT` (the options),
    /// `TYPE`, `NO_SPACE`, `READ_ONLY`, `CLOSED` (also when `watch` answered false). Those about a field name its `row` (of the frame, from
    /// 0), `line` (of the file, from 1) and `column`.
    pub fn import_csv(&self, path: &Path, options: &CsvOptions, watch: Control<'_>) -> Result<CsvImport> {
        options.check()?;
        let mut file = File::open(path).map_err(|e| failed(path, &e))?;
        let meta = file.metadata().map_err(|e| failed(path, &e))?;
        if !meta.is_file() {
            return Err(Error::new(Code::Argument, "not a regular file: it cannot be read twice").at(path));
        }
        let nbytes = meta.len();
        let fail = |e: &std::io::Error| failed(path, e);
        let capacity = count::records(&mut file, options.quote, fail, &mut || proceed(watch(0, nbytes)))?;
        drop(file);
        let missing = Missing::new(&options.na);
        let mut pass = Pass { store: self, missing: &missing, capacity, scratch: Scratch::default() };
        let (mut records, mut columns) = start(path, options)?;
        let rows = pass.run(&mut records, &mut columns, &mut |done| proceed(watch(done, nbytes)))?;
        if columns.iter().any(Column::waits) {
            columns.iter_mut().for_each(Column::next_pass);
            let (mut records, _) = start(path, options)?;
            let again = &mut |done| proceed(watch(nbytes.saturating_add(done), nbytes.saturating_mul(2)));
            if pass.run(&mut records, &mut columns, again)? != rows {
                return Err(Error::new(Code::Io, "the file changed while it was read").at(path));
            }
        }
        let to = pass.target(rows);
        let used = columns.into_iter().filter(|column| !column.is_left_out());
        let (columns, handles) = used.map(|column| column.finish(to, rows)).collect::<Result<_>>()?;
        Ok(CsvImport { rows, nbytes, columns, handles })
    }
}

impl Store {
    /// A temporary frame of what was read; the calling thread's from now on.
    ///
    /// # Errors
    /// As [`Store::frame`].
    pub fn frame_of_csv(&self, import: CsvImport) -> Result<Handle> {
        let handles: Vec<_> = import.handles.into_iter().map(Handle::taken_over).collect();
        let columns: Vec<&Handle> = handles.iter().collect();
        let names: Strings = import.columns.iter().map(|c| Some(c.name.as_str())).collect();
        self.frame(&columns, &names, None)
    }
}

/// The file at its first data record, and its columns.
fn start(path: &Path, options: &CsvOptions) -> Result<(Records, Vec<Column>)> {
    let mut records = Records::open(path, options)?;
    let header = if options.header { records.header()? } else { None };
    let width = match &header {
        Some(names) => names.len(),
        None => Records::open(path, options)?.first_width()?,
    };
    if width == 0 {
        return Err(Error::new(Code::Value, "no lines available in input: the file is empty").at(path));
    }
    let names = names_of(header, width, options)?;
    let type_of = |name: &String| match options.types.iter().find(|(n, _)| n == name) {
        None => Given::Nothing,
        Some((_, Some(dtype))) => Given::Type(*dtype),
        Some((_, None)) => Given::LeftOut,
    };
    if let Some((name, _)) = options.types.iter().find(|(name, _)| !names.contains(name)) {
        return Err(Error::new(
            Code::Argument,
            format!("a type is given for column '{name}', which is not there"),
        )
        .with("column", name.as_str())
        .at(path));
    }
    let columns: Vec<_> = names.iter().map(|name| Column::new(name.clone(), type_of(name))).collect();
    if columns.iter().all(Column::is_left_out) {
        return Err(Error::new(Code::Argument, "every column is left out").at(path));
    }
    records.names = names;
    Ok((records, columns))
}

/// Names of the columns: given, of the header, or V1, V2, …; no two the same.
fn names_of(header: Option<Vec<String>>, width: usize, options: &CsvOptions) -> Result<Vec<String>> {
    if let Some(names) = &options.names
        && names.len() != width
    {
        return Err(Error::new(Code::Length, format!("{} column names for {width} columns", names.len()))
            .with("length", names.len())
            .with("columns", width));
    }
    let mut names = options.names.clone().or(header).unwrap_or_else(|| vec![String::new(); width]);
    for (i, name) in names.iter_mut().enumerate() {
        if name.is_empty() {
            *name = format!("V{}", i + 1);
        }
    }
    Ok(if options.check_names { make_names(&names) } else { make_unique(&names) })
}

/// One reading of the file.
struct Pass<'a> {
    store: &'a StoreWork,
    missing: &'a Missing,
    capacity: u64,
    scratch: Scratch,
}

impl<'a> Pass<'a> {
    fn target(&self, row: u64) -> Target<'a> {
        Target { store: self.store, missing: self.missing, row, capacity: self.capacity }
    }

    /// Gives every record to the columns that want it; returns how many there were.
    fn run(
        &mut self,
        records: &mut Records,
        columns: &mut [Column],
        tell: &mut dyn FnMut(u64) -> Result<()>,
    ) -> Result<u64> {
        let (mut batch, mut row) = (Batch::default(), 0);
        loop {
            records.fill(&mut batch)?;
            if batch.len() == 0 {
                return Ok(row);
            }
            let to = self.target(row);
            for (c, column) in columns.iter_mut().enumerate() {
                column.take(to, &batch, c, &mut self.scratch).map_err(|e| e.at(records.path()))?;
            }
            row += batch.len() as u64;
            tell(records.read_nbytes())?;
        }
    }
}
