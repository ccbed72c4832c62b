//! All changes of a stored document.
//!
//! Every function of this crate that returns a changed document calls one of these, and each of these is an
//! arrow of the state diagram in ARCHITECTURE.md or a write that keeps the state. A test compares the diagram
//! with what the decisions return.

use std::time::Duration;

use models::{
    AttemptOutcome, AttemptRecord, CallbackRecord, CallbackState, DeliveryId, Start, TaskError, TaskRequest,
    TaskState, TaskStatus, Timestamp,
};

use crate::product::Product;
use crate::retention;

/// No document → Pending: the document of a task that the .NET API described in a message and did not store.
///
/// It takes only the members of the .NET contract: a message must not set a result or an owner.
pub(crate) fn create(described: &TaskStatus, inserted_at: Timestamp) -> TaskStatus {
    let request = TaskRequest {
        task_id: Some(described.task_id),
        task_name: described.task_name.clone(),
        task_description: described.task_description.clone(),
        priority: described.priority,
        input: None,
        start: Start::Now,
        start_by: None,
        timeout_seconds: None,
        max_attempts: None,
        callback_uri: None,
        unique: None,
    };
    let mut created = TaskStatus::accepted(described.task_id, request, String::new(), inserted_at);
    created.return_uri.clone_from(&described.return_uri);
    created
}

/// → Pending, for a document and a message of the .NET API: it gives a new task a random state.
pub(crate) fn reset_random_state(document: &mut TaskStatus) {
    document.state = TaskState::Pending;
}

/// Records a write by this project. A document of the .NET side becomes one of ours by it, and its `Status` is
/// valid from then on.
pub(crate) fn touch(document: &mut TaskStatus, now: Timestamp) {
    document.created_at.get_or_insert(now);
    document.updated_at = Some(now);
}

/// Closes the record of an attempt whose worker disappeared. The time of its end is unknown.
pub(crate) fn abandon(document: &mut TaskStatus) {
    if let Some(record) = open_record(document) {
        record.outcome = Some(AttemptOutcome::Abandoned);
    }
}

/// Pending or InProgress → InProgress: starts the next attempt.
pub(crate) fn start(document: &mut TaskStatus, delivery: &DeliveryId, now: Timestamp) {
    document.attempts_used = Some(document.attempts_used().saturating_add(1));
    document.retry_at = None;
    abandon(document);
    touch(document, now);
    document.state = TaskState::InProgress;
    document.attempt = document.attempt.saturating_add(1);
    document.started_at.get_or_insert(now);
    document.percent_complete = None;
    document.message = None;
    document.error = None;
    document.record(AttemptRecord {
        attempt: document.attempt,
        started_at: now,
        ended_at: None,
        outcome: None,
        error: None,
        by: None,
        delivery: Some(delivery.clone()),
    });
}

/// InProgress → InProgress: records the progress of the handler. A value that is `None` keeps the former one;
/// `percent` is limited to 100.
pub(crate) fn progress(
    document: &mut TaskStatus,
    percent: Option<u8>,
    message: Option<&str>,
    now: Timestamp,
) {
    touch(document, now);
    document.percent_complete = percent.map(|percent| percent.min(100)).or(document.percent_complete);
    document.message = message.map(str::to_owned).or(document.message.take());
}

/// InProgress → InProgress: asks the worker to stop the attempt.
pub(crate) fn request_cancel(document: &mut TaskStatus, now: Timestamp) {
    document.cancel_requested_at = Some(now);
    touch(document, now);
}

/// InProgress → Pending: another attempt follows after `wait`. A released attempt does not count as used.
pub(crate) fn put_back(
    document: &mut TaskStatus,
    outcome: AttemptOutcome,
    error: Option<TaskError>,
    wait: Duration,
    now: Timestamp,
) {
    let handed_back = u32::from(outcome == AttemptOutcome::Released);
    document.attempts_used = Some(document.attempts_used().saturating_sub(handed_back));
    document.retry_at = (!wait.is_zero()).then(|| now.plus(wait));
    end_attempt(document, outcome, error.as_ref(), now);
    touch(document, now);
    document.state = TaskState::Pending;
    document.percent_complete = None;
    document.error = error;
}

/// InProgress → Completed, with the result if there is one.
pub(crate) fn complete(
    document: &mut TaskStatus,
    product: Option<&Product>,
    keep_for: Duration,
    now: Timestamp,
) {
    document.percent_complete = document.percent_complete.map(|_| 100);
    match product {
        Some(Product::Inline(value)) => document.result = Some(value.clone()),
        Some(Product::Blob(blob)) => document.result_blob = Some(blob.clone()),
        None => {}
    }
    end(document, TaskState::Completed, None, keep_for, now);
}

