use std::time::Duration;

use crate::Limits;

/// How often and how long a call is tried. A pure value: it decides, the send loop waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Tries in total, the first one included; at least 1.
    pub max_tries: u32,
    /// Upper bound of the first wait.
    pub base: Duration,
    /// Upper bound of any wait that the service did not ask for.
    pub cap: Duration,
    /// For the whole call, with all its tries and waits.
    pub deadline: Duration,
    /// For each try.
    pub limits: Limits,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_tries: 5,
            base: Duration::from_millis(200),
            cap: Duration::from_secs(5),
            deadline: Duration::from_secs(30),
            limits: Limits::default(),
        }
    }
}
