//! The event of a task's end: its delivery to the task's `CallbackUri` and to the operator's sink, at least once.
//!
//! The terminal document says which deliveries are due ([`TaskStatus::is_event_due`]). Whoever ends the task then puts an
//! [`EventMessage`] into a queue of its own, a worker before it deletes the message of the task. After a crash in between,
//! the next delivery of that message or the sweep ([`crate::sweep`]) puts it again. A duplicate is harmless: the document
//! records every call of the receiver.

use std::time::Duration;

use models::{CallbackRecord, CallbackState, EventMessage, MonitorState, TaskState, TaskStatus, Timestamp};

use crate::delayed::whole_seconds;
use crate::{retry, transition};

/// The pause after the first failed call; pauses double up to [`MAX_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause between two calls that the receiver did not ask for.
const MAX_PAUSE: Duration = Duration::from_secs(4 * 3600);
/// The longest pause that a receiver can ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(24 * 3600);
/// An event of this age is given up with the next failed call.
pub const MAX_AGE: Duration = Duration::from_secs(72 * 3600);
/// A message that was delivered to workers this often crashes them, or its document cannot be read. With the pauses
/// between its deliveries that takes days.
pub(crate) const MAX_DELIVERIES: u32 = 2000;
/// The time between two checks of the queue of events by a drain.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);
/// The same in a drain that has no other work.
const IDLE_CHECK_INTERVAL: Duration = Duration::from_secs(2);

/// How long a call of a receiver may take. Standard Webhooks recommends 15 to 30 s.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(15);

/// Returns the length of a lease on a message of the queue of events: one call, and a read and a write of the document,
/// which take half of `visibility` at most each.
#[must_use]
pub fn lease(visibility: Duration) -> Duration {
    whole_seconds(CALL_TIMEOUT + visibility + Duration::from_secs(15))
}

/// What to do with a message of the queue of events.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Call the receiver and record how the call ended ([`record`]).
    Call,
    /// A call was made that this message was not hidden for, by another message of the event or before a crash: hide it for
    /// this pause.
    Wait(Pause),
    /// Delete the message: nothing is left to deliver.
    Discard,
    /// Write this document, if there is one, then give the message up with this reason.
    GiveUp {
        /// The reason, as text for people.
        reason: String,
        /// The document to write first (If-Match).
        document: Option<Box<TaskStatus>>,
    },
}

/// Decides on one delivery of `message`, given the stored document of its task.
#[must_use]
pub fn decide(
    message: &EventMessage,
    document: Option<&TaskStatus>,
    dequeue_count: u32,
    now: Timestamp,
) -> Step {
    let Some(document) = document.filter(|document| is_same_end(message, document)) else {
        return Step::Discard;
    };
    let Some(callback) = message.delivery(document) else { return Step::Discard };
    match callback.state {
        CallbackState::Delivered => Step::Discard,
        // The worker that gave it up crashed before it put the copy.
        CallbackState::GivenUp => Step::GiveUp { reason: reason(message.delivery(document)), document: None },
        CallbackState::Due if dequeue_count > MAX_DELIVERIES => {
            let mut next = document.clone();
            let outcome = format!("its message was received {dequeue_count} times");
            let state = CallbackState::GivenUp;
            transition::event_called(&mut next, message.is_for_sink, state, outcome, None, now);
            Step::GiveUp { reason: reason(message.delivery(&next)), document: Some(Box::new(next)) }
        }
        CallbackState::Due => {
            if message.called == callback.attempts {
                // Storage's clock has measured the pause; that of a worker may be wrong.
                return Step::Call;
            }
            // A clock that is behind must not hide the message for longer than the whole pause.
            let next_at = callback.next_attempt_at.unwrap_or(now);
            let whole = callback.last_attempt_at.map_or(Duration::ZERO, |last| next_at.since(last));
            match whole_seconds(next_at.since(now).min(whole)) {
                Duration::ZERO => Step::Call,
                wait => Step::Wait(Pause { wait, called: callback.attempts }),
            }
        }
    }
}

/// Returns whether `document` still has the end that the message names. A task that was deleted, retried, or submitted again
/// has another end or none.
fn is_same_end(message: &EventMessage, document: &TaskStatus) -> bool {
    document.state.is_terminal() && document.finished_at == Some(message.ended_at)
}

/// Returns the document in which the delivery of a message that was given up begins again; `None` if the task does not have
/// this end any more, or the event was delivered.
#[must_use]
pub fn replay(message: &EventMessage, document: &TaskStatus) -> Option<TaskStatus> {
    let record = message.delivery(document).filter(|_| is_same_end(message, document))?;
    let mut next = document.clone();
    if record.state == CallbackState::Delivered {
        return None;
    }
    transition::event_again(&mut next, message.is_for_sink);
    Some(next)
}

/// How long to hide a message, and what to note in it ([`EventMessage::called`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pause {
    /// How long.
    pub wait: Duration,
    /// Number of recorded calls.
    pub called: u32,
}

