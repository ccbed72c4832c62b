use std::time::Duration;

use fake_azure::Operation;
use http::{Method, StatusCode};
use models::{MonitorState, TaskId, TaskState};
use storage::key_marker_name;
use test_world::Fault;

use crate::world::World;

const BODY: &str = r#"{"TaskName":"report","UniqueKey":"nightly"}"#;

fn end(world: &World, id: TaskId) {
    world.change_document(id, |document| document.state = TaskState::Completed);
}

#[tokio::test(start_paused = true)]
async fn second_submission_of_a_key_is_202_with_the_first_task() {
    let world = World::new();
    let first = world.submit(BODY).await;
    let other = r#"{"TaskName":"other","UniqueKey":"nightly"}"#;
    for (path, body) in [("/tasks", BODY), ("/tasks", other), ("/Tasks/QueueTask", BODY)] {
        let second = world.post(path, body).await;
        assert_eq!(second.status, StatusCode::ACCEPTED);
        for name in ["operation-location", "etag"] {
            assert_eq!(second.header(name), first.header(name));
        }
        let address = |location: &str| location.split('?').next().unwrap().to_owned();
        assert_eq!(address(second.header("location")), address(first.header("location")));
    }
    let monitor = world.submit(other).await.monitor();
    assert_eq!((monitor.id, monitor.name.as_str()), (first.monitor().id, "report"));
    assert_eq!(monitor.unique_key.as_deref(), Some("nightly"));
    assert_eq!(world.blob_names().len(), 2, "one document and one marker");
    let another = world.submit(r#"{"UniqueKey":"weekly"}"#).await.monitor();
    assert_ne!(another.id, monitor.id);
}

#[tokio::test(start_paused = true)]
async fn key_is_free_when_its_task_has_ended_and_the_window_is_over() {
    let world = World::new();
    for (body, window) in
        [(BODY, 0), (r#"{"TaskName":"report","UniqueKey":"windowed","UniqueSeconds":60}"#, 60)]
    {
        let first = world.submit(body).await.monitor().id;
        world.change_document(first, |document| document.state = TaskState::InProgress);
        tokio::time::sleep(Duration::from_secs(7_200)).await;
        assert_eq!(world.submit(body).await.monitor().status, MonitorState::Running);
        end(&world, first);
        let second = world.submit(body).await.monitor().id;
        assert_ne!(second, first);
        end(&world, second);
        let third = world.submit(body).await.monitor();
        assert_eq!(third.id == second, window > 0, "within the window");
        tokio::time::sleep(Duration::from_secs(window)).await;
        assert_ne!(world.submit(body).await.monitor().id, second);
    }
}

#[tokio::test(start_paused = true)]
async fn twenty_concurrent_submissions_of_a_key_make_one_task() {
    let world = World::new();
    world.set_latency(Duration::from_millis(10));
    let mut holder = None;
    for _ in 0..2 {
        let responses = futures::future::join_all((0..20).map(|_| world.post("/tasks", BODY))).await;
        let ids: Vec<_> = responses.iter().map(|response| response.monitor().id).collect();
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
        assert_ne!(holder.replace(ids[0]), Some(ids[0]), "the key was free");
        end(&world, ids[0]);
    }
    assert_eq!(world.blob_names().len(), 3, "two documents and one marker");
}

#[tokio::test(start_paused = true)]
async fn interrupted_submission_is_completed_by_the_next_one() {
    // Which of the writes (marker, document, message) is refused, and which responses are lost.
    for (operation, nth, fault) in [
        (Operation::PutBlob, 2, Fault::unavailable()),
        (Operation::PutMessage, 1, Fault::unavailable()),
        (Operation::PutBlob, 1, Fault::ResponseLost),
        (Operation::PutBlob, 2, Fault::ResponseLost),
    ] {
        let world = World::new();
        world.post("/tasks", "{}").await;
        let mut count = 0;
        world.fail(move |request| {
            count += u32::from(request.operation == operation);
            if request.operation == operation && count == nth { fault } else { Fault::None }
        });
        let first = world.post("/tasks", BODY).await;
        world.end_faults();
        let second = world.submit(BODY).await;
        if first.status == StatusCode::ACCEPTED {
            assert_eq!(first.monitor().id, second.monitor().id);
        } else {
            assert_eq!(first.kind(), (503, "storage-unavailable".to_owned()));
        }
        assert_eq!(world.submit(BODY).await.monitor().id, second.monitor().id);
        assert_eq!(world.blob_names().len(), 3, "{operation:?} {nth}: two documents and a marker");
        let id = second.monitor().id.to_string();
        assert!(world.sent().iter().any(|message| message.text.contains(&id)));
    }
}

#[tokio::test(start_paused = true)]
async fn deletion_frees_the_key_of_its_task_only() {
    let world = World::new();
    let first = world.submit(BODY).await.monitor().id;
    end(&world, first);
    let second = world.submit(BODY).await.monitor().id;
    let delete = async |id: TaskId| world.ask(Method::DELETE, &format!("/tasks/{id}"), &[], "").await.status;
    assert_eq!(delete(first).await, StatusCode::NO_CONTENT);
    assert_eq!(world.submit(BODY).await.monitor().id, second, "the first task had lost the key");
    end(&world, second);
    assert_eq!(delete(second).await, StatusCode::NO_CONTENT);
    assert!(world.blob(&key_marker_name(None, "nightly")).is_none());
    assert_ne!(world.submit(BODY).await.monitor().id, second);
}

#[tokio::test(start_paused = true)]
async fn key_takes_precedence_over_the_idempotency_key_and_excludes_a_task_id() {
    let world = World::new();
    let submit = async |body: &str| {
        world.ask(Method::POST, "/tasks", &[("idempotency-key", "order-1")], body).await.monitor().id
    };
    let first = submit(BODY).await;
    assert_eq!(submit(BODY).await, first);
    assert_ne!(submit("{}").await, first);
    let both = format!(r#"{{"UniqueKey":"nightly","TaskId":"{first}"}}"#);
    assert_eq!(world.post("/tasks", &both).await.kind(), (400, "invalid-body".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn callers_have_keys_of_their_own() {
    // SHA-256 of "secret" and of "other".
    let hashes = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b,\
                  d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa";
    let world = World::with(&[("api_auth", "api-key"), ("api_key_hashes", hashes)]);
    let submit =
        async |key: &str| world.ask(Method::POST, "/tasks", &[("api-key", key)], BODY).await.monitor().id;
    let first = submit("secret").await;
    assert_eq!(submit("secret").await, first);
    assert_ne!(submit("other").await, first);
}

#[tokio::test(start_paused = true)]
async fn equal_keys_in_a_batch_are_one_task() {
    let world = World::new();
    let body =
        format!("[{BODY},{{\"TaskName\":\"other\",\"UniqueKey\":\"nightly\"}},{{\"UniqueKey\":\"weekly\"}}]");
    let response = world.post("/tasks:batch", &body).await.json();
    let id = |index: usize| response["value"][index]["id"].as_str().unwrap().to_owned();
    assert_eq!(id(0), id(1));
    assert_ne!(id(0), id(2));
    assert_eq!(world.document(id(0).parse().unwrap()).unwrap().task_name, "report");
}

#[tokio::test(start_paused = true)]
async fn first_submission_of_a_key_makes_three_storage_requests() {
    let world = World::new();
    world.post("/tasks", "{}").await;
    world.take_operations();
    world.submit(BODY).await;
    assert_eq!(world.take_operations(), [Operation::PutBlob, Operation::PutBlob, Operation::PutMessage]);
    world.change_document(world.submit(BODY).await.monitor().id, |document| {
        document.state = TaskState::InProgress;
    });
    world.take_operations();
    world.submit(BODY).await;
    assert_eq!(world.take_operations(), [Operation::PutBlob, Operation::GetBlob, Operation::GetBlob]);
}
