//! Ordering of vectors that exist: text against a comparison of its bytes, names that go along, parts of vectors, and views that hold garbage.

mod common;

use common::{assert_code, folder, open};
use rfmalloc_core::compute::{Context, Watch};
use rfmalloc_core::{
    Change, Code, Dtype, Given, Handle, OpenOptions, Piece, RawBytes, Role, Store, Vector, Work,
};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};

fn texts(store: &Store, items: &[Option<&str>]) -> Handle {
    let v = Vector::Object(store.reserve(Dtype::Character, items.len() as u64, true).unwrap());
    v.write_strings(0, &items.iter().copied().collect()).unwrap();
    let Vector::Object(h) = v else { panic!("no object") };
    h
}

fn all(v: &Vector) -> Vec<Option<String>> {
    let list = v.strings(0, v.len(), u64::MAX).unwrap();
    (0..list.len()).map(|i| list.get(i).map(str::to_owned)).collect()
}

fn elements<const W: usize>(v: &Vector) -> Vec<[u8; W]> {
    let mut bytes = vec![0u8; v.len() as usize * W];
    // SAFETY: the bytes are looked at only after the call.
    v.export(0, unsafe { RawBytes::new(bytes.as_mut_ptr(), bytes.len() as u64) }).unwrap();
    bytes.as_chunks().0.to_vec()
}

fn positions(h: Handle) -> Vec<usize> {
    elements(&Vector::Object(h)).into_iter().map(|b| f64::from_le_bytes(b) as usize).collect()
}

fn names_of(store: &Store, h: &Handle) -> Vec<Option<String>> {
    all(&Vector::Object(store.child(h, Role::Names).unwrap().unwrap()))
}

fn contexts() -> [Context<'static>; 2] {
    [1, 3].map(|threads| Context { threads, ..Context::default() })
}

/// Texts that are alike for long, end where others go on with a zero, repeat, or have several bytes a character.
fn some(n: usize, seed: u64) -> Vec<Option<String>> {
    let mut x = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = |below: u64| {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        x % below
    };
    let beginnings = [
        "",
        "a",
        "the same thirteen bytes ",
        "€",
        "😀😀",
        "\0",
        "a\0",
        "a\0\0\0\0\0\0\0\0",
        "zzzzzzzzzzzzzzzzzzzzzzzz",
    ];
    (0..n)
        .map(|_| {
            if next(9) == 0 {
                return None;
            }
            let mut text = beginnings[next(beginnings.len() as u64) as usize].to_owned();
            for _ in 0..next(4) {
                text.push(['a', 'b', '\0', 'é', '€', '😀'][next(6) as usize]);
            }
            Some(text)
        })
        .collect()
}

fn borrowed(items: &[Option<String>]) -> Vec<Option<&str>> {
    items.iter().map(Option::as_deref).collect()
}

/// The positions of texts in order: Rust compares them by their bytes.
fn expected(items: &[Option<&str>]) -> Vec<usize> {
    let mut at: Vec<usize> = (0..items.len()).collect();
    at.sort_by_key(|i| (items[*i].is_none(), items[*i]));
    at
}

#[test]
fn texts_are_ordered_by_code_point_with_na_last() {
    let dir = folder();
    let store = open(&dir.path().join("f"), &OpenOptions::default());
    for n in [0, 1, 2, 7, 100, 3000, 10_007] {
        let items = some(n, n as u64);
        let items = borrowed(&items);
        let x = Vector::Object(texts(&store, &items));
        let want = expected(&items);
        let sorted: Vec<_> = want.iter().map(|i| items[*i].map(str::to_owned)).collect();
        let mut unique: Vec<Option<&str>> = Vec::new();
        for item in items {
            if !unique.contains(&item) {
                unique.push(item);
            }
        }
        for ctx in contexts() {
            assert_eq!(positions(store.order(&ctx, (&x).into()).unwrap()), want);
            assert_eq!(all(&Vector::Object(store.sort(&ctx, (&x).into()).unwrap())), sorted);
            assert_eq!(borrowed(&all(&Vector::Object(store.unique(&ctx, (&x).into()).unwrap()))), unique);
        }
    }
    store.close().unwrap();
}

