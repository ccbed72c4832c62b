//! The examples in `handlers/`.
//!
//! They are not in `spin.toml`: the application is built without npm and pip. Each has its entries in a file of its own.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context as _, Result};

use super::build::handler;
use super::manifest::{builds, with_handler};
use crate::command::root;

/// Where the manifest with the examples is written: beside `spin.toml`, from where its paths start.
const MANIFEST: &str = ".spin-handlers.toml";

/// The manifest of the application with every example.
///
/// # Errors
/// When a file cannot be read, or the entries do not fit.
pub(crate) fn text() -> Result<String> {
    let folder = root().join("handlers");
    let mut entries = BTreeMap::new();
    for folder in std::fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let folder = folder?;
        // A handler without this file is in spin.toml.
        if let Ok(text) = std::fs::read_to_string(folder.path().join("spin.toml")) {
            entries.insert(folder.file_name().to_string_lossy().into_owned(), text);
        }
    }
    let manifest = std::fs::read_to_string(root().join("spin.toml")).context("cannot read spin.toml")?;
    entries.iter().try_fold(manifest, |manifest, (name, entries)| with_handler(&manifest, entries, name))
}

/// Builds the examples, but not the handlers that are in `spin.toml`.
///
/// # Errors
/// When a file cannot be read, or a command fails.
pub(crate) fn build() -> Result<()> {
    let own = std::fs::read_to_string(root().join("spin.toml")).context("cannot read spin.toml")?;
    let own = builds(&own)?;
    let examples = builds(&text()?)?.into_iter().filter(|build| !own.contains(build));
    examples.into_iter().try_for_each(|example| handler(&root(), &example))
}

/// Writes a manifest and says where it is.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn write(text: &str) -> Result<PathBuf> {
    let path = root().join(MANIFEST);
    std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_is_a_component_of_the_name_of_its_folder() {
        let text = text().unwrap();
        for name in ["javascript", "python", "rust-http", "rust-typed"] {
            assert!(text.contains(&format!("[component.{name}]")), "{name}");
        }
    }
}
