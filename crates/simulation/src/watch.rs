//! Follows every request to storage and checks the promises as they are kept or broken.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use models::{MessageError, TaskId, TaskMessage};
use crate::call::{Call, QueueKind, elements, unescape};
use crate::promise::Promise;
use crate::record::{Content, Digest, Document, InstanceId, Message, Record, Role};
use crate::scenario::Op;

/// No honest message is delivered so often, whatever goes wrong.
const MOST_DELIVERIES: u32 = 90;

/// Who did it and when.
#[derive(Debug, Clone, Copy)]
pub struct Source {
    /// What it is.
    pub role: Role,
    /// Which instance.
    pub instance: InstanceId,
    /// Virtual time.
    pub now: Duration,
    /// Storage's clock at virtual time zero, in seconds since 1970.
    pub epoch: i64,
}

impl Source {
    fn visible_at(&self, text: &str) -> Duration {
        let seconds = http_date(text).map_or(0, |when| when - self.epoch);
        // Storage tells whole seconds, cut off: one more is certainly late enough.
        Duration::from_secs(u64::try_from(seconds).unwrap_or(0) + 1).max(self.now)
    }
}

/// Tells one write of an instance from all others, whoever asked for it.
fn write_key(from: Source, call: &Call, request: &Request<Bytes>) -> Option<(InstanceId, u64)> {
    // In the API several clients may ask for the same write at the same time.
    let is_write = matches!(call.op, Op::PutStatus | Op::PutMessage | Op::UpdateMessage | Op::DeleteMessage);
    if !is_write || from.role != Role::Worker {
        return None;
    }
    let mut text = format!("{} {}", request.method(), request.uri()).into_bytes();
    text.extend_from_slice(request.body());
    Some((from.instance, Digest::of(&text).hash))
}

/// Seconds since 1970 of `Sun, 22 Nov 2026 05:34:53 GMT`.
fn http_date(text: &str) -> Option<i64> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut parts = text.split([' ', ':']).skip(1);
    let day: i64 = parts.next()?.parse().ok()?;
    let name = parts.next()?;
    let month = i64::try_from(MONTHS.iter().position(|month| *month == name)?).ok()? + 1;
    let year: i64 = parts.next()?.parse().ok()?;
    let mut number = || parts.next()?.parse::<i64>().ok();
    let seconds = number()? * 3600 + number()? * 60 + number()?;
    // Days from civil date, counting years from March so that the leap day comes last.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1 - 719_468;
    Some(days * 86_400 + seconds)
}

impl Record {
    /// A component is about to send a request.
    pub fn asked(&mut self, from: Source, call: &Call, request: &Request<Bytes>, limit: u32) {
        self.requests += 1;
        self.count(call.op.name());
        let second = from.now.as_secs();
        let rate = self.rates.entry(from.instance).or_insert((second, 0));
        *rate = if rate.0 == second { (second, rate.1 + 1) } else { (second, 1) };
        if rate.1 == limit + 1 {
            let what = format!("instance {} sent more than {limit} requests in one second", from.instance);
            self.broken(Promise::P8, from.now, what);
        }
        self.was_it_told_to_wait(from, call, request);
        if let (Op::PutStatus, Role::Worker, Some(task)) = (call.op, from.role, call.task)
            && let Some(lost_at) = self.lost.get(&(from.instance, task)).copied()
        {
            let what = format!("task {task} written {:?} after its lease was lost", from.now - lost_at);
            self.broken(Promise::P6, from.now, what);
        }
    }

    /// P8: a write that was refused with a time to wait is not repeated earlier.
    fn was_it_told_to_wait(&mut self, from: Source, call: &Call, request: &Request<Bytes>) {
        let Some(key) = write_key(from, call, request) else { return };
        if let Some(until) = self.told_to_wait.get(&key).copied()
            && from.now + Duration::from_millis(10) < until
        {
            let what = format!("instance {} repeated {:?} {:?} too early", from.instance, call.op, until - from.now);
            self.broken(Promise::P8, from.now, what);
        }
    }

    /// Storage refused a request and said how long to wait.
    pub fn told_to_wait(&mut self, from: Source, call: &Call, request: &Request<Bytes>, wait: Duration) {
        if let Some(key) = write_key(from, call, request) {
            self.told_to_wait.insert(key, from.now + wait);
        }
    }

