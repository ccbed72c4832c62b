use http::{Method, StatusCode};
use models::{MonitorState, TaskMessage, TaskState};
use storage::QueueName;

use crate::memory::unavailable;
use crate::world::{ID, World, id};

fn body(name: &str) -> String {
    format!(r#"{{"TaskId":"{ID}","TaskName":"{name}","Input":{{"a":1,"b":2}}}}"#)
}

#[tokio::test(start_paused = true)]
async fn a_repeated_submission_is_answered_with_the_present_state() {
    let world = World::new();
    let first = world.post("/tasks", &body("x")).await;
    world.memory.change(id(), |document| {
        document.state = TaskState::InProgress;
        document.attempt = 1;
    });
    // Spelled differently, the same content.
    let again = format!(r#" {{"input":{{"b":2,"a":1}},"status":2,"taskname":"x","taskid":"{ID}"}} "#);
    let second = world.post("/tasks", &again).await;
    assert_eq!((first.status, second.status), (StatusCode::ACCEPTED, StatusCode::ACCEPTED));
    assert_eq!(second.monitor().status, MonitorState::Running);
    assert_eq!(first.header("operation-location"), second.header("operation-location"));
    assert_eq!(world.memory.messages().len(), 1, "a worker has seen the message");
}

#[tokio::test(start_paused = true)]
async fn a_repeated_submission_of_a_task_that_has_ended_is_answered_202_as_well() {
    let world = World::new();
    world.post("/tasks", &body("x")).await;
    world.memory.change(id(), |document| document.state = TaskState::Completed);
    let reply = world.post("/tasks", &body("x")).await;
    assert_eq!(reply.status, StatusCode::ACCEPTED);
    assert_eq!(reply.monitor().status, MonitorState::Succeeded);
    assert_eq!(reply.header("retry-after"), "0");
}

#[tokio::test(start_paused = true)]
async fn the_same_id_with_other_content_is_refused() {
    let world = World::new();
    world.post("/tasks", &body("x")).await;
    let stored = world.memory.document(id());
    for path in ["/tasks", "/Tasks/QueueTask"] {
        assert_eq!(world.post(path, &body("y")).await.kind(), (422, "content-differs".to_owned()));
    }
    assert_eq!(world.memory.document(id()), stored);
    assert_eq!(world.memory.messages().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_submission_that_lost_its_message_is_healed_by_the_next_try() {
    let world = World::new();
    world.memory.fail_once("send", unavailable());
    let reply = world.post("/tasks", &body("x")).await;
    assert_eq!(reply.kind(), (503, "storage-unavailable".to_owned()));
    assert_eq!(reply.header("retry-after"), "7");
    assert!(world.memory.document(id()).is_some(), "the document stays");
    assert_eq!(world.memory.messages(), []);

    let reply = world.post("/tasks", &body("x")).await;
    assert_eq!(reply.status, StatusCode::ACCEPTED);
    let [message] = world.memory.messages().try_into().unwrap();
    let message = TaskMessage::parse(&message.text).unwrap();
    assert_eq!(message.etag.as_deref(), Some(reply.header("etag")));
}

#[tokio::test(start_paused = true)]
async fn a_scheduled_submission_is_healed_with_the_time_that_is_left() {
    let world = World::new();
    let body = format!(r#"{{"TaskId":"{ID}","DelaySeconds":100}}"#);
    world.memory.fail_once("send", unavailable());
    world.post("/tasks", &body).await;
    tokio::time::sleep(std::time::Duration::from_secs(40)).await;
    assert_eq!(world.post("/tasks", &body).await.status, StatusCode::ACCEPTED);
    let [message] = world.memory.messages().try_into().unwrap();
    assert_eq!((message.queue, message.delay.as_secs()), (QueueName::Scheduled, 60));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_accepted_when_the_document_cannot_be_stored() {
    let world = World::new();
    world.memory.fail_once("create", unavailable());
    assert_eq!(world.post("/tasks", &body("x")).await.kind(), (503, "storage-unavailable".to_owned()));
    assert_eq!(world.memory.names(), [""; 0]);
    assert_eq!(world.memory.messages(), []);
}

#[tokio::test(start_paused = true)]
async fn twenty_submissions_at_once_make_one_task() {
    let world = World::new();
    world.memory.0.latency.set(std::time::Duration::from_millis(10));
    let submission = body("x");
    let replies = futures::future::join_all((0..20).map(|_| world.post("/tasks", &submission))).await;
    for reply in &replies {
        assert_eq!(reply.status, StatusCode::ACCEPTED);
        assert_eq!(reply.monitor().id, id());
    }
    assert_eq!(world.memory.names().len(), 1);
    let other = body("y");
    let replies = futures::future::join_all((0..20).map(|_| world.post("/tasks", &other))).await;
    assert!(replies.iter().all(|reply| reply.status == StatusCode::UNPROCESSABLE_ENTITY));
}

#[tokio::test(start_paused = true)]
async fn an_idempotency_key_stands_for_one_task_unless_the_body_names_another() {
    let world = World::new();
    let submit = async |key: &str, body: &str| {
        let reply = world.ask(Method::POST, "/tasks", &[("idempotency-key", key)], body).await;
        assert_eq!(reply.status, StatusCode::ACCEPTED);
        reply.monitor().id
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
async fn an_idempotency_key_that_is_empty_too_long_or_given_twice_is_refused() {
    let world = World::new();
    let long = "k".repeat(256);
    for keys in
        [&[("idempotency-key", "")][..], &[("idempotency-key", &long)], &[("idempotency-key", "a"); 2]]
    {
        let reply = world.ask(Method::POST, "/tasks", keys, "{}").await;
        assert_eq!(reply.kind(), (400, "invalid-header".to_owned()));
    }
    let longest = "k".repeat(255);
    let reply = world.ask(Method::POST, "/tasks", &[("idempotency-key", &longest)], "{}").await;
    assert_eq!(reply.status, StatusCode::ACCEPTED);
}
