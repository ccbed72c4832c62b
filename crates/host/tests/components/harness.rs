//! The application with a cloud in process.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use fake_azure::{EMULATOR_ACCOUNT, FakeAzure, Operation};
use futures::stream::{self, StreamExt as _};
use host::{
    App, Blueprint, Captured, Clock, CompileCache, Limits, Options, Outbound, OutboundError, OutboundResult,
    Outgoing, Providers, ResponderBody as _, Runtime, VirtualClock,
};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, StreamBody};
use serde_json::Value;
use test_world::application::{self, START_UNIX};
use time::OffsetDateTime;

pub(crate) use test_world::application::{DRAIN_TOKEN, drain_request as drain, request};

pub(crate) const ACCOUNT: &str = EMULATOR_ACCOUNT;

/// The engine, one for all tests of this process.
pub(crate) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Runtime::new(&cache()).unwrap_or_else(|error| panic!("{error}")))
}

/// The compiled application, one for all tests of this process.
fn blueprint() -> &'static Blueprint {
    static BLUEPRINT: OnceLock<Blueprint> = OnceLock::new();
    BLUEPRINT.get_or_init(|| {
        Blueprint::load(runtime(), &manifest(), &[]).unwrap_or_else(|error| panic!("{error}"))
    })
}

pub(crate) fn cache() -> CompileCache {
    CompileCache::Folder(Path::new(env!("CARGO_TARGET_TMPDIR")).join("accepted-host"))
}

pub(crate) fn manifest() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spin.toml")
}

/// How the cloud treats requests to some authority.
#[derive(Debug, Clone, Copy)]
pub(crate) enum NetworkCondition {
    /// Responds after this time.
    Slow(Duration),
    /// Refuses the connection.
    Down,
    /// Responds 204 to everything.
    Confirms,
    /// Sends the body of each response a byte at a time, with this pause after each.
    Drips(Duration),
    /// Sends half of the body of each response, and then nothing more.
    Stalls,
    /// Sends half of the body of each response, and closes the connection.
    BreaksOff,
}

/// Storage, vault and identity endpoint, with everything that was asked of them.
#[derive(Clone)]
pub(crate) struct Cloud {
    pub(crate) fake: Arc<Mutex<FakeAzure>>,
    clock: Arc<VirtualClock>,
    sent: Arc<Mutex<Vec<Request<Bytes>>>>,
    conditions: Arc<Mutex<BTreeMap<String, NetworkCondition>>>,
}

impl Cloud {
    pub(crate) fn now(&self) -> OffsetDateTime {
        OffsetDateTime::UNIX_EPOCH + self.clock.unix_time()
    }

    /// From now on, requests to `authority` are treated so.
    pub(crate) fn set_condition(&self, authority: &str, condition: NetworkCondition) {
        self.conditions.lock().unwrap().insert(authority.to_owned(), condition);
    }

    /// From now on, requests to `authority` are treated as usual.
    pub(crate) fn end_condition(&self, authority: &str) {
        self.conditions.lock().unwrap().remove(authority);
    }

    /// Requests that the components sent, denied ones not among them.
    pub(crate) fn sent(&self) -> Vec<Request<Bytes>> {
        self.sent.lock().unwrap().clone()
    }

    /// Sends a request to the cloud without any credential but those in the URL.
    pub(crate) fn get(&self, url: &str) -> Response<Bytes> {
        let request = Request::get(url).body(Bytes::new()).unwrap();
        self.fake.lock().unwrap().handle(request, self.now())
    }

    /// Counts of requests by operation since the last [`Self::forget`].
    pub(crate) fn counts(&self) -> BTreeMap<Operation, u64> {
        self.fake.lock().unwrap().requests().clone()
    }

    pub(crate) fn forget(&self) {
        self.fake.lock().unwrap().reset_requests();
        self.sent.lock().unwrap().clear();
    }

    pub(crate) fn messages(&self, queue: &str) -> usize {
        self.fake.lock().unwrap().messages(ACCOUNT, queue).count()
    }

    async fn respond(self, outgoing: Outgoing) -> OutboundResult {
        let authority = outgoing.request.uri().authority().unwrap().to_string();
        self.sent.lock().unwrap().push(outgoing.request.clone());
        let condition = self.conditions.lock().unwrap().get(&authority).copied();
        match condition {
            Some(NetworkCondition::Slow(delay)) => tokio::time::sleep(delay).await,
            Some(NetworkCondition::Down) => return Err(OutboundError::ConnectionRefused),
            Some(NetworkCondition::Confirms) => {
                return Ok(Response::builder().status(204).body(Bytes::new().into_pieces()).unwrap());
            }
            _ => {}
        }
        let now = self.now();
        let response = self.fake.lock().unwrap().handle(outgoing.request, now);
        Ok(response.map(|body| sent_so(body, condition)))
    }
}

