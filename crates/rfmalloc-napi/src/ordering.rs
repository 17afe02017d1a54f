//! `order`, `sort`, `unique` and `which`: one export for all, told apart by their place in a list of names; the first two also off the event loop.

use crate::compute::{Deliver, NativeMade, Running, made};
use crate::error::{Result, bad_argument};
use crate::object::{is_pressed, post_new};
use crate::operands::{Operands, context};
use crate::task::Control;
use napi::bindgen_prelude::{AsyncTask, External, Float64ArraySlice};
use napi_derive::napi;
use rfmalloc_core::compute::Context;
use rfmalloc_core::{Code, Error, Given, Handle, OrderingWork, Store, Warnings};
use std::sync::Arc;

type Act = fn(&Store, &Context<'_>, Given<'_>) -> rfmalloc_core::Result<Handle>;
type Begin = fn(&Store, Given<'_>) -> rfmalloc_core::Result<OrderingWork>;

/// Every act with the name that the API gives it, and how it is begun.
const ORDERINGS: [(&str, Act, Option<Begin>); 4] = [
    ("order", Store::order, Some(Store::begin_order)),
    ("sort", Store::sort, Some(Store::begin_sort)),
    ("unique", Store::unique, None),
    ("which", Store::which, None),
];

/// Names of what `order` can do; the place of one in the list is its code.
#[napi(catch_unwind)]
pub fn orderings() -> Vec<&'static str> {
    ORDERINGS.iter().map(|(name, ..)| *name).collect()
}

fn one<'a>(given: &[Given<'a>]) -> rfmalloc_core::Result<Given<'a>> {
    match given {
        [x] => Ok(*x),
        _ => Err(Error::new(Code::Argument, "one vector is ordered")),
    }
}

/// The result in the mailbox.
#[napi(catch_unwind)]
pub fn order(handle: u32, code: u32, operands: Float64ArraySlice<'_>, threads: u32) -> Result<()> {
    let ctx = context(threads)?;
    let (_, act, _) = ORDERINGS.get(code as usize).ok_or_else(|| bad_argument("no such ordering"))?;
    let (made, pressure) = Operands::new(&operands).run(handle, |s, given| {
        let made = act(s, &ctx, one(given)?)?;
        Ok((made, is_pressed(s)))
    })?;
    post_new(handle, made, pressure);
    Ok(())
}

#[napi(catch_unwind)]
pub fn order_async(
    handle: u32,
    code: u32,
    operands: Float64ArraySlice<'_>,
    threads: u32,
    control: &External<Arc<Control>>,
) -> Result<AsyncTask<Running<OrderingWork>>> {
    let begin = ORDERINGS.get(code as usize).and_then(|(.., begin)| *begin);
    let begin = begin.ok_or_else(|| bad_argument("no such ordering off the event loop"))?;
    Operands::new(&operands).begin(handle, control, threads, |s, given| begin(s, one(given)?))
}

impl Deliver for OrderingWork {
    type Value = NativeMade;

    fn deliver(self, store: u32) -> rfmalloc_core::Result<NativeMade> {
        Ok(made(store, self.finish()?, Warnings::default()))
    }
}
