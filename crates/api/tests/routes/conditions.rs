//! `If-Match` and `If-None-Match` on requests that change or read a task.

use http::{Method, StatusCode};
use models::{ResultBlob, TaskState};

use crate::world::{ID, World, id};

/// Requests that change or read a task, the state in which they succeed, and the status of success.
fn changes() -> [(Method, String, TaskState, u16); 5] {
    let task = format!("/tasks/{ID}");
    [
        (Method::DELETE, task.clone(), TaskState::Completed, 204),
        (Method::POST, format!("{task}/cancel"), TaskState::Pending, 200),
        (Method::POST, format!("{task}/cancel"), TaskState::InProgress, 202),
        (Method::POST, format!("{task}/retry"), TaskState::Failed, 202),
        (Method::GET, task, TaskState::InProgress, 200),
    ]
}

#[tokio::test(start_paused = true)]
async fn stale_precondition_is_412_and_changes_nothing() {
    for (method, path, state, _) in changes() {
        let world = World::new();
        let etag = world.store(|document| {
            document.state = state;
            document.result_blob =
                Some(ResultBlob { name: "r".to_owned(), content_type: "text/plain".to_owned(), size: 1 });
        });
        world.put_blob("r", "x");
        let before = (world.document(id()), world.blob_names());
        let weak = format!("W/{etag}");
        for stale in ["\"0x8D0\"", &weak, "\"a\", \"b\"", "nonsense", ""] {
            let response = world.ask(method.clone(), &path, &[("if-match", stale)], "").await;
            assert_eq!(response.kind(), (412, "precondition-failed".to_owned()), "{method} {path} {stale}");
            assert_eq!(response.header("etag"), etag, "the client learns the version there is");
        }
        if method != Method::GET {
            for known in [etag.as_str(), &weak, "*"] {
                let response = world.ask(method.clone(), &path, &[("if-none-match", known)], "").await;
                assert_eq!(
                    response.kind(),
                    (412, "precondition-failed".to_owned()),
                    "{method} {path} {known}"
                );
            }
        }
        assert_eq!((world.document(id()), world.blob_names()), before, "{method} {path}");
        assert!(world.sent().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn request_succeeds_when_its_precondition_holds() {
    for (method, path, state, status) in changes() {
        for tags in ["*", "{}", "\"other\", {}"] {
            let world = World::new();
            let etag = world.store_as(state);
            let response =
                world.ask(method.clone(), &path, &[("if-match", &tags.replace("{}", &etag))], "").await;
            assert_eq!(response.status.as_u16(), status, "{method} {path} {tags}");
        }
        let world = World::new();
        world.store_as(state);
        let unused =
            [("if-none-match", "\"other\""), ("if-unmodified-since", "Sun, 06 Nov 1994 08:49:37 GMT")];
        assert_eq!(world.ask(method.clone(), &path, &unused, "").await.status.as_u16(), status, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn other_errors_precede_a_failed_precondition() {
    let world = World::new();
    let stale = [("if-match", "\"0x8D0\"")];
    for (method, path, ..) in changes() {
        for header in [stale[0], ("if-match", "*")] {
            let response = world.ask(method.clone(), &path, &[header], "").await;
            assert_eq!(response.kind(), (404, "task-not-found".to_owned()));
        }
    }
    world.store_as(TaskState::InProgress);
    let task = format!("/tasks/{ID}");
    let response = world.ask(Method::DELETE, &task, &stale, "").await;
    assert_eq!(response.kind(), (409, "task-not-ended".to_owned()));
    let response = world.ask(Method::GET, &format!("{task}/result"), &stale, "").await;
    assert_eq!(response.kind(), (409, "result-not-ready".to_owned()));
    world.store_as(TaskState::Completed);
    let response = world.ask(Method::GET, &format!("{task}/result"), &stale, "").await;
    assert_eq!(response.kind(), (412, "precondition-failed".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn precondition_fails_when_a_concurrent_change_wins() {
    let world = World::new();
    let etag = world.store_as(TaskState::Pending);
    world.set_latency(std::time::Duration::from_millis(10));
    let start = async {
        // After the read, before the write takes effect.
        tokio::time::sleep(std::time::Duration::from_millis(12)).await;
        world.change_document(id(), |document| document.state = TaskState::InProgress);
    };
    let headers = [("if-match", etag.as_str())];
    let path = format!("/tasks/{ID}/cancel");
    let (response, ()) = futures::join!(world.ask(Method::POST, &path, &headers, ""), start);
    assert_eq!(response.kind(), (412, "precondition-failed".to_owned()));
    assert_eq!(world.document(id()).unwrap().cancel_requested_at, None);
}

#[tokio::test(start_paused = true)]
async fn repeated_cancel_is_412_for_another_version() {
    let world = World::new();
    world.store_as(TaskState::InProgress);
    let path = format!("/tasks/{ID}/cancel");
    assert_eq!(world.post(&path, "").await.status, StatusCode::ACCEPTED);
    let response = world.ask(Method::POST, &path, &[("if-match", "\"0x8D0\"")], "").await;
    assert_eq!(response.kind(), (412, "precondition-failed".to_owned()));
}
