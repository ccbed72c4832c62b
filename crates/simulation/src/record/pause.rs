//! When the queue was paused.

use std::time::Duration;

/// When the queue was paused and resumed.
#[derive(Debug, Default)]
pub struct Pause {
    /// Since when it is paused.
    pub since: Option<Duration>,
    /// When it was resumed last.
    pub ended_at: Duration,
}
