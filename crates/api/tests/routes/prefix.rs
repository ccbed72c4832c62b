//! Behind a gateway that removes a path prefix: every address in a response has the prefix.

use http::{Method, StatusCode};
use models::{ResultBlob, TaskState};
use serde_json::Value;

use crate::world::{ID, World};

const BASE: &str = "https://gateway.example/jobs/v1";

/// Every string of a JSON value that looks like an address of this API.
fn addresses(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) if text.contains("/tasks") || text.contains("/swagger") => {
            found.push(text.clone());
        }
        Value::Array(items) => items.iter().for_each(|item| addresses(item, found)),
        Value::Object(members) => members.values().for_each(|member| addresses(member, found)),
        _ => {}
    }
}

fn check(body: &[u8], what: &str) {
    let mut found = Vec::new();
    addresses(&serde_json::from_slice(body).unwrap(), &mut found);
    assert!(!found.is_empty(), "{what}");
    for text in found {
        let with_prefix = text.matches("/jobs/v1/").count();
        let all = text.matches("/tasks").count() + text.matches("/swagger").count();
        assert_eq!(with_prefix, all, "{what}: {text}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_address_in_bodies_and_headers_has_the_prefix() {
    let world = World::with(&[("public_base_url", &format!("{BASE}/"))]);
    let task = format!("/tasks/{ID}");
    let response = world.post("/tasks", &format!(r#"{{"TaskId":"{ID}"}}"#)).await;
    assert_eq!(response.header("operation-location"), format!("{BASE}{task}"));

    // Refusals that say where to go instead.
    for (method, path) in [
        (Method::DELETE, task.clone()),
        (Method::GET, format!("{task}/result")),
        (Method::GET, "/nothing/here".to_owned()),
        (Method::PUT, "/tasks".to_owned()),
    ] {
        let response = world.ask(method, &path, &[], "").await;
        assert_eq!(response.problem().instance, Some(format!("/jobs/v1{path}")));
        check(&response.body, &path);
    }

    world.store(|document| {
        document.state = TaskState::Completed;
        document.result_blob =
            Some(ResultBlob { name: "r".to_owned(), content_type: "text/plain".to_owned(), size: 1 });
    });
    let monitor = world.get(&task).await.monitor();
    assert_eq!(monitor.result_location, Some(format!("{BASE}{task}/result")));
    assert_eq!(monitor.resource_location, Some(format!("{BASE}{task}")));
    let moved = world.get(&format!("{task}?redirect=true")).await;
    assert_eq!(
        (moved.status, moved.header("location")),
        (StatusCode::SEE_OTHER, format!("{BASE}{task}/result").as_str())
    );
    check(&moved.body, "redirect");
    let (_, told) = world.open(&format!("{task}/events"), &[]).await.status().await.unwrap();
    assert_eq!(told.result_location, Some(format!("{BASE}{task}/result")));

    for number in 1..4 {
        world.post("/tasks", &format!(r#"{{"TaskId":"{number}a8f5d7e-3c1b-4b8e-9f6a-2d4c6e8f0a1b"}}"#)).await;
    }
    let list = world.get("/tasks?top=2").await;
    let next = list.json()["nextLink"].as_str().unwrap().to_owned();
    let behind = next.strip_prefix(BASE).unwrap();
    assert_eq!(world.get(behind).await.status, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn result_location_is_on_the_requests_host_without_a_prefix() {
    let world = World::new();
    world.store(|document| {
        document.state = TaskState::Completed;
        document.result_blob =
            Some(ResultBlob { name: "r".to_owned(), content_type: "text/plain".to_owned(), size: 1 });
    });
    let monitor = world.get(&format!("/tasks/{ID}")).await.monitor();
    assert_eq!(monitor.result_location, Some(format!("http://api.example/tasks/{ID}/result")));
}
