//! `sum prod min max range any all mean` over several operands together (behaviours 10), or over an expression whose elements nobody stores.

use super::expr::Fused;
use super::operand::{Operand, Scalar};
use super::ops::rank;
use crate::convert::Warnings;
use crate::dtype::Dtype;
use crate::error::{Code, Error, Result};
use crate::executor::machine::Block;
use crate::executor::{Context, fold};
use crate::kernels::complex::mul;
use crate::kernels::exact::Dd;
use crate::kernels::extremum::{Ends, IntBounds, RealBounds};
use crate::kernels::missing::nan_of;
use crate::kernels::prod::Product;
use crate::kernels::simd::Isa;
use crate::kernels::sum::{IntSum, Odd, SCALE, Sum};
use crate::kernels::truth::Truths;
use crate::kernels::{BLOCK, C64};
use crate::na::{NA_INT, is_na, na_real};
use crate::program::{Bank, Builder, Reg};
use crate::region::Elems;
use std::cell::Cell;
use std::slice::from_ref;

/// The summaries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "R's names")]
pub enum Summary {
    Sum,
    Prod,
    Max,
    Min,
    Range,
    All,
    Any,
    Mean,
}

/// A summary's result: its type, one value (two for `range`), and the warnings.
#[derive(Clone, Debug, PartialEq)]
pub struct Summarised {
    /// Logical, integer, numeric or complex.
    pub dtype: Dtype,
    /// The value; smallest and largest for `range`.
    pub values: Vec<Scalar>,
    /// What it warns of.
    pub warnings: Warnings,
}

impl Summarised {
    fn one(dtype: Dtype, value: Scalar) -> Self {
        Self { dtype, values: vec![value], warnings: Warnings::default() }
    }
}

pub(crate) fn bad_type(x: Dtype) -> Error {
    Error::new(Code::Type, format!("invalid 'type' ({}) of argument", x.name())).with(super::KIND, "bad-type")
}

/// What is summarised, element by element.
#[derive(Clone, Copy)]
struct Summand<'a> {
    dtype: Dtype,
    len: u64,
    source: Elements<'a>,
}

#[derive(Clone, Copy)]
enum Elements<'a> {
    Operand(&'a Operand),
    /// And what computing the elements has warned of.
    Fused(&'a Fused, &'a Cell<Warnings>),
}

impl<'a> Summand<'a> {
    fn operand(x: &'a Operand) -> Self {
        Self { dtype: x.dtype, len: x.len, source: Elements::Operand(x) }
    }

    fn bank(&self) -> Result<Bank> {
        match self.source {
            Elements::Operand(x) => x.bank(),
            Elements::Fused(x, _) => Ok(x.bank()),
        }
    }

