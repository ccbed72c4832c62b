//! The interface to the queues.

use std::time::Duration;

use ::azure::LeaseLost;
use models::{TaskPriority, Timestamp};

use crate::StorageFuture;

/// The queues of the project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum QueueName {
    /// `{queue}`: messages that workers receive. With `priority_queues`, those of Medium tasks.
    Tasks,
    /// `{queue}-high`: messages of High tasks. Without `priority_queues`, the same as [`Self::Tasks`].
    High,
    /// `{queue}-low`: messages of Low tasks. Without `priority_queues`, the same as [`Self::Tasks`].
    Low,
    /// `{queue}-scheduled`: messages of delayed tasks and wake-up messages of schedules, invisible until they are due.
    Scheduled,
    /// `{queue}-events`: events of ended tasks, which are delivered to receivers.
    Events,
    /// `{queue}-poison`: copies of messages that were given up.
    Poison,
}

impl QueueName {
    /// Returns the queue of the messages of tasks with this priority.
    #[must_use]
    pub fn of(priority: TaskPriority) -> Self {
        match priority {
            TaskPriority::High => Self::High,
            TaskPriority::Medium => Self::Tasks,
            TaskPriority::Low => Self::Low,
        }
    }

    /// Returns the priority whose messages the queue has; Medium for the queues that are not of one priority.
    #[must_use]
    pub fn priority(self) -> TaskPriority {
        match self {
            Self::High => TaskPriority::High,
            Self::Low => TaskPriority::Low,
            Self::Tasks | Self::Scheduled | Self::Events | Self::Poison => TaskPriority::Medium,
        }
    }

    /// Returns the queues that workers receive from, with their names in metrics.
    #[must_use]
    pub fn of_tasks(priority_queues: bool) -> &'static [(Self, &'static str)] {
        if priority_queues {
            &[(Self::High, "high"), (Self::Tasks, "tasks"), (Self::Low, "low")]
        } else {
            &[(Self::Tasks, "tasks")]
        }
    }
}

/// A message that was received, with the lease on it.
#[derive(Clone, PartialEq, Eq)]
pub struct ReceivedMessage {
    /// The queue it was received from, to which the pop receipt belongs.
    pub queue: QueueName,
    /// Id of the message.
    pub message_id: String,
    /// Proof of the lease. Every update replaces it. It is never logged.
    pub pop_receipt: String,
    /// Number of deliveries, 1 for the first.
    pub dequeue_count: u32,
    /// When the message was put.
    pub inserted_at: Timestamp,
    /// When the lease expires, by storage's clock.
    pub next_visible_at: Timestamp,
    /// Text of the message.
    pub text: String,
}

impl std::fmt::Debug for ReceivedMessage {
    /// Formats it without pop receipt and text.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReceivedMessage")
            .field("queue", &self.queue)
            .field("message_id", &self.message_id)
            .field("dequeue_count", &self.dequeue_count)
            .finish_non_exhaustive()
    }
}

/// A message as it is in the queue, read without a lease.
#[derive(Clone, PartialEq, Eq)]
pub struct PeekedMessage {
    /// Id of the message.
    pub message_id: String,
    /// When the message was put.
    pub inserted_at: Timestamp,
    /// Text of the message.
    pub text: String,
}

impl std::fmt::Debug for PeekedMessage {
    /// Formats it without text.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PeekedMessage").field("message_id", &self.message_id).finish_non_exhaustive()
    }
}

/// The queues as a sender uses them. They are created on first use. Every call can fail with
/// [`StorageError`](crate::StorageError).
pub trait TaskQueue {
    /// Puts a message that becomes visible after `delay` (at most seven days) and never expires.
    ///
    /// # Errors
    /// After [`Unavailable`](crate::StorageError::Unavailable) the message may have been put.
    fn send<'a>(&'a self, queue: QueueName, text: &'a str, delay: Duration) -> StorageFuture<'a, ()>;
}

/// The queues as the API uses them: it monitors all of them, and receives from the poison queue for operators.
pub trait MonitoredQueue: TaskReceiver {
    /// Returns the number of messages, visible or not. It is at least the true number.
    fn depth(&self, queue: QueueName) -> StorageFuture<'_, u64>;

    /// Returns when the oldest of the first 32 visible messages was put; `None` if there is none.
    fn oldest(&self, queue: QueueName) -> StorageFuture<'_, Option<Timestamp>>;

    /// Returns the first 32 visible messages without receiving them. Storage Queue has no way to read further.
    fn peek(&self, queue: QueueName) -> StorageFuture<'_, Vec<PeekedMessage>>;
}

/// The queues as a receiver uses them. A lease hides a received message from other receivers.
pub trait TaskReceiver: TaskQueue {
    /// Receives up to `count` (1 to 32) messages with a lease of `visibility`.
    fn receive(
        &self,
        queue: QueueName,
        count: u32,
        visibility: Duration,
    ) -> StorageFuture<'_, Vec<ReceivedMessage>>;

    /// Hides the message for `visibility` from now (zero makes it visible at once), and replaces its text if one is
    /// given. Returns the new pop receipt; the old one is no longer valid.
    ///
    /// # Errors
    /// After [`Unavailable`](crate::StorageError::Unavailable) the old pop receipt may no longer be valid.
    fn update<'a>(
        &'a self,
        message: &'a ReceivedMessage,
        visibility: Duration,
        text: Option<&'a str>,
    ) -> StorageFuture<'a, Result<String, LeaseLost>>;

    /// Deletes the message.
    fn delete<'a>(&'a self, message: &'a ReceivedMessage) -> StorageFuture<'a, Result<(), LeaseLost>>;
}
