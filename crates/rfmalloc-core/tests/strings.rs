//! Character vectors: every string comes back as it was written, in another process too, and nothing but a string ever comes back.

mod common;

use common::images::{Capture, Pick, Random, write_image};
use common::{BOOT, OTHER_BOOT, assert_code, assert_whole, booted, folder, open, read_only};
use rfmalloc_core::compute::Compare;
use rfmalloc_core::{Code, Dtype, Handle, Mode, OpenOptions, Store, Strings, TextOperand, Vector};
use rfmalloc_lab_crash::recorder::Recorder;

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

// ---- random work against a plain list

const WORDS: [&str; 8] = [
    "",
    "NA",
    "b",
    "exactly twelv",
    "twelve bytes",
    "ein Wörterbuch",
    "😀😀😀",
    "a rather long text, to be told from the others",
];

fn random_text(random: &mut Random) -> Option<String> {
    match random.below(12) {
        0 => None,
        1 => Some("x".repeat(random.below(3000) as usize)),
        k => Some(format!("{}{}", WORDS[k as usize % 8], random.below(100))),
    }
}

#[test]
fn random_work_is_that_of_a_plain_list() {
    for seed in 0..6 {
        let dir = folder();
        let path = dir.path().join("a.fm");
        let mut random = Random(seed);
        let n = 1 + random.below(300);
        let mut wanted: Vec<Option<String>> = (0..n).map(|_| random_text(&mut random)).collect();
        let mut store = open(&path, &booted(BOOT));
        let mut gap = common::create(&store, None, 1, 5000);
        let mut v = make(&store, &borrowed(&wanted), Some("v"));
        for step in 0..120 {
            let i = random.below(n);
            let m = 1 + random.below(n - i);
            match random.below(10) {
                0..=3 => {
                    wanted[i as usize] = random_text(&mut random);
                    v.set_string(i, wanted[i as usize].as_deref()).unwrap();
                }
                4..=5 => {
                    let list: Vec<_> = (0..m).map(|_| random_text(&mut random)).collect();
                    v.write_strings(i, &borrowed(&list).into_iter().collect()).unwrap();
                    wanted.splice(i as usize..(i + m) as usize, list);
                }
                6 => {
                    let text = random_text(&mut random);
                    v.fill_strings(i, i + m, text.as_deref()).unwrap();
                    wanted[i as usize..(i + m) as usize].fill(text);
                }
                7 => {
                    let from = random.below(n - m + 1);
                    v.copy_from(i, &v, from, m).unwrap();
                    let moved = wanted[from as usize..(from + m) as usize].to_vec();
                    wanted.splice(i as usize..(i + m) as usize, moved);
                }
                8 => {
                    assert!(store.destroy(&gap, true).unwrap());
                    store.compact(&mut |_, _| true).unwrap();
                    gap = common::create(&store, None, 1, 5000);
                }
                _ => {
                    // A kill, or a close.
                    if random.below(2) == 0 {
                        store.sync().unwrap();
                        let copy = common::copy(store.path(), &dir.path().join(format!("{step}.fm")));
                        drop(v);
                        store = open(&copy, &booted(BOOT));
                    } else {
                        drop(v);
                        store.close().unwrap();
                        store = open(store.path(), &booted(BOOT));
                    }
                    gap = store.open_id(0, 1).unwrap_or_else(|_| common::create(&store, None, 1, 5000));
                    v = found(&store, "v");
                }
            }
            if step % 10 == 0 {
                assert_same(&v, &wanted, &format!("seed {seed}, step {step}"));
                assert_text(&store);
            }
        }
        assert_same(&v, &wanted, &format!("seed {seed}"));
        assert_text(&store);
    }
}

/// Names the first string that differs: all of them would fill screens.
#[track_caller]
fn assert_same(v: &Vector, wanted: &[Option<String>], when: &str) {
    let found = all(v);
    assert_eq!(found.len(), wanted.len());
    if let Some(i) = (0..wanted.len()).find(|i| found[*i] != wanted[*i]) {
        panic!("{when}: element {i} is {:?}, not {:?}", found[i], wanted[i]);
    }
}

