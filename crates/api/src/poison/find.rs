//! Receiving one message of the poison queue by its id.

use std::time::Duration;

use service::log::Line;
use storage::{QueueName, ReceivedMessage, StorageError};

use crate::http::route::MessageId;
use crate::tasks::Tasks;

/// Messages per Get Messages, the limit of Storage Queue.
pub(super) const BATCH_MESSAGES: u32 = 32;
/// Get Messages of one scan.
const MAX_BATCHES: u32 = 10;
/// Messages that a scan receives at most.
pub(super) const MAX_SCANNED: u32 = BATCH_MESSAGES * MAX_BATCHES;
/// The lease on received messages. After a crash of this instance they are visible again at the latest then.
pub(super) const LEASE: Duration = Duration::from_secs(60);
/// No further message is made visible after this time; the leases of the rest end soon.
const MAX_RELEASE_TIME: Duration = Duration::from_secs(10);

/// Receives the message; `None` if it is not among the first [`MAX_SCANNED`] visible ones. Makes the others visible again.
///
/// # Errors
/// Messages cannot be received.
pub(super) async fn receive_one(
    tasks: &Tasks,
    id: MessageId,
) -> Result<Option<ReceivedMessage>, StorageError> {
    let mut others = Vec::new();
    let found = scan(tasks, id, &mut others).await;
    release(tasks, others).await;
    found
}

async fn scan(
    tasks: &Tasks,
    id: MessageId,
    others: &mut Vec<ReceivedMessage>,
) -> Result<Option<ReceivedMessage>, StorageError> {
    for _ in 0..MAX_BATCHES {
        let mut batch = tasks.queue.receive(QueueName::Poison, BATCH_MESSAGES, LEASE).await?;
        let is_last = batch.len() < BATCH_MESSAGES as usize;
        let at = batch.iter().position(|message| id.is(&message.message_id));
        let found = at.map(|at| batch.swap_remove(at));
        others.extend(batch);
        if found.is_some() || is_last {
            return Ok(found);
        }
    }
    Ok(None)
}

/// Makes messages visible again. Where that fails, or takes too long, they are visible when their leases end.
pub(super) async fn release(tasks: &Tasks, messages: Vec<ReceivedMessage>) {
    let begin = tasks.env.instant();
    // One after the other: the first failure then ends it, and the component has less code.
    for message in &messages {
        if tasks.env.instant().since(begin) >= MAX_RELEASE_TIME {
            return;
        }
        if let Err(error) = tasks.queue.update(message, Duration::ZERO, None).await {
            let line = Line::warn("poison messages stay hidden until their leases end");
            tasks.env.log(&line.with("cause", error.to_string()));
            return;
        }
    }
}
