//! CSV files: frames from them and into them.
//!
//! Reading takes one pass after a count of line ends: columns are reserved with as many elements as the file can have rows, filled in
//! batches and cut to the rows there were. A column begins with the narrowest type that holds the first batch and becomes wider where a
//! field asks for it: whole numbers turn into doubles in place, a column that turns out to be text is filled by a second pass, since its
//! numbers are no longer known as they were written. So the types are those of the whole file, never of a sample, and no more than one
//! batch is in memory.
//!
//! | module | holds |
//! | --- | --- |
//! | `records` | bytes of the file to records (`csv-core`, with a short cut for lines without quotes) |
//! | `count` | how many records a file has at most |
//! | `field` | what one field is: number, logical, missing, text |
//! | `column` | one column: its type, its elements, what is said of it |
//! | `import` | the passes |
//! | `number`, `export` | numbers as text that reads back exactly; a frame's rows into a file |
//!
//! It may touch stores through `store`'s temporaries and elements through [`Vector`](crate::Vector), nothing deeper. Semantics are
//! those of R's `read.csv` where it has them.

mod column;
mod count;
mod export;
mod field;
mod import;
mod number;
mod records;
#[cfg(test)]
mod tests;

pub use column::{ColumnReport, WhyText};
pub use export::{CsvExport, CsvStyle};
pub use import::CsvImport;

use crate::dtype::Dtype;
use crate::error::{Code, Error, Result};

/// How a CSV file is read.
#[derive(Clone, Debug)]
pub struct CsvOptions {
    /// Between fields: one ASCII character.
    pub delimiter: u8,
    /// Around fields; doubled inside. `None`: quotes are characters like others.
    pub quote: Option<u8>,
    /// The first record names the columns; else they are V1, V2, ….
    pub header: bool,
    /// Names of the columns in the place of the header's.
    pub names: Option<Vec<String>>,
    /// Makes the names syntactic ones of R.
    pub check_names: bool,
    /// Types of columns by name; `None`: the column is left out.
    pub types: Vec<(String, Option<Dtype>)>,
    /// Texts that mean NA.
    pub na: Vec<String>,
    /// Lines left out at the file's beginning.
    pub skip: u64,
}

impl Default for CsvOptions {
    fn default() -> Self {
        Self {
            delimiter: b',',
            quote: Some(b'"'),
            header: true,
            names: None,
            check_names: false,
            types: Vec::new(),
            na: vec!["NA".to_owned()],
            skip: 0,
        }
    }
}

impl CsvOptions {
    fn check(&self) -> Result<()> {
        check_marks(self.delimiter, self.quote)?;
        for (name, dtype) in &self.types {
            match dtype {
                None
                | Some(
                    Dtype::Logical | Dtype::Integer | Dtype::Numeric | Dtype::Complex | Dtype::Character,
                ) => {}
                Some(other) => {
                    return Err(Error::new(
                        Code::Type,
                        format!("column '{name}' cannot be read as '{}'", other.name()),
                    )
                    .with("column", name.as_str()));
                }
            }
        }
        Ok(())
    }
}

/// `ARGUMENT`: the two characters cannot be told from each other, from line ends or from digits.
pub(crate) fn check_marks(delimiter: u8, quote: Option<u8>) -> Result<()> {
    let is_usable = |c: u8| {
        c.is_ascii() && !c.is_ascii_alphanumeric() && !matches!(c, b'\n' | b'\r' | 0 | b'.' | b'+' | b'-')
    };
    if !is_usable(delimiter) || quote.is_some_and(|q| !is_usable(q) || q == delimiter || q == b' ') {
        return Err(Error::new(
            Code::Argument,
            "delimiter and quote are two different ASCII characters, no letters, digits, signs, points or line ends",
        ));
    }
    Ok(())
}
