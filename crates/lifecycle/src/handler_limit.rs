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

/// Returns whether a handler at `url` is outside the application and occupies a connection. The host calls a
/// component of the same application in its own process.
#[must_use]
pub fn is_outside(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let name = host.split_once(':').map_or(host, |(name, _)| name);
    !name.to_ascii_lowercase().ends_with(".spin.internal")
}

/// Returns whether `drains` concurrent drains of `concurrency` tasks each stay within [`MAX_HANDLER_CONNECTIONS`].
#[must_use]
pub fn fits(drains: usize, concurrency: usize) -> bool {
    drains.saturating_mul(concurrency) <= MAX_HANDLER_CONNECTIONS
}
