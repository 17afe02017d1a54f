//! What differs between operating systems: one file each with the same functions, chosen here.
//!
//! Contract of every implementation (offsets and lengths in bytes):
//! - `boot_id()`: an identifier that changes with every boot of the machine, `None` where the system has none to show; an error when it
//!   cannot be read just now (no descriptor left), since what a killed process left would then pass for a machine crash's leavings.
//! - `allocate(file, off, len)`: backs `[off, off+len)` with real blocks reading as zero and extends the file to `off+len`.
//! - `back_holes(file, len)`: a file that a sparse-aware tool copied gets real blocks again, so that a full disk is an error and not a
//!   signal; existing bytes stay, and zeros are never written over them.
//! - `zero_range(file, off, len)`: makes existing bytes zero without writing them, or fails with `Unsupported`. It never makes the file
//!   longer: one that was cut meanwhile must not look whole again.
//! - `sync_file(file)`: everything of the file is on stable storage when it returns.
//! - `after_msync(file)`: what must follow a ranged `msync` for the bytes to be on stable storage.
//! - `publish_new(dir, path, fill)`: the file appears under `path` complete or not at all, never replacing anything.
//! - `lock_holder(dev, ino)`: best effort pid of the process that holds the `flock`.
//! - `drop_cache(file, off)`: asks the system to forget clean cached pages of the file from `off` on.
//! - `errno_location`, `LOST_PAGE`, `SENT_BY_SYSTEM`: what the handler of SIGBUS (`bus`) must know of the system.
//! - `overcommit_is_strict()`: reserved memory counts against a limit, so reservations must be `PROT_NONE`.

pub(crate) mod blas;
pub(crate) mod bus;
pub(crate) mod loss;

use rustix::fs::FlockOperation;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};

/// A number that changes in a child process made by `fork`; asking costs no system call.
pub(crate) fn process_epoch() -> u64 {
    static WATCH: Once = Once::new();
    static FORKS: AtomicU64 = AtomicU64::new(0);
    extern "C" fn in_child() {
        FORKS.fetch_add(1, Ordering::Relaxed);
    }
    WATCH.call_once(|| {
        // Miri knows no fork.
        #[cfg(not(miri))]
        // SAFETY: the handler only touches an atomic, and the library is never unloaded. Out of memory leaves forks unnoticed.
        unsafe {
            libc::pthread_atfork(None, None, Some(in_child));
        }
    });
    FORKS.load(Ordering::Relaxed)
}

/// A system call made again when a signal interrupts it: profilers send signals all the time, and an interrupted `msync` or `fallocate` has
/// failed at nothing.
pub(crate) fn uninterrupted<T>(call: impl FnMut() -> rustix::io::Result<T>) -> io::Result<T> {
    rustix::io::retry_on_intr(call).map_err(Into::into)
}

/// `flock`.
pub(crate) fn lock(file: &File, how: FlockOperation) -> io::Result<()> {
    uninterrupted(|| rustix::fs::flock(file, how))
}

/// Bytes the disk has left for this process; `None`: the file system does not say.
pub(crate) fn room(file: &File) -> Option<u64> {
    let disk = rustix::fs::fstatvfs(file).ok()?;
    (disk.f_blocks > 0).then(|| disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// What the disk plainly does not have is refused before it is tried: a failing `fallocate` first takes all that is left, and until the
/// file is cut back every other program meets a full disk.
fn check_room(file: &File, nbytes: u64) -> io::Result<()> {
    match room(file) {
        Some(left) if left < nbytes => Err(io::Error::from_raw_os_error(libc::ENOSPC)),
        _ => Ok(()),
    }
}

/// A growth beyond `RLIMIT_FSIZE` is refused here: the system would send SIGXFSZ first, which ends a process that does not ignore it (Node
/// does, a C or Rust program need not), and what signals do is the program's to decide, not a library's.
fn check_file_limit(end: u64) -> io::Result<()> {
    match rustix::process::getrlimit(rustix::process::Resource::Fsize).current {
        Some(limit) if end > limit => Err(io::Error::from_raw_os_error(libc::EFBIG)),
        _ => Ok(()),
    }
}

/// `allocate` of the contract.
pub(crate) fn allocate(file: &File, off: u64, len: u64) -> io::Result<()> {
    check_file_limit(off.saturating_add(len))?;
    check_room(file, len)?;
    os::allocate(file, off, len)
}

/// `back_holes` of the contract.
pub(crate) fn back_holes(file: &File, len: u64) -> io::Result<()> {
    let backed = file.metadata()?.blocks().saturating_mul(512);
    // Blocks are also counted that hold the file's extent tree, or lie beyond its end (XFS allocates ahead): a file may have blocks enough
    // and a hole all the same. (What was allocated and never written shows as a hole too; backing it again costs nothing.)
    let hole = uninterrupted(|| rustix::fs::seek(file, rustix::fs::SeekFrom::Hole(0)));
    if backed >= len && hole.is_ok_and(|at| at >= len) {
        return Ok(());
    }
    check_room(file, len.saturating_sub(backed))?;
    os::back_holes(file, len)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[path = "linux.rs"]
mod os;
#[cfg(target_vendor = "apple")]
#[path = "macos.rs"]
mod os;
mod per_process;

pub(crate) use per_process::PerProcess;

pub(crate) use os::{
    after_msync, boot_id, drop_cache, lock_holder, overcommit_is_strict, publish_new, sync_file, zero_range,
};
