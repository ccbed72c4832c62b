//! A worker and its surroundings: storage in memory, time that passes only while everybody waits, dice
//! with a fixed seed, and a switch for faults in front of storage.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use fake_azure::{BlobView, Config, EMULATOR_ACCOUNT, FakeAzure, MessageView};
use futures::future::LocalBoxFuture;
use http::{Method, Request, Response, StatusCode};
use models::{Json, Schedule, TaskId, TaskMessage, TaskPriority, TaskRequest, TaskStatus, Timestamp};
use serde_json::Value;
use service::body::{Body, BodyError, RequestBody};
use service::env::{Clock, Limits, Observer, Random, Transport, TransportError};
use service::log::{Line, Log};
use service::settings::WorkerSettings;
use storage::{QueueName, WorkerStorage};
use time::OffsetDateTime;
use tokio::time::Instant;
use worker::Worker;

/// The drain token of every world.
pub(crate) const TOKEN: &str = "sesame";

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is answered.
    None,
    /// It is answered so without any effect.
    Answer(u16),
    /// It takes effect, but the connection breaks before the answer.
    LoseReply,
    /// It is never answered and has no effect; the client runs into its time limit.
    Silence,
}

type Faults = Box<dyn FnMut(&str) -> Fault>;
type HandlerReply = Box<dyn FnMut(Value) -> (Duration, Response<Bytes>)>;

/// What the worker sees of the world, and what the tests do.
pub(crate) struct World {
    pub(crate) azure: RefCell<FakeAzure>,
    started: Instant,
    /// How far the worker's wall clock has been set ahead of true time, which is storage's.
    set_by: Cell<time::Duration>,
    dice: Cell<u64>,
    faults: RefCell<Faults>,
    handler: RefCell<HandlerReply>,
    /// What an [`Fault::Answer`] says in `Retry-After`.
    retry_after: Cell<Option<Duration>>,
    /// Every request to storage: method, path without the account, and its distinguishing query.
    pub(crate) requests: RefCell<Vec<String>>,
    pub(crate) log: RefCell<Vec<String>>,
}

/// A test in virtual time.
pub(crate) fn run<F: Future<Output = ()>>(test: impl FnOnce(Rc<World>) -> F) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, async { test(Rc::new(World::new())).await });
}

impl World {
    fn new() -> Self {
        Self {
            azure: RefCell::new(FakeAzure::new(Config::default()).unwrap()),
            started: Instant::now(),
            set_by: Cell::default(),
            dice: Cell::new(7),
            faults: RefCell::new(Box::new(|_| Fault::None)),
            handler: RefCell::new(Box::new(|_| {
                (Duration::ZERO, Response::builder().status(500).body(Bytes::new()).unwrap())
            })),
            retry_after: Cell::default(),
            requests: RefCell::default(),
            log: RefCell::default(),
        }
    }

    /// From now on refusals ask for so much time.
    pub(crate) fn delay_refusals(&self, time: Duration) {
        self.retry_after.set(Some(time));
    }

    /// From now on `faults` decides about every request to storage, by its line in [`Self::requests`].
    pub(crate) fn fail(&self, faults: impl FnMut(&str) -> Fault + 'static) {
        *self.faults.borrow_mut() = Box::new(faults);
    }

    /// From now on tasks called `routed` are answered by `reply`, after the time it says.
    pub(crate) fn answer_tasks(&self, reply: impl FnMut(Value) -> (Duration, Response<Bytes>) + 'static) {
        *self.handler.borrow_mut() = Box::new(reply);
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.wall_clock().into()
    }

    fn wall_clock(&self) -> OffsetDateTime {
        let start = OffsetDateTime::from_unix_timestamp(1_795_168_800).unwrap();
        start + self.started.elapsed()
    }

    /// Sets the worker's wall clock, so many seconds ahead of true time; storage's clock stays.
    pub(crate) fn set_clock(&self, seconds: i64) {
        self.set_by.set(time::Duration::seconds(seconds));
    }

