//! The end of an attempt: what it writes, and how it continues after a conflict.

use std::time::Duration;

use models::{AttemptOutcome, DeliveryId, TaskError, TaskState, TaskStatus, Timestamp};

pub use crate::product::Product;
use crate::{Policy, retry, transition};

/// The longest wait that a handler can ask for, which is the maximum visibility timeout of a message.
const MAX_HANDLER_WAIT: Duration = Duration::from_secs(models::MAX_DELAY_SECONDS);

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The work is done.
    Completed(Option<Product>),
    /// The work failed permanently.
    Failed(TaskError),
    /// The work failed temporarily or timed out. Another attempt follows after the back-off (at most
    /// `retry_cap`), or after `after` if that is longer (at most seven days).
    Retry {
        /// What went wrong.
        error: TaskError,
        /// The wait that the handler asked for.
        after: Option<Duration>,
    },
    /// The process of the handler ended or was blocked, which another task may have caused. Another attempt follows after
    /// the back-off. The attempt does not count, unless this has happened to the task as often as attempts are allowed.
    Interrupted(TaskError),
    /// The handler was stopped because a client cancelled the task.
    Cancelled,
    /// The handler was stopped because its worker stops. Another worker may continue at once.
    Released,
}

/// What is known of the process of a handler that has not ended in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandlerProcess {
    /// It responded to other requests throughout the attempt, so only this handler took too long.
    Responsive,
    /// It responded to no request for a part of the attempt, or was started during it. Any handler of the process may be
    /// the cause.
    Blocked,
    /// The handler runs elsewhere, or the process was not watched.
    Unknown,
}

/// Returns the outcome of an attempt that reached its time limit. `message` says which limit.
#[must_use]
pub fn timed_out(message: String, process: HandlerProcess) -> Outcome {
    match process {
        HandlerProcess::Responsive | HandlerProcess::Unknown => {
            Outcome::Retry { error: TaskError { code: "TimedOut".to_owned(), message }, after: None }
        }
        HandlerProcess::Blocked => {
            let message = format!("{message}; during it, a handler blocked the process of the handlers");
            Outcome::Interrupted(TaskError { code: "HandlerProcessBlocked".to_owned(), message })
        }
    }
}

/// One effect. Perform effects in the order given; if one is refused or fails, do not perform the rest.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Store the result's bytes in the blob of this name. No document refers to it yet.
    StoreResult(String),
    /// Write the document over the version that was read.
    Write(Box<TaskStatus>),
    /// Put the message of the event of the task's end. If that fails, leave the message of the task: its next delivery
    /// puts the event.
    PutEvent,
    /// Hide the message for the back-off of this attempt, and note in it for which attempt it was hidden.
    BackOff {
        /// How long to hide it.
        wait: Duration,
        /// The number of the attempt.
        attempt: u32,
    },
    /// Make the message visible at once, so that another worker receives it.
    Release,
    /// Delete the message. It is always the last effect.
    Delete,
}

/// Returns the effects of an attempt's end, given `current`, the document that this attempt read or wrote last.
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
    let mut effects = Vec::with_capacity(4);
    let last = match outcome {
        Outcome::Completed(product) => {
            if let Some(Product::Blob(blob)) = product {
                effects.push(Effect::StoreResult(blob.name.clone()));
            }
            transition::complete(&mut next, product.as_ref(), policy.retention, now);
            Effect::Delete
        }
        Outcome::Failed(error) => {
            transition::fail(&mut next, error.clone(), policy.retention, now);
            Effect::Delete
        }
        Outcome::Cancelled => {
            transition::cancel(&mut next, policy.retention, now);
            Effect::Delete
        }
        Outcome::Retry { error, after } => {
            let n = current.attempt.saturating_sub(1);
            let wait = retry::back_off(policy.retry_base, policy.retry_cap, n, fraction);
            let wait = wait.max(after.unwrap_or_default().min(MAX_HANDLER_WAIT));
            // The next delivery gives the task up, which a wait would only delay.
            let is_last = current.attempts_used() >= policy.max_dequeue_count;
            let wait = if is_last { Duration::ZERO } else { wait };
            transition::put_back(&mut next, AttemptOutcome::Retried, Some(error.clone()), wait, now);
            Effect::BackOff { wait, attempt: current.attempt }
        }
        Outcome::Interrupted(error) => {
            let before = interruptions(current);
            let wait = retry::back_off(policy.retry_base, policy.retry_cap, before, fraction);
            let is_free = before < policy.max_dequeue_count;
            let outcome = if is_free { AttemptOutcome::Released } else { AttemptOutcome::Retried };
            transition::put_back(&mut next, outcome, Some(error.clone()), wait, now);
            Effect::BackOff { wait, attempt: current.attempt }
        }
        Outcome::Released => {
            transition::put_back(&mut next, AttemptOutcome::Released, None, Duration::ZERO, now);
            Effect::Release
        }
    };
    let is_event_due = next.is_event_due();
    effects.push(Effect::Write(Box::new(next)));
    if is_event_due {
        effects.push(Effect::PutEvent);
    }
    effects.push(last);
    effects
}

/// Returns how many attempts since the acceptance or the latest explicit retry ended as [`Outcome::Interrupted`] and did
/// not count.
fn interruptions(document: &TaskStatus) -> u32 {
    let recent = document
        .history
        .iter()
        .rev()
        .take_while(|record| record.outcome != Some(AttemptOutcome::RetryRequested))
        .filter(|record| record.outcome == Some(AttemptOutcome::Released))
        // An attempt that a stopping worker hands back has no error.
        .filter(|record| record.error.is_some());
    u32::try_from(recent.count()).unwrap_or(u32::MAX)
}

/// The position of an attempt, according to the document that is stored now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The attempt is still the current one: continue, and write over the version just read.
    Mine,
    /// A client requested the cancellation: stop the handler and settle as [`Outcome::Cancelled`].
    CancelRequested,
    /// This attempt's write is stored; only the response to it was lost. Continue with the next effect.
    Written,
    /// The task has its outcome: stop, write nothing, delete the message.
    Terminal,
    /// Another attempt has started, or the document is deleted: stop, write nothing, leave the message. Its lease
    /// expires, and its next delivery finds the state that the other attempt left.
    Superseded,
}

/// Returns the position of the attempt that delivery `own` started. `current` is `None` if the document does not exist.
#[must_use]
pub fn standing(current: Option<&TaskStatus>, own: &DeliveryId) -> Standing {
    let Some(current) = current else { return Standing::Superseded };
    if current.state.is_terminal() {
        return Standing::Terminal;
    }
    // Otherwise another attempt was started, or requested by a client, since.
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

/// Returns whether the terminal document `stored` is what this attempt wrote as `intended` in an earlier try, whose
/// response was lost.
#[must_use]
pub fn is_recorded(stored: &TaskStatus, intended: &TaskStatus) -> bool {
    let end = |document: &TaskStatus| {
        document.history.last().map(|record| (record.delivery.clone(), record.outcome))
    };
    stored.state == intended.state && end(stored) == end(intended)
}

/// Returns the document with the handler's progress, for a conditional write. A value that is `None` stays as
/// it is; `percent` is limited to 100.
#[must_use]
pub fn with_progress(
    current: &TaskStatus,
    percent: Option<u8>,
    message: Option<&str>,
    now: Timestamp,
) -> TaskStatus {
    let mut next = current.clone();
    transition::progress(&mut next, percent, message, now);
    next
}
