//! What a receiver of events does.

/// `callback_max_attempts` of every run with receivers.
pub const MAX_ATTEMPTS: u32 = 4;
/// The receivers.
pub const RECEIVER_HOST: &str = "http://receiver.test";
/// `event_sink_host`.
pub const SINK_HOST: &str = "http://sink.test";
/// `callback_secrets`, the base64 of 24 bytes behind its prefix.
pub const RECEIVER_SECRET: &str = "whsec_c2ltdWxhdGVkLXNlY3JldC0yNGJ5dGVz";

/// What a receiver does on one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receive {
    /// Responds 204.
    Accept,
    /// Responds with this status.
    Refuse(u16),
    /// Responds 429 with this `Retry-After`, in seconds.
    Throttle(u64),
    /// Receives the event and never responds.
    Hang,
    /// Receives the event, and the connection breaks.
    Reset,
}

/// No receiver is called so often for one event: the attempts that are allowed, and those that faults of a scenario keep
/// from being recorded.
pub const MAX_CALLS: u32 = 24;
