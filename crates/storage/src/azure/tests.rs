use std::cell::{Cell, RefCell};
use std::time::Duration;

use azure::{AccountConfig, Clock, Limits, Observer, Random, Secret, Transport, TransportError};
use bytes::Bytes;
use fake_azure::{Config, EMULATOR_ACCOUNT, FakeAzure, Operation};
use futures::future::LocalBoxFuture;
use http::{Request, Response};
use models::{TaskId, TaskRequest, TaskStatus};
use time::OffsetDateTime;

use super::*;
use crate::{
    LeaseLost, MonitoredQueue as _, PublicStore as _, QueueName, Read, ResultStore as _, StatusStore as _,
    StorageError, TaskQueue as _, TaskReceiver as _, Write,
};

/// A fake account, and answers that come before it.
struct World {
    fake: RefCell<FakeAzure>,
    now: Cell<OffsetDateTime>,
    instead: RefCell<Vec<(u16, &'static str)>>,
}

impl World {
    fn new() -> Rc<Self> {
        Rc::new(Self {
            fake: RefCell::new(FakeAzure::new(Config::default()).unwrap()),
            now: Cell::new(OffsetDateTime::from_unix_timestamp(1_795_000_000).unwrap()),
            instead: RefCell::default(),
        })
    }

    fn requests(&self, operation: Operation) -> u64 {
        self.fake.borrow().requests().get(&operation).copied().unwrap_or_default()
    }
}

impl Transport for World {
    fn send<'a>(
        &'a self,
        request: Request<Bytes>,
        _: Limits,
        _: Observer<'a>,
    ) -> LocalBoxFuture<'a, Result<Response<Bytes>, TransportError>> {
        Box::pin(async move {
            if let Some((status, code)) = self.instead.borrow_mut().pop() {
                return Ok(Response::builder()
                    .status(status)
                    .header("x-ms-error-code", code)
                    .body(Bytes::new())
                    .unwrap());
            }
            Ok(self.fake.borrow_mut().handle(request, self.now.get()))
        })
    }
}

impl Clock for World {
    fn now(&self) -> OffsetDateTime {
        self.now.get()
    }

    fn instant(&self) -> azure::Instant {
        let since = self.now.get() - OffsetDateTime::UNIX_EPOCH;
        azure::Instant::since_origin(since.try_into().unwrap())
    }

    fn sleep(&self, duration: Duration) -> LocalBoxFuture<'_, ()> {
        Box::pin(async move {
            self.now.set(self.now.get() + duration);
        })
    }
}

impl Random for World {
    fn next_u64(&self) -> u64 {
        7
    }
}

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

fn opened(world: &Rc<World>) -> (Rc<BlobStore>, Rc<StorageQueues>) {
    open(world.clone(), &settings("UseDevelopmentStorage=true")).unwrap()
}

