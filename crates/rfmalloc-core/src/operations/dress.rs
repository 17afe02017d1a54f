//! Gives a result the shape and names of an operand.

use super::given::Input;
use crate::compute::{Conformed, Side};
use crate::dtype::Dtype;
use crate::elements::Vector;
use crate::error::Result;
use crate::store::{ARRAY, Change, Handle, MATRIX, Role, Store};

/// What a result is to have besides its elements: from which operand its extents, its dimnames, its names come.
#[derive(Clone, Copy, Default)]
pub(super) struct Dress<'i, 'a> {
    pub(super) dim: Option<&'i Input<'a>>,
    pub(super) dimnames: Option<&'i Input<'a>>,
    pub(super) names: Option<&'i Input<'a>>,
    /// What no operand has as it is; then none of the others.
    pub(super) own: Option<&'i Own<'i, 'a>>,
}

/// Extents and names of a result's own.
#[derive(Default)]
pub(super) struct Own<'i, 'a> {
    /// Extents; of a vector none.
    pub(super) dim: Vec<u64>,
    /// The role of names in the result, whose they are, their role there, and how many.
    pub(super) names: Vec<(Role, &'i Input<'a>, Role, u64)>,
}

impl<'i, 'a> Own<'i, 'a> {
    /// Names along a dimension of an operand, if it has them.
    pub(super) fn name(&mut self, role: Role, x: &'i Input<'a>, dimension: usize) {
        let a = &x.attributes;
        if a.has_dimnames.get(dimension) == Some(&true) {
            self.names.push((role, x, Role::Dimnames(dimension), a.dim[dimension]));
        }
    }
}

impl<'i, 'a> Dress<'i, 'a> {
    /// Everything that an operand has.
    pub(super) fn of(x: &'i Input<'a>) -> Self {
        let a = &x.attributes;
        Self {
            dim: (!a.dim.is_empty()).then_some(x),
            dimnames: (!a.has_dimnames.is_empty()).then_some(x),
            names: a.has_names.then_some(x),
            own: None,
        }
    }

    /// What two operands of these shapes give.
    pub(super) fn conformed(c: &Conformed, x: &'i Input<'a>, y: &'i Input<'a>) -> Self {
        let side = |side: Option<Side>| side.map(|side| if side == Side::Left { x } else { y });
        Self { dim: side(c.dim), dimnames: side(c.dimnames), names: side(c.names), own: None }
    }

    /// Puts it on a temporary of the store; names are copied.
    pub(super) fn put_on(self, store: &Store, result: &mut Handle) -> Result<()> {
        let mut changes = Vec::new();
        if let Some(x) = self.dim {
            changes.push(Change::Dim(Some((x.attributes.kind, &x.attributes.dim))));
        }
        let mut names = Vec::new();
        if let Some(x) = self.dimnames {
            changes.push(Change::Dimnames(true));
            for (d, has) in x.attributes.has_dimnames.iter().enumerate() {
                if *has {
                    let role = Role::Dimnames(d);
                    names.push((role, copied(store, x, role, x.attributes.dim[d])?));
                }
            }
        }
        if let Some(x) = self.names {
            names.push((Role::Names, copied(store, x, Role::Names, x.len)?));
        }
        if let Some(own) = self.own {
            if !own.dim.is_empty() {
                changes.push(Change::Dim(Some((if own.dim.len() == 2 { MATRIX } else { ARRAY }, &own.dim))));
                changes.extend((!own.names.is_empty()).then_some(Change::Dimnames(true)));
            }
            for &(to, x, from, len) in &own.names {
                names.push((to, copied(store, x, from, len)?));
            }
        }
        changes.extend(names.iter().map(|(role, names)| Change::Child(*role, names.as_ref())));
        if changes.is_empty() { Ok(()) } else { store.set_attributes(result, &changes) }
    }
}

/// A temporary with `len` names of an operand in this role.
pub(super) fn copied(store: &Store, x: &Input<'_>, role: Role, len: u64) -> Result<Option<Handle>> {
    let Some((names, start)) = x.names(role)? else { return Ok(None) };
    let copy = Vector::Object(store.reserve(Dtype::Character, len, true)?);
    copy.copy_strings(0, names.vector(), start, len)?;
    copy.into_object().map(Some)
}
