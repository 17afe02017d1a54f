//! Files for others, written whole: under a name of their own until they are complete, then under the one that was asked for.

use crate::error::{Code, Error, Result};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// A file on its way; one that does not arrive is removed.
pub(crate) struct Output {
    file: File,
    hidden: PathBuf,
    path: PathBuf,
    nbytes: u64,
}

impl Drop for Output {
    fn drop(&mut self) {
        // Nothing is there any more once it has its name.
        let _ = fs::remove_file(&self.hidden);
    }
}

fn failed(path: &Path, e: &io::Error) -> Error {
    match e.kind() {
        io::ErrorKind::AlreadyExists => Error::new(
            Code::Exists,
            format!(
                "'{}' exists; pass {{ replace: true }} to replace it, or choose another path",
                path.display()
            ),
        ),
        io::ErrorKind::NotFound => Error::new(Code::NotFound, format!("no folder for '{}'", path.display())),
        _ => Error::io(format!("cannot write '{}'", path.display()), e),
    }
    .at(path)
}

impl Output {
    /// Adds bytes.
    pub(crate) fn write_all(&mut self, bytes: &[u8]) -> Result<()> {
        self.nbytes += bytes.len() as u64;
        io::Write::write_all(&mut self.file, bytes).map_err(|e| failed(&self.path, &e))
    }

    fn publish(&self, replace: bool) -> io::Result<()> {
        self.file.sync_data()?;
        if replace {
            return fs::rename(&self.hidden, &self.path);
        }
        match fs::hard_link(&self.hidden, &self.path) {
            // A file system without hard links: what was not there a moment ago is taken.
            Err(e)
                if e.kind() != io::ErrorKind::AlreadyExists && fs::symlink_metadata(&self.path).is_err() =>
            {
                fs::rename(&self.hidden, &self.path)
            }
            done => done,
        }
    }
}

/// Writes a file by `fill`, which answers false when it was stopped: `None`, and there is no file. Returns its bytes.
///
/// # Errors
/// `EXISTS` without `replace`, `NOT_FOUND` (the folder), `NO_SPACE`, `IO`, and those of `fill`; what stood there is as it was.
pub(crate) fn write_whole(
    path: &Path,
    replace: bool,
    fill: &mut dyn FnMut(&mut Output) -> Result<bool>,
) -> Result<Option<u64>> {
    if !replace && fs::symlink_metadata(path).is_ok() {
        return Err(failed(path, &io::ErrorKind::AlreadyExists.into()));
    }
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let hidden = folder.join(format!(".rfmalloc-{}", uuid::Uuid::new_v4().simple()));
    let file = File::options().write(true).create_new(true).open(&hidden).map_err(|e| failed(path, &e))?;
    let mut output = Output { file, hidden, path: path.to_owned(), nbytes: 0 };
    if !fill(&mut output)? {
        return Ok(None);
    }
    output.publish(replace).map_err(|e| failed(path, &e))?;
    Ok(Some(output.nbytes))
}