fn document(world: &World, byte: u8) -> TaskStatus {
    let request = TaskRequest::parse(br#"{"TaskName":"<&>"}"#).unwrap();
    TaskStatus::accepted(
        TaskId::from_random_bytes([byte; 16]),
        request,
        String::new(),
        world.now.get().into(),
    )
}

#[tokio::test]
async fn a_document_is_created_read_replaced_listed_and_deleted_by_its_version() {
    let world = World::new();
    let (store, _) = opened(&world);
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

#[tokio::test]
async fn a_missing_container_says_nothing_about_a_task_and_is_made_for_a_new_one_only() {
    let world = World::new();
    let (store, _) = opened(&world);
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
    assert_eq!(world.requests(Operation::CreateContainer), 0);
    assert!(matches!(store.create(&task).await, Ok(Write::Done(_))));
    assert_eq!(store.read(document(&world, 2).task_id, None).await, Ok(Read::Missing));
}

#[tokio::test]
async fn the_container_and_the_queues_are_made_once_when_they_are_first_needed() {
    let world = World::new();
    let (store, queues) = opened(&world);
    assert_eq!(store.list(None, 50).await, Ok(Default::default()));
    assert_eq!(store.probe().await, Ok(()));
    assert_eq!(queues.depth(QueueName::Poison).await, Ok(0));
    assert_eq!(queues.oldest(QueueName::Tasks).await, Ok(None));
    assert_eq!(queues.receive(QueueName::Tasks, 32, Duration::from_secs(60)).await, Ok(vec![]));
    for byte in 1..4 {
        store.create(&document(&world, byte)).await.unwrap();
        queues.send(QueueName::Tasks, "{}", Duration::ZERO).await.unwrap();
        queues.send(QueueName::Scheduled, "{}", Duration::from_secs(604_800)).await.unwrap();
        queues.send(QueueName::Poison, "{}", Duration::ZERO).await.unwrap();
    }
    assert_eq!(world.requests(Operation::CreateContainer), 1);
    assert_eq!(world.requests(Operation::CreateQueue), 3);
    let fake = world.fake.borrow();
    let names: Vec<_> = fake.queues(EMULATOR_ACCOUNT).collect();
    assert_eq!(names, ["taskqueue", "taskqueue-poison", "taskqueue-scheduled"]);
}

#[tokio::test]
async fn a_message_is_received_renewed_and_deleted_until_the_lease_is_lost() {
    let world = World::new();
    let (_, queues) = opened(&world);
    let text = "{\"TaskName\":\"\u{fffe}<&>\u{ffff}\u{7f} \\u0001\"}";
    queues.send(QueueName::Tasks, text, Duration::ZERO).await.unwrap();
    let minute = Duration::from_secs(60);
    let mut received = queues.receive(QueueName::Tasks, 32, minute).await.unwrap();
    let mut message = received.pop().unwrap();
    assert_eq!(message.text, "{\"TaskName\":\"\\ufffe<&>\\uffff\u{7f} \\u0001\"}");
    assert_eq!(message.dequeue_count, 1);
    let value = |json: &str| serde_json::from_str::<serde_json::Value>(json).unwrap();
    assert_eq!(value(&message.text), value(text), "the same JSON");

    let Ok(receipt) = queues.update(QueueName::Tasks, &message, minute, Some("{\u{fffe}}")).await.unwrap()
    else {
        panic!("lost")
    };
    let stale = message.clone();
    message.pop_receipt = receipt;
    assert_eq!(queues.update(QueueName::Tasks, &stale, minute, None).await, Ok(Err(LeaseLost)));
    assert_eq!(queues.delete(QueueName::Tasks, &stale).await, Ok(Err(LeaseLost)));
    assert_eq!(queues.delete(QueueName::Poison, &message).await, Ok(Err(LeaseLost)), "no such queue");
    assert_eq!(queues.depth(QueueName::Tasks).await, Ok(1));
    let texts: Vec<_> = world.fake.borrow().messages(EMULATOR_ACCOUNT, "taskqueue").map(|m| m.text).collect();
    assert_eq!(texts, ["{\\ufffe}"], "replaced by the update");
    assert_eq!(queues.delete(QueueName::Tasks, &message).await, Ok(Ok(())));
    assert_eq!(queues.delete(QueueName::Tasks, &message).await, Ok(Err(LeaseLost)));
}

#[tokio::test]
async fn the_oldest_visible_message_is_found() {
    let world = World::new();
    let (_, queues) = opened(&world);
    let first = world.now.get();
    queues.send(QueueName::Tasks, "1", Duration::ZERO).await.unwrap();
    world.now.set(first + Duration::from_secs(90));
    queues.send(QueueName::Tasks, "2", Duration::ZERO).await.unwrap();
    assert_eq!(queues.oldest(QueueName::Tasks).await, Ok(Some(first.into())));
    assert_eq!(queues.depth(QueueName::Tasks).await, Ok(2));
}

#[tokio::test]
async fn an_attachment_is_read_in_parts_and_only_of_the_wanted_version() {
    let world = World::new();
    let (store, _) = opened(&world);
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

#[tokio::test]
async fn a_stored_document_that_breaks_the_contract_is_told_from_a_missing_one() {
    let world = World::new();
    let (store, _) = opened(&world);
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

#[tokio::test]
async fn a_signed_address_opens_the_document_and_nothing_else_until_it_expires() {
    let world = World::new();
    let (store, _) = opened(&world);
    let (task, other) = (document(&world, 1), document(&world, 2));
    store.create(&task).await.unwrap();
    store.create(&other).await.unwrap();
    let link = store.signed_address(task.task_id, Duration::from_secs(600)).await.unwrap().unwrap();
    let address = store.address(task.task_id).await.unwrap();
    assert!(link.starts_with(&address) && !address.contains('?'));
    let open = |url: &str| {
        let request = Request::get(url).body(Bytes::new()).unwrap();
        world.fake.borrow_mut().handle(request, world.now.get()).status().as_u16()
    };
    assert_eq!(open(&link), 200);
    let stretched = link.replace(&task.task_id.to_string(), &other.task_id.to_string());
    assert_eq!(open(&stretched), 403);
    world.now.set(world.now.get() + Duration::from_secs(601));
    assert_eq!(open(&link), 403);
}

#[tokio::test]
async fn every_refusal_says_what_to_do_and_never_a_value() {
    let world = World::new();
    let (store, queues) = opened(&world);
    let failing = |status, code| world.instead.borrow_mut().extend([(status, code); 5]);
    failing(403, "AuthenticationFailed");
    let error = store.probe().await.unwrap_err();
    assert!(
        matches!(&error, StorageError::Misconfigured(s) if s.contains("403 AuthenticationFailed") && s.contains("storage_connection_string")),
        "{error}"
    );
    world.instead.borrow_mut().clear();
    failing(503, "ServerBusy");
    let error = queues.send(QueueName::Tasks, "{}", Duration::ZERO).await.unwrap_err();
    assert!(matches!(error, StorageError::Unavailable { .. }));
    failing(409, "QueueBeingDeleted");
    let error = queues.send(QueueName::Tasks, "{}", Duration::ZERO).await.unwrap_err();
    assert!(
        matches!(error, StorageError::Unavailable { retry_after: Some(wait), .. } if wait.as_secs() == 30)
    );
    world.instead.borrow_mut().clear();
    failing(400, "OutOfRangeInput");
    let error = store.list(Some("made up"), 1).await.unwrap_err();
    assert!(matches!(error, StorageError::Refused(_)));
}

#[test]
fn settings_that_name_no_account_are_an_error_that_names_the_variable() {
    let world = World::new();
    for (connection_string, named) in [
        ("", "storage_connection_string"),
        ("AccountName=hidden", "AccountKey"),
        ("AccountName=hidden;AccountKey=hidden!", "AccountKey"),
    ] {
        let error = open(world.clone(), &settings(connection_string)).map(drop).unwrap_err().to_string();
        assert!(error.contains(named) && !error.contains("hidden"), "{error}");
    }
}

#[tokio::test]
async fn an_account_reached_by_a_shared_access_signature_gives_no_signed_address_and_never_its_own() {
    let world = World::new();
    let connection_string = "BlobEndpoint=http://127.0.0.1:10000/devstoreaccount1;\
                             QueueEndpoint=http://127.0.0.1:10001/devstoreaccount1;\
                             SharedAccessSignature=sv=2023-11-03&sig=hidden";
    let (store, _) = open(world.clone(), &settings(connection_string)).unwrap();
    let id = document(&world, 1).task_id;
    assert_eq!(store.signed_address(id, Duration::from_secs(600)).await, Ok(None));
    assert!(!store.address(id).await.unwrap().contains("hidden"));
}