/// How one call of a receiver ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Called {
    /// A status from 200 to 299.
    Accepted(u16),
    /// Another status, or none. Another call follows after a pause.
    Failed {
        /// What happened, for the monitor: `HTTP 503`, `no response in time`.
        outcome: String,
        /// The pause that the receiver asked for.
        retry_after: Option<Duration>,
    },
    /// No further call is made: the receiver responded `410 Gone`, or the operator does not allow its host any more.
    Refused(String),
}

impl Called {
    /// Returns how the call ended, for the monitor and the log.
    #[must_use]
    pub fn outcome(&self) -> String {
        match self {
            Self::Accepted(status) => format!("HTTP {status}"),
            Self::Failed { outcome, .. } | Self::Refused(outcome) => outcome.clone(),
        }
    }

    /// Returns the meaning of a response: Standard Webhooks, section "Webhook delivery success and failure". A redirect is
    /// a failure.
    #[must_use]
    pub fn response(status: u16, retry_after: Option<Duration>) -> Self {
        let outcome = format!("HTTP {status}");
        match status {
            200..=299 => Self::Accepted(status),
            410 => Self::Refused(outcome),
            _ => Self::Failed { outcome, retry_after },
        }
    }
}

/// What to do with the message after a call was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Delete it.
    Delete,
    /// Hide it for this pause, then call again.
    Wait(Pause),
    /// Give it up with this reason.
    GiveUp(String),
}

/// Returns the document that records a call, to be written over the version that was read, and what follows.
///
/// `fraction` is the jitter of the pause, uniform in `[0, 1]`.
#[must_use]
pub fn record(
    message: &EventMessage,
    document: &TaskStatus,
    called: &Called,
    max_attempts: u32,
    now: Timestamp,
    fraction: f64,
) -> (TaskStatus, Next) {
    let mut next = document.clone();
    let attempts = message.delivery(document).map_or(0, |record| record.attempts).saturating_add(1);
    let then = after_call(called, attempts, now.since(message.ended_at), max_attempts, fraction);
    let (state, next_at) = match &then {
        Next::Delete => (CallbackState::Delivered, None),
        Next::Wait(pause) => (CallbackState::Due, Some(now.plus(pause.wait))),
        Next::GiveUp(_) => (CallbackState::GivenUp, None),
    };
    transition::event_called(&mut next, message.is_for_sink, state, called.outcome(), next_at, now);
    (next, then)
}

/// What follows call number `calls` of the receiver for an event of this age.
pub(crate) fn after_call(
    called: &Called,
    calls: u32,
    age: Duration,
    max_attempts: u32,
    fraction: f64,
) -> Next {
    match called {
        Called::Accepted(_) => Next::Delete,
        Called::Failed { retry_after, .. } if calls < max_attempts && age < MAX_AGE => {
            let wait = pause(calls.saturating_sub(1), *retry_after, fraction);
            Next::Wait(Pause { wait, called: calls })
        }
        Called::Failed { .. } | Called::Refused(_) => Next::GiveUp(not_delivered(calls, &called.outcome())),
    }
}

/// 1 s, 2 s, 4 s, … up to four hours, half of it jitter, and at least what the receiver asked for, up to a day.
fn pause(failures: u32, asked: Option<Duration>, fraction: f64) -> Duration {
    let longest = retry::back_off(FIRST_PAUSE, MAX_PAUSE, failures, 1.0);
    let fraction = if (0.0..=1.0).contains(&fraction) { fraction } else { 1.0 };
    let pause = (longest / 2).mul_f64(1.0 + fraction);
    whole_seconds(pause.max(asked.unwrap_or_default().min(MAX_RETRY_AFTER)))
}

fn reason(record: Option<&CallbackRecord>) -> String {
    let outcome = record.and_then(|record| record.last_outcome.as_deref()).unwrap_or("unknown");
    not_delivered(record.map_or(0, |record| record.attempts), outcome)
}

/// Why an event was given up.
pub(crate) fn not_delivered(calls: u32, outcome: &str) -> String {
    format!("the event was not delivered; calls of the receiver: {calls}; the last one: {outcome}")
}

/// Returns the type of the event of a terminal state.
#[must_use]
pub fn event_type(state: TaskState) -> &'static str {
    match MonitorState::from(state) {
        MonitorState::Succeeded => "task.succeeded",
        MonitorState::Failed => "task.failed",
        MonitorState::Canceled => "task.canceled",
        MonitorState::NotStarted | MonitorState::Running => "task.changed",
    }
}

/// Returns the time until a drain checks the queue of events.
///
/// `since_check` is the time since this instance last checked it, if it has. A drain that has put an event itself
/// (`is_one_put`) checks at once, one without tasks (`is_idle`) every two seconds, and a busy one every five seconds.
#[must_use]
pub fn check_in(is_one_put: bool, is_idle: bool, since_check: Option<Duration>) -> Duration {
    let interval = if is_idle { IDLE_CHECK_INTERVAL } else { CHECK_INTERVAL };
    match since_check {
        Some(time) if !is_one_put => interval.saturating_sub(time),
        _ => Duration::ZERO,
    }
}
