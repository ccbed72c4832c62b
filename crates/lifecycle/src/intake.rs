//! The decision on a submission, given the document stored under its id.

use std::time::Duration;

use models::{TaskRequest, TaskState, TaskStatus, Timestamp};

use crate::{delayed, retry};

/// What to do with a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intake {
    /// No document is stored: create it, send the message, respond.
    Accept,
    /// The same content was submitted before, and its message may be missing: send it again with this delay, then
    /// respond as to the first submission. A duplicate message is harmless.
    ResendMessage(Duration),
    /// The same content was submitted before and a worker has received its message: respond as to the first
    /// submission.
    Replay,
    /// The id belongs to a task with other content: refuse.
    Different,
    /// The id belongs to a task of another caller: refuse without revealing anything about it.
    AnotherCaller,
}

/// Decides on `request` of `caller`, given the document stored under its id. `caller` is `None` if callers are not
/// distinguished.
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
    message_delay(existing, now).map_or(Intake::Replay, Intake::ResendMessage)
}

/// Returns the delay with which the message of an existing task is to be sent again, because the process that created it may
/// have crashed before it sent the message. `None` if a worker has received it.
#[must_use]
pub fn message_delay(existing: &TaskStatus, now: Timestamp) -> Option<Duration> {
    may_lack_message(existing).then(|| delayed::delay(existing, now))
}

/// Returns whether the process that wrote this document may have crashed before it sent the message. That is the
/// case from the acceptance, or from an explicit retry, until a worker has written the document.
pub(crate) fn may_lack_message(document: &TaskStatus) -> bool {
    let is_new = document.state == TaskState::Pending && document.attempt == 0 && document.history.is_empty();
    document.is_ours() && (is_new || retry::awaits_worker(document))
}
