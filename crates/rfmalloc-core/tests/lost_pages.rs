//! Pages of an open store that are lost: another program truncates the file, or the medium cannot keep or bring a page. The call that
//! touches them gets an error, nothing is written any more, everything else goes on.

mod common;

use common::{alone, assert_code, assert_whole, booted, bytes, create, file_bytes, folder, len, open, read};
use rfmalloc_core::{
    Code, Detail, Dtype, Error, Handle, MappedFile, Mode, OpenOptions, RawBytes, Result, Source, Store,
    Vector,
};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

/// Integers of a vector that is larger than a step of growth of a small store, so that it lies at the file's end.
const LARGE: u64 = 1 << 20;
const SMALL: u64 = 100;

/// The elements of that vector.
fn large_bytes() -> Vec<u8> {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| bytes(2, LARGE)).clone()
}

fn truncate(path: &Path, nbytes: u64) {
    File::options().write(true).open(path).unwrap().set_len(nbytes).unwrap();
}

fn detail(e: &Error, key: &str) -> Option<Detail> {
    e.details().iter().find(|(k, _)| *k == key).map(|(_, d)| d.clone())
}

fn export(v: &Vector, start: u64, n: u64) -> Result<Vec<u8>> {
    let mut out = vec![0u8; (n * 4) as usize];
    // SAFETY: the buffer is private and lives through the call.
    v.export(start, unsafe { RawBytes::new(out.as_mut_ptr(), out.len() as u64) })?;
    Ok(out)
}

/// A store with a small and a large vector, synced, and where the large one begins.
struct Stage {
    _dir: tempfile::TempDir,
    path: PathBuf,
    store: Store,
    small: Handle,
    large: Handle,
}

impl Stage {
    fn new() -> Self {
        Self::with(&booted(common::BOOT))
    }

    fn with(options: &OpenOptions) -> Self {
        let dir = folder();
        let path = dir.path().join("lost.fm");
        let store = open(&path, options);
        let small = create(&store, Some("small"), 1, SMALL);
        let large = store.create(Dtype::Integer, LARGE, &large_bytes(), Some("large")).unwrap();
        store.sync().unwrap();
        Self { _dir: dir, path, store, small, large }
    }

    /// Cuts the file in the middle of the large vector; the new length.
    fn cut(&self) -> u64 {
        let at = (self.large.facts().off + self.large.facts().nbytes / 2) & !0xffff;
        truncate(&self.path, at);
        at
    }
}

#[test]
fn an_element_read_from_a_cut_file_is_an_error_that_names_the_cut() {
    let s = Stage::new();
    let at = s.cut();
    let large = Vector::Object(s.large);
    let e = assert_code(export(&large, 0, LARGE), Code::Io);
    assert_eq!(detail(&e, "nbytes"), Some(Detail::Number(at)));
    assert_eq!(detail(&e, "offset"), Some(Detail::Number(at)));
    assert!(e.message().contains("lost.fm") && e.message().contains("restore it from a copy"), "{e}");
    // What lies before the cut is still the file's.
    assert_eq!(export(&large, 0, 1000).unwrap(), bytes(2, 1000));
    let small = Vector::Object(s.small);
    assert_eq!(export(&small, 0, SMALL).unwrap(), bytes(1, SMALL));
}

