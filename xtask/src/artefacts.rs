//! Programs and components that are compiled before the system starts.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};

use crate::command::{cargo, command, first_line, is_installed, root, say, succeed};

const TARGET: &str = "wasm32-wasip2";
/// The component crates. They link only for [`TARGET`].
pub(crate) const COMPONENTS: [&str; 2] = ["api-component", "worker-component"];
/// All crates that link only for [`TARGET`]: also the one with which the benchmark compares.
pub(crate) const ONLY_WASM: [&str; 3] = ["api-component", "worker-component", "floor"];

/// Compiles both components where `spin.toml` expects them.
///
/// # Errors
/// When the target cannot be added or the compiler finds fault.
pub(crate) fn components() -> Result<()> {
    add_target()?;
    say("building the components");
    let mut build = cargo();
    build.args(["build", "--release", "--target", TARGET, "--target-dir", "target"]);
    for component in COMPONENTS {
        build.args(["--package", component]);
    }
    succeed(&mut build)
}

/// Copies the API reference's assets from npm to where the API component serves them. Without npm the page says
/// what is missing, and everything else works: a machine with Rust alone is enough.
pub(crate) fn reference() {
    if root().join("web/pages/vendor/swagger-ui-bundle.js").exists() {
        return;
    }
    if !is_installed("npm") {
        say("no API reference at /swagger: its assets come from npm, which is not on PATH");
        return;
    }
    let copied = node_modules().and_then(|()| succeed(command("node").arg("web/vendor.mjs")));
    if let Err(error) = copied {
        say(&format!("no API reference at /swagger: {error:#}"));
    }
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
    let changed = |path: &str| std::fs::metadata(root().join(path)).and_then(|data| data.modified()).ok();
    let (lock, installed) = (changed("package-lock.json"), changed("node_modules/.package-lock.json"));
    if installed.is_some() && installed >= lock {
        return Ok(());
    }
    if !is_installed("npm") {
        bail!("npm is not on PATH: install Node.js 20 or newer, then run the command again");
    }
    say("installing the npm packages");
    succeed(command("npm").args(["ci", "--no-fund", "--no-audit"]))
}
