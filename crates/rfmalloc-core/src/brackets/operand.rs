//! A vector that brackets are put to: its elements in place, its shape, its names.

use super::index::Ready;
use super::text::TextVector;
use crate::dtype::Dtype;
use crate::elements::{Guard, Vector};
use crate::error::{Code, Error, Result};
use crate::region::Span;
use crate::select::Shape;
use crate::store::{Attributes, FRAME, Role};
use crate::subscript::{self as sub, Product, Purpose, Resolved, Subscript, Texts};

/// A vector, held in place.
pub(super) struct Operand<'a> {
    pub(super) vector: &'a Vector,
    /// Of elements that are their bytes.
    guard: Option<Guard>,
    attributes: Attributes,
}

impl<'a> Operand<'a> {
    pub(super) fn new(vector: &'a Vector) -> Result<Self> {
        let attributes = match vector {
            Vector::Object(h) if h.facts().has_attributes => h.attributes()?,
            _ => Attributes::default(),
        };
        if matches!(vector, Vector::Object(h) if h.facts().kind == FRAME) {
            return Err(Error::new(Code::Type, "a data frame is indexed by its rows and columns"));
        }
        let guard = vector.dtype().is_plain().then(|| vector.guard()).transpose()?;
        Ok(Self { vector, guard, attributes })
    }

    pub(super) fn dtype(&self) -> Dtype {
        self.vector.dtype()
    }

    pub(super) fn len(&self) -> u64 {
        self.vector.len()
    }

    /// Elements that are their bytes.
    pub(super) fn span(&self) -> Span {
        self.guard.as_ref().map_or(Span::EMPTY, Guard::span)
    }

    pub(super) fn attributes(&self) -> &Attributes {
        &self.attributes
    }

    pub(super) fn shape(&self) -> Shape<'_> {
        let a = &self.attributes;
        Shape {
            dim: (!a.dim.is_empty()).then_some(&a.dim),
            dimnames: (!a.has_dimnames.is_empty()).then_some(&a.has_dimnames),
            names: a.has_names,
        }
    }

    /// Extents as brackets count them: a plain vector has one.
    pub(super) fn extents(&self) -> Vec<u64> {
        if self.attributes.dim.is_empty() { vec![self.len()] } else { self.attributes.dim.clone() }
    }

    /// The names in this role.
    pub(super) fn child(&self, role: Role) -> Result<Option<Vector>> {
        match self.vector {
            Vector::Object(h) => Ok(h.child(role)?.map(Vector::Object)),
            Vector::File(_) => Ok(None),
        }
    }

    /// The names that elements go by: of an array with one dimension its dimnames, of one with several none.
    pub(super) fn names(&self) -> Result<Option<Vector>> {
        match (self.attributes.dim.len(), self.attributes.has_names) {
            (0, true) => self.child(Role::Names),
            (1, _) => self.child(Role::Dimnames(0)),
            _ => Ok(None),
        }
    }

    /// The names of all dimensions; `None`: no dimnames at all.
    pub(super) fn dimnames(&self) -> Result<Option<Vec<Option<Vector>>>> {
        let all = self.attributes.has_dimnames.iter().enumerate();
        let all = all.map(|(d, has)| if *has { self.child(Role::Dimnames(d)) } else { Ok(None) });
        let all: Vec<_> = all.collect::<Result<_>>()?;
        Ok((!all.is_empty()).then_some(all))
    }

    /// To be called after the last read.
    ///
    /// # Errors
    /// `IO`: bytes of the vector are lost.
    pub(super) fn check(&self) -> Result<()> {
        self.guard.as_ref().map_or(Ok(()), |g| g.check(0, g.span().nbytes()))
    }

    /// The cells that one index for each dimension picks.
    pub(super) fn cells(&self, indices: &[Ready<'_>]) -> Result<Product> {
        let names = OpenNames::of_dimensions(self)?;
        let names = names.as_ref().map(OpenNames::as_texts);
        let subscripts: Vec<Subscript<'_>> = indices.iter().map(Ready::subscript).collect();
        sub::dimensions(&subscripts, &self.extents(), names.as_deref())
    }

    /// The elements that a single index picks for writing; `rows`: those of a matrix of indices.
    pub(super) fn elements(&self, index: &Ready<'_>, rows: Option<u64>) -> Result<Resolved> {
        let subscript = index.subscript();
        if let Some(rows) = rows {
            let names = OpenNames::of_dimensions(self)?;
            let names = names.as_ref().map(OpenNames::as_texts);
            return Ok(sub::cells(&subscript, rows, &self.extents(), names.as_deref())?.into());
        }
        let names = self.names()?.map(TextVector::new);
        sub::vector(&subscript, self.len(), names.as_ref().map(|n| n as &dyn Texts), Purpose::Write)
    }
}

/// The names of all dimensions, held open, as subscripts look things up in them.
pub(super) struct OpenNames(Vec<Option<TextVector<'static>>>);

impl OpenNames {
    pub(super) fn of_dimensions(x: &Operand<'_>) -> Result<Option<Self>> {
        let Some(all) = x.dimnames()? else { return Ok(None) };
        Ok(Some(Self(all.into_iter().map(|names| names.map(TextVector::new)).collect())))
    }

    pub(super) fn as_texts(&self) -> Vec<Option<&dyn Texts>> {
        self.0.iter().map(|t| t.as_ref().map(|t| t as &dyn Texts)).collect()
    }
}
