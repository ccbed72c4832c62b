//! Events, sent by the shipped components: to the receiver of a task, and to the operator's sink.

use serde_json::{Value, json};

use crate::harness::{NetworkCondition, Setup, id_of, json as body_of, problem, request};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn setup() -> Setup {
    Setup::with_account_key().set("callback_hosts", "https://hooks.example").set("callback_secrets", SECRET)
}

#[tokio::test]
async fn worker_calls_only_the_receiver_that_is_listed() {
    let world = setup().start();
    world.cloud.set_condition("hooks.example", NetworkCondition::Confirms);
    let task =
        json!({"TaskName": "checksum", "Input": "a", "CallbackUri": "https://hooks.example/done?of=1"});
    let id = id_of(&world.submit(&task).await);
    world.drain().await;
    let sent = world.cloud.sent();
    let calls: Vec<_> = sent.iter().filter(|request| request.uri().host() == Some("hooks.example")).collect();
    let [call] = &calls[..] else { panic!("{} calls", calls.len()) };
    assert_eq!(
        (call.method().as_str(), call.uri().path_and_query().unwrap().as_str()),
        ("POST", "/done?of=1")
    );
    let event: Value = serde_json::from_slice(call.body()).unwrap();
    assert_eq!((&event["type"], &event["data"]["id"]), (&json!("task.succeeded"), &json!(id)));
    let header = |name: &str| call.headers()[name].to_str().unwrap();
    assert!(header("webhook-id").starts_with(&id) && header("webhook-signature").starts_with("v1,"));
    let monitor = body_of(&world.get(&format!("/tasks/{id}")).await);
    assert_eq!(monitor["callback"]["status"], "Delivered");
    assert_eq!(world.cloud.messages("taskqueue-events"), 0);
    assert!(!world.printed().contains("whsec_") && !world.printed().contains("hooks.example"));
    let refused = json!({"CallbackUri": "https://elsewhere.example/"}).to_string();
    problem(&world.call(request("POST", "/tasks", refused)).await, 400);
}

#[tokio::test]
async fn receiver_without_a_key_is_refused_by_name() {
    let world = Setup::with_account_key().set("callback_hosts", "https://hooks.example").start();
    let response = world.call(crate::harness::drain()).await;
    let text = problem(&response, 503)["detail"].to_string();
    assert!(text.contains("callback_secrets") && text.contains("callback_hosts"), "{text}");
}

#[tokio::test]
async fn sink_receives_the_cloud_events_of_a_task() {
    let world = Setup::with_account_key()
        .set("event_sink_url", "https://sink.example/api/events?sig=hidden")
        .set("event_sink_host", "https://sink.example")
        .set("event_sink_auth", "key")
        .set("event_sink_key", "hidden-key")
        .start();
    world.cloud.set_condition("sink.example", NetworkCondition::Confirms);
    let id = id_of(&world.submit(&json!({"TaskName": "checksum", "Input": "a"})).await);
    world.drain().await;
    let sent = world.cloud.sent();
    let calls: Vec<_> = sent.iter().filter(|request| request.uri().host() == Some("sink.example")).collect();
    let mut kinds = Vec::new();
    for call in &calls {
        let event: Value = serde_json::from_slice(call.body()).unwrap();
        assert_eq!((&event["specversion"], &event["subject"]), (&json!("1.0"), &json!(id)));
        assert_eq!(call.uri().path_and_query().unwrap().as_str(), "/api/events?sig=hidden");
        assert_eq!(call.headers()["content-type"], "application/cloudevents+json; charset=utf-8");
        assert_eq!(call.headers()["aeg-sas-key"], "hidden-key");
        kinds.push(event["type"].as_str().unwrap().to_owned());
    }
    kinds.sort();
    assert_eq!(kinds, ["accepted.task.accepted", "accepted.task.ended", "accepted.task.started"]);
    let monitor = body_of(&world.get(&format!("/tasks/{id}")).await);
    assert_eq!(monitor["eventSink"]["status"], "Delivered");
    assert_eq!((world.cloud.messages("taskqueue-events"), world.cloud.messages("taskqueue")), (0, 0));
    assert!(!world.printed().contains("hidden"));
}

#[tokio::test]
async fn invalid_sink_is_named_by_readyz_and_by_the_drain() {
    let world = Setup::with_account_key().set("event_sink_url", "sink.example/hidden").start();
    let readyz = problem(&world.get("/readyz").await, 503)["detail"].to_string();
    let drain = problem(&world.call(crate::harness::drain()).await, 503)["detail"].to_string();
    for text in [readyz, drain] {
        assert!(text.contains("event_sink_url") && !text.contains("hidden"), "{text}");
    }
}
