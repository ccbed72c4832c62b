use std::time::Duration;

use models::TaskStatus;

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

impl Policy {
    /// Returns the policy for one task: its submission may lower the number of attempts and their time limit, but not
    /// raise them.
    #[must_use]
    pub fn for_task(&self, document: &TaskStatus) -> Self {
        let max_dequeue_count =
            document.max_attempts.map_or(self.max_dequeue_count, |max| max.clamp(1, self.max_dequeue_count));
        let task_timeout = document.timeout_seconds.map_or(self.task_timeout, |seconds| {
            Duration::from_secs(u64::from(seconds.max(1))).min(self.task_timeout)
        });
        Self { max_dequeue_count, task_timeout, ..*self }
    }
}
