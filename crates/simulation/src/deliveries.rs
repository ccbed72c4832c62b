//! P3: follows what becomes of messages.

use std::rc::Rc;

use bytes::Bytes;
use http::Response;
use models::{MessageError, TaskId, TaskMessage};

use crate::call::{Call, QueueKind};
use crate::promise::Promise;
use crate::record::announcements::note_of;
use crate::record::schedules::wake_up_of;
use crate::record::sink::name_given_up;
use crate::record::{Content, Message, Record, Role};
use crate::watch::Source;
use crate::xml::{text, texts};

/// No honest message is delivered so often, whatever goes wrong, and once in so long while an outage lasts.
const MAX_DELIVERIES: u64 = 90;
const MIN_PAUSE_SECONDS: u64 = 30;
/// The least number of lost workers after which a message is given up unread.
const MIN_LOST_WORKERS: u32 = 5;
/// Shortest of the longest pauses of a message that waits for other tasks of its name (`lifecycle::handlers::slots`).
const MIN_WAIT_FOR_NAME_SECONDS: u64 = 150;
/// Shortest of the longest pauses of a message whose task another one seems to run (`lifecycle::delivery`), because a clock that
/// was ahead recorded the start of the attempt.
const MIN_POSTPONEMENT_SECONDS: u64 = 60;

impl Record {
    pub(crate) fn message_put(&mut self, from: Source, call: &Call, request: &Bytes, response: &Bytes) {
        let Some(id) = texts(response, "MessageId").into_iter().next() else { return };
        let visible = text(response, "TimeNextVisible");
        for receipt in texts(response, "PopReceipt") {
            self.secrets.add_receipt(&receipt);
        }
        let text = text(request, "MessageText");
        let Some(queue) = call.queue else { return };
        if queue == QueueKind::Poison {
            self.poison_put(from, &text);
            if let Some(event) = name_given_up(&text) {
                self.given_up_events.insert(id, (event, from.now));
            } else if let Some(task) = self.task_given_up(&text) {
                self.given_up.insert(id, (task, from.now));
            }
            return;
        }
        if queue == QueueKind::Events {
            self.event_put(from.now, &text);
        }
        self.sink_message_put(from.now, from.role, queue, &text);
        let parsed = TaskMessage::parse(&text);
        let usable = parsed.is_ok();
        let (task, is_ours) = match parsed {
            Ok(message) => (Some(message.task_id), message.is_ours),
            Err(MessageError::Unusable { task_id, .. }) => (Some(task_id), false),
            Err(MessageError::Unreadable(_)) => (None, false),
        };
        if let Some(task) = task {
            let life = self.life(task);
            life.foreign |= from.role == Role::ExternalWriter;
            life.message_stored = true;
            life.seen_ended.clear();
            self.moved.insert((task, queue), from.now);
            if from.role != Role::ExternalWriter {
                self.one_task_per_key(from, task);
            }
        }
        let said: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        let generation = said.get("Generation").and_then(serde_json::Value::as_u64).unwrap_or(0);
        let message = Message {
            put_at: from.now,
            queue,
            queue_name: call.queue_name.clone(),
            task,
            is_ours,
            usable,
            text: Rc::from(text),
            visible_at: from.visible_at(&visible),
            received_at: from.now,
            deliveries: 0,
            kills: 0,
            generation: u32::try_from(generation).unwrap_or(0),
            deadly: from.role == Role::ExternalWriter && said.get("Deadly").is_some(),
        };
        self.messages.insert(id, message);
        self.wake_up_put(from);
    }

