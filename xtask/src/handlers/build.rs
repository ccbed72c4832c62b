//! Building handlers, each with the commands that its entry in the manifest has.

use std::path::Path;

use anyhow::{Context as _, Result};

use super::fresh::Record;
use super::manifest::{self, Build};
use crate::command::{cargo_free, say, succeed};

/// Builds the handlers of a manifest in `folder`. One that has not changed since it was built is left as it is.
///
/// # Errors
/// When a command fails.
pub fn handlers(folder: &Path, manifest: &str) -> Result<()> {
    manifest::builds(manifest)?.iter().try_for_each(|build| handler(folder, build))
}

/// Builds one handler of the manifest in `folder`, if it has changed since it was built.
///
/// # Errors
/// When a command fails.
pub(super) fn handler(folder: &Path, build: &Build) -> Result<()> {
    let record = Record::before(folder, build)?;
    if record.as_ref().is_some_and(Record::is_fresh) {
        say(&format!("the handler {} has not changed since it was built", build.id));
        return Ok(());
    }
    say(&format!("building the handler {}", build.id));
    for line in &build.commands {
        // As `spin build` runs them.
        let mut shell = cargo_free("sh");
        shell.args(["-c", line]).current_dir(folder.join(&build.folder));
        succeed(&mut shell).with_context(|| format!("the handler {} cannot be built", build.id))?;
    }
    record.map_or(Ok(()), Record::after)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A handler whose output has one line for each build. Like `npm install`, its build also writes a lock file.
    const BUILD: &str = "echo built >> handler.wasm; touch package-lock.json";

    fn manifest(command: &str) -> String {
        format!(
            "[component.one]\nsource = \"adapter.wasm\"\n[component.one.dependencies]\n\"a:b/c\" = {{ path = \
             \"handlers/one/handler.wasm\" }}\n[component.one.build]\ncommand = \"{command}\"\nworkdir = \"handlers/one\"\n"
        )
    }

    #[test]
    fn handler_is_built_again_only_after_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join("handlers/one");
        let (output, wit) = (own.join("handler.wasm"), folder.path().join("wit"));
        for path in [own.join("lib"), own.join("node_modules/x"), wit.clone()] {
            fs::create_dir_all(path).unwrap();
        }
        fs::write(folder.path().join("adapter.wasm"), "").unwrap();
        fs::write(own.join("app.py"), "1").unwrap();
        let builds_after = |command: &str| {
            handlers(folder.path(), &manifest(command)).unwrap();
            fs::read_to_string(&output).unwrap().lines().count()
        };
        assert_eq!((builds_after(BUILD), builds_after(BUILD)), (1, 1));
        // Same bytes, other time: as after a checkout.
        fs::write(own.join("app.py"), "1").unwrap();
        fs::write(own.join("node_modules/x/installed.js"), "").unwrap();
        assert_eq!(builds_after(BUILD), 1);
        for (changes, changed) in [
            own.join("app.py"),
            own.join("lib/deep.py"),
            own.join("requirements.txt"),
            own.join("package-lock.json"),
            wit.join("handler.wit"),
        ]
        .into_iter()
        .enumerate()
        {
            fs::write(&changed, "changed").unwrap();
            let expected = changes + 2;
            let builds = (builds_after(BUILD), builds_after(BUILD));
            assert_eq!(builds, (expected, expected), "{}", changed.display());
        }
        assert_eq!(builds_after(&format!("{BUILD}; true")), 7, "another command");
        fs::remove_file(&output).unwrap();
        assert_eq!(builds_after(&format!("{BUILD}; true")), 1, "without its output");
    }

    #[test]
    fn file_that_was_edited_during_the_build_is_built_again() {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join("handlers/one");
        fs::create_dir_all(&own).unwrap();
        fs::write(folder.path().join("adapter.wasm"), "").unwrap();
        fs::write(own.join("app.py"), "").unwrap();
        let build = manifest("echo built >> handler.wasm; echo edit > app.py");
        for expected in [1, 2, 2] {
            handlers(folder.path(), &build).unwrap();
            assert_eq!(fs::read_to_string(own.join("handler.wasm")).unwrap().lines().count(), expected);
        }
    }

    #[test]
    fn failed_build_is_repeated() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("handlers/one")).unwrap();
        for _ in 0..2 {
            let error = handlers(folder.path(), &manifest("touch handler.wasm; false")).unwrap_err();
            assert!(error.to_string().contains("the handler one cannot be built"), "{error}");
        }
    }
}
