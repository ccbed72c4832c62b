//! Runs other programs, cargo above all, and prints their command lines.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

/// The folder of the workspace.
pub fn root() -> PathBuf {
    // Cargo sets it for what it runs; the compiled-in value serves a binary that was started by hand.
    let own = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    own.parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// A program that runs in the workspace's folder.
pub(crate) fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root()).stdin(Stdio::null());
    command
}

/// Cargo: the one that runs this program, so that a chosen toolchain stays chosen.
pub(crate) fn cargo() -> Command {
    cargo_free(&std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()))
}

/// A program without what cargo sets for this one. Inherited, it would make every build script that looks at it run again.
pub(crate) fn cargo_free(program: &str) -> Command {
    let mut free = command(program);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text == "CARGO_MANIFEST_DIR" || text == "CARGO_MANIFEST_PATH" {
            free.env_remove(name);
        }
    }
    free
}

/// Whether a program can be started at all.
pub(crate) fn is_installed(program: &str) -> bool {
    first_line(program, &["--version"]).is_some()
}

/// The first line that a program writes, when it starts and succeeds.
pub(crate) fn first_line(program: &str, arguments: &[&str]) -> Option<String> {
    let output = command(program).args(arguments).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.lines().next().unwrap_or_default().to_owned())
}

/// Announces a step.
pub(crate) fn say(text: &str) {
    eprintln!("\n── {text}");
}

/// Runs a program to its end.
///
/// # Errors
/// When it cannot be started or does not succeed.
pub(crate) fn succeed(command: &mut Command) -> Result<()> {
    let shown = shown(command);
    let status = command.status().with_context(|| format!("cannot start `{shown}`"))?;
    if !status.success() {
        bail!("`{shown}` failed ({status})");
    }
    Ok(())
}

/// The command line as one would type it.
pub(crate) fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}
