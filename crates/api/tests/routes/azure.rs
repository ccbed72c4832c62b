//! The whole way to storage: the API with its own store and queues over an Azure in memory.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use api::{Api, Asset};
use bytes::Bytes;
use fake_azure::{Config, EMULATOR_ACCOUNT, EMULATOR_KEY, FakeAzure, Operation};
use futures::future::LocalBoxFuture;
use http::{Method, Request, Response, StatusCode, Uri};
use models::{Json, Monitor, MonitorState, ResultBlob, TaskMessage, TaskState, TaskStatus, Timestamp};
use service::body::Body;
use service::env::{Clock, Limits, Observer, Random, Transport, TransportError};
use service::log::{Line, Log};
use service::settings::ApiSettings;
use storage::{QueueName, Read, WorkerStorage};
use time::OffsetDateTime;

use crate::world::{ID, START, id, request};

pub(crate) struct Cloud {
    pub(crate) azure: RefCell<FakeAzure>,
    begin: tokio::time::Instant,
    random: Cell<u64>,
    /// Whether storage can be reached.
    is_down: Cell<bool>,
    /// Sees what storage has done for a request, and says whether its reply is lost.
    pub(crate) lose: RefCell<Lose>,
    /// Answers that come before storage's, by the host they are for.
    pub(crate) instead: RefCell<Vec<(&'static str, u16, String)>>,
    pub(crate) log: RefCell<String>,
}

type Lose = Box<dyn FnMut(&Method, &str, &mut FakeAzure) -> bool>;

impl Transport for Cloud {
    fn send<'a>(
        &'a self,
        request: Request<Bytes>,
        _: Limits,
        _: Observer<'a>,
    ) -> LocalBoxFuture<'a, Result<Response<Bytes>, TransportError>> {
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(5)).await;
            if self.is_down.get() {
                return Err(TransportError::Connect("refused".to_owned()));
            }
            let host = request.uri().host().unwrap_or_default();
            if let Some((_, status, body)) = self.instead.borrow().iter().find(|(of, ..)| *of == host) {
                return Ok(Response::builder().status(*status).body(body.clone().into()).unwrap());
            }
            let (method, path) = (request.method().clone(), request.uri().path().to_owned());
            let answer = self.azure.borrow_mut().handle(request, self.now());
            let is_lost = (self.lose.borrow_mut())(&method, &path, &mut self.azure.borrow_mut());
            if is_lost { Err(TransportError::Interrupted("reset".to_owned())) } else { Ok(answer) }
        })
    }
}

impl Clock for Cloud {
    fn now(&self) -> OffsetDateTime {
        START.parse::<Timestamp>().unwrap().plus(self.begin.elapsed()).to_date_time()
    }
    fn instant(&self) -> service::env::Instant {
        service::env::Instant::since_origin(self.begin.elapsed())
    }
    fn sleep(&self, duration: Duration) -> LocalBoxFuture<'_, ()> {
        Box::pin(async move {
            tokio::time::sleep(duration).await;
        })
    }
}

impl Random for Cloud {
    fn next_u64(&self) -> u64 {
        self.random.set(self.random.get().wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
        self.random.get()
    }
}

impl Log for Cloud {
    fn log(&self, line: &Line) {
        *self.log.borrow_mut() += &line.to_json(self.now().into());
    }
}

pub(crate) struct World {
    pub(crate) cloud: Rc<Cloud>,
    pub(crate) api: Rc<Api>,
    settings: ApiSettings,
}

struct NoPages;

impl api::AssetSource for NoPages {
    fn get(&self, _: &str) -> Option<Asset> {
        None
    }
}

impl World {
    pub(crate) fn new(connection_string: &str) -> Self {
        let cloud = Rc::new(Cloud {
            azure: RefCell::new(FakeAzure::new(Config::default()).unwrap()),
            begin: tokio::time::Instant::now(),
            random: Cell::new(1),
            is_down: Cell::new(false),
            lose: RefCell::new(Box::new(|_, _, _| false)),
            instead: RefCell::default(),
            log: RefCell::default(),
        });
        Self::over(cloud, &[("storage_connection_string", connection_string)])
    }

