//! The way of a request: size limits, authentication, route, method, then the file of the operation. Every error
//! becomes a problem document of [`service::problem`].

use std::rc::Rc;

use bytes::Bytes;
use http::header::ALLOW;
use http::{Method, Request, StatusCode};
use models::TaskId;
use service::body::{Body, RequestBody};
use service::env::Env;
use service::log::Line;
use service::problem::{HttpError, ProblemKind};
use service::response::{self, Response};
use service::settings::{ApiAuth, ApiSettings, ConfigurationError, SettingsError};

use crate::http::request::ApiRequest;
use crate::http::route::{BulkAction, MessageId, PoisonAction, QueueAction, Resource};
use crate::http::{auth, body, media_type};
use crate::schedules::ScheduleOperation;
use crate::system::pages::{Asset, Assets};
use crate::system::{health, metrics, pages};
use crate::tasks::submit::ResponseBody;
use crate::tasks::{Tasks, batch, bulk, cancel, delete, events, list, monitor, result, retry, submit};
use crate::{poison, queue, schedules};

/// The API of one instance. Its requests share it.
pub struct Api {
    env: Rc<dyn Env>,
    tasks: Result<Rc<Tasks>, ConfigurationError>,
    assets: Assets,
}

/// What a path addresses.
enum Target {
    Resource(Resource),
    Page(Asset),
}

