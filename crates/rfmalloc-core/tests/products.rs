//! Products against the dangers of being cut: bits that depend on threads or on the memory given, slabs added twice, a symmetric half forgotten,
//! NA that spreads too far, work that goes on after it was cancelled, a library of the user's that is none.

mod elements;

use elements::Memory;
use rfmalloc_core::compute::{
    Context, Dims, Operand, Product, Tiles, Watch, choose_matmul_backend, matmul_backend, matmul_backends,
    product, product_shape,
};
use rfmalloc_core::{Code, Dtype, na};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// Reproducible numbers.
fn numbers(seed: u64, n: usize) -> Vec<f64> {
    let mut state = seed;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1_u64 << 53) as f64 - 0.5
    };
    (0..n).map(|_| next()).collect()
}

fn bytes_of(x: &[f64]) -> Vec<u8> {
    x.iter().flat_map(|x| x.to_le_bytes()).collect()
}

fn reals(bytes: &[u8]) -> Vec<f64> {
    bytes.chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().expect("eight"))).collect()
}

/// A matrix with its extents; the other operand is itself if there is none.
struct Case<'c> {
    f: Product,
    dtype: Dtype,
    x: (&'c [f64], [u64; 2]),
    y: Option<(&'c [f64], [u64; 2])>,
}

impl Case<'_> {
    /// The result's elements, with so many threads and so much memory. None if it was cancelled.
    fn run(&self, ctx: &Context<'_>, memory: Option<u64>) -> Option<Vec<f64>> {
        let len = |dim: &[u64; 2]| dim[0] * dim[1];
        let mut mx = Memory::holding(self.dtype, &bytes_of(self.x.0), true);
        let x = Operand::new(self.dtype, mx.raw());
        let mut my = self.y.map(|(y, _)| Memory::holding(self.dtype, &bytes_of(y), false));
        let y = my.as_mut().map_or(x, |memory| Operand::new(self.dtype, memory.raw()));
        let y_dim = self.y.map_or(self.x.1, |(_, dim)| dim);
        let shape = product_shape(self.f, (self.dtype, &extents(&self.x.1)), (self.dtype, &extents(&y_dim)));
        let shape = shape.expect("conformable");
        let mut out = Memory::new(shape.dtype, len(&shape.dim), true);
        let tiles = memory.map(|memory| Tiles { memory, mapped: [false; 3] });
        let done = product(ctx, self.f, &x, &y, &shape, tiles, out.raw()).expect("defined");
        done.then(|| reals(&out.bytes()))
    }

    /// The result, the same for any number of threads and any memory.
    fn agreed(&self, what: &str) -> Vec<f64> {
        let mut first: Option<Vec<u64>> = None;
        for threads in [1, 3] {
            for memory in [None, Some(1), Some(1 << 20), Some(9 << 20), Some(1 << 40)] {
                let ctx = Context { threads, ..Context::default() };
                let got = self.run(&ctx, memory).expect("nobody cancels");
                let bits: Vec<u64> = got.iter().map(|x| x.to_bits()).collect();
                let want = first.get_or_insert_with(|| bits.clone());
                assert!(*want == bits, "{what}: {threads} threads in {memory:?} bytes differ");
            }
        }
        first.expect("run").into_iter().map(f64::from_bits).collect()
    }
}

/// One cell in twice the precision, by Dekker's products and Knuth's sums.
fn cell(terms: impl Iterator<Item = (f64, f64)>) -> (f64, f64) {
    let (mut hi, mut lo, mut size) = (0.0_f64, 0.0_f64, 0.0_f64);
    for (x, y) in terms {
        let p = x * y;
        let e = x.mul_add(y, -p);
        let s = hi + p;
        let bb = s - hi;
        lo += e + ((hi - (s - bb)) + (p - bb));
        hi = s;
        size += p.abs();
    }
    (hi + lo, size)
}

