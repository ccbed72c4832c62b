//! `spin.toml`, read strictly: a manifest that is accepted here runs on Spin.

mod dependency;
mod document;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Value;

use crate::route::{Route, Router};
use crate::template::Template;
use crate::variables::{Declaration, check_declared_name};

pub use dependency::{Dependency, Inherited};

/// Why a manifest is refused.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Unreadable {
        /// The manifest.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file says something that this host, or Spin, does not understand.
    #[error("{path}: {sentence}")]
    Refused {
        /// The manifest.
        path: PathBuf,
        /// What is wrong and what to do.
        sentence: String,
    },
}

/// A manifest that this host can honour.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// The folder that relative paths start from.
    pub folder: PathBuf,
    /// `application.name`.
    pub name: String,
    /// `[variables]`.
    pub variables: BTreeMap<String, Declaration>,
    /// Public routes.
    pub router: Router,
    /// Every component that a trigger names, by id.
    pub components: BTreeMap<String, Component>,
}

/// One component.
#[derive(Debug, Clone)]
pub struct Component {
    /// The `.wasm` file.
    pub source: PathBuf,
    /// Not interpreted.
    pub description: String,
    /// Destinations, each perhaps with variables in it.
    pub allowed_outbound_hosts: Vec<Template>,
    /// The variables of the component, by name.
    pub variables: BTreeMap<String, Template>,
    /// Its environment.
    pub environment: BTreeMap<String, String>,
    /// Folders it may read.
    pub files: Vec<Mount>,
    /// Components that supply its imports, by the name as it is written.
    pub dependencies: Vec<Dependency>,
}

/// A folder that a component may read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// The folder on this machine.
    pub source: PathBuf,
    /// Where the component sees it.
    pub destination: String,
}

impl Manifest {
    /// Reads the manifest at `path`.
    ///
    /// # Errors
    /// [`ManifestError`] with a sentence that says what to change.
    pub fn read(path: &Path) -> Result<Self, ManifestError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ManifestError::Unreadable { path: path.to_owned(), source })?;
        let folder = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        Self::parse(&text, folder)
            .map_err(|sentence| ManifestError::Refused { path: path.to_owned(), sentence })
    }

    /// Reads the text of a manifest whose relative paths start from `folder`.
    ///
    /// # Errors
    /// A sentence that says what to change.
    pub fn parse(text: &str, folder: PathBuf) -> Result<Self, String> {
        let document: document::Document = toml::from_str(text).map_err(|error| error.to_string())?;
        if document.spin_manifest_version != 2 {
            return Err("spin_manifest_version must be 2".to_owned());
        }
        let mut variables = BTreeMap::new();
        for (name, variable) in document.variables {
            check_declared_name(&name)?;
            if variable.required == variable.default.is_some() {
                return Err(format!("the variable {name:?} needs either a default or required = true"));
            }
            variables.insert(name, Declaration { default: variable.default, secret: variable.secret });
        }
        let mut written = document.component;
        let mut routes = Vec::new();
        let mut named = Vec::new();
        for (kind, triggers) in document.trigger {
            if kind != "http" {
                return Err(format!("[[trigger.{kind}]] is not supported: this host serves only http"));
            }
            for (index, trigger) in triggers.into_iter().enumerate() {
                let (id, route) = read_trigger(index, trigger, &mut written)?;
                routes.extend(route.map(|route| (route, id.clone())));
                named.push(id);
            }
        }
        let supplying = |id: &str| {
            let tables = written.values().map(|component| &component.dependencies);
            tables.flat_map(dependency::components_named).any(|named| named == id)
        };
        if let Some(id) = written.keys().find(|id| !named.contains(id) && !supplying(id)) {
            return Err(format!("no trigger names the component {id:?}"));
        }
        let sources: BTreeMap<String, String> = written
            .iter()
            .filter_map(|(id, component)| Some((id.clone(), component.source.as_str()?.to_owned())))
            .collect();
        // What only supplies imports runs as a part of other components.
        written.retain(|id, _| named.contains(id));
        let mut components = BTreeMap::new();
        for (id, component) in written {
            let component = read_component(component, &folder, &variables, &sources)
                .map_err(|reason| format!("component {id:?}: {reason}"))?;
            components.insert(id, component);
        }
        Ok(Self {
            folder,
            name: document.application.name,
            variables,
            router: Router::new(routes)?,
            components,
        })
    }
}

