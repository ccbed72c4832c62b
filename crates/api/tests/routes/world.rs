//! The API with everything around it, in virtual time.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use api::{Api, Asset, AssetSource};
use bytes::Bytes;
use futures::StreamExt as _;
use futures::future::LocalBoxFuture;
use futures::stream::LocalBoxStream;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use models::{Monitor, Problem, TaskId, TaskRequest, TaskState, TaskStatus, Timestamp};
use service::body::{Body, RequestBody};
use service::env::{Clock, Limits, Observer, Random, Transport, TransportError};
use service::log::{Line, Log};
use service::settings::ApiSettings;
use storage::ApiStorage;
use time::OffsetDateTime;

use crate::memory::Memory;

/// When every test begins.
pub(crate) const START: &str = "2026-11-20T10:00:00.000Z";
pub(crate) const ID: &str = "0a8f5d7e-3c1b-4b8e-9f6a-2d4c6e8f0a1b";

pub(crate) fn id() -> TaskId {
    ID.parse().unwrap()
}

pub(crate) struct TestEnv {
    begin: tokio::time::Instant,
    random: Cell<u64>,
    pub(crate) lines: RefCell<Vec<Line>>,
}

impl Transport for TestEnv {
    fn send<'a>(
        &'a self,
        _: Request<Bytes>,
        _: Limits,
        _: Observer<'a>,
    ) -> LocalBoxFuture<'a, Result<Response<Bytes>, TransportError>> {
        Box::pin(async move {
            panic!("the API reaches storage only through its seams");
        })
    }
}

impl Clock for TestEnv {
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

impl Random for TestEnv {
    fn next_u64(&self) -> u64 {
        self.random.set(self.random.get().wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
        self.random.get()
    }
}

impl Log for TestEnv {
    fn log(&self, line: &Line) {
        self.lines.borrow_mut().push(line.clone());
    }
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

pub(crate) struct World {
    pub(crate) api: Rc<Api>,
    pub(crate) env: Rc<TestEnv>,
    pub(crate) memory: Memory,
}

/// A whole answer.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn monitor(&self) -> Monitor {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The problem document, checked for what all of them have in common.
    pub(crate) fn problem(&self) -> Problem {
        assert_eq!(self.header("content-type"), "application/problem+json");
        let problem: Problem = serde_json::from_slice(&self.body).unwrap();
        assert_eq!(problem.status, self.status.as_u16());
        assert!(problem.instance.as_deref().is_some_and(|path| path.starts_with('/')));
        assert_eq!(problem.trace_id.as_deref().map(str::len), Some(32));
        problem
    }

    /// The last segment of the problem's type, with its status.
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
        let env = Rc::new(TestEnv {
            begin: tokio::time::Instant::now(),
            random: Cell::new(1),
            lines: RefCell::default(),
        });
        let memory = Memory::default();
        let lookup = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        let settings = ApiSettings::from_variables(&lookup).map(|settings| {
            let (store, queue) = (Rc::new(memory.clone()), Rc::new(memory.clone()));
            (settings, ApiStorage { store, queue })
        });
        let api = Api::with_storage(env.clone(), settings, Box::new(TestAssets));
        Self { api, env, memory }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.env.now().into()
    }

    pub(crate) async fn send<B: RequestBody + 'static>(&self, request: Request<B>) -> Reply {
        let (parts, body) = self.api.handle(request).await.into_parts();
        let body = match body {
            Body::Full(bytes) => bytes,
            Body::Stream(stream) => stream.concat_bytes().await,
        };
        assert_eq!(parts.headers["x-content-type-options"], "nosniff");
        assert!(parts.headers.contains_key("cache-control"));
        Reply { status: parts.status, headers: parts.headers, body }
    }

    /// Sends a request with these headers.
    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Reply {
        self.send(request(method, path, headers, body)).await
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.ask(Method::GET, path, &[], "").await
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> Reply {
        self.ask(Method::POST, path, &[], body).await
    }

    /// Opens a stream of events and takes it apart.
    pub(crate) async fn open(&self, path: &str, headers: &[(&str, &str)]) -> Events {
        let (parts, body) = self.api.handle(request(Method::GET, path, headers, "")).await.into_parts();
        assert_eq!(parts.status, StatusCode::OK, "{body:?}");
        assert_eq!(parts.headers["content-type"], "text/event-stream");
        match body {
            Body::Stream(stream) => Events(stream),
            Body::Full(bytes) => panic!("not a stream: {bytes:?}"),
        }
    }

    /// Stores a document that was accepted at the beginning and changed since.
    pub(crate) fn store(&self, change: impl FnOnce(&mut TaskStatus)) -> String {
        let request = TaskRequest::parse(b"{\"TaskName\":\"simulate\"}").unwrap();
        let mut document =
            TaskStatus::accepted(id(), request, "https://x".to_owned(), START.parse().unwrap());
        change(&mut document);
        self.memory.set(&document)
    }

    /// Stores a document in this state.
    pub(crate) fn store_as(&self, state: TaskState) -> String {
        self.store(|document| document.state = state)
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

trait ConcatBytes {
    async fn concat_bytes(self) -> Bytes;
}

impl ConcatBytes for LocalBoxStream<'static, Bytes> {
    async fn concat_bytes(mut self) -> Bytes {
        let mut whole = Vec::new();
        while let Some(piece) = self.next().await {
            assert!(piece.len() <= 1024 * 1024, "a piece must be bounded");
            whole.extend_from_slice(&piece);
        }
        whole.into()
    }
}
