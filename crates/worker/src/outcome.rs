//! How one delivery ended.

use std::time::Duration;

use models::DrainReport;

/// How one delivery ended, for its task and its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeliveryOutcome {
    /// The task is Completed.
    Completed,
    /// The task is Failed.
    Failed,
    /// The task is Cancelled.
    Cancelled,
    /// The task is Pending again; the message is hidden for the back-off.
    Retried,
    /// The message was given up; a copy is in the poison queue.
    Poisoned,
    /// This delivery recorded no outcome: another worker has the lease or the task, or storage failed. The message
    /// becomes visible when its lease expires.
    Lost,
    /// The handler was stopped because the worker stops; the message is visible again.
    Released,
    /// The message was deleted without work.
    Discarded,
    /// The message was hidden or rescheduled: its task may not start yet, or another message of the task is being
    /// processed.
    Deferred,
}

impl DeliveryOutcome {
    /// Returns the name of the outcome in log lines.
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

    /// Counts a delivery with this outcome.
    pub(crate) fn count_in(self, report: &mut DrainReport) {
        let count = match self {
            Self::Completed => &mut report.completed,
            Self::Failed => &mut report.failed,
            Self::Cancelled => &mut report.cancelled,
            Self::Retried => &mut report.retried,
            Self::Poisoned => &mut report.poisoned,
            Self::Lost => &mut report.lost,
            Self::Released => &mut report.released,
            Self::Discarded => &mut report.discarded,
            Self::Deferred => &mut report.deferred,
        };
        *count += 1;
    }
}

/// The end of a delivery, for the drain.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DeliveryEnd {
    pub(crate) outcome: DeliveryOutcome,
    /// How long not to call storage, if it was busy or failed.
    pub(crate) rest: Option<Duration>,
}

impl From<DeliveryOutcome> for DeliveryEnd {
    fn from(outcome: DeliveryOutcome) -> Self {
        Self { outcome, rest: None }
    }
}
