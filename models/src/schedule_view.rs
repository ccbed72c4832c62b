use serde::{Deserialize, Serialize};

use crate::{Json, Missed, Overlap, StoredSchedule, TaskId, Timestamp};

/// Whether a schedule creates tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum ScheduleState {
    /// It has a next firing.
    Active,
    /// It creates no tasks until it is resumed.
    Paused,
    /// Its last firing is over.
    Ended,
}

/// A schedule as the API shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ScheduleView {
    /// Name of the schedule.
    pub name: String,
    /// Whether it creates tasks.
    pub status: ScheduleState,
    /// When it is due: a cron expression. Either `cron` or `interval` is present.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
    /// Time zone of the cron expression by its name in the IANA database; `UTC` if none was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// When it is due: an ISO 8601 duration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<String>,
    /// No firing takes place before this time. An interval counts from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = "date-time"))]
    pub starts_at: Option<Timestamp>,
    /// No firing takes place after this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = "date-time"))]
    pub ends_at: Option<Timestamp>,
    /// What is done about missed firings.
    pub missed: Missed,
    /// What is done about a firing while the task of the previous one has not ended.
    pub overlap: Overlap,
    /// The task of each firing, as it was submitted.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub task: Json,
    /// When the schedule was created.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = "date-time"))]
    pub created_date_time: Timestamp,
    /// When a client last changed it.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = "date-time"))]
    pub changed_date_time: Timestamp,
    /// When it was paused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = "date-time"))]
    pub paused_date_time: Option<Timestamp>,
    /// The latest instant at which it was due and created a task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = "date-time"))]
    pub last_firing_date_time: Option<Timestamp>,
    /// The task of the latest firing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = "uuid"))]
    pub last_task_id: Option<TaskId>,
    /// The next instants at which it is due, the earliest first: at most 5, in a list at most one. Empty unless it is active.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>, format = "date-time"))]
    pub next_firings: Vec<Timestamp>,
}

impl ScheduleView {
    /// Returns the view of a stored schedule with these next firings, which count only if it is active.
    #[must_use]
    pub fn of(stored: &StoredSchedule, next_firings: Vec<Timestamp>) -> Self {
        let definition = &stored.definition;
        let status = match (stored.paused_at, stored.next_at) {
            (Some(_), _) => ScheduleState::Paused,
            (None, Some(_)) => ScheduleState::Active,
            (None, None) => ScheduleState::Ended,
        };
        let zone = || definition.time_zone.clone().unwrap_or_else(|| "UTC".to_owned());
        Self {
            name: stored.name.clone(),
            status,
            cron: definition.cron.clone(),
            time_zone: definition.cron.as_ref().map(|_| zone()),
            interval: definition.interval.clone(),
            starts_at: definition.starts_at,
            ends_at: definition.ends_at,
            missed: definition.missed,
            overlap: definition.overlap,
            task: definition.task.clone(),
            created_date_time: stored.created_at,
            changed_date_time: stored.changed_at,
            paused_date_time: stored.paused_at,
            last_firing_date_time: stored.last_fired_at,
            last_task_id: stored.last_task_id,
            next_firings: if status == ScheduleState::Active { next_firings } else { Vec::new() },
        }
    }
}

/// The response to `GET /schedules`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ScheduleList {
    /// All schedules, by name.
    pub value: Vec<ScheduleView>,
    /// Number of schedules omitted because this release cannot read them; absent if there are none.
    #[serde(default, skip_serializing_if = "crate::status::is_zero")]
    pub unreadable: u32,
}
