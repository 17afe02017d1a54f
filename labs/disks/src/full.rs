//! Full disks: each kind of disk is filled by each kind of act, and then everything that needs no space must go on.

use crate::child::in_child;
use crate::disks::{Disk, Kind, LIMIT, QUOTA_USER, ballast, room};
use crate::model::After;
use crate::tally::Tally;
use crate::work::{Expect, Work};
use rfmalloc_core::{Code, Detail, Dtype, Error, Handle, Store};
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

const MIB: u64 = 1 << 20;
const TIME: Duration = Duration::from_secs(60);

type Fill = fn(&mut Work, &Disk);

/// What fills the disk.
pub(crate) const FILLS: [(&str, Fill); 9] = [
    ("many-small", many_small),
    ("few-large", few_large),
    ("temporaries", temporaries),
    ("renames", renames),
    ("replacements", replacements),
    ("segment", segment),
    ("others", others),
    ("compaction", compaction),
    ("holes", holes),
];

pub(crate) fn all(root: &Path, kinds: &[Kind], only: Option<&str>, tally: &mut Tally) {
    for kind in kinds.iter().copied() {
        let begun = Instant::now();
        for (name, fill) in FILLS.into_iter().filter(|(n, _)| only.is_none_or(|o| o == *n)) {
            if !kind.has_others() && matches!(name, "others" | "holes") {
                continue;
            }
            let disk = match Disk::make(kind, root) {
                Ok(disk) => disk,
                Err(why) => {
                    tally.skip(&format!("full disk, {}", kind.name()), &why);
                    break;
                }
            };
            let wrong = in_child(TIME, || fill_it(&disk, fill));
            let case = format!("full {} {name}", kind.name());
            if kind.copies_on_write() && wrong == ["died of signal 7"] {
                // Rewriting a page takes metadata, or quota, that is not there: no allocation ahead prevents that.
                tally.skip(
                    &case,
                    "btrfs had no room to rewrite a page and sent SIGBUS; only containment can help",
                );
                continue;
            }
            tally.case(&case, &wrong);
        }
        println!("  full {}: {:.1?}", kind.name(), begun.elapsed());
    }
}

fn fill_it(disk: &Disk, fill: Fill) -> Vec<String> {
    if let Err(e) = limit(disk.kind) {
        return vec![e];
    }
    let mut work = Work::new(
        &disk.dir,
        Expect { keeps_failing: true, may_lose_pages: disk.kind.copies_on_write(), ..Expect::default() },
    );
    work.during("open");
    work.open(After::Nothing);
    work.put(Some("first"), 100_000, false);
    work.sync();
    fill(&mut work, disk);
    // The fill with holes has put another file in the place of the model's.
    if disk.kind.copies_on_write() && work.path.exists() {
        with_room_again(&mut work, disk);
    }
    work.during("the end");
    work.store = None;
    work.found
}

/// Where a full disk refused changes, syncs or the store itself, all of that works once there is room, and what was promised is there.
fn with_room_again(work: &mut Work, disk: &Disk) {
    let after = work.close();
    for name in ["others", "ballast"] {
        remove(&disk.dir.join(name));
    }
    work.during("open with room again");
    work.open(after);
    work.check_now();
    work.expect.may_lose_pages = false;
    if work.store.is_none() {
        work.wrong("it is refused with room, too");
    }
    let errors = work.errors.len();
    work.overwrite("first");
    work.sync();
    work.put(Some("with room"), 100_000, false);
    work.sync();
    if work.errors.len() > errors {
        work.wrong("there is room, and it fails");
    }
    let after = work.close();
    work.open(after);
    work.check_now();
}

/// The limits that belong to the process.
fn limit(kind: Kind) -> Result<(), String> {
    // SAFETY: plain system calls in a child of one thread.
    let r = unsafe {
        match kind {
            Kind::FileLimit => {
                libc::signal(libc::SIGXFSZ, libc::SIG_DFL);
                let l = libc::rlimit { rlim_cur: LIMIT, rlim_max: LIMIT };
                libc::setrlimit(libc::RLIMIT_FSIZE, &raw const l)
            }
            Kind::Ext4Quota => libc::setuid(QUOTA_USER),
            _ => 0,
        }
    };
    if r == 0 { Ok(()) } else { Err(std::io::Error::last_os_error().to_string()) }
}

