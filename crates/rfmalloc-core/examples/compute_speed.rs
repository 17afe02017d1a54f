//! How fast the engine is beside plain reads and copies of the same run: `cargo run --release -p rfmalloc-core --example compute_speed`.
//!
//! Prints, for 1 and for all threads, the median of several runs, by processor time, in GB/s of memory touched, and its ratio to reading (summaries) or copying
//! (results). Only the ratios mean anything: machine and neighbours make the rest.

use rfmalloc_core::compute::{
    Arith, Binary, Compare, Context, Cumulative, Dims, Fused, Margin, Math, Operand, Product, Scalar, Step,
    Summary, binary, cumulate, default_threads, margin, margin_shape, math, product, product_shape, summary,
};
use rfmalloc_core::{Dtype, RawBytes};
use std::hint::black_box;

const RUNS: usize = 9;

/// Words that begin at a page, as a store's large payloads do.
struct Memory {
    room: Vec<u64>,
    first: usize,
    len: usize,
}

impl Memory {
    fn new(n: usize, f: impl Fn(usize) -> f64) -> Self {
        let mut room = vec![0; n + 512];
        let first = room.as_ptr().align_offset(4096).min(512);
        for (i, word) in room[first..first + n].iter_mut().enumerate() {
            *word = f(i).to_bits();
        }
        Self { room, first, len: n }
    }

    fn words(&mut self) -> &mut [u64] {
        &mut self.room[self.first..self.first + self.len]
    }

    fn raw(&mut self) -> RawBytes {
        let words = self.words();
        // SAFETY: the vector outlives every use, and nothing else touches it while an operation runs.
        unsafe { RawBytes::new(words.as_mut_ptr().cast(), words.len() as u64 * 8) }
    }
}

/// Seconds that this process has computed: what neighbours take from the machine does not count, what its memory does to it does.
fn computed() -> f64 {
    let mut t = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the clock exists on every POSIX system and the structure is ours.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut t) };
    t.tv_sec as f64 + t.tv_nsec as f64 * 1e-9
}

