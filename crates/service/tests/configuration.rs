//! The table of variables, the manifest and the document say the same.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "these are tests, helpers included")]

use std::collections::BTreeMap;

use lifecycle::handler_limit;
use service::settings::{ApiSettings, Role, VARIABLES, WorkerSettings};

const MANIFEST: &str = include_str!("../../../spin.toml");
const DOCUMENT: &str = include_str!("../../../docs/configuration.md");

fn manifest() -> toml::Table {
    MANIFEST.parse().unwrap()
}

fn component_variables(component: &str) -> BTreeMap<String, String> {
    let manifest = manifest();
    let table = manifest["component"][component]["variables"].as_table().unwrap();
    table.iter().map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect()
}

#[test]
fn the_manifest_declares_every_variable_with_its_default_and_secrecy_and_no_other() {
    let manifest = manifest();
    let declared = manifest["variables"].as_table().unwrap();
    let names: Vec<_> = VARIABLES.iter().map(|v| v.name).collect();
    for name in declared.keys() {
        assert!(names.contains(&name.as_str()), "{name} is declared but unknown");
    }
    for variable in VARIABLES {
        let entry = declared.get(variable.name).unwrap_or_else(|| panic!("{} is missing", variable.name));
        assert_eq!(entry["default"].as_str(), Some(variable.default), "{}", variable.name);
        let secret = entry.get("secret").and_then(toml::Value::as_bool).unwrap_or(false);
        assert_eq!(secret, variable.secret, "{}", variable.name);
    }
}

#[test]
fn each_component_gets_the_variables_it_reads_and_no_other() {
    for (component, role) in [("api", Role::Api), ("worker", Role::Worker)] {
        let wanted: BTreeMap<_, _> = VARIABLES
            .iter()
            .filter(|v| v.role == role || v.role == Role::Both)
            .map(|v| (v.name.to_owned(), format!("{{{{ {} }}}}", v.name)))
            .collect();
        assert_eq!(component_variables(component), wanted, "{component}");
    }
}

#[test]
fn a_component_may_connect_only_to_the_configured_hosts() {
    let manifest = manifest();
    let hosts = |component: &str| manifest["component"][component]["allowed_outbound_hosts"].clone();
    let storage = ["{{ blob_host }}", "{{ queue_host }}", "{{ key_vault_host }}", "{{ identity_host }}"];
    assert_eq!(hosts("api"), toml::Value::from(storage.to_vec()));
    assert_eq!(hosts("worker"), toml::Value::from([&storage[..], &["{{ handler_hosts }}"]].concat()));
}

#[test]
fn the_document_has_a_row_for_every_variable() {
    for v in VARIABLES {
        let original = v.original.map(|name| format!("`{name}`")).unwrap_or_default();
        let default = if v.default.is_empty() { "empty".to_owned() } else { format!("`{}`", v.default) };
        let reader = match v.role {
            Role::Both => "both",
            Role::Api => "API",
            Role::Worker => "worker",
            Role::Manifest => "manifest",
        };
        let secret = if v.secret { "yes" } else { "" };
        let row = format!("| `{}` | {original} | {default} | {} | {reader} | {secret} |", v.name, v.accepted);
        assert!(DOCUMENT.contains(&row), "docs/configuration.md needs this row:\n{row}");
    }
    let rows =
        DOCUMENT.lines().filter(|line| line.starts_with("| `") && line.matches('|').count() == 7).count();
    assert_eq!(rows, VARIABLES.len(), "docs/configuration.md has a row too many");
}

#[test]
fn the_defaults_are_usable_and_a_wrong_value_is_refused_by_name_without_repeating_it() {
    assert!(ApiSettings::from_variables(&|_| None).is_ok());
    assert!(WorkerSettings::from_variables(&|_| None).is_ok());
    for (name, value) in [
        ("sas_token_expiry_minutes", "0"),
        ("sas_token_expiry_minutes", "10081"),
        ("sas_token_expiry_minutes", "NaN"),
        ("body_limit_bytes", "-1"),
        ("api_auth", "everyone"),
        ("trust_forwarded", "yes"),
        ("task_queue_name", "Tasks"),
        ("public_base_url", "ftp://hidden"),
        ("visibility_timeout_seconds", "0"),
        ("max_dequeue_count", "1.5"),
        ("drain_seconds", "3601"),
        ("task_handlers", "[]"),
        ("key_vault_name", "hidden.example"),
    ] {
        let lookup = |asked: &str| (asked == name).then(|| value.to_owned());
        let api = ApiSettings::from_variables(&lookup).map(drop);
        let worker = WorkerSettings::from_variables(&lookup).map(drop);
        let error = api.and(worker).expect_err(name);
        assert_eq!(error.name, name);
        assert!(!error.to_string().contains("hidden"), "{error}");
    }
}

#[test]
fn handlers_outside_that_would_starve_storage_are_refused_by_name() {
    let outside = r#"{"a":"http://a.spin.internal/","b":"https://work.example.org/run"}"#;
    let inside = r#"{"a":"http://a.spin.internal/"}"#;
    for (handlers, concurrency, usable) in
        [(outside, "200", true), (outside, "201", false), (inside, "256", true), ("{}", "256", true)]
    {
        let lookup = |asked: &str| match asked {
            "task_handlers" => Some(handlers.to_owned()),
            "max_concurrency" => Some(concurrency.to_owned()),
            _ => None,
        };
        match WorkerSettings::from_variables(&lookup) {
            Ok(_) => assert!(usable, "{handlers} {concurrency}"),
            Err(error) => {
                assert!(!usable, "{handlers} {concurrency}: {error}");
                assert_eq!(error.name, "max_concurrency");
                assert!(error.accepted.contains("task_handlers"), "{error}");
                assert!(error.accepted.contains(&handler_limit::FOR_HANDLERS.to_string()), "{error}");
                assert!(error.accepted.contains(&handler_limit::CONNECTIONS.to_string()), "{error}");
            }
        }
    }
}

#[test]
fn connections_that_tasks_are_counted_against_are_those_of_the_host() {
    let runtime: toml::Table = include_str!("../../../runtime-config.toml").parse().unwrap();
    let outbound = runtime["outbound_http"].as_table().unwrap();
    let limit = outbound.get("max_connections").or_else(|| outbound.get("max_concurrent_requests")).unwrap();
    assert_eq!(limit.as_integer(), i64::try_from(handler_limit::CONNECTIONS).ok());
}
