//! The worker's routes, the drain token, and responses.

use std::rc::Rc;

use http::header::{ALLOW, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use service::body::{Body, RequestBody};
use service::env::Env;
use service::log::Line;
use service::settings::{SettingsError, WorkerSettings};
use storage::WorkerStorage;

use crate::access::Access;
use crate::engine::Engine;
use crate::{access, answer, control, drain};

/// The worker of one instance, shared by the requests in flight.
pub struct Worker {
    env: Rc<dyn Env>,
    engine: Result<Engine, SettingsError>,
}

impl Worker {
    /// The worker over the storage account that the settings name. Settings that cannot be used are
    /// answered to every drain, with the name of the variable.
    pub fn new(env: Rc<dyn Env>, settings: Result<WorkerSettings, SettingsError>) -> Rc<Self> {
        let opened = settings.map(|settings| {
            let storage = storage::open_for_worker(env.clone(), &settings.storage);
            (settings, storage)
        });
        Self::with_storage(env, opened)
    }

    /// The worker over the given storage.
    pub fn with_storage(
        env: Rc<dyn Env>,
        opened: Result<(WorkerSettings, WorkerStorage), SettingsError>,
    ) -> Rc<Self> {
        let engine = opened.map(|(settings, storage)| Engine::new(Rc::clone(&env), settings, storage));
        Rc::new(Self { env, engine })
    }

    /// Answers one request, whatever it is: `POST /drain` and `GET /healthz`.
    pub async fn handle<B: RequestBody + 'static>(self: &Rc<Self>, request: Request<B>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        match (parts.uri.path(), &parts.method) {
            ("/healthz", &Method::GET | &Method::HEAD) => answer::alive(),
            ("/healthz", _) => not_allowed("GET, HEAD"),
            ("/drain", &Method::POST) => self.drain(&parts.headers, body).await,
            ("/drain", _) => not_allowed("POST"),
            _ => answer::problem(StatusCode::NOT_FOUND, "There is nothing here. The worker has POST /drain."),
        }
    }

    async fn drain<B: RequestBody + 'static>(&self, headers: &http::HeaderMap, body: B) -> Response<Body> {
        let engine = match &self.engine {
            Ok(engine) => engine,
            Err(error) => {
                self.env.log(
                    &Line::error("the configuration cannot be used")
                        .with("variable", error.name)
                        .with("accepted", error.accepted)
                        .with("why", error.why.as_str()),
                );
                return answer::problem(StatusCode::SERVICE_UNAVAILABLE, &format!("{error}."));
            }
        };
        match access::check(&engine.settings.drain_token, headers) {
            Access::Granted => {}
            Access::Closed => {
                return answer::problem(
                    StatusCode::FORBIDDEN,
                    "The drain route is closed: set the variable drain_token of the worker, and give the \
                     launcher the same token.",
                );
            }
            Access::Refused => {
                let mut refusal = answer::problem(
                    StatusCode::UNAUTHORIZED,
                    "Send the worker's drain token: Authorization: Bearer {drain_token}.",
                );
                refusal.headers_mut().insert("www-authenticate", HeaderValue::from_static("Bearer"));
                return refusal;
            }
        }
        let streams = headers.get("drain-control").is_some_and(|value| value.as_bytes() == b"stream");
        match drain::drain(engine, control::orders(streams.then_some(body))).await {
            Ok(counts) => answer::counts(&counts),
            Err(error) => answer::storage_problem(&error),
        }
    }
}

fn not_allowed(methods: &'static str) -> Response<Body> {
    let mut refusal = answer::problem(StatusCode::METHOD_NOT_ALLOWED, &format!("Allowed here: {methods}."));
    refusal.headers_mut().insert(ALLOW, HeaderValue::from_static(methods));
    refusal
}
