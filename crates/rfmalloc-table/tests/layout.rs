//! The header and the Rust side are written by hand, each: here a C compiler tells what the header's structures and numbers are, and this
//! side is held against it. A difference would be memory read at the wrong place, without any error.

use rfmalloc_core::{ARRAY, Code, Dtype, FRAME, LIST, MATRIX, VECTOR, na};
use rfmalloc_table::Api;
use rfmalloc_table::abi::*;
use std::collections::BTreeMap;
use std::mem::offset_of;
use std::path::Path;
use std::process::Command;

/// What a C program prints: a word and a number a line.
fn of_header(lines: &[String]) -> BTreeMap<String, i128> {
    let dir = tempfile::tempdir().unwrap();
    let (source, program) = (dir.path().join("layout.c"), dir.path().join("layout"));
    let head = "#include <inttypes.h>\n#include <stdio.h>\n#include <rfmalloc.h>\nint main(void) {\n";
    std::fs::write(&source, format!("{head}{}\nreturn 0;\n}}\n", lines.join("\n"))).unwrap();
    let include = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../include");
    let cc = std::env::var("CC").unwrap_or_else(|_| "cc".into());
    let built = Command::new(cc)
        .args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic", "-I"])
        .arg(include)
        .arg(&source)
        .arg("-o")
        .arg(&program)
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let told = Command::new(program).output().unwrap();
    let told = String::from_utf8(told.stdout).unwrap();
    told.lines()
        .map(|line| {
            let (word, number) = line.split_once(' ').unwrap();
            (word.to_owned(), number.parse().unwrap())
        })
        .collect()
}

fn print_number(word: &str, expression: &str) -> String {
    format!("printf(\"{word} %\" PRId64 \"\\n\", (int64_t)({expression}));")
}

macro_rules! structures {
    ($($rust:ident $c:literal { $($member:ident $name:literal),* })*) => {{
        let (mut lines, mut ours) = (Vec::new(), BTreeMap::new());
        $(
            lines.push(print_number($c, concat!("sizeof(", $c, ")")));
            ours.insert($c.to_owned(), size_of::<$rust>() as i128);
            $(
                lines.push(print_number(concat!($c, ".", $name), concat!("offsetof(", $c, ", ", $name, ")")));
                ours.insert(concat!($c, ".", $name).to_owned(), offset_of!($rust, $member) as i128);
            )*
        )*
        (lines, ours)
    }};
}

#[test]
fn structures_are_laid_out_as_the_header_says() {
    let (lines, ours) = structures! {
        ErrorOut "rfm_error" { code "code", reserved "reserved", message "message", details "details" }
        Text "rfm_text" { data "data", nbytes "nbytes" }
        Strings "rfm_strings" { len "len", items "items" }
        Pin "rfm_pin" { data "data", nbytes "nbytes", len "len" }
        OpenOptions "rfm_open_options" {
            size "size", flags "flags", capacity "capacity", max_size "max_size",
            sync_every_ms "sync_every_ms", lock_timeout_ms "lock_timeout_ms"
        }
        New "rfm_new" {
            size "size", dtype "type", kind "kind", flags "flags", len "len", dim "dim", rank "rank",
            data "data", text "text", name "name"
        }
        NewFrame "rfm_new_frame" {
            size "size", flags "flags", len "len", columns "columns", names "names", rows "rows",
            row_names "row_names", name "name"
        }
        Reference "rfm_ref" { uuid "uuid", id "id", generation "generation" }
        Info "rfm_info" {
            size "size", flags "flags", dtype "type", kind "kind", state "state", rank "rank", len "len",
            nbytes "nbytes", rows "rows", reference "ref"
        }
        StoreInfo "rfm_store_info" {
            size "size", flags "flags", uuid "uuid", nbytes "nbytes", max_size "max_size", named "named"
        }
        Entry "rfm_entry" {
            size "size", dtype "type", kind "kind", reserved "reserved", id "id", generation "generation",
            len "len", name "name"
        }
        Api "rfm_api" {
            version "version", size "size", release_name "release_name", code_name "code_name", open "open",
            open_uuid "open_uuid", close "close", sync "sync", store_info "store_info",
            store_path "store_path", walk "walk", create "create", create_list "create_list",
            create_frame "create_frame", find "find",
            find_ref "find_ref", open_ref "open_ref", commit "commit", rename "rename", destroy "destroy",
            release "release", info "info", dim "dim", name "name", names "names", set_names "set_names",
            pin "pin", pin_retain "pin_retain", pin_release "pin_release", check "check",
            strings_read "strings_read", strings_write "strings_write", strings_free "strings_free",
            list_get "list_get", list_set "list_set"
        }
    };
    assert_eq!(of_header(&lines), ours);
}

/// The order of the members is the header's, and no member stands in one of them only.
#[test]
fn the_table_has_the_members_of_the_header_and_no_others() {
    let pointers = (size_of::<Api>() - 8) / size_of::<usize>();
    let header = include_str!("../../../include/rfmalloc.h");
    let table = &header[header.find("typedef struct rfm_api {").unwrap()..header.find("} rfm_api;").unwrap()];
    assert_eq!(table.matches("(*").count(), pointers);
}

