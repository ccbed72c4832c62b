//! The decision on one delivery of a queue message.

use std::time::Duration;

use models::{
    DeliveryId, DeliveryNote, MessageError, TaskError, TaskMessage, TaskState, TaskStatus, Timestamp,
};

use crate::sweep::MAX_CLOCK_SKEW;
use crate::{Policy, delayed, transition};

/// The error code of a task whose attempts are used up.
const TOO_MANY_DELIVERIES: &str = "TooManyDeliveries";
/// The error code of a cancelled task that did not start in time.
const EXPIRED: &str = "Expired";

/// One delivery of a message, as far as decisions depend on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Which message, and how often it has been delivered.
    pub id: DeliveryId,
    /// When the message was put.
    pub inserted_at: Timestamp,
    /// When the message was received, by storage's clock.
    pub received_at: Timestamp,
    /// What earlier deliveries noted in the message.
    pub note: DeliveryNote,
}

/// The document stored under the task id of the message.
#[derive(Debug, Clone, Copy)]
pub enum DocumentRead<'a> {
    /// This document.
    Found(&'a TaskStatus),
    /// Nothing.
    Missing,
    /// A document that does not follow the contract, and the reason.
    Unreadable(&'a str),
}

/// What to do with a delivery.
///
/// Write documents conditionally: over the version that was read, or only if there is none when none was found. On
/// a conflict, read the document and decide again.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Write this document, which is InProgress, then run the handler.
    Run(Box<TaskStatus>),
    /// The stored document says that this delivery has started the attempt; the response to the write was lost. Run
    /// the handler.
    Resume,
    /// Write this document, which is Cancelled, then delete the message.
    Cancel(Box<TaskStatus>),
    /// Delete the message: nothing is left to do.
    Discard(Discard),
    /// Give the message up: write the document, which is Failed, if there is one; send a copy with the reason to the
    /// poison queue; delete the message.
    Poison {
        /// The reason, as text for people.
        reason: String,
        /// The document to write first.
        document: Option<Box<TaskStatus>>,
    },
    /// The task may not start yet: send its message to the scheduled queue with this delay, then delete the message
    /// from the task queue.
    Delay(Duration),
    /// Another message of the same task is being processed: hide this one for this time. Its next delivery decides
    /// what is left to do.
    Postpone(Duration),
    /// The back-off of an attempt is not over: hide the message, and note for which attempt it was hidden.
    BackOff {
        /// How long to hide it.
        wait: Duration,
        /// The number of the attempt.
        attempt: u32,
    },
    /// A later delivery of the same message has started an attempt, so the lease of this one is lost. Do nothing.
    Leave,
}

/// Why a message is deleted without work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Discard {
    /// Its task is terminal.
    Terminal,
    /// Its task was deleted or purged.
    Gone,
    /// A client has retried its task since it was sent, and the task has another message.
    Older,
}

/// Returns the document and ETag carried by the message if they can be used without reading storage first.
///
/// That holds only for the first delivery of a new task that this project created. The conditional write detects a
/// stale ETag.
#[must_use]
pub fn document_from_message<'a>(
    message: &'a TaskMessage,
    delivery: &Delivery,
) -> Option<(&'a TaskStatus, &'a str)> {
    let etag = message.etag.as_deref().filter(|etag| is_strong_etag(etag))?;
    let document = message.document.as_ref()?;
    let is_new = document.state == TaskState::Pending
        && document.attempt == 0
        && document.history.is_empty()
        && document.started_at.is_none()
        && document.finished_at.is_none()
        && document.expires_at.is_none()
        && document.callback.is_none()
        && document.sink.is_none()
        && document.cancel_requested_at.is_none()
        && document.result.is_none()
        && document.result_blob.is_none()
        && document.error.is_none()
        && document.attempts_used.is_none()
        && document.retry_at.is_none()
        && document.generation == 0;
    (message.is_ours && is_new && delivery.id.dequeue_count == 1).then_some((document, etag))
}

/// `*` would match every version, and an unquoted text none. Only other programs send them.
fn is_strong_etag(etag: &str) -> bool {
    let inner = etag.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inner.is_some_and(|inner| {
        (1..=128).contains(&inner.len()) && inner.bytes().all(|b| b.is_ascii_graphic() && b != b'"')
    })
}

