//! Subscripts, assignment, conversion and `c`: indices as the facade wraps them, results as new temporaries in the mailbox.

use crate::error::{Result, bad_argument, whole};
use crate::object::{dtype, is_pressed, post_new};
use crate::thread;
use crate::view::{self, Raw};
use napi::Env;
use napi::bindgen_prelude::Int32Array;
use napi_derive::napi;
use rfmalloc_core::{Index, Part, Source, Store, Style, Vector, What};

/// One index.
#[napi(object, object_to_js = false)]
pub struct NativeIndex {
    /// 0 everything, 1 nothing, 2 numbers (doubles or 32-bit integers), 3 a mask (32 bits each), 4 names, 5 a vector.
    pub what: u32,
    /// 0 positions from 0, 1 R's, 2 what is left out.
    pub style: u32,
    #[napi(ts_type = "ArrayBufferView")]
    pub numbers: Option<Raw>,
    pub names: Option<Vec<Option<String>>>,
    pub token: Option<u32>,
}

/// Indices whose memory is known; `None` is the vector behind the token that stands at the same place in `tokens`.
struct Given<'a> {
    indices: Vec<(Option<What<'a>>, Style)>,
    tokens: Vec<i32>,
}

impl<'a> Given<'a> {
    /// `operands`: the tokens of what the indices are put to.
    fn new(env: &Env, operands: &[i32], given: &'a [NativeIndex]) -> Result<Self> {
        let indices = given.iter().map(|index| Ok((what(env, index)?, style(index.style)?)));
        let indices = indices.collect::<Result<_>>()?;
        let mut tokens = operands.to_vec();
        tokens.extend(given.iter().map(|index| index.token.map_or(-1, |token| token as i32)));
        Ok(Self { indices, tokens })
    }

    /// Runs `f` with an open store, the operands and the indices.
    fn run<T>(
        &self,
        store: u32,
        f: impl FnOnce(&Store, &[Option<&Vector>], &[Index<'_>]) -> rfmalloc_core::Result<T>,
    ) -> Result<T> {
        thread::vectors_of(store, &self.tokens, |s, vectors| {
            let (operands, stored) = vectors.split_at(vectors.len() - self.indices.len());
            let indices = self.indices.iter().zip(stored).map(|(&(what, style), vector)| {
                let what = what.or(vector.map(What::Vector)).unwrap_or(What::Nothing);
                Index { what, style }
            });
            f(s, operands, &indices.collect::<Vec<_>>())
        })
    }
}

fn what<'a>(env: &Env, index: &'a NativeIndex) -> Result<Option<What<'a>>> {
    Ok(Some(match index.what {
        0 => What::All,
        1 => What::Nothing,
        4 => What::Names(index.names.as_deref().unwrap_or_default()),
        5 => return Ok(None),
        kind => {
            let array = index.numbers.as_ref().ok_or_else(|| bad_argument("an index without numbers"))?;
            match (kind, view::typed_array(env, array)?) {
                (2, (Source::F64, bytes)) => What::F64(bytes),
                (2, (Source::I32, bytes)) => What::I32(bytes),
                (3, (Source::I32, bytes)) => What::Mask(bytes),
                _ => return Err(bad_argument("no such kind of index")),
            }
        }
    }))
}

fn style(code: u32) -> Result<Style> {
    match code {
        0 => Ok(Style::Zero),
        1 => Ok(Style::R),
        2 => Ok(Style::Except),
        _ => Err(bad_argument("no such style of index")),
    }
}

/// The operand at this place, which the facade has given.
fn at<'a>(operands: &[Option<&'a Vector>], i: usize) -> rfmalloc_core::Result<&'a Vector> {
    operands.get(i).copied().flatten().ok_or_else(|| {
        rfmalloc_core::Error::new(rfmalloc_core::Code::Argument, "an operation without its vector")
    })
}

/// Selects with one index, a matrix of cells included, or with one for each dimension.
#[napi(catch_unwind)]
pub fn select_from(env: Env, handle: u32, x: u32, indices: Vec<NativeIndex>, drop: bool) -> Result<()> {
    let (made, pressure) = Given::new(&env, &[x as i32], &indices)?.run(handle, |s, operands, indices| {
        Ok((s.bracket(at(operands, 0)?, indices, drop)?, is_pressed(s)))
    })?;
    post_new(handle, made, pressure);
    Ok(())
}

/// The position of the one element that the indices name.
#[napi(catch_unwind)]
pub fn element_at(env: Env, handle: u32, x: u32, indices: Vec<NativeIndex>) -> Result<f64> {
    Given::new(&env, &[x as i32], &indices)?
        .run(handle, |s, operands, indices| s.element(at(operands, 0)?, indices))
        .map(|position| position as f64)
}

