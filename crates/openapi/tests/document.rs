//! The checked-in description is the generated one, is complete, and describes the body that the API accepts.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use serde_json::Value;
use service::problem::ProblemKind;

fn document() -> Value {
    serde_json::from_str(&openapi::text()).unwrap()
}

/// Every string under a key `$ref`.
fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(target)) = members.get("$ref") {
                found.push(target.clone());
            }
            members.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[test]
fn checked_in_description_is_the_generated_one() {
    let path = openapi::path();
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&path, openapi::text()).unwrap();
    }
    let checked_in = std::fs::read_to_string(&path).unwrap();
    assert!(checked_in == openapi::text(), "{} is out of date: run `cargo xtask snapshots`", path.display());
}

#[test]
fn it_is_openapi_3_1() {
    assert!(document()["openapi"].as_str().unwrap().starts_with("3.1."));
}

#[test]
fn server_address_is_relative_to_the_document() {
    assert_eq!(document()["servers"], serde_json::json!([{ "url": "." }]));
    // What the API replaces where the .NET sample has the document.
    assert_eq!(openapi::text().matches(r#""servers":[{"url":"."}]"#).count(), 1);
}

#[test]
fn every_reference_resolves() {
    let document = document();
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 50);
    for target in found {
        let pointer = target.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{target}");
    }
}

#[test]
fn every_component_is_referenced() {
    let document = document();
    let mut found = Vec::new();
    references(&document, &mut found);
    for (section, members) in document["components"].as_object().unwrap() {
        if section == "securitySchemes" {
            continue;
        }
        for name in members.as_object().unwrap().keys() {
            let target = format!("#/components/{section}/{name}");
            assert!(found.contains(&target), "{target}");
        }
    }
}

#[test]
fn every_problem_kind_occurs_in_a_response() {
    let text = openapi::text();
    // The document contains allowed methods only, and the routes for drains and handlers belong to the worker.
    let others = [ProblemKind::MethodNotAllowed, ProblemKind::DrainClosed, ProblemKind::HandlerUnavailable];
    for kind in ProblemKind::ALL.iter().filter(|kind| !others.contains(kind)) {
        assert!(text.contains(&format!("/problems/{}`", kind.name())), "{}", kind.name());
    }
}

#[test]
fn operation_ids_are_unique() {
    let document = document();
    let mut names = Vec::new();
    for item in document["paths"].as_object().unwrap().values() {
        for operation in item.as_object().unwrap().values() {
            names.push(operation["operationId"].as_str().unwrap().to_owned());
        }
    }
    let all = names.len();
    names.sort();
    names.dedup();
    assert_eq!((names.len(), all), (34, 34));
}

#[test]
fn request_example_is_accepted_by_the_parser() {
    let schema = &document()["components"]["schemas"]["TaskRequest"];
    let example = serde_json::to_vec(&schema["examples"][0]).unwrap();
    let request = models::TaskRequest::parse(&example).unwrap();
    assert_eq!(request.task_name, "simulate");
    let described = schema["properties"].as_object().unwrap();
    for member in serde_json::from_slice::<Value>(&example).unwrap().as_object().unwrap().keys() {
        assert!(described.contains_key(member), "{member}");
    }
}

#[test]
fn schedule_example_and_members_are_those_of_the_parser() {
    let schema = &document()["components"]["schemas"]["ScheduleRequest"];
    let example = serde_json::to_vec(&schema["examples"][0]).unwrap();
    assert_eq!(models::ScheduleDefinition::parse(&example).unwrap().cron.as_deref(), Some("0 6 * * 1-5"));
    for member in schema["properties"].as_object().unwrap().keys() {
        let body = format!("{{\"Interval\":\"PT1H\",\"Task\":{{}},\"{member}\":[]}}");
        let error = models::ScheduleDefinition::parse(body.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with(member.as_str()), "{member}: {error}");
    }
}

#[test]
fn every_described_member_is_checked_by_the_parser() {
    let document = document();
    for member in document["components"]["schemas"]["TaskRequest"]["properties"].as_object().unwrap().keys() {
        if member == "Input" {
            continue; // any value will do
        }
        let body = format!("{{\"{member}\":[]}}");
        let error = models::TaskRequest::parse(body.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with(member.as_str()), "{member}: {error}");
    }
}
