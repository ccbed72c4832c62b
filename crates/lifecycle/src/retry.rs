//! Trying again: how long to wait, and the explicit retry of a failed task.

use std::time::Duration;

use models::{AttemptOutcome, AttemptRecord, TaskState, TaskStatus, Timestamp};

use crate::schedule::whole_seconds;
use crate::transition;

/// What to do with a request to try a failed task again.
#[derive(Debug, Clone, PartialEq)]
pub enum Retry {
    /// Write this document (If-Match), then send its message. The one exception to "terminal is final".
    Again(Box<TaskStatus>),
    /// Only a failed task can be tried again: refuse.
    NotFailed,
}

/// Decides about a request `by` somebody to try `document` again, and records who asked and when.
#[must_use]
pub fn retry(document: &TaskStatus, by: Option<&str>, now: Timestamp) -> Retry {
    if document.state != TaskState::Failed {
        return Retry::NotFailed;
    }
    let mut next = document.clone();
    transition::touch(&mut next, now);
    next.state = TaskState::Pending;
    next.finished_at = None;
    next.expires_at = None;
    next.not_before = None;
    // All attempts are there again, and messages from before are told from the one that follows.
    next.attempts_used = Some(0);
    next.generation = document.generation.saturating_add(1);
    next.cancel_requested_at = None;
    next.percent_complete = None;
    next.message = None;
    next.record(AttemptRecord {
        attempt: document.attempt,
        started_at: now,
        ended_at: None,
        outcome: Some(AttemptOutcome::RetryRequested),
        error: None,
        by: by.map(str::to_owned),
        delivery: None,
    });
    Retry::Again(Box::new(next))
}

/// Back-off before try `n + 1`, `n` counting the tries that failed before this one: full jitter,
/// `min(cap, base·2^n) · fraction`, in whole seconds rounded up because storage counts whole seconds.
///
/// `fraction` is uniform in `[0, 1]`; anything else counts as 1.
#[must_use]
pub fn back_off(base: Duration, cap: Duration, n: u32, fraction: f64) -> Duration {
    let longest = 2u32.checked_pow(n).and_then(|factor| base.checked_mul(factor)).map_or(cap, |d| d.min(cap));
    let fraction = if (0.0..=1.0).contains(&fraction) { fraction } else { 1.0 };
    whole_seconds(longest.mul_f64(fraction)).min(whole_seconds(cap))
}
