use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// What is put into the poison queue for a message that cannot be worked on.
///
/// Exactly one of `message` and `blob` is present: a copy that would exceed the message limit keeps the
/// original in a blob, so that nothing is cut off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PoisonCopy {
    /// Why it was given up, for people.
    pub reason: String,
    /// The original text, or its Base64 when `encoding` says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// `base64` when the original was not valid UTF-8 or holds characters that XML cannot carry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
    /// Name of the blob that holds the original, `{MessageId}-poison`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blob: Option<String>,
    /// Id of the original message.
    pub message_id: String,
    /// How often it had been delivered.
    pub dequeue_count: u32,
    /// When it was given up.
    pub poisoned_at: Timestamp,
}