/// Verify finds nothing, every string looked at.
fn assert_text(store: &Store) {
    let faults = store.verify_payloads().unwrap().faults;
    assert!(faults.is_empty(), "{faults:?}");
}

// ---- seal, copies

#[test]
fn a_seal_covers_the_heap_and_a_copy_has_it() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let store = open(&path, &booted(BOOT));
    let items = kinds();
    let v = make(&store, &borrowed(&items), Some("v"));
    v.set_string(0, Some("another buffer of the heap is made for this text")).unwrap();
    v.set_string(0, Some("")).unwrap();
    let Vector::Object(mut h) = v else { panic!() };
    store.seal(&mut h).unwrap();
    let v = Vector::Object(h);
    assert_code(v.set_string(0, None), Code::Sealed);
    assert_code(v.fill_strings(0, 1, Some("a text that would go to the heap")), Code::Sealed);
    assert_text(&store);
    let to = dir.path().join("b.fm");
    assert!(store.compact_to(&to, &mut |_, _| true).unwrap());
    drop(v);
    store.close().unwrap();
    for path in [&path, &to] {
        let store = open(path, &read_only(BOOT));
        assert_eq!(all(&found(&store, "v")), items);
        assert_text(&store);
        store.close().unwrap();
        // Any byte of the heap that changes is noticed.
        let whole = common::file_bytes(path);
        let at = whole.windows(20).position(|w| w == b"long long long long ").unwrap();
        common::patch(path, at as u64 + 5000, b"L");
        let store = open(path, &read_only(BOOT));
        let faults = store.verify_payloads().unwrap().faults;
        assert!(faults.iter().any(|f| f.place == "payload"), "{faults:?}");
    }
}

/// Views and the bytes they speak of are copied one after the other: a string written in between was in the copy with its view and without
/// its bytes.
#[test]
fn a_copy_made_while_strings_are_written_has_whole_strings_or_is_refused() {
    let dir = folder();
    let store = open(&dir.path().join("a.fm"), &booted(BOOT));
    // Large enough that the control is asked between the pieces.
    let v = make(&store, &vec![Some("at first a string of some length"); 200_000], Some("v"));
    let w = make(&store, &[Some("short"); 3], Some("w"));
    let (mut copied, mut refused) = (0, 0);
    for round in 0..12u64 {
        let long = "y".repeat(if round % 3 == 0 { 3 << 20 } else { 40 });
        let to = dir.path().join(format!("{round}.fm"));
        let mut asked = 0;
        let done = store.compact_to(&to, &mut |_, _| {
            asked += 1;
            if asked % 2 == round % 2 {
                v.set_string((asked * 7919) % 200_000, Some(&long)).unwrap();
                w.set_string(round % 3, if round % 2 == 0 { None } else { Some(&long) }).unwrap();
            }
            true
        });
        match done {
            Ok(done) => {
                assert!(done);
                copied += 1;
                let copy = open(&to, &read_only(BOOT));
                assert_text(&copy);
                all(&found(&copy, "v"));
                all(&found(&copy, "w"));
            }
            Err(e) => {
                assert_eq!(e.code(), Code::Busy, "{e}");
                refused += 1;
            }
        }
    }
    assert!(copied > 0 && refused > 0, "{copied} copied, {refused} refused");
}

// ---- threads

