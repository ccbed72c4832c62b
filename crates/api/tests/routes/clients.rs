//! Requests as clients of other platforms send them.

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use models::TaskMessage;

use crate::world::{ID, World, id};

const NIL: &str = "00000000-0000-0000-0000-000000000000";

#[tokio::test(start_paused = true)]
async fn each_submission_with_the_nil_guid_is_a_new_task() {
    for path in ["/tasks", "/Tasks/QueueTask"] {
        let world = World::new();
        let mut locations = Vec::new();
        for name in ["first", "second", "second"] {
            let body = format!(r#"{{"TaskName":"{name}","TaskId":"{NIL}"}}"#);
            let response = world.post(path, &body).await;
            assert_eq!(response.status, StatusCode::ACCEPTED, "{path} {name}");
            locations.push(response.header("operation-location").to_owned());
        }
        locations.sort();
        locations.dedup();
        assert_eq!((locations.len(), world.sent().len()), (3, 3));
        assert!(!locations.iter().any(|address| address.contains(NIL)));
    }
    // An idempotency key counts as if there were no id.
    let world = World::new();
    let body = format!(r#"{{"TaskId":"{NIL}"}}"#);
    let ids = [(); 2].map(|()| world.ask(Method::POST, "/tasks", &[("idempotency-key", "k")], &body));
    let [first, second] = ids;
    assert_eq!(first.await.monitor().id, second.await.monitor().id);
}

#[tokio::test(start_paused = true)]
async fn content_differs_when_the_last_digit_of_a_number_differs() {
    let submit = async |world: &World, amount: &str| {
        let body = format!(r#"{{"TaskId":"{ID}","Input":{{"amount":{amount}}}}}"#);
        world.post("/tasks", &body).await
    };
    for (first, same, other) in [
        ("1000000000000000000001", "1000000000000000000001.0", "1000000000000000000002"),
        ("18446744073709551616", "18446744073709551616e0", "18446744073709551617"),
        ("0.1", "1e-1", "0.10000000000000000555"),
        ("1", "1.0", "-1"),
        ("1e999999999", "10e999999998", "1e999999998"),
    ] {
        let world = World::new();
        assert_eq!(submit(&world, first).await.status, StatusCode::ACCEPTED);
        assert_eq!(submit(&world, same).await.status, StatusCode::ACCEPTED, "{first} {same}");
        let refused = submit(&world, other).await;
        assert_eq!(refused.kind(), (422, "content-differs".to_owned()), "{first} {other}");
        // Stored and sent as it was written.
        let written = format!(r#"{{"amount":{first}}}"#);
        assert_eq!(world.document(id()).unwrap().input.unwrap().get(), written);
        let message = TaskMessage::parse(&world.sent()[0].text).unwrap();
        assert_eq!(message.document.unwrap().input.unwrap().get(), written);
    }
}

#[tokio::test(start_paused = true)]
async fn queue_task_accepts_what_asp_net_core_accepts() {
    let world = World::new();
    let body = r#"{"taskName":"simulate","PRIORITY":"2"}"#;
    for path in ["/Tasks/QueueTask", "/tasks/queuetask/", "/Tasks/Queue%54ask", "/x/../Tasks/QueueTask"] {
        assert_eq!(world.post(path, body).await.status, StatusCode::ACCEPTED, "{path}");
    }
    for media_type in
        ["text/json", "TEXT/JSON; charset=utf-8", "application/x+json", "application/json;charset=\"utf-8\""]
    {
        let headers = [("content-type", media_type)];
        let response = world.ask(Method::POST, "/Tasks/QueueTask", &headers, body).await;
        assert_eq!(response.status, StatusCode::ACCEPTED, "{media_type}");
    }
    let response = world.post("/Tasks/QueueTask", &format!("\u{feff}{body}")).await;
    assert_eq!(response.status, StatusCode::ACCEPTED, "a byte order mark");
    let wide = |body: Vec<u8>| {
        Request::post("/Tasks/QueueTask")
            .header("host", "api.example")
            .header("content-type", "application/json; charset=utf-16")
            .body(Bytes::from(body))
            .unwrap()
    };
    let units: Vec<u8> = body.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(world.send(wide(units)).await.status, StatusCode::ACCEPTED, "UTF-16");
    let broken = world.send(wide(body.as_bytes().to_vec())).await;
    assert_eq!(broken.kind(), (400, "invalid-body".to_owned()));
    assert_eq!(world.sent().len(), 10);
    assert!(world.sent().iter().all(|message| message.text.contains("\"Priority\":2")));
}

#[tokio::test(start_paused = true)]
async fn every_spelling_of_queue_task_requires_the_key() {
    let hashes = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
    let world = World::with(&[("api_auth", "api-key"), ("api_key_hashes", hashes)]);
    for path in
        ["/Tasks/QueueTask", "/%54asks/QueueTask", "/x/../Tasks/QueueTask/", "/x/%2e%2e/tasks/queuetask"]
    {
        assert_eq!(world.post(path, "{}").await.kind(), (401, "unauthorized".to_owned()), "{path}");
    }
    assert!(world.take_operations().is_empty());
}

#[tokio::test(start_paused = true)]
async fn json_is_sent_to_clients_that_prefer_it_to_events() {
    let world = World::new();
    world.store_as(models::TaskState::InProgress);
    for accept in [
        "application/json, text/event-stream;q=0.1",
        "application/json, text/event-stream",
        "*/*",
        "text/html",
    ] {
        let response = world.ask(Method::GET, &format!("/tasks/{ID}"), &[("accept", accept)], "").await;
        assert_eq!(
            (response.status, response.header("content-type")),
            (StatusCode::OK, "application/json"),
            "{accept}"
        );
    }
    world.open(&format!("/tasks/{ID}"), &[("accept", "application/json;q=0.1, text/event-stream")]).await;
}

#[tokio::test(start_paused = true)]
async fn invalid_input_is_400_and_names_the_rule() {
    let world = World::new();
    let deep = format!("{}{}", "[".repeat(64), "]".repeat(64));
    for (input, words) in [
        (r#""\ud800""#, "half of a surrogate pair"),
        (deep.as_str(), "at most 63 levels"),
        (&"9".repeat(381), "more than 380 characters"),
    ] {
        let response = world.post("/tasks", &format!(r#"{{"Input":{input}}}"#)).await;
        let detail = response.problem().detail.unwrap();
        assert!(detail.starts_with("Input: must ") && detail.contains(words), "{detail}");
    }
    let fits = format!("{}{}", "[".repeat(63), "]".repeat(63));
    let response = world.post("/tasks", &format!(r#"{{"Input":{fits}}}"#)).await;
    assert_eq!(response.status, StatusCode::ACCEPTED);
}
