//! R's answers, case by case: every golden of the arithmetic groups, for each instruction set of this processor, one and two threads, aligned
//! and odd starts. The cases live beside the repository (`../shared/r-goldens`, format in its README); without them the test says so and passes.

mod elements;

use elements::Memory;
use rfmalloc_core::compute::{
    Arith, Binary, Compare, Context, Cumulative, Dims, Isa, Logic, Margin, Math, Math2, Operand, Product,
    Scalar, Side, Summary, Unary, binary, binary_type, conform, cumulate, cumulative_type, margin,
    margin_shape, math, math_type, math2, math2_len, math2_type, product, product_shape, summary, unary,
    unary_type,
};
use rfmalloc_core::{Code, Dtype, RawBytes, Warnings, na};
use serde_json::Value;
use std::fmt::Write;
use std::path::Path;

/// Elements with the attributes a case can have; attributes stay JSON.
#[derive(Clone, Debug, PartialEq)]
struct Val {
    dtype: Dtype,
    /// R's NULL: no type of ours.
    null: bool,
    len: u64,
    bytes: Vec<u8>,
    dim: Option<Vec<u64>>,
    dimnames: Option<Value>,
    names: Option<Value>,
}

enum Outcome {
    Value(Val, Warnings),
    Refused(String),
    /// Text: its order and truth are not the engine's.
    Elsewhere,
}

fn bits(v: &Value) -> u64 {
    u64::from_str_radix(v.as_str().expect("bits"), 16).expect("hex")
}

fn parse(v: &Value) -> Val {
    let name = v["type"].as_str().expect("type");
    let dtype = match name {
        "logical" | "null" => Dtype::Logical,
        "integer" => Dtype::Integer,
        "numeric" => Dtype::Numeric,
        "complex" => Dtype::Complex,
        "raw" => Dtype::Raw,
        "character" => Dtype::Character,
        other => panic!("type {other}"),
    };
    let empty = Vec::new();
    let values = v.get("values").map_or(&empty, |values| values.as_array().expect("values"));
    let mut bytes = Vec::new();
    for x in values {
        match dtype {
            Dtype::Logical => bytes.extend(x.as_bool().map_or(na::NA_INT, i32::from).to_le_bytes()),
            Dtype::Integer => bytes.extend(x.as_i64().map_or(na::NA_INT, |n| n as i32).to_le_bytes()),
            Dtype::Numeric => bytes.extend(bits(x).to_le_bytes()),
            Dtype::Complex => {
                bytes.extend(bits(&x[0]).to_le_bytes());
                bytes.extend(bits(&x[1]).to_le_bytes());
            }
            Dtype::Raw => bytes.push(x.as_u64().expect("raw") as u8),
            _ => {}
        }
    }
    Val {
        dtype,
        null: name == "null",
        len: values.len() as u64,
        bytes,
        dim: v
            .get("dim")
            .map(|d| d.as_array().expect("dim").iter().map(|n| n.as_u64().expect("extent")).collect()),
        dimnames: v.get("dimnames").cloned(),
        names: v.get("names").cloned(),
    }
}

fn operand(v: &Val, memory: &mut Memory) -> Operand {
    if v.dtype == Dtype::Character || v.len == 0 {
        return Operand::absent(v.dtype, v.len);
    }
    Operand::new(v.dtype, memory.raw())
}

fn refusal(e: &rfmalloc_core::Error) -> Outcome {
    if e.code() == Code::Unsupported {
        return Outcome::Elsewhere;
    }
    let kind = e.details().iter().find(|(key, _)| *key == "kind");
    Outcome::Refused(match kind {
        Some((_, rfmalloc_core::Detail::Text(kind))) => kind.clone(),
        other => panic!("{e}: an error of an operation names its kind, not {other:?}"),
    })
}

fn dims(v: &Val) -> Dims<'_> {
    Dims { len: v.len, dim: v.dim.as_deref(), dimnames: v.dimnames.is_some(), names: v.names.is_some() }
}

