use serde::Serialize;

use crate::members::Members;
use crate::{TaskId, TaskStatus, Timestamp};

/// A message of the queue `{queue}-events`: the end of a task, which is to be delivered to its `CallbackUri`.
///
/// It names the end and does not describe it: the stored document does. It has no member `TaskId`, so that a worker that
/// finds it in the task queue by mistake does not take it for a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct EventMessage {
    /// The task that ended.
    pub event_of: TaskId,
    /// When it ended. It distinguishes the ends of a task that was retried, or deleted and submitted again.
    pub ended_at: Timestamp,
    /// Number of recorded calls after which the message was hidden for a pause. It says that storage's clock has measured the
    /// pause after that call.
    #[serde(skip_serializing_if = "is_zero")]
    pub called: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl EventMessage {
    /// Returns the message for the event of `document`; `None` if no event is due.
    #[must_use]
    pub fn of(document: &TaskStatus) -> Option<Self> {
        let ended_at = document.finished_at.filter(|_| document.is_event_due())?;
        Some(Self { event_of: document.task_id, ended_at, called: 0 })
    }

    /// Parses the text of a message.
    ///
    /// # Errors
    /// A sentence for the operator if the text is no such message.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let parse = || {
            let members = Members::parse(text.as_bytes()).ok()?;
            let event_of = members.nullable("EventOf", "a GUID").ok()??;
            let ended_at = members.nullable("EndedAt", "a date and time").ok()??;
            let called = members.nullable("Called", "a number of calls").ok()?.unwrap_or(0);
            Some(Self { event_of, ended_at, called })
        };
        parse().ok_or("the message is not a JSON object with EventOf and EndedAt")
    }

    /// Returns the text of the message.
    #[must_use]
    pub fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Returns the id of the event, which is the same for every attempt to deliver it.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}-{}", self.event_of, self.ended_at.unix_millis())
    }
}
