use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::members::Members;
use crate::{ContractError, TaskId, TaskStatus};

/// Maximum size of a message text in bytes, a limit of Storage Queue (64 KiB).
pub const MAX_MESSAGE_BYTES: usize = 65_536;
/// Maximum size of a message text in bytes after XML escaping: the limit of Storage Queue for a request, less the XML
/// around the text.
const MAX_ESCAPED_BYTES: usize = 131_584 - 256;

/// Returns whether `text` can be sent as a queue message, by its size and by its size in the XML of the request, in
/// which a character takes up to six bytes.
#[must_use]
pub fn fits_message(text: &str) -> bool {
    // No character takes more than five times its own bytes, and in the message twice.
    if text.len() <= MAX_ESCAPED_BYTES / 5 {
        return true;
    }
    let (mut sent, mut escaped) = (0, 0);
    for character in text.chars() {
        let (plain, xml) = match character {
            '&' | '\r' => (1, 5),
            '<' | '>' => (1, 4),
            // Valid in JSON, not in XML: sent as JSON escapes.
            '\u{fffe}' | '\u{ffff}' => (6, 6),
            other => (other.len_utf8(), other.len_utf8()),
        };
        sent += plain;
        escaped += xml;
    }
    sent <= MAX_MESSAGE_BYTES && escaped <= MAX_ESCAPED_BYTES
}

/// Base64 as other platforms write it: with or without padding, and with any value of the unused bits of the last
/// character.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// A queue message: the task document and, in messages of this project, the ETag of the status blob.
///
/// If the document is too large, the message contains only its id, creation time and ETag.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskMessage {
    /// Id of the task.
    pub task_id: TaskId,
    /// ETag of the status blob when the message was sent, in the form of the HTTP header, with quotes.
    pub etag: Option<String>,
    /// Whether this project sent it. Its messages contain `CreatedAt`, those of the .NET API do not.
    pub is_ours: bool,
    /// [`TaskStatus::generation`] when the message was sent.
    pub generation: u32,
    /// Whether the event of the task's acceptance could not be put, so that whoever receives the message puts it.
    pub owes_accepted: bool,
    /// The document, if the message contains it.
    pub document: Option<TaskStatus>,
}

/// A queue message cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// It names no task: it is not a JSON object, or has no valid `TaskId`. Only a copy in the poison queue preserves
    /// it.
    #[error("{0}")]
    Unreadable(String),
    /// It names a task, but another member is invalid.
    #[error("{reason}")]
    Unusable {
        /// The task it names.
        task_id: TaskId,
        /// [`TaskStatus::generation`] when the message was sent; 0 if it cannot be read.
        generation: u32,
        /// What is wrong.
        reason: String,
    },
}

impl TaskMessage {
    /// Parses the text of a queue message: JSON, or JSON in Base64 (the convention of Azure Functions), with or without
    /// line breaks and padding.
    ///
    /// # Errors
    /// [`MessageError::Unreadable`] without a valid task id, otherwise [`MessageError::Unusable`].
    pub fn parse(text: &str) -> Result<Self, MessageError> {
        let trimmed = text.trim_start_matches('\u{feff}').trim();
        if trimmed.starts_with('{') {
            return Self::parse_json(trimmed.as_bytes());
        }
        // GNU base64 breaks lines after 76 characters, others after 64; .NET skips white space as well.
        let solid: String = trimmed.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        match BASE64.decode(solid) {
            Ok(bytes) => Self::parse_json(&bytes),
            Err(_) => {
                Err(MessageError::Unreadable("the text is neither a JSON object nor Base64".to_owned()))
            }
        }
    }

    fn parse_json(bytes: &[u8]) -> Result<Self, MessageError> {
        let unreadable = |error: ContractError| MessageError::Unreadable(error.to_string());
        let members = Members::parse(bytes).map_err(unreadable)?;
        let task_id = members
            .required_type::<TaskId>("TaskId", "a GUID")
            .map_err(unreadable)?
            .ok_or_else(|| unreadable(ContractError::Missing("TaskId")))?;
        let generation = members.nullable("Generation", "a number of retries").ok().flatten().unwrap_or(0);
        let unusable =
            |error: ContractError| MessageError::Unusable { task_id, generation, reason: error.to_string() };
        let etag = members.nullable::<String>("ETag", "a string").map_err(unusable)?;
        let owes_accepted = members.nullable("AcceptedDue", "true or false").map_err(unusable)?;
        let is_ours = members.contains("CreatedAt");
        let whole = members.contains("TaskName");
        // Parsed even if it contains only the id, to detect an invalid member.
        let document = TaskStatus::from_members(&members).map_err(unusable)?;
        let (owes_accepted, document) = (owes_accepted.unwrap_or(false), whole.then_some(document));
        Ok(Self { task_id, etag, is_ours, generation, owes_accepted, document })
    }

    /// Returns the message text for `document`, which is stored with `etag`: the document if it fits
    /// ([`fits_message`]), otherwise its id, creation time and ETag.
    #[must_use]
    pub fn text_for(document: &TaskStatus, etag: Option<&str>) -> String {
        Self::text_owing(document, etag, false)
    }

    /// As [`Self::text_for`], with [`Self::owes_accepted`].
    #[must_use]
    pub fn text_owing(document: &TaskStatus, etag: Option<&str>, accepted_due: bool) -> String {
        let (task_id, created_at, generation) = (document.task_id, document.created_at, document.generation);
        match whole(document, etag, accepted_due) {
            Some(text) if fits_message(&text) => text,
            _ => Reference { task_id, created_at, generation, accepted_due, etag }.text(),
        }
    }

    /// Returns the text with which to forward a message that was received as `text`: the same text if it fits. Other
    /// clients escape XML differently, so a text that they sent may be too large in our escaping; a message of this
    /// project is then reduced to its id, creation time and ETag. `None` if it names no stored document.
    #[must_use]
    pub fn text_to_forward(text: &str) -> Option<String> {
        if fits_message(text) {
            return Some(text.to_owned());
        }
        let message = Self::parse(text).ok().filter(|message| message.is_ours)?;
        let created_at = message.document.as_ref().and_then(|document| document.created_at);
        let etag = message.etag.as_deref();
        let (task_id, generation, accepted_due) =
            (message.task_id, message.generation, message.owes_accepted);
        let reference = Reference { task_id, created_at, generation, accepted_due, etag }.text();
        fits_message(&reference).then_some(reference)
    }
}

/// The members of the document, then its `ETag`. Appended to the text, because `serde(flatten)` passes each member through a
/// slower serialiser of its own.
fn whole(document: &TaskStatus, etag: Option<&str>, accepted_due: bool) -> Option<String> {
    let mut text = String::from_utf8(document.to_bytes()).ok()?;
    if accepted_due {
        text.pop();
        text.push_str(",\"AcceptedDue\":true}");
    }
    if let Some(etag) = etag {
        text.pop();
        text.push_str(",\"ETag\":");
        text.push_str(&serde_json::to_string(etag).ok()?);
        text.push('}');
    }
    Some(text)
}

/// The message of a document that does not fit.
#[derive(serde::Serialize)]
#[serde(rename_all = "PascalCase")]
struct Reference<'a> {
    task_id: TaskId,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<crate::Timestamp>,
    #[serde(skip_serializing_if = "crate::status::is_zero")]
    generation: u32,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    accepted_due: bool,
    #[serde(rename = "ETag", skip_serializing_if = "Option::is_none")]
    etag: Option<&'a str>,
}

impl Reference<'_> {
    fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}
