//! Selecting, assigning, converting and combining objects: what comes back after a reopen, what a refusal leaves, what is never written.

mod common;

use common::{BOOT, assert_code, assert_whole, booted, folder, open, read_only};
use rfmalloc_core::{
    ARRAY, Change, Code, Detail, Dtype, Handle, Index, LIST, MATRIX, MappedFile, Mode, OpenOptions, RawBytes,
    Result, Role, Store, Strings, Vector, What,
};
use std::sync::Arc;

fn numbers(values: &mut [f64]) -> What<'static> {
    // SAFETY: each test keeps the values until after the call, and looks at them only then.
    What::F64(unsafe { RawBytes::new(values.as_mut_ptr().cast(), size_of_val(values) as u64) })
}

fn integers(store: &Store, values: &[i32]) -> Handle {
    let bytes: Vec<u8> = values.iter().flat_map(|n| n.to_le_bytes()).collect();
    store.create(Dtype::Integer, values.len() as u64, &bytes, None).unwrap()
}

fn reals(store: &Store, values: &[f64]) -> Vector {
    let bytes: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
    Vector::Object(store.create(Dtype::Numeric, values.len() as u64, &bytes, None).unwrap())
}

fn texts(store: &Store, values: &[Option<&str>]) -> Handle {
    let v = Vector::Object(store.reserve(Dtype::Character, values.len() as u64, true).unwrap());
    v.write_strings(0, &values.iter().copied().collect::<Strings>()).unwrap();
    let Vector::Object(handle) = v else { unreachable!() };
    handle
}

fn named(store: &Store, values: &[i32], names: &[&str]) -> Handle {
    let mut v = integers(store, values);
    let names = texts(store, &names.iter().map(|s| Some(*s)).collect::<Vec<_>>());
    store.set_attributes(&mut v, &[Change::Child(Role::Names, Some(&names))]).unwrap();
    v
}

fn ints_of(v: &Vector) -> Vec<i32> {
    let mut bytes = vec![0u8; v.len() as usize * 4];
    // SAFETY: the bytes are looked at only after the call.
    v.export(0, unsafe { RawBytes::new(bytes.as_mut_ptr(), bytes.len() as u64) }).unwrap();
    bytes.chunks_exact(4).map(|b| i32::from_le_bytes(b.try_into().unwrap())).collect()
}

fn ints(handle: Handle) -> Vec<i32> {
    ints_of(&Vector::Object(handle))
}

fn names_of(store: &Store, v: &Handle) -> Option<Vec<Option<String>>> {
    let names = Vector::Object(store.child(v, Role::Names).unwrap()?);
    let list = names.strings(0, names.len(), u64::MAX).unwrap();
    Some((0..list.len()).map(|i| list.get(i).map(str::to_owned)).collect())
}

fn texts_of(names: &[&str]) -> Vec<Option<String>> {
    names.iter().map(|s| Some((*s).to_owned())).collect()
}

fn kind<T>(result: Result<T>) -> String {
    let e = result.err().expect("refused");
    match e.details().iter().find(|(k, _)| *k == "kind") {
        Some((_, Detail::Text(kind))) => kind.clone(),
        _ => e.to_string(),
    }
}

fn used(store: &Store) -> u64 {
    store.sync().unwrap();
    let u = store.usage().unwrap();
    u.live_bytes + u.retired_bytes + u.pinned_bytes + u.temporary_bytes
}

#[test]
fn a_kept_selection_comes_back_with_its_names() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let store = open(&path, &booted(BOOT));
    let long = "a name that does not fit into sixteen bytes";
    let v = Vector::Object(named(&store, &[10, 20, 30], &["a", long, "c"]));
    let mut picked = store.select(&v, &Index::of(numbers(&mut [1.0, 7.0, 0.0]))).unwrap();
    assert_eq!(store.allocations().unwrap().len(), 1, "a result is a temporary");
    store.commit(&mut picked, Some("picked"), false).unwrap();
    drop((v, picked));
    store.close().unwrap();
    let store = open(&path, &booted(BOOT));
    let picked = store.open_name("picked").unwrap().unwrap();
    assert_eq!(names_of(&store, &picked), Some(vec![Some(long.to_owned()), None, Some("a".to_owned())]));
    assert_eq!(ints(picked), [20, i32::MIN, 10]);
    assert_whole(&store);
}