/// A request that has passed the checks of its head.
enum Admitted {
    /// `OPTIONS`: the value of `Allow`.
    Options(&'static str),
    Page(Asset),
    Health,
    Operation(Operation),
}

/// An operation that needs storage, and therefore a valid configuration.
enum Operation {
    Ready,
    Metrics,
    Submit(ResponseBody),
    Batch,
    Bulk(BulkAction),
    List,
    Monitor(TaskId),
    Events(TaskId),
    Result(TaskId),
    Cancel(TaskId),
    Retry(TaskId),
    Delete(TaskId),
    PoisonList,
    PoisonMessage(MessageId),
    PoisonOne(MessageId, PoisonAction),
    PoisonAll(PoisonAction),
    Queue,
    QueueAction(QueueAction),
    Schedules(ScheduleOperation),
}

impl Admitted {
    /// The operation of a request whose method `resource` allows.
    fn of(resource: Resource, request: &ApiRequest) -> Self {
        let operation = match resource {
            Resource::Health => return Self::Health,
            Resource::Ready => Operation::Ready,
            Resource::Metrics => Operation::Metrics,
            Resource::Tasks if request.method() == Method::POST => Operation::Submit(ResponseBody::Monitor),
            Resource::Tasks => Operation::List,
            Resource::Batch => Operation::Batch,
            Resource::Bulk(action) => Operation::Bulk(action),
            Resource::QueueTask => Operation::Submit(ResponseBody::Empty),
            Resource::Task(id) if request.method() == Method::DELETE => Operation::Delete(id),
            Resource::Task(id) if media_type::prefers_event_stream(request.headers()) => {
                Operation::Events(id)
            }
            Resource::Task(id) => Operation::Monitor(id),
            Resource::Events(id) => Operation::Events(id),
            Resource::Result(id) => Operation::Result(id),
            Resource::Cancel(id) => Operation::Cancel(id),
            Resource::Retry(id) => Operation::Retry(id),
            Resource::Queue => Operation::Queue,
            Resource::QueueAction(action) => Operation::QueueAction(action),
            Resource::Schedules => Operation::Schedules(ScheduleOperation::List),
            Resource::Schedule => Operation::Schedules(match *request.method() {
                Method::PUT => ScheduleOperation::Put,
                Method::DELETE => ScheduleOperation::Delete,
                _ => ScheduleOperation::Show,
            }),
            Resource::ScheduleAction(action) => Operation::Schedules(ScheduleOperation::Action(action)),
            Resource::PoisonList => Operation::PoisonList,
            Resource::PoisonAll(action) => Operation::PoisonAll(action),
            Resource::PoisonMessage(id) if request.method() == Method::DELETE => {
                Operation::PoisonOne(id, PoisonAction::Remove)
            }
            Resource::PoisonMessage(id) => Operation::PoisonMessage(id),
            Resource::PoisonReplay(id) => Operation::PoisonOne(id, PoisonAction::Replay),
        };
        Self::Operation(operation)
    }
}

impl Api {
    /// Creates the API for the storage account in the settings. With invalid settings, every request for tasks gets
    /// the problem `misconfigured`.
    pub fn new(env: Rc<dyn Env>, settings: Result<ApiSettings, SettingsError>, assets: Assets) -> Rc<Self> {
        let opened = settings.map_err(ConfigurationError::from).and_then(|settings| {
            let storage = storage::open(env.clone(), &settings.storage)?;
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

    /// Handles one request. Errors become problem documents.
    pub async fn handle<B: RequestBody + 'static>(
        self: &Rc<Self>,
        request: Request<B>,
    ) -> http::Response<Body> {
        let (parts, mut body) = request.into_parts();
        let mut request = ApiRequest::new(parts, self.env.random_bytes());
        let response = match self.respond(&mut request, &mut body).await {
            Ok(response) => response,
            Err(error) => self.problem_response(&request, error),
        };
        response::finish(response, request.method())
    }

    async fn respond<B: RequestBody>(
        &self,
        request: &mut ApiRequest,
        body: &mut B,
    ) -> Result<Response, HttpError> {
        let operation = match self.admit(request)? {
            Admitted::Options(allow) => return Ok(options_response(allow)),
            Admitted::Page(asset) => return Ok(pages::page_response(request, asset)),
            Admitted::Health => return Ok(health::liveness()),
            Admitted::Operation(operation) => operation,
        };
        let tasks = self.configured()?;
        let body = match operation {
            Operation::Submit(_) | Operation::Batch | Operation::Schedules(ScheduleOperation::Put) => {
                body::read_json(&*self.env, request.headers(), tasks.settings.body_limit, body).await?
            }
            _ => Bytes::new(),
        };
        run(tasks, request, operation, &body).await
    }

    /// Checks the size of the head, the caller and its rights, the path and the method.
    fn admit(&self, request: &mut ApiRequest) -> Result<Admitted, HttpError> {
        request.check_size()?;
        if Resource::needs_authentication(request.path()) {
            request.caller = auth::identify(&self.configured()?.settings.auth, request.headers())?;
        }
        let Some(target) = self.target(request.path()) else {
            let prefix = self.prefix();
            let detail = format!("Tasks are at {prefix}/tasks; {prefix}/swagger describes the whole API.");
            return Err(HttpError::new(ProblemKind::NotFound, detail));
        };
        let allow = match &target {
            Target::Resource(resource) => resource.allow(),
            Target::Page(_) => pages::ALLOW,
        };
        if request.method() == Method::OPTIONS {
            return Ok(Admitted::Options(allow));
        }
        if !allow.split(", ").any(|allowed| allowed == request.method().as_str()) {
            let detail = format!("Allowed here: {allow}.");
            return Err(HttpError::new(ProblemKind::MethodNotAllowed, detail).header(ALLOW, allow));
        }
        if let Target::Resource(resource) = &target
            && resource.is_for_operators()
        {
            let settings = &self.configured()?.settings;
            auth::require_operator(settings, &request.caller, request.headers())?;
        }
        Ok(match target {
            Target::Resource(resource) => Admitted::of(resource, request),
            Target::Page(asset) => Admitted::Page(asset),
        })
    }

    fn target(&self, path: &str) -> Option<Target> {
        match Resource::at(path) {
            Some(resource) => Some(Target::Resource(resource)),
            None => self.assets.get(pages::asset_path(path)).map(Target::Page),
        }
    }

    fn configured(&self) -> Result<&Rc<Tasks>, HttpError> {
        self.tasks.as_ref().map_err(HttpError::from)
    }

    /// The configured path prefix of the public address, without a slash at the end.
    fn prefix(&self) -> &str {
        self.tasks.as_ref().map_or("", |tasks| tasks.settings.prefix())
    }

    /// The problem document of an error. Writes a log line for statuses from 500.
    fn problem_response(&self, request: &ApiRequest, error: HttpError) -> Response {
        if let Some(line) = error.log_line(request.method(), request.path(), &request.trace_id) {
            self.env.log(&line);
        }
        error.into_response(&format!("{}{}", self.prefix(), request.path()), &request.trace_id)
    }
}

fn options_response(allow: &str) -> Response {
    let mut response = response::empty(StatusCode::NO_CONTENT);
    response::set(&mut response, ALLOW, allow);
    response
}

async fn run(
    tasks: &Rc<Tasks>,
    request: &ApiRequest,
    operation: Operation,
    body: &[u8],
) -> Result<Response, HttpError> {
    match operation {
        Operation::Ready => health::readiness(tasks).await,
        Operation::Metrics => Ok(metrics::metrics(tasks).await),
        Operation::Submit(response_body) => submit::submit(tasks, request, body, response_body).await,
        Operation::Batch => batch::batch(tasks, request, body).await,
        Operation::Bulk(action) => bulk::bulk(tasks, request, action).await,
        Operation::List => list::list(tasks, request).await,
        Operation::Monitor(id) => monitor::monitor(tasks, request, id).await,
        Operation::Events(id) => events::events(tasks, request, id).await,
        Operation::Result(id) => result::result(tasks, request, id).await,
        Operation::Cancel(id) => cancel::cancel(tasks, request, id, &|_| true).await,
        Operation::Retry(id) => retry::retry(tasks, request, id, &|_| true).await,
        Operation::Delete(id) => delete::delete(tasks, request, id, &|_| true).await,
        Operation::Queue => queue::state(tasks, request).await,
        Operation::QueueAction(action) => queue::change(tasks, request, action).await,
        Operation::Schedules(operation) => schedules::handle(tasks, request, operation, body).await,
        Operation::PoisonList => poison::list(tasks, request).await,
        Operation::PoisonMessage(id) => poison::show(tasks, request, id).await,
        Operation::PoisonOne(id, action) => poison::change_one(tasks, request, id, action).await,
        Operation::PoisonAll(action) => poison::change_all(tasks, request, action).await,
    }
}
