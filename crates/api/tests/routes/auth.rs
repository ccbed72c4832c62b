use http::{Method, StatusCode};
use models::TaskState;
use sha2::{Digest as _, Sha256};

use crate::world::{ID, World, id};

fn hash(key: &str) -> String {
    Sha256::digest(key).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn with_keys() -> World {
    World::with(&[
        ("api_auth", "api-key"),
        ("api_key_hashes", &format!("{},{}", hash("mine"), hash("yours"))),
    ])
}

const MINE: (&str, &str) = ("authorization", "Bearer mine");
const YOURS: (&str, &str) = ("api-key", "yours");

#[tokio::test(start_paused = true)]
async fn task_is_visible_only_to_the_caller_who_submitted_it() {
    let world = with_keys();
    let body = format!(r#"{{"TaskId":"{ID}"}}"#);
    assert_eq!(world.ask(Method::POST, "/tasks", &[MINE], &body).await.status, StatusCode::ACCEPTED);
    let owner = world.document(id()).unwrap().owner.unwrap();
    assert_eq!(owner, format!("key:{}", &hash("mine")[..16]));

    for state in TaskState::ALL {
        world.change_document(id(), |document| document.state = state);
        let stored = world.document(id());
        for (method, part) in [
            (Method::GET, ""),
            (Method::HEAD, ""),
            (Method::GET, "/events"),
            (Method::GET, "/result"),
            (Method::POST, "/cancel"),
            (Method::POST, "/retry"),
            (Method::DELETE, ""),
        ] {
            let response = world.ask(method.clone(), &format!("/tasks/{ID}{part}"), &[YOURS], "").await;
            assert_eq!(response.status, StatusCode::NOT_FOUND, "{method} {part} {state:?}");
        }
        assert_eq!(world.document(id()), stored);
    }
    let etag = world.ask(Method::GET, &format!("/tasks/{ID}"), &[MINE], "").await.header("etag").to_owned();
    let response =
        world.ask(Method::GET, &format!("/tasks/{ID}"), &[YOURS, ("if-none-match", &etag)], "").await;
    assert_eq!(response.kind(), (404, "task-not-found".to_owned()));

    let listed = async |caller| world.ask(Method::GET, "/tasks", &[caller], "").await.json()["value"].clone();
    assert_eq!(listed(MINE).await.as_array().unwrap().len(), 1);
    assert_eq!(listed(YOURS).await.as_array().unwrap().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn id_of_another_caller_is_409_without_details() {
    let world = with_keys();
    let body = |name| format!(r#"{{"TaskId":"{ID}","TaskName":"{name}"}}"#);
    world.ask(Method::POST, "/tasks", &[MINE], &body("secret")).await;
    let same = world.ask(Method::POST, "/tasks", &[YOURS], &body("secret")).await;
    let other = world.ask(Method::POST, "/tasks", &[YOURS], &body("other")).await;
    assert_eq!(same.kind(), (409, "task-id-taken".to_owned()));
    assert_eq!(same.problem().detail, other.problem().detail);
    assert_eq!(other.status, same.status);
    assert_eq!(world.sent().len(), 1);

    let key = ("idempotency-key", "order-1");
    let first = world.ask(Method::POST, "/tasks", &[MINE, key], "{}").await.monitor().id;
    assert_ne!(world.ask(Method::POST, "/tasks", &[YOURS, key], "{}").await.monitor().id, first);
}

#[tokio::test(start_paused = true)]
async fn unidentified_callers_get_401_for_tasks_and_pages_for_the_rest() {
    let world = with_keys();
    for (method, path) in [
        (Method::POST, "/tasks"),
        (Method::GET, "/tasks"),
        (Method::POST, "/Tasks/QueueTask"),
        (Method::OPTIONS, "/tasks"),
        (Method::PUT, "/tasks"),
        (Method::GET, "/tasks/nothing"),
        (Method::GET, "/TASKS/nothing"),
        (Method::GET, "/metrics"),
    ] {
        for headers in [&[][..], &[("api-key", "guess")], &[("x-ms-client-principal-id", "mine")]] {
            let response = world.ask(method.clone(), path, headers, "{}").await;
            assert_eq!(response.kind(), (401, "unauthorized".to_owned()), "{method} {path}");
            assert_eq!(response.header("www-authenticate"), "Bearer realm=\"accepted\"");
        }
    }
    assert!(world.take_operations().is_empty());
    for path in ["/", "/healthz", "/readyz", "/openapi.json", "/swagger/v1/swagger.json", "/swagger"] {
        assert_eq!(world.get(path).await.status, StatusCode::OK, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn caller_is_the_principal_that_the_platform_authenticated() {
    let world = World::with(&[("api_auth", "easy-auth")]);
    let me = ("x-ms-client-principal-id", "9d5b3c1e");
    world.ask(Method::POST, "/tasks", &[me], &format!(r#"{{"TaskId":"{ID}"}}"#)).await;
    assert_eq!(world.document(id()).unwrap().owner.as_deref(), Some("9d5b3c1e"));
    let status = async |headers: &[(&str, &str)]| {
        world.ask(Method::GET, &format!("/tasks/{ID}"), headers, "").await.status.as_u16()
    };
    assert_eq!(status(&[me]).await, 200);
    assert_eq!(status(&[("x-ms-client-principal-id", "other")]).await, 404);
    assert_eq!(status(&[("x-ms-client-principal-id", "")]).await, 401);
    assert_eq!(status(&[]).await, 401);
}

#[tokio::test(start_paused = true)]
async fn all_tasks_are_visible_and_warned_about_without_authentication() {
    let world = World::new();
    world.store(|document| document.owner = Some("another caller".to_owned()));
    assert_eq!(world.get(&format!("/tasks/{ID}")).await.status, StatusCode::OK);
    let warnings = world.lines().iter().filter(|l| l.message.contains("open to every caller")).count();
    assert_eq!(warnings, 1);
    assert_eq!(with_keys().lines().len(), 0);
}
