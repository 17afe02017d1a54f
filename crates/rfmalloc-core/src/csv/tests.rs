//! What a CSV file becomes, case by case; the store's own tests are elsewhere.

use super::{ColumnReport, CsvOptions, CsvStyle};
use crate::dtype::Dtype;
use crate::elements::Vector;
use crate::error::{Code, Detail, Error, Result};
use crate::store::{Handle, OpenOptions, Store};

struct Read {
    store: Store,
    frame: Handle,
    columns: Vec<ColumnReport>,
    rows: u64,
}

fn read_with(bytes: &[u8], options: &CsvOptions) -> Result<Read> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("in.csv");
    std::fs::write(&path, bytes).unwrap();
    let store = Store::anonymous(dir.path(), &OpenOptions::default())?;
    let import = store.for_work()?.import_csv(&path, options, &mut |_, _| true);
    let (used, _) = store.temporary_bytes();
    let import = match import {
        Ok(import) => import,
        Err(e) => {
            assert_eq!(used, 0, "a failed import left something behind");
            return Err(e);
        }
    };
    let (columns, rows) = (import.columns.clone(), import.rows);
    let frame = store.frame_of_csv(import)?;
    Ok(Read { store, frame, columns, rows })
}

fn read(text: &str) -> Read {
    read_with(text.as_bytes(), &CsvOptions::default()).unwrap()
}

fn refused(bytes: &[u8]) -> Error {
    read_with(bytes, &CsvOptions::default()).map(|_| ()).unwrap_err()
}

fn detail(e: &Error, key: &str) -> String {
    match e.details().iter().find(|(k, _)| *k == key) {
        Some((_, Detail::Number(n))) => n.to_string(),
        Some((_, Detail::Text(s))) => s.clone(),
        None => panic!("no detail {key}: {e}"),
    }
}

impl Read {
    fn types(&self) -> Vec<&'static str> {
        self.columns.iter().map(|c| c.dtype.name()).collect()
    }

    fn names(&self) -> Vec<&str> {
        self.columns.iter().map(|c| c.name.as_str()).collect()
    }

    /// Elements as text; NA is `<NA>`.
    fn column(&self, i: u64) -> Vec<String> {
        let vector = Vector::Object(self.store.list_get(&self.frame, i).unwrap().unwrap());
        assert_eq!(vector.len(), self.rows);
        let strings = if vector.dtype() == Dtype::Character {
            vector
        } else {
            let text = Vector::Object(self.store.reserve(Dtype::Character, self.rows, true).unwrap());
            let _ = text.copy_from(0, &vector, 0, self.rows).unwrap();
            text
        };
        let list = strings.strings(0, self.rows, u64::MAX).unwrap();
        (0..list.len()).map(|k| list.get(k).unwrap_or("<NA>").to_owned()).collect()
    }
}

#[test]
fn every_type_is_found_and_nothing_is_made_of_too_little() {
    let r = read("l,i,n,z,c,e\nT,1,1.5,1+2i,x,\nFALSE,-2,2,-3i,y,NA\nNA,NA,,,NA,\n");
    assert_eq!(r.types(), ["logical", "integer", "numeric", "complex", "character", "logical"]);
    assert_eq!(r.rows, 3);
    assert_eq!(r.column(0), ["TRUE", "FALSE", "<NA>"]);
    assert_eq!(r.column(1), ["1", "-2", "<NA>"]);
    assert_eq!(r.column(2), ["1.5", "2", "<NA>"]);
    assert_eq!(r.column(3), ["1+2i", "0-3i", "<NA>"]);
    assert_eq!(r.column(4), ["x", "y", "<NA>"]);
    assert_eq!(r.column(5), ["<NA>", "<NA>", "<NA>"]);
    assert_eq!(r.columns.iter().map(|c| c.nas).collect::<Vec<_>>(), [1, 1, 1, 1, 1, 3]);
    let why = r.columns[4].why_text.as_ref().unwrap();
    assert_eq!((why.row, why.line, why.text.as_str()), (0, 2, "x"));
    assert_eq!(r.columns[3].why_text, None);
}

