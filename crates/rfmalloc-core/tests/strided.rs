//! Transposes and rows: an element at another's place, at the edges of tiles, or read where nothing is.

mod common;

use common::{BOOT, assert_code, booted, folder, open};
use rfmalloc_core::{Code, Dtype, RawBytes, Source, Store, Vector};

const TYPES: [(Dtype, Source); 4] = [
    (Dtype::Raw, Source::U8),
    (Dtype::Integer, Source::I32),
    (Dtype::Numeric, Source::F64),
    (Dtype::Complex, Source::Complex),
];

fn vector(store: &Store, dtype: Dtype, len: u64) -> Vector {
    Vector::Object(store.reserve(dtype, len, true).unwrap())
}

/// A vector whose bytes all differ from their neighbours', and these bytes.
fn filled(store: &Store, (dtype, source): (Dtype, Source), len: u64) -> (Vector, Vec<u8>) {
    let v = vector(store, dtype, len);
    let mut bytes: Vec<u8> = (0..len * dtype.width()).map(|i| (i * 31 % 251) as u8).collect();
    // SAFETY: the bytes outlive the call, which alone reaches them.
    let raw = unsafe { RawBytes::new(bytes.as_mut_ptr(), bytes.len() as u64) };
    v.import(0, source, raw, false).unwrap();
    (v, bytes)
}

fn bytes_of(v: &Vector) -> Vec<u8> {
    let mut bytes = vec![0u8; (v.len() * v.dtype().width()) as usize];
    // SAFETY: as above.
    let raw = unsafe { RawBytes::new(bytes.as_mut_ptr(), bytes.len() as u64) };
    v.export(0, raw).unwrap();
    bytes
}

#[test]
fn every_element_lands_at_its_place() {
    let dir = folder();
    let store = open(&dir.path().join("a.fm"), &booted(BOOT));
    for kind in TYPES {
        let w = kind.0.width() as usize;
        for (nrow, ncol) in
            [(1, 1), (1, 130), (130, 1), (0, 5), (5, 0), (3, 7), (64, 64), (65, 63), (129, 66)]
        {
            let (src, bytes) = filled(&store, kind, nrow * ncol);
            let dst = vector(&store, kind.0, nrow * ncol);
            dst.transpose_from(&src, 0, nrow, ncol).unwrap();
            let turned = bytes_of(&dst);
            let (n, m) = (nrow as usize, ncol as usize);
            for i in 0..n {
                for j in 0..m {
                    let (at, to) = ((i + j * n) * w, (j + i * m) * w);
                    assert_eq!(bytes[at..at + w], turned[to..to + w], "({i}, {j}) of {n} x {m}, width {w}");
                }
                let row = vector(&store, kind.0, ncol);
                row.copy_every(&src, i as u64, nrow, ncol).unwrap();
                assert_eq!(bytes_of(&row), turned[i * m * w..(i + 1) * m * w]);
            }
        }
    }
}

#[test]
fn more_elements_than_one_run_are_copied() {
    let dir = folder();
    let store = open(&dir.path().join("a.fm"), &booted(BOOT));
    let (src, bytes) = filled(&store, TYPES[1], 30_000);
    let dst = vector(&store, Dtype::Integer, 10_000);
    dst.copy_every(&src, 2, 3, 10_000).unwrap();
    let wanted: Vec<u8> = bytes.chunks_exact(4).skip(2).step_by(3).flatten().copied().collect();
    assert_eq!(bytes_of(&dst), wanted);
}

#[test]
fn strings_come_along_whole() {
    let dir = folder();
    let store = open(&dir.path().join("a.fm"), &booted(BOOT));
    let (src, dst) = (vector(&store, Dtype::Character, 6), vector(&store, Dtype::Character, 6));
    let long = "longer than twelve bytes, in a heap";
    let texts = [Some("a"), None, Some(""), Some(long), Some("twelve bytes"), Some("NA")];
    for (i, text) in (0..).zip(texts) {
        src.set_string(i, text).unwrap();
    }
    dst.transpose_from(&src, 0, 2, 3).unwrap();
    let turned: Vec<_> = (0..6).map(|i| dst.string(i).unwrap()).collect();
    let wanted = [0, 2, 4, 1, 3, 5].map(|i: usize| texts[i].map(str::to_owned));
    assert_eq!(turned, wanted);
    let row = vector(&store, Dtype::Character, 3);
    row.copy_every(&src, 1, 2, 3).unwrap();
    assert_eq!(row.string(1).unwrap().as_deref(), Some(long));
    assert_code(row.copy_every(&src, 2, 2, 3), Code::OutOfBounds);
    assert_code(row.transpose_from(&vector(&store, Dtype::Numeric, 3), 0, 1, 3), Code::Type);
}

#[test]
fn a_range_that_does_not_fit_is_refused() {
    let dir = folder();
    let store = open(&dir.path().join("a.fm"), &booted(BOOT));
    let (src, bytes) = filled(&store, TYPES[2], 6);
    let dst = vector(&store, Dtype::Numeric, 6);
    assert_code(dst.transpose_from(&src, 1, 2, 3), Code::OutOfBounds);
    assert_code(dst.transpose_from(&src, 0, 7, 1), Code::OutOfBounds);
    assert_code(dst.transpose_from(&src, 0, u64::MAX, u64::MAX), Code::OutOfBounds);
    assert_code(dst.transpose_from(&src, u64::MAX, 1, 1), Code::OutOfBounds);
    assert_code(dst.copy_every(&src, 2, 2, 3), Code::OutOfBounds);
    assert_code(dst.copy_every(&src, 0, u64::MAX, 3), Code::OutOfBounds);
    assert_code(dst.copy_every(&src, 0, 1, 7), Code::OutOfBounds);
    assert_code(src.transpose_from(&src, 0, 2, 3), Code::Argument);
    assert_code(dst.transpose_from(&vector(&store, Dtype::Integer, 6), 0, 2, 3), Code::Type);
    dst.copy_every(&src, 99, 5, 0).unwrap();
    assert_eq!(bytes_of(&dst), vec![0; 48]);
    assert_eq!(bytes_of(&src), bytes);
}
