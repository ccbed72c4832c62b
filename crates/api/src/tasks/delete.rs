//! `DELETE /tasks/{id}`: a terminal task is removed with everything that belongs to it.

use http::StatusCode;
use lifecycle::retention;
use models::TaskId;
use service::log::Line;
use service::problem::{Kind, Refusal};
use service::response::{self, Response};
use storage::Write;

use crate::http::call::Call;
use crate::tasks::{Tasks, WRITE_TRIES, contended, word};

pub(crate) async fn delete(tasks: &Tasks, call: &Call, id: TaskId) -> Result<Response, Refusal> {
    let mut meant = None;
    for _ in 0..WRITE_TRIES {
        let stored = match tasks.find(call, id).await {
            Ok(stored) if meant.is_none_or(|created| created == stored.document.created_at) => stored,
            // The reply to our own deletion was lost: what was meant is gone, and another task has its id.
            Ok(_) => return Ok(deleted(tasks, call, id)),
            Err(refusal) if meant.is_some() && refusal.kind == Kind::TaskNotFound => {
                return Ok(deleted(tasks, call, id));
            }
            Err(refusal) => return Err(refusal),
        };
        if !stored.document.state.is_terminal() {
            let detail = format!(
                "The task is {}. Cancel it first: POST {}/tasks/{id}/cancel.",
                word(stored.document.state),
                tasks.settings.prefix()
            );
            return Err(Refusal::new(Kind::TaskNotEnded, detail));
        }
        call.check_version(&stored.etag)?;
        // The document goes last: while it is there, a repeated request finds what is left.
        for name in retention::attachments(&stored.document) {
            tasks.store.delete_attachment(&name).await?;
        }
        meant = Some(stored.document.created_at);
        if let Write::Done(_) = tasks.store.delete(id, &stored.etag).await? {
            return Ok(deleted(tasks, call, id));
        }
    }
    Err(contended())
}

fn deleted(tasks: &Tasks, call: &Call, id: TaskId) -> Response {
    tasks.env.log(
        &Line::info("task deleted").with("task_id", id.to_string()).with("trace_id", call.trace_id.as_str()),
    );
    response::empty(StatusCode::NO_CONTENT)
}