/// Writers of several threads on the same elements, and readers of them: what is read was written, by somebody, whole.
#[test]
fn no_thread_ever_reads_what_nobody_wrote() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let store = open(&path, &booted(BOOT));
    let n = 40;
    let empty: Vec<Option<String>> = vec![Some(String::new()); n];
    drop(make(&store, &borrowed(&empty), Some("v")));
    // Each text tells who wrote it, and its end says the same as its start.
    let text = |t: u32, k: u32| {
        let word = format!("{t}.{k}");
        match k % 4 {
            0 => Some(format!("{word}:{word}")),
            1 => Some(word),
            2 => None,
            _ => Some(format!("{word}{}{word}", "-".repeat(k as usize % 700))),
        }
    };
    let is_whole = |s: &str| {
        let word: String = s.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
        s.is_empty() || (!word.is_empty() && s.ends_with(&word))
    };
    std::thread::scope(|s| {
        for t in 0..3 {
            let (path, text) = (&path, &text);
            s.spawn(move || {
                let store = open(path, &booted(BOOT));
                let v = found(&store, "v");
                for k in 0..1500 {
                    let i = u64::from(k * 7 + t) % 40;
                    if k % 50 == 0 {
                        let list: Vec<_> = (0..10).map(|j| text(t, k + j)).collect();
                        v.write_strings(i.min(30), &borrowed(&list).into_iter().collect()).unwrap();
                    } else {
                        v.set_string(i, text(t, k).as_deref()).unwrap();
                    }
                }
            });
        }
        for _ in 0..2 {
            s.spawn(|| {
                let store = open(&path, &booted(BOOT));
                let v = found(&store, "v");
                for _ in 0..400 {
                    let list = v.strings(0, n as u64, u64::MAX).unwrap();
                    for i in 0..n {
                        assert!(list.get(i).is_none_or(is_whole), "{:?}", list.get(i));
                    }
                }
            });
        }
        s.spawn(|| {
            let store = open(&path, &booted(BOOT));
            for _ in 0..20 {
                assert_text(&store);
                store.sync().unwrap();
            }
        });
    });
    assert_text(&store);
    let before = all(&found(&store, "v"));
    store.close().unwrap();
    assert_eq!(all(&found(&open(&path, &booted(BOOT)), "v")), before);
}

// ---- damage

/// Every bit of every view, of the heap's parts and of what names them: an error that says where, or the string that was written.
#[test]
fn every_flipped_bit_is_an_error_or_harmless() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    let items = vec![
        None,
        Some("inline".to_owned()),
        Some("a text that stands in the heap".to_owned()),
        Some("zwölf Bytes und einige mehr: ä€😀".to_owned()),
    ];
    let store = open(&path, &booted(BOOT));
    let v = make(&store, &borrowed(&items), Some("v"));
    let off = handle(&v).facts().off;
    drop(v);
    store.close().unwrap();
    let good = common::file_bytes(&path);
    let heap = good.windows(16).position(|w| w == b"<NA of rfmalloc>").unwrap() as u64;
    let mut found_in = [0u32; 2];
    for (part, from, nbytes) in [(0, off, 64), (1, heap, 96)] {
        for bit in 0..8 * nbytes {
            let at = from + bit / 8;
            common::patch(&path, at, &[good[at as usize] ^ 1 << (bit % 8)]);
            let store = open(&path, &read_only(BOOT));
            let v = found(&store, "v");
            for (i, text) in (0..).zip(&items) {
                let (read, hashed) = (v.string(i), v.hash_strings(i, &mut [0]));
                assert_eq!(
                    hashed.err().map(|e| e.code()),
                    read.as_ref().err().map(rfmalloc_core::Error::code),
                    "bit {bit} of {part}"
                );
                match read {
                    Ok(s) => {
                        // A bit of a text is the text's: no checksum stands over what may be written in place.
                        let is_text =
                            s.as_ref().is_some_and(|s| text.as_ref().is_some_and(|t| s.len() == t.len()))
                                || (part == 0 && s.is_some());
                        assert!(s == *text || is_text, "bit {bit} of {part}: {s:?} for {text:?}");
                    }
                    Err(e) => {
                        assert_eq!(e.code(), Code::Corrupt, "{e}");
                        assert!(e.details().iter().any(|(key, _)| *key == "offset"), "{e}");
                        found_in[part] += 1;
                        let faults = store.verify_payloads().unwrap().faults;
                        assert!(
                            faults.iter().any(|f| f.place == "payload" && f.off == off + 16 * i),
                            "{faults:?}"
                        );
                    }
                }
            }
            drop(v);
            drop(store);
            common::patch(&path, at, &[good[at as usize]]);
        }
    }
    assert!(found_in[0] > 200 && found_in[1] > 60, "{found_in:?}");
}

