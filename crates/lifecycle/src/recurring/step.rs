//! What a worker does when a wake-up message arrives, or when one may be lost.

use std::time::Duration;

use models::{MAX_DELAY_SECONDS, Schedules, TaskId, Timestamp, WakeUp};
use sha2::{Digest as _, Sha256};

use super::recurrence;
use crate::firing::{GRACE, due};

/// Firings of all schedules in one step. Further ones follow in the next step.
pub const MAX_STEP_FIRINGS: usize = 100;
/// A firing that is due for this time has lost its wake-up message, or that is not received.
const OVERDUE: Duration = Duration::from_secs(30);
/// The pause before a firing is tried again whose task storage refused to create.
pub const RETRY_PAUSE: Duration = Duration::from_secs(60);
/// The time between two looks at the schedules without a wake-up message.
const CHECK_INTERVAL: Duration = Duration::from_secs(60);
/// A wake-up message that is due at once is hidden for this time, so that the schedules are usually written before it is
/// received.
const MIN_DELAY: Duration = Duration::from_secs(1);
/// The longest visibility timeout of a message. A wake-up message for a later firing wakes a worker earlier, which sends
/// another one.
const MAX_DELAY: Duration = Duration::from_secs(MAX_DELAY_SECONDS);

/// A schedule of which firings take place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueSchedule {
    /// Its position in [`Schedules::entries`].
    pub index: usize,
    /// The firings in order.
    pub firings: Vec<Firing>,
}

/// One firing of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Firing {
    /// The instant at which it is due.
    pub at: Timestamp,
    /// The id of its task.
    pub task_id: TaskId,
}

/// Returns the schedules of which firings take place at `now`, and moves all schedules on.
///
/// At most [`MAX_STEP_FIRINGS`] take place; those that are not missed come first, so that no schedule waits for what others make up
/// for.
#[must_use]
pub fn step(schedules: &mut Schedules, now: Timestamp) -> Vec<DueSchedule> {
    let (mut all, mut left) = (Vec::new(), MAX_STEP_FIRINGS);
    let missed_until = now.minus(GRACE);
    for is_missed in [false, true] {
        for (index, entry) in schedules.entries.iter_mut().enumerate() {
            let next_at = entry.next_at.filter(|next| *next <= now && (*next < missed_until) == is_missed);
            let (Some(next_at), None, true) = (next_at, entry.paused_at, left > 0) else { continue };
            // Another release wrote it, which will continue with its firings.
            let Ok(recurrence) = recurrence(&entry.definition, entry.anchor) else { continue };
            let (missed, end) = (entry.definition.missed, entry.definition.ends_at);
            let decided = due(&recurrence, next_at, end, missed, left, now);
            entry.next_at = decided.next;
            left -= decided.fire.len().min(left);
            let firing = |at| Firing { at, task_id: task_id(&entry.name, entry.generation, at) };
            let firings: Vec<_> = decided.fire.into_iter().map(firing).collect();
            if !firings.is_empty() {
                all.push(DueSchedule { index, firings });
            }
        }
    }
    all
}

/// Returns the id of the task of a firing.
#[must_use]
pub fn task_id(name: &str, generation: u64, at: Timestamp) -> TaskId {
    let mut digest = Sha256::new();
    digest.update(b"schedule\0");
    digest.update(name);
    digest.update(b"\0");
    digest.update(generation.to_be_bytes());
    digest.update(at.unix_millis().to_be_bytes());
    TaskId::from_digest(&digest.finalize())
}

/// Returns when the wake-up message must become visible that is to be sent before the schedules are written at `now`.
///
/// `None` if the latest one suffices, or there is no schedule. What is due already is looked at again after `pause`. While
/// nothing is due, the schedules are written once a week, because the storage account may delete what is not written for long.
#[must_use]
pub fn wake_up(schedules: &Schedules, pause: Duration, now: Timestamp) -> Option<Timestamp> {
    let latest = now.plus(MAX_DELAY);
    let at = active(schedules).map(|next| if next <= now { now.plus(pause) } else { next }).min();
    let at = at.or_else(|| (!schedules.is_empty()).then_some(latest))?;
    let suffices = schedules.wake_up.is_some_and(|sent| now < sent.wake_up_at && sent.wake_up_at <= at);
    (!suffices).then(|| at.max(now.plus(MIN_DELAY)).min(latest))
}

/// Whether the wake-up message of a firing must be lost: the message, or the firing and no message is to come soon, is due for
/// too long.
#[must_use]
pub fn is_overdue(schedules: &Schedules, now: Timestamp) -> bool {
    let limit = now.minus(OVERDUE);
    let is_due = active(schedules).any(|next| next <= limit);
    match schedules.wake_up {
        None => !schedules.is_empty(),
        Some(sent) if sent.wake_up_at <= limit => !schedules.is_empty(),
        // After an error the firing waits for the message that comes after the pause.
        Some(sent) => is_due && sent.wake_up_at > now.plus(RETRY_PAUSE),
    }
}

/// When each schedule is due next that is not paused and whose recurrence this release can read.
fn active(schedules: &Schedules) -> impl Iterator<Item = Timestamp> {
    let entries = schedules.entries.iter().filter(|entry| entry.paused_at.is_none());
    let readable = entries.filter(|entry| recurrence(&entry.definition, entry.anchor).is_ok());
    readable.filter_map(|entry| entry.next_at)
}

/// Whether a drain looks at the schedules although it received no wake-up message.
///
/// `since_check` is the time since this instance last did, if it has, and `age` the time since the instance started. A look is
/// one request. A drain without work (`is_idle`) also looks in a new instance.
#[must_use]
pub fn check_is_due(is_idle: bool, since_check: Option<Duration>, age: Duration) -> bool {
    match since_check {
        None if is_idle => true,
        since_check => since_check.unwrap_or(age) >= CHECK_INTERVAL,
    }
}

/// What a received wake-up message means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// It is due: perform a step, then delete it.
    Due,
    /// It came early, by the clock of this worker: hide it for this time.
    Early(Duration),
    /// Another one has replaced it: delete it.
    Obsolete,
}

/// Decides on a received wake-up message.
#[must_use]
pub fn arrival(schedules: &Schedules, received: &WakeUp, now: Timestamp) -> Arrival {
    match schedules.wake_up {
        Some(latest) if latest.wake_up_id == received.wake_up_id => {
            let early = received.wake_up_at.since(now);
            if early.is_zero() { Arrival::Due } else { Arrival::Early(early.min(MAX_DELAY)) }
        }
        _ => Arrival::Obsolete,
    }
}
