//! Both ways, and against headers as numpy writes them; numpy itself is asked by the tests in JavaScript.

use crate::dtype::Dtype;
use crate::elements::Vector;
use crate::error::{Code, Result};
use crate::store::{Change, Handle, MATRIX, OpenOptions, Store};
use std::path::Path;

fn file(version: u8, header: &str, elements: &[u8]) -> Vec<u8> {
    let mut b = b"\x93NUMPY".to_vec();
    b.extend_from_slice(&[version, 0]);
    let text = format!("{header:<100}\n");
    match version {
        1 => b.extend_from_slice(&(text.len() as u16).to_le_bytes()),
        _ => b.extend_from_slice(&(text.len() as u32).to_le_bytes()),
    }
    b.extend_from_slice(text.as_bytes());
    b.extend_from_slice(elements);
    b
}

fn header(descr: &str, fortran: bool, shape: &str) -> String {
    let order = if fortran { "True" } else { "False" };
    format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}")
}

fn read(bytes: &[u8]) -> Result<(Store, Handle)> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.npy");
    std::fs::write(&path, bytes).unwrap();
    let store = Store::anonymous(dir.path(), &OpenOptions::default())?;
    let import = store.for_work()?.import_npy(&path, &mut |_, _| true);
    if import.is_err() {
        assert_eq!(store.temporary_bytes().0, 0, "a failed import left something behind");
    }
    let handle = store.array_of_npy(import?)?;
    Ok((store, handle))
}

fn code(bytes: &[u8]) -> Code {
    read(bytes).map(|_| ()).unwrap_err().code()
}

/// Elements as numbers, with their type.
fn numbers(bytes: &[u8]) -> (Dtype, Vec<f64>) {
    let (store, handle) = read(bytes).unwrap();
    let from = Vector::Object(handle);
    let to = Vector::Object(store.reserve(Dtype::Numeric, from.len(), true).unwrap());
    let _ = to.copy_from(0, &from, 0, from.len()).unwrap();
    let mut out = vec![0; 8 * from.len() as usize];
    to.read_bytes(0, &mut out).unwrap();
    (from.dtype(), out.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b)).collect())
}

fn bytes_of<const N: usize>(list: &[[u8; N]]) -> Vec<u8> {
    list.concat()
}

