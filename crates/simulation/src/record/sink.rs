//! P17: the events of the sink other than ends. They are known by the ids that their messages must lead to.

use std::time::Duration;

use models::{TaskId, Timestamp};
use serde_json::Value;

use super::events::EventKey;
use super::{Record, Role};
use crate::call::QueueKind;
use crate::promise::Promise;
use crate::receive::MAX_CALLS;

/// What is known of an event.
#[derive(Debug, Default)]
pub struct SinkLife {
    /// Messages of it that were put: a submission that is repeated puts another.
    pub puts: u32,
    /// The sink has confirmed it.
    pub is_delivered: bool,
    /// There is a copy of its message in the poison queue.
    pub is_poisoned: bool,
    /// Its message was deleted with the queue of events.
    pub is_lost: bool,
    /// Calls of the sink.
    pub calls: u32,
}

fn id_of(task: TaskId, kind: &str, attempt: u64, at: &str) -> Option<String> {
    let at: Timestamp = at.parse().ok()?;
    Some(format!("{task}-{}-{attempt}-{}", kind.to_ascii_lowercase(), at.unix_millis()))
}

/// The id of the event that a message of the queue of events describes.
fn id_of_message(message: &Value) -> Option<String> {
    let member = |name: &str| message.get(name).and_then(Value::as_str);
    let attempt = message.get("Attempt").and_then(Value::as_u64).unwrap_or(0);
    id_of(member("EventOf")?.parse().ok()?, member("SinkEvent")?, attempt, member("At")?)
}

/// The id of a `CloudEvent`, from its other attributes.
fn id_of_event(event: &Value) -> Option<String> {
    let member = |name: &str| event.get(name).and_then(Value::as_str);
    let attempt = event.get("data")?.get("attempt")?.as_u64()?;
    let kind = member("type")?.strip_prefix("accepted.task.")?;
    id_of(member("subject")?.parse().ok()?, kind, attempt, member("time")?)
}

fn end_of_event(event: &Value) -> Option<EventKey> {
    let member = |name: &str| event.get(name).and_then(Value::as_str);
    let is_end = member("type")? == "accepted.task.ended";
    let (task, ended_at) = (member("subject")?.parse().ok()?, member("time")?.to_owned());
    is_end.then_some(EventKey { task, ended_at, is_for_sink: true })
}

/// Which event a message of the queue of events is about.
#[must_use]
pub fn event_name(text: &str) -> Option<String> {
    let end = EventKey::of_message(text).map(|key| format!("{key:?}"));
    end.or_else(|| id_of_message(&serde_json::from_str(text).ok()?))
}

/// Which event a poison copy is about.
#[must_use]
pub fn name_given_up(copy: &str) -> Option<String> {
    let copy: Value = serde_json::from_str(copy).ok()?;
    copy.get("Kind")?;
    event_name(copy.get("Message")?.as_str()?)
}

impl Record {
    /// A message of the queue of events was put, which has to be delivered or given up, again if it was given up before.
    pub(crate) fn event_put(&mut self, now: Duration, text: &str) {
        if let Some(key) = EventKey::of_message(text) {
            let event = self.event(&key);
            event.rounds += u32::from(!event.is_put || event.is_poisoned);
            (event.is_put, event.is_poisoned) = (true, false);
        }
        if let Some(name) = event_name(text) {
            self.events_put_at.insert(name, now);
        }
    }

    /// The sink was called; the number of its calls for this event.
    pub fn sink_called(&mut self, now: Duration, event: &Value) -> u32 {
        self.count("sink called");
        let id = id_of_event(event).unwrap_or_default();
        if id.is_empty() || event.get("id").and_then(Value::as_str) != Some(&*id) {
            self.broken(Promise::P17, now, format!("an event has another id than {id}"));
        }
        let (calls, rounds) = match end_of_event(event) {
            Some(key) => {
                let event = self.event(&key);
                event.calls += 1;
                (event.calls, event.rounds)
            }
            None => {
                let event = self.sink_events.entry(id.clone()).or_default();
                event.calls += 1;
                (event.calls, event.puts)
            }
        };
        if calls > MAX_CALLS.saturating_mul(rounds) {
            self.broken(Promise::P8, now, format!("the sink was called {calls} times for {id}"));
        }
        calls
    }

