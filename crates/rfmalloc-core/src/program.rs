//! The block instruction set: an operation as a straight list of instructions over registers, each a block of one bank.
//!
//! Holds: [`Program`] and its [`Builder`]. A program says what happens to a block; which blocks, on which threads, is the executor's affair. What
//! is decided once per call (promotion, recycling, warnings that depend on lengths only) has been decided when a program exists: its
//! instructions know exact banks and never look at types. May touch: kernels' enums.

use crate::compute::Missing;
use crate::dtype::Dtype;
use crate::kernels::arith::Arith;
use crate::kernels::compare::Compare;
use crate::kernels::logic::Logic;
use crate::kernels::math::{Math, Math2};

/// What a register's elements are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bank {
    /// Integers and logicals.
    Int,
    /// Doubles.
    Real,
    /// Pairs of doubles.
    Complex,
    /// Bytes.
    Raw,
}

impl Bank {
    /// Where elements of a type are held. Types without elements the kernels know have none.
    pub(crate) fn of(dtype: Dtype) -> Option<Self> {
        match dtype {
            Dtype::Logical | Dtype::Integer => Some(Self::Int),
            Dtype::Numeric => Some(Self::Real),
            Dtype::Complex => Some(Self::Complex),
            Dtype::Raw => Some(Self::Raw),
            _ => None,
        }
    }
}

/// A register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reg {
    pub(crate) bank: Bank,
    pub(crate) idx: usize,
}

/// What an instruction does; the banks of its operands follow from it, or from the operands where it serves several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    /// Operand number `.0`, at the block's place, recycled.
    Load(usize),
    /// To the destination's bank, upward: int to real to complex, raw to int. NA stays NA.
    Promote,
    /// To logical: 0, 1, NA.
    Truth,
    /// Two operands of one bank.
    Arith(Arith),
    /// One operand.
    Negate,
    /// Two operands of one bank; gives ints.
    Compare(Compare),
    /// Two logicals, or two raws bit by bit.
    Logic(Logic),
    /// One logical, or one raw.
    Not,
    /// Whether one operand is missing; gives ints.
    Missing(Missing),
    /// One operand; `abs` of complex gives reals.
    Math(Math),
    /// Two operands of one bank.
    Math2(Math2),
}

/// One instruction. `b` is `a` where there is one operand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inst {
    pub(crate) op: Op,
    pub(crate) dst: Reg,
    pub(crate) a: Reg,
    pub(crate) b: Reg,
}

/// A finished program.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) insts: Vec<Inst>,
    /// Registers that each bank needs, in the order of [`Bank`].
    pub(crate) registers: [usize; 4],
    /// Where the result stands when the last instruction is done.
    pub(crate) result: Reg,
}

impl Program {
    /// Whether an element may give a warning.
    pub(crate) fn may_warn(&self) -> bool {
        self.insts.iter().any(|inst| match inst.op {
            Op::Arith(_) => inst.dst.bank == Bank::Int,
            Op::Math(_) | Op::Math2(_) => true,
            Op::Load(_)
            | Op::Promote
            | Op::Truth
            | Op::Negate
            | Op::Compare(_)
            | Op::Logic(_)
            | Op::Not
            | Op::Missing(_) => false,
        })
    }
}

/// Writes a program, each instruction into a register of its own; [`Builder::finish`] lets them share.
#[derive(Clone, Default)]
pub(crate) struct Builder {
    insts: Vec<Inst>,
}

impl Builder {
    fn push(&mut self, op: Op, bank: Bank, a: Option<Reg>, b: Option<Reg>) -> Reg {
        let dst = Reg { bank, idx: self.insts.len() };
        let a = a.unwrap_or(dst);
        self.insts.push(Inst { op, dst, a, b: b.unwrap_or(a) });
        dst
    }

    /// Operand number `idx`, of this bank.
    pub(crate) fn load(&mut self, idx: usize, bank: Bank) -> Reg {
        self.push(Op::Load(idx), bank, None, None)
    }

