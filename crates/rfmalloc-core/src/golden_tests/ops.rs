//! The operations of the goldens, put together from the crate's parts as a store puts them together.

use super::value::{NA_VIEW, Strings, Value};
use crate::Dtype;
use crate::assign::{self, GrownNames, Values};
use crate::combine::{Part, combine};
use crate::convert::{self, Source, Warnings};
use crate::error::Result;
use crate::region::Span;
use crate::select::{self, NamesRule, Shape, ShapeRule, Sink};
use crate::subscript::{self as sub, Base, Kind, Mask, Numbers, Purpose, Runs, Selection, Subscript, Texts};
use crate::text::TextBuf;

type Outcome = Result<(Value, Vec<&'static str>)>;

pub(super) fn call(op: &str, args: &[Value], drop: bool) -> Outcome {
    let silent = |v: Value| (v, Vec::new());
    match op {
        "[" => subset(&args[0], &args[1..], drop).map(silent),
        "[[" => element(&args[0], &args[1..]).map(silent),
        "[<-" => {
            let (values, rest) = args.split_last().unwrap();
            replace(&rest[0], &rest[1..], values)
        }
        "c" => concatenate(args).map(silent),
        _ => {
            let dtype =
                (1..=7).filter_map(Dtype::from_code).find(|d| Some(d.name()) == op.strip_prefix("as."));
            coerce(&args[0], dtype.unwrap())
        }
    }
}

fn categories(w: Warnings) -> Vec<&'static str> {
    let all = [
        (64, "assign-remainder"),
        (4, "imaginary-discarded"),
        (2, "integer-range"),
        (1, "na-coercion"),
        (8, "raw-range"),
    ];
    all.iter().filter(|(bit, _)| w.bits() & bit != 0).map(|(_, name)| *name).collect()
}

// ---- shapes and subscripts

fn has_names(x: &Value) -> Option<Vec<bool>> {
    x.dimnames.as_ref().map(|all| all.iter().map(Option::is_some).collect())
}

fn shape<'a>(x: &'a Value, dimnames: Option<&'a Vec<bool>>) -> Shape<'a> {
    Shape { dim: x.dim.as_deref(), dimnames: dimnames.map(Vec::as_slice), names: x.names.is_some() }
}

/// Texts that an index holds must outlive its subscript.
fn texts_of(index: &Value) -> Strings {
    if index.dtype == Some(Dtype::Character) { index.texts() } else { Strings::default() }
}

fn subscript<'a>(index: &Value, texts: &'a Strings) -> Subscript<'a> {
    match index.dtype {
        None if index.is_missing => Subscript::All,
        None => Subscript::Nothing,
        Some(Dtype::Integer) => Subscript::Numbers(Numbers::I32(index.span()), Base::One),
        Some(Dtype::Numeric) => Subscript::Numbers(Numbers::F64(index.span()), Base::One),
        Some(Dtype::Logical) => Subscript::Mask(Mask::new(index.span())),
        Some(Dtype::Character) => Subscript::Names(texts),
        Some(other) => Subscript::Other(other),
    }
}

/// The names of a vector, which of an array with one dimension are its dimnames.
fn names_of(x: &Value) -> Option<&Strings> {
    match (&x.dim, &x.dimnames) {
        (None, _) => x.names.as_ref(),
        (Some(dim), Some(names)) if dim.len() == 1 => names[0].as_ref(),
        _ => None,
    }
}

fn as_dyn(s: Option<&Strings>) -> Option<&dyn Texts> {
    s.map(|s| s as &dyn Texts)
}

/// The selection of a single index, and whether it was left empty.
enum Picked {
    Elements(sub::Resolved, bool),
    Cells(Selection),
}

