//! Rows of a data frame: the same selection of every column, and of the row names.

use super::index::{Index, Ready, What};
use super::operand::Operand;
use super::text::TextVector;
use crate::dtype::Dtype;
use crate::elements::{BLOCK, Vector};
use crate::error::{Code, Error, Result};
use crate::labels::make_unique;
use crate::store::{FRAME, Handle, Role, Store};
use crate::strings::Strings;
use crate::subscript::{self as sub, MISSING, Purpose, Receiver, Run, Runs, Selection, Texts};

/// What R calls the row of a missing index.
const MISSING_ROW: &str = "NA";

impl Store {
    /// R's `df[index, ]`: a temporary frame with the selected rows of `frame`, which is an object of `from`. Beyond the end, and where the index
    /// is NA, a row of missing elements. Row names that are stored go along, told apart where a row comes twice; numbered rows are
    /// numbered anew.
    ///
    /// # Errors
    /// `SUBSCRIPT` (bad-subscript, mixed-signs), `TYPE` (no frame), `STALE_REF` (a column is gone), `NO_SPACE`, `READ_ONLY`, `DESTROYED`,
    /// `CLOSED`; `IO`, `CORRUPT`: elements cannot be read.
    pub fn select_rows(&self, from: &Self, frame: &Handle, index: &Index<'_>) -> Result<Handle> {
        let rows = Rows::open(from, frame)?;
        let ready = Ready::new(index)?;
        let names = rows.names.as_ref().map(TextVector::borrowed);
        let names = names.as_ref().map(|n| n as &dyn Texts);
        let selection = sub::vector(&ready.subscript(), rows.len, names, Purpose::Read)?.selection;
        let result = rows.pick(self, &selection)?;
        ready.check()?;
        Ok(result)
    }

    /// The rows for which a mask is true, as [`Store::select_rows`]; where it is NA the row is dropped, unlike R's.
    ///
    /// # Errors
    /// As [`Store::select_rows`]; `LENGTH`: the mask is not as long as there are rows; `TYPE`: it is not logical.
    pub fn filter_rows(&self, from: &Self, frame: &Handle, mask: What<'_>) -> Result<Handle> {
        let rows = Rows::open(from, frame)?;
        let len = match mask {
            What::Mask(bytes) => bytes.span().nbytes() / 4,
            What::Vector(v) if v.dtype() == Dtype::Logical => v.len(),
            _ => return Err(Error::new(Code::Type, "a mask of rows is logical")),
        };
        if len != rows.len {
            return Err(Error::new(
                Code::Length,
                format!("the mask has {len} values, and the data frame {} rows", rows.len),
            )
            .with("length", len)
            .with("rows", rows.len));
        }
        let ready = Ready::new(&Index::of(mask))?;
        let selection = sub::vector(&ready.subscript(), rows.len, None, Purpose::Read)?.selection;
        let result = rows.pick(self, &Known::new(&selection)?)?;
        ready.check()?;
        Ok(result)
    }
}

/// A frame, opened.
struct Rows {
    columns: Vec<Vector>,
    labels: Strings,
    names: Option<Vector>,
    len: u64,
}

impl Rows {
    fn open(from: &Store, frame: &Handle) -> Result<Self> {
        let facts = frame.facts();
        if facts.kind != FRAME {
            return Err(Error::new(Code::Type, "the object is no data frame"));
        }
        let column = |i| {
            from.list_get(frame, i)?.map(Vector::Object).ok_or_else(|| {
                Error::new(Code::Corrupt, format!("the data frame has no column {i}")).with("column", i)
            })
        };
        let len = from.attributes(frame)?.rows.unwrap_or(0);
        let columns = (0..facts.len).map(column).collect::<Result<Vec<_>>>()?;
        if let Some(column) = columns.iter().find(|column| column.len() != len) {
            return Err(Error::new(
                Code::Corrupt,
                format!("a column of {} elements in a data frame of {len} rows", column.len()),
            ));
        }
        let labels = match from.child(frame, Role::Names)? {
            Some(labels) => Vector::Object(labels).strings(0, facts.len, u64::MAX)?,
            None => (1..=facts.len)
                .map(|i| format!("V{i}"))
                .collect::<Vec<_>>()
                .iter()
                .map(|s| Some(&**s))
                .collect(),
        };
        let names = from.child(frame, Role::RowNames)?.map(Vector::Object);
        Ok(Self { columns, labels, names, len })
    }

    /// A temporary frame of the rows that `runs` select.
    fn pick(&self, to: &Store, runs: &dyn Runs) -> Result<Handle> {
        let columns = self.columns.iter().map(|column| to.picked(&Operand::new(column)?, runs));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let names = self.names.as_ref().map(|names| picked_names(names, runs)).transpose()?;
        to.frame(&columns.iter().collect::<Vec<_>>(), &self.labels, names.as_ref())
    }
}

/// The names of the selected rows, each its own.
fn picked_names(names: &Vector, runs: &dyn Runs) -> Result<Strings> {
    let mut picked = Vec::new();
    let mut take = |texts: &Strings| {
        let owned = (0..texts.len()).map(|i| texts.get(i).unwrap_or(MISSING_ROW).to_owned());
        picked.extend(owned);
    };
    runs.each(&mut |run| {
        match run {
            Run::Range { start, len } => {
                let here = len.min(names.len().saturating_sub(start));
                let mut at = 0;
                while at < here {
                    let texts = names.strings(start + at, (here - at).min(BLOCK), u64::MAX)?;
                    at += texts.len() as u64;
                    take(&texts);
                }
                take(&missing(len - here));
            }
            Run::At(positions) => take(&names.strings_at(positions)?),
            Run::Missing(len) => take(&missing(len)),
        }
        Ok(())
    })?;
    Ok(make_unique(&picked).iter().map(|name| Some(name.as_str())).collect())
}

fn missing(len: u64) -> Strings {
    (0..len).map(|_| None).collect()
}

/// A selection without its missing elements.
struct Known<'a> {
    of: &'a Selection,
    len: u64,
}

impl<'a> Known<'a> {
    fn new(of: &'a Selection) -> Result<Self> {
        let mut len = of.len();
        if of.has_missing() {
            of.each(&mut |run| {
                len -= match run {
                    Run::At(positions) => positions.iter().filter(|p| **p == MISSING).count() as u64,
                    Run::Missing(n) => n,
                    Run::Range { .. } => 0,
                };
                Ok(())
            })?;
        }
        Ok(Self { of, len })
    }
}

impl Runs for Known<'_> {
    fn len(&self) -> u64 {
        self.len
    }

    fn each(&self, f: &mut Receiver<'_>) -> Result<()> {
        if self.len == self.of.len() {
            return self.of.each(f);
        }
        let mut known = [0; BLOCK as usize];
        self.of.each(&mut |run| match run {
            Run::At(positions) => {
                let mut n = 0;
                for p in positions {
                    known[n] = *p;
                    n += usize::from(*p != MISSING);
                }
                if n == 0 { Ok(()) } else { f(Run::At(&known[..n])) }
            }
            Run::Missing(_) => Ok(()),
            range @ Run::Range { .. } => f(range),
        })
    }
}
