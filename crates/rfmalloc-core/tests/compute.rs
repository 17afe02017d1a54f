//! The engine against dangers that R's small cases do not reach: results that depend on threads, instruction sets, alignment or the place in a
//! block; NA lost in a vector register; recycling across block borders; work that goes on after it was cancelled.

mod elements;

use elements::Memory;
use rfmalloc_core::compute::{
    Arith, Binary, Compare, Context, Cumulative, Dims, Fused, Isa, Logic, Margin, Math, Math2, Missing,
    Operand, Product, Scalar, Step, Summary, Unary, Watch, binary, binary_type, cumulate, cumulative_type,
    margin, margin_shape, math, math_type, math2, missing, product, product_shape, summary, summary_of,
    unary,
};
use rfmalloc_core::{Dtype, Warnings, na};
use std::sync::atomic::{AtomicU64, Ordering};

/// A reproducible source of numbers (xorshift).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn real(&mut self) -> f64 {
        let x = (self.unit() - 0.5) * 10f64.powi((self.next() % 13) as i32 - 6);
        if self.next().is_multiple_of(5) { x.round() } else { x }
    }
}

fn bytes_of(x: &[f64]) -> Vec<u8> {
    x.iter().flat_map(|x| x.to_bits().to_le_bytes()).collect()
}

fn bytes_of_ints(x: &[i32]) -> Vec<u8> {
    x.iter().flat_map(|x| x.to_le_bytes()).collect()
}

fn reals(bytes: &[u8]) -> Vec<f64> {
    bytes.chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().expect("eight"))).collect()
}

fn ints(bytes: &[u8]) -> Vec<i32> {
    bytes.chunks_exact(4).map(|b| i32::from_le_bytes(b.try_into().expect("four"))).collect()
}

/// Every way an operation may be run that must not show in its result.
fn ways() -> Vec<(Context<'static>, bool)> {
    let mut out = Vec::new();
    for isa in Isa::ALL.into_iter().filter(|isa| isa.available()) {
        for (threads, odd) in [(1, false), (2, true), (3, false)] {
            out.push((Context { isa, threads, ..Context::default() }, odd));
        }
    }
    out
}

