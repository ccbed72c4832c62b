use bytes::Bytes;
use http::{Method, StatusCode};
use models::{Json, ResultBlob, TaskState};

use crate::world::{ID, World, id};

fn path() -> String {
    format!("/tasks/{ID}/result")
}

fn store_blob(world: &World, bytes: &Bytes) -> String {
    world.memory.set_bytes("result".to_owned(), bytes.clone());
    world.store(|document| {
        document.state = TaskState::Completed;
        document.result_blob = Some(ResultBlob {
            name: "result".to_owned(),
            content_type: "image/png".to_owned(),
            size: bytes.len() as u64,
        });
    })
}

fn large() -> Bytes {
    (0..2_500_000u32).map(|n| (n % 251) as u8).collect()
}

#[tokio::test(start_paused = true)]
async fn a_result_is_told_by_the_state_of_its_task() {
    let world = World::new();
    assert_eq!(world.get(&path()).await.kind(), (404, "task-not-found".to_owned()));
    for (state, expected) in [
        (TaskState::Pending, (409, "result-not-ready")),
        (TaskState::InProgress, (409, "result-not-ready")),
        (TaskState::Failed, (404, "no-result")),
        (TaskState::Cancelled, (404, "no-result")),
    ] {
        world.store_as(state);
        let reply = world.get(&path()).await;
        assert_eq!(reply.kind(), (expected.0, expected.1.to_owned()), "{state:?}");
        assert_eq!(reply.header("retry-after").is_empty(), state.is_terminal());
    }
    world.store_as(TaskState::Completed);
    let reply = world.get(&path()).await;
    assert_eq!((reply.status, reply.body.len()), (StatusCode::NO_CONTENT, 0));
}

#[tokio::test(start_paused = true)]
async fn a_small_result_is_the_json_in_the_document() {
    let world = World::new();
    let etag = world.store(|document| {
        document.state = TaskState::Completed;
        document.result = Some(Json::parse(r#"{ "b": 1.50, "a": [12345678901234567890123] }"#).unwrap());
    });
    let reply = world.get(&path()).await;
    assert_eq!(reply.status, StatusCode::OK);
    assert_eq!(reply.header("content-type"), "application/json");
    assert_eq!(&reply.body[..], br#"{"b":1.50,"a":[12345678901234567890123]}"#);
    assert_eq!(reply.header("content-security-policy"), "default-src 'none'; sandbox");
    let reply = world.ask(Method::GET, &path(), &[("range", "bytes=1-3")], "").await;
    assert_eq!((reply.status, &reply.body[..]), (StatusCode::PARTIAL_CONTENT, &b"\"b\""[..]));
    let reply = world.ask(Method::GET, &path(), &[("if-none-match", &etag)], "").await;
    assert_eq!(reply.status, StatusCode::NOT_MODIFIED);
}

#[tokio::test(start_paused = true)]
async fn a_large_result_is_streamed_piece_by_piece_with_its_own_media_type() {
    let world = World::new();
    let bytes = large();
    store_blob(&world, &bytes);
    world.memory.take_requests();
    let reply = world.get(&path()).await;
    assert_eq!(reply.status, StatusCode::OK);
    assert_eq!(reply.header("content-type"), "image/png");
    assert_eq!(reply.header("content-length"), bytes.len().to_string());
    assert_eq!(reply.header("accept-ranges"), "bytes");
    assert_eq!(reply.body, bytes);
    let reads = world.memory.take_requests();
    assert_eq!(reads, ["read", "read_attachment", "read_attachment", "read_attachment"]);
}

#[tokio::test(start_paused = true)]
async fn a_range_is_answered_with_its_bytes_only() {
    let world = World::new();
    let bytes = large();
    let etag = store_blob(&world, &bytes);
    let size = bytes.len();
    for (range, first, last) in [
        ("bytes=0-0", 0, 0),
        ("bytes=1048570-1048580", 1_048_570, 1_048_580),
        ("bytes=100-2000099", 100, 2_000_099),
        ("bytes=-10", size - 10, size - 1),
        ("bytes=2499999-9999999", size - 1, size - 1),
    ] {
        let reply = world.ask(Method::GET, &path(), &[("range", range)], "").await;
        assert_eq!(reply.status, StatusCode::PARTIAL_CONTENT, "{range}");
        assert_eq!(reply.body, bytes.slice(first..=last), "{range}");
        assert_eq!(reply.header("content-range"), format!("bytes {first}-{last}/{size}"));
    }
    let reply = world.ask(Method::GET, &path(), &[("range", "bytes=2500000-")], "").await;
    assert_eq!(reply.kind(), (416, "range-not-satisfiable".to_owned()));
    assert_eq!(reply.header("content-range"), format!("bytes */{size}"));

    let status = async |version: &str| {
        let headers = [("range", "bytes=0-9"), ("if-range", version)];
        world.ask(Method::GET, &path(), &headers, "").await.status.as_u16()
    };
    assert_eq!((status(&etag).await, status("\"older\"").await), (206, 200));
    let reply = world.ask(Method::HEAD, &path(), &[], "").await;
    assert_eq!((reply.header("content-length"), reply.body.len()), ("2500000", 0));
}

#[tokio::test(start_paused = true)]
async fn a_result_that_is_not_there_as_recorded_is_a_problem_and_never_half_an_answer() {
    let world = World::new();
    store_blob(&world, &large());
    world.memory.remove("result");
    assert_eq!(world.get(&path()).await.kind(), (502, "document-unreadable".to_owned()));
    world.memory.set_bytes("result".to_owned(), "shorter");
    assert_eq!(world.get(&path()).await.kind(), (502, "document-unreadable".to_owned()));

    // Replaced while it is being sent: the answer ends before its announced length.
    store_blob(&world, &large());
    let answer = world.api.handle(crate::world::request(Method::GET, &path(), &[], "")).await;
    world.memory.set_bytes("result".to_owned(), large());
    let service::body::Body::Stream(stream) = answer.into_body() else { panic!("not streamed") };
    let sent: usize = futures::StreamExt::collect::<Vec<_>>(stream).await.iter().map(Bytes::len).sum();
    assert_eq!(sent, 1024 * 1024);
}

#[tokio::test(start_paused = true)]
async fn an_empty_result_blob_is_an_empty_answer() {
    let world = World::new();
    store_blob(&world, &Bytes::new());
    let reply = world.get(&path()).await;
    assert_eq!((reply.status, reply.header("content-length"), reply.body.len()), (StatusCode::OK, "0", 0));
    let reply = world.ask(Method::GET, &path(), &[("range", "bytes=0-")], "").await;
    assert_eq!(reply.kind(), (416, "range-not-satisfiable".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_result_is_gone_once_its_retention_is_over() {
    let world = World::new();
    store_blob(&world, &large());
    let expiry = world.now().plus(std::time::Duration::from_secs(1));
    world.memory.change(id(), |document| document.expires_at = Some(expiry));
    assert_eq!(world.get(&path()).await.status, StatusCode::OK);
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert_eq!(world.get(&path()).await.kind(), (410, "result-expired".to_owned()));
    assert_eq!(world.get(&format!("/tasks/{ID}")).await.status, StatusCode::OK);
}