#[test]
fn every_way_to_touch_lost_elements_is_an_error() {
    type Act = fn(&Vector, &Vector) -> Result<()>;
    let acts: &[(&str, Act)] = &[
        ("fill", |v, _| v.fill(0, LARGE, &[1, 0, 0, 0])),
        ("copy_from it", |v, small| small.copy_from(0, v, LARGE - SMALL, SMALL).map(|_| ())),
        ("copy to it", |v, small| v.copy_from(LARGE - SMALL, small, 0, SMALL).map(|_| ())),
        ("import", |v, _| {
            let mut b = bytes(3, 10);
            // SAFETY: the buffer is private and lives through the call.
            let raw = unsafe { RawBytes::new(b.as_mut_ptr(), 40) };
            v.import(LARGE - 10, Source::of(Dtype::Integer), raw, true).map(|_| ())
        }),
        ("import converted", |v, _| {
            let mut b = vec![0u8; 80];
            // SAFETY: as above.
            let raw = unsafe { RawBytes::new(b.as_mut_ptr(), 80) };
            v.import(LARGE - 10, Source::of(Dtype::Numeric), raw, true).map(|_| ())
        }),
        ("export", |v, _| export(v, LARGE - 1, 1).map(|_| ())),
        ("equals", |v, _| v.equals(0, v, 0, LARGE).map(|_| ())),
        ("prefetch", |v, _| v.prefetching(0, 4 * LARGE)?.run()),
    ];
    for (name, act) in acts {
        let s = Stage::new();
        s.cut();
        let (large, small) = (Vector::Object(s.large), Vector::Object(s.small));
        let done = act(&large, &small);
        assert!(done.is_err(), "{name} succeeded on lost elements");
        assert_code(done, Code::Io);
        assert_code(large.fill(0, 1, &[1, 0, 0, 0]), Code::Poisoned);
        assert_code(s.store.sync(), Code::Poisoned);
        assert_code(s.store.names(), Code::Poisoned);
        assert_code(s.store.close(), Code::Poisoned);
    }
}

#[test]
fn a_pin_over_lost_elements_reads_zeros_and_a_new_one_is_refused() {
    let s = Stage::new();
    let pin = s.large.pin(0, 4 * LARGE).unwrap();
    let at = s.cut() - s.large.facts().off;
    let seen = common::read_pin(&pin);
    assert_eq!(seen[..at as usize], large_bytes()[..at as usize]);
    assert!(seen[at as usize..].iter().all(|b| *b == 0));
    assert_code(read(&s.large), Code::Io);
    assert_eq!(read(&s.small).unwrap(), bytes(1, SMALL));
    assert_code(s.large.pin(4 * (LARGE - 1), 4), Code::Io);
    assert_code(s.store.close(), Code::Poisoned);
    drop(pin);
}

/// Every call that reads or changes the catalog.
type Call = fn(&Stage) -> Result<()>;
const CALLS: &[(&str, Call)] = &[
    ("open_name", |s| s.store.open_name("small").map(|_| ())),
    ("open_name, absent", |s| s.store.open_name("absent").map(|_| ())),
    ("open_id", |s| s.store.open_id(s.small.facts().id, s.small.facts().generation).map(|_| ())),
    ("has", |s| s.store.has("absent").map(|_| ())),
    ("names", |s| s.store.names().map(|_| ())),
    ("named_count", |s| s.store.named_count().map(|_| ())),
    ("allocations", |s| s.store.allocations().map(|_| ())),
    ("summary", |s| s.store.summary().map(|_| ())),
    ("info", |s| s.store.info().map(|_| ())),
    ("verify", |s| s.store.verify().map(|_| ())),
    ("name", |s| s.small.name().map(|_| ())),
    ("put", |s| s.store.create(Dtype::Integer, 1, &[0; 4], Some("n")).map(|_| ())),
    ("put, replacing", |s| s.store.put(Dtype::Integer, 1, &[0; 4], Some("small"), true).map(|_| ())),
    ("commit", |s| {
        let mut h = s.store.reserve(Dtype::Integer, 1, true)?;
        s.store.commit(&mut h, Some("n"), false)
    }),
    ("rename", |s| {
        let mut h = s.store.open_id(s.small.facts().id, s.small.facts().generation)?;
        s.store.rename(&mut h, Some("other"), false)
    }),
    ("delete", |s| s.store.delete("small").map(|_| ())),
    ("destroy", |s| s.store.destroy(&s.small, false).map(|_| ())),
    ("destroy at once", |s| s.store.destroy(&s.small, true).map(|_| ())),
    ("sync_object", |s| s.store.sync_object(&s.small)),
    ("sync", |s| s.store.sync()),
];

