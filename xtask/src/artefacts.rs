//! What has to be compiled before anything can start.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::command::{cargo, command, first_line, is_installed, root, say, succeed};

const TARGET: &str = "wasm32-wasip2";
/// The component crates. They link only for [`TARGET`].
pub(crate) const COMPONENTS: [&str; 2] = ["api-component", "worker-component"];

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

/// The programs of the workspace that `up` starts.
#[derive(Debug, Default)]
pub(crate) struct Programs {
    /// Paths by name.
    pub paths: BTreeMap<String, PathBuf>,
}

impl Programs {
    /// Compiles programs, named by package and program.
    ///
    /// # Errors
    /// When the compiler finds fault.
    pub(crate) fn build(programs: &[(&str, &str)], features: &[&str]) -> Result<Self> {
        let names: Vec<&str> = programs.iter().map(|(_, name)| *name).collect();
        say(&format!("building {}", names.join(", ")));
        let mut build = cargo();
        // The guest's library is not needed here. Named all the same, because its dependencies ask for features
        // that `cargo xtask test` has, and with other features cargo would compile wasmtime once for each.
        build.args(["build", "--message-format", "json-render-diagnostics", "--package", "guest", "--lib"]);
        for (package, name) in programs {
            build.args(["--package", package, "--bin", name]);
        }
        build.args(features);
        let output = build.stderr(Stdio::inherit()).output().context("cannot start cargo")?;
        if !output.status.success() {
            bail!("building {} failed", names.join(", "));
        }
        let paths = executables(&String::from_utf8_lossy(&output.stdout));
        Ok(Self { paths })
    }

    /// Programs that were compiled before, beside this one.
    ///
    /// # Errors
    /// When one is missing.
    pub(crate) fn built_before(names: &[&str]) -> Result<Self> {
        let own = std::env::current_exe().context("cannot tell where the programs are")?;
        let mut programs = Self::default();
        for name in names {
            let path = own.with_file_name(name);
            if !path.is_file() {
                bail!(
                    "`{name}` is not built: run `cargo build --package {name}`, or leave ACCEPTED_NO_BUILD unset"
                );
            }
            programs.paths.insert((*name).to_owned(), path);
        }
        Ok(programs)
    }

    /// Where a program is.
    ///
    /// # Errors
    /// When it was not built.
    pub(crate) fn get(&self, name: &str) -> Result<&PathBuf> {
        self.paths.get(name).with_context(|| format!("cargo did not say where it put `{name}`"))
    }
}

/// Reads names and paths of executables from cargo's messages.
fn executables(messages: &str) -> BTreeMap<String, PathBuf> {
    let artefacts = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    artefacts
        .filter_map(|message| {
            let path = message.get("executable")?.as_str()?;
            let name = message.get("target")?.get("name")?.as_str()?;
            Some((name.to_owned(), PathBuf::from(path)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executables_are_found_in_cargo_s_messages() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"lib"},"executable":null}
{"reason":"compiler-artifact","target":{"name":"launcher"},"executable":"/x/launcher"}
{"reason":"build-finished","success":true}
not json"#;
        let found = executables(messages);
        assert_eq!(found, BTreeMap::from([("launcher".to_owned(), PathBuf::from("/x/launcher"))]));
    }
}