/// Pending or InProgress → Failed.
pub(crate) fn fail(document: &mut TaskStatus, error: TaskError, keep_for: Duration, now: Timestamp) {
    end(document, TaskState::Failed, Some(error), keep_for, now);
}

/// Pending or InProgress → Cancelled. Records when the cancellation was requested, unless that is recorded.
pub(crate) fn cancel(document: &mut TaskStatus, keep_for: Duration, now: Timestamp) {
    document.cancel_requested_at.get_or_insert(now);
    end(document, TaskState::Cancelled, None, keep_for, now);
}

/// Pending → Cancelled: no attempt has started in time.
pub(crate) fn expire(document: &mut TaskStatus, error: TaskError, keep_for: Duration, now: Timestamp) {
    end(document, TaskState::Cancelled, Some(error), keep_for, now);
}

/// Failed → Pending: an explicit retry. All attempts are available again, and messages of earlier generations
/// are distinguished from the one that follows.
pub(crate) fn retry(document: &mut TaskStatus, by: Option<&str>, now: Timestamp) {
    touch(document, now);
    document.state = TaskState::Pending;
    document.finished_at = None;
    document.expires_at = None;
    document.not_before = None;
    document.attempts_used = Some(0);
    document.generation = document.generation.saturating_add(1);
    document.cancel_requested_at = None;
    document.callback = None;
    document.sink = None;
    document.percent_complete = None;
    document.message = None;
    document.record(AttemptRecord {
        attempt: document.attempt,
        started_at: now,
        ended_at: None,
        outcome: Some(AttemptOutcome::RetryRequested),
        error: None,
        by: by.map(str::to_owned),
        delivery: None,
    });
}

/// A terminal state → the same: records a call of the task's receiver, or of the sink. The task itself does not change, and
/// neither does the time of its last change.
pub(crate) fn event_called(
    document: &mut TaskStatus,
    is_for_sink: bool,
    state: CallbackState,
    outcome: String,
    next_attempt_at: Option<Timestamp>,
    now: Timestamp,
) {
    let record = if is_for_sink { &mut document.sink } else { &mut document.callback };
    if let Some(callback) = record {
        callback.state = state;
        callback.attempts = callback.attempts.saturating_add(1);
        callback.last_attempt_at = Some(now);
        callback.last_outcome = Some(outcome);
        callback.next_attempt_at = next_attempt_at;
    }
}

/// The record of the attempt that has not ended, if there is one.
pub(crate) fn running(document: &TaskStatus) -> Option<&AttemptRecord> {
    document.history.last().filter(|record| record.outcome.is_none())
}

fn open_record(document: &mut TaskStatus) -> Option<&mut AttemptRecord> {
    document.history.last_mut().filter(|record| record.outcome.is_none())
}

/// → a terminal state; the task may be purged after `keep_for`.
fn end(
    document: &mut TaskStatus,
    state: TaskState,
    error: Option<TaskError>,
    keep_for: Duration,
    now: Timestamp,
) {
    let outcome = match state {
        TaskState::Completed => AttemptOutcome::Completed,
        TaskState::Cancelled => AttemptOutcome::Cancelled,
        _ => AttemptOutcome::Failed,
    };
    end_attempt(document, outcome, error.as_ref(), now);
    touch(document, now);
    document.state = state;
    document.retry_at = None;
    document.finished_at = Some(now);
    document.expires_at = Some(retention::expires_at(now, keep_for));
    document.error = error;
    document.callback = document.callback_uri.as_ref().map(|_| CallbackRecord::due());
    document.sink = document.sink_events.then(CallbackRecord::due);
}

/// A terminal state → the same: the delivery of this event of the end begins again.
pub(crate) fn event_again(document: &mut TaskStatus, is_for_sink: bool) {
    let record = if is_for_sink { &mut document.sink } else { &mut document.callback };
    *record = Some(CallbackRecord::due());
}

fn end_attempt(
    document: &mut TaskStatus,
    outcome: AttemptOutcome,
    error: Option<&TaskError>,
    now: Timestamp,
) {
    if let Some(record) = open_record(document) {
        record.ended_at = Some(now);
        record.outcome = Some(outcome);
        record.error = error.cloned();
    }
}
