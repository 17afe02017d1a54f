//! The first picture of an existing file: which superblock counts, how much of the file is the store's, its mapping and catalog. Every
//! check comes before anything is believed, and nothing is written.

use super::background::Background;
use super::creation::CREATION_NBYTES;
use super::open::{Mode, OpenOptions, check_file_mode, describe_io, with_room};
use super::sync::Progress;
use super::{Inner, Shared};
use crate::catalog::Catalog;
use crate::error::{Code, Error, Result};
use crate::format::superblock::{self, COPY_OFF, Fault, Superblock};
use crate::format::word::NameSeed;
use crate::format::{FILE_UNIT, HEADER_BYTES};
use crate::mutants::planted;
use crate::platform;
use crate::platform::loss::Loss;
use crate::region::{Access, Region};
use crate::registry::Key;
use crate::seam::{Event, Seam, pass};
use crate::sync_types::{AtomicBool, Condvar, Mutex};
use std::collections::VecDeque;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Address space reserved by default, in bytes.
const DEFAULT_RESERVE: u64 = 1 << 40;
const FIRST_LEASE_STEP: u64 = 4097;

/// The machine's boot id, or the one that stands in for it.
pub(super) fn running_boot(options: &OpenOptions) -> io::Result<Option<[u8; 16]>> {
    options.boot_id.map_or_else(platform::boot_id, |id| Ok(Some(id)))
}

/// The newer valid copy, which one it is, and whether the other is valid too.
fn read_superblock(file: &File, len: u64, path: &Path) -> Result<(Superblock, usize, bool)> {
    let mut raw = [[0u8; superblock::NBYTES]; 2];
    for (b, off) in raw.iter_mut().zip(COPY_OFF) {
        if len >= off + superblock::NBYTES as u64 {
            file.read_exact_at(b, off).map_err(|e| describe_io(path, "read the header of", &e))?;
        }
    }
    let copies = raw.map(|b| Superblock::decode(&b));
    let name = path.display();
    if let Some(v) = copies.iter().find_map(|c| if let Err(Fault::Version(v)) = c { Some(*v) } else { None })
    {
        return Err(Error::new(
            Code::Version,
            format!(
                "'{name}' has format version {v}, this rfmalloc reads version {}; use the release that wrote it",
                superblock::VERSION
            ),
        )
        .with("version", v));
    }
    if let Some(f) = copies.iter().find_map(|c| if let Err(Fault::Feature(f)) = c { Some(*f) } else { None })
    {
        return Err(Error::new(
            Code::Version,
            format!("'{name}' uses features ({f:#x}) this rfmalloc does not know; update it"),
        ));
    }
    match copies {
        [Ok(a), Ok(b)] if a.uuid != b.uuid => Err(Error::corrupt(
            format!("'{name}': the two superblock copies belong to different stores"),
            COPY_OFF[1],
        )),
        [Ok(a), Ok(b)] => Ok(if a.sb_seq > b.sb_seq { (a, 0, true) } else { (b, 1, true) }),
        [Ok(a), Err(_)] => Ok((a, 0, false)),
        [Err(_), Ok(b)] => Ok((b, 1, false)),
        [Err(Fault::NoMagic), Err(Fault::NoMagic)] => Err(Error::new(
            Code::NotAStore,
            format!(
                "'{name}' is not an rfmalloc store (no magic number at byte 0 or 16384); it was left as it is"
            ),
        )),
        [Err(a), Err(b)] => Err(Error::corrupt(
            format!("'{name}': both superblock copies are damaged (the first: {a}; the second: {b})"),
            COPY_OFF[0] + a.off(),
        )),
    }
}

/// Rule 19: the cache may hold pages that never reached the disk; they are read again from there. The header stays: where not even the mark
/// reached the disk, the cache is the one place that has it, and every number in it was written after the bytes it speaks of.
fn forget_cache(file: &File, path: &Path, options: &OpenOptions) -> Result<()> {
    let from = if planted!(HeaderForgotten) { 0 } else { HEADER_BYTES };
    pass(&options.observer, Event::Forget { off: from }, || {
        platform::drop_cache(file, from);
        Ok(())
    })
    .map_err(|e| describe_io(path, "read again", &e))
}

/// How much of a file of `real_len` bytes is the store's.
fn usable_len(real_len: u64, synced_len: u64, path: &Path) -> Result<u64> {
    // A kill during growth may leave a partial unit, which holds nothing.
    let file_len = real_len / FILE_UNIT * FILE_UNIT;
    let expected = synced_len.max(CREATION_NBYTES);
    if file_len >= expected {
        return Ok(file_len);
    }
    Err(Error::new(
        Code::Truncated,
        format!(
            "'{}' was cut short: it has {real_len} bytes, {expected} were synced; restore it from a copy",
            path.display()
        ),
    )
    .with("nbytes", real_len)
    .with("expected", expected))
}

