//! Where messages wait.

use std::time::Duration;

use ::azure::LeaseLost;
use models::Timestamp;

use crate::StorageFuture;

/// Which of the queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum QueueName {
    /// Messages ready for a worker.
    Tasks,
    /// `{queue}-scheduled`: messages of tasks that may not start yet, invisible until then.
    Scheduled,
    /// `{queue}-poison`: copies of messages that were given up.
    Poison,
}

/// A message that was received, with the lease on it.
#[derive(Clone, PartialEq, Eq)]
pub struct ReceivedMessage {
    /// Id of the message.
    pub message_id: String,
    /// Proof of the lease; replaced by every update. Never logged.
    pub pop_receipt: String,
    /// How often the message has been delivered, 1 for the first time.
    pub dequeue_count: u32,
    /// When the message was put.
    pub inserted_at: Timestamp,
    /// When the lease runs out, by storage's clock.
    pub next_visible_at: Timestamp,
    /// The message's text.
    pub text: String,
}

impl std::fmt::Debug for ReceivedMessage {
    /// Without receipt and text.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReceivedMessage")
            .field("message_id", &self.message_id)
            .field("dequeue_count", &self.dequeue_count)
            .finish_non_exhaustive()
    }
}

/// Where messages wait. Queues are made on first use.
pub trait TaskQueue {
    /// Puts a message that becomes visible after `delay` (at most seven days) and never expires.
    ///
    /// # Errors
    /// [`StorageError`]; when it is [`StorageError::Unavailable`] the message may have been put.
    fn send<'a>(&'a self, queue: QueueName, text: &'a str, delay: Duration) -> StorageFuture<'a, ()>;
}

/// A queue that tells how much waits in it.
pub trait MonitoredQueue: TaskQueue {
    /// How many messages there are, visible or not; at least the true number.
    ///
    /// # Errors
    /// [`StorageError`].
    fn depth(&self, queue: QueueName) -> StorageFuture<'_, u64>;

    /// When the oldest visible message was put, from a look at the first 32; `None` when there is none.
    ///
    /// # Errors
    /// [`StorageError`].
    fn oldest(&self, queue: QueueName) -> StorageFuture<'_, Option<Timestamp>>;
}

/// A queue whose messages can be received. A received message is leased: hidden from others for a while.
pub trait TaskReceiver: TaskQueue {
    /// Receives up to `count` (1 to 32) messages, hidden from others for `visibility`.
    ///
    /// # Errors
    /// [`StorageError`].
    fn receive(
        &self,
        queue: QueueName,
        count: u32,
        visibility: Duration,
    ) -> StorageFuture<'_, Vec<ReceivedMessage>>;

    /// Hides the message for `visibility` from now (zero: gives it back at once), and replaces its text when
    /// one is given. Answers with the new pop receipt; the old one is dead.
    ///
    /// # Errors
    /// [`StorageError`]; when it is [`StorageError::Unavailable`] the receipt may be dead.
    fn update<'a>(
        &'a self,
        queue: QueueName,
        message: &'a ReceivedMessage,
        visibility: Duration,
        text: Option<&'a str>,
    ) -> StorageFuture<'a, Result<String, LeaseLost>>;

    /// Deletes the message.
    ///
    /// # Errors
    /// [`StorageError`].
    fn delete<'a>(
        &'a self,
        queue: QueueName,
        message: &'a ReceivedMessage,
    ) -> StorageFuture<'a, Result<(), LeaseLost>>;
}
