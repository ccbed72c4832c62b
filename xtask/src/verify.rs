//! `cargo xtask verify`: what CI runs.

use anyhow::Result;

use crate::artefacts::COMPONENTS;
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
    test::into(&mut summary);
    summary.close()
}

fn clippy() -> Result<()> {
    let mut clippy = cargo();
    clippy.args(["clippy", "--workspace", "--all-targets"]);
    for component in COMPONENTS {
        clippy.args(["--exclude", component]);
    }
    clippy.args(test::FEATURES);
    succeed(clippy.args(["--", "--deny", "warnings"]))
}

fn clippy_of_components() -> Result<()> {
    let mut clippy = cargo();
    clippy.args(["clippy", "--target", "wasm32-wasip2"]);
    for component in COMPONENTS.iter().copied().chain(["guest"]) {
        clippy.args(["--package", component]);
    }
    succeed(clippy.args(["--", "--deny", "warnings"]))
}
