//! Stores that no writer of ours wrote: every checksum right, the contents not. Each test tells what a forged file once did.

mod common;

use common::{
    BOOT, OTHER_BOOT, assert_code, booted, bytes, create, file_bytes, folder, forge, len, open, patch, read,
    read_name, read_only, try_create, try_open,
};
use rfmalloc_core::{Code, Detail, Error, Fault, Mode, OpenOptions, Store};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A closed store with vectors `v0`, `v1`, …
fn sample(n: u32) -> (TempDir, PathBuf) {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let store = open(&path, &booted(BOOT));
    for i in 0..n {
        create(&store, Some(&format!("v{i}")), i, 40);
    }
    store.close().unwrap();
    (dir, path)
}

fn number(e: &Error, key: &str) -> Option<u64> {
    e.details().iter().find(|(k, _)| *k == key).and_then(|(_, d)| match d {
        Detail::Number(n) => Some(*n),
        Detail::Text(_) => None,
    })
}

fn faults(path: &Path) -> Vec<Fault> {
    let store = open(path, &read_only(BOOT));
    let faults = store.verify().unwrap().faults;
    store.close().unwrap();
    faults
}

#[track_caller]
fn is_named_by_verify(path: &Path, id: u32, word: &str) {
    let faults = faults(path);
    assert!(faults.iter().any(|f| f.id == Some(id) && f.what.contains(word)), "{faults:?}");
}

/// Opened to be changed, in the boot it was written in.
fn opens_writable(path: &Path) -> Store {
    open(path, &booted(BOOT))
}

/// Opening gave the holes of a sparse copy disk blocks before it looked whether the file was whole: a refused file had another time of
/// modification, and a disk could be filled by one that says nothing but its length.
#[test]
fn refused_file_keeps_its_holes() {
    let (_dir, path) = sample(2);
    patch(&path, forge::SEGMENT, b"XX");
    std::fs::File::options().write(true).open(&path).unwrap().set_len(64 << 20).unwrap();
    let before = std::fs::metadata(&path).unwrap();
    assert_code(try_open(&path, &booted(BOOT)), Code::Corrupt);
    let after = std::fs::metadata(&path).unwrap();
    assert_eq!(
        (before.blocks(), before.mtime(), before.mtime_nsec()),
        (after.blocks(), after.mtime(), after.mtime_nsec())
    );
}

/// A scratch store has no records, yet a reference with the id of a record forged into its catalog opened one.
#[test]
fn scratch_store_opens_no_record_of_its_file() {
    let (_dir, path) = sample(1);
    forge::put_superblock(&path, 104, &2u32.to_le_bytes());
    let store = open(&path, &OpenOptions { mode: Mode::Scratch, ..read_only(BOOT) });
    assert_code(store.open_id(0, 1), Code::StaleRef);
}

/// A fixed capacity of all ones was tried as address space and failed as `TOO_LARGE`; one below the smallest file let a store begin
/// that could take nothing.
#[test]
fn impossible_capacity_is_a_damaged_field() {
    for capacity in [u64::MAX, 1 << 63, (1 << 56) + (1 << 16), 65_536, 128 << 10, (1 << 20) + 64] {
        let (_dir, path) = sample(1);
        forge::put_superblock(&path, 112, &capacity.to_le_bytes());
        let before = file_bytes(&path);
        let e = assert_code(try_open(&path, &booted(BOOT)), Code::Corrupt);
        assert_eq!(number(&e, "offset"), Some(112), "{e}");
        assert!(file_bytes(&path) == before);
    }
    let dir = folder();
    let options = OpenOptions { capacity: Some(u64::MAX), ..booted(BOOT) };
    assert_code(try_open(&dir.path().join("new.fm"), &options), Code::Argument);
}

/// State bits that no store ever has at once, or that mean nothing, were believed: clean made the file look as nobody had touched it,
/// poisoned beside it made a mere look at it write at its close.
#[test]
fn contradicting_state_bits_are_a_damaged_field() {
    for state in [5u32, 7, 8, 9, 1 << 31, u32::MAX] {
        let (_dir, path) = sample(1);
        forge::put_superblock(&path, 108, &state.to_le_bytes());
        let before = file_bytes(&path);
        let e = assert_code(try_open(&path, &booted(BOOT)), Code::Corrupt);
        assert_eq!(number(&e, "offset"), Some(108), "{e}");
        assert!(file_bytes(&path) == before);
    }
}

