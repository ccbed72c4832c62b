//! The poison queue: list, look at, replay and remove.

use std::time::Duration;

use fake_azure::{EMULATOR_ACCOUNT, Operation};
use http::{Method, StatusCode};
use models::{
    CallbackRecord, CallbackState, EventMessage, PoisonCopy, PoisonList, PoisonMessage, PoisonReport,
    SinkMessage, TaskId, TaskMessage, TaskState,
};
use sha2::{Digest as _, Sha256};
use storage::QueueName;
use test_world::Fault;

use crate::world::{ID, TestResponse, World, id};

fn numbered(number: u32) -> TaskId {
    TaskId::from_digest(&number.to_be_bytes().repeat(4))
}

/// Puts the copy of a message with this text into the poison queue; its id there.
fn poison(world: &World, text: &str) -> String {
    poison_of_kind(world, text, None)
}

fn poison_of_kind(world: &World, text: &str, kind: Option<&str>) -> String {
    let copy = PoisonCopy {
        kind: kind.map(str::to_owned),
        reason: "5 attempts started without success".to_owned(),
        message: Some(text.to_owned()),
        encoding: None,
        blob: None,
        message_id: "f".repeat(8),
        dequeue_count: 6,
        poisoned_at: world.now(),
    };
    world.put_message("-poison", &serde_json::to_string(&copy).unwrap());
    world.messages("-poison").last().unwrap().id.clone()
}

/// A task in this state, and the copy of its message.
fn given_up(world: &World, state: TaskState) -> String {
    world.store_as(state);
    poison(world, &TaskMessage::text_for(&world.document(id()).unwrap(), Some("\"1\"")))
}

fn report(response: &TestResponse) -> PoisonReport {
    assert_eq!(response.status, StatusCode::OK, "{}", response.text());
    serde_json::from_slice(&response.body).unwrap()
}

fn left(world: &World) -> usize {
    world.messages("-poison").len()
}

/// How many messages of the poison queue another receiver could get now.
fn visible(world: &World) -> usize {
    let now = world.now().to_date_time();
    world.messages("-poison").iter().filter(|message| message.visible_at <= now).count()
}

