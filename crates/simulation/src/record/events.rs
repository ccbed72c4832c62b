//! P13: the events of ended tasks, their messages and the calls of their receivers. Those of the sink count towards P17.

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
    /// Whether its event is for the sink.
    pub is_for_sink: bool,
}

/// What is known of an event.
#[derive(Debug, Default)]
pub struct EventLife {
    /// A message of it was put.
    pub is_put: bool,
    /// How often its delivery began: with the first message, and with each that an operator replayed since it was given up.
    pub rounds: u32,
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
        let is_for_sink = message.get("Sink").is_some();
        let (task, ended_at) = (member("EventOf")?.parse().ok()?, member("EndedAt")?.to_owned());
        Some(Self { task, ended_at, is_for_sink })
    }

    /// The end that the body of a call is about.
    #[must_use]
    pub fn of_event(body: &Value) -> Option<Self> {
        let task = body.get("data")?.get("id")?.as_str()?.parse().ok()?;
        Some(Self { task, ended_at: body.get("timestamp")?.as_str()?.to_owned(), is_for_sink: false })
    }

    /// The events of the end of a task: for its receiver, and for the sink.
    pub fn of_document(task: TaskId, document: &Document) -> impl Iterator<Item = Self> + use<> {
        let targets =
            [document.callback_uri.is_some().then_some(false), document.sink_events.then_some(true)];
        let ended_at = document.finished_at.clone();
        let key = move |is_for_sink| Some(Self { task, ended_at: ended_at.clone()?, is_for_sink });
        targets.into_iter().flatten().filter_map(key)
    }

    fn promise(&self) -> Promise {
        if self.is_for_sink { Promise::P17 } else { Promise::P13 }
    }

    /// How far its delivery is, as the document says.
    fn state<'a>(&self, document: &'a Document) -> &'a str {
        let record = if self.is_for_sink { &document.sink } else { &document.callback };
        record.as_ref().map_or("", |record| &record.state)
    }
}

impl Document {
    /// Whether the event of its end is still to be delivered.
    #[must_use]
    pub fn is_event_due(&self) -> bool {
        let records = [&self.callback, &self.sink].into_iter().flatten();
        self.is_terminal() && records.into_iter().any(|record| record.state == "Due")
    }

    /// Whether `new` differs only in the record of the delivery.
    #[must_use]
    pub fn differs_only_in_delivery(&self, new: &Self) -> bool {
        self.is_event_due() && self.without_deliveries() == new.without_deliveries()
    }

    /// Whether `new` differs only in deliveries that begin again and were not confirmed.
    #[must_use]
    pub fn has_delivery_again(&self, new: &Self) -> bool {
        let is_again = |old: &Option<Callback>, new: &Option<Callback>| match (old, new) {
            (Some(old), Some(new)) => {
                old == new || old.state != "Delivered" && (new.state.as_str(), new.attempts) == ("Due", 0)
            }
            _ => old == new,
        };
        self.is_terminal()
            && is_again(&self.callback, &new.callback)
            && is_again(&self.sink, &new.sink)
            && self.without_deliveries() == new.without_deliveries()
    }

    fn without_deliveries(&self) -> Self {
        Self { callback: None, sink: None, ..self.clone() }
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
        let (calls, most) = (event.calls, MAX_CALLS.saturating_mul(event.rounds));
        let is_other_id = calls > 1 && event.id != id;
        id.clone_into(&mut event.id);
        let EventKey { task, .. } = key;
        if is_other_id || id.is_empty() || !signature.starts_with("v1,") {
            self.broken(Promise::P13, now, format!("task {task}: a call without its id or its signature"));
        }
        if calls > most {
            let what = format!("task {task}: its receiver was called {calls} times for one event");
            self.broken(Promise::P8, now, what);
        }
        calls
    }

