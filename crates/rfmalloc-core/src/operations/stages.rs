//! What is to be done for an expression, in order, and all that it touches: programs of the engine, conversions to text and comparisons of it, each
//! into a temporary, the last one perhaps into nothing.

use super::given::{Given, Hold, Input, Piece};
use super::plan::{Node, Plan};
use super::text::own_vector;
use super::work::{Amount, run_held};
use crate::compute::{Binary, Compare, Context, Fused, Missing, Operand, Step};
use crate::convert::Warnings;
use crate::dtype::Dtype;
use crate::elements::Vector;
use crate::error::{Code, Error, Result};
use crate::store::{Operation, Store};
use crate::strings::TextOperand;
use std::mem::take;

pub(super) fn lost() -> Error {
    Error::new(Code::Internal, "a part of the expression has no memory")
}

/// A vector that a stage reads or writes.
pub(super) struct Slot {
    pub(super) vector: Vector,
    /// A stage's result, which the engine can read.
    pub(super) is_made: bool,
    /// Elements that the engine computes are written through this.
    pub(super) writing: Option<Operation>,
}

impl Slot {
    fn is_closing(&self) -> bool {
        self.writing.as_ref().is_some_and(Operation::is_closing)
    }
}

/// Consecutive elements of a slot's vector.
#[derive(Clone, Copy)]
struct Place {
    slot: usize,
    start: u64,
    len: u64,
}

/// What is done.
enum Act {
    /// A program, into a slot.
    Fused(Vec<Step>, Vec<Source>, usize),
    /// Elements as text, into a slot.
    Text(Place, usize),
    Compare(Compare, Place, Place, usize),
    Missing(Place, usize),
}

/// An operand of a program.
#[derive(Clone, Copy)]
pub(super) enum Source {
    Given(Operand),
    /// What a stage before it has made, of this type.
    Made(usize, Dtype),
}

/// What is to be done, in order, and all that it touches.
pub(super) struct Stages {
    acts: Vec<Act>,
    pub(super) slots: Vec<Slot>,
    holds: Vec<Hold>,
    pub(super) warnings: Warnings,
    pub(super) amount: Amount,
}

/// Where the expression's elements are.
pub(super) enum Root {
    /// In this slot.
    Stored(usize),
    /// Nowhere: this program computes them.
    Fused(Vec<Step>, Vec<Source>),
    /// There are none, or none that the engine could read.
    Absent(Dtype, u64),
}

struct Assembly<'s, 'p, 'a> {
    store: &'s Store,
    plan: Plan<'p, 'a>,
    operands: Vec<Operand>,
    /// Slots of steps that are cut off.
    made: Vec<Option<usize>>,
    stages: Stages,
}

impl Stages {
    /// With `stores` the elements stand in a slot in the end.
    pub(super) fn begin(store: &Store, plan: Plan<'_, '_>, stores: bool) -> Result<(Self, Root)> {
        let (mut operands, mut holds) = (Vec::new(), Vec::new());
        for input in plan.inputs {
            let (operand, hold) = input.hold_any()?;
            operands.push(operand);
            holds.extend(hold);
        }
        let warnings = plan.warnings;
        let amount = Amount { units: 0, nbytes: Some(0) };
        let stages = Self { acts: Vec::new(), slots: Vec::new(), holds, warnings, amount };
        let made = vec![None; plan.steps.len()];
        let mut assembly = Assembly { store, plan, operands, made, stages };
        let root = assembly.root(stores)?;
        Ok((assembly.stages, root))
    }

    /// Gets hold of the results, to write them.
    pub(super) fn open(&mut self) -> Result<()> {
        for slot in &mut self.slots {
            if let Vector::Object(handle) = &slot.vector
                && slot.is_made
                && handle.facts().len > 0
            {
                slot.writing = Some(handle.begin_writing()?);
            }
        }
        Ok(())
    }