    /// The same values in another bank, one that can hold them.
    pub(crate) fn promote(&mut self, a: Reg, to: Bank) -> Reg {
        match (a.bank, to) {
            (from, to) if from == to => a,
            // One step at a time: every step is one kernel.
            (Bank::Raw, Bank::Real | Bank::Complex) => {
                let ints = self.push(Op::Promote, Bank::Int, Some(a), None);
                self.promote(ints, to)
            }
            _ => self.push(Op::Promote, to, Some(a), None),
        }
    }

    /// As logical.
    pub(crate) fn truth(&mut self, a: Reg) -> Reg {
        self.push(Op::Truth, Bank::Int, Some(a), None)
    }

    /// One operand, result in the same bank.
    pub(crate) fn unary(&mut self, op: Op, a: Reg) -> Reg {
        self.push(op, a.bank, Some(a), None)
    }

    /// The modulus of complex.
    pub(crate) fn modulus(&mut self, a: Reg) -> Reg {
        self.push(Op::Math(Math::Abs), Bank::Real, Some(a), None)
    }

    /// Whether elements are missing, as logical.
    pub(crate) fn missing(&mut self, a: Reg, which: Missing) -> Reg {
        self.push(Op::Missing(which), Bank::Int, Some(a), None)
    }

    /// Two operands of one bank; comparisons give ints, everything else the same bank.
    pub(crate) fn binary(&mut self, op: Op, a: Reg, b: Reg) -> Reg {
        debug_assert_eq!(a.bank, b.bank);
        let bank = if matches!(op, Op::Compare(_)) { Bank::Int } else { a.bank };
        self.push(op, bank, Some(a), Some(b))
    }

    /// The program that leaves `result`: registers are shared by values that do not live at the same time.
    pub(crate) fn finish(self, result: Reg) -> Program {
        let mut last_use = vec![0; self.insts.len()];
        for (at, inst) in self.insts.iter().enumerate() {
            last_use[inst.a.idx] = at;
            last_use[inst.b.idx] = at;
        }
        last_use[result.idx] = usize::MAX;
        let mut free: [Vec<usize>; 4] = Default::default();
        let mut registers = [0; 4];
        let mut place = vec![0; self.insts.len()];
        let mut insts = Vec::with_capacity(self.insts.len());
        for (at, inst) in self.insts.iter().enumerate() {
            let bank = inst.dst.bank as usize;
            // The destination is taken before the operands are freed: a kernel never writes what it reads.
            place[at] = free[bank].pop().unwrap_or_else(|| {
                registers[bank] += 1;
                registers[bank] - 1
            });
            let placed = |reg: Reg| Reg { bank: reg.bank, idx: place[reg.idx] };
            insts.push(Inst { op: inst.op, dst: placed(inst.dst), a: placed(inst.a), b: placed(inst.b) });
            let once = if inst.a == inst.b { &[inst.a][..] } else { &[inst.a, inst.b][..] };
            // A load keeps its register: the memory it stands for costs none, and a constant is filled in once.
            let computed = |reg: &Reg| !matches!(self.insts[reg.idx].op, Op::Load(_));
            for reg in once.iter().filter(|reg| last_use[reg.idx] == at && reg.idx != at && computed(reg)) {
                free[reg.bank as usize].push(place[reg.idx]);
            }
        }
        Program { insts, registers, result: Reg { bank: result.bank, idx: place[result.idx] } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_live_at_the_same_time_never_share_a_register() {
        let mut p = Builder::default();
        let (x, y) = (p.load(0, Bank::Real), p.load(1, Bank::Real));
        let sum = p.binary(Op::Arith(Arith::Add), x, y);
        let product = p.binary(Op::Arith(Arith::Mul), sum, x);
        let square = p.binary(Op::Arith(Arith::Mul), product, product);
        let out = p.binary(Op::Arith(Arith::Sub), square, y);
        let program = p.finish(out);
        for inst in &program.insts {
            if !matches!(inst.op, Op::Load(_)) {
                assert!(inst.dst != inst.a && inst.dst != inst.b);
            }
        }
        assert_eq!(program.registers, [0, 4, 0, 0]);
    }
}
