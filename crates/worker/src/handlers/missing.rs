//! Whether the components that are handlers exist.

use std::time::Duration;

use super::endpoint::component_url;
use crate::engine::Engine;
use azure::{Env, Limits, TransportError, UNOBSERVED};
use bytes::Bytes;
use http::{Method, Request};
use service::concurrent;

/// How long a component may take to respond. One that takes longer exists.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The largest response that is read, in bytes. A component with a larger one exists.
const MAX_RESPONSE_BYTES: usize = 64 * 1024;

/// The worker's own component.
const OWN_ID: &str = "worker";

/// Returns the id of a handler in this host process that is not part of the application, or that `handler_hosts` does
/// not allow.
///
/// The manifest is not visible to a component. The host allows requests to `*.spin.internal` only for the components
/// that run, so each handler is asked with `OPTIONS`, which does no work. Once all were found, an instance does not ask
/// again.
pub(crate) async fn find_missing(engine: &Engine) -> Option<String> {
    let Engine { env, settings, handlers_exist, .. } = engine;
    // The launcher has compared the handlers of another process with the manifest.
    if handlers_exist.get() || !settings.handler_process.is_empty() {
        return None;
    }
    let components = settings.handlers.components();
    if components.is_empty() {
        return None;
    }
    // The worker asks itself as well: if the instance that drains gets the request, handlers share instances too.
    let asked = components.into_iter().chain([OWN_ID]);
    let missing =
        concurrent::all(asked.map(|id| async move { is_missing(&**env, id).await.then_some(id) })).await;
    let missing = missing.into_iter().flatten().find(|id| *id != OWN_ID).map(str::to_owned);
    handlers_exist.set(missing.is_none());
    missing
}

/// Returns whether the application has no such component, or the worker may not call it.
async fn is_missing(env: &dyn Env, id: &str) -> bool {
    let Ok(uri) = component_url(id).parse() else { return false };
    let mut request = Request::new(Bytes::new());
    *request.method_mut() = Method::OPTIONS;
    *request.uri_mut() = uri;
    let response = env.send(request, Limits::within(TIMEOUT, MAX_RESPONSE_BYTES), UNOBSERVED).await;
    // Spin denies such a request; other hosts may find nothing to connect to. Within the host nothing else does either.
    matches!(response, Err(TransportError::Denied(_) | TransportError::Connect(_)))
}
