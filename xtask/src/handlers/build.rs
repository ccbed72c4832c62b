//! Building handlers, each with the commands that its entry in the manifest has.

use std::path::Path;

use anyhow::{Context as _, Result};

use super::manifest;
use crate::command::{cargo_free, say, succeed};

/// Builds the handlers of a manifest in `folder`, or only one of them.
///
/// # Errors
/// When a command fails.
pub fn handlers(folder: &Path, manifest: &str, only: Option<&str>) -> Result<()> {
    for build in manifest::builds(manifest)? {
        if only.is_some_and(|name| name != build.id) {
            continue;
        }
        say(&format!("building the handler {}", build.id));
        for line in &build.commands {
            // As `spin build` runs them.
            let mut shell = cargo_free("sh");
            shell.args(["-c", line]).current_dir(folder.join(&build.folder));
            succeed(&mut shell).with_context(|| format!("the handler {} cannot be built", build.id))?;
        }
    }
    Ok(())
}
