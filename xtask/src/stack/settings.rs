//! Settings of the application outside the environment: the `.env` file beside `spin.toml`, and the defaults of the manifest.
//!
//! The hosts read `.env` themselves. The launcher does not, so it is handed what stands there: it derives the hosts that the
//! components may call from it.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, anyhow, bail};
use toml_edit::{DocumentMut, Item, TableLike};

use crate::command::root;

const PREFIX: &str = "SPIN_VARIABLE_";

/// The settings in `.env` of a folder; none if there is no such file.
///
/// # Errors
/// A sentence that names the place of an unreadable line; it never quotes a line.
pub(super) fn dotenv(folder: &Path) -> Result<BTreeMap<String, String>> {
    let path = folder.join(".env");
    match std::fs::read_to_string(&path) {
        Ok(text) => parse(&text).map_err(|reason| anyhow!("{}: {reason}", path.display())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(error) => bail!("{}: {error}", path.display()),
    }
}

/// Parses with the crate that Spin and `crates/host` parse with. Of two lines with one name the last counts.
fn parse(text: &str) -> Result<BTreeMap<String, String>, String> {
    let mut values = BTreeMap::new();
    let mut place = "the first line".to_owned();
    for line in dotenvy::from_read_iter(text.as_bytes()) {
        // The error itself quotes the line.
        let (name, value) = line.map_err(|_| format!("{place} is not NAME=value, quoted where needed"))?;
        place = format!("the line after {name}");
        if name.starts_with(PREFIX) {
            values.insert(name, value);
        }
    }
    Ok(values)
}

/// The value of a setting: of the environment, or of the file if the environment does not name it; `None` if it is empty.
pub(super) fn value(dotenv: &BTreeMap<String, String>, name: &str) -> Option<OsString> {
    let value = std::env::var_os(name).or_else(|| dotenv.get(name).map(OsString::from));
    value.filter(|value| !value.is_empty())
}

/// The settings of the file that count, because the environment does not name them.
pub(super) fn not_in_the_environment(mut dotenv: BTreeMap<String, String>) -> BTreeMap<String, String> {
    dotenv.retain(|name, _| std::env::var_os(name).is_none());
    dotenv
}

/// The names in the environment and the file that set no variable of the manifest: misspelled ones, as a rule.
///
/// # Errors
/// When the manifest cannot be read.
pub(super) fn undeclared(dotenv: &BTreeMap<String, String>, manifest: &Path) -> Result<Vec<String>> {
    let environment = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    Ok(undeclared_of(environment.chain(dotenv.keys().cloned()), &declared_in(manifest)?))
}

fn undeclared_of(given: impl Iterator<Item = String>, declared: &BTreeMap<String, String>) -> Vec<String> {
    let names: BTreeSet<_> =
        given.filter(|name| name.starts_with(PREFIX) && !declared.contains_key(name)).collect();
    names.into_iter().collect()
}

/// Keeps settings of the application, in the environment or in `.env`, from reaching a program.
pub fn forget_settings(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with(PREFIX) || text.starts_with("IDENTITY_") {
            command.env_remove(&name);
        }
    }
    // If one of them cannot be read, the host says so.
    if let (Ok(dotenv), Ok(declared)) = (dotenv(&root()), declared_in(&root().join("spin.toml"))) {
        command.envs(neutral(&dotenv, &declared));
    }
}

/// What takes the effect of `.env` away: the environment counts more, so each name in the file gets its default there. Hosts are
/// left out: one that may be called and is not changes nothing, and the launcher derives those that are called.
fn neutral(
    dotenv: &BTreeMap<String, String>,
    declared: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let names = dotenv.keys().filter(|name| !name.contains("_HOST"));
    names.filter_map(|name| Some((name.clone(), declared.get(name)?.clone()))).collect()
}

fn declared_in(manifest: &Path) -> Result<BTreeMap<String, String>> {
    let text =
        std::fs::read_to_string(manifest).with_context(|| format!("cannot read {}", manifest.display()))?;
    declared(&text)
}

/// The variables that a manifest declares, by the names that set them, with their defaults.
fn declared(manifest: &str) -> Result<BTreeMap<String, String>> {
    let manifest: DocumentMut = manifest.parse()?;
    let variables = manifest.get("variables").and_then(Item::as_table_like);
    let declared = variables.into_iter().flat_map(TableLike::iter).map(|(name, variable)| {
        let default = variable.get("default").and_then(Item::as_str).unwrap_or_default();
        (format!("{PREFIX}{}", name.to_ascii_uppercase()), default.to_owned())
    });
    Ok(declared.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "[variables]\nmax_concurrency = { default = \"32\" }\nevent_sink_host = { default = \"\" }\n\
                            [variables.api_auth]\ndefault = \"none\"\n";

    #[test]
    fn settings_of_the_file_are_read_and_other_names_left_out() {
        let folder = tempfile::tempdir().unwrap();
        assert!(dotenv(folder.path()).unwrap().is_empty());
        std::fs::write(folder.path().join(".env"), "OTHER=1\nSPIN_VARIABLE_A='{\"x\":\"y\"}' # note\n")
            .unwrap();
        let expected = [("SPIN_VARIABLE_A".to_owned(), "{\"x\":\"y\"}".to_owned())];
        assert_eq!(dotenv(folder.path()).unwrap(), BTreeMap::from(expected));
    }

    #[test]
    fn unreadable_line_is_refused_without_its_text() {
        let error = parse("SPIN_VARIABLE_A=1\ntwo secrets").unwrap_err();
        assert_eq!(error, "the line after SPIN_VARIABLE_A is not NAME=value, quoted where needed");
    }

    #[test]
    fn name_that_no_variable_has_is_found_once() {
        let declared = declared(MANIFEST).unwrap();
        let given = [
            "PATH",
            "SPIN_VARIABLE_MAX_CONCURENCY",
            "SPIN_VARIABLE_API_AUTH",
            "SPIN_VARIABLE_MAX_CONCURENCY",
        ];
        assert_eq!(
            undeclared_of(given.into_iter().map(str::to_owned), &declared),
            ["SPIN_VARIABLE_MAX_CONCURENCY"]
        );
    }

    #[test]
    fn file_has_no_effect_on_a_run_of_its_own() {
        let declared = declared(MANIFEST).unwrap();
        let file = parse(
            "SPIN_VARIABLE_API_AUTH=api-key\nSPIN_VARIABLE_EVENT_SINK_HOST=http://x\nSPIN_VARIABLE_TYPO=1\n",
        )
        .unwrap();
        let expected = [("SPIN_VARIABLE_API_AUTH".to_owned(), "none".to_owned())];
        assert_eq!(neutral(&file, &declared), BTreeMap::from(expected));
    }
}
