//! The API and real storage requests: what links open, what fits, and what storage's refusals mean to clients.

use std::time::Duration;

use fake_azure::{Block, EMULATOR_ACCOUNT, EMULATOR_KEY};
use http::{Method, StatusCode};
use models::{Json, MonitorState, TaskMessage, TaskState, TaskStatus};
use storage::{QueueName, Read, WorkerStorage};
use test_world::Fault;

use crate::world::{ID, World, id};

#[tokio::test(start_paused = true)]
async fn location_reads_one_blob_until_it_expires() {
    let world = World::new();
    let response = world.submit(r#"{"TaskName":"resize"}"#).await;
    let (monitor, other) = (response.monitor(), world.submit("{}").await.monitor());
    let location = response.header("location");

    let found = world.get_url(location);
    assert_eq!(found.status(), StatusCode::OK);
    let document = TaskStatus::parse(found.body()).unwrap();
    assert_eq!((document.task_id, document.task_name.as_str()), (monitor.id, "resize"));
    assert_eq!(document.return_uri.as_deref(), location.split('?').next());
    assert_eq!(world.get_url(document.return_uri.as_deref().unwrap()).status(), StatusCode::UNAUTHORIZED);

    let elsewhere = location.replace(&monitor.id.to_string(), &other.id.to_string());
    assert_eq!(world.get_url(&elsewhere).status(), StatusCode::FORBIDDEN);
    tokio::time::sleep(Duration::from_secs(11 * 60)).await;
    assert_eq!(world.get_url(location).status(), StatusCode::FORBIDDEN);
}

#[tokio::test(start_paused = true)]
async fn any_text_is_unchanged_in_document_and_message() {
    let world = World::new();
    let WorkerStorage { store: documents, queue: queues } = world.storage();
    let (odd, long) = ("<&>\"'\\a\u{1}\u{7f}\t\u{0}\u{fffe}\r\n 日本語 🦀", "ä".repeat(4096));
    for name in ["task", odd, &long] {
        let body =
            serde_json::json!({ "TaskName": name, "TaskDescription": name, "Input": { name: [name] } });
        let id = world.submit(&body.to_string()).await.monitor().id;
        let [delivery] =
            queues.receive(QueueName::Tasks, 1, Duration::from_secs(9)).await.unwrap().try_into().unwrap();
        let message = TaskMessage::parse(&delivery.text).unwrap();
        let Read::Found(stored) = documents.read(id, None).await.unwrap() else { panic!("missing") };
        assert_eq!(stored.document.task_name, name);
        assert_eq!(stored.document.input.as_ref().unwrap().value(), body["Input"]);
        assert_eq!((message.document, message.etag), (Some(stored.document), Some(stored.etag)));
    }
}

#[tokio::test(start_paused = true)]
async fn task_can_be_retried_followed_cancelled_listed_and_deleted() {
    let world = World::new();
    let monitor = world.submit(&format!(r#"{{"TaskId":"{ID}"}}"#)).await.monitor();
    assert_eq!(monitor.status, MonitorState::NotStarted);
    let task = format!("/tasks/{ID}");

    world.change_document(id(), |document| document.state = TaskState::Failed);
    let response = world.ask(Method::POST, &format!("{task}/retry"), &[], "").await;
    assert_eq!(response.status, StatusCode::ACCEPTED);
    assert_eq!(world.messages("").len(), 2);

    let etag = response.header("etag").to_owned();
    let response = world.ask(Method::GET, &task, &[("if-none-match", &etag)], "").await;
    assert_eq!(response.status, StatusCode::NOT_MODIFIED);
    assert_eq!(world.ask(Method::POST, &format!("{task}/cancel"), &[], "").await.status, StatusCode::OK);
    let list = world.ask(Method::GET, "/tasks?status=Canceled", &[], "").await;
    assert_eq!(list.json()["value"][0]["id"], ID);

    assert_eq!(world.ask(Method::DELETE, &task, &[], "").await.status, StatusCode::NO_CONTENT);
    assert_eq!(world.ask(Method::GET, &task, &[], "").await.status, StatusCode::NOT_FOUND);
    assert!(world.blob_names().is_empty());
}

#[tokio::test(start_paused = true)]
async fn unreachable_storage_is_503_within_a_minute_per_request() {
    let world = World::new();
    world.fail(|_| Fault::Unreachable);
    let begin = world.now();
    let body = format!(r#"{{"TaskId":"{ID}"}}"#);
    for (method, path) in [(Method::POST, "/tasks"), (Method::GET, "/tasks"), (Method::GET, "/readyz")] {
        let response = world.ask(method, path, &[], &body).await;
        assert_eq!(response.kind(), (503, "storage-unavailable".to_owned()));
        assert!(response.headers.contains_key("retry-after"));
    }
    assert!(world.now().since(begin) < Duration::from_secs(180));
    world.end_faults();
    world.submit(&body).await;
}

#[tokio::test(start_paused = true)]
async fn missing_or_wrong_credentials_are_named_and_never_shown() {
    let wrong_key = EMULATOR_KEY.replace("Eby8", "Zby8");
    let wrong = format!(
        "AccountName={EMULATOR_ACCOUNT};AccountKey={wrong_key};BlobEndpoint=http://127.0.0.1:10000/{EMULATOR_ACCOUNT};\
         QueueEndpoint=http://127.0.0.1:10001/{EMULATOR_ACCOUNT};"
    );
    for (connection_string, named) in
        [("", "storage_connection_string"), (&wrong, "storage_connection_string")]
    {
        let world = World::with(&[("storage_connection_string", connection_string)]);
        for (method, path) in [(Method::POST, "/tasks"), (Method::GET, "/tasks"), (Method::GET, "/readyz")] {
            let response = world.ask(method, path, &[], "{}").await;
            assert_eq!(response.status, StatusCode::SERVICE_UNAVAILABLE);
            let text = response.text();
            assert!(text.contains("/problems/misconfigured") && text.contains(named), "{text}");
            assert!(!text.contains(&wrong_key) && !text.contains("sig="));
        }
        let log = world.logged();
        assert!(!log.contains(&wrong_key) && !log.contains("sig="), "{log}");
    }
}

#[tokio::test(start_paused = true)]
async fn document_of_the_dotnet_sample_is_shown() {
    let world = World::new();
    let document = format!(
        r#"{{"TaskName":"n","TaskDescription":"d","Status":2,"TaskId":"{ID}","Priority":2,"returnUri":null}}"#
    );
    let documents = world.storage().store;
    documents.put_attachment(&id().status_blob_name(), "application/json", document.into()).await.unwrap();
    let response = world.ask(Method::GET, &format!("/tasks/{ID}"), &[], "").await;
    let monitor = response.monitor();
    assert_eq!(
        (monitor.status, monitor.name.as_str(), monitor.priority.as_str()),
        (MonitorState::Succeeded, "n", "High")
    );
    assert_eq!(monitor.result.map(|json: Json| json.get().to_owned()), None);
}

#[tokio::test(start_paused = true)]
async fn message_carries_the_document_only_when_it_fits_after_escaping() {
    let world = World::new();
    for (size, input) in [
        (27_000, "&"),
        (33_000, "<"),
        (62_000, "x"),
        (65_300, "x"),
        (21_700, "\u{ffff}"),
        (10_900, "\u{ffff}"),
    ] {
        let body = serde_json::json!({ "Input": input.repeat(size) }).to_string();
        let monitor = world.submit(&body).await.monitor();
        let queues = world.storage().queue;
        let [delivery] =
            queues.receive(QueueName::Tasks, 32, Duration::from_secs(600)).await.unwrap().try_into().unwrap();
        let message = TaskMessage::parse(&delivery.text).unwrap();
        assert!(message.is_ours && message.etag.is_some());
        assert_eq!(message.task_id, monitor.id, "{size} of {input:?}");
        assert_eq!(message.document.is_some(), input == "x" && size == 62_000, "{size} of {input:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn storage_accepts_every_text_that_fits_message_accepts() {
    let world = World::new();
    let queues = world.storage().queue;
    let (mut taken, mut refused) = (0, 0);
    for character in ["x", "&", "<", ">", "\r", "ü", "\u{fffe}", "🦀"] {
        for size in [10_900, 10_930, 13_000, 26_260, 26_300, 32_800, 32_900, 65_536, 65_537] {
            let text = character.repeat(size / character.len().min(size));
            let sent = queues.send(QueueName::Poison, &text, Duration::ZERO).await;
            if models::fits_message(&text) {
                assert_eq!(sent, Ok(()), "{size} of {character:?}");
                taken += 1;
            } else {
                refused += usize::from(sent.is_err());
            }
        }
    }
    assert!(taken > 20 && refused > 10, "{taken} taken, {refused} refused");
}

#[tokio::test(start_paused = true)]
async fn blocked_blob_is_omitted_from_the_list_and_counted() {
    for block in [Block::Archived, Block::Leased] {
        let world = World::new();
        for _ in 0..4 {
            world.submit("{}").await;
        }
        world.submit(&format!(r#"{{"TaskId":"{ID}"}}"#)).await;
        let name = id().status_blob_name();
        world.block_blob(&name, Some(block));
        let response = world.ask(Method::GET, "/tasks", &[], "").await;
        assert_eq!(response.status, StatusCode::OK, "{:?}", response.body);
        let list: models::MonitorList = serde_json::from_slice(&response.body).unwrap();
        let is_read = block == Block::Leased;
        assert_eq!((list.value.len(), list.unreadable), if is_read { (5, 0) } else { (4, 1) }, "{block:?}");
        assert!(is_read || world.logged().contains("a document could not be listed"));

        let task = world.ask(Method::GET, &format!("/tasks/{ID}"), &[], "").await;
        assert_eq!(task.status, if is_read { StatusCode::OK } else { StatusCode::BAD_GATEWAY });
        let cancel = world.ask(Method::POST, &format!("/tasks/{ID}/cancel"), &[], "").await;
        assert_eq!(cancel.status, StatusCode::BAD_GATEWAY);
        assert_eq!(cancel.kind().1, "document-blocked");
        assert!(cancel.problem().detail.unwrap().contains("lease"), "{cancel:?}");
    }
}