fn number(e: &Error, key: &str) -> Option<u64> {
    e.details().iter().find(|(k, _)| *k == key).and_then(|(_, d)| match d {
        Detail::Number(n) => Some(*n),
        Detail::Text(_) => None,
    })
}

/// The act just refused was refused for want of space, and the error has the figures.
fn check_refusal(work: &mut Work) {
    let Some(e) = work.errors.last().cloned() else {
        work.wrong("the disk is not full");
        return;
    };
    if work.expect.may_lose_pages && matches!(e.code(), Code::Io | Code::Poisoned) {
        // What there was no room for is a page of the file as it is.
    } else if e.code() != Code::NoSpace {
        work.wrong(format!("not refused for want of space: {e}"));
    } else if number(&e, "nbytes").is_none() || number(&e, "available").is_none() {
        work.wrong(format!("the error has no figures: {e} {:?}", e.details()));
    }
}

/// Puts until the disk refuses; how many fitted.
fn put_until_full(work: &mut Work, prefix: &str, nbytes: u64) -> u32 {
    let mut n = 0;
    while n < 400_000 && work.found.is_empty() {
        if work.put(Some(&format!("{prefix}{n}")), nbytes, false).is_none() {
            check_refusal(work);
            return n;
        }
        n += 1;
    }
    n
}

fn file_len(work: &Work) -> u64 {
    fs::metadata(&work.path).map_or(0, |m| m.len())
}

/// Everything that needs no space goes on; what is freed can be used; the store opens again.
fn at_full(work: &mut Work, disk: &Disk, victim: &str, nbytes: u64) {
    let tag = work.model.named(victim);
    if tag.is_none() {
        work.wrong(format!("nothing fitted: no {victim}"));
        return;
    }
    work.overwrite("first");
    let errors = work.errors.len();
    work.sync();
    if work.errors.len() > errors && !disk.kind.copies_on_write() {
        work.wrong("a sync needs no space on this disk, and failed");
    }
    let (len, left) = (file_len(work), room(&disk.dir));
    let errors = work.errors.len();
    work.destroy(victim, false);
    if work.errors.len() > errors && !disk.kind.copies_on_write() {
        work.wrong("destroy failed");
    }
    if file_len(work) != len || room(&disk.dir) < left && disk.kind == Kind::Tmpfs {
        work.wrong("destroy took space");
    }
    work.sync();
    let errors = work.errors.len();
    // A death that was refused leaves it there.
    work.put(Some(victim), nbytes, work.model.named(victim).is_some());
    if work.errors.len() > errors && !disk.kind.copies_on_write() {
        work.wrong("what was freed cannot be used");
    }
    work.check_now();
    let after = work.close();
    work.during("open a store on a full disk");
    work.open(after);
    work.check_now();
    work.destroy(victim, true);
    work.put(Some(victim), nbytes, work.model.named(victim).is_some());
    work.check_litter();
    refused_creation(work, disk);
    let after = work.close();
    work.during("open again");
    work.open(after);
    work.check_now();
}

/// A store that cannot be made leaves nothing and gives back what it took.
fn refused_creation(work: &mut Work, disk: &Disk) {
    if !disk.kind.has_others() {
        return;
    }
    work.during("a creation on a full disk");
    let filler = disk.dir.join("filler");
    ballast(&filler, 0);
    let path = disk.dir.join("refused.fm");
    match Store::open(&path, &work.options) {
        // Some file systems keep enough for it.
        Ok(opened) => drop(opened),
        Err(e) => {
            if e.code() != Code::NoSpace {
                work.wrong(format!("not refused for want of space: {e}"));
            }
            if path.exists() {
                work.wrong("a file is left over");
            }
        }
    }
    remove(&filler);
    let _ = fs::remove_file(&path);
}

fn many_small(work: &mut Work, disk: &Disk) {
    leave(work, disk, 4 * MIB);
    let n = put_until_full(work, "s", 64);
    if n < 1000 {
        work.wrong(format!("only {n} small objects fitted"));
    }
    at_full(work, disk, "s7", 64);
}