    /// Another API over the same cloud, with these variables.
    pub(crate) fn over(cloud: Rc<Cloud>, variables: &[(&str, &str)]) -> Self {
        let lookup = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        let settings = ApiSettings::from_variables(&lookup).unwrap();
        let api = Api::new(cloud.clone(), Ok(settings.clone()), Box::new(NoPages));
        Self { cloud, api, settings }
    }

    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Response<Bytes> {
        let (parts, body) = self.api.handle(request(method, path, headers, body)).await.into_parts();
        let body = match body {
            Body::Full(bytes) => bytes,
            Body::Stream(stream) => futures::StreamExt::collect::<Vec<_>>(stream).await.concat().into(),
        };
        Response::from_parts(parts, body)
    }

    async fn submit(&self, body: &str) -> (Response<Bytes>, Monitor) {
        let answer = self.ask(Method::POST, "/tasks", &[], body).await;
        assert_eq!(answer.status(), StatusCode::ACCEPTED, "{:?}", answer.body());
        let monitor = serde_json::from_slice(answer.body()).unwrap();
        (answer, monitor)
    }

    pub(crate) fn storage(&self) -> WorkerStorage {
        storage::open_for_worker(self.cloud.clone(), &self.settings.storage)
    }

    /// Changes a document as a worker does.
    pub(crate) async fn change(&self, change: impl FnOnce(&mut TaskStatus)) {
        let documents = self.storage().store;
        let Read::Found(mut stored) = documents.read(id(), None).await.unwrap() else { panic!("missing") };
        change(&mut stored.document);
        documents.replace(&stored.document, &stored.etag).await.unwrap();
    }