#[test]
fn every_call_on_a_lost_catalog_is_an_error_and_changes_no_byte() {
    // 0: the header too; 64 KiB: the whole first segment; 128 KiB: the slots behind, the words in front.
    for at in [0, 64 * 1024, 128 * 1024] {
        for reopened in [false, true] {
            for (name, call) in CALLS {
                let mut s = Stage::new();
                if reopened {
                    // Rule 3 has not been done then: the first change reads the whole catalog.
                    s.store.close().unwrap();
                    s.store = open(&s.path, &booted(common::BOOT));
                    s.small = s.store.open_name("small").unwrap().unwrap();
                }
                truncate(&s.path, at);
                let first = call(&s);
                let what = format!("{name}, cut at {at}, reopened {reopened}");
                // Slots in use lie before 128 KiB here: what needs no other page may well be right. A change must not: it ends in a barrier
                // or is not yet on disk, and the sync says so.
                let from_memory = !reopened
                    && matches!(*name, "open_name, absent" | "has" | "named_count") // the index of names
                    && first.is_ok();
                if at < 128 * 1024 && !from_memory {
                    let e = first.expect_err(&what);
                    assert_eq!(e.code(), Code::Io, "{what}: {e}");
                    assert_eq!(call(&s).expect_err(&what).code(), Code::Poisoned, "{what}");
                }
                let synced = s.store.sync();
                assert!(
                    matches!(&synced, Err(e) if matches!(e.code(), Code::Io | Code::Poisoned)),
                    "{what}: {synced:?}"
                );
                assert_code(s.store.close(), Code::Poisoned);
                assert_eq!(len(&s.path), at, "{what}");
            }
        }
    }
}

#[test]
fn after_a_loss_not_one_byte_of_the_file_changes() {
    let s = Stage::new();
    let at = s.cut();
    let before = file_bytes(&s.path);
    assert_code(read_all(&s.large), Code::Io);
    for (name, call) in CALLS {
        assert!(call(&s).is_err(), "{name}");
    }
    let _ = Vector::Object(s.large).fill(0, LARGE, &[9, 9, 9, 9]);
    assert_code(s.store.close(), Code::Poisoned);
    assert_eq!(before.len() as u64, at);
    assert!(before == file_bytes(&s.path), "the cut file was written to");
}

/// Reads through a pin, as a view does, and asks afterwards.
fn read_all(h: &Handle) -> Result<()> {
    read(h)?;
    h.pin(0, h.facts().nbytes).map(|_| ())
}

#[test]
fn growing_a_cut_file_does_not_fill_the_gap_with_zeros() {
    // Regression: growth by fallocate made a file that had been cut long again, so that the lost elements read as zeros without any error.
    let s = Stage::new();
    let at = s.cut();
    let big = vec![0u8; 8 << 20];
    assert_code(s.store.create(Dtype::Raw, big.len() as u64, &big, Some("big")), Code::Io);
    assert_eq!(len(&s.path), at);
    assert_code(s.store.sync(), Code::Poisoned);
}

#[test]
fn a_sync_of_a_cut_file_that_nobody_touched_is_no_success() {
    for path in ["sync", "sync_object", "close", "exit"] {
        let hour = Some(std::time::Duration::from_secs(3600));
        let s = Stage::with(&OpenOptions { sync_every: hour, ..booted(common::BOOT) });
        common::write(&s.large, &bytes(7, 10)).unwrap();
        let at = s.cut();
        match path {
            "sync" => {
                assert_code(s.store.sync(), Code::Io);
                assert_code(s.store.close(), Code::Poisoned);
            }
            "sync_object" => {
                assert_code(s.store.sync_object(&s.large), Code::Io);
                assert_code(s.store.close(), Code::Poisoned);
            }
            "close" => {
                assert_code(s.store.close(), Code::Io);
            }
            _ => {
                rfmalloc_core::sync_all_stores();
                assert_code(s.store.sync(), Code::Poisoned);
                assert_code(s.store.close(), Code::Poisoned);
            }
        }
        assert_eq!(len(&s.path), at, "{path}");
    }
}

#[test]
fn a_loss_that_only_a_view_saw_is_told_by_close_and_the_lock_is_free() {
    let s = Stage::new();
    let pin = s.large.pin(0, 4 * LARGE).unwrap();
    s.cut();
    common::read_pin(&pin);
    assert_code(s.store.close(), Code::Io);
    drop((s.small, s.large, pin));
    let e = assert_code(common::try_open(&s.path, &booted(common::BOOT)), Code::Truncated);
    assert!(e.message().contains("cut short"), "{e}");
}

