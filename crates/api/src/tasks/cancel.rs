//! `POST /tasks/{id}/cancel`.

use http::StatusCode;
use lifecycle::cancel::{self as decision, Cancel};
use models::{TaskId, TaskStatus};
use service::log::Line;
use service::problem::{HttpError, ProblemKind};
use service::response::Response;
use storage::{StoredDocument, Write};

use crate::http::request::ApiRequest;
use crate::tasks::{MAX_WRITE_TRIES, Tasks, contended, public_name, task_not_found};

/// Cancels a pending task at once (`200`). For a running task, stores a cancel request for the worker (`202`). A task for
/// which `selects` does not hold is not found.
pub(crate) async fn cancel(
    tasks: &Tasks,
    request: &ApiRequest,
    id: TaskId,
    selects: &dyn Fn(&TaskStatus) -> bool,
) -> Result<Response, HttpError> {
    let mut tried: Option<(Box<TaskStatus>, StatusCode)> = None;
    for _ in 0..MAX_WRITE_TRIES {
        let stored = tasks.find(request, id).await?;
        if let Some((written, status)) = &tried
            && decision::is_recorded(&stored.document, written)
        {
            tasks.put_event(&stored).await;
            return tasks.monitor_response(request, *status, &stored);
        }
        if !selects(&stored.document) {
            return Err(task_not_found());
        }
        let now = tasks.env.timestamp();
        let retention = tasks.settings.retention_of(&stored.document.task_name);
        let (document, status) = match decision::cancel(&stored.document, retention, now) {
            Cancel::Now(document) => (document, StatusCode::OK),
            Cancel::Request(document) => (document, StatusCode::ACCEPTED),
            Cancel::AlreadyRequested => {
                request.check_preconditions(&stored.etag)?;
                return tasks.monitor_response(request, StatusCode::ACCEPTED, &stored);
            }
            Cancel::TooLate => {
                let detail = format!("The task is {}.", public_name(stored.document.state));
                return Err(HttpError::new(ProblemKind::TaskEnded, detail));
            }
        };
        request.check_preconditions(&stored.etag)?;
        if let Write::Done(etag) = tasks.store.replace(&document, &stored.etag).await? {
            tasks.env.log(
                &Line::info("cancel requested")
                    .with("task_id", id.to_string())
                    .with("at_once", status == StatusCode::OK)
                    .with("trace_id", request.trace_id.as_str()),
            );
            let stored = StoredDocument { document: *document, etag };
            tasks.put_event(&stored).await;
            return tasks.monitor_response(request, status, &stored);
        }
        tried = Some((document, status));
    }
    Err(contended())
}
