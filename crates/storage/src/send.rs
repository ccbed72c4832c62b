//! The message of a task.

use std::time::Duration;

use models::{TaskMessage, TaskStatus};

use crate::{QueueName, StorageError, TaskQueue};

/// Sends the message of a task that is stored with `etag`: to the queue of its priority, or with a delay to the scheduled queue.
///
/// `accepted_due` says in the message that the event of the acceptance may be missing.
///
/// # Errors
/// [`StorageError`] of the queue. The message may have been put.
pub async fn send_task(
    queue: &dyn TaskQueue,
    document: &TaskStatus,
    etag: &str,
    delay: Duration,
    accepted_due: bool,
) -> Result<(), StorageError> {
    let text = TaskMessage::text_owing(document, Some(etag), accepted_due);
    let name = if delay.is_zero() { QueueName::of(document.priority) } else { QueueName::Scheduled };
    queue.send(name, &text, delay).await
}
