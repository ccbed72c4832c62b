//! The hold on a received message: when to renew it, and when to give up.

use std::time::Duration;

use models::Timestamp;

/// One attempt's hold on its message. All times are of the worker's own clock, taken before the request
/// that obtained the hold was sent: storage's clock may differ, and its answer takes time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// When the attempt started.
    pub started_at: Timestamp,
    /// When the hold was last obtained.
    pub held_since: Timestamp,
}

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

/// What to do about `lease` at `now`, given the length of a lease and of an attempt.
#[must_use]
pub fn renewal(lease: &Lease, visibility: Duration, task_timeout: Duration, now: Timestamp) -> Renewal {
    let held = now.since(lease.held_since);
    if held >= visibility {
        return Renewal::Lost;
    }
    let worked = now.since(lease.started_at);
    if worked >= task_timeout {
        return Renewal::CapReached;
    }
    let half = visibility / 2;
    if held >= half {
        return Renewal::RenewNow;
    }
    Renewal::Hold((half - held).min(task_timeout - worked))
}
