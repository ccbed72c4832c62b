//! The `Retry-After` of the status monitor.

use std::time::Duration;

use models::{TaskState, TaskStatus, Timestamp};

/// The longest `Retry-After`. A delayed task may be cancelled before its start, so clients poll it now and then.
const MAX_RETRY_AFTER_SECONDS: u64 = 300;

/// Returns the `Retry-After` of the status monitor; `None` if the task is terminal.
///
/// For a delayed task it is the time until its start, at most five minutes. Otherwise it is a tenth of the task's
/// age, between 1 and 30 seconds, so that clients see the end of a short task soon and poll a long one rarely.
#[must_use]
pub fn retry_after(document: &TaskStatus, now: Timestamp) -> Option<Duration> {
    if document.state.is_terminal() {
        return None;
    }
    let due = document.not_before.filter(|moment| *moment > now);
    let seconds = match (due, document.created_at) {
        (Some(moment), _) => (moment.since(now).as_secs() + 1).min(MAX_RETRY_AFTER_SECONDS),
        (None, Some(created)) => {
            (now.since(created.max(document.not_before.unwrap_or(created))).as_secs() / 10).clamp(1, 30)
        }
        (None, None) => 1,
    };
    Some(Duration::from_secs(seconds))
}

/// A task that has waited this long for a worker probably waits behind others.
const MIN_QUEUE_WAIT: Duration = Duration::from_secs(3);

/// Returns whether the task has waited long enough to suggest a queue, so that its length is worth a request.
#[must_use]
pub fn suggests_queue(document: &TaskStatus, now: Timestamp) -> bool {
    let since = document.not_before.max(document.created_at).unwrap_or(Timestamp::from_unix_millis(0));
    document.state == TaskState::Pending && now.since(since) >= MIN_QUEUE_WAIT
}

/// Returns the minimum `Retry-After` of a task that waits in a queue of `depth` messages.
///
/// The estimate assumes 50 tasks per second and is limited to 30 seconds. It is zero for a task that runs, has ended
/// or is delayed.
#[must_use]
pub fn queue_wait(document: &TaskStatus, depth: u64, now: Timestamp) -> Duration {
    let waits =
        document.state == TaskState::Pending && document.not_before.is_none_or(|moment| moment <= now);
    if waits { Duration::from_secs((depth / 50).min(30)) } else { Duration::ZERO }
}
