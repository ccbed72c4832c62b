use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::members::{Member, Members, Reader};
use crate::{
    CallbackRecord, CallbackState, ContractError, Json, TaskId, TaskPriority, TaskRequest, TaskState,
    Timestamp, node,
};

/// Maximum number of records in [`TaskStatus::history`]; the oldest are dropped first.
pub const MAX_HISTORY_RECORDS: usize = 20;

/// Space for most documents without input and result, and for the ETag that a message adds, in bytes.
const TYPICAL_BYTES: usize = 640;

/// The stored document of a task, in the blob `{TaskId}-202`.
///
/// The first six members are the .NET contract. The others belong to this project; documents that the .NET side
/// created do not have them.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct TaskStatus {
    /// Selects the handler.
    pub task_name: String,
    /// Description for people.
    pub task_description: String,
    /// State of the task. On the wire `Status`.
    #[serde(rename = "Status")]
    pub state: TaskState,
    /// Id of the task.
    pub task_id: TaskId,
    /// Priority of the task.
    pub priority: TaskPriority,
    /// URL of the blob without a signature. On the wire `returnUri`, in camel case.
    #[serde(rename = "returnUri")]
    pub return_uri: Option<String>,

    /// When the task was accepted. Documents of the .NET side do not have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// When this document was last written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Timestamp>,
    /// When the first attempt started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When the task became terminal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// The task does not start before this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// The task is cancelled unless an attempt has started by this time. On the wire of a request `ExpiresAt`, a name
    /// that the document uses for the end of the retention.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_by: Option<Timestamp>,
    /// When a terminal task may be purged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// The next attempt does not start before this time: the end of the back-off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
    /// Number of the latest attempt, 1 for the first; 0 before the first.
    #[serde(skip_serializing_if = "is_zero")]
    pub attempt: u32,
    /// Attempts that count towards `max_dequeue_count`; see [`TaskStatus::attempts_used`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts_used: Option<u32>,
    /// Maximum of [`TaskStatus::attempts_used`], if it is less than `max_dequeue_count`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_attempts: Option<u32>,
    /// Time limit of one attempt in seconds, if it is less than `task_timeout_seconds`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u32>,
    /// Number of explicit retries. A message of an earlier generation is obsolete.
    #[serde(skip_serializing_if = "is_zero")]
    pub generation: u32,
    /// The key of which no two tasks of one caller wait or run at the same time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unique_key: Option<String>,
    /// The task keeps its key until this time even if it has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unique_until: Option<Timestamp>,
    /// Where the event of the task's end is delivered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub callback_uri: Option<String>,
    /// How far that delivery is, once the task has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub callback: Option<CallbackRecord>,
    /// Whether the events of the task go to the operator's sink. Set at the acceptance, so that a task has all of its
    /// events or none.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub sink_events: bool,
    /// How far the delivery of the end to the sink is, once the task has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sink: Option<CallbackRecord>,
    /// When a client requested the cancellation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancel_requested_at: Option<Timestamp>,
    /// Latest progress of the handler, 0 to 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent_complete: Option<u8>,
    /// Latest progress message of the handler.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Input for the handler.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<Json>,
    /// The result, if it is JSON of at most 16 KiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<Json>,
    /// Where the result is stored, if it is larger or not JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result_blob: Option<ResultBlob>,
    /// Why the task failed, or why its latest attempt did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<TaskError>,
    /// The caller who submitted the task; absent if callers are not distinguished.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// W3C `traceparent` of the request that submitted the task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_parent: Option<String>,
    /// The latest attempts and explicit retries, oldest first, at most [`MAX_HISTORY_RECORDS`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<AttemptRecord>,
}

/// A result that is stored in a blob of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ResultBlob {
    /// Name of the blob, in the container of the documents.
    pub name: String,
    /// Media type of the handler's response.
    pub content_type: String,
    /// Size in bytes.
    pub size: u64,
}

/// Why a task or an attempt failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TaskError {
    /// Stable identifier for programs, such as `HandlerFailed`.
    pub code: String,
    /// Text for people.
    pub message: String,
}

/// One attempt or one explicit retry in [`TaskStatus::history`].
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AttemptRecord {
    /// Number of the attempt, 1 for the first.
    pub attempt: u32,
    /// When it started or, for an explicit retry, was requested.
    pub started_at: Timestamp,
    /// When it ended; absent while it runs, or if its worker crashed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// How it ended; absent while it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<AttemptOutcome>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<TaskError>,
    /// The caller who requested an explicit retry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The delivery that started the attempt. It distinguishes a redelivery from a duplicate message, and a worker's own
    /// write whose response was lost from the write of another worker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery: Option<DeliveryId>,
}

