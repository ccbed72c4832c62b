//! How long a client is asked to wait before it looks again.

use std::time::Duration;

use models::{TaskState, TaskStatus, Timestamp};

/// Longest `Retry-After`: a scheduled task may be cancelled or tried early, so a client looks now and then.
const LONGEST: u64 = 300;

/// `Retry-After` of the status monitor; `None` once the task is terminal.
///
/// A task that waits for its time: until then, at most five minutes. Otherwise a tenth of its age, 1 to
/// 30 seconds, so that short tasks are noticed at once and long ones are not polled in vain.
#[must_use]
pub fn retry_after(document: &TaskStatus, now: Timestamp) -> Option<Duration> {
    if document.state.is_terminal() {
        return None;
    }
    let due = document.not_before.filter(|moment| *moment > now);
    let seconds = match (due, document.created_at) {
        (Some(moment), _) => (moment.since(now).as_secs() + 1).min(LONGEST),
        (None, Some(created)) => {
            (now.since(created.max(document.not_before.unwrap_or(created))).as_secs() / 10).clamp(1, 30)
        }
        (None, None) => 1,
    };
    Some(Duration::from_secs(seconds))
}

/// How long a task that waits in a queue of `depth` messages is left alone at least: a queue is taken to
/// move at 50 tasks a second, and nobody is sent away for more than 30 seconds on such a guess. Zero for a
/// task that runs, has ended or waits for its time.
#[must_use]
pub fn queue_wait(document: &TaskStatus, depth: u64, now: Timestamp) -> Duration {
    let waits =
        document.state == TaskState::Pending && document.not_before.is_none_or(|moment| moment <= now);
    if waits { Duration::from_secs((depth / 50).min(30)) } else { Duration::ZERO }
}
