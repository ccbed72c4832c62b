//! Follows every request to storage and checks the promises as they are kept or broken.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use httpdate::parse_http_date;
use models::Timestamp;
use time::OffsetDateTime;

use crate::call::{Call, QueueKind};
use crate::epoch::EPOCH;
use crate::promise::Promise;
use crate::record::{Digest, Document, Holding, InstanceId, Record, Role};
use crate::scenario::Op;
use crate::xml::texts;

/// A document that no instance has written for this long may be written by the sweep, which holds no lease.
const SWEEP_AFTER: Duration = Duration::from_secs(60);

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
    /// The time that no clock of the run need show.
    pub(crate) fn true_time(&self) -> Timestamp {
        Timestamp::from_unix_millis(EPOCH * 1_000).plus(self.now)
    }

    pub(crate) fn visible_at(&self, text: &str) -> Duration {
        let at = parse_http_date(text).map(OffsetDateTime::from).ok();
        let seconds = at.map_or(0, |at| at.unix_timestamp() - self.epoch);
        // Storage returns whole seconds, rounded down: one more is certainly late enough.
        Duration::from_secs(u64::try_from(seconds).unwrap_or(0) + 1).max(self.now)
    }
}

/// Identifies one write of an instance, whichever request caused it.
fn write_key(from: Source, call: &Call, request: &Request<Bytes>) -> Option<(InstanceId, u64)> {
    // In the API several clients may ask for the same write at the same time, and equal messages may be
    // promoted together.
    let is_write = matches!(call.op, Op::PutStatus | Op::UpdateMessage | Op::DeleteMessage);
    if !is_write || from.role != Role::Worker {
        return None;
    }
    let mut text = format!("{} {}", request.method(), request.uri()).into_bytes();
    text.extend_from_slice(request.body());
    Some((from.instance, Digest::of(&text).hash))
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
        self.received_despite_pause(from, call);
        self.announcements.asked(from.instance, call, request);
        if call.op == Op::ListBlobs && self.clocks_mislead {
            // The sweep judges by the wall clock what other machines wrote. One that is hours ahead takes a document
            // that has just been written for a silent one, and its write is not the lost attempt's.
            self.lost.retain(|(who, _), _| *who != from.instance);
            self.swept_at.insert(from.instance, from.now);
        }
        // The same write, if the lease was lost while the sweep waited for the response to it.
        let may_sweep = self.swept_at.get(&from.instance).is_some_and(|at| from.now - *at < SWEEP_AFTER);
        if let (Op::PutStatus, Role::Worker, Some(task)) = (call.op, from.role, call.task)
            && let Some(lost_at) = self.lost.get(&(from.instance, task)).copied()
            && from.now - lost_at < SWEEP_AFTER
            && !may_sweep
            // After the end of a task, the deliveries of its events write. A lost attempt that overwrites an end breaks P4.
            && !self.life(task).document().is_some_and(Document::is_terminal)
        {
            let what = format!("task {task} written {:?} after its lease was lost", from.now - lost_at);
            self.broken(Promise::P6, from.now, what);
        }
    }

    /// P8: a write that was refused with a time to wait is not repeated earlier.
    fn was_it_told_to_wait(&mut self, from: Source, call: &Call, request: &Request<Bytes>) {
        let Some(key) = write_key(from, call, request) else { return };
        let Some(untils) = self.told_to_wait.get_mut(&key) else { return };
        // Two deliveries of one task to an instance may write equal documents; each waits for its own time.
        if let Some(due) = untils.iter().position(|until| *until <= from.now + Duration::from_millis(10)) {
            untils.swap_remove(due);
        } else if let Some(until) = untils.iter().min().copied() {
            let what =
                format!("instance {} repeated {:?} {:?} too early", from.instance, call.op, until - from.now);
            self.broken(Promise::P8, from.now, what);
        }
    }

    /// Storage refused a request and said how long to wait.
    pub fn told_to_wait(&mut self, from: Source, call: &Call, request: &Request<Bytes>, wait: Duration) {
        if let Some(key) = write_key(from, call, request) {
            self.told_to_wait.entry(key).or_default().push(from.now + wait);
        }
    }

    /// A request had its effect and storage returned `response`.
    pub fn done(&mut self, from: Source, call: &Call, request: &Bytes, response: &Response<Bytes>) {
        let ok = response.status().is_success();
        self.no_secret_stored(from, call, request);
        match (call.op, ok) {
            (Op::Credential, true) => self.credential_given(response.body()),
            (Op::PutStatus, true) => self.status_written(from, call, request),
            (Op::PutAttachment, true) => {
                self.pause_changed(from, call);
                self.schedules_written(from, call, request, from.true_time());
                self.attachment_written(from, call, request);
            }
            (Op::PutPart, true) => self.part_written(call, request),
            (Op::JoinParts, true) => self.parts_joined(from, call, request),
            (Op::DeleteBlob, true) => {
                self.pause_changed(from, call);
                self.blob_deleted(from, call);
            }
            (Op::PutMessage, true) => self.message_put(from, call, request, response.body()),
            (Op::GetMessages, true) => self.messages_received(from, call, response.body()),
            (Op::UpdateMessage, true) => self.message_updated(from, call, request, response),
            (Op::DeleteMessage, true) => self.message_deleted(from, call),
            (Op::GetBlob, true) if from.role == Role::Api => self.document_read(from, call),
            _ => {}
        }
    }

    fn document_read(&mut self, from: Source, call: &Call) {
        let Some(life) = call.task.map(|task| self.life(task)) else { return };
        if life.document().is_some_and(Document::is_terminal) {
            life.seen_ended.insert(from.instance);
        }
    }

    /// P7: what is stored can be read by others than the components.
    fn no_secret_stored(&mut self, from: Source, call: &Call, body: &Bytes) {
        if from.role == Role::ExternalWriter || !matches!(call.op, Op::PutStatus | Op::PutMessage) {
            return;
        }
        let text = std::str::from_utf8(body).unwrap_or_default();
        if let Some(secret) = self.secrets.find(text).map(str::to_owned) {
            self.broken(Promise::P7, from.now, format!("{:?} stores {secret:?}", call.op));
        }
    }

    /// Tokens, vault secrets and delegation keys are secrets from now on.
    fn credential_given(&mut self, body: &Bytes) {
        for key in texts(body, "Value") {
            self.secrets.add(&key);
        }
        let response: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
        for name in ["access_token", "value"] {
            if let Some(secret) = response.get(name).and_then(serde_json::Value::as_str) {
                self.secrets.add(secret);
            }
        }
    }

    /// The response reached the component that asked.
    pub fn told(&mut self, from: Source, call: &Call, response: &Response<Bytes>) {
        if call.queue != Some(QueueKind::Tasks) {
            return;
        }
        self.announcements.told(from.instance, call, response);
        match (call.op, response.status().as_u16()) {
            (Op::GetMessages, 200) => {
                let ids = texts(response.body(), "MessageId");
                for (id, receipt) in ids.into_iter().zip(texts(response.body(), "PopReceipt")) {
                    let task = self.messages.get(&id).and_then(|message| message.task);
                    let key = (from.instance, id);
                    self.in_hand.insert(key.clone());
                    let Some(task) = task else { continue };
                    let times = self.held.get(&key).map_or(0, |holding| holding.times) + 1;
                    self.held.insert(key, Holding { task, receipt, times });
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
                let Some(lost) = self.held.get(&key).cloned() else { return };
                // With two deliveries of one message, or of one task, in the same hands, no observer can
                // tell which of them writes.
                if lost.times > 1 || Some(&lost.receipt) != call.receipt.as_ref() {
                    return;
                }
                self.held.remove(&key);
                let others =
                    self.held.iter().any(|((who, _), what)| *who == from.instance && what.task == lost.task);
                if !others {
                    self.lost.insert((from.instance, lost.task), from.now);
                }
            }
            (Op::UpdateMessage, 204) => {
                let receipt = response.headers().get("x-ms-popreceipt").and_then(|value| value.to_str().ok());
                let key = call.message.clone().map(|id| (from.instance, id));
                if let Some(holding) = key.and_then(|key| self.held.get_mut(&key))
                    && Some(&holding.receipt) == call.receipt.as_ref()
                {
                    receipt.unwrap_or_default().clone_into(&mut holding.receipt);
                }
            }
            (Op::DeleteMessage, 204) => {
                if let Some(id) = call.message.clone() {
                    let key = (from.instance, id);
                    self.held.remove(&key);
                    self.in_hand.remove(&key);
                }
            }
            _ => {}
        }
    }
}