/// Decides on one delivery, given its parsed message and the document stored under the task's id.
#[must_use]
pub fn decide(
    message: &Result<TaskMessage, MessageError>,
    found: DocumentRead<'_>,
    delivery: &Delivery,
    policy: &Policy,
    now: Timestamp,
) -> Step {
    let (task_id, usable) = match message {
        Ok(message) => (message.task_id, Ok(message)),
        Err(MessageError::Unusable { task_id, generation, reason }) => (*task_id, Err((reason, *generation))),
        Err(MessageError::Unreadable(reason)) => {
            return poison(format!("the message cannot be read: {reason}"), None);
        }
    };
    let stored = match found {
        DocumentRead::Found(stored) if stored.task_id == task_id => stored,
        DocumentRead::Found(_) => return poison("the stored document names another task".to_owned(), None),
        DocumentRead::Unreadable(reason) => {
            return poison(format!("the stored document cannot be read: {reason}"), None);
        }
        DocumentRead::Missing => return without_document(usable, delivery, policy, now),
    };
    let mut document = stored.clone();
    match usable {
        Err((reason, generation)) => unusable(reason, generation, document, delivery, policy, now),
        Ok(message) => {
            // The .NET API gives a new task a random state; only its message shows that the task is new.
            if !message.is_ours && !document.is_ours() {
                transition::reset_random_state(&mut document);
            }
            with_document(document, message.generation, delivery, policy, now)
        }
    }
}

