//! Repeated attempts: the back-off between them, and the explicit retry of a failed task.

use std::time::Duration;

use models::{AttemptOutcome, AttemptRecord, TaskState, TaskStatus, Timestamp};

use crate::delayed::whole_seconds;
use crate::transition;

/// What to do with a request to retry a task.
#[derive(Debug, Clone, PartialEq)]
pub enum Retry {
    /// Write this document (If-Match), then send its message. This is the only way out of a terminal state.
    Again(Box<TaskStatus>),
    /// The task has not failed: refuse.
    NotFailed,
}

/// Decides on a request of caller `by` to retry `document`. The history records the caller and the time.
#[must_use]
pub fn retry(document: &TaskStatus, by: Option<&str>, now: Timestamp) -> Retry {
    if document.state != TaskState::Failed {
        return Retry::NotFailed;
    }
    let mut next = document.clone();
    transition::retry(&mut next, by, now);
    Retry::Again(Box::new(next))
}

/// Returns whether a client requested a retry and no worker has written the document since, so that its message may be
/// missing.
#[must_use]
pub fn awaits_worker(document: &TaskStatus) -> bool {
    let latest = document.history.last().and_then(|record| record.outcome);
    document.state == TaskState::Pending && latest == Some(AttemptOutcome::RetryRequested)
}

/// Returns whether `stored` contains the retry that was requested at `requested_at`, by an earlier try whose response
/// was lost.
#[must_use]
pub fn is_recorded(stored: &TaskStatus, requested_at: Timestamp) -> bool {
    let is_own = |record: &AttemptRecord| {
        record.outcome == Some(AttemptOutcome::RetryRequested) && record.started_at == requested_at
    };
    stored.history.iter().any(is_own)
}

/// Exponential back-off with full jitter: `min(cap, base·2^n) · fraction`, where `n` failed attempts came before
/// the latest one.
///
/// The result is in whole seconds, rounded up, because storage counts whole seconds. `fraction` is uniform in
/// `[0, 1]`; any other value counts as 1.
#[must_use]
pub fn back_off(base: Duration, cap: Duration, n: u32, fraction: f64) -> Duration {
    let longest = 2u32.checked_pow(n).and_then(|factor| base.checked_mul(factor)).map_or(cap, |d| d.min(cap));
    let fraction = if (0.0..=1.0).contains(&fraction) { fraction } else { 1.0 };
    whole_seconds(longest.mul_f64(fraction)).min(whole_seconds(cap))
}