    /// A request had its effect and storage answered `response`.
    pub fn done(&mut self, from: Source, call: &Call, request: &Bytes, response: &Response<Bytes>) {
        let ok = response.status().is_success();
        match (call.op, ok) {
            (Op::PutStatus, true) => self.status_written(from, call, request),
            (Op::PutAttachment, true) => self.attachment_written(from, call, request),
            (Op::DeleteBlob, true) => self.blob_deleted(from, call),
            (Op::PutMessage, true) => self.message_put(from, call, request, response.body()),
            (Op::GetMessages, true) => self.messages_received(from, call, response.body()),
            (Op::UpdateMessage, true) => self.message_updated(from, call, response),
            (Op::DeleteMessage, true) => self.message_deleted(from, call),
            _ => {}
        }
    }

    /// The answer reached the component that asked.
    pub fn told(&mut self, from: Source, call: &Call, response: &Response<Bytes>) {
        if call.queue != Some(QueueKind::Tasks) {
            return;
        }
        match (call.op, response.status().as_u16()) {
            (Op::GetMessages, 200) => {
                let text = std::str::from_utf8(response.body()).unwrap_or_default();
                for (id, receipt) in elements(text, "MessageId").iter().zip(elements(text, "PopReceipt")) {
                    let Some(task) = self.messages.get(*id).and_then(|message| message.task) else { continue };
                    self.held.insert((from.instance, (*id).to_owned()), (task, unescape(receipt)));
                    self.lost.remove(&(from.instance, task));
                }
            }
            // After a deletion there is nothing left to write; and a repeated one may miss its own first try.
            (Op::UpdateMessage, 404 | 400) => {
                let code = response.headers().get("x-ms-error-code").and_then(|code| code.to_str().ok());
                if !matches!(code, Some("MessageNotFound" | "PopReceiptMismatch")) {
                    return;
                }
                let Some(key) = call.message.clone().map(|id| (from.instance, id)) else { return };
                self.count("lease lost");
                // An earlier delivery of the message to the same instance may lose what a later one holds.
                let newest = self.held.get(&key).is_some_and(|(_, receipt)| Some(receipt) == call.receipt.as_ref());
                let Some((task, _)) = self.held.get(&key).cloned().filter(|_| newest) else { return };
                self.held.remove(&key);
                // Another delivery of the same task may be in the same hands; then it may go on.
                let others = self.held.iter().any(|((who, _), (what, _))| *who == from.instance && *what == task);
                if !others {
                    self.lost.insert((from.instance, task), from.now);
                }
            }
            (Op::UpdateMessage, 204) => {
                let receipt = response.headers().get("x-ms-popreceipt").and_then(|value| value.to_str().ok());
                let key = call.message.clone().map(|id| (from.instance, id));
                if let Some((_, newest)) = key.and_then(|key| self.held.get_mut(&key))
                    && Some(&*newest) == call.receipt.as_ref()
                {
                    receipt.unwrap_or_default().clone_into(newest);
                }
            }
            (Op::DeleteMessage, 204) => {
                if let Some(id) = call.message.clone() {
                    self.held.remove(&(from.instance, id));
                }
            }
            _ => {}
        }
    }

    fn status_written(&mut self, from: Source, call: &Call, body: &Bytes) {
        let Some(id) = call.task else { return };
        let new: Option<Document> = serde_json::from_slice(body).ok();
        let Some(new) = new else {
            if from.role != Role::Outsider {
                self.broken(Promise::P2, from.now, format!("task {id}: an unreadable document was written"));
            }
            let life = self.life(id);
            life.content = Some(Content::Unreadable);
            life.foreign = true;
            return;
        };
        if from.role == Role::Outsider {
            let life = self.life(id);
            life.content = Some(Content::Readable(Box::new(new)));
            life.foreign = true;
            return;
        }
        self.count(match new.status {
            0 => "written Pending",
            1 => "written InProgress",
            2 => "written Completed",
            3 => "written Failed",
            _ => "written Cancelled",
        });
        if !call.conditional {
            self.broken(Promise::P2, from.now, format!("task {id}: written without a condition"));
        }
        if !new.task_id.eq_ignore_ascii_case(&id.to_string()) {
            self.broken(Promise::P2, from.now, format!("task {id}: the document of {} was written", new.task_id));
        }
        let old = self.life(id).document().cloned();
        if let Some(old) = old.filter(|old| old.created_at.is_some()) {
            self.transition(from, id, &old, &new);
        }
        if new.is_terminal() {
            self.outcome_recorded(from, id, &new);
        }
        let life = self.life(id);
        if life.content.is_none() {
            life.created_at = from.now;
        }
        life.content = Some(Content::Readable(Box::new(new)));
    }

