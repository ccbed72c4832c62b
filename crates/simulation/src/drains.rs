//! P11 and P12: when drains begin, and how long a message waits beside free slots.

use std::time::Duration;

use bytes::Bytes;
use http::Response;

use crate::promise::Promise;
use crate::record::{InstanceId, Record};
use crate::scenario::Index;
use crate::watch::Source;
use crate::world::World;

/// How long a visible message may wait while a slot is free: what a drain settles, between two looks, and what
/// requests, launchers and whole seconds of storage's clock add.
const MAX_WAIT: Duration = Duration::from_secs(60);
/// Requests that are late or refused in the fault period occupy slots for some time after it.
const AFTER_EFFECTS: Duration = Duration::from_secs(300);

impl Record {
    /// All slots of an instance are taken, or not any more.
    pub fn slots_are_taken(&mut self, instance: InstanceId, taken: bool, now: Duration) {
        let slots = &mut self.slots;
        if slots.are_all_taken() {
            slots.freed_at = now;
        }
        slots.full.retain(|other| *other != instance);
        if taken {
            slots.full.push(instance);
        }
    }

    /// P12 at the moment a message is received that had become visible at `visible_at`.
    pub fn message_waited(&mut self, from: Source, id: &str, visible_at: Duration) {
        if self.slots.are_all_taken() {
            return;
        }
        let told = self.slots.rest_until.iter().map(|(_, until)| *until).max().unwrap_or_default();
        // After a pause, a replica without work drains again within its longest idle pause.
        let since = visible_at
            .max(self.pause.ended_at)
            .max(self.slots.freed_at)
            .max(told)
            .max(self.faults_end_at + AFTER_EFFECTS);
        let waited = from.now.saturating_sub(since);
        if waited > MAX_WAIT {
            let what = format!("message {id} was visible for {waited:?} while a slot was free");
            self.broken(Promise::P12, from.now, what);
        } else if from.now > self.faults_end_at + AFTER_EFFECTS
            && self.running.values().any(|running| *running > 0)
        {
            self.count("delivery beside a running task");
        }
    }
}

impl World {
    /// P11: a launcher asks its worker to drain.
    pub fn drain_begins(&self, worker: Index) {
        let now = self.exec.now();
        let mut record = self.record.borrow_mut();
        if record.slots.are_all_taken() {
            // A further replica has free ones from now on.
            record.slots.freed_at = now;
        }
        record.slots.draining += 1;
        record.order_begins();
        let until = record.slots.rest_of(worker);
        if now < until {
            let what = format!("worker {worker} drains {:?} before the time that it was told", until - now);
            record.broken(Promise::P11, now, what);
        }
    }

    /// A drain is over, with a response or without.
    pub fn drain_is_over(&self) {
        let mut record = self.record.borrow_mut();
        record.slots.draining = record.slots.draining.saturating_sub(1);
    }

    /// The launcher reads the response to a drain. It is read here as well, apart from `models`, so that a mistake
    /// there cannot hide itself.
    pub fn drain_responded(&self, worker: Index, response: &Response<Bytes>) {
        let body: serde_json::Value = serde_json::from_slice(response.body()).unwrap_or_default();
        let header =
            response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
        let asked = body.get("retryAfterSeconds").and_then(serde_json::Value::as_u64).or(header);
        let Some(seconds) = asked else { return };
        let mut record = self.record.borrow_mut();
        record.count("drain told to wait");
        let until = (self.exec.now() + Duration::from_secs(seconds)).max(record.slots.rest_of(worker));
        record.slots.rest_until.retain(|(whose, _)| *whose != worker);
        record.slots.rest_until.push((worker, until));
    }

    /// P8: a drain ends with the last of what it received, and soon after the order to stop.
    pub fn drain_ended(&self, lasted: Duration, since_release: Option<Duration>, response: &Response<Bytes>) {
        let knobs = self.knobs();
        let body: serde_json::Value = serde_json::from_slice(response.body()).unwrap_or_default();
        let received = body.get("received").and_then(serde_json::Value::as_u64).unwrap_or(0);
        // One after the other at worst. Storage may be out of order for as long as a scenario lets it, on top of
        // what was configured.
        let tasks = u32::try_from(received.max(1)).unwrap_or(u32::MAX);
        let most = Duration::from_secs(2 * knobs.drain_seconds + 400)
            + Duration::from_secs(knobs.task_timeout + 60).saturating_mul(tasks);
        let now = self.exec.now();
        let mut record = self.record.borrow_mut();
        record.count("drain");
        if lasted > most {
            let what = format!("a drain of {received} messages lasted {lasted:?}, longer than {most:?}");
            record.broken(Promise::P8, now, what);
        }
        if let Some(late) = since_release.filter(|late| *late > Duration::from_secs(300)) {
            record.broken(Promise::P8, now, format!("a drain went on {late:?} after it was released"));
        }
    }
}
