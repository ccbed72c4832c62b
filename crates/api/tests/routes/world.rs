//! The API in a [`TestWorld`], and the requests that tests send to it.

use std::ops::Deref;
use std::rc::Rc;
use std::time::Duration;

use api::{Api, Asset, AssetSource};
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::LocalBoxStream;
use http::{HeaderMap, Method, Request, StatusCode};
use models::{Monitor, Problem, TaskId, TaskRequest, TaskState, TaskStatus};
use service::body::{Body, RequestBody};
use service::settings::ApiSettings;
use storage::QueueName;
use test_world::TestWorld;

pub(crate) use test_world::START;

pub(crate) const ID: &str = "0a8f5d7e-3c1b-4b8e-9f6a-2d4c6e8f0a1b";

pub(crate) fn id() -> TaskId {
    ID.parse().unwrap()
}

struct TestAssets;

impl AssetSource for TestAssets {
    fn get(&self, path: &str) -> Option<Asset> {
        let content_type = match path {
            "index.html" | "swagger/index.html" => "text/html; charset=utf-8",
            "openapi.json" => "application/json",
            "js/app.js" => "text/javascript",
            _ => return None,
        };
        let etag = format!("\"{}\"", path.len());
        let text = if path == "openapi.json" { r#"{"servers":[{"url":"."}]}"# } else { path };
        Some(Asset { bytes: Bytes::copy_from_slice(text.as_bytes()), content_type, etag })
    }
}

/// The API and its surroundings.
pub(crate) struct World {
    pub(crate) api: Rc<Api>,
    pub(crate) env: Rc<TestWorld>,
}

impl Deref for World {
    type Target = Rc<TestWorld>;

    fn deref(&self) -> &Rc<TestWorld> {
        &self.env
    }
}

/// A message as it was sent.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) queue: QueueName,
    pub(crate) text: String,
    pub(crate) delay: Duration,
}

/// A whole response.
#[derive(Debug)]
pub(crate) struct TestResponse {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl TestResponse {
    /// A header's value; empty when it is missing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn monitor(&self) -> Monitor {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The problem document, checked for the properties that every one has.
    pub(crate) fn problem(&self) -> Problem {
        assert_eq!(self.header("content-type"), "application/problem+json");
        let problem: Problem = serde_json::from_slice(&self.body).unwrap();
        assert_eq!(problem.status, self.status.as_u16());
        assert!(problem.instance.as_deref().is_some_and(|path| path.starts_with('/')));
        assert_eq!(problem.trace_id.as_deref().map(str::len), Some(32));
        problem
    }

    /// The status and the last segment of the problem's type.
    pub(crate) fn kind(&self) -> (u16, String) {
        let problem = self.problem();
        (problem.status, problem.kind.trim_start_matches("/problems/").to_owned())
    }
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(&[])
    }

    /// A world with these variables set.
    pub(crate) fn with(variables: &[(&str, &str)]) -> Self {
        Self::around(TestWorld::new(), variables)
    }

    /// An API with these variables in existing surroundings.
    pub(crate) fn around(env: Rc<TestWorld>, variables: &[(&str, &str)]) -> Self {
        let settings = ApiSettings::from_variables(&test_world::variables(variables));
        Self { api: Api::new(env.clone(), settings, Box::new(TestAssets)), env }
    }

    pub(crate) async fn send<B: RequestBody + 'static>(&self, request: Request<B>) -> TestResponse {
        let (parts, body) = self.api.handle(request).await.into_parts();
        let body = match body {
            Body::Full(bytes) => bytes,
            Body::Stream(stream) => whole(stream).await,
        };
        assert_eq!(parts.headers["x-content-type-options"], "nosniff");
        assert!(parts.headers.contains_key("cache-control"));
        TestResponse { status: parts.status, headers: parts.headers, body }
    }

    /// Sends a request with these headers.
    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> TestResponse {
        self.send(request(method, path, headers, body)).await
    }

    pub(crate) async fn get(&self, path: &str) -> TestResponse {
        self.ask(Method::GET, path, &[], "").await
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> TestResponse {
        self.ask(Method::POST, path, &[], body).await
    }

    /// Submits a task that must be accepted.
    pub(crate) async fn submit(&self, body: &str) -> TestResponse {
        let response = self.post("/tasks", body).await;
        assert_eq!(response.status, StatusCode::ACCEPTED, "{response:?}");
        response
    }

    /// Opens a stream of events.
    pub(crate) async fn open(&self, path: &str, headers: &[(&str, &str)]) -> Events {
        let (parts, body) = self.api.handle(request(Method::GET, path, headers, "")).await.into_parts();
        assert_eq!(parts.status, StatusCode::OK, "{body:?}");
        assert_eq!(parts.headers["content-type"], "text/event-stream");
        match body {
            Body::Stream(stream) => Events(stream),
            Body::Full(bytes) => panic!("not a stream: {bytes:?}"),
        }
    }

    /// Stores a document that was accepted at [`START`] and then changed; its ETag.
    pub(crate) fn store(&self, change: impl FnOnce(&mut TaskStatus)) -> String {
        let request = TaskRequest::parse(b"{\"TaskName\":\"simulate\"}").unwrap();
        let mut document =
            TaskStatus::accepted(id(), request, "https://x".to_owned(), START.parse().unwrap());
        change(&mut document);
        self.put_document(&document)
    }

    /// Stores a document in this state; its ETag.
    pub(crate) fn store_as(&self, state: TaskState) -> String {
        self.store(|document| document.state = state)
    }

    /// The messages in the task queue, then those in the scheduled queue, each in the order they were sent.
    pub(crate) fn sent(&self) -> Vec<Sent> {
        [(QueueName::Tasks, ""), (QueueName::Scheduled, "-scheduled")]
            .into_iter()
            .flat_map(|(queue, suffix)| self.messages(suffix).into_iter().map(move |found| (queue, found)))
            .map(|(queue, found)| {
                let delay = (found.visible_at - found.inserted_at).try_into().unwrap();
                Sent { queue, text: found.text, delay }
            })
            .collect()
    }

    /// Fills the task queue with so many messages and no others.
    pub(crate) fn set_queue_length(&self, messages: u32) {
        self.remove_queue();
        for number in 0..messages {
            self.put_message("", &number.to_string());
        }
    }
}

pub(crate) fn request(method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Request<Bytes> {
    let mut request = Request::builder().method(method).uri(path).header("host", "api.example");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Bytes::copy_from_slice(body.as_bytes())).unwrap()
}

/// An open stream of events.
pub(crate) struct Events(LocalBoxStream<'static, Bytes>);

impl Events {
    /// The next piece; `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<String> {
        self.0.next().await.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
    }

    /// The next event's id and task, heartbeats left out.
    pub(crate) async fn status(&mut self) -> Option<(String, Monitor)> {
        loop {
            let text = self.next().await?;
            let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name).map(str::to_owned));
            if field("event: ").as_deref() == Some("status") {
                let monitor = serde_json::from_str(&field("data: ").unwrap()).unwrap();
                return Some((field("id: ").unwrap(), monitor));
            }
        }
    }
}

async fn whole(mut stream: LocalBoxStream<'static, Bytes>) -> Bytes {
    let mut whole = Vec::new();
    while let Some(piece) = stream.next().await {
        assert!(piece.len() <= 1024 * 1024, "a piece must be bounded");
        whole.extend_from_slice(&piece);
    }
    whole.into()
}
