use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// The copy of a given-up message in the poison queue.
///
/// Either `message` or `blob` is present: if the copy would exceed the message limit, the original is stored in a blob
/// instead of being truncated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PoisonCopy {
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
