//! Documents, messages and policies for the tests of this crate.

use std::time::Duration;

use lifecycle::Policy;
use lifecycle::delivery::{Delivery, DocumentRead, Step, decide};
use models::{
    DeliveryId, DeliveryNote, Json, MessageError, Start, TaskId, TaskMessage, TaskPriority, TaskRequest,
    TaskState, TaskStatus, Timestamp,
};

pub(crate) const POLICY: Policy = Policy {
    visibility: secs(60),
    max_dequeue_count: 5,
    task_timeout: secs(1800),
    retry_base: secs(2),
    retry_cap: secs(300),
    retention: secs(30 * 86_400),
};

pub(crate) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Seconds after the acceptance of the sample tasks.
pub(crate) fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix_millis(1_795_168_800_000).plus(secs(seconds))
}

pub(crate) fn id() -> TaskId {
    "0a8f5d7e-3c1b-4b8e-9f6a-2d4c6e8f0a1b".parse().unwrap()
}

pub(crate) fn request() -> TaskRequest {
    TaskRequest {
        task_id: Some(id()),
        task_name: "resize".to_owned(),
        task_description: "a picture".to_owned(),
        priority: TaskPriority::High,
        input: Some(Json::parse(r#"{"width":640}"#).unwrap()),
        start: Start::Now,
        start_by: None,
        timeout_seconds: None,
        max_attempts: None,
        callback_uri: None,
        unique: None,
    }
}

/// Accepted at second 0.
pub(crate) fn pending() -> TaskStatus {
    TaskStatus::accepted(id(), request(), "https://a.example/tasks/x-202".to_owned(), at(0))
}

/// A document of the .NET API: its six members, a random state.
pub(crate) fn foreign(state: TaskState) -> TaskStatus {
    let mut document = pending();
    (document.created_at, document.updated_at, document.input) = (None, None, None);
    document.state = state;
    document
}

/// Started by `delivery` at `now`.
pub(crate) fn running(document: &TaskStatus, delivery: &Delivery, now: Timestamp) -> TaskStatus {
    let message = TaskMessage { generation: document.generation, ..ours() };
    match decide(&Ok(message), DocumentRead::Found(document), delivery, &POLICY, now) {
        Step::Run(document) => *document,
        other => panic!("expected a start, got {other:?}"),
    }
}

/// A document in `state` after one attempt by message `m1`, started at second 1.
pub(crate) fn in_state(state: TaskState) -> TaskStatus {
    use lifecycle::outcome::{Effect, Outcome, settle};
    let running = running(&pending(), &delivery("m1", 1), at(1));
    let error = models::TaskError { code: "HandlerFailed".to_owned(), message: "no such picture".to_owned() };
    let outcome = match state {
        TaskState::Pending => return pending(),
        TaskState::InProgress => return running,
        TaskState::Completed => Outcome::Completed(None),
        TaskState::Failed => Outcome::Failed(error),
        TaskState::Cancelled => Outcome::Cancelled,
    };
    let effects = settle(&outcome, &running, &POLICY, at(2), 0.5);
    let written = effects.into_iter().find_map(|effect| match effect {
        Effect::Write(document) => Some(*document),
        _ => None,
    });
    written.expect("every outcome writes the document")
}

pub(crate) fn delivery(message_id: &str, dequeue_count: u32) -> Delivery {
    let id = DeliveryId { message_id: message_id.to_owned(), dequeue_count };
    Delivery { id, inserted_at: at(0), received_at: at(0), note: DeliveryNote::default() }
}

/// A message of this project with an id only.
pub(crate) fn ours() -> TaskMessage {
    TaskMessage {
        task_id: id(),
        etag: None,
        is_ours: true,
        generation: 0,
        owes_accepted: false,
        document: None,
    }
}

pub(crate) fn theirs(state: TaskState) -> TaskMessage {
    TaskMessage {
        task_id: id(),
        etag: None,
        is_ours: false,
        generation: 0,
        owes_accepted: false,
        document: Some(foreign(state)),
    }
}

pub(crate) fn unusable() -> MessageError {
    MessageError::Unusable { task_id: id(), generation: 0, reason: "Priority: must be 0, 1 or 2".to_owned() }
}
