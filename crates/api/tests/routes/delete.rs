use fake_azure::Operation;
use http::{Method, StatusCode};
use models::{ResultBlob, TaskState};
use test_world::Fault;

use crate::world::{ID, World};

#[tokio::test(start_paused = true)]
async fn ended_task_is_deleted_with_its_result() {
    let world = World::new();
    for state in [TaskState::Completed, TaskState::Failed, TaskState::Cancelled] {
        world.store(|document| {
            document.state = state;
            document.result_blob =
                Some(ResultBlob { name: "r".to_owned(), content_type: "text/plain".to_owned(), size: 1 });
        });
        world.put_blob("r", "x");
        let response = world.ask(Method::DELETE, &format!("/tasks/{ID}"), &[], "").await;
        assert_eq!(response.status, StatusCode::NO_CONTENT);
        assert!(world.blob_names().is_empty());
        let again = world.ask(Method::DELETE, &format!("/tasks/{ID}"), &[], "").await;
        assert_eq!(again.kind(), (404, "task-not-found".to_owned()));
    }
}

#[tokio::test(start_paused = true)]
async fn delete_is_409_until_the_task_has_ended() {
    let world = World::new();
    for state in [TaskState::Pending, TaskState::InProgress] {
        world.store_as(state);
        let response = world.ask(Method::DELETE, &format!("/tasks/{ID}"), &[], "").await;
        assert_eq!(response.kind(), (409, "task-not-ended".to_owned()));
        assert_eq!(world.blob_names().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn interrupted_deletion_keeps_the_document_for_another_try() {
    let world = World::new();
    world.store(|document| {
        document.state = TaskState::Completed;
        document.result_blob =
            Some(ResultBlob { name: "r".to_owned(), content_type: "text/plain".to_owned(), size: 1 });
    });
    world.fail_once(Operation::DeleteBlob, Fault::unavailable());
    assert_eq!(world.ask(Method::DELETE, &format!("/tasks/{ID}"), &[], "").await.kind().0, 503);
    assert_eq!(world.blob_names().len(), 1);
    let again = world.ask(Method::DELETE, &format!("/tasks/{ID}"), &[], "").await;
    assert_eq!(again.status, StatusCode::NO_CONTENT);
}
