//! What a drain did, counted for the launcher and the log.

use std::time::Duration;

/// The answer to a drain, while it is counted.
pub(crate) use models::DrainReport as Counts;

/// How one delivery ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
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

/// How a delivery ended, and how long to leave storage alone when it was busy or broken.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Report {
    pub(crate) verdict: Verdict,
    pub(crate) rest: Option<Duration>,
}

impl From<Verdict> for Report {
    fn from(verdict: Verdict) -> Self {
        Self { verdict, rest: None }
    }
}

/// Counts a delivery that ended so.
pub(crate) fn add(report: &mut Counts, verdict: Verdict) {
    let count = match verdict {
        Verdict::Completed => &mut report.completed,
        Verdict::Failed => &mut report.failed,
        Verdict::Cancelled => &mut report.cancelled,
        Verdict::Retried => &mut report.retried,
        Verdict::Poisoned => &mut report.poisoned,
        Verdict::Lost => &mut report.lost,
        Verdict::Released => &mut report.released,
        Verdict::Discarded => &mut report.discarded,
        Verdict::Deferred => &mut report.deferred,
    };
    *count += 1;
}

impl Verdict {
    /// The word for the log.
    pub(crate) fn name(self) -> &'static str {
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
