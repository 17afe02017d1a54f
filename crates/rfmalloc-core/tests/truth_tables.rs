//! Every operator of every type on every pair of its odd values, against a reference written from R's rules one element at a time: generated, not
//! picked. Each pair stands at every lane of a vector register, and in vectors whose lengths lie around every strip, block and chunk.

mod elements;

use elements::Memory;
use rfmalloc_core::compute::{
    Arith, Binary, Compare, Context, Isa, Logic, Math, Operand, Scalar, Summary, Unary, binary, binary_type,
    math, summary, unary, unary_type,
};
use rfmalloc_core::na::{NA_INT, is_na, na_real};
use rfmalloc_core::{Dtype, RawBytes};

/// Around vectors, strips (128, 256, 1024), short blocks (512), blocks (2048) and chunks (65 536); the first vector is one element long.
const LENGTHS: [usize; 26] = [
    0, 1, 2, 7, 8, 9, 15, 16, 17, 127, 128, 129, 255, 256, 257, 511, 512, 513, 1024, 1025, 2047, 2048, 2049,
    65_535, 65_536, 65_537,
];

fn reals() -> [f64; 12] {
    [na_real(), f64::NAN, 0.0, -0.0, 1.0, -1.0, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, 5e-324, 2.5, -7.0]
}

const INTS: [i32; 9] = [NA_INT, 0, 1, -1, i32::MAX, -i32::MAX, 46_341, 7, -13];
const LOGICALS: [i32; 3] = [NA_INT, 0, 1];
const BYTES: [u8; 6] = [0, 1, 0x0F, 0x55, 0xAA, 0xFF];

/// An element, as bytes.
trait Element: Copy + std::fmt::Debug {
    const DTYPES: &'static [Dtype];
    fn put(self, out: &mut Vec<u8>);
}

impl Element for f64 {
    const DTYPES: &'static [Dtype] = &[Dtype::Numeric];
    fn put(self, out: &mut Vec<u8>) {
        out.extend(self.to_bits().to_le_bytes());
    }
}

impl Element for i32 {
    const DTYPES: &'static [Dtype] = &[Dtype::Integer, Dtype::Logical];
    fn put(self, out: &mut Vec<u8>) {
        out.extend(self.to_le_bytes());
    }
}

impl Element for u8 {
    const DTYPES: &'static [Dtype] = &[Dtype::Raw];
    fn put(self, out: &mut Vec<u8>) {
        out.push(self);
    }
}

impl Element for [f64; 2] {
    const DTYPES: &'static [Dtype] = &[Dtype::Complex];
    fn put(self, out: &mut Vec<u8>) {
        self[0].put(out);
        self[1].put(out);
    }
}

fn bytes<T: Element>(items: &[T]) -> Vec<u8> {
    let mut out = Vec::new();
    for item in items {
        item.put(&mut out);
    }
    out
}

