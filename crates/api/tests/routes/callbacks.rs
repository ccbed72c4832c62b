//! Submissions with a `CallbackUri`, and the events of tasks that a request ends.

use fake_azure::Operation;
use http::Method;
use models::{CallbackState, EventMessage};
use test_world::Fault;

use crate::world::{ID, World, id};

const HOSTS: [(&str, &str); 2] =
    [("callback_hosts", "https://hooks.example"), ("callback_hosts_b", "http://10.0.0.7:8080")];

fn submission(receiver: &str) -> String {
    format!(r#"{{"TaskId":"{ID}","CallbackUri":{receiver}}}"#)
}

#[tokio::test(start_paused = true)]
async fn receiver_that_is_not_listed_is_400_and_stores_nothing() {
    let world = World::with(&HOSTS);
    for refused in [
        r#""https://elsewhere.example/""#,
        r#""http://hooks.example/""#,
        r#""https://me@hooks.example/""#,
        r#""http://worker.spin.internal/drain""#,
        r#""http://169.254.169.254/""#,
        r#""done""#,
        r#""""#,
        "7",
        "null",
    ] {
        for (path, body) in [("/tasks", submission(refused)), ("/Tasks/QueueTask", submission(refused))] {
            let response = world.ask(Method::POST, path, &[], &body).await;
            assert_eq!(response.kind(), (400, "invalid-body".to_owned()), "{refused}");
            assert!(response.problem().detail.unwrap().starts_with("CallbackUri: "), "{refused}");
        }
    }
    assert!(world.blob_names().is_empty() && world.messages("").is_empty());
}

#[tokio::test(start_paused = true)]
async fn no_receiver_is_allowed_by_default() {
    let world = World::new();
    let body = submission(r#""https://hooks.example/""#);
    let response = world.ask(Method::POST, "/tasks", &[], &body).await;
    assert_eq!(response.status, 400);
    assert!(response.problem().detail.unwrap().contains("callback_hosts"));
}

#[tokio::test(start_paused = true)]
async fn listed_receiver_is_stored_and_shown_only_after_the_end() {
    let world = World::with(&HOSTS);
    let body = submission(r#""http://10.0.0.7:8080/done?of=1""#);
    let response = world.ask(Method::POST, "/tasks", &[], &body).await;
    assert_eq!(response.status, 202);
    assert!(response.monitor().callback.is_none());
    let document = world.document(id()).unwrap();
    assert_eq!(document.callback_uri.as_deref(), Some("http://10.0.0.7:8080/done?of=1"));
    assert!(world.messages("")[0].text.contains("CallbackUri"));
    assert!(world.messages("-events").is_empty());
}

#[tokio::test(start_paused = true)]
async fn cancelled_task_has_its_event_at_once() {
    let world = World::with(&HOSTS);
    world.ask(Method::POST, "/tasks", &[], &submission(r#""https://hooks.example/""#)).await;
    let response = world.ask(Method::POST, &format!("/tasks/{ID}/cancel"), &[], "").await;
    assert_eq!(response.status, 200);
    assert_eq!(response.monitor().callback.unwrap().status, CallbackState::Due);
    let message = EventMessage::parse(&world.messages("-events")[0].text).unwrap();
    let document = world.document(id()).unwrap();
    assert_eq!(Some(message), EventMessage::of(&document));
}

#[tokio::test(start_paused = true)]
async fn cancellation_succeeds_although_its_event_cannot_be_put() {
    let world = World::with(&HOSTS);
    world.ask(Method::POST, "/tasks", &[], &submission(r#""https://hooks.example/""#)).await;
    world.fail(|request| match request.operation {
        Operation::PutMessage => Fault::unavailable(),
        _ => Fault::None,
    });
    let response = world.ask(Method::POST, &format!("/tasks/{ID}/cancel"), &[], "").await;
    assert_eq!(response.status, 200);
    assert!(world.document(id()).unwrap().is_event_due(), "a worker puts it");
    assert!(world.logged().contains("an event could not be queued"));
}

#[tokio::test(start_paused = true)]
async fn lost_response_to_a_cancellation_does_not_lose_its_event() {
    let world = World::with(&HOSTS);
    world.ask(Method::POST, "/tasks", &[], &submission(r#""https://hooks.example/""#)).await;
    world.fail_once(Operation::PutBlob, Fault::ResponseLost);
    let response = world.ask(Method::POST, &format!("/tasks/{ID}/cancel"), &[], "").await;
    assert_eq!(response.status, 200);
    assert_eq!(world.messages("-events").len(), 1);
}
