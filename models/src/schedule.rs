use serde::{Deserialize, Serialize};

use crate::members::Members;
use crate::request::{MOMENT, Start};
use crate::{ContractError, Json, MAX_INPUT_LEVELS, TaskRequest, Timestamp};

/// Maximum length of the name of a schedule in characters.
pub const MAX_SCHEDULE_NAME_CHARS: usize = 64;
/// Maximum length of `Cron`, `TimeZone` and `Interval` in bytes.
const MAX_TEXT_BYTES: usize = 255;

/// Returns whether `name` can be the name of a schedule: 1 to [`MAX_SCHEDULE_NAME_CHARS`] ASCII letters, digits, `-`, `_` and
/// `.`, the first a letter or digit.
#[must_use]
pub fn is_schedule_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=MAX_SCHEDULE_NAME_CHARS).contains(&name.len())
        && name.bytes().all(is_plain)
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
}

/// What to do about firings that did not take place in time (`Missed`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Missed {
    /// They do not take place.
    Skip,
    /// The latest of them takes place, unless one is due that is not missed.
    #[default]
    Once,
    /// All of them take place, from the earliest on, but at most the latest 1000.
    All,
}

/// What to do about a firing while the task of the previous one has not ended (`Overlap`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Overlap {
    /// It does not take place.
    Skip,
    /// It takes place.
    #[default]
    Allow,
}

/// The body of `PUT /schedules/{name}`: when a task is due again and again, and the task. It is stored in the same form.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ScheduleDefinition {
    /// `Cron`: an expression of five fields. Either this or `interval` is present. Not parsed here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
    /// `TimeZone` of `cron`: a name of the IANA database; UTC if omitted. Not parsed here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// `Interval`: an ISO 8601 duration. Not parsed here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<String>,
    /// `StartsAt`: no firing is due earlier. Intervals are counted from here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<Timestamp>,
    /// `EndsAt`: no firing is due later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Timestamp>,
    /// `Missed`; [`Missed::Once`] if omitted.
    pub missed: Missed,
    /// `Overlap`; [`Overlap::Allow`] if omitted.
    pub overlap: Overlap,
    /// `Task`: the body of a submission, valid for [`TaskRequest::parse`].
    pub task: Json,
}

impl ScheduleDefinition {
    /// Parses a request body. Names are case-insensitive, unknown members are ignored, omitted members get their defaults.
    ///
    /// # Errors
    /// A sentence for the client if the body is not a JSON object, a member has the wrong type or value, or `Task` is no task
    /// that can be submitted again and again.
    pub fn parse(body: &[u8]) -> Result<Self, ContractError> {
        let members = Members::parse(body)?;
        let cron = text(&members, "Cron")?;
        let time_zone = text(&members, "TimeZone")?;
        let interval = text(&members, "Interval")?;
        match (&cron, &interval, &time_zone) {
            (None, None, _) => {
                return Err(ContractError::member("Cron", "must be given, or Interval in its place"));
            }
            (Some(_), Some(_), _) => {
                return Err(ContractError::member(
                    "Interval",
                    "cannot be given together with Cron; give one of them",
                ));
            }
            (None, Some(_), Some(_)) => {
                return Err(ContractError::member(
                    "TimeZone",
                    "belongs to Cron; an Interval is elapsed time in every zone",
                ));
            }
            _ => {}
        }
        let starts_at = members.nullable("StartsAt", MOMENT)?;
        let ends_at = members.nullable("EndsAt", MOMENT)?;
        if let (Some(starts), Some(ends)) = (starts_at, ends_at)
            && ends < starts
        {
            return Err(ContractError::member("EndsAt", "must not be earlier than StartsAt"));
        }
        let missed = choice(
            &members,
            "Missed",
            "Skip, Once or All",
            &[("Skip", Missed::Skip), ("Once", Missed::Once), ("All", Missed::All)],
        )?;
        let overlap = choice(
            &members,
            "Overlap",
            "Skip or Allow",
            &[("Skip", Overlap::Skip), ("Allow", Overlap::Allow)],
        )?;
        Ok(Self { cron, time_zone, interval, starts_at, ends_at, missed, overlap, task: task(&members)? })
    }

    /// Whether both are due at the same instants, if they have the same anchor.
    #[must_use]
    pub fn recurs_like(&self, other: &Self) -> bool {
        (&self.cron, &self.time_zone, &self.interval, self.starts_at, self.ends_at)
            == (&other.cron, &other.time_zone, &other.interval, other.starts_at, other.ends_at)
    }
}

/// A member with text; `null` and the empty string, which some generated clients send, count as absent.
fn text(members: &Members<'_>, member: &'static str) -> Result<Option<String>, ContractError> {
    match members.nullable::<String>(member, "a string")? {
        Some(text) if text.len() > MAX_TEXT_BYTES => {
            Err(ContractError::member(member, format!("must have at most {MAX_TEXT_BYTES} bytes")))
        }
        text => Ok(text.filter(|text| !text.is_empty())),
    }
}

/// A member with one of several names, compared without case.
fn choice<T: Copy + Default>(
    members: &Members<'_>,
    member: &'static str,
    expected: &str,
    all: &[(&str, T)],
) -> Result<T, ContractError> {
    let Some(text) = members.nullable::<String>(member, expected)? else { return Ok(T::default()) };
    let found = all.iter().find(|(name, _)| name.eq_ignore_ascii_case(&text));
    found.map(|(_, value)| *value).ok_or_else(|| ContractError::member(member, format!("must be {expected}")))
}

fn task(members: &Members<'_>) -> Result<Json, ContractError> {
    let task = members
        .json("Task", |raw| Json::portable(raw, MAX_INPUT_LEVELS + 1))?
        .ok_or(ContractError::Missing("Task"))?;
    let request = TaskRequest::parse(task.get().as_bytes()).map_err(|error| match error {
        ContractError::NotAnObject(_) => ContractError::member("Task", "must be the body of a submission"),
        other => ContractError::member("Task", other.to_string()),
    })?;
    let unfit = if request.task_id.is_some() {
        Some("TaskId, because each firing has an id of its own")
    } else if request.unique.is_some() {
        Some("UniqueKey; Overlap says what to do while a task has not ended")
    } else if request.start != Start::Now {
        Some("DelaySeconds or NotBefore; the schedule says when it is due")
    } else if request.start_by.is_some() {
        Some("ExpiresAt, which is one moment for all firings")
    } else {
        None
    };
    match unfit {
        Some(member) => Err(ContractError::member("Task", format!("must not have {member}"))),
        None => Ok(task),
    }
}