/// Identifies one delivery of a queue message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DeliveryId {
    /// Id of the message.
    pub message_id: String,
    /// Dequeue count, 1 for the first delivery.
    pub dequeue_count: u32,
}

impl Member for ResultBlob {
    fn of(json: &str) -> Option<Self> {
        let m = Members::parse(json.as_bytes()).ok()?;
        Some(Self { name: m.valid("Name")?, content_type: m.valid("ContentType")?, size: m.valid("Size")? })
    }
}

impl Member for TaskError {
    fn of(json: &str) -> Option<Self> {
        let m = Members::parse(json.as_bytes()).ok()?;
        Some(Self { code: m.valid("Code")?, message: m.valid("Message")? })
    }
}

impl Member for AttemptRecord {
    fn of(json: &str) -> Option<Self> {
        let m = Members::parse(json.as_bytes()).ok()?;
        Some(Self {
            attempt: m.valid("Attempt")?,
            started_at: m.valid("StartedAt")?,
            ended_at: m.optional("EndedAt")?,
            outcome: m.optional("Outcome")?,
            error: m.optional("Error")?,
            by: m.optional("By")?,
            delivery: m.optional("Delivery")?,
        })
    }
}

impl Member for DeliveryId {
    fn of(json: &str) -> Option<Self> {
        let m = Members::parse(json.as_bytes()).ok()?;
        Some(Self { message_id: m.valid("MessageId")?, dequeue_count: m.valid("DequeueCount")? })
    }
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum AttemptOutcome {
    /// The work is done.
    Completed,
    /// The work failed permanently.
    Failed,
    /// The attempt was stopped because the task was cancelled.
    Cancelled,
    /// The work failed temporarily; another attempt follows.
    Retried,
    /// The worker crashed; the next delivery found the attempt unfinished.
    Abandoned,
    /// The worker stopped and handed the task back.
    Released,
    /// No attempt: a client retried a failed task.
    RetryRequested,
}

impl Member for AttemptOutcome {
    fn of(json: &str) -> Option<Self> {
        Some(match node::text(json)?.as_ref() {
            "Completed" => Self::Completed,
            "Failed" => Self::Failed,
            "Cancelled" => Self::Cancelled,
            "Retried" => Self::Retried,
            "Abandoned" => Self::Abandoned,
            "Released" => Self::Released,
            "RetryRequested" => Self::RetryRequested,
            _ => return None,
        })
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
pub(crate) fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl TaskStatus {
    /// Creates the document of a newly accepted task: Pending, with a creation time.
    #[must_use]
    pub fn accepted(id: TaskId, request: TaskRequest, return_uri: String, now: Timestamp) -> Self {
        let window = request.unique.as_ref().map(|unique| Duration::from_secs(unique.seconds));
        Self {
            task_name: request.task_name,
            task_description: request.task_description,
            state: TaskState::Pending,
            task_id: id,
            priority: request.priority,
            return_uri: Some(return_uri),
            created_at: Some(now),
            updated_at: Some(now),
            started_at: None,
            finished_at: None,
            not_before: None,
            start_by: request.start_by,
            expires_at: None,
            retry_at: None,
            attempt: 0,
            attempts_used: None,
            max_attempts: request.max_attempts,
            timeout_seconds: request.timeout_seconds,
            generation: 0,
            unique_key: request.unique.map(|unique| unique.key),
            unique_until: window.filter(|window| !window.is_zero()).map(|window| now.plus(window)),
            callback_uri: request.callback_uri,
            callback: None,
            sink_events: false,
            sink: None,
            cancel_requested_at: None,
            percent_complete: None,
            message: None,
            input: request.input,
            result: None,
            result_blob: None,
            error: None,
            owner: None,
            trace_parent: None,
            history: Vec::new(),
        }
    }

    /// Parses a stored document of this project or of the .NET side. Names are case-insensitive; unknown members are
    /// ignored.
    ///
    /// # Errors
    /// If it is not a JSON object, has no valid `TaskId`, or has an invalid member.
    pub fn parse(bytes: &[u8]) -> Result<Self, ContractError> {
        Self::from_members(&Members::parse(bytes)?)
    }

    pub(crate) fn from_members(m: &Members<'_>) -> Result<Self, ContractError> {
        let moment = "a date and time as RFC 3339";
        let text = "a string or null";
        let task_id = m.required_type("TaskId", "a GUID")?.ok_or(ContractError::Missing("TaskId"))?;
        let read = Reader::new(m);
        let document = Self {
            task_id,
            task_name: read.nullable("TaskName", text).unwrap_or_default(),
            task_description: read.nullable("TaskDescription", text).unwrap_or_default(),
            state: read.required_type("Status", TaskState::EXPECTED).unwrap_or(TaskState::Pending),
            priority: read.required_type("Priority", TaskPriority::EXPECTED).unwrap_or_default(),
            return_uri: read.nullable("returnUri", text),
            created_at: read.nullable("CreatedAt", moment),
            updated_at: read.nullable("UpdatedAt", moment),
            started_at: read.nullable("StartedAt", moment),
            finished_at: read.nullable("FinishedAt", moment),
            not_before: read.nullable("NotBefore", moment),
            start_by: read.nullable("StartBy", moment),
            expires_at: read.nullable("ExpiresAt", moment),
            retry_at: read.nullable("RetryAt", moment),
            attempt: read.nullable("Attempt", "a number of attempts").unwrap_or(0),
            attempts_used: read.nullable("AttemptsUsed", "a number of attempts"),
            max_attempts: read.nullable("MaxAttempts", "a number of attempts"),
            timeout_seconds: read.nullable("TimeoutSeconds", "a number of seconds"),
            generation: read.nullable("Generation", "a number of retries").unwrap_or(0),
            unique_key: read.nullable("UniqueKey", text),
            unique_until: read.nullable("UniqueUntil", moment),
            callback_uri: read.nullable("CallbackUri", text),
            callback: read.noted(CallbackRecord::of(m, "Callback")),
            sink_events: read.nullable("SinkEvents", "true or false").unwrap_or(false),
            sink: read.noted(CallbackRecord::of(m, "Sink")),
            cancel_requested_at: read.nullable("CancelRequestedAt", moment),
            percent_complete: read
                .nullable::<u8>("PercentComplete", "a whole number from 0 to 100")
                .map(|percent| percent.min(100)),
            message: read.nullable("Message", text),
            input: read.noted(m.json("Input", Json::of_raw)),
            result: read.noted(m.json("Result", Json::of_raw)),
            result_blob: read.nullable("ResultBlob", "an object with Name, ContentType and Size"),
            error: read.nullable("Error", "an object with Code and Message"),
            owner: read.nullable("Owner", text),
            trace_parent: read.nullable("TraceParent", text),
            history: read.nullable("History", "a list of attempts").unwrap_or_default(),
        };
        read.checked(document)
    }

    /// Serialises the document for storage: compact UTF-8 JSON with the .NET members first.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let contents = [&self.input, &self.result].into_iter().flatten().map(|json| json.get().len());
        let mut bytes = Vec::with_capacity(TYPICAL_BYTES + contents.sum::<usize>());
        // Serialising these types into memory cannot fail.
        let _ = serde_json::to_writer(&mut bytes, self);
        bytes
    }

    /// Returns whether this project has written the document, and not only the .NET side.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.created_at.is_some()
    }