    fn poison_put(&mut self, from: Source, text: &str) {
        self.count("poison copy");
        let copy: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
        let member = |name: &str| copy.get(name).and_then(|value| value.as_str()).unwrap_or_default();
        if member("Reason").is_empty() {
            self.broken(Promise::P3, from.now, "a poison copy without a reason".to_owned());
        }
        if member("Reason").contains("workers in a row ended") {
            self.count("given up unread");
            let id = member("MessageId");
            let kills = match self.messages.get(id) {
                Some(message) => message.kills,
                None => self.kills_of_deleted.get(id).copied().unwrap_or(0),
            };
            let cut_off = self.announcements.cut_off(id);
            let most = self.max_dequeue_count.max(MIN_LOST_WORKERS);
            if kills + cut_off < most {
                let what = format!(
                    "a message that killed {kills} workers, and that {cut_off} could not give back, was given up, {most} are \
                     allowed"
                );
                self.broken(Promise::P9, from.now, what);
            }
        }
        if let Some(secret) = self.secrets.find(member("Reason")) {
            let what = format!("the reason of a poison copy holds {secret:?}");
            self.broken(Promise::P7, from.now, what);
        }
        let id = member("MessageId").to_owned();
        let original = self.messages.get(&id).map(|message| Rc::clone(&message.text));
        let kept = match (member("Blob"), member("Encoding")) {
            ("", "") => original.is_none_or(|text| *text == *member("Message")),
            ("", _) => copy.get("Message").is_some(),
            (blob, _) => {
                let size = original.map(|text| text.len());
                self.attachments.get(blob).is_some_and(|digest| size.is_none_or(|size| size == digest.size))
            }
        };
        if !kept {
            self.broken(
                Promise::P3,
                from.now,
                format!("the poison copy of message {id} is not the whole message"),
            );
        }
        if member("Kind") == "event" {
            self.event_poisoned(&copy);
        }
        self.poisoned.insert(id);
    }

    pub(crate) fn messages_received(&mut self, from: Source, call: &Call, body: &Bytes) {
        for receipt in texts(body, "PopReceipt") {
            self.secrets.add_receipt(&receipt);
        }
        if call.queue == Some(QueueKind::Poison) {
            for id in texts(body, "MessageId") {
                self.count("poison message received");
                if let Some((_, at)) = self.given_up.get_mut(&id) {
                    *at = from.now;
                }
                if let Some((_, at)) = self.given_up_events.get_mut(&id) {
                    *at = from.now;
                }
            }
            return;
        }
        let outage = self.faults_end_at.as_secs() / MIN_PAUSE_SECONDS;
        let waits_for_name = self.waits_for_name.as_secs() / MIN_WAIT_FOR_NAME_SECONDS;
        let ahead = self.schedules.max_ahead.as_secs() / MIN_POSTPONEMENT_SECONDS;
        let most = MAX_DELIVERIES + outage + waits_for_name + ahead;
        let ids = texts(body, "MessageId");
        // Events are received beside the tasks and take no slot.
        if call.queue == Some(QueueKind::Tasks) {
            self.order_of(from, &ids);
        }
        for (id, visible) in ids.into_iter().zip(texts(body, "TimeNextVisible")) {
            let visible_at = from.visible_at(&visible);
            self.count("delivery");
            let Some(message) = self.messages.get_mut(&id) else { continue };
            let was_visible_at = std::mem::replace(&mut message.visible_at, visible_at);
            message.received_at = from.now;
            message.deliveries += 1;
            if u64::from(message.deliveries) > most {
                let what = format!(
                    "message {id} has been delivered {} times and is still there",
                    message.deliveries
                );
                self.broken(Promise::P3, from.now, what);
            }
            // An event waits for the receivers of others, of which a drain calls a limited number at a time.
            if call.queue != Some(QueueKind::Events) {
                self.message_waited(from, &id, was_visible_at);
            }
        }
    }

    pub(crate) fn message_updated(
        &mut self,
        from: Source,
        call: &Call,
        request: &Bytes,
        response: &Response<Bytes>,
    ) {
        if from.role == Role::Worker {
            self.announcements.updated(from.instance, call, request);
        }
        // What says that a worker survived gives the message back; it is not in its hands any more.
        if note_of(request).is_some_and(|(_, lost)| lost == 0)
            && let Some(id) = call.message.clone()
        {
            self.count("message given back with a note");
            let key = (from.instance, id);
            self.held.remove(&key);
            self.in_hand.remove(&key);
        }
        let header = |name: &str| {
            response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
        };
        self.secrets.add_receipt(header("x-ms-popreceipt"));
        let visible_at = from.visible_at(header("x-ms-time-next-visible"));
        if let Some(message) = call.message.as_ref().and_then(|id| self.messages.get_mut(id)) {
            message.visible_at = visible_at;
        }
        self.count("lease renewed or returned");
    }

