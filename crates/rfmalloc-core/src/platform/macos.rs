//! macOS: `F_PREALLOCATE` (through rustix), `F_FULLFSYNC`, `sysctl`. Written from Apple's manual pages; see `mod.rs` for the contract.

use std::ffi::CStr;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::Path;

pub(crate) use libc::__error as errno_location;

/// Codes of a SIGBUS for a page that cannot be had.
pub(crate) const LOST_PAGE: [i32; 2] = [libc::BUS_ADRERR, libc::BUS_OBJERR];
/// Codes of a SIGBUS that tells of a page nobody is touching just now: there are none.
pub(crate) const SENT_BY_SYSTEM: [i32; 0] = [];

#[expect(clippy::unnecessary_wraps, reason = "the Linux twin can fail")]
pub(crate) fn boot_id() -> io::Result<Option<[u8; 16]>> {
    Ok(boot_session())
}

fn boot_session() -> Option<[u8; 16]> {
    let mut text = [0u8; 64];
    let mut len = text.len();
    // SAFETY: 1. the name is NUL-terminated; 2. `text` has `len` writable bytes; 3. no new value is set.
    let r = unsafe {
        libc::sysctlbyname(
            c"kern.bootsessionuuid".as_ptr(),
            text.as_mut_ptr().cast(),
            &raw mut len,
            std::ptr::null_mut(),
            0,
        )
    };
    if r != 0 {
        return None;
    }
    let text = CStr::from_bytes_until_nul(&text).ok()?.to_str().ok()?;
    uuid::Uuid::parse_str(text).ok().map(uuid::Uuid::into_bytes)
}

pub(crate) fn allocate(file: &File, off: u64, len: u64) -> io::Result<()> {
    // APFS answers EINVAL when the blocks already suffice and ExFAT ENOTSUP: then real zeros are written.
    match rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), off, len) {
        Ok(()) => file.set_len(off + len),
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOTSUP) => {
            let zeros = vec![0u8; 1 << 20];
            let mut done = 0;
            while done < len {
                let n = (len - done).min(zeros.len() as u64) as usize;
                file.write_all_at(&zeros[..n], off + done)?;
                done += n as u64;
            }
            Ok(())
        }
        Err(e) => Err(e.into()),
    }
}

pub(crate) fn back_holes(file: &File, len: u64) -> io::Result<()> {
    match rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), 0, len) {
        Ok(()) | Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOTSUP) => Ok(()),
        Err(e) => Err(e.into()),
    }
}

pub(crate) fn zero_range(_file: &File, _off: u64, _len: u64) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

fn full_sync(file: &File) -> io::Result<()> {
    // SAFETY: a plain fcntl on an open descriptor, no pointers.
    match unsafe { libc::fcntl(file.as_raw_fd(), libc::F_FULLFSYNC) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

pub(crate) fn sync_file(file: &File) -> io::Result<()> {
    full_sync(file)
}

pub(crate) fn after_msync(file: &File) -> io::Result<()> {
    full_sync(file)
}

pub(crate) fn drop_cache(_file: &File, _off: u64) {}

pub(crate) fn overcommit_is_strict() -> bool {
    false
}

pub(crate) fn lock_holder(_dev: u64, _ino: u64) -> Option<u32> {
    None
}

pub(crate) fn publish_new(
    dir: &Path,
    path: &Path,
    fill: &mut dyn FnMut(&File) -> io::Result<()>,
) -> io::Result<File> {
    let temp = dir.join(format!(".rfmalloc-{}", uuid::Uuid::new_v4().simple()));
    let file = File::options().read(true).write(true).create_new(true).open(&temp)?;
    let linked = fill(&file).and_then(|()| fs::hard_link(&temp, path));
    fs::remove_file(&temp)?;
    linked.map(|()| file)
}
