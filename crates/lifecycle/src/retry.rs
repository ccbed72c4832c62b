//! Repeated attempts: the back-off between them, and the explicit retry of a failed task.

use std::time::Duration;

use models::{TaskState, TaskStatus, Timestamp};

use crate::schedule::whole_seconds;
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
