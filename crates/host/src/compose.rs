//! Joins a component with its dependencies into one component, with the library that Spin uses and by Spin's rules.
//!
//! One difference: where a dependency does not inherit a part of the configuration, Spin replaces the interface by one that
//! traps. This host refuses to start if there is something to withhold; otherwise there is nothing to see.

use std::collections::BTreeMap;
use std::path::Path;

use wac_graph::types::Package;
use wac_graph::{CompositionGraph, EncodeOptions, NodeId};

use crate::manifest::{Component, Dependency};

/// Interfaces by which a dependency would use the configuration of the component, by the manifest's key. Sockets are
/// not among them: no component of this host has any.
const CONFIGURED: [(&str, &[&str]); 4] = [
    ("allowed_outbound_hosts", &["wasi:http/client", "wasi:http/outgoing-handler"]),
    ("environment", &["wasi:cli/environment"]),
    ("files", &["wasi:filesystem/preopens"]),
    ("variables", &["spin:variables/variables"]),
];

/// A component of the composition.
struct Member {
    instance: NodeId,
    imports: Vec<String>,
    exports: Vec<String>,
}

/// Joins `component` with its dependencies. `read` gives the bytes of a file.
///
/// # Errors
/// A sentence that says what to change.
pub(crate) fn compose(
    component: &Component,
    read: impl Fn(&Path) -> Result<Vec<u8>, String>,
) -> Result<Vec<u8>, String> {
    let source = read(&component.source)?;
    if component.dependencies.is_empty() {
        return Ok(source);
    }
    let mut graph = CompositionGraph::new();
    let main = add(&mut graph, "component", source)?;
    // By import, so that two dependencies for one are found.
    let mut suppliers: BTreeMap<&str, &str> = BTreeMap::new();
    for dependency in &component.dependencies {
        let name = dependency.name.as_str();
        let supplier = add(&mut graph, name, read(&dependency.source)?)?;
        check_inherited(component, dependency, &supplier.imports)?;
        let imports: Vec<&str> =
            main.imports.iter().map(String::as_str).filter(|import| supplies(name, import)).collect();
        if imports.is_empty() {
            return Err(format!("the dependency {name:?} matches no import of the component"));
        }
        for import in imports {
            if let Some(other) = suppliers.insert(import, name) {
                return Err(format!(
                    "the dependencies {other:?} and {name:?} both match the import {import:?}"
                ));
            }
            connect(&mut graph, &main, &supplier, import, dependency)?;
        }
    }
    for export in &main.exports {
        let value = graph.alias_instance_export(main.instance, export).map_err(|error| error.to_string())?;
        graph.export(value, export).map_err(|error| error.to_string())?;
    }
    graph
        .encode(EncodeOptions::default())
        .map_err(|error| format!("the dependencies cannot be joined: {error}"))
}

fn add(graph: &mut CompositionGraph, name: &str, source: Vec<u8>) -> Result<Member, String> {
    let package = Package::from_bytes(name, None, source, graph.types_mut())
        .map_err(|error| format!("{name:?} cannot be used: {error:#}"))?;
    let world = &graph.types()[package.ty()];
    let (imports, exports) =
        (world.imports.keys().cloned().collect(), world.exports.keys().cloned().collect());
    let package = graph.register_package(package).map_err(|error| error.to_string())?;
    Ok(Member { instance: graph.instantiate(package), imports, exports })
}

fn connect(
    graph: &mut CompositionGraph,
    main: &Member,
    supplier: &Member,
    import: &str,
    dependency: &Dependency,
) -> Result<(), String> {
    let name = &dependency.name;
    let export = dependency.export.as_deref().unwrap_or(import);
    if !supplier.exports.iter().any(|given| given == export) {
        let given = supplier.exports.join(", ");
        return Err(format!("the dependency {name:?} does not export {export:?}; it exports: {given}"));
    }
    let value = graph.alias_instance_export(supplier.instance, export).map_err(|error| error.to_string())?;
    graph
        .set_instantiation_argument(main.instance, import, value)
        .map_err(|error| format!("the dependency {name:?} does not fit the import {import:?}: {error}"))
}

/// Whether a dependency of this name supplies an import: a part that the name leaves out matches everything.
fn supplies(name: &str, import: &str) -> bool {
    if !name.contains([':', '/']) {
        return name == import;
    }
    let (name, version) = split_version(name);
    let (import, import_version) = split_version(import);
    let Some((package, _)) = import.split_once('/') else { return false };
    let is_named = if name.contains('/') { name == import } else { name == package };
    is_named && version.is_none_or(|version| import_version == Some(version))
}

fn split_version(name: &str) -> (&str, Option<&str>) {
    name.split_once('@').map_or((name, None), |(name, version)| (name, Some(version)))
}

/// Refuses a dependency that would see a part of the configuration that it does not inherit.
fn check_inherited(component: &Component, dependency: &Dependency, imports: &[String]) -> Result<(), String> {
    for (key, interfaces) in CONFIGURED {
        let is_empty = match key {
            "allowed_outbound_hosts" => component.allowed_outbound_hosts.is_empty(),
            "environment" => component.environment.is_empty(),
            "files" => component.files.is_empty(),
            _ => component.variables.is_empty(),
        };
        if is_empty || dependency.inherits.includes(key) {
            continue;
        }
        if let Some(import) = imports.iter().find(|import| interfaces.contains(&split_version(import).0)) {
            return Err(format!(
                "the dependency {:?} imports {import} and does not inherit {key}, which this host cannot withhold: write \
                 inherit_configuration = [{key:?}], or leave {key} empty",
                dependency.name
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_of_a_dependency_matches_imports_as_under_spin() {
        for (name, import, expected) in [
            ("a:b/c@0.1.0", "a:b/c@0.1.0", true),
            ("a:b/c", "a:b/c@0.1.0", true),
            ("a:b", "a:b/c@0.1.0", true),
            ("a:b@0.1.0", "a:b/c@0.1.0", true),
            ("a-b", "a-b", true),
            ("a:b/c@0.1.0", "a:b/c", false),
            ("a:b/c", "a:b/cd@0.1.0", false),
            ("a:b", "a:bc/d", false),
            ("a:b@0.1.0", "a:b/c@0.1.1", false),
            ("a-b", "a:b/c", false),
            ("a:b", "a", false),
        ] {
            assert_eq!(supplies(name, import), expected, "{name} {import}");
        }
    }
}
