//! Schedules of recurring tasks, and what an operator does to them.

/// A schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Its name.
    pub name: String,
    /// `Interval` in seconds.
    pub interval: u64,
    /// `EndsAt` in seconds after its creation.
    pub ends: u64,
    /// `Missed`.
    pub missed: &'static str,
    /// `Overlap`.
    pub overlap: &'static str,
    /// What an operator does to it.
    pub change: Change,
}

/// What an operator does to a schedule, in seconds after its creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    None,
    /// Pauses it then, for this time.
    Pause(u64, u64),
    /// Gives it another interval then.
    Replace(u64, u64),
    /// Deletes it then.
    Delete(u64),
}
