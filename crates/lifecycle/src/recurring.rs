//! Schedules: what a client changes, which firings are due, and when a worker has to look again.
//!
//! All schedules are one stored object, which the API and workers change by conditional writes. A worker performs the effects
//! of a step before it stores the step: it creates the task of each firing, sends the next wake-up message, writes the
//! schedules, and deletes the message that it received. The id of a task is derived from the firing ([`task_id`]), so that a
//! repeated or concurrent step finds the task that exists.

mod edit;
mod step;

use std::time::Duration;

use models::{ScheduleDefinition, StoredSchedule, Timestamp};

use crate::recurrence::{Cron, Recurrence, Zone, parse_interval};

pub use edit::{Put, Refused, pause, put, remove, resume};
pub use step::{
    Arrival, DueSchedule, Firing, MAX_STEP_FIRINGS, RETRY_PAUSE, arrival, check_is_due, is_overdue, step,
    task_id, wake_up,
};

/// The zone of an expression without `TimeZone`.
const DEFAULT_ZONE: &str = "Etc/UTC";

/// Returns the recurrence of a schedule whose intervals count from `anchor`.
///
/// # Errors
/// A sentence for the client that begins with the name of the member.
pub fn recurrence(definition: &ScheduleDefinition, anchor: Timestamp) -> Result<Recurrence, String> {
    if let Some(interval) = &definition.interval {
        let interval = parse_interval(interval).map_err(|why| format!("Interval: {why}"))?;
        return Ok(Recurrence::Every(interval, anchor));
    }
    let expression = definition.cron.as_deref().unwrap_or_default();
    let cron = Cron::parse(expression).map_err(|why| format!("Cron: {why}"))?;
    let name = definition.time_zone.as_deref().unwrap_or(DEFAULT_ZONE);
    let zone = Zone::named(name).map_err(|why| format!("TimeZone: {why}"))?;
    Ok(Recurrence::Cron(Box::new(cron), zone))
}

/// Returns the instants of the next firings, at most `count`: first the stored one, also if it has passed. None for a paused
/// schedule.
#[must_use]
pub fn next_firings(schedule: &StoredSchedule, count: usize) -> Vec<Timestamp> {
    let mut firings = Vec::new();
    let Ok(recurrence) = recurrence(&schedule.definition, schedule.anchor) else { return firings };
    let mut next = schedule.next_at.filter(|_| schedule.paused_at.is_none());
    while let Some(instant) = next.filter(|_| firings.len() < count) {
        firings.push(instant);
        next = first_after(&recurrence, &schedule.definition, instant);
    }
    firings
}

/// The first firing after `after`, between `StartsAt` and `EndsAt`.
fn first_after(
    recurrence: &Recurrence,
    definition: &ScheduleDefinition,
    after: Timestamp,
) -> Option<Timestamp> {
    let before_start = definition.starts_at.map(|starts| starts.minus(Duration::from_millis(1)));
    let after = before_start.map_or(after, |before| before.max(after));
    recurrence.next(after).filter(|next| definition.ends_at.is_none_or(|end| *next <= end))
}
