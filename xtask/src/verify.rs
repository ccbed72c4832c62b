//! `cargo xtask verify`: what CI runs.

use anyhow::Result;

use crate::artefacts::ONLY_WASM;
use crate::command::{cargo, say, succeed};
use crate::summary::Summary;
use crate::{test, tidy};

/// Runs every check and every test, and closes with the counts. A check counts as one.
///
/// # Errors
/// When anything failed.
pub(crate) fn run() -> Result<()> {
    let mut summary = Summary::default();
    say("format");
    summary.check("format", || succeed(cargo().args(["fmt", "--all", "--check"])));
    say("tidy");
    summary.check("tidy", tidy::run);
    say("clippy");
    summary.check("clippy", clippy);
    say("clippy for the components");
    summary.check("clippy for the components", clippy_of_components);
    say("documentation");
    summary.check("documentation", documentation);
    test::into(&mut summary);
    summary.close()
}

fn clippy() -> Result<()> {
    let mut clippy = cargo();
    clippy.args(["clippy", "--workspace", "--all-targets"]);
    for component in ONLY_WASM {
        clippy.args(["--exclude", component]);
    }
    clippy.args(test::FEATURES);
    succeed(clippy.args(["--", "--deny", "warnings"]))
}

/// The default members only: documenting the host would check wasmtime with other features again.
fn documentation() -> Result<()> {
    let mut doc = cargo();
    doc.env("RUSTDOCFLAGS", "--deny warnings");
    succeed(doc.args(["doc", "--no-deps", "--document-private-items"]))
}

fn clippy_of_components() -> Result<()> {
    let mut clippy = cargo();
    clippy.args(["clippy", "--target", "wasm32-wasip2"]);
    for component in ONLY_WASM.iter().copied().chain(["guest"]) {
        clippy.args(["--package", component]);
    }
    succeed(clippy.args(["--", "--deny", "warnings"]))
}
