//! Back-pressure: whether the queue is too long to accept a submission.

use std::time::Duration;

/// The decision on accepting a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Accept it.
    Admit,
    /// The queue is above its limit: refuse with `429` and this `Retry-After`.
    Refuse(Duration),
}

/// Decides by the number of messages in the queue (`depth`); without a `limit` every submission is accepted. The
/// wait is proportional to `depth` / `limit`, between 5 and 120 seconds.
#[must_use]
pub fn admission(depth: u64, limit: Option<u64>) -> Admission {
    match limit {
        Some(limit) if depth > limit => {
            let times = depth / limit.max(1);
            Admission::Refuse(Duration::from_secs(times.saturating_mul(5).clamp(5, 120)))
        }
        _ => Admission::Admit,
    }
}