    pub(super) fn operand(&self, source: Source) -> Result<Operand> {
        match source {
            Source::Given(operand) => Ok(operand),
            Source::Made(slot, dtype) => {
                let writing = self.slots[slot].writing.as_ref().ok_or_else(lost)?;
                Ok(Operand::over(dtype, writing.span()))
            }
        }
    }

    pub(super) fn fused(&self, steps: &[Step], sources: &[Source]) -> Result<Fused> {
        let operands = sources.iter().map(|x| self.operand(*x)).collect::<Result<Vec<_>>>()?;
        Fused::new(steps, &operands)
    }

    fn act(&self, ctx: &Context<'_>, act: &Act) -> Result<Option<Warnings>> {
        let vector = |slot: usize| &self.slots[slot].vector;
        let to = match act {
            Act::Fused(steps, sources, to) => {
                let Some(w) = &self.slots[*to].writing else { return Err(lost()) };
                let filling = w.span().filling(ctx.watch.spares_others());
                let done = self.fused(steps, sources)?.evaluate(ctx, w.span().into())?;
                drop(filling);
                w.wrote(0, w.span().nbytes());
                w.check(0, w.span().nbytes())?;
                return Ok(done);
            }
            Act::Text(from, to) => {
                vector(*to).copy_from(0, vector(from.slot), from.start, from.len)?;
                *to
            }
            Act::Compare(op, x, y, to) => {
                let many = TextOperand::Many(vector(y.slot), y.start, y.len);
                vector(x.slot).compare_strings(*op, (x.start, x.len), many, vector(*to))?;
                *to
            }
            Act::Missing(x, to) => {
                vector(x.slot).missing_strings(x.start, vector(*to))?;
                *to
            }
        };
        ctx.watch.done(vector(to).len());
        Ok(Some(Warnings::default()))
    }

    fn is_closing(&self) -> bool {
        self.holds.iter().any(Hold::is_closing) || self.slots.iter().any(Slot::is_closing)
    }

    /// Does everything, then `last`. None if it was cancelled.
    pub(super) fn run<T>(
        &mut self,
        ctx: &Context<'_>,
        last: impl FnOnce(&Self, &Context<'_>) -> Result<Option<T>>,
    ) -> Result<Option<T>> {
        let acts = take(&mut self.acts);
        let mut warnings = self.warnings;
        let done = run_held(
            ctx,
            || self.is_closing(),
            |ctx| {
                for act in &acts {
                    if ctx.watch.is_cancelled() {
                        return Ok(None);
                    }
                    let Some(w) = self.act(ctx, act)? else { return Ok(None) };
                    warnings |= w;
                }
                last(self, ctx)
            },
        );
        self.warnings = warnings;
        let whole = self.holds.iter().try_for_each(Hold::check);
        // Whatever comes of it, everything is let go.
        self.holds.clear();
        for slot in &mut self.slots {
            slot.writing = None;
        }
        let done = done?;
        whole?;
        Ok(done)
    }
}

impl Assembly<'_, '_, '_> {
    fn root(&mut self, stores: bool) -> Result<Root> {
        let last = self.plan.steps.len() - 1;
        let reached = self.reached(last);
        for (at, is_reached) in reached.iter().enumerate().take(last) {
            if *is_reached && self.plan.is_cut[at] && self.plan.nodes[at].len > 0 {
                self.stage(at)?;
            }
        }
        let node = self.plan.nodes[last];
        if !stores && !self.plan.is_cut[last] {
            let (dtype, len) = (node.dtype, node.len);
            if len == 0 || !dtype.is_plain() {
                return Ok(Root::Absent(dtype, len));
            }
            self.stages.amount.units += len;
            self.weigh(len * dtype.width());
            let (steps, sources) = self.program(last);
            return Ok(Root::Fused(steps, sources));
        }
        if node.len > 0 {
            return self.stage(last).map(Root::Stored);
        }
        if !stores {
            return Ok(Root::Absent(node.dtype, 0));
        }
        self.temporary(node.dtype, 0).map(Root::Stored)
    }

    fn weigh(&mut self, nbytes: u64) {
        self.stages.amount.nbytes = self.stages.amount.nbytes.map(|all| all + nbytes);
    }

