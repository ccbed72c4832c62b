//! Writes that storage has done and whose responses are lost: the second try meets the effect of the first.

use std::rc::Rc;

use fake_azure::Operation;
use http::{Method, StatusCode};
use models::{AttemptOutcome, AttemptRecord, TaskRequest, TaskState, TaskStatus};
use test_world::{Fault, TestWorld};

use crate::world::{ID, World, id};

/// A stored task, and storage that loses the response to the next write of its document. `then` runs before the
/// second try, as another program.
async fn losing(state: TaskState, then: impl Fn(&TestWorld) + 'static) -> World {
    let world = World::new();
    world.submit(&format!(r#"{{"TaskId":"{ID}"}}"#)).await;
    world.change_document(id(), |document| document.state = state);
    let (mut writes, env) = (0, Rc::clone(&world.env));
    world.fail(move |request| {
        let is_write = matches!(request.operation, Operation::PutBlob | Operation::DeleteBlob)
            && request.path.ends_with(&id().status_blob_name());
        writes += u32::from(is_write);
        match writes {
            1 if is_write => return Fault::ResponseLost,
            2 if is_write => then(&env),
            _ => {}
        }
        Fault::None
    });
    world
}

/// As [`losing`], when the document is changed before the second try.
async fn losing_then_changed(state: TaskState, change: impl Fn(&mut TaskStatus) + 'static) -> World {
    let then = move |env: &TestWorld| {
        env.change_document(id(), &change);
    };
    losing(state, then).await
}

#[tokio::test(start_paused = true)]
async fn cancellation_is_confirmed_after_its_response_was_lost() {
    let path = format!("/tasks/{ID}/cancel");
    let world = losing(TaskState::Pending, |_| {}).await;
    let response = world.post(&path, "").await;
    assert_eq!(response.status, StatusCode::OK, "{response:?}");
    let again = world.post(&path, "").await;
    assert_eq!(again.status, StatusCode::CONFLICT, "another request finds the task ended");

    let world = losing(TaskState::InProgress, |_| {}).await;
    assert_eq!(world.post(&path, "").await.status, StatusCode::ACCEPTED);
}

#[tokio::test(start_paused = true)]
async fn cancellation_is_confirmed_when_the_worker_obeyed_before_the_second_try() {
    let world =
        losing_then_changed(TaskState::InProgress, |document| document.state = TaskState::Cancelled).await;
    let response = world.post(&format!("/tasks/{ID}/cancel"), "").await;
    assert_eq!(response.status, StatusCode::ACCEPTED, "{response:?}");
}

#[tokio::test(start_paused = true)]
async fn retry_is_confirmed_when_a_worker_began_before_the_second_try() {
    let path = format!("/tasks/{ID}/retry");
    let world = losing_then_changed(TaskState::Failed, |document| {
        document.state = TaskState::InProgress;
        document.attempt += 1;
        document.record(AttemptRecord {
            attempt: document.attempt,
            started_at: document.updated_at.unwrap(),
            ended_at: None,
            outcome: None,
            error: None,
            by: None,
            delivery: None,
        });
    })
    .await;
    let response = world.post(&path, "").await;
    assert_eq!(response.status, StatusCode::ACCEPTED, "{response:?}");

    let world = losing(TaskState::Failed, |_| {}).await;
    let response = world.post(&path, "").await;
    assert_eq!(response.status, StatusCode::ACCEPTED, "{response:?}");
    assert_eq!(world.messages("").len(), 2, "the submission's and the retry's");
    let document = world.document(id()).unwrap();
    let asked = document.history.iter().filter(|r| r.outcome == Some(AttemptOutcome::RetryRequested));
    assert_eq!(asked.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn deletion_is_confirmed_when_the_id_was_reused_meanwhile() {
    let path = format!("/tasks/{ID}");
    let world = losing(TaskState::Completed, |_| {}).await;
    assert_eq!(world.ask(Method::DELETE, &path, &[], "").await.status, StatusCode::NO_CONTENT);

    let world = losing(TaskState::Completed, |env| {
        let request = TaskRequest::parse(b"{}").unwrap();
        env.put_document(&TaskStatus::accepted(id(), request, String::new(), env.now()));
    })
    .await;
    let response = world.ask(Method::DELETE, &path, &[], "").await;
    assert_eq!(response.status, StatusCode::NO_CONTENT, "{response:?}");
    assert_eq!(world.get(&path).await.status, StatusCode::OK, "the new task stays");
}