fn pick(x: &Value, index: &Value, s: &Subscript<'_>, purpose: Purpose) -> Result<Picked> {
    if let (Some(dim), Some([rows, columns])) = (&x.dim, index.dim.as_deref())
        && *columns == dim.len() as u64
        && matches!(s, Subscript::Numbers(..) | Subscript::Names(_))
    {
        let dimnames =
            x.dimnames.as_ref().map(|all| all.iter().map(|n| as_dyn(n.as_ref())).collect::<Vec<_>>());
        return Ok(Picked::Cells(sub::cells(s, *rows, dim, dimnames.as_deref())?));
    }
    let names = as_dyn(names_of(x));
    Ok(Picked::Elements(sub::vector(s, x.len(), names, purpose)?, matches!(s, Subscript::All)))
}

fn product(x: &Value, indices: &[Value]) -> Result<sub::Product> {
    let texts: Vec<Strings> = indices.iter().map(texts_of).collect();
    let subscripts: Vec<Subscript> = indices.iter().zip(&texts).map(|(i, t)| subscript(i, t)).collect();
    let dimnames = x.dimnames.as_ref().map(|all| all.iter().map(|n| as_dyn(n.as_ref())).collect::<Vec<_>>());
    sub::dimensions(&subscripts, x.dim.as_deref().unwrap_or(&[x.len()]), dimnames.as_deref())
}

// ---- selecting

/// Re-homes strings and list elements.
struct Rehome<'a>(&'a Value, Value);

impl Sink for Rehome<'_> {
    fn block(&mut self, elements: &mut [u8]) -> Result<()> {
        let Self(from, to) = self;
        for e in elements.chunks(from.dtype.unwrap().width() as usize) {
            if from.dtype == Some(Dtype::Character) {
                to.push_text(from.text_of(e));
            } else {
                let item = from.item_of(e);
                let place = if item.dtype.is_none() { 0 } else { to.items.len() as u64 + 1 };
                to.bytes.extend(place.to_le_bytes());
                if place > 0 {
                    to.items.push(item);
                }
            }
        }
        Ok(())
    }
}

fn gather(x: &Value, runs: &dyn Runs) -> Result<Value> {
    let Some(dtype) = x.dtype else { return Ok(Value::default()) };
    let missing = select::missing_element(dtype, NA_VIEW);
    if matches!(dtype, Dtype::Character | Dtype::List) {
        let mut sink = Rehome(x, Value::of(dtype, 0));
        select::gather(x.span(), dtype.width(), runs, &missing, &mut sink)?;
        return Ok(sink.1);
    }
    let mut out = Value::of(dtype, runs.len());
    let to = out.span_mut();
    select::gather(x.span(), dtype.width(), runs, &missing, &mut select::Copy::new(to))?;
    Ok(out)
}

fn gather_names(names: &Strings, runs: &dyn Runs) -> Strings {
    let mut v = Value::of(Dtype::Character, 0);
    names.0.iter().for_each(|s| v.push_text(s.as_deref()));
    gather(&v, runs).unwrap().texts()
}

fn dress(out: &mut Value, x: &Value, rule: &ShapeRule, picked: &dyn Runs, parts: &[&dyn Runs]) {
    let named = |rule: NamesRule, d: usize| match rule {
        NamesRule::None => None,
        NamesRule::Kept if x.dim.is_some() => x.dimnames.as_ref().unwrap()[d].clone(),
        NamesRule::Kept => x.names.clone(),
        NamesRule::Picked => Some(gather_names(x.names.as_ref().unwrap(), picked)),
        NamesRule::Dimension(d) => {
            Some(gather_names(x.dimnames.as_ref().unwrap()[d].as_ref().unwrap(), parts[d]))
        }
    };
    out.dim.clone_from(&rule.dim);
    out.dimnames =
        rule.dimnames.as_ref().map(|all| all.iter().enumerate().map(|(d, r)| named(*r, d)).collect());
    out.names = named(rule.names, 0);
}

