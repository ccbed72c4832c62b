use serde::{Deserialize, Serialize};

use crate::{
    AttemptOutcome, AttemptRecord, CallbackRecord, CallbackState, Json, TaskError, TaskId, TaskPriority,
    TaskState, TaskStatus, Timestamp,
};

/// The state of a task, with the values of the Azure REST API guidelines for long-running operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum MonitorState {
    /// Stored as Pending.
    NotStarted,
    /// Stored as InProgress.
    Running,
    /// Stored as Completed. Terminal.
    Succeeded,
    /// Stored as Failed. Terminal.
    Failed,
    /// Stored as Cancelled. Terminal.
    Canceled,
}

impl MonitorState {
    /// The name in responses and in the query of the list.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotStarted => "NotStarted",
            Self::Running => "Running",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Canceled => "Canceled",
        }
    }
}

impl From<TaskState> for MonitorState {
    fn from(state: TaskState) -> Self {
        match state {
            TaskState::Pending => Self::NotStarted,
            TaskState::InProgress => Self::Running,
            TaskState::Completed => Self::Succeeded,
            TaskState::Failed => Self::Failed,
            TaskState::Cancelled => Self::Canceled,
        }
    }
}

impl From<MonitorState> for TaskState {
    fn from(state: MonitorState) -> Self {
        match state {
            MonitorState::NotStarted => Self::Pending,
            MonitorState::Running => Self::InProgress,
            MonitorState::Succeeded => Self::Completed,
            MonitorState::Failed => Self::Failed,
            MonitorState::Canceled => Self::Cancelled,
        }
    }
}

/// The status monitor, the response to `GET /tasks/{id}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Monitor {
    /// Id of the task.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = "uuid"))]
    pub id: TaskId,
    /// State of the task.
    pub status: MonitorState,
    /// Name of the task.
    pub name: String,
    /// Description of the task; absent if empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// `Low`, `Medium` or `High`.
    #[cfg_attr(feature = "openapi", schema(pattern = "^(Low|Medium|High)$"))]
    pub priority: String,
    /// Progress from 0 to 100; 100 after success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(maximum = 100))]
    pub percent_complete: Option<u8>,
    /// Latest progress message of the handler.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Number of the latest attempt; 0 before the first.
    pub attempt: u32,
    /// When the task was accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = "date-time"))]
    pub created_date_time: Option<Timestamp>,
    /// When the task last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = "date-time"))]
    pub last_action_date_time: Option<Timestamp>,
    /// When the first attempt started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = "date-time"))]
    pub started_date_time: Option<Timestamp>,
    /// When the task became terminal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = "date-time"))]
    pub finished_date_time: Option<Timestamp>,
    /// The task does not start before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = "date-time"))]
    pub not_before: Option<Timestamp>,
    /// The task is canceled unless it starts before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = "date-time"))]
    pub start_by: Option<Timestamp>,
    /// Maximum number of attempts, if the submission limits it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_attempts: Option<u32>,
    /// Time limit of one attempt in seconds, if the submission limits it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u32>,
    /// The key of which no two tasks of one caller wait or run at the same time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unique_key: Option<String>,
    /// Delivery of the task's event to its `CallbackUri`; absent before the end of the task, and without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback: Option<MonitorCallback>,
    /// Delivery of the task's end to the operator's sink; absent before the end, and without a sink.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_sink: Option<MonitorCallback>,
    /// When the task may be purged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = "date-time"))]
    pub expires_date_time: Option<Timestamp>,
    /// Whether a client has requested its cancellation.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cancel_requested: bool,
    /// The result, if it is JSON of at most 16 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<serde_json::Value>))]
    pub result: Option<Json>,
    /// Absolute address of the result, if `result` does not contain it.
    // `Monitor::of` sets only the path, `/tasks/{id}/result`; the API prepends its address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_location: Option<String>,
    /// Absolute address of the resource after success, which pollers for the Azure guidelines read last. It is the
    /// status monitor itself, whose address needs no signature and does not expire.
    // Only the API knows its address, so `Monitor::of` omits it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_location: Option<String>,
    /// Why the task, or its latest attempt, failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<MonitorError>,
    /// The latest attempts, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<MonitorAttempt>,
}

