use serde::{Deserialize, Serialize};

use crate::members::Members;
use crate::{ContractError, Timestamp};

/// Maximum length of `CallbackUri` in bytes.
pub const MAX_CALLBACK_URI_BYTES: usize = 2048;

/// How far the delivery of a task's end is: `Callback` in the stored document for its `CallbackUri`, `Sink` for the
/// operator's sink. Present from the end of the task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CallbackRecord {
    /// Whether the event is still to be delivered.
    pub state: CallbackState,
    /// Number of recorded calls of the receiver.
    pub attempts: u32,
    /// When the latest recorded call ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_attempt_at: Option<Timestamp>,
    /// How the latest recorded call ended, such as `HTTP 503` or `no response in time`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_outcome: Option<String>,
    /// The next call does not start before this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_attempt_at: Option<Timestamp>,
}

/// State of the delivery of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum CallbackState {
    /// The event is to be delivered, or to be delivered again.
    Due,
    /// The receiver has confirmed it with a status from 200 to 299.
    Delivered,
    /// The receiver refused it for good, or all attempts are used; a copy with the reason is in the poison queue.
    GivenUp,
}

impl CallbackRecord {
    /// Takes the record from the member `name` of a document. Parsed by hand, like the document itself, for the size of the
    /// components.
    pub(crate) fn of(document: &Members<'_>, name: &'static str) -> Result<Option<Self>, ContractError> {
        let invalid = || ContractError::member(name, "must be an object with State");
        let Some(raw) = document.raw(name).filter(|raw| raw.get() != "null") else { return Ok(None) };
        let m = Members::parse(raw.get().as_bytes()).map_err(|_| invalid())?;
        let moment = "a date and time as RFC 3339";
        let state = match m.nullable::<String>("State", "a string")?.as_deref() {
            Some("Due") => CallbackState::Due,
            Some("Delivered") => CallbackState::Delivered,
            Some("GivenUp") => CallbackState::GivenUp,
            _ => return Err(invalid()),
        };
        Ok(Some(Self {
            state,
            attempts: m.nullable("Attempts", "a number of calls")?.unwrap_or(0),
            last_attempt_at: m.nullable("LastAttemptAt", moment)?,
            last_outcome: m.nullable("LastOutcome", "a string or null")?,
            next_attempt_at: m.nullable("NextAttemptAt", moment)?,
        }))
    }

    /// The record of an event that was not sent yet.
    #[must_use]
    pub fn due() -> Self {
        Self {
            state: CallbackState::Due,
            attempts: 0,
            last_attempt_at: None,
            last_outcome: None,
            next_attempt_at: None,
        }
    }
}
