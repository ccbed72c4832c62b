//! The interfaces over Azure: documents in Blob Storage, messages in Storage Queue.
#![expect(clippy::unwrap_used, reason = "helpers of tests state their expectations as tests do")]

use std::rc::Rc;
use std::time::Duration;

use azure::{AccountConfig, Secret};
use bytes::Bytes;
use fake_azure::{EMULATOR_ACCOUNT, Operation};
use models::{TaskId, TaskRequest, TaskStatus};
use storage::{
    ApiStorage, LeaseLost, MonitoredQueue, PublicStore, QueueName, Read, ReceivedMessage, ResultStore,
    StorageError, StorageSettings, TaskReceiver, WorkerStorage, Write,
};
use test_world::{EMULATOR, Fault, TestWorld};

fn settings(connection_string: &str) -> StorageSettings {
    StorageSettings {
        account: AccountConfig {
            connection_string: Secret::new(connection_string),
            ..AccountConfig::default()
        },
        queue_name: "taskqueue".to_owned(),
        container_name: "tasks".to_owned(),
        ..StorageSettings::default()
    }
}

/// The interfaces that the API uses.
fn for_api(world: &Rc<TestWorld>) -> (Rc<dyn PublicStore>, Rc<dyn MonitoredQueue>) {
    let ApiStorage { store, queue } = storage::open(world.clone(), &settings(EMULATOR)).unwrap();
    (store, queue)
}

/// The interfaces that the worker uses.
fn for_worker(world: &Rc<TestWorld>) -> (Rc<dyn ResultStore>, Rc<dyn TaskReceiver>) {
    let WorkerStorage { store, queue } = storage::open(world.clone(), &settings(EMULATOR)).unwrap();
    (store, queue)
}

/// How many requests there were for an operation.
fn count(world: &TestWorld, operation: Operation) -> u64 {
    world.azure.borrow().requests().get(&operation).copied().unwrap_or_default()
}