#[test]
fn other_stores_do_not_notice() {
    let (a, b) = (Stage::new(), Stage::new());
    a.cut();
    assert_code(export(&Vector::Object(a.large), 0, LARGE), Code::Io);
    create(&b.store, Some("after"), 3, 10);
    b.store.sync().unwrap();
    assert_whole(&b.store);
    assert_eq!(read(&b.large).unwrap(), large_bytes());
    assert_code(a.store.close(), Code::Poisoned);
    b.store.close().unwrap();
}

#[test]
fn a_restored_file_opens_again_in_the_same_process() {
    let s = Stage::new();
    let saved = file_bytes(&s.path);
    s.cut();
    assert_code(export(&Vector::Object(s.large), 0, LARGE), Code::Io);
    assert_code(s.store.close(), Code::Poisoned);
    std::fs::write(&s.path, saved).unwrap();
    let store = open(&s.path, &booted(common::BOOT));
    assert_whole(&store);
    assert_eq!(common::read_name(&store, "large").unwrap(), Some(large_bytes()));
    create(&store, Some("after"), 3, 10);
    store.sync().unwrap();
    store.close().unwrap();
}

#[test]
fn a_read_only_store_is_contained_too() {
    let s = Stage::new();
    s.store.close().unwrap();
    drop((s.small, s.large));
    let store = open(&s.path, &common::read_only(common::BOOT));
    let large = store.open_name("large").unwrap().unwrap();
    truncate(&s.path, large.facts().off);
    assert_code(export(&Vector::Object(large), 0, LARGE), Code::Io);
    assert_code(store.names(), Code::Poisoned);
    store.close().unwrap();
}

#[test]
fn a_scratch_store_is_contained_and_not_made_whole_again_at_close() {
    let dir = folder();
    let path = dir.path().join("scratch.fm");
    let options = OpenOptions { mode: Mode::Scratch, ..booted(common::BOOT) };
    let store = open(&path, &options);
    let h = create(&store, Some("x"), 1, LARGE);
    truncate(&path, 1000);
    assert_code(export(&Vector::Object(h), 0, LARGE), Code::Io);
    assert_code(store.reserve(Dtype::Integer, 10, true), Code::Poisoned);
    store.close().unwrap();
    assert_eq!(len(&path), 1000);
}

#[test]
fn bytes_of_a_grown_store_are_contained_too() {
    let s = Stage::new();
    let later = create(&s.store, Some("later"), 3, 4 * LARGE);
    assert!(later.facts().off > s.large.facts().off);
    truncate(&s.path, later.facts().off);
    assert_code(export(&Vector::Object(later), 0, 4 * LARGE), Code::Io);
    assert_eq!(export(&Vector::Object(s.large), 0, LARGE).unwrap(), large_bytes());
}

#[test]
fn a_plain_mapped_file_is_contained() {
    let dir = folder();
    let path = dir.path().join("plain");
    for read_only in [false, true] {
        std::fs::write(&path, bytes(1, LARGE)).unwrap();
        let file = Arc::new(MappedFile::open(&path, Dtype::Integer, None, read_only).unwrap());
        let other = Vector::File(Arc::new(MappedFile::open(&path, Dtype::Integer, None, read_only).unwrap()));
        let v = Vector::File(Arc::clone(&file));
        truncate(&path, 2 * LARGE);
        let e = assert_code(export(&v, 0, LARGE), Code::Io);
        assert_eq!(detail(&e, "nbytes"), Some(Detail::Number(2 * LARGE)));
        assert_eq!(export(&v, 0, LARGE / 2).unwrap(), bytes(1, LARGE / 2));
        assert_code(v.fill(0, 1, &[0; 4]), if read_only { Code::ReadOnly } else { Code::Poisoned });
        // Each mapping meets its own loss.
        assert_code(export(&other, LARGE - 1, 1), Code::Io);
        if !read_only {
            assert_code(file.flush(), Code::Io);
        }
    }
}

