//! What one delivery of a queue message asks for.

use std::time::Duration;

use models::{
    AttemptOutcome, DeliveryId, MessageError, Schedule, TaskError, TaskMessage, TaskRequest, TaskState,
    TaskStatus, Timestamp,
};

use crate::{Policy, schedule, transition};

/// The error code of a task whose message was delivered too often.
const TOO_MANY_DELIVERIES: &str = "TooManyDeliveries";

/// One receipt of a message, as far as decisions depend on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Which message, and how often it has been delivered.
    pub id: DeliveryId,
    /// When the message was put.
    pub inserted_at: Timestamp,
}

/// What is stored under the task id of the message.
#[derive(Debug, Clone, Copy)]
pub enum Found<'a> {
    /// This document.
    Document(&'a TaskStatus),
    /// Nothing.
    Missing,
    /// A document that breaks the contract, and how.
    Unreadable(&'a str),
}

/// What to do with a delivery. Documents are written conditionally: over the version that was read, or
/// only if there is none when nothing was found. When the write is refused, read and decide again.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Write this document, which is InProgress, then run the handler.
    Run(Box<TaskStatus>),
    /// The stored document already says that this very delivery started the attempt (the reply to the
    /// write was lost): run the handler.
    Resume,
    /// Write this document, which is Cancelled, then delete the message.
    Cancel(Box<TaskStatus>),
    /// There is nothing left to do: delete the message.
    Discard(Discard),
    /// Give the message up: write the document (which is Failed) when there is one, put a copy with the
    /// reason into the poison queue, then delete the message.
    Poison {
        /// Why, for people.
        reason: String,
        /// The document to write first.
        document: Option<Box<TaskStatus>>,
    },
    /// The task may not start yet: put the message into the scheduled queue with this delay, then
    /// delete it from the task queue.
    Schedule(Duration),
    /// Another message of the same task is being worked on: hide this one for so long. Only that other
    /// attempt's end tells what is left to do.
    Postpone(Duration),
}

/// Why a message is deleted without work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Discard {
    /// Its task has its outcome.
    Terminal,
    /// Its task was deleted or purged.
    Gone,
}

/// The document and version that a message may stand for, so that the first write needs no read before
/// it: only a fresh document of ours, delivered for the first time. Storage confirms the version when it
/// is written over; everything else is read.
#[must_use]
pub fn presumed<'a>(message: &'a TaskMessage, receipt: &Receipt) -> Option<(&'a TaskStatus, &'a str)> {
    let etag = message.etag.as_deref().filter(|etag| is_strong_etag(etag))?;
    let document = message.document.as_ref()?;
    let fresh = document.state == TaskState::Pending
        && document.attempt == 0
        && document.history.is_empty()
        && document.started_at.is_none()
        && document.finished_at.is_none()
        && document.expires_at.is_none()
        && document.cancel_requested_at.is_none()
        && document.result.is_none()
        && document.result_blob.is_none()
        && document.error.is_none();
    (message.is_ours && fresh && receipt.id.dequeue_count == 1).then_some((document, etag))
}

/// `*` would match every version and an unquoted text none; both come from strangers only.
fn is_strong_etag(etag: &str) -> bool {
    let inner = etag.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inner.is_some_and(|inner| {
        (1..=128).contains(&inner.len()) && inner.bytes().all(|b| b.is_ascii_graphic() && b != b'"')
    })
}

/// Decides about one delivery, given its parsed message and what is stored under the task's id.
#[must_use]
pub fn decide(
    message: &Result<TaskMessage, MessageError>,
    found: Found<'_>,
    receipt: &Receipt,
    policy: &Policy,
    now: Timestamp,
) -> Step {
    let (task_id, usable) = match message {
        Ok(message) => (message.task_id, Ok(message)),
        Err(MessageError::Unusable { task_id, reason }) => (*task_id, Err(reason)),
        Err(MessageError::Unreadable(reason)) => {
            return poison(format!("the message cannot be read: {reason}"), None);
        }
    };
    let stored = match found {
        Found::Document(stored) if stored.task_id == task_id => stored,
        Found::Document(_) => return poison("the stored document names another task".to_owned(), None),
        Found::Unreadable(reason) => {
            return poison(format!("the stored document cannot be read: {reason}"), None);
        }
        Found::Missing => return without_document(usable, receipt, policy, now),
    };
    let mut document = stored.clone();
    match usable {
        Err(reason) => unusable(reason, document, receipt, policy, now),
        Ok(message) => {
            // The .NET API gives a new task a random state; its message says that the task is new.
            if !message.is_ours && !document.is_ours() {
                document.state = TaskState::Pending;
            }
            with_document(document, receipt, policy, now)
        }
    }
}

fn without_document(
    message: Result<&TaskMessage, &String>,
    receipt: &Receipt,
    policy: &Policy,
    now: Timestamp,
) -> Step {
    let message = match message {
        Ok(message) => message,
        Err(reason) => return poison(format!("the message cannot be used: {reason}"), None),
    };
    if message.is_ours {
        return Step::Discard(Discard::Gone);
    }
    let Some(document) = &message.document else {
        return poison(
            "the message names a task that is not stored, and does not describe it".to_owned(),
            None,
        );
    };
    // Only the members of the .NET contract: a message is not a place to hand in results or owners.
    let request = TaskRequest {
        task_id: Some(document.task_id),
        task_name: document.task_name.clone(),
        task_description: document.task_description.clone(),
        priority: document.priority,
        input: None,
        schedule: Schedule::Now,
    };
    let mut created =
        TaskStatus::accepted(document.task_id, request, String::new(), receipt.inserted_at.min(now));
    created.return_uri.clone_from(&document.return_uri);
    with_document(created, receipt, policy, now)
}