struct Run<'c> {
    ctx: Context<'c>,
    odd: bool,
}

type Done = Result<Outcome, rfmalloc_core::Error>;

fn plain(dtype: Dtype, len: u64, memory: &Memory) -> Val {
    Val { dtype, null: false, len, bytes: memory.bytes(), dim: None, dimnames: None, names: None }
}

impl Run<'_> {
    fn binary(&self, op: Binary, x: &Val, y: &Val) -> Done {
        let shape = conform(&dims(x), &dims(y), matches!(op, Binary::Compare(_)))?;
        let dtype = binary_type(op, x.dtype, y.dtype, shape.len)?;
        let mut out = Memory::new(dtype, shape.len, self.odd);
        let (mut mx, mut my) =
            (Memory::holding(x.dtype, &x.bytes, self.odd), Memory::holding(y.dtype, &y.bytes, self.odd));
        let (a, b) = (operand(x, &mut mx), operand(y, &mut my));
        let mut warnings = binary(&self.ctx, op, &a, &b, shape.len, out.raw())?.expect("nobody cancels");
        warnings |= shape.warnings;
        let side = |side| if side == Side::Left { x } else { y };
        let mut v = plain(dtype, shape.len, &out);
        v.dim = shape.dim.and_then(|s| side(s).dim.clone());
        v.dimnames = shape.dimnames.and_then(|s| side(s).dimnames.clone());
        v.names = shape.names.and_then(|s| side(s).names.clone());
        Ok(Outcome::Value(v, warnings))
    }

    fn one(
        &self,
        x: &Val,
        dtype: Dtype,
        names_only: bool,
        f: impl Fn(&Operand, RawBytes) -> Result<Option<Warnings>, rfmalloc_core::Error>,
    ) -> Done {
        let mut out = Memory::new(dtype, x.len, self.odd);
        let mut mx = Memory::holding(x.dtype, &x.bytes, self.odd);
        let warnings = f(&operand(x, &mut mx), out.raw())?.expect("nobody cancels");
        let mut v = plain(dtype, x.len, &out);
        v.names.clone_from(&x.names);
        if !names_only {
            v.dim.clone_from(&x.dim);
            v.dimnames.clone_from(&x.dimnames);
        }
        Ok(Outcome::Value(v, warnings))
    }

    fn math2(&self, f: Math2, x: &Val, y: &Val) -> Done {
        let dtype = math2_type(f, x.dtype, y.dtype)?;
        let len = math2_len(f, x.len, y.len)?;
        let mut out = Memory::new(dtype, len, self.odd);
        let (mut mx, mut my) =
            (Memory::holding(x.dtype, &x.bytes, self.odd), Memory::holding(y.dtype, &y.bytes, self.odd));
        let (a, b) = (operand(x, &mut mx), operand(y, &mut my));
        let warnings = math2(&self.ctx, f, &a, &b, out.raw())?.expect("nobody cancels");
        let mut v = plain(dtype, len, &out);
        let shape = conform(&dims(x), &dims(y), false)?;
        let side = |side| if side == Side::Left { x } else { y };
        v.dim = shape.dim.and_then(|s| side(s).dim.clone());
        v.dimnames = shape.dimnames.and_then(|s| side(s).dimnames.clone());
        v.names = shape.names.and_then(|s| side(s).names.clone());
        Ok(Outcome::Value(v, warnings))
    }

    fn summary(&self, f: Summary, args: &[Val], remove: bool) -> Done {
        let mut memories: Vec<Memory> =
            args.iter().map(|x| Memory::holding(x.dtype, &x.bytes, self.odd)).collect();
        let operands: Vec<Operand> = args
            .iter()
            .zip(&mut memories)
            .filter(|(x, _)| !x.null || f == Summary::Mean)
            .map(|(x, m)| if x.null { Operand::absent(Dtype::Character, 0) } else { operand(x, m) })
            .collect();
        let out = summary(&self.ctx, f, &operands, remove)?.expect("nobody cancels");
        let mut bytes = Vec::new();
        for value in &out.values {
            match *value {
                Scalar::Int(x) => bytes.extend(x.to_le_bytes()),
                Scalar::Real(x) => bytes.extend(x.to_bits().to_le_bytes()),
                Scalar::Complex(z) => z.iter().for_each(|x| bytes.extend(x.to_bits().to_le_bytes())),
                Scalar::Raw(x) => bytes.push(x),
            }
        }
        let len = out.values.len() as u64;
        let v = Val { dtype: out.dtype, null: false, len, bytes, dim: None, dimnames: None, names: None };
        Ok(Outcome::Value(v, out.warnings))
    }

    fn margin(&self, f: Margin, x: &Val, remove: bool, split: i64) -> Done {
        let shape = margin_shape(f, x.dtype, x.dim.as_deref(), split)?;
        let mut out = Memory::new(shape.dtype, shape.len, self.odd);
        let mut mx = Memory::holding(x.dtype, &x.bytes, self.odd);
        assert!(margin(&self.ctx, f, &operand(x, &mut mx), &shape, remove, out.raw())?);
        let mut v = plain(shape.dtype, shape.len, &out);
        let kept = &x.dim.as_ref().expect("an array")[shape.kept.clone()];
        let names: Option<Vec<Value>> =
            x.dimnames.as_ref().map(|d| d.as_array().expect("list")[shape.kept.clone()].to_vec());
        if kept.len() > 1 {
            v.dim = Some(kept.to_vec());
            v.dimnames = names.filter(|n| n.iter().any(|one| !one.is_null())).map(Value::from);
        } else {
            v.names = names.map(|n| n[0].clone()).filter(|n| !n.is_null());
        }
        Ok(Outcome::Value(v, Warnings::default()))
    }

    fn product(&self, f: Product, x: &Val, y: &Val) -> Done {
        let (dx, dy) = (dims(x), dims(y));
        let shape = product_shape(f, (x.dtype, &dx), (y.dtype, &dy))?;
        let len = shape.dim[0] * shape.dim[1];
        let mut out = Memory::new(shape.dtype, len, self.odd);
        let (mut mx, mut my) =
            (Memory::holding(x.dtype, &x.bytes, self.odd), Memory::holding(y.dtype, &y.bytes, self.odd));
        let (a, b) = (operand(x, &mut mx), operand(y, &mut my));
        assert!(product(&self.ctx, f, &a, &b, &shape, None, out.raw())?);
        let mut v = plain(shape.dtype, len, &out);
        v.dim = Some(shape.dim.to_vec());
        let names = |from: Option<(Side, usize)>| {
            let from = from.map(|(side, which)| (if side == Side::Left { x } else { y }, which));
            from.and_then(|(v, which)| Some(v.dimnames.as_ref()?.as_array()?[which].clone()))
                .unwrap_or(Value::Null)
        };
        let both = [names(shape.row_names), names(shape.col_names)];
        v.dimnames = both.iter().any(|n| !n.is_null()).then(|| Value::from(both.to_vec()));
        Ok(Outcome::Value(v, Warnings::default()))
    }

    fn case(&self, op: &str, args: &[Val], params: &Value) -> Outcome {
        let remove = params["na.rm"].as_bool().unwrap_or(false);
        let done = if let Some(op) = binary_named(op) {
            self.binary(op, &args[0], &args[1])
        } else if let Some(op) =
            [("neg", Unary::Minus), ("pos", Unary::Plus), ("!", Unary::Not)].iter().find(|n| n.0 == op)
        {
            unary_type(op.1, args[0].dtype, args[0].len)
                .and_then(|t| self.one(&args[0], t, false, |x, out| unary(&self.ctx, op.1, x, out)))
        } else if let Some(f) = math2_named(op, args.len()) {
            let digits = |n: f64| Val {
                dtype: Dtype::Numeric,
                null: false,
                len: 1,
                bytes: n.to_le_bytes().to_vec(),
                dim: None,
                dimnames: None,
                names: None,
            };
            let default = digits(if f == Math2::Signif { 6.0 } else { 0.0 });
            self.math2(f, &args[0], args.get(1).unwrap_or(&default))
        } else if let Some(f) = Math::ALL.into_iter().find(|f| f.name() == op) {
            if args[0].null {
                return Outcome::Refused("non-numeric".into());
            }
            math_type(f, args[0].dtype)
                .and_then(|t| self.one(&args[0], t, false, |x, out| math(&self.ctx, f, x, out)))
        } else if let Some(f) = cumulative_named(op) {
            let x =
                if args[0].null { Val { dtype: Dtype::Numeric, ..args[0].clone() } } else { args[0].clone() };
            cumulative_type(f, x.dtype, x.len)
                .and_then(|t| self.one(&x, t, true, |x, out| cumulate(&self.ctx, f, x, out)))
        } else if let Some(f) = summary_named(op) {
            self.summary(f, args, remove)
        } else if let Some(f) = product_named(op) {
            self.product(f, &args[0], args.get(1).unwrap_or(&args[0]))
        } else if let Some(f) = margin_named(op) {
            self.margin(f, &args[0], remove, params["dims"].as_i64().unwrap_or(1))
        } else {
            panic!("no operation {op}")
        };
        done.unwrap_or_else(|e| refusal(&e))
    }
}

