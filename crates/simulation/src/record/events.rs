//! P13: the events of ended tasks, their messages and the calls of their receivers.

use std::time::Duration;

use models::TaskId;
use serde::Deserialize;
use serde_json::Value;

use super::{Content, Document, Record};
use crate::call::Call;
use crate::promise::Promise;
use crate::receive::MAX_CALLS;

/// One end of a task.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventKey {
    /// The task.
    pub task: TaskId,
    /// `FinishedAt` of its document.
    pub ended_at: String,
}

/// What is known of an event.
#[derive(Debug, Default)]
pub struct EventLife {
    /// A message of it was put.
    pub is_put: bool,
    /// Its receiver has confirmed it.
    pub is_delivered: bool,
    /// There is a copy of its message in the poison queue.
    pub is_poisoned: bool,
    /// Calls of its receiver.
    pub calls: u32,
    /// The id that the calls had.
    pub id: String,
}

/// How far the delivery of an event is, as the document says.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Callback {
    /// `Due`, `Delivered` or `GivenUp`.
    pub state: String,
    /// Calls of the receiver.
    pub attempts: u32,
}

impl EventKey {
    /// The end that a message of the queue of events names.
    #[must_use]
    pub fn of_message(text: &str) -> Option<Self> {
        let message: Value = serde_json::from_str(text).ok()?;
        let member = |name: &str| message.get(name).and_then(Value::as_str);
        Some(Self { task: member("EventOf")?.parse().ok()?, ended_at: member("EndedAt")?.to_owned() })
    }

    /// The end that the body of a call is about.
    #[must_use]
    pub fn of_event(body: &Value) -> Option<Self> {
        let task = body.get("data")?.get("id")?.as_str()?.parse().ok()?;
        Some(Self { task, ended_at: body.get("timestamp")?.as_str()?.to_owned() })
    }

    /// The end of a task that has a receiver.
    #[must_use]
    pub fn of_document(task: TaskId, document: &Document) -> Option<Self> {
        document.callback_uri.as_ref()?;
        Some(Self { task, ended_at: document.finished_at.clone()? })
    }
}

impl Document {
    /// Whether the event of its end is still to be delivered.
    #[must_use]
    pub fn is_event_due(&self) -> bool {
        self.is_terminal() && self.callback.as_ref().is_some_and(|callback| callback.state == "Due")
    }

    /// Whether `new` differs only in the record of the delivery.
    #[must_use]
    pub fn differs_only_in_delivery(&self, new: &Self) -> bool {
        let without = |document: &Self| Self { callback: None, ..document.clone() };
        self.is_event_due() && without(self) == without(new)
    }
}

impl Record {
    /// What is known of an event.
    pub fn event(&mut self, key: &EventKey) -> &mut EventLife {
        self.events.entry(key.clone()).or_default()
    }

    /// The receiver was called; the number of its calls for this event.
    pub fn receiver_called(&mut self, now: Duration, key: &EventKey, id: &str, signature: &str) -> u32 {
        self.count("receiver called");
        let event = self.event(key);
        event.calls += 1;
        let calls = event.calls;
        let is_other_id = calls > 1 && event.id != id;
        id.clone_into(&mut event.id);
        let EventKey { task, .. } = key;
        if is_other_id || id.is_empty() || !signature.starts_with("v1,") {
            self.broken(Promise::P13, now, format!("task {task}: a call without its id or its signature"));
        }
        if calls > MAX_CALLS {
            let what = format!("task {task}: its receiver was called {calls} times for one event");
            self.broken(Promise::P8, now, what);
        }
        calls
    }

    /// A task has ended.
    pub(crate) fn ended_with_event(&mut self, now: Duration, task: TaskId, new: &Document) {
        if new.callback_uri.is_some() && !new.is_event_due() {
            self.broken(Promise::P13, now, format!("task {task} ended and its event is not due"));
        }
    }

    /// The record of a delivery was written.
    pub(crate) fn event_recorded(&mut self, now: Duration, task: TaskId, new: &Document) {
        self.count("event recorded");
        let Some(key) = EventKey::of_document(task, new) else { return };
        let is_said = new.callback.as_ref().is_some_and(|callback| callback.state == "Delivered");
        if is_said && !self.event(&key).is_delivered {
            let what = format!(
                "task {task}: its event is recorded as delivered, and its receiver did not accept it"
            );
            self.broken(Promise::P13, now, what);
        }
    }

    /// The message of a task was deleted that has ended.
    pub(crate) fn event_was_put(&mut self, now: Duration, task: TaskId) {
        let Some(document) = self.life(task).document().filter(|document| document.is_event_due()) else {
            return;
        };
        let Some(key) = EventKey::of_document(task, document) else { return };
        if !self.event(&key).is_put {
            let what = format!("the message of task {task} was deleted before its event was put");
            self.broken(Promise::P13, now, what);
        }
    }

    /// The message of an event was deleted.
    pub(crate) fn event_message_deleted(&mut self, now: Duration, call: &Call, text: &str) {
        let is_poisoned = call.message.as_ref().is_some_and(|id| self.poisoned.contains(id));
        let Some(key) = EventKey::of_message(text) else { return };
        let event = self.event(&key);
        if is_poisoned || event.is_delivered || event.is_poisoned {
            return;
        }
        let is_current = match &self.life(key.task).content {
            Some(Content::Readable(document)) => {
                EventKey::of_document(key.task, document).as_ref() == Some(&key) && document.is_event_due()
            }
            _ => false,
        };
        if is_current {
            let what = format!("the event of task {} was deleted before it was delivered", key.task);
            self.broken(Promise::P13, now, what);
        }
    }

    /// A copy of the message of an event was put into the poison queue.
    pub(crate) fn event_poisoned(&mut self, copy: &Value) {
        let text = copy.get("Message").and_then(Value::as_str).unwrap_or_default();
        if let Some(key) = EventKey::of_message(text) {
            self.count("event given up");
            self.event(&key).is_poisoned = true;
        }
    }

    /// The ends whose events were neither delivered nor given up, at the end of a run.
    #[must_use]
    pub fn lost_events(&self) -> Vec<String> {
        let ended = self.tasks.iter().filter_map(|(id, life)| {
            let document = life.document().filter(|document| document.is_terminal() && !life.foreign)?;
            Some((document, EventKey::of_document(*id, document)?))
        });
        let is_lost = |(document, key): &(&Document, EventKey)| {
            let event = self.events.get(key);
            document.is_event_due() || event.is_none_or(|event| !event.is_delivered && !event.is_poisoned)
        };
        let lost = ended.filter(is_lost);
        lost.map(|(_, key)| format!("task {} ended and its event was not delivered", key.task)).collect()
    }
}
