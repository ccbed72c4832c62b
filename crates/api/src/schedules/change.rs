//! `PUT` and `DELETE /schedules/{name}`, `POST /schedules/{name}:pause` and `:resume`.
//!
//! All schedules are in one blob that is changed by conditional writes, so a change is decided again if another request or a
//! worker has written the blob meanwhile, preconditions included.

use http::StatusCode;
use lifecycle::recurring::{self, Put, Refused};
use models::{
    MAX_SCHEDULE_NAME_CHARS, MAX_SCHEDULES, MAX_SCHEDULES_BYTES, ScheduleDefinition, Schedules, TaskRequest,
    Timestamp, is_schedule_name,
};
use service::log::Line;
use service::problem::{HttpError, ProblemKind};
use service::response::{self, Response};
use storage::{ChangeError, change_schedules};

use crate::http::request::ApiRequest;
use crate::http::route::{ScheduleAction, schedule_name};
use crate::schedules::{ScheduleOperation, etag, log, named, not_found, respond};
use crate::tasks::Tasks;
use crate::tasks::accept::check_callback;

/// A change of one schedule.
pub(super) enum Change {
    Put(Box<ScheduleDefinition>),
    Delete,
    Pause,
    Resume,
}

impl Change {
    /// The change that an operation asks for; `None` if it changes no schedule. Sends no request.
    ///
    /// # Errors
    /// If the name or the body is not acceptable.
    pub(super) fn of(
        tasks: &Tasks,
        request: &ApiRequest,
        operation: ScheduleOperation,
        body: &[u8],
    ) -> Result<Option<Self>, HttpError> {
        Ok(match operation {
            ScheduleOperation::Put => Some(Self::put(tasks, request, body)?),
            ScheduleOperation::Delete => Some(Self::Delete),
            ScheduleOperation::Action(ScheduleAction::Pause) => Some(Self::Pause),
            ScheduleOperation::Action(ScheduleAction::Resume) => Some(Self::Resume),
            _ => None,
        })
    }

    fn put(tasks: &Tasks, request: &ApiRequest, body: &[u8]) -> Result<Self, HttpError> {
        if !is_schedule_name(schedule_name(request.path())) {
            let detail = format!(
                "The name of a schedule has 1 to {MAX_SCHEDULE_NAME_CHARS} letters, digits, hyphens, points and underscores \
                 of ASCII, the first a letter or digit."
            );
            return Err(HttpError::new(ProblemKind::InvalidName, detail));
        }
        let definition = ScheduleDefinition::parse(body)?;
        check_callback(tasks, &TaskRequest::parse(definition.task.get().as_bytes())?)?;
        // Decided again with the schedules; what is never valid needs no request to storage.
        recurring::recurrence(&definition, tasks.env.timestamp())
            .map_err(Refused::Invalid)
            .map_err(refused)?;
        Ok(Self::Put(Box::new(definition)))
    }

    /// Changes the schedules; `fresh` is a new random number. Returns whether a schedule was created.
    fn apply(
        &self,
        schedules: &mut Schedules,
        request: &ApiRequest,
        now: Timestamp,
        fresh: u64,
    ) -> Result<bool, HttpError> {
        let name = schedule_name(request.path());
        let can_be_without_version = match self {
            Self::Put(_) => true,
            Self::Delete => schedules.has_unreadable(name),
            Self::Pause | Self::Resume => false,
        };
        let version = match named(schedules, request) {
            Ok(stored) => Some(etag(stored)),
            Err(_) if can_be_without_version => None,
            Err(error) => return Err(error),
        };
        request.check_schedule_preconditions(version.as_deref())?;
        let changed = match self {
            Self::Put(definition) => {
                let definition = (**definition).clone();
                recurring::put(schedules, name, definition, request.caller.clone(), fresh, now)
            }
            Self::Delete => recurring::remove(schedules, name).map(|()| Put::Replaced),
            Self::Pause => recurring::pause(schedules, name, fresh, now).map(|()| Put::Replaced),
            Self::Resume => recurring::resume(schedules, name, fresh, now).map(|()| Put::Replaced),
        };
        changed.map(|put| put == Put::Created).map_err(refused)
    }

    /// The line about the change.
    fn line(&self, created: bool) -> Line {
        match self {
            Self::Put(_) => Line::info("schedule stored").with("new", created),
            Self::Delete => Line::info("schedule deleted"),
            Self::Pause => Line::info("schedule paused"),
            Self::Resume => Line::info("schedule resumed"),
        }
    }
}

/// Makes the change and responds with the schedule (`201` if it is new), or `204` if it is deleted.
pub(super) async fn change(
    tasks: &Tasks,
    request: &ApiRequest,
    change: &Change,
) -> Result<Response, HttpError> {
    let edit =
        |schedules: &mut Schedules, now: Timestamp, fresh: u64| change.apply(schedules, request, now, fresh);
    let changed = change_schedules(&*tasks.store, &*tasks.queue, &*tasks.env, &edit).await;
    let (schedules, created) = changed.map_err(failed)?;
    log(tasks, request, change.line(created));
    if matches!(change, Change::Delete) {
        return Ok(response::empty(StatusCode::NO_CONTENT));
    }
    let status = if created { StatusCode::CREATED } else { StatusCode::OK };
    Ok(respond(status, named(&schedules, request)?))
}

fn failed(error: ChangeError<HttpError>) -> HttpError {
    match error {
        ChangeError::Storage(error) => error.into(),
        ChangeError::Refused(error) => error,
        ChangeError::Contended => {
            let detail = "The schedules changed during every try. Send the request again.";
            HttpError::new(ProblemKind::Contended, detail).retry_after(1)
        }
    }
}

fn refused(refused: Refused) -> HttpError {
    match refused {
        Refused::NotFound => not_found(),
        Refused::Full => {
            let detail = format!("There are {MAX_SCHEDULES} schedules. Delete one of them first.");
            HttpError::new(ProblemKind::TooManySchedules, detail)
        }
        Refused::TooLarge => {
            let detail = format!(
                "All schedules together would exceed {MAX_SCHEDULES_BYTES} bytes. Make the input of the task smaller, or \
                 delete another schedule first."
            );
            HttpError::new(ProblemKind::TooManySchedules, detail)
        }
        Refused::Invalid(sentence) => HttpError::new(ProblemKind::InvalidBody, sentence),
    }
}
