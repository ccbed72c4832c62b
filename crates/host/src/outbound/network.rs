//! Real HTTP/1.1 requests over kept connections.
//!
//! hyper-util's pool is not used: it has one connect time-out for all requests, and it cannot close idle connections to
//! one server to make room for another under `max_connections`.

mod connect;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::Request;
use http_body_util::BodyExt;
use hyper::client::conn::http1::SendRequest;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};
use wasmtime_wasi_http::{RequestOptions, WasiBody};

use super::timed_body::TimedBody;
use super::{OutboundError, OutboundResult};
use connect::{Connector, Origin, connection_error};

/// Spin's limit of every wait that the component does not limit itself.
pub(crate) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(600);
/// Idle connections kept per server; more are closed after use.
const MAX_IDLE_PER_ORIGIN: usize = 32;
/// How long an idle connection is kept: less than the usual keep-alive of servers.
const MAX_IDLE_TIME: Duration = Duration::from_secs(20);

/// The network, with the connections that are kept open.
pub struct Network {
    idle: Arc<Mutex<HashMap<Origin, Vec<Idle>>>>,
    connector: Connector,
    pooling: bool,
    /// One permit for each open connection, in use or kept.
    permits: Option<Arc<Semaphore>>,
}

struct Idle {
    sender: SendRequest<WasiBody>,
    since: Instant,
}

impl Default for Network {
    fn default() -> Self {
        Self { idle: Arc::default(), connector: Connector::new(true), pooling: true, permits: None }
    }
}

impl Network {
    /// A network whose connections keep Nagle's algorithm, as Spin's do: a second small segment waits for the
    /// acknowledgement of the first.
    #[must_use]
    pub fn with_nagle() -> Self {
        Self { connector: Connector::new(false), ..Self::default() }
    }

    /// With Spin's two settings: whether connections are kept, and how many there may be at a time.
    #[must_use]
    pub fn new(pooling: bool, max_connections: Option<usize>) -> Self {
        let permits = max_connections.map(|most| Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS))));
        Self { pooling, permits, ..Self::default() }
    }

    /// Waits, as Spin does, until another connection may be opened.
    async fn permit(&self) -> Option<OwnedSemaphorePermit> {
        let permits = Arc::clone(self.permits.as_ref()?);
        if let Ok(permit) = Arc::clone(&permits).try_acquire_owned() {
            return Some(permit);
        }
        // Idle connections hold permits as well: closing them makes room.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
        // The semaphore is never closed.
        permits.acquire_owned().await.ok()
    }

    /// Sends a request and returns the head of the response; its body streams.
    ///
    /// # Errors
    /// [`OutboundError`] when no response came.
    pub async fn send(&self, request: Request<WasiBody>, options: RequestOptions) -> OutboundResult {
        let origin = Origin::of(request.uri())?;
        let mut request = origin_form(request)?;
        let first_byte = options.first_byte_timeout.unwrap_or(DEFAULT_TIMEOUT);
        // A kept connection may have been closed by the server: hyper then returns the unsent request. The last
        // try is on a new connection.
        loop {
            let kept = self.take_idle(&origin);
            let is_kept = kept.is_some();
            let mut sender = match kept {
                Some(sender) => sender,
                None => self.connect(&origin, options).await?,
            };
            let response = timeout(first_byte, sender.try_send_request(request))
                .await
                .map_err(|_| OutboundError::ConnectionReadTimeout)?;
            match response {
                Ok(response) => {
                    self.keep_when_idle(origin, sender);
                    let between = options.between_bytes_timeout.unwrap_or(DEFAULT_TIMEOUT);
                    return Ok(response.map(|body| {
                        let body = body.map_err(|error| connection_error(&error));
                        TimedBody::new(body, between).boxed_unsync()
                    }));
                }
                Err(mut error) => match error.take_message() {
                    Some(unsent) if is_kept => request = unsent,
                    _ => return Err(connection_error(&error.into_error())),
                },
            }
        }
    }

    fn take_idle(&self, origin: &Origin) -> Option<SendRequest<WasiBody>> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let connections = idle.get_mut(origin)?;
        while let Some(connection) = connections.pop() {
            if connection.sender.is_ready() && connection.since.elapsed() < MAX_IDLE_TIME {
                return Some(connection.sender);
            }
        }
        None
    }

    /// Keeps the connection once the response was read to its end. If it is not, the wait ends with the connection.
    fn keep_when_idle(&self, origin: Origin, mut sender: SendRequest<WasiBody>) {
        let pooling = self.pooling;
        let idle = Arc::downgrade(&self.idle);
        tokio::spawn(async move {
            if sender.ready().await.is_err() || !pooling {
                return;
            }
            let Some(idle) = idle.upgrade() else { return };
            let mut idle = idle.lock().unwrap_or_else(PoisonError::into_inner);
            idle.retain(|_, connections| {
                connections.retain(|kept| !kept.sender.is_closed() && kept.since.elapsed() < MAX_IDLE_TIME);
                !connections.is_empty()
            });
            let connections = idle.entry(origin).or_default();
            if connections.len() < MAX_IDLE_PER_ORIGIN {
                connections.push(Idle { sender, since: Instant::now() });
            }
        });
    }

    async fn connect(
        &self,
        origin: &Origin,
        options: RequestOptions,
    ) -> Result<SendRequest<WasiBody>, OutboundError> {
        let limit = options.connect_timeout.unwrap_or(DEFAULT_TIMEOUT);
        // The time to connect covers the wait for a permit.
        let connecting = async { self.connector.connect(origin, self.permit().await).await };
        timeout(limit, connecting).await.unwrap_or(Err(OutboundError::ConnectionTimeout))
    }
}

/// The first line of a request has path and query only; the host is in its header.
fn origin_form(mut request: Request<WasiBody>) -> Result<Request<WasiBody>, OutboundError> {
    let path = request.uri().path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    *request.uri_mut() = path.parse().map_err(|_| OutboundError::HttpRequestUriInvalid)?;
    Ok(request)
}
