//! Operators and mathematics: one export for all, told apart by their place in a list of names.

use crate::error::{Result, bad_argument};
use crate::object::{is_pressed, post_new};
use crate::operands::{Operands, context};
use napi::bindgen_prelude::Float64ArraySlice;
use napi_derive::napi;
use rfmalloc_core::compute::{
    Arith, Binary, Compare, Context, Cumulative, Isa, Logic, Math, Math2, Missing, Unary,
};
use rfmalloc_core::{Code, Error, Given, Handle, Store, Warnings};
use std::sync::OnceLock;

/// What can be done element by element.
#[derive(Clone, Copy)]
pub(crate) enum Act {
    Binary(Binary),
    Unary(Unary),
    Math(Math),
    Math2(Math2),
    Cumulate(Cumulative),
    Missing(Missing),
}

/// Every act with the name that the API gives it.
fn acts() -> &'static [(&'static str, Act)] {
    static ACTS: OnceLock<Vec<(&'static str, Act)>> = OnceLock::new();
    ACTS.get_or_init(|| {
        let arith = [
            ("add", Arith::Add),
            ("sub", Arith::Sub),
            ("mul", Arith::Mul),
            ("div", Arith::Div),
            ("pow", Arith::Pow),
            ("mod", Arith::Mod),
            ("idiv", Arith::IntDiv),
        ];
        let compare = [
            ("eq", Compare::Eq),
            ("ne", Compare::Ne),
            ("lt", Compare::Lt),
            ("le", Compare::Le),
            ("gt", Compare::Gt),
            ("ge", Compare::Ge),
        ];
        let logic = [("and", Logic::And), ("or", Logic::Or), ("xor", Logic::Xor)];
        let mut all: Vec<(&str, Act)> = Vec::new();
        all.extend(arith.map(|(name, op)| (name, Act::Binary(Binary::Arith(op)))));
        all.extend(compare.map(|(name, op)| (name, Act::Binary(Binary::Compare(op)))));
        all.extend(logic.map(|(name, op)| (name, Act::Binary(Binary::Logic(op)))));
        all.extend([("neg", Act::Unary(Unary::Minus)), ("not", Act::Unary(Unary::Not))]);
        all.extend(Math::ALL.into_iter().map(|f| (f.name(), Act::Math(f))));
        // The logarithm of one argument has the plain name.
        let math2 = [
            ("round", Math2::Round),
            ("signif", Math2::Signif),
            ("logBase", Math2::Log),
            ("atan2", Math2::Atan2),
        ];
        all.extend(math2.map(|(name, f)| (name, Act::Math2(f))));
        let cumulative = [
            ("cumsum", Cumulative::Sum),
            ("cumprod", Cumulative::Prod),
            ("cummax", Cumulative::Max),
            ("cummin", Cumulative::Min),
        ];
        all.extend(cumulative.map(|(name, f)| (name, Act::Cumulate(f))));
        all.extend([("isNa", Act::Missing(Missing::NaOrNan)), ("isNaN", Act::Missing(Missing::Nan))]);
        all
    })
}

pub(crate) fn act(code: u32) -> Result<Act> {
    acts().get(code as usize).map(|(_, act)| *act).ok_or_else(|| bad_argument("no such operation"))
}

/// Names of what `operate` can do; the place of one in the list is its code.
#[napi(catch_unwind)]
pub fn operations() -> Vec<&'static str> {
    acts().iter().map(|(name, _)| *name).collect()
}

/// The instruction set of this process.
#[napi(catch_unwind)]
pub fn instruction_set() -> &'static str {
    Isa::chosen().name()
}

/// Threads that an operation runs on unless it is told otherwise.
#[napi(catch_unwind)]
pub fn default_threads() -> u32 {
    rfmalloc_core::compute::default_threads() as u32
}

fn run(
    s: &Store,
    ctx: &Context<'_>,
    act: Act,
    given: &[Given<'_>],
) -> rfmalloc_core::Result<(Handle, Warnings)> {
    match (act, given) {
        (Act::Binary(op), [x, y]) => s.binary(ctx, op, *x, *y),
        (Act::Unary(op), [x]) => s.unary(ctx, op, *x),
        (Act::Math(f), [x]) => s.math(ctx, f, *x),
        (Act::Math2(f), [x, y]) => s.math2(ctx, f, *x, *y),
        (Act::Cumulate(f), [x]) => s.cumulate(ctx, f, *x),
        (Act::Missing(which), [x]) => s.is_missing(ctx, which, *x),
        _ => Err(Error::new(Code::Argument, "not the number of operands that the operation takes")),
    }
}

/// The result in the mailbox. R's warnings as bits.
#[napi(catch_unwind)]
pub fn operate(handle: u32, code: u32, operands: Float64ArraySlice<'_>, threads: u32) -> Result<u32> {
    let (act, ctx) = (act(code)?, context(threads)?);
    let (made, pressure, warnings) = Operands::new(&operands).run(handle, |s, given| {
        let (made, warnings) = run(s, &ctx, act, given)?;
        Ok((made, is_pressed(s), warnings.bits()))
    })?;
    post_new(handle, made, pressure);
    Ok(warnings)
}

/// Arithmetic that writes over the first of two operands. R's warnings as bits.
#[napi(catch_unwind)]
pub fn operate_in_place(
    handle: u32,
    code: u32,
    operands: Float64ArraySlice<'_>,
    threads: u32,
) -> Result<u32> {
    let (act, ctx) = (act(code)?, context(threads)?);
    Operands::new(&operands).run(handle, |s, given| match (act, given) {
        (Act::Binary(Binary::Arith(op)), [Given::Piece(x), y]) => {
            s.binary_in_place(&ctx, op, *x, *y).map(Warnings::bits)
        }
        _ => Err(Error::new(Code::Argument, "in place there is arithmetic of a vector with an operand")),
    })
}