fn subset(x: &Value, indices: &[Value], drop: bool) -> Result<Value> {
    let dimnames = has_names(x);
    let shape = shape(x, dimnames.as_ref());
    if let [index] = indices {
        let texts = texts_of(index);
        let (selection, rule) = match pick(x, index, &subscript(index, &texts), Purpose::Read)? {
            Picked::Cells(s) => (s, ShapeRule::vector(NamesRule::None)),
            Picked::Elements(r, all) => {
                let rule = select::of_vector(&shape, all, r.selection.len(), drop);
                (r.selection, rule)
            }
        };
        let mut out = gather(x, &selection)?;
        dress(&mut out, x, &rule, &selection, &[&selection]);
        return Ok(out);
    }
    let cells = product(x, indices)?;
    let mut out = gather(x, &cells)?;
    let parts: Vec<&dyn Runs> = cells.parts().iter().map(|p| p as &dyn Runs).collect();
    dress(&mut out, x, &select::of_array(&shape, &cells, drop), &cells, &parts);
    Ok(out)
}

fn element(x: &Value, indices: &[Value]) -> Result<Value> {
    if x.dtype.is_none() {
        return Ok(Value::default());
    }
    let texts: Vec<Strings> = indices.iter().map(texts_of).collect();
    let subscripts: Vec<Subscript> = indices.iter().zip(&texts).map(|(i, t)| subscript(i, t)).collect();
    let dimnames = x.dimnames.as_ref().map(|all| all.iter().map(|n| as_dyn(n.as_ref())).collect::<Vec<_>>());
    let at = match &subscripts[..] {
        [one] => sub::element(one, x.len(), as_dyn(names_of(x)))?,
        all => sub::element_of_array(all, x.dim.as_deref().unwrap_or(&[x.len()]), dimnames.as_deref())?,
    };
    let out = gather(x, &Selection::range(at, 1))?;
    Ok(if x.dtype == Some(Dtype::List) { out.item_of(&out.bytes) } else { out })
}

// ---- converting

fn converted(x: &Value, dtype: Dtype, w: &mut Warnings) -> Result<Value> {
    let Some(from) = x.dtype else { return Ok(Value::of(dtype, 0)) };
    if from == dtype {
        return gather(x, &Selection::range(0, x.len()));
    }
    let mut out = Value::of(dtype, if dtype == Dtype::Character { 0 } else { x.len() });
    match (from, dtype) {
        (Dtype::List, _) => {
            let mut all = Value::of(dtype, 0);
            for cell in x.bytes.chunks(8) {
                let item = converted(&x.item_of(cell), dtype, w)?;
                if item.len() != 1 {
                    return Err(Kind::BadType.error("a list element is no single value"));
                }
                if dtype == Dtype::Character {
                    all.push_text(item.text_of(&item.bytes));
                } else {
                    all.bytes.extend(item.bytes);
                }
            }
            return Ok(all);
        }
        (Dtype::Character, _) => {
            for (view, o) in x.bytes.chunks(16).zip(out.bytes.chunks_mut(dtype.width() as usize)) {
                convert::from_text(x.text_of(view), dtype, o, w);
            }
        }
        (_, Dtype::Character) => convert::each_text(from, &x.bytes, |text| {
            out.push_text(text);
            Ok(())
        })?,
        _ => *w |= convert::convert(Source::of(from), &x.bytes, dtype, &mut out.bytes),
    }
    // The one-element form is the same.
    if from != Dtype::Character && dtype == Dtype::Character {
        let mut buf = TextBuf::new();
        let first = x.bytes.chunks(from.width() as usize).next().map(|e| convert::to_text(from, e, &mut buf));
        assert_eq!(first, out.texts().0.first().map(Option::as_deref));
    }
    Ok(out)
}

fn coerce(x: &Value, dtype: Dtype) -> Outcome {
    let mut w = Warnings::default();
    let out = converted(x, dtype, &mut w)?;
    Ok((out, categories(w)))
}