/// The body as a network in this condition delivers it.
fn sent_so(body: Bytes, condition: Option<NetworkCondition>) -> UnsyncBoxBody<Bytes, OutboundError> {
    let half = || stream::iter([Ok(Frame::data(body.slice(..body.len() / 2)))]);
    match condition {
        Some(NetworkCondition::Drips(pause)) => {
            let bytes = stream::iter(0..body.len()).then(move |at| {
                let byte = body.slice(at..=at);
                async move {
                    tokio::time::sleep(pause).await;
                    Ok(Frame::data(byte))
                }
            });
            StreamBody::new(bytes).boxed_unsync()
        }
        Some(NetworkCondition::Stalls) => StreamBody::new(half().chain(stream::pending())).boxed_unsync(),
        Some(NetworkCondition::BreaksOff) => {
            let end = stream::iter([Err(OutboundError::ConnectionTerminated)]);
            StreamBody::new(half().chain(end)).boxed_unsync()
        }
        _ => body.into_pieces(),
    }
}

/// A running application and its surroundings.
pub(crate) struct World {
    pub(crate) app: App,
    pub(crate) cloud: Cloud,
    pub(crate) log: Arc<Captured>,
}

/// What a test wants to be different.
pub(crate) struct Setup {
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) limits: Limits,
}

impl Setup {
    /// The emulator account by its connection string, a drain token, short work.
    pub(crate) fn with_account_key() -> Self {
        Self::with(application::shared_key_variables()).set("simulate_unit_ms", "10")
    }

    /// Managed identity instead of a key.
    pub(crate) fn keyless() -> Self {
        Self::with(application::keyless_variables()).set("simulate_unit_ms", "10")
    }

    pub(crate) fn without_storage() -> Self {
        Self::with(BTreeMap::new())
    }

    fn with(variables: BTreeMap<String, String>) -> Self {
        Self { variables, limits: Limits::default() }
    }

    pub(crate) fn set(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Everything in one instance per component.
    pub(crate) fn in_one_instance(mut self) -> Self {
        self.limits.max_instance_reuse_count = usize::MAX;
        self.limits.max_instance_concurrent_reuse_count = 1000;
        self
    }

    pub(crate) fn start(self) -> World {
        self.start_on(blueprint())
    }

    pub(crate) fn start_on(self, blueprint: &Blueprint) -> World {
        let clock = Arc::new(VirtualClock::starting_at(START_UNIX));
        let cloud = Cloud {
            fake: Arc::new(Mutex::new(application::services())),
            clock: Arc::clone(&clock),
            sent: Arc::default(),
            conditions: Arc::default(),
        };
        let log = Arc::new(Captured::default());
        let responder = cloud.clone();
        let options = Options {
            providers: Providers::only(self.variables),
            outbound: Outbound::in_process(move |outgoing: Outgoing| responder.clone().respond(outgoing)),
            clock,
            seed: Some(1),
            log: Arc::clone(&log) as Arc<dyn host::LogSink>,
            limits: self.limits,
            environment: BTreeMap::new(),
        };
        let app = blueprint.start(options).unwrap();
        World { app, cloud, log }
    }
}

impl World {
    pub(crate) async fn call(&self, request: Request<Bytes>) -> Response<Bytes> {
        self.app.call(request).await.unwrap_or_else(|failure| panic!("{failure}: {:?}", self.log.lines()))
    }

    pub(crate) async fn get(&self, path: &str) -> Response<Bytes> {
        self.call(request("GET", path, "")).await
    }

    /// Submits a task that must be accepted.
    pub(crate) async fn submit(&self, task: &Value) -> Response<Bytes> {
        let response = self.call(request("POST", "/tasks", task.to_string())).await;
        assert_eq!(response.status(), 202, "{:?}", response.body());
        response
    }

    /// One drain; its counts.
    pub(crate) async fn drain(&self) -> Value {
        let response = self.call(drain()).await;
        assert_eq!(response.status(), 200, "{:?}", response.body());
        json(&response)
    }

    /// Everything that was printed, as one text.
    pub(crate) fn printed(&self) -> String {
        self.log.lines().iter().map(|line| line.text.clone() + "\n").collect()
    }
}

pub(crate) fn json(response: &Response<Bytes>) -> Value {
    serde_json::from_slice(response.body()).unwrap_or_else(|error| panic!("{error}: {:?}", response.body()))
}

pub(crate) fn header<'a>(response: &'a Response<Bytes>, name: &str) -> &'a str {
    let value = response.headers().get(name).unwrap_or_else(|| panic!("no {name}: {:?}", response.headers()));
    value.to_str().unwrap()
}

/// The task id in a 202 response.
pub(crate) fn id_of(accepted: &Response<Bytes>) -> String {
    json(accepted)["id"].as_str().unwrap().to_owned()
}

/// Asserts a problem document of this status and gives it.
pub(crate) fn problem(response: &Response<Bytes>, status: u16) -> Value {
    assert_eq!(response.status().as_u16(), status, "{:?}", response.body());
    assert_eq!(header(response, "content-type"), "application/problem+json");
    let problem = json(response);
    assert_eq!(problem["status"], status);
    problem
}
