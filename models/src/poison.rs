use serde::{Deserialize, Serialize};

use crate::members::Members;
use crate::status::is_zero;
use crate::{TaskId, Timestamp};

/// [`PoisonCopy::kind`] of the message of an event.
pub const EVENT_KIND: &str = "event";

/// The copy of a given-up message in the poison queue.
///
/// Either `message` or `blob` is present: if the copy would exceed the message limit, the original is stored in a blob
/// instead of being truncated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PoisonCopy {
    /// What was given up, if it is not the message of a task: `event` for the delivery of an event. A copy with a kind is
    /// never replayed as a task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Why the message was given up, as text for people.
    pub reason: String,
    /// The original text, or its Base64 if `encoding` is `base64`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// `base64` if the original contains characters that are not valid in XML.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
    /// Name of the blob that contains the original, `{MessageId}-poison`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blob: Option<String>,
    /// Id of the original message.
    pub message_id: String,
    /// Dequeue count of the original message.
    pub dequeue_count: u32,
    /// When the message was given up.
    pub poisoned_at: Timestamp,
}

impl PoisonCopy {
    /// Parses the text of a message in the poison queue; `None` if it is not such a copy.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let members = Members::parse(text.as_bytes()).ok()?;
        let string = |name| members.optional::<String>(name);
        let (kind, message, encoding) = (string("Kind")?, string("Message")?, string("Encoding")?);
        let (blob, reason, message_id) = (string("Blob")?, string("Reason")??, string("MessageId")??);
        let dequeue_count = members.valid("DequeueCount")?;
        let poisoned_at = members.valid("PoisonedAt")?;
        Some(Self { kind, reason, message, encoding, blob, message_id, dequeue_count, poisoned_at })
    }
}

/// A message in the poison queue as the API shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PoisonMessage {
    /// Id of the message in the poison queue.
    #[cfg_attr(feature = "openapi", schema(format = "uuid"))]
    pub id: String,
    /// When it was put into the poison queue.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = "date-time"))]
    pub inserted_date_time: Timestamp,
    /// Why the original message was given up. Absent if another program put the message here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What was given up: `event` for the delivery of an event; absent for the message of a task. Another kind cannot be
    /// replayed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The task that the original message names, or that the event is of. Absent if it names none, and in a list if the
    /// original is in a blob.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = "uuid"))]
    pub task_id: Option<TaskId>,
    /// Id of the original message. Two copies of one message have the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original_message_id: Option<String>,
    /// How often the original message was received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dequeue_count: Option<u32>,
    /// Name of the blob that contains the original, if the copy does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blob: Option<String>,
    /// The text of the original message. Absent in a list, and if its blob does not exist any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original: Option<String>,
}

/// The response to `GET /poison`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PoisonList {
    /// The first visible messages, at most 32, without their originals.
    pub value: Vec<PoisonMessage>,
    /// Number of messages in the poison queue, those that another request holds included. At least the true number.
    pub count: u64,
}

/// The response to `POST /poison:replay` and `POST /poison:delete`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PoisonReport {
    /// Number of messages that this request replayed or removed.
    pub changed: u32,
    /// Number of messages that cannot be replayed. They stay in the poison queue.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub skipped: u32,
    /// Number of messages for which a request to storage failed; the log has the causes. They stay in the poison queue.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failed: u32,
    /// Number of messages that are left in the poison queue, at least the true number. Absent if storage did not return it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<u64>,
}
