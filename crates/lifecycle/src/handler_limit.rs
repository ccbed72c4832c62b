//! How many tasks may be worked on outside of the application at a time.
//!
//! The task handler of such a task holds a connection of the host for as long as the task takes, and so
//! does every request to storage while it is under way. When handlers take them all, leases are not renewed
//! and every task is started again elsewhere.

/// Connections that one host may have open (`[outbound_http]` in `runtime-config.toml`).
pub const CONNECTIONS: usize = 256;
/// How many of them task handlers outside of the application may hold. The rest is for storage: a burst in
/// which every task writes waits for them a few times over, far below the time of a lease.
pub const FOR_HANDLERS: usize = 200;

/// Whether a handler at `url` is reached through a connection: anything but a component of the same
/// application, which the host calls in its own process.
#[must_use]
pub fn is_outside(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let name = host.split_once(':').map_or(host, |(name, _)| name);
    !name.to_ascii_lowercase().ends_with(".spin.internal")
}

/// Whether `drains` side by side, of `concurrency` tasks each, leave storage its connections.
#[must_use]
pub fn fits(drains: usize, concurrency: usize) -> bool {
    drains.saturating_mul(concurrency) <= FOR_HANDLERS
}