fn few_large(work: &mut Work, disk: &Disk) {
    leave(work, disk, 24 * MIB);
    let n = put_until_full(work, "l", MIB);
    if n < 5 {
        work.wrong(format!("only {n} large objects fitted"));
    }
    put_until_full(work, "m", 64 << 10);
    at_full(work, disk, "l3", MIB);
}

/// Keeps the time short on disks that cannot be small.
fn leave(work: &mut Work, disk: &Disk, nbytes: u64) {
    if !disk.kind.has_others() {
        let len = file_len(work);
        work.put(Some("ballast"), LIMIT - nbytes - len, false);
    } else if disk.kind == Kind::BtrfsQuota {
        // What the file system says it has left knows no quota.
        let rest = (LIMIT - nbytes).saturating_sub(file_len(work));
        if let Err(e) = fs::write(disk.dir.join("ballast"), vec![0xA5; rest as usize]) {
            work.wrong(e);
        }
    } else if room(&disk.dir) > nbytes {
        ballast(&disk.dir.join("ballast"), nbytes);
    }
}

/// Another's file goes; some file systems give its space back a moment later.
fn remove(path: &Path) {
    let (dir, nbytes) = (path.parent().unwrap_or(path), fs::metadata(path).map_or(0, |m| m.len()));
    let before = room(dir);
    let _ = fs::remove_file(path);
    if let Ok(d) = fs::File::open(dir) {
        use std::os::fd::AsRawFd;
        // SAFETY: a plain system call on an open file.
        unsafe { libc::syncfs(d.as_raw_fd()) };
    }
    let begun = Instant::now();
    while room(dir) < before + nbytes / 2 && begun.elapsed() < Duration::from_secs(2) {
        std::thread::yield_now();
    }
}

/// Reserves until the disk is full, then commits them all: a commit needs space for names and slots.
fn temporaries(work: &mut Work, disk: &Disk) {
    leave(work, disk, 16 * MIB);
    let mut held: Vec<(u32, Handle)> = Vec::new();
    let nbytes = 100_000;
    loop {
        let tag = work.model.next_tag();
        let made = work.act("reserve", |s| s.reserve(Dtype::Integer, nbytes / 4, false), |_, _| {});
        let Some(handle) = made else {
            check_refusal(work);
            break;
        };
        if let Err(e) = crate::work::write(&handle, &crate::model::bytes(tag, 0, nbytes)) {
            work.wrong(e);
        }
        held.push((tag, handle));
    }
    // And the last gaps.
    while let Some(handle) = work.act("reserve", |s| s.reserve(Dtype::Raw, 64, true), |_, _| {}) {
        held.push((0, handle));
    }
    let mut refused = 0;
    for (tag, handle) in held.iter_mut().filter(|(tag, _)| *tag != 0).take(40) {
        let (name, errors) = (format!("t{tag}"), work.errors.len());
        let handle = std::cell::RefCell::new(handle);
        let tag = *tag;
        work.act(
            "commit on a full disk",
            |s| s.commit(&mut handle.borrow_mut(), Some(&name), false),
            |m, sure| m.created(tag, nbytes, Some(&name), sure),
        );
        refused += work.errors.len() - errors;
    }
    if refused == 0 {
        work.wrong("every commit found space on a full disk");
    }
    drop(held);
    work.check_now();
    // The temporaries are gone and their space is free.
    work.put(Some("after"), nbytes, false);
    work.put(Some("first"), 90_000, true);
    at_full(work, disk, "after", nbytes);
}

fn renames(work: &mut Work, disk: &Disk) {
    leave(work, disk, 4 * MIB);
    for i in 0..40 {
        work.put(Some(&format!("r{i}")), 64, false);
    }
    work.sync();
    put_until_full(work, "big", 128 << 10);
    put_until_full(work, "small", 12);
    let long = "n".repeat(4000);
    let errors = work.errors.len();
    for i in 0..40 {
        work.rename(&format!("r{i}"), Some(&format!("{long}{i}")), false);
    }
    if work.errors.len() == errors {
        work.wrong("every rename found space on a full disk");
    }
    check_refusal(work);
    work.seal("big1");
    work.seal("r7");
    // Giving a name up takes no space.
    let errors = work.errors.len();
    work.rename("small5", None, false);
    if work.errors.len() > errors && !disk.kind.copies_on_write() {
        work.wrong("a name cannot be given up");
    }
    at_full(work, disk, "big0", 128 << 10);
}

