//! The table of variables, the manifest and the document say the same.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "these are tests, helpers included")]

use std::collections::BTreeMap;

use lifecycle::handler_limit;
use lifecycle::handlers::Handlers;
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
fn manifest_declares_the_variables_of_the_table() {
    let manifest = manifest();
    let declared = manifest["variables"].as_table().unwrap();
    let names: Vec<_> = VARIABLES.iter().map(|v| v.name).collect();
    for name in declared.keys() {
        assert!(names.contains(&name.as_str()), "{name} is declared but unknown");
    }
    for variable in VARIABLES {
        let entry = declared.get(variable.name).unwrap_or_else(|| panic!("{} is missing", variable.name));
        // The manifest registers handlers in this default; see the test below.
        if variable.name != "task_handlers" {
            assert_eq!(entry["default"].as_str(), Some(variable.default), "{}", variable.name);
        }
        let secret = entry.get("secret").and_then(toml::Value::as_bool).unwrap_or(false);
        assert_eq!(secret, variable.secret, "{}", variable.name);
    }
}

#[test]
fn handlers_of_the_manifest_are_components_with_a_private_route() {
    let manifest = manifest();
    let text = manifest["variables"]["task_handlers"]["default"].as_str().unwrap();
    let handlers = Handlers::parse(text).unwrap();
    let triggers = manifest["trigger"]["http"].as_array().unwrap();
    for id in handlers.components() {
        assert!(manifest["component"].get(id).is_some(), "{id}");
        let trigger = triggers.iter().find(|trigger| trigger["component"].as_str() == Some(id));
        let route = &trigger.unwrap_or_else(|| panic!("{id} has no trigger"))["route"];
        assert_eq!(route.get("private").and_then(toml::Value::as_bool), Some(true), "{id}");
    }
}

