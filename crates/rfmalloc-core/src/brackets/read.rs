//! Selecting: `x[i]`, `x[i, j]`, `x[m]` with a matrix of indices, and the position of `x[[i]]`.

use super::dress::Dressing;
use super::index::{Index, Ready};
use super::operand::{OpenNames, Operand};
use super::text::{self, TextVector};
use crate::dtype::Dtype;
use crate::elements::Vector;
use crate::error::Result;
use crate::select::{self, NamesRule, ShapeRule};
use crate::store::{Handle, LIST, Role, Store};
use crate::subscript::{self as sub, Purpose, Runs, Subscript, Texts};

impl Store {
    /// R's `x[index]`: a temporary with the selected elements and their names. Beyond the end, and where the index is NA, elements are
    /// missing (raw: 0, lists: nothing). An array is taken as one vector, column by column. An index left empty takes everything, with its
    /// shape. Lists hold the same objects as before.
    ///
    /// # Errors
    /// `SUBSCRIPT` (`details.kind`: bad-subscript, mixed-signs), `TYPE` (a frame), `OTHER_STORE` (a list of another store), `NO_SPACE`, `READ_ONLY`,
    /// `DESTROYED`, `CLOSED`; `IO`, `CORRUPT`: elements cannot be read.
    pub fn select(&self, x: &Vector, index: &Index<'_>) -> Result<Handle> {
        self.subset(x, &[*index], true)
    }

    /// R's `x[-index]`: everything but the positions, from 0, or what is true in the mask. Nothing given, nothing left out.
    ///
    /// # Errors
    /// As [`Store::select`].
    pub fn exclude(&self, x: &Vector, index: &Index<'_>) -> Result<Handle> {
        self.select(x, &Index::except(index.what))
    }