fn check(f: Product, [rows, inner, cols]: [usize; 3], same: bool) {
    let turned =
        |a: usize, b: usize, turn: bool| if turn { [b as u64, a as u64] } else { [a as u64, b as u64] };
    let (xd, yd) = (turned(rows, inner, f == Product::Cross), turned(inner, cols, f == Product::TCross));
    let (x, y) = (numbers(7, rows * inner), numbers(11, inner * cols));
    let y = if same { &x } else { &y };
    let what = format!("{f:?} {rows} x {inner} x {cols}");
    let case = Case { f, dtype: Dtype::Numeric, x: (&x, xd), y: (!same).then_some((&y[..], yd)) };
    let got = case.agreed(&what);
    let at = |x: &[f64], [down, _]: [u64; 2], turn: bool, i: usize, j: usize| {
        x[if turn { j + i * down as usize } else { i + j * down as usize }]
    };
    let step = (rows * cols / 500).max(1);
    for c in (0..rows * cols).step_by(step) {
        let (i, j) = (c % rows, c / rows);
        let terms = |p| (at(&x, xd, f == Product::Cross, i, p), at(y, yd, f == Product::TCross, p, j));
        let (want, size) = cell((0..inner).map(terms));
        assert!((got[c] - want).abs() <= size * 1e-14, "{what} [{i}, {j}]: {}, not {want}", got[c]);
        if same {
            assert_eq!(
                got[c].to_bits(),
                got[j + i * rows].to_bits(),
                "{what} is not symmetric at [{i}, {j}]"
            );
        }
    }
}

#[test]
fn any_number_of_threads_and_any_memory_give_the_same_bits() {
    for f in [Product::Plain, Product::Cross, Product::TCross] {
        check(f, [1, 1, 1], false);
        check(f, [5, 3000, 3], false);
        check(f, [300, 1100, 270], false);
        check(f, [2100, 40, 1], false);
        check(f, [1, 40, 2100], false);
        check(f, [1, 140_000, 1], false);
    }
    check(Product::Cross, [64, 20_000, 64], true);
    check(Product::Cross, [300, 3000, 300], true);
    check(Product::TCross, [300, 70, 300], true);
    check(Product::TCross, [700, 3, 700], true);
}

fn extents(dim: &[u64; 2]) -> Dims<'_> {
    Dims { len: dim[0] * dim[1], dim: Some(&dim[..]), ..Dims::default() }
}

/// Elements of a type as the bytes of a vector, and the same as complex numbers.
fn elements_of(dtype: Dtype, seed: u64, n: usize, na_at: Option<usize>) -> (Vec<u8>, Vec<[f64; 2]>) {
    let x = numbers(seed, 2 * n);
    let whole = |i: usize| (x[i] * 2000.0) as i32;
    match dtype {
        Dtype::Integer | Dtype::Logical => {
            let of = |i| if dtype == Dtype::Logical { whole(i) & 1 } else { whole(i) };
            let mut ints: Vec<i32> = (0..n).map(of).collect();
            let mut reals: Vec<[f64; 2]> = ints.iter().map(|x| [f64::from(*x), 0.0]).collect();
            if let Some(at) = na_at {
                (ints[at], reals[at]) = (i32::MIN, [na::na_real(), 0.0]);
            }
            (ints.iter().flat_map(|x| x.to_le_bytes()).collect(), reals)
        }
        Dtype::Numeric => (bytes_of(&x[..n]), x[..n].iter().map(|x| [*x, 0.0]).collect()),
        _ => (bytes_of(&x), x.chunks_exact(2).map(|z| [z[0], z[1]]).collect()),
    }
}