/// As read.csv: a blank field is a missing number, but an empty text.
#[test]
fn blank_fields_are_missing_where_they_are_no_text() {
    let r = read("n,c\n1,a\n,\n  ,NA\n\"\",\" NA\"\n");
    assert_eq!(r.column(0), ["1", "<NA>", "<NA>", "<NA>"]);
    assert_eq!(r.column(1), ["a", "", "<NA>", " NA"]);
}

#[test]
fn quoted_fields_hold_delimiters_quotes_and_lines() {
    let r = read(
        "a,\"b,\"\"b\"\"\",c\n\"1\",\"x,\"\"y\"\"\nz\",\"\"\n2,plain,\"a longer text than twelve bytes\"\n",
    );
    assert_eq!(r.names(), ["a", "b,\"b\"", "c"]);
    assert_eq!(r.types(), ["integer", "character", "character"]);
    assert_eq!(r.column(1), ["x,\"y\"\nz", "plain"]);
    assert_eq!(r.column(2), ["", "a longer text than twelve bytes"]);
}

#[test]
fn line_ends_of_every_kind_and_a_byte_order_mark_are_no_text() {
    for end in ["\n", "\r\n", "\r"] {
        for last in [true, false] {
            let mut text = format!("\u{feff}a,b{end}1,\"x\"{end}{end}2,y");
            if last {
                text.push_str(end);
            }
            let r = read(&text);
            assert_eq!(r.names(), ["a", "b"], "{end:?}");
            assert_eq!(
                (r.rows, r.column(0), r.column(1)),
                (2, vec!["1".into(), "2".into()], vec!["x".into(), "y".into()])
            );
        }
    }
    let e = refused(b"\xff\xfea\0,\0b\0");
    assert_eq!(e.code(), Code::Encoding);
}

#[test]
fn numbers_beyond_an_integer_widen_the_column_and_keep_what_was_read() {
    use std::fmt::Write;
    let n = 3 * super::records::BATCH;
    let mut text = String::from("i,n,z,late,blank\n");
    for k in 0..n {
        let i = if k == n - 1 { "2147483648".to_owned() } else { (k as i64 - 5).to_string() };
        let z = if k == n - 2 { "1i" } else { "7" };
        let late = if k == n - 3 { "0.50 kg".to_owned() } else { format!("{k}.50") };
        let blank = if k < n - 1 { "" } else { "4" };
        writeln!(text, "{i},{k}.25,{z},{late},{blank}").unwrap();
    }
    let r = read(&text);
    assert_eq!(r.types(), ["numeric", "numeric", "complex", "character", "integer"]);
    let i = r.column(0);
    assert_eq!((i[0].as_str(), i[n - 1].as_str()), ("-5", "2147483648"));
    assert_eq!(r.column(2)[n - 2..], ["0+1i", "7+0i"]);
    // The text is as it was written, also that of the rows before the one that made the column text.
    let late = r.column(3);
    assert_eq!((late[0].as_str(), late[n - 3].as_str(), late[1].as_str()), ("0.50", "0.50 kg", "1.50"));
    let why = r.columns[3].why_text.as_ref().unwrap();
    assert_eq!((why.row, why.line, why.text.as_str()), (n as u64 - 3, n as u64 - 1, "0.50 kg"));
    assert_eq!(r.columns[4].nas, n as u64 - 1);
    assert_eq!(r.column(4)[n - 2..], ["<NA>", "4"]);
}

#[test]
fn text_keeps_its_characters_and_other_bytes_are_refused() {
    let r = read("ä\nwörter\n日本語の長いテキスト\n😀\n");
    assert_eq!(
        (r.names(), r.column(0)),
        (vec!["ä"], vec!["wörter".into(), "日本語の長いテキスト".into(), "😀".into()])
    );
    let e = refused(b"a,b\n1,ok\n2,caf\xe9\n");
    assert_eq!(e.code(), Code::Encoding);
    assert_eq!(
        (detail(&e, "row"), detail(&e, "line"), detail(&e, "column")),
        ("1".into(), "3".into(), "b".into())
    );
    // Each half in a field of its own: together they would be a character.
    assert_eq!(refused(b"a,b\nx\xc3,\xa9\n").code(), Code::Encoding);
    assert_eq!(refused(b"a,\xff\n1,2\n").code(), Code::Encoding);
}

