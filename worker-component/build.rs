//! Links the component smaller: without this every address and call target is padded to five bytes.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var_os("CARGO_CFG_TARGET_FAMILY").is_some_and(|family| family == "wasm") {
        println!("cargo::rustc-cdylib-link-arg=--compress-relocations");
    }
}