/// Operands of a smaller type were converted whole, however little memory was given. Converted tile by tile they must be the same numbers, NA among
/// them, in the same places.
#[test]
fn operands_of_every_type_are_those_numbers_whatever_memory_is_given() {
    let types = [Dtype::Logical, Dtype::Integer, Dtype::Numeric, Dtype::Complex];
    let (rows, inner, cols) = (70, 5000, 30);
    for (f, xd, yd) in [
        (Product::Plain, [rows, inner], [inner, cols]),
        (Product::Cross, [inner, rows], [inner, cols]),
        (Product::TCross, [rows, inner], [cols, inner]),
    ] {
        for (xt, yt) in types.iter().flat_map(|x| types.iter().map(move |y| (*x, *y))) {
            let na_at = (xt == Dtype::Integer).then_some(3 * inner + 7);
            let (x, as_x) = elements_of(xt, 5, rows * inner, na_at);
            let (y, as_y) = elements_of(yt, 9, inner * cols, None);
            let wide = xt == Dtype::Complex || yt == Dtype::Complex;
            let of = |z: &[[f64; 2]]| -> Vec<u8> {
                z.iter()
                    .flat_map(|z| z[..if wide { 2 } else { 1 }].iter().flat_map(|x| x.to_le_bytes()))
                    .collect()
            };
            let dtype = if wide { Dtype::Complex } else { Dtype::Numeric };
            let run = |(xt, x): (Dtype, &[u8]), (yt, y): (Dtype, &[u8]), memory: Option<u64>| {
                let (mut mx, mut my) = (Memory::holding(xt, x, true), Memory::holding(yt, y, false));
                let (xd, yd) = (xd.map(|n| n as u64), yd.map(|n| n as u64));
                let shape = product_shape(f, (xt, &extents(&xd)), (yt, &extents(&yd))).expect("conformable");
                assert_eq!(shape.dtype, dtype);
                let mut out = Memory::new(dtype, (rows * cols) as u64, true);
                let (x, y) = (Operand::new(xt, mx.raw()), Operand::new(yt, my.raw()));
                let tiles = memory.map(|memory| Tiles { memory, mapped: [false; 3] });
                let done = product(&Context::default(), f, &x, &y, &shape, tiles, out.raw());
                assert!(done.expect("defined"), "nobody cancels");
                out.bytes()
            };
            let want = run((dtype, &of(&as_x)), (dtype, &of(&as_y)), None);
            for memory in [None, Some(1), Some(1 << 20), Some(1 << 40)] {
                let got = run((xt, &x), (yt, &y), memory);
                assert!(got == want, "{f:?} of {xt:?} and {yt:?} in {memory:?} bytes");
            }
        }
    }
}

#[test]
fn empty_extents_give_zeros_or_nothing() {
    for (rows, inner, cols) in [(0, 3, 2), (3, 0, 2), (3, 2, 0), (0, 0, 0)] {
        let (x, y) = (vec![1.0; rows * inner], vec![1.0; inner * cols]);
        let case = Case {
            f: Product::Plain,
            dtype: Dtype::Numeric,
            x: (&x, [rows as u64, inner as u64]),
            y: Some((&y, [inner as u64, cols as u64])),
        };
        assert_eq!(case.agreed("empty"), vec![0.0; rows * cols]);
    }
    let none = Case { f: Product::Cross, dtype: Dtype::Numeric, x: (&[], [0, 3]), y: None };
    assert_eq!(none.agreed("crossprod of 0 x 3"), vec![0.0; 9]);
}

#[test]
fn na_and_nan_reach_their_rows_and_columns_and_no_other_cell() {
    let (rows, inner, cols) = (70, 5000, 40);
    let (mut x, mut y) = (numbers(3, rows * inner), numbers(5, inner * cols));
    x[7 + 4000 * rows] = na::na_real();
    x[9 + 2 * rows] = f64::NAN;
    x[11 + 3 * rows] = f64::INFINITY;
    y[3 + 20 * inner] = na::na_real();
    let case = Case {
        f: Product::Plain,
        dtype: Dtype::Numeric,
        x: (&x, [rows as u64, inner as u64]),
        y: Some((&y, [inner as u64, cols as u64])),
    };
    let got = case.agreed("with NA");
    for (c, got) in got.into_iter().enumerate() {
        match (c % rows, c / rows) {
            (7, _) | (_, 20) => assert!(na::is_na(got), "cell {c} is {got}"),
            (9, _) => assert!(got.is_nan() && !na::is_na(got), "cell {c} is {got}"),
            (11, _) => assert!(got.is_infinite(), "cell {c} is {got}"),
            _ => assert!(got.is_finite(), "cell {c} is {got}"),
        }
    }
    let gram =
        Case { f: Product::TCross, dtype: Dtype::Numeric, x: (&x, [rows as u64, inner as u64]), y: None };
    let got = gram.agreed("with NA, by itself");
    assert!((0..rows).all(|i| na::is_na(got[7 + i * rows]) && na::is_na(got[i + 7 * rows])));
    assert!(got[10 + 12 * rows].is_finite());
}