#[test]
fn ragged_records_and_open_quotes_are_named() {
    let e = refused(b"a,b,c\n1,2,3\n4,5\n");
    assert_eq!(e.code(), Code::Length);
    assert_eq!(
        (detail(&e, "row"), detail(&e, "line"), detail(&e, "column")),
        ("1".into(), "3".into(), "c".into())
    );
    let e = refused(b"a,b,c\n\n1,2,3,4\n");
    assert_eq!(
        (detail(&e, "row"), detail(&e, "line"), detail(&e, "column")),
        ("0".into(), "3".into(), "c".into())
    );
    let e = refused(b"a,b\n\"1\",\"2\",3\n");
    assert_eq!((e.code(), detail(&e, "line")), (Code::Length, "2".into()));
    let e = refused(b"a,b\n1,2\n3,\"never closed\n4,5\n");
    assert_eq!((e.code(), detail(&e, "line"), detail(&e, "column")), (Code::Value, "3".into(), "b".into()));
    // Closed by the last byte of the file.
    assert_eq!(read("a,b\n3,\"x\"").column(1), ["x"]);
    assert_eq!(read("a,b\n3,").column(1), ["<NA>"]);
    assert_eq!(read("a,b\n3,5\" nail\n").column(1), ["5\" nail"]);
}

#[test]
fn files_without_rows_make_frames_without_rows() {
    let r = read("a,b\n");
    assert_eq!((r.rows, r.types(), r.names()), (0, vec!["logical", "logical"], vec!["a", "b"]));
    assert_eq!(read("a,b").rows, 0);
    for empty in ["", "\n\r\n", "\u{feff}"] {
        let e = refused(empty.as_bytes());
        assert_eq!(e.code(), Code::Value, "{empty:?}");
        assert!(e.message().starts_with("no lines available in input"), "{e}");
    }
}

#[test]
fn given_types_are_kept_or_the_field_is_named() {
    let given = |list: &[(&str, Option<Dtype>)]| CsvOptions {
        types: list.iter().map(|(name, dtype)| ((*name).to_owned(), *dtype)).collect(),
        ..CsvOptions::default()
    };
    let text = b"zip,n,left\n00123,1,x\nNA,,y\n";
    let r = read_with(
        text,
        &given(&[("zip", Some(Dtype::Character)), ("n", Some(Dtype::Numeric)), ("left", None)]),
    );
    let r = r.unwrap();
    assert_eq!((r.types(), r.names()), (vec!["character", "numeric"], vec!["zip", "n"]));
    assert_eq!(
        (r.column(0), r.column(1)),
        (vec!["00123".into(), "<NA>".into()], vec!["1".into(), "<NA>".into()])
    );
    let e = read_with(b"a,b\n1,2\n3,2147483648\n", &given(&[("b", Some(Dtype::Integer))]))
        .map(|_| ())
        .unwrap_err();
    assert_eq!(e.code(), Code::Value);
    assert_eq!(e.message(), "line 3, column 'b': expected an integer, got '2147483648'");
    assert_eq!((detail(&e, "row"), detail(&e, "column")), ("1".into(), "b".into()));
    let e = read_with(text, &given(&[("other", None)])).map(|_| ()).unwrap_err();
    assert_eq!(e.code(), Code::Argument);
    let e = read_with(text, &given(&[("zip", Some(Dtype::Raw))])).map(|_| ()).unwrap_err();
    assert_eq!(e.code(), Code::Type);
    let e = read_with(b"a\n1\n", &given(&[("a", None)])).map(|_| ()).unwrap_err();
    assert_eq!(e.code(), Code::Argument);
}

