//! The settings of replicas before an update.

use crate::knobs::Knobs;

/// The former settings of all replicas. `priority_queues` was off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Former {
    /// `visibility_timeout_seconds`.
    pub visibility: u64,
    /// `max_dequeue_count`.
    pub max_dequeue_count: u32,
    /// `retention_days`.
    pub retention_days: u64,
}

impl Former {
    pub(crate) fn applied_to(&self, knobs: &Knobs) -> Knobs {
        Knobs {
            visibility: self.visibility,
            max_dequeue_count: self.max_dequeue_count,
            retention_days: self.retention_days,
            priority_queues: false,
            ..knobs.clone()
        }
    }
}
