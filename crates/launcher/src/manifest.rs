//! What the manifest of the host says about handlers.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::PathBuf;

use toml::{Table, Value};

/// The parts of a `spin.toml` that the launcher compares with its variables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manifest {
    /// The components that requests can reach: those with an HTTP trigger, private or not.
    pub reachable: BTreeSet<String>,
    /// The defaults of the variables.
    pub defaults: BTreeMap<String, String>,
}

impl Manifest {
    /// Parses the text of a manifest; `None` if it is not one. The host then says what is wrong with it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let manifest: Table = text.parse().ok()?;
        let declared = manifest.get("component")?.as_table()?;
        let triggers = manifest.get("trigger")?.get("http")?.as_array()?;
        let reachable = triggers
            .iter()
            .filter_map(|trigger| trigger.get("component")?.as_str())
            .filter(|id| declared.contains_key(*id))
            .map(str::to_owned);
        let default = |(name, variable): (&String, &Value)| {
            Some((name.clone(), variable.get("default")?.as_str()?.to_owned()))
        };
        let variables = manifest.get("variables").and_then(Value::as_table);
        let defaults = variables.map(|variables| variables.iter().filter_map(default).collect());
        Some(Self { reachable: reachable.collect(), defaults: defaults.unwrap_or_default() })
    }

    /// Reads the manifest that a host command names. `None` without a readable one, for example if the application comes
    /// from a registry.
    #[must_use]
    pub fn of_command(command: &[OsString]) -> Option<Self> {
        let path = path_of(command)?;
        let path = if path.is_dir() { path.join("spin.toml") } else { path };
        Self::parse(&std::fs::read_to_string(path).ok()?)
    }
}

/// The value of `--from`, under any of its names.
fn path_of(command: &[OsString]) -> Option<PathBuf> {
    let mut words = command.iter();
    while let Some(word) = words.next() {
        let word = word.to_str()?;
        match word.split_once('=') {
            _ if matches!(word, "-f" | "--from" | "--from-file" | "--file") => {
                return words.next().map(PathBuf::from);
            }
            Some(("--from" | "--from-file" | "--file", path)) => return Some(PathBuf::from(path)),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reachable_components_are_those_with_a_trigger() {
        let manifest = Manifest::parse(
            r#"
            spin_manifest_version = 2
            [variables]
            task_handlers = { default = '{"resize":"resize"}' }
            secret = { required = true }
            [[trigger.http]]
            route = { private = true }
            component = "resize"
            [[trigger.http]]
            route = "/x"
            component = "undeclared"
            [component.resize]
            source = "resize.wasm"
            [component.idle]
            source = "idle.wasm"
            "#,
        )
        .unwrap();
        assert_eq!(manifest.reachable, BTreeSet::from(["resize".to_owned()]));
        let default = ("task_handlers".to_owned(), r#"{"resize":"resize"}"#.to_owned());
        assert_eq!(manifest.defaults, BTreeMap::from([default]));
        assert_eq!(Manifest::parse("what?"), None);
    }

    #[test]
    fn manifest_is_found_under_every_name_of_the_option() {
        let path = |words: &str| path_of(&words.split(' ').map(OsString::from).collect::<Vec<_>>());
        for words in
            ["spin up --from a.toml", "spin up -f a.toml --quiet", "spin up --from=a.toml", "x --file a.toml"]
        {
            assert_eq!(path(words), Some(PathBuf::from("a.toml")), "{words}");
        }
        assert_eq!(path("spin up --from-registry a"), None);
    }
}
