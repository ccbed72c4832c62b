use time::OffsetDateTime;

use crate::Secret;

/// When an undeleted message expires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeToLive {
    /// Never.
    Forever,
    /// Seconds from now; at least 1, and more than the initial visibility timeout.
    Seconds(u32),
}

/// A message that was put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutMessage {
    /// Id of the message.
    pub message_id: String,
    /// Allows updating and deleting the message before it is received.
    pub pop_receipt: Secret,
    /// When it was put, by storage's clock.
    pub inserted_at: OffsetDateTime,
    /// When it becomes visible, by storage's clock.
    pub next_visible_at: OffsetDateTime,
}

/// A received message.
#[derive(Clone, PartialEq, Eq)]
pub struct ReceivedMessage {
    /// Id of the message.
    pub message_id: String,
    /// The pop receipt, which proves the lease. Every update replaces it.
    pub pop_receipt: Secret,
    /// The text, exactly as it was put.
    pub text: String,
    /// The dequeue count: how often it has been received, 1 for the first time.
    pub dequeue_count: u32,
    /// When it was put, by storage's clock.
    pub inserted_at: OffsetDateTime,
    /// When the lease expires, by storage's clock.
    pub next_visible_at: OffsetDateTime,
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

/// A message that was peeked: read without receiving it.
#[derive(Clone, PartialEq, Eq)]
pub struct PeekedMessage {
    /// Id of the message.
    pub message_id: String,
    /// The text, exactly as it was put.
    pub text: String,
    /// The dequeue count, 0 if it was never received.
    pub dequeue_count: u32,
    /// When it was put, by storage's clock.
    pub inserted_at: OffsetDateTime,
}

impl std::fmt::Debug for PeekedMessage {
    /// Without text.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PeekedMessage")
            .field("message_id", &self.message_id)
            .field("dequeue_count", &self.dequeue_count)
            .finish_non_exhaustive()
    }
}

/// The lease on a message is lost: another receiver has the message, or it is deleted. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the lease on the message is lost")]
pub struct LeaseLost;

/// The lease after an update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenewedLease {
    /// The new pop receipt. The old one is no longer valid.
    pub pop_receipt: Secret,
    /// When the message becomes visible again, by storage's clock.
    pub next_visible_at: OffsetDateTime,
}
