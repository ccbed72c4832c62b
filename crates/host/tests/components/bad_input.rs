//! Requests that are wrong get a clear problem document, and no task.

use std::convert::Infallible;

use bytes::Bytes;
use futures::stream;
use http::Request;
use http_body::Frame;
use http_body_util::StreamBody;
use serde_json::json;

use crate::harness::{Setup, World, header, id_of, json, problem, request};

fn post(body: impl Into<Bytes>) -> Request<Bytes> {
    request("POST", "/tasks", body)
}

async fn assert_no_task(world: &World) {
    assert_eq!(world.cloud.messages("taskqueue"), 0);
}

#[tokio::test(start_paused = true)]
async fn body_that_is_no_task_is_400_on_both_routes() {
    let world = Setup::with_account_key().start();
    let bodies: [&[u8]; 15] = [
        b"{",
        b"null",
        b"[]",
        b"\"text\"",
        b"\xff\xfe",
        br#"{"TaskName":5}"#,
        br#"{"TaskName":null}"#,
        br#"{"TaskName":""}"#,
        br#"{"Priority":3}"#,
        br#"{"Priority":"Urgent"}"#,
        br#"{"Priority":1.5}"#,
        br#"{"Status":99}"#,
        br#"{"TaskId":"not-a-guid"}"#,
        br#"{"TaskId":"../../etc/passwd"}"#,
        br#"{"TaskDescription":{}}"#,
    ];
    for body in bodies {
        for path in ["/tasks", "/Tasks/QueueTask"] {
            let response = world.call(request("POST", path, Bytes::from_static(body))).await;
            let problem = problem(&response, 400);
            assert!(!problem["detail"].as_str().unwrap().is_empty(), "{problem}");
        }
    }
    let long = json!({"TaskName": "n".repeat(4097)}).to_string();
    problem(&world.call(post(long)).await, 400);
    assert_no_task(&world).await;
}

#[tokio::test(start_paused = true)]
async fn deeply_nested_body_is_refused_without_a_trap() {
    let world = Setup::with_account_key().start();
    let nested = format!("{{\"Input\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    problem(&world.call(post(nested)).await, 400);
    assert_eq!(world.app.instances("api").1, 1, "the instance must have survived");
}

#[tokio::test(start_paused = true)]
async fn body_announced_above_the_limit_is_413_without_being_read() {
    let world = Setup::with_account_key().set("body_limit_bytes", "1024").start();
    let exact = json!({"TaskName": "x", "Input": "y".repeat(1024 - 27)}).to_string();
    assert_eq!(exact.len(), 1024);
    assert_eq!(world.call(post(exact)).await.status(), 202);
    world.cloud.forget();

    // The body never comes: only a refusal that does not wait for it can be the response.
    let body = StreamBody::new(stream::pending::<Result<Frame<Bytes>, Infallible>>());
    let announced = Request::post("/tasks")
        .header("host", "example.test")
        .header("content-type", "application/json")
        .header("content-length", "1025")
        .body(body)
        .unwrap();
    let response = world.app.try_handle(announced).await.unwrap();
    assert_eq!(response.status(), 413);

    let mut unannounced = post("x".repeat(1025));
    unannounced.headers_mut().remove("content-length");
    problem(&world.call(unannounced).await, 413);
    assert!(world.cloud.sent().is_empty());
}

#[tokio::test(start_paused = true)]
async fn another_media_type_is_415_and_none_is_json() {
    let world = Setup::with_account_key().start();
    let body = json!({"TaskName": "x"}).to_string();
    for media_type in ["text/plain", "application/xml", "application/x-www-form-urlencoded"] {
        let mut wrong = post(body.clone());
        wrong.headers_mut().insert("content-type", media_type.parse().unwrap());
        problem(&world.call(wrong).await, 415);
    }
    assert_no_task(&world).await;
    for media_type in [None, Some("application/json; charset=utf-8"), Some("application/cloudevents+json")] {
        let mut right = post(body.clone());
        right.headers_mut().remove("content-type");
        if let Some(media_type) = media_type {
            right.headers_mut().insert("content-type", media_type.parse().unwrap());
        }
        assert_eq!(world.call(right).await.status(), 202, "{media_type:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn repeated_id_is_202_with_equal_content_and_422_with_other() {
    let world = Setup::with_account_key().start();
    let first = id_of(&world.submit(&json!({"TaskName": "x", "Input": {"a": 1, "b": 2}})).await);
    let again = format!(r#"{{"INPUT":{{"b":2,"a":1}},"taskname":"x","TaskId":"{first}"}}"#);
    let repeated = world.call(post(again)).await;
    assert_eq!((repeated.status().as_u16(), json(&repeated)["id"].as_str()), (202, Some(first.as_str())));
    let other = json!({"TaskId": first, "TaskName": "y"}).to_string();
    problem(&world.call(post(other)).await, 422);
}

#[tokio::test(start_paused = true)]
async fn unknown_path_is_404_and_wrong_method_is_405_with_allow() {
    let world = Setup::with_account_key().start();
    let unknown = "/tasks/11111111-2222-4333-8444-555555555555";
    // Before the first submission there is no container.
    problem(&world.get(unknown).await, 404);
    assert_eq!(json(&world.get("/tasks").await)["value"], json!([]));
    assert_eq!(world.get("/readyz").await.status(), 200);
    assert_eq!(world.call(post("{}".to_owned())).await.status(), 202);
    for path in [unknown, "/tasks/not-a-guid", "/tasks/..%2f..%2fsecrets", "/nothing"] {
        problem(&world.get(path).await, 404);
    }
    for (method, path, allowed) in [
        ("PUT", "/tasks", "POST"),
        ("POST", unknown, "GET"),
        ("GET", "/Tasks/QueueTask", "POST"),
        ("GET", "/drain", "POST"),
    ] {
        let response = world.call(request(method, path, "")).await;
        problem(&response, 405);
        assert!(header(&response, "allow").contains(allowed), "{method} {path}");
    }
}