#[test]
fn names_go_with_their_elements_and_parts_are_vectors() {
    let dir = folder();
    let store = open(&dir.path().join("f"), &OpenOptions::default());
    let ctx = Context::default();
    let labels = texts(&store, &[Some("a"), None, Some("c"), Some("a name longer than its view"), Some("e")]);
    let bytes: Vec<u8> = [3, i32::MIN, 1, 2, 1_i32].iter().flat_map(|n| n.to_le_bytes()).collect();
    let mut ints = store.create(Dtype::Integer, 5, &bytes, None).unwrap();
    store.set_attributes(&mut ints, &[Change::Child(Role::Names, Some(&labels))]).unwrap();
    let ints = Vector::Object(ints);
    let sorted = store.sort(&ctx, (&ints).into()).unwrap();
    let owned = |items: &[Option<&str>]| items.iter().map(|t| t.map(str::to_owned)).collect::<Vec<_>>();
    assert_eq!(
        names_of(&store, &sorted),
        owned(&[Some("c"), Some("e"), Some("a name longer than its view"), Some("a"), None])
    );
    let of = |h: Handle| -> Vec<i32> {
        elements(&Vector::Object(h)).into_iter().map(i32::from_le_bytes).collect()
    };
    assert_eq!(of(sorted), [1, 1, 2, 3, i32::MIN]);
    assert_eq!(positions(store.order(&ctx, (&ints).into()).unwrap()), [2, 4, 3, 0, 1]);

    // A part has its names elsewhere, from an element on.
    let names = Vector::Object(texts(&store, &[Some("-"), Some("x"), Some("y"), Some("z"), Some("w")]));
    let part =
        |vector| Given::Piece(Piece { vector, start: 1, len: 3, names: Some((&names, 2)), columns: None });
    let sorted = store.sort(&ctx, part(&ints)).unwrap();
    assert_eq!(names_of(&store, &sorted), owned(&[Some("z"), Some("w"), Some("y")]));
    assert_eq!(of(sorted), [1, 2, i32::MIN]);
    assert_eq!(of(store.unique(&ctx, part(&ints)).unwrap()), [i32::MIN, 1, 2]);
    let words =
        Vector::Object(texts(&store, &[Some("z"), Some("longer than twelve"), Some("b"), Some("b"), None]));
    assert_eq!(positions(store.order(&ctx, part(&words)).unwrap()), [1, 2, 0]);
    assert_eq!(
        all(&Vector::Object(store.unique(&ctx, part(&words)).unwrap())),
        owned(&[Some("longer than twelve"), Some("b")])
    );
    let sorted = store.sort(&ctx, part(&words)).unwrap();
    assert_eq!(names_of(&store, &sorted), owned(&[Some("z"), Some("w"), Some("y")]));
    assert_eq!(all(&Vector::Object(sorted)), owned(&[Some("b"), Some("b"), Some("longer than twelve")]));

    let bytes: Vec<u8> = [1, i32::MIN, 0, 1, 1_i32].iter().flat_map(|n| n.to_le_bytes()).collect();
    let truth = Vector::Object(store.create(Dtype::Logical, 5, &bytes, None).unwrap());
    assert_eq!(positions(store.which(&ctx, (&truth).into()).unwrap()), [0, 3, 4]);
    let some = store.which(&ctx, part(&truth)).unwrap();
    assert_eq!(names_of(&store, &some), owned(&[Some("w")]));
    assert_eq!(positions(some), [2]);
    store.close().unwrap();
}

#[test]
fn what_has_no_order_is_refused() {
    let dir = folder();
    let store = open(&dir.path().join("f"), &OpenOptions::default());
    let ctx = Context::default();
    let raw = Vector::Object(store.create(Dtype::Raw, 3, &[3, 1, 3], None).unwrap());
    let list = Vector::Object(store.list(rfmalloc_core::LIST, &[]).unwrap());
    for x in [&raw, &list] {
        assert_code(store.order(&ctx, x.into()), Code::Type);
        assert_code(store.sort(&ctx, x.into()), Code::Type);
        assert_code(store.which(&ctx, x.into()), Code::Type);
    }
    assert_code(store.unique(&ctx, (&list).into()), Code::Type);
    assert_eq!(elements(&Vector::Object(store.unique(&ctx, (&raw).into()).unwrap())), [[3], [1]]);
    store.close().unwrap();
}

/// Views of which nothing makes a string: bytes behind the end, buffers that are not there, texts that begin otherwise.
#[test]
fn garbage_in_a_view_is_damage_and_no_panic() {
    let dir = folder();
    let store = open(&dir.path().join("f"), &OpenOptions::default());
    let items = some(5000, 1);
    let h = texts(&store, &borrowed(&items));
    let (_, off, _) = h.whereabouts().unwrap();
    let file = File::options().read(true).write(true).open(dir.path().join("f")).unwrap();
    let ctx = Context { threads: 2, ..Context::default() };
    let x = Vector::Object(h);
    for (i, bytes) in [
        (0, [5, 0, 0, 0, b'a', b'b', b'c', b'd', b'e', b'f', 0, 0, 0, 0, 0, 0]),
        (4999, [13, 0, 0, 0, b'a', b'b', b'c', b'd', 9, 0, 0, 0, 0, 0, 0, 0]),
        (777, [255; 16]),
        (2500, [16, 0, 0, 0, b'#', b'#', b'#', b'#', 0, 0, 0, 0, 16, 0, 0, 0]),
        (3, [12, 0, 0, 128, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    ] {
        let mut kept = [0; 16];
        file.read_exact_at(&mut kept, off + 16 * i).unwrap();
        file.write_all_at(&bytes, off + 16 * i).unwrap();
        assert_code(store.order(&ctx, (&x).into()), Code::Corrupt);
        assert_code(store.sort(&ctx, (&x).into()), Code::Corrupt);
        assert_code(store.unique(&ctx, (&x).into()), Code::Corrupt);
        file.write_all_at(&kept, off + 16 * i).unwrap();
    }
    store.order(&ctx, (&x).into()).unwrap();
    drop(x);
    store.close().unwrap();
}

struct Stop(AtomicU64);

impl Watch for Stop {
    fn is_cancelled(&self) -> bool {
        self.0.fetch_sub(1, Ordering::Relaxed) == 0
    }
    fn done(&self, _: u64) {}
}

#[test]
fn cancelled_work_leaves_nothing_behind() {
    let dir = folder();
    let store = open(&dir.path().join("f"), &OpenOptions::default());
    let items = some(20_000, 5);
    let x = Vector::Object(texts(&store, &borrowed(&items)));
    let (before, _) = store.temporary_bytes();
    for after in [0, 1, 3, 8] {
        for sorts in [false, true] {
            let mut work =
                if sorts { store.begin_sort((&x).into()) } else { store.begin_order((&x).into()) }.unwrap();
            let watch = Stop(AtomicU64::new(after));
            let ctx = Context { watch: &watch, threads: 1, ..Context::default() };
            assert!(!work.run(&ctx).unwrap());
            assert_code(work.finish().map(drop), Code::Argument);
        }
    }
    assert_eq!(store.temporary_bytes().0, before);
    drop(x);
    store.close().unwrap();
}