/// Maps the file, watched for lost pages from the first read on, and follows its catalog; the catalog's place in the data mapping is blank.
fn map(
    file: File,
    path: &Path,
    file_len: u64,
    sb: &Superblock,
    options: &OpenOptions,
) -> Result<(Seam, Catalog)> {
    let access = if options.read_only { Access::Private } else { Access::Shared };
    let want = options.max_size.unwrap_or(DEFAULT_RESERVE).max(sb.capacity);
    let region = Arc::new(Region::reserve(want, file_len, access)?);
    region.map_file(&file, HEADER_BYTES, file_len).map_err(|e| describe_io(path, "map", &e))?;
    let (file, name) = (Arc::new(file), canonical(path));
    let loss = Loss::new(Some(Arc::clone(&file)), name.clone(), options.contain);
    region.watch(&loss);
    let (writable, observer) = (!options.read_only, options.observer.clone());
    let seam = Seam::new(file, name, Arc::clone(&region), Arc::clone(&loss), writable, observer)?;
    let catalog = Catalog::open(&seam, &sb.uuid, file_len, sb.segments, writable);
    // What was read as zeros because it could not be read is no damage, and no catalog either.
    loss.check()?;
    let catalog = catalog?;
    for s in &catalog.segments {
        region.blank(s.off, s.off + s.nbytes()).map_err(|e| describe_io(path, "map", &e))?;
    }
    if sb.slots_used > catalog.capacity() {
        return Err(Error::corrupt("superblock: more slots in use than the catalog has", COPY_OFF[0] + 96));
    }
    Ok((seam, catalog))
}

pub(super) fn load(file: File, key: Key, path: &Path, options: &OpenOptions) -> Result<Arc<Shared>> {
    let real_len = file.metadata().map_err(|e| describe_io(path, "access", &e))?.len();
    let (sb, newer, both) = read_superblock(&file, real_len, path)?;
    let poisoned = sb.state & superblock::POISONED != 0;
    if poisoned {
        forget_cache(&file, path, options)?;
    }
    let mode = if sb.mode == superblock::MODE_SCRATCH { Mode::Scratch } else { Mode::Persistent };
    check_file_mode(mode, options, path)?;
    let file_len = usable_len(real_len, sb.file_len, path)?;
    let (seam, catalog) = map(file, path, file_len, &sb, options)?;
    let (region, loss) = (Arc::clone(&seam.region), Arc::clone(&seam.loss));
    let boot_id =
        running_boot(options).map_err(|e| describe_io(path, "learn the machine's boot id for", &e))?;
    if !options.read_only {
        // After every check: a file that is refused stays as it is, its blocks and its time of modification too.
        platform::back_holes(&seam.file, file_len).map_err(|e| {
            with_room(describe_io(path, "back with disk blocks the holes of", &e), file_len, path)
        })?;
    }
    let clean = sb.state & superblock::CLEAN != 0;
    let rebooted = boot_id.is_some_and(|id| id != sb.boot_id);
    let same_boot = (clean || boot_id == Some(sb.boot_id) || planted!(BootIdIgnored))
        && (!poisoned || planted!(PoisonBelieved));
    let limit = limit(options, sb.capacity).min(region.reserved());
    let mut inner = Inner {
        // A copy marked in this boot need not be on disk, and the other then is the only good one.
        sb_target: if poisoned && both && !rebooted { newer } else { 1 - newer },
        header_doubtful: poisoned && !rebooted,
        header_is_read: rebooted,
        same_boot,
        was_unclean: !clean,
        one_copy: !both,
        synced_seq: sb.synced_seq,
        in_flight: None,
        next_seq: if planted!(LeaseNotUsedAtReopen) { sb.synced_seq + 1 } else { sb.lease },
        lease_step: FIRST_LEASE_STEP,
        begun: false,
        catalog,
        heap: None,
        tail_only: false,
        tail_from: 0,
        file_len,
        slots_used: sb.slots_used,
        free_slots: Vec::new(),
        dead_slots: VecDeque::new(),
        durable_links: 0,
        name_seed: NameSeed::new(&sb.tag_seed),
        names: None,
        losers: Vec::new(),
        lookups: 0,
        objects: super::objects::Objects::default(),
        region: Arc::clone(&region),
        loss,
        poisoned: None,
        closing: false,
        syncs: Progress::default(),
        upkeep: super::upkeep::Upkeep::None,
        withheld: Vec::new(),
        held_back: 0,
        picture: super::judge::Picture::default(),
        scratch_buf: Vec::new(),
        sb,
    };
    if !inner.same_boot && mode == Mode::Persistent {
        inner.judge_crash(options.keep_unsynced);
        // A picture of zeros that could not be read would drop what is there.
        inner.loss.check()?;
    }
    Ok(Arc::new(Shared {
        key,
        path: canonical(path),
        uuid: inner.sb.uuid,
        mode,
        read_only: options.read_only,
        limit,
        capacity: inner.sb.capacity,
        full: AtomicBool::new(options.full || boot_id.is_none()),
        is_ending: AtomicBool::new(false),
        boot_id: boot_id.unwrap_or([0; 16]),
        pid: std::process::id(),
        process: platform::process_epoch(),
        seam,
        inner: Mutex::new(inner),
        changed: Condvar::new(),
        background: Background::new(
            options.sync_every.filter(|_| mode == Mode::Persistent && !options.read_only),
        ),
    }))
}

/// What the caller and the file allow it to grow to, bytes.
fn limit(options: &OpenOptions, capacity: u64) -> u64 {
    let asked = options.max_size.map_or(u64::MAX, |m| m / FILE_UNIT * FILE_UNIT);
    if capacity == 0 { asked } else { asked.min(capacity) }
}

fn canonical(path: &Path) -> PathBuf {
    fs::canonicalize(path).or_else(|_| std::path::absolute(path)).unwrap_or_else(|_| path.to_owned())
}
