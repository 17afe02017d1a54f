//! Assigning: R's `x[i] <- values` on a copy, and `set`, which writes through.

use super::dress::Dressing;
use super::index::{Index, Ready};
use super::operand::Operand;
use super::text;
use crate::assign::{self, GrownNames, Plan, Values};
use crate::convert::Warnings;
use crate::dtype::Dtype;
use crate::elements::Vector;
use crate::error::{Code, Error, Result};
use crate::select::{self, ShapeRule};
use crate::store::{Handle, LIST, Role, Store};
use crate::subscript::{Resolved, Runs, Selection};

impl Store {
    /// R's `x[index, …] <- values` on a copy, a temporary: the type rises to hold the values, a vector grows by what is written beyond its end (the
    /// gap is missing elements, dimensions go), unknown names become new elements. `rows`: the single index is a matrix of so many rows.
    /// `values` `None`: NULL. Names, dimensions and the user's attributes come along.
    ///
    /// # Errors
    /// As [`Store::subset`]; `LENGTH` (empty-replacement, assign-length), `SUBSCRIPT` (na-subscript), `TYPE` (bad-type), `TOO_LARGE`.
    pub fn replace(
        &self,
        x: &Vector,
        indices: &[Index<'_>],
        rows: Option<u64>,
        values: Option<&Vector>,
    ) -> Result<(Handle, Warnings)> {
        let x = Operand::new(x)?;
        let ready = Ready::all(indices)?;
        let given = Values { dtype: values.map(Vector::dtype), len: values.map_or(0, Vector::len) };
        let result = if let [one] = &ready[..] {
            let resolved = x.elements(one, rows)?;
            let plan = assign::in_vector(x.dtype(), x.len(), &x.shape(), &resolved, given)?;
            let result = self.replaced(&x, &plan, &resolved.selection, values)?;
            (self.with_names(result, &x, &plan, one, &resolved)?, plan.warnings)
        } else {
            let cells = x.cells(&ready)?;
            let plan = assign::in_array(x.dtype(), x.len(), &cells, given)?;
            let result = self.replaced(&x, &plan, &cells, values)?;
            let shape = self.with_shape(result, &x)?;
            (shape, plan.warnings)
        };
        ready.iter().try_for_each(Ready::check)?;
        Ok(result)
    }

    /// The elements of the result.
    fn replaced(
        &self,
        x: &Operand<'_>,
        plan: &Plan,
        runs: &dyn Runs,
        values: Option<&Vector>,
    ) -> Result<Handle> {
        let dtype = plan.dtype;
        if dtype == Dtype::List {
            return self.replaced_items(x, plan, runs, values);
        }
        if dtype == Dtype::Character {
            return text::replaced(self, x, plan.len, runs, values);
        }
        let result = Vector::Object(self.reserve(dtype, plan.len, false)?);
        // Upwards nothing is lost, so there is nothing to warn of.
        result.copy_from(0, x.vector, 0, x.len())?;
        let converted = values.map(|v| self.as_type(v, dtype)).transpose()?;
        let writing = result.guard_writing()?;
        let (width, target) = (dtype.width(), writing.span());
        let gap = target.part(x.len() * width, target.nbytes());
        select::fill(gap, &select::missing_element(dtype));
        if let Some(values) = converted.as_ref().map(AsType::vector) {
            let guard = values.guard()?;
            assign::scatter(target, width, runs, guard.span())?;
            guard.check(0, guard.span().nbytes())?;
        }
        writing.wrote(0, target.nbytes());
        writing.check(0, target.nbytes())?;
        drop(writing);
        result.into_object()
    }

    fn replaced_items(
        &self,
        x: &Operand<'_>,
        plan: &Plan,
        runs: &dyn Runs,
        values: Option<&Vector>,
    ) -> Result<Handle> {
        let all = |v: &Vector| match v {
            Vector::Object(list) => (0..v.len()).map(|i| self.list_get(list, i)).collect::<Result<Vec<_>>>(),
            Vector::File(_) => Ok(Vec::new()),
        };
        let (old, new) = (all(x.vector)?, values.map_or(Ok(Vec::new()), all)?);
        let mut items: Vec<Option<&Handle>> = old.iter().map(Option::as_ref).collect();
        items.resize(plan.len as usize, None);
        for (i, p) in runs.positions()?.into_iter().enumerate() {
            if let Some(item) = items.get_mut(p as usize).filter(|_| !new.is_empty()) {
                *item = new[i % new.len()].as_ref();
            }
        }
        self.list(LIST, &items)
    }

    fn with_shape(&self, mut result: Handle, x: &Operand<'_>) -> Result<Handle> {
        let mut dressing = Dressing::new(self, x);
        let all = Selection::range(0, x.len());
        dressing.shape(&ShapeRule::same(&x.shape()), &all, &[])?;
        dressing.user();
        dressing.put_on(&mut result)?;
        Ok(result)
    }

    fn with_names(
        &self,
        mut result: Handle,
        x: &Operand<'_>,
        plan: &Plan,
        index: &Ready<'_>,
        resolved: &Resolved,
    ) -> Result<Handle> {
        let Some(grown) = plan.grown else { return self.with_shape(result, x) };
        let mut dressing = Dressing::new(self, x);
        dressing.user();
        if let GrownNames::Extended(_) = grown {
            let old = x.names()?;
            let names =
                text::extended(self, old.as_ref(), x.len(), index.texts(), &resolved.fresh, plan.len)?;
            dressing.names(Role::Names, names);
        }
        dressing.put_on(&mut result)?;
        Ok(result)
    }

    /// Writes `values` to the selected elements of `x` itself, one value to all of them or to each its own. The type does not rise and the
    /// length does not grow; every subscript is checked before the first write. `exact`: a value that the type cannot hold exactly is refused;
    /// else values convert as R's `as.*` does. One index, one for each dimension, or (`rows`) a matrix of them.
    ///
    /// # Errors
    /// As [`Store::subset`]; `OUT_OF_BOUNDS`, `LENGTH` (empty-replacement, assign-length), `SUBSCRIPT` (na-subscript), `VALUE` (`details.index`: of the
    /// value), `TYPE` (bad-type), `SEALED`.
    pub fn set_at(
        &self,
        x: &Vector,
        indices: &[Index<'_>],
        rows: Option<u64>,
        values: &Vector,
        exact: bool,
    ) -> Result<Warnings> {
        self.shared()?;
        x.check_writable()?;
        let operand = Operand::new(x)?;
        let ready = Ready::all(indices)?;
        if let [one] = &ready[..] {
            // Unknown names lie beyond the end, and are refused there.
            let selection = operand.elements(one, rows)?.selection;
            one.refuse_missing(&selection)?;
            assign::in_place(
                x.len(),
                selection.end(),
                selection.has_missing(),
                selection.len(),
                values.len(),
            )?;
            self.write_through(x, &ready, &selection, values, exact)
        } else {
            let cells = operand.cells(&ready)?;
            assign::in_place(x.len(), 0, cells.has_missing(), cells.len(), values.len())?;
            self.write_through(x, &ready, &cells, values, exact)
        }
    }

    pub(super) fn write_through(
        &self,
        x: &Vector,
        ready: &[Ready<'_>],
        runs: &dyn Runs,
        values: &Vector,
        exact: bool,
    ) -> Result<Warnings> {
        let dtype = x.dtype();
        if dtype == Dtype::List || values.dtype() == Dtype::List {
            return Err(Error::new(Code::Type, "the objects of a list are set one by one"));
        }
        if exact && let Some(i) = values.first_inexact(dtype)? {
            return Err(Error::new(
                Code::Value,
                format!("value {i} is no exact value of type '{}'", dtype.name()),
            )
            .with("index", i));
        }
        // Values that are the vector's own are copied first: nothing may be read that was just written.
        let mut warnings = Warnings::default();
        let values = if values.dtype() == dtype && !values.is(x) {
            AsType::Own(values)
        } else {
            AsType::Copy(self.converted(values, dtype, &mut warnings)?)
        };
        let values = values.vector();
        ready.iter().try_for_each(Ready::check)?;
        if dtype == Dtype::Character {
            text::write_recycled(x, runs, values)?;
            return Ok(warnings);
        }
        let (reading, writing) = (values.guard()?, x.guard_writing()?);
        assign::scatter(writing.span(), dtype.width(), runs, reading.span())?;
        reading.check(0, reading.span().nbytes())?;
        writing.wrote(0, writing.span().nbytes());
        writing.check(0, writing.span().nbytes())?;
        Ok(warnings)
    }
}

/// Values of the type wanted: the caller's own, or a converted copy.
pub(super) enum AsType<'a> {
    Own(&'a Vector),
    Copy(Vector),
}

impl AsType<'_> {
    pub(super) fn vector(&self) -> &Vector {
        match self {
            Self::Own(v) => v,
            Self::Copy(v) => v,
        }
    }
}
