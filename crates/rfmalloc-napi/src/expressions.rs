//! Lazy expressions: their types step by step, while they are built, and the whole of one to be evaluated or summarised. A step crosses as three
//! numbers: the code of an operation (−1: an operand) and the places of its needs (the number of the operand).

use crate::compute::{Deliver, NativeMade, Running, made};
use crate::error::{OrFail, Result, bad_argument, whole};
use crate::object::dtype;
use crate::operands::{Operands, context};
use crate::operations::{Act, act};
use crate::summaries::{NativeSummary, summary};
use crate::task::Control;
use napi::bindgen_prelude::{AsyncTask, External, Float64ArraySlice, Int32ArraySlice};
use napi_derive::napi;
use rfmalloc_core::compute::Step;
use rfmalloc_core::{Digest, Evaluation, Given, Store, Work};
use std::sync::Arc;

fn step(&[code, x, y]: &[i32; 3]) -> Result<Step> {
    let place = |at: i32| usize::try_from(at).map_err(|_| bad_argument("a step before the first"));
    let x = place(x)?;
    let Ok(code) = u32::try_from(code) else { return Ok(Step::Operand(x)) };
    Ok(match act(code)? {
        Act::Binary(op) => Step::Binary(op, x, place(y)?),
        Act::Unary(op) => Step::Unary(op, x),
        Act::Math(f) => Step::Math(f, x),
        Act::Math2(f) => Step::Math2(f, x, place(y)?),
        Act::Missing(which) => Step::Missing(which, x),
        Act::Cumulate(_) => return Err(bad_argument("running values are no part of an expression")),
    })
}

fn steps(numbers: &[i32]) -> Result<Vec<Step>> {
    numbers.as_chunks().0.iter().map(step).collect()
}

/// Type and length of an operation's result, from those of its operands; the second ones count for operations of two.
#[napi(catch_unwind)]
pub fn expression_gives(code: u32, x: u8, n: f64, y: u8, m: f64) -> Result<Vec<f64>> {
    let step = step(&[i32::try_from(code).unwrap_or(i32::MAX), 0, 0])?;
    let (n, m) = (whole(n, "length")?, whole(m, "length")?);
    let (dtype, len) = step.gives((dtype(x)?, n), (dtype(y)?, m)).or_fail()?;
    Ok(vec![f64::from(dtype.code()), len as f64])
}

/// The elements of an expression as a new vector, in the mailbox. R's warnings as bits.
#[napi(catch_unwind)]
pub fn evaluate(
    handle: u32,
    list: Int32ArraySlice<'_>,
    operands: Float64ArraySlice<'_>,
    threads: u32,
) -> Result<u32> {
    let steps = steps(&list)?;
    let begin = |s: &Store, given: &[Given<'_>]| s.evaluating(&steps, given);
    Operands::new(&operands).complete(handle, threads, begin, Evaluation::finish)
}

#[napi(catch_unwind)]
pub fn evaluate_async(
    handle: u32,
    list: Int32ArraySlice<'_>,
    operands: Float64ArraySlice<'_>,
    threads: u32,
    control: &External<Arc<Control>>,
) -> Result<AsyncTask<Running<Evaluation>>> {
    let steps = steps(&list)?;
    Operands::new(&operands).begin(handle, control, threads, |s, given| s.evaluating(&steps, given))
}

impl Deliver for Evaluation {
    type Value = NativeMade;

    fn deliver(self, store: u32) -> rfmalloc_core::Result<NativeMade> {
        let (vector, warnings) = self.finish()?;
        Ok(made(store, vector, warnings))
    }
}

/// A summary of an expression's elements, which are stored nowhere.
#[napi(catch_unwind)]
pub fn digest(
    handle: u32,
    list: Int32ArraySlice<'_>,
    operands: Float64ArraySlice<'_>,
    code: u32,
    remove: bool,
    threads: u32,
) -> Result<NativeSummary> {
    let (steps, f, ctx) = (steps(&list)?, summary(code)?, context(threads)?);
    let answer = Operands::new(&operands).run(handle, |s, given| {
        let mut work = s.digesting(&steps, given, f, remove)?;
        work.run(&ctx)?;
        work.finish()
    });
    answer.map(Into::into)
}

#[napi(catch_unwind)]
pub fn digest_async(
    handle: u32,
    list: Int32ArraySlice<'_>,
    operands: Float64ArraySlice<'_>,
    code: u32,
    remove: bool,
    threads: u32,
    control: &External<Arc<Control>>,
) -> Result<AsyncTask<Running<Digest>>> {
    let (steps, f) = (steps(&list)?, summary(code)?);
    Operands::new(&operands).begin(handle, control, threads, |s, given| s.digesting(&steps, given, f, remove))
}

impl Deliver for Digest {
    type Value = NativeSummary;

    fn deliver(self, _: u32) -> rfmalloc_core::Result<NativeSummary> {
        self.finish().map(Into::into)
    }
}
