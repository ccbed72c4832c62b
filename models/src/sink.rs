use serde::Serialize;

use crate::members::Members;
use crate::{MonitorState, TaskId, TaskState, TaskStatus, Timestamp};

/// What an event of the operator's sink tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum SinkEvent {
    /// A task was accepted.
    Accepted,
    /// An attempt has started.
    Started,
    /// The handler has reported progress.
    Progressed,
    /// The task has ended. Its message is an [`EventMessage`](crate::EventMessage).
    Ended,
}

impl SinkEvent {
    /// The name in types and ids of events.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Started => "started",
            Self::Progressed => "progressed",
            Self::Ended => "ended",
        }
    }

    /// Returns the id of the event of this task, attempt (0 before the first) and time: the same for every attempt to deliver
    /// it, also if its message was put twice.
    #[must_use]
    pub fn id(self, task: TaskId, attempt: u32, at: Timestamp) -> String {
        format!("{task}-{}-{attempt}-{}", self.as_str(), at.unix_millis())
    }
}

/// A message of the queue `{queue}-events`: an event for the operator's sink, other than the end of a task.
///
/// It describes the event, because the document changes before it is delivered. Like
/// [`EventMessage`](crate::EventMessage) it has no member `TaskId`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct SinkMessage {
    /// What the event tells.
    #[serde(rename = "SinkEvent")]
    pub kind: SinkEvent,
    /// Its task.
    pub event_of: TaskId,
    /// When it happened.
    pub at: Timestamp,
    /// Name of the task.
    pub task_name: String,
    /// Number of the attempt; 0 before the first.
    #[serde(skip_serializing_if = "crate::status::is_zero")]
    pub attempt: u32,
    /// Progress of the handler, 0 to 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent_complete: Option<u8>,
    /// Progress message of the handler.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Number of recorded calls of the sink.
    #[serde(skip_serializing_if = "crate::status::is_zero")]
    pub called: u32,
}

impl SinkMessage {
    fn new(kind: SinkEvent, document: &TaskStatus, attempt: u32, at: Option<Timestamp>) -> Option<Self> {
        at.filter(|_| document.sink_events).map(|at| Self {
            kind,
            event_of: document.task_id,
            at,
            task_name: document.task_name.clone(),
            attempt,
            percent_complete: None,
            message: None,
            called: 0,
        })
    }

    /// The acceptance of a task; `None` if its events do not go to the sink.
    #[must_use]
    pub fn accepted(document: &TaskStatus) -> Option<Self> {
        Self::new(SinkEvent::Accepted, document, 0, document.created_at)
    }

    /// The start of the latest attempt; `None` if there is none, or the events of the task do not go to the sink.
    #[must_use]
    pub fn started(document: &TaskStatus) -> Option<Self> {
        let record = document.history.last().filter(|record| record.attempt == document.attempt)?;
        Self::new(SinkEvent::Started, document, record.attempt, Some(record.started_at))
    }

    /// The latest progress of a running attempt; `None` if the events of the task do not go to the sink.
    #[must_use]
    pub fn progressed(document: &TaskStatus) -> Option<Self> {
        let event = Self::new(SinkEvent::Progressed, document, document.attempt, document.updated_at)?;
        Some(Self { percent_complete: document.percent_complete, message: document.message.clone(), ..event })
    }

    /// Parses the text of a message; `None` if it is no such message.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let members = Members::parse(text.as_bytes()).ok()?;
        let kind = match members.valid::<String>("SinkEvent")?.as_str() {
            "Accepted" => SinkEvent::Accepted,
            "Started" => SinkEvent::Started,
            "Progressed" => SinkEvent::Progressed,
            _ => return None,
        };
        Some(Self {
            kind,
            event_of: members.valid("EventOf")?,
            at: members.valid("At")?,
            task_name: members.optional("TaskName")?.unwrap_or_default(),
            attempt: members.optional("Attempt")?.unwrap_or(0),
            percent_complete: members.optional("PercentComplete")?,
            message: members.optional("Message")?,
            called: members.optional("Called")?.unwrap_or(0),
        })
    }

    /// Returns the text of the message.
    #[must_use]
    pub fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Returns the id of the event ([`SinkEvent::id`]).
    #[must_use]
    pub fn id(&self) -> String {
        self.kind.id(self.event_of, self.attempt, self.at)
    }

    /// Returns the state of the task at the time of the event.
    #[must_use]
    pub fn status(&self) -> MonitorState {
        let is_before_start = self.kind == SinkEvent::Accepted;
        MonitorState::from(if is_before_start { TaskState::Pending } else { TaskState::InProgress })
    }
}
