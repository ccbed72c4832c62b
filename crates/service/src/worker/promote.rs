//! Moves messages that have become visible in the scheduled queue to the task queue.
//!
//! When to look costs a request each time, so: a drain that found nothing looks, unless one of this
//! instance did so within two seconds; a busy one looks every five seconds. A drain that has work therefore
//! needs no request for it, and a scheduled task starts at most a few seconds late.

use std::time::Duration;

use futures::future::join_all;
use models::TaskMessage;

use super::engine::Engine;
use crate::env::Env;
use crate::storage::{Delivery, QueueName, StatusStore, StorageError, TaskQueue};

const IDLE_PAUSE: Duration = Duration::from_secs(2);
const BUSY_PAUSE: Duration = Duration::from_secs(5);
/// Most messages of one batch, and most batches of one look.
const BATCH: u32 = 32;
const BATCHES: u32 = 8;

impl<E: Env, S: StatusStore, Q: TaskQueue> Engine<E, S, Q> {
    /// Whether an idle drain looks.
    pub(super) fn promotion_is_due(&self) -> bool {
        self.promoted_at.get().is_none_or(|last| self.env.instant().since(last) >= IDLE_PAUSE)
    }

    /// Whether a busy drain looks.
    pub(super) fn promotion_is_overdue(&self) -> bool {
        self.env.instant().since(self.promoted_at.get().unwrap_or(self.started_at)) >= BUSY_PAUSE
    }

    /// Moves what is due, and says how many messages that were.
    pub(super) async fn promote(&self) -> u32 {
        self.promoted_at.set(Some(self.env.instant()));
        let mut promoted = 0;
        for _ in 0..BATCHES {
            let due = match self.queue.receive(QueueName::Scheduled, BATCH, self.settings.visibility).await {
                Ok(due) => due,
                Err(error) => {
                    self.note("scheduled messages could not be received", &error);
                    break;
                }
            };
            let moved = join_all(due.iter().map(|delivery| self.move_to_tasks(delivery))).await;
            promoted += u32::try_from(moved.iter().filter(|moved| **moved).count()).unwrap_or(u32::MAX);
            let is_last = due.len() < BATCH as usize;
            if is_last || moved.contains(&false) {
                break;
            }
        }
        promoted
    }

    /// Puts, then deletes: a crash in between leaves a duplicate, never a loss.
    async fn move_to_tasks(&self, delivery: &Delivery) -> bool {
        // Nothing of ours is too large to be sent on; a message of others may be.
        let sent = match TaskMessage::text_to_forward(&delivery.text) {
            Some(text) => self.queue.send(QueueName::Tasks, &text, Duration::ZERO).await,
            None => Err(StorageError::Refused("it does not fit into a message".to_owned())),
        };
        match sent {
            Ok(()) => {}
            Err(StorageError::Refused(reason)) if delivery.dequeue_count > self.policy.max_dequeue_count => {
                // No try of this message will ever be accepted.
                return self
                    .poison(
                        QueueName::Scheduled,
                        delivery,
                        &format!("cannot be moved to the task queue: {reason}"),
                    )
                    .await
                    .is_ok();
            }
            Err(error) => {
                self.note("a scheduled message could not be moved", &error);
                return false;
            }
        }
        if let Err(error) = self.queue.delete(QueueName::Scheduled, delivery).await {
            self.note("a moved message could not be deleted", &error);
        }
        true
    }
}
