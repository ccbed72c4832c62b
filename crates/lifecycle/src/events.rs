//! The event of a task's end: its delivery to the task's `CallbackUri`, at least once.
//!
//! The terminal document says that an event is due ([`TaskStatus::is_event_due`]). Whoever ends the task then puts an
//! [`EventMessage`] into a queue of its own, a worker before it deletes the message of the task. After a crash in between,
//! the next delivery of that message or the sweep ([`crate::sweep`]) puts it again. A duplicate is harmless: the document
//! records every call of the receiver.

use std::time::Duration;

use models::{CallbackState, EventMessage, MonitorState, TaskState, TaskStatus, Timestamp};

use crate::schedule::whole_seconds;
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
const MAX_DELIVERIES: u32 = 2000;
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
    // A task that was deleted, retried, or submitted again has another end or none.
    let is_same_end = |document: &&TaskStatus| {
        document.state.is_terminal() && document.finished_at == Some(message.ended_at)
    };
    let Some(document) = document.filter(is_same_end) else { return Step::Discard };
    let Some(callback) = &document.callback else { return Step::Discard };
    match callback.state {
        CallbackState::Delivered => Step::Discard,
        // The worker that gave it up crashed before it put the copy.
        CallbackState::GivenUp => Step::GiveUp { reason: reason(document), document: None },
        CallbackState::Due if dequeue_count > MAX_DELIVERIES => {
            let mut next = document.clone();
            let outcome = format!("its message was received {dequeue_count} times");
            transition::event_called(&mut next, CallbackState::GivenUp, outcome, None, now);
            Step::GiveUp { reason: reason(&next), document: Some(Box::new(next)) }
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
    document: &TaskStatus,
    called: &Called,
    max_attempts: u32,
    now: Timestamp,
    fraction: f64,
) -> (TaskStatus, Next) {
    let mut next = document.clone();
    let attempts = document.callback.as_ref().map_or(0, |callback| callback.attempts).saturating_add(1);
    let age = document.finished_at.map_or(Duration::ZERO, |ended| now.since(ended));
    match called {
        Called::Accepted(status) => {
            transition::event_called(
                &mut next,
                CallbackState::Delivered,
                format!("HTTP {status}"),
                None,
                now,
            );
            (next, Next::Delete)
        }
        Called::Failed { outcome, retry_after } if attempts < max_attempts && age < MAX_AGE => {
            let wait = pause(attempts - 1, *retry_after, fraction);
            let next_at = Some(now.plus(wait));
            transition::event_called(&mut next, CallbackState::Due, outcome.clone(), next_at, now);
            (next, Next::Wait(Pause { wait, called: attempts }))
        }
        Called::Failed { outcome, .. } | Called::Refused(outcome) => {
            transition::event_called(&mut next, CallbackState::GivenUp, outcome.clone(), None, now);
            let reason = reason(&next);
            (next, Next::GiveUp(reason))
        }
    }
}

/// 1 s, 2 s, 4 s, … up to four hours, half of it jitter, and at least what the receiver asked for, up to a day.
fn pause(failures: u32, asked: Option<Duration>, fraction: f64) -> Duration {
    let longest = retry::back_off(FIRST_PAUSE, MAX_PAUSE, failures, 1.0);
    let fraction = if (0.0..=1.0).contains(&fraction) { fraction } else { 1.0 };
    let pause = (longest / 2).mul_f64(1.0 + fraction);
    whole_seconds(pause.max(asked.unwrap_or_default().min(MAX_RETRY_AFTER)))
}

fn reason(document: &TaskStatus) -> String {
    let callback = document.callback.as_ref();
    let attempts = callback.map_or(0, |callback| callback.attempts);
    let outcome = callback.and_then(|callback| callback.last_outcome.as_deref()).unwrap_or("unknown");
    format!(
        "the event of the task's end was not delivered; calls of the receiver: {attempts}; the last one: {outcome}"
    )
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
