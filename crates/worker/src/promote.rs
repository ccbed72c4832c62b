//! Promotion: moves messages that have become visible in the scheduled queue to the queue of their task.
//!
//! Messages that wake schedules up are in the same queue. `lifecycle::delayed` decides when: a busy drain checks every five
//! seconds, so that a delayed task starts at most a few seconds late.

use std::time::Duration;

use lifecycle::delayed::promotion_is_due;
use models::{TaskMessage, WakeUp};
use service::concurrent;
use storage::{QueueName, Read, ReceivedMessage, StorageError};

use crate::engine::Engine;
use crate::poison::poison;
use crate::schedules::{ReceivedWakeUp, fire_due, is_check_due};

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

/// Moves the messages that are due, and creates the tasks of schedules that are due. Returns the number of both.
pub(crate) async fn promote(engine: &Engine, is_idle: bool) -> u32 {
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
                engine.log_failure("scheduled messages could not be received", &error);
                break;
            }
        };
        let received = due.len();
        let (wake_ups, due) = wake_ups(due);
        let moved = concurrent::all(due.iter().map(|message| move_to_tasks(engine, message))).await;
        if !wake_ups.is_empty() {
            promoted += fire_due(engine, &wake_ups).await;
        }
        promoted += u32::try_from(moved.iter().filter(|moved| **moved).count()).unwrap_or(u32::MAX);
        let is_last = received < BATCH_MESSAGES as usize;
        if is_last || moved.contains(&false) {
            break;
        }
    }
    if is_check_due(engine, is_idle) {
        promoted += fire_due(engine, &[]).await;
    }
    promoted
}

/// Separates wake-up messages of schedules from messages of tasks.
fn wake_ups(due: Vec<ReceivedMessage>) -> (Vec<ReceivedWakeUp>, Vec<ReceivedMessage>) {
    let (mut wake_ups, mut tasks) = (Vec::new(), Vec::new());
    for message in due {
        match WakeUp::parse(&message.text) {
            Some(wake_up) => wake_ups.push(ReceivedWakeUp { message, wake_up }),
            None => tasks.push(message),
        }
    }
    (wake_ups, tasks)
}

/// The queue of the task that a message names. A message without a usable document goes to the queue in the middle.
async fn queue_of(engine: &Engine, text: &str) -> QueueName {
    if !engine.settings.storage.priority_queues {
        return QueueName::Tasks;
    }
    let Ok(message) = TaskMessage::parse(text) else { return QueueName::Tasks };
    let priority = match message.document {
        Some(document) => Some(document.priority),
        // The document was too large for the message.
        None => match engine.store.read(message.task_id, None).await {
            Ok(Read::Found(stored)) => Some(stored.document.priority),
            _ => None,
        },
    };
    priority.map_or(QueueName::Tasks, QueueName::of)
}

/// Sends the message before deleting it, so that a crash in between leaves a duplicate. Returns whether it was moved or
/// given up.
async fn move_to_tasks(engine: &Engine, message: &ReceivedMessage) -> bool {
    // A message of another program may be too large.
    let sent = match TaskMessage::text_to_forward(&message.text) {
        Some(text) => engine.queue.send(queue_of(engine, &text).await, &text, Duration::ZERO).await,
        None => Err(StorageError::Refused("it does not fit into a message".to_owned())),
    };
    match sent {
        Ok(()) => {}
        Err(StorageError::Refused(reason)) if message.dequeue_count > engine.policy.max_dequeue_count => {
            // Storage refuses this message at every try.
            let reason = format!("cannot be moved to the task queue: {reason}");
            return poison(engine, message, &reason).await.is_ok();
        }
        Err(error) => {
            engine.log_failure("a scheduled message could not be moved", &error);
            return false;
        }
    }
    if let Err(error) = engine.queue.delete(message).await {
        engine.log_failure("a moved message could not be deleted", &error);
    }
    true
}