/// Every way that must not show: instruction sets, threads, alignment.
fn in_every_way(f: impl Fn(&Context<'_>, bool)) {
    for isa in Isa::ALL.into_iter().filter(|isa| isa.available()) {
        for (threads, odd) in [(1, false), (2, true)] {
            f(&Context { isa, threads, ..Context::default() }, odd);
        }
    }
}

/// All pairs, repeated to each length, each round one further along; long vectors in one round only.
fn tables<T: Element>(values: &[T], mut check: impl FnMut(&[T], &[T])) {
    let pairs: Vec<(T, T)> = values.iter().flat_map(|&a| values.iter().map(move |&b| (a, b))).collect();
    for shift in 0..17 {
        for len in LENGTHS.into_iter().filter(|&len| shift == 0 || len == 129) {
            let (a, b): (Vec<T>, Vec<T>) = (0..len).map(|i| pairs[(i + shift) % pairs.len()]).unzip();
            check(&a, &b);
        }
    }
}

/// Runs an operator in every way and compares each element's bytes with the reference's.
fn binary_is<T: Element, R: Element>(
    op: Binary,
    dtype: Dtype,
    a: &[T],
    b: &[T],
    reference: impl Fn(T, T) -> Option<R>,
) {
    let (x, y) = (bytes(a), bytes(b));
    let len = a.len() as u64;
    let out = binary_type(op, dtype, dtype, len).expect("defined");
    let want: Vec<Option<R>> = a.iter().zip(b).map(|(&a, &b)| reference(a, b)).collect();
    in_every_way(|ctx, odd| {
        let (mut x, mut y) = (Memory::holding(dtype, &x, odd), Memory::holding(dtype, &y, odd));
        let mut to = Memory::new(out, len, odd);
        let (x, y) = (Operand::new(dtype, x.raw()), Operand::new(dtype, y.raw()));
        binary(ctx, op, &x, &y, len, to.raw()).expect("defined").expect("nobody cancels");
        let got = to.bytes();
        for (i, (got, want)) in got.chunks_exact(out.width() as usize).zip(&want).enumerate() {
            if let Some(want) = want {
                let (a, b) = (a[i], b[i]);
                assert!(
                    got == bytes(&[*want]),
                    "{a:?} {op:?} {b:?} of {len} at {i}: {got:?}, not {want:?} ({}, {} threads)",
                    ctx.isa,
                    ctx.threads
                );
            }
        }
    });
}

/// A NaN as R has it: NA if an operand was.
fn tidy(x: f64, na: bool) -> f64 {
    match (x.is_nan(), na) {
        (false, _) => x,
        (true, true) => na_real(),
        (true, false) => f64::NAN,
    }
}

/// `a op b` from R's rules. None where the exact remainder is told by tests of its own: quotients beyond 2^52.
fn real_arith(op: Arith, a: f64, b: f64) -> Option<f64> {
    let na = is_na(a) || is_na(b);
    let whole = |q: f64| q.abs() < 4.0e15 && (a == 0.0 || (a / b).abs() > 1e-300) && b.abs() < 9e18;
    Some(match op {
        Arith::Add => tidy(a + b, na),
        Arith::Sub => tidy(a - b, na),
        Arith::Mul => tidy(a * b, na),
        Arith::Div => tidy(a / b, na),
        Arith::Pow if a == 1.0 || b == 0.0 => 1.0,
        Arith::Pow if a.is_nan() || b.is_nan() => tidy(f64::NAN, na),
        Arith::Pow if b == 2.0 => a * a,
        Arith::Pow => return None,
        Arith::Mod if b == 0.0 => f64::NAN,
        _ if a.is_nan() || b.is_nan() => tidy(f64::NAN, na),
        Arith::Mod if a.is_infinite() => f64::NAN,
        Arith::IntDiv if b == 0.0 || a.is_infinite() => tidy(a / b, false),
        _ if !whole(a / b) => return None,
        Arith::Mod => {
            let r = a % b;
            if r != 0.0 && (r < 0.0) != (b < 0.0) { r + b } else { r + 0.0 }
        }
        Arith::IntDiv => (a / b).floor() + 0.0,
    })
}

const ARITH: [Arith; 7] =
    [Arith::Add, Arith::Sub, Arith::Mul, Arith::Div, Arith::Pow, Arith::Mod, Arith::IntDiv];
const COMPARE: [Compare; 6] = [Compare::Eq, Compare::Ne, Compare::Lt, Compare::Le, Compare::Gt, Compare::Ge];

fn compared<T: PartialOrd>(op: Compare, a: &T, b: &T) -> i32 {
    i32::from(match op {
        Compare::Eq => a == b,
        Compare::Ne => a != b,
        Compare::Lt => a < b,
        Compare::Le => a <= b,
        Compare::Gt => a > b,
        Compare::Ge => a >= b,
    })
}

#[test]
fn arithmetic_of_doubles_follows_the_table() {
    tables(&reals(), |a, b| {
        for op in ARITH {
            binary_is(Binary::Arith(op), Dtype::Numeric, a, b, |a, b| real_arith(op, a, b));
        }
    });
}

#[test]
fn comparisons_and_logic_of_doubles_follow_the_table() {
    tables(&reals(), |a, b| {
        for op in COMPARE {
            binary_is(Binary::Compare(op), Dtype::Numeric, a, b, |a, b| {
                Some(if a.is_nan() || b.is_nan() { NA_INT } else { compared(op, &a, &b) })
            });
        }
        for op in [Logic::And, Logic::Or, Logic::Xor] {
            let truth = |x: f64| if x.is_nan() { None } else { Some(x != 0.0) };
            binary_is(Binary::Logic(op), Dtype::Numeric, a, b, |a, b| Some(logic(op, truth(a), truth(b))));
        }
    });
}

/// Three values: unknown operands count only where they could change the result.
fn logic(op: Logic, a: Option<bool>, b: Option<bool>) -> i32 {
    let f = |a: bool, b: bool| match op {
        Logic::And => a && b,
        Logic::Or => a || b,
        Logic::Xor => a != b,
    };
    let possible = |x: Option<bool>| x.map_or(vec![false, true], |x| vec![x]);
    let results: Vec<bool> =
        possible(a).iter().flat_map(|&a| possible(b).into_iter().map(move |b| f(a, b))).collect();
    if results.iter().all(|r| *r == results[0]) { i32::from(results[0]) } else { NA_INT }
}

#[test]
fn integers_and_logicals_follow_the_table() {
    for &dtype in i32::DTYPES {
        let values: &[i32] = if dtype == Dtype::Logical { &LOGICALS } else { &INTS };
        tables(values, |a, b| {
            for op in [Arith::Add, Arith::Sub, Arith::Mul, Arith::Mod, Arith::IntDiv] {
                binary_is(Binary::Arith(op), dtype, a, b, |a, b| Some(int_arith(op, a, b)));
            }
            for op in [Arith::Div, Arith::Pow] {
                let real = |x: i32| if x == NA_INT { na_real() } else { f64::from(x) };
                binary_is(Binary::Arith(op), dtype, a, b, |a, b| real_arith(op, real(a), real(b)));
            }
            for op in COMPARE {
                binary_is(Binary::Compare(op), dtype, a, b, |a, b| {
                    Some(if a == NA_INT || b == NA_INT { NA_INT } else { compared(op, &a, &b) })
                });
            }
            for op in [Logic::And, Logic::Or, Logic::Xor] {
                let truth = |x: i32| (x != NA_INT).then_some(x != 0);
                binary_is(Binary::Logic(op), dtype, a, b, |a, b| Some(logic(op, truth(a), truth(b))));
            }
        });
    }
}

fn int_arith(op: Arith, a: i32, b: i32) -> i32 {
    if a == NA_INT || b == NA_INT || (b == 0 && matches!(op, Arith::Mod | Arith::IntDiv)) {
        return NA_INT;
    }
    let (p, q) = (i64::from(a), i64::from(b));
    let floor = |p: i64, q: i64| p / q - i64::from(p % q != 0 && (p < 0) != (q < 0));
    let exact = match op {
        Arith::Add => p + q,
        Arith::Sub => p - q,
        Arith::Mul => p * q,
        Arith::Mod => p - floor(p, q) * q,
        _ => floor(p, q),
    };
    if exact.abs() <= i64::from(i32::MAX) { exact as i32 } else { NA_INT }
}

#[test]
fn raw_follows_the_table() {
    tables(&BYTES, |a, b| {
        for (op, f) in [
            (Logic::And, (|a, b| a & b) as fn(u8, u8) -> u8),
            (Logic::Or, |a, b| a | b),
            (Logic::Xor, |a, b| a ^ b),
        ] {
            binary_is(Binary::Logic(op), Dtype::Raw, a, b, |a, b| Some(f(a, b)));
        }
        for op in COMPARE {
            binary_is(Binary::Compare(op), Dtype::Raw, a, b, |a, b| Some(compared(op, &a, &b)));
        }
    });
}

/// Sums and equality part by part; NA wins in each part that is not a number.
#[test]
fn complex_follows_the_table() {
    let parts = [na_real(), f64::NAN, 0.0, -1.5, f64::INFINITY];
    let values: Vec<[f64; 2]> = parts.iter().flat_map(|&re| parts.iter().map(move |&im| [re, im])).collect();
    let na = |z: [f64; 2]| is_na(z[0]) || is_na(z[1]);
    let nan = |z: [f64; 2]| z[0].is_nan() || z[1].is_nan();
    tables(&values, |a, b| {
        for (op, f) in
            [(Arith::Add, (|a, b| a + b) as fn(f64, f64) -> f64), (Arith::Sub, |a: f64, b: f64| a - b)]
        {
            binary_is(Binary::Arith(op), Dtype::Complex, a, b, |a, b| {
                Some([0, 1].map(|i| tidy(f(a[i], b[i]), na(a) || na(b))))
            });
        }
        for op in [Compare::Eq, Compare::Ne] {
            binary_is(Binary::Compare(op), Dtype::Complex, a, b, |a, b| {
                Some(if nan(a) || nan(b) { NA_INT } else { i32::from((a == b) == (op == Compare::Eq)) })
            });
        }
    });
}

/// Runs work of one operand in every way and compares.
fn unary_is<T: Element, R: Element>(
    what: &str,
    (dtype, out): (Dtype, Dtype),
    x: &[T],
    run: impl Fn(&Context<'_>, &Operand, RawBytes),
    reference: impl Fn(T) -> R,
) {
    let (from, want) = (bytes(x), bytes(&x.iter().map(|&x| reference(x)).collect::<Vec<R>>()));
    in_every_way(|ctx, odd| {
        let mut memory = Memory::holding(dtype, &from, odd);
        let mut to = Memory::new(out, x.len() as u64, odd);
        run(ctx, &Operand::new(dtype, memory.raw()), to.raw());
        assert!(to.bytes() == want, "{what} of {} elements ({}, {} threads)", x.len(), ctx.isa, ctx.threads);
    });
}

#[test]
fn operators_and_functions_of_one_operand_follow_the_table() {
    tables(&reals(), |x, _| {
        for (f, reference) in [
            (Math::Abs, f64::abs as fn(f64) -> f64),
            (Math::Sqrt, f64::sqrt),
            (Math::Floor, f64::floor),
            (Math::Ceiling, f64::ceil),
            (Math::Trunc, f64::trunc),
            (Math::Sign, |x| if x == 0.0 { 0.0 } else { 1.0_f64.copysign(x) }),
        ] {
            let run = |ctx: &Context<'_>, x: &Operand, out| {
                math(ctx, f, x, out).expect("defined").expect("nobody cancels");
            };
            let reference = |x: f64| if x.is_nan() { tidy(x, is_na(x)) } else { tidy(reference(x), false) };
            unary_is(f.name(), (Dtype::Numeric, Dtype::Numeric), x, run, reference);
        }
        let not = |x: f64| if x.is_nan() { NA_INT } else { i32::from(x == 0.0) };
        unary_of("!", Unary::Not, Dtype::Numeric, x, not);
        unary_of(
            "-",
            Unary::Minus,
            Dtype::Numeric,
            x,
            |x: f64| {
                if x.is_nan() { tidy(x, is_na(x)) } else { -x }
            },
        );
    });
    tables(&INTS, |x, _| {
        unary_of("-", Unary::Minus, Dtype::Integer, x, |x: i32| if x == NA_INT { x } else { -x });
        let not = |x: i32| if x == NA_INT { x } else { i32::from(x == 0) };
        unary_of("!", Unary::Not, Dtype::Integer, x, not);
    });
    tables(&BYTES, |x, _| unary_of("!", Unary::Not, Dtype::Raw, x, |x: u8| !x));
}

fn unary_of<T: Element, R: Element>(
    what: &str,
    op: Unary,
    dtype: Dtype,
    x: &[T],
    reference: impl Fn(T) -> R,
) {
    let out = unary_type(op, dtype, x.len() as u64).expect("defined");
    let run = |ctx: &Context<'_>, x: &Operand, to| {
        unary(ctx, op, x, to).expect("defined").expect("nobody cancels");
    };
    unary_is(what, (dtype, out), x, run, reference);
}

