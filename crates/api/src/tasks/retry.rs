//! `POST /tasks/{id}/retry`: a failed task is tried again.

use std::time::Duration;

use http::StatusCode;
use lifecycle::retry::{self as decision, Retry};
use models::TaskId;
use service::log::Line;
use service::problem::{Kind, Refusal};
use service::response::Response;
use storage::{StoredDocument, Write};

use crate::http::call::Call;
use crate::tasks::{Tasks, WRITE_TRIES, contended, word};

pub(crate) async fn retry(tasks: &Tasks, call: &Call, id: TaskId) -> Result<Response, Refusal> {
    let mut requested_at = None;
    for tries in 0..WRITE_TRIES {
        let stored = tasks.find(call, id).await?;
        let now = tasks.env.timestamp();
        let again = match decision::retry(&stored.document, call.caller.as_deref(), now) {
            Retry::Again(document) => document,
            // The document was written by an earlier request whose message may have been lost.
            Retry::NotFailed if decision::awaits_worker(&stored.document) => {
                // By this request itself, when an earlier try had its effect and not its reply.
                if tries == 0 {
                    call.check_version(&stored.etag)?;
                }
                tasks.put_message(&stored, Duration::ZERO).await?;
                return tasks.shown(call, StatusCode::ACCEPTED, &stored);
            }
            // The reply to our own write was lost, and another message has brought the task to a worker.
            Retry::NotFailed
                if requested_at.is_some_and(|at| decision::is_recorded(&stored.document, at)) =>
            {
                return tasks.shown(call, StatusCode::ACCEPTED, &stored);
            }
            Retry::NotFailed => {
                let detail = format!("The task is {}.", word(stored.document.state));
                return Err(Refusal::new(Kind::TaskNotFailed, detail));
            }
        };
        call.check_version(&stored.etag)?;
        requested_at = Some(now);
        if let Write::Done(etag) = tasks.store.replace(&again, &stored.etag).await? {
            let stored = StoredDocument { document: *again, etag };
            tasks.put_message(&stored, Duration::ZERO).await?;
            tasks.env.log(
                &Line::info("retry requested")
                    .with("task_id", id.to_string())
                    .with("attempt", stored.document.attempt)
                    .with("trace_id", call.trace_id.as_str()),
            );
            return tasks.shown(call, StatusCode::ACCEPTED, &stored);
        }
    }
    Err(contended())
}
