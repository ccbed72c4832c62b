//! Handlers in `spin.toml`.

use anyhow::{Context as _, Result, bail};
use serde_json::{Map, Value};
use toml_edit::{ArrayOfTables, DocumentMut, Item, Table, value};

/// Components that are no handlers.
const OWN: [&str; 2] = ["api", "worker"];

/// A component with how it is built.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Build {
    /// The component's id.
    pub(crate) id: String,
    /// Command lines, in order.
    pub(crate) commands: Vec<String>,
    /// The folder that they run in, relative to the manifest.
    pub(crate) folder: String,
    /// The patterns of files that it is built from, relative to `folder`.
    pub(crate) watch: Vec<String>,
    /// The components that have to exist afterwards, relative to the manifest: its own and those that it depends on.
    pub(crate) outputs: Vec<String>,
}

/// Adds a handler: the text of its trigger and component at the end, and its id in the default of `task_handlers`.
///
/// # Errors
/// When the manifest is not one of this application, or has a component of that name.
pub(crate) fn with_handler(manifest: &str, entries: &str, name: &str) -> Result<String> {
    let mut document: DocumentMut = manifest.parse().context("spin.toml cannot be read")?;
    if component(&document, name).is_some() {
        bail!("spin.toml has a component `{name}` already");
    }
    let variables = document.get_mut("variables").and_then(Item::as_table_like_mut);
    let variable =
        variables.and_then(|table| table.get_mut("task_handlers")).and_then(Item::as_table_like_mut);
    let default = variable.and_then(|table| table.get_mut("default"));
    let default = default.context("spin.toml has no variable task_handlers with a default")?;
    let mut routes: Map<String, Value> = serde_json::from_str(default.as_str().unwrap_or_default())
        .context("task_handlers is no JSON object")?;
    routes.insert(name.to_owned(), Value::String(name.to_owned()));
    *default = value(Value::Object(routes).to_string());
    let text = format!("{}\n{}", document.to_string().trim_end_matches('\n').to_owned() + "\n", entries);
    let whole: DocumentMut =
        text.parse().context("the entries of the handler cannot be added to spin.toml")?;
    if component(&whole, name).is_none() {
        bail!("the entries of the handler have no component `{name}`");
    }
    Ok(text)
}

/// How the handlers of a manifest are built.
///
/// # Errors
/// When the manifest cannot be read.
pub(crate) fn builds(manifest: &str) -> Result<Vec<Build>> {
    let document: DocumentMut = manifest.parse().context("spin.toml cannot be read")?;
    let components = document.get("component").and_then(Item::as_table_like);
    let handlers = components.into_iter().flat_map(|table| table.iter()).filter(|(id, _)| !OWN.contains(id));
    Ok(handlers.filter_map(|(id, component)| build(id, component)).collect())
}

fn build(id: &str, component: &Item) -> Option<Build> {
    let build = component.get("build")?;
    let command = build.get("command")?;
    let commands = match command.as_array() {
        Some(_) => texts(command),
        None => vec![command.as_str()?.to_owned()],
    };
    let folder = build.get("workdir").and_then(Item::as_str).unwrap_or(".").to_owned();
    let watch = build.get("watch").map(texts).unwrap_or_default();
    let dependencies = component.get("dependencies").and_then(Item::as_table_like);
    let parts = dependencies.into_iter().flat_map(|table| table.iter());
    let paths = component.get("source").into_iter().chain(parts.filter_map(|(_, part)| part.get("path")));
    let outputs = paths.filter_map(|path| Some(path.as_str()?.to_owned())).collect();
    Some(Build { id: id.to_owned(), commands, folder, watch, outputs })
}

fn texts(array: &Item) -> Vec<String> {
    let values = array.as_array().into_iter().flat_map(|array| array.iter());
    values.filter_map(|text| Some(text.as_str()?.to_owned())).collect()
}

