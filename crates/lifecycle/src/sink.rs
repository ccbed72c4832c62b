//! The operator's sink: the delivery of events other than ends, at least once.
//!
//! The message of such an event describes it and counts the calls of the sink, so no document is read or written. Ends are
//! delivered as to a receiver ([`crate::events`]).
//!
//! Which event is put when is decided by the order of writes: that of an acceptance before the message of the task, that of
//! a start after the document says so, that of an end before the message of the task is deleted. Whoever finds that a crash
//! or an error may have prevented one puts it again. It has the same id, by which receivers drop it.

use std::time::Duration;

use models::SinkMessage;
use models::Timestamp;

use crate::events::{Called, MAX_DELIVERIES, Next, after_call, not_delivered};

/// Decides on one delivery of a message before the call: `Some` with the reason if it is given up.
#[must_use]
pub fn given_up(message: &SinkMessage, dequeue_count: u32) -> Option<String> {
    let outcome = format!("its message was received {dequeue_count} times");
    (dequeue_count > MAX_DELIVERIES).then(|| not_delivered(message.called, &outcome))
}

/// Returns what follows a call of the sink. The calls are counted in the message ([`Next::Wait`]).
///
/// `fraction` is the jitter of the pause, uniform in `[0, 1]`.
#[must_use]
pub fn after(
    message: &SinkMessage,
    called: &Called,
    max_attempts: u32,
    now: Timestamp,
    fraction: f64,
) -> Next {
    let calls = message.called.saturating_add(1);
    after_call(called, calls, now.since(message.at), max_attempts, fraction)
}

/// Returns whether an event of progress may be put: `since_last` is the time since the last one of this attempt, `None`
/// before the first. An `interval` of zero puts none.
#[must_use]
pub fn is_progress_due(since_last: Option<Duration>, interval: Duration) -> bool {
    !interval.is_zero() && since_last.is_none_or(|time| time >= interval)
}