#[test]
fn more_mappings_than_one_chunk_of_the_table() {
    let stages: Vec<Stage> = (0..60).map(|_| Stage::new()).collect();
    // Three mappings each: more than two chunks. The last, and one in the middle.
    for i in [59, 30] {
        stages[i].cut();
        assert_code(read_all(&stages[i].large), Code::Io);
    }
    for (i, s) in stages.iter().enumerate() {
        if i == 59 || i == 30 {
            continue;
        }
        assert_eq!(read(&s.small).unwrap(), bytes(1, SMALL));
        create(&s.store, Some("after"), 3, 10);
        s.store.close().unwrap();
    }
    // The entries are used again.
    for _ in 0..3 {
        let again: Vec<Stage> = (0..30).map(|_| Stage::new()).collect();
        let last = again.last().unwrap();
        last.cut();
        assert_code(read_all(&last.large), Code::Io);
    }
}

#[test]
fn a_cut_while_threads_read_write_create_and_close() {
    for round in 0..40u64 {
        let s = Stage::new();
        let stop = AtomicBool::new(false);
        let pin = s.large.pin(0, 4 * LARGE).unwrap();
        std::thread::scope(|scope| {
            for t in 0..3u64 {
                let (store, stop, pin) = (&s.store, &stop, &pin);
                let (id, generation) = (s.large.facts().id, s.large.facts().generation);
                scope.spawn(move || {
                    let mine = store.open_id(id, generation).map(Vector::Object);
                    let mut made = 0;
                    while !stop.load(Ordering::Relaxed) {
                        match t {
                            0 => {
                                // A raw view: bytes of the file or zeros, never a signal.
                                let seen = common::read_pin(pin);
                                let want = large_bytes();
                                let is_right = |(a, b): (&[u8], &[u8])| {
                                    a == b || a.iter().zip(b).all(|(x, y)| x == y || *x == 0)
                                };
                                assert!(seen.chunks(4096).zip(want.chunks(4096)).all(is_right));
                            }
                            1 => {
                                // A call: bytes of the file or an error, never zeros.
                                if let Ok(v) = &mine
                                    && let Ok(seen) = export(v, 0, LARGE)
                                {
                                    assert!(seen == large_bytes(), "zeros without an error");
                                }
                            }
                            _ => {
                                made += 1;
                                let _ = store.create(Dtype::Integer, 10, &bytes(made, 10), None);
                            }
                        }
                    }
                });
            }
            std::thread::yield_now();
            // Somewhere in the large vector, now before, now while they run.
            truncate(&s.path, (s.large.facts().off + (round * 4 * LARGE / 40)) & !0xfff);
            assert!(read_all(&s.large).is_err());
            let _ = s.store.close();
            stop.store(true, Ordering::Relaxed);
        });
    }
}

#[test]
fn closing_while_other_threads_fault_unmaps_nothing_under_the_handler() {
    for _ in 0..60 {
        let s = Stage::new();
        let pins: Vec<_> = (0..4).map(|_| s.large.pin(0, 4 * LARGE).unwrap()).collect();
        s.cut();
        std::thread::scope(|scope| {
            for pin in pins {
                scope.spawn(move || drop(common::read_pin(&pin)));
            }
            let _ = s.store.close();
            // What was unmapped is mapped again at once, by others: zeros over it would show.
            let others: Vec<Vec<u8>> = (0..8).map(|_| vec![7u8; 4 << 20]).collect();
            assert!(others.iter().all(|o| o.iter().all(|b| *b == 7)));
        });
    }
}

#[test]
fn switched_off_the_same_cut_ends_the_process() {
    alone::dies(
        "switched_off_the_same_cut_ends_the_process",
        libc::SIGBUS,
        &[("RFMALLOC_SIGBUS", "off")],
        || {
            let s = Stage::new();
            s.cut();
            println!("here");
            let _ = export(&Vector::Object(s.large), 0, LARGE);
        },
    );
}

