//! When a task may start, and where its message waits until then.

use std::time::Duration;

use models::{MAX_DELAY_SECONDS, Schedule, TaskStatus, Timestamp};

/// The requested start is further away than a message can be hidden: seven days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooFar;

/// The moment before which a task submitted `now` may not start; `None` when it may start at once.
///
/// # Errors
/// [`TooFar`] above [`MAX_DELAY_SECONDS`].
pub fn start_time(schedule: Schedule, now: Timestamp) -> Result<Option<Timestamp>, TooFar> {
    let moment = match schedule {
        Schedule::Now => return Ok(None),
        Schedule::After(seconds) => now.plus(Duration::from_secs(seconds)),
        Schedule::At(moment) => moment,
    };
    if moment.since(now) > Duration::from_secs(MAX_DELAY_SECONDS) {
        return Err(TooFar);
    }
    Ok((moment > now).then_some(moment))
}

/// How long the task's message has to wait: zero sends it to the task queue, anything else to the
/// scheduled queue with this delay. In whole seconds, rounded up, at most [`MAX_DELAY_SECONDS`].
#[must_use]
pub fn delay(document: &TaskStatus, now: Timestamp) -> Duration {
    let wait = document.not_before.map_or(Duration::ZERO, |moment| moment.since(now));
    whole_seconds(wait).min(Duration::from_secs(MAX_DELAY_SECONDS))
}

/// Storage counts whole seconds; rounding down would let a message appear too early.
pub(crate) fn whole_seconds(duration: Duration) -> Duration {
    Duration::from_secs(duration.as_secs() + u64::from(duration.subsec_nanos() > 0))
}
