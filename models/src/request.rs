use crate::members::Members;
use crate::{
    ContractError, Json, MAX_CALLBACK_URI_BYTES, MAX_INPUT_LEVELS, TaskId, TaskPriority, TaskState, Timestamp,
};

/// Maximum length of `TaskName` in Unicode characters.
pub const MAX_NAME_CHARS: usize = 4096;

/// Maximum delay of a task in seconds: seven days, the maximum visibility timeout of a message.
pub const MAX_DELAY_SECONDS: u64 = 604_800;

/// Maximum length of `UniqueKey` in Unicode characters.
pub const MAX_UNIQUE_KEY_CHARS: usize = 255;

/// Maximum of `UniqueSeconds`: one day, the shortest retention, so that a key is not freed early by a purge.
pub const MAX_UNIQUE_SECONDS: u64 = 86_400;

/// Maximum of `TimeoutSeconds`, which is that of the operator's limit.
pub const MAX_TIMEOUT_SECONDS: u32 = 604_800;

/// Maximum of `MaxAttempts`, which is that of the operator's limit.
pub const MAX_ATTEMPTS: u32 = 1000;

/// When a task may start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Start {
    /// At once.
    #[default]
    Now,
    /// This number of seconds after the acceptance (`DelaySeconds`), at most [`MAX_DELAY_SECONDS`].
    After(u64),
    /// At this time (`NotBefore`). The service refuses a time more than seven days ahead.
    At(Timestamp),
}

/// `UniqueKey` and `UniqueSeconds`: no two tasks with the same key of the same caller wait or run at the same time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UniqueKey {
    /// 1 to [`MAX_UNIQUE_KEY_CHARS`] characters.
    pub key: String,
    /// Seconds from the acceptance in which the task keeps the key even if it has ended, at most
    /// [`MAX_UNIQUE_SECONDS`].
    pub seconds: u64,
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
    pub start: Start,
    /// `ExpiresAt`: a task that no attempt has started by then is cancelled.
    pub start_by: Option<Timestamp>,
    /// `TimeoutSeconds`: time limit of one attempt, if it is less than the operator's limit.
    pub timeout_seconds: Option<u32>,
    /// `MaxAttempts`: maximum number of attempts, if it is less than the operator's limit.
    pub max_attempts: Option<u32>,
    /// `CallbackUri`: where the event of the task's end is delivered, an absolute http(s) address of at most
    /// [`MAX_CALLBACK_URI_BYTES`]. The service refuses hosts that the operator does not allow.
    pub callback_uri: Option<String>,
    /// `UniqueKey`. Not together with `TaskId`, because the key determines the task.
    pub unique: Option<UniqueKey>,
}

impl TaskRequest {
    /// Parses a request body. Names are case-insensitive, unknown members are ignored, omitted members get their
    /// defaults.
    ///
    /// # Errors
    /// A sentence for the client if the body is not a JSON object or a member has the wrong type, value or length.
    /// `null` is refused, except for `Input` and `returnUri`.
    pub fn parse(body: &[u8]) -> Result<Self, ContractError> {
        let members = Members::parse(body)?;
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
        let input = members.json("Input", |raw| Json::portable(raw, MAX_INPUT_LEVELS))?;
        let start = start(&members)?;
        let start_by = members.required_type::<Timestamp>("ExpiresAt", MOMENT)?;
        if let (Start::At(not_before), Some(start_by)) = (start, start_by)
            && start_by <= not_before
        {
            return Err(ContractError::member("ExpiresAt", "must be later than NotBefore"));
        }
        let timeout_seconds = limit(&members, "TimeoutSeconds", MAX_TIMEOUT_SECONDS)?;
        let max_attempts = limit(&members, "MaxAttempts", MAX_ATTEMPTS)?;
        let unique = unique(&members)?;
        if unique.is_some() && task_id.is_some() {
            return Err(ContractError::member(
                "UniqueKey",
                "cannot be given together with TaskId; the key determines the task",
            ));
        }
        let callback_uri = callback_uri(&members)?;
        Ok(Self {
            task_id,
            task_name,
            task_description,
            priority,
            input,
            start,
            start_by,
            timeout_seconds,
            max_attempts,
            callback_uri,
            unique,
        })
    }
}

pub(crate) const MOMENT: &str = "a date and time as RFC 3339, such as 2026-11-20T10:00:00Z";

/// A whole number from 1 to `max`.
fn limit(members: &Members<'_>, member: &'static str, max: u32) -> Result<Option<u32>, ContractError> {
    let expected = format!("a whole number from 1 to {max}");
    match members.required_type::<u32>(member, &expected)? {
        Some(number) if !(1..=max).contains(&number) => {
            Err(ContractError::member(member, format!("must be {expected}")))
        }
        number => Ok(number),
    }
}

fn callback_uri(members: &Members<'_>) -> Result<Option<String>, ContractError> {
    match members.required_type::<String>("CallbackUri", "a string")? {
        Some(uri) if uri.is_empty() || uri.len() > MAX_CALLBACK_URI_BYTES => Err(ContractError::member(
            "CallbackUri",
            format!("must have 1 to {MAX_CALLBACK_URI_BYTES} bytes"),
        )),
        uri => Ok(uri),
    }
}

fn unique(members: &Members<'_>) -> Result<Option<UniqueKey>, ContractError> {
    let expected = format!("a whole number of seconds from 0 to {MAX_UNIQUE_SECONDS}");
    let key = members.required_type::<String>("UniqueKey", "a string")?;
    let seconds = members.required_type::<u64>("UniqueSeconds", &expected)?;
    match (key, seconds) {
        (Some(key), _) if key.is_empty() || key.chars().nth(MAX_UNIQUE_KEY_CHARS).is_some() => Err(
            ContractError::member("UniqueKey", format!("must have 1 to {MAX_UNIQUE_KEY_CHARS} characters")),
        ),
        (_, Some(seconds)) if seconds > MAX_UNIQUE_SECONDS => {
            Err(ContractError::member("UniqueSeconds", format!("must be {expected}")))
        }
        // Some generated clients send zeros for what they do not use.
        (None, None | Some(0)) => Ok(None),
        (None, Some(_)) => {
            Err(ContractError::member("UniqueSeconds", "must be given together with UniqueKey"))
        }
        (Some(key), seconds) => Ok(Some(UniqueKey { key, seconds: seconds.unwrap_or(0) })),
    }
}

fn start(members: &Members<'_>) -> Result<Start, ContractError> {
    let expected = format!("a whole number of seconds from 0 to {MAX_DELAY_SECONDS}");
    let delay = members.required_type::<u64>("DelaySeconds", &expected)?;
    let not_before = members.required_type::<Timestamp>("NotBefore", MOMENT)?;
    match (delay, not_before) {
        (None | Some(0), None) => Ok(Start::Now),
        (Some(seconds), None) if seconds <= MAX_DELAY_SECONDS => Ok(Start::After(seconds)),
        (Some(_), None) => Err(ContractError::member("DelaySeconds", format!("must be {expected}"))),
        // Some generated clients send zeros for what they do not use.
        (None | Some(0), Some(moment)) => Ok(Start::At(moment)),
        (Some(_), Some(_)) => Err(ContractError::member(
            "NotBefore",
            "cannot be given together with DelaySeconds; give one of them",
        )),
    }
}
