//! Summaries of objects as works: begun here, run there. What must never happen: work that keeps an operand or a store after its end or its drop,
//! a close that waits for all of it, an answer of work that was cancelled.

mod common;

use common::{BOOT, booted, folder, open};
use rfmalloc_core::compute::{Context, Scalar, Summary, Watch};
use rfmalloc_core::{Amount, Answer, Code, Dtype, Given, Store, Value, Vector, Warnings, Work};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;

/// Elements of a chunk, after each of which a watch is asked.
const CHUNK: u64 = 65536;

/// Counts units and stops after some, or runs `then` once at the first.
struct Counter<F> {
    done: AtomicU64,
    most: u64,
    told: AtomicBool,
    then: F,
}

impl<F: Fn()> Counter<F> {
    fn new(most: u64, then: F) -> Self {
        Self { done: AtomicU64::new(0), most, told: AtomicBool::new(false), then }
    }
}

impl<F: Fn() + Sync> Watch for Counter<F> {
    fn is_cancelled(&self) -> bool {
        self.done.load(Ordering::Relaxed) >= self.most
    }
    fn done(&self, units: u64) {
        self.done.fetch_add(units, Ordering::Relaxed);
        if !self.told.swap(true, Ordering::Relaxed) {
            (self.then)();
        }
    }
}

fn integers(store: &Store, n: u64) -> Vector {
    Vector::Object(store.reserve(Dtype::Integer, n, true).unwrap())
}

fn texts(store: &Store, texts: &[Option<&str>]) -> Vector {
    let vector = Vector::Object(store.reserve(Dtype::Character, texts.len() as u64, true).unwrap());
    vector.write_strings(0, &texts.iter().copied().collect()).unwrap();
    vector
}

fn object(vector: &Vector) -> &rfmalloc_core::Handle {
    match vector {
        Vector::Object(h) => h,
        Vector::File(_) => panic!("an object"),
    }
}

#[test]
fn work_that_was_never_run_holds_its_operands_until_it_is_dropped() {
    let dir = folder();
    let store = open(&dir.path().join("s"), &booted(BOOT));
    let (x, names) = (integers(&store, 10), texts(&store, &[Some("b"), None]));
    let work = store.begin_summarise(Summary::Min, &[(&x).into(), (&names).into()], false).unwrap();
    assert_eq!(work.amount(), Amount { units: 12, nbytes: Some(10 * 4 + 2 * 16) });
    for vector in [&x, &names] {
        assert_eq!(store.destroy(object(vector), false).unwrap_err().code(), Code::Busy);
    }
    assert_eq!(work.finish().unwrap_err().code(), Code::Argument);
    for vector in [&x, &names] {
        assert!(store.destroy(object(vector), false).unwrap());
    }
}

#[test]
fn work_lets_its_operands_go_where_it_ran() {
    let dir = folder();
    let store = open(&dir.path().join("s"), &booted(BOOT));
    let (x, names) = (integers(&store, 3 * CHUNK), texts(&store, &[Some("b"), Some("a long string indeed")]));
    let mut work = store.begin_summarise(Summary::Range, &[(&x).into(), (&names).into()], false).unwrap();
    let mut stopped = store.begin_summarise(Summary::Sum, &[(&x).into()], false).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            assert!(work.run(&Context::default()).unwrap());
            let watch = Counter::new(CHUNK, || {});
            let ctx = Context { watch: &watch, threads: 1, ..Context::default() };
            assert!(!stopped.run(&ctx).unwrap(), "cancelled after a chunk");
            assert_eq!(watch.done.load(Ordering::Relaxed), CHUNK);
        });
    });
    assert!(store.destroy(object(&x), false).unwrap() && store.destroy(object(&names), false).unwrap());
    let text = |text: &str| Value::Text(Some(text.to_owned()));
    let expected =
        Answer { dtype: Dtype::Character, values: vec![text("0"), text("b")], warnings: Warnings::default() };
    assert_eq!(work.finish().unwrap(), expected);
    assert_eq!(stopped.finish().unwrap_err().code(), Code::Argument);
}

