//! The routes of the worker, and the drain token.

use std::rc::Rc;

use http::header::{ALLOW, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use service::auth;
use service::body::RequestBody;
use service::env::Env;
use service::log::Line;
use service::problem::{HttpError, OPERATOR_RETRY_AFTER, ProblemKind};
use service::response::{self, Response};
use service::settings::{ConfigurationError, SettingsError, WorkerSettings};
use service::trace;
use storage::WorkerStorage;

use crate::engine::Engine;
use crate::handlers::{PROCESS_PATH, find_missing};
use crate::places::Places;
use crate::relay::Relay;
use crate::sharing::Sharing;
use crate::{control, drain};

/// The worker of one instance, shared by the requests in flight.
pub struct Worker {
    env: Rc<dyn Env>,
    engine: Result<Engine, ConfigurationError>,
    /// `None` if the variables are invalid. Needs no storage account.
    relay: Option<Relay>,
    sharing: Sharing,
}

impl Worker {
    /// Creates the worker for the storage account in the settings. If the settings cannot be used, every drain responds
    /// with a problem that names the variable.
    pub fn new(env: Rc<dyn Env>, settings: Result<WorkerSettings, SettingsError>) -> Rc<Self> {
        let relay = settings.as_ref().ok().map(Relay::new);
        let opened = settings.map_err(ConfigurationError::from).and_then(|settings| {
            let storage = storage::open(env.clone(), &settings.storage)?;
            Ok((settings, storage))
        });
        Self::with_relay(env, opened, relay)
    }

    /// Creates the worker for the given storage.
    pub fn with_storage(
        env: Rc<dyn Env>,
        opened: Result<(WorkerSettings, WorkerStorage), ConfigurationError>,
    ) -> Rc<Self> {
        let relay = opened.as_ref().ok().map(|(settings, _)| Relay::new(settings));
        Self::with_relay(env, opened, relay)
    }

    fn with_relay(
        env: Rc<dyn Env>,
        opened: Result<(WorkerSettings, WorkerStorage), ConfigurationError>,
        relay: Option<Relay>,
    ) -> Rc<Self> {
        let engine = opened.map(|(settings, storage)| Engine::new(Rc::clone(&env), settings, storage));
        Rc::new(Self { env, engine, relay, sharing: Sharing::default() })
    }

    /// Responds to one request. The routes are `POST /drain`, `POST /handlers/{id}` and `GET /healthz`.
    pub async fn handle<B: RequestBody + 'static>(self: &Rc<Self>, request: Request<B>) -> Response {
        let _in_flight = self.sharing.request();
        let (parts, body) = request.into_parts();
        let outcome = match (parts.uri.path(), &parts.method) {
            ("/healthz", &Method::GET | &Method::HEAD) => Ok(alive()),
            ("/healthz", _) => Err(not_allowed("GET, HEAD")),
            ("/drain", &Method::POST) => self.drain(&parts.headers, body).await,
            ("/drain", _) => Err(not_allowed("POST")),
            (path, method) if path.starts_with(PROCESS_PATH) => {
                self.handler(path, method, &parts.headers, body).await
            }
            _ => Err(HttpError::new(
                ProblemKind::NotFound,
                "There is nothing here. The worker has POST /drain.",
            )),
        };
        let response = outcome.unwrap_or_else(|error| {
            let (path, trace_id) = (parts.uri.path(), trace::id(&parts.headers, self.env.random_bytes()));
            if let Some(line) = error.log_line(&parts.method, path, &trace_id) {
                self.env.log(&line);
            }
            error.into_response(path, &trace_id)
        });
        response::finish(response, &parts.method)
    }

    /// Passes a task on to a handler of this host process.
    async fn handler<B: RequestBody>(
        &self,
        path: &str,
        method: &Method,
        headers: &HeaderMap,
        body: B,
    ) -> Result<Response, HttpError> {
        let Some(relay) = &self.relay else {
            self.engine.as_ref()?;
            return Err(HttpError::new(ProblemKind::NotFound, "There is no handler here."));
        };
        authorize(relay.token.expose(), headers)?;
        if method != Method::POST {
            return Err(not_allowed("POST"));
        }
        relay.pass_on(&self.env, path.strip_prefix(PROCESS_PATH).unwrap_or_default(), headers, body).await
    }

    async fn drain<B: RequestBody + 'static>(
        &self,
        headers: &HeaderMap,
        body: B,
    ) -> Result<Response, HttpError> {
        let engine = self.engine.as_ref()?;
        authorize(engine.settings.drain_token.expose(), headers)?;
        if let Some(id) = find_missing(engine).await {
            let detail = format!(
                "configuration: task_handlers names the component {id}, which the application does not have or \
                 handler_hosts does not allow."
            );
            let cause = detail.clone();
            return Err(HttpError::new(ProblemKind::Misconfigured, detail)
                .retry_after(OPERATOR_RETRY_AFTER)
                .caused_by(cause));
        }
        let is_stream = headers.get("drain-control").is_some_and(|value| value.as_bytes() == b"stream");
        match drain::drain(engine, &Places::of(headers), control::orders(is_stream.then_some(body))).await {
            Ok(mut report) => {
                report.handlers_share_instances = self.handlers_share_instances(engine);
                Ok(response::json(StatusCode::OK, &report))
            }
            // Nothing could be received, for a reason that only an operator can remove.
            Err(error) => Err(HttpError::new(ProblemKind::Misconfigured, error.to_string())
                .retry_after(OPERATOR_RETRY_AFTER)
                .caused_by(error.to_string())),
        }
    }

    /// Returns whether handlers of this process were seen to share instances, and logs that once.
    fn handlers_share_instances(&self, engine: &Engine) -> bool {
        let settings = &engine.settings;
        let is_chained = settings.handler_process.is_empty() && !settings.handlers.components().is_empty();
        if is_chained && self.sharing.is_news() {
            self.env.log(
                &Line::warn("tasks of a handler share an instance, and a trap of one ends the others")
                    .with("advice", "docs/handlers.md, section Isolation: options of the host (Spin or crates/host) and of the launcher"),
            );
        }
        is_chained && self.sharing.was_seen()
    }
}

/// Checks the drain token of the request.
fn authorize(token: &str, headers: &HeaderMap) -> Result<(), HttpError> {
    if token.is_empty() {
        let detail = "The drain route is closed: set the variable drain_token of the worker, and give the \
                      launcher the same token.";
        return Err(HttpError::new(ProblemKind::DrainClosed, detail));
    }
    if auth::bearer(headers).is_some_and(|presented| auth::is_same(presented, token.as_bytes())) {
        return Ok(());
    }
    let detail = "Send the worker's drain token: Authorization: Bearer {drain_token}.";
    Err(HttpError::new(ProblemKind::Unauthorized, detail).header(WWW_AUTHENTICATE, "Bearer"))
}

fn alive() -> Response {
    let mut response = response::full(StatusCode::OK, "ok\n".into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

fn not_allowed(methods: &str) -> HttpError {
    HttpError::new(ProblemKind::MethodNotAllowed, format!("Allowed here: {methods}.")).header(ALLOW, methods)
}