#[test]
fn other_delimiters_quotes_missing_texts_and_headers() {
    let options = CsvOptions {
        delimiter: b';',
        quote: Some(b'\''),
        header: false,
        na: vec!["-999".into(), "n/a".into()],
        skip: 2,
        ..CsvOptions::default()
    };
    let r = read_with(b"a comment\r\nanother\r\n1;'x;\"y'\n-999;n/a\n3;NA\n", &options).unwrap();
    assert_eq!(r.names(), ["V1", "V2"]);
    assert_eq!(
        (r.column(0), r.column(1)),
        (vec!["1".into(), "<NA>".into(), "3".into()], vec!["x;\"y".into(), "<NA>".into(), "NA".into()])
    );
    let options =
        CsvOptions { quote: None, names: Some(vec!["p".into(), "q".into()]), ..CsvOptions::default() };
    let r = read_with(b"a,b\n\"x,y\"\n", &options).unwrap();
    assert_eq!(
        (r.names(), r.column(0), r.column(1)),
        (vec!["p", "q"], vec!["\"x".into()], vec!["y\"".into()])
    );
    let options = CsvOptions { names: Some(vec!["p".into()]), ..CsvOptions::default() };
    assert_eq!(read_with(b"a,b\n1,2\n", &options).map(|_| ()).unwrap_err().code(), Code::Length);
    assert_eq!(read("a,,a,a\n1,2,3,4\n").names(), ["a", "V2", "a.1", "a.2"]);
    let options = CsvOptions { check_names: true, ..CsvOptions::default() };
    assert_eq!(read_with(b"a b,1,if\n1,2,3\n", &options).unwrap().names(), ["a.b", "X1", "if."]);
    let options = CsvOptions { delimiter: b'"', ..CsvOptions::default() };
    assert_eq!(read_with(b"a\n1\n", &options).map(|_| ()).unwrap_err().code(), Code::Argument);
}

/// Every cut between two reads of the file, line ends and quotes included.
#[test]
fn records_are_the_same_wherever_blocks_end() {
    use std::fmt::Write;
    let mut text = String::from("a,b\r\n");
    let mut k = 0_u32;
    let target = if cfg!(miri) { 300 } else { 5 << 20 };
    while text.len() < target {
        k += 1;
        match k % 3 {
            0 => writeln!(text, "{k},\"quoted \"\"{k}\"\"\nline, too\"\r").unwrap(),
            1 => writeln!(text, "{k},plain text of row {k}\r").unwrap(),
            _ => writeln!(text, "{k},").unwrap(),
        }
    }
    let r = read(&text);
    assert_eq!(r.rows, u64::from(k));
    let (a, b) = (r.column(0), r.column(1));
    for (row, (a, b)) in a.iter().zip(&b).enumerate() {
        let k = row + 1;
        assert_eq!(*a, k.to_string());
        let expected = match k % 3 {
            0 => format!("quoted \"{k}\"\nline, too"),
            1 => format!("plain text of row {k}"),
            _ => String::new(),
        };
        assert_eq!(*b, expected, "row {row}");
    }
}

/// Quotes inside of unquoted fields make the count of line ends too low: columns grow.
#[test]
fn more_records_than_were_counted_are_read_all() {
    let n = 20_000;
    let lines: Vec<_> = (0..n).map(|k| format!("{k},{k}\" nail")).collect();
    let r = read(&format!("n,what\n{}", lines.join("\n")));
    assert_eq!(r.rows, n);
    assert_eq!(r.column(0)[n as usize - 1], (n - 1).to_string());
    assert_eq!(r.column(1)[n as usize - 1], format!("{}\" nail", n - 1));
}