fn concatenate(args: &[Value]) -> Result<Value> {
    let args: Vec<&Value> = args.iter().filter(|v| v.dtype.is_some()).collect();
    let dimnames: Vec<_> = args.iter().map(|v| has_names(v)).collect();
    let parts: Vec<Part> = args
        .iter()
        .zip(&dimnames)
        .map(|(v, d)| Part { dtype: v.dtype.unwrap(), len: v.len(), shape: shape(v, d.as_ref()) })
        .collect();
    let plan = combine(&parts)?;
    let Some(dtype) = plan.dtype else { return Ok(Value::default()) };
    let mut out = Value::of(dtype, 0);
    let mut names = Vec::new();
    for (i, v) in args.iter().enumerate() {
        let c = converted(v, dtype, &mut Warnings::default())?;
        if dtype == Dtype::Character {
            c.texts().0.iter().for_each(|s| out.push_text(s.as_deref()));
        } else {
            out.bytes.extend(c.bytes);
        }
        match plan.names.as_ref().map(|rules| rules[i]) {
            None => {}
            Some(NamesRule::None) => names.resize(names.len() + v.len() as usize, Some(String::new())),
            Some(_) => names.extend(names_of(v).unwrap().0.iter().cloned()),
        }
    }
    out.names = plan.names.map(|_| Strings(names));
    assert_eq!(out.len(), plan.len);
    Ok(out)
}

// ---- assigning

fn replace(x: &Value, indices: &[Value], values: &Value) -> Outcome {
    let dimnames = has_names(x);
    let shape = shape(x, dimnames.as_ref());
    let dtype = x.dtype.unwrap();
    let given = Values { dtype: values.dtype, len: values.len() };
    if let [index] = indices {
        let texts = texts_of(index);
        let resolved = match pick(x, index, &subscript(index, &texts), Purpose::Write)? {
            Picked::Cells(s) => s.into(),
            Picked::Elements(r, _) => r,
        };
        let plan = assign::in_vector(dtype, x.len(), &shape, &resolved, given)?;
        let mut out = assigned(x, &plan, &resolved.selection, values)?;
        if let Some(GrownNames::Extended(old)) = plan.grown {
            let mut names = match old {
                NamesRule::None => vec![Some(String::new()); x.len() as usize],
                _ => names_of(x).unwrap().0.clone(),
            };
            names.extend(resolved.fresh.iter().map(|i| texts.0[*i as usize].clone()));
            names.resize(plan.len as usize, Some(String::new()));
            out.names = Some(Strings(names));
        }
        return Ok((out, categories(plan.warnings)));
    }
    let cells = product(x, indices)?;
    let plan = assign::in_array(dtype, x.len(), &cells, given)?;
    Ok((assigned(x, &plan, &cells, values)?, categories(plan.warnings)))
}

fn assigned(x: &Value, plan: &assign::Plan, runs: &dyn Runs, values: &Value) -> Result<Value> {
    let width = plan.dtype.width();
    let mut out = converted(x, plan.dtype, &mut Warnings::default())?;
    let end = out.bytes.len() as u64;
    out.bytes.resize((plan.len * width) as usize, 0);
    let mut new = converted(values, plan.dtype, &mut Warnings::default())?;
    if plan.dtype == Dtype::Character {
        // The values' strings move into the result's heap first.
        let texts = new.texts();
        new.bytes.clear();
        for text in &texts.0 {
            let at = out.bytes.len();
            out.push_text(text.as_deref());
            new.bytes.extend(out.bytes.split_off(at));
        }
    }
    let target: Span = out.span_mut();
    let missing = select::missing_element(plan.dtype, NA_VIEW);
    assign::fill_missing(target.part(end, target.nbytes() - end), &missing);
    assign::scatter(target, width, runs, new.span())?;
    if plan.grown.is_none() {
        (out.dim, out.dimnames, out.names) = (x.dim.clone(), x.dimnames.clone(), x.names.clone());
    }
    Ok(out)
}