/// A file shorter than any store was refused without saying how long it must be.
#[test]
fn short_file_is_refused_with_both_lengths() {
    let (_dir, path) = sample(1);
    forge::put_superblock(&path, 88, &(128u64 << 10).to_le_bytes());
    std::fs::File::options().write(true).open(&path).unwrap().set_len(128 << 10).unwrap();
    let e = assert_code(try_open(&path, &booted(BOOT)), Code::Truncated);
    assert_eq!((number(&e, "nbytes"), number(&e, "expected")), (Some(128 << 10), Some(192 << 10)));
}

/// With one superblock copy lost, sequences go on above everything in the slots. A death has no checksum: noise in an unused one was
/// taken for a sequence near 2^56, recovery was written, and then no number was left for any change, for ever.
#[test]
fn noise_in_a_death_does_not_use_up_the_sequences() {
    let (_dir, path) = sample(3);
    patch(&path, forge::COPIES[1], &[0; 512]);
    patch(&path, forge::slot_off(1) + 24, &((1u64 << 56) - 5000).to_le_bytes());
    let store = opens_writable(&path);
    create(&store, Some("new"), 9, 10);
    assert!(store.info().unwrap().catalog_epoch < 1 << 30);
    store.close().unwrap();
}

/// The superblock's own sequence at its limit was accepted and then exceeded by the first write: both copies were refused from then on.
#[test]
fn superblock_is_not_written_beyond_its_sequences() {
    let (_dir, path) = sample(2);
    forge::put_superblock(&path, 64, &(u64::MAX / 2).to_le_bytes());
    let before = file_bytes(&path);
    let store = opens_writable(&path);
    assert_eq!(read_name(&store, "v1").unwrap(), Some(bytes(1, 40)));
    assert_code(try_create(&store, None, 1, 10), Code::TooLarge);
    store.close().unwrap();
    assert!(file_bytes(&path) == before);
}

/// At the end of the sequences the first change wrote what recovery found and only then noticed; and the close of one who had only read
/// a store of a killed process failed.
#[test]
fn store_without_sequences_can_be_read_and_is_not_written() {
    for state in [0u32, 1] {
        let (_dir, path) = sample(3);
        forge::put_superblock(&path, 80, &((1u64 << 56) - 1).to_le_bytes());
        forge::put_superblock(&path, 108, &state.to_le_bytes());
        let before = file_bytes(&path);
        let store = opens_writable(&path);
        assert_eq!(read_name(&store, "v1").unwrap(), Some(bytes(1, 40)));
        assert_code(try_create(&store, None, 1, 10), Code::TooLarge);
        store.close().unwrap();
        assert!(file_bytes(&path) == before, "state {state}");
    }
}

/// A damaged record hides its extents, so only the file's tail is used; but then nobody looked whether two whole records claim the same
/// bytes, and destroying both freed them twice.
#[test]
fn overlap_beside_a_damaged_record_is_found() {
    let (_dir, path) = sample(4);
    let stolen = forge::body(&path, 1, 0);
    forge::put_body(&path, 2, 0, forge::Body { off: stolen.off, ..forge::body(&path, 2, 0) });
    patch(&path, forge::slot_off(3) + 40, &[0xFF; 4]);
    let before = file_bytes(&path);
    let store = opens_writable(&path);
    let e = assert_code(try_create(&store, None, 1, 10), Code::Corrupt);
    assert!(number(&e, "idA").is_some(), "{e}");
    store.close().unwrap();
    assert!(file_bytes(&path) == before);
    assert!(faults(&path).iter().any(|f| f.place == "overlap"));
}

/// A dead record that points outside the file hides what it holds, too, and its damage keeps nobody from destroying others: their bytes
/// were handed out although they may be the hidden ones.
#[test]
fn bytes_freed_beside_a_damaged_record_are_not_handed_out() {
    let (_dir, path) = sample(4);
    let b = forge::body(&path, 0, 0);
    forge::put_body(&path, 0, 0, forge::Body { off: 1, ..b });
    // Dead, and the death is not synced.
    let synced = forge::get_u64(&path, 72);
    let dead = synced + 1;
    forge::put_superblock(&path, 80, &(dead + 10).to_le_bytes());
    patch(&path, forge::slot_off(0) + 24, &dead.to_le_bytes());
    forge::put_word(&path, 0, forge::word(&path, 0) & !7 | 3);
    let old_end = len(&path);
    let store = opens_writable(&path);
    let v1 = store.open_name("v1").unwrap().unwrap();
    store.destroy(&v1, true).unwrap();
    drop(v1);
    for i in 0..20 {
        assert!(create(&store, None, i, 40).facts().off >= old_end);
    }
    assert_eq!(read_name(&store, "v2").unwrap(), Some(bytes(2, 40)));
}

