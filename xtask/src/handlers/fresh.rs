//! Whether a handler has changed since it was built.
//!
//! componentize-py and componentize-qjs build everything each time, in seconds to tens of seconds, and no two of their
//! components have the same bytes, so the host has to compile each of them to machine code again.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hasher as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::manifest::Build;

/// Where the records are, relative to the manifest.
const RECORDS: &str = "target/handlers";
/// The interfaces of the examples, relative to the manifest.
const INTERFACES: &str = "wit";
/// How the examples name it from their own folders.
const INTERFACES_OF_EXAMPLES: &str = "../../wit";
/// Folders of what tools install and build; hidden folders are left out as well.
const INSTALLED: [&str; 3] = ["node_modules", "target", "__pycache__"];

/// Hashes of the contents of files.
type Files = BTreeMap<PathBuf, u64>;

/// What a handler is built from.
pub(super) struct Record<'a> {
    folder: &'a Path,
    build: &'a Build,
    files: Files,
}

impl<'a> Record<'a> {
    /// Reads the files of the handler. `None` if its commands have to be run each time: cargo finds out by itself what has
    /// changed, and files outside the handler's folder are not known here.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub(super) fn before(folder: &'a Path, build: &'a Build) -> Result<Option<Self>> {
        if !has_all_in_its_folder(build) {
            return Ok(None);
        }
        Ok(Some(Self { folder, build, files: files(folder, build)? }))
    }

    /// Returns whether the last build was of the same files with the same commands, and what it made is there.
    pub(super) fn is_fresh(&self) -> bool {
        self.outputs().all(|path| path.is_file())
            && std::fs::read_to_string(self.path()).is_ok_and(|text| text == self.text(&self.files))
    }

    /// Keeps the record of a build that has just ended. A file that was edited in the meantime counts as it was before.
    ///
    /// # Errors
    /// When a file cannot be read, or the record cannot be written.
    pub(super) fn after(self) -> Result<()> {
        let mut built = files(self.folder, self.build)?;
        for (path, hash) in &self.files {
            if let Entry::Occupied(mut file) = built.entry(path.clone())
                && self.outputs().all(|output| output != *path)
            {
                file.insert(*hash);
            }
        }
        let path = self.path();
        let write = || {
            std::fs::create_dir_all(self.folder.join(RECORDS))?;
            std::fs::write(&path, self.text(&built))
        };
        write().with_context(|| format!("cannot write {}", path.display()))
    }

    fn path(&self) -> PathBuf {
        self.folder.join(RECORDS).join(&self.build.id)
    }

    fn outputs(&self) -> impl Iterator<Item = PathBuf> {
        self.build.outputs.iter().map(|path| self.folder.join(path))
    }

    fn text(&self, files: &Files) -> String {
        let mut text = format!("{:?}\n", self.build);
        for (path, hash) in files {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{hash:016x} {}", path.display());
        }
        text
    }
}

fn has_all_in_its_folder(build: &Build) -> bool {
    let mut lines = build.commands.iter().chain(&build.watch);
    build.folder != "."
        && lines.all(|line| {
            !line.starts_with("cargo ") && !line.replace(INTERFACES_OF_EXAMPLES, "").contains("../")
        })
}

fn files(folder: &Path, build: &Build) -> Result<Files> {
    let mut files = Files::new();
    let mut folders = vec![folder.join(&build.folder), folder.join(INTERFACES)];
    while let Some(folder) = folders.pop() {
        // A folder that is missing has no files; the build says what it misses.
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries {
            let entry = entry.with_context(|| format!("cannot list {}", folder.display()))?;
            let (name, path) = (entry.file_name(), entry.path());
            let name = name.to_string_lossy();
            let kind = entry.file_type().with_context(|| format!("cannot read {}", path.display()))?;
            if kind.is_dir() && !name.starts_with('.') && !INSTALLED.contains(&&*name) {
                folders.push(path);
            } else if path.is_file() {
                let content =
                    std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
                let mut hasher = DefaultHasher::new();
                hasher.write(&content);
                files.insert(path, hasher.finish());
            }
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn build_that_reads_files_elsewhere_is_always_run() {
        for (command, watch, folder, expected) in [
            ("npm run build", "*.js", "handlers/a", true),
            ("tool --wit-path ../../wit", "*.py", "handlers/a", true),
            ("tool --path ../lib", "*.py", "handlers/a", false),
            ("tool", "../lib/*.py", "handlers/a", false),
            ("cargo build --release", "src/**/*.rs", "handlers/a", false),
            ("tool", "*.py", ".", false),
        ] {
            let build = Build {
                id: "a".to_owned(),
                commands: vec![command.to_owned()],
                folder: folder.to_owned(),
                watch: vec![watch.to_owned()],
                outputs: Vec::new(),
            };
            assert_eq!(has_all_in_its_folder(&build), expected, "{command}, {watch}, {folder}");
        }
    }
}