    /// A request by somebody who has nothing but an address.
    fn fetch(&self, address: &str) -> Response<Bytes> {
        let uri: Uri = address.parse().unwrap();
        let request = Request::get(uri).header("x-ms-version", "2023-11-03").body(Bytes::new()).unwrap();
        self.cloud.azure.borrow_mut().handle(request, self.cloud.now())
    }
}

pub(crate) const EMULATOR: &str = "UseDevelopmentStorage=true";

#[tokio::test(start_paused = true)]
async fn a_warm_submission_is_one_put_blob_and_one_put_message() {
    let world = World::new(EMULATOR);
    world.submit("{}").await;
    world.cloud.azure.borrow_mut().reset_requests();
    world.submit("{}").await;
    let requests: Vec<_> =
        world.cloud.azure.borrow().requests().iter().map(|(operation, count)| (*operation, *count)).collect();
    assert_eq!(requests, [(Operation::PutBlob, 1), (Operation::PutMessage, 1)]);
}

#[tokio::test(start_paused = true)]
async fn the_location_reads_the_one_blob_until_it_expires() {
    let world = World::new(EMULATOR);
    let (answer, monitor) = world.submit(r#"{"TaskName":"resize"}"#).await;
    let (_, other) = world.submit("{}").await;
    let location = answer.headers()["location"].to_str().unwrap();

    let found = world.fetch(location);
    assert_eq!(found.status(), StatusCode::OK);
    let document = TaskStatus::parse(found.body()).unwrap();
    assert_eq!((document.task_id, document.task_name.as_str()), (monitor.id, "resize"));
    assert_eq!(document.return_uri.as_deref(), location.split('?').next());
    assert_eq!(world.fetch(document.return_uri.as_deref().unwrap()).status(), StatusCode::UNAUTHORIZED);

    let elsewhere = location.replace(&monitor.id.to_string(), &other.id.to_string());
    assert_eq!(world.fetch(&elsewhere).status(), StatusCode::FORBIDDEN);
    tokio::time::sleep(Duration::from_secs(11 * 60)).await;
    assert_eq!(world.fetch(location).status(), StatusCode::FORBIDDEN);
}

#[tokio::test(start_paused = true)]
async fn any_text_survives_the_xml_of_the_queue_and_the_json_of_the_blob() {
    let world = World::new(EMULATOR);
    let WorkerStorage { store: documents, queue: queues } = world.storage();
    for name in ["task".to_owned(), "<&>\"'\u{1}\u{0}\u{fffe}\r\n 日本語 🦀".to_owned(), "ä".repeat(4096)]
    {
        let body = serde_json::json!({ "TaskName": name, "Input": [name] }).to_string();
        let (_, monitor) = world.submit(&body).await;
        let [delivery] =
            queues.receive(QueueName::Tasks, 1, Duration::from_secs(9)).await.unwrap().try_into().unwrap();
        let message = TaskMessage::parse(&delivery.text).unwrap();
        let Read::Found(stored) = documents.read(monitor.id, None).await.unwrap() else { panic!("missing") };
        assert_eq!(stored.document.task_name, name);
        assert_eq!((message.document, message.etag), (Some(stored.document), Some(stored.etag)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_can_be_followed_listed_cancelled_retried_and_deleted() {
    let world = World::new(EMULATOR);
    let (_, monitor) = world.submit(&format!(r#"{{"TaskId":"{ID}"}}"#)).await;
    assert_eq!(monitor.status, MonitorState::NotStarted);
    let task = format!("/tasks/{ID}");

    world.change(|document| document.state = TaskState::Failed).await;
    let answer = world.ask(Method::POST, &format!("{task}/retry"), &[], "").await;
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
    let messages = world.cloud.azure.borrow().messages(EMULATOR_ACCOUNT, "taskqueue").count();
    assert_eq!(messages, 2);

    let etag = answer.headers()["etag"].to_str().unwrap().to_owned();
    let answer = world.ask(Method::GET, &task, &[("if-none-match", &etag)], "").await;
    assert_eq!(answer.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(world.ask(Method::POST, &format!("{task}/cancel"), &[], "").await.status(), StatusCode::OK);
    let list = world.ask(Method::GET, "/tasks?status=Canceled", &[], "").await;
    let list: serde_json::Value = serde_json::from_slice(list.body()).unwrap();
    assert_eq!(list["value"][0]["id"], ID);

    assert_eq!(world.ask(Method::DELETE, &task, &[], "").await.status(), StatusCode::NO_CONTENT);
    assert_eq!(world.ask(Method::GET, &task, &[], "").await.status(), StatusCode::NOT_FOUND);
    assert_eq!(world.cloud.azure.borrow().blobs(EMULATOR_ACCOUNT, "tasks").count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_result_of_megabytes_comes_whole_and_in_ranges() {
    let world = World::new(EMULATOR);
    world.submit(&format!(r#"{{"TaskId":"{ID}"}}"#)).await;
    let bytes: Bytes = (0..3_000_000u32).map(|n| (n % 253) as u8).collect();
    let documents = world.storage().store;
    documents.put_attachment("r", "text/csv", bytes.clone()).await.unwrap();
    world
        .change(|document| {
            document.state = TaskState::Completed;
            document.result_blob = Some(ResultBlob {
                name: "r".to_owned(),
                content_type: "text/csv".to_owned(),
                size: bytes.len() as u64,
            });
        })
        .await;
    let path = format!("/tasks/{ID}/result");
    let answer = world.ask(Method::GET, &path, &[], "").await;
    assert_eq!((answer.status(), answer.body()), (StatusCode::OK, &bytes));
    let answer = world.ask(Method::GET, &path, &[("range", "bytes=-1500000")], "").await;
    assert_eq!((answer.status(), answer.body()), (StatusCode::PARTIAL_CONTENT, &bytes.slice(1_500_000..)));
}

#[tokio::test(start_paused = true)]
async fn pages_of_a_list_follow_the_marks_of_storage() {
    let world = World::new(EMULATOR);
    for _ in 0..230 {
        world.submit("{}").await;
    }
    let (mut count, mut next) = (0, Some("/tasks?top=100".to_owned()));
    while let Some(path) = next {
        let answer = world.ask(Method::GET, &path, &[], "").await;
        let list: serde_json::Value = serde_json::from_slice(answer.body()).unwrap();
        count += list["value"].as_array().unwrap().len();
        next = list["nextLink"].as_str().map(|link| link.replace("http://api.example", ""));
    }
    assert_eq!(count, 230);
}

#[tokio::test(start_paused = true)]
async fn storage_that_is_down_is_said_in_time_and_what_was_missed_is_healed() {
    let world = World::new(EMULATOR);
    world.cloud.is_down.set(true);
    let begin = world.cloud.begin.elapsed();
    let body = format!(r#"{{"TaskId":"{ID}"}}"#);
    for (method, path) in [(Method::POST, "/tasks"), (Method::GET, "/tasks"), (Method::GET, "/readyz")] {
        let answer = world.ask(method, path, &[], &body).await;
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(answer.headers().contains_key("retry-after"));
        let problem: serde_json::Value = serde_json::from_slice(answer.body()).unwrap();
        assert_eq!(problem["type"], "/problems/storage-unavailable");
    }
    assert!(world.cloud.begin.elapsed() - begin < Duration::from_secs(180));
    world.cloud.is_down.set(false);
    world.submit(&body).await;
}

#[tokio::test(start_paused = true)]
async fn credentials_that_are_missing_or_wrong_are_named_and_never_shown() {
    let wrong_key = EMULATOR_KEY.replace("Eby8", "Zby8");
    let wrong = format!(
        "AccountName={EMULATOR_ACCOUNT};AccountKey={wrong_key};BlobEndpoint=http://127.0.0.1:10000/{EMULATOR_ACCOUNT};\
         QueueEndpoint=http://127.0.0.1:10001/{EMULATOR_ACCOUNT};"
    );
    for (connection_string, named) in
        [("", "storage_connection_string"), (&wrong, "storage_connection_string")]
    {
        let world = World::new(connection_string);
        for (method, path) in [(Method::POST, "/tasks"), (Method::GET, "/tasks"), (Method::GET, "/readyz")] {
            let answer = world.ask(method, path, &[], "{}").await;
            assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
            let text = String::from_utf8(answer.into_body().to_vec()).unwrap();
            assert!(text.contains("/problems/misconfigured") && text.contains(named), "{text}");
            assert!(!text.contains(&wrong_key) && !text.contains("sig="));
        }
        let log = world.cloud.log.borrow();
        assert!(!log.contains(&wrong_key) && !log.contains("sig="), "{log}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_document_of_the_dotnet_side_is_shown_as_it_is() {
    let world = World::new(EMULATOR);
    let document = format!(
        r#"{{"TaskName":"n","TaskDescription":"d","Status":2,"TaskId":"{ID}","Priority":2,"returnUri":null}}"#
    );
    let documents = world.storage().store;
    documents.put_attachment(&id().status_blob_name(), "application/json", document.into()).await.unwrap();
    let answer = world.ask(Method::GET, &format!("/tasks/{ID}"), &[], "").await;
    let monitor: Monitor = serde_json::from_slice(answer.body()).unwrap();
    assert_eq!(
        (monitor.status, monitor.name.as_str(), monitor.priority.as_str()),
        (MonitorState::Succeeded, "n", "High")
    );
    assert_eq!(monitor.result.map(|json: Json| json.get().to_owned()), None);
}

#[tokio::test(start_paused = true)]
async fn a_document_that_is_too_large_for_a_message_only_once_it_is_escaped_is_accepted() {
    let world = World::new(EMULATOR);
    for (size, input) in [
        (27_000, "&"),
        (33_000, "<"),
        (62_000, "x"),
        (65_300, "x"),
        (21_700, "\u{ffff}"),
        (10_900, "\u{ffff}"),
    ] {
        let body = serde_json::json!({ "Input": input.repeat(size) }).to_string();
        let (_, monitor) = world.submit(&body).await;
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
async fn what_models_says_fits_is_what_the_client_sends_and_storage_takes() {
    let world = World::new(EMULATOR);
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
async fn a_blob_that_storage_refuses_for_good_is_left_out_of_the_list_and_counted() {
    for block in [fake_azure::Block::Archived, fake_azure::Block::Leased] {
        let world = World::new(EMULATOR);
        for _ in 0..4 {
            world.submit("{}").await;
        }
        world.submit(&format!(r#"{{"TaskId":"{ID}"}}"#)).await;
        let name = id().status_blob_name();
        world.cloud.azure.borrow_mut().block_blob(EMULATOR_ACCOUNT, "tasks", &name, Some(block));
        let answer = world.ask(Method::GET, "/tasks", &[], "").await;
        assert_eq!(answer.status(), StatusCode::OK, "{:?}", answer.body());
        let list: models::MonitorList = serde_json::from_slice(answer.body()).unwrap();
        let is_read = block == fake_azure::Block::Leased;
        assert_eq!((list.value.len(), list.unreadable), if is_read { (5, 0) } else { (4, 1) }, "{block:?}");
        assert!(is_read || world.cloud.log.borrow().contains("a document could not be listed"));

        let task = world.ask(Method::GET, &format!("/tasks/{ID}"), &[], "").await;
        assert_eq!(task.status(), if is_read { StatusCode::OK } else { StatusCode::BAD_GATEWAY });
        let cancel = world.ask(Method::POST, &format!("/tasks/{ID}/cancel"), &[], "").await;
        assert_eq!(cancel.status(), StatusCode::BAD_GATEWAY);
        let problem: serde_json::Value = serde_json::from_slice(cancel.body()).unwrap();
        assert_eq!(problem["type"], "/problems/document-blocked");
        assert!(problem["detail"].as_str().unwrap().contains("lease"), "{problem}");
    }
}
