//! Unusable configuration: the response names the variable, and never its value.

use serde_json::json;

use crate::harness::{NetworkCondition, Setup, header, problem, request};

fn submission() -> http::Request<bytes::Bytes> {
    request("POST", "/tasks", json!({"TaskName": "x"}).to_string())
}

#[tokio::test(start_paused = true)]
async fn submission_without_storage_is_503_naming_the_variables() {
    let world = Setup::without_storage().start();
    let problem = problem(&world.call(submission()).await, 503);
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("storage_connection_string"), "{detail}");
    assert_eq!(world.get("/healthz").await.status(), 200);
    assert!(world.cloud.sent().is_empty());
}

#[tokio::test(start_paused = true)]
async fn wrong_value_is_503_naming_the_variable_and_not_the_value() {
    for (name, value) in [
        ("storage_connection_string", "DefaultEndpointsProtocol=https;AccountName=hush"),
        ("sas_token_expiry_minutes", "hush"),
        ("api_auth", "hush"),
        ("public_base_url", "hush"),
        ("body_limit_bytes", "-1"),
    ] {
        let world = Setup::with_account_key().set(name, value).start();
        let problem = problem(&world.call(submission()).await, 503);
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(name), "{name}: {detail}");
        assert!(!problem.to_string().contains("hush"), "{problem}");
    }
}

#[tokio::test(start_paused = true)]
async fn unconfigured_worker_says_what_is_missing() {
    let world = Setup::with_account_key().set("max_concurrency", "many").start();
    let response = world.call(request("POST", "/drain", "")).await;
    let problem = problem(&response, 503);
    assert!(problem["detail"].as_str().unwrap().contains("max_concurrency"), "{problem}");
}

#[tokio::test(start_paused = true)]
async fn drain_route_is_closed_to_other_tokens() {
    let closed = Setup::with_account_key().set("drain_token", "").start();
    let sentence = problem(&closed.call(request("POST", "/drain", "")).await, 403);
    assert!(sentence["detail"].as_str().unwrap().contains("drain_token"), "{sentence}");

    let open = Setup::with_account_key().start();
    let mut wrong = request("POST", "/drain", "");
    wrong.headers_mut().insert("authorization", "Bearer other".parse().unwrap());
    for drain in [wrong, request("POST", "/drain", "")] {
        problem(&open.call(drain).await, 401);
    }
}

#[tokio::test(start_paused = true)]
async fn storage_that_is_down_is_503_with_retry_after() {
    let world = Setup::with_account_key().start();
    for authority in ["127.0.0.1:10000", "127.0.0.1:10001"] {
        world.cloud.set_condition(authority, NetworkCondition::Down);
    }
    let response = world.call(submission()).await;
    problem(&response, 503);
    assert!(header(&response, "retry-after").parse::<u32>().unwrap() > 0);
}

#[tokio::test(start_paused = true)]
async fn host_with_a_path_denies_every_request() {
    let world =
        Setup::with_account_key().set("key_vault_host", "http://127.0.0.1:10000/devstoreaccount1").start();
    problem(&world.call(submission()).await, 503);
    assert!(world.cloud.sent().is_empty());
    let void = world.printed().lines().filter(|line| line.contains("allowed_outbound_hosts is void")).count();
    assert_eq!(void, 1);
}

#[tokio::test(start_paused = true)]
async fn destination_outside_the_list_is_denied() {
    let world = Setup::with_account_key().set("queue_host", "http://127.0.0.1:20001").start();
    problem(&world.call(submission()).await, 503);
    assert!(world.cloud.sent().iter().all(|request| request.uri().port_u16() == Some(10000)));
    assert!(world.printed().contains("denied a request to http://127.0.0.1:10001"), "{}", world.printed());
}
