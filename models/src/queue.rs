use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// The response to `GET /queue`, `POST /queue:pause` and `POST /queue:resume`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct QueueState {
    /// Whether the queue can be paused (`queue_pause`).
    pub can_pause: bool,
    /// Whether the queue is paused: workers finish running tasks and receive no messages.
    pub paused: bool,
    /// When the pause was requested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = "date-time"))]
    pub paused_date_time: Option<Timestamp>,
    /// Age of the oldest visible message of the task queues in seconds; absent without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_message_seconds: Option<u64>,
    /// The queues and their lengths. One whose length storage does not return is omitted.
    pub queues: Vec<QueueDepth>,
}

/// The length of one queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct QueueDepth {
    /// `tasks`, `scheduled` or `poison`; with `priority_queues` also `high` and `low`, with receivers or a sink of events also
    /// `events`.
    pub name: String,
    /// Number of messages, visible or not; at least the true number.
    pub messages: u64,
}
