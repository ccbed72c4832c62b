use std::time::Duration;

/// The limits that decisions depend on, as the operator configured them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// How long a received message stays hidden: the length of a lease.
    pub visibility: Duration,
    /// Most attempts of one task that are started, from its acceptance or its explicit retry on. One that a
    /// stopping worker hands back does not count, nor does a delivery that starts none. Also how many
    /// workers in a row a message may cost before an attempt is recorded, five at least.
    pub max_dequeue_count: u32,
    /// Longest time one attempt may take.
    pub task_timeout: Duration,
    /// Upper bound of the first back-off.
    pub retry_base: Duration,
    /// Upper bound of every back-off.
    pub retry_cap: Duration,
    /// How long a terminal task is kept.
    pub retention: Duration,
}