    /// Feeds the elements, taken on by `then`, to parts of chunks, until one is `enough`. None if it was cancelled.
    fn fold<P: Send>(
        &self,
        ctx: &Context<'_>,
        then: impl FnOnce(&mut Builder, Reg) -> Reg,
        start: impl Fn() -> P + Sync,
        feed: impl Fn(&mut P, Block<'_>) + Sync,
        enough: impl Fn(&P) -> bool + Sync,
    ) -> Result<Option<Vec<P>>> {
        match self.source {
            Elements::Operand(x) => {
                let mut p = Builder::default();
                let a = p.load(0, x.bank()?);
                let out = then(&mut p, a);
                let done = fold::run(ctx, &p.finish(out), &[x.snapshot()], x.len, start, feed, enough);
                Ok(done.map(|(parts, _)| parts))
            }
            Elements::Fused(x, warned) => {
                let program = x.program(then);
                // Warnings are those of all elements: what may warn is computed to the end.
                let all = program.may_warn();
                let enough = |part: &P| !all && enough(part);
                let done = fold::run(ctx, &program, x.operands(), self.len, start, feed, enough);
                Ok(done.map(|(parts, warnings)| {
                    let mut all = warned.get();
                    all |= warnings;
                    warned.set(all);
                    parts
                }))
            }
        }
    }

    /// The same, promoted to a bank.
    fn parts<P: Send>(
        &self,
        ctx: &Context<'_>,
        to: Bank,
        start: impl Fn() -> P + Sync,
        feed: impl Fn(&mut P, Block<'_>) + Sync,
    ) -> Result<Option<Vec<P>>> {
        self.fold(ctx, |p, a| p.promote(a, to), start, feed, |_| false)
    }
}

/// The summary of all operands together: the highest type decides, and an operand without elements has its type all the same. `remove` leaves
/// NA and NaN out. None if it was cancelled.
///
/// # Errors
/// `TYPE` where the summary is not defined for a type; `UNSUPPORTED` for text, whose order and truth are told elsewhere.
pub fn summary(
    ctx: &Context<'_>,
    f: Summary,
    operands: &[Operand],
    remove: bool,
) -> Result<Option<Summarised>> {
    let summands: Vec<Summand<'_>> = operands.iter().map(Summand::operand).collect();
    summarised(ctx, f, &summands, remove)
}

/// The summary of an expression's elements, which are computed on the way and stored nowhere: the bits of a summary of the evaluated
/// expression, and the warnings of both. None if it was cancelled.
///
/// # Errors
/// As [`summary`].
pub fn summary_of(ctx: &Context<'_>, f: Summary, x: &Fused, remove: bool) -> Result<Option<Summarised>> {
    let warned = Cell::new(Warnings::default());
    let summand = Summand { dtype: x.dtype(), len: x.len(), source: Elements::Fused(x, &warned) };
    let mut done = summarised(ctx, f, from_ref(&summand), remove)?;
    if let Some(done) = &mut done {
        done.warnings |= warned.get();
    }
    Ok(done)
}

fn summarised(
    ctx: &Context<'_>,
    f: Summary,
    summands: &[Summand<'_>],
    remove: bool,
) -> Result<Option<Summarised>> {
    match f {
        Summary::All | Summary::Any => truth(ctx, f, summands, remove),
        Summary::Mean => mean(ctx, summands, remove),
        Summary::Max | Summary::Min | Summary::Range => extremum(ctx, f, summands, remove),
        Summary::Sum | Summary::Prod => total(ctx, f, summands, remove),
    }
}

/// The highest type among the operands; a type that cannot be added up is refused.
fn highest(operands: &[Summand<'_>]) -> Result<Dtype> {
    let mut high = Dtype::Logical;
    for x in operands {
        let Some(r) = rank(x.dtype) else { return Err(bad_type(x.dtype)) };
        if Some(r) > rank(high) {
            high = x.dtype;
        }
    }
    Ok(high)
}

// ---- sums and products -----------------------------------------------------------------------------------------------------

fn total(
    ctx: &Context<'_>,
    f: Summary,
    operands: &[Summand<'_>],
    remove: bool,
) -> Result<Option<Summarised>> {
    let high = highest(operands)?;
    match (f, high) {
        (Summary::Sum, Dtype::Logical | Dtype::Integer) => {
            let mut all = IntSum::default();
            for x in operands {
                let Some(sum) = int_sum(ctx, x, remove)? else { return Ok(None) };
                all = all.plus(sum);
            }
            Ok(Some(whole(&all)))
        }
        (Summary::Sum, Dtype::Numeric) => {
            let Some(sum) = real_sum(ctx, operands, remove)? else { return Ok(None) };
            Ok(Some(Summarised::one(Dtype::Numeric, Scalar::Real(sum.value(1.0)))))
        }
        (Summary::Sum, _) => {
            let Some(sums) = complex_sum(ctx, operands, remove)? else { return Ok(None) };
            Ok(Some(Summarised::one(Dtype::Complex, Scalar::Complex(sums.map(|sum| sum.value(1.0))))))
        }
        (_, Dtype::Complex) => {
            let Some(product) = complex_prod(ctx, operands, remove)? else { return Ok(None) };
            Ok(Some(Summarised::one(Dtype::Complex, Scalar::Complex(product))))
        }
        _ => {
            let mut all = Product::new();
            for x in operands {
                let feed = |part: &mut Product, block: Block<'_>| {
                    if let Block::Real(block) = block {
                        part.multiply(ctx.isa, block, remove);
                    }
                };
                let Some(parts) = x.parts(ctx, Bank::Real, Product::new, feed)? else { return Ok(None) };
                all = parts.into_iter().fold(all, Product::times);
            }
            Ok(Some(Summarised::one(Dtype::Numeric, Scalar::Real(all.total()))))
        }
    }
}

fn int_sum(ctx: &Context<'_>, x: &Summand<'_>, remove: bool) -> Result<Option<IntSum>> {
    let feed = |part: &mut IntSum, block: Block<'_>| {
        if let Block::Int(block) = block {
            part.add(ctx.isa, block, remove);
        }
    };
    let parts = x.parts(ctx, Bank::Int, IntSum::default, feed)?;
    Ok(parts.map(|parts| parts.into_iter().fold(IntSum::default(), IntSum::plus)))
}

/// Integer if it fits, else numeric (behaviour 10.2).
fn whole(sum: &IntSum) -> Summarised {
    if sum.na {
        return Summarised::one(Dtype::Integer, Scalar::Int(NA_INT));
    }
    match i32::try_from(sum.total) {
        Ok(total) if total != NA_INT => Summarised::one(Dtype::Integer, Scalar::Int(total)),
        _ => Summarised::one(Dtype::Numeric, Scalar::Real(sum.total as f64)),
    }
}

/// A finished sum of doubles.
#[derive(Clone, Copy, Debug, Default)]
struct Total {
    sum: Dd,
    odd: Odd,
    count: u64,
    /// What the elements were multiplied by.
    scale: f64,
}

impl Total {
    /// The sum divided by `n`, rounded once.
    fn value(&self, n: f64) -> f64 {
        let sum = if n == 1.0 { self.sum } else { self.sum.over(n) };
        self.odd.total().unwrap_or(sum.round() / self.scale)
    }
}

fn add_parts(mut all: Total, parts: &[Sum]) -> Total {
    for part in parts {
        all.sum = all.sum.plus(part.total());
        all.odd = all.odd.or(part.odd);
        all.count += part.count;
    }
    all
}

/// Sums the operands as doubles; once more, scaled, if the running total left the range.
fn real_sum(ctx: &Context<'_>, operands: &[Summand<'_>], remove: bool) -> Result<Option<Total>> {
    for scale in [1.0, SCALE] {
        let mut all = Total { scale, ..Total::default() };
        for x in operands {
            let feed = |part: &mut Sum, block: Block<'_>| {
                if let Block::Real(block) = block {
                    part.add(ctx.isa, block, remove, scale);
                }
            };
            let Some(parts) = x.parts(ctx, Bank::Real, Sum::new, feed)? else { return Ok(None) };
            all = add_parts(all, &parts);
        }
        if all.sum.hi.is_finite() || scale != 1.0 || all.odd.total().is_some() {
            return Ok(Some(all));
        }
    }
    Ok(None)
}

/// Adds both parts, half a block at a time: a whole one would be too much of the stack.
fn add_complex(isa: Isa, sums: &mut [Sum; 2], block: Elems<'_, C64>, remove: bool, scale: f64) {
    let mut halves = [[0.0; BLOCK / 2]; 2];
    let mut n = 0;
    let mut flush = |halves: &[[f64; BLOCK / 2]; 2], n: usize| {
        for (sum, half) in sums.iter_mut().zip(halves) {
            sum.add(isa, &half[..n], remove, scale);
        }
    };
    for z in block.iter() {
        let missing = remove && (z[0].is_nan() || z[1].is_nan());
        (halves[0][n], halves[1][n]) = if missing { (f64::NAN, f64::NAN) } else { (z[0], z[1]) };
        n += 1;
        if n == BLOCK / 2 {
            flush(&halves, n);
            n = 0;
        }
    }
    flush(&halves, n);
}

/// The sums of both parts. An element counts as missing if either part does.
fn complex_sum(ctx: &Context<'_>, operands: &[Summand<'_>], remove: bool) -> Result<Option<[Total; 2]>> {
    for scale in [1.0, SCALE] {
        let mut all = [Total { scale, ..Total::default() }; 2];
        for x in operands {
            let feed = |part: &mut [Sum; 2], block: Block<'_>| {
                if let Block::Complex(block) = block {
                    add_complex(ctx.isa, part, block, remove, scale);
                }
            };
            let start = || [Sum::new(), Sum::new()];
            let Some(parts) = x.parts(ctx, Bank::Complex, start, feed)? else { return Ok(None) };
            for (side, all) in all.iter_mut().enumerate() {
                let parts: Vec<Sum> = parts.iter().map(|part| part[side]).collect();
                *all = add_parts(*all, &parts);
            }
        }
        if scale != 1.0 || all.iter().all(|total| total.sum.hi.is_finite()) {
            return Ok(Some(all));
        }
    }
    Ok(None)
}

