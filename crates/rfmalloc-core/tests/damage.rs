//! Damaged and hostile files: an error that names what and where, or nothing lost; never a change of the file, never a panic.

mod common;

use common::images::Random;
use common::{
    BOOT, OTHER_BOOT, assert_code, booted, bytes, create, file_bytes, folder, forge, len, open, patch,
    read_name, read_only, try_create, try_open,
};
use rfmalloc_core::{Code, Detail, Error, Store};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const NAMED: u32 = 300;

fn name(i: u32) -> String {
    format!("v{i}")
}

/// A closed store with `n` named vectors.
fn sample(n: u32) -> (TempDir, PathBuf) {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let store = open(&path, &booted(BOOT));
    for i in 0..n {
        create(&store, Some(&name(i)), i, 40);
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

/// Ids of the records that a walk over the catalog says are damaged, and how many it says are whole.
fn damaged_in_walk(store: &Store) -> (Vec<u64>, usize) {
    let (mut damaged, mut whole) = (Vec::new(), 0);
    let walked = store.walk(|entry| {
        match entry.dtype {
            None => damaged.push(entry.id),
            Some(_) => whole += 1,
        }
        true
    });
    walked.unwrap();
    (damaged, whole)
}

#[test]
fn overlapping_records_are_named_and_nothing_is_written() {
    let (_dir, path) = sample(3);
    let stolen = forge::body(&path, 0, 0);
    forge::put_body(&path, 2, 0, forge::Body { off: stolen.off, ..forge::body(&path, 2, 0) });
    let before = file_bytes(&path);
    let store = open(&path, &booted(BOOT));
    assert_eq!(read_name(&store, "v0").unwrap(), Some(bytes(0, 40)), "reading goes on");
    let faults = store.verify().unwrap().faults;
    assert!(faults.iter().any(|f| f.place == "overlap"), "{faults:?}");
    for _ in 0..2 {
        let e = assert_code(try_create(&store, None, 9, 10), Code::Corrupt);
        let ids = [number(&e, "idA"), number(&e, "idB")];
        assert!(ids.contains(&Some(0)) && ids.contains(&Some(2)), "{e}");
    }
    store.close().unwrap();
    assert!(file_bytes(&path) == before);
}

/// Every name is there with its bytes, or the answer is an error.
fn lost_without_a_word(store: &Store, n: u32) -> Option<String> {
    for i in 0..n {
        match read_name(store, &name(i)) {
            Ok(Some(b)) if b == bytes(i, 40) => {}
            Err(e) if e.code() == Code::Corrupt => {}
            other => return Some(format!("{}: {other:?}", name(i))),
        }
    }
    match store.names() {
        Ok(names) if names.len() < n as usize => Some(format!("only {} names", names.len())),
        Err(e) if e.code() != Code::Corrupt => Some(e.to_string()),
        _ => None,
    }
}

fn nothing_lost_or_an_error(path: &Path, boot: [u8; 16], what: &str) {
    let store = match try_open(path, &booted(boot)) {
        Ok(store) => store,
        Err(e) => {
            assert_eq!(e.code(), Code::Corrupt, "{what}: {e}");
            return;
        }
    };
    if let Some(loss) = lost_without_a_word(&store, NAMED) {
        panic!("{what}: {loss}");
    }
    // A change may be refused; if not, it does no more damage.
    let _ = try_create(&store, None, 1, 5000);
    let _ = try_create(&store, Some("new"), 1, 5000);
    if let Some(loss) = lost_without_a_word(&store, NAMED) {
        panic!("{what}, after a change: {loss}");
    }
}

#[test]
fn zeroed_catalog_page_is_an_error_or_nothing_lost() {
    let (_dir, path) = sample(NAMED);
    let good = file_bytes(&path);
    let end = forge::slot_off(NAMED).next_multiple_of(4096);
    for page in (forge::SEGMENT..end).step_by(4096) {
        for boot in [BOOT, OTHER_BOOT] {
            std::fs::write(&path, &good).unwrap();
            patch(&path, page, &[0; 4096]);
            nothing_lost_or_an_error(&path, boot, &format!("page at {page} zeroed"));
        }
    }
}

#[test]
fn zeroed_state_word_refuses_changes_and_absence() {
    let (_dir, path) = sample(20);
    patch(&path, forge::word_off(7), &[0; 8]);
    let before = file_bytes(&path);
    let store = open(&path, &booted(BOOT));
    assert_eq!(read_name(&store, "v8").unwrap(), Some(bytes(8, 40)));
    assert_code(read_name(&store, "v7"), Code::Corrupt);
    assert_code(store.has("never there"), Code::Corrupt);
    assert_eq!(damaged_in_walk(&store), (vec![7], 19));
    let e = assert_code(try_create(&store, None, 1, 1), Code::Corrupt);
    assert_eq!(number(&e, "id"), Some(7));
    assert!(!store.verify().unwrap().faults.is_empty());
    store.close().unwrap();
    assert!(file_bytes(&path) == before);
}

#[test]
fn every_damaged_byte_of_a_record_is_noticed() {
    let (_dir, path) = sample(2);
    let good = file_bytes(&path);
    // Head and body A. Not dead_seq, which means nothing while the object lives, nor body B, which was never written.
    for at in (0..24).chain(32..80) {
        std::fs::write(&path, &good).unwrap();
        let off = forge::slot_off(0) + at;
        patch(&path, off, &[good[off as usize] ^ 0x10]);
        let store = open(&path, &booted(BOOT));
        assert_code(read_name(&store, "v0"), Code::Corrupt);
        assert_eq!(read_name(&store, "v1").unwrap(), Some(bytes(1, 40)), "byte {at}");
        assert_eq!(damaged_in_walk(&store), (vec![0], 1), "byte {at}");
        assert!(!store.verify().unwrap().faults.is_empty(), "byte {at}");
    }
}

#[test]
fn damaged_attributes_are_noticed() {
    let (_dir, path) = sample(2);
    let aux = forge::body(&path, 0, 0).aux_off * 64;
    patch(&path, aux + 50, &[0xFF]);
    let store = open(&path, &booted(BOOT));
    assert_code(read_name(&store, "v0"), Code::Corrupt);
    assert_eq!(read_name(&store, "v1").unwrap(), Some(bytes(1, 40)));
    assert!(store.verify().unwrap().faults.iter().any(|f| f.id == Some(0)));
}

#[test]
fn damaged_record_hides_its_bytes_so_only_new_ones_are_handed_out() {
    let (_dir, path) = sample(10);
    let hidden = forge::body(&path, 4, 0);
    patch(&path, forge::slot_off(4) + 40, &[0xFF; 4]);
    let old_end = len(&path);
    let before = file_bytes(&path);
    let store = open(&path, &booted(BOOT));
    for i in 0..10 {
        let h = create(&store, None, 50 + i, 100);
        assert!(h.facts().off >= old_end, "{} < {old_end}", h.facts().off);
    }
    assert_code(try_create(&store, Some("named"), 1, 1), Code::Corrupt);
    for i in (0..10).filter(|i| *i != 4) {
        assert_eq!(read_name(&store, &name(i)).unwrap(), Some(bytes(i, 40)));
    }
    store.sync().unwrap();
    store.close().unwrap();
    let bytes_of = |file: &[u8]| file[hidden.off as usize * 64..][..hidden.units as usize * 64].to_vec();
    assert_eq!(bytes_of(&file_bytes(&path)), bytes_of(&before));
}

/// A close of a store that was killed covers what the dead process left; with a damaged record it used to write the superblock although
/// its opener had only read.
#[test]
fn damaged_store_that_was_killed_is_left_as_it_is_by_a_reader() {
    let (dir, path) = sample(10);
    let killed = dir.path().join("killed");
    let store = open(&path, &booted(BOOT));
    create(&store, Some("after"), 77, 40);
    std::fs::copy(&path, &killed).unwrap();
    store.close().unwrap();
    patch(&killed, forge::slot_off(4) + 40, &[0xFF; 4]);
    let before = file_bytes(&killed);
    let store = open(&killed, &booted(BOOT));
    assert_eq!(read_name(&store, "after").unwrap(), Some(bytes(77, 40)));
    assert_code(store.sync(), Code::Corrupt);
    store.close().unwrap();
    assert!(file_bytes(&killed) == before);
}

#[test]
fn foreign_and_cut_files_are_left_as_they_are() {
    let (dir, path) = sample(3);
    let good = file_bytes(&path);
    let other = dir.path().join("other");
    for n in [1, 511, 512, 4096, 65_536, 192 * 1024 - 1, 192 * 1024] {
        let text: Vec<u8> = b"not a store\n".iter().copied().cycle().take(n).collect();
        std::fs::write(&other, &text).unwrap();
        assert_code(try_open(&other, &booted(BOOT)), Code::NotAStore);
        assert!(file_bytes(&other) == text);
    }
    for n in (1..good.len()).step_by(4096) {
        std::fs::write(&other, &good[..n]).unwrap();
        let e = try_open(&other, &booted(BOOT)).map(|_| ()).unwrap_err();
        assert!(matches!(e.code(), Code::Truncated | Code::NotAStore | Code::Corrupt), "{n} bytes: {e}");
        assert!(file_bytes(&other) == good[..n]);
    }
}

#[test]
fn unknown_versions_and_features_are_refused() {
    for (off, value) in [(16, 2u64), (24, 1), (32, 1)] {
        let (_dir, path) = sample(1);
        let n = if off == 16 { 4 } else { 8 };
        forge::put_superblock(&path, off, &value.to_le_bytes()[..n]);
        assert_code(try_open(&path, &booted(BOOT)), Code::Version);
    }
    // Compatible features may be ignored.
    let (_dir, path) = sample(1);
    forge::put_superblock(&path, 40, &[1; 8]);
    assert_eq!(read_name(&open(&path, &booted(BOOT)), "v0").unwrap(), Some(bytes(0, 40)));
}

/// Everything a caller may try; the answers do not matter, only that there are some.
fn try_everything(path: &Path, boot: [u8; 16]) {
    for options in [read_only(boot), booted(boot)] {
        let Ok(store) = try_open(path, &options) else { continue };
        let _ = store.names();
        let _ = store.verify();
        let _ = store.summary();
        let _ = store.info();
        let _ = store.walk(|_| true);
        for i in 0..4 {
            let _ = read_name(&store, &name(i));
            for generation in 0..6 {
                if let Ok(h) = store.open_id(u64::from(i), generation) {
                    let _ = common::read(&h);
                    let _ = h.name();
                }
            }
        }
        let _ = try_create(&store, None, 1, 10);
        let _ = try_create(&store, Some("n"), 1, 100_000);
        let _ = store.delete("v0");
        let _ = common::replace(&store, "v1", 1, 10);
        let _ = store.sync();
        let _ = store.close();
    }
}

#[test]
fn hostile_headers_are_errors() {
    let huge = [u64::MAX, u64::MAX - 63, 1 << 63, 1 << 56, (1 << 40) + 1, 1 << 20, 1, 0];
    let (_dir, path) = sample(4);
    let good = file_bytes(&path);
    for off in [20, 64, 72, 80, 88, 96, 100, 104, 108, 112] {
        for value in huge {
            std::fs::write(&path, &good).unwrap();
            let n = if (96..112).contains(&off) || off == 20 { 4 } else { 8 };
            forge::put_superblock(&path, off, &value.to_le_bytes()[..n]);
            try_everything(&path, OTHER_BOOT);
        }
    }
}

#[test]
fn hostile_links_are_errors() {
    let (_dir, path) = sample(4);
    let end = len(&path);
    for target in [0, forge::SEGMENT, end, end - 64 * 1024, 1 << 50, (1 << 56) - 64 * 1024] {
        forge::put_link(&path, target);
        let before = file_bytes(&path);
        assert_code(try_open(&path, &booted(BOOT)), Code::Corrupt);
        assert!(file_bytes(&path) == before);
    }
    patch(&path, forge::SEGMENT + 56, &[0xAB; 8]);
    assert_code(try_open(&path, &booted(BOOT)), Code::Corrupt);
}

#[test]
fn hostile_bodies_are_errors() {
    let (_dir, path) = sample(4);
    let good = file_bytes(&path);
    let b = forge::body(&path, 0, 0);
    let most = u64::MAX / 64;
    let bodies = [
        forge::Body { len: u64::MAX, ..b },
        forge::Body { len: 1 << 62, ..b },
        forge::Body { len: b.units * 16 + 1, ..b },
        forge::Body { units: most, ..b },
        forge::Body { off: (1 << 48) - 1, ..b },
        forge::Body { off: 0, ..b },
        forge::Body { off: forge::SEGMENT / 64, ..b },
        forge::Body { aux_off: most, ..b },
        forge::Body { aux_off: most + 1, ..b },
        forge::Body { aux_off: b.off, aux_units: u32::MAX, ..b },
        forge::Body { aux_off: b.off, ..b },
        forge::Body { units: 0, off: (1 << 48) - 1, len: 0, ..b },
        forge::Body { units: 0, off: 1 << 40, len: 1, ..b },
        forge::Body { seq: 0, ..b },
        forge::Body { seq: u64::MAX, ..b },
    ];
    for (i, body) in bodies.into_iter().enumerate() {
        for state in [2u64, 3] {
            for boot in [BOOT, OTHER_BOOT] {
                std::fs::write(&path, &good).unwrap();
                forge::put_body(&path, 0, 0, body);
                let low = forge::word(&path, 0) & !(7 | 0xFF << 48) | state | (body.seq & 0xFF) << 48;
                // Alive, or dead with a death that is not synced.
                forge::put_word(&path, 0, low);
                forge::put_superblock(&path, 108, &0u32.to_le_bytes());
                if state == 2 && body.len != 0 {
                    let store = open(&path, &booted(BOOT));
                    assert!(read_name(&store, "v0").is_err(), "body {i}");
                    assert_eq!(read_name(&store, "v1").unwrap(), Some(bytes(1, 40)), "body {i}");
                }
                try_everything(&path, boot);
            }
        }
    }
}

#[test]
fn unknown_types_are_refused_one_by_one() {
    let (_dir, path) = sample(2);
    for (dtype, code) in [(0, Code::Corrupt), (99, Code::Corrupt), (6, Code::Corrupt), (11, Code::Corrupt)] {
        forge::put_dtype(&path, 0, dtype);
        let store = open(&path, &booted(BOOT));
        let e = read_name(&store, "v0").unwrap_err();
        // A reserved type whose elements would fit is not damage.
        assert!(e.code() == code || e.code() == Code::Unsupported, "{dtype}: {e}");
        assert_eq!(read_name(&store, "v1").unwrap(), Some(bytes(1, 40)));
    }
}

#[test]
fn random_damage_never_panics() {
    let (_dir, path) = sample(6);
    let good = file_bytes(&path);
    let mut random = Random(7);
    let places = [0, 16 * 1024, forge::SEGMENT, forge::WORDS, forge::SLOTS, 192 * 1024];
    for _ in 0..400 {
        std::fs::write(&path, &good).unwrap();
        for _ in 0..=random.below(3) {
            let off = places[random.below(places.len() as u64) as usize] + random.below(800);
            let n = [1, 8, 64][random.below(3) as usize];
            let junk: Vec<u8> = (0..n).map(|_| random.next() as u8).collect();
            if off + n <= good.len() as u64 {
                patch(&path, off, &junk);
            }
        }
        try_everything(&path, [BOOT, OTHER_BOOT][random.below(2) as usize]);
    }
}

/// State words with right check bits but any content, over slots as they are.
#[test]
fn random_state_words_never_panic() {
    let (_dir, path) = sample(6);
    let good = file_bytes(&path);
    let mut random = Random(11);
    for _ in 0..300 {
        std::fs::write(&path, &good).unwrap();
        for idx in 0..8 {
            let mask = [0xF, 0xFF, u64::MAX][random.below(3) as usize];
            let low = (forge::word(&path, idx) ^ (random.next() & mask)) & ((1 << 56) - 1);
            forge::put_word(&path, idx, low);
            let dead = [u64::MAX, 0, 3, 1 << 60][random.below(4) as usize];
            patch(&path, forge::slot_off(idx) + 24, &dead.to_le_bytes());
        }
        forge::put_superblock(&path, 108, &(random.below(8) as u32).to_le_bytes());
        try_everything(&path, [BOOT, OTHER_BOOT][random.below(2) as usize]);
    }
}
