//! The way of a request: size limits, route, caller, then the file of the operation. Every error is a problem of
//! [`service::problem`]; no request ends without a response.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::{Either, select};
use http::header::ALLOW;
use http::{Method, Request, StatusCode};
use service::body::{Body, BodyError, RequestBody};
use service::env::Env;
use service::log::Line;
use service::problem::{Kind, Refusal};
use service::response::{self, Response};
use service::settings::{ApiAuth, ApiSettings, SettingsError};
use storage::ApiStorage;

use crate::http::call::Call;
use crate::http::headers::{self, Charset};
use crate::http::route::Resource;
use crate::http::{auth, negotiation};
use crate::system::pages::Assets;
use crate::system::{health, metrics, pages};
use crate::tasks::{Tasks, cancel, delete, events, list, monitor, result, retry, submit};

/// How long a client may take to send its body.
const BODY_TIME: Duration = Duration::from_secs(30);

/// The API of one instance, shared by the requests in flight.
pub struct Api {
    env: Rc<dyn Env>,
    tasks: Result<Rc<Tasks>, SettingsError>,
    assets: Assets,
}

/// What is left to do once a request is let in.
enum Admitted {
    Answered(Response),
    Resource(Resource),
}

impl Api {
    /// The API over the storage account that the settings name. Settings that cannot be used become the
    /// answer to every request about tasks.
    pub fn new(env: Rc<dyn Env>, settings: Result<ApiSettings, SettingsError>, assets: Assets) -> Rc<Self> {
        let opened = settings.map(|settings| {
            let storage = storage::open_for_api(env.clone(), &settings.storage);
            (settings, storage)
        });
        Self::with_storage(env, opened, assets)
    }

    /// The API over the given storage.
    pub fn with_storage(
        env: Rc<dyn Env>,
        opened: Result<(ApiSettings, ApiStorage), SettingsError>,
        assets: Assets,
    ) -> Rc<Self> {
        if let Ok((settings, _)) = &opened
            && settings.auth == ApiAuth::None
        {
            env.log(&Line::warn("the API is open to every caller").with("variable", "api_auth"));
        }
        let tasks = opened.map(|(settings, storage)| Rc::new(Tasks::new(Rc::clone(&env), settings, storage)));
        Rc::new(Self { env, tasks, assets })
    }

