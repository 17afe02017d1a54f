//! Against sorting with the standard library: types, lengths around every limit, threads, instruction sets, and private memory so small that
//! everything is split many times, as if it were larger than memory.

use super::*;
use crate::compute::{Isa, Unwatched};
use crate::dtype::Dtype;
use crate::na::{NA_INT, is_na, na_real};
use crate::region::{Plain, Span};
use crate::subscript::{Run, Runs};
use std::cmp::Ordering;
use std::sync::atomic::{self, AtomicU64};

/// Runs of the fewest keys that are split, and tables of next to nothing.
const SMALL: Limits = Limits { run: 1, table_nbytes: 1 << 18 };

fn draw(seed: u64) -> impl FnMut() -> u64 {
    let mut x = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move || {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        x
    }
}

/// A vector's memory, 8-byte aligned.
fn memory(nbytes: usize) -> Vec<u64> {
    vec![0; nbytes.div_ceil(8)]
}

fn span_of(memory: &mut [u64], nbytes: usize) -> Span {
    Span::foreign(memory.as_mut_ptr().cast(), nbytes as u64, true)
}

fn bytes<T: Plain>(x: &[T]) -> Vec<u64> {
    let mut out = memory(size_of_val(x));
    span_of(&mut out, size_of_val(x)).store(0, x);
    out
}