fn binary_named(op: &str) -> Option<Binary> {
    Some(match op {
        "+" => Binary::Arith(Arith::Add),
        "-" => Binary::Arith(Arith::Sub),
        "*" => Binary::Arith(Arith::Mul),
        "/" => Binary::Arith(Arith::Div),
        "^" => Binary::Arith(Arith::Pow),
        "%%" => Binary::Arith(Arith::Mod),
        "%/%" => Binary::Arith(Arith::IntDiv),
        "==" => Binary::Compare(Compare::Eq),
        "!=" => Binary::Compare(Compare::Ne),
        "<" => Binary::Compare(Compare::Lt),
        "<=" => Binary::Compare(Compare::Le),
        ">" => Binary::Compare(Compare::Gt),
        ">=" => Binary::Compare(Compare::Ge),
        "&" => Binary::Logic(Logic::And),
        "|" => Binary::Logic(Logic::Or),
        "xor" => Binary::Logic(Logic::Xor),
        _ => return None,
    })
}

fn math2_named(op: &str, args: usize) -> Option<Math2> {
    Some(match (op, args) {
        ("round", _) => Math2::Round,
        ("signif", _) => Math2::Signif,
        ("log", 2) => Math2::Log,
        ("atan2", _) => Math2::Atan2,
        _ => return None,
    })
}

