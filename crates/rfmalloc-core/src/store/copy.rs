//! `compact_to` (rule 21): a dense copy under another path, or in the place of the store's own file.
//!
//! The copy is filled without a name, every block backed, synced, and only then linked, so it is there whole or not at all and never
//! replaces a stranger. Onto the own path it gets a hidden name first and is renamed over the old file, which is complete to the
//! end: whoever opens the path meets the old store or the new one. The new file stays locked until its name is on stable storage; else
//! another process could sync into a file that a power cut then takes away again. A hidden name left by a crash between the two steps is
//! removed by the next writable open of the path, which holds the lock that every replacement holds.

use super::creation::{follow_links, sync_folder};
use super::open::{describe_io, with_room};
use super::upkeep::{Control, Upkeep, UpkeepGuard};
use super::{Mode, Shared, Store};
use crate::error::{Code, Error, Result};
use crate::format::word;
use crate::platform;
use crate::registry::{self, Key};
use crate::seam::{Event, Making};
use rustix::fs::FlockOperation;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A copy about to be made. The store counts as being copied until this is run or dropped.
pub struct CopyWork {
    guard: UpkeepGuard,
    target: Target,
}

enum Target {
    /// A path without a file.
    New(PathBuf),
    /// The store's own file, under every name it is known by.
    Own(Vec<PathBuf>),
}

impl Store {
    /// Writes a dense copy of all objects to `path`: ids, generations, names and attributes are the same, the uuid is new, so references
    /// differ in that alone. Other threads may go on: the copy shows the catalog of one moment, each object whole; elements written
    /// in place meanwhile may be in it or not. Temporaries are not copied. False: the control stopped it, and nothing is left behind.
    ///
    /// `path` may be the store's own (by whatever name): then the copy takes the file's place and keeps the uuid, and this store is closed,
    /// as after [`Store::close`]. Every other call is refused with `BUSY` meanwhile.
    ///
    /// # Errors
    /// `EXISTS` (another file is never replaced), `NOT_FOUND` (the folder), `NO_SPACE`, `IO`, `CORRUPT` (what is damaged is not copied),
    /// `BUSY` (another compaction or copy; onto the own path: another opener in the process, a buffer or a running operation), `READ_ONLY`
    /// (onto the own path), `MODE` (a scratch store keeps nothing), `POISONED`, `CLOSED`. Nothing is left behind, the store is as it was.
    pub fn compact_to(&self, path: &Path, control: Control<'_>) -> Result<bool> {
        let work = self.copy_work(path)?;
        let done = work.run(control);
        let closed = if self.is_replaced() { self.close() } else { Ok(()) };
        done.and_then(|done| closed.map(|()| done))
    }

    /// The first part of [`Store::compact_to`], which must happen in the thread that holds the objects; the rest can be done by another.
    /// The caller closes the store if it [is replaced](Store::is_replaced) afterwards.
    ///
    /// # Errors
    /// As there.
    pub fn copy_work(&self, path: &Path) -> Result<CopyWork> {
        let sh = self.shared()?;
        if sh.mode == Mode::Scratch {
            return Err(Error::new(Code::Mode, "a scratch store keeps nothing that could be copied")
                .with("mode", sh.mode.name()));
        }
        if path.as_os_str().is_empty() {
            return Err(Error::new(Code::Argument, "the file path is empty; pass the path of a file"));
        }
        if file_key(path)? == Some(sh.key) {
            return sh.replacing(path);
        }
        let place = follow_links(path);
        if place.symlink_metadata().is_ok() {
            return Err(exists(path));
        }
        let mut inner = sh.lock_open()?;
        let guard = UpkeepGuard::start(sh, &mut inner, Upkeep::Copying)?;
        Ok(CopyWork { guard, target: Target::New(place) })
    }

    /// Another file has the store's path now: all that is left is to close it.
    pub fn is_replaced(&self) -> bool {
        self.shared.lock().upkeep == Upkeep::Replaced
    }
}

/// The file under a path; `None`: there is none. One that cannot be looked at may be the store's own, and must not be taken for another.
fn file_key(path: &Path) -> Result<Option<Key>> {
    match fs::metadata(path) {
        Ok(m) => Ok(Some((m.dev(), m.ino()))),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(describe_io(path, "access", &e)),
    }
}

fn exists(path: &Path) -> Error {
    Error::new(
        Code::Exists,
        format!("'{}' exists, and compactTo replaces no file but the store's own; remove it or choose another path", path.display()),
    )
    .with("path", path.display().to_string())
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(p) if !p.as_os_str().is_empty() => p,
        _ => Path::new("."),
    }
}

/// The name that a copy has between being complete and taking the place of the store at `path`.
fn hidden(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    // Short whatever the name's length.
    let hash = word::fnv1a(word::FNV_START, name);
    folder_of(path).join(format!(".rfmalloc-compact-{hash:016x}"))
}

/// Removes what a replacement of the store at `path` left when it was cut off; the caller holds the file's lock.
pub(super) fn remove_leftover(path: &Path) {
    // Best effort: it only takes space.
    let _ = fs::remove_file(hidden(path));
}

