//! Changes by clients.

use std::time::Duration;

use models::{MAX_SCHEDULES, MAX_SCHEDULES_BYTES, ScheduleDefinition, Schedules, StoredSchedule, Timestamp};

use super::{first_after, recurrence};

/// Why a change is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// No schedule has the name.
    NotFound,
    /// There are [`MAX_SCHEDULES`] already.
    Full,
    /// All schedules together would exceed [`MAX_SCHEDULES_BYTES`].
    TooLarge,
    /// The definition is not valid. Contains a sentence for the client that begins with the name of the member.
    Invalid(String),
}

/// What [`put`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// The schedule is new.
    Created,
    /// It existed.
    Replaced,
}

/// Creates or replaces a schedule, also one that this release cannot read.
///
/// A replaced one stays paused if it was. If it is due at other times than before, its next
/// firing is the first one after `now`; otherwise its firings continue. `fresh` is a new random number.
///
/// # Errors
/// Any [`Refused`] but [`Refused::NotFound`].
pub fn put(
    schedules: &mut Schedules,
    name: &str,
    definition: ScheduleDefinition,
    owner: Option<String>,
    fresh: u64,
    now: Timestamp,
) -> Result<Put, Refused> {
    let anchor = anchor(&definition, now);
    let recurrence = recurrence(&definition, anchor).map_err(Refused::Invalid)?;
    let next_at = first_after(&recurrence, &definition, now);
    let outcome = if let Some(entry) = schedules.find_mut(name) {
        if !entry.definition.recurs_like(&definition) {
            (entry.generation, entry.anchor, entry.next_at) = (fresh, anchor, next_at);
        }
        (entry.version, entry.changed_at, entry.owner) = (fresh, now, owner);
        entry.definition = definition;
        Put::Replaced
    } else {
        schedules.remove_unreadable(name);
        if schedules.entries.len() + schedules.unreadable.len() >= MAX_SCHEDULES {
            return Err(Refused::Full);
        }
        schedules.insert(StoredSchedule {
            name: name.to_owned(),
            owner,
            definition,
            version: fresh,
            generation: fresh,
            created_at: now,
            changed_at: now,
            paused_at: None,
            anchor,
            next_at,
            last_fired_at: None,
            last_task_id: None,
        });
        Put::Created
    };
    if schedules.to_bytes().len() > MAX_SCHEDULES_BYTES { Err(Refused::TooLarge) } else { Ok(outcome) }
}

/// Removes a schedule, also one that this release cannot read. Its tasks are not affected.
///
/// # Errors
/// [`Refused::NotFound`].
pub fn remove(schedules: &mut Schedules, name: &str) -> Result<(), Refused> {
    let count = |schedules: &Schedules| schedules.entries.len() + schedules.unreadable.len();
    let before = count(schedules);
    schedules.entries.retain(|entry| entry.name != name);
    schedules.remove_unreadable(name);
    if count(schedules) < before { Ok(()) } else { Err(Refused::NotFound) }
}

/// Pauses a schedule. The time of an earlier pause is kept.
///
/// # Errors
/// [`Refused::NotFound`].
pub fn pause(schedules: &mut Schedules, name: &str, fresh: u64, now: Timestamp) -> Result<(), Refused> {
    let entry = schedules.find_mut(name).ok_or(Refused::NotFound)?;
    if entry.paused_at.is_none() {
        (entry.paused_at, entry.changed_at, entry.version) = (Some(now), now, fresh);
    }
    Ok(())
}

/// Ends the pause of a schedule. Firings that were due meanwhile are missed ones, unless they are due for less than
/// [`crate::firing::GRACE`].
///
/// # Errors
/// [`Refused::NotFound`].
pub fn resume(schedules: &mut Schedules, name: &str, fresh: u64, now: Timestamp) -> Result<(), Refused> {
    let entry = schedules.find_mut(name).ok_or(Refused::NotFound)?;
    if entry.paused_at.is_some() {
        (entry.paused_at, entry.changed_at, entry.version) = (None, now, fresh);
    }
    Ok(())
}

/// What intervals are counted from, in whole seconds, the unit of storage and of expressions. A start that the definition names is
/// itself due, so it is rounded up; `now` is not, so it is rounded down.
fn anchor(definition: &ScheduleDefinition, now: Timestamp) -> Timestamp {
    let moment = definition.starts_at.map_or(now, |starts| starts.plus(Duration::from_millis(999)));
    Timestamp::from_unix_millis(moment.unix_millis().div_euclid(1000).saturating_mul(1000))
}
