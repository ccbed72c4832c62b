//! The interface to the queues.

use std::time::Duration;

use ::azure::LeaseLost;
use models::Timestamp;

use crate::StorageFuture;

/// The queues of the project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum QueueName {
    /// `{queue}`: messages that workers receive.
    Tasks,
    /// `{queue}-scheduled`: messages of delayed tasks, invisible until the tasks are due.
    Scheduled,
    /// `{queue}-poison`: copies of messages that were given up.
    Poison,
}

/// A message that was received, with the lease on it.
#[derive(Clone, PartialEq, Eq)]
pub struct ReceivedMessage {
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
            .field("message_id", &self.message_id)
            .field("dequeue_count", &self.dequeue_count)
            .finish_non_exhaustive()
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

/// The queues as the API monitors them.
pub trait MonitoredQueue: TaskQueue {
    /// Returns the number of messages, visible or not. It is at least the true number.
    fn depth(&self, queue: QueueName) -> StorageFuture<'_, u64>;

    /// Returns when the oldest of the first 32 visible messages was put; `None` if there is none.
    fn oldest(&self, queue: QueueName) -> StorageFuture<'_, Option<Timestamp>>;
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
        queue: QueueName,
        message: &'a ReceivedMessage,
        visibility: Duration,
        text: Option<&'a str>,
    ) -> StorageFuture<'a, Result<String, LeaseLost>>;

    /// Deletes the message.
    fn delete<'a>(
        &'a self,
        queue: QueueName,
        message: &'a ReceivedMessage,
    ) -> StorageFuture<'a, Result<(), LeaseLost>>;
}
