//! Summaries: `sum prod min max range any all mean` of several operands together.
//!
//! Of numbers they are [`compute::summary`]'s. What text does beside or among them stands here: `all` and `any` go from operand to operand, each
//! as it is; `min` and `max` compare, as text, what each operand gives by itself; `range` makes text of everything first, as R's `c` does.

use super::given::{Given, Hold, Input, Piece};
use super::text::{bytes_of, own_vector};
use super::work::{Amount, Work, run_held};
use crate::compute::{self, Context, Operand, Scalar, Summarised, Summary};
use crate::convert::{self, Warnings};
use crate::dtype::Dtype;
use crate::elements::Vector;
use crate::error::{Code, Error, Result};
use crate::kernels::truth::Truths;
use crate::na::NA_INT;
use crate::store::Store;
use crate::strings::{TextBounds, text_chunks};

/// Bytes of numbers turned into text at a time.
const BLOCK_NBYTES: u64 = 1 << 16;

/// One value of a summary.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Of a type with bytes of its own.
    Number(Scalar),
    /// Text; `None`: NA.
    Text(Option<String>),
}

/// What a summary gives.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Logical, integer, numeric, complex or character.
    pub dtype: Dtype,
    /// The value; smallest and largest for `range`.
    pub values: Vec<Value>,
    /// What it warns of.
    pub warnings: Warnings,
}

impl From<Summarised> for Answer {
    fn from(s: Summarised) -> Self {
        Self {
            dtype: s.dtype,
            values: s.values.into_iter().map(Value::Number).collect(),
            warnings: s.warnings,
        }
    }
}

/// An operand held in place.
struct Part {
    operand: Operand,
    /// Of text: whose strings, the first, how many.
    text: Option<(Vector, u64, u64)>,
}

/// A summary, begun and not yet ended: see [`Work`].
pub struct SummaryWork {
    f: Summary,
    remove: bool,
    amount: Amount,
    parts: Vec<Part>,
    holds: Vec<Hold>,
    answer: Option<Answer>,
}