/// What a summary of doubles is because of what is odd in it: NA before NaN.
#[test]
fn summaries_of_pairs_follow_the_table() {
    for a in reals() {
        for b in reals() {
            for remove in [false, true] {
                let kept: Vec<f64> = [a, b].into_iter().filter(|x| !(remove && x.is_nan())).collect();
                let na = kept.iter().any(|x| is_na(*x));
                let nan = kept.iter().any(|x| x.is_nan());
                let expect = |x: f64| if nan { tidy(f64::NAN, na) } else { tidy(x, false) };
                for (f, want) in [
                    (Summary::Sum, expect(kept.iter().sum::<f64>() + 0.0)),
                    (Summary::Max, expect(kept.iter().copied().fold(f64::NEG_INFINITY, f64::max))),
                    (Summary::Min, expect(kept.iter().copied().fold(f64::INFINITY, f64::min))),
                ] {
                    in_every_way(|ctx, odd| {
                        let mut x = Memory::holding(Dtype::Numeric, &bytes(&[a, b]), odd);
                        let out = summary(ctx, f, &[Operand::new(Dtype::Numeric, x.raw())], remove);
                        let values = out.expect("defined").expect("nobody cancels").values;
                        let Scalar::Real(got) = values[0] else { panic!("{f:?} gives a double") };
                        let same =
                            got == want || (got.is_nan() && want.is_nan() && is_na(got) == is_na(want));
                        assert!(same, "{f:?} of {a}, {b}, removed {remove}: {got}, not {want}");
                    });
                }
            }
        }
    }
}