    /// A task has ended.
    pub(crate) fn ended_with_event(&mut self, now: Duration, task: TaskId, new: &Document) {
        for key in EventKey::of_document(task, new) {
            if key.state(new) != "Due" {
                self.broken(key.promise(), now, format!("task {task} ended and its event is not due"));
            }
        }
    }

    /// The record of a delivery was written.
    pub(crate) fn event_recorded(&mut self, now: Duration, task: TaskId, new: &Document) {
        self.count("event recorded");
        for key in EventKey::of_document(task, new) {
            if key.state(new) == "Delivered" && !self.event(&key).is_delivered {
                let what = format!(
                    "task {task}: its event is recorded as delivered, and its receiver did not accept it"
                );
                self.broken(key.promise(), now, what);
            }
        }
    }

    /// The message of a task was deleted that has ended.
    pub(crate) fn event_was_put(&mut self, now: Duration, task: TaskId) {
        let Some(document) = self.life(task).document().filter(|document| document.is_event_due()) else {
            return;
        };
        let due: Vec<_> =
            EventKey::of_document(task, document).filter(|key| key.state(document) == "Due").collect();
        for key in due {
            if !self.event(&key).is_put {
                let what = format!("the message of task {task} was deleted before its event was put");
                self.broken(key.promise(), now, what);
            }
        }
    }

    /// The message of an event was deleted.
    pub(crate) fn event_message_deleted(&mut self, now: Duration, call: &Call, text: &str) {
        let is_poisoned = call.message.as_ref().is_some_and(|id| self.poisoned.contains(id));
        if !is_poisoned {
            self.sink_message_deleted(now, text);
        }
        let Some(key) = EventKey::of_message(text) else { return };
        let event = self.event(&key);
        if is_poisoned || event.is_delivered || event.is_poisoned {
            return;
        }
        let is_current = match &self.life(key.task).content {
            Some(Content::Readable(document)) => {
                EventKey::of_document(key.task, document).any(|current| current == key)
                    && key.state(document) == "Due"
            }
            _ => false,
        };
        if is_current {
            let what = format!("the event of task {} was deleted before it was delivered", key.task);
            self.broken(key.promise(), now, what);
        }
    }

    /// The message of an event was lost with its queue. If the document says that the event is given up, and the worker crashed
    /// before it put the copy, nothing is left to make the copy of.
    pub(crate) fn event_message_lost(&mut self, text: &str) {
        let Some(key) = EventKey::of_message(text) else { return };
        let is_given_up = self.life(key.task).document().is_some_and(|document| {
            EventKey::of_document(key.task, document).any(|current| current == key)
                && key.state(document) != "Due"
        });
        if is_given_up {
            self.event(&key).is_poisoned = true;
        }
    }

    /// A copy of the message of an event was put into the poison queue.
    pub(crate) fn event_poisoned(&mut self, copy: &Value) {
        let text = copy.get("Message").and_then(Value::as_str).unwrap_or_default();
        if let Some(key) = EventKey::of_message(text) {
            self.count("event given up");
            self.event(&key).is_poisoned = true;
        }
        self.sink_message_poisoned(text);
    }

    /// The ends whose events were neither delivered nor given up, at the end of a run.
    #[must_use]
    pub fn lost_events(&self) -> Vec<(Promise, String)> {
        let ended = self.tasks.iter().flat_map(|(id, life)| {
            let document = life.document().filter(|document| document.is_terminal() && !life.foreign);
            document
                .into_iter()
                .flat_map(|document| EventKey::of_document(*id, document).map(move |key| (document, key)))
        });
        let is_lost = |(document, key): &(&Document, EventKey)| {
            let event = self.events.get(key);
            key.state(document) == "Due"
                || event.is_none_or(|event| !event.is_delivered && !event.is_poisoned)
        };
        let lost = ended.filter(is_lost);
        lost.map(|(_, key)| {
            (key.promise(), format!("task {} ended and its event was not delivered", key.task))
        })
        .collect()
    }
}