#[tokio::test(start_paused = true)]
async fn list_shows_reasons_and_tasks_and_changes_nothing() {
    let world = World::new();
    let message = given_up(&world, TaskState::Failed);
    poison(&world, "not a task");
    world.put_message("-poison", &format!(r#"{{"TaskId":"{ID}"}}"#));
    let list: PoisonList = serde_json::from_slice(&world.get("/poison").await.body).unwrap();
    assert_eq!((list.value.len(), list.count), (3, 3));
    assert_eq!(list.value[0].id, message);
    assert_eq!(list.value[0].reason.as_deref(), Some("5 attempts started without success"));
    let tasks: Vec<_> = list.value.iter().map(|message| message.task_id).collect();
    assert_eq!(tasks, [Some(id()), None, Some(id())]);
    assert!(list.value.iter().all(|message| message.original.is_none()));
    assert!(world.messages("-poison").iter().all(|message| message.dequeue_count == 0));
    assert_eq!(World::new().get("/poison").await.json()["count"], 0, "without a queue");
}

#[tokio::test(start_paused = true)]
async fn one_message_is_shown_with_its_original() {
    let world = World::new();
    let near = poison(&world, "not a task");
    for _ in 0..70 {
        poison(&world, "noise");
    }
    let far = poison(&world, "behind the first 32");
    for (message, original) in [(&near, "not a task"), (&far, "behind the first 32")] {
        let response = world.get(&format!("/poison/{}", message.to_uppercase())).await;
        let shown: PoisonMessage = serde_json::from_slice(&response.body).unwrap();
        assert_eq!((&shown.id, shown.original.as_deref()), (message, Some(original)));
        assert_eq!(visible(&world), 72, "the others are visible again");
    }
    assert_eq!(world.get(&format!("/poison/{ID}")).await.kind().1, "poison-message-not-found");
    assert_eq!(visible(&world), 72);
}

#[tokio::test(start_paused = true)]
async fn original_in_a_blob_is_read_from_it() {
    let world = World::new();
    world.store_as(TaskState::Failed);
    let text = format!(
        r#"{{"Reason":"why","MessageId":"m","Blob":"m-poison","DequeueCount":1,"PoisonedAt":"{}"}}"#,
        world.now()
    );
    world.put_message("-poison", &text);
    let message = world.messages("-poison")[0].id.clone();
    assert_eq!(world.get("/poison").await.json()["value"][0]["blob"], "m-poison");
    let path = format!("/poison/{message}");
    assert!(world.get(&path).await.json().get("original").is_none(), "the blob is not kept any more");
    assert_eq!(world.post(&format!("{path}/replay"), "").await.kind(), (409, "not-replayable".to_owned()));
    let original = format!(r#"{{"TaskId":"{ID}","Priority":99}}"#);
    let now = world.now().to_date_time();
    world.azure.borrow_mut().put_blob(
        EMULATOR_ACCOUNT,
        "tasks-poison",
        "m-poison",
        original.clone(),
        "text/plain",
        now,
    );
    let shown = world.get(&path).await.json();
    assert_eq!((shown["original"].as_str(), shown["taskId"].as_str()), (Some(original.as_str()), Some(ID)));
    assert_eq!(world.post(&format!("{path}/replay"), "").await.status, StatusCode::ACCEPTED);
    assert_eq!(world.document(id()).unwrap().state, TaskState::Pending);
}

#[tokio::test(start_paused = true)]
async fn replay_queues_the_task_and_then_removes_the_message() {
    for (state, written) in
        [(TaskState::Failed, true), (TaskState::Pending, false), (TaskState::InProgress, false)]
    {
        let world = World::new();
        let message = given_up(&world, state);
        world.forget_requests();
        let response = world.post(&format!("/poison/{message}/replay"), "").await;
        assert_eq!(response.status, StatusCode::ACCEPTED, "{response:?}");
        assert_eq!(response.header("operation-location"), format!("http://api.example/tasks/{ID}"));
        let expected = if written { TaskState::Pending } else { state };
        assert_eq!(world.document(id()).unwrap().state, expected);
        let [sent] = &world.sent()[..] else { panic!("one message") };
        assert_eq!((sent.queue, sent.text.contains(ID)), (QueueName::Tasks, true));
        assert_eq!(left(&world), 0);
        let operations = world.take_operations();
        let at = |operation| operations.iter().rposition(|found| *found == operation);
        assert!(at(Operation::PutMessage) < at(Operation::DeleteMessage), "deleted last: {operations:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn message_that_cannot_be_replayed_is_409_and_stays() {
    let world = World::new();
    let mut messages = vec![
        poison(&world, "not a task"),
        poison(&world, &format!(r#"{{"TaskId":"{}","CreatedAt":"2026-11-20T10:00:00Z"}}"#, numbered(1))),
        poison_of_kind(&world, &format!(r#"{{"TaskId":"{ID}"}}"#), Some("event")),
    ];
    messages.push(given_up(&world, TaskState::Completed));
    for message in &messages {
        let response = world.post(&format!("/poison/{message}/replay"), "").await;
        assert_eq!(response.kind(), (409, "not-replayable".to_owned()));
        assert_eq!(visible(&world), 4, "visible again at once");
    }
    assert_eq!(world.sent().len(), 0);
    let all = report(&world.post("/poison:replay", "").await);
    assert_eq!(all, PoisonReport { skipped: 4, left: Some(4), ..PoisonReport::default() });
    assert_eq!(visible(&world), 4);
    for message in &messages {
        let path = format!("/poison/{message}");
        let removed = world.ask(Method::DELETE, &path, &[], "").await;
        assert_eq!(removed.status, StatusCode::NO_CONTENT);
        let again = world.ask(Method::DELETE, &path, &[], "").await;
        assert_eq!(again.kind(), (404, "poison-message-not-found".to_owned()));
    }
}

/// A document of a task whose event was given up, or was delivered.
fn ended(world: &World, state: CallbackState) -> EventMessage {
    world.store_as(TaskState::Failed);
    world.change_document(id(), |document| {
        document.finished_at = Some(world.now());
        document.sink_events = true;
        document.sink = Some(CallbackRecord { state, attempts: 20, ..CallbackRecord::due() });
    });
    let ended_at = world.document(id()).unwrap().finished_at.unwrap();
    EventMessage { event_of: id(), ended_at, called: 0, is_for_sink: true }
}

#[tokio::test(start_paused = true)]
async fn replayed_event_begins_again_with_all_attempts() {
    let world = World::with(&[("event_sink_url", "https://sink.example/")]);
    let end = ended(&world, CallbackState::GivenUp);
    let accepted = SinkMessage::accepted(&world.document(id()).unwrap()).unwrap();
    for text in [end.text(), accepted.text()] {
        let message = poison_of_kind(&world, &text, Some("event"));
        let shown = world.get(&format!("/poison/{message}")).await.json();
        assert_eq!((&shown["kind"], &shown["taskId"]), (&"event".into(), &ID.into()));
        world.forget_requests();
        let response = world.post(&format!("/poison/{message}/replay"), "").await;
        assert_eq!(response.status, StatusCode::ACCEPTED, "{response:?}");
        assert_eq!(response.header("operation-location"), format!("http://api.example/tasks/{ID}"));
        assert_eq!(world.messages("-events").last().unwrap().text, text);
        assert_eq!(left(&world), 0);
        let operations = world.take_operations();
        let at = |operation| operations.iter().rposition(|found| *found == operation);
        assert!(at(Operation::PutMessage) < at(Operation::DeleteMessage), "deleted last: {operations:?}");
    }
    let document = world.document(id()).unwrap();
    assert_eq!(document.sink, Some(CallbackRecord::due()));
    assert_eq!(document.state, TaskState::Failed, "the task is not retried");
}

#[tokio::test(start_paused = true)]
async fn event_that_cannot_be_delivered_any_more_is_409_and_stays() {
    let world = World::with(&[("event_sink_url", "https://sink.example/")]);
    let delivered = ended(&world, CallbackState::Delivered);
    let other_end = EventMessage { ended_at: world.now().plus(Duration::from_secs(1)), ..delivered };
    let deleted = EventMessage { event_of: numbered(1), ..delivered };
    for text in [delivered.text(), other_end.text(), deleted.text(), "what?".to_owned()] {
        let message = poison_of_kind(&world, &text, Some("event"));
        let response = world.post(&format!("/poison/{message}/replay"), "").await;
        assert_eq!(response.kind(), (409, "not-replayable".to_owned()), "{text}");
    }
    assert_eq!((left(&world), world.messages("-events").len()), (4, 0));
    // Without receivers and sink no worker would deliver it.
    let off = World::around(world.env.clone(), &[]);
    let accepted = SinkMessage::accepted(&world.document(id()).unwrap()).unwrap();
    let message = poison_of_kind(&off, &accepted.text(), Some("event"));
    let response = off.post(&format!("/poison/{message}/replay"), "").await;
    assert!(response.problem().detail.unwrap().contains("event_sink_url"));
}

#[tokio::test(start_paused = true)]
async fn message_of_the_dotnet_api_is_sent_as_it_was() {
    let world = World::new();
    let original =
        format!(r#"{{"TaskName":"t","TaskDescription":"","Status":2,"TaskId":"{ID}","Priority":1}}"#);
    let message = poison(&world, &original);
    assert_eq!(world.post(&format!("/poison/{message}/replay"), "").await.status, StatusCode::ACCEPTED);
    assert_eq!(world.sent()[0].text, original);
    assert_eq!(left(&world), 0);
}

#[tokio::test(start_paused = true)]
async fn all_messages_are_replayed_in_bounded_steps() {
    let world = World::new();
    world.store_as(TaskState::Failed);
    let mut document = world.document(id()).unwrap();
    for number in 0..75 {
        document.task_id = numbered(number);
        world.put_document(&document);
        poison(&world, &TaskMessage::text_for(&document, None));
        if number < 40 {
            poison(&world, "names no task");
        }
    }
    let first = report(&world.post("/poison:replay?top=60", "").await);
    assert_eq!(first.changed + first.skipped, 60);
    assert_eq!(first.left, Some(115 - u64::from(first.changed)));
    let second = report(&world.post("/poison:replay?top=200", "").await);
    assert_eq!((first.changed + second.changed, second.skipped, second.left), (75, 40, Some(40)));
    assert_eq!((world.sent().len(), visible(&world)), (75, 40));
    let removed = report(&world.post("/poison:delete", "").await);
    assert_eq!(removed, PoisonReport { changed: 40, left: Some(0), ..PoisonReport::default() });
}

#[tokio::test(start_paused = true)]
async fn failed_request_leaves_the_message_in_the_queue() {
    for operation in [Operation::GetBlob, Operation::PutBlob, Operation::PutMessage] {
        let world = World::new();
        let message = given_up(&world, TaskState::Failed);
        world.fail(
            move |request| if request.operation == operation { Fault::unavailable() } else { Fault::None },
        );
        let path = format!("/poison/{message}/replay");
        assert_eq!(world.post(&path, "").await.kind().0, 503, "{operation:?}");
        assert_eq!((left(&world), visible(&world)), (1, 1), "{operation:?}");
        let all = report(&world.post("/poison:replay", "").await);
        assert_eq!((all.failed, all.left), (1, Some(1)));
        world.end_faults();
        assert_eq!(world.post(&path, "").await.status, StatusCode::ACCEPTED);
        assert_eq!((world.document(id()).unwrap().state, left(&world)), (TaskState::Pending, 0));
        assert!(!world.sent().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn lost_response_to_a_write_is_repaired_by_the_next_try() {
    for operation in [Operation::PutBlob, Operation::PutMessage, Operation::DeleteMessage] {
        let world = World::new();
        let message = given_up(&world, TaskState::Failed);
        world.fail_once(operation, Fault::ResponseLost);
        assert_eq!(world.post(&format!("/poison/{message}/replay"), "").await.status, StatusCode::ACCEPTED);
        assert_eq!(
            (world.document(id()).unwrap().state, left(&world)),
            (TaskState::Pending, 0),
            "{operation:?}"
        );
        assert!(!world.sent().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn undeleted_message_of_a_replay_is_logged_and_a_removal_fails() {
    let world = World::new();
    let message = given_up(&world, TaskState::Failed);
    world.fail(|request| {
        if request.operation == Operation::DeleteMessage { Fault::unavailable() } else { Fault::None }
    });
    let removed = world.ask(Method::DELETE, &format!("/poison/{message}"), &[], "").await;
    assert_eq!(removed.kind(), (503, "storage-unavailable".to_owned()));
    let replayed = world.post(&format!("/poison/{message}/replay"), "").await;
    assert_eq!(replayed.status, StatusCode::ACCEPTED);
    assert!(world.logged().contains("a replayed message stays in the poison queue"));
    assert_eq!(left(&world), 1);
}

#[tokio::test(start_paused = true)]
async fn slow_storage_ends_a_request_for_all_and_releases_the_rest() {
    let world = World::new();
    for _ in 0..100 {
        poison(&world, "noise");
    }
    world.set_latency(Duration::from_secs(4));
    let begin = tokio::time::Instant::now();
    let done = report(&world.post("/poison:delete?top=100", "").await);
    assert!(begin.elapsed() < Duration::from_secs(60), "{:?}", begin.elapsed());
    assert!((1..100).contains(&done.changed), "{done:?}");
    assert_eq!(done.left, Some(100 - u64::from(done.changed)));
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(visible(&world), left(&world), "what was received and not changed is visible again");
}

#[tokio::test(start_paused = true)]
async fn two_replays_at_once_queue_a_task_and_lose_nothing() {
    let world = World::new();
    let message = given_up(&world, TaskState::Failed);
    world.set_latency(Duration::from_millis(10));
    let path = format!("/poison/{message}/replay");
    let (one, two) = futures::join!(world.post(&path, ""), world.post(&path, ""));
    let mut statuses = [one.status.as_u16(), two.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [202, 404], "the second one does not find the leased message");
    assert_eq!((world.document(id()).unwrap().state, world.sent().len()), (TaskState::Pending, 1));
}

#[tokio::test(start_paused = true)]
async fn poison_queue_is_for_operators_only() {
    let hash = |key: &str| Sha256::digest(key).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let (user, operator) = (hash("user"), hash("operator"));
    let keys = [("api_auth", "api-key"), ("api_key_hashes", &user), ("api_operators", &operator)];
    let principals = [("api_auth", "easy-auth"), ("api_operators", "ann, bob")];
    let none = [("api_auth", "api-key"), ("api_key_hashes", user.as_str())];
    let requests = [
        (Method::GET, "/poison".to_owned()),
        (Method::GET, format!("/poison/{ID}")),
        (Method::DELETE, format!("/poison/{ID}")),
        (Method::POST, format!("/poison/{ID}/replay")),
        (Method::POST, "/poison:replay".to_owned()),
        (Method::POST, "/poison:delete".to_owned()),
    ];
    let principal = "x-ms-client-principal-id";
    for (variables, refused, allowed) in [
        (&keys[..], ("api-key", "user"), Some(("api-key", "operator"))),
        (&principals[..], (principal, "carol"), Some((principal, "bob"))),
        (&none[..], ("api-key", "user"), None),
    ] {
        let world = World::with(variables);
        for (method, path) in &requests {
            let response = world.ask(method.clone(), path, &[refused], "").await;
            assert_eq!(response.kind(), (403, "operators-only".to_owned()), "{method} {path}");
            let response = world.ask(method.clone(), path, &[], "").await;
            assert_eq!(response.kind(), (401, "unauthorized".to_owned()), "{method} {path}");
            let Some(operator) = allowed else { continue };
            let status = world.ask(method.clone(), path, &[operator], "").await.status.as_u16();
            assert!(matches!(status, 200 | 404), "{method} {path}: {status}");
        }
        let Some(operator) = allowed else { continue };
        // An operator is a caller like any other, and sees its own tasks.
        assert_eq!(world.ask(Method::GET, "/tasks", &[operator], "").await.status, StatusCode::OK);
    }
}

#[tokio::test(start_paused = true)]
async fn unknown_parameter_or_id_is_refused() {
    let world = World::new();
    for path in ["/poison?top=1", "/poison:replay?top=0", "/poison:delete?status=Failed"] {
        let method = if path.contains(':') { Method::POST } else { Method::GET };
        let response = world.ask(method, path, &[], "").await;
        assert_eq!(response.kind(), (400, "invalid-parameter".to_owned()), "{path}");
    }
    for path in ["/poison/1", "/poison:purge", "/poison/"] {
        assert_eq!(world.get(path).await.kind(), (404, "not-found".to_owned()), "{path}");
    }
}
