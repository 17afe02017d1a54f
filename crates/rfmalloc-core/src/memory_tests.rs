//! Element work over memory that is no file, so that Miri can watch every copy: bounds, overlap, aliasing, and threads on neighbouring bytes.
//!
//! Two threads on the *same* bytes are not here: that race is the user's, documented, and undefined in the language's own terms.

use crate::convert::Source;
use crate::dtype::Dtype;
use crate::elements::{BLOCK, Vector};
use crate::error::Code;
use crate::mapped::MappedFile;
use crate::region::RawBytes;
use std::sync::Arc;

/// More than one block of the block-wise copies, and no whole number of them.
const LEN: u64 = BLOCK + 27;

fn vector(dtype: Dtype, len: u64) -> Vector {
    Vector::File(Arc::new(MappedFile::anonymous(dtype, len)))
}

fn raw(bytes: &mut [u8]) -> RawBytes {
    RawBytes::of(bytes)
}

fn ints(values: impl IntoIterator<Item = i32>) -> Vec<u8> {
    values.into_iter().flat_map(i32::to_le_bytes).collect()
}

fn filled(dtype: Dtype, bytes: &mut [u8]) -> Vector {
    let source = match dtype {
        Dtype::Integer => Source::I32,
        Dtype::Raw => Source::U8,
        _ => Source::F64,
    };
    let v = vector(dtype, bytes.len() as u64 / dtype.width());
    v.import(0, source, raw(bytes), true).unwrap();
    v
}

fn all(v: &Vector) -> Vec<u8> {
    let mut out = vec![0; (v.len() * v.dtype().width()) as usize];
    v.export(0, raw(&mut out)).unwrap();
    out
}

/// Story: the address of a mapped file was taken through a `&[u8]`, so every store through it was a store through a shared reference:
/// undefined, and a compiler may act on it. Miri told it here.
#[test]
fn fills_and_copies_stay_in_their_ranges() {
    let v = vector(Dtype::Integer, LEN);
    v.fill(1, LEN - 1, &7i32.to_le_bytes()).unwrap();
    let mut expected = vec![7; LEN as usize];
    (expected[0], expected[LEN as usize - 1]) = (0, 0);
    assert_eq!(all(&v), ints(expected));
    v.fill(5, 5, &8i32.to_le_bytes()).unwrap();
    assert_eq!(v.fill(0, LEN + 1, &[0; 4]).unwrap_err().code(), Code::OutOfBounds);
    assert_eq!(v.fill(0, 1, &[0; 3]).unwrap_err().code(), Code::Argument);
    let mut beyond = [0; 8];
    assert_eq!(v.export(LEN - 1, raw(&mut beyond)).unwrap_err().code(), Code::OutOfBounds);
}

#[test]
fn overlapping_copies_behave_as_if_the_source_were_copied_first() {
    const N: usize = BLOCK as usize + 12;
    for (to, from) in [(3, 0), (0, 3), (7, 7)] {
        let v = filled(Dtype::Integer, &mut ints(0..LEN as i32));
        let mut expected: Vec<i32> = (0..LEN as i32).collect();
        expected.copy_within(from..from + N, to);
        v.copy_from(to as u64, &v, from as u64, N as u64).unwrap();
        assert_eq!(all(&v), ints(expected));
    }
}

#[test]
fn conversions_take_every_block() {
    let source = filled(
        Dtype::Integer,
        &mut ints((0..LEN as i32).map(|i| if i == BLOCK as i32 { i32::MIN } else { i })),
    );
    for dtype in [Dtype::Numeric, Dtype::Complex, Dtype::Logical, Dtype::Raw] {
        let to = vector(dtype, LEN);
        to.copy_from(0, &source, 0, LEN).unwrap();
        let back = vector(Dtype::Integer, LEN);
        back.copy_from(0, &to, 0, LEN).unwrap();
        if matches!(dtype, Dtype::Numeric | Dtype::Complex) {
            assert!(back.equals(0, &source, 0, LEN).unwrap());
        } else {
            assert!(!back.equals(0, &source, 0, LEN).unwrap());
            assert!(!to.equals(0, &source, 0, 1).unwrap(), "other types are never equal");
        }
    }
}

#[test]
fn an_inexact_import_writes_nothing() {
    let v = filled(Dtype::Integer, &mut ints([1; LEN as usize]));
    let mut numbers: Vec<u8> = (0..LEN).flat_map(|i| (i as f64).to_le_bytes()).collect();
    numbers[8 * (BLOCK as usize + 2)..][..8].copy_from_slice(&0.5f64.to_le_bytes());
    let e = v.import(0, Source::F64, raw(&mut numbers), true).unwrap_err();
    assert_eq!(e.code(), Code::Value);
    assert_eq!(all(&v), ints([1; LEN as usize]));
    let odd = v.import(0, Source::Complex, raw(&mut numbers[..24]), false).unwrap_err();
    assert_eq!(odd.code(), Code::Length);
}

#[test]
fn threads_on_neighbouring_elements_do_not_meet() {
    let v = Arc::new(vector(Dtype::Raw, 4 * 64));
    std::thread::scope(|s| {
        for t in 0..4u8 {
            let v = Arc::clone(&v);
            s.spawn(move || {
                let start = u64::from(t) * 64;
                v.fill(start, start + 64, &[t]).unwrap();
                let mut out = [9; 64];
                v.export(start, raw(&mut out)).unwrap();
                assert_eq!(out, [t; 64]);
            });
        }
    });
    assert!(all(&v).chunks(64).enumerate().all(|(t, c)| c.iter().all(|b| *b == t as u8)));
}

#[test]
fn windows_of_a_file_are_checked_and_an_empty_one_has_no_bytes() {
    let f = MappedFile::anonymous(Dtype::Integer, 10);
    assert!(f.window(36, 4).is_ok());
    assert_eq!(f.window(37, 4).unwrap_err().code(), Code::OutOfBounds);
    assert_eq!(f.window(u64::MAX, 4).unwrap_err().code(), Code::OutOfBounds);
    let nothing = vector(Dtype::Numeric, 0);
    nothing.fill(0, 0, &[0; 8]).unwrap();
    assert!(nothing.is_empty() && all(&nothing).is_empty());
}