#[test]
fn what_is_refused_leaves_nothing() {
    let dir = folder();
    let store = open(&dir.path().join("a.fm"), &booted(BOOT));
    let v = Vector::Object(named(&store, &[1, 2, 3], &["a", "b", "c"]));
    let raw = Vector::Object(store.create(Dtype::Raw, 1, &[7], None).unwrap());
    let before = used(&store);
    let mut mixed = [-1.0, 2.0];
    assert_eq!(kind(store.select(&v, &Index::r(numbers(&mut mixed)))), "mixed-signs");
    assert_eq!(kind(store.select(&v, &Index::of(What::Vector(&raw)))), "bad-subscript");
    assert_eq!(kind(store.select(&v, &Index::of(numbers(&mut mixed)))), "bad-subscript");
    assert_eq!(kind(store.exclude(&v, &Index::of(What::Names(&[Some("a".into())])))), "bad-subscript");
    assert_eq!(kind(store.subset(&v, &[Index::ALL, Index::ALL], true)), "wrong-dims");
    assert_eq!(kind(store.replace(&v, &[Index::ALL], None, Some(&raw))), "bad-type");
    assert_eq!(kind(store.replace(&v, &[Index::ALL], None, None)), "empty-replacement");
    assert_eq!(kind(store.element(&v, &[Index::of(numbers(&mut [3.0]))])), "out-of-bounds");
    assert_eq!(kind(store.combine(&[&v, &Vector::Object(store.list(LIST, &[None]).unwrap())])), "bad-type");
    assert_eq!(used(&store), before);
    assert_whole(&store);
}

#[test]
fn leaving_nothing_out_leaves_everything() {
    let dir = folder();
    let store = open(&dir.path().join("a.fm"), &booted(BOOT));
    let v = Vector::Object(named(&store, &[1, 2, 3], &["a", "b", "c"]));
    for (what, left) in
        [(What::Nothing, 3), (What::All, 0), (numbers(&mut []), 3), (numbers(&mut [1.0, 1.0, 9.0]), 2)]
    {
        assert_eq!(store.exclude(&v, &Index::of(what)).unwrap().facts().len, left);
    }
    assert_eq!(store.select(&v, &Index::of(What::Nothing)).unwrap().facts().len, 0);
    let all = store.select(&v, &Index::ALL).unwrap();
    assert_eq!(names_of(&store, &all), Some(texts_of(&["a", "b", "c"])));
}

#[test]
fn setting_checks_every_subscript_before_the_first_write() {
    let dir = folder();
    let store = open(&dir.path().join("a.fm"), &booted(BOOT));
    let v = Vector::Object(integers(&store, &[1, 2, 3, 4]));
    let (two, half) = (reals(&store, &[8.0, 9.0]), reals(&store, &[8.0, 1.5]));
    assert_eq!(
        kind(store.set_at(&v, &[Index::of(numbers(&mut [0.0, 9.0]))], None, &two, true)),
        "out-of-bounds"
    );
    let unknown = [Some("zz".to_owned())];
    let one = reals(&store, &[8.0]);
    assert_eq!(
        kind(store.set_at(&v, &[Index::of(What::Names(&unknown))], None, &one, true)),
        "out-of-bounds"
    );
    assert_eq!(
        kind(store.set_at(&v, &[Index::of(numbers(&mut [0.0, 1.0, 2.0]))], None, &two, true)),
        "assign-length"
    );
    let inexact = store.set_at(&v, &[Index::of(numbers(&mut [0.0, 1.0]))], None, &half, true);
    assert_eq!(inexact.err().unwrap().code(), Code::Value);
    let text = Vector::Object(texts(&store, &[Some("5")]));
    assert_eq!(store.set_at(&v, &[Index::ALL], None, &text, true).err().unwrap().code(), Code::Value);
    assert_eq!(ints_of(&v), [1, 2, 3, 4]);

    store.set_at(&v, &[Index::of(numbers(&mut [3.0, 0.0]))], None, &two, true).unwrap();
    assert_eq!(ints_of(&v), [9, 2, 3, 8]);
    // As R converts: truncated without a warning, out of range with one.
    let wide = reals(&store, &[1.9, 1e10]);
    let warnings = store.set_at(&v, &[Index::of(numbers(&mut [1.0, 2.0]))], None, &wide, false).unwrap();
    assert_eq!((ints_of(&v), warnings.bits()), (vec![9, 1, i32::MIN, 8], 2));
}