    fn transition(&mut self, from: Source, id: TaskId, old: &Document, new: &Document) {
        if old.is_terminal() {
            let asked = new.history.last().and_then(|last| last.outcome.as_deref()) == Some("RetryRequested");
            if from.role == Role::Api && old.status == 3 && new.status == 0 && asked {
                self.count("explicit retry");
                let life = self.life(id);
                life.retries += 1;
                // Messages from before it are not needed any more.
                life.created_at = from.now;
                life.result = None;
                life.message_stored = false;
                return;
            }
            let what = format!("task {id} had ended as {} and was written as {}", old.state(), new.state());
            self.broken(Promise::P2, from.now, what);
        } else if new.attempt < old.attempt {
            let what = format!("task {id}: attempt {} became attempt {}", old.attempt, new.attempt);
            self.broken(Promise::P2, from.now, what);
        }
    }

    fn outcome_recorded(&mut self, from: Source, id: TaskId, new: &Document) {
        if let Some(owner) = new.result.as_ref().and_then(|result| result.get("task")).and_then(|task| task.as_str())
            && owner != id.to_string()
        {
            self.broken(Promise::P4, from.now, format!("task {id} has the result of task {owner}"));
        }
        if new.status != 2 && (new.result.is_some() || new.result_blob.is_some()) {
            self.broken(Promise::P4, from.now, format!("task {id} is {} and has a result", new.state()));
        }
        if new.status == 3 && new.error.is_none() {
            self.broken(Promise::P2, from.now, format!("task {id} failed without saying why"));
        }
        let Some(blob) = &new.result_blob else { return };
        match self.attachments.get(&blob.name).copied() {
            Some(digest) if digest.size == blob.size => {
                self.life(id).result = Some((blob.name.clone(), digest));
            }
            Some(digest) => {
                let what = format!("task {id}: result of {} bytes, blob of {}", blob.size, digest.size);
                self.broken(Promise::P4, from.now, what);
            }
            None => self.broken(Promise::P4, from.now, format!("task {id}: completed before its result was stored")),
        }
    }

    fn attachment_written(&mut self, from: Source, call: &Call, body: &Bytes) {
        let Some(name) = call.blob.clone() else { return };
        let digest = Digest::of(body);
        self.attachments.insert(name.clone(), digest);
        let overwritten = self.tasks.iter().find_map(|(id, life)| {
            let (of, was) = life.result.as_ref()?;
            (*of == name && *was != digest).then_some(*id)
        });
        if let Some(id) = overwritten {
            self.broken(Promise::P4, from.now, format!("task {id}: its result was written again"));
        }
    }

    fn blob_deleted(&mut self, from: Source, call: &Call) {
        let Some(name) = &call.blob else { return };
        let Some(id) = call.task else {
            self.attachments.remove(name);
            let owner = self.tasks.iter().find_map(|(id, life)| {
                let of = &life.result.as_ref()?.0;
                (of == name && life.content.is_some()).then_some(*id)
            });
            // The result goes first and the document last, or the other way round; both ends are checked
            // by whoever reads: what must not happen is a result that vanishes from a task that stays.
            if owner.is_some() {
                self.count("result deleted");
            }
            return;
        };
        let life = self.life(id);
        let running = life.document().is_some_and(|document| !document.is_terminal());
        life.content = None;
        life.deleted = true;
        life.message_stored = false;
        life.accepted.clear();
        life.result = None;
        self.count("document deleted");
        if running && from.role != Role::Outsider {
            self.broken(Promise::P2, from.now, format!("task {id} was deleted before it ended"));
        }
    }