/// Runs `f` in every way and checks that all agree; gives the bytes.
fn agreed(what: &str, f: impl Fn(&Context<'_>, bool) -> Vec<u8>) -> Vec<u8> {
    let mut first: Option<Vec<u8>> = None;
    for (ctx, odd) in ways() {
        let got = f(&ctx, odd);
        let want = first.get_or_insert_with(|| got.clone());
        assert!(*want == got, "{what}: {} with {} threads differs", ctx.isa, ctx.threads);
    }
    first.expect("at least one way")
}

const LENGTHS: [usize; 7] = [0, 1, 17, 2047, 2049, 65_537, 131_073];

fn elementwise(
    ctx: &Context<'_>,
    odd: bool,
    dtype: Dtype,
    bytes: &[u8],
    out: Dtype,
    f: impl Fn(&Context<'_>, &Operand, rfmalloc_core::RawBytes) -> rfmalloc_core::Result<Option<Warnings>>,
) -> Vec<u8> {
    let mut x = Memory::holding(dtype, bytes, odd);
    let mut to = Memory::new(out, bytes.len() as u64 / dtype.width(), odd);
    let operand = Operand::new(dtype, x.raw());
    f(ctx, &operand, to.raw()).expect("defined").expect("nobody cancels");
    to.bytes()
}

#[test]
fn functions_of_one_argument_do_not_depend_on_the_way_they_are_run() {
    let mut dice = Dice(7);
    for len in LENGTHS {
        let mut x: Vec<f64> = (0..len).map(|_| dice.real()).collect();
        for (i, odd) in [na::na_real(), f64::NAN, f64::INFINITY, -0.0, 5e-324, 1e300].into_iter().enumerate()
        {
            if let Some(at) = len.checked_sub(i * 37 + 1) {
                x[at] = odd;
            }
        }
        let bytes = bytes_of(&x);
        let fast =
            [Math::Abs, Math::Sqrt, Math::Floor, Math::Exp, Math::Log, Math::Sin, Math::Cos, Math::Sign];
        let every = if len <= 2049 { &Math::ALL[..] } else { &fast };
        for &f in every {
            let out = math_type(f, Dtype::Numeric).expect("defined");
            let got = agreed(f.name(), |ctx, odd| {
                elementwise(ctx, odd, Dtype::Numeric, &bytes, out, |c, x, o| math(c, f, x, o))
            });
            for (x, y) in x.iter().zip(reals(&got)) {
                assert!(
                    !x.is_nan() || (y.is_nan() && na::is_na(*x) == na::is_na(y)),
                    "{}({x}) is {y}",
                    f.name()
                );
            }
        }
        for f in [Cumulative::Sum, Cumulative::Prod, Cumulative::Max, Cumulative::Min] {
            let out = cumulative_type(f, Dtype::Numeric, len as u64).expect("defined");
            agreed("cumulative", |ctx, odd| {
                elementwise(ctx, odd, Dtype::Numeric, &bytes, out, |c, x, o| cumulate(c, f, x, o))
            });
        }
    }
}

/// The running sums of whole numbers, and of what is not finite among them, by the plain loop.
fn running_sums(x: &[f64]) -> Vec<f64> {
    let (mut total, mut odd) = (0.0, None::<f64>);
    x.iter()
        .map(|&x| {
            if x.is_finite() {
                total += x;
            } else {
                let na = na::is_na(x) || odd.is_some_and(na::is_na);
                odd = Some(if na { na::na_real() } else { odd.unwrap_or(0.0) + x });
            }
            odd.unwrap_or(total)
        })
        .collect()
}

/// Running sums are cut into runs, strips and chunks: a wrong start of one shows in all that follows.
#[test]
fn running_sums_go_on_across_runs_strips_and_chunks() {
    let mut dice = Dice(11);
    let lens =
        [127, 128, 129, 255, 1023, 1024, 1025, 1152, 1153, 2047, 3200, 65_535, 65_536, 65_665, 200_001];
    for len in lens {
        let whole: Vec<f64> = (0..len).map(|_| (dice.unit() * 2e6).floor() - 1e6).collect();
        let mut cases = vec![whole.clone()];
        for at in [0, 1, 127, 128, 700, 1023, 1024, len / 2, len - 1] {
            for odd in [na::na_real(), f64::NAN, f64::INFINITY] {
                let mut x = whole.clone();
                x[at.min(len - 1)] = odd;
                // Later ones meet it.
                x[(at + 1500).min(len - 1)] = [f64::NEG_INFINITY, na::na_real()][at % 2];
                cases.push(x);
            }
        }
        for x in cases {
            let bytes = bytes_of(&x);
            let got = agreed("cumsum", |ctx, odd| {
                elementwise(ctx, odd, Dtype::Numeric, &bytes, Dtype::Numeric, |c, x, o| {
                    cumulate(c, Cumulative::Sum, x, o)
                })
            });
            for (i, (y, want)) in reals(&got).into_iter().zip(running_sums(&x)).enumerate() {
                let same = if want.is_nan() {
                    y.is_nan() && na::is_na(y) == na::is_na(want)
                } else {
                    y.to_bits() == (want + 0.0).to_bits()
                };
                assert!(same, "running sum {i} of {len} is {y}, not {want}");
            }
        }
    }
}

/// A run's own total may leave double's range where no running sum does; and a running sum that leaves it comes back.
#[test]
fn running_sums_beyond_the_range_come_back() {
    let big = f64::MAX / 4.0;
    for (len, at) in [(1024, 128), (4096, 2048), (70_000, 65_536)] {
        let mut x = vec![0.0; len];
        x[..3].fill(-big);
        x[at..at + 6].fill(big);
        x[len - 6..].fill(-big);
        let bytes = bytes_of(&x);
        let got = agreed("cumsum", |ctx, odd| {
            elementwise(ctx, odd, Dtype::Numeric, &bytes, Dtype::Numeric, |c, x, o| {
                cumulate(c, Cumulative::Sum, x, o)
            })
        });
        let y = reals(&got);
        assert_eq!((y[at - 1], y[at + 2], y[at + 5], y[len - 1]), (-3.0 * big, 0.0, 3.0 * big, -3.0 * big));
    }
}

fn scalar_bytes(values: &[Scalar]) -> Vec<u8> {
    let mut out = Vec::new();
    for value in values {
        match *value {
            Scalar::Int(x) => out.extend(x.to_le_bytes()),
            Scalar::Real(x) => out.extend(x.to_bits().to_le_bytes()),
            Scalar::Complex(z) => out.extend(bytes_of(&z)),
            Scalar::Raw(x) => out.push(x),
        }
    }
    out
}

#[test]
fn summaries_do_not_depend_on_the_way_they_are_run() {
    let mut dice = Dice(11);
    for len in LENGTHS {
        let clean: Vec<f64> = (0..len).map(|_| dice.real()).collect();
        let mut missing = clean.clone();
        for at in (0..len).step_by(997) {
            missing[at] = if at % 2 == 0 { na::na_real() } else { f64::NAN };
        }
        let whole: Vec<i32> = (0..len).map(|_| (dice.next() as i32).max(-i32::MAX)).collect();
        for f in [Summary::Sum, Summary::Mean, Summary::Prod, Summary::Range, Summary::Any, Summary::All] {
            for (dtype, bytes) in [
                (Dtype::Numeric, bytes_of(&clean)),
                (Dtype::Numeric, bytes_of(&missing)),
                (Dtype::Integer, bytes_of_ints(&whole)),
            ] {
                for remove in [false, true] {
                    agreed("summary", |ctx, odd| {
                        let mut x = Memory::holding(dtype, &bytes, odd);
                        let out = summary(ctx, f, &[Operand::new(dtype, x.raw())], remove).expect("defined");
                        scalar_bytes(&out.expect("nobody cancels").values)
                    });
                }
            }
        }
    }
}

/// Both margins against sums of each row's and column's own elements.
#[test]
fn margins_are_the_sums_of_their_elements_in_every_shape() {
    let mut dice = Dice(13);
    for (rows, cols) in [
        (1, 1),
        (0, 3),
        (3, 0),
        (1, 3000),
        (3000, 1),
        (1023, 67),
        (1025, 66),
        (5, 9000),
        (66_001, 2),
        (40, 40),
    ] {
        let mut x: Vec<f64> = (0..rows * cols).map(|_| dice.real()).collect();
        // Bands as many as need no groups of columns: for that path alone.
        let large = rows * cols > 70_000;
        if rows * cols > 100 {
            x[rows * cols / 2] = na::na_real();
            x[rows * cols / 3] = f64::INFINITY;
        }
        let bytes = bytes_of(&x);
        for remove in [false, true] {
            for f in [
                Margin::RowSums,
                Margin::ColSums,
                Margin::RowMeans,
                Margin::ColMeans,
                Margin::RowVars,
                Margin::ColVars,
            ] {
                if large && !matches!(f, Margin::RowSums | Margin::RowVars) {
                    continue;
                }
                let shape =
                    margin_shape(f, Dtype::Numeric, Some(&[rows as u64, cols as u64]), 1).expect("a matrix");
                let got = reals(&agreed("margin", |ctx, odd| {
                    let mut x = Memory::holding(Dtype::Numeric, &bytes, odd);
                    let mut out = Memory::new(Dtype::Numeric, shape.len, odd);
                    assert!(
                        margin(ctx, f, &Operand::new(Dtype::Numeric, x.raw()), &shape, remove, out.raw())
                            .expect("defined")
                    );
                    out.bytes()
                }));
                let by_rows = matches!(f, Margin::RowSums | Margin::RowMeans | Margin::RowVars);
                for (i, got) in got.into_iter().enumerate() {
                    let line: Vec<f64> = if by_rows {
                        (0..cols).map(|c| x[c * rows + i]).collect()
                    } else {
                        x[i * rows..(i + 1) * rows].to_vec()
                    };
                    check_margin(f, &line, remove, got);
                }
            }
        }
    }
}

fn check_margin(f: Margin, line: &[f64], remove: bool, got: f64) {
    let kept: Vec<f64> = line.iter().copied().filter(|x| !(remove && x.is_nan())).collect();
    if kept.iter().any(|x| x.is_nan()) {
        assert!(na::is_na(got), "{f:?}: {got}, not NA");
        return;
    }
    let n = kept.len() as f64;
    let sum: f64 = kept.iter().sum();
    let want = match f {
        Margin::RowSums | Margin::ColSums => sum,
        Margin::RowMeans | Margin::ColMeans => sum / n,
        _ => kept.iter().map(|x| (x - sum / n).powi(2)).sum::<f64>() / (n - 1.0),
    };
    if matches!(f, Margin::RowVars | Margin::ColVars) && kept.len() < 2 {
        assert!(na::is_na(got));
    } else if want.is_finite() {
        let size: f64 = kept.iter().map(|x| x.abs()).fold(want.abs(), f64::max) * (n + 1.0);
        let size = if matches!(f, Margin::RowVars | Margin::ColVars) { want.abs() + 1e-300 } else { size };
        assert!((got - want).abs() <= 1e-9 * size, "{f:?}: {got}, not {want}");
    } else {
        assert!(got == want || (got.is_nan() && want.is_nan()), "{f:?}: {got}, not {want}");
    }
}

const ODD_REALS: [f64; 9] = [0.0, -0.0, 1.0, -2.5, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 1e308, 5e-324];

/// NA and NaN through every operator, at every place of a vector register: generated, not picked.
#[test]
fn na_and_nan_come_through_every_operator_at_every_lane() {
    let mut values = ODD_REALS.to_vec();
    values.push(na::na_real());
    let pairs: Vec<(f64, f64)> = values.iter().flat_map(|&a| values.iter().map(move |&b| (a, b))).collect();
    // Shifted by one in each round, so that each pair stands at each lane.
    for shift in 0..33 {
        let at = |i: usize| pairs[(i + shift) % pairs.len()];
        let (a, b): (Vec<f64>, Vec<f64>) = (0..pairs.len()).map(at).unzip();
        for op in [Arith::Add, Arith::Sub, Arith::Mul, Arith::Div, Arith::Pow, Arith::Mod, Arith::IntDiv] {
            let got = reals(&both(Binary::Arith(op), Dtype::Numeric, &bytes_of(&a), &bytes_of(&b)));
            for ((&a, &b), r) in a.iter().zip(&b).zip(got) {
                if op == Arith::Pow && (a == 1.0 || b == 0.0) {
                    assert_eq!(r, 1.0);
                } else if op == Arith::Mod && b == 0.0 {
                    assert!(r.is_nan() && !na::is_na(r));
                } else if na::is_na(a) || na::is_na(b) {
                    assert!(na::is_na(r), "{a} {op:?} {b} is {r}");
                } else if a.is_nan() || b.is_nan() {
                    assert!(r.is_nan() && !na::is_na(r), "{a} {op:?} {b} is {r}");
                } else {
                    assert!(!na::is_na(r), "{a} {op:?} {b} is NA");
                }
            }
        }
        for op in [Compare::Eq, Compare::Ne, Compare::Lt, Compare::Le, Compare::Gt, Compare::Ge] {
            let got = ints(&both(Binary::Compare(op), Dtype::Numeric, &bytes_of(&a), &bytes_of(&b)));
            for ((&a, &b), r) in a.iter().zip(&b).zip(got) {
                let want = match op {
                    _ if a.is_nan() || b.is_nan() => na::NA_INT,
                    Compare::Eq => i32::from(a == b),
                    Compare::Ne => i32::from(a != b),
                    Compare::Lt => i32::from(a < b),
                    Compare::Le => i32::from(a <= b),
                    Compare::Gt => i32::from(a > b),
                    Compare::Ge => i32::from(a >= b),
                };
                assert_eq!(r, want, "{a} {op:?} {b}");
            }
        }
    }
}

fn both(op: Binary, dtype: Dtype, a: &[u8], b: &[u8]) -> Vec<u8> {
    let len = (a.len().max(b.len())) as u64 / dtype.width();
    let out = binary_type(op, dtype, dtype, len).expect("defined");
    agreed("operator", |ctx, odd| {
        let (mut x, mut y) = (Memory::holding(dtype, a, odd), Memory::holding(dtype, b, odd));
        let mut to = Memory::new(out, len, odd);
        let (x, y) = (Operand::new(dtype, x.raw()), Operand::new(dtype, y.raw()));
        binary(ctx, op, &x, &y, len, to.raw()).expect("defined").expect("nobody cancels");
        to.bytes()
    })
}

#[test]
fn integers_and_logicals_follow_the_three_valued_tables() {
    let values = [na::NA_INT, -i32::MAX, -7, -1, 0, 1, 2, 7, 46_341, i32::MAX];
    let pairs: Vec<(i32, i32)> = values.iter().flat_map(|&a| values.iter().map(move |&b| (a, b))).collect();
    for shift in 0..17 {
        let (a, b): (Vec<i32>, Vec<i32>) = (0..pairs.len()).map(|i| pairs[(i + shift) % pairs.len()]).unzip();
        let (x, y) = (bytes_of_ints(&a), bytes_of_ints(&b));
        let fits = |r: i64| i32::try_from(r).ok().filter(|&r| r != na::NA_INT).unwrap_or(na::NA_INT);
        for op in [Arith::Add, Arith::Sub, Arith::Mul, Arith::Mod, Arith::IntDiv] {
            for ((&a, &b), r) in a.iter().zip(&b).zip(ints(&both(Binary::Arith(op), Dtype::Integer, &x, &y)))
            {
                let (p, q) = (i64::from(a), i64::from(b));
                let zero = matches!(op, Arith::Mod | Arith::IntDiv) && b == 0;
                let want = if a == na::NA_INT || b == na::NA_INT || zero {
                    na::NA_INT
                } else {
                    let floor = || p.div_euclid(q) - i64::from(q < 0 && p.rem_euclid(q) != 0);
                    fits(match op {
                        Arith::Add => p + q,
                        Arith::Sub => p - q,
                        Arith::Mul => p * q,
                        Arith::Mod => p - floor() * q,
                        _ => floor(),
                    })
                };
                assert_eq!(r, want, "{a} {op:?} {b}");
            }
        }
        for op in [Logic::And, Logic::Or, Logic::Xor] {
            for ((&a, &b), r) in a.iter().zip(&b).zip(ints(&both(Binary::Logic(op), Dtype::Integer, &x, &y)))
            {
                let truth = |x: i32| (x != na::NA_INT).then_some(x != 0);
                let want = match (op, truth(a), truth(b)) {
                    (Logic::And, Some(false), _)
                    | (Logic::And, _, Some(false))
                    | (Logic::Or, Some(false), Some(false)) => Some(false),
                    (Logic::Or, Some(true), _)
                    | (Logic::Or, _, Some(true))
                    | (Logic::And, Some(true), Some(true)) => Some(true),
                    (Logic::Xor, Some(a), Some(b)) => Some(a != b),
                    _ => None,
                };
                assert_eq!(r, want.map_or(na::NA_INT, i32::from), "{a} {op:?} {b}");
            }
        }
    }
}

#[test]
fn recycling_runs_on_across_blocks_and_chunks() {
    let mut dice = Dice(17);
    for (long, short) in
        [(5000, 1), (5000, 2), (70_000, 3), (140_001, 2047), (140_001, 2049), (200_000, 65_537), (4096, 4096)]
    {
        let a: Vec<f64> = (0..long).map(|_| dice.real()).collect();
        let b: Vec<f64> = (0..short).map(|_| dice.real()).collect();
        let sum = reals(&both(Binary::Arith(Arith::Add), Dtype::Numeric, &bytes_of(&a), &bytes_of(&b)));
        let other = reals(&both(Binary::Arith(Arith::Sub), Dtype::Numeric, &bytes_of(&b), &bytes_of(&a)));
        for i in 0..long {
            assert_eq!(sum[i], a[i] + b[i % short]);
            assert_eq!(other[i], b[i % short] - a[i]);
        }
    }
}

/// An operand may be the result's own memory: every block is read before it is stored.
#[test]
fn in_place_gives_the_same_as_elsewhere() {
    let mut dice = Dice(19);
    let a: Vec<f64> = (0..150_000).map(|_| dice.real()).collect();
    let apart = both(Binary::Arith(Arith::Mul), Dtype::Numeric, &bytes_of(&a), &bytes_of(&a));
    let mut memory = Memory::holding(Dtype::Numeric, &bytes_of(&a), false);
    let raw = memory.raw();
    let x = Operand::new(Dtype::Numeric, raw);
    let ctx = Context { threads: 2, ..Context::default() };
    binary(&ctx, Binary::Arith(Arith::Mul), &x, &x, 150_000, raw).expect("defined");
    assert!(memory.bytes() == apart);
}

struct StopAfter {
    limit: u64,
    done: AtomicU64,
}

impl Watch for StopAfter {
    fn is_cancelled(&self) -> bool {
        self.done.load(Ordering::Relaxed) >= self.limit
    }
    fn done(&self, units: u64) {
        self.done.fetch_add(units, Ordering::Relaxed);
    }
}

#[test]
fn cancelled_operations_stop_at_a_chunk_and_say_so() {
    let x = vec![1.0; 1_000_000];
    let bytes = bytes_of(&x);
    for threads in [1, 2] {
        let watch = StopAfter { limit: 200_000, done: AtomicU64::new(0) };
        let ctx = Context { threads, watch: &watch, ..Context::default() };
        let mut memory = Memory::holding(Dtype::Numeric, &bytes, false);
        let operand = Operand::new(Dtype::Numeric, memory.raw());
        let mut out = Memory::new(Dtype::Numeric, 1_000_000, false);
        assert_eq!(unary(&ctx, Unary::Minus, &operand, out.raw()).expect("defined"), None);
        assert_eq!(summary(&ctx, Summary::Sum, &[operand], false).expect("defined"), None);
        assert_eq!(cumulate(&ctx, Cumulative::Sum, &operand, out.raw()).expect("defined"), None);
        assert!(watch.done.load(Ordering::Relaxed) < 400_000, "work went on after the stop");
    }
}

#[test]
fn progress_counts_every_element_once() {
    let x = bytes_of(&vec![1.0; 300_000]);
    let watch = StopAfter { limit: u64::MAX, done: AtomicU64::new(0) };
    let ctx = Context { threads: 2, watch: &watch, ..Context::default() };
    let mut memory = Memory::holding(Dtype::Numeric, &x, false);
    let operand = Operand::new(Dtype::Numeric, memory.raw());
    let mut out = Memory::new(Dtype::Numeric, 300_000, false);
    math(&ctx, Math::Exp, &operand, out.raw()).expect("defined");
    assert_eq!(watch.done.load(Ordering::Relaxed), 300_000);
    let two = Operand::scalar(Dtype::Numeric, Scalar::Real(2.0)).expect("a number");
    math2(&ctx, Math2::Round, &operand, &two, out.raw()).expect("defined");
    assert_eq!(watch.done.load(Ordering::Relaxed), 600_000);
}

/// Products of every small shape, transposed or not, against the three loops; whole numbers, so that every order of addition is exact.
#[test]
fn products_are_those_of_three_loops_in_every_shape() {
    let mut dice = Dice(31);
    let shapes =
        [(1, 1, 1), (3, 2, 4), (0, 3, 2), (3, 0, 2), (17, 33, 9), (64, 63, 65), (300, 5, 301), (1, 500, 1)];
    for (rows, inner, cols) in shapes {
        for f in [Product::Plain, Product::Cross, Product::TCross] {
            let xs = if f == Product::Cross { [inner, rows] } else { [rows, inner] };
            let ys = if f == Product::TCross { [cols, inner] } else { [inner, cols] };
            let mut whole = |n: usize| (0..n).map(|_| (dice.next() % 19) as f64 - 9.0).collect::<Vec<f64>>();
            let (mut x, y) = (whole(xs[0] * xs[1]), whole(ys[0] * ys[1]));
            for missing in [false, true] {
                if missing && !x.is_empty() {
                    let at = x.len() / 2;
                    x[at] = na::na_real();
                }
                check_product(f, [rows, inner, cols], (&x, xs), (&y, ys));
            }
        }
    }
}

fn check_product(
    f: Product,
    [rows, inner, cols]: [usize; 3],
    (x, xs): (&[f64], [usize; 2]),
    (y, ys): (&[f64], [usize; 2]),
) {
    let (dx, dy) = (xs.map(|n| n as u64), ys.map(|n| n as u64));
    let dims = |x: &[f64], dim| Dims { len: x.len() as u64, dim: Some(dim), ..Dims::default() };
    let (a, b) = (dims(x, &dx[..]), dims(y, &dy[..]));
    let shape = product_shape(f, (Dtype::Numeric, &a), (Dtype::Numeric, &b)).expect("conformable");
    assert_eq!(shape.dim, [rows as u64, cols as u64]);
    let got = reals(&agreed("product", |ctx, odd| {
        let mut mx = Memory::holding(Dtype::Numeric, &bytes_of(x), odd);
        let mut my = Memory::holding(Dtype::Numeric, &bytes_of(y), odd);
        let mut out = Memory::new(Dtype::Numeric, (rows * cols) as u64, odd);
        let (a, b) = (Operand::new(Dtype::Numeric, mx.raw()), Operand::new(Dtype::Numeric, my.raw()));
        assert!(product(ctx, f, &a, &b, &shape, None, out.raw()).expect("defined"));
        out.bytes()
    }));
    let at = |x: &[f64], [down, _]: [usize; 2], transposed: bool, i: usize, j: usize| {
        if transposed { x[j + i * down] } else { x[i + j * down] }
    };
    for j in 0..cols {
        for i in 0..rows {
            let term = |p| at(x, xs, f == Product::Cross, i, p) * at(y, ys, f == Product::TCross, p, j);
            let want: f64 = (0..inner).map(term).sum();
            let got = got[i + j * rows];
            assert!(got == want || (want.is_nan() && na::is_na(got)), "{f:?} [{i}, {j}]: {got}, not {want}");
        }
    }
}

/// An expression of random operators over three operands: numeric, integer, one value. Steps are used more than once.
fn random_steps(dice: &mut Dice, count: usize) -> Vec<Step> {
    let mut steps: Vec<Step> = (0..3).map(Step::Operand).collect();
    let arith = [Arith::Add, Arith::Sub, Arith::Mul, Arith::Div, Arith::Mod, Arith::IntDiv];
    for _ in 0..count {
        let (x, y) = ((dice.next() as usize) % steps.len(), (dice.next() as usize) % steps.len());
        steps.push(match dice.next() % 9 {
            0 => Step::Unary(Unary::Minus, x),
            1 => Step::Math(Math::Exp, x),
            2 => Step::Math(Math::Abs, x),
            3 => Step::Binary(Binary::Compare(Compare::Lt), x, y),
            4 => Step::Math2(Math2::Atan2, x, y),
            5 => Step::Missing(Missing::NaOrNan, x),
            _ => Step::Binary(Binary::Arith(arith[(dice.next() % 6) as usize]), x, y),
        });
    }
    steps
}

/// The same operation by operation: each part a vector of its own.
fn eager(ctx: &Context<'_>, steps: &[Step], operands: &[(Dtype, Vec<u8>)]) -> (Dtype, Vec<u8>) {
    let mut parts: Vec<(Dtype, Vec<u8>)> = Vec::new();
    for step in steps {
        if let Step::Operand(idx) = step {
            parts.push(operands[*idx].clone());
            continue;
        }
        let needs: Vec<&(Dtype, Vec<u8>)> = step.needs().map(|x| &parts[x]).collect();
        let shape = |(dtype, bytes): &(Dtype, Vec<u8>)| (*dtype, bytes.len() as u64 / dtype.width());
        let (first, second) = (needs[0], needs[needs.len() - 1]);
        let (dtype, len) = step.gives(shape(first), shape(second)).expect("defined");
        let (mut mx, mut my) =
            (Memory::holding(first.0, &first.1, false), Memory::holding(second.0, &second.1, false));
        let (x, y) = (Operand::new(first.0, mx.raw()), Operand::new(second.0, my.raw()));
        let mut to = Memory::new(dtype, len, false);
        let done = match *step {
            Step::Operand(_) => unreachable!(),
            Step::Unary(op, _) => unary(ctx, op, &x, to.raw()),
            Step::Binary(op, ..) => binary(ctx, op, &x, &y, len, to.raw()),
            Step::Math(f, _) => math(ctx, f, &x, to.raw()),
            Step::Math2(f, ..) => math2(ctx, f, &x, &y, to.raw()),
            Step::Missing(which, _) => missing(ctx, which, &x, to.raw()),
        };
        done.expect("defined").expect("nobody cancels");
        parts.push((dtype, to.bytes()));
    }
    parts.pop().expect("an expression has steps")
}

#[test]
fn fused_expressions_give_the_bits_of_their_operations_one_by_one() {
    let mut dice = Dice(37);
    for round in 0..24 {
        let steps = random_steps(&mut dice, 12);
        let len = [1, 7, 2049, 70_001][round % 4];
        let mut x: Vec<f64> = (0..len).map(|_| dice.real()).collect();
        x[len / 2] = na::na_real();
        let whole: Vec<i32> = (0..len).map(|_| (dice.next() % 41) as i32 - 20).collect();
        let operands = [
            (Dtype::Numeric, bytes_of(&x)),
            (Dtype::Integer, bytes_of_ints(&whole)),
            (Dtype::Numeric, bytes_of(&[1.5])),
        ];
        check_fused(&steps, &operands, round % 2 == 0);
    }
}

/// Checks that an expression's bits, and those of its summaries, are those of its operations one by one.
fn check_fused(steps: &[Step], operands: &[(Dtype, Vec<u8>)], remove: bool) {
    let want = eager(&Context { threads: 1, ..Context::default() }, steps, operands);
    let got = agreed("expression", |ctx, odd| {
        let mut memories: Vec<Memory> = operands.iter().map(|(t, b)| Memory::holding(*t, b, odd)).collect();
        let operands: Vec<Operand> =
            operands.iter().zip(&mut memories).map(|((t, _), m)| Operand::new(*t, m.raw())).collect();
        let fused = Fused::new(steps, &operands).expect("defined");
        assert_eq!(fused.dtype(), want.0);
        let mut out = Memory::new(fused.dtype(), fused.len(), odd);
        let warned = fused.evaluate(ctx, out.raw()).expect("defined").expect("nobody cancels");
        let stored = Operand::new(fused.dtype(), out.raw());
        for f in [Summary::Sum, Summary::Prod, Summary::Range, Summary::Mean, Summary::Any, Summary::All] {
            let mut want = summary(ctx, f, &[stored], remove).expect("defined").expect("done");
            want.warnings |= warned;
            let got = summary_of(ctx, f, &fused, remove).expect("defined").expect("done");
            assert_eq!(scalar_bytes(&got.values), scalar_bytes(&want.values), "{f:?} of {steps:?}");
            assert_eq!((got.dtype, got.warnings), (want.dtype, want.warnings), "{f:?} of {steps:?}");
        }
        out.bytes()
    });
    assert!(got == want.1, "{steps:?}");
}

/// Operators that pass NaN on are computed without asking which is NA and which NaN, until one is found; then with care. What the processor makes of
/// two of them, or of infinity less infinity, is not R's answer.
#[test]
fn chains_of_operators_tell_na_from_nan_wherever_one_stands() {
    let mut dice = Dice(91);
    for round in 0..24 {
        let len = [100, 128, 6000, 12_000][round % 4];
        let odd_ones = [f64::NAN, na::na_real(), f64::INFINITY, f64::NEG_INFINITY, 0.0];
        let mut vector = |len: usize, one_in: u64| -> Vec<f64> {
            let mut x: Vec<f64> = (0..len).map(|_| dice.real()).collect();
            for x in x.iter_mut().filter(|_| one_in > 0) {
                if dice.next().is_multiple_of(one_in) {
                    *x = odd_ones[(dice.next() % 5) as usize];
                }
            }
            x
        };
        let one_in = [0, 3000, 40][round % 3];
        let operands = [
            (Dtype::Numeric, bytes_of(&vector(len, one_in))),
            (Dtype::Numeric, bytes_of(&vector(len, one_in))),
            (Dtype::Numeric, bytes_of(&vector(len.min(3000), one_in))),
            (Dtype::Numeric, bytes_of(&vector(1, 0))),
        ];
        let mut steps: Vec<Step> = (0..4).map(Step::Operand).collect();
        for _ in 0..2 + dice.next() % 5 {
            let count = steps.len() as u64;
            let (a, b) = ((dice.next() % count) as usize, (dice.next() % count) as usize);
            let op = [Arith::Add, Arith::Sub, Arith::Mul, Arith::Div][(dice.next() % 4) as usize];
            steps.push(Step::Binary(Binary::Arith(op), a, b));
        }
        let last = steps.len() - 1;
        // So that the longest operand counts.
        steps.push(Step::Binary(Binary::Arith(Arith::Add), last, 0));
        check_fused(&steps, &operands, round % 2 == 0);
    }
}