    /// Returns whether the task has ended and an event of its end is still to be delivered.
    #[must_use]
    pub fn is_event_due(&self) -> bool {
        self.due_deliveries().next().is_some()
    }

    /// Returns the deliveries of the task's end that are still due: that to its receiver, that to the sink.
    pub fn due_deliveries(&self) -> impl Iterator<Item = &CallbackRecord> {
        let records = [&self.callback, &self.sink].into_iter().flatten();
        records.filter(|record| self.state.is_terminal() && record.state == CallbackState::Due)
    }

    /// Returns whether `request` has the same content: name, description, priority and input.
    #[must_use]
    pub fn has_content_of(&self, request: &TaskRequest) -> bool {
        self.task_name == request.task_name
            && self.task_description == request.task_description
            && self.priority == request.priority
            && self.input == request.input
    }

    /// Returns the number of attempts that count towards `max_dequeue_count`: those started since the task was accepted
    /// or last explicitly retried, except those that a stopping worker handed back. Documents of older versions do not
    /// have the member; for these the history is counted.
    #[must_use]
    pub fn attempts_used(&self) -> u32 {
        let is_retry = |record: &AttemptRecord| record.outcome == Some(AttemptOutcome::RetryRequested);
        self.attempts_used.unwrap_or_else(|| {
            let since = self.history.iter().rev().take_while(|record| !is_retry(record));
            let used = since.filter(|record| record.outcome != Some(AttemptOutcome::Released));
            u32::try_from(used.count()).unwrap_or(u32::MAX)
        })
    }

    /// Adds a record to the history and drops the oldest above [`MAX_HISTORY_RECORDS`].
    pub fn record(&mut self, record: AttemptRecord) {
        self.history.push(record);
        let surplus = self.history.len().saturating_sub(MAX_HISTORY_RECORDS);
        self.history.drain(..surplus);
    }
}
