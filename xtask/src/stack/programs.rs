//! The programs of a stack.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::options::HostKind;
use crate::artefacts::{components, test_handler, test_handler_file};
use crate::command::{cargo, say};

/// The programs of the workspace that `up` starts.
#[derive(Debug, Default)]
pub struct Programs {
    /// Paths by name.
    pub paths: BTreeMap<String, PathBuf>,
}

impl Programs {
    /// Compiles programs, named by package and program.
    ///
    /// # Errors
    /// When the compiler finds fault.
    pub fn build(programs: &[(&str, &str)], features: &[&str]) -> Result<Self> {
        let names: Vec<&str> = programs.iter().map(|(_, name)| *name).collect();
        say(&format!("building {}", names.join(", ")));
        let mut build = cargo();
        // The guest's library is not needed here. Named all the same, because its dependencies ask for features
        // that `cargo xtask test` has, and with other features cargo would compile wasmtime once for each.
        build.args(["build", "--message-format", "json-render-diagnostics", "--package", "guest", "--lib"]);
        for (package, name) in programs {
            build.args(["--package", package, "--bin", name]);
        }
        build.args(features);
        let output = build.stderr(Stdio::inherit()).output().context("cannot start cargo")?;
        if !output.status.success() {
            bail!("building {} failed", names.join(", "));
        }
        let paths = executables(&String::from_utf8_lossy(&output.stdout));
        Ok(Self { paths })
    }

    /// Programs that were compiled before, beside this one or, when this one is a test, in the folder above.
    ///
    /// # Errors
    /// When one is missing.
    pub fn built_before(names: &[&str]) -> Result<Self> {
        let own = std::env::current_exe().context("cannot tell where the programs are")?;
        let folder = own.ancestors().skip(1).find(|folder| !folder.ends_with("deps"));
        let folder = folder.context("this program is in no folder")?;
        let mut programs = Self::default();
        for name in names {
            let path = folder.join(name);
            if !path.is_file() {
                bail!(
                    "`{name}` is not built: run `cargo build --package {name}`, or leave ACCEPTED_NO_BUILD unset"
                );
            }
            programs.paths.insert((*name).to_owned(), path);
        }
        Ok(programs)
    }

    /// Where a program is.
    ///
    /// # Errors
    /// When it was not built.
    pub fn get(&self, name: &str) -> Result<&PathBuf> {
        self.paths.get(name).with_context(|| format!("cargo did not say where it put `{name}`"))
    }
}

/// Reads names and paths of executables from cargo's messages.
fn executables(messages: &str) -> BTreeMap<String, PathBuf> {
    let artefacts = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    artefacts
        .filter_map(|message| {
            let path = message.get("executable")?.as_str()?;
            let name = message.get("target")?.get("name")?.as_str()?;
            Some((name.to_owned(), PathBuf::from(path)))
        })
        .collect()
}

/// Whether `ACCEPTED_NO_BUILD` asks for what was built before.
pub(crate) fn is_built_before() -> bool {
    std::env::var_os("ACCEPTED_NO_BUILD").is_some_and(|value| !value.is_empty())
}

/// Compiles the components and the programs around them, or finds what was compiled before.
///
/// # Errors
/// When the compiler finds fault, or there is nothing to find.
pub fn prepare(kind: HostKind, fake_storage: bool, host_binary: Option<&Path>) -> Result<Programs> {
    let own_host = kind == HostKind::Embedded && host_binary.is_none();
    let mut names = vec!["launcher"];
    if fake_storage {
        names.push("fake-azure");
    }
    if own_host {
        names.push("host");
    }
    let mut programs = if is_built_before() {
        Programs::built_before(&names)?
    } else {
        components()?;
        if own_host {
            say("building the host compiles wasmtime: the first time this takes some minutes");
        }
        Programs::build(&names.iter().map(|name| (*name, *name)).collect::<Vec<_>>(), &[])?
    };
    if let Some(path) = host_binary {
        programs.paths.insert("host".to_owned(), path.to_owned());
    }
    Ok(programs)
}

/// Compiles the handler of the end-to-end tests, or finds what was compiled before; its component.
///
/// # Errors
/// When the compiler finds fault, or there is nothing to find.
pub fn prepare_test_handler() -> Result<PathBuf> {
    if !is_built_before() {
        test_handler()?;
    }
    let path = test_handler_file();
    if !path.is_file() {
        bail!("the handler of the tests is not built: leave ACCEPTED_NO_BUILD unset");
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executables_are_found_in_messages_of_cargo() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"lib"},"executable":null}
{"reason":"compiler-artifact","target":{"name":"launcher"},"executable":"/x/launcher"}
{"reason":"build-finished","success":true}
not json"#;
        let found = executables(messages);
        assert_eq!(found, BTreeMap::from([("launcher".to_owned(), PathBuf::from("/x/launcher"))]));
    }
}