    /// The sink has confirmed the event.
    pub fn sink_accepted(&mut self, event: &Value) {
        match end_of_event(event) {
            Some(key) => self.event(&key).is_delivered = true,
            None => {
                let id = id_of_event(event).unwrap_or_default();
                self.sink_events.entry(id).or_default().is_delivered = true;
            }
        }
    }

    /// A message was put. That of a new task follows the event of its acceptance, or says that the event is owed.
    pub(crate) fn sink_message_put(&mut self, now: Duration, from: Role, queue: QueueKind, text: &str) {
        if !self.has_sink {
            return;
        }
        let message: Value = serde_json::from_str(text).unwrap_or_default();
        if queue == QueueKind::Events {
            if let Some(id) = id_of_message(&message) {
                let event = self.sink_events.entry(id).or_default();
                event.puts += 1;
                (event.is_poisoned, event.is_lost) = (false, false);
            }
            return;
        }
        let member = |name: &str| message.get(name).and_then(Value::as_str);
        let is_new = ["Generation", "Attempt", "AcceptedDue"].iter().all(|name| message.get(name).is_none());
        let task = member("TaskId").and_then(|id| id.parse().ok());
        let accepted = task.zip(member("CreatedAt")).and_then(|(task, at)| id_of(task, "accepted", 0, at));
        let is_put =
            accepted.as_ref().is_none_or(|id| self.sink_events.get(id).is_some_and(|it| it.puts > 0));
        if from == Role::Api && is_new && !is_put {
            let what = format!("a task was queued before {}", accepted.unwrap_or_default());
            self.broken(Promise::P17, now, what);
        }
    }

    pub(crate) fn sink_message_deleted(&mut self, now: Duration, text: &str) {
        let message = serde_json::from_str(text).unwrap_or_default();
        let Some(id) = id_of_message(&message) else { return };
        if self.sink_events.get(&id).is_none_or(|it| !it.is_delivered && !it.is_poisoned) {
            self.broken(
                Promise::P17,
                now,
                format!("the message of {id} was deleted before it was delivered"),
            );
        }
    }

    pub(crate) fn sink_message_poisoned(&mut self, text: &str) {
        let message = serde_json::from_str(text).unwrap_or_default();
        if let Some(id) = id_of_message(&message) {
            self.sink_events.entry(id).or_default().is_poisoned = true;
        }
    }

    pub(crate) fn sink_message_lost(&mut self, text: &str) {
        let message = serde_json::from_str(text).unwrap_or_default();
        if let Some(id) = id_of_message(&message) {
            self.sink_events.entry(id).or_default().is_lost = true;
        }
    }

    /// The acceptances that were neither delivered nor given up, at the end of a run; without faults the starts as well.
    #[must_use]
    pub fn lost_sink_events(&self, is_fair: bool) -> Vec<(Promise, String)> {
        let mut lost = Vec::new();
        for (task, life) in self.tasks.iter().filter(|(_, life)| !life.foreign) {
            let Some(document) = life.document().filter(|document| document.sink_events) else { continue };
            let is_accepted = !life.accepted.is_empty() || document.attempt > 0 || document.is_terminal();
            let accepted = document.created_at.as_deref().and_then(|at| id_of(*task, "accepted", 0, at));
            let has_end = |prefix: &str| {
                let event = self.sink_events.range(prefix.to_owned()..).next();
                let is_over = |it: &SinkLife| it.is_delivered || it.is_poisoned || it.is_lost;
                event.is_some_and(|(id, it)| id.starts_with(prefix) && is_over(it))
            };
            if is_accepted && !accepted.as_deref().is_some_and(has_end) {
                lost.push((Promise::P17, format!("the acceptance of task {task} was not delivered")));
            }
            for attempt in 1..=document.attempt {
                if is_fair && !has_end(&format!("{task}-started-{attempt}-")) {
                    lost.push((Promise::P17, format!("start {attempt} of task {task} was not delivered")));
                }
            }
        }
        lost
    }
}