fn cumulative_named(op: &str) -> Option<Cumulative> {
    Some(match op {
        "cumsum" => Cumulative::Sum,
        "cumprod" => Cumulative::Prod,
        "cummax" => Cumulative::Max,
        "cummin" => Cumulative::Min,
        _ => return None,
    })
}

fn summary_named(op: &str) -> Option<Summary> {
    Some(match op {
        "sum" => Summary::Sum,
        "prod" => Summary::Prod,
        "max" => Summary::Max,
        "min" => Summary::Min,
        "range" => Summary::Range,
        "all" => Summary::All,
        "any" => Summary::Any,
        "mean" => Summary::Mean,
        _ => return None,
    })
}

fn product_named(op: &str) -> Option<Product> {
    Some(match op {
        "%*%" => Product::Plain,
        "crossprod" => Product::Cross,
        "tcrossprod" => Product::TCross,
        _ => return None,
    })
}

fn margin_named(op: &str) -> Option<Margin> {
    Some(match op {
        "rowSums" => Margin::RowSums,
        "colSums" => Margin::ColSums,
        "rowMeans" => Margin::RowMeans,
        "colMeans" => Margin::ColMeans,
        _ => return None,
    })
}

const WARNINGS: [(&str, Warnings); 9] = [
    ("recycle-remainder", Warnings::RECYCLE_REMAINDER),
    ("integer-overflow", Warnings::INTEGER_OVERFLOW),
    ("nan-produced", Warnings::NAN_PRODUCED),
    ("logical-coercion", Warnings::LOGICAL_COERCION),
    ("empty-extremum", Warnings::EMPTY_EXTREMUM),
    ("not-numeric", Warnings::NOT_NUMERIC),
    ("precision-loss", Warnings::PRECISION_LOSS),
    ("length1-array-recycle", Warnings::LENGTH1_ARRAY_RECYCLE),
    ("integer-range", Warnings::INTEGER_RANGE),
];

