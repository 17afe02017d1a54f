//! Compiles `csrc` and, under the feature `generate`, derives the bindings from `csrc/fm.h`.

const SOURCES: [&str; 8] = [
    "fm_alloc.c",
    "fm_check.c",
    "fm_free.c",
    "fm_load.c",
    "fm_pool.c",
    "fm_sort.c",
    "fm_space.c",
    "fm_tree.c",
];

fn main() {
    println!("cargo::rerun-if-changed=csrc");
    let mut build = cc::Build::new();
    build.std("c11").opt_level(2).include("csrc").warnings(true).extra_warnings(true);
    for flag in ["-Wpedantic", "-Wconversion", "-Wshadow"] {
        build.flag_if_supported(flag);
    }
    build.files(SOURCES.map(|name| format!("csrc/{name}"))).compile("fmalloc");
    #[cfg(feature = "generate")]
    generate();
}

/// Writes `bindings.rs` into `OUT_DIR`, and to `$FMALLOC_BINDINGS` if that is set.
#[cfg(feature = "generate")]
fn generate() {
    println!("cargo::rerun-if-env-changed=FMALLOC_BINDINGS");
    let bindings = bindgen::Builder::default()
        .header("csrc/fm.h")
        .use_core()
        .rust_target(bindgen::RustTarget::stable(85, 0).expect("known to this bindgen"))
        .rust_edition(bindgen::RustEdition::Edition2024)
        .allowlist_file(".*/?csrc/fm\\.h")
        .prepend_enum_name(false)
        .derive_default(true)
        .derive_eq(true)
        // Callbacks: comparing code addresses means nothing, and a null one is refused.
        .no_partialeq("fm_mem")
        .no_default("fm_mem")
        .generate_comments(false)
        .layout_tests(true)
        .formatter(bindgen::Formatter::Prettyplease)
        .generate()
        .expect("bindgen failed on csrc/fm.h");
    let out = std::path::PathBuf::from(std::env::var_os("OUT_DIR").expect("set by cargo"));
    bindings.write_to_file(out.join("bindings.rs")).expect("OUT_DIR is writable");
    if let Some(path) = std::env::var_os("FMALLOC_BINDINGS") {
        bindings.write_to_file(path).expect("FMALLOC_BINDINGS is writable");
    }
}
