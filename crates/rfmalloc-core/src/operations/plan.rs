//! What every step of an expression gives, by the rules of the operations one by one, and where the expression is cut. A part is cut off, and
//! evaluated into a temporary of its own, where one program cannot compute it: text is compared outside the engine, and what is recycled must
//! stand somewhere. Everything else is never stored.

use super::dress::Dress;
use super::given::Input;
use crate::compute::{Binary, Dims, Side, Step, conform};
use crate::convert::Warnings;
use crate::dtype::Dtype;
use crate::error::{Code, Error, Result};

/// What a step gives, as its operands' descriptions tell; attributes by the number of the operand that they come from.
#[derive(Clone, Copy)]
pub(super) struct Node {
    pub(super) dtype: Dtype,
    pub(super) len: u64,
    pub(super) dim: Option<usize>,
    pub(super) dimnames: Option<usize>,
    pub(super) names: Option<usize>,
    /// It is this operand.
    pub(super) operand: Option<usize>,
}

pub(super) struct Plan<'p, 'a> {
    pub(super) steps: &'p [Step],
    pub(super) inputs: &'p [Input<'a>],
    pub(super) nodes: Vec<Node>,
    /// Evaluated into a temporary of its own.
    pub(super) is_cut: Vec<bool>,
    pub(super) warnings: Warnings,
}

impl<'p, 'a> Plan<'p, 'a> {
    pub(super) fn new(steps: &'p [Step], inputs: &'p [Input<'a>]) -> Result<Self> {
        let nodes = Vec::with_capacity(steps.len());
        let is_cut = vec![false; steps.len()];
        let mut plan = Self { steps, inputs, nodes, is_cut, warnings: Warnings::default() };
        for step in steps {
            let node = plan.node(*step)?;
            plan.nodes.push(node);
        }
        if steps.is_empty() {
            return Err(Error::new(Code::Argument, "an expression without steps"));
        }
        plan.cut();
        Ok(plan)
    }

    fn node(&mut self, step: Step) -> Result<Node> {
        let missing = || Error::new(Code::Argument, "a step of the expression has no operand");
        if let Step::Operand(idx) = step {
            let x = self.inputs.get(idx).ok_or_else(missing)?;
            let a = &x.attributes;
            return Ok(Node {
                dtype: x.dtype,
                len: x.len,
                dim: (!a.dim.is_empty()).then_some(idx),
                dimnames: (!a.has_dimnames.is_empty()).then_some(idx),
                names: a.has_names.then_some(idx),
                operand: Some(idx),
            });
        }
        let mut needs = step.needs().map(|at| self.nodes.get(at).copied());
        let x = needs.next().flatten().ok_or_else(missing)?;
        let Some(y) = needs.next() else {
            let (dtype, len) = step.gives((x.dtype, x.len), (x.dtype, x.len))?;
            return Ok(Node { dtype, len, operand: None, ..x });
        };
        let y = y.ok_or_else(missing)?;
        let gives = || step.gives((x.dtype, x.len), (y.dtype, y.len));
        // In the order in which the operation by itself refuses.
        let of_function = if matches!(step, Step::Math2(..)) { Some(gives()?) } else { None };
        let compares = matches!(step, Step::Binary(Binary::Compare(_), ..));
        let c = conform(&self.dims(&x), &self.dims(&y), compares)?;
        let (dtype, len) = of_function.map_or_else(gives, Ok)?;
        // R recycles the second arguments of functions without a word.
        if matches!(step, Step::Binary(..)) {
            self.warnings |= c.warnings;
        }
        let of = |side: Option<Side>, from: fn(&Node) -> Option<usize>| match side {
            Some(Side::Left) => from(&x),
            Some(Side::Right) => from(&y),
            None => None,
        };
        Ok(Node {
            dtype,
            len,
            dim: of(c.dim, |n| n.dim),
            dimnames: of(c.dimnames, |n| n.dimnames),
            names: of(c.names, |n| n.names),
            operand: None,
        })
    }

    fn dims(&self, node: &Node) -> Dims<'_> {
        Dims {
            len: node.len,
            dim: node.dim.map(|x| &self.inputs[x].attributes.dim[..]),
            dimnames: node.dimnames.is_some(),
            names: node.names.is_some(),
        }
    }

    pub(super) fn dress(&self) -> Dress<'p, 'a> {
        let Some(root) = self.nodes.last() else { return Dress::default() };
        let input = |x: Option<usize>| x.map(|x| &self.inputs[x]);
        Dress {
            dim: input(root.dim),
            dimnames: input(root.dimnames),
            names: input(root.names),
            ..Dress::default()
        }
    }

    /// Whether a step's operands are text, which the engine does not read.
    pub(super) fn is_text(&self, at: usize) -> bool {
        let reads_text = |at: usize| self.nodes[at].dtype == Dtype::Character;
        match self.steps[at] {
            Step::Binary(Binary::Compare(_), x, y) => reads_text(x) || reads_text(y),
            Step::Missing(_, x) => reads_text(x),
            _ => false,
        }
    }

    /// Marks what must stand in memory: results of text, what they are compared with, and what has another length than what is made of it.
    fn cut(&mut self) {
        for at in 0..self.steps.len() {
            let is_text = self.is_text(at);
            self.is_cut[at] |= is_text;
            for need in self.steps[at].needs() {
                let is_operand = self.nodes[need].operand.is_some();
                self.is_cut[need] |= !is_operand && (is_text || self.nodes[need].len != self.nodes[at].len);
            }
        }
    }
}
