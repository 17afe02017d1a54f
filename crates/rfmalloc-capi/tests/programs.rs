//! Programs in C against librfmalloc, shared and static, as anybody would build them, and under `AddressSanitizer`; the header by itself.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn told(out: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}

fn run(command: &mut Command) -> String {
    let out = command.output().unwrap();
    assert!(out.status.success(), "{command:?}: {}\n{}", out.status, told(&out));
    String::from_utf8(out.stdout).unwrap()
}

/// The folder with both libraries, built once.
fn libraries() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
        run(Command::new(env!("CARGO"))
            .args(["build", "--quiet", "-p", "rfmalloc-capi", "--target-dir"])
            .arg(target)
            .current_dir(root()));
        target.join("debug")
    })
}

fn compiler() -> Command {
    let cc = std::env::var("CC").unwrap_or_else(|_| "cc".into());
    let mut words = cc.split(' ');
    let mut cc = Command::new(words.next().unwrap());
    cc.args(words).args([
        "-g",
        "-D_GNU_SOURCE",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-pedantic",
        "-pthread",
        "-I",
    ]);
    cc.arg(root().join("include"));
    cc
}

/// The files of a program: its folder's, or itself.
fn sources(program: PathBuf) -> Vec<PathBuf> {
    if !program.is_dir() {
        return vec![program];
    }
    let files = std::fs::read_dir(program).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension() == Some(OsStr::new("c"))).collect()
}

/// Builds a program against the shared library (or the static one) with these words more.
fn build(source: &str, shared: bool, more: &[&str], folder: &Path) -> PathBuf {
    let program = folder.join("program");
    let mut cc = compiler();
    cc.args(more).args(sources(root().join(source))).arg("-o").arg(&program);
    if shared {
        cc.arg("-L").arg(libraries()).arg("-lrfmalloc");
        cc.arg(format!("-Wl,-rpath,{}", libraries().display()));
    } else {
        cc.arg(libraries().join("librfmalloc.a"));
        // What `rustc --print native-static-libs` names, as far as it is not libc's own.
        cc.args(if cfg!(target_os = "macos") {
            &["-framework", "CoreFoundation", "-liconv"][..]
        } else {
            &["-lm", "-ldl", "-lrt"][..]
        });
    }
    run(&mut cc);
    program
}

fn call(program: &Path, argument: impl AsRef<OsStr>) -> String {
    run(Command::new(program).arg(argument))
}

const CONTRACT: &str = "crates/rfmalloc-capi/tests/contract";
const EXAMPLE: &str = "examples/c/columns.c";
const SANITIZERS: &[&str] = &["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];

#[test]
fn the_contract_holds_against_the_shared_library() {
    let dir = tempfile::tempdir().unwrap();
    let said = call(&build(CONTRACT, true, &["-std=c99"], dir.path()), dir.path());
    assert!(said.ends_with(" passed, 0 failed\n"), "{said}");
}

#[test]
fn the_contract_holds_under_address_sanitizer() {
    let dir = tempfile::tempdir().unwrap();
    let said = call(&build(CONTRACT, true, &[&["-std=c11"], SANITIZERS].concat(), dir.path()), dir.path());
    assert!(said.ends_with(" passed, 0 failed\n"), "{said}");
}

/// A sanitizer that finds nothing because it does not look would pass the test above.
#[cfg(target_os = "linux")]
#[test]
fn address_sanitizer_sees_a_hold_that_is_not_released() {
    let dir = tempfile::tempdir().unwrap();
    let source = std::fs::read_to_string(root().join(EXAMPLE)).unwrap();
    let leaky = source.replace("fm->release(matrix);", "");
    assert_ne!(leaky, source);
    let path = dir.path().join("leaky.c");
    std::fs::write(&path, leaky).unwrap();
    let program = build(path.to_str().unwrap(), true, &[&["-std=c11"], SANITIZERS].concat(), dir.path());
    let out = Command::new(program).arg(dir.path().join("a.fm")).output().unwrap();
    assert!(!out.status.success() && told(&out).contains("detected memory leaks"), "{}", told(&out));
}

/// Both libraries; each program twice, the second time on the file that the first one left.
#[test]
fn the_example_runs_with_either_library() {
    for (shared, more) in [(true, &[][..]), (false, SANITIZERS)] {
        let dir = tempfile::tempdir().unwrap();
        let program = build(EXAMPLE, shared, &[&["-std=c11"], more].concat(), dir.path());
        for _ in 0..2 {
            let said = call(&program, dir.path().join("cohort.fm"));
            for line in [
                "weight: 100 missing, the others sum to 2497500000.0",
                "place 1: NA",
                "place 2: São João da Madeira",
                "4 objects",
            ] {
                assert!(said.lines().any(|l| l == line), "{line}\n{said}");
            }
        }
    }
}

#[test]
fn the_header_compiles_by_itself_in_c_and_cpp() {
    let dir = tempfile::tempdir().unwrap();
    // Every inline function is used, so that none is compiled only where somebody needs it.
    let source = "#include <rfmalloc.h>\n\
        int use(const rfm_api *fm);\n\
        int use(const rfm_api *fm) {\n\
        const uint64_t dim[2] = { 1, 1 };\n\
        rfm_open_options o = rfm_open_options_init();\n\
        rfm_new n = rfm_new_init(), v = rfm_new_vector(RFM_RAW, 1, \"v\"), m = rfm_new_matrix(RFM_RAW, dim, NULL);\n\
        rfm_new_frame f = rfm_new_frame_init();\n\
        rfm_info i = rfm_info_init();\n\
        rfm_store_info s = rfm_store_info_init();\n\
        rfm_text t = rfm_text_of(\"t\");\n\
        rfm_complex z = { 1, 2 };\n\
        return rfm_is_na(rfm_na_real()) && RFM_HAS(fm, list_set) && o.size + n.size + f.size + v.size + m.size + i.size + s.size && t.data && z.re > 0;\n\
        }\n";
    for (standard, language) in [("c99", "c"), ("c11", "c"), ("c++17", "c++")] {
        let path = dir.path().join("header.c");
        std::fs::write(&path, source).unwrap();
        run(compiler()
            .args([&format!("-std={standard}"), "-x", language, "-fsyntax-only", "-Wshadow"])
            .args(["-Wconversion"])
            .arg(path));
    }
}

/// What stands in the header's comment as its example is a program.
#[test]
fn the_example_in_the_header_compiles_and_runs() {
    let dir = tempfile::tempdir().unwrap();
    let header = include_str!("../../../include/rfmalloc.h");
    let from = header.find("     #include <rfmalloc.h>").unwrap();
    let to = from + header[from..].find("\n *\n * Versions.").unwrap();
    let example = header[from..to].lines().map(|l| l.trim_start_matches(" *")).collect::<Vec<_>>().join("\n");
    std::fs::write(dir.path().join("example.c"), format!("#include <stdio.h>\n{example}\n")).unwrap();
    let program = build(dir.path().join("example.c").to_str().unwrap(), true, &["-std=c99"], dir.path());
    run(Command::new(program).current_dir(dir.path()));
    assert!(dir.path().join("cohort.fm").exists());
}
