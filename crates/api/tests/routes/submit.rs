use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use models::{MAX_MESSAGE_BYTES, MonitorState, TaskMessage, TaskState};
use service::body::{BodyError, RequestBody};
use storage::QueueName;

use crate::memory::unavailable;
use crate::world::{ID, START, World, id, request};

#[tokio::test(start_paused = true)]
async fn a_task_is_accepted_once_its_document_and_its_message_are_stored() {
    let world = World::new();
    let reply = world.post("/tasks", r#"{"taskname":"resize","Priority":2,"Input":{"width":3}}"#).await;

    assert_eq!(reply.status, StatusCode::ACCEPTED);
    let monitor = reply.monitor();
    assert_eq!((monitor.status, monitor.name.as_str()), (MonitorState::NotStarted, "resize"));
    assert_eq!(reply.header("operation-location"), format!("http://api.example/tasks/{}", monitor.id));
    let blob = format!("https://account.blob.example/tasks/{}-202", monitor.id);
    assert_eq!(reply.header("location"), format!("{blob}?sp=r&se=600"));
    assert_eq!(reply.header("retry-after"), "1");
    assert_eq!(reply.header("cache-control"), "no-store");

    let document = world.memory.document(monitor.id).unwrap();
    assert_eq!(document.state, TaskState::Pending);
    assert_eq!(document.return_uri, Some(blob));
    let [message] = world.memory.messages().try_into().unwrap();
    assert_eq!((message.queue, message.delay), (QueueName::Tasks, Duration::ZERO));
    let message = TaskMessage::parse(&message.text).unwrap();
    assert_eq!(message.etag.as_deref(), Some(reply.header("etag")));
    assert_eq!(message.document, Some(document));
}

#[tokio::test(start_paused = true)]
async fn a_submission_costs_exactly_two_storage_requests() {
    let world = World::with(&[("queue_depth_limit", "100")]);
    world.post("/tasks", "{}").await;
    world.memory.take_requests();
    for _ in 0..3 {
        assert_eq!(world.post("/tasks", "{}").await.status, StatusCode::ACCEPTED);
        assert_eq!(world.memory.take_requests(), ["create", "send"]);
    }
}

#[tokio::test(start_paused = true)]
async fn the_address_of_the_dotnet_sample_answers_as_it_did_in_any_case() {
    let world = World::new();
    for path in ["/Tasks/QueueTask", "/tasks/queuetask", "/TASKS/QUEUETASK"] {
        let body = r#"{"TaskName":"x","TaskDescription":"y","Status":3,"Priority":0,"returnUri":null}"#;
        let reply = world.post(path, body).await;
        assert_eq!(reply.status, StatusCode::ACCEPTED, "{path}");
        assert!(reply.body.is_empty());
        assert!(reply.header("location").ends_with("-202?sp=r&se=600"));
        assert!(reply.header("operation-location").starts_with("http://api.example/tasks/"));
        assert_eq!(reply.header("retry-after"), "1");
    }
    assert_eq!(world.memory.messages().len(), 3);
    assert_eq!(world.post("/Tasks/QueueTask", "[]").await.kind(), (400, "invalid-body".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn what_does_not_follow_the_contract_is_refused_with_400_and_leaves_nothing_behind() {
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
    assert_eq!(world.memory.take_requests(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn any_text_survives_blob_and_message_unchanged() {
    let world = World::new();
    let long = "ä".repeat(4096);
    for name in ["task", "<&>\"'\\", "日本語 🦀", "a\u{1}\u{7f}\r\n\t\u{0}b", &long] {
        let body =
            serde_json::json!({ "TaskName": name, "TaskDescription": name, "Input": { name: [name] } });
        let reply = world.post("/tasks", &body.to_string()).await;
        assert_eq!(reply.status, StatusCode::ACCEPTED, "{name:?}");
        let stored = world.memory.document(reply.monitor().id).unwrap();
        let sent = TaskMessage::parse(&world.memory.messages().pop().unwrap().text).unwrap();
        assert_eq!(stored.task_name, name);
        assert_eq!(stored.input.as_ref().unwrap().value(), body["Input"]);
        assert_eq!(sent.document, Some(stored));
    }
}

#[tokio::test(start_paused = true)]
async fn the_message_of_a_document_too_large_for_one_carries_the_id_only() {
    let world = World::new();
    let body = serde_json::json!({ "Input": "x".repeat(100_000) });
    let reply = world.post("/tasks", &body.to_string()).await;
    assert_eq!(reply.status, StatusCode::ACCEPTED);
    let text = world.memory.messages().pop().unwrap().text;
    assert!(text.len() < MAX_MESSAGE_BYTES);
    let message = TaskMessage::parse(&text).unwrap();
    assert_eq!((message.task_id, message.document), (reply.monitor().id, None));
    assert!(message.is_ours && message.etag.is_some());
}

/// A body that counts the pieces that are taken from it.
struct Endless(Rc<Cell<usize>>);

impl RequestBody for Endless {
    async fn chunk(&mut self) -> Result<Option<Bytes>, BodyError> {
        self.0.set(self.0.get() + 1);
        Ok(Some(Bytes::from(vec![b' '; 1024])))
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_over_the_limit_is_refused_without_reading_it_all() {
    let world = World::with(&[("body_limit_bytes", "4096")]);
    let taken = Rc::new(Cell::new(0));
    let endless = || Request::post("/tasks").header("host", "a").body(Endless(Rc::clone(&taken))).unwrap();

    let reply = world.send(endless()).await;
    assert_eq!(reply.kind(), (413, "body-too-large".to_owned()));
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

/// A body that never comes.
struct Silent;

impl RequestBody for Silent {
    async fn chunk(&mut self) -> Result<Option<Bytes>, BodyError> {
        std::future::pending().await
    }
}

/// A body that breaks off.
struct Broken;

impl RequestBody for Broken {
    async fn chunk(&mut self) -> Result<Option<Bytes>, BodyError> {
        Err(BodyError::Broken("reset".to_owned()))
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_waited_for_only_so_long() {
    let world = World::new();
    let begin = world.now();
    let reply = world.send(Request::post("/tasks").body(Silent).unwrap()).await;
    assert_eq!(reply.kind(), (408, "body-timeout".to_owned()));
    assert_eq!(world.now().since(begin), Duration::from_secs(30));
    let reply = world.send(Request::post("/tasks").body(Broken).unwrap()).await;
    assert_eq!(reply.kind(), (400, "invalid-body".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn another_media_type_is_refused_and_none_is_taken_as_json() {
    let world = World::new();
    for (media_type, status) in [
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("application/json; charset=latin1", 415),
        ("application/problem+json", 202),
        ("application/json; charset=utf-8", 202),
    ] {
        let reply = world.ask(Method::POST, "/tasks", &[("content-type", media_type)], "{}").await;
        assert_eq!(reply.status.as_u16(), status, "{media_type}");
    }
    assert_eq!(world.post("/tasks", "{}").await.status, StatusCode::ACCEPTED);
}

#[tokio::test(start_paused = true)]
async fn a_task_for_later_waits_in_the_scheduled_queue() {
    let world = World::new();
    for (member, delay) in [(r#""DelaySeconds":90"#, 90), (r#""NotBefore":"2026-11-27T10:00:00Z""#, 604_800)]
    {
        let reply = world.post("/tasks", &format!("{{{member}}}")).await;
        let message = world.memory.messages().pop().unwrap();
        assert_eq!((message.queue, message.delay), (QueueName::Scheduled, Duration::from_secs(delay)));
        let not_before = world.memory.document(reply.monitor().id).unwrap().not_before;
        assert_eq!(not_before, Some(world.now().plus(Duration::from_secs(delay))));
    }
    for member in [r#""DelaySeconds":0"#, r#""NotBefore":"2020-01-01T00:00:00Z""#] {
        world.post("/tasks", &format!("{{{member}}}")).await;
        assert_eq!(world.memory.messages().pop().unwrap().queue, QueueName::Tasks);
    }
}

#[tokio::test(start_paused = true)]
async fn too_long_a_queue_refuses_new_tasks_and_is_looked_at_only_now_and_then() {
    let world = World::with(&[("queue_depth_limit", "10")]);
    world.memory.0.depth.set(31);
    for _ in 0..3 {
        let reply = world.post("/tasks", "{}").await;
        assert_eq!(reply.kind(), (429, "overloaded".to_owned()));
        assert_eq!(reply.header("retry-after"), "15");
    }
    assert_eq!(world.memory.take_requests(), ["depth"]);
    world.memory.0.depth.set(10);
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(world.post("/tasks", "{}").await.status, StatusCode::ACCEPTED);
    // A depth that storage does not tell keeps nobody out.
    tokio::time::sleep(Duration::from_secs(5)).await;
    world.memory.fail_once("depth", unavailable());
    assert_eq!(world.post("/tasks", "{}").await.status, StatusCode::ACCEPTED);
}

#[tokio::test(start_paused = true)]
async fn a_submission_may_wait_for_the_end_and_is_answered_202_all_the_same() {
    let world = World::new();
    let work = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        world.memory.change(id(), |document| document.state = TaskState::Completed);
    };
    let body = format!(r#"{{"TaskId":"{ID}"}}"#);
    let submission = world.ask(Method::POST, "/tasks", &[("prefer", "wait=45")], &body);
    let (reply, ()) = futures::join!(submission, work);
    assert_eq!(reply.status, StatusCode::ACCEPTED);
    assert_eq!(reply.header("preference-applied"), "wait=30");
    assert_eq!(reply.monitor().status, MonitorState::Succeeded);
    assert!(world.now().since(START.parse().unwrap()) < Duration::from_secs(4));
}

#[tokio::test(start_paused = true)]
async fn a_valid_trace_is_stored_and_an_invalid_one_is_not() {
    let world = World::new();
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    for (given, stored) in [(trace, Some(trace)), ("00-xyz-1-1", None)] {
        let reply = world.ask(Method::POST, "/tasks", &[("traceparent", given)], "{}").await;
        let document = world.memory.document(reply.monitor().id).unwrap();
        assert_eq!(document.trace_parent.as_deref(), stored);
    }
    let problem = world.ask(Method::POST, "/tasks", &[("traceparent", trace)], "").await.problem();
    assert_eq!(problem.trace_id.as_deref(), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
}

#[tokio::test(start_paused = true)]
async fn the_operation_s_address_is_the_one_that_clients_use() {
    let forwarded = [("x-forwarded-proto", "https"), ("x-forwarded-host", "public.example, inner")];
    let address = async |variables: &[(&str, &str)], headers: &[(&str, &str)]| {
        let reply = World::with(variables).ask(Method::POST, "/tasks", headers, "{}").await;
        reply.header("operation-location").rsplit_once("/tasks/").unwrap_or_default().0.to_owned()
    };
    assert_eq!(address(&[], &[]).await, "http://api.example");
    assert_eq!(address(&[], &forwarded).await, "http://api.example");
    assert_eq!(address(&[("trust_forwarded", "true")], &forwarded).await, "https://public.example");
    assert_eq!(address(&[], &[("spin-full-url", "https://api.example/tasks")]).await, "https://api.example");
    let configured = [("public_base_url", "https://tasks.example/v1/")];
    assert_eq!(address(&configured, &forwarded).await, "https://tasks.example/v1");
}

#[tokio::test(start_paused = true)]
async fn a_host_that_cannot_be_in_an_address_is_refused() {
    let world = World::new();
    for host in ["", "a b", "user@host", "x/../y", "a?b"] {
        let mut request = request(Method::POST, "/tasks", &[], "{}");
        request.headers_mut().insert("host", host.parse().unwrap());
        assert_eq!(world.send(request).await.kind(), (400, "invalid-header".to_owned()), "{host}");
    }
    assert_eq!(world.memory.take_requests(), [""; 0]);
}
