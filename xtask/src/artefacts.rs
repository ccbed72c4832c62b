//! Programs and components that are compiled before the system starts.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};

use crate::command::{cargo, command, first_line, is_installed, root, say, succeed};

const TARGET: &str = "wasm32-wasip2";
/// The component crates. They link only for [`TARGET`].
pub(crate) const COMPONENTS: [&str; 4] =
    ["api-component", "handler-adapter", "handler-adapter-progress", "worker-component"];
const ADAPTERS: [&str; 2] = ["handler-adapter", "handler-adapter-progress"];
/// All crates that link only for [`TARGET`]: also those of tests, and those with which the benchmark compares.
pub(crate) const ONLY_WASM: [&str; 10] = [
    "api-component",
    "handler-adapter",
    "handler-adapter-progress",
    "worker-component",
    "floor",
    "rust-http",
    "rust-typed",
    "statistics",
    "wasi02",
    TEST_HANDLER,
];

/// The handler of the end-to-end tests, which links only for [`TARGET`] too.
const TEST_HANDLER: &str = "misbehaving-handler";

/// Components that only tests run: the examples in Rust, one of WASI 0.2, and the handler that misbehaves.
pub(crate) const TEST_COMPONENTS: [&str; 4] = ["rust-http", "rust-typed", "wasi02", TEST_HANDLER];

/// Compiles the components that only tests run.
///
/// # Errors
/// When the compiler finds fault.
pub(crate) fn test_components() -> Result<()> {
    say("building the components of the tests");
    build(&TEST_COMPONENTS)
}

/// Compiles the components, and the handlers of `spin.toml`, where `spin.toml` expects them.
///
/// # Errors
/// When the target cannot be added or the compiler finds fault.
pub(crate) fn components() -> Result<()> {
    say("building the components");
    build(&COMPONENTS)?;
    let manifest = std::fs::read_to_string(root().join("spin.toml")).context("cannot read spin.toml")?;
    crate::handlers::build::handlers(&root(), &manifest)
}

/// Compiles the adapters, without which a handler behind one does not run.
///
/// # Errors
/// When the target cannot be added or the compiler finds fault.
pub(crate) fn adapters() -> Result<()> {
    say("building the adapters of handlers");
    build(&ADAPTERS)
}

/// Compiles the handler of the end-to-end tests.
///
/// # Errors
/// When the target cannot be added or the compiler finds fault.
pub(crate) fn test_handler() -> Result<()> {
    say("building the handler of the tests");
    build(&[TEST_HANDLER])
}

/// Where the handler of the end-to-end tests is.
pub(crate) fn test_handler_file() -> PathBuf {
    root().join("target").join(TARGET).join("release/misbehaving_handler.wasm")
}

fn build(components: &[&str]) -> Result<()> {
    add_target()?;
    let mut build = cargo();
    build.args(["build", "--release", "--target", TARGET, "--target-dir", "target"]);
    for component in components {
        build.args(["--package", component]);
    }
    succeed(&mut build)
}

/// Where the package of the API reference's assets is installed, unless all npm packages are.
const REFERENCE: &str = "target/reference";

/// Copies the API reference's assets from npm to where the API component serves them, and installs nothing else. Without
/// npm the page says what is missing, and everything else works: a machine with Rust alone is enough.
pub(crate) fn reference() {
    if root().join("web/pages/vendor/swagger-ui-bundle.js").exists() {
        return;
    }
    if !is_installed("npm") {
        say("no API reference at /swagger: its assets come from npm, which is not on PATH");
        return;
    }
    if let Err(error) = copy_reference() {
        say(&format!("no API reference at /swagger: {error:#}"));
    }
}

fn copy_reference() -> Result<()> {
    let folder = if has_node_modules() { root() } else { root().join(REFERENCE) };
    if folder != root() {
        say("installing the assets of the API reference from npm");
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {REFERENCE}"))?;
        for file in ["package.json", "package-lock.json", ".npmrc"] {
            std::fs::copy(root().join(file), folder.join(file))
                .with_context(|| format!("cannot copy {file}"))?;
        }
        // The packages of tests are left out; they are hundreds.
        let mut npm = command("npm");
        npm.args(["ci", "--omit=dev", "--no-fund", "--no-audit"]).current_dir(&folder);
        succeed(&mut npm)?;
    }
    succeed(command("node").arg("web/vendor.mjs").arg(folder))
}

/// Adds the compiler's WebAssembly target when it is missing.
fn add_target() -> Result<()> {
    let sysroot =
        first_line("rustc", &["--print", "sysroot"]).context("rustc is not on PATH: install Rust")?;
    if PathBuf::from(sysroot).join("lib/rustlib").join(TARGET).is_dir() {
        return Ok(());
    }
    say(&format!("adding the target {TARGET}"));
    succeed(command("rustup").args(["target", "add", TARGET])).with_context(|| {
        format!(
            "the components need the compiler's {TARGET} target, and rustup could not add it; check the network, or \
             install the target the way this Rust was installed, then run the command again"
        )
    })
}

/// Installs the npm packages when they are missing or older than the lock file.
///
/// # Errors
/// When there is no npm, or it fails.
pub(crate) fn node_modules() -> Result<()> {
    if has_node_modules() {
        return Ok(());
    }
    if !is_installed("npm") {
        bail!("npm is not on PATH: install Node.js 20 or newer, then run the command again");
    }
    say("installing the npm packages");
    succeed(command("npm").args(["ci", "--no-fund", "--no-audit"]))
}

/// Whether the npm packages are installed, and not older than the lock file.
fn has_node_modules() -> bool {
    let changed = |path: &str| std::fs::metadata(root().join(path)).and_then(|data| data.modified()).ok();
    let (lock, installed) = (changed("package-lock.json"), changed("node_modules/.package-lock.json"));
    installed.is_some() && installed >= lock
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn start_installs_only_the_assets_of_the_reference() {
        let text = std::fs::read_to_string(root().join("package-lock.json")).unwrap();
        let lock: Value = serde_json::from_str(&text).unwrap();
        let packages = lock["packages"].as_object().unwrap();
        let installed: Vec<&str> = packages
            .iter()
            .filter(|(path, package)| {
                !path.is_empty() && package["dev"] != true && package["devOptional"] != true
            })
            .map(|(path, _)| path.as_str())
            .collect();
        assert_eq!(installed, ["node_modules/@scarf/scarf", "node_modules/swagger-ui-dist"]);
    }
}
