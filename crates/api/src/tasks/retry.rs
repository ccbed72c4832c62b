//! `POST /tasks/{id}/retry`: queues a failed task again.

use std::time::Duration;

use http::StatusCode;
use lifecycle::retry::{self as decision, Retry};
use models::{TaskId, TaskStatus};
use service::log::Line;
use service::problem::{HttpError, ProblemKind};
use service::response::Response;
use storage::{StoredDocument, Write};

use crate::http::request::ApiRequest;
use crate::tasks::{MAX_WRITE_TRIES, Tasks, contended, public_name, task_not_found};

/// Makes a failed task Pending and sends its message (`202`). A task for which `selects` does not hold is not found.
pub(crate) async fn retry(
    tasks: &Tasks,
    request: &ApiRequest,
    id: TaskId,
    selects: &dyn Fn(&TaskStatus) -> bool,
) -> Result<Response, HttpError> {
    let mut requested_at = None;
    for tries in 0..MAX_WRITE_TRIES {
        let stored = tasks.find(request, id).await?;
        // The response to the write of an earlier try may have been lost.
        let is_own = requested_at.is_some_and(|at| decision::is_recorded(&stored.document, at));
        if !is_own && !selects(&stored.document) {
            return Err(task_not_found());
        }
        let now = tasks.env.timestamp();
        let again = match decision::retry(&stored.document, request.caller.as_deref(), now) {
            Retry::Again(document) => document,
            // An earlier request wrote the document, but its message may have been lost.
            Retry::NotFailed if decision::awaits_worker(&stored.document) => {
                // On a later try this request itself wrote the document, so the version has changed.
                if tries == 0 {
                    request.check_preconditions(&stored.etag)?;
                }
                tasks.send_message(&stored, Duration::ZERO).await?;
                return tasks.monitor_response(request, StatusCode::ACCEPTED, &stored);
            }
            // A worker has already received the task.
            Retry::NotFailed if is_own => {
                return tasks.monitor_response(request, StatusCode::ACCEPTED, &stored);
            }
            Retry::NotFailed => {
                let detail = format!("The task is {}.", public_name(stored.document.state));
                return Err(HttpError::new(ProblemKind::TaskNotFailed, detail));
            }
        };
        request.check_preconditions(&stored.etag)?;
        requested_at = Some(now);
        if let Write::Done(etag) = tasks.store.replace(&again, &stored.etag).await? {
            let stored = StoredDocument { document: *again, etag };
            tasks.send_message(&stored, Duration::ZERO).await?;
            tasks.env.log(
                &Line::info("retry requested")
                    .with("task_id", id.to_string())
                    .with("attempt", stored.document.attempt)
                    .with("trace_id", request.trace_id.as_str()),
            );
            return tasks.monitor_response(request, StatusCode::ACCEPTED, &stored);
        }
    }
    Err(contended())
}