fn read_trigger(
    index: usize,
    value: Value,
    components: &mut BTreeMap<String, document::Component>,
) -> Result<(String, Option<Route>), String> {
    let number = index + 1;
    let trigger = document::HttpTrigger::deserialize(value)
        .map_err(|error| format!("[[trigger.http]] number {number}: {}", error.to_string().trim()))?;
    let place = format!("[[trigger.http]] number {number}");
    if trigger.static_response.is_some() {
        return Err(format!("{place}: static_response is not supported by this host"));
    }
    if trigger.components.is_some() {
        return Err(format!("{place}: components is not supported by this host"));
    }
    if let Some(executor) = trigger.executor
        && !matches!(executor.kind.as_str(), "http" | "spin")
    {
        return Err(format!("{place}: the executor {:?} is not supported by this host", executor.kind));
    }
    let id = match trigger.component {
        None => return Err(format!("{place} names no component")),
        Some(document::ComponentReference::Name(name)) if components.contains_key(&name) => name,
        Some(document::ComponentReference::Name(name)) => {
            return Err(format!("{place} names the component {name:?}, which is not there"));
        }
        Some(document::ComponentReference::Inline(component)) => {
            let id = match trigger.id {
                Some(id) => format!("{id}-component"),
                None => format!("http-trigger-{number}-component"),
            };
            if components.insert(id.clone(), *component).is_some() {
                return Err(format!("{place}: there are two components called {id:?}"));
            }
            id
        }
    };
    let route = match trigger.route {
        document::TriggerRoute::Public(raw) => {
            Some(Route::parse(&raw).map_err(|reason| format!("{place}: {reason}"))?)
        }
        document::TriggerRoute::Private(route) if route.private => None,
        document::TriggerRoute::Private(_) => {
            return Err(format!("{place}: a route is a text or {{ private = true }}"));
        }
    };
    Ok((id, route))
}

fn read_component(
    component: document::Component,
    folder: &Path,
    declared: &BTreeMap<String, Declaration>,
    sources: &BTreeMap<String, String>,
) -> Result<Component, String> {
    if let Some((key, reason)) = component.unsupported() {
        return Err(format!("{key} is not supported: {reason}"));
    }
    let Value::String(source) = component.source else {
        return Err("only a file is supported as source".to_owned());
    };
    let template = |text: &str| {
        let template = Template::parse(text).map_err(|error| error.to_string())?;
        if let Some(name) = template.variables().find(|name| !declared.contains_key(*name)) {
            return Err(format!("{text:?} uses the variable {name:?}, which is not in [variables]"));
        }
        Ok(template)
    };
    let mut variables = BTreeMap::new();
    for (name, text) in &component.variables {
        check_declared_name(name)?;
        variables.insert(name.clone(), template(text)?);
    }
    let allowed_outbound_hosts =
        component.allowed_outbound_hosts.iter().map(|text| template(text)).collect::<Result<_, _>>()?;
    let files = component.files.iter().map(|file| read_mount(file, folder)).collect::<Result<_, _>>()?;
    let inherit_all = component.dependencies_inherit_configuration;
    let dependencies = dependency::read(component.dependencies, inherit_all, folder, sources)?;
    Ok(Component {
        source: folder.join(source),
        description: component.description,
        allowed_outbound_hosts,
        variables,
        environment: component.environment,
        files,
        dependencies,
    })
}

fn read_mount(value: &Value, folder: &Path) -> Result<Mount, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Written {
        source: String,
        destination: String,
    }
    if value.is_str() {
        return Err(format!(
            "the file pattern {value} is not supported: write {{ source = \"folder\", destination = \"/\" }}"
        ));
    }
    let written = Written::deserialize(value.clone())
        .map_err(|error| format!("files: {}", error.to_string().trim()))?;
    if !written.destination.starts_with('/') {
        return Err(format!("files: the destination {:?} must begin with /", written.destination));
    }
    Ok(Mount { source: folder.join(written.source), destination: written.destination })
}

#[cfg(test)]
mod tests;
