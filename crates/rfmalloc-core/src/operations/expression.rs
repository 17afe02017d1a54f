//! Lazy expressions on objects: begun, run, and ended with a vector or a summary. `plan` says what they give, `stages` what is done.

use super::given::{Given, Input};
use super::plan::Plan;
use super::stages::{Root, Slot, Source, Stages, lost};
use super::summary::Answer;
use super::work::{Amount, Work};
use crate::compute::{Context, Operand, Step, Summary, summary, summary_of};
use crate::convert::Warnings;
use crate::elements::Vector;
use crate::error::{Code, Error, Result};
use crate::store::{Handle, Store};

impl Store {
    /// Begins an expression, the last of the steps its result, as a temporary of this store: the elements, attributes and warnings that its operations
    /// one by one would give.
    ///
    /// # Errors
    /// Those of the operations; `NO_SPACE`, `READ_ONLY`, `DESTROYED`, `CLOSED`; `ARGUMENT`: a step or an operand is not given.
    pub fn evaluating(&self, steps: &[Step], given: &[Given<'_>]) -> Result<Evaluation> {
        let inputs = given.iter().map(|x| Input::new(*x)).collect::<Result<Vec<_>>>()?;
        let plan = Plan::new(steps, &inputs)?;
        let dress = plan.dress();
        let (stages, root) = Stages::begin(self, plan, true)?;
        let Root::Stored(vector) = root else { return Err(lost()) };
        let mut evaluation = Evaluation { stages, result: vector, is_done: false };
        // The result is dressed before anybody writes to it.
        if let Vector::Object(handle) = &mut evaluation.stages.slots[vector].vector {
            dress.put_on(self, handle)?;
        }
        evaluation.stages.open()?;
        Ok(evaluation)
    }

    /// Begins a summary of an expression, whose elements are stored nowhere; parts that must be are temporaries of this store. `remove` leaves NA
    /// and NaN out. The bits of a summary of the evaluated expression.
    ///
    /// # Errors
    /// As [`Store::evaluating`]; `TYPE` where the summary is not defined for the type.
    pub fn digesting(&self, steps: &[Step], given: &[Given<'_>], f: Summary, remove: bool) -> Result<Digest> {
        let inputs = given.iter().map(|x| Input::new(*x)).collect::<Result<Vec<_>>>()?;
        let (mut stages, root) = Stages::begin(self, Plan::new(steps, &inputs)?, false)?;
        stages.open()?;
        Ok(Digest { stages, root, f, remove, done: None })
    }
}

/// An expression that becomes a vector, begun and not yet ended: see [`Work`].
pub struct Evaluation {
    stages: Stages,
    result: usize,
    is_done: bool,
}

impl Work for Evaluation {
    fn amount(&self) -> Amount {
        self.stages.amount
    }

    fn run(&mut self, ctx: &Context<'_>) -> Result<bool> {
        self.is_done = self.is_done || self.stages.run(ctx, |_, _| Ok(Some(())))?.is_some();
        Ok(self.is_done)
    }
}

fn unfinished() -> Error {
    Error::new(Code::Argument, "the operation has not run to its end: it was cancelled, or never started")
}

impl Evaluation {
    /// The result, and R's warnings; of work that has run.
    ///
    /// # Errors
    /// `ARGUMENT`: it has not run, or was cancelled.
    pub fn finish(mut self) -> Result<(Handle, Warnings)> {
        if !self.is_done {
            return Err(unfinished());
        }
        let Slot { vector, .. } = self.stages.slots.swap_remove(self.result);
        Ok((vector.into_object()?, self.stages.warnings))
    }
}

/// A summary of an expression, begun and not yet ended: see [`Work`].
pub struct Digest {
    stages: Stages,
    root: Root,
    f: Summary,
    remove: bool,
    done: Option<Answer>,
}

impl Work for Digest {
    fn amount(&self) -> Amount {
        self.stages.amount
    }

    fn run(&mut self, ctx: &Context<'_>) -> Result<bool> {
        if self.done.is_some() {
            return Ok(true);
        }
        let (root, f, remove) = (&self.root, self.f, self.remove);
        self.done = self
            .stages
            .run(ctx, |stages, ctx| match root {
                Root::Fused(steps, sources) => summary_of(ctx, f, &stages.fused(steps, sources)?, remove),
                Root::Absent(dtype, len) => summary(ctx, f, &[Operand::absent(*dtype, *len)], remove),
                Root::Stored(slot) => {
                    let dtype = stages.slots[*slot].vector.dtype();
                    summary(ctx, f, &[stages.operand(Source::Made(*slot, dtype))?], remove)
                }
            })?
            .map(Answer::from);
        Ok(self.done.is_some())
    }
}

impl Digest {
    /// The value, and R's warnings; of work that has run.
    ///
    /// # Errors
    /// `ARGUMENT`: it has not run, or was cancelled.
    pub fn finish(self) -> Result<Answer> {
        let mut done = self.done.ok_or_else(unfinished)?;
        done.warnings |= self.stages.warnings;
        Ok(done)
    }
}
