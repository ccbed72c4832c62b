use http::StatusCode;
use models::{MonitorState, TaskState};

use crate::world::{ID, World, id};

fn path() -> String {
    format!("/tasks/{ID}/cancel")
}

#[tokio::test(start_paused = true)]
async fn a_task_that_waits_is_cancelled_at_once() {
    let world = World::new();
    world.store_as(TaskState::Pending);
    let reply = world.post(&path(), "").await;
    assert_eq!(reply.status, StatusCode::OK);
    assert_eq!(reply.monitor().status, MonitorState::Canceled);
    let document = world.memory.document(id()).unwrap();
    assert_eq!(document.state, TaskState::Cancelled);
    assert!(document.finished_at.is_some() && document.expires_at > document.finished_at);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_runs_is_asked_to_stop_once() {
    let world = World::new();
    world.store_as(TaskState::InProgress);
    let reply = world.post(&path(), "").await;
    assert_eq!(reply.status, StatusCode::ACCEPTED);
    assert!(reply.monitor().cancel_requested);
    assert_eq!(reply.header("retry-after"), "1");
    let stored = world.memory.document(id());
    assert_eq!(world.post(&path(), "").await.status, StatusCode::ACCEPTED);
    assert_eq!(world.memory.document(id()), stored);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_has_ended_cannot_be_cancelled() {
    let world = World::new();
    for (state, word) in [
        (TaskState::Completed, "Succeeded"),
        (TaskState::Failed, "Failed"),
        (TaskState::Cancelled, "Canceled"),
    ] {
        world.store_as(state);
        let reply = world.post(&path(), "").await;
        assert_eq!(reply.kind(), (409, "task-ended".to_owned()));
        assert_eq!(reply.problem().detail, Some(format!("The task is {word}.")));
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancellation_that_races_with_the_worker_decides_by_what_the_worker_wrote() {
    let world = World::new();
    world.store_as(TaskState::Pending);
    world.memory.0.latency.set(std::time::Duration::from_millis(10));
    let start = async {
        tokio::time::sleep(std::time::Duration::from_millis(15)).await;
        world.memory.change(id(), |document| document.state = TaskState::InProgress);
    };
    let path = path();
    let (reply, ()) = futures::join!(world.post(&path, ""), start);
    assert_eq!(reply.status, StatusCode::ACCEPTED);
    assert_eq!(world.memory.document(id()).unwrap().state, TaskState::InProgress);
    assert_eq!(world.post("/tasks/0a8f5d7e-0000-4b8e-9f6a-2d4c6e8f0a1b/cancel", "").await.kind().0, 404);
}