#[test]
fn each_component_gets_only_its_variables() {
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
fn components_connect_only_to_configured_hosts() {
    let manifest = manifest();
    let hosts = |component: &str| manifest["component"][component]["allowed_outbound_hosts"].clone();
    let storage = ["{{ blob_host }}", "{{ queue_host }}", "{{ key_vault_host }}", "{{ identity_host }}"];
    assert_eq!(hosts("api"), toml::Value::from(storage.to_vec()));
    let handlers = [
        "{{ handler_hosts }}",
        "{{ handler_hosts_b }}",
        "{{ handler_hosts_c }}",
        "{{ handler_hosts_d }}",
        "{{ handler_process_host }}",
        "{{ handler_watch_host }}",
        "{{ callback_hosts }}",
        "{{ callback_hosts_b }}",
        "{{ callback_hosts_c }}",
        "{{ callback_hosts_d }}",
        "{{ event_sink_host }}",
    ];
    assert_eq!(hosts("worker"), toml::Value::from([&storage[..], &handlers[..]].concat()));
}

#[test]
fn document_has_a_row_for_every_variable() {
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
fn defaults_are_valid_and_wrong_values_refused_by_name() {
    assert!(ApiSettings::from_variables(&|_| None).is_ok());
    assert!(WorkerSettings::from_variables(&|_| None).is_ok());
    for (name, value) in [
        ("sas_token_expiry_minutes", "0"),
        ("sas_token_expiry_minutes", "10081"),
        ("sas_token_expiry_minutes", "NaN"),
        ("body_limit_bytes", "-1"),
        ("api_auth", "everyone"),
        ("api_operators", "everyone"),
        ("trust_forwarded", "yes"),
        ("log_level", "debug"),
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
fn too_many_connections_to_external_handlers_are_refused() {
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
                assert!(
                    error.accepted.contains(&handler_limit::MAX_HANDLER_CONNECTIONS.to_string()),
                    "{error}"
                );
                assert!(error.accepted.contains(&handler_limit::MAX_HOST_CONNECTIONS.to_string()), "{error}");
            }
        }
    }
}

#[test]
fn connection_limit_is_that_of_the_host() {
    let runtime: toml::Table = include_str!("../../../runtime-config.toml").parse().unwrap();
    let outbound = runtime["outbound_http"].as_table().unwrap();
    let limit = outbound.get("max_connections").or_else(|| outbound.get("max_concurrent_requests")).unwrap();
    assert_eq!(limit.as_integer(), i64::try_from(handler_limit::MAX_HOST_CONNECTIONS).ok());
}

#[test]
fn empty_variable_has_its_default() {
    for variable in VARIABLES.iter().filter(|variable| variable.name != "api_auth") {
        let lookup = |asked: &str| (asked == variable.name).then(|| " ".to_owned());
        assert!(ApiSettings::from_variables(&lookup).is_ok(), "{}", variable.name);
        assert!(WorkerSettings::from_variables(&lookup).is_ok(), "{}", variable.name);
    }
    let worker = WorkerSettings::from_variables(&|name| (name == "task_handlers").then(String::new)).unwrap();
    assert!(worker.handlers.is_empty());
    // Except for the variable whose default disables authentication.
    let open = ApiSettings::from_variables(&|name| (name == "api_auth").then(String::new)).unwrap_err();
    assert_eq!((open.name, open.why.as_str()), ("api_auth", "it is empty"));
}

#[test]
fn error_describes_the_value_without_repeating_it() {
    for (name, value, why) in [
        ("max_dequeue_count", "0", "it is outside that range"),
        ("max_dequeue_count", "-5", "it is negative"),
        ("max_dequeue_count", "1.5", "it is a decimal number"),
        ("max_dequeue_count", "99999999999999999999999", "it is far outside that range"),
        ("max_dequeue_count", "\"5\"", "it is in quotation marks"),
        ("max_dequeue_count", "five", "it is something else"),
        ("trust_forwarded", "yes", "it is something else"),
        ("log_level", "trace", "it is something else"),
        ("task_handlers", "{", "it ends too early"),
        ("task_handlers", "[]", "it is some other JSON value"),
        ("task_handlers", "{'a':'b'}", "it is not JSON from line 1, column 2, on"),
        (
            "task_handlers",
            "{a:b}",
            "it has no quotation marks: in a .env file JSON has to be in single quotes",
        ),
        (
            "task_handlers",
            "{\"a\":1}",
            "the member \"a\" is no component id, no absolute http(s) URL and no object",
        ),
        (
            "task_handlers",
            "{\"a\":\"Hidden\"}",
            "the member \"a\" is no component id and no absolute http(s) URL",
        ),
        ("task_handlers", "{\"a\":\"http://a b\"}", "the handler of a member is no absolute http(s) URL"),
        ("handler_process_host", "http://127.0.0.1:1/hidden", "it has a path"),
        ("task_queue_name", "ab", "it has 2 characters"),
        ("task_queue_name", "Tasks", "it holds another character"),
        ("task_queue_name", "a--b", "a hyphen in it is not between two letters or digits"),
        ("public_base_url", "hidden", "it begins otherwise"),
        ("public_base_url", "https://hidden/?a=b", "it has a query"),
        ("public_base_url", "https://hidden/#top", "it has a fragment"),
        ("public_base_url", "https://user:hidden@example.org", "it holds a user name"),
        ("public_base_url", "https://", "it is no URL"),
        ("api_auth", "hidden", "it is something else"),
    ] {
        let lookup = |asked: &str| (asked == name).then(|| value.to_owned());
        let api = ApiSettings::from_variables(&lookup).map(drop);
        let error = api.and(WorkerSettings::from_variables(&lookup).map(drop)).expect_err(name);
        assert_eq!((error.name, error.why.as_str()), (name, why), "{value}");
        let sentence = error.to_string();
        assert!(sentence.ends_with(why) && !sentence.to_lowercase().contains("hidden"), "{sentence}");
    }
    let keys = |list: &'static str| {
        ApiSettings::from_variables(&|name| match name {
            "api_auth" => Some("api-key".to_owned()),
            "api_key_hashes" => Some(list.to_owned()),
            _ => None,
        })
    };
    assert_eq!(keys("").unwrap_err().why, "it is empty");
    let first = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
    assert_eq!(keys(first).map(drop), Ok(()));
    assert_eq!(keys("2BB8").unwrap_err().why, "number 1 is no such digest");
}

#[test]
fn prefix_is_the_path_of_the_public_address() {
    for (url, prefix) in [
        ("", ""),
        ("https://a.example", ""),
        ("https://a.example/", ""),
        ("https://a.example:8443/jobs/", "/jobs"),
        ("https://a.example/jobs/v1", "/jobs/v1"),
    ] {
        let settings =
            ApiSettings::from_variables(&|name| (name == "public_base_url").then(|| url.to_owned())).unwrap();
        assert_eq!(settings.prefix(), prefix, "{url}");
    }
}
