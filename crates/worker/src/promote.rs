//! Promotion: moves messages that have become visible in the scheduled queue to the task queue.
//!
//! `lifecycle::schedule` decides when. A drain that has work needs no request for it, and a delayed task starts at most
//! a few seconds late.

use std::time::Duration;

use futures::future::join_all;
use lifecycle::schedule::promotion_is_due;
use models::TaskMessage;
use storage::{QueueName, ReceivedMessage, StorageError};

use crate::engine::Engine;
use crate::poison::poison;

/// Messages per Get Messages.
const BATCH_MESSAGES: u32 = 32;
/// Batches per check.
const MAX_BATCHES: u32 = 8;

/// Whether this drain checks the scheduled queue.
pub(crate) fn is_due(engine: &Engine, is_idle: bool) -> bool {
    let now = engine.env.instant();
    let since_check = engine.promoted_at.get().map(|last| now.since(last));
    promotion_is_due(is_idle, since_check, now.since(engine.started_at))
}

/// Moves what is due, and says how many messages that were.
pub(crate) async fn promote(engine: &Engine) -> u32 {
    engine.promoted_at.set(Some(engine.env.instant()));
    let mut promoted = 0;
    for _ in 0..MAX_BATCHES {
        let due = match engine
            .queue
            .receive(QueueName::Scheduled, BATCH_MESSAGES, engine.settings.visibility)
            .await
        {
            Ok(due) => due,
            Err(error) => {
                engine.note("scheduled messages could not be received", &error);
                break;
            }
        };
        let moved = join_all(due.iter().map(|delivery| move_to_tasks(engine, delivery))).await;
        promoted += u32::try_from(moved.iter().filter(|moved| **moved).count()).unwrap_or(u32::MAX);
        let is_last = due.len() < BATCH_MESSAGES as usize;
        if is_last || moved.contains(&false) {
            break;
        }
    }
    promoted
}

/// Puts, then deletes: a crash in between leaves a duplicate, never a loss.
async fn move_to_tasks(engine: &Engine, delivery: &ReceivedMessage) -> bool {
    // Nothing of ours is too large to be sent on; a message of others may be.
    let sent = match TaskMessage::text_to_forward(&delivery.text) {
        Some(text) => engine.queue.send(QueueName::Tasks, &text, Duration::ZERO).await,
        None => Err(StorageError::Refused("it does not fit into a message".to_owned())),
    };
    match sent {
        Ok(()) => {}
        Err(StorageError::Refused(reason)) if delivery.dequeue_count > engine.policy.max_dequeue_count => {
            // No try of this message will ever be accepted.
            return poison(
                engine,
                QueueName::Scheduled,
                delivery,
                &format!("cannot be moved to the task queue: {reason}"),
            )
            .await
            .is_ok();
        }
        Err(error) => {
            engine.note("a scheduled message could not be moved", &error);
            return false;
        }
    }
    if let Err(error) = engine.queue.delete(QueueName::Scheduled, delivery).await {
        engine.note("a moved message could not be deleted", &error);
    }
    true
}
