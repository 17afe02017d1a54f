//! The same cases on a store: arguments become vectors with names and dimensions, the store's own methods answer, and the results are read
//! back. Half of the arguments are committed, so that parts in records are read as well as parts in memory.

use super::value::{Strings as Texts, Value};
use crate::elements::BLOCK;
use crate::region::RawBytes;
use crate::store::{ARRAY, Change, LIST, MATRIX, Mode, OpenOptions, Role, Store};
use crate::{Dtype, Handle, Index, Result, Strings, Style, Vector, Warnings, What};
use std::cell::Cell;

type Outcome = Result<(Value, Vec<&'static str>)>;

pub(super) struct Bench {
    store: Store,
    _folder: tempfile::TempDir,
    made: Cell<u64>,
    /// Indices are vectors of the store; else a caller's buffers.
    vectors: bool,
}

fn categories(w: Warnings) -> Vec<&'static str> {
    let all = [
        (Warnings::ASSIGN_REMAINDER, "assign-remainder"),
        (Warnings::IMAGINARY_DISCARDED, "imaginary-discarded"),
        (Warnings::INTEGER_RANGE, "integer-range"),
        (Warnings::NA_COERCION, "na-coercion"),
        (Warnings::RAW_RANGE, "raw-range"),
    ];
    all.iter().filter(|(bit, _)| w.bits() & bit.bits() != 0).map(|(_, name)| *name).collect()
}

