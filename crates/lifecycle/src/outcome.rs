//! What the end of an attempt writes, and what to do when somebody else wrote first.

use std::time::Duration;

use models::{AttemptOutcome, DeliveryId, Json, ResultBlob, TaskError, TaskState, TaskStatus, Timestamp};

use crate::{Policy, retry, transition};

/// Longest wait that a handler can ask for: a queue hides a message no longer.
const LONGEST_WAIT: Duration = Duration::from_secs(models::MAX_DELAY_SECONDS);

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The work is done.
    Completed(Option<Product>),
    /// The work cannot be done, now or later.
    Failed(TaskError),
    /// It did not work out this time, or took too long: another attempt follows after the back-off (at most
    /// `retry_cap`), or after `after` when that is longer (at most seven days).
    Retry {
        /// What went wrong.
        error: TaskError,
        /// How long the handler asked to wait.
        after: Option<Duration>,
    },
    /// The handler was stopped because somebody asked for it.
    Cancelled,
    /// The handler was stopped because its worker is: another one may continue at once.
    Released,
}

/// What the work produced.
#[derive(Debug, Clone, PartialEq)]
pub enum Product {
    /// Kept in the document.
    Inline(Json),
    /// Kept in a blob of its own.
    Blob(ResultBlob),
}

/// One thing to do. They are done in the order given; when one is refused or fails, the rest is not done.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Store the result's bytes under this name; nothing refers to it yet.
    StoreResult(String),
    /// Write the document over the version that was read.
    Write(Box<TaskStatus>),
    /// Hide the message for so long; then it is delivered again.
    Hide(Duration),
    /// Delete the message. Always the last effect.
    Delete,
}

/// What the end of an attempt does to `current`, the document as last read or written by this attempt.
///
/// `fraction` is the jitter of the back-off, uniform in `[0, 1]`.
#[must_use]
pub fn settle(
    outcome: &Outcome,
    current: &TaskStatus,
    policy: &Policy,
    now: Timestamp,
    fraction: f64,
) -> Vec<Effect> {
    let mut next = current.clone();
    let mut effects = Vec::with_capacity(3);
    let last = match outcome {
        Outcome::Completed(product) => {
            next.percent_complete = next.percent_complete.map(|_| 100);
            match product {
                Some(Product::Inline(value)) => next.result = Some(value.clone()),
                Some(Product::Blob(blob)) => {
                    effects.push(Effect::StoreResult(blob.name.clone()));
                    next.result_blob = Some(blob.clone());
                }
                None => {}
            }
            transition::finish(&mut next, TaskState::Completed, None, policy.retention, now);
            Effect::Delete
        }
        Outcome::Failed(error) => {
            transition::finish(&mut next, TaskState::Failed, Some(error.clone()), policy.retention, now);
            Effect::Delete
        }
        Outcome::Cancelled => {
            transition::finish(&mut next, TaskState::Cancelled, None, policy.retention, now);
            Effect::Delete
        }
        Outcome::Retry { error, after } => {
            let n = current.attempt.saturating_sub(1);
            let wait = retry::back_off(policy.retry_base, policy.retry_cap, n, fraction);
            let wait = wait.max(after.unwrap_or_default().min(LONGEST_WAIT));
            transition::put_back(&mut next, AttemptOutcome::Retried, Some(error.clone()), wait, now);
            Effect::Hide(wait)
        }
        Outcome::Released => {
            transition::put_back(&mut next, AttemptOutcome::Released, None, Duration::ZERO, now);
            Effect::Hide(Duration::ZERO)
        }
    };
    effects.push(Effect::Write(Box::new(next)));
    effects.push(last);
    effects
}

/// Where an attempt stands, judged by the document as it is stored now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is still this attempt's task: go on, writing over the version just read.
    Mine,
    /// Somebody asked for the task to be cancelled: stop the handler, settle as [`Outcome::Cancelled`].
    CancelRequested,
    /// What this attempt wanted to write is stored already; only the reply was lost. Go on behind it.
    Written,
    /// The task has its outcome: stop, write nothing, delete the message.
    Terminal,
    /// Another attempt has taken over: stop, write nothing, leave the message. Its lease runs out, and
    /// its next delivery finds what the other attempt made of the task.
    Superseded,
}

/// Judges the attempt that delivery `own` brought. `current` is `None` when the document is gone.
#[must_use]
pub fn standing(current: Option<&TaskStatus>, own: &DeliveryId) -> Standing {
    let Some(current) = current else { return Standing::Superseded };
    if current.state.is_terminal() {
        return Standing::Terminal;
    }
    // The last record is this attempt's, or somebody else has started or asked for another since.
    let Some(record) = current.history.last().filter(|record| record.delivery.as_ref() == Some(own)) else {
        return Standing::Superseded;
    };
    match (current.state, record.outcome) {
        (TaskState::InProgress, None) if current.cancel_requested_at.is_some() => Standing::CancelRequested,
        (TaskState::InProgress, None) => Standing::Mine,
        (TaskState::Pending, Some(AttemptOutcome::Retried | AttemptOutcome::Released)) => Standing::Written,
        _ => Standing::Superseded,
    }
}

/// The document with the handler's progress in it, for a conditional write.
#[must_use]
pub fn with_progress(
    current: &TaskStatus,
    percent: Option<u8>,
    message: Option<&str>,
    now: Timestamp,
) -> TaskStatus {
    let mut next = current.clone();
    transition::touch(&mut next, now);
    next.percent_complete = percent.map(|percent| percent.min(100)).or(next.percent_complete);
    next.message = message.map(str::to_owned).or(next.message);
    next
}
