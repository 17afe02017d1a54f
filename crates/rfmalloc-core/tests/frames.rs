//! Data frames: columns are shared, ended with the frame that has them alone, and with nothing else, also across a crash.

mod common;

use common::images::{Capture, Pick, write_image};
use common::{BOOT, OTHER_BOOT, assert_code, assert_whole, booted, create, folder, open, watched};
use rfmalloc_core::{
    Code, Dtype, Handle, Index, LIST, Mode, ObjectState, OpenOptions, Role, Store, Strings, Vector, What,
    frame_rows,
};
use rfmalloc_lab_crash::recorder::Recorder;
use std::path::Path;

fn both(test: impl Fn(&Store)) {
    for mode in [Mode::Persistent, Mode::Scratch] {
        let dir = folder();
        test(&open(&dir.path().join("a.fm"), &OpenOptions { mode, ..booted(BOOT) }));
    }
}

fn texts(names: &[&str]) -> Strings {
    names.iter().map(|name| Some(*name)).collect()
}

/// A temporary frame whose columns are called a, b, c.
fn frame(store: &Store, columns: &[&Handle]) -> Handle {
    store.frame(columns, &texts(&["a", "b", "c"][..columns.len()]), None).unwrap()
}

fn kept(store: &Store, name: Option<&str>, columns: &[&Handle]) -> Handle {
    let mut made = frame(store, columns);
    store.commit(&mut made, name, true).unwrap();
    made
}

fn lives(v: &Handle) -> bool {
    v.state() == ObjectState::Committed
}

#[test]
fn rows_are_the_longest_columns_and_shorter_ones_must_divide_them() {
    assert_eq!(frame_rows(&[], None).unwrap(), 0);
    assert_eq!(frame_rows(&[], Some(2)).unwrap(), 2);
    assert_eq!(frame_rows(&[6, 1, 2, 3, 6], Some(6)).unwrap(), 6);
    assert_eq!(frame_rows(&[0, 0], None).unwrap(), 0);
    let e = assert_code(frame_rows(&[3, 2, 3, 1], None), Code::Length);
    assert_eq!(e.message(), "arguments imply differing number of rows: 3, 2, 1");
    let e = assert_code(frame_rows(&[3, 0], None), Code::Length);
    assert!(e.message().ends_with("3, 0"), "{}", e.message());
    assert_code(frame_rows(&[3], Some(2)), Code::Length);
}

#[test]
fn what_is_no_frame_is_refused_and_leaves_nothing() {
    both(|store| {
        let [v, w] = [3, 4].map(|n| create(store, None, 1, n));
        let l = store.list(LIST, &[None, None, None]).unwrap();
        assert_code(store.frame(&[&v, &w], &texts(&["a", "b"]), None), Code::Length);
        assert_code(store.frame(&[&v, &l], &texts(&["a", "b"]), None), Code::Type);
        let e = assert_code(store.frame(&[&v, &v], &texts(&["a", "a"]), None), Code::Argument);
        assert_eq!(e.message(), "duplicate column names: a");
        assert_code(store.frame(&[&v], &[None].into_iter().collect(), None), Code::Argument);
        assert_code(store.frame(&[&v], &texts(&["a", "b"]), None), Code::Length);
        let twice = texts(&["x", "y", "x"]);
        let e = assert_code(store.frame(&[&v], &texts(&["a"]), Some(&twice)), Code::Argument);
        assert_eq!(e.message(), "duplicate row.names: x");
        let missing = [Some("x"), None, Some("y")].into_iter().collect();
        assert_code(store.frame(&[&v], &texts(&["a"]), Some(&missing)), Code::Argument);
        assert_code(store.frame(&[&v], &texts(&["a"]), Some(&texts(&["x", "y"]))), Code::Length);
        drop(l);
        let u = store.usage().unwrap();
        assert_eq!(u.temporaries, 0);
        assert_eq!(store.parents(&v).unwrap(), 0);
    });
}

