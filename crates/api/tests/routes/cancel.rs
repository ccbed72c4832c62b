use http::StatusCode;
use models::{MonitorState, TaskState};

use crate::world::{ID, World, id};

fn path() -> String {
    format!("/tasks/{ID}/cancel")
}

#[tokio::test(start_paused = true)]
async fn pending_task_is_cancelled_at_once() {
    let world = World::new();
    world.store_as(TaskState::Pending);
    let response = world.post(&path(), "").await;
    assert_eq!(response.status, StatusCode::OK);
    assert_eq!(response.monitor().status, MonitorState::Canceled);
    let document = world.document(id()).unwrap();
    assert_eq!(document.state, TaskState::Cancelled);
    assert!(document.finished_at.is_some() && document.expires_at > document.finished_at);
}

#[tokio::test(start_paused = true)]
async fn running_task_is_asked_to_stop_once() {
    let world = World::new();
    world.store_as(TaskState::InProgress);
    let response = world.post(&path(), "").await;
    assert_eq!(response.status, StatusCode::ACCEPTED);
    assert!(response.monitor().cancel_requested);
    assert_eq!(response.header("retry-after"), "1");
    let stored = world.document(id());
    assert_eq!(world.post(&path(), "").await.status, StatusCode::ACCEPTED);
    assert_eq!(world.document(id()), stored);
}

#[tokio::test(start_paused = true)]
async fn cancel_is_409_for_an_ended_task() {
    let world = World::new();
    for (state, word) in [
        (TaskState::Completed, "Succeeded"),
        (TaskState::Failed, "Failed"),
        (TaskState::Cancelled, "Canceled"),
    ] {
        world.store_as(state);
        let response = world.post(&path(), "").await;
        assert_eq!(response.kind(), (409, "task-ended".to_owned()));
        assert_eq!(response.problem().detail, Some(format!("The task is {word}.")));
    }
}

#[tokio::test(start_paused = true)]
async fn cancel_is_202_when_the_worker_starts_the_task_first() {
    let world = World::new();
    world.store_as(TaskState::Pending);
    world.set_latency(std::time::Duration::from_millis(10));
    let start = async {
        // After the read, before the write takes effect.
        tokio::time::sleep(std::time::Duration::from_millis(12)).await;
        world.change_document(id(), |document| document.state = TaskState::InProgress);
    };
    let path = path();
    let (response, ()) = futures::join!(world.post(&path, ""), start);
    assert_eq!(response.status, StatusCode::ACCEPTED);
    assert_eq!(world.document(id()).unwrap().state, TaskState::InProgress);
    assert_eq!(world.post("/tasks/0a8f5d7e-0000-4b8e-9f6a-2d4c6e8f0a1b/cancel", "").await.kind().0, 404);
}