#[test]
fn a_close_ends_running_work_after_a_chunk_and_does_not_wait_for_its_result_to_be_taken() {
    let dir = folder();
    let (ours, theirs) = (dir.path().join("a"), dir.path().join("b"));
    for operand_closes in [true, false] {
        let (home, other) = (open(&ours, &booted(BOOT)), open(&theirs, &booted(BOOT)));
        let (x, y) = (integers(&home, 40 * CHUNK), integers(&other, 40 * CHUNK));
        let mut work = home.begin_summarise(Summary::Sum, &[(&x).into(), (&y).into()], false).unwrap();
        let (running, is_running) = mpsc::channel();
        let (go, went) = mpsc::channel::<()>();
        let went = std::sync::Mutex::new(went);
        let mut code = None;
        thread::scope(|scope| {
            let worker = scope.spawn(|| {
                // Stands still after its first chunk until the close has begun.
                let watch = Counter::new(u64::MAX, || {
                    running.send(()).unwrap();
                    let _ = went.lock().unwrap().recv();
                });
                let ctx = Context { watch: &watch, threads: 1, ..Context::default() };
                let code = work.run(&ctx).map_err(|e| e.code());
                (code, watch.done.load(Ordering::Relaxed))
            });
            is_running.recv().unwrap();
            let closing = if operand_closes { &other } else { &home };
            let closer = scope.spawn(move || closing.close());
            // A call that is refused says that the close has begun.
            let vector = if operand_closes { &y } else { &x };
            while vector.check_whole(0, 1, false).is_ok() {
                thread::yield_now();
            }
            drop(go);
            closer.join().unwrap().unwrap();
            code = Some(worker.join().unwrap());
        });
        let (result, done) = code.unwrap();
        assert_eq!(result, Err(Code::Closed));
        assert_eq!(done, CHUNK);
        assert_eq!(work.finish().unwrap_err().code(), Code::Argument);
    }
}

#[test]
fn a_vector_result_of_cancelled_work_gives_its_space_back() {
    let dir = folder();
    let store = open(&dir.path().join("s"), &booted(BOOT));
    let x = integers(&store, 4 * CHUNK);
    let before = store.usage().unwrap();
    let watch = Counter::new(CHUNK, || {});
    let ctx = Context { watch: &watch, threads: 1, ..Context::default() };
    let cancelled = store.math(&ctx, rfmalloc_core::compute::Math::ALL[0], (&x).into());
    assert_eq!(cancelled.map(|_| ()).unwrap_err().code(), Code::Argument);
    let after = store.usage().unwrap();
    assert_eq!((before.temporaries, before.temporary_bytes), (after.temporaries, after.temporary_bytes));
    assert!(store.destroy(object(&x), false).unwrap());
}

#[test]
fn text_goes_by_code_point_whatever_stands_beside_it() {
    let dir = folder();
    let store = open(&dir.path().join("s"), &booted(BOOT));
    let ctx = Context::default();
    let many: Vec<String> = (0..100_000)
        .map(|i| format!("{}{i}", if i % 3 == 0 { "x" } else { "a longer beginning " }))
        .collect();
    let mut all: Vec<Option<&str>> = many.iter().map(|s| Some(s.as_str())).collect();
    let x = texts(&store, &all);
    let ends =
        |x: &Vector, remove| store.summarise(&ctx, Summary::Range, &[x.into()], remove).unwrap().values;
    let text = |text: &str| Value::Text(Some(text.to_owned()));
    all.sort_unstable();
    assert_eq!(ends(&x, false), [text(all[0].unwrap()), text(all[99_999].unwrap())]);
    x.set_string(70_000, None).unwrap();
    assert_eq!(ends(&x, false), [Value::Text(None), Value::Text(None)]);
    x.set_string(70_000, Some("")).unwrap();
    x.set_string(3, Some("\u{10ffff}")).unwrap();
    assert_eq!(ends(&x, true), [text(""), text("\u{10ffff}")]);
    let nan = Given::Value(Dtype::Numeric, Scalar::Real(f64::NAN));
    let min =
        store.summarise(&ctx, Summary::Min, &[nan, (&texts(&store, &[Some("O")])).into()], false).unwrap();
    assert_eq!(min.values, [text("NaN")]);
    let min =
        store.summarise(&ctx, Summary::Min, &[nan, (&texts(&store, &[Some("O")])).into()], true).unwrap();
    assert_eq!(min.values, [text("O")]);
}

/// Says stop from its third answer on.
struct ThirdTime(AtomicU64);

impl Watch for ThirdTime {
    fn is_cancelled(&self) -> bool {
        self.0.fetch_add(1, Ordering::Relaxed) >= 2
    }
    fn done(&self, _: u64) {}
}

#[test]
fn long_strings_are_left_in_the_middle_of_a_chunk() {
    let dir = folder();
    let store = open(&dir.path().join("s"), &booted(BOOT));
    let long = "long".repeat(300_000);
    let x = Vector::Object(store.reserve(Dtype::Character, 100, true).unwrap());
    x.fill_strings(0, 100, Some(&long)).unwrap();
    for f in [Summary::Max, Summary::All] {
        let watch = ThirdTime(AtomicU64::new(0));
        let ctx = Context { watch: &watch, threads: 1, ..Context::default() };
        let mut work = store.begin_summarise(f, &[(&x).into()], false).unwrap();
        assert!(!work.run(&ctx).unwrap());
        assert_eq!(watch.0.load(Ordering::Relaxed), 3, "at the chunk's start, and after each string");
    }
    assert!(store.destroy(object(&x), false).unwrap());
}