/// x[2:4] <- x[1:3] on itself repeated the first element: it was read after it had been written.
#[test]
fn values_that_are_the_vector_itself_are_read_first() {
    let dir = folder();
    let store = open(&dir.path().join("a.fm"), &booted(BOOT));
    let x = Vector::Object(integers(&store, &[1, 2, 3, 4]));
    store.set_at(&x, &[Index::of(numbers(&mut [3.0, 2.0, 1.0, 0.0]))], None, &x, true).unwrap();
    assert_eq!(ints_of(&x), [4, 3, 2, 1]);
    let s = Vector::Object(texts(&store, &[Some("a string of many bytes"), None, Some("c")]));
    store.set_at(&s, &[Index::of(numbers(&mut [2.0, 1.0, 0.0]))], None, &s, true).unwrap();
    let list = s.strings(0, 3, u64::MAX).unwrap();
    assert_eq!([list.get(0), list.get(1), list.get(2)], [Some("c"), None, Some("a string of many bytes")]);
}

#[test]
fn nothing_is_written_to_what_is_sealed_or_read_only() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let store = open(&path, &booted(BOOT));
    let mut sealed = integers(&store, &[1, 2]);
    store.seal(&mut sealed).unwrap();
    let sealed = Vector::Object(sealed);
    let one = Vector::Object(integers(&store, &[5]));
    assert_code(store.set_at(&sealed, &[Index::ALL], None, &one, true), Code::Sealed);
    assert_eq!(ints(store.replace(&sealed, &[Index::ALL], None, Some(&one)).unwrap().0), [5, 5]);
    let mut v = integers(&store, &[1, 2]);
    store.rename(&mut v, Some("v"), false).unwrap();
    drop((sealed, one, v));
    store.close().unwrap();
    let store = open(&path, &read_only(BOOT));
    let v = Vector::Object(store.open_name("v").unwrap().unwrap());
    assert_code(store.set_at(&v, &[Index::ALL], None, &v, true), Code::ReadOnly);
    assert_code(store.select(&v, &Index::ALL), Code::ReadOnly);
    assert_eq!(store.element(&v, &[Index::of(numbers(&mut [1.0]))]).unwrap(), 1);
}

#[test]
fn a_result_may_go_to_another_store() {
    let dir = folder();
    let store = open(&dir.path().join("a.fm"), &booted(BOOT));
    let scratch = OpenOptions { mode: Mode::Scratch, ..booted(BOOT) };
    let other = open(&dir.path().join("b.fm"), &scratch);
    let v = Vector::Object(named(&store, &[1, 2, 3], &["a", "b", "a name of more than twelve bytes"]));
    let got = other.select(&v, &Index::except(numbers(&mut [1.0]))).unwrap();
    assert_eq!(names_of(&other, &got), Some(texts_of(&["a", "a name of more than twelve bytes"])));
    assert_eq!(ints(got), [1, 3]);
    let path = dir.path().join("plain");
    std::fs::write(&path, [7i32.to_le_bytes(), 8i32.to_le_bytes()].concat()).unwrap();
    let file = Vector::File(Arc::new(MappedFile::open(&path, Dtype::Integer, None, false).unwrap()));
    assert_eq!(ints(store.select(&file, &Index::of(numbers(&mut [1.0, 0.0]))).unwrap()), [8, 7]);
    store.set_at(&file, &[Index::ALL], None, &Vector::Object(integers(&store, &[5])), true).unwrap();
    assert_eq!(ints_of(&file), [5, 5]);
}

