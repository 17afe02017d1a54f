//! Files for others, written whole: under a hidden name until they are complete, then under the one that was asked for.
//!
//! Whoever writes holds the lock of its hidden file, and the system gives the lock back when a process dies, however it does. So the next
//! export to the same path finds what a dead one left, by the first part of the name, and removes what it can lock. Between making a file
//! and locking it another export may do so: a file that lost its name is made again.

use crate::error::{Code, Error, Result};
use crate::format::word;
use crate::platform;
use rustix::fs::FlockOperation;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
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
        // Nothing is there any more once it has its name. The lock goes after this.
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

/// With what the hidden names of files for `path` begin.
fn prefix(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    // Short whatever the name's length.
    format!(".rfmalloc-out-{:016x}-", word::fnv1a(word::FNV_START, name))
}

/// Whether the lock of a hidden file could be had; an error: the file system has no locks.
fn try_lock(file: &File) -> io::Result<bool> {
    match platform::lock(file, FlockOperation::NonBlockingLockExclusive) {
        Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(false),
        done => done.map(|()| true),
    }
}

/// Removes what processes that died while they wrote to the same path have left. Best effort: it only takes space.
fn remove_leftovers(folder: &Path, prefix: &str) {
    let Ok(list) = fs::read_dir(folder) else { return };
    for entry in list.flatten() {
        let is_ours = entry.file_name().as_encoded_bytes().starts_with(prefix.as_bytes());
        if !is_ours || !entry.file_type().is_ok_and(|t| t.is_file()) {
            continue;
        }
        // Locks on network file systems need a file that is open for writing. No name is ever used twice: what this one is of cannot change.
        if let Ok(file) = File::options().write(true).open(entry.path())
            && try_lock(&file).is_ok_and(|is_dead| is_dead)
        {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// A new file under a hidden name, with its lock.
fn create(folder: &Path, prefix: &str) -> io::Result<(File, PathBuf)> {
    loop {
        let hidden = folder.join(format!("{prefix}{}", uuid::Uuid::new_v4().simple()));
        let file = File::options().write(true).create_new(true).open(&hidden)?;
        // Without locks nobody removes anything.
        if try_lock(&file).unwrap_or(true) && file.metadata()?.nlink() > 0 {
            return Ok((file, hidden));
        }
        // Another export took it for a dead one's, and has removed it or will now.
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
    let prefix = prefix(path);
    remove_leftovers(folder, &prefix);
    let (file, hidden) = create(folder, &prefix).map_err(|e| failed(path, &e))?;
    let mut output = Output { file, hidden, path: path.to_owned(), nbytes: 0 };
    if !fill(&mut output)? {
        return Ok(None);
    }
    output.publish(replace).map_err(|e| failed(path, &e))?;
    Ok(Some(output.nbytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;

    fn hidden_in(folder: &Path) -> usize {
        fs::read_dir(folder).unwrap().flatten().filter(|e| e.file_name() != "out.csv").count()
    }

    #[test]
    fn what_fails_or_is_stopped_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.csv");
        let half = |file: &mut Output| file.write_all(b"half of it");
        let fails = &mut |file: &mut Output| half(file).and(Err(Error::new(Code::Value, "no")));
        assert_eq!(write_whole(&path, false, fails).unwrap_err().code(), Code::Value);
        assert_eq!(write_whole(&path, false, &mut |file| half(file).map(|()| false)).unwrap(), None);
        // Somebody else is faster.
        let late = &mut |file: &mut Output| half(file).map(|()| fs::write(&path, "other").is_ok());
        assert_eq!(write_whole(&path, false, late).unwrap_err().code(), Code::Exists);
        assert_eq!((fs::read(&path).unwrap(), hidden_in(dir.path())), (b"other".to_vec(), 0));
        assert_eq!(write_whole(&path, true, &mut |file| half(file).map(|()| true)).unwrap(), Some(10));
        assert_eq!((fs::read(&path).unwrap(), hidden_in(dir.path())), (b"half of it".to_vec(), 0));
    }

    /// A killed export left its hidden file beside the target for ever.
    #[test]
    fn the_next_export_removes_what_a_dead_one_left_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.csv");
        let dead = dir.path().join(format!("{}{:032x}", prefix(&path), 1));
        let of_another = dir.path().join(format!("{}{:032x}", prefix(&dir.path().join("o.csv")), 2));
        let folder = dir.path().join(format!("{}{:032x}", prefix(&path), 3));
        fs::create_dir(&folder).unwrap();
        for file in [&dead, &of_another] {
            fs::write(file, "half").unwrap();
        }
        let whole = write_whole(&path, false, &mut |first| {
            assert!(!dead.exists());
            first.write_all(b"first")?;
            // While this one lives, another one to the same path leaves it alone.
            write_whole(&path, true, &mut |second| second.write_all(b"second").map(|()| true))?;
            assert!(first.hidden.exists());
            fs::remove_file(&path).map(|()| true).map_err(|e| failed(&path, &e))
        });
        assert_eq!(whole.unwrap(), Some(5));
        assert_eq!(fs::read(&path).unwrap(), b"first");
        assert!(of_another.exists() && folder.exists());
        assert_eq!(hidden_in(dir.path()), 2);
    }

    /// One export may be made between another one's look into the folder and its try for the lock.
    #[test]
    fn exports_to_one_path_at_once_are_all_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.csv");
        let (threads, rounds) = (4, 200);
        let barrier = Barrier::new(threads);
        std::thread::scope(|s| {
            for _ in 0..threads {
                s.spawn(|| {
                    barrier.wait();
                    for _ in 0..rounds {
                        let done = write_whole(&path, true, &mut |f| f.write_all(b"whole").map(|()| true));
                        assert_eq!(done.unwrap(), Some(5));
                    }
                });
            }
        });
        assert_eq!((fs::read(&path).unwrap(), hidden_in(dir.path())), (b"whole".to_vec(), 0));
    }
}