/// One attempt or one explicit retry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MonitorAttempt {
    /// Number of the attempt, 1 for the first.
    pub attempt: u32,
    /// When it started or, for an explicit retry, was requested.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = "date-time"))]
    pub started_date_time: Timestamp,
    /// When it ended; absent while it runs, or if its worker crashed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = "date-time"))]
    pub ended_date_time: Option<Timestamp>,
    /// How it ended; absent while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<AttemptOutcome>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<MonitorError>,
    /// The caller who requested an explicit retry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

impl From<&AttemptRecord> for MonitorAttempt {
    fn from(record: &AttemptRecord) -> Self {
        Self {
            attempt: record.attempt,
            started_date_time: record.started_at,
            ended_date_time: record.ended_at,
            outcome: record.outcome,
            error: record.error.as_ref().map(MonitorError::from),
            by: record.by.clone(),
        }
    }
}

/// The delivery of an event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MonitorCallback {
    /// State of the delivery.
    pub status: CallbackState,
    /// Number of calls of the receiver so far.
    pub attempts: u32,
    /// When the latest call ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = "date-time"))]
    pub last_attempt_date_time: Option<Timestamp>,
    /// How the latest call ended, such as `HTTP 503` or `no response in time`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_outcome: Option<String>,
    /// The next call does not start before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = "date-time"))]
    pub next_attempt_date_time: Option<Timestamp>,
}

impl From<&CallbackRecord> for MonitorCallback {
    fn from(record: &CallbackRecord) -> Self {
        Self {
            status: record.state,
            attempts: record.attempts,
            last_attempt_date_time: record.last_attempt_at,
            last_outcome: record.last_outcome.clone(),
            next_attempt_date_time: record.next_attempt_at,
        }
    }
}

/// An error in the format of the Azure REST API guidelines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MonitorError {
    /// Stable identifier for programs.
    pub code: String,
    /// Text for people.
    pub message: String,
    /// Part of the guidelines' format; always empty at present.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<Object>))]
    pub details: Vec<serde_json::Value>,
}

impl From<&TaskError> for MonitorError {
    fn from(error: &TaskError) -> Self {
        Self { code: error.code.clone(), message: error.message.clone(), details: Vec::new() }
    }
}

/// One page of tasks, the response to `GET /tasks`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MonitorList {
    /// The tasks of this page, in no particular order. An empty page may have a next one.
    pub value: Vec<Monitor>,
    /// Number of tasks omitted because their documents cannot be read; absent if there are none, or if callers are
    /// distinguished.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unreadable: u32,
    /// Absolute address of the next page; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_link: Option<String>,
}

impl Monitor {
    /// Returns the status monitor of a stored document.
    #[must_use]
    pub fn of(document: &TaskStatus) -> Self {
        let completed = document.state == TaskState::Completed;
        let result_location =
            document.result_blob.as_ref().map(|_| format!("/tasks/{}/result", document.task_id));
        Self {
            id: document.task_id,
            status: document.state.into(),
            name: document.task_name.clone(),
            description: document.task_description.clone(),
            priority: priority_name(document.priority),
            percent_complete: if completed { Some(100) } else { document.percent_complete },
            message: document.message.clone(),
            attempt: document.attempt,
            created_date_time: document.created_at,
            last_action_date_time: document.updated_at.or(document.created_at),
            started_date_time: document.started_at,
            finished_date_time: document.finished_at,
            not_before: document.not_before,
            start_by: document.start_by,
            max_attempts: document.max_attempts,
            timeout_seconds: document.timeout_seconds,
            unique_key: document.unique_key.clone(),
            callback: document.callback.as_ref().map(MonitorCallback::from),
            event_sink: document.sink.as_ref().map(MonitorCallback::from),
            expires_date_time: document.expires_at,
            cancel_requested: document.cancel_requested_at.is_some(),
            result: document.result.clone(),
            result_location,
            resource_location: None,
            error: document.error.as_ref().map(MonitorError::from),
            history: document.history.iter().map(MonitorAttempt::from).collect(),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

fn priority_name(priority: TaskPriority) -> String {
    priority.name().to_owned()
}
