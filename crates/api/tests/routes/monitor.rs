use std::time::Duration;

use http::{Method, StatusCode};
use models::{MonitorState, TaskState};
use storage::StorageError;

use crate::memory::unavailable;
use crate::world::{ID, World, id};

fn path() -> String {
    format!("/tasks/{ID}")
}

#[tokio::test(start_paused = true)]
async fn the_monitor_tells_every_state_in_its_word_and_asks_to_come_again_until_the_end() {
    let world = World::new();
    for (state, word, again) in [
        (TaskState::Pending, MonitorState::NotStarted, "1"),
        (TaskState::InProgress, MonitorState::Running, "1"),
        (TaskState::Completed, MonitorState::Succeeded, ""),
        (TaskState::Failed, MonitorState::Failed, ""),
        (TaskState::Cancelled, MonitorState::Canceled, ""),
    ] {
        let etag = world.store_as(state);
        let reply = world.get(&path()).await;
        assert_eq!(reply.status, StatusCode::OK);
        assert_eq!(reply.monitor().status, word);
        assert_eq!(reply.header("retry-after"), again, "{state:?}");
        assert_eq!(reply.header("etag"), etag);
        let end = (state == TaskState::Completed).then(|| format!("http://api.example{}", path()));
        assert_eq!(reply.monitor().resource_location, end);
    }
}

#[tokio::test(start_paused = true)]
async fn an_unknown_task_and_an_id_that_is_no_guid_are_404() {
    let world = World::new();
    assert_eq!(world.get(&path()).await.kind(), (404, "task-not-found".to_owned()));
    for id in ["1", "..%2f..%2fsecret", "0a8f5d7e3c1b4b8e9f6a2d4c6e8f0a1b"] {
        assert_eq!(world.get(&format!("/tasks/{id}")).await.kind(), (404, "not-found".to_owned()));
    }
    assert_eq!(world.memory.take_requests(), ["read"]);
}