fn reals(v: &Val) -> Vec<f64> {
    v.bytes.chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().expect("eight"))).collect()
}

fn same_real(got: f64, want: f64, tol: &Value, either: bool) -> bool {
    if got.is_nan() || want.is_nan() {
        return got.is_nan() && want.is_nan() && (either || na::is_na(got) == na::is_na(want));
    }
    if tol.is_null() {
        return got.to_bits() == want.to_bits();
    }
    if got.is_infinite() || want.is_infinite() {
        return got == want;
    }
    let size = want.abs();
    let ulp = f64::from_bits(size.to_bits() + 1) - size;
    let off = (got - want).abs();
    got == want
        || tol["ulp"].as_f64().is_some_and(|ulps| off <= ulps * ulp)
        || tol["abs"].as_f64().is_some_and(|abs| off <= abs)
}

fn same_complex(got: [f64; 2], want: [f64; 2], tol: &Value, either: bool) -> bool {
    let nan = |z: [f64; 2]| z[0].is_nan() || z[1].is_nan();
    if either && nan(got) && nan(want) {
        return true;
    }
    let finite = got.iter().chain(&want).all(|x| x.is_finite());
    if tol.is_null() || !finite {
        return (0..2).all(|i| same_real(got[i], want[i], tol, either));
    }
    let off = (got[0] - want[0]).hypot(got[1] - want[1]);
    let size = want[0].hypot(want[1]);
    off == 0.0
        || tol["ulp"].as_f64().is_some_and(|ulps| off <= ulps * f64::EPSILON * size)
        || tol["abs"].as_f64().is_some_and(|abs| off <= abs)
}

