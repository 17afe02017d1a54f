//! Margins and products of matrices, and the kernel that multiplies.

use crate::compute::Running;
use crate::error::{OrFail, Result, bad_argument, whole};
use crate::operands::Operands;
use crate::task::Control;
use napi::bindgen_prelude::{AsyncTask, External, Float64ArraySlice};
use napi_derive::napi;
use rfmalloc_core::compute::{
    Margin, Product, choose_matmul_backend, matmul_backend as backend, matmul_backends as backends,
};
use rfmalloc_core::{Code, Error, Given, ProductMemory, Store, VectorWork};
use std::sync::Arc;

/// By the code that the facade gives.
const MARGINS: [Margin; 6] =
    [Margin::RowSums, Margin::ColSums, Margin::RowMeans, Margin::ColMeans, Margin::RowVars, Margin::ColVars];
const PRODUCTS: [Product; 3] = [Product::Plain, Product::Cross, Product::TCross];

fn begin_margin(
    s: &Store,
    code: u32,
    given: &[Given<'_>],
    remove: bool,
    dims: f64,
) -> rfmalloc_core::Result<VectorWork> {
    match (MARGINS.get(code as usize), given) {
        (Some(f), [x]) => s.begin_margin(*f, *x, remove, dims as i64),
        _ => Err(Error::new(Code::Argument, "a margin is one of six, of one operand")),
    }
}

/// `memory`: bytes, or 0 for all that it takes below `threshold`.
fn begin_product(
    s: &Store,
    code: u32,
    given: &[Given<'_>],
    memory: ProductMemory,
) -> rfmalloc_core::Result<VectorWork> {
    match (PRODUCTS.get(code as usize), given) {
        (Some(f), [x]) => s.begin_product(*f, *x, None, memory),
        (Some(f), [x, y]) => s.begin_product(*f, *x, Some(*y), memory),
        _ => Err(Error::new(Code::Argument, "a product is one of three, of one or two operands")),
    }
}

/// Bytes that may be kept in memory (0: all, below the threshold), threshold and tile.
fn product_memory(numbers: &[f64]) -> Result<ProductMemory> {
    let &[given, threshold, tile] = numbers else { return Err(bad_argument("three numbers of memory")) };
    let given = whole(given, "memory")?;
    Ok(ProductMemory {
        given: (given > 0).then_some(given),
        threshold: whole(threshold, "threshold")?,
        tile: whole(tile, "tile")?,
    })
}

/// The result in the mailbox. R's warnings as bits.
#[napi(catch_unwind)]
pub fn margin(
    handle: u32,
    code: u32,
    operands: Float64ArraySlice<'_>,
    remove: bool,
    dims: f64,
    threads: u32,
) -> Result<u32> {
    let begin = |s: &Store, given: &[Given<'_>]| begin_margin(s, code, given, remove, dims);
    Operands::new(&operands).complete(handle, threads, begin, VectorWork::finish)
}

/// The result in the mailbox. R's warnings as bits.
#[napi(catch_unwind)]
pub fn product(
    handle: u32,
    code: u32,
    operands: Float64ArraySlice<'_>,
    memory: Float64ArraySlice<'_>,
    threads: u32,
) -> Result<u32> {
    let memory = product_memory(&memory)?;
    let begin = |s: &Store, given: &[Given<'_>]| begin_product(s, code, given, memory);
    Operands::new(&operands).complete(handle, threads, begin, VectorWork::finish)
}

/// `margin` off the event loop.
#[napi(catch_unwind)]
pub fn margin_async(
    handle: u32,
    code: u32,
    operands: Float64ArraySlice<'_>,
    remove: bool,
    dims: f64,
    threads: u32,
    control: &External<Arc<Control>>,
) -> Result<AsyncTask<Running<VectorWork>>> {
    let begin = |s: &Store, given: &[Given<'_>]| begin_margin(s, code, given, remove, dims);
    Operands::new(&operands).begin(handle, control, threads, begin)
}

/// `product` off the event loop.
#[napi(catch_unwind)]
pub fn product_async(
    handle: u32,
    code: u32,
    operands: Float64ArraySlice<'_>,
    memory: Float64ArraySlice<'_>,
    threads: u32,
    control: &External<Arc<Control>>,
) -> Result<AsyncTask<Running<VectorWork>>> {
    let memory = product_memory(&memory)?;
    let begin = |s: &Store, given: &[Given<'_>]| begin_product(s, code, given, memory);
    Operands::new(&operands).begin(handle, control, threads, begin)
}

/// The kernel for products of finite doubles; chosen first if a name is given.
#[napi(catch_unwind)]
pub fn matmul_backend(name: Option<String>) -> Result<String> {
    name.map_or(Ok(()), |name| choose_matmul_backend(&name)).or_fail()?;
    Ok(backend())
}

/// Kernels known so far, the built-in one first.
#[napi(catch_unwind)]
pub fn matmul_backends() -> Vec<String> {
    backends()
}
