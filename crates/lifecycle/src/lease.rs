//! The lease on a received message: when to renew it and when to stop the attempt.

use std::time::Duration;

/// What the holder of a lease has to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewal {
    /// Wait for this time.
    Hold(Duration),
    /// Half of the lease is over: renew it with the newest pop receipt.
    RenewNow,
    /// The lease expired before it was renewed, and another worker may have the message. Stop the attempt and
    /// write nothing.
    Lost,
    /// The attempt has reached its time limit. Stop it; it counts as timed out.
    CapReached,
}

/// Decides on a lease that was obtained `held` ago, for an attempt that started `worked` ago. `visibility` is the
/// length of a lease, `task_timeout` that of an attempt.
///
/// Both ages are measured by the worker's monotonic clock from before the request that obtained the lease: a wall
/// clock may be set, storage's clock may differ, and a response takes time.
#[must_use]
pub fn renewal(held: Duration, worked: Duration, visibility: Duration, task_timeout: Duration) -> Renewal {
    if held >= visibility {
        return Renewal::Lost;
    }
    if worked >= task_timeout {
        return Renewal::CapReached;
    }
    let half = visibility / 2;
    if held >= half {
        return Renewal::RenewNow;
    }
    Renewal::Hold((half - held).min(task_timeout - worked))
}