/// A death with a sequence that was never given (all ones: it was never destroyed) held no bytes when the map was derived, but the next
/// sync made the record's body durable: the same store reopened, and two records claimed the bytes.
#[test]
fn death_that_no_writer_wrote_is_damage() {
    for dead in [u64::MAX, u64::MAX - 1, 1 << 56, (1 << 56) - 1] {
        let (_dir, path) = sample(3);
        patch(&path, forge::slot_off(1) + 24, &dead.to_le_bytes());
        forge::put_word(&path, 1, forge::word(&path, 1) & !7 | 3);
        is_named_by_verify(&path, 1, "death");
        let old_end = len(&path);
        let store = opens_writable(&path);
        assert_code(store.open_id(1, 2), Code::Corrupt);
        assert!(create(&store, None, 5, 500).facts().off >= old_end);
        assert_eq!(read_name(&store, "v2").unwrap(), Some(bytes(2, 40)));
    }
}

/// A version with a sequence beyond the lease counted, so later changes had lower numbers than what they changed.
#[test]
fn version_that_no_writer_wrote_is_damage() {
    for seq in [5000u64, (1 << 56) - 1] {
        let (_dir, path) = sample(3);
        let lease = forge::get_u64(&path, 80);
        let seq = seq.max(lease);
        forge::put_body(&path, 1, 0, forge::Body { seq, ..forge::body(&path, 1, 0) });
        let low = forge::word(&path, 1) & !(0xFF << 48) | (seq & 0xFF) << 48;
        forge::put_word(&path, 1, low);
        is_named_by_verify(&path, 1, "sequence");
        assert_code(read_name(&opens_writable(&path), "v1"), Code::Corrupt);
    }
}

/// With unsynced versions kept after a machine crash, one with a sequence beyond the lease counted, until the first change made the
/// store trust its file and refuse it: an object that had been shown was gone.
#[test]
fn version_that_no_writer_wrote_is_not_kept_either() {
    let (_dir, path) = sample(3);
    let seq = (1u64 << 56) - 5000;
    forge::put_body(&path, 1, 0, forge::Body { seq, ..forge::body(&path, 1, 0) });
    forge::put_word(&path, 1, forge::word(&path, 1) & !(0xFF << 48) | (seq & 0xFF) << 48);
    forge::put_superblock(&path, 108, &0u32.to_le_bytes());
    let store = open(&path, &OpenOptions { keep_unsynced: true, ..booted(OTHER_BOOT) });
    assert_eq!(read_name(&store, "v1").unwrap(), None);
    create(&store, None, 1, 10);
    assert_eq!(read_name(&store, "v2").unwrap(), Some(bytes(2, 40)));
}

/// Verify left the search for overlaps out when anything else was wrong, even one of the two superblock copies.
#[test]
fn overlap_is_found_beside_a_lost_superblock_copy() {
    let (_dir, path) = sample(3);
    let stolen = forge::body(&path, 0, 0);
    forge::put_body(&path, 2, 0, forge::Body { off: stolen.off, ..forge::body(&path, 2, 0) });
    patch(&path, forge::COPIES[1], &[0; 512]);
    let faults = faults(&path);
    assert!(faults.iter().any(|f| f.place == "superblock" && f.off == forge::COPIES[1]), "{faults:?}");
    assert!(faults.iter().any(|f| f.place == "overlap"), "{faults:?}");
}

/// Verify listed overlaps of two records and left out a record whose payload lies over its own attributes, which no change accepts.
#[test]
fn record_over_its_own_attributes_is_found() {
    let (_dir, path) = sample(3);
    let b = forge::body(&path, 1, 0);
    forge::put_body(&path, 1, 0, forge::Body { off: b.aux_off, ..b });
    let faults = faults(&path);
    assert!(faults.iter().any(|f| f.place == "overlap" && f.id == Some(1)), "{faults:?}");
    assert_code(try_create(&opens_writable(&path), None, 1, 10), Code::Corrupt);
}

