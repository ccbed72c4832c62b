//! `If-Match` and `If-None-Match` on what changes a task and on what shows it.

use http::{Method, StatusCode};
use models::{ResultBlob, TaskState};

use crate::world::{ID, World, id};

/// What changes a task, the state in which it does, and the status of success.
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
async fn a_stale_precondition_is_412_and_changes_nothing() {
    for (method, path, state, _) in changes() {
        let world = World::new();
        let etag = world.store(|document| {
            document.state = state;
            document.result_blob =
                Some(ResultBlob { name: "r".to_owned(), content_type: "text/plain".to_owned(), size: 1 });
        });
        world.memory.set_bytes("r".to_owned(), "x");
        let before = (world.memory.document(id()), world.memory.names());
        let weak = format!("W/{etag}");
        for stale in ["\"0x8D0\"", &weak, "\"a\", \"b\"", "nonsense", ""] {
            let reply = world.ask(method.clone(), &path, &[("if-match", stale)], "").await;
            assert_eq!(reply.kind(), (412, "precondition-failed".to_owned()), "{method} {path} {stale}");
            assert_eq!(reply.header("etag"), etag, "the client learns the version there is");
        }
        if method != Method::GET {
            for known in [etag.as_str(), &weak, "*"] {
                let reply = world.ask(method.clone(), &path, &[("if-none-match", known)], "").await;
                assert_eq!(reply.kind(), (412, "precondition-failed".to_owned()), "{method} {path} {known}");
            }
        }
        assert_eq!((world.memory.document(id()), world.memory.names()), before, "{method} {path}");
        assert_eq!(world.memory.messages(), []);
    }
}

#[tokio::test(start_paused = true)]
async fn a_precondition_that_holds_lets_the_request_through() {
    for (method, path, state, status) in changes() {
        for tags in ["*", "{}", "\"other\", {}"] {
            let world = World::new();
            let etag = world.store_as(state);
            let reply =
                world.ask(method.clone(), &path, &[("if-match", &tags.replace("{}", &etag))], "").await;
            assert_eq!(reply.status.as_u16(), status, "{method} {path} {tags}");
        }
        let world = World::new();
        world.store_as(state);
        let unused =
            [("if-none-match", "\"other\""), ("if-unmodified-since", "Sun, 06 Nov 1994 08:49:37 GMT")];
        assert_eq!(world.ask(method.clone(), &path, &unused, "").await.status.as_u16(), status, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_comes_before_a_precondition() {
    let world = World::new();
    let stale = [("if-match", "\"0x8D0\"")];
    for (method, path, ..) in changes() {
        for header in [stale[0], ("if-match", "*")] {
            let reply = world.ask(method.clone(), &path, &[header], "").await;
            assert_eq!(reply.kind(), (404, "task-not-found".to_owned()));
        }
    }
    world.store_as(TaskState::InProgress);
    let task = format!("/tasks/{ID}");
    let reply = world.ask(Method::DELETE, &task, &stale, "").await;
    assert_eq!(reply.kind(), (409, "task-not-ended".to_owned()));
    let reply = world.ask(Method::GET, &format!("{task}/result"), &stale, "").await;
    assert_eq!(reply.kind(), (409, "result-not-ready".to_owned()));
    world.store_as(TaskState::Completed);
    let reply = world.ask(Method::GET, &format!("{task}/result"), &stale, "").await;
    assert_eq!(reply.kind(), (412, "precondition-failed".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_change_that_wins_the_race_makes_the_precondition_stale() {
    let world = World::new();
    let etag = world.store_as(TaskState::Pending);
    world.memory.0.latency.set(std::time::Duration::from_millis(10));
    let start = async {
        tokio::time::sleep(std::time::Duration::from_millis(15)).await;
        world.memory.change(id(), |document| document.state = TaskState::InProgress);
    };
    let headers = [("if-match", etag.as_str())];
    let path = format!("/tasks/{ID}/cancel");
    let (reply, ()) = futures::join!(world.ask(Method::POST, &path, &headers, ""), start);
    assert_eq!(reply.kind(), (412, "precondition-failed".to_owned()));
    assert_eq!(world.memory.document(id()).unwrap().cancel_requested_at, None);
}

#[tokio::test(start_paused = true)]
async fn a_cancellation_requested_before_is_412_for_another_version_as_well() {
    let world = World::new();
    world.store_as(TaskState::InProgress);
    let path = format!("/tasks/{ID}/cancel");
    assert_eq!(world.post(&path, "").await.status, StatusCode::ACCEPTED);
    let reply = world.ask(Method::POST, &path, &[("if-match", "\"0x8D0\"")], "").await;
    assert_eq!(reply.kind(), (412, "precondition-failed".to_owned()));
}
