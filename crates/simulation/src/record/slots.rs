//! Which slots of the workers are free.

use std::time::Duration;

use super::InstanceId;
use crate::scenario::Index;

/// What is known of the slots of all workers.
#[derive(Debug, Default)]
pub struct Slots {
    /// Drains under way. A loop without one has no slots: its replica may not have been started.
    pub(crate) draining: usize,
    /// Instances whose slots are all taken by handlers.
    pub(crate) full: Vec<InstanceId>,
    /// When a slot became free while all had been taken.
    pub(crate) freed_at: Duration,
    /// Until when each worker must not drain.
    pub(crate) rest_until: Vec<(Index, Duration)>,
}

impl Slots {
    pub(crate) fn are_all_taken(&self) -> bool {
        self.full.len() >= self.draining.max(1)
    }

    pub(crate) fn rest_of(&self, worker: Index) -> Duration {
        self.rest_until.iter().find(|(whose, _)| *whose == worker).map_or(Duration::ZERO, |(_, until)| *until)
    }
}
