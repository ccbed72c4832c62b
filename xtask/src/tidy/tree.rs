//! The files and packages that the rules check.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::command::{cargo, command, root};

/// The project's files and packages.
#[derive(Debug, Default)]
pub(super) struct Tree {
    /// Paths with `/`, relative to the workspace, and contents; `None` for what is not text.
    pub files: BTreeMap<String, Option<String>>,
    /// Packages of the workspace by name.
    pub packages: BTreeMap<String, Package>,
}

/// What a rule may ask about a package.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Package {
    /// The `license` field.
    pub licence: Option<String>,
    /// Names in `[dependencies]`.
    pub normal: BTreeSet<String>,
    /// Names in `[dev-dependencies]` and `[build-dependencies]`.
    pub other: BTreeSet<String>,
    /// Crate types of its library.
    pub crate_types: BTreeSet<String>,
}

impl Tree {
    /// Reads the files that git has or would take, and cargo's metadata.
    ///
    /// # Errors
    /// When git or cargo cannot be asked.
    pub(super) fn read() -> Result<Self> {
        let mut git = command("git");
        git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
        let listing = git.output().context("cannot start git")?;
        if !listing.status.success() {
            bail!("tidy needs a git work tree: {}", String::from_utf8_lossy(&listing.stderr).trim());
        }
        let mut tree = Self::default();
        for path in String::from_utf8_lossy(&listing.stdout).split('\0').filter(|path| !path.is_empty()) {
            // Deleted, but not yet from the index.
            let Ok(bytes) = std::fs::read(root().join(path)) else { continue };
            tree.files.insert(path.to_owned(), String::from_utf8(bytes).ok());
        }
        let metadata = cargo()
            .args(["metadata", "--format-version", "1", "--no-deps"])
            .output()
            .context("cannot start cargo")?;
        if !metadata.status.success() {
            bail!("cargo metadata failed: {}", String::from_utf8_lossy(&metadata.stderr).trim());
        }
        tree.packages = packages(&serde_json::from_slice(&metadata.stdout)?);
        Ok(tree)
    }

    /// Paths and contents of the text files whose names end in one of `ends`.
    pub(super) fn text<'a>(&'a self, ends: &'a [&str]) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.files
            .iter()
            .filter(move |(path, _)| ends.iter().any(|end| path.ends_with(end)))
            .filter_map(|(path, text)| Some((path.as_str(), text.as_deref()?)))
    }

    /// As [`Tree::text`], without the files whose paths begin with one of `exceptions`, each with its reason.
    pub(super) fn text_except<'a>(
        &'a self,
        ends: &'a [&str],
        exceptions: &'a [(&str, &str)],
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.text(ends)
            .filter(move |(path, _)| !exceptions.iter().any(|(prefix, _)| path.starts_with(prefix)))
    }

    /// Whether there is a file or folder with this path.
    pub(super) fn has(&self, path: &str) -> bool {
        let folder = format!("{}/", path.trim_end_matches('/'));
        self.files.contains_key(path) || self.files.keys().any(|file| file.starts_with(&folder))
    }

    /// Whether the first part of a path is a folder of the project.
    pub(super) fn starts_in_a_folder(&self, path: &str) -> bool {
        path.split_once('/').is_some_and(|(first, _)| {
            let folder = format!("{first}/");
            self.files.keys().any(|file| file.starts_with(&folder))
        })
    }
}

/// Kinds of targets that are no library.
const PROGRAMS: [&str; 5] = ["bin", "bench", "custom-build", "example", "test"];

/// The parts of `cargo metadata --no-deps` that rules need.
fn packages(metadata: &Value) -> BTreeMap<String, Package> {
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(ToOwned::to_owned);
    let list =
        |value: &Value, name: &str| value.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let mut packages = BTreeMap::new();
    for package in list(metadata, "packages") {
        let mut found = Package { licence: text(&package, "license"), ..Package::default() };
        for dependency in list(&package, "dependencies") {
            let kind = text(&dependency, "kind");
            let set = if kind.is_none() { &mut found.normal } else { &mut found.other };
            set.extend(text(&dependency, "name"));
        }
        for target in list(&package, "targets") {
            // Programs, tests and build scripts have crate types as well.
            if list(&target, "kind").iter().any(|kind| PROGRAMS.iter().any(|program| kind == program)) {
                continue;
            }
            let types = list(&target, "crate_types");
            found.crate_types.extend(types.iter().filter_map(Value::as_str).map(ToOwned::to_owned));
        }
        packages.extend(text(&package, "name").map(|name| (name, found)));
    }
    packages
}

#[cfg(test)]
impl Tree {
    /// A tree of these files.
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        let files = files.iter().map(|(path, text)| ((*path).to_owned(), Some((*text).to_owned()))).collect();
        Self { files, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_read_from_metadata_of_cargo() {
        let metadata = serde_json::json!({"packages": [{
            "name": "a", "license": "Apache-2.0",
            "dependencies": [{"name": "b", "kind": null}, {"name": "c", "kind": "dev"}],
            "targets": [
                {"kind": ["cdylib"], "crate_types": ["cdylib"]},
                {"kind": ["custom-build"], "crate_types": ["bin"]},
            ],
        }]});
        let package = packages(&metadata).remove("a").unwrap();
        assert_eq!(package.licence.as_deref(), Some("Apache-2.0"));
        assert!(package.normal.contains("b") && package.other.contains("c"));
        assert!(package.crate_types.iter().eq(["cdylib"]));
    }
}
