//! Gives a result its shape and names.

use super::operand::Operand;
use crate::error::Result;
use crate::select::ShapeRule;
use crate::store::{ARRAY, Change, Handle, MATRIX, Role, Store};
use crate::subscript::Runs;

/// What a result is to have besides its elements.
pub(super) struct Dressing<'a> {
    store: &'a Store,
    from: &'a Operand<'a>,
    dim: Option<(u8, Vec<u64>)>,
    has_dimnames: bool,
    names: Vec<(Role, Handle)>,
    user: bool,
}

impl<'a> Dressing<'a> {
    pub(super) fn new(store: &'a Store, from: &'a Operand<'a>) -> Self {
        Self { store, from, dim: None, has_dimnames: false, names: Vec::new(), user: false }
    }

    /// The user's attributes go along.
    pub(super) fn user(&mut self) {
        self.user = true;
    }

    pub(super) fn names(&mut self, role: Role, names: Handle) {
        self.names.push((role, names));
    }

    /// Shape and names by `rule`; `picked` selects elements, `parts` in each dimension.
    pub(super) fn shape(&mut self, rule: &ShapeRule, picked: &dyn Runs, parts: &[&dyn Runs]) -> Result<()> {
        let source = self.from.attributes();
        if let Some(dim) = &rule.dim {
            // The class stays where the shape does.
            let class =
                if dim.len() != 2 || source.dim == *dim && source.kind == ARRAY { ARRAY } else { MATRIX };
            self.dim = Some((class, dim.clone()));
        }
        self.has_dimnames = rule.dimnames.is_some();
        for (d, rule) in rule.dimnames.iter().flatten().enumerate() {
            if let Some(names) =
                self.store.picked_names(self.from, *rule, picked, parts, Role::Dimnames(d))?
            {
                self.names.push((Role::Dimnames(d), names));
            }
        }
        if let Some(names) = self.store.picked_names(self.from, rule.names, picked, parts, Role::Names)? {
            self.names.push((Role::Names, names));
        }
        Ok(())
    }

    pub(super) fn put_on(self, result: &mut Handle) -> Result<()> {
        let mut changes = Vec::new();
        if let Some((class, extents)) = &self.dim {
            changes.push(Change::Dim(Some((*class, extents))));
        }
        if self.has_dimnames {
            changes.push(Change::Dimnames(true));
        }
        changes.extend(self.names.iter().map(|(role, names)| Change::Child(*role, Some(names))));
        if self.user {
            let user = &self.from.attributes().user;
            changes.extend(user.iter().map(|(key, json)| Change::User(key, Some(json))));
        }
        if changes.is_empty() { Ok(()) } else { self.store.set_attributes(result, &changes) }
    }
}
