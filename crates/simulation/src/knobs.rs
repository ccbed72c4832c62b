//! What holds for a whole run.

use crate::receive::Receive;

/// How the components authenticate to the storage account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credential {
    /// A connection string with the account key.
    SharedKey,
    /// The connection string is a Key Vault secret, read through managed identity.
    KeyVault,
    /// Managed identity on Blob and Queue themselves.
    Keyless,
}

/// What holds for a whole run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Knobs {
    /// `visibility_timeout_seconds`.
    pub visibility: u64,
    /// `max_dequeue_count`.
    pub max_dequeue_count: u32,
    /// `max_concurrency`.
    pub max_concurrency: usize,
    /// `drain_seconds`.
    pub drain_seconds: u64,
    /// `task_timeout_seconds`.
    pub task_timeout: u64,
    /// `retry_base_seconds`.
    pub retry_base: u64,
    /// `retry_cap_seconds`.
    pub retry_cap: u64,
    /// `sweep_interval_seconds`.
    pub sweep_interval: u64,
    /// `retention_days`.
    pub retention_days: u64,
    /// `queue_depth_limit`; 0 is off.
    pub queue_depth_limit: u64,
    /// How many API instances serve at a time.
    pub apis: usize,
    /// How many workers drain at a time.
    pub workers: usize,
    /// How many drains of one worker go on at a time, each on an instance of its own.
    pub parallel: usize,
    /// How far the storage account's clock is ahead of true time, in milliseconds.
    pub storage_skew_ms: i64,
    /// How far clocks of instances may be off, either way, in milliseconds.
    pub instance_skew_ms: u64,
    /// Longest normal way of a request, one direction, in milliseconds.
    pub latency_ms: u64,
    /// How storage is reached.
    pub credential: Credential,
    /// Whether the queues and the container exist beforehand.
    pub storage_exists: bool,
    /// How often, in percent, an idle instance is replaced by a fresh one before it is used again.
    pub fresh_percent: u64,
    /// `max_concurrency` of the scripted tasks in `task_handlers`; 0 is no limit of their own.
    pub scripted_concurrency: usize,
    /// `priority_queues`.
    pub priority_queues: bool,
    /// Whether the scripted handlers are in a host process of their own, whose end is not counted as an attempt.
    pub isolated: bool,
    /// Whether events are delivered: a task has a receiver.
    pub events: bool,
    /// `schedules`: whether there are recurring tasks.
    pub schedules: bool,
    /// What the sink of events does on the first, second, … call for each event; the last is repeated. Empty: there is none.
    pub sink: Vec<Receive>,
}

/// By how much clocks may differ before a task counts as one that lost its message (`lifecycle::sweep`).
pub const TOLERATED_SKEW_MS: u64 = 60_000;

impl Knobs {
    /// How far the clocks of two machines may be apart while none is set, in milliseconds.
    #[must_use]
    pub fn skew_ms(&self) -> u64 {
        self.storage_skew_ms.unsigned_abs() + 2 * self.instance_skew_ms
    }
}