// ---- comparison

type Test = fn(std::cmp::Ordering) -> bool;

#[test]
fn comparison_is_that_of_the_bytes_and_of_na_none() {
    let dir = folder();
    let store = open(&dir.path().join("a.fm"), &booted(BOOT));
    let items = kinds();
    let n = items.len() as u64;
    let v = make(&store, &borrowed(&items), None);
    let out = Vector::Object(store.reserve(Dtype::Logical, n, true).unwrap());
    let ops: [(Compare, Test); 6] = [
        (Compare::Eq, std::cmp::Ordering::is_eq),
        (Compare::Ne, std::cmp::Ordering::is_ne),
        (Compare::Lt, std::cmp::Ordering::is_lt),
        (Compare::Le, std::cmp::Ordering::is_le),
        (Compare::Gt, std::cmp::Ordering::is_gt),
        (Compare::Ge, std::cmp::Ordering::is_ge),
    ];
    let answers = |out: &Vector| -> Vec<Option<bool>> {
        let Vector::Object(h) = out else { panic!() };
        let bytes = common::read(h).unwrap();
        let int = |b: &[u8]| i32::from_le_bytes(b.try_into().unwrap());
        bytes.chunks_exact(4).map(|b| (int(b) != i32::MIN).then_some(int(b) == 1)).collect()
    };
    let expect = |x: &Option<String>, y: &Option<String>, is: Test| {
        x.as_deref().zip(y.as_deref()).map(|(x, y)| is(x.as_bytes().cmp(y.as_bytes())))
    };
    for (op, is) in ops {
        for (k, y) in items.iter().enumerate() {
            let wanted: Vec<_> = items.iter().map(|x| expect(x, y, is)).collect();
            for operand in [TextOperand::One(y.as_deref()), TextOperand::Many(&v, k as u64, 1)] {
                v.compare_strings(op, (0, n), operand, &out).unwrap();
                assert_eq!(answers(&out), wanted, "{op:?} {k}");
            }
            let turned: Vec<_> = items.iter().map(|x| expect(y, x, is)).collect();
            v.compare_strings(op, (k as u64, 1), TextOperand::Many(&v, 0, n), &out).unwrap();
            assert_eq!(answers(&out), turned, "{op:?} {k}, turned");
        }
        // Each with another, the shorter side from its start again.
        v.compare_strings(op, (0, n), TextOperand::Many(&v, 2, 3), &out).unwrap();
        let wanted: Vec<_> = (0..items.len()).map(|i| expect(&items[i], &items[2 + i % 3], is)).collect();
        assert_eq!(answers(&out), wanted, "{op:?}");
    }
    v.missing_strings(0, &out).unwrap();
    assert_eq!(answers(&out), items.iter().map(|x| Some(x.is_none())).collect::<Vec<_>>());
    let short = Vector::Object(store.reserve(Dtype::Logical, 1, true).unwrap());
    assert_code(v.compare_strings(Compare::Eq, (0, n), TextOperand::One(None), &short), Code::Length);
    v.compare_strings(Compare::Eq, (0, 0), TextOperand::One(None), &make_empty(&store)).unwrap();
}

