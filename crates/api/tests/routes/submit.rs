use fake_azure::Operation;
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;
use test_world::Fault;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use models::{MAX_MESSAGE_BYTES, MonitorState, TaskMessage, TaskState};
use service::body::{BodyError, RequestBody};
use storage::QueueName;

use crate::world::{ID, START, World, id, request};

#[tokio::test(start_paused = true)]
async fn submission_is_202_after_document_and_message_are_stored() {
    let world = World::new();
    let response = world.post("/tasks", r#"{"taskname":"resize","Priority":2,"Input":{"width":3}}"#).await;

    assert_eq!(response.status, StatusCode::ACCEPTED);
    let monitor = response.monitor();
    assert_eq!((monitor.status, monitor.name.as_str()), (MonitorState::NotStarted, "resize"));
    assert_eq!(response.header("operation-location"), format!("http://api.example/tasks/{}", monitor.id));
    let blob = format!("http://127.0.0.1:10000/devstoreaccount1/tasks/{}-202", monitor.id);
    let (address, signature) = response.header("location").split_once('?').unwrap();
    assert_eq!(address, blob);
    for part in ["sp=r", "se=2026-11-20T10%3A10%3A00Z"] {
        assert!(signature.split('&').any(|found| found == part), "{part} in {signature}");
    }
    assert_eq!(response.header("retry-after"), "1");
    assert_eq!(response.header("cache-control"), "no-store");

    let document = world.document(monitor.id).unwrap();
    assert_eq!(document.state, TaskState::Pending);
    assert_eq!(document.return_uri, Some(blob));
    let [message] = world.sent().try_into().unwrap();
    assert_eq!((message.queue, message.delay), (QueueName::Tasks, Duration::ZERO));
    let message = TaskMessage::parse(&message.text).unwrap();
    assert_eq!(message.etag.as_deref(), Some(response.header("etag")));
    assert_eq!(message.document, Some(document));
}

#[tokio::test(start_paused = true)]
async fn submission_makes_two_storage_requests() {
    let world = World::with(&[("queue_depth_limit", "100")]);
    world.post("/tasks", "{}").await;
    world.take_operations();
    for _ in 0..3 {
        assert_eq!(world.post("/tasks", "{}").await.status, StatusCode::ACCEPTED);
        assert_eq!(world.take_operations(), [Operation::PutBlob, Operation::PutMessage]);
    }
}

#[tokio::test(start_paused = true)]
async fn queue_task_responds_as_the_dotnet_sample_in_any_case() {
    let world = World::new();
    for path in ["/Tasks/QueueTask", "/tasks/queuetask", "/TASKS/QUEUETASK"] {
        let body = r#"{"TaskName":"x","TaskDescription":"y","Status":3,"Priority":0,"returnUri":null}"#;
        let response = world.post(path, body).await;
        assert_eq!(response.status, StatusCode::ACCEPTED, "{path}");
        assert!(response.body.is_empty());
        assert!(response.header("location").contains("-202?"));
        assert!(response.header("operation-location").starts_with("http://api.example/tasks/"));
        assert_eq!(response.header("retry-after"), "1");
    }
    assert_eq!(world.sent().len(), 3);
    assert_eq!(world.post("/Tasks/QueueTask", "[]").await.kind(), (400, "invalid-body".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn invalid_submission_is_400_and_stores_nothing() {
    let world = World::new();
    for body in [
        "",
        "not json",
        "[]",
        "null",
        "{",
        r#"{"TaskName":1}"#,
        r#"{"TaskName":null}"#,
        r#"{"TaskName":""}"#,
        r#"{"TaskId":"123"}"#,
        r#"{"TaskId":7}"#,
        r#"{"Priority":3}"#,
        r#"{"Priority":"Urgent"}"#,
        r#"{"Status":"Sleeping"}"#,
        r#"{"DelaySeconds":-1}"#,
        r#"{"DelaySeconds":604801}"#,
        r#"{"DelaySeconds":5,"NotBefore":"2026-11-20T12:00:00Z"}"#,
        r#"{"NotBefore":"2026-11-27T10:00:01Z"}"#,
        r#"{"NotBefore":"tomorrow"}"#,
    ] {
        for path in ["/tasks", "/Tasks/QueueTask"] {
            assert_eq!(world.post(path, body).await.kind(), (400, "invalid-body".to_owned()), "{body}");
        }
    }
    assert!(world.take_operations().is_empty());
}

#[tokio::test(start_paused = true)]
async fn message_of_a_large_document_carries_the_id_only() {
    let world = World::new();
    let body = serde_json::json!({ "Input": "x".repeat(100_000) });
    let response = world.post("/tasks", &body.to_string()).await;
    assert_eq!(response.status, StatusCode::ACCEPTED);
    let text = world.sent().pop().unwrap().text;
    assert!(text.len() < MAX_MESSAGE_BYTES);
    let message = TaskMessage::parse(&text).unwrap();
    assert_eq!((message.task_id, message.document), (response.monitor().id, None));
    assert!(message.is_ours && message.etag.is_some());
}

/// A body without an end that counts the pieces read.
struct Endless(Rc<Cell<usize>>);

impl RequestBody for Endless {
    async fn chunk(&mut self) -> Result<Option<Bytes>, BodyError> {
        self.0.set(self.0.get() + 1);
        Ok(Some(Bytes::from(vec![b' '; 1024])))
    }
}

#[tokio::test(start_paused = true)]
async fn body_over_the_limit_is_413_before_it_is_read() {
    let world = World::with(&[("body_limit_bytes", "4096")]);
    let taken = Rc::new(Cell::new(0));
    let endless = || Request::post("/tasks").header("host", "a").body(Endless(Rc::clone(&taken))).unwrap();

    let response = world.send(endless()).await;
    assert_eq!(response.kind(), (413, "body-too-large".to_owned()));
    assert_eq!(taken.replace(0), 5);

    for announced in ["4097", "99999999999999999999999"] {
        let mut request = endless();
        request.headers_mut().insert("content-length", announced.parse().unwrap());
        assert_eq!(world.send(request).await.kind(), (413, "body-too-large".to_owned()));
        assert_eq!(taken.get(), 0, "announced as {announced}");
    }
    let fits = format!("{{}}{}", " ".repeat(4094));
    assert_eq!(world.post("/tasks", &fits).await.status, StatusCode::ACCEPTED);
}

/// A body that never arrives.
struct Silent;

impl RequestBody for Silent {
    async fn chunk(&mut self) -> Result<Option<Bytes>, BodyError> {
        std::future::pending().await
    }
}

/// A body whose connection breaks.
struct Broken;

impl RequestBody for Broken {
    async fn chunk(&mut self) -> Result<Option<Bytes>, BodyError> {
        Err(BodyError::Broken("reset".to_owned()))
    }
}

#[tokio::test(start_paused = true)]
async fn slow_body_is_408_after_30_s() {
    let world = World::new();
    let begin = world.now();
    let response = world.send(Request::post("/tasks").body(Silent).unwrap()).await;
    assert_eq!(response.kind(), (408, "body-timeout".to_owned()));
    assert_eq!(world.now().since(begin), Duration::from_secs(30));
    let response = world.send(Request::post("/tasks").body(Broken).unwrap()).await;
    assert_eq!(response.kind(), (400, "invalid-body".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn other_media_types_are_415_and_none_means_json() {
    let world = World::new();
    for (media_type, status) in [
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("application/json; charset=latin1", 415),
        ("application/problem+json", 202),
        ("application/json; charset=utf-8", 202),
    ] {
        let response = world.ask(Method::POST, "/tasks", &[("content-type", media_type)], "{}").await;
        assert_eq!(response.status.as_u16(), status, "{media_type}");
    }
    assert_eq!(world.post("/tasks", "{}").await.status, StatusCode::ACCEPTED);
}

#[tokio::test(start_paused = true)]
async fn delayed_task_is_sent_to_the_scheduled_queue() {
    let world = World::new();
    for (member, delay) in [(r#""DelaySeconds":90"#, 90), (r#""NotBefore":"2026-11-27T10:00:00Z""#, 604_800)]
    {
        let response = world.post("/tasks", &format!("{{{member}}}")).await;
        let message = world.sent().pop().unwrap();
        assert_eq!((message.queue, message.delay), (QueueName::Scheduled, Duration::from_secs(delay)));
        let not_before = world.document(response.monitor().id).unwrap().not_before;
        assert_eq!(not_before, Some(world.now().plus(Duration::from_secs(delay))));
    }
    for member in [r#""DelaySeconds":0"#, r#""NotBefore":"2020-01-01T00:00:00Z""#] {
        let world = World::new();
        world.post("/tasks", &format!("{{{member}}}")).await;
        let [message] = world.sent().try_into().unwrap();
        assert_eq!(message.queue, QueueName::Tasks);
    }
}

#[tokio::test(start_paused = true)]
async fn submission_is_429_above_the_queue_depth_limit() {
    let world = World::with(&[("queue_depth_limit", "10")]);
    world.set_queue_length(31);
    for _ in 0..3 {
        let response = world.post("/tasks", "{}").await;
        assert_eq!(response.kind(), (429, "overloaded".to_owned()));
        assert_eq!(response.header("retry-after"), "15");
    }
    assert_eq!(world.take_operations(), [Operation::GetQueueMetadata]);
    world.set_queue_length(10);
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(world.post("/tasks", "{}").await.status, StatusCode::ACCEPTED);
    // Submissions are accepted while the queue length is unknown.
    tokio::time::sleep(Duration::from_secs(5)).await;
    world.fail_once(Operation::GetQueueMetadata, Fault::unavailable());
    assert_eq!(world.post("/tasks", "{}").await.status, StatusCode::ACCEPTED);
}

#[tokio::test(start_paused = true)]
async fn submission_that_waited_for_the_end_is_still_202() {
    let world = World::new();
    let work = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        world.change_document(id(), |document| document.state = TaskState::Completed);
    };
    let body = format!(r#"{{"TaskId":"{ID}"}}"#);
    let submission = world.ask(Method::POST, "/tasks", &[("prefer", "wait=45")], &body);
    let (response, ()) = futures::join!(submission, work);
    assert_eq!(response.status, StatusCode::ACCEPTED);
    assert_eq!(response.header("preference-applied"), "wait=30");
    assert_eq!(response.monitor().status, MonitorState::Succeeded);
    assert!(world.now().since(START.parse().unwrap()) < Duration::from_secs(4));
}

#[tokio::test(start_paused = true)]
async fn only_a_valid_traceparent_is_stored() {
    let world = World::new();
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    for (given, stored) in [(trace, Some(trace)), ("00-xyz-1-1", None)] {
        let response = world.ask(Method::POST, "/tasks", &[("traceparent", given)], "{}").await;
        let document = world.document(response.monitor().id).unwrap();
        assert_eq!(document.trace_parent.as_deref(), stored);
    }
    let problem = world.ask(Method::POST, "/tasks", &[("traceparent", trace)], "").await.problem();
    assert_eq!(problem.trace_id.as_deref(), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
}

#[tokio::test(start_paused = true)]
async fn operation_location_is_the_address_that_clients_use() {
    let forwarded = [("x-forwarded-proto", "https"), ("x-forwarded-host", "public.example, inner")];
    let address = async |variables: &[(&str, &str)], headers: &[(&str, &str)]| {
        let response = World::with(variables).ask(Method::POST, "/tasks", headers, "{}").await;
        response.header("operation-location").rsplit_once("/tasks/").unwrap_or_default().0.to_owned()
    };
    assert_eq!(address(&[], &[]).await, "http://api.example");
    assert_eq!(address(&[], &forwarded).await, "http://api.example");
    assert_eq!(address(&[("trust_forwarded", "true")], &forwarded).await, "https://public.example");
    let empty = [("x-forwarded-proto", ""), ("x-forwarded-host", "")];
    assert_eq!(address(&[("trust_forwarded", "true")], &empty).await, "http://api.example");
    assert_eq!(address(&[], &[("spin-full-url", "https://api.example/tasks")]).await, "https://api.example");
    let configured = [("public_base_url", "https://tasks.example/v1/")];
    assert_eq!(address(&configured, &forwarded).await, "https://tasks.example/v1");
}

#[tokio::test(start_paused = true)]
async fn invalid_host_is_400() {
    let world = World::new();
    for host in ["", "a b", "user@host", "x/../y", "a?b"] {
        let mut request = request(Method::POST, "/tasks", &[], "{}");
        request.headers_mut().insert("host", host.parse().unwrap());
        assert_eq!(world.send(request).await.kind(), (400, "invalid-header".to_owned()), "{host}");
    }
    assert!(world.take_operations().is_empty());
}
