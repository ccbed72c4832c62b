//! Whether the queue is too long to take more.

use std::time::Duration;

/// Whether a submission may come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// There is room.
    Admit,
    /// The queue is above its limit: refuse with `429` and this `Retry-After`.
    Refuse(Duration),
}

/// Decides by the number of messages in the queue; without a `limit` everything comes in. The further
/// the queue is above its limit, the longer the client is asked to wait: 5 to 120 seconds.
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