fn complex_prod(ctx: &Context<'_>, operands: &[Summand<'_>], remove: bool) -> Result<Option<C64>> {
    let mut all = [1.0, 0.0];
    let mut na = false;
    for x in operands {
        let feed = |part: &mut (C64, bool), block: Block<'_>| {
            if let Block::Complex(block) = block {
                for z in block.iter().filter(|z| !(remove && (z[0].is_nan() || z[1].is_nan()))) {
                    part.1 |= is_na(z[0]) || is_na(z[1]);
                    part.0 = mul(part.0, z);
                }
            }
        };
        let Some(parts) = x.parts(ctx, Bank::Complex, || ([1.0, 0.0], false), feed)? else {
            return Ok(None);
        };
        for (z, has_na) in parts {
            all = mul(all, z);
            na |= has_na;
        }
    }
    Ok(Some(all.map(|part| if part.is_nan() { nan_of(na) } else { part })))
}

// ---- mean ------------------------------------------------------------------------------------------------------------------

fn mean(ctx: &Context<'_>, operands: &[Summand<'_>], remove: bool) -> Result<Option<Summarised>> {
    let [x] = operands else {
        return Err(Error::new(Code::Argument, "mean takes one operand").with(super::KIND, "bad-argument"));
    };
    match x.dtype {
        Dtype::Logical | Dtype::Integer => {
            let Some(sum) = int_sum(ctx, x, remove)? else { return Ok(None) };
            let value =
                if sum.na { na_real() } else { Dd::of_whole(sum.total).over(sum.count as f64).round() };
            Ok(Some(Summarised::one(Dtype::Numeric, Scalar::Real(value))))
        }
        Dtype::Numeric => {
            let Some(sum) = real_sum(ctx, operands, remove)? else { return Ok(None) };
            Ok(Some(Summarised::one(Dtype::Numeric, Scalar::Real(sum.value(sum.count as f64)))))
        }
        Dtype::Complex => {
            let Some(sums) = complex_sum(ctx, operands, remove)? else { return Ok(None) };
            let value = sums.map(|sum| sum.value(sum.count as f64));
            Ok(Some(Summarised::one(Dtype::Complex, Scalar::Complex(value))))
        }
        _ => Ok(Some(Summarised {
            warnings: Warnings::NOT_NUMERIC,
            ..Summarised::one(Dtype::Numeric, Scalar::Real(na_real()))
        })),
    }
}

