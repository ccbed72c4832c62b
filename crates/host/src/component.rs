//! What all instances of one component share.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock, Weak};

use http::Request;
use wasmtime_wasi_http::WasiBody;

use crate::clock::Clock;
use crate::instance_tracker::InstanceTracker;
use crate::limits::Limits;
use crate::log::{LogSink, Source};
use crate::manifest::Component;
use crate::outbound::{AllowedHosts, BoxFuture, Outbound, OutboundResult};
use crate::route::Matched;
use crate::variables::Variables;

/// The components of the application, which a component may call.
pub(crate) trait Siblings: Send + Sync {
    /// The public route of a path, when its component runs.
    fn find(&self, path: &str) -> Option<Matched>;

    /// Responds to a request that another component sent.
    fn respond(self: Arc<Self>, matched: Matched, request: Request<WasiBody>) -> BoxFuture<OutboundResult>;
}

/// A component of a running application.
pub(crate) struct RunningComponent {
    pub(crate) id: Arc<str>,
    pub(crate) declaration: Component,
    /// The manifest's, with the additions of the host's user.
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) variables: Arc<Variables>,
    /// Resolved at the first request; `None` when the list is void.
    pub(crate) allowed_hosts: OnceLock<Option<AllowedHosts>>,
    pub(crate) outbound: Outbound,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) seed: Option<u64>,
    pub(crate) log: Arc<dyn LogSink>,
    pub(crate) limits: Limits,
    pub(crate) instances: Arc<InstanceTracker>,
    pub(crate) siblings: Weak<dyn Siblings>,
}

impl RunningComponent {
    /// The destinations that the component may reach, or `None` when the list is void. The reason for that is logged
    /// once.
    pub(crate) fn allowed_hosts(&self) -> Option<&AllowedHosts> {
        let resolve = || {
            let templates = &self.declaration.allowed_outbound_hosts;
            let entries: Result<Vec<_>, _> =
                templates.iter().map(|entry| self.variables.resolve(entry)).collect();
            let hosts = match entries {
                Ok(entries) => AllowedHosts::parse(&entries),
                Err(error) => Err(error.to_string()),
            };
            hosts
                .map_err(|reason| {
                    self.log(&format!("allowed_outbound_hosts is void, every request is denied: {reason}"));
                })
                .ok()
        };
        self.allowed_hosts.get_or_init(resolve).as_ref()
    }

    /// Writes a line of the host about this component.
    pub(crate) fn log(&self, line: &str) {
        self.log.line(&self.id, Source::Host, line);
    }
}
