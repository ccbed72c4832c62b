//! The seams to the world: sending a request, telling the time, rolling dice.
//!
//! Used as objects, so that everything above them is compiled once. Futures are not `Send`: the guests are
//! single-threaded, and so are the tests.

use std::time::Duration;

use bytes::Bytes;
use futures::future::LocalBoxFuture;
use http::response::Parts;
use http::{Request, Response};
use time::OffsetDateTime;

/// What one try of a request may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Until the connection stands.
    pub connect: Duration,
    /// From sending to the first byte of the answer.
    pub first_byte: Duration,
    /// For everything, the body included.
    pub total: Duration,
    /// Largest accepted body of the answer, in bytes.
    pub max_response_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            first_byte: Duration::from_secs(15),
            total: Duration::from_secs(30),
            max_response_bytes: 8 * 1024 * 1024,
        }
    }
}

/// Why there is no answer. Tells the caller whether the request can have had its effect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// The connection was never made (refused, no such host, TLS failed): nothing was sent.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// The host's policy forbids the destination. Configuration, never worth a retry.
    #[error("the destination is not in allowed_outbound_hosts: {0}")]
    Denied(String),
    /// No answer in time. The request may have had its effect.
    #[error("no answer in time")]
    Timeout,
    /// The connection broke. The request may have had its effect.
    #[error("the connection broke: {0}")]
    Interrupted(String),
    /// The answer is larger than [`Limits::max_response_bytes`].
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
}

impl TransportError {
    /// Whether it is certain that the request had no effect.
    #[must_use]
    pub fn is_before_effect(&self) -> bool {
        matches!(self, Self::Connect(_) | Self::Denied(_))
    }
}

/// Receives each piece of a response's body when it arrives, with the head it belongs to.
pub type Observer<'a> = &'a dyn Fn(&Parts, &[u8]);

/// For requests whose response is of use only as a whole.
pub const UNOBSERVED: Observer<'static> = &|_, _| {};

/// Sends one request, once. Every HTTP status is an answer, not an error.
pub trait Transport {
    /// Sends `request` (absolute URI, whole body) and reads the whole answer. `observe` is called for each
    /// piece of its body; a transport that does not stream may call it once, at the end.
    ///
    /// Sets no header of its own except `content-length`.
    ///
    /// # Errors
    /// [`TransportError`] when there is no whole answer within `limits`.
    fn send<'a>(
        &'a self,
        request: Request<Bytes>,
        limits: Limits,
        observe: Observer<'a>,
    ) -> LocalBoxFuture<'a, Result<Response<Bytes>, TransportError>>;
}

/// A reading of the monotonic clock, good for comparing with other readings in the same process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(Duration);

impl Instant {
    /// The moment `elapsed` after the clock's own, arbitrary origin.
    #[must_use]
    pub const fn since_origin(elapsed: Duration) -> Self {
        Self(elapsed)
    }

    /// Time from `earlier` to `self`; zero when `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    /// Later by `duration`.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }

    /// Earlier by `duration`; the origin when there is nothing so early.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(duration))
    }
}

/// Tells the time and waits.
pub trait Clock {
    /// The wall-clock time, UTC: for what other machines read. It may be set, forwards and back.
    fn now(&self) -> OffsetDateTime;
    /// The monotonic clock: for every pause, deadline, age and lease of this process. Never goes back, and
    /// goes as fast as [`Self::sleep`].
    fn instant(&self) -> Instant;
    /// Waits, without blocking anything else.
    fn sleep(&self, duration: Duration) -> LocalBoxFuture<'_, ()>;
}

/// Randomness for jitter and ids; for ids it must be unpredictable.
pub trait Random {
    /// 64 uniform random bits.
    fn next_u64(&self) -> u64;

    /// A uniform fraction in `[0, 1)`.
    fn fraction(&self) -> f64 {
        // 53 bits are what an f64 holds exactly.
        #[expect(clippy::cast_precision_loss, reason = "both numbers are below 2^53 or a power of two")]
        let fraction = (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
        fraction
    }
}

/// Everything the clients need from their surroundings.
pub trait Env: Transport + Clock + Random {}
impl<T: Transport + Clock + Random> Env for T {}
