//! Configuration: the table of variables, and the settings parsed from them.

mod error;
mod parse;
mod reader;
mod variables;

use std::time::Duration;

use azure::Secret;
use lifecycle::handlers::Handlers;
use logging::Level;

use crate::callback::{CallbackHosts, Callbacks};
use crate::sink::Sink;

pub use error::{ConfigurationError, SettingsError};
pub use storage::StorageSettings;
pub use variables::{Role, VARIABLES, Variable};

/// Authentication of the API (`api_auth`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApiAuth {
    /// No authentication, like the .NET sample.
    None,
    /// Callers send a key whose SHA-256 digest is in the list.
    ApiKey(Vec<[u8; 32]>),
    /// The authentication sidecar of Container Apps identifies callers.
    EasyAuth,
}

/// The callers with the rights of an operator (`api_operators`). Without authentication every caller has them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Operators {
    /// SHA-256 digests of their keys, with [`ApiAuth::ApiKey`].
    pub keys: Vec<[u8; 32]>,
    /// Their principal ids, with [`ApiAuth::EasyAuth`].
    pub principals: Vec<String>,
}

/// Settings of the API component.
#[derive(Debug, Clone)]
pub struct ApiSettings {
    /// Storage account and names.
    pub storage: StorageSettings,
    /// `sas_token_expiry_minutes`: lifetime of the signed link in `Location`.
    pub sas_lifetime: Duration,
    /// `public_base_url` without a slash at the end; `None` for the host of each request.
    pub public_base_url: Option<String>,
    /// `trust_forwarded`: whether `X-Forwarded-Proto` and `X-Forwarded-Host` are used.
    pub trust_forwarded: bool,
    /// `api_auth` and `api_key_hashes`.
    pub auth: ApiAuth,
    /// `api_operators`.
    pub operators: Operators,
    /// `body_limit_bytes`.
    pub body_limit: usize,
    /// `queue_depth_limit`; `None` is off.
    pub queue_depth_limit: Option<u64>,
    /// `retention_days`: time after which a terminal task is purged.
    pub retention: Duration,
    /// `queue_pause`: whether the API can pause the queue, and workers read the pause.
    pub queue_pause: bool,
    /// `schedules`: whether clients can have recurring tasks, and workers create them.
    pub schedules: bool,
    /// `log_level`: lines of a lower level are not written.
    pub log_level: Level,
    /// `task_handlers`: which handler a task has, and the policy of its name.
    pub handlers: Handlers,
    /// `callback_hosts`: the receivers that a `CallbackUri` may name.
    pub callback_hosts: CallbackHosts,
    /// Whether `event_sink_url` is set, so that the events of new tasks go to the operator's sink.
    pub sink_events: bool,
}

impl ApiSettings {
    /// Returns the time after which a terminal task called `name` is purged.
    #[must_use]
    pub fn retention_of(&self, name: &str) -> Duration {
        self.handlers.find(name).and_then(|(_, rule)| rule.limits.retention).unwrap_or(self.retention)
    }

    /// Returns whether tasks can have events: for receivers, or for the sink.
    #[must_use]
    pub fn has_events(&self) -> bool {
        self.sink_events || !self.callback_hosts.is_empty()
    }

    /// Path of `public_base_url`, which a gateway removes before it forwards a request. Without a slash at the end;
    /// empty if there is no path.
    #[must_use]
    pub fn prefix(&self) -> &str {
        let behind_scheme = self.public_base_url.as_deref().and_then(|url| url.split_once("://"));
        let path = behind_scheme.and_then(|(_, rest)| rest.find('/').and_then(|at| rest.get(at..)));
        path.unwrap_or_default()
    }
}

/// Settings of the worker component.
#[derive(Debug, Clone)]
pub struct WorkerSettings {
    /// Storage account and names.
    pub storage: StorageSettings,
    /// `drain_token`; an empty one closes the drain route.
    pub drain_token: Secret,
    /// `visibility_timeout_seconds`: duration of a lease.
    pub visibility: Duration,
    /// `max_dequeue_count`.
    pub max_dequeue_count: u32,
    /// `max_concurrency`: concurrent tasks of one drain.
    pub max_concurrency: usize,
    /// `drain_seconds`: time after which a drain receives no further messages.
    pub drain_budget: Duration,
    /// `task_timeout_seconds`: maximum duration of one attempt.
    pub task_timeout: Duration,
    /// `retry_base_seconds`: first back-off of a retried task.
    pub retry_base: Duration,
    /// `retry_cap_seconds`: maximum back-off of a retried task.
    pub retry_cap: Duration,
    /// `retention_days`: time after which a terminal task is purged.
    pub retention: Duration,
    /// `sweep_interval_seconds`: minimum time between two reconciliation sweeps.
    pub sweep_interval: Duration,
    /// `simulate_unit_ms`: the time unit of the `simulate` handler.
    pub simulate_unit: Duration,
    /// `queue_pause`: whether the API can pause the queue, and workers read the pause.
    pub queue_pause: bool,
    /// `schedules`: whether clients can have recurring tasks, and workers create them.
    pub schedules: bool,
    /// `log_level`: lines of a lower level are not written.
    pub log_level: Level,
    /// `task_handlers`: which handler a task has, and the policy of its name.
    pub handlers: Handlers,
    /// How events of ended tasks are delivered; `None` if `callback_hosts` lists no receiver.
    pub callbacks: Option<Callbacks>,
    /// The operator's sink of events; `None` without `event_sink_url`.
    pub sink: Option<Sink>,
    /// `handler_process_host`: the host process of the handlers that are components, without a slash at the end; empty
    /// if they are in the worker's own process.
    pub handler_process: String,
    /// The size of the parts in which a large result is stored, in bytes. Not a variable.
    pub result_part_bytes: usize,
    /// `handler_watch_host`: where the launcher is told of a handler that does not end in time; empty for nowhere.
    pub handler_watch: String,
}