fn document(world: &TestWorld, byte: u8) -> TaskStatus {
    let request = TaskRequest::parse(br#"{"TaskName":"<&>"}"#).unwrap();
    TaskStatus::accepted(TaskId::from_random_bytes([byte; 16]), request, String::new(), world.now())
}

#[tokio::test(start_paused = true)]
async fn document_is_created_replaced_and_deleted_only_at_its_version() {
    let world = TestWorld::new();
    let (store, _) = for_worker(&world);
    let mut task = document(&world, 1);
    let Write::Done(first) = store.create(&task).await.unwrap() else { panic!("conflict") };
    assert_eq!(store.create(&task).await, Ok(Write::Conflict));
    let Read::Found(stored) = store.read(task.task_id, None).await.unwrap() else { panic!("missing") };
    assert_eq!((&stored.document, stored.etag.as_str()), (&task, first.as_str()));
    assert_eq!(store.read(task.task_id, Some(&first)).await, Ok(Read::Unchanged));

    task.attempt = 1;
    let Write::Done(second) = store.replace(&task, &first).await.unwrap() else { panic!("conflict") };
    assert_eq!(store.replace(&task, &first).await, Ok(Write::Conflict));
    assert_eq!(store.delete(task.task_id, &first).await, Ok(Write::Conflict));
    store.put_attachment("notes-202", "text/plain", Bytes::from_static(b"x")).await.unwrap();
    store.put_attachment("result", "text/plain", Bytes::from_static(b"x")).await.unwrap();
    let page = store.list(None, 50).await.unwrap();
    assert_eq!(page.tasks.iter().map(|task| task.id).collect::<Vec<_>>(), [task.task_id]);

    assert_eq!(store.delete(task.task_id, &second).await, Ok(Write::Done(())));
    assert_eq!(store.delete(task.task_id, &second).await, Ok(Write::Done(())), "gone already");
    assert_eq!(store.replace(&task, &second).await, Ok(Write::Conflict));
}

#[tokio::test(start_paused = true)]
async fn missing_container_is_an_error_except_for_a_new_document() {
    let world = TestWorld::new();
    let (store, _) = for_worker(&world);
    let task = document(&world, 1);
    let errors = [
        store.read(task.task_id, None).await.map(drop),
        store.replace(&task, "\"1\"").await.map(drop),
        store.delete(task.task_id, "\"1\"").await.map(drop),
        store.swap_attachment("sweep-state", "text/plain", Bytes::new(), Some("\"1\"")).await.map(drop),
        store.delete_attachment("result").await,
    ];
    for error in errors.map(Result::unwrap_err) {
        let named = matches!(&error, StorageError::NoContainer(s) if s.contains("container tasks does not exist")
            && s.contains("task_blob_container_name"));
        assert!(named, "{error}");
    }
    let state = store.swap_attachment("sweep-state", "text/plain", Bytes::new(), None).await;
    assert_eq!(state, Ok(Write::Conflict), "there is nothing to sweep");
    assert_eq!(store.read_attachment("sweep-state", 0..9, None).await, Ok(None));
    assert_eq!(store.read_attachment("sweep-state", 0..0, None).await, Ok(None));
    assert_eq!(count(&world, Operation::CreateContainer), 0);
    assert!(matches!(store.create(&task).await, Ok(Write::Done(_))));
    assert_eq!(store.read(document(&world, 2).task_id, None).await, Ok(Read::Missing));
}

#[tokio::test(start_paused = true)]
async fn container_and_queues_are_created_once_on_first_use() {
    let world = TestWorld::new();
    let (store, queue) = for_api(&world);
    let (_, receiver) = for_worker(&world);
    assert_eq!(store.list(None, 50).await, Ok(Default::default()));
    assert_eq!(store.probe().await, Ok(()));
    assert_eq!(queue.depth(QueueName::Poison).await, Ok(0));
    assert_eq!(queue.oldest(QueueName::Tasks).await, Ok(None));
    assert_eq!(receiver.receive(QueueName::Tasks, 32, Duration::from_secs(60)).await, Ok(vec![]));
    for byte in 1..4 {
        store.create(&document(&world, byte)).await.unwrap();
        queue.send(QueueName::Tasks, "{}", Duration::ZERO).await.unwrap();
        queue.send(QueueName::Scheduled, "{}", Duration::from_secs(604_800)).await.unwrap();
        queue.send(QueueName::Poison, "{}", Duration::ZERO).await.unwrap();
    }
    assert_eq!(count(&world, Operation::CreateContainer), 1);
    assert_eq!(count(&world, Operation::CreateQueue), 3);
    let azure = world.azure.borrow();
    let names: Vec<_> = azure.queues(EMULATOR_ACCOUNT).collect();
    assert_eq!(names, ["taskqueue", "taskqueue-poison", "taskqueue-scheduled"]);
}

#[tokio::test(start_paused = true)]
async fn message_is_updated_and_deleted_only_while_the_lease_is_held() {
    let world = TestWorld::new();
    let (_, queues) = for_worker(&world);
    let text = "{\"TaskName\":\"\u{fffe}<&>\u{ffff}\u{7f} \\u0001\"}";
    queues.send(QueueName::Tasks, text, Duration::ZERO).await.unwrap();
    let minute = Duration::from_secs(60);
    let mut received = queues.receive(QueueName::Tasks, 32, minute).await.unwrap();
    let mut message = received.pop().unwrap();
    assert_eq!(message.text, "{\"TaskName\":\"\\ufffe<&>\\uffff\u{7f} \\u0001\"}");
    assert_eq!(message.dequeue_count, 1);
    let value = |json: &str| serde_json::from_str::<serde_json::Value>(json).unwrap();
    assert_eq!(value(&message.text), value(text), "the same JSON");

    let Ok(receipt) = queues.update(&message, minute, Some("{\u{fffe}}")).await.unwrap() else {
        panic!("lost")
    };
    let stale = message.clone();
    message.pop_receipt = receipt;
    assert_eq!(queues.update(&stale, minute, None).await, Ok(Err(LeaseLost)));
    assert_eq!(queues.delete(&stale).await, Ok(Err(LeaseLost)));
    let elsewhere = ReceivedMessage { queue: QueueName::Poison, ..message.clone() };
    assert_eq!(queues.delete(&elsewhere).await, Ok(Err(LeaseLost)), "no such queue");
    assert_eq!(for_api(&world).1.depth(QueueName::Tasks).await, Ok(1));
    let texts: Vec<_> = world.messages("").into_iter().map(|message| message.text).collect();
    assert_eq!(texts, ["{\\ufffe}"], "replaced by the update");
    assert_eq!(queues.delete(&message).await, Ok(Ok(())));
    assert_eq!(queues.delete(&message).await, Ok(Err(LeaseLost)));
}

#[tokio::test(start_paused = true)]
async fn oldest_visible_message_is_found() {
    let world = TestWorld::new();
    let (_, queues) = for_api(&world);
    let first = world.now();
    queues.send(QueueName::Tasks, "1", Duration::ZERO).await.unwrap();
    tokio::time::sleep(Duration::from_secs(90)).await;
    queues.send(QueueName::Tasks, "2", Duration::ZERO).await.unwrap();
    assert_eq!(queues.oldest(QueueName::Tasks).await, Ok(Some(first)));
    assert_eq!(queues.depth(QueueName::Tasks).await, Ok(2));
}

#[tokio::test(start_paused = true)]
async fn attachment_is_read_in_parts_of_one_version() {
    let world = TestWorld::new();
    let (store, _) = for_worker(&world);
    assert_eq!(store.read_attachment("r", 0..10, None).await, Ok(None));
    store.put_attachment("r", "text/plain", Bytes::from_static(b"0123456789")).await.unwrap();
    let part = store.read_attachment("r", 8..100, None).await.unwrap().unwrap();
    assert_eq!((&part.bytes[..], part.total), (&b"89"[..], 10));
    let beyond = store.read_attachment("r", 10..20, None).await.unwrap().unwrap();
    assert_eq!((beyond.bytes.len(), beyond.total, &beyond.etag), (0, 10, &part.etag));
    let none = store.read_attachment("r", 3..3, Some(&part.etag)).await.unwrap().unwrap();
    assert_eq!((none.bytes.len(), none.total), (0, 10));
    assert_eq!(store.swap_attachment("r", "text/plain", Bytes::new(), None).await, Ok(Write::Conflict));
    let swapped = store.swap_attachment("r", "text/plain", Bytes::new(), Some(&part.etag)).await.unwrap();
    assert!(matches!(swapped, Write::Done(_)));
    assert_eq!(store.read_attachment("r", 0..1, Some(&part.etag)).await, Ok(None), "another version");
    let empty = store.read_attachment("r", 0..1, None).await.unwrap().unwrap();
    assert_eq!((empty.bytes.len(), empty.total), (0, 0));
    assert_eq!(store.delete_attachment("r").await, Ok(()));
    assert_eq!(store.delete_attachment("r").await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn document_that_breaks_the_contract_is_unreadable() {
    let world = TestWorld::new();
    let (store, _) = for_worker(&world);
    let task = document(&world, 1);
    let name = task.task_id.status_blob_name();
    let other = document(&world, 2).to_bytes();
    for garbage in [&b"not json"[..], b"{}", &other] {
        store.put_attachment(&name, "text/plain", Bytes::copy_from_slice(garbage)).await.unwrap();
        let read = store.read(task.task_id, None).await;
        assert!(
            matches!(&read, Err(StorageError::Unreadable { task_id, .. }) if *task_id == task.task_id),
            "{read:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn signed_address_opens_one_document_until_it_expires() {
    let world = TestWorld::new();
    let (store, _) = for_api(&world);
    let (task, other) = (document(&world, 1), document(&world, 2));
    store.create(&task).await.unwrap();
    store.create(&other).await.unwrap();
    let link = store.signed_address(task.task_id, Duration::from_secs(600)).await.unwrap().unwrap();
    let address = store.address(task.task_id).await.unwrap();
    assert!(link.starts_with(&address) && !address.contains('?'));
    let open = |url: &str| world.get_url(url).status().as_u16();
    assert_eq!(open(&link), 200);
    let stretched = link.replace(&task.task_id.to_string(), &other.task_id.to_string());
    assert_eq!(open(&stretched), 403);
    tokio::time::sleep(Duration::from_secs(601)).await;
    assert_eq!(open(&link), 403);
}

#[tokio::test(start_paused = true)]
async fn each_refusal_becomes_its_own_error() {
    let world = TestWorld::new();
    let (store, queues) = for_api(&world);
    let failing = |status, code| world.fail(move |_| Fault::error(status, code));
    failing(403, "AuthenticationFailed");
    let error = store.probe().await.unwrap_err();
    assert!(
        matches!(&error, StorageError::Misconfigured(s) if s.contains("403 AuthenticationFailed") && s.contains("storage_connection_string")),
        "{error}"
    );
    failing(503, "ServerBusy");
    let error = queues.send(QueueName::Tasks, "{}", Duration::ZERO).await.unwrap_err();
    assert!(matches!(error, StorageError::Unavailable { .. }));
    failing(409, "QueueBeingDeleted");
    let error = queues.send(QueueName::Tasks, "{}", Duration::ZERO).await.unwrap_err();
    assert!(
        matches!(error, StorageError::Unavailable { retry_after: Some(wait), .. } if wait.as_secs() == 30)
    );
    failing(400, "OutOfRangeInput");
    let error = store.list(Some("made up"), 1).await.unwrap_err();
    assert!(matches!(error, StorageError::Refused(_)));
}

#[tokio::test(start_paused = true)]
async fn settings_without_an_account_are_an_error_naming_the_variable() {
    let world = TestWorld::new();
    for (connection_string, named) in [
        ("", "storage_connection_string"),
        ("AccountName=hidden", "AccountKey"),
        ("AccountName=hidden;AccountKey=hidden!", "AccountKey"),
    ] {
        let error = storage::open::<ApiStorage>(world.clone(), &settings(connection_string))
            .map(drop)
            .unwrap_err()
            .to_string();
        assert!(error.contains(named) && !error.contains("hidden"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn account_with_a_shared_access_signature_gives_no_signed_address() {
    let world = TestWorld::new();
    let connection_string = "BlobEndpoint=http://127.0.0.1:10000/devstoreaccount1;\
                             QueueEndpoint=http://127.0.0.1:10001/devstoreaccount1;\
                             SharedAccessSignature=sv=2023-11-03&sig=hidden";
    let store = storage::open::<ApiStorage>(world.clone(), &settings(connection_string)).unwrap().store;
    let id = document(&world, 1).task_id;
    assert_eq!(store.signed_address(id, Duration::from_secs(600)).await, Ok(None));
    assert!(!store.address(id).await.unwrap().contains("hidden"));
}
