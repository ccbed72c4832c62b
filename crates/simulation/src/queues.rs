//! The queues of the application.

/// The queue of tasks.
pub const QUEUE: &str = "taskqueue";
/// The queues of tasks from the highest priority to the lowest; without `priority_queues`, the one in the middle.
pub const TASK_QUEUES: [&str; 3] = ["taskqueue-high", QUEUE, "taskqueue-low"];

/// Which queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum QueueKind {
    /// Messages ready for a worker, of whichever priority.
    Tasks,
    /// Messages that wait for their time.
    Scheduled,
    /// Events of ended tasks.
    Events,
    /// Copies of messages that were given up.
    Poison,
}

impl QueueKind {
    /// The kind of the queue `name`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            name if TASK_QUEUES.contains(&name) => Some(Self::Tasks),
            name if name.ends_with("-scheduled") => Some(Self::Scheduled),
            name if name.ends_with("-events") => Some(Self::Events),
            name if name.ends_with("-poison") => Some(Self::Poison),
            _ => None,
        }
    }

    /// The names of its queues.
    #[must_use]
    pub fn names(self) -> Vec<String> {
        let one = |suffix: &str| vec![format!("{QUEUE}-{suffix}")];
        match self {
            Self::Tasks => TASK_QUEUES.map(str::to_owned).to_vec(),
            Self::Scheduled => one("scheduled"),
            Self::Events => one("events"),
            Self::Poison => one("poison"),
        }
    }
}
