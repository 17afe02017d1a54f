//! Small disks to fill: mounted in a name space of this process, so they are gone with it.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A kind of disk, or of limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Tmpfs,
    Ext4,
    Xfs,
    Btrfs,
    /// A quota: the disk has more, this user may not take it.
    BtrfsQuota,
    Ext4Quota,
    /// `RLIMIT_FSIZE`, with SIGXFSZ as a program has it that knows nothing of it.
    FileLimit,
}

impl Kind {
    pub(crate) const ALL: [Self; 7] =
        [Self::Tmpfs, Self::Ext4, Self::Xfs, Self::Btrfs, Self::BtrfsQuota, Self::Ext4Quota, Self::FileLimit];

    /// Those that take seconds.
    pub(crate) const QUICK: [Self; 5] =
        [Self::Tmpfs, Self::Ext4, Self::Xfs, Self::Ext4Quota, Self::FileLimit];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tmpfs => "tmpfs",
            Self::Ext4 => "ext4",
            Self::Xfs => "xfs",
            Self::Btrfs => "btrfs",
            Self::BtrfsQuota => "btrfs-quota",
            Self::Ext4Quota => "ext4-quota",
            Self::FileLimit => "file-limit",
        }
    }

    /// A rewrite of a byte may need a new block: then a full disk can fail a sync and a store into the mapping.
    pub(crate) fn copies_on_write(self) -> bool {
        matches!(self, Self::Btrfs | Self::BtrfsQuota)
    }

    /// Whether other files of the disk take from the same room.
    pub(crate) fn has_others(self) -> bool {
        self != Self::FileLimit
    }
}

/// The user that quotas are set for.
pub(crate) const QUOTA_USER: u32 = 54_321;
/// What a store may take on a disk with a limit.
pub(crate) const LIMIT: u64 = 32 << 20;

/// A mounted disk, unmounted when dropped.
pub(crate) struct Disk {
    pub(crate) kind: Kind,
    pub(crate) dir: PathBuf,
    mount: Option<PathBuf>,
    image: Option<PathBuf>,
}

pub(crate) fn run(program: &str, args: &[&str]) -> Result<(), String> {
    let out = Command::new(program).args(args).output().map_err(|e| format!("{program}: {e}"))?;
    if out.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&out.stderr);
    let line = text.lines().find(|l| !l.trim().is_empty()).unwrap_or("failed");
    Err(format!("{program} {}: {line}", args.join(" ")))
}

/// Takes this process into a mount name space of its own.
pub(crate) fn private_mounts() -> Result<(), String> {
    // SAFETY: plain system calls; this process has one thread.
    unsafe {
        if libc::geteuid() != 0 {
            return Err("mounting needs root".into());
        }
        if libc::unshare(libc::CLONE_NEWNS) != 0
            || libc::mount(
                std::ptr::null(),
                c"/".as_ptr(),
                std::ptr::null(),
                libc::MS_REC | libc::MS_PRIVATE,
                std::ptr::null(),
            ) != 0
        {
            return Err(format!("no mount name space: {}", std::io::Error::last_os_error()));
        }
    }
    Ok(())
}

impl Disk {
    /// Makes and mounts a disk of this kind; an error says why it cannot be had here.
    pub(crate) fn make(kind: Kind, root: &Path) -> Result<Self, String> {
        let place = root.join("disk");
        fs::create_dir_all(&place).map_err(|e| e.to_string())?;
        let at = place.to_string_lossy().into_owned();
        let mut disk = Self { kind, dir: place.clone(), mount: None, image: None };
        match kind {
            Kind::FileLimit => {}
            Kind::Tmpfs => {
                run("mount", &["-t", "tmpfs", "-o", "size=40m", "tmpfs", &at])?;
                disk.mount = Some(place);
            }
            _ => {
                let image = root.join("image");
                disk.image = Some(image.clone());
                let nbytes: u64 = match kind {
                    Kind::Xfs => 320 << 20,
                    Kind::Btrfs | Kind::BtrfsQuota => 160 << 20,
                    _ => 48 << 20,
                };
                File::create(&image).and_then(|f| f.set_len(nbytes)).map_err(|e| e.to_string())?;
                let file = image.to_string_lossy().into_owned();
                match kind {
                    Kind::Xfs => run("mkfs.xfs", &["-q", "-f", &file])?,
                    Kind::Btrfs | Kind::BtrfsQuota => run("mkfs.btrfs", &["-q", "-f", "-M", &file])?,
                    Kind::Ext4Quota => {
                        run("mkfs.ext4", &["-q", "-F", "-O", "quota", "-E", "quotatype=usrquota", &file])?;
                    }
                    _ => run("mkfs.ext4", &["-q", "-F", "-m", "0", "-b", "4096", &file])?,
                }
                let options = if kind == Kind::Ext4Quota { "loop,usrquota" } else { "loop" };
                run("mount", &["-o", options, &file, &at])?;
                disk.mount = Some(place);
                if kind == Kind::BtrfsQuota {
                    run("btrfs", &["quota", "enable", &at])?;
                    run("btrfs", &["qgroup", "limit", &LIMIT.to_string(), &at])?;
                }
                if kind == Kind::Ext4Quota {
                    let kib = (LIMIT >> 10).to_string();
                    run("setquota", &["-u", &QUOTA_USER.to_string(), &kib, &kib, "0", "0", &at])?;
                    disk.dir = disk.dir.join("mine");
                    fs::create_dir(&disk.dir).map_err(|e| e.to_string())?;
                    std::os::unix::fs::chown(&disk.dir, Some(QUOTA_USER), None).map_err(|e| e.to_string())?;
                }
            }
        }
        Ok(disk)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Some(at) = &self.mount {
            let at = at.to_string_lossy();
            if let Err(e) = run("umount", &[&at]) {
                // Somebody still has the disk: what the next case finds under the place would be this one's.
                println!("cannot unmount: {e}");
                let _ = run("umount", &["-l", &at]);
            }
        } else {
            let _ = fs::remove_dir_all(&self.dir);
        }
        if let Some(image) = &self.image {
            let _ = fs::remove_file(image);
        }
    }
}

/// Bytes an unprivileged user could still take.
pub(crate) fn room(dir: &Path) -> u64 {
    let Ok(path) = std::ffi::CString::new(dir.to_string_lossy().as_bytes()) else { return 0 };
    // SAFETY: a valid path and a structure of ours.
    unsafe {
        let mut s: libc::statvfs = std::mem::zeroed();
        if libc::statvfs(path.as_ptr(), &raw mut s) == 0 { s.f_bavail * s.f_frsize } else { 0 }
    }
}

/// Another program's file: takes room until `leave` bytes are left, in real blocks.
pub(crate) fn ballast(path: &Path, leave: u64) {
    let Ok(mut file) = File::options().create(true).append(true).open(path) else { return };
    let block = vec![0xA5u8; 64 << 10];
    let dir = path.parent().unwrap_or(path).to_owned();
    if leave == 0 {
        // What the file system says it has left is a guess: until it refuses, then by pages.
        for piece in [&block[..], &block[..4096]] {
            while file.write_all(piece).is_ok() {}
        }
    }
    while leave > 0 && room(&dir) > leave {
        let n = (room(&dir) - leave).clamp(4096, block.len() as u64) as usize;
        if file.write_all(&block[..n]).is_err() {
            break;
        }
        if file.metadata().is_ok_and(|m| m.len().is_multiple_of(16 << 20)) {
            let _ = file.sync_data();
        }
    }
    let _ = file.sync_data();
}