    /// Answers one request, whatever it is.
    pub async fn handle<B: RequestBody + 'static>(
        self: &Rc<Self>,
        request: Request<B>,
    ) -> http::Response<Body> {
        let (parts, mut body) = request.into_parts();
        let mut call = Call::new(parts, self.env.random_bytes());
        let outcome = match self.admit(&mut call).await {
            Ok(Admitted::Answered(answer)) => Ok(answer),
            Ok(Admitted::Resource(resource)) => match self.read(&call, resource, &mut body).await {
                Ok(bytes) => self.perform(&call, resource, bytes).await,
                Err(refusal) => Err(refusal),
            },
            Err(refusal) => Err(refusal),
        };
        let answer = outcome.unwrap_or_else(|refusal| self.refuse(&call, refusal));
        response::finish(answer, call.method())
    }

    /// Lets a request in, or answers it here when it concerns no task.
    async fn admit(&self, call: &mut Call) -> Result<Admitted, Refusal> {
        call.check_size()?;
        if Resource::is_closed(call.path()) {
            call.caller = auth::identify(&self.configured()?.settings.auth, call.headers())?;
        }
        let asset = match Resource::at(call.path()) {
            Some(_) => None,
            None => self.assets.get(pages::asset_path(call.path())),
        };
        let resource = Resource::at(call.path()).or_else(|| asset.is_some().then_some(Resource::Page));
        let Some(resource) = resource else {
            let prefix = self.prefix();
            let detail = format!("Tasks are at {prefix}/tasks; {prefix}/swagger describes the whole API.");
            return Err(Refusal::new(Kind::NotFound, detail));
        };
        if call.method() == Method::OPTIONS {
            let mut answer = response::empty(StatusCode::NO_CONTENT);
            response::set(&mut answer, ALLOW, resource.allow());
            return Ok(Admitted::Answered(answer));
        }
        if !resource.allows(call.method()) {
            let detail = format!("Allowed here: {}.", resource.allow());
            return Err(Refusal::new(Kind::MethodNotAllowed, detail).header(ALLOW, resource.allow()));
        }
        match (resource, asset) {
            (Resource::Page, Some(asset)) => Ok(Admitted::Answered(pages::page(call, asset))),
            (Resource::Health, _) => Ok(Admitted::Answered(health::alive())),
            _ => Ok(Admitted::Resource(resource)),
        }
    }

    fn configured(&self) -> Result<&Rc<Tasks>, Refusal> {
        self.tasks.as_ref().map_err(|error| {
            Refusal::new(Kind::Misconfigured, format!("{error}.")).caused_by(error.to_string())
        })
    }

    /// What clients put in front of every path, as configured.
    fn prefix(&self) -> &str {
        self.tasks.as_ref().map_or("", |tasks| tasks.settings.prefix())
    }

    /// Reads the body where one is expected.
    async fn read<B: RequestBody>(
        &self,
        call: &Call,
        resource: Resource,
        body: &mut B,
    ) -> Result<Bytes, Refusal> {
        let is_submission = match resource {
            Resource::QueueTask => true,
            Resource::Tasks => call.method() == Method::POST,
            _ => false,
        };
        if !is_submission {
            return Ok(Bytes::new());
        }
        let limit = self.configured()?.settings.body_limit;
        let too_large =
            || Refusal::new(Kind::BodyTooLarge, format!("The body must not exceed {limit} bytes."));
        let charset = headers::require_json(call.headers())?;
        if headers::announced_size(call.headers()).is_some_and(|size| size > limit as u64) {
            return Err(too_large());
        }
        let reading = std::pin::pin!(body.read(limit));
        let patience = std::pin::pin!(self.env.sleep(BODY_TIME));
        match select(reading, patience).await {
            Either::Left((Ok(bytes), _)) if charset == Charset::Utf8 => Ok(bytes),
            Either::Left((Ok(bytes), _)) => headers::from_utf16(&bytes).map(Bytes::from).ok_or_else(|| {
                Refusal::new(Kind::InvalidBody, "The body is not UTF-16, which its Content-Type announces.")
            }),
            Either::Left((Err(BodyError::TooLarge(_)), _)) => Err(too_large()),
            Either::Left((Err(BodyError::Broken(_)), _)) => {
                Err(Refusal::new(Kind::InvalidBody, "The body ended before it was complete."))
            }
            Either::Right(_) => {
                let detail = format!("The body must arrive within {} seconds.", BODY_TIME.as_secs());
                Err(Refusal::new(Kind::BodyTimeout, detail))
            }
        }
    }

    async fn perform(&self, call: &Call, resource: Resource, body: Bytes) -> Result<Response, Refusal> {
        let tasks = self.configured()?;
        match resource {
            Resource::Tasks if call.method() == Method::POST => {
                submit::submit(tasks, call, &body, submit::Style::Modern).await
            }
            Resource::QueueTask => submit::submit(tasks, call, &body, submit::Style::Original).await,
            Resource::Tasks => list::list(tasks, call).await,
            Resource::Task(id) if call.method() == Method::DELETE => delete::delete(tasks, call, id).await,
            Resource::Task(id) if negotiation::wants_events(call.headers()) => {
                events::events(tasks, call, id).await
            }
            Resource::Task(id) => monitor::monitor(tasks, call, id).await,
            Resource::Events(id) => events::events(tasks, call, id).await,
            Resource::Result(id) => result::result(tasks, call, id).await,
            Resource::Cancel(id) => cancel::cancel(tasks, call, id).await,
            Resource::Retry(id) => retry::retry(tasks, call, id).await,
            Resource::Ready => health::ready(tasks).await,
            Resource::Metrics => Ok(metrics::metrics(tasks).await),
            // Answered when they were let in.
            Resource::Health | Resource::Page => Ok(health::alive()),
        }
    }

    /// The problem document of a refusal, and a log line when an operator should know.
    fn refuse(&self, call: &Call, refusal: Refusal) -> Response {
        if refusal.kind.status() >= 500 {
            let mut line = Line::error("a request could not be answered")
                .with("problem", refusal.kind.name())
                .with("status", refusal.kind.status())
                .with("method", call.method().as_str())
                .with("path", call.path())
                .with("trace_id", call.trace_id.as_str());
            if let Some(cause) = &refusal.cause {
                line = line.with("cause", cause.as_str());
            }
            self.env.log(&line);
        }
        refusal.into_response(&format!("{}{}", self.prefix(), call.path()), &call.trace_id)
    }
}