impl Store {
    /// The summary of all operands together. `remove` leaves NA and NaN out.
    ///
    /// # Errors
    /// `TYPE`, `COMPLEX`: it is not defined for a type; `ARGUMENT`: a mean of several operands; `DESTROYED`, `CLOSED`; `IO`, `CORRUPT`: elements
    /// cannot be read.
    pub fn summarise(
        &self,
        ctx: &Context<'_>,
        f: Summary,
        operands: &[Given<'_>],
        remove: bool,
    ) -> Result<Answer> {
        let mut work = self.begin_summarise(f, operands, remove)?;
        work.run(ctx)?;
        work.finish()
    }

    /// Begins what [`Store::summarise`] does.
    ///
    /// # Errors
    /// As there.
    pub fn begin_summarise(&self, f: Summary, operands: &[Given<'_>], remove: bool) -> Result<SummaryWork> {
        let mut work = SummaryWork {
            f,
            remove,
            amount: Amount { units: 0, nbytes: None },
            parts: Vec::with_capacity(operands.len()),
            holds: Vec::new(),
            answer: None,
        };
        let mut nbytes = 0;
        for given in operands {
            let input = Input::new(*given)?;
            let (operand, hold) = input.hold_any()?;
            let text = match given {
                Given::Piece(Piece { vector, start, len, .. }) if input.dtype == Dtype::Character => {
                    Some((own_vector(vector)?, *start, *len))
                }
                _ => None,
            };
            work.amount.units += input.len;
            nbytes += input.len * input.dtype.width();
            work.parts.push(Part { operand, text });
            work.holds.extend(hold);
        }
        work.amount.nbytes = Some(nbytes);
        Ok(work)
    }
}

impl SummaryWork {
    /// The result; of work that has run.
    ///
    /// # Errors
    /// `ARGUMENT`: it has not run, or was cancelled.
    pub fn finish(self) -> Result<Answer> {
        self.answer.ok_or_else(|| {
            Error::new(
                Code::Argument,
                "the summary has not run to its end: it was cancelled, or never started",
            )
        })
    }
}

impl Work for SummaryWork {
    fn amount(&self) -> Amount {
        self.amount
    }

    fn run(&mut self, ctx: &Context<'_>) -> Result<bool> {
        let (holds, parts) = (std::mem::take(&mut self.holds), std::mem::take(&mut self.parts));
        let is_closing = || holds.iter().any(Hold::is_closing);
        let done = run_held(ctx, is_closing, |ctx| summarise(ctx, self.f, &parts, self.remove))?;
        holds.iter().try_for_each(Hold::check)?;
        self.answer = done;
        Ok(self.answer.is_some())
    }
}

fn summarise(ctx: &Context<'_>, f: Summary, parts: &[Part], remove: bool) -> Result<Option<Answer>> {
    let is_text = parts.iter().any(|part| part.text.is_some());
    match f {
        Summary::All | Summary::Any if is_text => truth(ctx, f, parts, remove),
        Summary::Min | Summary::Max if is_text => extremum(ctx, f, parts, remove),
        Summary::Range if is_text => range(ctx, parts, remove),
        // The mean of R's NULL.
        Summary::Mean if parts.is_empty() => {
            let nothing = Operand::absent(Dtype::Raw, 0);
            Ok(compute::summary(ctx, f, &[nothing], remove)?.map(Answer::from))
        }
        _ => {
            let operands: Vec<Operand> = parts.iter().map(|part| part.operand).collect();
            Ok(compute::summary(ctx, f, &operands, remove)?.map(Answer::from))
        }
    }
}

/// `all` and `any`: each operand by itself, until it is decided. Three-valued, so that the order of the operands does not matter.
fn truth(ctx: &Context<'_>, f: Summary, parts: &[Part], remove: bool) -> Result<Option<Answer>> {
    let (mut all, mut warnings) = (Truths::default(), Warnings::default());
    for part in parts {
        let met = if let Some((vector, start, len)) = &part.text {
            if *len > 0 {
                warnings |= Warnings::LOGICAL_COERCION;
            }
            vector.string_truths(ctx, *start, *len)?
        } else {
            compute::summary(ctx, f, &[part.operand], remove)?.map(|one| {
                warnings |= one.warnings;
                let value = one.values.first().map_or(NA_INT, |value| match value {
                    Scalar::Int(value) => *value,
                    _ => NA_INT,
                });
                Truths { yes: value == 1, no: value == 0, na: value == NA_INT }
            })
        };
        let Some(met) = met else { return Ok(None) };
        all = all.or(met);
        if if f == Summary::All { all.no } else { all.yes } {
            break;
        }
    }
    let value = if f == Summary::All { all.all(remove) } else { all.any(remove) };
    Ok(Some(Answer { dtype: Dtype::Logical, values: vec![Value::Number(Scalar::Int(value))], warnings }))
}

/// `min` and `max` with text among the operands: what each gives, compared as text. One without elements gives nothing.
fn extremum(ctx: &Context<'_>, f: Summary, parts: &[Part], remove: bool) -> Result<Option<Answer>> {
    let mut all = TextBounds::default();
    for part in parts {
        if let Some((vector, start, len)) = &part.text {
            let Some(bounds) = vector.string_bounds(ctx, *start, *len)? else { return Ok(None) };
            all = all.and(bounds);
            continue;
        }
        let Some(one) = compute::summary(ctx, f, &[part.operand], remove)? else { return Ok(None) };
        if one.warnings.contains(Warnings::EMPTY_EXTREMUM) {
            continue;
        }
        for value in one.values {
            add_as_text(one.dtype, &bytes_of(value), &mut all)?;
        }
    }
    Ok(Some(chosen(f, all.bounds(remove))))
}

/// `range` with text among the operands: of everything as text.
fn range(ctx: &Context<'_>, parts: &[Part], remove: bool) -> Result<Option<Answer>> {
    let mut all = TextBounds::default();
    for part in parts {
        let bounds = match &part.text {
            Some((vector, start, len)) => vector.string_bounds(ctx, *start, *len)?,
            None => bounds_as_text(ctx, &part.operand)?,
        };
        let Some(bounds) = bounds else { return Ok(None) };
        all = all.and(bounds);
    }
    Ok(Some(chosen(Summary::Range, all.bounds(remove))))
}

/// The bounds of an operand's elements turned into text.
fn bounds_as_text(ctx: &Context<'_>, x: &Operand) -> Result<Option<TextBounds>> {
    let (dtype, len) = (x.dtype(), x.len());
    if !dtype.is_plain() {
        return Err(compute::bad_type(dtype));
    }
    let width = dtype.width();
    let parts = x.with_span(|span| {
        text_chunks(
            ctx,
            len,
            || vec![0; BLOCK_NBYTES as usize],
            |block, chunk| {
                let mut all = TextBounds::default();
                let (mut at, end) = (chunk.start * width, chunk.end * width);
                while at < end {
                    let n = BLOCK_NBYTES.min(end - at);
                    span.read(at, &mut block[..n as usize]);
                    add_as_text(dtype, &block[..n as usize], &mut all)?;
                    at += n;
                }
                Ok(all)
            },
        )
    })??;
    Ok(parts.map(|parts| parts.into_iter().fold(TextBounds::default(), TextBounds::and)))
}

fn add_as_text(dtype: Dtype, bytes: &[u8], all: &mut TextBounds) -> Result<()> {
    convert::each_text(dtype, bytes, |text| {
        all.add(text);
        Ok(())
    })
}

fn chosen(f: Summary, bounds: Option<[Option<String>; 2]>) -> Answer {
    let warnings = if bounds.is_none() { Warnings::EMPTY_EXTREMUM } else { Warnings::default() };
    let [low, high] = bounds.unwrap_or_default().map(Value::Text);
    let values = match f {
        Summary::Min => vec![low],
        Summary::Max => vec![high],
        _ => vec![low, high],
    };
    Answer { dtype: Dtype::Character, values, warnings }
}
