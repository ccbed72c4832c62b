//! The only functions that change a document: each is one arrow of the state diagram.

use std::time::Duration;

use models::{AttemptOutcome, AttemptRecord, DeliveryId, TaskError, TaskState, TaskStatus, Timestamp};

use crate::retention;

/// Notes a write by this project. A document of the .NET side becomes ours with it, so that its `Status`
/// counts from now on.
pub(crate) fn touch(document: &mut TaskStatus, now: Timestamp) {
    document.created_at.get_or_insert(now);
    document.updated_at = Some(now);
}

/// Notes that an attempt found unfinished belonged to a worker that disappeared. When it ended is not known.
pub(crate) fn abandon(document: &mut TaskStatus) {
    if let Some(record) = open_record(document) {
        record.outcome = Some(AttemptOutcome::Abandoned);
    }
}

/// → InProgress.
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

/// InProgress → Pending: another attempt follows, after `wait`.
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

/// → a terminal state.
pub(crate) fn finish(
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
}

/// The record of the attempt that has not ended, if there is one.
pub(crate) fn running(document: &TaskStatus) -> Option<&AttemptRecord> {
    document.history.last().filter(|record| record.outcome.is_none())
}

fn open_record(document: &mut TaskStatus) -> Option<&mut AttemptRecord> {
    document.history.last_mut().filter(|record| record.outcome.is_none())
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
