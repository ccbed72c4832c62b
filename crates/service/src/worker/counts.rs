//! What a drain did, counted for the launcher and the log.

use std::time::Duration;

use serde::Serialize;

/// How one delivery ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Its task is Completed.
    Completed,
    /// Its task is Failed.
    Failed,
    /// Its task is Cancelled.
    Cancelled,
    /// Its task is Pending again; the message comes back after the back-off.
    Retried,
    /// It was given up; a copy is in the poison queue.
    Poisoned,
    /// Nothing was decided: the lease or the task was lost to somebody else, or storage did not answer.
    /// The message comes back when its lease runs out.
    Lost,
    /// The handler was stopped because the worker is; the message is visible again.
    Released,
    /// There was nothing left to do; it was deleted.
    Discarded,
    /// It has to wait: for the task's time, or for another message of the same task.
    Deferred,
}

/// The answer to a drain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Counts {
    /// Messages received from the task queue; the sum of the nine below.
    pub(super) received: u32,
    pub(super) completed: u32,
    pub(super) failed: u32,
    pub(super) cancelled: u32,
    pub(super) retried: u32,
    pub(super) poisoned: u32,
    pub(super) lost: u32,
    pub(super) released: u32,
    pub(super) discarded: u32,
    pub(super) deferred: u32,
    /// Messages moved from the scheduled queue to the task queue.
    pub(super) promoted: u32,
    /// Tasks whose lost message the sweep replaced.
    pub(super) requeued: u32,
    /// Expired tasks that the sweep deleted.
    pub(super) purged: u32,
    /// Whether the queue may hold more: the drain ended for another reason than an empty queue.
    pub(super) more: bool,
    /// Set when storage was busy or broken: do not drain again before so many seconds have passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) retry_after_seconds: Option<u64>,
}

impl Counts {
    pub(super) fn add(&mut self, verdict: Verdict) {
        let count = match verdict {
            Verdict::Completed => &mut self.completed,
            Verdict::Failed => &mut self.failed,
            Verdict::Cancelled => &mut self.cancelled,
            Verdict::Retried => &mut self.retried,
            Verdict::Poisoned => &mut self.poisoned,
            Verdict::Lost => &mut self.lost,
            Verdict::Released => &mut self.released,
            Verdict::Discarded => &mut self.discarded,
            Verdict::Deferred => &mut self.deferred,
        };
        *count += 1;
    }

    /// Notes that storage needs a rest.
    pub(super) fn slow_down(&mut self, wait: Duration) {
        let seconds = (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1);
        self.retry_after_seconds = Some(self.retry_after_seconds.unwrap_or(0).max(seconds));
    }
}

impl Verdict {
    /// The word for the log.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Retried => "retried",
            Self::Poisoned => "poisoned",
            Self::Lost => "lost",
            Self::Released => "released",
            Self::Discarded => "discarded",
            Self::Deferred => "deferred",
        }
    }
}