#[test]
fn every_number_of_numpy_that_a_vector_can_hold_is_read_in_both_byte_orders() {
    let h = |descr: &str| header(descr, false, "(2,)");
    let one = |descr: &str, b: Vec<u8>| numbers(&file(1, &h(descr), &b));
    assert_eq!(
        one("<f8", bytes_of(&[1.5f64.to_le_bytes(), (-2.0f64).to_le_bytes()])),
        (Dtype::Numeric, vec![1.5, -2.0])
    );
    assert_eq!(
        one(">f8", bytes_of(&[1.5f64.to_be_bytes(), (-2.0f64).to_be_bytes()])),
        (Dtype::Numeric, vec![1.5, -2.0])
    );
    assert_eq!(
        one(">f4", bytes_of(&[1.5f32.to_be_bytes(), 0.1f32.to_be_bytes()])),
        (Dtype::Numeric, vec![1.5, f64::from(0.1f32)])
    );
    assert_eq!(
        one("<i4", bytes_of(&[7i32.to_le_bytes(), (-7i32).to_le_bytes()])),
        (Dtype::Integer, vec![7.0, -7.0])
    );
    assert_eq!(
        one(">i2", bytes_of(&[7i16.to_be_bytes(), (-7i16).to_be_bytes()])),
        (Dtype::Integer, vec![7.0, -7.0])
    );
    assert_eq!(
        one("<u2", bytes_of(&[7u16.to_le_bytes(), 65535u16.to_le_bytes()])),
        (Dtype::Integer, vec![7.0, 65535.0])
    );
    assert_eq!(one("|i1", vec![7, 0xff]), (Dtype::Integer, vec![7.0, -1.0]));
    assert_eq!(one("|u1", vec![7, 0xff]), (Dtype::Raw, vec![7.0, 255.0]));
    assert_eq!(one("|b1", vec![1, 0]), (Dtype::Logical, vec![1.0, 0.0]));
    assert_eq!(
        one(">u4", bytes_of(&[7u32.to_be_bytes(), u32::MAX.to_be_bytes()])),
        (Dtype::Numeric, vec![7.0, 4_294_967_295.0])
    );
    let most = 1i64 << 53;
    assert_eq!(
        one("<i8", bytes_of(&[most.to_le_bytes(), (-most).to_le_bytes()])),
        (Dtype::Numeric, vec![most as f64, -most as f64])
    );
    assert_eq!(
        code(&file(1, &h("<i8"), &bytes_of(&[1i64.to_le_bytes(), (most + 1).to_le_bytes()]))),
        Code::Value
    );
    assert_eq!(one("<u8", bytes_of(&[1u64.to_le_bytes(), (1u64 << 53).to_le_bytes()])).1, [1.0, most as f64]);
    assert_eq!(
        code(&file(1, &h("<u8"), &bytes_of(&[1u64.to_le_bytes(), u64::MAX.to_le_bytes()]))),
        Code::Value
    );
    for (descr, b) in [
        ("<c16", bytes_of(&[1f64.to_le_bytes(), 2f64.to_le_bytes(), 3f64.to_le_bytes(), 4f64.to_le_bytes()])),
        (">c16", bytes_of(&[1f64.to_be_bytes(), 2f64.to_be_bytes(), 3f64.to_be_bytes(), 4f64.to_be_bytes()])),
        (">c8", bytes_of(&[1f32.to_be_bytes(), 2f32.to_be_bytes(), 3f32.to_be_bytes(), 4f32.to_be_bytes()])),
    ] {
        let (_store, handle) = read(&file(1, &h(descr), &b)).unwrap();
        let mut out = vec![0; 32];
        Vector::Object(handle).read_bytes(0, &mut out).unwrap();
        let parts: Vec<_> = out.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b)).collect();
        assert_eq!(parts, [1.0, 2.0, 3.0, 4.0], "{descr}");
    }
}

#[test]
fn both_orders_become_the_same_array() {
    let c_order: Vec<u8> = (0..24u8).collect();
    // The same 2 x 3 x 4 array, its first subscript running fastest.
    let mut fortran = Vec::new();
    for k in 0..4u8 {
        for j in 0..3 {
            for i in 0..2 {
                fortran.push(12 * i + 4 * j + k);
            }
        }
    }
    for version in 1..=3 {
        let (store, a) = read(&file(version, &header("|u1", false, "(2, 3, 4)"), &c_order)).unwrap();
        assert_eq!(store.attributes(&a).unwrap().dim, [2, 3, 4]);
        let b = read(&file(version, &header("|u1", true, "(2, 3, 4)"), &fortran)).unwrap();
        let (mut x, mut y) = (vec![0; 24], vec![0; 24]);
        Vector::Object(a).read_bytes(0, &mut x).unwrap();
        Vector::Object(b.1).read_bytes(0, &mut y).unwrap();
        assert_eq!((&x, &y), (&fortran, &fortran), "version {version}");
    }
    assert_eq!(
        numbers(&file(1, &header("|u1", false, "(2, 3)"), &[0, 1, 2, 3, 4, 5])).1,
        [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]
    );
    assert_eq!(numbers(&file(1, &header("|u1", false, "()"), &[9])).1, [9.0]);
    assert_eq!(numbers(&file(1, &header("|u1", false, "(0, 3)"), &[])).1, [0.0; 0]);
}

