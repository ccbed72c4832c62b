use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::members::Members;
use crate::{ContractError, TaskId, TaskStatus};

/// Largest text of a queue message, in bytes (Azure Storage Queue: 64 KiB).
pub const MESSAGE_LIMIT_BYTES: usize = 65_536;
/// Largest request that carries a message (Azure Storage Queue), less the XML around the text.
const ESCAPED_LIMIT_BYTES: usize = 131_584 - 256;

/// Whether `text` can be sent as a queue message: by its own size, and by its size as the XML that
/// carries it, in which a character takes up to six bytes.
#[must_use]
pub fn fits_message(text: &str) -> bool {
    let (mut sent, mut escaped) = (0, 0);
    for character in text.chars() {
        let (plain, xml) = match character {
            '&' | '\r' => (1, 5),
            '<' | '>' => (1, 4),
            // Valid in JSON, not in XML: sent as the escapes of JSON.
            '\u{fffe}' | '\u{ffff}' => (6, 6),
            other => (other.len_utf8(), other.len_utf8()),
        };
        sent += plain;
        escaped += xml;
    }
    sent <= MESSAGE_LIMIT_BYTES && escaped <= ESCAPED_LIMIT_BYTES
}

/// Base64 as writers of other platforms have it: with or without padding, whatever the bits that the last
/// character does not need.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// A queue message: the task document plus, in ours, the ETag the status blob had when it was sent.
///
/// A document too large for a message is sent as its id, creation time and ETag only.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskMessage {
    /// Which task the message is about.
    pub task_id: TaskId,
    /// ETag of the status blob when the message was sent, as in the HTTP header, quotes included.
    pub etag: Option<String>,
    /// Whether this project sent it: our messages carry `CreatedAt`, those of the .NET API do not.
    pub is_ours: bool,
    /// [`TaskStatus::generation`] when the message was sent.
    pub generation: u32,
    /// The whole document, when the message carries one.
    pub document: Option<TaskStatus>,
}

/// Why a queue message cannot be used as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// It names no task: not JSON, not an object, or without a usable `TaskId`. Only a copy in the
    /// poison queue can keep it.
    #[error("{0}")]
    Unreadable(String),
    /// It names a task, but another member cannot be used.
    #[error("{reason}")]
    Unusable {
        /// The task it names.
        task_id: TaskId,
        /// [`TaskStatus::generation`] when the message was sent, as far as it can be read.
        generation: u32,
        /// What is wrong.
        reason: String,
    },
}

impl TaskMessage {
    /// Reads the text of a queue message: JSON, or JSON in Base64 as the Azure Functions convention has it,
    /// with or without line breaks and padding.
    ///
    /// # Errors
    /// [`MessageError::Unreadable`] without a usable task id, otherwise [`MessageError::Unusable`].
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
        let task_id = Members::parse(bytes)
            .and_then(|mut members| members.required_type::<TaskId>("TaskId", "a GUID"))
            .map_err(unreadable)?
            .ok_or_else(|| unreadable(ContractError::Missing("TaskId")))?;
        let generation = Members::parse(bytes)
            .and_then(|mut members| members.nullable("Generation", "a number of retries"))
            .ok()
            .flatten()
            .unwrap_or(0);
        let unusable =
            |error: ContractError| MessageError::Unusable { task_id, generation, reason: error.to_string() };
        let mut members = Members::parse(bytes).map_err(unusable)?;
        let etag = members.nullable::<String>("ETag", "a string").map_err(unusable)?;
        let is_ours = members.contains("CreatedAt");
        let whole = members.contains("TaskName");
        // Parsed even when it carries only the id, so that a broken member is found.
        let document = TaskStatus::from_members(members).map_err(unusable)?;
        Ok(Self { task_id, etag, is_ours, generation, document: whole.then_some(document) })
    }

    /// The text to send for `document`, stored under `etag`: the whole document when it fits
    /// ([`fits_message`]), otherwise its id, creation time and ETag.
    #[must_use]
    pub fn text_for(document: &TaskStatus, etag: Option<&str>) -> String {
        #[derive(serde::Serialize)]
        struct Whole<'a> {
            #[serde(flatten)]
            document: &'a TaskStatus,
            #[serde(rename = "ETag", skip_serializing_if = "Option::is_none")]
            etag: Option<&'a str>,
        }
        let (task_id, created_at, generation) = (document.task_id, document.created_at, document.generation);
        match serde_json::to_string(&Whole { document, etag }) {
            Ok(text) if fits_message(&text) => text,
            _ => Reference { task_id, created_at, generation, etag }.text(),
        }
    }

    /// The text to send on for a message that was received as `text`: the same when it fits. Other writers
    /// spell XML otherwise, so that what they sent may be too large as we send it; a message of ours then
    /// becomes its id, creation time and ETag. `None` when it names no stored document to refer to.
    #[must_use]
    pub fn text_to_forward(text: &str) -> Option<String> {
        if fits_message(text) {
            return Some(text.to_owned());
        }
        let message = Self::parse(text).ok().filter(|message| message.is_ours)?;
        let created_at = message.document.as_ref().and_then(|document| document.created_at);
        let etag = message.etag.as_deref();
        let (task_id, generation) = (message.task_id, message.generation);
        let reference = Reference { task_id, created_at, generation, etag }.text();
        fits_message(&reference).then_some(reference)
    }
}

/// What is sent of a document that does not fit.
#[derive(serde::Serialize)]
#[serde(rename_all = "PascalCase")]
struct Reference<'a> {
    task_id: TaskId,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<crate::Timestamp>,
    #[serde(skip_serializing_if = "crate::status::is_zero")]
    generation: u32,
    #[serde(rename = "ETag", skip_serializing_if = "Option::is_none")]
    etag: Option<&'a str>,
}

impl Reference<'_> {
    fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}