/// Equal text has one hash, wherever it stands and in whatever vector; different texts, and NA beside its own name and bytes, have others.
#[test]
fn equal_text_has_one_hash_and_na_its_own() {
    let dir = folder();
    let store = open(&dir.path().join("a.fm"), &booted(BOOT));
    let other = open(&dir.path().join("b.fm"), &booted(BOOT));
    let mut items = kinds();
    items.extend((0..3000).map(|i| Some(format!("{i:0width$}", width = 1 + i % 30))));
    items.push(Some("\0".to_owned()));
    let hashes = |v: &Vector, start: u64, n: usize| {
        let mut out = vec![0; n];
        v.hash_strings(start, &mut out).unwrap();
        out
    };
    let v = make(&store, &borrowed(&items), Some("v"));
    let mine = hashes(&v, 0, items.len());
    // The same texts backwards, twice, in another file: other places in another heap.
    let twice: Vec<_> = items.iter().rev().chain(items.iter().rev()).cloned().collect();
    let w = make(&other, &borrowed(&twice), Some("w"));
    let mut theirs = hashes(&w, 0, twice.len());
    assert_eq!(hashes(&w, 2040, 20), theirs[2040..2060]);
    theirs.reverse();
    assert_eq!(theirs[..items.len()], mine);
    assert_eq!(theirs[items.len()..], mine);
    let distinct: std::collections::HashSet<_> = items.iter().collect();
    let found: std::collections::HashSet<_> = mine.iter().collect();
    assert_eq!(found.len(), distinct.len(), "two of some thousand texts share a hash of 64 bits");
    v.hash_strings(v.len(), &mut []).unwrap();
    assert_code(v.hash_strings(1, &mut vec![0; items.len()]), Code::OutOfBounds);
    let numbers = Vector::Object(store.reserve(Dtype::Numeric, 1, true).unwrap());
    assert_code(numbers.hash_strings(0, &mut [0]), Code::Type);
}

fn make_empty(store: &Store) -> Vector {
    Vector::Object(store.reserve(Dtype::Logical, 0, true).unwrap())
}

// ---- crashes

/// What an element may be: everything it was since the last sync, and before that the last of all.
type Histories = Vec<Vec<Option<String>>>;

fn write_one(v: &Vector, histories: &mut Histories, i: usize, text: Option<&str>) {
    histories[i].push(text.map(str::to_owned));
    v.set_string(i as u64, text).unwrap();
}

/// What no sync covered may be torn, as all elements may: then it has the length and the beginning of one that was written.
fn may_be(found: Option<&str>, history: &[Option<String>]) -> bool {
    history.iter().any(|h| match (h.as_deref(), found) {
        (Some(h), Some(f)) => h == f || (h.len() > 12 && h.len() == f.len() && h[..4] == f[..4]),
        (h, f) => h == f,
    })
}

/// After a kill every string is the last one written; after a power cut every string that a sync covered and nobody has written since; any
/// other is one of those written, or an error.
#[test]
fn no_crash_makes_a_string_that_nobody_wrote() {
    let dir = folder();
    let path = dir.path().join("lab.fm");
    open(&path, &booted(BOOT)).close().unwrap();
    let recorder = Recorder::new(None, (Histories::new(), Histories::new()), 11);
    let store = open(&path, &common::watched(recorder.clone()));
    recorder.watch_all();
    let n = 12;
    let first: Vec<_> =
        (0..n).map(|i| (i % 3 > 0).then(|| "first and rather long ".repeat(1 + i % 3))).collect();
    let v = make(&store, &borrowed(&first), Some("v"));
    store.sync().unwrap();
    let synced = |h: &Histories| h.iter().map(|h| vec![h.last().unwrap().clone()]).collect::<Histories>();
    let mut now: Histories = first.iter().map(|t| vec![t.clone()]).collect();
    *recorder.book() = (now.clone(), now.clone());
    recorder.capture(Capture::Always);
    let mut random = Random(3);
    for step in 0..60 {
        let i = random.below(n as u64) as usize;
        let text = random_text(&mut random);
        let mut next = now.clone();
        next[i].push(text.clone());
        // What a crash inside the call may leave: the one or the other.
        recorder.book().1.clone_from(&next);
        write_one(&v, &mut now, i, text.as_deref());
        recorder.book().0.clone_from(&now);
        match step % 20 {
            9 => {
                store.sync().unwrap();
                now = synced(&now);
                *recorder.book() = (now.clone(), now.clone());
            }
            15 => {
                store.sync_object(handle(&v)).unwrap();
                now = synced(&now);
                *recorder.book() = (now.clone(), now.clone());
            }
            _ => {}
        }
        recorder.point("after a step");
    }
    let image = dir.path().join("image.fm");
    let mut looked_at = 0;
    for (k, point) in (0..).zip(recorder.take_points()) {
        let (done, begun) = &point.told;
        let picks = [
            (Pick::New, BOOT),
            (Pick::Old, OTHER_BOOT),
            (Pick::New, OTHER_BOOT),
            (Pick::Mix(k), OTHER_BOOT),
            (Pick::Mix(k + 1000), OTHER_BOOT),
        ];
        for (pick, boot) in picks {
            write_image(&point.disk, &image, pick);
            let store = open(&image, &booted(boot));
            let when = format!("{pick:?} at {}", point.label);
            let v = found(&store, "v");
            for i in 0..n {
                let found = match v.string(i as u64) {
                    Ok(found) => found,
                    Err(e) => {
                        assert_eq!(e.code(), Code::Corrupt, "{when}: {e}");
                        assert!(boot == OTHER_BOOT && begun[i].len() > 1, "{when}, element {i}: {e}");
                        continue;
                    }
                };
                let may = if boot == BOOT {
                    found == *done[i].last().unwrap() || found == *begun[i].last().unwrap()
                } else {
                    may_be(found.as_deref(), &begun[i])
                };
                let wanted = (&done[i], &begun[i]);
                assert!(may, "{when}, element {i}: {found:?}, but written were {wanted:?}");
            }
            // Writing goes on, and harms nothing that was there.
            let before: Vec<_> = (1..n).map(|i| v.string(i as u64).ok()).collect();
            for text in [Some("something new that goes to the heap"), None, Some("new")] {
                v.set_string(0, text).unwrap();
                assert_eq!(v.string(0).unwrap().as_deref(), text, "{when}");
            }
            assert_eq!((1..n).map(|i| v.string(i as u64).ok()).collect::<Vec<_>>(), before, "{when}");
            looked_at += 1;
        }
    }
    assert!(looked_at > 400, "{looked_at}");
}

