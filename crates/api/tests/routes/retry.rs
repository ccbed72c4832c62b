use std::time::Duration;

use http::StatusCode;
use models::{AttemptOutcome, MonitorState, TaskMessage, TaskState};
use storage::QueueName;

use crate::memory::unavailable;
use crate::world::{ID, World, id};

fn path() -> String {
    format!("/tasks/{ID}/retry")
}

#[tokio::test(start_paused = true)]
async fn a_failed_task_is_put_back_with_a_message_of_its_own() {
    let world = World::new();
    world.store(|document| {
        document.state = TaskState::Failed;
        document.attempt = 3;
        document.finished_at = document.created_at;
        document.expires_at = document.created_at;
    });
    let reply = world.post(&path(), "").await;
    assert_eq!(reply.status, StatusCode::ACCEPTED);
    assert_eq!(reply.monitor().status, MonitorState::NotStarted);
    let document = world.memory.document(id()).unwrap();
    assert_eq!((document.state, document.attempt, document.expires_at), (TaskState::Pending, 3, None));
    assert_eq!(document.history.last().unwrap().outcome, Some(AttemptOutcome::RetryRequested));
    let [message] = world.memory.messages().try_into().unwrap();
    assert_eq!((message.queue, message.delay), (QueueName::Tasks, Duration::ZERO));
    let message = TaskMessage::parse(&message.text).unwrap();
    assert_eq!(message.etag.as_deref(), Some(reply.header("etag")));
}

#[tokio::test(start_paused = true)]
async fn only_a_failed_task_can_be_tried_again() {
    let world = World::new();
    for state in [TaskState::Pending, TaskState::InProgress, TaskState::Completed, TaskState::Cancelled] {
        world.store_as(state);
        assert_eq!(world.post(&path(), "").await.kind(), (409, "task-not-failed".to_owned()), "{state:?}");
    }
    assert_eq!(world.memory.messages(), []);
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_lost_its_message_is_healed_by_the_next_try() {
    let world = World::new();
    world.store_as(TaskState::Failed);
    world.memory.fail_once("send", unavailable());
    assert_eq!(world.post(&path(), "").await.kind(), (503, "storage-unavailable".to_owned()));
    assert_eq!(world.post(&path(), "").await.status, StatusCode::ACCEPTED);
    assert_eq!(world.memory.messages().len(), 1);
    assert_eq!(world.memory.document(id()).unwrap().history.len(), 1, "asked for once");
}