fn replacements(work: &mut Work, disk: &Disk) {
    leave(work, disk, 16 * MIB);
    let n = put_until_full(work, "p", 500_000);
    let errors = work.errors.len();
    for i in 0..n.min(6) {
        work.put(Some(&format!("p{i}")), 520_000, true);
        work.reserve_and_commit(Some(&format!("p{i}")), 510_000, true);
    }
    if work.errors.len() == errors {
        work.wrong("every replacement found space on a full disk");
    }
    check_refusal(work);
    at_full(work, disk, "p1", 64_000);
}

/// The catalog is full to the last slot, and the disk has no place for a new segment.
fn segment(work: &mut Work, disk: &Disk) {
    leave(work, disk, 3 * MIB);
    for i in 0..509 {
        work.put(Some(&format!("c{i}")), 64, false);
    }
    work.sync();
    let mut held = Vec::new();
    for nbytes in [128 << 10, 16 << 10, 1 << 10, 64] {
        while let Some(h) = work.act("reserve", |s| s.reserve(Dtype::Raw, nbytes, false), |_, _| {}) {
            held.push(h);
        }
    }
    // Room for the object and its name, but not for 192 KiB of catalog.
    held.truncate(held.len().saturating_sub(8));
    let errors = work.errors.len();
    for i in 509..516 {
        work.put(Some(&format!("c{i}")), 64, false);
    }
    if work.errors.len() == errors {
        work.wrong("a new segment found space on a full disk");
    }
    check_refusal(work);
    drop(held);
    for i in 516..700 {
        work.put(Some(&format!("c{i}")), 64, false);
    }
    work.check_now();
    put_until_full(work, "x", 100_000);
    at_full(work, disk, "c600", 64);
}

/// Others fill the disk: every byte that was handed out has its place, and the store goes on when they leave.
fn others(work: &mut Work, disk: &Disk) {
    leave(work, disk, 16 * MIB);
    work.put(Some("v"), 4 * MIB, false);
    work.act("a temporary", |s| s.reserve(Dtype::Raw, MIB, true).map(drop), |_, _| {});
    let all = disk.dir.join("others");
    ballast(&all, 0);
    for _ in 0..3 {
        work.overwrite("v");
        work.overwrite("first");
        work.sync();
    }
    work.put(Some("no"), 30 * MIB, false);
    check_refusal(work);
    at_full(work, disk, "v", MIB);
    remove(&all);
    let errors = work.errors.len();
    work.put(Some("more"), 4 * MIB, false);
    if work.errors.len() > errors {
        work.wrong("the others left, and there is no space");
    }
    work.sync();
    let after = work.close();
    work.open(after);
    work.check_now();
}

/// Compaction needs no space; a copy needs as much as it is long, and leaves nothing where that fails.
fn compaction(work: &mut Work, disk: &Disk) {
    leave(work, disk, 16 * MIB);
    put_until_full(work, "k", 400_000);
    for i in (0..40).step_by(2) {
        work.destroy(&format!("k{i}"), false);
    }
    work.sync();
    let copy = disk.dir.join("copy.fm");
    if disk.kind.has_others() {
        ballast(&disk.dir.join("others"), 0);
        for to in [copy.clone(), work.path.clone()] {
            let made = work.act("a copy on a full disk", |s| s.compact_to(&to, &mut |_, _| true), |_, _| {});
            if made.is_some() {
                work.wrong("a copy found space on a full disk");
            }
            check_refusal(work);
            if copy.exists() {
                work.wrong("a part of a copy is left over");
            }
            work.check_litter();
        }
    }
    let len = file_len(work);
    let errors = work.errors.len();
    work.act("compaction on a full disk", |s| s.compact(&mut |_, _| true), |_, _| {});
    if work.errors.len() > errors && !disk.kind.copies_on_write() {
        work.wrong("compaction needs no space, and failed");
    }
    if file_len(work) >= len && !disk.kind.copies_on_write() {
        work.wrong("compaction gave nothing back");
    }
    work.check_now();
    at_full(work, disk, "k1", 64_000);
}