// ---- garbage

/// Text that no view names any more is given back by a compaction, whenever the power fails meanwhile.
#[test]
fn compaction_gives_garbage_back_and_loses_no_string() {
    let dir = folder();
    let path = dir.path().join("a.fm");
    open(&path, &booted(BOOT)).close().unwrap();
    let recorder = Recorder::new(None, (), 5);
    let store = open(&path, &common::watched(recorder.clone()));
    recorder.watch_all();
    let text = |i: u64, round: u32| format!("text {i} of round {round}, which is long");
    let empty = vec![Some(String::new()); 100];
    let v = make(&store, &borrowed(&empty), Some("v"));
    v.fill_strings(50, 60, Some("a text that ten elements share, once in the heap")).unwrap();
    for round in 0..12 {
        for i in 0..50 {
            v.set_string(i, Some(&text(i, round))).unwrap();
        }
    }
    v.set_string(99, None).unwrap();
    let wanted = all(&v);
    store.sync().unwrap();
    let live = |store: &Store| {
        let u = store.usage().unwrap();
        u.live_bytes
    };
    let before = live(&store);
    recorder.capture(Capture::Always);
    store.compact(&mut |_, _| true).unwrap();
    let points = recorder.take_points();
    let after = live(&store);
    assert!(after < before / 3, "{after} of {before}");
    assert_eq!(all(&v), wanted);
    v.set_string(0, Some("and there is room for another text")).unwrap();
    assert_eq!(all(&v)[1..], wanted[1..]);
    assert_text(&store);
    assert!(points.len() > 20);
    let image = dir.path().join("image.fm");
    for (k, point) in (0..).zip(points) {
        let picks = [
            (Pick::New, BOOT),
            (Pick::Old, OTHER_BOOT),
            (Pick::Mix(k), OTHER_BOOT),
            (Pick::Mix(k + 99), OTHER_BOOT),
        ];
        for (pick, boot) in picks {
            write_image(&point.disk, &image, pick);
            let store = open(&image, &booted(boot));
            assert_same(&found(&store, "v"), &wanted, &format!("{pick:?} at {}", point.label));
            common::create(&store, None, 1, 1);
            let mut faults = store.verify_payloads().unwrap().faults;
            faults.retain(|f| f.place != "superblock");
            assert!(faults.is_empty(), "{pick:?} at {}: {faults:?}", point.label);
        }
    }
}
