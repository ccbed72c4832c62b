//! The way of a request: size limits, route, caller, then the file of the operation. Every error is a problem of
//! [`service::problem`]; no request ends without a response.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::{Either, select};
use http::header::ALLOW;
use http::{Method, Request, StatusCode};
use models::TaskId;
use service::body::{Body, BodyError, RequestBody};
use service::env::Env;
use service::log::Line;
use service::problem::{Kind, Refusal};
use service::response::{self, Response};
use service::settings::{ApiAuth, ApiSettings, ConfigurationError, SettingsError};

use crate::http::call::Call;
use crate::http::headers::{self, Charset};
use crate::http::route::Resource;
use crate::http::{auth, negotiation};
use crate::system::pages::{Asset, Assets};
use crate::system::{health, metrics, pages};
use crate::tasks::submit::Style;
use crate::tasks::{Tasks, cancel, delete, events, list, monitor, result, retry, submit};

/// How long a client may take to send its body.
const BODY_TIME: Duration = Duration::from_secs(30);

/// The API of one instance, shared by the requests in flight.
pub struct Api {
    env: Rc<dyn Env>,
    tasks: Result<Rc<Tasks>, ConfigurationError>,
    assets: Assets,
}

/// What an address stands for.
enum Target {
    Resource(Resource),
    Page(Asset),
}

/// A request that is let in.
enum Admitted {
    /// `OPTIONS`: the value of `Allow`.
    Options(&'static str),
    Page(Asset),
    Health,
    Operation(Operation),
}

/// What needs storage, and with it a configuration that can be used.
enum Operation {
    Ready,
    Metrics,
    Submit(Style),
    List,
    Monitor(TaskId),
    Events(TaskId),
    Result(TaskId),
    Cancel(TaskId),
    Retry(TaskId),
    Delete(TaskId),
}

impl Admitted {
    /// What `call` asks of `resource`, whose methods include its own.
    fn of(resource: Resource, call: &Call) -> Self {
        let operation = match resource {
            Resource::Health => return Self::Health,
            Resource::Ready => Operation::Ready,
            Resource::Metrics => Operation::Metrics,
            Resource::Tasks if call.method() == Method::POST => Operation::Submit(Style::Modern),
            Resource::Tasks => Operation::List,
            Resource::QueueTask => Operation::Submit(Style::Original),
            Resource::Task(id) if call.method() == Method::DELETE => Operation::Delete(id),
            Resource::Task(id) if negotiation::wants_events(call.headers()) => Operation::Events(id),
            Resource::Task(id) => Operation::Monitor(id),
            Resource::Events(id) => Operation::Events(id),
            Resource::Result(id) => Operation::Result(id),
            Resource::Cancel(id) => Operation::Cancel(id),
            Resource::Retry(id) => Operation::Retry(id),
        };
        Self::Operation(operation)
    }
}

impl Api {
    /// The API over the storage account that the settings name. Settings that cannot be used become the
    /// answer to every request about tasks.
    pub fn new(env: Rc<dyn Env>, settings: Result<ApiSettings, SettingsError>, assets: Assets) -> Rc<Self> {
        let opened = settings.map_err(ConfigurationError::from).and_then(|settings| {
            let storage = storage::open_for_api(env.clone(), &settings.storage)?;
            Ok((settings, storage))
        });
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
        let response = match self.answer(&mut call, &mut body).await {
            Ok(response) => response,
            Err(refusal) => self.refuse(&call, refusal),
        };
        response::finish(response, call.method())
    }

    async fn answer<B: RequestBody>(&self, call: &mut Call, body: &mut B) -> Result<Response, Refusal> {
        let operation = match self.admit(call)? {
            Admitted::Options(allow) => return Ok(options(allow)),
            Admitted::Page(asset) => return Ok(pages::page(call, asset)),
            Admitted::Health => return Ok(health::alive()),
            Admitted::Operation(operation) => operation,
        };
        let tasks = self.configured()?;
        let body = match operation {
            Operation::Submit(_) => self.read(call, tasks.settings.body_limit, body).await?,
            _ => Bytes::new(),
        };
        perform(tasks, call, operation, &body).await
    }

    /// Lets a request in: its size, its caller, its address and its method.
    fn admit(&self, call: &mut Call) -> Result<Admitted, Refusal> {
        call.check_size()?;
        if Resource::is_closed(call.path()) {
            call.caller = auth::identify(&self.configured()?.settings.auth, call.headers())?;
        }
        let Some(target) = self.target(call.path()) else {
            let prefix = self.prefix();
            let detail = format!("Tasks are at {prefix}/tasks; {prefix}/swagger describes the whole API.");
            return Err(Refusal::new(Kind::NotFound, detail));
        };
        let allow = match &target {
            Target::Resource(resource) => resource.allow(),
            Target::Page(_) => pages::ALLOW,
        };
        if call.method() == Method::OPTIONS {
            return Ok(Admitted::Options(allow));
        }
        if !allow.split(", ").any(|allowed| allowed == call.method().as_str()) {
            let detail = format!("Allowed here: {allow}.");
            return Err(Refusal::new(Kind::MethodNotAllowed, detail).header(ALLOW, allow));
        }
        Ok(match target {
            Target::Resource(resource) => Admitted::of(resource, call),
            Target::Page(asset) => Admitted::Page(asset),
        })
    }

    fn target(&self, path: &str) -> Option<Target> {
        match Resource::at(path) {
            Some(resource) => Some(Target::Resource(resource)),
            None => self.assets.get(pages::asset_path(path)).map(Target::Page),
        }
    }

    fn configured(&self) -> Result<&Rc<Tasks>, Refusal> {
        self.tasks.as_ref().map_err(Refusal::from)
    }

    /// What clients put in front of every path, as configured.
    fn prefix(&self) -> &str {
        self.tasks.as_ref().map_or("", |tasks| tasks.settings.prefix())
    }

    /// Reads the body of a submission, at most `limit` bytes.
    async fn read<B: RequestBody>(&self, call: &Call, limit: usize, body: &mut B) -> Result<Bytes, Refusal> {
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

    /// The problem document of a refusal, and a log line when an operator should know.
    fn refuse(&self, call: &Call, refusal: Refusal) -> Response {
        if let Some(line) = refusal.log_line(call.method(), call.path(), &call.trace_id) {
            self.env.log(&line);
        }
        refusal.into_response(&format!("{}{}", self.prefix(), call.path()), &call.trace_id)
    }
}

fn options(allow: &str) -> Response {
    let mut response = response::empty(StatusCode::NO_CONTENT);
    response::set(&mut response, ALLOW, allow);
    response
}

async fn perform(
    tasks: &Rc<Tasks>,
    call: &Call,
    operation: Operation,
    body: &[u8],
) -> Result<Response, Refusal> {
    match operation {
        Operation::Ready => health::ready(tasks).await,
        Operation::Metrics => Ok(metrics::metrics(tasks).await),
        Operation::Submit(style) => submit::submit(tasks, call, body, style).await,
        Operation::List => list::list(tasks, call).await,
        Operation::Monitor(id) => monitor::monitor(tasks, call, id).await,
        Operation::Events(id) => events::events(tasks, call, id).await,
        Operation::Result(id) => result::result(tasks, call, id).await,
        Operation::Cancel(id) => cancel::cancel(tasks, call, id).await,
        Operation::Retry(id) => retry::retry(tasks, call, id).await,
        Operation::Delete(id) => delete::delete(tasks, call, id).await,
    }
}