    /// A worker with these variables beside the usual ones.
    pub(crate) fn worker(self: &Rc<Self>, variables: &[(&str, &str)]) -> TestWorker {
        let values: BTreeMap<String, String> = [
            ("storage_connection_string", "UseDevelopmentStorage=true"),
            ("drain_token", TOKEN),
            ("simulate_unit_ms", "1"),
            ("task_handlers", r#"{"routed":"http://handler.test/resize"}"#),
        ]
        .into_iter()
        .chain(variables.iter().copied())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
        let settings = WorkerSettings::from_variables(&|name| values.get(name).cloned());
        TestWorker { worker: Worker::new(self.clone(), settings) }
    }

    /// Stores a task and sends its message, as the API does.
    pub(crate) async fn submit(self: &Rc<Self>, name: &str, edit: impl FnOnce(&mut TaskStatus)) -> TaskId {
        let id = TaskId::from_random_bytes(self.dice(16).try_into().unwrap());
        let request = TaskRequest {
            task_id: Some(id),
            task_name: name.to_owned(),
            task_description: String::new(),
            priority: TaskPriority::High,
            input: Some(Json::parse("\"some text\"").unwrap()),
            schedule: Schedule::Now,
        };
        let WorkerStorage { store: documents, queue: queues } = self.storage();
        let uri = documents.address(id).await.unwrap();
        let mut document = TaskStatus::accepted(id, request, uri, self.now());
        edit(&mut document);
        let storage::Write::Done(etag) = documents.create(&document).await.unwrap() else {
            panic!("the id is fresh")
        };
        queues
            .send(QueueName::Tasks, &TaskMessage::text_for(&document, Some(&etag)), Duration::ZERO)
            .await
            .unwrap();
        self.requests.borrow_mut().clear();
        id
    }

    /// As [`Self::submit`], past all faults.
    pub(crate) async fn submit_unnoticed(self: &Rc<Self>) -> TaskId {
        let faults = self.faults.replace(Box::new(|_| Fault::None));
        let id = self.submit("checksum", |_| {}).await;
        *self.faults.borrow_mut() = faults;
        id
    }

    /// Puts any text into the task queue.
    pub(crate) async fn send(self: &Rc<Self>, text: &str) {
        self.storage().queue.send(QueueName::Tasks, text, Duration::ZERO).await.unwrap();
    }

    /// Puts a message as a program does that spells XML shorter than we do, in a CDATA section.
    pub(crate) fn put_plainly(&self, queue: &str, text: &str) {
        self.azure.borrow_mut().put_message(EMULATOR_ACCOUNT, queue, text, self.wall_clock());
    }

    /// Storage without faults and without being noticed.
    pub(crate) fn storage(self: &Rc<Self>) -> WorkerStorage {
        let variables = |name: &str| {
            (name == "storage_connection_string").then(|| "UseDevelopmentStorage=true".to_owned())
        };
        storage::open_for_worker(self.clone(), &WorkerSettings::from_variables(&variables).unwrap().storage)
            .unwrap()
    }

    /// The stored document.
    pub(crate) fn document(&self, id: TaskId) -> TaskStatus {
        let blob = self.blob(&id.status_blob_name()).expect("the document is stored");
        TaskStatus::parse(&blob.content).expect("it follows the contract")
    }

    pub(crate) fn blob(&self, name: &str) -> Option<BlobView> {
        self.azure.borrow().blob(EMULATOR_ACCOUNT, "tasks", name)
    }

    /// The names of the results that are stored for a task.
    pub(crate) fn results(&self, id: TaskId) -> Vec<String> {
        let prefix = format!("{id}-result-");
        let azure = self.azure.borrow();
        let names = azure.blobs(EMULATOR_ACCOUNT, "tasks").map(|blob| blob.name);
        names.filter(|name| name.starts_with(&prefix)).collect()
    }

    /// An original that was too large for its poison copy.
    pub(crate) fn poisoned(&self, name: &str) -> Option<BlobView> {
        self.azure.borrow().blob(EMULATOR_ACCOUNT, "tasks-poison", name)
    }

    /// Keeps a blob from being read, changed or deleted.
    pub(crate) fn block(&self, name: &str, block: Option<fake_azure::Block>) {
        self.azure.borrow_mut().block_blob(EMULATOR_ACCOUNT, "tasks", name, block);
    }

    /// Writes the document whatever its version, as another program would.
    pub(crate) fn overwrite(&self, name: &str, content: &[u8]) {
        let now = self.wall_clock();
        let content = Bytes::copy_from_slice(content);
        self.azure.borrow_mut().put_blob(EMULATOR_ACCOUNT, "tasks", name, content, "application/json", now);
    }

    /// Messages of `taskqueue` and what follows its name.
    pub(crate) fn messages(&self, suffix: &str) -> Vec<MessageView> {
        self.azure.borrow().messages(EMULATOR_ACCOUNT, &format!("taskqueue{suffix}")).collect()
    }

    /// The poison copies.
    pub(crate) fn poison(&self) -> Vec<models::PoisonCopy> {
        self.messages("-poison").iter().map(|m| serde_json::from_str(&m.text).unwrap()).collect()
    }

    /// Removes a blob, as another program would.
    pub(crate) fn remove(&self, name: &str) {
        self.azure.borrow_mut().remove_blob(EMULATOR_ACCOUNT, "tasks", name);
    }

    /// Ends the invisibility of every message too early, as differing clocks do.
    pub(crate) fn reveal(&self) {
        let now = self.wall_clock();
        self.azure.borrow_mut().reveal_messages(EMULATOR_ACCOUNT, "taskqueue", now);
    }

    /// Receives what is visible in the task queue, as another worker would.
    pub(crate) async fn receive(self: &Rc<Self>) -> Vec<storage::ReceivedMessage> {
        self.storage().queue.receive(QueueName::Tasks, 32, Duration::from_secs(60)).await.unwrap()
    }

    /// Empties the task queue, as an operator's mistake would.
    pub(crate) async fn drop_messages(self: &Rc<Self>) {
        loop {
            let batch = self.receive().await;
            if batch.is_empty() {
                break;
            }
            for delivery in batch {
                self.storage().queue.delete(QueueName::Tasks, &delivery).await.unwrap().unwrap();
            }
        }
        self.requests.borrow_mut().clear();
    }

    /// Whether any log line contains `text`.
    pub(crate) fn has_logged(&self, text: &str) -> bool {
        self.log.borrow().iter().any(|line| line.contains(text))
    }

    fn dice(&self, bytes: usize) -> Vec<u8> {
        (0..bytes).map(|_| self.next_u64().to_be_bytes()[0]).collect()
    }
}

/// A worker under test.
pub(crate) struct TestWorker {
    worker: Rc<Worker>,
}

impl TestWorker {
    /// Drains and answers the counts.
    pub(crate) async fn drain(&self) -> Value {
        let (status, body) = self.ask(drain_request(Bytes::new())).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        body
    }

