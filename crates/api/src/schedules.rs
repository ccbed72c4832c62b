//! Schedules, for operators: tasks that are due again and again. `lifecycle::recurring` decides on changes, and workers create the
//! tasks.

mod change;

use http::StatusCode;
use http::header::ETAG;
use models::{ScheduleList, ScheduleView, Schedules, StoredSchedule, TaskRequest};
use service::log::Line;
use service::problem::{HttpError, ProblemKind};
use service::response::{self, Response};
use storage::read_schedules;

use crate::http::request::ApiRequest;
use crate::http::route::{ScheduleAction, schedule_name};
use crate::schedules::change::Change;
use crate::tasks::Tasks;
use crate::tasks::submit::{ResponseBody, submit_task};

/// Next firings of one schedule in a response.
const NEXT_FIRINGS: usize = 5;

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ScheduleOperation {
    List,
    Show,
    Put,
    Delete,
    Action(ScheduleAction),
}

/// Handles a request for schedules. `body` is that of a [`ScheduleOperation::Put`].
pub(crate) async fn handle(
    tasks: &Tasks,
    request: &ApiRequest,
    operation: ScheduleOperation,
    body: &[u8],
) -> Result<Response, HttpError> {
    request.query()?.allow_only(&[])?;
    require_enabled(tasks)?;
    if let Some(change) = Change::of(tasks, request, operation, body)? {
        return change::change(tasks, request, &change).await;
    }
    let (schedules, _) = read_schedules(&*tasks.store).await?;
    match operation {
        ScheduleOperation::List => Ok(list(&schedules)),
        ScheduleOperation::Action(_) => run(tasks, request, named(&schedules, request)?).await,
        _ => {
            let stored = named(&schedules, request)?;
            request.check_schedule_preconditions(Some(&etag(stored)))?;
            Ok(respond(StatusCode::OK, stored))
        }
    }
}

/// Refuses every request without `schedules`, because workers then would not read what is stored.
fn require_enabled(tasks: &Tasks) -> Result<(), HttpError> {
    if tasks.settings.schedules {
        return Ok(());
    }
    let detail = "Set the variable schedules to true, for the API and all workers.";
    Err(HttpError::new(ProblemKind::SchedulesDisabled, detail))
}

/// Submits the task as `POST /tasks` does. It belongs to the caller, who could not follow the task of another one. It is no
/// firing: the state of the schedule does not change, and a paused one can be run.
async fn run(tasks: &Tasks, request: &ApiRequest, stored: &StoredSchedule) -> Result<Response, HttpError> {
    let submission = TaskRequest::parse(stored.definition.task.get().as_bytes())?;
    let response = submit_task(tasks, request, submission, ResponseBody::Monitor).await?;
    log(tasks, request, Line::info("schedule run by an operator"));
    Ok(response)
}

/// The schedule that the request names.
fn named<'a>(schedules: &'a Schedules, request: &ApiRequest) -> Result<&'a StoredSchedule, HttpError> {
    let name = schedule_name(request.path());
    schedules
        .find(name)
        .ok_or_else(|| if schedules.has_unreadable(name) { unreadable() } else { not_found() })
}

fn not_found() -> HttpError {
    HttpError::new(ProblemKind::ScheduleNotFound, "No schedule has this name. Names are case-sensitive.")
}

fn unreadable() -> HttpError {
    let detail = "Another release stored this schedule. PUT replaces it, DELETE removes it.";
    HttpError::new(ProblemKind::DocumentUnreadable, detail)
}

/// The entity tag of a schedule: the version of what clients wrote. Firings do not change it, so that a client can change a
/// schedule that fires often.
fn etag(stored: &StoredSchedule) -> String {
    format!("\"{:016x}\"", stored.version)
}

fn view(stored: &StoredSchedule, count: usize) -> ScheduleView {
    ScheduleView::of(stored, lifecycle::recurring::next_firings(stored, count))
}

fn list(schedules: &Schedules) -> Response {
    let value = schedules.entries.iter().map(|stored| view(stored, 1)).collect();
    let unreadable = u32::try_from(schedules.unreadable.len()).unwrap_or(u32::MAX);
    response::json(StatusCode::OK, &ScheduleList { value, unreadable })
}

/// A response whose body is the schedule.
fn respond(status: StatusCode, stored: &StoredSchedule) -> Response {
    let mut response = response::json(status, &view(stored, NEXT_FIRINGS));
    response::set(&mut response, ETAG, &etag(stored));
    response
}

fn log(tasks: &Tasks, request: &ApiRequest, line: Line) {
    let line = line.with("schedule", schedule_name(request.path()));
    tasks.env.log(&line.with("trace_id", request.trace_id.as_str()));
}
