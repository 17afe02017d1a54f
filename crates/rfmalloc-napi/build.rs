//! Linker settings of the addon.
fn main() {
    napi_build::setup();
    // A worker that was the last to use the addon must not unload it: registries and finalizers live on.
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
