//! Character vectors: every string comes back as it was written, in another process too, and nothing but a string ever comes back.

mod common;

use common::{BOOT, assert_code, assert_whole, booted, folder, open, read_only};
use rfmalloc_core::{Code, Dtype, Handle, Mode, OpenOptions, Store, Strings, Vector};

fn make(store: &Store, items: &[Option<&str>], name: Option<&str>) -> Vector {
    let v = Vector::Object(store.reserve(Dtype::Character, items.len() as u64, true).unwrap());
    v.write_strings(0, &items.iter().copied().collect()).unwrap();
    commit(store, v, name)
}

fn commit(store: &Store, v: Vector, name: Option<&str>) -> Vector {
    let Vector::Object(mut h) = v else { panic!("no object") };
    store.commit(&mut h, name, false).unwrap();
    Vector::Object(h)
}

fn handle(v: &Vector) -> &Handle {
    let Vector::Object(h) = v else { panic!("no object") };
    h
}

fn found(store: &Store, name: &str) -> Vector {
    Vector::Object(store.open_name(name).unwrap().unwrap())
}

fn all(v: &Vector) -> Vec<Option<String>> {
    let list = v.strings(0, v.len(), u64::MAX).unwrap();
    let one_by_one: Vec<_> = (0..v.len()).map(|i| v.string(i).unwrap()).collect();
    let at_once: Vec<_> = (0..list.len()).map(|i| list.get(i).map(str::to_owned)).collect();
    assert_eq!(at_once, one_by_one);
    at_once
}

/// The kinds there are: empty, NA, its name, the longest inline one and the shortest other, every width of UTF-8, NUL, one that looks like NA's
/// bytes, a long one.
fn kinds() -> Vec<Option<String>> {
    let long = "long ".repeat(200_000);
    let list =
        ["", "NA", "123456789012", "1234567890123", "aä€😀", "😀😀😀😀", "a\0b", "<NA of rfmalloc>", &long];
    let mut out: Vec<_> = list.iter().map(|s| Some((*s).to_owned())).collect();
    out.insert(1, None);
    out
}

fn borrowed(items: &[Option<String>]) -> Vec<Option<&str>> {
    items.iter().map(Option::as_deref).collect()
}

#[test]
fn every_kind_of_string_comes_back() {
    let dir = folder();
    for mode in [Mode::Persistent, Mode::Scratch] {
        let path = dir.path().join(mode.name());
        let options = OpenOptions { mode, ..booted(BOOT) };
        let store = open(&path, &options);
        let items = kinds();
        let v = make(&store, &borrowed(&items), Some("v"));
        assert_eq!(all(&v), items);
        // One by one, backwards over what stands there.
        let empty = Vector::Object(store.reserve(Dtype::Character, items.len() as u64, true).unwrap());
        assert!(all(&empty).iter().all(|s| s.as_deref() == Some("")));
        let w = commit(&store, empty, Some("w"));
        for (i, text) in items.iter().enumerate().rev() {
            w.set_string(i as u64, Some("another that is long enough")).unwrap();
            w.set_string(i as u64, text.as_deref()).unwrap();
        }
        assert_eq!(all(&w), items);
        assert!(w.equals(0, &v, 0, v.len()).unwrap());
        assert!(!w.equals(1, &v, 0, 2).unwrap());
        assert_whole(&store);
        if mode == Mode::Persistent {
            drop((v, w));
            store.close().unwrap();
            for options in [booted(BOOT), read_only(BOOT)] {
                let store = open(&path, &options);
                assert_eq!(
                    (all(&found(&store, "v")), all(&found(&store, "w"))),
                    (items.clone(), items.clone())
                );
                assert_whole(&store);
            }
        }
    }
}

#[test]
fn ranges_are_filled_copied_and_moved_like_those_of_numbers() {
    let dir = folder();
    let store = open(&dir.path().join("a.fm"), &booted(BOOT));
    let other = open(&dir.path().join("b.fm"), &booted(BOOT));
    let items = kinds();
    let v = make(&store, &borrowed(&items), Some("v"));
    for to in [&store, &other] {
        let w = Vector::Object(to.reserve(Dtype::Character, v.len() + 2, true).unwrap());
        w.copy_from(1, &v, 0, v.len()).unwrap();
        let w = commit(to, w, Some("w"));
        assert_eq!(all(&w)[1..=items.len()], items);
        for text in [Some("a text that fills it all"), Some("short"), None] {
            w.fill_strings(1, 4, text).unwrap();
            assert_eq!(all(&w)[1..4], vec![text.map(str::to_owned); 3]);
        }
        assert_eq!(all(&w)[4..=items.len()], items[3..]);
    }
    // Within one vector, overlapping both ways.
    let n = items.len();
    let mut wanted = items.clone();
    v.copy_from(2, &v, 0, n as u64 - 2).unwrap();
    wanted.truncate(n - 2);
    wanted.splice(0..0, items[..2].iter().cloned());
    assert_eq!(all(&v), wanted);
    v.copy_from(0, &v, 2, n as u64 - 2).unwrap();
    wanted.drain(..2);
    wanted.extend_from_slice(&items[n - 4..n - 2]);
    assert_eq!(all(&v), wanted);
    assert_whole(&store);
    assert_whole(&other);
}

#[test]
fn what_is_no_string_or_out_of_bounds_is_refused() {
    let dir = folder();
    let store = open(&dir.path().join("a.fm"), &booted(BOOT));
    let v = make(&store, &[Some("a"), None], Some("v"));
    let one: Strings = [Some("x")].into_iter().collect();
    assert_code(v.write_strings(2, &one), Code::OutOfBounds);
    assert_code(v.string(2), Code::OutOfBounds);
    assert_code(v.fill_strings(1, 3, None), Code::OutOfBounds);
    let numbers = Vector::Object(store.reserve(Dtype::Integer, 2, true).unwrap());
    assert_code(numbers.string(0), Code::Type);
    assert_code(numbers.write_strings(0, &one), Code::Type);
    assert_code(handle(&v).pin(0, 16), Code::Type);
    assert_code(v.fill(0, 1, &[0; 16]), Code::Type);
    assert!(store.destroy(handle(&v), false).unwrap());
    assert_code(v.string(0), Code::Destroyed);
    assert_code(v.set_string(0, None), Code::Destroyed);
}
