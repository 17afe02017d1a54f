//! A value as the goldens write it, and the stand-in for a store's vectors: elements as bytes, strings and list elements beside them.

use crate::Dtype;
use crate::na::{NA_INT, is_na, na_real};
use serde_json::Value as Json;

/// Texts in memory.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Strings(pub(super) Vec<Option<String>>);

#[derive(Clone, Debug, Default)]
pub(super) struct Value {
    /// `None`: NULL (or, as an index, one left empty).
    pub(super) dtype: Option<Dtype>,
    pub(super) is_missing: bool,
    /// Elements. A string is 16 bytes: its place in `strings` + 1, or all ones for NA; a list element its place in `items` + 1.
    pub(super) bytes: Vec<u8>,
    pub(super) strings: Vec<String>,
    pub(super) items: Vec<Value>,
    pub(super) dim: Option<Vec<u64>>,
    pub(super) dimnames: Option<Vec<Option<Strings>>>,
    pub(super) names: Option<Strings>,
}

const NA_VIEW: [u8; 16] = [255; 16];

fn bits(x: &Json) -> [u8; 8] {
    u64::from_str_radix(x.as_str().unwrap(), 16).unwrap().to_le_bytes()
}

fn strings(x: &Json) -> Strings {
    Strings(x.as_array().unwrap().iter().map(|s| s.as_str().map(str::to_owned)).collect())
}

impl Value {
    pub(super) fn of(dtype: Dtype, len: u64) -> Self {
        Self { dtype: Some(dtype), bytes: vec![0; (len * dtype.width()) as usize], ..Self::default() }
    }

    pub(super) fn from_json(json: &Json) -> Self {
        let name = json["type"].as_str().unwrap_or("null");
        let dtype = (1..=7).filter_map(Dtype::from_code).find(|d| d.name() == name);
        let mut v = Self { dtype, is_missing: name == "missing", ..Self::default() };
        for x in json["values"].as_array().into_iter().flatten() {
            v.push_json(x);
        }
        v.dim = json["dim"].as_array().map(|d| d.iter().map(|n| n.as_u64().unwrap()).collect());
        v.dimnames = json["dimnames"]
            .as_array()
            .map(|all| all.iter().map(|one| one.is_array().then(|| strings(one))).collect());
        v.names = json["names"].is_array().then(|| strings(&json["names"]));
        v
    }

    fn push_json(&mut self, x: &Json) {
        match self.dtype.unwrap() {
            Dtype::Logical => {
                self.bytes.extend(x.as_bool().map_or(NA_INT, i32::from).to_le_bytes());
            }
            Dtype::Integer => {
                self.bytes.extend(x.as_i64().map_or(NA_INT, |n| n as i32).to_le_bytes());
            }
            Dtype::Numeric => self.bytes.extend(bits(x)),
            Dtype::Complex => self.bytes.extend([bits(&x[0]), bits(&x[1])].concat()),
            Dtype::Raw => self.bytes.push(x.as_u64().unwrap() as u8),
            Dtype::Character => self.push_text(x.as_str()),
            _ => {
                let item = Self::from_json(x);
                let is_null = item.dtype.is_none();
                self.items.push(item);
                let cell = if is_null { 0 } else { self.items.len() as u64 };
                self.bytes.extend(cell.to_le_bytes());
            }
        }
    }

    pub(super) fn push_text(&mut self, text: Option<&str>) {
        let view = text.map_or(NA_VIEW, |s| {
            self.strings.push(s.to_owned());
            (self.strings.len() as u128).to_le_bytes()
        });
        self.bytes.extend(view);
    }

    pub(super) fn len(&self) -> u64 {
        self.dtype.map_or(0, |d| self.bytes.len() as u64 / d.width())
    }

    fn text_of(&self, view: &[u8]) -> Option<&str> {
        if view == NA_VIEW {
            return None;
        }
        let place = u64::from_le_bytes(*view.first_chunk().unwrap());
        Some(if place == 0 { "" } else { &self.strings[place as usize - 1] })
    }

    /// Elements of type character.
    pub(super) fn texts(&self) -> Strings {
        Strings(self.bytes.chunks(16).map(|view| self.text_of(view).map(str::to_owned)).collect())
    }

    pub(super) fn item_of(&self, cell: &[u8]) -> Self {
        match u64::from_le_bytes(*cell.first_chunk().unwrap()) {
            0 => Self::default(),
            place => self.items[place as usize - 1].clone(),
        }
    }

    fn numbers_alike(a: &[u8], b: &[u8]) -> bool {
        let number = |x: &[u8]| {
            let x = f64::from_le_bytes(*x.first_chunk().unwrap());
            if is_na(x) {
                na_real().to_bits()
            } else if x.is_nan() {
                f64::NAN.to_bits()
            } else {
                x.to_bits()
            }
        };
        a.len() == b.len() && a.chunks(8).zip(b.chunks(8)).all(|(x, y)| number(x) == number(y))
    }

    /// Whether two values are equal by the goldens' rules, exactly.
    pub(super) fn same(&self, other: &Self) -> bool {
        let elements = match self.dtype {
            Some(Dtype::Numeric | Dtype::Complex) => Self::numbers_alike(&self.bytes, &other.bytes),
            Some(Dtype::Character) if other.dtype == self.dtype => self.texts() == other.texts(),
            Some(Dtype::List) => {
                self.bytes.len() == other.bytes.len()
                    && self
                        .bytes
                        .chunks(8)
                        .zip(other.bytes.chunks(8))
                        .all(|(a, b)| self.item_of(a).same(&other.item_of(b)))
            }
            _ => self.bytes == other.bytes,
        };
        elements
            && self.dtype == other.dtype
            && self.dim == other.dim
            && self.dimnames == other.dimnames
            && self.names == other.names
    }
}
