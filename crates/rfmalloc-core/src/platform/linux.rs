//! Linux: `fallocate`, `/proc`, `O_TMPFILE`. See `mod.rs` for the contract.
#![forbid(unsafe_code)]

use super::uninterrupted;
use rustix::fs::{Advice, AtFlags, FallocateFlags, Mode, OFlags};
use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::Path;

#[cfg(target_os = "android")]
pub(crate) use libc::__errno as errno_location;
#[cfg(target_os = "linux")]
pub(crate) use libc::__errno_location as errno_location;

/// Codes of a SIGBUS for a page that cannot be had. An unaligned access (`BUS_ADRALN`) is none: a page of zeros would not cure it.
pub(crate) const LOST_PAGE: [i32; 4] =
    [libc::BUS_ADRERR, libc::BUS_OBJERR, libc::BUS_MCEERR_AR, libc::BUS_MCEERR_AO];
/// Codes of a SIGBUS that tells of a page nobody is touching just now.
pub(crate) const SENT_BY_SYSTEM: [i32; 1] = [libc::BUS_MCEERR_AO];

pub(crate) fn boot_id() -> io::Result<Option<[u8; 16]>> {
    match fs::read_to_string("/proc/sys/kernel/random/boot_id") {
        Ok(text) => Ok(uuid::Uuid::parse_str(text.trim()).ok().map(uuid::Uuid::into_bytes)),
        // No /proc, or a sandbox that keeps it shut: so it will be at every open.
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) => Ok(None),
        Err(e) => Err(e),
    }
}

pub(crate) fn allocate(file: &File, off: u64, len: u64) -> io::Result<()> {
    match uninterrupted(|| rustix::fs::fallocate(file, FallocateFlags::empty(), off, len)) {
        Err(e) if e.raw_os_error() == Some(libc::EOPNOTSUPP) => write_zeros(file, off, len),
        r => r,
    }
}

pub(crate) fn back_holes(file: &File, len: u64) -> io::Result<()> {
    match uninterrupted(|| rustix::fs::fallocate(file, FallocateFlags::empty(), 0, len)) {
        Err(e) if e.raw_os_error() == Some(libc::EOPNOTSUPP) => Ok(()),
        r => r,
    }
}

/// File systems without `fallocate`: real zeros, so that a full disk is an error here and not a signal later.
fn write_zeros(file: &File, off: u64, len: u64) -> io::Result<()> {
    let zeros = vec![0u8; 1 << 20];
    let mut done = 0;
    while done < len {
        let n = (len - done).min(zeros.len() as u64) as usize;
        file.write_all_at(&zeros[..n], off + done)?;
        done += n as u64;
    }
    Ok(())
}

pub(crate) fn zero_range(file: &File, off: u64, len: u64) -> io::Result<()> {
    let how = FallocateFlags::ZERO_RANGE | FallocateFlags::KEEP_SIZE;
    uninterrupted(|| rustix::fs::fallocate(file, how, off, len))
}

pub(crate) fn sync_file(file: &File) -> io::Result<()> {
    file.sync_data()
}

#[expect(clippy::unnecessary_wraps, reason = "the macOS twin can fail")]
pub(crate) fn after_msync(_file: &File) -> io::Result<()> {
    Ok(())
}

pub(crate) fn drop_cache(file: &File, off: u64) {
    // Best effort by contract: an old cache only matters after a failed sync, and then the pages are clean and droppable.
    let _ = rustix::fs::fadvise(file, off, None, Advice::DontNeed);
}

pub(crate) fn overcommit_is_strict() -> bool {
    fs::read_to_string("/proc/sys/vm/overcommit_memory").is_ok_and(|s| s.trim() == "2")
}

/// `/proc/locks` lists `1: FLOCK ADVISORY WRITE 1234 08:01:5678 0 EOF`. The list comes in pieces, and a line is missed when others go between
/// two of them: not found is asked again.
pub(crate) fn lock_holder(dev: u64, ino: u64) -> Option<u32> {
    let want = format!("{:02x}:{:02x}:{ino}", rustix::fs::major(dev), rustix::fs::minor(dev));
    (0..4).find_map(|_| {
        let locks = fs::read_to_string("/proc/locks").ok()?;
        locks.lines().find_map(|line| {
            let mut words = line.split_whitespace().skip_while(|w| *w != "FLOCK");
            let (_, pid, place) = (words.nth(2)?, words.next()?, words.next()?);
            (place == want).then(|| pid.parse().ok()).flatten()
        })
    })
}

pub(crate) fn publish_new(
    dir: &Path,
    path: &Path,
    fill: &mut dyn FnMut(&File) -> io::Result<()>,
) -> io::Result<File> {
    let (flags, mode) = (OFlags::RDWR | OFlags::TMPFILE | OFlags::CLOEXEC, Mode::from_raw_mode(0o666));
    let file = match uninterrupted(|| rustix::fs::open(dir, flags, mode)) {
        Ok(fd) => File::from(fd),
        // The file system knows no unnamed files.
        Err(e) if matches!(e.raw_os_error(), Some(libc::EOPNOTSUPP | libc::EISDIR | libc::EINVAL)) => {
            return publish_by_link(dir, path, fill);
        }
        Err(e) => return Err(e),
    };
    write_in_place(&file);
    fill(&file)?;
    let proc = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&file.as_fd()));
    let (cwd, follow) = (rustix::fs::CWD, AtFlags::SYMLINK_FOLLOW);
    match uninterrupted(|| rustix::fs::linkat(cwd, &proc, cwd, path, follow)) {
        Ok(()) => Ok(file),
        // Without /proc (a bare chroot), or where a sandbox keeps it shut, an unnamed file gets no name; a named one can.
        Err(e)
            if matches!(e.raw_os_error(), Some(libc::ENOENT | libc::EPERM | libc::EACCES | libc::EXDEV)) =>
        {
            drop(file);
            publish_by_link(dir, path, fill)
        }
        Err(e) => Err(e),
    }
}

/// On btrfs a rewritten byte goes to a new block, so a block that a byte has is no promise that it can be written once the disk is full. A file
/// that is still empty can be made to be written in place, as logs and virtual disks are. Elsewhere the mark is unknown, and without need.
fn write_in_place(file: &File) {
    const BTRFS: u64 = 0x9123_683e;
    let is_btrfs = rustix::fs::fstatfs(file).is_ok_and(|fs| fs.f_type as u64 & 0xffff_ffff == BTRFS);
    if is_btrfs && let Ok(flags) = rustix::fs::ioctl_getflags(file) {
        let _ = rustix::fs::ioctl_setflags(file, flags | rustix::fs::IFlags::NOCOW);
    }
}

fn publish_by_link(
    dir: &Path,
    path: &Path,
    fill: &mut dyn FnMut(&File) -> io::Result<()>,
) -> io::Result<File> {
    let temp = dir.join(format!(".rfmalloc-{}", uuid::Uuid::new_v4().simple()));
    let file = File::options().read(true).write(true).create_new(true).open(&temp)?;
    write_in_place(&file);
    let linked = fill(&file).and_then(|()| fs::hard_link(&temp, path));
    if let Err(e) = fs::remove_file(&temp) {
        if linked.is_ok() {
            // Told as a failure, so nothing stands there.
            let _ = fs::remove_file(path);
        }
        return Err(e);
    }
    linked.map(|()| file)
}