impl Bench {
    pub(super) fn new(mode: Mode) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = OpenOptions { mode, sync_every: None, ..OpenOptions::default() };
        let store = Store::open(&folder.path().join("goldens.fm"), &options).unwrap().store;
        Self { store, _folder: folder, made: Cell::new(0), vectors: mode == Mode::Persistent }
    }

    fn texts(&self, texts: &Texts) -> Handle {
        let v = Vector::Object(self.store.reserve(Dtype::Character, texts.0.len() as u64, true).unwrap());
        let list: Strings = texts.0.iter().map(Option::as_deref).collect();
        v.write_strings(0, &list).unwrap();
        v.into_object().unwrap()
    }

    /// The value as an object; NULL has none.
    fn put(&self, x: &Value) -> Option<Vector> {
        let dtype = x.dtype?;
        let mut handle = match dtype {
            Dtype::Character => self.texts(&x.texts()),
            Dtype::List => {
                let items: Vec<Option<Vector>> = x.bytes.chunks(8).map(|c| self.put(&x.item_of(c))).collect();
                let items: Vec<Option<Handle>> =
                    items.into_iter().map(|v| v.map(|v| v.into_object().unwrap())).collect();
                self.store.list(LIST, &items.iter().map(Option::as_ref).collect::<Vec<_>>()).unwrap()
            }
            _ => {
                let handle = self.store.reserve(dtype, x.len(), true).unwrap();
                handle.begin_writing().unwrap().span().write(0, &x.bytes);
                handle
            }
        };
        let mut changes = Vec::new();
        let children: Vec<Option<Handle>> =
            x.dimnames.iter().flatten().map(|n| n.as_ref().map(|n| self.texts(n))).collect();
        let names = x.names.as_ref().map(|n| self.texts(n));
        if let Some(dim) = &x.dim {
            changes.push(Change::Dim(Some((if dim.len() == 2 { MATRIX } else { ARRAY }, dim))));
        }
        changes
            .extend(children.iter().enumerate().map(|(d, c)| Change::Child(Role::Dimnames(d), c.as_ref())));
        changes.extend(names.iter().map(|n| Change::Child(Role::Names, Some(n))));
        self.store.set_attributes(&mut handle, &changes).unwrap();
        self.made.set(self.made.get() + 1);
        if self.made.get().is_multiple_of(2) {
            self.store.commit(&mut handle, None, false).unwrap();
        }
        Some(Vector::Object(handle))
    }

    fn read_texts(v: &Vector) -> Texts {
        let list = v.strings(0, v.len(), u64::MAX).unwrap();
        Texts((0..list.len()).map(|i| list.get(i).map(str::to_owned)).collect())
    }

    fn get(&self, handle: Handle) -> Value {
        let attributes = self.store.attributes(&handle).unwrap();
        let child = |role| {
            let child = self.store.child(&handle, role).unwrap();
            child.map(|h| Self::read_texts(&Vector::Object(h)))
        };
        let mut out = Value::of(handle.facts().dtype, 0);
        out.dim = (!attributes.dim.is_empty()).then_some(attributes.dim);
        let dimnames = attributes.has_dimnames.len();
        out.dimnames = (dimnames > 0).then(|| (0..dimnames).map(|d| child(Role::Dimnames(d))).collect());
        out.names = child(Role::Names);
        match handle.facts().dtype {
            Dtype::Character => {
                Self::read_texts(&Vector::Object(handle)).0.iter().for_each(|s| out.push_text(s.as_deref()));
            }
            Dtype::List => {
                for i in 0..handle.facts().len {
                    let item = self.store.list_get(&handle, i).unwrap().map(|h| self.get(h));
                    let place = if item.is_some() { out.items.len() as u64 + 1 } else { 0 };
                    out.items.extend(item);
                    out.bytes.extend(place.to_le_bytes());
                }
            }
            _ => {
                out.bytes.resize((handle.facts().len * handle.facts().dtype.width()) as usize, 0);
                Vector::Object(handle).read_bytes(0, &mut out.bytes).unwrap();
            }
        }
        out
    }

    pub(super) fn call(&self, op: &str, args: &[Value], drop: bool) -> Outcome {
        let dtype = (1..=7).filter_map(Dtype::from_code).find(|d| Some(d.name()) == op.strip_prefix("as."));
        let mut given = args.iter().map(|a| self.put(a)).collect::<Vec<_>>();
        if op == "c" {
            let vectors: Vec<&Vector> = given.iter().flatten().collect();
            let got = self.store.combine(&vectors)?;
            return Ok((got.map_or_else(Value::default, |h| self.get(h)), Vec::new()));
        }
        let x = given.remove(0);
        // A store has no NULL.
        let Some(x) = x else {
            return Ok((dtype.map_or_else(Value::default, |d| Value::of(d, 0)), Vec::new()));
        };
        if let Some(dtype) = dtype {
            let (handle, warnings) = self.store.convert_to(&x, dtype)?;
            return Ok((self.get(handle), categories(warnings)));
        }
        let values = if op == "[<-" { given.pop() } else { None };
        let mut memory: Vec<Vec<u8>> = args.iter().skip(1).map(|a| a.bytes.clone()).collect();
        let texts: Vec<Vec<Option<String>>> = args[1..]
            .iter()
            .map(|a| if a.dtype == Some(Dtype::Character) { a.texts().0 } else { Vec::new() })
            .collect();
        let indices: Vec<Index<'_>> = given
            .iter()
            .zip(&args[1..])
            .zip(memory.iter_mut().zip(&texts))
            .map(|((v, a), (bytes, texts))| self.index(v.as_ref(), a, bytes, texts))
            .collect();
        let rank = args[0].dim.as_ref().map_or(0, Vec::len) as u64;
        let rows = match args.get(1).and_then(|i| i.dim.as_deref()) {
            Some([rows, columns]) if indices.len() == 1 && *columns == rank => Some(*rows),
            _ => None,
        };
        let nothing = Warnings::default();
        let (handle, warnings) = match (op, rows) {
            ("[", Some(rows)) => (self.store.select_cells(&x, &indices[0], rows)?, nothing),
            ("[", None) => (self.store.subset(&x, &indices, drop)?, nothing),
            ("[<-", _) => self.store.replace(&x, &indices, rows, values.flatten().as_ref())?,
            _ => {
                let at = self.store.element(&x, &indices)?;
                if let (Vector::Object(list), Dtype::List) = (&x, x.dtype()) {
                    let item = self.store.list_get(list, at)?;
                    return Ok((item.map_or_else(Value::default, |h| self.get(h)), Vec::new()));
                }
                let mut bytes = (at as f64).to_le_bytes();
                let mut one =
                    self.get(self.store.select(&x, &Index::of(What::F64(RawBytes::of(&mut bytes))))?);
                (one.names, one.dim, one.dimnames) = (None, None, None);
                return Ok((one, Vec::new()));
            }
        };
        Ok((self.get(handle), categories(warnings)))
    }

    fn index<'a>(
        &self,
        v: Option<&'a Vector>,
        a: &Value,
        bytes: &mut [u8],
        texts: &'a [Option<String>],
    ) -> Index<'a> {
        let what = match (a.dtype, v) {
            (None, _) if a.is_missing => What::All,
            (None, _) | (_, None) => What::Nothing,
            (Some(Dtype::Numeric), _) if !self.vectors => What::F64(RawBytes::of(bytes)),
            (Some(Dtype::Integer), _) if !self.vectors => What::I32(RawBytes::of(bytes)),
            (Some(Dtype::Logical), _) if !self.vectors => What::Mask(RawBytes::of(bytes)),
            (Some(Dtype::Character), _) if !self.vectors => What::Names(texts),
            (_, Some(v)) => What::Vector(v),
        };
        Index { what, style: Style::R }
    }
}

#[test]
fn long_vectors_are_selected_and_assigned_across_blocks() {
    let bench = Bench::new(Mode::Persistent);
    let n = 3 * BLOCK + 7;
    let text = |i: u64| (!i.is_multiple_of(5)).then(|| format!("{i:0width$}", width = (i % 30) as usize));
    let mut x = Value::of(Dtype::Character, 0);
    (0..n).for_each(|i| x.push_text(text(i).as_deref()));
    // A permutation, since 7919 is a prime; and its inverse undoes it.
    let mut index = Value::of(Dtype::Numeric, 0);
    (0..n).for_each(|i| index.bytes.extend((((i * 7919) % n + 1) as f64).to_le_bytes()));
    let picked = bench.call("[", &[x.clone(), index.clone()], true).unwrap().0;
    assert_eq!(picked.texts().0, (0..n).map(|i| text((i * 7919) % n)).collect::<Vec<_>>());
    let empty = Value { bytes: vec![0; x.bytes.len()], ..Value::of(Dtype::Character, 0) };
    assert!(bench.call("[<-", &[empty, index, picked], true).unwrap().0.same(&x));
}
