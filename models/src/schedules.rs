use serde::Serialize;
use serde_json::value::RawValue;

use crate::members::{Members, items};
use crate::{ContractError, Json, ScheduleDefinition, TaskId, Timestamp};

/// Maximum number of schedules.
pub const MAX_SCHEDULES: usize = 100;
/// Maximum size of all schedules together in bytes, as they are stored.
pub const MAX_SCHEDULES_BYTES: usize = 512 * 1024;

/// All schedules, stored together as JSON in one blob.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Schedules {
    /// The schedules in the order of their names, with [`Self::unreadable`] at most [`MAX_SCHEDULES`].
    pub entries: Vec<StoredSchedule>,
    /// Schedules that this release cannot read, as another one stored them. They have no firings, and are kept for a release
    /// that can read them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<Json>,
    /// The latest wake-up message; other ones are obsolete. `None` if none is needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wake_up: Option<WakeUp>,
    /// A random number of each write, by which a writer recognises its own after a lost response.
    pub writer: u64,
}

/// A schedule as it is stored.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct StoredSchedule {
    /// The name, unique and case-sensitive.
    pub name: String,
    /// The caller of the latest `PUT`, who owns the tasks; absent if callers are not distinguished.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// What the client gave.
    pub definition: ScheduleDefinition,
    /// A new random number for each change by a client. Firings do not change it.
    pub version: u64,
    /// A new random number for each change of the recurrence. The ids of tasks are derived from it, so that a schedule that is
    /// deleted and created again has tasks of its own.
    pub generation: u64,
    /// When the schedule was created.
    pub created_at: Timestamp,
    /// When a client last changed it.
    pub changed_at: Timestamp,
    /// When it was paused; absent if it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused_at: Option<Timestamp>,
    /// Where an interval is counted from: `StartsAt`, or the time of the change.
    pub anchor: Timestamp,
    /// The instant of the next firing, which may have passed; absent after the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_at: Option<Timestamp>,
    /// The instant of the latest firing that created a task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_fired_at: Option<Timestamp>,
    /// The task of that firing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_task_id: Option<TaskId>,
}

impl Schedules {
    /// Parses the stored form, by hand like other documents, for the size of the components. A schedule that cannot be read does
    /// not affect the others.
    ///
    /// # Errors
    /// What is wrong, for the operator. Only this project writes the stored form, so another program has changed it.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        Self::of(bytes).map_err(|error| error.to_string())
    }

    fn of(bytes: &[u8]) -> Result<Self, ContractError> {
        let members = Members::parse(bytes)?;
        let mut schedules = Self {
            // Without it a worker sends another one.
            wake_up: members.raw("WakeUp").and_then(|raw| WakeUp::parse_object(raw.get())),
            writer: members.required_type("Writer", NUMBER)?.unwrap_or(0),
            ..Self::default()
        };
        for list in ["Entries", "Unreadable"] {
            let entries = members.raw(list).map_or("[]", RawValue::get);
            let entries =
                items(entries).ok_or_else(|| ContractError::member(list, "must be a list of schedules"))?;
            for raw in entries {
                match StoredSchedule::of(raw) {
                    Ok(entry) => schedules.insert(entry),
                    Err(error) => schedules.unreadable.push(Json::of_raw(raw).map_err(|_| error)?),
                }
            }
        }
        Ok(schedules)
    }

    /// Serialises the schedules for storage.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        // Serialising these types into memory cannot fail.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Returns whether no schedule is stored.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.unreadable.is_empty()
    }

    /// Adds a schedule in the order of names, in which they are listed.
    pub fn insert(&mut self, new: StoredSchedule) {
        let at = self.entries.partition_point(|entry| entry.name < new.name);
        self.entries.insert(at, new);
    }

    /// Returns whether a schedule with this name is among [`Self::unreadable`].
    #[must_use]
    pub fn has_unreadable(&self, name: &str) -> bool {
        self.unreadable.iter().any(|entry| is_named(entry, name))
    }

    /// Removes the schedules with this name that cannot be read.
    pub fn remove_unreadable(&mut self, name: &str) {
        self.unreadable.retain(|entry| !is_named(entry, name));
    }

    /// Returns the schedule with this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&StoredSchedule> {
        self.entries.iter().find(|entry| entry.name == name)
    }

    /// Like [`Self::find`].
    pub fn find_mut(&mut self, name: &str) -> Option<&mut StoredSchedule> {
        self.entries.iter_mut().find(|entry| entry.name == name)
    }
}

/// Whether the name of a schedule that cannot be read is this one.
fn is_named(entry: &Json, name: &str) -> bool {
    let members = Members::parse(entry.get().as_bytes());
    let found = members.and_then(|members| members.nullable::<String>("Name", "a string"));
    found.is_ok_and(|found| found.as_deref() == Some(name))
}

const NUMBER: &str = "a whole number";
const MOMENT: &str = "a date and time as RFC 3339";

impl StoredSchedule {
    fn of(raw: &RawValue) -> Result<Self, ContractError> {
        let members = Members::parse(raw.get().as_bytes())?;
        let text = |member| members.nullable::<String>(member, "a string");
        let number =
            |member| members.required_type::<u64>(member, NUMBER)?.ok_or(ContractError::Missing(member));
        let moment = |member| members.nullable::<Timestamp>(member, MOMENT);
        let required = |member| moment(member)?.ok_or(ContractError::Missing(member));
        let definition = members.raw("Definition").ok_or(ContractError::Missing("Definition"))?;
        Ok(Self {
            name: text("Name")?.ok_or(ContractError::Missing("Name"))?,
            owner: text("Owner")?,
            definition: ScheduleDefinition::parse(definition.get().as_bytes())?,
            version: number("Version")?,
            generation: number("Generation")?,
            created_at: required("CreatedAt")?,
            changed_at: required("ChangedAt")?,
            paused_at: moment("PausedAt")?,
            anchor: required("Anchor")?,
            next_at: moment("NextAt")?,
            last_fired_at: moment("LastFiredAt")?,
            last_task_id: text("LastTaskId")?.map(|id| id.parse()).transpose()?,
        })
    }
}

/// A message of the queue `{queue}-scheduled` that makes a worker look at the schedules.
///
/// It has no member `TaskId`, so that a worker that finds it in the task queue by mistake does not take it for a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct WakeUp {
    /// A random number that distinguishes it from other ones.
    pub wake_up_id: u64,
    /// When the message becomes visible.
    pub wake_up_at: Timestamp,
}

impl WakeUp {
    /// How the text of every such message begins.
    const START: &str = "{\"WakeUpId\":";

    /// Parses the text of a message; `None` if it is another message.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        // The messages of delayed tasks are long, and need not be parsed for this.
        text.starts_with(Self::START).then(|| Self::parse_object(text))?
    }

    fn parse_object(text: &str) -> Option<Self> {
        let members = Members::parse(text.as_bytes()).ok()?;
        Some(Self { wake_up_id: members.valid("WakeUpId")?, wake_up_at: members.valid("WakeUpAt")? })
    }

    /// Returns the text of the message.
    #[must_use]
    pub fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}
