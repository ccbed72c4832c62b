//! P16: the firings of schedules, their tasks, and the messages that wake workers up.

use std::time::Duration;

use bytes::Bytes;
use lifecycle::firing::MAX_MISSED;
use lifecycle::recurring::task_id;
use models::{TaskId, Timestamp};
use serde_json::Value;

use crate::call::Call;
use crate::plan::Change;
use crate::promise::Promise;
use crate::record::Record;
use crate::record::schedules::{SCHEDULES_BLOB, wake_up_of};
use crate::watch::Source;

/// How late a firing may be without being missed (`lifecycle::firing::GRACE`), and how long its task then takes to exist: late
/// requests, and a lease that has to expire.
const MAX_LATE: Duration = Duration::from_secs(120 + 300);
/// How long after the write of the schedules their writer may still put the message again.
const PUT_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// More wake-up messages than changes by clients and lost responses leave at a time.
const MAX_WAKE_UPS: usize = 40;

impl Record {
    /// A blob was written that may have the schedules.
    pub(crate) fn schedules_written(&mut self, from: Source, call: &Call, body: &Bytes, now: Timestamp) {
        if call.blob.as_deref() != Some(SCHEDULES_BLOB) {
            return;
        }
        self.count("schedules written");
        if !call.conditional {
            self.broken(Promise::P16, from.now, "the schedules were written without a condition".to_owned());
        }
        let stored: Value = serde_json::from_slice(body).unwrap_or_default();
        let schedules = &mut self.schedules;
        schedules.written_at = from.now;
        schedules.wake_up =
            stored.get("WakeUp").and_then(|wake_up| wake_up.get("WakeUpId")).and_then(Value::as_u64);
        let entries = stored.get("Entries").and_then(Value::as_array).cloned().unwrap_or_default();
        let names = entries.iter().filter_map(|entry| Some(entry.get("Name")?.as_str()?.to_owned()));
        schedules.existing = names.collect();
        for entry in &entries {
            schedules.read(entry, from.role, now);
        }
    }

    /// A worker has created a document.
    pub(crate) fn task_of_schedule(&mut self, from: Source, id: TaskId, is_deleted: bool, now: Timestamp) {
        let ahead = self.schedules.max_ahead;
        let found = self.schedules.recurrences.iter().find_map(|((name, generation), recurrence)| {
            let is_this = |at: &Timestamp| task_id(name, *generation, *at) == id;
            recurrence.instants().find(is_this).map(|at| (name.clone(), *generation, at))
        });
        let Some((name, generation, at)) = found else {
            let what = format!("task {id} was created by a worker and is of no firing of a schedule");
            self.broken(Promise::P16, from.now, what);
            return;
        };
        self.count("schedule fired");
        if at > now.plus(ahead) {
            let what = format!("schedule {name} fired {:?} too early", at.since(now));
            self.broken(Promise::P16, from.now, what);
        }
        let skips = self.schedules.plans.get(&name).is_some_and(|plan| plan.missed == "Skip");
        if skips && now.since(at) > MAX_LATE + ahead {
            let what = format!("schedule {name} fired {:?} late and skips what it missed", now.since(at));
            self.broken(Promise::P16, from.now, what);
        }
        if self.schedules.paused.get(&name).is_some_and(|since| at > since.plus(ahead)) {
            self.broken(Promise::P16, from.now, format!("schedule {name} fired while it was paused"));
        }
        if !self.schedules.fired.insert((name.clone(), generation, at)) && !is_deleted {
            self.broken(Promise::P16, from.now, format!("the firing {at} of schedule {name} has two tasks"));
        }
    }

    /// A message was put that may wake workers up.
    pub(crate) fn wake_up_put(&mut self, from: Source) {
        let of_schedules = self.messages.values().filter(|message| wake_up_of(&message.text).is_some());
        let count = of_schedules.count();
        if count > MAX_WAKE_UPS {
            self.broken(Promise::P8, from.now, format!("there are {count} wake-up messages"));
        }
    }

    /// A wake-up message was deleted.
    pub(crate) fn wake_up_deleted(&mut self, from: Source, wake_up: u64) {
        self.count("wake-up message deleted");
        // A writer that was slow puts the message once more after its write, because a worker may have deleted it as obsolete.
        let is_put_again = from.now - self.schedules.written_at < PUT_AGAIN_AFTER;
        // Or has put it by then, and a deletion of the first one arrives late.
        let has_another = self.messages.values().any(|message| wake_up_of(&message.text) == Some(wake_up));
        let is_needed = self.schedules.wake_up == Some(wake_up) && !self.schedules.existing.is_empty();
        if is_needed && !is_put_again && !has_another {
            let what = "the latest wake-up message was deleted before the schedules named another".to_owned();
            self.broken(Promise::P16, from.now, what);
        }
    }

    /// The firings that should have tasks and have none, at the end of a run in which nothing was missed, or a run at all.
    #[must_use]
    pub fn unfired(&self, is_nothing_missed: bool) -> Vec<String> {
        let schedules = &self.schedules;
        let mut found = Vec::new();
        for (name, generation) in &schedules.latest {
            let Some(plan) = schedules.plans.get(name) else { continue };
            let counts = match plan.change {
                Change::None => plan.missed == "All" || is_nothing_missed,
                Change::Pause(..) | Change::Replace(..) => plan.missed == "All",
                Change::Delete(_) => false,
            };
            let key = (name.clone(), *generation);
            let Some(recurrence) = schedules.recurrences.get(&key).filter(|_| counts) else { continue };
            if plan.overlap == "Skip" {
                continue;
            }
            let is_fired = |at: &Timestamp| schedules.fired.contains(&(name.clone(), *generation, *at));
            // A clock that is hours off makes more firings missed than are made up for.
            let instants: Vec<_> = recurrence.instants().collect();
            let made_up = instants.into_iter().rev().take(MAX_MISSED);
            found.extend(
                made_up
                    .filter(|at| !is_fired(at))
                    .map(|at| format!("the firing {at} of schedule {name} has no task")),
            );
        }
        found
    }
}
