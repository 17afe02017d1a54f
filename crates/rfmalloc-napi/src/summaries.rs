//! Summaries: one export for all, told apart by their place in a list of names; and its twin off the event loop.

use crate::compute::{Deliver, Running};
use crate::error::{Result, bad_argument};
use crate::operands::{Operands, context};
use crate::task::Control;
use napi::Either;
use napi::bindgen_prelude::{AsyncTask, External, Float64ArraySlice};
use napi_derive::napi;
use rfmalloc_core::compute::{Scalar, Summary};
use rfmalloc_core::{Answer, SummaryWork, Value};
use std::sync::Arc;

const SUMMARIES: [(&str, Summary); 8] = [
    ("sum", Summary::Sum),
    ("prod", Summary::Prod),
    ("mean", Summary::Mean),
    ("min", Summary::Min),
    ("max", Summary::Max),
    ("range", Summary::Range),
    ("any", Summary::Any),
    ("all", Summary::All),
];

pub(crate) fn summary(code: u32) -> Result<Summary> {
    SUMMARIES.get(code as usize).map(|(_, f)| *f).ok_or_else(|| bad_argument("no such summary"))
}

/// Names of what `summarise` can do; the place of one in the list is its code.
#[napi(catch_unwind)]
pub fn summaries() -> Vec<&'static str> {
    SUMMARIES.iter().map(|(name, _)| *name).collect()
}

/// What a summary gives: numbers (a complex one is two, both null if it is NA) or text; null is NA. R's warnings as bits.
#[napi(object)]
pub struct NativeSummary {
    #[napi(js_name = "type")]
    pub type_code: u8,
    pub values: Vec<Option<Either<f64, String>>>,
    pub warnings: u32,
}

impl From<Answer> for NativeSummary {
    fn from(answer: Answer) -> Self {
        let mut values = Vec::with_capacity(2);
        for value in answer.values {
            match value {
                Value::Text(text) => values.push(text.map(Either::B)),
                Value::Number(Scalar::Complex(z)) if Scalar::Complex(z).is_na() => {
                    values.extend([None, None]);
                }
                Value::Number(Scalar::Complex(z)) => values.extend(z.map(|part| Some(Either::A(part)))),
                Value::Number(value) if value.is_na() => values.push(None),
                Value::Number(Scalar::Int(x)) => values.push(Some(Either::A(f64::from(x)))),
                Value::Number(Scalar::Real(x)) => values.push(Some(Either::A(x))),
                Value::Number(Scalar::Raw(x)) => values.push(Some(Either::A(f64::from(x)))),
            }
        }
        Self { type_code: answer.dtype.code(), values, warnings: answer.warnings.bits() }
    }
}

#[napi(catch_unwind)]
pub fn summarise(
    handle: u32,
    code: u32,
    operands: Float64ArraySlice<'_>,
    remove: bool,
    threads: u32,
) -> Result<NativeSummary> {
    let (f, ctx) = (summary(code)?, context(threads)?);
    Operands::new(&operands).run(handle, |s, given| s.summarise(&ctx, f, given, remove)).map(Into::into)
}

#[napi(catch_unwind)]
pub fn summarise_async(
    handle: u32,
    code: u32,
    operands: Float64ArraySlice<'_>,
    remove: bool,
    threads: u32,
    control: &External<Arc<Control>>,
) -> Result<AsyncTask<Running<SummaryWork>>> {
    let f = summary(code)?;
    Operands::new(&operands).begin(handle, control, threads, |s, given| s.begin_summarise(f, given, remove))
}

impl Deliver for SummaryWork {
    type Value = NativeSummary;

    fn deliver(self, _: u32) -> rfmalloc_core::Result<NativeSummary> {
        self.finish().map(Into::into)
    }
}
