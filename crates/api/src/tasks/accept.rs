//! The acceptance of a submitted task: capacity, document, message.

use lifecycle::delayed;
use lifecycle::intake::{self, Intake};
use lifecycle::overload::{self, Admission};
use models::{TaskId, TaskRequest, TaskStatus, milliseconds};
use service::env::Instant;
use service::log::Line;
use service::problem::{HttpError, ProblemKind};
use storage::{Read, StoredDocument, Write};

use crate::http::request::ApiRequest;
use crate::tasks::accepted::{Accepted, with_address};
use crate::tasks::{MAX_WRITE_TRIES, Tasks, contended, unique};

/// Returns the document of a task that is accepted now. Sends no request.
///
/// # Errors
/// If the start is too far ahead, or `CallbackUri` names a receiver that the operator does not allow.
pub(crate) fn new_document(
    tasks: &Tasks,
    request: &ApiRequest,
    id: TaskId,
    submission: TaskRequest,
) -> Result<TaskStatus, HttpError> {
    check_callback(tasks, &submission)?;
    let now = tasks.env.timestamp();
    let not_before = delayed::start_time(submission.start, now).map_err(|_| {
        HttpError::new(ProblemKind::InvalidBody, "NotBefore: must not be more than seven days away.")
    })?;
    let document = TaskStatus::accepted(id, submission, String::new(), now);
    Ok(TaskStatus {
        not_before,
        owner: request.caller.clone(),
        trace_parent: request.trace_parent(),
        sink_events: tasks.settings.sink_events,
        ..document
    })
}

/// Refuses a `CallbackUri` that names a receiver that the operator does not allow.
pub(crate) fn check_callback(tasks: &Tasks, submission: &TaskRequest) -> Result<(), HttpError> {
    let Some(address) = &submission.callback_uri else { return Ok(()) };
    let refused = |why| HttpError::new(ProblemKind::InvalidBody, format!("CallbackUri: {why}."));
    tasks.settings.callback_hosts.check(address).map(drop).map_err(refused)
}

/// Refuses further tasks while the queue is longer than its limit.
pub(crate) async fn check_capacity(tasks: &Tasks) -> Result<(), HttpError> {
    if tasks.settings.queue_depth_limit.is_none() {
        return Ok(());
    }
    // If the depth is unknown the task is admitted; if storage is down, the writes that follow fail.
    let depth = tasks.queue_depth().await.unwrap_or(0);
    match overload::admission(depth, tasks.settings.queue_depth_limit) {
        Admission::Admit => Ok(()),
        Admission::Refuse(wait) => {
            let detail = "The queue is longer than its limit. Send the same request again later.";
            Err(HttpError::new(ProblemKind::Overloaded, detail).retry_after(wait.as_secs()))
        }
    }
}

/// Stores the task and queues it, or replays the earlier submission of the same id or unique key. Logs the acceptance and
/// the time since `begin`.
pub(crate) async fn accept(
    tasks: &Tasks,
    request: &ApiRequest,
    submission: &TaskRequest,
    document: TaskStatus,
    begin: Instant,
) -> Result<StoredDocument, HttpError> {
    // The address is obtained before the first write, because the document contains it.
    let document = with_address(tasks, document).await?;
    let Accepted { stored, is_new } = match &submission.unique {
        None => create_or_replay(tasks, request, submission, document).await?,
        Some(_) => unique::create_or_join(tasks, &document).await?,
    };
    let took = tasks.env.instant().since(begin);
    tasks.env.log(
        &Line::info("task accepted")
            .with("task_id", stored.document.task_id.to_string())
            .with("new", is_new)
            .with("duration_ms", milliseconds(took))
            .with("trace_id", request.trace_id.as_str()),
    );
    Ok(stored)
}

/// Creates the document and sends its message. If a document with this id exists, replays that submission.
async fn create_or_replay(
    tasks: &Tasks,
    request: &ApiRequest,
    submission: &TaskRequest,
    document: TaskStatus,
) -> Result<Accepted, HttpError> {
    let now = tasks.env.timestamp();
    for _ in 0..MAX_WRITE_TRIES {
        if let Write::Done(etag) = tasks.store.create(&document).await? {
            let stored = StoredDocument { document, etag };
            tasks.send_first_message(&stored, delayed::delay(&stored.document, now)).await?;
            return Ok(Accepted { stored, is_new: true });
        }
        let Read::Found(stored) = tasks.store.read(document.task_id, None).await? else {
            continue; // deleted since the create
        };
        match intake::intake(Some(&stored.document), submission, request.caller.as_deref(), now) {
            Intake::Accept => {}
            Intake::Replay => return Ok(Accepted { stored: *stored, is_new: false }),
            Intake::ResendMessage(delay) => {
                tasks.send_first_message(&stored, delay).await?;
                return Ok(Accepted { stored: *stored, is_new: false });
            }
            Intake::Different => {
                return Err(HttpError::new(
                    ProblemKind::ContentDiffers,
                    "Send another TaskId or Idempotency-Key for other work, or the same content to repeat \
                     a submission.",
                ));
            }
            Intake::AnotherCaller => {
                return Err(HttpError::new(ProblemKind::TaskIdTaken, "Send another TaskId, or none."));
            }
        }
    }
    Err(contended())
}
