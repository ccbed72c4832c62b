use crate::members::Members;
use crate::{ContractError, Json, MAX_INPUT_LEVELS, TaskId, TaskPriority, TaskState, Timestamp};

/// Maximum length of `TaskName` in Unicode characters.
pub const MAX_NAME_CHARS: usize = 4096;

/// Maximum delay of a task in seconds: seven days, the maximum visibility timeout of a message.
pub const MAX_DELAY_SECONDS: u64 = 604_800;

/// When a task may start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Schedule {
    /// At once.
    #[default]
    Now,
    /// This number of seconds after the acceptance (`DelaySeconds`), at most [`MAX_DELAY_SECONDS`].
    After(u64),
    /// At this time (`NotBefore`). The service refuses a time more than seven days ahead.
    At(Timestamp),
}

/// The body of a submission. `Status` and `returnUri` are validated and then ignored: a new task is always Pending, and
/// the service determines its address.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskRequest {
    /// `TaskId`; `None` if the service is to generate one. The nil id, the value of an unset .NET `Guid`, counts as
    /// none.
    pub task_id: Option<TaskId>,
    /// `TaskName`, which selects the handler: 1 to [`MAX_NAME_CHARS`] characters; `task` if omitted.
    pub task_name: String,
    /// `TaskDescription`, for people; empty if omitted.
    pub task_description: String,
    /// `Priority`; Medium if omitted.
    pub priority: TaskPriority,
    /// `Input`, any JSON value for the handler; `null` counts as none.
    pub input: Option<Json>,
    /// `DelaySeconds` or `NotBefore`.
    pub schedule: Schedule,
}

impl TaskRequest {
    /// Parses a request body. Names are case-insensitive, unknown members are ignored, omitted members get their
    /// defaults.
    ///
    /// # Errors
    /// A sentence for the client if the body is not a JSON object or a member has the wrong type, value or length.
    /// `null` is refused, except for `Input` and `returnUri`.
    pub fn parse(body: &[u8]) -> Result<Self, ContractError> {
        let mut members = Members::parse(body)?;
        let task_id = match members.required_type::<String>("TaskId", "a GUID in a string")? {
            // The value of an unset .NET `Guid`: no id was given, and two such tasks are different tasks.
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