#[test]
fn a_store_opened_without_containment_is_not_contained() {
    alone::dies("a_store_opened_without_containment_is_not_contained", libc::SIGBUS, &[], || {
        let other = Stage::new();
        other.cut();
        assert_code(export(&Vector::Object(other.large), 0, LARGE), Code::Io);
        let s = Stage::with(&OpenOptions { contain: false, ..booted(common::BOOT) });
        s.cut();
        println!("here");
        let _ = export(&Vector::Object(s.large), 0, LARGE);
    });
}

#[test]
fn a_hole_that_a_full_disk_cannot_back_is_a_loss_inside_the_file() {
    alone::passes("a_hole_that_a_full_disk_cannot_back_is_a_loss_inside_the_file", || {
        let dir = tempfile::tempdir().unwrap();
        let mount =
            |args: &[&str]| std::process::Command::new(args[0]).args(&args[1..]).arg(dir.path()).status();
        if !mount(&["mount", "-t", "tmpfs", "-o", "size=16m", "none"]).is_ok_and(|s| s.success()) {
            println!("skipped: mounting a small tmpfs needs root");
            return;
        }
        let path = dir.path().join("hole.fm");
        let store = open(&path, &booted(common::BOOT));
        let large = store.create(Dtype::Integer, LARGE, &large_bytes(), Some("large")).unwrap();
        store.sync().unwrap();
        let small = create(&store, Some("small"), 1, SMALL);
        let off = large.facts().off;
        let file = File::options().write(true).open(&path).unwrap();
        let hole = rustix::fs::FallocateFlags::PUNCH_HOLE | rustix::fs::FallocateFlags::KEEP_SIZE;
        // The page with elements 1024 to 2047.
        rustix::fs::fallocate(&file, hole, off + 4096, 4096).unwrap();
        let filler = dir.path().join("filler");
        let mut n = 16 << 20;
        while n >= 4096 {
            let f = File::options().create(true).append(true).open(&filler).unwrap();
            if std::io::Write::write_all(&mut &f, &vec![1u8; n]).is_err() {
                n /= 2;
            }
        }
        let v = Vector::Object(large);
        let e = assert_code(v.fill(1024, 1100, &[1, 0, 0, 0]), Code::Io);
        assert!(e.message().contains("cannot be read or written"), "{e}");
        assert_eq!(detail(&e, "offset"), Some(Detail::Number(off + 4096)));
        // One page only: its neighbours are the file's.
        assert_code(export(&v, 1000, 1000), Code::Io);
        assert_eq!(export(&v, 0, 1024).unwrap(), bytes(2, 1024));
        assert_eq!(export(&v, 2048, 1000).unwrap()[..], bytes(2, 3048)[4 * 2048..]);
        assert_eq!(read(&small).unwrap(), bytes(1, SMALL));
        assert_code(store.sync(), Code::Poisoned);
        assert_code(store.close(), Code::Poisoned);
        drop((v, small));
        std::fs::remove_file(filler).unwrap();
        // On the disk it is as if the process had died: the store opens and is whole.
        let store = open(&path, &booted(common::BOOT));
        assert_whole(&store);
        assert_eq!(common::read_name(&store, "small").unwrap(), Some(bytes(1, SMALL)));
        store.close().unwrap();
        drop((store, file));
        assert!(mount(&["umount", "-l"]).unwrap().success());
    });
}

#[test]
fn a_poisoned_memory_page_is_a_loss() {
    alone::passes("a_poisoned_memory_page_is_a_loss", || {
        const MADV_HWPOISON: i32 = 100;
        let s = Stage::new();
        let pin = s.large.pin(0, 4 * LARGE).unwrap();
        common::write(&s.large, &large_bytes()).unwrap();
        // SAFETY: a page of our own mapping; where the system can do it, the page is gone afterwards, which is what is tested.
        let done = unsafe { libc::madvise(pin.ptr().wrapping_add(8192).cast(), 4096, MADV_HWPOISON) };
        if done != 0 {
            println!("skipped: this system injects no memory failures ({})", std::io::Error::last_os_error());
            return;
        }
        common::read_pin(&pin);
        assert_code(export(&Vector::Object(s.large), 0, 4096), Code::Io);
        assert_eq!(read(&s.small).unwrap(), bytes(1, SMALL));
        assert_code(s.store.close(), Code::Poisoned);
    });
}
