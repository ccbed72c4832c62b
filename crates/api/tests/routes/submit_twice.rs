use fake_azure::Operation;
use http::{Method, StatusCode};
use models::{MonitorState, TaskMessage, TaskState};
use storage::QueueName;
use test_world::Fault;

use crate::world::{ID, World, id};

fn body(name: &str) -> String {
    format!(r#"{{"TaskId":"{ID}","TaskName":"{name}","Input":{{"a":1,"b":2}}}}"#)
}

#[tokio::test(start_paused = true)]
async fn repeated_submission_is_202_with_the_current_state() {
    let world = World::new();
    let first = world.post("/tasks", &body("x")).await;
    world.change_document(id(), |document| {
        document.state = TaskState::InProgress;
        document.attempt = 1;
    });
    // Spelled differently, the same content.
    let again = format!(r#" {{"input":{{"b":2,"a":1}},"status":2,"taskname":"x","taskid":"{ID}"}} "#);
    let second = world.post("/tasks", &again).await;
    assert_eq!((first.status, second.status), (StatusCode::ACCEPTED, StatusCode::ACCEPTED));
    assert_eq!(second.monitor().status, MonitorState::Running);
    assert_eq!(first.header("operation-location"), second.header("operation-location"));
    assert_eq!(world.sent().len(), 1, "a worker has seen the message");
}

#[tokio::test(start_paused = true)]
async fn repeated_submission_of_an_ended_task_is_202() {
    let world = World::new();
    world.post("/tasks", &body("x")).await;
    world.change_document(id(), |document| document.state = TaskState::Completed);
    let response = world.post("/tasks", &body("x")).await;
    assert_eq!(response.status, StatusCode::ACCEPTED);
    assert_eq!(response.monitor().status, MonitorState::Succeeded);
    assert_eq!(response.header("retry-after"), "0");
}

#[tokio::test(start_paused = true)]
async fn same_id_with_other_content_is_422() {
    let world = World::new();
    world.post("/tasks", &body("x")).await;
    let stored = world.document(id());
    for path in ["/tasks", "/Tasks/QueueTask"] {
        assert_eq!(world.post(path, &body("y")).await.kind(), (422, "content-differs".to_owned()));
    }
    assert_eq!(world.document(id()), stored);
    assert_eq!(world.sent().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn repeated_submission_sends_the_missing_message() {
    let world = World::new();
    world.fail_once(Operation::PutMessage, Fault::unavailable());
    let response = world.post("/tasks", &body("x")).await;
    assert_eq!(response.kind(), (503, "storage-unavailable".to_owned()));
    assert_eq!(response.header("retry-after"), "30");
    assert!(world.document(id()).is_some(), "the document stays");
    assert!(world.sent().is_empty());

    let response = world.post("/tasks", &body("x")).await;
    assert_eq!(response.status, StatusCode::ACCEPTED);
    let [message] = world.sent().try_into().unwrap();
    let message = TaskMessage::parse(&message.text).unwrap();
    assert_eq!(message.etag.as_deref(), Some(response.header("etag")));
}

#[tokio::test(start_paused = true)]
async fn repeated_delayed_submission_sends_the_remaining_delay() {
    let world = World::new();
    let body = format!(r#"{{"TaskId":"{ID}","DelaySeconds":100}}"#);
    world.fail_once(Operation::PutMessage, Fault::unavailable());
    world.post("/tasks", &body).await;
    tokio::time::sleep(std::time::Duration::from_secs(40)).await;
    assert_eq!(world.post("/tasks", &body).await.status, StatusCode::ACCEPTED);
    let [message] = world.sent().try_into().unwrap();
    assert_eq!((message.queue, message.delay.as_secs()), (QueueName::Scheduled, 60));
}

#[tokio::test(start_paused = true)]
async fn submission_is_503_when_the_document_cannot_be_stored() {
    let world = World::new();
    world.fail_once(Operation::PutBlob, Fault::unavailable());
    assert_eq!(world.post("/tasks", &body("x")).await.kind(), (503, "storage-unavailable".to_owned()));
    assert!(world.blob_names().is_empty());
    assert!(world.sent().is_empty());
}

#[tokio::test(start_paused = true)]
async fn twenty_concurrent_submissions_make_one_task() {
    let world = World::new();
    world.set_latency(std::time::Duration::from_millis(10));
    let submission = body("x");
    let responses = futures::future::join_all((0..20).map(|_| world.post("/tasks", &submission))).await;
    for response in &responses {
        assert_eq!(response.status, StatusCode::ACCEPTED);
        assert_eq!(response.monitor().id, id());
    }
    assert_eq!(world.blob_names().len(), 1);
    let other = body("y");
    let responses = futures::future::join_all((0..20).map(|_| world.post("/tasks", &other))).await;
    assert!(responses.iter().all(|response| response.status == StatusCode::UNPROCESSABLE_ENTITY));
}

#[tokio::test(start_paused = true)]
async fn idempotency_key_names_one_task_unless_the_body_has_an_id() {
    let world = World::new();
    let submit = async |key: &str, body: &str| {
        let response = world.ask(Method::POST, "/tasks", &[("idempotency-key", key)], body).await;
        assert_eq!(response.status, StatusCode::ACCEPTED);
        response.monitor().id
    };
    let first = submit("order-1", "{}").await;
    assert_eq!(submit("order-1", "{}").await, first);
    assert_eq!(submit("\"order-1\"", "{}").await, first);
    assert_ne!(submit("order-2", "{}").await, first);
    assert_eq!(submit("order-1", &body("x")).await, id());
    let differs =
        world.ask(Method::POST, "/tasks", &[("idempotency-key", "order-1")], r#"{"TaskName":"z"}"#).await;
    assert_eq!(differs.kind(), (422, "content-differs".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn empty_long_or_repeated_idempotency_key_is_400() {
    let world = World::new();
    let long = "k".repeat(256);
    for keys in
        [&[("idempotency-key", "")][..], &[("idempotency-key", &long)], &[("idempotency-key", "a"); 2]]
    {
        let response = world.ask(Method::POST, "/tasks", keys, "{}").await;
        assert_eq!(response.kind(), (400, "invalid-header".to_owned()));
    }
    let longest = "k".repeat(255);
    let response = world.ask(Method::POST, "/tasks", &[("idempotency-key", &longest)], "{}").await;
    assert_eq!(response.status, StatusCode::ACCEPTED);
}
