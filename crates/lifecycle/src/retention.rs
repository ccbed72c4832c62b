//! How long a terminal task is kept, and what is deleted with it.

use std::time::Duration;

use models::{AttemptOutcome, DeliveryId, TaskId, TaskStatus, Timestamp};

/// When a task that became terminal `now` may be purged.
#[must_use]
pub fn expires_at(now: Timestamp, retention: Duration) -> Timestamp {
    now.plus(retention)
}

/// Whether the task is terminal and its time is over. Documents without `ExpiresAt`, such as those the
/// .NET worker finished, are left to the storage account's own lifecycle rule.
#[must_use]
pub fn is_expired(document: &TaskStatus, now: Timestamp) -> bool {
    document.state.is_terminal() && document.expires_at.is_some_and(|moment| moment <= now)
}

/// Longest part of a result's name that comes from a message id, in characters; storage's have 36.
const LONGEST_MESSAGE_ID: usize = 64;

/// Name of the blob that holds the result of one attempt. No two deliveries are the same, so that no worker
/// overwrites, or removes, another's result: not even a late one of a task that was deleted and submitted
/// again under its id, whose attempts are counted from 1 once more.
#[must_use]
pub fn result_name(id: TaskId, attempt: u32, delivery: &DeliveryId) -> String {
    // Documents may be written by others; nothing in one leads to other names than these.
    let is_plain = |c: &char| c.is_ascii_alphanumeric() || *c == '-';
    let message: String = delivery.message_id.chars().filter(is_plain).take(LONGEST_MESSAGE_ID).collect();
    format!("{id}-result-{attempt}-{message}-{}", delivery.dequeue_count)
}

/// What earlier releases called it.
fn former_result_name(id: TaskId, attempt: u32) -> String {
    format!("{id}-result-{attempt}")
}

/// The result blobs to delete before the document: its result, and those that attempts may have left
/// behind which lost their claim after they had stored a result.
#[must_use]
pub fn attachments(document: &TaskStatus) -> Vec<String> {
    let mut names: Vec<String> = document.result_blob.iter().map(|blob| blob.name.clone()).collect();
    let left_behind =
        |outcome| matches!(outcome, None | Some(AttemptOutcome::Abandoned | AttemptOutcome::Cancelled));
    for record in document.history.iter().filter(|record| left_behind(record.outcome)) {
        let own = record.delivery.as_ref().map(|id| result_name(document.task_id, record.attempt, id));
        for name in own.into_iter().chain([former_result_name(document.task_id, record.attempt)]) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names
}