    fn reached(&self, from: usize) -> Vec<bool> {
        let mut reached = vec![false; self.plan.steps.len()];
        reached[from] = true;
        for at in (0..=from).rev() {
            if reached[at] {
                self.plan.steps[at].needs().for_each(|need| reached[need] = true);
            }
        }
        reached
    }

    fn slot(&mut self, vector: Vector, is_made: bool) -> usize {
        self.stages.slots.push(Slot { vector, is_made, writing: None });
        self.stages.slots.len() - 1
    }

    fn temporary(&mut self, dtype: Dtype, len: u64) -> Result<usize> {
        let vector = Vector::Object(self.store.reserve(dtype, len, false)?);
        Ok(self.slot(vector, dtype.is_plain()))
    }

    /// Adds what evaluates a step into a slot of its own, and gives that.
    fn stage(&mut self, at: usize) -> Result<usize> {
        let Node { dtype, len, operand, .. } = self.plan.nodes[at];
        if let Some(x) = operand
            && !dtype.is_plain()
        {
            let copy = self.store.own_copy(&self.plan.inputs[x])?;
            return Ok(self.slot(copy, false));
        }
        let to = self.temporary(dtype, len)?;
        self.stages.amount.units += len;
        self.weigh(len * dtype.width());
        let act = match self.plan.steps[at] {
            Step::Binary(Binary::Compare(op), x, y) if self.plan.is_text(at) => {
                Act::Compare(op, self.text(x)?, self.text(y)?, to)
            }
            Step::Missing(Missing::NaOrNan, x) if self.plan.is_text(at) => Act::Missing(self.text(x)?, to),
            _ => {
                let (steps, sources) = self.program(at);
                Act::Fused(steps, sources, to)
            }
        };
        self.stages.acts.push(act);
        self.made[at] = Some(to);
        Ok(to)
    }

    /// The steps that compute a step from operands and from what is made before, renumbered.
    fn program(&self, at: usize) -> (Vec<Step>, Vec<Source>) {
        let mut inside = vec![false; at + 1];
        let mut waiting = vec![at];
        while let Some(at) = waiting.pop() {
            if !std::mem::replace(&mut inside[at], true) && self.made[at].is_none() {
                waiting.extend(self.plan.steps[at].needs());
            }
        }
        let (mut steps, mut sources) = (Vec::new(), Vec::new());
        let mut place = vec![0; at + 1];
        for at in (0..=at).filter(|at| inside[*at]) {
            place[at] = steps.len();
            let node = &self.plan.nodes[at];
            let source = match (self.made[at], node.operand) {
                (Some(slot), _) => Source::Made(slot, node.dtype),
                (None, Some(x)) => Source::Given(self.operands[x]),
                (None, None) => {
                    steps.push(self.plan.steps[at].renumbered(|need| place[need]));
                    continue;
                }
            };
            steps.push(Step::Operand(sources.len()));
            sources.push(source);
        }
        (steps, sources)
    }

    /// A step's elements as text.
    fn text(&mut self, at: usize) -> Result<Place> {
        let Node { dtype, len, operand, .. } = self.plan.nodes[at];
        let from = match (operand.map(|x| &self.plan.inputs[x]), self.made[at]) {
            (_, Some(slot)) => Place { slot, start: 0, len },
            (Some(Input { given: Given::Piece(Piece { vector, start, .. }), .. }), None) => {
                let (start, own) = (*start, own_vector(vector)?);
                Place { slot: self.slot(own, false), start, len }
            }
            (Some(value), None) => {
                let own = self.store.own_copy(value)?;
                Place { slot: self.slot(own, false), start: 0, len }
            }
            (None, None) => return Err(lost()),
        };
        if dtype == Dtype::Character {
            return Ok(from);
        }
        let to = self.temporary(Dtype::Character, len)?;
        self.stages.amount.units += len;
        self.weigh(len * Dtype::Character.width());
        self.stages.acts.push(Act::Text(from, to));
        Ok(Place { slot: to, start: 0, len })
    }
}
