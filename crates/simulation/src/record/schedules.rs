//! What is known of schedules and their firings.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use models::Timestamp;
use serde_json::Value;

use super::Role;
use crate::plan::Plan;

/// The blob with all schedules.
pub const SCHEDULES_BLOB: &str = "schedules";

/// What is known of all schedules.
#[derive(Debug, Default)]
pub struct Schedules {
    /// What the operators have, by name.
    pub(crate) plans: BTreeMap<String, Plan>,
    /// By how much clocks are apart at most, those that are set included.
    pub(crate) max_ahead: Duration,
    /// Every recurrence that was stored, by name and generation.
    pub(crate) recurrences: BTreeMap<(String, u64), Recurrence>,
    /// The generation of each schedule that was stored last.
    pub(crate) latest: BTreeMap<String, u64>,
    /// Since when each schedule is paused, by true time.
    pub(crate) paused: BTreeMap<String, Timestamp>,
    /// The wake-up message that the schedules name.
    pub(crate) wake_up: Option<u64>,
    /// When the schedules were written last.
    pub(crate) written_at: Duration,
    /// Names of the schedules that exist.
    pub(crate) existing: BTreeSet<String>,
    /// Firings whose tasks were created.
    pub(crate) fired: BTreeSet<(String, u64, Timestamp)>,
}

/// When a schedule is due.
#[derive(Debug)]
pub(crate) struct Recurrence {
    /// The first firing.
    first: Option<Timestamp>,
    interval: Duration,
    ends: Timestamp,
}

impl Recurrence {
    pub(crate) fn instants(&self) -> impl Iterator<Item = Timestamp> {
        let next = |at: &Timestamp| Some(at.plus(self.interval));
        std::iter::successors(self.first, next).take_while(|at| *at <= self.ends)
    }
}

/// The id of a wake-up message.
#[must_use]
pub fn wake_up_of(text: &str) -> Option<u64> {
    serde_json::from_str::<Value>(text).ok()?.get("WakeUpId")?.as_u64()
}

impl Schedules {
    pub(crate) fn read(&mut self, entry: &Value, by: Role, now: Timestamp) {
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        let moment = |value: Option<&Value>| text(value)?.parse::<Timestamp>().ok();
        let definition = entry.get("Definition");
        let member = |name| definition.and_then(|definition| definition.get(name));
        let (Some(name), Some(generation)) =
            (text(entry.get("Name")), entry.get("Generation").and_then(Value::as_u64))
        else {
            return;
        };
        let seconds = text(member("Interval"))
            .and_then(|interval| interval.strip_prefix("PT")?.strip_suffix('S')?.parse::<u64>().ok());
        if let (Some(seconds), Some(ends)) = (seconds, moment(member("EndsAt"))) {
            let first = moment(entry.get("NextAt"));
            let interval = Duration::from_secs(seconds);
            let recurrence = Recurrence { first, interval, ends };
            self.recurrences.entry((name.clone(), generation)).or_insert(recurrence);
        }
        // What workers write does not count: they do not pause and resume.
        if by == Role::Api {
            match entry.get("PausedAt") {
                Some(_) => drop(self.paused.entry(name.clone()).or_insert(now)),
                None => drop(self.paused.remove(&name)),
            }
        }
        self.latest.insert(name, generation);
    }
}
