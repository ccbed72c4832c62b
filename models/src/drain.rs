use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The answer to `POST /drain`: what one drain did, and when the next may begin.
///
/// Written by the worker, read by the launcher, which may be of another version: a member that is missing
/// counts nothing, one that is not known is passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DrainReport {
    /// Messages received from the task queue; the sum of the nine below.
    pub received: u32,
    /// Tasks that ended Completed.
    pub completed: u32,
    /// Tasks that ended Failed.
    pub failed: u32,
    /// Tasks that ended Cancelled.
    pub cancelled: u32,
    /// Attempts that will be made again after a back-off.
    pub retried: u32,
    /// Messages given up; a copy of each is in the poison queue.
    pub poisoned: u32,
    /// Deliveries that decided nothing: the lease went to another worker, or storage did not answer.
    pub lost: u32,
    /// Messages handed back unfinished because the replica stops.
    pub released: u32,
    /// Messages that asked for nothing any more.
    pub discarded: u32,
    /// Messages of tasks that have to wait.
    pub deferred: u32,
    /// Messages moved from the scheduled queue to the task queue.
    pub promoted: u32,
    /// Tasks whose lost message the sweep replaced.
    pub requeued: u32,
    /// Expired tasks that the sweep deleted.
    pub purged: u32,
    /// Whether there may be more to do: the drain ended for another reason than an empty queue.
    pub more: bool,
    /// Set when storage was busy or broken: do not drain again before so many seconds have passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<u64>,
}

impl DrainReport {
    /// What became of the messages, by the names that logs and metrics use.
    #[must_use]
    pub fn outcomes(&self) -> [(&'static str, u32); 9] {
        [
            ("completed", self.completed),
            ("failed", self.failed),
            ("cancelled", self.cancelled),
            ("retried", self.retried),
            ("poisoned", self.poisoned),
            ("lost", self.lost),
            ("released", self.released),
            ("discarded", self.discarded),
            ("deferred", self.deferred),
        ]
    }

    /// What was done beside the task queue.
    #[must_use]
    pub fn upkeep(&self) -> [(&'static str, u32); 3] {
        [("promoted", self.promoted), ("requeued", self.requeued), ("purged", self.purged)]
    }

    /// Whether the drain found anything to do.
    #[must_use]
    pub fn did_something(&self) -> bool {
        self.received > 0 || self.upkeep().iter().any(|(_, count)| *count > 0)
    }

    /// How long not to drain again.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after_seconds.map(Duration::from_secs)
    }

    /// Asks for a rest of `wait`, in whole seconds and at least one; a longer one asked for before stays.
    pub fn slow_down(&mut self, wait: Duration) {
        let seconds = (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1);
        self.retry_after_seconds = Some(self.retry_after_seconds.unwrap_or(0).max(seconds));
    }
}
