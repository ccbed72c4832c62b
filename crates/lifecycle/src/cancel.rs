//! What a client's request to cancel does.

use std::time::Duration;

use models::{TaskState, TaskStatus, Timestamp};

use crate::transition;

/// What to do with a request to cancel. Every write is conditional; when it is refused, read and decide
/// again.
#[derive(Debug, Clone, PartialEq)]
pub enum Cancel {
    /// The task waits: write this document, which is Cancelled. Its message is deleted by the worker
    /// that receives it.
    Now(Box<TaskStatus>),
    /// The task runs: write this document, which asks its worker to stop.
    Request(Box<TaskStatus>),
    /// The task runs and was asked to stop before: write nothing, answer as the first time.
    AlreadyRequested,
    /// The task is terminal: refuse.
    TooLate,
}

/// Decides about a request to cancel `document`. `retention` is how long a terminal task is kept.
#[must_use]
pub fn cancel(document: &TaskStatus, retention: Duration, now: Timestamp) -> Cancel {
    match document.state {
        TaskState::Pending => {
            let mut next = document.clone();
            next.cancel_requested_at.get_or_insert(now);
            transition::finish(&mut next, TaskState::Cancelled, None, retention, now);
            Cancel::Now(Box::new(next))
        }
        TaskState::InProgress if document.cancel_requested_at.is_some() => Cancel::AlreadyRequested,
        TaskState::InProgress => {
            let mut next = document.clone();
            next.cancel_requested_at = Some(now);
            transition::touch(&mut next, now);
            Cancel::Request(Box::new(next))
        }
        TaskState::Completed | TaskState::Failed | TaskState::Cancelled => Cancel::TooLate,
    }
}
