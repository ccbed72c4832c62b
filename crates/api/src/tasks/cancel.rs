//! `POST /tasks/{id}/cancel`.

use http::StatusCode;
use lifecycle::cancel::{self as decision, Cancel};
use models::{TaskId, TaskStatus};
use service::log::Line;
use service::problem::{Kind, Refusal};
use service::response::Response;
use storage::{StoredDocument, Write};

use crate::http::call::Call;
use crate::tasks::{Tasks, WRITE_TRIES, contended, word};

/// A task that waits is cancelled at once, `200`; one that runs is asked to stop, `202`.
pub(crate) async fn cancel(tasks: &Tasks, call: &Call, id: TaskId) -> Result<Response, Refusal> {
    let mut tried: Option<(Box<TaskStatus>, StatusCode)> = None;
    for _ in 0..WRITE_TRIES {
        let stored = tasks.find(call, id).await?;
        if let Some((written, status)) = &tried
            && decision::is_recorded(&stored.document, written)
        {
            return tasks.shown(call, *status, &stored);
        }
        let now = tasks.env.timestamp();
        let (document, status) = match decision::cancel(&stored.document, tasks.settings.retention, now) {
            Cancel::Now(document) => (document, StatusCode::OK),
            Cancel::Request(document) => (document, StatusCode::ACCEPTED),
            Cancel::AlreadyRequested => {
                call.check_version(&stored.etag)?;
                return tasks.shown(call, StatusCode::ACCEPTED, &stored);
            }
            Cancel::TooLate => {
                let detail = format!("The task is {}.", word(stored.document.state));
                return Err(Refusal::new(Kind::TaskEnded, detail));
            }
        };
        call.check_version(&stored.etag)?;
        if let Write::Done(etag) = tasks.store.replace(&document, &stored.etag).await? {
            tasks.env.log(
                &Line::info("cancel requested")
                    .with("task_id", id.to_string())
                    .with("at_once", status == StatusCode::OK)
                    .with("trace_id", call.trace_id.as_str()),
            );
            return tasks.shown(call, status, &StoredDocument { document: *document, etag });
        }
        tried = Some((document, status));
    }
    Err(contended())
}
