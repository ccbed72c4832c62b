//! `DELETE /tasks/{id}`: deletes a terminal task, its result and its other attachments.

use http::StatusCode;
use lifecycle::retention;
use models::{TaskId, TaskStatus};
use service::log::Line;
use service::problem::{HttpError, ProblemKind};
use service::response::{self, Response};
use storage::{Write, release_key};

use crate::http::request::ApiRequest;
use crate::tasks::{MAX_WRITE_TRIES, Tasks, contended, public_name, task_not_found};

/// Deletes the task (`204`). A task for which `selects` does not hold is not found.
pub(crate) async fn delete(
    tasks: &Tasks,
    request: &ApiRequest,
    id: TaskId,
    selects: &dyn Fn(&TaskStatus) -> bool,
) -> Result<Response, HttpError> {
    // Creation time of the task that an earlier try has begun to delete.
    let mut deleting = None;
    for _ in 0..MAX_WRITE_TRIES {
        let stored = match tasks.find(request, id).await {
            Ok(stored) if deleting.is_none_or(|created| created == stored.document.created_at) => stored,
            // The response to the deletion was lost, and a new task has been created with the same id.
            Ok(_) => return Ok(deleted(tasks, request, id)),
            Err(error) if deleting.is_some() && error.kind == ProblemKind::TaskNotFound => {
                return Ok(deleted(tasks, request, id));
            }
            Err(error) => return Err(error),
        };
        if !selects(&stored.document) {
            return Err(task_not_found());
        }
        if !stored.document.state.is_terminal() {
            let detail = format!(
                "The task is {}. Cancel it first: POST {}/tasks/{id}/cancel.",
                public_name(stored.document.state),
                tasks.settings.prefix()
            );
            return Err(HttpError::new(ProblemKind::TaskNotEnded, detail));
        }
        request.check_preconditions(&stored.etag)?;
        // The document is deleted last: as long as it exists, a repeated request finds the rest.
        for name in retention::attachments(&stored.document) {
            tasks.store.delete_attachment(&name).await?;
        }
        release_key(&*tasks.store, &stored.document).await?;
        deleting = Some(stored.document.created_at);
        if let Write::Done(_) = tasks.store.delete(id, &stored.etag).await? {
            return Ok(deleted(tasks, request, id));
        }
    }
    Err(contended())
}

fn deleted(tasks: &Tasks, request: &ApiRequest, id: TaskId) -> Response {
    tasks.env.log(
        &Line::info("task deleted")
            .with("task_id", id.to_string())
            .with("trace_id", request.trace_id.as_str()),
    );
    response::empty(StatusCode::NO_CONTENT)
}
