use http::{Method, StatusCode};
use models::{ResultBlob, TaskState};

use crate::memory::unavailable;
use crate::world::{ID, World};

#[tokio::test(start_paused = true)]
async fn a_task_that_has_ended_is_removed_with_its_result() {
    let world = World::new();
    for state in [TaskState::Completed, TaskState::Failed, TaskState::Cancelled] {
        world.store(|document| {
            document.state = state;
            document.result_blob =
                Some(ResultBlob { name: "r".to_owned(), content_type: "text/plain".to_owned(), size: 1 });
        });
        world.memory.set_bytes("r".to_owned(), "x");
        let reply = world.ask(Method::DELETE, &format!("/tasks/{ID}"), &[], "").await;
        assert_eq!(reply.status, StatusCode::NO_CONTENT);
        assert_eq!(world.memory.names(), [""; 0]);
        let again = world.ask(Method::DELETE, &format!("/tasks/{ID}"), &[], "").await;
        assert_eq!(again.kind(), (404, "task-not-found".to_owned()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_that_has_not_ended_is_kept() {
    let world = World::new();
    for state in [TaskState::Pending, TaskState::InProgress] {
        world.store_as(state);
        let reply = world.ask(Method::DELETE, &format!("/tasks/{ID}"), &[], "").await;
        assert_eq!(reply.kind(), (409, "task-not-ended".to_owned()));
        assert_eq!(world.memory.names().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_deletion_that_breaks_off_leaves_a_document_to_try_again_with() {
    let world = World::new();
    world.store(|document| {
        document.state = TaskState::Completed;
        document.result_blob =
            Some(ResultBlob { name: "r".to_owned(), content_type: "text/plain".to_owned(), size: 1 });
    });
    world.memory.fail_once("delete_attachment", unavailable());
    assert_eq!(world.ask(Method::DELETE, &format!("/tasks/{ID}"), &[], "").await.kind().0, 503);
    assert_eq!(world.memory.names().len(), 1);
    let again = world.ask(Method::DELETE, &format!("/tasks/{ID}"), &[], "").await;
    assert_eq!(again.status, StatusCode::NO_CONTENT);
}
