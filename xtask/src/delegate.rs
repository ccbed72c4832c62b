//! `cargo xtask bench` and `cargo xtask sim`: programs of other crates, built first.

use std::ffi::OsString;
use std::process::Stdio;

use anyhow::{Result, bail};

use crate::artefacts;
use crate::command::{cargo, command, root, succeed};
use crate::stack::programs::Programs;

/// Hands a command to the crate that implements it.
///
/// # Errors
/// When there is no such crate, or it fails.
pub(crate) fn run(name: &str, arguments: Vec<OsString>) -> Result<()> {
    let package = if name == "sim" { "simulation" } else { name };
    if !root().join("crates").join(package).join("Cargo.toml").is_file() {
        bail!("`cargo xtask {name}` runs crates/{package}, which is not part of this tree");
    }
    let mut program = if name == "sim" && !arguments.iter().any(|argument| argument == "--wasm") {
        // Millions of steps of our own code: the profile that was made for it.
        let mut run = cargo();
        run.args(["run", "--profile", "sim", "--package", package, "--"]);
        run
    } else {
        artefacts::components()?;
        let features: &[&str] = if name == "sim" { &["--features", "simulation/wasm"] } else { &[] };
        let programs = Programs::build(&[(package, name)], features)?;
        command(&programs.get(name)?.to_string_lossy())
    };
    succeed(program.args(arguments).stdin(Stdio::inherit()))
}
