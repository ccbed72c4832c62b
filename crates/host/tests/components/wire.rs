//! What goes over the wire: how many requests, and with which lengths.

use std::collections::BTreeMap;

use bytes::Bytes;
use fake_azure::Operation;
use http::{Method, Request};
use serde_json::json;

use crate::harness::{Setup, id_of, request};

#[tokio::test(start_paused = true)]
async fn warm_submission_makes_two_storage_requests() {
    for setup in [Setup::with_account_key(), Setup::keyless()] {
        let world = setup.start();
        world.submit(&json!({"TaskName": "first"})).await;
        world.cloud.forget();
        for number in 0..3 {
            world.submit(&json!({"TaskName": "warm", "Input": number})).await;
        }
        let expected = BTreeMap::from([(Operation::PutBlob, 3), (Operation::PutMessage, 3)]);
        assert_eq!(world.cloud.counts(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn drain_makes_at_most_three_requests_per_task() {
    let world = Setup::with_account_key().start();
    for number in 0..32 {
        world.submit(&json!({"TaskName": "simulate", "Input": number})).await;
    }
    world.drain().await; // Warm: everything that is done once per instance is done.
    for number in 0..10 {
        world.submit(&json!({"TaskName": "simulate", "Input": [number]})).await;
    }
    world.cloud.forget();
    let counts = world.drain().await;
    assert_eq!(counts["completed"], 10, "{counts}");
    let requests = world.cloud.counts();
    let of_tasks: u64 =
        [Operation::PutBlob, Operation::GetBlob, Operation::UpdateMessage, Operation::DeleteMessage]
            .iter()
            .map(|operation| requests.get(operation).copied().unwrap_or(0))
            .sum();
    assert!(of_tasks <= 30, "{requests:?}");
    // One batch with messages; a further look finds the queue empty.
    assert!(requests[&Operation::GetMessages] <= 2, "{requests:?}");
    assert_eq!(requests.values().sum::<u64>(), of_tasks + requests[&Operation::GetMessages], "{requests:?}");
}

#[tokio::test(start_paused = true)]
async fn every_request_to_storage_announces_its_length() {
    let world = Setup::keyless().start();
    let id = id_of(&world.submit(&json!({"TaskName": "simulate"})).await);
    world.get("/tasks?top=5").await;
    world.drain().await;
    world.call(request("DELETE", &format!("/tasks/{id}"), "")).await;
    let sent = world.cloud.sent();
    let methods: Vec<_> = sent.iter().map(Request::method).collect();
    for method in [Method::GET, Method::PUT, Method::POST, Method::DELETE] {
        assert!(methods.contains(&&method), "{method} never happened");
    }
    for request in sent.iter().filter(|request| *request.method() != Method::GET) {
        let length = request.headers().get("content-length").map(|length| length.to_str().unwrap());
        assert_eq!(
            length,
            Some(request.body().len().to_string().as_str()),
            "{} {}",
            request.method(),
            request.uri().path()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn every_response_announces_its_length() {
    let world = Setup::with_account_key().start();
    let id = id_of(&world.submit(&json!({"TaskName": "simulate"})).await);
    world.drain().await;
    let unknown = "11111111-2222-4333-8444-555555555555";
    let requests = [
        request("GET", "/", ""),
        request("GET", "/healthz", ""),
        request("GET", "/readyz", ""),
        request("GET", "/metrics", ""),
        request("GET", "/openapi.json", ""),
        request("GET", "/tasks", ""),
        request("POST", "/tasks", r#"{"TaskName":"x"}"#),
        request("POST", "/Tasks/QueueTask", r#"{"TaskName":"x"}"#),
        request("POST", "/tasks", "{"),
        request("GET", &format!("/tasks/{id}"), ""),
        request("HEAD", &format!("/tasks/{id}"), ""),
        request("GET", &format!("/tasks/{id}/result"), ""),
        request("GET", &format!("/tasks/{unknown}"), ""),
        request("DELETE", &format!("/tasks/{unknown}"), ""),
        request("PATCH", "/tasks", ""),
        request("OPTIONS", "/tasks", ""),
        request("GET", "/nothing/here", ""),
        request("POST", "/drain", ""),
        request("GET", "/drain", ""),
    ];
    for request in requests {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let response = world.call(request).await;
        if response.status() == 204 || method == Method::HEAD {
            assert!(response.body().is_empty(), "{method} {path}");
            continue;
        }
        let length =
            response.headers().get("content-length").map(|length| length.to_str().unwrap().to_owned());
        let status = response.status();
        assert_eq!(length, Some(response.body().len().to_string()), "{method} {path} {status}");
        assert!(status != 500, "{method} {path}");
    }
}

#[tokio::test(start_paused = true)]
async fn head_has_the_length_of_get_and_no_body() {
    let world = Setup::with_account_key().start();
    let id = id_of(&world.submit(&json!({"TaskName": "checksum", "Input": "x"})).await);
    world.drain().await;
    let task = format!("/tasks/{id}");
    for path in
        ["/", "/healthz", "/openapi.json", "/tasks", "/nothing/here", &task, &format!("{task}/result")]
    {
        let got = world.get(path).await;
        let head = world.call(request("HEAD", path, "")).await;
        assert_eq!(head.status(), got.status(), "{path}");
        assert_eq!(head.headers()["content-length"], got.headers()["content-length"], "{path}");
        assert!(head.body().is_empty() && !got.body().is_empty(), "{path}");
    }
    // Nothing to measure: a stream, and a response without a body.
    let mut stream = request("HEAD", &format!("{task}/events"), "");
    stream.headers_mut().insert("last-event-id", "other".parse().unwrap());
    assert!(world.call(stream).await.headers().get("content-length").is_none());
    let mut known = request("HEAD", &task, "");
    known.headers_mut().insert("if-none-match", "*".parse().unwrap());
    let known = world.call(known).await;
    assert_eq!((known.status().as_u16(), known.headers().get("content-length")), (304, None));
}

#[tokio::test(start_paused = true)]
async fn health_needs_no_request_to_storage() {
    let world = Setup::with_account_key().start();
    assert_eq!(world.get("/healthz").await.status(), 200);
    let spin = world.get("/.well-known/spin/health").await;
    assert_eq!((spin.status().as_u16(), spin.body()), (200, &Bytes::from("OK")));
    assert!(world.cloud.sent().is_empty());
}
