//! The hold on a received message: when to renew it, and when to give up.

use std::time::Duration;

/// What the holder of a lease has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewal {
    /// Nothing before this time has passed.
    Hold(Duration),
    /// Half the lease is over: renew it with the newest receipt.
    RenewNow,
    /// It ran out before it could be renewed; somebody else may have the message. Stop the attempt and
    /// write nothing.
    Lost,
    /// The attempt has had all the time one attempt may have. Stop it; it counts as timed out.
    CapReached,
}

/// What to do about a lease that was obtained `held` ago for an attempt that started `worked` ago, given the
/// length of a lease and of an attempt.
///
/// Both ages are by the worker's monotonic clock, from before the request that obtained the hold was sent:
/// a wall clock may be set, storage's clock may differ, and its answer takes time.
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
