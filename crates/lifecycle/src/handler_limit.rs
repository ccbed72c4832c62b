//! The limit on concurrent tasks of handlers outside the application.
//!
//! Such a handler occupies a connection of the host while its task runs, and so does every storage request while
//! it is in progress. If handlers occupied all connections, leases could not be renewed and every task would be
//! started again by another worker.

/// Outgoing connections of a host (`[outbound_http]` in `runtime-config.toml`), including idle ones, which Spin keeps for the
/// server to which they lead.
pub const MAX_HOST_CONNECTIONS: usize = 1024;
/// Connections that handlers outside the application may occupy.
///
/// Up to four servers of handlers can each leave as many idle connections. Storage requests share the rest: in a burst in which
/// every task writes, each connection serves a few requests, which takes far less time than a lease.
pub const MAX_HANDLER_CONNECTIONS: usize = 200;

/// The domain of the components of an application (service chaining of Spin).
const COMPONENT_DOMAIN: &str = ".spin.internal";

/// Returns whether `host`, without a port, is a component of the same application. The host calls it in its own process.
#[must_use]
pub fn is_component(host: &str) -> bool {
    let domain = host.len().checked_sub(COMPONENT_DOMAIN.len()).and_then(|at| host.get(at..));
    domain.is_some_and(|domain| domain.eq_ignore_ascii_case(COMPONENT_DOMAIN))
}

/// Returns whether a handler at `url` is outside the application and occupies a connection.
#[must_use]
pub fn is_outside(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let name = host.split_once(':').map_or(host, |(name, _)| name);
    !is_component(name)
}

/// Returns whether `drains` concurrent drains of `concurrency` tasks each stay within [`MAX_HANDLER_CONNECTIONS`].
#[must_use]
pub fn fits(drains: usize, concurrency: usize) -> bool {
    drains.saturating_mul(concurrency) <= MAX_HANDLER_CONNECTIONS
}
