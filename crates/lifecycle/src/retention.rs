//! How long a terminal task is kept, and what is deleted with it.

use std::time::Duration;

use models::{AttemptOutcome, TaskId, TaskStatus, Timestamp};

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

/// Name of the blob that holds the result of one attempt. An attempt belongs to one worker, so no
/// worker overwrites another's result.
#[must_use]
pub fn result_name(id: TaskId, attempt: u32) -> String {
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
        let name = result_name(document.task_id, record.attempt);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}
