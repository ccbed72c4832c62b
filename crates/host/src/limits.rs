//! Spin's limits of an instance, under Spin's names.

use std::time::Duration;

/// Limits of every instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Requests that one instance serves before it is dropped.
    pub max_instance_reuse_count: usize,
    /// Requests that one instance serves at the same time.
    pub max_instance_concurrent_reuse_count: usize,
    /// How long an instance without requests is kept.
    pub idle_instance_timeout: Duration,
    /// Until the head of the response; `None`, Spin's default, is without limit.
    pub request_timeout: Option<Duration>,
    /// Largest memory of an instance, in bytes; `None`, Spin's default, is without limit.
    pub max_instance_memory: Option<usize>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_instance_reuse_count: 128,
            max_instance_concurrent_reuse_count: 16,
            idle_instance_timeout: Duration::from_secs(1),
            request_timeout: None,
            max_instance_memory: None,
        }
    }
}
