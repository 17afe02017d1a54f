//! What becomes of names, dim and dimnames when elements are selected (behaviours 3.11, 3.12), as data.
//!
//! A rule says which names of the source a result has, and by which selection they are picked: the names are gathered like the elements,
//! a missing one where the element is missing.

use crate::subscript::{Product, Runs};

/// Which texts of the source become names of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NamesRule {
    /// None.
    None,
    /// The source's names, picked by the selection of its elements.
    Picked,
    /// The names of this dimension of the source, picked by the selection in that dimension.
    Dimension(usize),
    /// As they are.
    Kept,
}

/// The shape of what is selected from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape<'a> {
    /// Extents; `None`: a plain vector.
    pub(crate) dim: Option<&'a [u64]>,
    /// For each dimension whether it has names; `None`: no dimnames at all.
    pub(crate) dimnames: Option<&'a [bool]>,
    /// Whether a plain vector has names.
    pub(crate) names: bool,
}

/// The shape of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ShapeRule {
    /// Extents; `None`: a plain vector.
    pub(crate) dim: Option<Vec<u64>>,
    /// A rule for each dimension of the result; `None`: no dimnames.
    pub(crate) dimnames: Option<Vec<NamesRule>>,
    /// Of a plain vector.
    pub(crate) names: NamesRule,
}

impl ShapeRule {
    /// A plain vector.
    pub(crate) fn vector(names: NamesRule) -> Self {
        Self { dim: None, dimnames: None, names }
    }

    /// The source's own shape.
    pub(crate) fn same(source: &Shape<'_>) -> Self {
        let kept = |has: bool| if has { NamesRule::Kept } else { NamesRule::None };
        Self {
            dim: source.dim.map(<[u64]>::to_vec),
            dimnames: source.dimnames.map(|names| names.iter().map(|n| kept(*n)).collect()),
            names: kept(source.names),
        }
    }
}

/// The result of one index that selects `len` elements. `everything`: the index was left empty. An array becomes a plain vector; one of a
/// single dimension stays one, unless `drop` and its length say otherwise.
pub(crate) fn of_vector(source: &Shape<'_>, everything: bool, len: u64, drop: bool) -> ShapeRule {
    if everything {
        return ShapeRule::same(source);
    }
    let Some(dim) = source.dim else {
        return ShapeRule::vector(if source.names { NamesRule::Picked } else { NamesRule::None });
    };
    if dim.len() != 1 {
        return ShapeRule::vector(NamesRule::None);
    }
    let has_names = source.dimnames.is_some_and(|names| names.first() == Some(&true));
    let rule = if has_names { NamesRule::Dimension(0) } else { NamesRule::None };
    if drop && len <= 1 {
        return ShapeRule::vector(rule);
    }
    let rule_of =
        |names: &[bool]| names.iter().map(|_| if len == 0 { NamesRule::None } else { rule }).collect();
    ShapeRule { dim: Some(vec![len]), dimnames: source.dimnames.map(rule_of), names: NamesRule::None }
}

/// The result of one index for each dimension. `drop`: dimensions of extent 1 vanish; one or none left makes a plain vector.
pub(crate) fn of_array(source: &Shape<'_>, cells: &Product, drop: bool) -> ShapeRule {
    let extents: Vec<u64> = cells.parts().iter().map(Runs::len).collect();
    // Dimensions without elements lose their names.
    let rules: Option<Vec<NamesRule>> = source.dimnames.map(|names| {
        let named = names.iter().zip(&extents).enumerate();
        named
            .map(|(d, (has, n))| if *has && *n > 0 { NamesRule::Dimension(d) } else { NamesRule::None })
            .collect()
    });
    let left: Vec<usize> = (0..extents.len()).filter(|d| !drop || extents[*d] != 1).collect();
    if left.len() == extents.len() && extents.len() > 1 || !drop {
        return ShapeRule { dim: Some(extents), dimnames: rules, names: NamesRule::None };
    }
    let rules_or_none = rules.unwrap_or_else(|| vec![NamesRule::None; extents.len()]);
    match left[..] {
        // A single cell could take the name of any dimension: it takes one only if there is no other.
        [] => {
            let mut named = rules_or_none.into_iter().filter(|r| *r != NamesRule::None);
            let one = named.next().filter(|_| named.next().is_none());
            ShapeRule::vector(one.unwrap_or(NamesRule::None))
        }
        [d] if extents.len() > 1 => ShapeRule::vector(rules_or_none[d]),
        _ => {
            let kept: Vec<NamesRule> = left.iter().map(|d| rules_or_none[*d]).collect();
            let has_names = kept.iter().any(|r| *r != NamesRule::None);
            ShapeRule {
                dim: Some(left.iter().map(|d| extents[*d]).collect()),
                dimnames: has_names.then_some(kept),
                names: NamesRule::None,
            }
        }
    }
}