// ---- smallest and largest --------------------------------------------------------------------------------------------------

fn extremum(
    ctx: &Context<'_>,
    f: Summary,
    operands: &[Summand<'_>],
    remove: bool,
) -> Result<Option<Summarised>> {
    // `range` combines its operands first, which makes raw beside numbers integer.
    let combined = f == Summary::Range && operands.iter().any(|x| x.dtype != Dtype::Raw);
    for x in operands {
        let raw = x.dtype == Dtype::Raw && combined;
        if !raw && !matches!(x.dtype, Dtype::Logical | Dtype::Integer | Dtype::Numeric | Dtype::Character) {
            return Err(bad_type(x.dtype));
        }
    }
    if let Some(x) = operands.iter().find(|x| x.dtype == Dtype::Character) {
        return Err(Error::new(Code::Unsupported, format!("'{}' has its order elsewhere", x.dtype.name())));
    }
    let real = operands.iter().any(|x| x.dtype == Dtype::Numeric);
    let (ints, seen) = if real {
        (None, 0)
    } else {
        let Some(all) = int_bounds(ctx, operands)? else { return Ok(None) };
        (Some(all.bounds(remove)), all.count)
    };
    if let Some((low, high)) = ints.filter(|bounds| seen > 0 || bounds.0 == NA_INT) {
        let values = chosen(f, Scalar::Int(low), Scalar::Int(high));
        return Ok(Some(Summarised { dtype: Dtype::Integer, values, warnings: Warnings::default() }));
    }
    let (low, high, empty) = if ints.is_some() {
        (f64::INFINITY, f64::NEG_INFINITY, true)
    } else {
        let ends = match f {
            Summary::Min => Ends::Low,
            Summary::Max => Ends::High,
            _ => Ends::Both,
        };
        let Some(all) = real_bounds(ctx, operands, ends)? else { return Ok(None) };
        let (low, high) = all.bounds(remove);
        (low, high, all.count == 0 && !low.is_nan())
    };
    let warnings = if empty { Warnings::EMPTY_EXTREMUM } else { Warnings::default() };
    Ok(Some(Summarised {
        dtype: Dtype::Numeric,
        values: chosen(f, Scalar::Real(low), Scalar::Real(high)),
        warnings,
    }))
}

fn chosen(f: Summary, low: Scalar, high: Scalar) -> Vec<Scalar> {
    match f {
        Summary::Min => vec![low],
        Summary::Max => vec![high],
        _ => vec![low, high],
    }
}

fn int_bounds(ctx: &Context<'_>, operands: &[Summand<'_>]) -> Result<Option<IntBounds>> {
    let mut all = IntBounds::new();
    for x in operands {
        let feed = |part: &mut IntBounds, block: Block<'_>| {
            if let Block::Int(block) = block {
                part.add(ctx.isa, block);
            }
        };
        let Some(parts) = x.parts(ctx, Bank::Int, IntBounds::new, feed)? else { return Ok(None) };
        all = parts.into_iter().fold(all, IntBounds::then);
    }
    Ok(Some(all))
}