/// Why an outcome is not the one wanted.
fn difference(got: &Outcome, want: &Value, tol: &Value, either: bool) -> Option<String> {
    let (v, warnings) = match got {
        Outcome::Refused(kind) => {
            let wanted = want["error"].as_bool() == Some(true);
            let same = want["error_kind"].as_str() == Some(kind);
            return (!(wanted && same)).then(|| format!("refused ({kind})"));
        }
        Outcome::Elsewhere => return None,
        Outcome::Value(v, warnings) => (v, warnings),
    };
    if want["error"].as_bool() == Some(true) {
        return Some("was not refused".into());
    }
    let raised: Vec<&str> = WARNINGS.iter().filter(|w| warnings.contains(w.1)).map(|w| w.0).collect();
    let mut expected: Vec<&str> =
        want["warn"].as_array().expect("warn").iter().map(|w| w.as_str().expect("name")).collect();
    let mut raised_sorted = raised;
    raised_sorted.sort_unstable();
    expected.sort_unstable();
    if raised_sorted != expected {
        return Some(format!("warns {raised_sorted:?}, not {expected:?}"));
    }
    let e = parse(&want["expect"]);
    if (v.dtype, v.len) != (e.dtype, e.len)
        || v.dim != e.dim
        || v.names != e.names
        || v.dimnames != e.dimnames
    {
        return Some(format!("is {v:?}, not {e:?}"));
    }
    let equal = match v.dtype {
        Dtype::Numeric => reals(v).iter().zip(reals(&e)).position(|(&g, w)| !same_real(g, w, tol, either)),
        Dtype::Complex => {
            let pairs = |v: &Val| reals(v).chunks_exact(2).map(|z| [z[0], z[1]]).collect::<Vec<_>>();
            pairs(v).iter().zip(pairs(&e)).position(|(&g, w)| !same_complex(g, w, tol, either))
        }
        _ => {
            let width = v.dtype.width() as usize;
            v.bytes.chunks(width).zip(e.bytes.chunks(width)).position(|(g, w)| g != w)
        }
    };
    equal.map(|i| match v.dtype {
        Dtype::Numeric => {
            format!("element {i}: {:e} ({:x}), not {:e}", reals(v)[i], reals(v)[i].to_bits(), reals(&e)[i])
        }
        Dtype::Complex => {
            format!("element {i}: {:?}, not {:?}", &reals(v)[2 * i..2 * i + 2], &reals(&e)[2 * i..2 * i + 2])
        }
        _ => format!("element {i}: {:?}, not {:?}", v.bytes, e.bytes),
    })
}

fn failure(run: &Run<'_>, case: &Value) -> Result<bool, String> {
    let args: Vec<Val> = case["args"].as_array().expect("args").iter().map(parse).collect();
    let got = run.case(case["op"].as_str().expect("op"), &args, &case["params"]);
    if matches!(got, Outcome::Elsewhere) {
        let text = args.iter().any(|x| x.dtype == Dtype::Character);
        return if text { Ok(false) } else { Err("is not supported".into()) };
    }
    let either = case["na_nan_either"].as_bool() == Some(true);
    let Some(why) = difference(&got, case, &case["tol"], either) else { return Ok(true) };
    let others = case["alt"].as_array().map_or(&[][..], Vec::as_slice);
    if others.iter().any(|alt| difference(&got, alt, &case["tol"], either).is_none()) {
        return Ok(true);
    }
    Err(why)
}

#[test]
fn every_case_of_the_arithmetic_groups_gives_r_s_answer() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/r-goldens");
    if !folder.exists() {
        println!("skipped: {} is not there", folder.display());
        return;
    }
    let mut report = String::new();
    let mut failed = 0;
    for group in [
        "ops-arith",
        "ops-compare",
        "ops-logic",
        "ops-unary",
        "ops-attrs",
        "math",
        "math2",
        "summary",
        "margins",
        "matprod",
    ] {
        let text = std::fs::read_to_string(folder.join(format!("{group}.jsonl"))).expect("readable");
        let cases: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        for isa in Isa::ALL {
            if !isa.available() {
                continue;
            }
            for (threads, odd) in [(1, false), (1, true), (2, false), (2, true)] {
                let run = Run { ctx: Context { isa, threads, ..Context::default() }, odd };
                let (mut passed, mut text) = (0, 0);
                for case in &cases {
                    match failure(&run, case) {
                        Ok(true) => passed += 1,
                        Ok(false) => text += 1,
                        Err(why) => {
                            failed += 1;
                            if threads == 1 && !odd && isa == Isa::Baseline {
                                let _ = writeln!(report, "{} {}: {why}", case["id"], case["op"]);
                            }
                        }
                    }
                }
                println!(
                    "{group} {isa} threads {threads} odd {odd}: {passed} of {} passed, {text} of text elsewhere",
                    cases.len()
                );
            }
        }
    }
    for isa in Isa::ALL.into_iter().filter(|isa| !isa.available()) {
        println!("skipped: {isa}, which this processor lacks");
    }
    assert!(failed == 0, "{failed} outcomes differ:\n{report}");
}
