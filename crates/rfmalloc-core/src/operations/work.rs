//! An operation between its beginning and its end.

use super::dress::Dress;
use super::given::{Hold, Input};
use crate::compute::{Context, Operand, Watch};
use crate::convert::Warnings;
use crate::dtype::Dtype;
use crate::error::{Code, Error, Result};
use crate::region::RawBytes;
use crate::store::{Handle, Operation, Store};

/// How much an operation has to do, for showing its progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amount {
    /// What the units told to [`Watch::done`] add up to. More where an operation has to look at its operands twice.
    pub units: u64,
    /// The bytes that these units stand for; `None`: each unit is a tile.
    pub nbytes: Option<u64>,
}

/// An operation that has begun and not ended, for whoever runs it on another thread. From its beginning until it has run, its operands and its
/// result cannot be destroyed, and their stores wait for it when they are closed. Dropped before it ran, it leaves nothing behind.
pub trait Work: Send {
    /// How much there is to do.
    fn amount(&self) -> Amount;

    /// Does it, once, and lets the operands go, whatever comes of it. False: the context's watch cancelled it, and there is no result.
    ///
    /// # Errors
    /// `CLOSED`: a store of an operand or of the result was closed meanwhile; `IO`: bytes of an operand or of the result are lost; those of the
    /// operation.
    fn run(&mut self, ctx: &Context<'_>) -> Result<bool>;
}

/// Runs `work` with a watch that also stops it when a store of what it holds is being closed, and tells that from any other end.
pub(super) fn run_held<T>(
    ctx: &Context<'_>,
    is_closing: impl Fn() -> bool + Sync,
    work: impl FnOnce(&Context<'_>) -> Result<Option<T>>,
) -> Result<Option<T>> {
    struct Held<'a, F>(&'a dyn Watch, &'a F);
    impl<F: Fn() -> bool + Sync> Watch for Held<'_, F> {
        fn is_cancelled(&self) -> bool {
            self.0.is_cancelled() || (self.1)()
        }
        fn done(&self, units: u64) {
            self.0.done(units);
        }
        fn spares_others(&self) -> bool {
            self.0.spares_others()
        }
    }
    let done = work(&Context { watch: &Held(ctx.watch, &is_closing), ..*ctx })?;
    if done.is_none() && is_closing() {
        return Err(Error::new(Code::Closed, "the store was closed while the operation ran"));
    }
    Ok(done)
}

/// What is done with the operands: stores the result's elements. None if it was cancelled.
type Run = Box<dyn FnOnce(&Context<'_>, &[Operand], RawBytes) -> Result<Option<Warnings>> + Send>;

/// An operation whose result is a vector, begun and not yet ended: see [`Work`].
pub struct VectorWork {
    amount: Amount,
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
        let amount = Amount { units: len, nbytes: Some(len * dtype.width()) };
        let run: Option<Run> = Some(Box::new(run));
        Ok(Self { amount, operands, holds, run, writing, result, warnings, is_done: false })
    }

    /// The same work, of another amount than that of its result.
    pub(super) fn amounting_to(self, amount: Amount) -> Self {
        Self { amount, ..self }
    }

    /// The result, and R's warnings; of work that has run.
    ///
    /// # Errors
    /// `ARGUMENT`: it has not run, or was cancelled.
    pub fn finish(self) -> Result<(Handle, Warnings)> {
        if self.is_done {
            return Ok((self.result, self.warnings));
        }
        Err(Error::new(
            Code::Argument,
            "the operation has not run to its end: it was cancelled, or never started",
        ))
    }

    /// Runs and finishes, on this thread.
    pub(super) fn complete(mut self, ctx: &Context<'_>) -> Result<(Handle, Warnings)> {
        self.run(ctx)?;
        self.finish()
    }
}

impl Work for VectorWork {
    fn amount(&self) -> Amount {
        self.amount
    }

    fn run(&mut self, ctx: &Context<'_>) -> Result<bool> {
        let Some(run) = self.run.take() else { return Ok(self.is_done) };
        let (holds, writing) = (std::mem::take(&mut self.holds), self.writing.take());
        let out = writing.as_ref().map_or_else(RawBytes::empty, |w| w.span().into());
        let is_closing =
            || holds.iter().any(Hold::is_closing) || writing.as_ref().is_some_and(Operation::is_closing);
        let filling = writing.as_ref().map(|w| w.span().filling(ctx.watch.spares_others()));
        let done = run_held(ctx, is_closing, |ctx| run(ctx, &self.operands, out))?;
        drop(filling);
        let Some(warnings) = done else { return Ok(false) };
        holds.iter().try_for_each(Hold::check)?;
        if let Some(writing) = writing {
            let nbytes = writing.span().nbytes();
            writing.wrote(0, nbytes);
            writing.check(0, nbytes)?;
        }
        self.warnings |= warnings;
        self.is_done = true;
        Ok(true)
    }
}
