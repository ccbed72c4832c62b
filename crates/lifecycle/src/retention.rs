//! How long a terminal task is kept, and what is deleted with it.

use std::time::Duration;

use models::{AttemptOutcome, DeliveryId, TaskId, TaskStatus, Timestamp};

/// Returns when a task that becomes terminal `now` may be purged.
#[must_use]
pub fn expires_at(now: Timestamp, retention: Duration) -> Timestamp {
    now.plus(retention)
}

/// Returns whether the task is terminal and its retention is over. Documents without `ExpiresAt`, such as those
/// that the .NET worker wrote, are left to the lifecycle rule of the storage account.
#[must_use]
pub fn is_expired(document: &TaskStatus, now: Timestamp) -> bool {
    document.state.is_terminal() && document.expires_at.is_some_and(|moment| moment <= now)
}

/// Characters of a message id that are used in the name of a result. Ids of Storage Queue have 36.
const MAX_MESSAGE_ID_CHARS: usize = 64;

/// Returns the name of the blob for the result of one attempt.
///
/// The name contains the delivery, so that no worker overwrites or deletes the result of another one. The number of
/// the attempt is not enough: if a task is deleted and submitted again with the same id, its attempts start at 1
/// again while a worker of the deleted task may still run.
#[must_use]
pub fn result_name(id: TaskId, attempt: u32, delivery: &DeliveryId) -> String {
    // Other clients may write documents; no content of a document may lead to a name of another form.
    let is_plain = |c: &char| c.is_ascii_alphanumeric() || *c == '-';
    let message: String = delivery.message_id.chars().filter(is_plain).take(MAX_MESSAGE_ID_CHARS).collect();
    format!("{id}-result-{attempt}-{message}-{}", delivery.dequeue_count)
}

/// The name in earlier releases.
fn former_result_name(id: TaskId, attempt: u32) -> String {
    format!("{id}-result-{attempt}")
}

/// Returns the result blobs to delete before the document: its result, and those of attempts that may have stored a
/// result and then lost their lease.
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
