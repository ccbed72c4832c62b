//! The replay of a poison message: the task of a message that was given up is queued again.
//!
//! The stored document decides, as for every message. A replay is therefore repeatable: if it is interrupted, the message
//! is still in the poison queue, and the next replay finds the task queued or running and sends a second message, which is
//! harmless.

use models::{MessageError, TaskId, TaskMessage, TaskState, TaskStatus, Timestamp};

use crate::retry::{Retry, retry};

/// What to do to replay a message. Afterwards it is deleted from the poison queue.
#[derive(Debug, Clone, PartialEq)]
pub enum Replay {
    /// The task has failed: write this document (If-Match), then send its message.
    Retry(Box<TaskStatus>),
    /// The task has not ended, and its message may be missing: send the message of the document.
    SendMessage,
    /// Send the original. The document does not exist yet or is that of the .NET API, whose state means nothing.
    SendOriginal,
    /// Nothing can be replayed; the message stays in the poison queue.
    Refuse(Refusal),
}

/// Why a message cannot be replayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The message names no task, so a worker would give it up again.
    NamesNoTask,
    /// The document was deleted, or another program sent a message for a task that it did not store.
    TaskIsGone,
    /// The task has ended in this state.
    Ended(TaskState),
}

/// Returns the task that a message names.
#[must_use]
pub fn task_of(message: &Result<TaskMessage, MessageError>) -> Option<TaskId> {
    match message {
        Ok(message) => Some(message.task_id),
        Err(MessageError::Unusable { task_id, .. }) => Some(*task_id),
        Err(MessageError::Unreadable(_)) => None,
    }
}

/// Decides on the request of caller `by` to replay `message`, whose task has this document.
#[must_use]
pub fn replay(
    message: &Result<TaskMessage, MessageError>,
    document: Option<&TaskStatus>,
    by: Option<&str>,
    now: Timestamp,
) -> Replay {
    let is_foreign = message.as_ref().is_ok_and(|message| !message.is_ours);
    match document {
        _ if task_of(message).is_none() => Replay::Refuse(Refusal::NamesNoTask),
        None if is_foreign => Replay::SendOriginal,
        None => Replay::Refuse(Refusal::TaskIsGone),
        Some(document) if is_foreign && document.created_at.is_none() => Replay::SendOriginal,
        Some(document) => match (retry(document, by, now), document.state) {
            (Retry::Again(next), _) => Replay::Retry(next),
            (Retry::NotFailed, TaskState::Pending | TaskState::InProgress) => Replay::SendMessage,
            (Retry::NotFailed, state) => Replay::Refuse(Refusal::Ended(state)),
        },
    }
}
