//! `cargo xtask test`: all tests.

use std::process::Command;

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::artefacts::{ONLY_WASM, components, node_modules, test_components};
use crate::command::{cargo, command, is_installed, root, say, succeed};
use crate::handlers;
use crate::stack::host::find_spin;
use crate::stack::options::HostKind;
use crate::stack::programs::Programs;
use crate::summary::{Runner, Summary};

/// On real sockets, each way to get at storage once.
const DEMONSTRATIONS: [(&str, &[&str]); 5] = [
    ("demo by connection string", &["demo"]),
    ("demo with Azurite", &["demo", "--storage", "azurite"]),
    ("demo through key vault and identity", &["demo", "--identity"]),
    ("demo without any key", &["demo", "--keyless"]),
    ("demo of the handlers", &["demo", "--handlers"]),
];

/// Runs everything, or what runs under Spin, and closes with the counts.
///
/// # Errors
/// When anything failed, or there is no Spin to run it under.
pub(crate) fn run(host: HostKind) -> Result<()> {
    let mut summary = Summary::default();
    match host {
        HostKind::Embedded => into(&mut summary),
        HostKind::Spin => under_spin(&mut summary)?,
    }
    summary.close()
}

/// The tests whose result depends on the host: the demonstrations, the end-to-end tests, the journeys of clients (contract and
/// pages), and each deployed command line, `launcher warm` included.
fn under_spin(summary: &mut Summary) -> Result<()> {
    let spin = find_spin()?;
    say(&format!("{} at {}", spin.version, spin.path.display()));
    summary.check("npm packages", node_modules);
    summary.check("components for wasm32-wasip2", components);
    summary.check("handlers", handlers::examples::build);
    let programs = [("launcher", "launcher"), ("fake-azure", "fake-azure")];
    summary.check("launcher and emulator", || Programs::build(&programs, &[]).map(drop));
    demonstrations(summary, HostKind::Spin);
    end_to_end(summary, HostKind::Spin);
    for script in ["test:contract", "test:pages"] {
        let mut command = command("npm");
        use_what_is_built(command.args(["run", "--silent", script]), HostKind::Spin);
        summary.run(script, Runner::Node, &mut command);
    }
    let mut lines = command("node");
    lines.args(["--test", "--test-concurrency=1", "infra/tests/container.test.mjs"]);
    lines.env("ACCEPTED_SPIN", &spin.path);
    summary.run("deployed command lines", Runner::Node, use_what_is_built(&mut lines, HostKind::Spin));
    Ok(())
}

fn demonstrations(summary: &mut Summary, host: HostKind) {
    for (name, arguments) in DEMONSTRATIONS {
        summary.check(name, || xtask(&[arguments, &["--host", host.name()]].concat(), host));
    }
}

/// One after the other, because each runs the whole system.
fn end_to_end(summary: &mut Summary, host: HostKind) {
    let (kind, mut tests) = runner();
    tests.args(["--package", "e2e"]);
    summary.run("end-to-end tests", kind, use_what_is_built(&mut tests, host));
}

/// Runs everything, adding to `summary`. What does not depend on a failed step still runs.
pub(crate) fn into(summary: &mut Summary) {
    // First, because the native tests load what is built and start what is installed here.
    summary.check("npm packages", node_modules);
    summary.check("components for wasm32-wasip2", components);
    summary.check("components of the tests", test_components);
    summary.check("handlers", handlers::examples::build);
    native(summary);
    summary.run(
        "examples in models",
        Runner::Cargo,
        cargo().args(["test", "--quiet", "--doc", "--package", "accepted-models"]),
    );
    demonstrations(summary, HostKind::Embedded);
    end_to_end(summary, HostKind::Embedded);
    for script in scripts(&std::fs::read_to_string(root().join("package.json")).unwrap_or_default()) {
        summary.run(
            &script,
            Runner::Node,
            use_what_is_built(command("npm").args(["run", "--silent", &script]), HostKind::Embedded),
        );
    }
}

/// The tests of the simulator on the shipped components are part of every test; only who works on its native
/// half alone is spared compiling wasmtime.
pub(crate) const FEATURES: [&str; 2] = ["--features", "simulation/wasm"];

/// One invocation for the whole workspace: built package by package, the same dependency would be compiled
/// several times with other features. xtask and e2e stand apart for the same reason: `up` builds its programs
/// without their HTTP client, which may ask for other features of what the programs use.
fn native(summary: &mut Summary) {
    let (kind, mut tests) = runner();
    let (_, mut own) = runner();
    tests.args(["--workspace", "--exclude", "e2e", "--exclude", "xtask"]);
    for component in ONLY_WASM {
        tests.args(["--exclude", component]);
    }
    summary.run("native tests", kind, tests.args(FEATURES));
    summary.run("tests of xtask", kind, own.args(["--package", "xtask"]));
}

/// Nextest where it is installed, else what comes with cargo.
fn runner() -> (Runner, Command) {
    let mut runner = cargo();
    if is_installed("cargo-nextest") {
        runner.args(["nextest", "run", "--no-fail-fast"]);
        (Runner::Nextest, runner)
    } else {
        runner.args(["test", "--no-fail-fast", "--lib", "--bins", "--tests"]);
        (Runner::Cargo, runner)
    }
}

/// Has everything that is started from here on use what the native tests have just compiled: compiled for
/// itself, a program gets other features of its dependencies, and those would be compiled again. What starts the
/// application does so under `host`, whatever is on PATH.
fn use_what_is_built(command: &mut Command, host: HostKind) -> &mut Command {
    if let Ok(own) = std::env::current_exe() {
        // The page tests start `up` with it instead of going through cargo.
        command.env("ACCEPTED_XTASK", own);
    }
    command.env("ACCEPTED_HOST", host.name()).env("ACCEPTED_NO_BUILD", "1")
}

/// This program, with other arguments.
fn xtask(arguments: &[&str], host: HostKind) -> Result<()> {
    let own = std::env::current_exe().context("cannot tell where this program is")?;
    say(&format!("cargo xtask {}", arguments.join(" ")));
    succeed(use_what_is_built(command(&own.to_string_lossy()).args(arguments), host))
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
