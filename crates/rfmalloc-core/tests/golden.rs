//! A store written by the first version of the format, committed as it was made. It must read the same for ever, and its bytes must be
//! where `docs/FORMAT.md` says.

mod common;

use common::{
    BOOT, assert_whole, booted, copy, create, file_bytes, folder, forge, open, read_name, read_only,
};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

fn fixture() -> (TempDir, PathBuf) {
    let dir = folder();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/v1.fm");
    let path = copy(&source, &dir.path().join("v1.fm"));
    (dir, path)
}

fn doubles(v: &[f64]) -> Vec<u8> {
    v.iter().flat_map(|x| x.to_le_bytes()).collect()
}

fn ints(v: &[i32]) -> Vec<u8> {
    v.iter().flat_map(|x| x.to_le_bytes()).collect()
}

/// Name, type code, elements, bytes.
fn contents() -> Vec<(&'static str, u8, u64, Vec<u8>)> {
    let na = f64::from_bits(0x7FF0_0000_0000_07A2);
    vec![
        ("flags", 1, 3, ints(&[1, 0, i32::MIN])),
        ("counts", 2, 4, ints(&[1, -2, i32::MIN, 2_147_483_647])),
        ("weights", 3, 4, doubles(&[0.5, na, f64::NEG_INFINITY, -0.0])),
        ("z", 4, 2, doubles(&[1.0, 2.0, 3.0, -4.0])),
        ("bytes", 5, 5, vec![0, 1, 127, 128, 255]),
        ("empty", 3, 0, vec![]),
        ("größe ✓", 2, 1, ints(&[7])),
        ("large", 2, 20_000, common::bytes(3, 20_000)),
    ]
}

#[test]
fn version_1_reads_the_same_for_ever() {
    let (_dir, path) = fixture();
    let store = open(&path, &read_only(BOOT));
    for (name, dtype, len, bytes) in contents() {
        let facts = store.open_name(name).unwrap().unwrap_or_else(|| panic!("{name} is missing")).facts();
        assert_eq!((facts.dtype.code(), facts.len), (dtype, len), "{name}");
        assert_eq!(read_name(&store, name).unwrap(), Some(bytes), "{name}");
    }
    assert_eq!(store.names().unwrap().len(), contents().len());
    assert!(!store.has("renamed away").unwrap() && !store.has("destroyed").unwrap());
    // One object has no name.
    assert_eq!(store.info().unwrap().catalog_count, contents().len() as u64 + 1);
    assert_whole(&store);
}

#[test]
fn version_1_can_be_changed_and_kept() {
    let (_dir, path) = fixture();
    let store = open(&path, &booted(BOOT));
    create(&store, Some("new"), 1, 100);
    assert!(store.delete("flags").unwrap());
    store.close().unwrap();
    let store = open(&path, &booted(BOOT));
    for (name, _, _, bytes) in contents().into_iter().skip(1) {
        assert_eq!(read_name(&store, name).unwrap(), Some(bytes), "{name}");
    }
    assert!(store.has("new").unwrap() && !store.has("flags").unwrap());
    assert_whole(&store);
}

