//! Delayed tasks: when a task may start, and how long its message is hidden until then.

use std::time::Duration;

use models::{MAX_DELAY_SECONDS, Start, TaskStatus, Timestamp};

/// The requested start is more than seven days ahead, the maximum visibility timeout of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooFar;

/// Returns the earliest start of a task submitted `now`; `None` if it may start at once.
///
/// # Errors
/// [`TooFar`] if the start is more than [`MAX_DELAY_SECONDS`] ahead.
pub fn start_time(start: Start, now: Timestamp) -> Result<Option<Timestamp>, TooFar> {
    let moment = match start {
        Start::Now => return Ok(None),
        Start::After(seconds) => now.plus(Duration::from_secs(seconds)),
        Start::At(moment) => moment,
    };
    if moment.since(now) > Duration::from_secs(MAX_DELAY_SECONDS) {
        return Err(TooFar);
    }
    Ok((moment > now).then_some(moment))
}

/// Returns the delay of the task's message. Zero means the task queue, any other value the scheduled queue with this
/// visibility timeout. It is in whole seconds, rounded up, at most [`MAX_DELAY_SECONDS`].
#[must_use]
pub fn delay(document: &TaskStatus, now: Timestamp) -> Duration {
    let wait = document.not_before.map_or(Duration::ZERO, |moment| moment.since(now));
    whole_seconds(wait).min(Duration::from_secs(MAX_DELAY_SECONDS))
}

/// The time between two checks of the scheduled queue by drains without work.
const IDLE_PROMOTION_INTERVAL: Duration = Duration::from_secs(2);
/// The time between two checks of the scheduled queue beside running tasks.
const BUSY_PROMOTION_INTERVAL: Duration = Duration::from_secs(5);

/// Returns whether a drain checks the scheduled queue for messages that are due.
///
/// `since_check` is the time since this instance last checked it, if it has, and `age` the time since the instance
/// started. A check costs a request. A drain without work (`is_idle`) therefore checks every two seconds and at once
/// in a new instance, and a busy one every five seconds.
#[must_use]
pub fn promotion_is_due(is_idle: bool, since_check: Option<Duration>, age: Duration) -> bool {
    if is_idle {
        since_check.is_none_or(|time| time >= IDLE_PROMOTION_INTERVAL)
    } else {
        since_check.unwrap_or(age) >= BUSY_PROMOTION_INTERVAL
    }
}

/// Rounds up to whole seconds, the unit of storage; rounding down would make a message visible too early.
#[must_use]
pub fn whole_seconds(duration: Duration) -> Duration {
    Duration::from_secs(duration.as_secs() + u64::from(duration.subsec_nanos() > 0))
}
