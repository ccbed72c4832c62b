use bytes::Bytes;
use fake_azure::Operation;
use http::{Method, StatusCode};
use models::{Json, ResultBlob, TaskState};

use crate::world::{ID, World, id};

fn path() -> String {
    format!("/tasks/{ID}/result")
}

fn store_blob(world: &World, bytes: &Bytes) -> String {
    world.put_blob("result", bytes.clone());
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
async fn result_without_content_has_the_status_of_its_task_state() {
    let world = World::new();
    assert_eq!(world.get(&path()).await.kind(), (404, "task-not-found".to_owned()));
    for (state, expected) in [
        (TaskState::Pending, (409, "result-not-ready")),
        (TaskState::InProgress, (409, "result-not-ready")),
        (TaskState::Failed, (404, "no-result")),
        (TaskState::Cancelled, (404, "no-result")),
    ] {
        world.store_as(state);
        let response = world.get(&path()).await;
        assert_eq!(response.kind(), (expected.0, expected.1.to_owned()), "{state:?}");
        assert_eq!(response.header("retry-after").is_empty(), state.is_terminal());
    }
    world.store_as(TaskState::Completed);
    let response = world.get(&path()).await;
    assert_eq!((response.status, response.body.len()), (StatusCode::NO_CONTENT, 0));
}

#[tokio::test(start_paused = true)]
async fn small_result_is_the_json_in_the_document() {
    let world = World::new();
    let etag = world.store(|document| {
        document.state = TaskState::Completed;
        document.result = Some(Json::parse(r#"{ "b": 1.50, "a": [12345678901234567890123] }"#).unwrap());
    });
    let response = world.get(&path()).await;
    assert_eq!(response.status, StatusCode::OK);
    assert_eq!(response.header("content-type"), "application/json");
    assert_eq!(&response.body[..], br#"{"b":1.50,"a":[12345678901234567890123]}"#);
    assert_eq!(response.header("content-security-policy"), "default-src 'none'; sandbox");
    let response = world.ask(Method::GET, &path(), &[("range", "bytes=1-3")], "").await;
    assert_eq!((response.status, &response.body[..]), (StatusCode::PARTIAL_CONTENT, &b"\"b\""[..]));
    let response = world.ask(Method::GET, &path(), &[("if-none-match", &etag)], "").await;
    assert_eq!(response.status, StatusCode::NOT_MODIFIED);
}

#[tokio::test(start_paused = true)]
async fn large_result_is_streamed_with_its_own_media_type() {
    let world = World::new();
    let bytes = large();
    store_blob(&world, &bytes);
    world.take_operations();
    let response = world.get(&path()).await;
    assert_eq!(response.status, StatusCode::OK);
    assert_eq!(response.header("content-type"), "image/png");
    assert_eq!(response.header("content-length"), bytes.len().to_string());
    assert_eq!(response.header("accept-ranges"), "bytes");
    assert_eq!(response.body, bytes);
    let reads = world.take_operations();
    assert_eq!(reads, [Operation::GetBlob; 4], "the document and three pieces");
}

#[tokio::test(start_paused = true)]
async fn range_request_returns_its_bytes_only() {
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
        let response = world.ask(Method::GET, &path(), &[("range", range)], "").await;
        assert_eq!(response.status, StatusCode::PARTIAL_CONTENT, "{range}");
        assert_eq!(response.body, bytes.slice(first..=last), "{range}");
        assert_eq!(response.header("content-range"), format!("bytes {first}-{last}/{size}"));
    }
    let response = world.ask(Method::GET, &path(), &[("range", "bytes=2500000-")], "").await;
    assert_eq!(response.kind(), (416, "range-not-satisfiable".to_owned()));
    assert_eq!(response.header("content-range"), format!("bytes */{size}"));

    let status = async |version: &str| {
        let headers = [("range", "bytes=0-9"), ("if-range", version)];
        world.ask(Method::GET, &path(), &headers, "").await.status.as_u16()
    };
    assert_eq!((status(&etag).await, status("\"older\"").await), (206, 200));
    // Only GET has ranges.
    for headers in [&[][..], &[("range", "bytes=0-9")]] {
        let response = world.ask(Method::HEAD, &path(), headers, "").await;
        assert_eq!((response.status, response.body.len()), (StatusCode::OK, 0));
        assert_eq!(response.header("content-length"), "2500000");
    }
}

#[tokio::test(start_paused = true)]
async fn result_that_differs_from_its_record_is_502_or_cut_off() {
    let world = World::new();
    store_blob(&world, &large());
    world.remove_blob("result");
    assert_eq!(world.get(&path()).await.kind(), (502, "document-unreadable".to_owned()));
    world.put_blob("result", "shorter");
    assert_eq!(world.get(&path()).await.kind(), (502, "document-unreadable".to_owned()));

    // Replaced while it is being sent: the response ends before its announced length.
    store_blob(&world, &large());
    let response = world.api.handle(crate::world::request(Method::GET, &path(), &[], "")).await;
    world.put_blob("result", large());
    let service::body::Body::Stream(stream) = response.into_body() else { panic!("not streamed") };
    let sent: usize = futures::StreamExt::collect::<Vec<_>>(stream).await.iter().map(Bytes::len).sum();
    assert_eq!(sent, 1024 * 1024);
}

#[tokio::test(start_paused = true)]
async fn empty_result_blob_is_an_empty_response() {
    let world = World::new();
    store_blob(&world, &Bytes::new());
    let response = world.get(&path()).await;
    assert_eq!(
        (response.status, response.header("content-length"), response.body.len()),
        (StatusCode::OK, "0", 0)
    );
    let response = world.ask(Method::GET, &path(), &[("range", "bytes=0-")], "").await;
    assert_eq!(response.kind(), (416, "range-not-satisfiable".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn result_is_410_after_its_retention() {
    let world = World::new();
    store_blob(&world, &large());
    let expiry = world.now().plus(std::time::Duration::from_secs(1));
    world.change_document(id(), |document| document.expires_at = Some(expiry));
    assert_eq!(world.get(&path()).await.status, StatusCode::OK);
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert_eq!(world.get(&path()).await.kind(), (410, "result-expired".to_owned()));
    assert_eq!(world.get(&format!("/tasks/{ID}")).await.status, StatusCode::OK);
}