#[tokio::test(start_paused = true)]
async fn a_monitor_that_has_not_changed_is_not_sent_again() {
    let world = World::new();
    let etag = world.store_as(TaskState::InProgress);
    for known in [etag.clone(), format!("W/{etag}"), format!("\"other\", {etag}"), "*".to_owned()] {
        let reply = world.ask(Method::GET, &path(), &[("if-none-match", &known)], "").await;
        assert_eq!(reply.status, StatusCode::NOT_MODIFIED, "{known}");
        assert!(reply.body.is_empty());
        assert_eq!((reply.header("etag"), reply.header("retry-after")), (etag.as_str(), "1"));
    }
    world.store_as(TaskState::Completed);
    let reply = world.ask(Method::GET, &path(), &[("if-none-match", &etag)], "").await;
    assert_eq!(reply.status, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn a_head_request_has_the_headers_and_no_body() {
    let world = World::new();
    let etag = world.store_as(TaskState::Pending);
    let get = world.get(&path()).await;
    let head = world.ask(Method::HEAD, &path(), &[], "").await;
    assert_eq!((head.status, head.header("etag")), (StatusCode::OK, etag.as_str()));
    assert_eq!(head.header("content-length"), get.body.len().to_string());
    assert!(head.body.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_as_soon_as_the_task_does() {
    let world = World::new();
    world.store_as(TaskState::InProgress);
    let begin = world.now();
    let work = async {
        tokio::time::sleep(Duration::from_secs(4)).await;
        world.memory.change(id(), |document| document.state = TaskState::Failed);
    };
    let path = path();
    let (reply, ()) = futures::join!(world.ask(Method::GET, &path, &[("prefer", "wait=20")], ""), work);
    assert_eq!(reply.monitor().status, MonitorState::Failed);
    assert_eq!(reply.header("preference-applied"), "wait=20");
    let waited = world.now().since(begin);
    assert!((4..=5).contains(&waited.as_secs()), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_over_answers_with_what_is_known() {
    let world = World::new();
    world.store_as(TaskState::InProgress);
    let begin = world.now();
    let reply = world.ask(Method::GET, &path(), &[("prefer", "wait=3")], "").await;
    assert_eq!(reply.monitor().status, MonitorState::Running);
    assert_eq!(world.now().since(begin), Duration::from_secs(3));
    assert!(world.memory.take_requests().len() < 10, "the pauses grow");

    // Storage that fails meanwhile does not make the answer fail.
    world.memory.0.latency.set(Duration::from_millis(500));
    let fail = async {
        tokio::time::sleep(Duration::from_millis(510)).await;
        world.memory.fail_once("read", unavailable());
    };
    let path = path();
    let (reply, ()) = futures::join!(world.ask(Method::GET, &path, &[("prefer", "wait=30")], ""), fail);
    assert_eq!(reply.status, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_no_whole_number_is_ignored() {
    let world = World::new();
    world.store_as(TaskState::InProgress);
    let begin = world.now();
    for wait in ["wait=-1", "wait=1.5", "wait=soon", "wait="] {
        let reply = world.ask(Method::GET, &path(), &[("prefer", wait)], "").await;
        assert_eq!((reply.status, reply.header("preference-applied")), (StatusCode::OK, ""), "{wait}");
    }
    assert_eq!(world.now(), begin);
}

#[tokio::test(start_paused = true)]
async fn a_completed_task_leads_to_its_result_for_those_who_ask_for_it() {
    let world = World::new();
    world.store_as(TaskState::InProgress);
    let redirect = format!("{}?redirect=true", path());
    assert_eq!(world.get(&redirect).await.status, StatusCode::OK);
    world.store_as(TaskState::Completed);
    let reply = world.get(&redirect).await;
    assert_eq!(reply.status, StatusCode::SEE_OTHER);
    assert_eq!(reply.header("location"), format!("http://api.example{}/result", path()));
    assert_eq!(
        world.get(&format!("{}?redirect=maybe", path())).await.kind(),
        (400, "invalid-parameter".to_owned())
    );
}

#[tokio::test(start_paused = true)]
async fn what_storage_cannot_give_is_said_without_details_that_are_not_the_client_s() {
    let world = World::new();
    world.memory.set_bytes(id().status_blob_name(), "{\"secret\":");
    let reply = world.get(&path()).await;
    assert_eq!(reply.kind(), (502, "document-unreadable".to_owned()));

    world.memory.fail_once("read", unavailable());
    let reply = world.get(&path()).await;
    assert_eq!(reply.kind(), (503, "storage-unavailable".to_owned()));
    assert_eq!(reply.header("retry-after"), "7");

    world.memory.fail_once("read", StorageError::Misconfigured("storage refused the key (403)".to_owned()));
    let reply = world.get(&path()).await;
    assert_eq!(reply.kind(), (503, "misconfigured".to_owned()));
    assert_eq!(reply.problem().detail.as_deref(), Some("storage refused the key (403)"));

    world.memory.fail_once("read", StorageError::Refused("400 InvalidHeader".to_owned()));
    assert_eq!(world.get(&path()).await.kind(), (500, "internal".to_owned()));
    let lines = world.env.lines.borrow();
    assert_eq!(lines.iter().filter(|line| line.message == "a request could not be answered").count(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_waits_in_a_long_queue_is_asked_about_less_often() {
    let world = World::new();
    world.store_as(TaskState::Pending);
    world.memory.0.depth.set(400);
    assert_eq!(world.get(&path()).await.header("retry-after"), "1");
    assert_eq!(world.memory.take_requests(), ["read"], "a young task costs no other request");
    tokio::time::sleep(Duration::from_secs(3)).await;
    for requests in [&["read", "depth"][..], &["read"], &["read"]] {
        assert_eq!(world.get(&path()).await.header("retry-after"), "8");
        assert_eq!(world.memory.take_requests(), requests);
    }
    world.memory.change(id(), |document| document.state = TaskState::InProgress);
    assert_eq!(world.get(&path()).await.header("retry-after"), "1");
}