    /// Drains under a control stream.
    pub(crate) async fn drain_under(&self, control: Lines) -> Value {
        let (mut parts, control) = drain_request(control).into_parts();
        parts.headers.insert("drain-control", "stream".parse().unwrap());
        let (status, body) = self.ask(Request::from_parts(parts, control)).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        body
    }

    /// Drains until nothing is left to do, and answers the sums. Bounded by a day of virtual time.
    pub(crate) async fn drain_until_quiet(&self, world: &World) -> BTreeMap<String, u64> {
        let mut sums = BTreeMap::new();
        for _ in 0..10_000 {
            let counts = self.drain().await;
            for (name, value) in counts.as_object().unwrap() {
                *sums.entry(name.clone()).or_default() += value.as_u64().unwrap_or(0);
            }
            if world.messages("").is_empty() && world.messages("-scheduled").is_empty() {
                return sums;
            }
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
        panic!("messages are left: {:?}", world.messages(""));
    }

    pub(crate) async fn ask<B: RequestBody + 'static>(&self, request: Request<B>) -> (StatusCode, Value) {
        let answer = self.worker.handle(request).await;
        let status = answer.status();
        let Body::Full(bytes) = answer.into_body() else { panic!("answers are whole") };
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    pub(crate) async fn answer(&self, request: Request<Bytes>) -> Response<Body> {
        self.worker.handle(request).await
    }
}

pub(crate) fn drain_request<B>(body: B) -> Request<B> {
    let authorization = format!("Bearer {TOKEN}");
    Request::post("http://worker/drain").header("authorization", authorization).body(body).unwrap()
}

/// A control stream: a line after each pause, then open for ever, or broken.
pub(crate) struct Lines {
    pub(crate) lines: Vec<(Duration, &'static str)>,
    pub(crate) breaks: bool,
}

impl RequestBody for Lines {
    async fn chunk(&mut self) -> Result<Option<Bytes>, BodyError> {
        if self.lines.is_empty() {
            if self.breaks {
                return Err(BodyError::Broken("gone".to_owned()));
            }
            std::future::pending::<()>().await;
        }
        let (pause, line) = self.lines.remove(0);
        tokio::time::sleep(pause).await;
        Ok(Some(Bytes::from(format!("{line}\n"))))
    }
}

impl Transport for World {
    fn send<'a>(
        &'a self,
        request: Request<Bytes>,
        limits: Limits,
        observe: Observer<'a>,
    ) -> LocalBoxFuture<'a, Result<Response<Bytes>, TransportError>> {
        Box::pin(async move {
            match request.uri().host() {
                Some("127.0.0.1") => self.send_to_storage(request, limits).await,
                _ => self.send_to_handler(request, limits, observe).await,
            }
        })
    }
}

impl World {
    async fn send_to_storage(
        &self,
        request: Request<Bytes>,
        limits: Limits,
    ) -> Result<Response<Bytes>, TransportError> {
        let line = summary(&request);
        self.requests.borrow_mut().push(line.clone());
        let fault = (self.faults.borrow_mut())(&line);
        tokio::time::sleep(Duration::from_millis(2)).await;
        let answered = match fault {
            Fault::None | Fault::LoseReply => Ok(self.azure.borrow_mut().handle(request, self.wall_clock())),
            Fault::Answer(status) => {
                let asked = self.retry_after.get().map(|time| time.as_secs().to_string());
                let answer = asked.into_iter().fold(Response::builder().status(status), |answer, seconds| {
                    answer.header("retry-after", seconds)
                });
                Ok(answer.body(Bytes::new()).unwrap())
            }
            Fault::Silence => {
                tokio::time::sleep(limits.total).await;
                Err(TransportError::Timeout)
            }
        };
        tokio::time::sleep(Duration::from_millis(2)).await;
        match fault {
            Fault::LoseReply => Err(TransportError::Interrupted("reset".to_owned())),
            _ => answered,
        }
    }

