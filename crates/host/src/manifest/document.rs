//! The manifest as it is written: every key that Spin knows, so that an unknown one is an error and a
//! known one that this host cannot honour is refused by name.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::{Table, Value};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    pub(super) spin_manifest_version: i64,
    pub(super) application: Application,
    #[serde(default)]
    pub(super) variables: BTreeMap<String, Variable>,
    #[serde(default)]
    pub(super) trigger: BTreeMap<String, Vec<Value>>,
    #[serde(default)]
    pub(super) component: BTreeMap<String, Component>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Application {
    pub(super) name: String,
    #[serde(default, rename = "version")]
    _version: String,
    #[serde(default, rename = "description")]
    _description: String,
    #[serde(default, rename = "authors")]
    _authors: Vec<String>,
    #[serde(default, rename = "targets")]
    _targets: Vec<Value>,
    #[serde(default, rename = "trigger")]
    _trigger: BTreeMap<String, Table>,
    #[serde(default, rename = "tool")]
    _tool: BTreeMap<String, Table>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Variable {
    #[serde(default, rename = "description")]
    _description: Option<String>,
    #[serde(default)]
    pub(super) default: Option<String>,
    #[serde(default)]
    pub(super) required: bool,
    #[serde(default)]
    pub(super) secret: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HttpTrigger {
    #[serde(default)]
    pub(super) id: Option<String>,
    pub(super) route: TriggerRoute,
    #[serde(default)]
    pub(super) component: Option<ComponentReference>,
    #[serde(default)]
    pub(super) executor: Option<Executor>,
    #[serde(default)]
    pub(super) static_response: Option<Value>,
    #[serde(default)]
    pub(super) components: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum TriggerRoute {
    Public(String),
    Private(PrivateRoute),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PrivateRoute {
    pub(super) private: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Executor {
    #[serde(rename = "type")]
    pub(super) kind: String,
}

/// A component's name or the component itself. Kept as a value first: an untagged enum would hide which
/// key of an inline component is wrong.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Value")]
pub(super) enum ComponentReference {
    Name(String),
    Inline(Box<Component>),
}

impl TryFrom<Value> for ComponentReference {
    type Error = toml::de::Error;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        match value {
            Value::String(name) => Ok(Self::Name(name)),
            other => Component::deserialize(other).map(|component| Self::Inline(Box::new(component))),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Component {
    pub(super) source: Value,
    #[serde(default)]
    pub(super) description: String,
    #[serde(default)]
    pub(super) allowed_outbound_hosts: Vec<String>,
    #[serde(default)]
    pub(super) variables: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) environment: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) files: Vec<Value>,
    #[serde(default, rename = "build")]
    _build: Option<Build>,
    #[serde(default, rename = "tool")]
    _tool: BTreeMap<String, Table>,
    #[serde(default, rename = "targets")]
    _targets: Option<Vec<Value>>,
    #[serde(default)]
    pub(super) dependencies: Table,
    #[serde(default)]
    pub(super) dependencies_inherit_configuration: Option<bool>,
    // Known to Spin, not to this host.
    #[serde(default)]
    pub(super) exclude_files: Vec<String>,
    #[serde(default)]
    pub(super) allowed_http_hosts: Vec<String>,
    #[serde(default)]
    pub(super) key_value_stores: Vec<String>,
    #[serde(default)]
    pub(super) sqlite_databases: Vec<String>,
    #[serde(default)]
    pub(super) ai_models: Vec<String>,
    #[serde(default)]
    pub(super) profile: Table,
}

impl Component {
    /// The key of something that this host cannot honour, with the reason.
    pub(super) fn unsupported(&self) -> Option<(&'static str, &'static str)> {
        const NO_STORE: &str = "this host has no such store";
        [
            (!self.exclude_files.is_empty(), "exclude_files", "name a folder that holds only what is wanted"),
            (!self.allowed_http_hosts.is_empty(), "allowed_http_hosts", "use allowed_outbound_hosts"),
            (!self.key_value_stores.is_empty(), "key_value_stores", NO_STORE),
            (!self.sqlite_databases.is_empty(), "sqlite_databases", NO_STORE),
            (!self.ai_models.is_empty(), "ai_models", "this host runs no models"),
            (!self.profile.is_empty(), "profile", "this host knows only the default profile"),
        ]
        .into_iter()
        .find_map(|(present, key, reason)| present.then_some((key, reason)))
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Build {
    #[serde(rename = "command")]
    _command: Value,
    #[serde(default, rename = "workdir")]
    _workdir: Option<String>,
    #[serde(default, rename = "watch")]
    _watch: Vec<String>,
}