#[test]
fn complex_products_are_those_of_their_parts() {
    let (rows, inner, cols) = (33, 1500, 21);
    let (x, y) = (numbers(13, 2 * rows * inner), numbers(17, 2 * inner * cols));
    let case = Case {
        f: Product::Plain,
        dtype: Dtype::Complex,
        x: (&x, [rows as u64, inner as u64]),
        y: Some((&y, [inner as u64, cols as u64])),
    };
    let got = case.agreed("complex");
    for c in (0..rows * cols).step_by(7) {
        let (i, j) = (c % rows, c / rows);
        let (a, b) = (|p: usize| 2 * (i + p * rows), |p: usize| 2 * (p + j * inner));
        let (re, size) = cell((0..inner).flat_map(|p| [(x[a(p)], y[b(p)]), (-x[a(p) + 1], y[b(p) + 1])]));
        let (im, _) = cell((0..inner).flat_map(|p| [(x[a(p)], y[b(p) + 1]), (x[a(p) + 1], y[b(p)])]));
        assert!((got[2 * c] - re).hypot(got[2 * c + 1] - im) <= size * 1e-14, "cell {c}");
    }
}

/// One NA once made every cell of a complex product be summed term by term, hundreds of times slower.
#[test]
fn na_in_complex_reaches_its_row_and_column_and_leaves_the_others_bits() {
    let (rows, inner, cols) = (33, 1500, 21);
    let (mut x, mut y) = (numbers(13, 2 * rows * inner), numbers(17, 2 * inner * cols));
    let product = |x: &[f64], y: &[f64]| {
        Case {
            f: Product::Plain,
            dtype: Dtype::Complex,
            x: (x, [rows as u64, inner as u64]),
            y: Some((y, [inner as u64, cols as u64])),
        }
        .agreed("complex with NA")
    };
    let plain = product(&x, &y);
    x[2 * (7 + 900 * rows)] = na::na_real();
    x[2 * (9 + 20 * rows) + 1] = f64::NAN;
    y[2 * (3 + 5 * inner) + 1] = na::na_real();
    let got = product(&x, &y);
    for (c, (got, plain)) in got.chunks(2).zip(plain.chunks(2)).enumerate() {
        match (c % rows, c / rows) {
            (7, _) | (_, 5) => assert!(got.iter().all(|&part| na::is_na(part)), "cell {c} is {got:?}"),
            (9, _) => {
                assert!(got.iter().all(|part| part.is_nan() && !na::is_na(*part)), "cell {c} is {got:?}");
            }
            _ => assert_eq!(got, plain, "cell {c}"),
        }
    }
}

struct StopAfter(AtomicU64, u64);

impl Watch for StopAfter {
    fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= self.1
    }
    fn done(&self, units: u64) {
        self.0.fetch_add(units, Ordering::Relaxed);
    }
}

#[test]
fn a_cancelled_product_stops_and_progress_counts_every_tile_once() {
    let x = numbers(19, 300 * 5000);
    for (f, dim) in
        [(Product::Cross, [5000, 300]), (Product::TCross, [5000, 300]), (Product::Cross, [50_000, 30])]
    {
        let case = Case { f, dtype: Dtype::Numeric, x: (&x, dim), y: None };
        let dims = Dims { len: dim[0] * dim[1], dim: Some(&dim), ..Dims::default() };
        let numeric = (Dtype::Numeric, &dims);
        let total = product_shape(f, numeric, numeric).expect("conformable").tiles(true);
        for memory in [None, Some(1 << 20)] {
            let watch = StopAfter(AtomicU64::new(0), u64::MAX);
            case.run(&Context { threads: 2, watch: &watch, ..Context::default() }, memory)
                .expect("nobody cancels");
            assert_eq!(watch.0.load(Ordering::Relaxed), total);
            let watch = StopAfter(AtomicU64::new(0), 1);
            assert_eq!(case.run(&Context { threads: 2, watch: &watch, ..Context::default() }, memory), None);
            assert!(watch.0.load(Ordering::Relaxed) <= 3, "work went on after the stop");
        }
    }
}