    /// Line by line, each after an equal part of the handler's time.
    async fn send_to_handler(
        &self,
        request: Request<Bytes>,
        limits: Limits,
        observe: Observer<'_>,
    ) -> Result<Response<Bytes>, TransportError> {
        let task = serde_json::from_slice(request.body()).unwrap();
        let (time, reply) = (self.handler.borrow_mut())(task);
        let (head, body) = reply.into_parts();
        let lines: Vec<_> = body.split_inclusive(|byte| *byte == b'\n').collect();
        let pause = time / u32::try_from(lines.len().max(1)).unwrap();
        let arriving = async {
            for line in &lines {
                tokio::time::sleep(pause).await;
                observe(&head, line);
            }
            tokio::time::sleep(if lines.is_empty() { time } else { Duration::ZERO }).await;
        };
        let arrived = tokio::time::timeout(limits.total, arriving).await;
        arrived.map(|()| Response::from_parts(head, body.clone())).map_err(|_| TransportError::Timeout)
    }
}

/// `PUT /tasks/…` and the like: who is asked for what, without ids of messages and receipts.
fn summary(request: &Request<Bytes>) -> String {
    let path = request.uri().path().trim_start_matches("/devstoreaccount1");
    let operation = match (request.method(), path.contains("/messages")) {
        (&Method::GET, true) => "GetMessages",
        (&Method::POST, true) => "PutMessage",
        (&Method::PUT, true) => "UpdateMessage",
        (&Method::DELETE, true) => "DeleteMessage",
        (&Method::PUT, false) => "Put",
        (&Method::GET, false) => "Get",
        (&Method::DELETE, false) => "Delete",
        _ => "Other",
    };
    let target = path.split("/messages").next().unwrap_or_default();
    format!("{operation} {target}")
}

impl Clock for World {
    fn now(&self) -> OffsetDateTime {
        self.wall_clock() + self.set_by.get()
    }

    fn instant(&self) -> service::env::Instant {
        service::env::Instant::since_origin(self.started.elapsed())
    }

    fn sleep(&self, duration: Duration) -> LocalBoxFuture<'_, ()> {
        Box::pin(async move {
            tokio::time::sleep(duration).await;
        })
    }
}

impl Random for World {
    fn next_u64(&self) -> u64 {
        // SplitMix64.
        let state = self.dice.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.dice.set(state);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

impl Log for World {
    fn log(&self, line: &Line) {
        self.log.borrow_mut().push(line.to_json(Clock::now(self).into()));
    }
}
