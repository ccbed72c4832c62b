//! The cost of a sweep pass over a million documents, counted at the interfaces to storage.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use lifecycle::sweep::Mark;
use models::{TaskId, TaskRequest, TaskState, TaskStatus, Timestamp};
use service::body::Body;
use service::env::Env as _;
use service::settings::WorkerSettings;
use storage::{
    AttachmentPart, LeaseLost, ListedDocument, Page, QueueName, Read, ReceivedMessage, ResultStore,
    StatusStore, StorageFuture, StoredDocument, TaskQueue, TaskReceiver, WorkerStorage, Write,
};
use worker::Worker;

use crate::world::{TOKEN, drain_request, run};

const DOCUMENTS: u64 = 1_000_000;
/// The time of storage for a full page of a listing, and for any other request.
const LIST_TIME: Duration = Duration::from_millis(1_500);
const OTHER_TIME: Duration = Duration::from_millis(50);

/// A million documents that are generated when they are read, and the counts of requests.
struct Million {
    begin: Timestamp,
    /// Documents that were written or deleted since.
    written: RefCell<BTreeMap<TaskId, Option<TaskStatus>>>,
    state: RefCell<Option<(Bytes, u64)>>,
    lists: Cell<u32>,
    reads: RefCell<Vec<u64>>,
    sent: Cell<u32>,
}

#[derive(Clone)]
struct Storage(Rc<Million>);

fn id_of(number: u64) -> TaskId {
    let mut bytes = [7; 16];
    bytes[9..].copy_from_slice(&number.to_be_bytes()[1..]);
    TaskId::from_random_bytes(bytes)
}

fn number_of(id: TaskId) -> u64 {
    let text = id.to_string().replace('-', "");
    u64::from_str_radix(&text[18..], 16).unwrap()
}

impl Million {
    fn new(begin: Timestamp) -> Self {
        let (written, state) = (RefCell::default(), RefCell::default());
        let (lists, reads, sent) = (Cell::default(), RefCell::default(), Cell::default());
        Self { begin, written, state, lists, reads, sent }
    }

    /// Most tasks have ended. Of a thousand, two are delayed until next week and two run. A few have lost their message,
    /// and a few have expired.
    fn listed(&self, number: u64) -> (Timestamp, Mark) {
        let hours = |hours: u64| Duration::from_secs(hours * 3600);
        match number % 1_000 {
            0 | 1 => (self.begin.minus(hours(24)), Mark::Waits(Some(self.begin.plus(hours(100))))),
            2 | 3 => (self.begin, Mark::Runs),
            6 if is_lost(number) => (self.begin.minus(hours(1)), Mark::Waits(None)),
            _ => {
                let end = if is_expired(number) { self.begin } else { self.begin.plus(hours(480)) };
                (self.begin.minus(hours(240)), Mark::Ended(Some(end)))
            }
        }
    }

    fn document(&self, number: u64) -> TaskStatus {
        let request = TaskRequest::parse(b"{}").unwrap();
        let (written, mark) = self.listed(number);
        let document = TaskStatus::accepted(id_of(number), request, String::new(), written);
        match mark {
            Mark::Waits(not_before) => TaskStatus { not_before, ..document },
            Mark::Runs => TaskStatus { state: TaskState::InProgress, ..document },
            Mark::OwesEvent(_) => panic!("no task of this account has a receiver"),
            Mark::Ended(expires_at) => TaskStatus { state: TaskState::Completed, expires_at, ..document },
        }
    }
}

fn is_lost(number: u64) -> bool {
    number % 100_000 == 6
}

fn is_expired(number: u64) -> bool {
    number % 250_000 == 999
}

