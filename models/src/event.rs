use serde::Serialize;

use crate::members::Members;
use crate::{CallbackRecord, CallbackState, TaskId, TaskStatus, Timestamp};

/// A message of the queue `{queue}-events`: the end of a task, which is to be delivered to its `CallbackUri` or to the
/// operator's sink.
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
    #[serde(skip_serializing_if = "crate::status::is_zero")]
    pub called: u32,
    /// Whether it is to be delivered to the sink.
    #[serde(rename = "Sink", skip_serializing_if = "std::ops::Not::not")]
    pub is_for_sink: bool,
}

impl EventMessage {
    /// Returns the message for the receiver of `document`; `None` if no event is due to it.
    #[must_use]
    pub fn of(document: &TaskStatus) -> Option<Self> {
        Self::due(document, false)
    }

    /// Returns the message for the sink; `None` if no event is due to it.
    #[must_use]
    pub fn for_sink(document: &TaskStatus) -> Option<Self> {
        Self::due(document, true)
    }

    fn due(document: &TaskStatus, is_for_sink: bool) -> Option<Self> {
        let ended_at = document.finished_at.filter(|_| document.state.is_terminal())?;
        let message = Self { event_of: document.task_id, ended_at, called: 0, is_for_sink };
        message.delivery(document).filter(|record| record.state == CallbackState::Due).map(|_| message)
    }

    /// Returns the record of this delivery in `document`.
    #[must_use]
    pub fn delivery<'a>(&self, document: &'a TaskStatus) -> Option<&'a CallbackRecord> {
        if self.is_for_sink { document.sink.as_ref() } else { document.callback.as_ref() }
    }

    /// Parses the text of a message.
    ///
    /// # Errors
    /// A sentence for the operator if the text is no such message.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let parse = || {
            let members = Members::parse(text.as_bytes()).ok()?;
            let event_of = members.valid("EventOf")?;
            let ended_at = members.valid("EndedAt")?;
            let called = members.optional("Called")?.unwrap_or(0);
            let is_for_sink = members.optional("Sink")?.unwrap_or(false);
            Some(Self { event_of, ended_at, called, is_for_sink })
        };
        parse().ok_or("the message is not a JSON object with EventOf and EndedAt")
    }

    /// Returns the task of a message of the queue of events, be it for an end or for another event.
    #[must_use]
    pub fn task_of(text: &str) -> Option<TaskId> {
        Members::parse(text.as_bytes()).ok()?.valid("EventOf")
    }

    /// Returns the text of the message.
    #[must_use]
    pub fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Returns the id of the event of Standard Webhooks, which is the same for every attempt to deliver it.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}-{}", self.event_of, self.ended_at.unix_millis())
    }
}