fn unusable(
    reason: &str,
    mut document: TaskStatus,
    receipt: &Receipt,
    policy: &Policy,
    now: Timestamp,
) -> Step {
    let reason = format!("the message cannot be used: {reason}");
    // A task that has its outcome keeps it, and one that runs on another message has no need of this one.
    if document.state.is_terminal() || carried_by_another(&document, receipt, policy, now).is_some() {
        return poison(reason, None);
    }
    let error = TaskError { code: "MessageUnusable".to_owned(), message: reason.clone() };
    transition::abandon(&mut document);
    transition::finish(&mut document, TaskState::Failed, Some(error), policy.retention, now);
    poison(reason, Some(document))
}

/// The usual case. The order of the exits is the order of their precedence.
fn with_document(mut document: TaskStatus, receipt: &Receipt, policy: &Policy, now: Timestamp) -> Step {
    if document.state.is_terminal() {
        return match given_up(&document, receipt, policy) {
            // The worker that gave it up died between the document and the copy.
            Some(reason) => poison(reason, None),
            None => Step::Discard(Discard::Terminal),
        };
    }
    if document.cancel_requested_at.is_some() {
        transition::finish(&mut document, TaskState::Cancelled, None, policy.retention, now);
        return Step::Cancel(Box::new(document));
    }
    if document.state == TaskState::InProgress
        && transition::running(&document).is_some_and(|record| record.delivery.as_ref() == Some(&receipt.id))
    {
        return Step::Resume;
    }
    if let Some(remaining) = carried_by_another(&document, receipt, policy, now) {
        return Step::Postpone(postponement(receipt.id.dequeue_count).min(remaining));
    }
    if deliveries_used(&document, receipt) > policy.max_dequeue_count {
        return exhausted(document, receipt, policy, now);
    }
    // A message that storage showed at its time is due, whatever a clock of ours that was set back says.
    let wait = schedule::delay(&document, now.max(receipt.inserted_at));
    if !wait.is_zero() && document.attempt == 0 {
        return Step::Schedule(wait);
    }
    transition::start(&mut document, &receipt.id, now);
    Step::Run(Box::new(document))
}

/// How long the attempt of another message may still be running; `None` when there is none. Messages are
/// duplicated by a lost reply to a submission or by the sweep. If a duplicate took the task over, two
/// messages would take it from each other until both were given up.
fn carried_by_another(
    document: &TaskStatus,
    receipt: &Receipt,
    policy: &Policy,
    now: Timestamp,
) -> Option<Duration> {
    if document.state != TaskState::InProgress {
        return None;
    }
    let record = transition::running(document)?;
    let other = record.delivery.as_ref()?.message_id != receipt.id.message_id;
    let until = record.started_at.plus(policy.task_timeout).plus(policy.visibility);
    // A start in the future is a clock that runs ahead; it must not hide a message for longer than a
    // start right now would.
    let remaining = until.since(now).min(policy.task_timeout + policy.visibility);
    (other && !remaining.is_zero()).then(|| schedule::whole_seconds(remaining))
}

/// 10 s, 20 s, 40 s, … at most 1280 s: soon for short tasks, seldom for long ones.
fn postponement(dequeue_count: u32) -> Duration {
    Duration::from_secs(10 << dequeue_count.saturating_sub(1).min(7))
}

/// Deliveries of this message that count as tries. One that ended because its worker was being stopped
/// does not.
fn deliveries_used(document: &TaskStatus, receipt: &Receipt) -> u32 {
    let released = document.history.iter().filter(|record| {
        record.outcome == Some(AttemptOutcome::Released)
            && record.delivery.as_ref().is_some_and(|id| id.message_id == receipt.id.message_id)
    });
    receipt.id.dequeue_count.saturating_sub(u32::try_from(released.count()).unwrap_or(u32::MAX))
}

fn exhausted(mut document: TaskStatus, receipt: &Receipt, policy: &Policy, now: Timestamp) -> Step {
    let mut reason = format!(
        "delivered {} times; max_dequeue_count allows {}",
        receipt.id.dequeue_count, policy.max_dequeue_count
    );
    // What happened to a duplicate says nothing about the task, which its other message still carries.
    if !is_carrier(&document, receipt) {
        return poison(reason, None);
    }
    if let Some(error) = &document.error {
        reason = format!("{reason}; the latest attempt failed: {}", error.message);
    }
    let error = TaskError { code: TOO_MANY_DELIVERIES.to_owned(), message: reason.clone() };
    transition::abandon(&mut document);
    transition::finish(&mut document, TaskState::Failed, Some(error), policy.retention, now);
    poison(reason, Some(document))
}

/// Why this message was given up, when the document says that it was.
fn given_up(document: &TaskStatus, receipt: &Receipt, policy: &Policy) -> Option<String> {
    let error = document.error.as_ref().filter(|error| error.code == TOO_MANY_DELIVERIES)?;
    let given_up = document.state == TaskState::Failed
        && deliveries_used(document, receipt) > policy.max_dequeue_count
        && is_carrier(document, receipt);
    given_up.then(|| error.message.clone())
}

/// Whether no other message than this one is known to have brought the latest attempt.
fn is_carrier(document: &TaskStatus, receipt: &Receipt) -> bool {
    let carrier = document.history.last().and_then(|record| record.delivery.as_ref());
    carrier.is_none_or(|id| id.message_id == receipt.id.message_id)
}

fn poison(reason: String, document: Option<TaskStatus>) -> Step {
    Step::Poison { reason, document: document.map(Box::new) }
}
