//! The worker in a [`TestWorld`]: tasks to run, the handler they are routed to, and control streams.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ops::Deref;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use fake_azure::{BlobView, EMULATOR_ACCOUNT};
use http::{Request, Response, StatusCode};
use models::{Json, Start, TaskId, TaskMessage, TaskPriority, TaskRequest, TaskStatus};
use serde_json::Value;
use service::body::{Body, BodyError, RequestBody};
use service::settings::WorkerSettings;
use storage::{QueueName, WorkerStorage};
use test_world::TestWorld;
use worker::Worker;

/// The drain token of every world.
pub(crate) const TOKEN: &str = "sesame";

/// The worker's surroundings.
pub(crate) struct World {
    pub(crate) env: Rc<TestWorld>,
    /// The number of tasks so far, which is the id of the last one.
    submitted: Cell<u128>,
}

impl Deref for World {
    type Target = Rc<TestWorld>;

    fn deref(&self) -> &Rc<TestWorld> {
        &self.env
    }
}

/// Runs a test in virtual time.
pub(crate) fn run<F: Future<Output = ()>>(test: impl FnOnce(Rc<World>) -> F) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, async { test(Rc::new(World::new())).await });
}

impl World {
    fn new() -> Self {
        let env = TestWorld::new();
        env.set_latency(Duration::from_millis(4));
        let world = Self { env, submitted: Cell::new(0) };
        world.respond_to_tasks(|_| {
            (Duration::ZERO, Response::builder().status(500).body(Bytes::new()).unwrap())
        });
        world
    }

    /// From now on tasks called `routed` get the response of `handler`, after the time beside it.
    pub(crate) fn respond_to_tasks(
        &self,
        mut handler: impl FnMut(Value) -> (Duration, Response<Bytes>) + 'static,
    ) {
        self.serve_other_hosts(move |request| {
            let is_storage = request.uri().host() == Some("127.0.0.1");
            (!is_storage).then(|| handler(serde_json::from_slice(request.body()).unwrap()))
        });
    }

    /// A worker with these variables beside the usual ones.
    pub(crate) fn worker(&self, variables: &[(&str, &str)]) -> TestWorker {
        let usual = [
            ("drain_token", TOKEN),
            ("simulate_unit_ms", "1"),
            ("task_handlers", r#"{"routed":"http://handler.test/resize"}"#),
        ];
        let is_given = |name: &str| variables.iter().any(|(given, _)| *given == name);
        let all: Vec<_> =
            usual.into_iter().filter(|(name, _)| !is_given(name)).chain(variables.iter().copied()).collect();
        let settings = WorkerSettings::from_variables(&test_world::variables(&all));
        TestWorker { worker: Worker::new(self.env.clone(), settings) }
    }

    /// Stores a task and sends its message, as the API does.
    pub(crate) async fn submit(&self, name: &str, edit: impl FnOnce(&mut TaskStatus)) -> TaskId {
        self.submitted.set(self.submitted.get() + 1);
        let id = TaskId::from_random_bytes(self.submitted.get().to_be_bytes());
        let request = TaskRequest {
            task_id: Some(id),
            task_name: name.to_owned(),
            task_description: String::new(),
            priority: TaskPriority::High,
            input: Some(Json::parse("\"some text\"").unwrap()),
            start: Start::Now,
            start_by: None,
            timeout_seconds: None,
            max_attempts: None,
            callback_uri: None,
            unique: None,
        };
        let WorkerStorage { store: documents, queue: queues } = self.storage();
        let uri = documents.address(id).await.unwrap();
        let mut document = TaskStatus::accepted(id, request, uri, self.now());
        edit(&mut document);
        let storage::Write::Done(etag) = documents.create(&document).await.unwrap() else {
            panic!("the id is new")
        };
        queues
            .send(QueueName::Tasks, &TaskMessage::text_for(&document, Some(&etag)), Duration::ZERO)
            .await
            .unwrap();
        self.forget_requests();
        id
    }

    /// As [`Self::submit`], while storage has faults for others.
    pub(crate) async fn submit_without_faults(&self) -> TaskId {
        self.without_faults(self.submit("checksum", |_| {})).await
    }

    /// Puts any text into the task queue.
    pub(crate) async fn send(&self, text: &str) {
        self.storage().queue.send(QueueName::Tasks, text, Duration::ZERO).await.unwrap();
    }

    /// The stored document.
    pub(crate) fn document(&self, id: TaskId) -> TaskStatus {
        self.env.document(id).expect("a stored document")
    }

    /// The names of the results that are stored for a task.
    pub(crate) fn results(&self, id: TaskId) -> Vec<String> {
        let prefix = format!("{id}-result-");
        self.blob_names().into_iter().filter(|name| name.starts_with(&prefix)).collect()
    }

    /// An original that was too large for its poison copy.
    pub(crate) fn poisoned(&self, name: &str) -> Option<BlobView> {
        self.azure.borrow().blob(EMULATOR_ACCOUNT, "tasks-poison", name)
    }

    /// The poison copies.
    pub(crate) fn poison(&self) -> Vec<models::PoisonCopy> {
        self.messages("-poison").iter().map(|m| serde_json::from_str(&m.text).unwrap()).collect()
    }

    /// Receives the visible messages of the task queue, as another worker would.
    pub(crate) async fn receive(&self) -> Vec<storage::ReceivedMessage> {
        self.storage().queue.receive(QueueName::Tasks, 32, Duration::from_secs(60)).await.unwrap()
    }

    /// Empties the task queue, as an operator might by mistake.
    pub(crate) async fn drop_messages(&self) {
        loop {
            let batch = self.receive().await;
            if batch.is_empty() {
                break;
            }
            for delivery in batch {
                self.storage().queue.delete(&delivery).await.unwrap().unwrap();
            }
        }
        self.forget_requests();
    }

    /// Whether any log line contains `text`.
    pub(crate) fn has_logged(&self, text: &str) -> bool {
        self.logged().contains(text)
    }
}

/// A worker under test.
pub(crate) struct TestWorker {
    worker: Rc<Worker>,
}

impl TestWorker {
    /// Drains; the counts.
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

    /// Drains until no message is left; the sums of the counts. Bounded by a day of virtual time.
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

    /// Drains until neither an event nor a task is left. Bounded by hours of virtual time.
    pub(crate) async fn drain_until_delivered(&self, world: &World) {
        for _ in 0..2_000 {
            self.drain().await;
            if world.messages("-events").is_empty() && world.messages("").is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
        panic!("events are left: {:?}", world.messages("-events"));
    }

    pub(crate) async fn ask<B: RequestBody + 'static>(&self, request: Request<B>) -> (StatusCode, Value) {
        let response = self.worker.handle(request).await;
        let status = response.status();
        let Body::Full(bytes) = response.into_body() else { panic!("a whole response") };
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    pub(crate) async fn respond(&self, request: Request<Bytes>) -> Response<Body> {
        self.worker.handle(request).await
    }
}

pub(crate) fn drain_request<B>(body: B) -> Request<B> {
    let authorization = format!("Bearer {TOKEN}");
    Request::post("http://worker/drain").header("authorization", authorization).body(body).unwrap()
}

/// A control stream: a line after each pause; then it stays open, or breaks.
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
