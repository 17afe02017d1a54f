//! A vector into a `.npy` file, which appears complete or not at all.

use super::header;
use crate::dtype::Dtype;
use crate::elements::Vector;
use crate::error::{Code, Error, Result};
use crate::na::NA_INT;
use crate::output::write_whole;
use crate::store::{Control, Handle, Operation, Store};
use std::path::Path;

/// Bytes of elements in memory at a time.
const BLOCK: u64 = 16 << 20;

/// A vector to be written, for any thread.
pub struct NpyExport {
    vector: Vector,
    shape: Vec<u64>,
    /// Nobody destroys it meanwhile.
    _operation: Operation,
}

impl Store {
    /// Work that writes a vector, matrix or array as `.npy`. It cannot be destroyed before the work is dropped.
    ///
    /// # Errors
    /// `TYPE`: text, a list or a frame; `DESTROYED`, `CLOSED`.
    pub fn npy_export(&self, handle: &Handle) -> Result<NpyExport> {
        let facts = handle.facts();
        facts.dtype.plain()?;
        let attributes = self.attributes(handle)?;
        let shape = if attributes.dim.is_empty() { vec![facts.len] } else { attributes.dim };
        // A hold of its own: the caller's may end before the work does.
        let vector = Vector::Object(self.open_id(facts.id, facts.generation)?);
        Ok(NpyExport { vector, shape, _operation: handle.begin()? })
    }
}

impl NpyExport {
    /// Writes the file; an old one is replaced only if `replace` says so. `watch` is told of the progress in bytes. Returns the bytes written;
    /// `None`: it was stopped, and there is no file.
    ///
    /// # Errors
    /// `VALUE` (`index`): a logical NA, for which numpy has no bool; `EXISTS`, `NOT_FOUND` (the folder), `NO_SPACE`, `IO`, `CLOSED`.
    pub fn run(&self, path: &Path, replace: bool, watch: Control<'_>) -> Result<Option<u64>> {
        let (dtype, len) = (self.vector.dtype(), self.vector.len());
        let head = header::encode(dtype, &self.shape);
        let written = if dtype == Dtype::Logical { 1 } else { dtype.width() };
        let total = head.len() as u64 + len * written;
        write_whole(path, replace, &mut |file| {
            file.write_all(&head)?;
            let (mut at, most) = (0, BLOCK / dtype.width());
            let mut block = Vec::new();
            while at < len {
                let n = most.min(len - at);
                block.resize((n * dtype.width()) as usize, 0);
                self.vector.read_bytes(at, &mut block)?;
                if dtype == Dtype::Logical {
                    file.write_all(&bools(&block, at)?)?;
                } else {
                    file.write_all(&block)?;
                }
                at += n;
                if !watch(head.len() as u64 + at * written, total) {
                    return Ok(false);
                }
            }
            Ok(true)
        })
    }
}

/// One byte for each logical.
fn bools(block: &[u8], first: u64) -> Result<Vec<u8>> {
    let values = block.as_chunks::<4>().0.iter().map(|b| i32::from_le_bytes(*b)).enumerate();
    values
        .map(|(i, x)| match x {
            NA_INT => {
                let index = first + i as u64;
                Err(Error::new(
                    Code::Value,
                    format!("element {index} is NA, which numpy's bool does not have; convert the vector with as('integer')"),
                )
                .with("index", index))
            }
            x => Ok(u8::from(x != 0)),
        })
        .collect()
}