impl StatusStore for Storage {
    fn list<'a>(&'a self, from: Option<&'a str>, limit: u32) -> StorageFuture<'a, Page> {
        Box::pin(async move {
            tokio::time::sleep(LIST_TIME).await;
            self.0.lists.set(self.0.lists.get() + 1);
            let start: u64 = from.map_or(0, |from| from.parse().unwrap());
            let end = (start + u64::from(limit.min(5_000))).min(DOCUMENTS);
            let written = self.0.written.borrow();
            let listed = |number| {
                let id = id_of(number);
                match written.get(&id) {
                    Some(None) => None,
                    Some(Some(new)) => {
                        let at = new.updated_at.unwrap();
                        Some(ListedDocument { id, written: at, mark: Some(Mark::of(new)) })
                    }
                    None => {
                        let (written, mark) = self.0.listed(number);
                        Some(ListedDocument { id, written, mark: Some(mark) })
                    }
                }
            };
            let next = (end < DOCUMENTS).then(|| end.to_string());
            Ok(Page { tasks: (start..end).filter_map(listed).collect(), next })
        })
    }

    fn read<'a>(&'a self, id: TaskId, _: Option<&'a str>) -> StorageFuture<'a, Read> {
        Box::pin(async move {
            tokio::time::sleep(OTHER_TIME).await;
            let number = number_of(id);
            self.0.reads.borrow_mut().push(number);
            let document = self.0.document(number);
            Ok(Read::Found(Box::new(StoredDocument { document, etag: "\"1\"".to_owned() })))
        })
    }

    fn replace<'a>(&'a self, document: &'a TaskStatus, _: &'a str) -> StorageFuture<'a, Write> {
        Box::pin(async move {
            tokio::time::sleep(OTHER_TIME).await;
            self.0.written.borrow_mut().insert(document.task_id, Some(document.clone()));
            Ok(Write::Done("\"2\"".to_owned()))
        })
    }

    fn delete<'a>(&'a self, id: TaskId, _: &'a str) -> StorageFuture<'a, Write<()>> {
        Box::pin(async move {
            tokio::time::sleep(OTHER_TIME).await;
            self.0.written.borrow_mut().insert(id, None);
            Ok(Write::Done(()))
        })
    }

    fn read_attachment<'a>(
        &'a self,
        _: &'a str,
        _: Range<u64>,
        _: Option<&'a str>,
    ) -> StorageFuture<'a, Option<AttachmentPart>> {
        Box::pin(async move {
            tokio::time::sleep(OTHER_TIME).await;
            let state = self.0.state.borrow();
            Ok(state.as_ref().map(|(bytes, version)| AttachmentPart {
                bytes: bytes.clone(),
                total: bytes.len() as u64,
                etag: version.to_string(),
            }))
        })
    }

    fn create<'a>(&'a self, _: &'a TaskStatus) -> StorageFuture<'a, Write> {
        Box::pin(async move { panic!("the sweep makes no document") })
    }

    fn delete_attachment<'a>(&'a self, _: &'a str) -> StorageFuture<'a, ()> {
        Box::pin(async move { panic!("no document has a result") })
    }

    fn swap_attachment<'a>(
        &'a self,
        _: &'a str,
        _: &'a str,
        bytes: Bytes,
        etag: Option<&'a str>,
    ) -> StorageFuture<'a, Write> {
        Box::pin(async move {
            tokio::time::sleep(OTHER_TIME).await;
            let mut state = self.0.state.borrow_mut();
            let version = state.as_ref().map(|(_, version)| version.to_string());
            if version.as_deref() != etag {
                return Ok(Write::Conflict);
            }
            let next = state.as_ref().map_or(1, |(_, version)| version + 1);
            *state = Some((bytes, next));
            Ok(Write::Done(next.to_string()))
        })
    }

    fn delete_marker<'a>(&'a self, _: &'a str, _: &'a str) -> StorageFuture<'a, Write<()>> {
        Box::pin(async move { panic!("no document has a unique key") })
    }

    fn address(&self, _: TaskId) -> StorageFuture<'_, String> {
        Box::pin(async move { panic!("the sweep needs no address") })
    }
}

impl ResultStore for Storage {
    fn put_poisoned<'a>(&'a self, _: &'a str, _: Bytes) -> StorageFuture<'a, ()> {
        Box::pin(async move { panic!("the sweep gives no message up") })
    }