    fn message_put(&mut self, from: Source, call: &Call, request: &Bytes, response: &Bytes) {
        let (request, response) =
            (std::str::from_utf8(request).unwrap_or_default(), std::str::from_utf8(response).unwrap_or_default());
        let text = unescape(elements(request, "MessageText").first().copied().unwrap_or_default());
        let Some(id) = elements(response, "MessageId").first().copied() else { return };
        let visible = elements(response, "TimeNextVisible").first().copied().unwrap_or_default();
        if let Some(receipt) = elements(response, "PopReceipt").first() {
            self.secrets.add_receipt(&unescape(receipt));
        }
        let Some(queue) = call.queue else { return };
        if queue == QueueKind::Poison {
            self.poison_put(from, &text);
            return;
        }
        let parsed = TaskMessage::parse(&text);
        let usable = parsed.is_ok();
        let (task, is_ours) = match parsed {
            Ok(message) => (Some(message.task_id), message.is_ours),
            Err(MessageError::Unusable { task_id, .. }) => (Some(task_id), false),
            Err(MessageError::Unreadable(_)) => (None, false),
        };
        if let Some(task) = task {
            let life = self.life(task);
            life.foreign |= from.role == Role::Outsider;
            life.message_stored = true;
            self.moved.insert((task, queue), from.now);
        }
        let message = Message {
            put_at: from.now,
            queue,
            task,
            is_ours,
            usable,
            text: Rc::from(text),
            visible_at: from.visible_at(visible),
            received_at: from.now,
            deliveries: 0,
        };
        self.messages.insert(id.to_owned(), message);
    }

    fn poison_put(&mut self, from: Source, text: &str) {
        self.count("poison copy");
        let copy: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
        let member = |name: &str| copy.get(name).and_then(|value| value.as_str()).unwrap_or_default();
        if member("Reason").is_empty() {
            self.broken(Promise::P3, from.now, "a poison copy without a reason".to_owned());
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
            self.broken(Promise::P3, from.now, format!("the poison copy of message {id} is not the whole message"));
        }
        self.poisoned.insert(id);
    }

    fn messages_received(&mut self, from: Source, call: &Call, body: &Bytes) {
        let text = std::str::from_utf8(body).unwrap_or_default();
        for receipt in elements(text, "PopReceipt") {
            self.secrets.add_receipt(&unescape(receipt));
        }
        if call.queue == Some(QueueKind::Poison) {
            return;
        }
        for (id, visible) in elements(text, "MessageId").iter().zip(elements(text, "TimeNextVisible")) {
            let visible_at = from.visible_at(visible);
            self.count("delivery");
            let Some(message) = self.messages.get_mut(*id) else { continue };
            message.visible_at = visible_at;
            message.received_at = from.now;
            message.deliveries += 1;
            if message.deliveries > MOST_DELIVERIES {
                let what = format!("message {id} has been delivered {} times and is still there", message.deliveries);
                self.broken(Promise::P3, from.now, what);
            }
        }
    }

    fn message_updated(&mut self, from: Source, call: &Call, response: &Response<Bytes>) {
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        self.secrets.add_receipt(header("x-ms-popreceipt"));
        let visible_at = from.visible_at(header("x-ms-time-next-visible"));
        if let Some(message) = call.message.as_ref().and_then(|id| self.messages.get_mut(id)) {
            message.visible_at = visible_at;
        }
        self.count("lease renewed or returned");
    }

    /// P3: what was deleted must not have been needed any more.
    fn message_deleted(&mut self, from: Source, call: &Call) {
        let Some(id) = &call.message else { return };
        let Some(message) = self.messages.remove(id) else { return };
        if from.role == Role::Outsider || self.poisoned.contains(id) {
            return;
        }
        let Some(task) = message.task else {
            self.broken(Promise::P3, from.now, format!("message {id} names no task and was deleted without a copy"));
            return;
        };
        // Moved to the other queue: promoted when it is due, or sent back to wait.
        let other = if message.queue == QueueKind::Tasks { QueueKind::Scheduled } else { QueueKind::Tasks };
        if self.moved.get(&(task, other)).is_some_and(|at| *at >= message.received_at) {
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
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_the_wire_are_read() {
        assert_eq!(http_date("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        assert_eq!(http_date("Tue, 29 Feb 2028 23:59:59 GMT"), Some(1_835_481_599));
        assert_eq!(http_date("Sun, 22 Nov 2026 05:34:53 GMT"), Some(1_795_325_693));
        assert_eq!(http_date("soon"), None);
    }
}
