use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The response to `POST /drain`: what a drain did, and when the next one may start.
///
/// The worker writes it and the launcher reads it. They may be of different versions: a missing member counts as zero,
/// and an unknown member is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DrainReport {
    /// Messages received from the task queue; the sum of the next nine members.
    pub received: u32,
    /// Tasks that ended Completed.
    pub completed: u32,
    /// Tasks that ended Failed.
    pub failed: u32,
    /// Tasks that ended Cancelled.
    pub cancelled: u32,
    /// Attempts that failed temporarily; another attempt follows after a back-off.
    pub retried: u32,
    /// Messages that were given up; a copy of each is in the poison queue.
    pub poisoned: u32,
    /// Deliveries without an outcome: the lease was lost to another worker, or storage failed.
    pub lost: u32,
    /// Messages handed back because the replica stops.
    pub released: u32,
    /// Messages deleted without work.
    pub discarded: u32,
    /// Messages hidden or rescheduled because their tasks have to wait.
    pub deferred: u32,
    /// Messages moved from the scheduled queue to the task queue, and tasks of schedules that were due.
    pub promoted: u32,
    /// Tasks for which the sweep sent a new message.
    pub requeued: u32,
    /// Expired tasks that the sweep deleted.
    pub purged: u32,
    /// Whether there may be more work: the drain ended for another reason than an empty queue.
    pub more: bool,
    /// Whether the queue is paused, so that nothing was received.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub paused: bool,
    /// If storage was busy or failed: seconds in which not to drain again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<u64>,
    /// Whether handlers in the worker's process were seen to share instances: a trap of one then ends the others.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub handlers_share_instances: bool,
}

impl DrainReport {
    /// Returns the numbers of messages by outcome, with the names that logs and metrics use.
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

    /// Returns the numbers of promoted, requeued and purged tasks.
    #[must_use]
    pub fn upkeep(&self) -> [(&'static str, u32); 3] {
        [("promoted", self.promoted), ("requeued", self.requeued), ("purged", self.purged)]
    }

    /// Returns whether the drain did any work.
    #[must_use]
    pub fn did_something(&self) -> bool {
        self.received > 0 || self.upkeep().iter().any(|(_, count)| *count > 0)
    }

    /// Returns the time in which not to drain again.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after_seconds.map(Duration::from_secs)
    }

    /// Requests a rest of `wait`, rounded up to whole seconds, at least one. A longer earlier request stays.
    pub fn slow_down(&mut self, wait: Duration) {
        let seconds = (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1);
        self.retry_after_seconds = Some(self.retry_after_seconds.unwrap_or(0).max(seconds));
    }
}