/// A record whose word has the tag of another name was found by the names index and not by the scan before it, and verify was content.
#[test]
fn tag_of_another_name_is_damage() {
    let (_dir, path) = sample(3);
    forge::put_word(&path, 1, forge::word(&path, 1) ^ 1 << 40);
    is_named_by_verify(&path, 1, "tag");
    let store = opens_writable(&path);
    assert_code(store.names(), Code::Corrupt);
    assert_eq!(read_name(&store, "v2").unwrap(), Some(bytes(2, 40)));
    assert_code(try_create(&store, Some("v1"), 1, 1), Code::Corrupt);
}

/// Of two records with one name the one named later counts. A name said to be given after its own version was made won for ever.
#[test]
fn name_given_after_its_version_is_damage() {
    let (_dir, path) = sample(3);
    let body = forge::body(&path, 1, 0);
    let mut fields = forge::fields(&path, body);
    fields[8..16].copy_from_slice(&(body.seq + 1).to_le_bytes());
    forge::put_fields(&path, body, &fields);
    is_named_by_verify(&path, 1, "name given");
    assert_code(read_name(&opens_writable(&path), "v1"), Code::Corrupt);
}

/// Compaction gave a record of a name given after its version a higher sequence, and the name was good.
#[test]
fn damaged_attributes_are_not_moved() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let store = open(&path, &booted(BOOT));
    let low = create(&store, None, 1, 2000);
    create(&store, Some("v1"), 1, 40);
    store.destroy(&low, true).unwrap();
    drop(low);
    store.close().unwrap();
    let body = forge::body(&path, 1, 0);
    let mut fields = forge::fields(&path, body);
    fields[8..16].copy_from_slice(&(body.seq + 1).to_le_bytes());
    forge::put_fields(&path, body, &fields);
    forge::put_superblock(&path, 80, &(body.seq + 100).to_le_bytes());
    let store = opens_writable(&path);
    assert_code(store.compact(&mut |_, _| true), Code::Corrupt);
    assert_code(store.names(), Code::Corrupt);
}

/// Of two NAME fields in one aux extent the last counted; another reader may take the first.
#[test]
fn two_names_of_one_version_are_damage() {
    let (_dir, path) = sample(1);
    let body = forge::body(&path, 0, 0);
    let mut fields = forge::fields(&path, body);
    let room = body.aux_units as usize * 64 - 24;
    fields.truncate(32);
    let mut twice = fields.clone();
    twice.extend_from_slice(&fields);
    if twice.len() > room {
        forge::put_body(&path, 0, 0, forge::Body { aux_units: 2, ..body });
    }
    forge::put_fields(&path, body, &twice);
    is_named_by_verify(&path, 0, "two names");
}

/// Kinds and flags that no version knows were read as a plain vector; a vector that says it is a list would have its numbers taken for
/// objects.
#[test]
fn unknown_kinds_and_flags_are_refused() {
    for kind in [1, 4, 5, 255] {
        let (_dir, path) = sample(2);
        forge::put_kind(&path, 0, kind);
        let store = opens_writable(&path);
        assert_code(read_name(&store, "v0"), Code::Corrupt);
        assert_eq!(read_name(&store, "v1").unwrap(), Some(bytes(1, 40)));
        drop(store);
        assert!(!faults(&path).is_empty());
    }
    let (_dir, path) = sample(2);
    forge::put_body(&path, 0, 0, forge::Body { flags: 0x8000, ..forge::body(&path, 0, 0) });
    is_named_by_verify(&path, 0, "flags");
    assert_code(read_name(&opens_writable(&path), "v0"), Code::Corrupt);
}

/// A record that was damaged keeps the others readable after a machine crash, too.
#[test]
fn forged_records_leave_the_others_alone() {
    let (_dir, path) = sample(3);
    forge::put_kind(&path, 0, 9);
    let store = open(&path, &booted(OTHER_BOOT));
    let v2 = store.open_name("v2").unwrap().unwrap();
    assert_eq!(read(&v2).unwrap(), bytes(2, 40));
    assert_code(store.open_id(0, 1), Code::Corrupt);
}