    /// The task of the original of a poison copy; `None` if it is in a blob and was deleted before the copy arrived.
    fn task_given_up(&self, text: &str) -> Option<Option<TaskId>> {
        let copy: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
        let member = |name: &str| copy.get(name).and_then(serde_json::Value::as_str);
        if let Some(original) = member("MessageId").and_then(|id| self.messages.get(id)) {
            return Some(original.task);
        }
        match TaskMessage::parse(member("Message")?) {
            Ok(message) => Some(Some(message.task_id)),
            Err(MessageError::Unusable { task_id, .. }) => Some(Some(task_id)),
            Err(MessageError::Unreadable(_)) => Some(None),
        }
    }

    /// P3: an API instance deletes a message of the poison queue after a message of its task, or of its event, was put since it
    /// was received.
    fn poison_deleted(&mut self, from: Source, id: &str) {
        if let Some((event, received_at)) = self.given_up_events.remove(id) {
            self.count("poisoned event deleted");
            let is_put = self.events_put_at.get(&event).is_some_and(|at| *at >= received_at);
            if !self.operator_removes && !is_put {
                let what = format!("{event} was deleted from the poison queue before it was queued");
                self.broken(Promise::P3, from.now, what);
            }
            return;
        }
        let Some((task, received_at)) = self.given_up.remove(id) else { return };
        self.count("poison message deleted");
        let is_put = |queue| {
            let at = task.and_then(|task| self.moved.get(&(task, queue)));
            at.is_some_and(|at| *at >= received_at)
        };
        if !self.operator_removes && !is_put(QueueKind::Tasks) && !is_put(QueueKind::Scheduled) {
            let what = format!("message {id} was deleted from the poison queue before its task was queued");
            self.broken(Promise::P3, from.now, what);
        }
    }

    /// P3: what was deleted must not have been needed any more.
    pub(crate) fn message_deleted(&mut self, from: Source, call: &Call) {
        let Some(id) = &call.message else { return };
        if call.queue == Some(QueueKind::Poison) {
            self.poison_deleted(from, id);
            return;
        }
        let Some(message) = self.messages.remove(id) else { return };
        if message.kills > 0 {
            self.kills_of_deleted.insert(id.clone(), message.kills);
        }
        if message.queue == QueueKind::Events {
            self.event_message_deleted(from.now, call, &message.text);
            return;
        }
        if from.role == Role::ExternalWriter || self.poisoned.contains(id) {
            return;
        }
        if let Some(wake_up) = wake_up_of(&message.text).filter(|_| message.queue == QueueKind::Scheduled) {
            self.wake_up_deleted(from, wake_up);
            return;
        }
        let Some(task) = message.task else {
            self.broken(
                Promise::P3,
                from.now,
                format!("message {id} names no task and was deleted without a copy"),
            );
            return;
        };
        // Moved to the other queue: promoted when it is due, or sent back to wait.
        let other = if message.queue == QueueKind::Tasks { QueueKind::Scheduled } else { QueueKind::Tasks };
        if self.moved.get(&(task, other)).is_some_and(|at| *at >= message.received_at) {
            return;
        }
        // A message from before an explicit retry has been replaced.
        if message.generation < self.life(task).document().map_or(0, |document| document.generation) {
            self.count("older message discarded");
            return;
        }
        // What was put before the document existed is not the message that its acceptance promised.
        if message.is_ours && message.put_at < self.life(task).created_at {
            return;
        }
        let ended = match &self.life(task).content {
            None => message.usable && message.is_ours,
            Some(Content::Unreadable) => false,
            // A document of the .NET side starts with a random state; its message is yet to be worked on.
            Some(Content::Readable(document)) => {
                document.is_terminal() && (document.created_at.is_some() || message.is_ours)
            }
        };
        if !ended {
            let state = match &self.life(task).content {
                None => "no document",
                Some(Content::Unreadable) => "an unreadable document",
                Some(Content::Readable(document)) => document.state(),
            };
            let what = format!("message {id} of task {task} was deleted while there was {state}");
            self.broken(Promise::P3, from.now, what);
        }
        self.event_was_put(from.now, task);
    }
}
