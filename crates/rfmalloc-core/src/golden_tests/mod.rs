//! R's answers: every case of the golden groups subset, subset-matrix, assign and coerce on a persistent and on a scratch store. Skipped, with a
//! message, where the goldens are not there.

mod stores;
mod value;

use crate::Mode;
use serde_json::Value as Json;
use std::path::PathBuf;
use value::Value;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/r-goldens")
}

/// One outcome: a value or a refusal, and the warnings.
fn agrees(got: &Outcome, want: &Json, kind: Option<&str>) -> bool {
    match got {
        Err(e) => {
            let said = e.details().iter().find(|(k, _)| *k == "kind").map(|(_, v)| format!("{v:?}"));
            want["error"] == true && kind.is_none_or(|k| said == Some(format!("Text({k:?})")))
        }
        Ok((value, warnings)) => {
            want["error"] == false
                && want["warn"] == Json::from(warnings.clone())
                && value.same(&Value::from_json(&want["expect"]))
        }
    }
}

type Outcome = crate::Result<(Value, Vec<&'static str>)>;

fn run(group: &str) {
    for mode in [Mode::Persistent, Mode::Scratch] {
        run_on(group, &stores::Bench::new(mode));
    }
}

fn run_on(group: &str, bench: &stores::Bench) {
    let path = folder().join(format!("{group}.jsonl"));
    let Ok(text) = std::fs::read_to_string(&path) else {
        eprintln!("skipped: {} is not there", path.display());
        return;
    };
    let (mut cases, mut failures) = (0, Vec::new());
    for line in text.lines() {
        let case: Json = serde_json::from_str(line).unwrap();
        cases += 1;
        let args: Vec<Value> = case["args"].as_array().unwrap().iter().map(Value::from_json).collect();
        let drop = case["params"]["drop"].as_bool().unwrap_or(true);
        let got = bench.call(case["op"].as_str().unwrap(), &args, drop);
        let is_right = agrees(&got, &case, case["error_kind"].as_str())
            || case["alt"].as_array().is_some_and(|alt| alt.iter().any(|a| agrees(&got, a, None)));
        if !is_right {
            failures.push(format!("{}: {got:?}, not {}", case["id"], case["expect"]));
        }
    }
    eprintln!("{group}: {} of {cases} cases", cases - failures.len());
    assert!(failures.is_empty(), "{} of {cases} differ:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn subset() {
    run("subset");
}

#[test]
fn subset_matrix() {
    run("subset-matrix");
}

#[test]
fn assign() {
    run("assign");
}

#[test]
fn coerce() {
    run("coerce");
}
