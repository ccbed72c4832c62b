use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::members::Members;
use crate::status::is_zero;
use crate::{ContractError, Problem, TaskId, TaskRequest};

/// Maximum number of tasks in one batch.
pub const MAX_BATCH_TASKS: usize = 100;

/// The body of `POST /tasks:batch`: 1 to [`MAX_BATCH_TASKS`] tasks, each parsed by itself.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskBatch {
    /// The tasks in the order of the body. An invalid one does not affect the others.
    pub tasks: Vec<Result<TaskRequest, ContractError>>,
}

impl TaskBatch {
    /// Parses an array of tasks, bare or as the member `tasks` of an object. Names are case-insensitive, unknown members
    /// are ignored.
    ///
    /// # Errors
    /// A sentence for the client if the body is not such an array, or has no task or too many. An invalid task in it is
    /// no error of the batch.
    pub fn parse(body: &[u8]) -> Result<Self, ContractError> {
        let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
        let is_bare = body.trim_ascii_start().starts_with(b"[");
        let member = if is_bare { None } else { Members::parse(body)?.raw("tasks") };
        let array = member.map_or(body, |raw| raw.get().as_bytes());
        if !is_bare && member.is_none() {
            return Err(ContractError::Missing("tasks"));
        }
        let items: Vec<&RawValue> = serde_json::from_slice(array).map_err(|_| wrong_array())?;
        if !(1..=MAX_BATCH_TASKS).contains(&items.len()) {
            return Err(wrong_array());
        }
        Ok(Self { tasks: items.iter().map(|item| TaskRequest::parse(item.get().as_bytes())).collect() })
    }
}

fn wrong_array() -> ContractError {
    ContractError::member("tasks", format!("must be an array of 1 to {MAX_BATCH_TASKS} tasks"))
}

/// The response to `POST /tasks:batch`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BatchResponse {
    /// One outcome for each task, in the order of the request.
    pub value: Vec<BatchOutcome>,
}

/// The outcome of one task of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BatchOutcome {
    /// The status that `POST /tasks` would have responded with; 202 if the task is accepted.
    pub status: u16,
    /// Id of the task; absent if the task is invalid. After a 503, a submission with this `TaskId` continues this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = "uuid"))]
    pub id: Option<TaskId>,
    /// Absolute address of the status monitor; only of an accepted task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation_location: Option<String>,
    /// Why the task is not accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
}

/// The response to a bulk action (`POST /tasks:cancel`, `:retry`, `:delete`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BulkReport {
    /// Number of tasks that this request cancelled (or asked to stop), retried or deleted.
    pub changed: u32,
    /// Number of selected tasks that another request or a worker changed at the same time, so that the action does not
    /// apply to them any more.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub skipped: u32,
    /// Number of selected tasks whose change failed; the log has the causes. A repetition from the first page selects
    /// them again.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failed: u32,
    /// Number of tasks that were not examined because their documents cannot be read; absent if there are none, or if
    /// callers are distinguished.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unreadable: u32,
    /// Absolute address to `POST` to next, with the same filters; absent if no task is left to examine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_link: Option<String>,
}