#[test]
fn an_import_that_is_stopped_or_finds_its_store_closed_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("in.csv");
    std::fs::write(&path, "a,b\n".to_owned() + &"1,x\n".repeat(100_000)).unwrap();
    let store = Store::anonymous(dir.path(), &OpenOptions::default()).unwrap();
    let work = store.for_work().unwrap();
    let mut steps = 0;
    let stopped = work.import_csv(&path, &CsvOptions::default(), &mut |_, _| {
        steps += 1;
        steps < 5
    });
    assert_eq!(stopped.map(|_| ()).unwrap_err().code(), Code::Closed);
    assert_eq!(store.temporary_bytes().0, 0);
    let closed = work.import_csv(&path, &CsvOptions::default(), &mut |done, _| {
        if done > 0 {
            store.close().unwrap();
        }
        true
    });
    assert_eq!(closed.map(|_| ()).unwrap_err().code(), Code::Closed);
    assert_eq!(
        work.import_csv(&dir.path().join("no"), &CsvOptions::default(), &mut |_, _| true)
            .map(|_| ())
            .unwrap_err()
            .code(),
        Code::NotFound
    );
}

/// Writes the frame and gives the file's text.
fn written(r: &Read, style: &CsvStyle) -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out.csv");
    let work = r.store.csv_export(&r.frame, style.clone()).unwrap();
    let nbytes = work.run(&path, &mut |_, _| true).unwrap().unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(nbytes, text.len() as u64);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "only the file itself");
    text
}

#[test]
fn what_was_written_reads_back_as_it_was() {
    let text = "a,\"b,c\",t,z\n1,0.30000000000000004,\"x,\"\"y\"\"\nz\",1-2.5i\nNA,-0,NA,NA\n-3,1e-300,\"\",NaN+0i\n";
    let r = read(text);
    assert_eq!(r.types(), ["integer", "numeric", "character", "complex"]);
    assert_eq!(written(&r, &CsvStyle::default()), text);
    let style = CsvStyle {
        delimiter: b'\t',
        quote: b'\'',
        quote_all: true,
        header: false,
        row_names: true,
        na: String::new(),
        crlf: true,
        bom: true,
        ..CsvStyle::default()
    };
    let other = written(&read("a,b\n1,it's\nNA,\n"), &style);
    assert_eq!(other, "\u{feff}'1'\t1\t'it''s'\r\n'2'\t\t''\r\n");
    assert_eq!(written(&read("a,b\n"), &CsvStyle::default()), "a,b\n");
    assert_eq!(written(&read("a\n\"\"\n\"x\"\n"), &CsvStyle::default()), "a\n\"\"\nx\n");
    // Text like the one for NA keeps its quotes, for readers that look at them.
    let options = CsvOptions { na: vec!["-".into()], ..CsvOptions::default() };
    assert_eq!(
        written(&read_with(b"a\nNA\n-\n", &options).unwrap(), &CsvStyle::default()),
        "a\n\"NA\"\nNA\n"
    );
}

#[test]
fn an_export_replaces_only_what_it_may_and_leaves_nothing_when_it_is_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out.csv");
    std::fs::write(&path, "old").unwrap();
    let r = read("a,b\n1,x\n");
    let run = |style: CsvStyle, path: &std::path::Path, go: bool| {
        r.store.csv_export(&r.frame, style)?.run(path, &mut |_, _| go)
    };
    let replacing = || CsvStyle { replace: true, ..CsvStyle::default() };
    assert_eq!(run(CsvStyle::default(), &path, true).unwrap_err().code(), Code::Exists);
    assert_eq!(run(replacing(), &path, false).unwrap(), None);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
    assert_eq!(run(replacing(), &path, true).unwrap(), Some(8));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "a,b\n1,x\n");
    assert_eq!(run(replacing(), &dir.path().join("no/out.csv"), true).unwrap_err().code(), Code::NotFound);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    let style = CsvStyle { na: "a,b".into(), ..CsvStyle::default() };
    assert_eq!(r.store.csv_export(&r.frame, style).map(|_| ()).unwrap_err().code(), Code::Argument);
    let column = r.store.list_get(&r.frame, 0).unwrap().unwrap();
    assert_eq!(r.store.csv_export(&column, CsvStyle::default()).map(|_| ()).unwrap_err().code(), Code::Type);
    let work = r.store.csv_export(&r.frame, CsvStyle::default()).unwrap();
    let busy = r.store.destroy(&column, false).unwrap_err();
    assert!(busy.message().starts_with("an operation is running"), "{busy}");
    drop(work);
}
