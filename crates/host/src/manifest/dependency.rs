//! `[component.ID.dependencies]`: components that supply imports of another one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::{Table, Value};

/// A component that supplies imports of another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    /// Which imports: `package`, `package/interface` or either with `@version`, or the plain name of one import.
    pub name: String,
    /// The `.wasm` file.
    pub source: PathBuf,
    /// The export that supplies them; else the one with the name of the import.
    pub export: Option<String>,
    /// What it may use of the component's configuration.
    pub inherits: Inherited,
}

/// The configuration of a component that its dependency may use too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inherited {
    /// Everything.
    All,
    /// These keys of the manifest.
    Only(BTreeSet<String>),
}

impl Inherited {
    /// Whether a key of the manifest is among them.
    #[must_use]
    pub fn includes(&self, key: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(keys) => keys.contains(key),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    path: Option<String>,
    component: Option<String>,
    export: Option<String>,
    inherit_configuration: Option<Inherit>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Inherit {
    All(bool),
    Only(BTreeSet<String>),
}

/// Ids of the components of the application that the table names as dependencies.
pub(super) fn components_named(dependencies: &Table) -> impl Iterator<Item = &str> {
    dependencies.values().filter_map(|value| value.get("component")?.as_str())
}

/// Reads the table. `sources` are the files of the application's components. `inherit_all` is the key
/// `dependencies_inherit_configuration`.
///
/// # Errors
/// A sentence that says what to change.
pub(super) fn read(
    dependencies: Table,
    inherit_all: Option<bool>,
    folder: &Path,
    sources: &BTreeMap<String, String>,
) -> Result<Vec<Dependency>, String> {
    let read = |(name, value): (String, Value)| {
        let refuse = |reason: &str| format!("the dependency {name:?} {reason}");
        let Value::Table(_) = value else {
            return Err(refuse("is not supported: this host has no registry, give a path or a component"));
        };
        let written = Written::deserialize(value).map_err(|error| refuse(error.to_string().trim()))?;
        let source = match (written.path, written.component) {
            (Some(path), None) => folder.join(path),
            (None, Some(id)) => match sources.get(&id) {
                Some(source) => folder.join(source),
                None => return Err(refuse(&format!("is the component {id:?}, which is not there"))),
            },
            _ => return Err(refuse("needs either a path or a component")),
        };
        let inherits = match (written.inherit_configuration, inherit_all) {
            (Some(_), Some(_)) => {
                return Err(refuse("and the component both say what is inherited"));
            }
            (Some(Inherit::All(true)), None) | (None, Some(true)) => Inherited::All,
            (Some(Inherit::Only(keys)), None) => Inherited::Only(keys),
            (Some(Inherit::All(false)) | None, None) | (None, Some(false)) => {
                Inherited::Only(BTreeSet::new())
            }
        };
        Ok(Dependency { source, export: written.export, inherits, name })
    };
    dependencies.into_iter().map(read).collect()
}