    fn put_attachment<'a>(&'a self, _: &'a str, _: &'a str, _: Bytes) -> StorageFuture<'a, ()> {
        Box::pin(async move { panic!("the sweep stores no result") })
    }

    fn put_attachment_part<'a>(&'a self, _: &'a str, _: u32, _: Bytes) -> StorageFuture<'a, ()> {
        Box::pin(async move { panic!("the sweep stores no result") })
    }

    fn complete_attachment<'a>(&'a self, _: &'a str, _: &'a str, _: u32) -> StorageFuture<'a, ()> {
        Box::pin(async move { panic!("the sweep stores no result") })
    }
}

impl TaskQueue for Storage {
    fn send<'a>(&'a self, _: QueueName, _: &'a str, _: Duration) -> StorageFuture<'a, ()> {
        Box::pin(async move {
            tokio::time::sleep(OTHER_TIME).await;
            self.0.sent.set(self.0.sent.get() + 1);
            Ok(())
        })
    }
}

impl TaskReceiver for Storage {
    fn receive(&self, _: QueueName, _: u32, _: Duration) -> StorageFuture<'_, Vec<ReceivedMessage>> {
        Box::pin(async move {
            tokio::time::sleep(OTHER_TIME).await;
            Ok(Vec::new())
        })
    }

    fn update<'a>(
        &'a self,
        _: &'a ReceivedMessage,
        _: Duration,
        _: Option<&'a str>,
    ) -> StorageFuture<'a, Result<String, LeaseLost>> {
        Box::pin(async move { panic!("nothing is received") })
    }

    fn delete<'a>(&'a self, _: &'a ReceivedMessage) -> StorageFuture<'a, Result<(), LeaseLost>> {
        Box::pin(async move { panic!("nothing is received") })
    }
}

/// Drains as a launcher does, until a report says that there is no more work.
async fn pass(worker: &Rc<Worker>) -> (u32, serde_json::Value) {
    let mut drains = 0;
    loop {
        drains += 1;
        let response = worker.handle(drain_request(Bytes::new())).await;
        let Body::Full(bytes) = response.into_body() else { panic!("responses are whole") };
        let counts: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        if counts["more"] != true {
            return (drains, counts);
        }
    }
}

#[test]
fn sweep_of_a_million_documents_takes_200_lists_and_few_reads() {
    run(|world| async move {
        let storage = Storage(Rc::new(Million::new(world.now())));
        let variables = |name: &str| (name == "drain_token").then(|| TOKEN.to_owned());
        let settings = WorkerSettings::from_variables(&variables).unwrap();
        let (store, queue) = (Rc::new(storage.clone()), Rc::new(storage.clone()));
        let worker = Worker::with_storage(world.env.clone(), Ok((settings, WorkerStorage { store, queue })));

        let started = world.now();
        let (drains, counts) = pass(&worker).await;
        let took = world.timestamp().since(started);
        let mut reads = storage.0.reads.take();
        reads.sort_unstable();
        let needed: Vec<u64> = (0..DOCUMENTS).filter(|n| is_lost(*n) || is_expired(*n)).collect();
        println!("{took:?}, {} lists, {} reads, {drains} drains", storage.0.lists.get(), reads.len());
        assert!(took < Duration::from_secs(20 * 60), "{took:?}");
        assert_eq!(storage.0.lists.get(), 200);
        assert_eq!(reads, needed, "what has lost its message and what has expired, each once");
        assert_eq!(storage.0.sent.get(), 10, "{counts}");

        // The next pass does not read the delayed tasks. No worker has received the messages that were sent again.
        storage.0.lists.set(0);
        tokio::time::sleep(Duration::from_secs(300)).await;
        pass(&worker).await;
        let mut reads = storage.0.reads.take();
        reads.sort_unstable();
        assert_eq!(storage.0.lists.get(), 200);
        assert_eq!(reads, (0..DOCUMENTS).filter(|n| is_lost(*n)).collect::<Vec<_>>());
    });
}
