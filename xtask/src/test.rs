//! `cargo xtask test`: every test there is.

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::artefacts::{COMPONENTS, Programs, components, node_modules};
use crate::command::{cargo, command, is_installed, root};
use crate::demo;
use crate::summary::Summary;

/// Runs everything and closes with the counts.
///
/// # Errors
/// When anything failed.
pub(crate) fn run() -> Result<()> {
    let mut summary = Summary::default();
    into(&mut summary);
    summary.close()
}

/// Runs everything, adding to `summary`. What does not depend on a failed step still runs.
pub(crate) fn into(summary: &mut Summary) {
    // First, because the native tests load what is built and start what is installed here.
    summary.check("npm packages", node_modules());
    summary.check("components for wasm32-wasip2", components());
    native(summary);
    summary.run(
        "examples in models",
        cargo().args(["test", "--quiet", "--doc", "--package", "accepted-models"]),
    );
    summary.check("demo: POST to Completed on real sockets", demonstration());
    for script in scripts(&std::fs::read_to_string(root().join("package.json")).unwrap_or_default()) {
        summary.run(&script, command("npm").args(["run", "--silent", &script]));
    }
}

/// One invocation for the whole workspace: built package by package, the same dependency would be compiled
/// several times with other features.
fn native(summary: &mut Summary) {
    let mut runner = cargo();
    if is_installed("cargo-nextest") {
        runner.args(["nextest", "run", "--no-fail-fast"]);
    } else {
        runner.args(["test", "--no-fail-fast", "--lib", "--bins", "--tests"]);
    }
    runner.arg("--workspace");
    for component in COMPONENTS {
        runner.args(["--exclude", component]);
    }
    summary.run("native tests", &mut runner);
}

/// The programs that the native tests have just compiled.
fn demonstration() -> Result<()> {
    let folder = std::env::current_exe().ok().and_then(|own| own.parent().map(ToOwned::to_owned));
    let folder = folder.context("cannot tell where the programs are")?;
    let mut programs = Programs::default();
    for name in ["fake-azure", "host", "launcher"] {
        programs.paths.insert(name.to_owned(), folder.join(name));
    }
    demo::run_with(programs)
}

/// Names of the npm scripts that are tests.
fn scripts(package: &str) -> Vec<String> {
    let package: Value = serde_json::from_str(package).unwrap_or_default();
    let scripts = package.get("scripts").and_then(Value::as_object);
    scripts
        .into_iter()
        .flatten()
        .map(|(name, _)| name.clone())
        .filter(|name| name.starts_with("test:"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_npm_script_that_is_a_test_is_run() {
        let package = r#"{"scripts": {"vendor": "x", "test:pages": "y", "test:contract": "z"}}"#;
        assert_eq!(scripts(package), ["test:contract", "test:pages"]);
        assert!(scripts("").is_empty());
    }
}