/// The choice is the process's: tests that change it take turns.
static CHOICE: Mutex<()> = Mutex::new(());

#[test]
fn an_unknown_backend_is_an_error_and_the_choice_stays() {
    let _turn = CHOICE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    choose_matmul_backend("").expect("built in");
    for name in ["no-such-library.so", "libm.so.6", "a\0b"] {
        let refused = choose_matmul_backend(name).expect_err("no BLAS");
        assert_eq!(refused.code(), Code::NotFound, "{name}");
        assert_eq!(matmul_backend(), "blas");
    }
    assert!(matmul_backends().contains(&"blas".to_owned()));
}

/// With Debian's libopenblas0, libopenblas64-0, libblas3 or libblis4 where one is installed, or what `RFMALLOC_TEST_BLAS` names (with `:` between).
#[test]
fn a_library_of_the_users_multiplies_finite_doubles_and_nothing_else() {
    let _turn = CHOICE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let named = std::env::var("RFMALLOC_TEST_BLAS");
    let usual = "libopenblas.so.0:libopenblas64.so.0:libblas.so.3:libblis.so.4";
    let names = named.as_deref().unwrap_or(usual);
    let mut found = 0;
    for name in names.split(':') {
        if let Err(refused) = choose_matmul_backend(name) {
            assert!(named.is_err(), "{name} was named: {refused}");
            continue;
        }
        found += 1;
        assert_eq!(matmul_backend(), name);
        assert!(matmul_backends().contains(&name.to_owned()));
        for f in [Product::Plain, Product::Cross, Product::TCross] {
            check_with(f, [40, 1200, 30]);
            check_with(f, [1, 3000, 30]);
            check_with(f, [1100, 5, 1]);
        }
        let mut x = numbers(3, 6000);
        x[4500] = na::na_real();
        x[0] = 0.0;
        let case = Case { f: Product::Cross, dtype: Dtype::Numeric, x: (&x, [2000, 3]), y: None };
        let got = case.run(&Context::default(), None).expect("nobody cancels");
        let missing: Vec<bool> = got.iter().map(|x| na::is_na(*x)).collect();
        assert_eq!(missing, [false, false, true, false, false, true, true, true, true]);
    }
    choose_matmul_backend("blas").expect("built in");
    if found == 0 {
        eprintln!("skipped: none of {names} is installed");
    }
}

fn check_with(f: Product, [rows, inner, cols]: [usize; 3]) {
    let (x, y) = (numbers(7, rows * inner), numbers(11, inner * cols));
    let turned =
        |a: usize, b: usize, turn: bool| if turn { [b as u64, a as u64] } else { [a as u64, b as u64] };
    let (xd, yd) = (turned(rows, inner, f == Product::Cross), turned(inner, cols, f == Product::TCross));
    let case = Case { f, dtype: Dtype::Numeric, x: (&x, xd), y: Some((&y, yd)) };
    let got = case.run(&Context::default(), None).expect("nobody cancels");
    for (c, got) in got.into_iter().enumerate() {
        let (i, j) = (c % rows, c / rows);
        let at = |p: usize| {
            let x = x[if f == Product::Cross { p + i * inner } else { i + p * rows }];
            (x, y[if f == Product::TCross { j + p * cols } else { p + j * inner }])
        };
        let (want, size) = cell((0..inner).map(at));
        assert!((got - want).abs() <= size * 1e-14, "{f:?} [{i}, {j}]: {got}, not {want}");
    }
}
