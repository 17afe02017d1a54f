//! R's `c`: one vector after the other, of the highest type, with their names (behaviours 12.7). As data: the elements are converted and
//! copied, and the names gathered, by whoever keeps them.

use crate::dtype::{Dtype, MAX_LEN};
use crate::error::{Code, Error, Result};
use crate::select::{NamesRule, Shape};
use crate::subscript::Kind;

/// One vector to combine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part<'a> {
    /// Its type.
    pub(crate) dtype: Dtype,
    /// Its elements.
    pub(crate) len: u64,
    /// Its shape.
    pub(crate) shape: Shape<'a>,
}

/// What combining makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Combined {
    /// The type; `None`: there was nothing but NULLs, and the result is NULL.
    pub(crate) dtype: Option<Dtype>,
    /// Elements.
    pub(crate) len: u64,
    /// For each part the names it brings (without any: empty ones); `None`: the result has no names.
    pub(crate) names: Option<Vec<NamesRule>>,
}

fn rank(dtype: Dtype) -> Option<u8> {
    Some(match dtype {
        Dtype::Raw => 0,
        Dtype::Logical => 1,
        Dtype::Integer => 2,
        Dtype::Numeric => 3,
        Dtype::Complex => 4,
        Dtype::Character => 5,
        _ => return None,
    })
}

fn higher(a: Dtype, b: Dtype) -> Result<Dtype> {
    if a == b {
        return Ok(a);
    }
    match (rank(a), rank(b)) {
        (Some(x), Some(y)) => Ok(if x >= y { a } else { b }),
        _ => Err(Kind::BadType.error(format!("cannot combine '{}' with '{}'", a.name(), b.name()))),
    }
}

/// What `c(parts…)` is: raw < logical < integer < numeric < complex < character.
///
/// # Errors
/// `TYPE` (bad-type): types that do not combine; `TOO_LARGE`.
pub(crate) fn combine(parts: &[Part<'_>]) -> Result<Combined> {
    let mut dtype: Option<Dtype> = None;
    let mut len = 0_u64;
    for part in parts {
        dtype = Some(dtype.map_or(Ok(part.dtype), |d| higher(d, part.dtype))?);
        len = len.saturating_add(part.len);
    }
    if len > MAX_LEN {
        return Err(Error::new(
            Code::TooLarge,
            format!("the result would have more than {MAX_LEN} elements"),
        ));
    }
    let rules: Vec<NamesRule> = parts.iter().map(names_of).collect();
    let has_names = rules.iter().any(|r| *r != NamesRule::None);
    Ok(Combined { dtype, len, names: has_names.then_some(rules) })
}

fn names_of(part: &Part<'_>) -> NamesRule {
    match part.shape.dim {
        None if part.shape.names => NamesRule::Kept,
        Some([_]) if part.shape.dimnames.is_some_and(|d| d.first() == Some(&true)) => NamesRule::Dimension(0),
        _ => NamesRule::None,
    }
}