#[test]
fn superblocks_lie_where_the_format_says() {
    let (_dir, path) = fixture();
    let seqs: Vec<u64> = forge::COPIES
        .into_iter()
        .map(|copy| {
            assert_eq!(forge::get(&path, copy, 16), b"\x89rfmalloc\r\n\x1a\n\0\0\0");
            assert_eq!(forge::get_u32(&path, copy + 16), 1, "version");
            assert_eq!(forge::get_u32(&path, copy + 20), 512, "size");
            assert_eq!(forge::get(&path, copy + 24, 24), [0; 24], "features");
            assert_ne!(forge::get(&path, copy + 48, 16), [0; 16], "uuid");
            let (synced, lease) = (forge::get_u64(&path, copy + 72), forge::get_u64(&path, copy + 80));
            assert_eq!(lease, synced + 1, "closed cleanly, everything synced");
            assert_eq!(forge::get_u64(&path, copy + 88), common::len(&path), "file length");
            assert_eq!(forge::get_u32(&path, copy + 96), 10, "slots used");
            assert_eq!(forge::get_u32(&path, copy + 100), 1, "segments");
            assert_eq!(forge::get_u32(&path, copy + 104), 1, "persistent");
            assert_eq!(forge::get_u32(&path, copy + 108), 1, "clean");
            assert_eq!(forge::get_u64(&path, copy + 112), 0, "no fixed capacity");
            assert_eq!(forge::get(&path, copy + 120, 16), BOOT, "boot id");
            assert_eq!(forge::get(&path, copy + 160, 348), [0; 348], "zeros");
            let b = forge::get(&path, copy, 508);
            assert_eq!(forge::get_u32(&path, copy + 508), crc32c::crc32c(&b), "checksum");
            forge::get_u64(&path, copy + 64)
        })
        .collect();
    assert_eq!(seqs[0].abs_diff(seqs[1]), 1, "written in turn");
    assert_eq!(forge::get(&path, 512, 16 * 1024 - 512), vec![0; 16 * 1024 - 512], "the rest of the header");
}

#[test]
fn segment_words_and_slots_lie_where_the_format_says() {
    let (_dir, path) = fixture();
    let s = forge::SEGMENT;
    assert_eq!(forge::get(&path, s, 8), b"FMSEG\r\n\x1a");
    assert_eq!(forge::get(&path, s + 16, 16), forge::get(&path, 48, 16), "the store's uuid");
    assert_eq!((forge::get_u32(&path, s + 32), forge::get_u32(&path, s + 36)), (0, 512));
    assert_eq!(forge::get_u64(&path, s + 40), s);
    assert_eq!(forge::get_u32(&path, s + 48), crc32c::crc32c(&forge::get(&path, s, 48)));
    assert_eq!(forge::get_u64(&path, s + 56), 0, "no second segment");
    let file = file_bytes(&path);
    let mut alive = 0;
    for idx in 0..10 {
        let word = forge::word(&path, idx);
        let rewritten = forge::get_u64(&path, forge::word_off(idx));
        forge::put_word(&path, idx, word);
        assert_eq!(forge::get_u64(&path, forge::word_off(idx)), rewritten, "check bits of word {idx}");
        if word & 7 != 2 {
            continue;
        }
        alive += 1;
        let which = (word >> 3 & 1) as usize;
        let slot = forge::slot_off(idx);
        assert_eq!(forge::get_u32(&path, slot), idx, "id");
        assert_eq!(u64::from(forge::get_u32(&path, slot + 4)), word >> 8 & 0xFF_FFFF, "generation");
        assert_eq!(forge::get_u64(&path, slot + 24), u64::MAX, "not destroyed");
        let body = forge::body(&path, idx, which);
        assert_eq!(body.seq & 0xFF, word >> 48 & 0xFF, "pair");
        // Body and head written again with the documented checksums are the same bytes.
        forge::put_body(&path, idx, which, body);
        let dtype = forge::get(&path, slot + 8, 1)[0];
        forge::put_dtype(&path, idx, dtype);
        if body.aux_units > 0 {
            let aux = body.aux_off * 64;
            assert_eq!(forge::get(&path, aux, 4), b"FMAX");
            assert_eq!(forge::get_u32(&path, aux + 4), idx);
            let used = forge::get_u32(&path, aux + 12) as usize;
            let b = forge::get(&path, aux, used);
            let crc = crc32c::crc32c_append(crc32c::crc32c(&b[..16]), &b[20..]);
            assert_eq!(forge::get_u32(&path, aux + 16), crc);
        }
    }
    assert_eq!(alive, 9);
    assert!(file_bytes(&path) == file, "nothing differed");
}
