//! The index of `[[ ]]`: exactly one element (behaviours 3.10).

use super::errors::{Kind, invalid_type, out_of_bounds, out_of_dimension, wrong_dims};
use super::names::{Texts, lookup};
use super::numbers::Base;
use super::{Dimnames, MISSING, Subscript};
use crate::error::{Error, Result};
use crate::na::NA_INT;

/// What one index says, by R's counting from 1.
enum One<'a> {
    Number(f64),
    Name(&'a dyn Texts),
}

/// The one index, or why it is none.
fn one<'a>(subscript: &Subscript<'a>) -> Result<One<'a>> {
    match *subscript {
        Subscript::All => return Err(Kind::BadSubscript.error("invalid subscript: [[ ]] wants one index")),
        Subscript::Other(dtype) => return Err(invalid_type(dtype)),
        _ => {}
    }
    match subscript.len() {
        Some(1) => {}
        Some(0) => return Err(Kind::BadSubscript.error("subscript of length 0: [[ ]] wants one index")),
        _ => return Err(Kind::BadSubscript.error("attempt to select more than one element")),
    }
    Ok(match *subscript {
        Subscript::Names(texts) => One::Name(texts),
        Subscript::Mask(mask) => match mask.first() {
            NA_INT => One::Number(f64::NAN),
            n => One::Number(f64::from(n != 0)),
        },
        Subscript::Numbers(numbers, base) => {
            numbers.tally(base)?;
            let mut x = [0.0];
            numbers.block(0, &mut x);
            One::Number(if base == Base::Zero { x[0] + 1.0 } else { x[0] })
        }
        _ => return Err(Kind::BadSubscript.error("[[ ]] wants one index, not an exclusion")),
    })
}

fn none_selected() -> Error {
    Kind::BadSubscript.error("attempt to select less than one element")
}

/// The position that `[[subscript]]` names in a vector of `n` elements. A negative index is one only where it leaves one element.
///
/// # Errors
/// `SUBSCRIPT` (bad-subscript), `OUT_OF_BOUNDS`.
pub(crate) fn element(subscript: &Subscript<'_>, n: u64, names: Option<&dyn Texts>) -> Result<u64> {
    let x = match one(subscript)? {
        One::Name(texts) => {
            return match lookup(names, texts, 0, 1)?[..] {
                [p] if p != MISSING => Ok(p),
                _ => Err(out_of_bounds()),
            };
        }
        One::Number(x) => x,
    };
    match x as i64 {
        _ if x.is_nan() => Err(out_of_bounds()),
        0 => Err(none_selected()),
        i @ (-2 | -1) if n == 2 => Ok(u64::from(i == -1)),
        ..0 => Err(Kind::BadSubscript.error("invalid negative subscript: it leaves more than one element")),
        i if i as u64 <= n => Ok(i as u64 - 1),
        _ => Err(out_of_bounds().with("length", n)),
    }
}

/// The position that `[[i, j, …]]` names in an array.
///
/// # Errors
/// `SUBSCRIPT` (bad-subscript), `OUT_OF_BOUNDS`, `DIM` (wrong-dims).
pub(crate) fn element_of_array(
    subscripts: &[Subscript<'_>],
    dim: &[u64],
    dimnames: Dimnames<'_>,
) -> Result<u64> {
    if subscripts.len() != dim.len() {
        return Err(wrong_dims(subscripts.len(), dim.len()));
    }
    let (mut position, mut stride) = (0, 1);
    for (d, (subscript, &extent)) in subscripts.iter().zip(dim).enumerate() {
        let names = dimnames.and_then(|names| names.get(d).copied().flatten());
        let i = match one(subscript)? {
            One::Name(texts) => lookup(names, texts, 0, 1)?[0],
            One::Number(x) if x.is_nan() => MISSING,
            One::Number(x) => match x as i64 {
                0 => return Err(none_selected()),
                ..0 => return Err(Kind::BadSubscript.error("invalid negative subscript")),
                i => i as u64 - 1,
            },
        };
        if i >= extent {
            return Err(out_of_dimension(d, extent));
        }
        position += i * stride;
        stride *= extent;
    }
    Ok(position)
}
