use fake_azure::Operation;
use std::time::Duration;
use test_world::Fault;

use http::{Method, StatusCode};
use models::{MonitorState, TaskState};

use crate::world::{ID, World, id};

fn path() -> String {
    format!("/tasks/{ID}")
}

#[tokio::test(start_paused = true)]
async fn monitor_shows_every_state_with_retry_after_until_the_end() {
    let world = World::new();
    for (state, word, again) in [
        (TaskState::Pending, MonitorState::NotStarted, "1"),
        (TaskState::InProgress, MonitorState::Running, "1"),
        (TaskState::Completed, MonitorState::Succeeded, ""),
        (TaskState::Failed, MonitorState::Failed, ""),
        (TaskState::Cancelled, MonitorState::Canceled, ""),
    ] {
        let etag = world.store_as(state);
        let response = world.get(&path()).await;
        assert_eq!(response.status, StatusCode::OK);
        assert_eq!(response.monitor().status, word);
        assert_eq!(response.header("retry-after"), again, "{state:?}");
        assert_eq!(response.header("etag"), etag);
        let end = (state == TaskState::Completed).then(|| format!("http://api.example{}", path()));
        assert_eq!(response.monitor().resource_location, end);
    }
}

#[tokio::test(start_paused = true)]
async fn unknown_task_and_invalid_id_are_404() {
    let world = World::new();
    assert_eq!(world.get(&path()).await.kind(), (404, "task-not-found".to_owned()));
    for id in ["1", "..%2f..%2fsecret", "0a8f5d7e3c1b4b8e9f6a2d4c6e8f0a1b"] {
        assert_eq!(world.get(&format!("/tasks/{id}")).await.kind(), (404, "not-found".to_owned()));
    }
    assert_eq!(world.take_operations(), [Operation::GetBlob]);
}