fn without_document(
    message: Result<&TaskMessage, (&String, u32)>,
    delivery: &Delivery,
    policy: &Policy,
    now: Timestamp,
) -> Step {
    let message = match message {
        Ok(message) => message,
        Err((reason, _)) => return poison(format!("the message cannot be used: {reason}"), None),
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
    let created = transition::create(document, delivery.inserted_at.min(now));
    with_document(created, 0, delivery, policy, now)
}

fn unusable(
    reason: &str,
    generation: u32,
    mut document: TaskStatus,
    delivery: &Delivery,
    policy: &Policy,
    now: Timestamp,
) -> Step {
    let reason = format!("the message cannot be used: {reason}");
    // A terminal task keeps its outcome. A task that another message runs, or that was retried since, does not need
    // this message.
    let is_needless = document.state.is_terminal()
        || generation < document.generation
        || carried_by_another(&document, delivery, policy, now).is_some();
    if is_needless {
        return poison(reason, None);
    }
    let error = TaskError { code: "MessageUnusable".to_owned(), message: reason.clone() };
    transition::abandon(&mut document);
    transition::fail(&mut document, error, policy.retention, now);
    poison(reason, Some(document))
}

/// Decides on a usable message of a stored task. The order of the conditions is their precedence.
fn with_document(
    mut document: TaskStatus,
    generation: u32,
    delivery: &Delivery,
    policy: &Policy,
    now: Timestamp,
) -> Step {
    let policy = &policy.for_task(&document);
    if document.state.is_terminal() {
        return match given_up(&document, delivery) {
            // The worker that gave it up crashed between the document and the copy.
            Some(reason) => poison(reason, None),
            None => Step::Discard(Discard::Terminal),
        };
    }
    if generation < document.generation {
        return Step::Discard(Discard::Older);
    }
    if document.cancel_requested_at.is_some() {
        transition::cancel(&mut document, policy.retention, now);
        return Step::Cancel(Box::new(document));
    }
    if document.state == TaskState::InProgress
        && transition::running(&document).is_some_and(|record| record.delivery.as_ref() == Some(&delivery.id))
    {
        return Step::Resume;
    }
    if is_superseded(&document, delivery) {
        return Step::Leave;
    }
    if let Some(remaining) = carried_by_another(&document, delivery, policy, now) {
        return Step::Postpone(postponement(delivery.id.dequeue_count).min(remaining));
    }
    if document.attempts_used() >= policy.max_dequeue_count {
        return exhausted(document, policy, now);
    }
    if is_expired(&document, delivery) {
        let message = "no attempt had started by the time that ExpiresAt named".to_owned();
        let error = TaskError { code: EXPIRED.to_owned(), message };
        transition::expire(&mut document, error, policy.retention, now);
        return Step::Cancel(Box::new(document));
    }
    if let Some(remaining) = back_off_left(&document, delivery, now) {
        return Step::BackOff { wait: remaining, attempt: document.attempt };
    }
    // A message that storage made visible is due, even if this worker's clock was set back.
    let wait = delayed::delay(&document, now.max(delivery.inserted_at));
    if !wait.is_zero() && document.attempt == 0 {
        return Step::Delay(wait);
    }
    transition::start(&mut document, &delivery.id, now);
    Step::Run(Box::new(document))
}

/// Returns whether the time has passed by which the first attempt had to start.
///
/// Storage's clock decides: a worker whose clock is wrong must neither cancel a task that is in time nor start one that
/// is not.
fn is_expired(document: &TaskStatus, delivery: &Delivery) -> bool {
    document.attempt == 0 && document.start_by.is_some_and(|start_by| start_by <= delivery.received_at)
}

/// Returns whether a later delivery of the same message started the latest attempt.
fn is_superseded(document: &TaskStatus, delivery: &Delivery) -> bool {
    let latest = document.history.last().and_then(|record| record.delivery.as_ref());
    latest.is_some_and(|id| {
        id.message_id == delivery.id.message_id && id.dequeue_count > delivery.id.dequeue_count
    })
}

/// Returns how long the attempt of another message may still run; `None` if there is none.
///
/// A lost response to a submission, or the sweep, can duplicate a message. If a duplicate took over the task, two
/// messages would take it from each other until both were given up.
fn carried_by_another(
    document: &TaskStatus,
    delivery: &Delivery,
    policy: &Policy,
    now: Timestamp,
) -> Option<Duration> {
    if document.state != TaskState::InProgress {
        return None;
    }
    let record = transition::running(document)?;
    let other = record.delivery.as_ref()?.message_id != delivery.id.message_id;
    // The end is recorded after the time limit. The clock of the worker that started the attempt may be behind this one.
    let longest = policy.task_timeout + policy.visibility.max(MAX_CLOCK_SKEW);
    let until = record.started_at.plus(longest);
    // A start in the future comes from a clock that is ahead; it must not hide the message for longer than a start
    // at this moment would.
    let remaining = until.since(now).min(longest);
    (other && !remaining.is_zero()).then(|| delayed::whole_seconds(remaining))
}

/// 10 s, 20 s, 40 s, … up to 1280 s, so that the check is soon for short tasks and rare for long ones.
fn postponement(dequeue_count: u32) -> Duration {
    Duration::from_secs(10 << dequeue_count.saturating_sub(1).min(7))
}

/// Returns how much of the back-off of the latest attempt is left for this message.
///
/// If the message's note says that it was hidden for this back-off, storage's clock has measured it. Otherwise this
/// worker's clock decides, and the message is hidden for the whole back-off at most: a clock that is hours behind
/// would hide it for hours.
fn back_off_left(document: &TaskStatus, delivery: &Delivery, now: Timestamp) -> Option<Duration> {
    let retry_at = document.retry_at.filter(|_| document.state == TaskState::Pending)?;
    let latest = document.history.last()?;
    let was_hidden = delivery.note.backed_off == document.attempt;
    let whole = latest.ended_at.map_or(Duration::ZERO, |ended_at| retry_at.since(ended_at));
    let left = retry_at.since(now).min(whole);
    (!was_hidden && !left.is_zero()).then(|| delayed::whole_seconds(left))
}

/// Gives up a task whose attempts are used up. Deliveries do not count, because one that starts no attempt says
/// nothing about the task.
fn exhausted(mut document: TaskStatus, policy: &Policy, now: Timestamp) -> Step {
    let is_own = document.max_attempts == Some(policy.max_dequeue_count);
    let limit = if is_own { "MaxAttempts" } else { "max_dequeue_count" };
    let mut reason = format!(
        "attempts started without success: {}; {limit} allows {}",
        document.attempts_used(),
        policy.max_dequeue_count
    );
    if let Some(error) = &document.error {
        reason = format!("{reason}; the latest attempt failed: {}", error.message);
    }
    let error = TaskError { code: TOO_MANY_DELIVERIES.to_owned(), message: reason.clone() };
    transition::abandon(&mut document);
    transition::fail(&mut document, error, policy.retention, now);
    poison(reason, Some(document))
}

/// Returns why this message was given up if the document says that it was: a later delivery than the one that
/// started the latest attempt gave it up.
fn given_up(document: &TaskStatus, delivery: &Delivery) -> Option<String> {
    let error = document.error.as_ref().filter(|error| error.code == TOO_MANY_DELIVERIES)?;
    let latest = document.history.last().and_then(|record| record.delivery.as_ref())?;
    let is_later =
        latest.message_id == delivery.id.message_id && latest.dequeue_count < delivery.id.dequeue_count;
    (document.state == TaskState::Failed && is_later).then(|| error.message.clone())
}

fn poison(reason: String, document: Option<TaskStatus>) -> Step {
    Step::Poison { reason, document: document.map(Box::new) }
}