/// The manifest of an application that is one handler with a public route, and the components that it depends on.
///
/// # Errors
/// When there is no such component.
pub(crate) fn alone(manifest: &str, name: &str) -> Result<String> {
    let mut document: DocumentMut = manifest.parse().context("spin.toml cannot be read")?;
    let handler =
        component(&document, name).with_context(|| format!("spin.toml has no component `{name}`"))?;
    let mut kept = vec![name.to_owned()];
    let dependencies = handler.get("dependencies").and_then(Item::as_table_like);
    for (_, dependency) in dependencies.into_iter().flat_map(|table| table.iter()) {
        kept.extend(dependency.get("component").and_then(Item::as_str).map(str::to_owned));
    }
    let components = document.get_mut("component").and_then(Item::as_table_like_mut);
    let components = components.context("spin.toml has no components")?;
    let others: Vec<String> =
        components.iter().map(|(id, _)| id.to_owned()).filter(|id| !kept.contains(id)).collect();
    for id in others {
        components.remove(&id);
    }
    let mut trigger = Table::new();
    trigger.insert("route", value("/..."));
    trigger.insert("component", value(name));
    let mut http = ArrayOfTables::new();
    http.push(trigger);
    let mut triggers = Table::new();
    triggers.set_implicit(true);
    triggers.insert("http", Item::ArrayOfTables(http));
    document.insert("trigger", Item::Table(triggers));
    Ok(document.to_string())
}

fn component<'a>(document: &'a DocumentMut, name: &str) -> Option<&'a Item> {
    document.get("component")?.get(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = r#"spin_manifest_version = 2

[variables]
# Kept.
task_handlers = { default = "{\"a\":\"x\"}" }

[[trigger.http]]
route = "/drain"
component = "worker"

[component.worker]
source = "w.wasm"
allowed_outbound_hosts = ["{{ blob_host }}"]
build = { command = "cargo build" }

[component.part]
source = "p.wasm"
"#;
    const ENTRIES: &str = r#"[[trigger.http]]
route = { private = true }
component = "new"

[component.new]
source = "a.wasm"

[component.new.dependencies]
"a:b/c" = { component = "part" }
"d:e/f" = { path = "handlers/new/h.wasm" }

[component.new.build]
command = ["one", "two"]
workdir = "handlers/new"
watch = ["*.py"]
"#;

    #[test]
    fn new_handler_is_added_and_everything_else_stays() {
        let text = with_handler(MANIFEST, ENTRIES, "new").unwrap();
        let default = r#"{"a":"x","new":"new"}"#;
        let expected = MANIFEST.replace(r#""{\"a\":\"x\"}""#, &format!("'{default}'"));
        assert_eq!(text, format!("{expected}\n{ENTRIES}"));
    }

    #[test]
    fn handler_that_cannot_be_added_is_refused() {
        for (manifest, entries, words) in [
            (MANIFEST.replace("part", "new"), ENTRIES, "already"),
            (MANIFEST.replace("task_handlers", "others"), ENTRIES, "no variable task_handlers"),
            (MANIFEST.replace("{\\\"a\\\":\\\"x\\\"}", "[]"), ENTRIES, "no JSON object"),
            (MANIFEST.to_owned(), "[component.other]", "no component `new`"),
            (MANIFEST.to_owned(), "[variables]\n[component.new]", "cannot be added"),
        ] {
            let error = with_handler(&manifest, entries, "new").unwrap_err().to_string();
            assert!(error.contains(words), "{words}: {error}");
        }
    }

    #[test]
    fn builds_are_those_of_the_handlers() {
        let text = with_handler(MANIFEST, ENTRIES, "new").unwrap();
        let expected = Build {
            id: "new".to_owned(),
            commands: vec!["one".to_owned(), "two".to_owned()],
            folder: "handlers/new".to_owned(),
            watch: vec!["*.py".to_owned()],
            outputs: vec!["a.wasm".to_owned(), "handlers/new/h.wasm".to_owned()],
        };
        assert_eq!(builds(&text).unwrap(), [expected]);
    }

    #[test]
    fn one_handler_alone_has_a_public_route_and_its_dependencies() {
        let text = with_handler(MANIFEST, ENTRIES, "new").unwrap();
        let document: DocumentMut = alone(&text, "new").unwrap().parse().unwrap();
        let components = document["component"].as_table_like().unwrap();
        assert_eq!(components.iter().map(|(id, _)| id).collect::<Vec<_>>(), ["part", "new"]);
        let triggers = document["trigger"]["http"].as_array_of_tables().unwrap();
        assert_eq!(triggers.len(), 1);
        assert_eq!(triggers.get(0).unwrap()["route"].as_str(), Some("/..."));
        assert!(alone(&text, "absent").unwrap_err().to_string().contains("`absent`"));
    }
}
