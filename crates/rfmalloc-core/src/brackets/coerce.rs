//! Converting (R's `as.logical` … `as.raw`) and combining (R's `c`).

use super::operand::Operand;
use super::text;
use super::write::AsType;
use crate::combine::{Part, combine};
use crate::convert::{self, Source, Warnings};
use crate::dtype::Dtype;
use crate::elements::{BLOCK, Vector};
use crate::error::{Code, Error, Result};
use crate::select::NamesRule;
use crate::store::{Change, Handle, LIST, Role, Store};
use crate::subscript::Kind;
use std::sync::Arc;

impl Store {
    /// R's `as.*`: a temporary of type `dtype` without attributes, and R's warnings. The elements of a list are single values each.
    ///
    /// # Errors
    /// `TYPE` (bad-type: a list element that is no single value, or the type is list), `NO_SPACE`, `READ_ONLY`, `DESTROYED`, `CLOSED`.
    pub fn convert_to(&self, x: &Vector, dtype: Dtype) -> Result<(Handle, Warnings)> {
        let mut warnings = Warnings::default();
        let result = self.converted(x, dtype, &mut warnings)?;
        Ok((result.into_object()?, warnings))
    }

    /// A converted copy.
    pub(super) fn converted(&self, x: &Vector, dtype: Dtype, w: &mut Warnings) -> Result<Vector> {
        dtype.supported()?;
        let bad_type = || {
            Kind::BadType.error(format!(
                "'{}' cannot be coerced to type '{}'",
                x.dtype().name(),
                dtype.name()
            ))
        };
        if dtype == Dtype::List {
            return Err(bad_type());
        }
        if x.dtype() == Dtype::List {
            return self.converted_items(x, dtype, w);
        }
        let result = Vector::Object(self.reserve(dtype, x.len(), false)?);
        *w |= result.copy_from(0, x, 0, x.len())?;
        Ok(result)
    }

    fn converted_items(&self, x: &Vector, dtype: Dtype, w: &mut Warnings) -> Result<Vector> {
        let Vector::Object(list) = x else { return Err(Error::new(Code::Type, "the object is no list")) };
        let no_value = |i: u64| {
            Kind::BadType
                .error(format!(
                    "element {i} of the list is no single value, so the list cannot become '{}'",
                    dtype.name()
                ))
                .with("index", i)
        };
        let mut items = Vec::new();
        for i in 0..x.len() {
            let item = self.list_get(list, i)?.map(Vector::Object).ok_or_else(|| no_value(i))?;
            if item.len() != 1 || item.dtype() == Dtype::List {
                return Err(no_value(i));
            }
            items.push(self.converted(&item, dtype, w)?);
        }
        self.joined(&items.iter().collect::<Vec<_>>(), dtype, x.len()).map(Vector::Object)
    }

    /// The vector itself if it has this type, else a converted copy; warnings are not wanted.
    pub(super) fn as_type<'a>(&self, x: &'a Vector, dtype: Dtype) -> Result<AsType<'a>> {
        if x.dtype() == dtype {
            return Ok(AsType::Own(x));
        }
        self.converted(x, dtype, &mut Warnings::default()).map(AsType::Copy)
    }

    /// Elements of vectors, one after the other, as `dtype`.
    fn joined(&self, parts: &[&Vector], dtype: Dtype, len: u64) -> Result<Handle> {
        if dtype == Dtype::List {
            let mut items = Vec::new();
            for part in parts {
                if let Vector::Object(list) = part {
                    for i in 0..part.len() {
                        items.push(self.list_get(list, i)?);
                    }
                }
            }
            return self.list(LIST, &items.iter().map(Option::as_ref).collect::<Vec<_>>());
        }
        let result = Vector::Object(self.reserve(dtype, len, false)?);
        let mut at = 0;
        for part in parts {
            result.copy_from(at, part, 0, part.len())?;
            at += part.len();
        }
        result.into_object()
    }

    /// R's `c`: one vector after the other as a temporary of the highest type, with their names. Shapes go. Without a part the result has no type:
    /// `None`, R's NULL.
    ///
    /// # Errors
    /// `TYPE` (bad-type: lists with others), `TOO_LARGE`, `NO_SPACE`, `READ_ONLY`, `DESTROYED`, `CLOSED`.
    pub fn combine(&self, vectors: &[&Vector]) -> Result<Option<Handle>> {
        self.shared()?;
        let operands: Vec<Operand<'_>> = vectors.iter().map(|v| Operand::new(v)).collect::<Result<_>>()?;
        let parts: Vec<Part<'_>> =
            operands.iter().map(|x| Part { dtype: x.dtype(), len: x.len(), shape: x.shape() }).collect();
        let plan = combine(&parts)?;
        let Some(dtype) = plan.dtype else { return Ok(None) };
        let mut result = self.joined(vectors, dtype, plan.len)?;
        if let Some(rules) = &plan.names {
            let named = operands.iter().zip(rules).map(|(x, rule)| {
                let names = if *rule == NamesRule::None { None } else { x.names()? };
                Ok((names, x.len()))
            });
            let named = named.collect::<Result<Vec<_>>>()?;
            let names = text::joined_names(self, &named, plan.len)?;
            self.set_attributes(&mut result, &[Change::Child(Role::Names, Some(&names))])?;
        }
        Ok(Some(result))
    }
}

impl Vector {
    /// The object in the store that a result is.
    pub(crate) fn into_object(self) -> Result<Handle> {
        match self {
            Self::Object(h) => Ok(h),
            Self::File(_) => Err(Error::new(Code::Internal, "a result outside of any store")),
        }
    }

    /// Whether both are the same elements.
    pub(crate) fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Object(a), Self::Object(b)) => a.serial() == b.serial(),
            (Self::File(a), Self::File(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }

    /// Index of the first element that `dtype` cannot hold exactly; text is exact as text only.
    pub(crate) fn first_inexact(&self, dtype: Dtype) -> Result<Option<u64>> {
        if self.dtype() == dtype {
            return Ok(None);
        }
        if dtype == Dtype::Character || self.dtype() == Dtype::Character {
            return Ok((!self.is_empty()).then_some(0));
        }
        let source = Source::of(self.dtype());
        let width = source.width();
        let mut block = vec![0; (width * BLOCK.min(self.len())) as usize];
        let mut at = 0;
        while at < self.len() {
            let part = &mut block[..((self.len() - at).min(BLOCK) * width) as usize];
            self.read_bytes(at, part)?;
            if let Some(i) = convert::first_inexact(source, part, dtype) {
                return Ok(Some(at + i));
            }
            at += part.len() as u64 / width;
        }
        Ok(None)
    }
}
