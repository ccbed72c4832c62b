//! The addresses of handlers.

use azure::Secret;
use http::HeaderName;
use lifecycle::handlers::Target;
use service::settings::WorkerSettings;

/// The path under which a worker of another host process passes requests on to its handlers, see [`crate::relay`].
pub(crate) const PROCESS_PATH: &str = "/handlers/";

/// A header of a response that a worker of another process gives in place of a handler. Handlers cannot set it there.
pub(crate) const RELAY_ERROR: HeaderName = HeaderName::from_static("relay-error");
/// Its value if the response of the handler was too large.
pub(crate) const TOO_LARGE: &str = "too-large";

/// A header of a request by which the worker that drains allows a large result, in bytes.
pub(crate) const RELAY_MAX_BYTES: HeaderName = HeaderName::from_static("relay-max-bytes");
/// A header of a response that is passed on while it arrives. One more byte follows its body.
pub(crate) const RELAY_PARTS: HeaderName = HeaderName::from_static("relay-parts");
/// That byte if the body is complete.
pub(crate) const RELAY_COMPLETE: u8 = 1;
/// That byte if the body broke off. A response that merely ends could be taken for a complete one.
pub(crate) const RELAY_BROKEN: u8 = 0;

/// A header by which the embedded host says why a component trapped.
pub(crate) const TRAP_REASON: HeaderName = HeaderName::from_static("trap-reason");

/// Where a task is posted to.
pub(super) struct Endpoint {
    pub(super) url: String,
    /// The bearer token of a worker in another host process.
    pub(super) token: Option<Secret>,
    /// The id, if the handler is a component of the application.
    pub(super) component: Option<String>,
}

/// Returns the address of a handler. Components are called within the host, or in the process that runs them.
pub(super) fn of(target: &Target, settings: &WorkerSettings) -> Endpoint {
    match target {
        Target::Url(url) => Endpoint { url: url.clone(), token: None, component: None },
        Target::Component(id) if settings.handler_process.is_empty() => {
            Endpoint { url: component_url(id), token: None, component: Some(id.clone()) }
        }
        Target::Component(id) => Endpoint {
            url: format!("{}{PROCESS_PATH}{id}", settings.handler_process),
            token: Some(settings.drain_token.clone()),
            component: Some(id.clone()),
        },
    }
}

/// Returns the address of a component in the same host process.
pub(crate) fn component_url(id: &str) -> String {
    format!("http://{id}.spin.internal/")
}
