use std::time::Duration;

/// The limits that decisions depend on, as configured by the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Visibility timeout of a received message, which is the length of a lease.
    pub visibility: Duration,
    /// Maximum number of started attempts of a task, counted from its acceptance or its latest explicit retry. An
    /// attempt that a stopping worker hands back does not count, nor does a delivery that starts none. It is also
    /// the number of workers in a row, at least five, that may be lost with a message before an attempt is
    /// recorded.
    pub max_dequeue_count: u32,
    /// Time limit of one attempt.
    pub task_timeout: Duration,
    /// Upper bound of the first back-off.
    pub retry_base: Duration,
    /// Upper bound of every back-off.
    pub retry_cap: Duration,
    /// How long a terminal task is kept.
    pub retention: Duration,
}
