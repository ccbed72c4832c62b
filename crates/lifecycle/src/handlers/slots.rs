//! How many tasks of a name run at a time.

use std::time::Duration;

use crate::delayed::whole_seconds;
use crate::retry;

/// The first pause of a message whose task has to wait for others of its name.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
/// The longest of these pauses.
const MAX_PAUSE: Duration = Duration::from_secs(300);

/// Returns how many of `limit` tasks at a time belong to drain `index` of `drains` in a replica.
///
/// The shares of all drains add up to the limit. Drains cannot count together, because they run in instances of their own.
#[must_use]
pub fn share(limit: usize, index: usize, drains: usize) -> usize {
    let drains = drains.max(1);
    limit / drains + usize::from(index < limit % drains)
}

/// Returns how long to hide the message of a task that may not start while others of its name run.
///
/// The pauses are 2 s, 4 s, 8 s, … up to 300 s, half of it jitter, so that a task waits for a free place at most about as long as
/// it has waited for its turn, and a long queue of such messages costs few requests. `fraction` is the jitter, uniform in
/// `[0, 1]`.
#[must_use]
pub fn pause(dequeue_count: u32, fraction: f64) -> Duration {
    let doublings = dequeue_count.saturating_sub(1);
    let longest = retry::back_off(FIRST_PAUSE, MAX_PAUSE, doublings, 1.0);
    let jitter = retry::back_off(FIRST_PAUSE / 2, MAX_PAUSE / 2, doublings, fraction);
    whole_seconds(longest / 2 + jitter)
}
