//! The environment of the client: sending a request, reading the clock, random numbers.
//!
//! The traits are used as objects, so that the client is compiled once. Futures are not `Send`, because components and
//! tests are single-threaded.

use std::time::Duration;

use bytes::Bytes;
use futures::future::LocalBoxFuture;
use http::response::Parts;
use http::{Request, Response};
use time::OffsetDateTime;

/// The limits of one try of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Maximum time to connect.
    pub connect: Duration,
    /// Maximum time from sending to the first byte of the response.
    pub first_byte: Duration,
    /// Maximum time between two chunks of the response.
    pub between_bytes: Duration,
    /// Maximum time for the whole try, the body included. A transport may notice only when the next chunk arrives that
    /// it is over, so a body that arrives slowly takes at most [`Self::between_bytes`] longer. [`Duration::MAX`] if the
    /// caller drops the try in time.
    pub total: Duration,
    /// Maximum size of the response body in bytes.
    pub max_response_bytes: usize,
}

impl Limits {
    /// Limits with `time` for each phase and for the whole try.
    #[must_use]
    pub const fn within(time: Duration, max_response_bytes: usize) -> Self {
        Self { connect: time, first_byte: time, between_bytes: time, total: time, max_response_bytes }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            first_byte: Duration::from_secs(15),
            between_bytes: Duration::from_secs(15),
            total: Duration::from_secs(30),
            max_response_bytes: 8 * 1024 * 1024,
        }
    }
}

/// Why there is no response. It tells whether the request may have had its effect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// The connection was not established (refused, unknown host, TLS failure). Nothing was sent.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// The host's policy does not allow the destination. A retry does not help.
    #[error("the destination is not in allowed_outbound_hosts: {0}")]
    Denied(String),
    /// There was no complete response within the limits. The request may have had its effect.
    #[error("no response in time")]
    Timeout,
    /// The connection broke. The request may have had its effect.
    #[error("the connection broke: {0}")]
    Interrupted(String),
    /// The response is larger than [`Limits::max_response_bytes`].
    #[error("the response is larger than {0} bytes")]
    TooLarge(usize),
}

impl TransportError {
    /// Whether the request certainly had no effect.
    #[must_use]
    pub fn is_before_effect(&self) -> bool {
        matches!(self, Self::Connect(_) | Self::Denied(_))
    }
}

/// Called with each chunk of a response's body when it arrives, and with the response's head.
pub type Observer<'a> = &'a dyn Fn(&Parts, &[u8]);

/// The observer for requests whose response is only used as a whole.
pub const UNOBSERVED: Observer<'static> = &|_, _| {};

/// Takes the parts of a large response while it arrives, so that no more than a part is in memory.
pub trait Spill {
    /// Returns the size of a part in bytes, for a response with this head. `None`: the body is not taken in parts, and
    /// [`Limits::max_response_bytes`] holds.
    fn part_bytes(&self, head: &Parts) -> Option<usize>;

    /// The largest body that is taken in parts, in bytes.
    fn max_bytes(&self) -> usize;

    /// Takes the next part. The transport reads on when it was taken.
    ///
    /// # Errors
    /// The error with which the request ends.
    fn take<'a>(&'a self, head: &'a Parts, part: Bytes) -> LocalBoxFuture<'a, Result<(), TransportError>>;
}

/// Sends one request, once. Every HTTP status is a response, not an error.
pub trait Transport {
    /// Sends `request` (absolute URI, whole body) and reads the whole response. `observe` is called for each chunk of
    /// the body; a transport that does not stream may call it once, at the end.
    ///
    /// It adds no header except `content-length`.
    ///
    /// # Errors
    /// [`TransportError`] if there is no complete response within `limits`.
    fn send<'a>(
        &'a self,
        request: Request<Bytes>,
        limits: Limits,
        observe: Observer<'a>,
    ) -> LocalBoxFuture<'a, Result<Response<Bytes>, TransportError>>;

    /// As [`Self::send`], but passes the beginning of a large body to `spill` in parts. The body of the response is the
    /// rest, at least one byte if there were parts.
    ///
    /// A transport that does not stream reads the whole body first.
    ///
    /// # Errors
    /// As [`Self::send`], and those of [`Spill::take`].
    fn send_spilling<'a>(
        &'a self,
        request: Request<Bytes>,
        limits: Limits,
        observe: Observer<'a>,
        spill: &'a dyn Spill,
    ) -> LocalBoxFuture<'a, Result<Response<Bytes>, TransportError>> {
        Box::pin(async move {
            let whole = limits.max_response_bytes;
            let limits = Limits { max_response_bytes: whole.max(spill.max_bytes()), ..limits };
            let (head, mut body) = self.send(request, limits, observe).await?.into_parts();
            let part_bytes = spill.part_bytes(&head);
            let limit = part_bytes.map_or(whole, |_| spill.max_bytes());
            if body.len() > limit {
                return Err(TransportError::TooLarge(limit));
            }
            while let Some(size) = part_bytes.filter(|size| body.len() > *size) {
                spill.take(&head, body.split_to(size)).await?;
            }
            Ok(Response::from_parts(head, body))
        })
    }
}

/// A reading of the monotonic clock, comparable with other readings in the same process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(Duration);

impl Instant {
    /// The reading `elapsed` after the clock's arbitrary origin.
    #[must_use]
    pub const fn since_origin(elapsed: Duration) -> Self {
        Self(elapsed)
    }

    /// The time from `earlier` to `self`; zero if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    /// The reading `duration` later.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }

    /// The reading `duration` earlier, but not before the origin.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(duration))
    }
}

/// The clocks, and waiting.
pub trait Clock {
    /// The wall-clock time in UTC, for dates that other machines read. It may be set forwards and back.
    fn now(&self) -> OffsetDateTime;
    /// The monotonic clock, for every pause, deadline, age and lease of this process. It never goes back, and has the
    /// same rate as [`Self::sleep`].
    fn instant(&self) -> Instant;
    /// Waits without blocking other tasks.
    fn sleep(&self, duration: Duration) -> LocalBoxFuture<'_, ()>;
}

/// Random numbers for jitter and ids. Ids need unpredictable ones.
pub trait Random {
    /// 64 uniform random bits.
    fn next_u64(&self) -> u64;

    /// A uniformly distributed fraction in `[0, 1)`.
    fn fraction(&self) -> f64 {
        // An f64 represents 53 bits exactly.
        #[expect(clippy::cast_precision_loss, reason = "both numbers are below 2^53 or a power of two")]
        let fraction = (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
        fraction
    }
}

/// The environment of the client.
pub trait Env: Transport + Clock + Random {}
impl<T: Transport + Clock + Random> Env for T {}
