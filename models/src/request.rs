use crate::members::Members;
use crate::{ContractError, Json, MAX_INPUT_LEVELS, TaskId, TaskPriority, TaskState, Timestamp};

/// Longest `TaskName`, in Unicode characters.
pub const MAX_NAME_CHARS: usize = 4096;

/// Longest delay before a task may start: seven days, in seconds, the limit of a queue's visibility timeout.
pub const MAX_DELAY_SECONDS: u64 = 604_800;

/// When a task may start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Schedule {
    /// As soon as a worker is free.
    #[default]
    Now,
    /// So many seconds after it was accepted (`DelaySeconds`), at most [`MAX_DELAY_SECONDS`].
    After(u64),
    /// Not before this moment (`NotBefore`); the service refuses one more than seven days away.
    At(Timestamp),
}

/// What a client posts. A `Status` or `returnUri` in the body is checked and then ignored: a new task
/// is always Pending and its address is the service's to give.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskRequest {
    /// `TaskId`: the client's own id, or `None` when the service is to make one. The nil id, which an unset
    /// Guid of .NET is, counts as none.
    pub task_id: Option<TaskId>,
    /// `TaskName`: which work to do; `task` when omitted. 1 to [`MAX_NAME_CHARS`] characters.
    pub task_name: String,
    /// `TaskDescription`: free text for people; empty when omitted.
    pub task_description: String,
    /// `Priority`: Medium when omitted.
    pub priority: TaskPriority,
    /// `Input`: any JSON value for the handler; `null` counts as none.
    pub input: Option<Json>,
    /// `DelaySeconds` or `NotBefore`.
    pub schedule: Schedule,
}

impl TaskRequest {
    /// Reads a request body. Names are compared without case, unknown members are ignored, omitted
    /// members get their defaults.
    ///
    /// # Errors
    /// A sentence for the client when the body is not a JSON object or a member has the wrong type,
    /// value or length. `null` is refused, except for `Input` and `returnUri`.
    pub fn parse(body: &[u8]) -> Result<Self, ContractError> {
        let mut members = Members::parse(body)?;
        let task_id = match members.required_type::<String>("TaskId", "a GUID in a string")? {
            // What an unset Guid is in .NET: no id was given, and two such tasks have nothing in common.
            Some(text) => Some(text.parse::<TaskId>()?).filter(|id| !id.is_nil()),
            None => None,
        };
        let task_name =
            members.required_type::<String>("TaskName", "a string")?.unwrap_or_else(|| "task".to_owned());
        if task_name.is_empty() || task_name.chars().nth(MAX_NAME_CHARS).is_some() {
            return Err(ContractError::member(
                "TaskName",
                format!("must have 1 to {MAX_NAME_CHARS} characters"),
            ));
        }
        let task_description =
            members.required_type::<String>("TaskDescription", "a string")?.unwrap_or_default();
        let priority = members.required_type("Priority", TaskPriority::EXPECTED)?.unwrap_or_default();
        members.required_type::<TaskState>("Status", TaskState::EXPECTED)?;
        members.nullable::<String>("returnUri", "a string or null")?;
        let input = members.json("Input", |text| Json::parse_portable(text, MAX_INPUT_LEVELS))?;
        let schedule = schedule(&mut members)?;
        Ok(Self { task_id, task_name, task_description, priority, input, schedule })
    }
}

fn schedule(members: &mut Members) -> Result<Schedule, ContractError> {
    let expected = format!("a whole number of seconds from 0 to {MAX_DELAY_SECONDS}");
    let delay = members.required_type::<u64>("DelaySeconds", &expected)?;
    let not_before = members.required_type::<Timestamp>(
        "NotBefore",
        "a date and time as RFC 3339, such as 2026-11-20T10:00:00Z",
    )?;
    match (delay, not_before) {
        (None | Some(0), None) => Ok(Schedule::Now),
        (Some(seconds), None) if seconds <= MAX_DELAY_SECONDS => Ok(Schedule::After(seconds)),
        (Some(_), None) => Err(ContractError::member("DelaySeconds", format!("must be {expected}"))),
        (None, Some(moment)) => Ok(Schedule::At(moment)),
        (Some(_), Some(_)) => Err(ContractError::member(
            "NotBefore",
            "cannot be given together with DelaySeconds; give one of them",
        )),
    }
}
