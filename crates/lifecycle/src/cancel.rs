//! The decision on a client's request to cancel a task.

use std::time::Duration;

use models::{TaskState, TaskStatus, Timestamp};

use crate::transition;

/// What to do with a request to cancel. Writes are conditional on the version that was read; on a conflict,
/// read the document again and decide again.
#[derive(Debug, Clone, PartialEq)]
pub enum Cancel {
    /// The task waits: write this document, which is Cancelled. The worker that receives its message deletes it.
    Now(Box<TaskStatus>),
    /// The task runs: write this document, which asks its worker to stop.
    Request(Box<TaskStatus>),
    /// The task runs and a stop was requested before: write nothing, respond as to the first request.
    AlreadyRequested,
    /// The task is terminal: refuse.
    TooLate,
}

/// Decides on a request to cancel `document`. A terminal task is kept for `retention`.
#[must_use]
pub fn cancel(document: &TaskStatus, retention: Duration, now: Timestamp) -> Cancel {
    match document.state {
        TaskState::Pending => {
            let mut next = document.clone();
            transition::cancel(&mut next, retention, now);
            Cancel::Now(Box::new(next))
        }
        TaskState::InProgress if document.cancel_requested_at.is_some() => Cancel::AlreadyRequested,
        TaskState::InProgress => {
            let mut next = document.clone();
            transition::request_cancel(&mut next, now);
            Cancel::Request(Box::new(next))
        }
        TaskState::Completed | TaskState::Failed | TaskState::Cancelled => Cancel::TooLate,
    }
}

/// Returns whether `stored` contains the write `written` of an earlier try, whose response was lost. It is the same
/// document, or the task went on since and the request is identified by its time.
#[must_use]
pub fn is_recorded(stored: &TaskStatus, written: &TaskStatus) -> bool {
    let is_requested =
        stored.cancel_requested_at.is_some() && stored.cancel_requested_at == written.updated_at;
    stored == written || is_requested
}
