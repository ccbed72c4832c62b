//! What a submission does, given what is stored under its id.

use std::time::Duration;

use models::{AttemptOutcome, TaskRequest, TaskState, TaskStatus, Timestamp};

use crate::schedule;

/// What to do with a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intake {
    /// Nothing is stored: create the document, then send the message, then answer.
    Accept,
    /// The same was submitted before and nobody can tell whether its message was ever sent: send it
    /// (again) with this delay, then answer as the first time. A duplicate message does no harm.
    Heal(Duration),
    /// The same was submitted before and a worker has seen its message: answer as the first time.
    Replay,
    /// The id is taken by a task with other content: refuse.
    Different,
    /// The id is taken by another caller's task: refuse, and reveal nothing.
    AnotherCaller,
}

/// Decides about `request` by `caller` (`None` when callers are not told apart), given the document
/// stored under its id.
#[must_use]
pub fn intake(
    existing: Option<&TaskStatus>,
    request: &TaskRequest,
    caller: Option<&str>,
    now: Timestamp,
) -> Intake {
    let Some(existing) = existing else { return Intake::Accept };
    if caller.is_some() && existing.owner.as_deref() != caller {
        return Intake::AnotherCaller;
    }
    if !existing.has_content_of(request) {
        return Intake::Different;
    }
    if may_lack_message(existing) { Intake::Heal(schedule::delay(existing, now)) } else { Intake::Replay }
}

/// Whether the process that wrote this document may have died before it sent the message: true from the
/// acceptance, or from an explicit retry, until a worker has written.
fn may_lack_message(document: &TaskStatus) -> bool {
    let fresh = match document.history.last() {
        None => document.attempt == 0,
        Some(record) => record.outcome == Some(AttemptOutcome::RetryRequested),
    };
    document.is_ours() && document.state == TaskState::Pending && fresh
}
