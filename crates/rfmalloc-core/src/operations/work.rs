//! An operation between its beginning and its end.

use super::dress::Dress;
use super::given::{Hold, Input};
use crate::compute::{Context, Operand};
use crate::convert::Warnings;
use crate::dtype::Dtype;
use crate::error::Result;
use crate::region::RawBytes;
use crate::store::{Handle, Operation, Store};

/// What is done with the operands: stores the result's elements. None if it was cancelled.
type Run = Box<dyn FnOnce(&Context<'_>, &[Operand], RawBytes) -> Result<Option<Warnings>> + Send>;

/// An operation whose result is a vector, begun and not yet ended. It may run on another thread; its operands and its result cannot be destroyed
/// meanwhile, and its stores wait for it when they are closed.
pub struct VectorWork {
    operands: Vec<Operand>,
    holds: Vec<Hold>,
    run: Option<Run>,
    writing: Option<Operation>,
    result: Handle,
    warnings: Warnings,
    is_done: bool,
}

impl VectorWork {
    /// Begins an operation that stores `len` elements of `dtype` in a new temporary of the store, dressed as `dress` says. `warnings`: what is known before.
    pub(super) fn begin(
        store: &Store,
        inputs: &[&Input<'_>],
        (dtype, len): (Dtype, u64),
        dress: Dress<'_, '_>,
        warnings: Warnings,
        run: impl FnOnce(&Context<'_>, &[Operand], RawBytes) -> Result<Option<Warnings>> + Send + 'static,
    ) -> Result<Self> {
        let mut operands = Vec::with_capacity(inputs.len());
        let mut holds = Vec::with_capacity(inputs.len());
        for input in inputs {
            let (operand, hold) = input.hold()?;
            operands.push(operand);
            holds.extend(hold);
        }
        let mut result = store.reserve(dtype, len, false)?;
        dress.put_on(store, &mut result)?;
        let writing = (len > 0).then(|| result.begin_writing()).transpose()?;
        Ok(Self { operands, holds, run: Some(Box::new(run)), writing, result, warnings, is_done: false })
    }

    /// Does the work, once. False: it was cancelled, and there is no result.
    ///
    /// # Errors
    /// `IO`: bytes of an operand or of the result are lost; those of the operation.
    pub fn run(&mut self, ctx: &Context<'_>) -> Result<bool> {
        let Some(run) = self.run.take() else { return Ok(self.is_done) };
        let out = self.writing.as_ref().map_or_else(RawBytes::empty, |w| w.span().into());
        let Some(warnings) = run(ctx, &self.operands, out)? else { return Ok(false) };
        self.holds.iter().try_for_each(Hold::check)?;
        if let Some(writing) = self.writing.take() {
            let nbytes = writing.span().nbytes();
            writing.wrote(0, nbytes);
            writing.check(0, nbytes)?;
        }
        self.warnings |= warnings;
        self.is_done = true;
        Ok(true)
    }

    /// The result, and R's warnings; of work that has run.
    ///
    /// # Errors
    /// `ARGUMENT`: it has not run, or was cancelled.
    pub fn finish(self) -> Result<(Handle, Warnings)> {
        if self.is_done {
            return Ok((self.result, self.warnings));
        }
        Err(crate::error::Error::new(
            crate::error::Code::Argument,
            "the operation has not run to its end: it was cancelled, or never started",
        ))
    }

    /// Runs and finishes, on this thread.
    pub(super) fn complete(mut self, ctx: &Context<'_>) -> Result<(Handle, Warnings)> {
        self.run(ctx)?;
        self.finish()
    }
}
