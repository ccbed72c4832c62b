//! Writes that storage has done and whose replies are lost: the second try meets the first.

use bytes::Bytes;
use fake_azure::EMULATOR_ACCOUNT;
use http::{Method, StatusCode};
use models::{AttemptOutcome, AttemptRecord, TaskState, TaskStatus};

use crate::azure::{EMULATOR, World};
use crate::world::{ID, id};

/// A stored task, and storage that loses the reply to the next write of its document; `then` changes the
/// document before the second try, as somebody else would.
async fn losing(state: TaskState, then: impl Fn(&mut TaskStatus) + 'static) -> World {
    let world = World::new(EMULATOR);
    let body = format!(r#"{{"TaskId":"{ID}"}}"#);
    assert_eq!(world.ask(Method::POST, "/tasks", &[], &body).await.status(), StatusCode::ACCEPTED);
    world.change(|document| document.state = state).await;
    let mut is_lost = false;
    let clock = std::rc::Rc::clone(&world.cloud);
    *world.cloud.lose.borrow_mut() = Box::new(move |method, path, azure| {
        let name = id().status_blob_name();
        if is_lost || !matches!(*method, Method::PUT | Method::DELETE) || !path.ends_with(&name) {
            return false;
        }
        is_lost = true;
        if let Some(blob) = azure.blob(EMULATOR_ACCOUNT, "tasks", &name) {
            let mut document = TaskStatus::parse(&blob.content).unwrap();
            let before = document.clone();
            then(&mut document);
            if document != before {
                let now = service::env::Clock::now(&*clock);
                let bytes = Bytes::from(document.to_bytes());
                azure.put_blob(EMULATOR_ACCOUNT, "tasks", &name, bytes, "application/json", now);
            }
        }
        true
    });
    world
}

fn problem(answer: &http::Response<Bytes>) -> String {
    let problem: serde_json::Value = serde_json::from_slice(answer.body()).unwrap_or_default();
    problem["type"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_cancellation_is_confirmed_although_the_reply_to_its_write_was_lost() {
    let path = format!("/tasks/{ID}/cancel");
    let world = losing(TaskState::Pending, |_| {}).await;
    let answer = world.ask(Method::POST, &path, &[], "").await;
    assert_eq!(answer.status(), StatusCode::OK, "{}", problem(&answer));
    let again = world.ask(Method::POST, &path, &[], "").await;
    assert_eq!(again.status(), StatusCode::CONFLICT, "another request finds the task ended");

    let world = losing(TaskState::InProgress, |_| {}).await;
    assert_eq!(world.ask(Method::POST, &path, &[], "").await.status(), StatusCode::ACCEPTED);
}

#[tokio::test(start_paused = true)]
async fn a_request_to_cancel_is_confirmed_although_the_worker_has_obeyed_before_the_second_try() {
    let path = format!("/tasks/{ID}/cancel");
    let world = losing(TaskState::InProgress, |document| document.state = TaskState::Cancelled).await;
    let answer = world.ask(Method::POST, &path, &[], "").await;
    assert_eq!(answer.status(), StatusCode::ACCEPTED, "{}", problem(&answer));
}

#[tokio::test(start_paused = true)]
async fn a_retry_is_confirmed_although_a_worker_has_begun_before_the_second_try() {
    let path = format!("/tasks/{ID}/retry");
    let world = losing(TaskState::Failed, |document| {
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
    let answer = world.ask(Method::POST, &path, &[], "").await;
    assert_eq!(answer.status(), StatusCode::ACCEPTED, "{}", problem(&answer));

    let world = losing(TaskState::Failed, |_| {}).await;
    let answer = world.ask(Method::POST, &path, &[], "").await;
    assert_eq!(answer.status(), StatusCode::ACCEPTED, "{}", problem(&answer));
    let messages = world.cloud.azure.borrow().messages(EMULATOR_ACCOUNT, "taskqueue").count();
    assert_eq!(messages, 2, "the submission's and the retry's");
    world
        .change(|document| {
            let asked = document.history.iter().filter(|r| r.outcome == Some(AttemptOutcome::RetryRequested));
            assert_eq!(asked.count(), 1);
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_deletion_is_confirmed_although_the_id_was_taken_again_before_the_second_try() {
    let world = losing(TaskState::Completed, |_| {}).await;
    let path = format!("/tasks/{ID}");
    assert_eq!(world.ask(Method::DELETE, &path, &[], "").await.status(), StatusCode::NO_CONTENT);

    let world = losing(TaskState::Completed, |_| {}).await;
    let mut lose = world.cloud.lose.replace(Box::new(|_, _, _| false));
    let clock = std::rc::Rc::clone(&world.cloud);
    *world.cloud.lose.borrow_mut() = Box::new(move |method, path, azure| {
        let is_lost = lose(method, path, azure);
        if is_lost {
            let now = service::env::Clock::now(&*clock);
            let request = models::TaskRequest::parse(b"{}").unwrap();
            let new = TaskStatus::accepted(id(), request, String::new(), now.into());
            let bytes = Bytes::from(new.to_bytes());
            azure.put_blob(
                EMULATOR_ACCOUNT,
                "tasks",
                &id().status_blob_name(),
                bytes,
                "application/json",
                now,
            );
        }
        is_lost
    });
    let answer = world.ask(Method::DELETE, &path, &[], "").await;
    assert_eq!(answer.status(), StatusCode::NO_CONTENT, "{}", problem(&answer));
    let shown = world.ask(Method::GET, &path, &[], "").await;
    assert_eq!(shown.status(), StatusCode::OK, "the new task stays");
}