/// Median seconds a thread: of processor time, divided by the threads.
fn time(threads: usize, mut f: impl FnMut()) -> f64 {
    f();
    let mut seconds: Vec<f64> = (0..RUNS)
        .map(|_| {
            let from = computed();
            f();
            (computed() - from) / threads as f64
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    seconds[RUNS / 2]
}

/// Each thread's share of the words.
fn shares<T>(words: &mut [T], threads: usize) -> std::slice::ChunksMut<'_, T> {
    let share = words.len().div_ceil(threads);
    words.chunks_mut(share)
}

/// Plain reading: an integer sum, which the compiler vectorises for any processor.
fn read(words: &mut [u64], threads: usize) -> f64 {
    time(threads, || {
        std::thread::scope(|s| {
            for share in shares(words, threads) {
                s.spawn(move || black_box(share.iter().fold(0_u64, |a, &b| a ^ b)));
            }
        });
    })
}

/// Copying, by the system's `memcpy`.
fn copy(from: &mut [u64], to: &mut [u64], threads: usize) -> f64 {
    time(threads, || {
        std::thread::scope(|s| {
            for (from, to) in shares(from, threads).zip(shares(to, threads)) {
                s.spawn(move || black_box(to).copy_from_slice(from));
            }
        });
    })
}

fn report(what: &str, seconds: f64, nbytes: f64, peer: f64) {
    println!(
        "  {what:<34} {:>7.2} ms {:>7.2} GB/s  {:.2} of its peer",
        seconds * 1e3,
        nbytes / seconds / 1e9,
        peer / seconds
    );
}

#[expect(clippy::too_many_lines, reason = "one list of measurements")]
fn main() {
    let n = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(1_usize << 25);
    // Only what has this in its name.
    let only = std::env::args().nth(2).unwrap_or_default();
    let nbytes = n as f64 * 8.0;
    let mut a = Memory::new(n, |i| (i % 1013) as f64 * 0.37 - 150.0);
    let mut b = Memory::new(n, |i| (i % 997) as f64 * 0.11 + 1.0);
    let mut out = Memory::new(n, |_| 0.0);
    for threads in [1, default_threads()] {
        let ctx = Context { threads, ..Context::default() };
        println!("{n} doubles, {threads} threads, {}", ctx.isa);
        let read = read(a.words(), threads);
        let copy = copy(a.words(), out.words(), threads);
        report("read", read, nbytes, read);
        report("copy", copy, 2.0 * nbytes, copy);
        let measure = |what: &str, nbytes: f64, peer: f64, f: &mut dyn FnMut()| {
            if what.contains(&only) {
                report(what, time(threads, f), nbytes, peer);
            }
        };
        let (x, y) = (Operand::new(Dtype::Numeric, a.raw()), Operand::new(Dtype::Numeric, b.raw()));
        let ints = Operand::new(Dtype::Integer, a.raw());
        let to = out.raw();
        let two = Operand::scalar(Dtype::Numeric, Scalar::Real(2.0)).expect("a number");
        for (name, f) in [
            ("sum", Summary::Sum),
            ("mean", Summary::Mean),
            ("min", Summary::Min),
            ("max", Summary::Max),
            ("prod", Summary::Prod),
        ] {
            measure(name, nbytes, read, &mut || drop(black_box(summary(&ctx, f, &[x], false))));
        }
        measure("sum, NA removed", nbytes, read, &mut || {
            drop(black_box(summary(&ctx, Summary::Sum, &[x], true)));
        });
        measure("sum of integers", nbytes, read, &mut || {
            drop(black_box(summary(&ctx, Summary::Sum, &[ints], false)));
        });
        // Three streams where a copy has two.
        for (name, op) in [("a + b", Arith::Add), ("a * b", Arith::Mul), ("a / b", Arith::Div)] {
            measure(name, 3.0 * nbytes, copy * 1.5, &mut || {
                drop(black_box(binary(&ctx, Binary::Arith(op), &x, &y, n as u64, to)));
            });
        }
        measure("a * 2", 2.0 * nbytes, copy, &mut || {
            drop(black_box(binary(&ctx, Binary::Arith(Arith::Mul), &x, &two, n as u64, to)));
        });
        measure("integers: a + a", 3.0 * nbytes, copy, &mut || {
            drop(black_box(binary(&ctx, Binary::Arith(Arith::Add), &ints, &ints, 2 * n as u64, to)));
        });
        measure("a < b", 2.5 * nbytes, copy, &mut || {
            drop(black_box(binary(&ctx, Binary::Compare(Compare::Lt), &x, &y, n as u64, to)));
        });
        for f in [
            Math::Abs,
            Math::Sqrt,
            Math::Exp,
            Math::Log,
            Math::Sin,
            Math::Cos,
            Math::Tanh,
            Math::Log10,
            Math::LGamma,
        ] {
            measure(f.name(), 2.0 * nbytes, copy, &mut || {
                drop(black_box(math(
                    &ctx,
                    f,
                    if matches!(f, Math::Log | Math::Log10 | Math::LGamma) { &y } else { &x },
                    to,
                )));
            });
        }
        for (name, f) in
            [("cumsum", Cumulative::Sum), ("cumprod", Cumulative::Prod), ("cummax", Cumulative::Max)]
        {
            measure(name, 2.0 * nbytes, copy, &mut || drop(black_box(cumulate(&ctx, f, &x, to))));
        }
        // In one pass: two streams in and one out, where the four operations one by one would touch eleven.
        let arith = |op, x, y| Step::Binary(Binary::Arith(op), x, y);
        let steps = [
            Step::Operand(0),
            Step::Operand(1),
            Step::Operand(2),
            arith(Arith::Mul, 2, 0),
            arith(Arith::Mul, 1, 0),
            arith(Arith::Add, 3, 4),
            arith(Arith::Sub, 5, 1),
        ];
        let fused = Fused::new(&steps, &[x, y, two]).expect("defined");
        measure("fused 2a + b*a - b", 3.0 * nbytes, copy * 1.5, &mut || {
            drop(black_box(fused.evaluate(&ctx, to)));
        });
        let size = 1024_u64.min((n as f64).sqrt() as u64);
        let square = [size, size];
        let dims = Dims { len: size * size, dim: Some(&square[..]), ..Dims::default() };
        let shape = product_shape(Product::Plain, (Dtype::Numeric, &dims), (Dtype::Numeric, &dims))
            .expect("conformable");
        let part = |m: RawBytes| Operand::new(Dtype::Numeric, m.first(size * size * 8));
        let (p, q) = (part(a.raw()), part(b.raw()));
        if "product".contains(&only) {
            let t =
                time(threads, || drop(black_box(product(&ctx, Product::Plain, &p, &q, &shape, None, to))));
            println!(
                "  product of {size} squared {:>20.2} ms {:>7.2} GFLOP/s",
                t * 1e3,
                2.0 * (size as f64).powi(3) / t / 1e9
            );
        }
        let rows = 5000_u64.min(n as u64);
        let dim = [rows, n as u64 / rows];
        // SAFETY: as in `raw`, for the whole columns at the start.
        let grid = Operand::new(Dtype::Numeric, a.raw().first(dim[0] * dim[1] * 8));
        for (name, f) in [
            ("rowSums", Margin::RowSums),
            ("colSums", Margin::ColSums),
            ("rowVars", Margin::RowVars),
            ("colVars", Margin::ColVars),
        ] {
            let shape = margin_shape(f, Dtype::Numeric, Some(&dim), 1).expect("a matrix");
            measure(&format!("{name} {} x {}", dim[0], dim[1]), nbytes, read, &mut || {
                drop(black_box(margin(&ctx, f, &grid, &shape, false, to)));
            });
        }
    }
}
