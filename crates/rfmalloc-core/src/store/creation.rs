//! Rule 18: creation is complete or absent. A new file is filled under no name and then linked; an empty file is initialised in place, its
//! superblocks last. A non-empty file without our magic is never touched.

use super::load::{load, running_boot};
use super::open::{OpenOptions, Opened, describe_io, with_room};
use crate::error::Result;
use crate::format::superblock::{self, COPY_OFF, Superblock};
use crate::format::{FILE_UNIT, HEADER_BYTES, segment};
use crate::mutants::planted;
use crate::platform;
use crate::registry::Opening;
use crate::seam::{Event, Making, Watch, pass};
use rustix::fs::FlockOperation;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

/// A new file's length: the header and the first catalog segment.
pub(crate) const CREATION_NBYTES: u64 = HEADER_BYTES + 128 * 1024;

const _: () = assert!(CREATION_NBYTES.is_multiple_of(FILE_UNIT));

/// An empty file, or one of creation's exact length that is zero where the superblocks stand: nothing was ever stored in it. Asked only
/// under the lock: before it another process may have filled the file meanwhile.
pub(super) fn is_unfinished(file: &File) -> io::Result<bool> {
    let len = file.metadata()?.len();
    if len != CREATION_NBYTES {
        return Ok(len == 0);
    }
    let mut b = vec![0u8; CREATION_NBYTES as usize];
    file.read_exact_at(&mut b, 0)?;
    // The segment header is written first, the superblocks last.
    let (header, rest) = b.split_at(HEADER_BYTES as usize);
    let (segment_head, slots) = rest.split_at(segment::HEAD);
    let ours = segment_head.iter().all(|x| *x == 0) || segment_head[..8] == segment::MAGIC;
    Ok(header.iter().chain(slots).all(|x| *x == 0) && ours)
}

fn new_superblock(options: &OpenOptions) -> io::Result<Superblock> {
    let capacity = options.capacity.map_or(0, |c| c.max(CREATION_NBYTES).next_multiple_of(FILE_UNIT));
    Ok(Superblock {
        uuid: uuid::Uuid::new_v4().into_bytes(),
        sb_seq: 1,
        synced_seq: 0,
        lease: 1,
        file_len: CREATION_NBYTES,
        slots_used: 0,
        segments: 1,
        mode: options.mode.code(),
        state: superblock::CLEAN,
        capacity,
        boot_id: running_boot(options)?.unwrap_or([0; 16]),
        pid: std::process::id(),
        tag_seed: uuid::Uuid::new_v4().into_bytes(),
    })
}

/// Fills an empty file: segment header, barrier, superblocks, barrier.
pub(super) fn initialise(file: &File, options: &OpenOptions) -> io::Result<()> {
    let mut sb = new_superblock(options)?;
    let making = Making::new(file, &options.observer);
    making.allocate(CREATION_NBYTES)?;
    let header = segment::Header { uuid: sb.uuid, k: 0, slots: segment::slots_of(0), off: HEADER_BYTES };
    if planted!(CreationSuperblockFirst) {
        for off in COPY_OFF {
            making.write(off, &sb.encode())?;
        }
    }
    making.write(HEADER_BYTES, &header.encode())?;
    making.sync()?;
    for off in COPY_OFF {
        making.write(off, &sb.encode())?;
        sb.sb_seq += 1;
    }
    if planted!(CreationLinkedUnsynced) {
        return Ok(());
    }
    making.sync()
}

/// The missing file that symbolic links at `path` lead to: a store is made where a link points, and the link stays.
pub(super) fn follow_links(path: &Path) -> PathBuf {
    let mut place = path.to_owned();
    // As many as the kernel follows; a loop ends here and is refused by `linkat`.
    for _ in 0..40 {
        let Ok(target) = fs::read_link(&place) else { break };
        place = place.parent().unwrap_or(Path::new("")).join(target);
    }
    place
}

/// A name is durable once its folder is.
pub(super) fn sync_folder(dir: &Path, watch: &Watch) -> Result<()> {
    match pass(watch, Event::SyncFolder, || File::open(dir).and_then(|d| d.sync_all())) {
        Err(e) if e.kind() != io::ErrorKind::InvalidInput => Err(describe_io(dir, "sync the directory", &e)),
        _ => Ok(()),
    }
}

pub(super) fn create(path: &Path, options: &OpenOptions, mut opening: Opening) -> Result<Option<Opened>> {
    let place = follow_links(path);
    let dir = match place.parent() {
        Some(p) if !p.as_os_str().is_empty() => p,
        _ => Path::new("."),
    };
    let mut locked = None;
    let made = platform::publish_new(dir, &place, &mut |file| {
        let meta = file.metadata()?;
        // Locked before it has a name, so nobody meets it unlocked.
        platform::lock(file, FlockOperation::NonBlockingLockExclusive)?;
        locked = Some((meta.dev(), meta.ino()));
        initialise(file, options)?;
        options.observer.as_ref().map_or(Ok(()), |o| o.before(Event::Link))
    });
    let file = match made {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => return Ok(None),
        Err(e) => return Err(with_room(describe_io(path, "create", &e), CREATION_NBYTES, dir)),
    };
    if let Some(o) = &options.observer {
        o.after(Event::Link);
    }
    if let Err(e) = sync_folder(dir, &options.observer) {
        // Gone again, so that the next try makes and syncs it anew: an open of an existing file syncs no directory.
        let _ = fs::remove_file(&place);
        return Err(e);
    }
    let key = locked.unwrap_or_default();
    let shared = load(file, key, path, options)?;
    Ok(Some(Opened { store: opening.open(shared), created: true }))
}