fn real_bounds(ctx: &Context<'_>, operands: &[Summand<'_>], ends: Ends) -> Result<Option<RealBounds>> {
    let mut all = RealBounds::new();
    for x in operands {
        let feed = |part: &mut RealBounds, block: Block<'_>| {
            if let Block::Real(block) = block {
                part.add(ctx.isa, block, ends);
            }
        };
        let Some(parts) = x.parts(ctx, Bank::Real, RealBounds::new, feed)? else { return Ok(None) };
        all = parts.into_iter().fold(all, RealBounds::then);
    }
    Ok(Some(all))
}

// ---- truth -----------------------------------------------------------------------------------------------------------------

fn truth(
    ctx: &Context<'_>,
    f: Summary,
    operands: &[Summand<'_>],
    remove: bool,
) -> Result<Option<Summarised>> {
    let mut all = Truths::default();
    let mut warnings = Warnings::default();
    for x in operands {
        match x.dtype {
            Dtype::List => return Err(bad_type(x.dtype)),
            Dtype::Character => x.bank()?,
            _ if x.len == 0 => continue,
            _ => x.bank()?,
        };
        if !matches!(x.dtype, Dtype::Logical | Dtype::Integer) {
            warnings |= Warnings::LOGICAL_COERCION;
        }
        let feed = |part: &mut Truths, block: Block<'_>| {
            if let Block::Int(block) = block {
                *part = part.or(Truths::of(ctx.isa, block));
            }
        };
        // Whole numbers are looked at where they are: what is neither 0 nor NA is true.
        let truth = |p: &mut Builder, a: Reg| if a.bank == Bank::Int { a } else { p.truth(a) };
        let decided = |seen: &Truths| if f == Summary::All { seen.no } else { seen.yes };
        let Some(parts) = x.fold(ctx, truth, Truths::default, feed, decided)? else { return Ok(None) };
        all = parts.into_iter().fold(all, Truths::or);
        // The operands behind are not looked at, and warn of nothing.
        if decided(&all) {
            break;
        }
    }
    let value = if f == Summary::All { all.all(remove) } else { all.any(remove) };
    Ok(Some(Summarised { warnings, ..Summarised::one(Dtype::Logical, Scalar::Int(value)) }))
}
