//! Configuration: every variable in one table, and the checked values made from it.

mod parse;
mod variables;

use std::collections::BTreeMap;
use std::time::Duration;

use azure::Secret;

pub use parse::{ConfigurationError, SettingsError};
pub use storage::StorageSettings;
pub use variables::{Role, VARIABLES, Variable};

/// Who may call the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApiAuth {
    /// Everybody, as the .NET sample did.
    None,
    /// Callers that present a key whose SHA-256 is in the list.
    ApiKey(Vec<[u8; 32]>),
    /// Callers that the Container Apps authentication sidecar has identified.
    EasyAuth,
}

/// What the API component runs with.
#[derive(Debug, Clone)]
pub struct ApiSettings {
    /// Where tasks are kept.
    pub storage: StorageSettings,
    /// `sas_token_expiry_minutes`: how long a `Location` stays readable.
    pub sas_lifetime: Duration,
    /// `public_base_url` without a trailing slash; `None` means the request's own host.
    pub public_base_url: Option<String>,
    /// `trust_forwarded`: whether `X-Forwarded-Proto` and `X-Forwarded-Host` count.
    pub trust_forwarded: bool,
    /// `api_auth` and `api_key_hashes`.
    pub auth: ApiAuth,
    /// `body_limit_bytes`.
    pub body_limit: usize,
    /// `queue_depth_limit`; `None` is off.
    pub queue_depth_limit: Option<u64>,
    /// `retention_days`: how long a terminal task is kept.
    pub retention: Duration,
}

impl ApiSettings {
    /// The path of `public_base_url`, which a gateway takes away before it passes a request on; without a
    /// slash at the end, empty without one.
    #[must_use]
    pub fn prefix(&self) -> &str {
        let behind_scheme = self.public_base_url.as_deref().and_then(|url| url.split_once("://"));
        let path = behind_scheme.and_then(|(_, rest)| rest.find('/').and_then(|at| rest.get(at..)));
        path.unwrap_or_default()
    }
}

/// What the worker component runs with.
#[derive(Debug, Clone)]
pub struct WorkerSettings {
    /// Where tasks are kept.
    pub storage: StorageSettings,
    /// `drain_token`; empty closes the route.
    pub drain_token: Secret,
    /// `visibility_timeout_seconds`: length of a lease.
    pub visibility: Duration,
    /// `max_dequeue_count`.
    pub max_dequeue_count: u32,
    /// `max_concurrency`: tasks of one drain at a time.
    pub max_concurrency: usize,
    /// `drain_seconds`: how long a drain goes on receiving.
    pub drain_budget: Duration,
    /// `task_timeout_seconds`: hard cap of one attempt.
    pub task_timeout: Duration,
    /// `retry_base_seconds`: first back-off of a retried task.
    pub retry_base: Duration,
    /// `retry_cap_seconds`: longest back-off of a retried task.
    pub retry_cap: Duration,
    /// `retention_days`: how long a terminal task is kept.
    pub retention: Duration,
    /// `sweep_interval_seconds`: least time between two reconciliation sweeps.
    pub sweep_interval: Duration,
    /// `simulate_unit_ms`: the time unit of the `simulate` handler.
    pub simulate_unit: Duration,
    /// `task_handlers`: task name to handler URL.
    pub handlers: BTreeMap<String, String>,
}