#[test]
fn a_frame_has_its_names_and_shares_its_columns() {
    both(|store| {
        let v = create(store, None, 1, 2);
        let rows = texts(&["first", "a row whose name is long"]);
        let mut f = store.frame(&[&v, &v], &texts(&["a", "b"]), Some(&rows)).unwrap();
        store.commit(&mut f, Some("f"), false).unwrap();
        let f = store.open_name("f").unwrap().unwrap();
        let of = |role| {
            let child = Vector::Object(store.child(&f, role).unwrap().unwrap());
            let found = child.strings(0, child.len(), u64::MAX).unwrap();
            (0..found.len()).map(|i| found.get(i).unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(of(Role::Names), ["a", "b"]);
        assert_eq!(of(Role::RowNames), ["first", "a row whose name is long"]);
        assert_eq!(store.attributes(&f).unwrap().rows, Some(2));
        assert_eq!(store.list_get(&f, 0).unwrap().unwrap().serial(), v.serial());
        assert_eq!(store.parents(&v).unwrap(), 2);
        assert_code(store.destroy(&v, false), Code::Busy);
    });
}

#[test]
fn the_columns_that_nobody_else_has_end_with_their_frame() {
    both(|store| {
        let [own, shared] = [1, 2].map(|seed| create(store, None, seed, 5));
        let named = create(store, Some("named"), 3, 5);
        let f = kept(store, Some("f"), &[&own, &named, &shared]);
        let g = kept(store, Some("g"), &[&shared]);
        assert!(store.destroy(&f, false).unwrap());
        assert_eq!([&own, &named, &shared].map(lives), [false, true, true]);
        assert!(store.delete("g").unwrap());
        assert!(!lives(&shared) && !lives(&g));
        let h = kept(store, None, &[&named]);
        assert!(store.destroy_frame(&h, true).unwrap());
        assert!(!store.destroy_frame(&h, true).unwrap());
        assert!(!lives(&named));
        assert_code(store.destroy_frame(&create(store, None, 1, 1), true), Code::Type);
        assert_whole(store);
    });
}

/// A column that stands twice in its frame has two parents, and both are the frame.
#[test]
fn a_column_that_stands_twice_ends_once() {
    both(|store| {
        let v = create(store, None, 1, 5);
        let f = kept(store, None, &[&v, &v]);
        assert!(store.destroy(&f, true).unwrap());
        assert!(!lives(&v));
        assert_whole(store);
    });
}

/// A column that was given the name of its frame was destroyed with the frame, as one that has no name.
#[test]
fn a_column_that_takes_the_name_of_its_frame_outlives_it() {
    both(|store| {
        let [mut heir, other] = [1, 2].map(|seed| create(store, None, seed, 5));
        let f = kept(store, Some("f"), &[&other, &heir, &heir]);
        store.commit(&mut heir, Some("f"), true).unwrap();
        assert_eq!([&f, &other, &heir].map(lives), [false, false, true]);
        assert_eq!(store.open_name("f").unwrap().unwrap().serial(), heir.serial());
        assert_whole(store);
    });
}

#[test]
fn replacing_a_frame_ends_the_columns_it_had_and_leaves_those_of_the_new_one() {
    both(|store| {
        let [old, both, new] = [1, 2, 3].map(|seed| create(store, None, seed, 5));
        let f = kept(store, Some("f"), &[&old, &both]);
        let g = kept(store, Some("f"), &[&both, &new]);
        assert_eq!([&f, &old, &both, &new, &g].map(lives), [false, false, true, true, true]);
        // A frame that a list holds only loses its name, and keeps what it has.
        let mut l = store.list(LIST, &[Some(&g)]).unwrap();
        store.commit(&mut l, None, false).unwrap();
        let h = kept(store, Some("f"), &[&create(store, None, 4, 5)]);
        assert_eq!([&both, &new, &g, &h].map(lives), [true; 4]);
        assert_code(store.destroy(&g, false), Code::Busy);
        assert_whole(store);
    });
}

/// What a temporary frame shows may be what somebody else works with.
#[test]
fn a_temporary_frame_ends_no_column() {
    both(|store| {
        let v = create(store, None, 1, 5);
        let t = store.reserve(Dtype::Integer, 5, true).unwrap();
        assert!(store.destroy(&frame(store, &[&v, &t]), false).unwrap());
        assert!(lives(&v) && t.state() == ObjectState::Temporary);
        let last = kept(store, None, &[&v]);
        let pick = frame(store, &[&v]);
        assert!(store.destroy(&last, false).unwrap());
        assert!(lives(&v), "a temporary frame holds it");
        assert!(store.destroy_frame(&pick, true).unwrap());
        assert!(!lives(&v));
    });
}

fn ints(values: &[i32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

/// A frame of a column 10, 11, … and one of text, with row names if they are given.
fn table(store: &Store, n: i32, row_names: Option<&[&str]>) -> Handle {
    let numbers =
        store.create(Dtype::Integer, n as u64, &ints(&(10..10 + n).collect::<Vec<_>>()), None).unwrap();
    let text = Vector::Object(store.reserve(Dtype::Character, n as u64, true).unwrap());
    let list: Vec<String> = (10..10 + n).map(|i| format!("the text of row number {i}")).collect();
    text.write_strings(0, &list.iter().map(|s| Some(s.as_str())).collect()).unwrap();
    let Vector::Object(text) = text else { unreachable!() };
    store.frame(&[&numbers, &text], &texts(&["n", "text"]), row_names.map(texts).as_ref()).unwrap()
}

/// The numbers of a table, NA as −1, after checking that the other columns fit; and the row names.
fn shown(store: &Store, f: &Handle) -> (Vec<i32>, Option<Vec<String>>) {
    let rows = store.attributes(f).unwrap().rows.unwrap();
    let numbers = common::read(&store.list_get(f, 0).unwrap().unwrap()).unwrap();
    let numbers: Vec<i32> = numbers.as_chunks::<4>().0.iter().map(|b| i32::from_le_bytes(*b)).collect();
    let text = Vector::Object(store.list_get(f, 1).unwrap().unwrap());
    let text = text.strings(0, rows, u64::MAX).unwrap();
    assert_eq!((numbers.len() as u64, text.len() as u64), (rows, rows));
    for (i, n) in numbers.iter().enumerate() {
        let wanted = (*n != i32::MIN).then(|| format!("the text of row number {n}"));
        assert_eq!(text.get(i), wanted.as_deref());
    }
    let names = store.child(f, Role::RowNames).unwrap().map(|names| {
        let names = Vector::Object(names).strings(0, rows, u64::MAX).unwrap();
        (0..names.len()).map(|i| names.get(i).unwrap().to_owned()).collect()
    });
    (numbers.into_iter().map(|n| if n == i32::MIN { -1 } else { n }).collect(), names)
}

#[test]
fn rows_are_selected_in_every_column_and_named_apart() {
    both(|store| {
        let compact = table(store, 5, None);
        let named = table(store, 5, Some(&["a", "b", "c", "d", "e"]));
        let numbers = |list: &[f64]| {
            let bytes: Vec<u8> = list.iter().flat_map(|x| x.to_le_bytes()).collect();
            Vector::Object(store.create(Dtype::Numeric, list.len() as u64, &bytes, None).unwrap())
        };
        let na = f64::from_bits(0x7ff0_0000_0000_07a2);
        let pick = |f: &Handle, index: &Vector| {
            let made = store.select_rows(store, f, &Index::of(What::Vector(index))).unwrap();
            assert_eq!(made.state(), ObjectState::Temporary);
            shown(store, &made)
        };
        assert_eq!(pick(&compact, &numbers(&[3.0, 0.0])), (vec![13, 10], None));
        assert_eq!(pick(&compact, &numbers(&[na, 9.0, 1.0, 1.0])), (vec![-1, -1, 11, 11], None));
        let (rows, names) = pick(&named, &numbers(&[1.0, na, 1.0, 7.0, 1.0]));
        assert_eq!(rows, [11, -1, 11, -1, 11]);
        assert_eq!(names.unwrap(), ["b", "NA", "b.1", "NA.1", "b.2"]);
        let wanted = Vector::Object(store.reserve(Dtype::Character, 2, true).unwrap());
        wanted.write_strings(0, &texts(&["e", "nobody"])).unwrap();
        let (rows, names) = pick(&named, &wanted);
        assert_eq!((rows, names.unwrap()), (vec![14, -1], vec!["e".to_owned(), "NA".to_owned()]));
        let all = store.select_rows(store, &named, &Index::ALL).unwrap();
        assert_eq!(shown(store, &all).0, [10, 11, 12, 13, 14]);
        let r = store.select_rows(store, &compact, &Index::r(What::Vector(&numbers(&[-1.0, -5.0])))).unwrap();
        assert_eq!(shown(store, &r).0, [11, 12, 13]);
        let v = create(store, None, 1, 5);
        assert_code(store.select_rows(store, &v, &Index::ALL), Code::Type);
        let e = store.select_rows(store, &compact, &Index::of(What::Vector(&numbers(&[-1.0]))));
        assert_code(e, Code::Subscript);
    });
}

/// R gives a row of NA where the mask is NA.
#[test]
fn a_filter_drops_the_rows_of_which_nothing_is_known() {
    both(|store| {
        let n = 3000;
        let f = table(store, n, None);
        let mask = |f: &dyn Fn(i32) -> i32| {
            let values: Vec<i32> = (0..n).map(f).collect();
            Vector::Object(store.create(Dtype::Logical, n as u64, &ints(&values), None).unwrap())
        };
        let keep = |m: &Vector| shown(store, &store.filter_rows(store, &f, What::Vector(m)).unwrap()).0;
        let rule = |i: i32| [1, i32::MIN, 0, 1, i32::MIN][(i % 5) as usize];
        let wanted: Vec<i32> = (0..n).filter(|i| rule(*i) == 1).map(|i| i + 10).collect();
        assert_eq!(keep(&mask(&rule)), wanted);
        assert_eq!(keep(&mask(&|_| i32::MIN)), [0; 0]);
        assert_eq!(keep(&mask(&|_| 0)), [0; 0]);
        assert_eq!(keep(&mask(&|_| 1)).len(), n as usize);
        let short = Vector::Object(store.create(Dtype::Logical, 1, &ints(&[1]), None).unwrap());
        assert_code(store.filter_rows(store, &f, What::Vector(&short)), Code::Length);
        assert_code(store.filter_rows(store, &f, What::All), Code::Type);
    });
}

/// In an image of a crash a frame has all its columns or is not there; a column's end never comes before its frame's.
fn is_consistent(path: &Path, boot: [u8; 16], when: &str) {
    let store = open(path, &booted(boot));
    for change in [false, true] {
        if change {
            create(&store, Some("first change"), 9, 10);
        }
        for name in store.names().unwrap() {
            let f = store.open_name(&name).unwrap().unwrap();
            if f.facts().dtype != Dtype::List {
                continue;
            }
            assert_eq!(store.child(&f, Role::Names).unwrap().unwrap().facts().len, f.facts().len, "{when}");
            for i in 0..f.facts().len {
                let column = store.list_get(&f, i).unwrap_or_else(|e| panic!("{when}: {name} lost {i}: {e}"));
                assert_eq!(
                    column.unwrap().facts().len,
                    store.attributes(&f).unwrap().rows.unwrap(),
                    "{when}"
                );
            }
        }
    }
    store.close().unwrap();
}

#[test]
fn no_crash_leaves_a_frame_without_a_column() {
    for full in [false, true] {
        let dir = folder();
        let path = dir.path().join("lab.fm");
        open(&path, &booted(BOOT)).close().unwrap();
        let recorder = Recorder::new(None, (), 7);
        let store = open(&path, &OpenOptions { full, ..watched(recorder.clone()) });
        recorder.watch_all();
        recorder.capture(Capture::Always);
        let a = create(&store, None, 1, 5);
        let b = store.reserve(Dtype::Numeric, 5, true).unwrap();
        kept(&store, Some("f"), &[&a, &b]);
        store.sync().unwrap();
        let c = store.reserve(Dtype::Numeric, 5, true).unwrap();
        let g = kept(&store, Some("f"), &[&a, &c]);
        store.sync_object(&g).unwrap();
        kept(&store, Some("h"), &[&c]);
        store.destroy(&g, false).unwrap();
        store.sync().unwrap();
        store.delete("h").unwrap();
        let image = dir.path().join("image.fm");
        let mut looked_at = 0;
        for point in recorder.take_points() {
            let picks = [(Pick::New, BOOT), (Pick::Old, OTHER_BOOT), (Pick::New, OTHER_BOOT)];
            let from = looked_at * 7;
            let mixes = (0..4).map(|i| (Pick::Mix(from + i), OTHER_BOOT));
            for (pick, boot) in picks.into_iter().chain(mixes) {
                write_image(&point.disk, &image, pick);
                is_consistent(&image, boot, &format!("{pick:?} at {} (full: {full})", point.label));
                looked_at += 1;
            }
        }
        assert!(looked_at > 200);
    }
}
