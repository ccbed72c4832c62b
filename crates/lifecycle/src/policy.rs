use std::time::Duration;

/// The limits that decisions depend on, as the operator configured them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// How long a received message stays hidden: the length of a lease.
    pub visibility: Duration,
    /// Most deliveries of one message that may start work. A retry after a back-off is a delivery, too, so
    /// that a task is tried at most so often in all; a delivery that ended because its worker was being
    /// stopped does not count.
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