    /// R's `x[…]` with what may stand there: a matrix of cells, one index, or one for each dimension.
    ///
    /// # Errors
    /// As [`Store::subset`].
    pub fn bracket(&self, x: &Vector, indices: &[Index<'_>], drop: bool) -> Result<Handle> {
        match (Index::rows_of_cells(indices, x)?, indices) {
            (Some(rows), [one]) => self.select_cells(x, one, rows),
            _ => self.subset(x, indices, drop),
        }
    }

    /// R's `x[i, j, …]`, one index for each dimension; with a single one [`Store::select`]. `drop`: dimensions of extent 1 vanish.
    ///
    /// # Errors
    /// As [`Store::select`]; `OUT_OF_BOUNDS` (out-of-bounds), `SUBSCRIPT` (subscript-too-long), `DIM` (wrong-dims, no-dimnames).
    pub fn subset(&self, x: &Vector, indices: &[Index<'_>], drop: bool) -> Result<Handle> {
        let x = Operand::new(x)?;
        let ready = Ready::all(indices)?;
        if let [one] = &ready[..] {
            let names = x.names()?.map(TextVector::new);
            let names = names.as_ref().map(|n| n as &dyn Texts);
            let subscript = one.subscript();
            let selection = sub::vector(&subscript, x.len(), names, Purpose::Read)?.selection;
            let everything = matches!(subscript, Subscript::All);
            let rule = select::of_vector(&x.shape(), everything, selection.len(), drop);
            let result = self.dressed(&x, &selection, &rule, &[&selection])?;
            one.check()?;
            return Ok(result);
        }
        let cells = x.cells(&ready)?;
        let rule = select::of_array(&x.shape(), &cells, drop);
        let parts: Vec<&dyn Runs> = cells.parts().iter().map(|p| p as &dyn Runs).collect();
        let result = self.dressed(&x, &cells, &rule, &parts)?;
        ready.iter().try_for_each(Ready::check)?;
        Ok(result)
    }

    /// R's `x[m]` for a matrix `m` of `rows` rows and a column for each dimension of `x`, column by column: each row picks a cell. Rows with a
    /// zero (R's subscripts) drop out, rows with NA pick a missing element.
    ///
    /// # Errors
    /// As [`Store::subset`].
    pub fn select_cells(&self, x: &Vector, index: &Index<'_>, rows: u64) -> Result<Handle> {
        let x = Operand::new(x)?;
        let ready = Ready::new(index)?;
        let names = OpenNames::of_dimensions(&x)?;
        let names = names.as_ref().map(OpenNames::as_texts);
        let selection = sub::cells(&ready.subscript(), rows, &x.extents(), names.as_deref())?;
        let result = self.picked(&x, &selection)?;
        ready.check()?;
        Ok(result)
    }

    /// The position of R's `x[[i]]` or `x[[i, j, …]]`: exactly one element, which is there.
    ///
    /// # Errors
    /// `SUBSCRIPT` (bad-subscript), `OUT_OF_BOUNDS` (out-of-bounds), `DIM` (wrong-dims).
    pub fn element(&self, x: &Vector, indices: &[Index<'_>]) -> Result<u64> {
        self.shared()?;
        let x = Operand::new(x)?;
        let ready = Ready::all(indices)?;
        let at = if let [one] = &ready[..] {
            let names = x.names()?.map(TextVector::new);
            sub::element(&one.subscript(), x.len(), names.as_ref().map(|n| n as &dyn Texts))?
        } else {
            let names = OpenNames::of_dimensions(&x)?;
            let names = names.as_ref().map(OpenNames::as_texts);
            let subscripts: Vec<Subscript> = ready.iter().map(Ready::subscript).collect();
            sub::element_of_array(&subscripts, &x.extents(), names.as_deref())?
        };
        ready.iter().try_for_each(Ready::check)?;
        Ok(at)
    }

    fn dressed(
        &self,
        x: &Operand<'_>,
        runs: &dyn Runs,
        rule: &ShapeRule,
        parts: &[&dyn Runs],
    ) -> Result<Handle> {
        let mut result = self.picked(x, runs)?;
        let mut dressing = Dressing::new(self, x);
        dressing.shape(rule, runs, parts)?;
        dressing.put_on(&mut result)?;
        Ok(result)
    }

    /// A temporary with the selected elements, without attributes.
    pub(super) fn picked(&self, x: &Operand<'_>, runs: &dyn Runs) -> Result<Handle> {
        match x.dtype() {
            Dtype::Character => text::gather(self, x.vector, runs),
            Dtype::List => self.picked_items(x, runs),
            dtype => {
                let result = self.reserve(dtype, runs.len(), false)?;
                let writing = result.begin_writing()?;
                let missing = select::missing_element(dtype);
                select::gather(x.span(), dtype.width(), runs, &missing, writing.span())?;
                writing.wrote(0, writing.span().nbytes());
                writing.check(0, writing.span().nbytes())?;
                x.check()?;
                Ok(result)
            }
        }
    }

    fn picked_items(&self, x: &Operand<'_>, runs: &dyn Runs) -> Result<Handle> {
        let Vector::Object(list) = x.vector else { return self.list(LIST, &[]) };
        let positions = runs.positions()?;
        let items = positions.iter().map(|&p| if p < x.len() { self.list_get(list, p) } else { Ok(None) });
        let items: Vec<Option<Handle>> = items.collect::<Result<_>>()?;
        self.list(LIST, &items.iter().map(Option::as_ref).collect::<Vec<_>>())
    }

    /// The names that `rule` gives a result in this role, as a temporary of their own.
    pub(super) fn picked_names(
        &self,
        x: &Operand<'_>,
        rule: NamesRule,
        picked: &dyn Runs,
        parts: &[&dyn Runs],
        role: Role,
    ) -> Result<Option<Handle>> {
        let (names, runs): (Option<Vector>, Option<&dyn Runs>) = match rule {
            NamesRule::None => return Ok(None),
            NamesRule::Kept => (x.child(role)?, None),
            NamesRule::Picked => (x.names()?, Some(picked)),
            NamesRule::Dimension(d) => (x.child(Role::Dimnames(d))?, parts.get(d).copied()),
        };
        let Some(names) = names else { return Ok(None) };
        let all = sub::Selection::range(0, names.len());
        text::gather(self, &names, runs.unwrap_or(&all)).map(Some)
    }
}