#[tokio::test(start_paused = true)]
async fn unchanged_monitor_is_304() {
    let world = World::new();
    let etag = world.store_as(TaskState::InProgress);
    for known in [etag.clone(), format!("W/{etag}"), format!("\"other\", {etag}"), "*".to_owned()] {
        let response = world.ask(Method::GET, &path(), &[("if-none-match", &known)], "").await;
        assert_eq!(response.status, StatusCode::NOT_MODIFIED, "{known}");
        assert!(response.body.is_empty());
        assert_eq!((response.header("etag"), response.header("retry-after")), (etag.as_str(), "1"));
    }
    world.store_as(TaskState::Completed);
    let response = world.ask(Method::GET, &path(), &[("if-none-match", &etag)], "").await;
    assert_eq!(response.status, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn head_has_the_headers_of_get_and_no_body() {
    let world = World::new();
    let etag = world.store_as(TaskState::Pending);
    let get = world.get(&path()).await;
    let head = world.ask(Method::HEAD, &path(), &[], "").await;
    assert_eq!((head.status, head.header("etag")), (StatusCode::OK, etag.as_str()));
    assert_eq!(head.header("content-length"), get.body.len().to_string());
    assert!(head.body.is_empty());
}

#[tokio::test(start_paused = true)]
async fn wait_ends_when_the_task_ends() {
    let world = World::new();
    world.store_as(TaskState::InProgress);
    let begin = world.now();
    let work = async {
        tokio::time::sleep(Duration::from_secs(4)).await;
        world.change_document(id(), |document| document.state = TaskState::Failed);
    };
    let path = path();
    let (response, ()) = futures::join!(world.ask(Method::GET, &path, &[("prefer", "wait=20")], ""), work);
    assert_eq!(response.monitor().status, MonitorState::Failed);
    assert_eq!(response.header("preference-applied"), "wait=20");
    let waited = world.now().since(begin);
    assert!((4..=5).contains(&waited.as_secs()), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn expired_wait_returns_the_last_known_state() {
    let world = World::new();
    world.store_as(TaskState::InProgress);
    let begin = world.now();
    let response = world.ask(Method::GET, &path(), &[("prefer", "wait=3")], "").await;
    assert_eq!(response.monitor().status, MonitorState::Running);
    assert_eq!(world.now().since(begin), Duration::from_secs(3));
    assert!(world.take_operations().len() < 10, "the pauses grow");

    // Storage that fails meanwhile does not make the response fail.
    world.set_latency(Duration::from_millis(500));
    let fail = async {
        tokio::time::sleep(Duration::from_millis(510)).await;
        world.fail_once(Operation::GetBlob, Fault::unavailable());
    };
    let path = path();
    let (response, ()) = futures::join!(world.ask(Method::GET, &path, &[("prefer", "wait=30")], ""), fail);
    assert_eq!(response.status, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn invalid_wait_is_ignored() {
    let world = World::new();
    world.store_as(TaskState::InProgress);
    let begin = world.now();
    for wait in ["wait=-1", "wait=1.5", "wait=soon", "wait="] {
        let response = world.ask(Method::GET, &path(), &[("prefer", wait)], "").await;
        assert_eq!((response.status, response.header("preference-applied")), (StatusCode::OK, ""), "{wait}");
    }
    assert_eq!(world.now(), begin);
}

#[tokio::test(start_paused = true)]
async fn completed_task_redirects_to_its_result_on_request() {
    let world = World::new();
    world.store_as(TaskState::InProgress);
    let redirect = format!("{}?redirect=true", path());
    assert_eq!(world.get(&redirect).await.status, StatusCode::OK);
    world.store_as(TaskState::Completed);
    let response = world.get(&redirect).await;
    assert_eq!(response.status, StatusCode::SEE_OTHER);
    assert_eq!(response.header("location"), format!("http://api.example{}/result", path()));
    assert_eq!(
        world.get(&format!("{}?redirect=maybe", path())).await.kind(),
        (400, "invalid-parameter".to_owned())
    );
}

#[tokio::test(start_paused = true)]
async fn each_storage_error_is_its_own_problem_and_is_logged() {
    let world = World::new();
    world.put_blob(&id().status_blob_name(), "{\"secret\":");
    let response = world.get(&path()).await;
    assert_eq!(response.kind(), (502, "document-unreadable".to_owned()));

    let pause = Duration::from_millis(6500);
    world.fail(move |_| Fault::error(503, "ServerBusy").retry_after(pause));
    let response = world.get(&path()).await;
    assert_eq!(response.kind(), (503, "storage-unavailable".to_owned()));
    assert_eq!(response.header("retry-after"), "7", "whole seconds, rounded up");

    world.fail_once(Operation::GetBlob, Fault::error(403, "AuthenticationFailed"));
    let response = world.get(&path()).await;
    assert_eq!(response.kind(), (503, "misconfigured".to_owned()));
    let detail = response.problem().detail.unwrap();
    assert!(detail.contains("403 AuthenticationFailed"), "{detail}");

    world.fail_once(Operation::GetBlob, Fault::error(400, "InvalidHeaderValue"));
    assert_eq!(world.get(&path()).await.kind(), (500, "internal".to_owned()));
    let lines = world.lines();
    assert_eq!(lines.iter().filter(|line| line.message == "a request failed").count(), 4);
}

#[tokio::test(start_paused = true)]
async fn retry_after_grows_with_the_queue_for_pending_tasks() {
    let world = World::new();
    world.store_as(TaskState::Pending);
    world.set_queue_length(400);
    assert_eq!(world.get(&path()).await.header("retry-after"), "1");
    assert_eq!(world.take_operations(), [Operation::GetBlob], "a young task costs no other request");
    tokio::time::sleep(Duration::from_secs(3)).await;
    for operations in
        [&[Operation::GetBlob, Operation::GetQueueMetadata][..], &[Operation::GetBlob], &[Operation::GetBlob]]
    {
        assert_eq!(world.get(&path()).await.header("retry-after"), "8");
        assert_eq!(world.take_operations(), operations);
    }
    world.change_document(id(), |document| document.state = TaskState::InProgress);
    assert_eq!(world.get(&path()).await.header("retry-after"), "1");
}