/// A store with zeros in it, copied by a tool that makes holes of them, on a disk that cannot fill the holes; then one whose blocks
/// seem enough.
fn holes(work: &mut Work, disk: &Disk) {
    leave(work, disk, 24 * MIB);
    for (name, nbytes) in [("z0", 2 * MIB), ("z1", 2 * MIB)] {
        let Some(mut h) = work.act("reserve zeros", |s| s.reserve(Dtype::Raw, nbytes, true), |_, _| {})
        else {
            return;
        };
        // Not of the model, which knows no zeros; named to be found.
        if let Err(e) = work.store.as_ref().map_or(Ok(()), |s| s.commit(&mut h, Some(name), false)) {
            work.wrong(e);
        }
    }
    work.during("a copy with holes");
    if let Some(store) = work.store.take() {
        let _ = store.close();
    }
    let sparse = disk.dir.join("sparse.fm");
    if let Err(e) =
        crate::disks::run("cp", &["--sparse=always", &work.path.to_string_lossy(), &sparse.to_string_lossy()])
    {
        work.wrong(e);
    }
    let _ = fs::remove_file(&work.path);
    write_into_holes(work, disk, &sparse, "z1");
    if disk.kind == Kind::Ext4 {
        few_holes(work, disk, &sparse);
    }
}

/// With the disk full: the store is refused, or every byte of the vector can be written. Never a signal.
fn write_into_holes(work: &mut Work, disk: &Disk, path: &Path, name: &str) {
    let others = disk.dir.join("others");
    ballast(&others, 0);
    let write_all = |s: &Store| {
        let h = s.open_name(name)?.ok_or_else(|| Error::new(Code::NotFound, "no such name"))?;
        crate::work::write(&h, &vec![7; h.facts().nbytes as usize])?;
        drop(h);
        s.sync()
    };
    match Store::open(path, &work.options).and_then(|o| write_all(&o.store)) {
        Err(e) if e.code() == Code::NoSpace => {}
        Err(e) => work.wrong(format!("not refused for want of space: {e}")),
        // Where the holes were filled from what the disk keeps back.
        Ok(()) => {}
    }
    remove(&others);
    work.during("a copy with holes, with room");
    match Store::open(path, &work.options) {
        Ok(opened) => {
            // With its holes filled the store needs nothing more.
            ballast(&others, 0);
            if let Err(e) = write_all(&opened.store)
                && !disk.kind.copies_on_write()
            {
                work.wrong(e);
            }
            let _ = opened.store.close();
            remove(&others);
        }
        Err(e) => work.wrong(e),
    }
}

/// One hole in a file whose extent tree has as many blocks as the hole lacks: the count of blocks says nothing.
fn few_holes(work: &mut Work, disk: &Disk, path: &Path) {
    use std::os::unix::fs::MetadataExt;
    work.during("a hole that the count of blocks does not show");
    let Ok(file) = fs::File::options().read(true).write(true).open(path) else { return };
    let len = file.metadata().map_or(0, |m| m.len());
    let punch = |at: u64| {
        use std::os::fd::AsRawFd;
        let mode = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
        // SAFETY: a plain system call on an open file.
        unsafe { libc::fallocate(file.as_raw_fd(), mode, at as i64, 4096) }
    };
    // In the payload of z1, which is zero; filled again from elsewhere, so that the extents do not join.
    let from = len - 3 * MIB;
    for i in 0..12 {
        punch(from + i * 65_536);
    }
    let _ = file.sync_all();
    ballast(&disk.dir.join("between"), 8 * MIB);
    for i in 1..12 {
        let _ = file.write_all_at(&[0; 4096], from + i * 65_536);
    }
    let _ = file.sync_all();
    let blocks = file.metadata().map_or(0, |m| m.blocks() * 512);
    if blocks < len {
        work.wrong(format!("the case was not reached: {blocks} bytes of blocks for {len}"));
    }
    let _ = fs::remove_file(disk.dir.join("between"));
    drop(file);
    write_into_holes(work, disk, path, "z1");
}