impl Shared {
    fn replacing(self: &Arc<Self>, path: &Path) -> Result<CopyWork> {
        // The names under which the file is known; others, if there are any, keep the old file.
        let mut names: Vec<PathBuf> = Vec::new();
        for name in [Some(self.path.clone()), fs::canonicalize(path).ok()].into_iter().flatten() {
            if !names.contains(&name) && file_key(&name)? == Some(self.key) {
                names.push(name);
            }
        }
        registry::with_openers(self, |openers| {
            let mut inner = self.lock_open()?;
            self.check_writable(&inner)?;
            let (pinned, running) = (inner.objects.pinned(), inner.objects.running());
            if openers > 1 || pinned > 0 || running > 0 {
                return Err(Error::new(
                    Code::Busy,
                    "compactTo onto the store's own path needs the store for itself: close its other handles, let go of all views, wait for \
                     running operations",
                )
                .with("openers", openers)
                .with("views", pinned)
                .with("operations", running));
            }
            let guard = UpkeepGuard::start(self, &mut inner, Upkeep::Replacing)?;
            // From now on every access asks, and is refused.
            inner.objects.renew_all();
            Ok(CopyWork { guard, target: Target::Own(names) })
        })
    }
}

impl CopyWork {
    /// The rest of [`Store::compact_to`].
    ///
    /// # Errors
    /// As there.
    pub fn run(self, control: Control<'_>) -> Result<bool> {
        let sh = &self.guard.0;
        match &self.target {
            Target::New(path) => {
                let uuid = uuid::Uuid::new_v4().into_bytes();
                let Some(file) = make(sh, uuid, path, control, None)? else { return Ok(false) };
                // Without its name on stable storage the copy is not what was promised: nothing is left.
                sync_folders(sh, std::slice::from_ref(path)).inspect_err(|_| {
                    let _ = fs::remove_file(path);
                })?;
                drop(file);
                Ok(true)
            }
            Target::Own(names) => {
                let Some(first) = names.first() else {
                    return Err(Error::new(
                        Code::Io,
                        "the store's file has no name any more; compactTo another path",
                    )
                    .at(&sh.path));
                };
                sh.sync()?;
                remove_leftover(first);
                let mode = sh.seam.file.metadata().map_err(|e| describe_io(first, "access", &e))?;
                let Some(file) = make(sh, sh.uuid, &hidden(first), control, Some(&mode))? else {
                    return Ok(false);
                };
                rename_over(sh, names)?;
                sync_folders(sh, names)?;
                drop(file);
                Ok(true)
            }
        }
    }
}

/// A complete copy under `path`, locked; `None`: stopped.
fn make(
    sh: &Arc<Shared>,
    uuid: [u8; 16],
    path: &Path,
    control: Control<'_>,
    like: Option<&fs::Metadata>,
) -> Result<Option<File>> {
    sh.check_not_closing()?;
    let mut dense = sh.lock().picture(sh, uuid)?;
    dense.lay_out()?;
    let mut failure = None;
    let mut is_stopped = false;
    let made = platform::publish_new(folder_of(path), path, &mut |file| {
        platform::lock(file, FlockOperation::NonBlockingLockExclusive)?;
        if let Some(like) = like {
            file.set_permissions(like.permissions())?;
            // Giving a file away needs privileges; the owner of the old one usually is who asks.
            let _ = std::os::unix::fs::fchown(file, Some(like.uid()), Some(like.gid()));
        }
        // A copy of zeros that stand for lost bytes gets no name.
        let written = dense
            .write(sh, &Making::new(file, sh.seam.watch()), control)
            .and_then(|done| sh.check_whole().map(|()| done));
        match written {
            Ok(true) => sh.seam.watch().as_ref().map_or(Ok(()), |o| o.before(Event::Link)),
            Ok(false) => {
                is_stopped = true;
                Err(io::ErrorKind::Interrupted.into())
            }
            Err(e) => {
                failure = Some(e);
                Err(io::ErrorKind::Other.into())
            }
        }
    });
    match made {
        Ok(file) => {
            if let Some(o) = sh.seam.watch() {
                o.after(Event::Link);
            }
            Ok(Some(file))
        }
        Err(_) if is_stopped => Ok(None),
        Err(e) => Err(match failure {
            Some(failure) => with_room(failure.at(path), dense.nbytes(), folder_of(path)),
            None if e.kind() == io::ErrorKind::AlreadyExists => exists(path),
            None => with_room(describe_io(path, "create", &e), dense.nbytes(), folder_of(path)),
        }),
    }
}

/// The new file takes every name of the old one. After the first the old store is over.
fn rename_over(sh: &Arc<Shared>, names: &[PathBuf]) -> Result<()> {
    for (i, name) in names.iter().enumerate() {
        let from = hidden(name);
        let linked = if i == 0 { Ok(()) } else { fs::hard_link(&names[0], &from) };
        let renamed = linked.and_then(|()| sh.seam.pass(Event::Rename, || fs::rename(&from, name)));
        if let Err(e) = renamed {
            let _ = fs::remove_file(&from);
            return Err(describe_io(name, "replace", &e));
        }
        sh.lock().upkeep = Upkeep::Replaced;
    }
    Ok(())
}

fn sync_folders(sh: &Shared, paths: &[PathBuf]) -> Result<()> {
    let mut folders: Vec<&Path> = paths.iter().map(|p| folder_of(p)).collect();
    folders.dedup();
    folders.into_iter().try_for_each(|dir| sync_folder(dir, sh.seam.watch()))
}