#[test]
fn what_is_no_npy_file_is_refused_and_never_a_panic() {
    let good = file(1, &header("|u1", false, "(3,)"), &[1, 2, 3]);
    assert!(read(&good).is_ok());
    for cut in 0..good.len() {
        assert!(matches!(code(&good[..cut]), Code::Length | Code::Corrupt), "cut at {cut}");
    }
    let mut longer = good.clone();
    longer.push(0);
    assert_eq!(code(&longer), Code::Length);
    let mut other = good.clone();
    other[6] = 4;
    assert_eq!(code(&other), Code::Version);
    for text in [
        "",
        "{",
        "{}",
        "{'descr': '<f8'}",
        "{'descr': '<f8', 'fortran_order': 1, 'shape': (1,)}",
        "{'descr': '<f8', 'fortran_order': True, 'shape': (-1,)}",
        "{'descr': '<f8', 'fortran_order': True, 'shape': (1,)} x",
        "{'descr': '<f8', 'fortran_order': True, 'shape': (1,), 'more': 1}",
        "{'descr': '<f8",
        "{'descr': '<f8', 'fortran_order': True, 'shape': (99999999999999999999999,)}",
    ] {
        assert_eq!(code(&file(1, text, &[0; 8])), Code::Corrupt, "{text}");
    }
    assert_eq!(code(&file(1, &header("<f8", true, "(4294967296, 4294967296, 2)"), &[])), Code::TooLarge);
    for descr in ["<U4", "|O", "<f2", "<M8[ns]", "|S3"] {
        assert_eq!(code(&file(1, &header(descr, false, "(1,)"), &[0; 8])), Code::Unsupported, "{descr}");
    }
    assert_eq!(
        code(&file(1, "{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (1,)}", &[0; 8])),
        Code::Unsupported
    );
}

#[test]
fn what_was_written_reads_back_and_na_has_no_bool() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out.npy");
    let store = Store::anonymous(dir.path(), &OpenOptions::default()).unwrap();
    let write = |h: &Handle, path: &Path| store.npy_export(h)?.run(path, true, &mut |_, _| true);
    for (dtype, bytes) in [
        (Dtype::Numeric, bytes_of(&[1.5f64.to_le_bytes(), crate::na::na_real().to_le_bytes()])),
        (Dtype::Integer, bytes_of(&[i32::MIN.to_le_bytes(), 3i32.to_le_bytes()])),
        (Dtype::Logical, bytes_of(&[1i32.to_le_bytes(), 0i32.to_le_bytes()])),
        (Dtype::Raw, vec![0, 255]),
        (Dtype::Complex, bytes_of(&[[1u8; 16], [2; 16]])),
    ] {
        let mut h = store.create(dtype, 2, &bytes, None).unwrap();
        for dim in [None, Some((MATRIX, &[1u64, 2][..]))] {
            store.set_attributes(&mut h, &[Change::Dim(dim)]).unwrap();
            let nbytes = write(&h, &path).unwrap().unwrap();
            let file = std::fs::read(&path).unwrap();
            assert_eq!(file.len() as u64, nbytes);
            let width = if dtype == Dtype::Logical { 1 } else { dtype.width() };
            assert_eq!((nbytes - 2 * width) % 64, 0, "elements are aligned");
            let (other, back) = read(&file).unwrap();
            assert_eq!(other.attributes(&back).unwrap().dim, dim.map_or(vec![], |(_, e)| e.to_vec()));
            let (mut out, back) = (vec![0; bytes.len()], Vector::Object(back));
            back.read_bytes(0, &mut out).unwrap();
            assert_eq!((back.dtype(), out), (dtype, bytes.clone()));
        }
    }
    let na = store.create(Dtype::Logical, 1, &crate::na::NA_INT.to_le_bytes(), None).unwrap();
    assert_eq!(write(&na, &dir.path().join("na.npy")).unwrap_err().code(), Code::Value);
    assert!(!dir.path().join("na.npy").exists());
    let text = store.reserve(Dtype::Character, 1, true).unwrap();
    assert_eq!(write(&text, &path).unwrap_err().code(), Code::Type);
}