/// Assigns to a copy; `values`: -1 is NULL. R's warnings as bits.
#[napi(catch_unwind)]
pub fn replace_in(env: Env, handle: u32, x: u32, indices: Vec<NativeIndex>, values: i32) -> Result<u32> {
    let given = Given::new(&env, &[x as i32, values], &indices)?;
    let (made, pressure, warnings) = given.run(handle, |s, operands, indices| {
        let x = at(operands, 0)?;
        let rows = Index::rows_of_cells(indices, x)?;
        let (made, warnings) = s.replace(x, indices, rows, operands.get(1).copied().flatten())?;
        Ok((made, is_pressed(s), warnings.bits()))
    })?;
    post_new(handle, made, pressure);
    Ok(warnings)
}

/// Writes through. R's warnings as bits.
#[napi(catch_unwind)]
pub fn set_at(
    env: Env,
    handle: u32,
    x: u32,
    indices: Vec<NativeIndex>,
    values: u32,
    exact: bool,
) -> Result<u32> {
    Given::new(&env, &[x as i32, values as i32], &indices)?.run(handle, |s, operands, indices| {
        let (x, values) = (at(operands, 0)?, at(operands, 1)?);
        let rows = Index::rows_of_cells(indices, x)?;
        s.set_at(x, indices, rows, values, exact).map(rfmalloc_core::Warnings::bits)
    })
}

/// Consecutive elements of a vector, with extents and names of their own.
#[napi(object, object_to_js = false)]
pub struct NativePart {
    pub start: f64,
    pub len: f64,
    pub dim: Vec<f64>,
    /// A token; -1: none.
    pub names: i32,
}

/// The same in a part of the vector, by one index.
#[napi(catch_unwind)]
pub fn set_in_part(
    env: Env,
    handle: u32,
    x: u32,
    part: NativePart,
    index: NativeIndex,
    values: u32,
    exact: bool,
) -> Result<u32> {
    let (start, len) = (whole(part.start, "start")?, whole(part.len, "length")?);
    let dim = part.dim.iter().map(|e| whole(*e, "extent")).collect::<Result<Vec<_>>>()?;
    let (indices, operands) = ([index], [x as i32, values as i32, part.names]);
    Given::new(&env, &operands, &indices)?.run(handle, |s, operands, indices| {
        let part = Part { start, len, dim: &dim, names: operands.get(2).copied().flatten() };
        let (x, values) = (at(operands, 0)?, at(operands, 1)?);
        let index = indices.first().copied().unwrap_or(Index::ALL);
        s.set_in_part(x, &part, &index, values, exact).map(rfmalloc_core::Warnings::bits)
    })
}

/// R's warnings as bits.
#[napi(catch_unwind)]
pub fn convert_to(handle: u32, x: u32, type_code: u8) -> Result<u32> {
    let dtype = dtype(type_code)?;
    let (made, pressure, warnings) = thread::vectors_of(handle, &[x as i32], |s, operands| {
        let (made, warnings) = s.convert_to(at(operands, 0)?, dtype)?;
        Ok((made, is_pressed(s), warnings.bits()))
    })?;
    post_new(handle, made, pressure);
    Ok(warnings)
}

/// At least one vector.
#[napi(catch_unwind)]
pub fn combine_all(handle: u32, tokens: Int32Array) -> Result<()> {
    let made = thread::vectors_of(handle, &tokens, |s, operands| {
        let operands: Vec<&Vector> = operands.iter().flatten().copied().collect();
        Ok(s.combine(&operands)?.map(|made| (made, is_pressed(s))))
    })?;
    let (made, pressure) = made.ok_or_else(|| bad_argument("nothing to combine"))?;
    post_new(handle, made, pressure);
    Ok(())
}

/// The rows of a frame for which a mask is true, as a temporary frame of store `handle`.
#[napi(catch_unwind)]
pub fn filter_rows(env: Env, handle: u32, frame: u32, mask: NativeIndex) -> Result<()> {
    let given = what(&env, &mask)?;
    let (made, pressure) = thread::from_object(handle, frame, mask.token, |to, from, frame, vector| {
        let mask = given.or(vector.map(What::Vector)).unwrap_or(What::Nothing);
        Ok((to.filter_rows(from, frame, mask)?, is_pressed(to)))
    })?;
    post_new(handle, made, pressure);
    Ok(())
}

/// The rows of a frame that an index selects, as a temporary frame of store `handle`.
#[napi(catch_unwind)]
pub fn select_rows(env: Env, handle: u32, frame: u32, index: NativeIndex) -> Result<()> {
    let (given, style) = (what(&env, &index)?, style(index.style)?);
    let (made, pressure) = thread::from_object(handle, frame, index.token, |to, from, frame, vector| {
        let what = given.or(vector.map(What::Vector)).unwrap_or(What::Nothing);
        Ok((to.select_rows(from, frame, &Index { what, style })?, is_pressed(to)))
    })?;
    post_new(handle, made, pressure);
    Ok(())
}