#[test]
fn an_assignment_on_a_copy_keeps_what_the_source_has() {
    let dir = folder();
    let store = open(&dir.path().join("a.fm"), &booted(BOOT));
    let mut m = integers(&store, &[1, 2, 3, 4]);
    let columns = texts(&store, &[Some("p"), Some("q")]);
    store
        .set_attributes(
            &mut m,
            &[
                Change::Dim(Some((ARRAY, &[2, 2]))),
                Change::Child(Role::Dimnames(1), Some(&columns)),
                Change::User("unit", Some("\"kg\"")),
            ],
        )
        .unwrap();
    let m = Vector::Object(m);
    let half = reals(&store, &[0.5]);
    let q = [Some("q".to_owned())];
    let cells = [Index::of(numbers(&mut [0.0])), Index::of(What::Names(&q))];
    let (got, _) = store.replace(&m, &cells, None, Some(&half)).unwrap();
    let attributes = store.attributes(&got).unwrap();
    assert_eq!((attributes.kind, attributes.dim, attributes.user.len()), (ARRAY, vec![2, 2], 1));
    assert_eq!((attributes.has_dimnames, got.facts().dtype), (vec![false, true], Dtype::Numeric));
    // One element behind the end: a plain vector.
    let (got, _) = store.replace(&m, &[Index::of(numbers(&mut [4.0]))], None, Some(&half)).unwrap();
    assert_eq!((store.attributes(&got).unwrap().dim.len(), got.facts().len), (0, 5));
    // A new name: the others are empty.
    let zz = [Some("zz".to_owned())];
    let v = Vector::Object(integers(&store, &[1]));
    let (got, _) = store.replace(&v, &[Index::of(What::Names(&zz))], None, Some(&half)).unwrap();
    assert_eq!(names_of(&store, &got), Some(texts_of(&["", "zz"])));
    // A part of an array that is a matrix.
    let part = store.subset(&m, &[Index::ALL, Index::of(numbers(&mut [1.0]))], false).unwrap();
    assert_eq!(part.facts().kind, MATRIX);
    assert_eq!(ints_of(&m), [1, 2, 3, 4]);
}

#[test]
fn a_selected_list_holds_the_same_objects() {
    let dir = folder();
    let store = open(&dir.path().join("a.fm"), &booted(BOOT));
    let (a, b) = (integers(&store, &[1]), integers(&store, &[2]));
    let mut list = store.list(LIST, &[Some(&a), None, Some(&b)]).unwrap();
    store.commit(&mut list, Some("list"), false).unwrap();
    let list = Vector::Object(list);
    let got = store.select(&list, &Index::of(numbers(&mut [2.0, 0.0, 9.0]))).unwrap();
    assert_eq!(store.list_get(&got, 0).unwrap().unwrap().facts().id, b.facts().id);
    assert_eq!(store.list_get(&got, 1).unwrap().unwrap().facts().id, a.facts().id);
    assert!(store.list_get(&got, 2).unwrap().is_none());
    assert_eq!(store.parents(&a).unwrap(), 2);
    let (all, warnings) = store.convert_to(&list_of_values(&store), Dtype::Character).unwrap();
    assert_eq!((all.facts().len, warnings.bits()), (2, 0));
    assert_eq!(kind(store.convert_to(&list, Dtype::Integer)), "bad-type");
    drop(got);
    assert_eq!(store.parents(&a).unwrap(), 1);
    assert_whole(&store);
}

fn list_of_values(store: &Store) -> Vector {
    let (a, b) = (integers(store, &[1]), texts(store, &[Some("two, which is a long word")]));
    Vector::Object(store.list(LIST, &[Some(&a), Some(&b)]).unwrap())
}