/// Calls `f` with every way of running.
fn each_way(mut f: impl FnMut(&Context<'_>, Limits)) {
    let ctx = |isa, threads| Context { isa, threads, watch: &Unwatched };
    f(&ctx(Isa::Baseline, 1), SMALL);
    f(&ctx(Isa::Baseline, 3), Limits::default());
    for isa in [Isa::Avx2, Isa::Avx512].into_iter().filter(|isa| isa.available()) {
        f(&ctx(isa, 2), SMALL);
        f(&ctx(isa, 1), Limits::default());
    }
}

fn ordered<T: Plain>(ctx: &Context<'_>, limits: Limits, dtype: Dtype, x: &[T]) -> Vec<u64> {
    let (mut source, mut out) = (bytes(x), memory(8 * x.len()));
    let words = PlainWords::new(dtype, span_of(&mut source, size_of_val(x)));
    order(ctx, limits, &words, x.len() as u64, span_of(&mut out, 8 * x.len())).unwrap().unwrap();
    out.iter().map(|bits| f64::from_bits(*bits) as u64).collect()
}

fn sorted<T: Plain>(ctx: &Context<'_>, limits: Limits, dtype: Dtype, x: &[T]) -> Vec<T> {
    let (mut source, mut out) = (bytes(x), memory(size_of_val(x)));
    let (from, to) = (span_of(&mut source, size_of_val(x)), span_of(&mut out, size_of_val(x)));
    sort(ctx, limits, dtype, from, x.len() as u64, to).unwrap();
    let mut result = vec![T::default(); x.len()];
    to.load(0, &mut result);
    result
}

/// Checks order and sort of `x` against a comparison.
fn check<T: Plain>(dtype: Dtype, x: &[T], compare: impl Fn(&T, &T) -> Ordering) {
    let mut want: Vec<u64> = (0..x.len() as u64).collect();
    want.sort_by(|a, b| compare(&x[*a as usize], &x[*b as usize]));
    let values: Vec<T> = want.iter().map(|i| x[*i as usize]).collect();
    each_way(|ctx, limits| {
        assert_eq!(ordered(ctx, limits, dtype, x), want, "{} of {}", dtype.name(), x.len());
        if dtype != Dtype::Complex {
            let sorted = sorted(ctx, limits, dtype, x);
            assert!(bytes(&sorted) == bytes(&values), "{} of {}", dtype.name(), x.len());
        }
    });
}

fn compare_reals(a: &f64, b: &f64) -> Ordering {
    a.partial_cmp(b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

fn compare_ints(a: &i32, b: &i32) -> Ordering {
    (*a == NA_INT).cmp(&(*b == NA_INT)).then(a.cmp(b))
}

fn compare_complex(a: &[f64; 2], b: &[f64; 2]) -> Ordering {
    let is_missing = |z: &[f64; 2]| z[0].is_nan() || z[1].is_nan();
    match (is_missing(a), is_missing(b)) {
        (false, false) => compare_reals(&a[0], &b[0]).then(compare_reals(&a[1], &b[1])),
        (a, b) => a.cmp(&b),
    }
}

fn lengths() -> Vec<usize> {
    if cfg!(miri) { vec![0, 1, 2, 70] } else { vec![0, 1, 2, 3, 63, 64, 65, 2047, 2049, 4097, 9001] }
}

/// Doubles of every kind: shaped by `kind` so that parts of keys tie, all tie, run up, run down.
fn reals(n: usize, kind: usize) -> Vec<f64> {
    let mut next = draw(n as u64 * 31 + kind as u64);
    let special = [na_real(), f64::NAN, -f64::NAN, 0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, 5e-324];
    let unit = |bits: u64| (bits >> 11) as f64 / (1_u64 << 53) as f64;
    (0..n)
        .map(|i| match kind {
            0 => unit(next()),
            1 => f64::from_bits(next()),
            2 if next().is_multiple_of(4) => special[next() as usize % special.len()],
            2 => (next() % 7) as f64 - 3.0,
            3 => na_real(),
            4 => i as f64,
            5 => -(i as f64),
            // A cluster much closer than an outlier lets parts of keys tell.
            6 if i == n / 2 => -1e300,
            6 => 1.0 + (next() % 100_000) as f64 * f64::EPSILON,
            _ => [-0.0, 0.0][next() as usize % 2],
        })
        .collect()
}

#[test]
fn numbers_are_ordered_stably_with_what_is_missing_last() {
    for n in lengths() {
        for kind in 0..8 {
            check(Dtype::Numeric, &reals(n, kind), compare_reals);
        }
    }
    if !cfg!(miri) {
        // Groups of equal keys across the chunks of 65 536, and clusters that are ordered twice.
        check(Dtype::Numeric, &reals(140_003, 2), compare_reals);
        check(Dtype::Numeric, &reals(140_003, 6), compare_reals);
    }
}

#[test]
fn integers_and_logicals_are_ordered_with_na_last() {
    for n in lengths() {
        for modulus in [u64::MAX, 1, 3, 1000] {
            let mut next = draw((n as u64).wrapping_add(modulus));
            let mut x: Vec<i32> = (0..n).map(|_| (next() % modulus) as i32).collect();
            x.iter_mut()
                .step_by(5)
                .for_each(|x| *x = [NA_INT, i32::MAX, i32::MIN + 1, -1][next() as usize % 4]);
            check(Dtype::Integer, &x, compare_ints);
            x.sort_unstable();
            check(Dtype::Integer, &x, compare_ints);
            x.reverse();
            check(Dtype::Integer, &x, compare_ints);
        }
        let mut next = draw(n as u64);
        let x: Vec<i32> = (0..n).map(|_| [0, 1, NA_INT][next() as usize % 3]).collect();
        check(Dtype::Logical, &x, compare_ints);
    }
}

#[test]
fn complex_numbers_are_ordered_by_their_real_part_first() {
    for n in lengths() {
        for (re, im) in [(0, 0), (2, 2), (4, 2), (7, 6), (3, 0), (1, 1)] {
            let x: Vec<[f64; 2]> =
                reals(n, re).into_iter().zip(reals(n, im)).map(|(re, im)| [re, im]).collect();
            check(Dtype::Complex, &x, compare_complex);
        }
    }
}

fn check_unique<T: Plain>(dtype: Dtype, x: &[T], is_same: impl Fn(&T, &T) -> bool) {
    let mut kept: Vec<&T> = Vec::new();
    let mut want = Vec::new();
    for (i, x) in (0..).zip(x) {
        if !kept.iter().any(|y| is_same(x, y)) {
            kept.push(x);
            want.push(i);
        }
    }
    each_way(|ctx, limits| {
        let mut source = bytes(x);
        let span = span_of(&mut source, size_of_val(x));
        let seen = unique_plain(ctx, limits, dtype, span, x.len() as u64).unwrap().unwrap();
        assert_eq!(seen.positions().unwrap(), want, "{} of {}", dtype.name(), x.len());
        assert_eq!(seen.len(), want.len() as u64);
        // Whoever takes the positions has room for a block.
        let most = |run: Run<'_>| {
            assert!(matches!(run, Run::At(block) if block.len() <= crate::kernels::BLOCK));
            Ok(())
        };
        seen.each(&mut { most }).unwrap();
    });
}

#[test]
fn first_occurrences_are_unique_and_na_is_not_nan() {
    let same = |a: f64, b: f64| if a.is_nan() { b.is_nan() && is_na(a) == is_na(b) } else { a == b };
    for n in lengths().into_iter().filter(|n| *n < 5000) {
        for kind in [0, 2, 3, 4, 7] {
            check_unique(Dtype::Numeric, &reals(n, kind), |a, b| same(*a, *b));
        }
        let ints: Vec<i32> =
            reals(n, 2).into_iter().map(|x| if x.is_nan() { NA_INT } else { x as i32 }).collect();
        check_unique(Dtype::Integer, &ints, |a, b| a == b);
        check_unique(Dtype::Raw, &ints.iter().map(|x| *x as u8).collect::<Vec<_>>(), |a, b| a == b);
        let complex: Vec<[f64; 2]> =
            reals(n, 2).into_iter().zip(reals(n, 7)).map(|(re, im)| [re, im]).collect();
        check_unique(Dtype::Complex, &complex, |a, b| {
            let (x, y) = (a[0].is_nan(), b[0].is_nan());
            if x || y { x && y && is_na(a[0]) == is_na(b[0]) } else { a[0] == b[0] && a[1] == b[1] }
        });
    }
}

/// More different elements than a table may hold: passes over parts of them.
#[test]
fn tables_that_outgrow_their_budget_are_parted() {
    let n: u32 = if cfg!(miri) { 300 } else { 40_000 };
    let x: Vec<i32> = (0..n).chain(0..n).map(|i| (i.wrapping_mul(2_654_435_761)) as i32).collect();
    each_way(|ctx, limits| {
        let mut source = bytes(&x);
        let span = span_of(&mut source, size_of_val(&x[..]));
        let seen = unique_plain(ctx, limits, Dtype::Integer, span, x.len() as u64).unwrap().unwrap();
        assert!(seen.positions().unwrap().into_iter().eq(0..u64::from(n)));
    });
}

#[test]
fn which_gives_the_positions_of_true_alone() {
    for n in lengths() {
        let mut next = draw(n as u64);
        let x: Vec<i32> = (0..n).map(|_| [0, 1, NA_INT, 7][next() as usize % 4]).collect();
        let want: Vec<u64> = (0..n as u64).filter(|i| x[*i as usize] > 0).collect();
        each_way(|ctx, _| {
            let (mut source, mut out) = (bytes(&x), memory(8 * want.len()));
            let span = span_of(&mut source, size_of_val(&x[..]));
            let counts = count_true(ctx, span, n as u64).unwrap();
            assert_eq!(counts.iter().sum::<u64>(), want.len() as u64);
            which(ctx, span, n as u64, &counts, span_of(&mut out, 8 * want.len())).unwrap();
            assert!(out.iter().map(|bits| f64::from_bits(*bits) as u64).eq(want.iter().copied()));
        });
    }
}

/// Counts what it is told and stops once it has been asked so many times.
struct Stop {
    asked: AtomicU64,
    after: u64,
    done: AtomicU64,
}

impl Watch for Stop {
    fn is_cancelled(&self) -> bool {
        self.asked.fetch_add(1, atomic::Ordering::Relaxed) >= self.after
    }
    fn done(&self, units: u64) {
        self.done.fetch_add(units, atomic::Ordering::Relaxed);
    }
}

/// Wherever it is stopped it ends there; where it is not, it has told of every element once.
#[test]
fn work_can_be_stopped_anywhere_and_counts_every_element_once() {
    let n = if cfg!(miri) { 100 } else { 70_000 };
    for kind in [0, 2, 3, 6] {
        let x = reals(n, kind);
        let (mut source, mut out) = (bytes(&x), memory(8 * n));
        let (from, to) = (span_of(&mut source, 8 * n), span_of(&mut out, 8 * n));
        for (which, limits) in
            [(0, SMALL), (1, SMALL), (2, SMALL), (0, Limits::default()), (1, Limits::default())]
        {
            let mut after = 0;
            loop {
                let watch = Stop { asked: AtomicU64::new(0), after, done: AtomicU64::new(0) };
                let ctx = Context { watch: &watch, threads: 2, ..Context::default() };
                let ended = match which {
                    0 => sort(&ctx, limits, Dtype::Numeric, from, n as u64, to).is_some(),
                    1 => order(&ctx, limits, &PlainWords::new(Dtype::Numeric, from), n as u64, to)
                        .unwrap()
                        .is_some(),
                    _ => unique_plain(&ctx, limits, Dtype::Numeric, from, n as u64).unwrap().is_some(),
                };
                if ended {
                    assert_eq!(watch.done.into_inner(), n as u64);
                    break;
                }
                after = after * 2 + 1;
                assert!(after < 1 << 40);
            }
        }
    }
}
