use fake_azure::Operation;
use std::time::Duration;
use test_world::Fault;

use http::StatusCode;
use models::{AttemptOutcome, MonitorState, TaskMessage, TaskState};
use storage::QueueName;

use crate::world::{ID, World, id};

fn path() -> String {
    format!("/tasks/{ID}/retry")
}

#[tokio::test(start_paused = true)]
async fn retry_makes_a_failed_task_pending_and_sends_a_message() {
    let world = World::new();
    world.store(|document| {
        document.state = TaskState::Failed;
        document.attempt = 3;
        document.finished_at = document.created_at;
        document.expires_at = document.created_at;
    });
    let response = world.post(&path(), "").await;
    assert_eq!(response.status, StatusCode::ACCEPTED);
    assert_eq!(response.monitor().status, MonitorState::NotStarted);
    let document = world.document(id()).unwrap();
    assert_eq!((document.state, document.attempt, document.expires_at), (TaskState::Pending, 3, None));
    assert_eq!(document.history.last().unwrap().outcome, Some(AttemptOutcome::RetryRequested));
    let [message] = world.sent().try_into().unwrap();
    assert_eq!((message.queue, message.delay), (QueueName::Tasks, Duration::ZERO));
    let message = TaskMessage::parse(&message.text).unwrap();
    assert_eq!(message.etag.as_deref(), Some(response.header("etag")));
}

#[tokio::test(start_paused = true)]
async fn retry_is_409_unless_the_task_failed() {
    let world = World::new();
    for state in [TaskState::Pending, TaskState::InProgress, TaskState::Completed, TaskState::Cancelled] {
        world.store_as(state);
        assert_eq!(world.post(&path(), "").await.kind(), (409, "task-not-failed".to_owned()), "{state:?}");
    }
    assert!(world.sent().is_empty());
}

#[tokio::test(start_paused = true)]
async fn repeated_retry_sends_the_missing_message() {
    let world = World::new();
    world.store_as(TaskState::Failed);
    world.fail_once(Operation::PutMessage, Fault::unavailable());
    assert_eq!(world.post(&path(), "").await.kind(), (503, "storage-unavailable".to_owned()));
    assert_eq!(world.post(&path(), "").await.status, StatusCode::ACCEPTED);
    assert_eq!(world.sent().len(), 1);
    assert_eq!(world.document(id()).unwrap().history.len(), 1, "asked for once");
}