/// What `Sized32` promises: no byte between the members, nor behind them.
#[test]
fn structures_with_a_size_have_no_padding() {
    assert_eq!(size_of::<OpenOptions>(), 2 * 4 + 4 * 8);
    assert_eq!(size_of::<New>(), 4 * 4 + 6 * 8);
    assert_eq!(size_of::<NewFrame>(), 2 * 4 + 6 * 8);
    assert_eq!(size_of::<Info>(), 6 * 4 + 3 * 8 + size_of::<Reference>());
    assert_eq!(size_of::<Reference>(), 40 + 2 * 8);
    assert_eq!(size_of::<StoreInfo>(), 2 * 4 + 40 + 3 * 8);
}

#[test]
fn numbers_are_those_of_the_header() {
    let mut ours: BTreeMap<String, i128> = BTreeMap::new();
    for code in Code::ALL {
        ours.insert(code.as_str().replace("ERR_FMALLOC_", "RFM_E_"), code as i128);
    }
    let types = [
        Dtype::Logical,
        Dtype::Integer,
        Dtype::Numeric,
        Dtype::Complex,
        Dtype::Raw,
        Dtype::Character,
        Dtype::List,
    ];
    ours.extend(types.map(|t| (format!("RFM_{}", t.name().to_uppercase()), i128::from(t.code()))));
    ours.extend(
        [("vector", VECTOR), ("matrix", MATRIX), ("array", ARRAY), ("list", LIST), ("frame", FRAME)]
            .map(|(name, kind)| (format!("RFM_KIND_{}", name.to_uppercase()), i128::from(kind))),
    );
    ours.extend(
        [
            ("RFM_OK", 0),
            ("RFM_API_VERSION", i128::from(VERSION)),
            ("RFM_READ_ONLY", i128::from(READ_ONLY)),
            ("RFM_MUST_EXIST", i128::from(MUST_EXIST)),
            ("RFM_SCRATCH", i128::from(SCRATCH)),
            ("RFM_DURABLE", i128::from(DURABLE)),
            ("RFM_KEEP_UNSYNCED", i128::from(KEEP_UNSYNCED)),
            ("RFM_NO_SIGBUS_HANDLER", i128::from(NO_SIGBUS_HANDLER)),
            ("RFM_REPLACE", i128::from(REPLACE)),
            ("RFM_TEMPORARY", i128::from(TEMPORARY)),
            ("RFM_IS_READ_ONLY", i128::from(IS_READ_ONLY)),
            ("RFM_IS_SCRATCH", i128::from(IS_SCRATCH)),
            ("RFM_IS_SEALED", i128::from(IS_SEALED)),
            ("RFM_IS_PART", i128::from(IS_PART)),
            ("RFM_HAS_NAMES", i128::from(HAS_NAMES)),
            ("RFM_HAS_DIMNAMES", i128::from(HAS_DIMNAMES)),
            ("RFM_HAS_ROW_NAMES", i128::from(HAS_ROW_NAMES)),
            ("RFM_NUL_TERMINATED", i128::from(NUL_TERMINATED as i64)),
            ("RFM_NAMES", i128::from(NAMES)),
            ("RFM_ROW_NAMES", i128::from(ROW_NAMES)),
            ("RFM_NA_INTEGER", i128::from(na::NA_INT)),
            ("RFM_NAPI_TAG_LOWER", i128::from(NAPI_TAG.0 as i64)),
            ("RFM_NAPI_TAG_UPPER", i128::from(NAPI_TAG.1 as i64)),
        ]
        .map(|(name, n)| (name.to_owned(), n)),
    );
    let lines: Vec<String> = ours.keys().map(|name| print_number(name, name)).collect();
    assert_eq!(of_header(&lines), ours);
    // And the header has no code that this side does not.
    let header = include_str!("../../../include/rfmalloc.h");
    let codes = header.lines().filter(|l| l.trim_start().starts_with("RFM_E_") && l.contains(" = "));
    assert_eq!(codes.count(), Code::ALL.len());
}

#[test]
fn na_of_the_header_is_na_of_the_engine() {
    let bits = na::na_real().to_bits();
    let lines = [
        format!(
            "double na = rfm_na_real(); uint64_t bits; memcpy(&bits, &na, 8); printf(\"same %d\\n\", bits == UINT64_C({bits}));"
        ),
        "printf(\"na %d\\n\", rfm_is_na(na));".into(),
        // What hardware makes of a signalling NaN: the quiet bit is set.
        "bits |= UINT64_C(1) << 51; memcpy(&na, &bits, 8); printf(\"quiet %d\\n\", rfm_is_na(na));".into(),
        "bits += 1; memcpy(&na, &bits, 8); printf(\"nan %d\\n\", rfm_is_na(na));".into(),
        "printf(\"number %d\\n\", rfm_is_na(1954));".into(),
    ];
    let expected = [("same", 1), ("na", 1), ("quiet", 1), ("nan", 0), ("number", 0)];
    assert_eq!(of_header(&lines), expected.map(|(k, v)| (k.to_owned(), v)).into());
}
