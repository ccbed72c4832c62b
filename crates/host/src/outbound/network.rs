//! Real HTTP/1.1 requests over kept connections, with TCP_NODELAY and, for https, rustls.

use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::uri::Scheme;
use http::{Request, Response, Uri};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use wasmtime_wasi_http::{RequestOptions, WasiBody};

use super::{DEFAULT_TIMEOUT, OutboundError};

/// Connections kept per destination; more are closed after use.
const MAX_IDLE_PER_DESTINATION: usize = 32;
/// How long an unused connection is kept. Below the usual keep-alive of servers.
const MAX_IDLE: Duration = Duration::from_secs(20);

/// The network, with the connections that are kept open.
pub struct Network {
    idle: Arc<Mutex<HashMap<Destination, Vec<Idle>>>>,
    tls: TlsConnector,
    no_delay: bool,
    pooling: bool,
    /// One permit for each open connection, in use or kept.
    permits: Option<Arc<Semaphore>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Destination {
    tls: bool,
    host: String,
    port: u16,
}

struct Idle {
    sender: SendRequest<WasiBody>,
    since: Instant,
}

impl Default for Network {
    fn default() -> Self {
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        Self {
            idle: Arc::default(),
            tls: TlsConnector::from(Arc::new(config)),
            no_delay: true,
            pooling: true,
            permits: None,
        }
    }
}

impl Network {
    /// A network whose connections keep Nagle's algorithm, as Spin's do: a second small segment waits for the
    /// acknowledgement of the first.
    #[must_use]
    pub fn with_nagle() -> Self {
        Self { no_delay: false, ..Self::default() }
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
        // Kept connections count as well: those that nobody uses make room.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
        // The semaphore is never closed.
        permits.acquire_owned().await.ok()
    }

    /// Sends a request and returns the head of the answer; its body streams.
    ///
    /// # Errors
    /// [`OutboundError`], in the component's words, when no answer came.
    pub async fn send(
        &self,
        request: Request<WasiBody>,
        options: RequestOptions,
    ) -> Result<Response<WasiBody>, OutboundError> {
        let destination = Destination::of(request.uri())?;
        let mut request = origin_form(request)?;
        let first_byte = options.first_byte_timeout.unwrap_or(DEFAULT_TIMEOUT);
        // A kept connection may turn out closed: hyper then gives the unsent request back. The last
        // try is on a new connection.
        loop {
            let kept = self.take_idle(&destination);
            let is_kept = kept.is_some();
            let mut sender = match kept {
                Some(sender) => sender,
                None => self.connect(&destination, options).await?,
            };
            let answer = timeout(first_byte, sender.try_send_request(request))
                .await
                .map_err(|_| OutboundError::ConnectionReadTimeout)?;
            match answer {
                Ok(response) => {
                    self.keep_when_idle(destination, sender);
                    let between = options.between_bytes_timeout.unwrap_or(DEFAULT_TIMEOUT);
                    return Ok(response.map(|body| TimedBody::new(body, between).boxed_unsync()));
                }
                Err(mut error) => match error.take_message() {
                    Some(unsent) if is_kept => request = unsent,
                    _ => return Err(connection_error(&error.into_error())),
                },
            }
        }
    }

    fn take_idle(&self, destination: &Destination) -> Option<SendRequest<WasiBody>> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let connections = idle.get_mut(destination)?;
        while let Some(connection) = connections.pop() {
            if connection.sender.is_ready() && connection.since.elapsed() < MAX_IDLE {
                return Some(connection.sender);
            }
        }
        None
    }

    /// Keeps the connection once the answer was read to its end. Otherwise the wait ends with the
    /// connection, and nothing is kept.
    fn keep_when_idle(&self, destination: Destination, mut sender: SendRequest<WasiBody>) {
        let pooling = self.pooling;
        let idle = Arc::downgrade(&self.idle);
        tokio::spawn(async move {
            if sender.ready().await.is_err() || !pooling {
                return;
            }
            let Some(idle) = idle.upgrade() else { return };
            let mut idle = idle.lock().unwrap_or_else(PoisonError::into_inner);
            idle.retain(|_, connections| {
                connections.retain(|kept| !kept.sender.is_closed() && kept.since.elapsed() < MAX_IDLE);
                !connections.is_empty()
            });
            let connections = idle.entry(destination).or_default();
            if connections.len() < MAX_IDLE_PER_DESTINATION {
                connections.push(Idle { sender, since: Instant::now() });
            }
        });
    }

    async fn connect(
        &self,
        destination: &Destination,
        options: RequestOptions,
    ) -> Result<SendRequest<WasiBody>, OutboundError> {
        let limit = options.connect_timeout.unwrap_or(DEFAULT_TIMEOUT);
        // The time to connect covers the wait for a permit.
        let connecting = async {
            let permit = self.permit().await;
            let tcp = open_tcp(destination, self.no_delay).await?;
            if !destination.tls {
                return handshake(TokioIo::new(tcp), permit).await;
            }
            let name = ServerName::try_from(destination.host.trim_matches(['[', ']']).to_owned())
                .map_err(|_| OutboundError::HttpRequestUriInvalid)?;
            let tls = self.tls.connect(name, tcp).await.map_err(OutboundError::Tls)?;
            handshake(TokioIo::new(tls), permit).await
        };
        timeout(limit, connecting).await.unwrap_or(Err(OutboundError::ConnectionTimeout))
    }
}

impl Destination {
    fn of(uri: &Uri) -> Result<Self, OutboundError> {
        let host = uri.host().ok_or(OutboundError::HttpRequestUriInvalid)?;
        let tls = uri.scheme() == Some(&Scheme::HTTPS);
        let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
        Ok(Self { tls, host: host.to_ascii_lowercase(), port })
    }
}

/// A server wants path and query in the first line; the host is in its header already.
fn origin_form(mut request: Request<WasiBody>) -> Result<Request<WasiBody>, OutboundError> {
    let path = request.uri().path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    *request.uri_mut() = path.parse().map_err(|_| OutboundError::HttpRequestUriInvalid)?;
    Ok(request)
}

async fn open_tcp(destination: &Destination, no_delay: bool) -> Result<TcpStream, OutboundError> {
    let host = destination.host.trim_matches(['[', ']']);
    let addresses = tokio::net::lookup_host((host, destination.port)).await.map_err(|error| {
        OutboundError::DnsError { rcode: Some(error.kind().to_string()), info_code: None }
    })?;
    let mut last = OutboundError::DestinationNotFound;
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                // For components that leave head and body of a small request to two writes: the second would
                // wait for the server's delayed acknowledgement.
                stream.set_nodelay(no_delay).map_err(OutboundError::Connect)?;
                return Ok(stream);
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                last = OutboundError::ConnectionRefused;
            }
            Err(error) => last = OutboundError::Connect(error),
        }
    }
    Err(last)
}

async fn handshake<T>(
    stream: T,
    permit: Option<OwnedSemaphorePermit>,
) -> Result<SendRequest<WasiBody>, OutboundError>
where
    T: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let (sender, connection) = http1::handshake(stream).await?;
    tokio::spawn(async move {
        // Whoever waits for an answer on it is told by hyper.
        let _ = connection.await;
        drop(permit);
    });
    Ok(sender)
}

fn connection_error(error: &hyper::Error) -> OutboundError {
    if error.is_timeout() {
        OutboundError::ConnectionReadTimeout
    } else if error.is_parse() {
        OutboundError::HttpProtocolError
    } else if error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
        OutboundError::ConnectionTerminated
    } else if error.is_user() {
        OutboundError::InternalError(Some(error.to_string()))
    } else {
        // Reset or broken pipe.
        OutboundError::ConnectionTerminated
    }
}

/// An answer's body that fails when nothing comes for too long.
struct TimedBody {
    body: Incoming,
    between: Duration,
    deadline: Pin<Box<Sleep>>,
}

impl TimedBody {
    fn new(body: Incoming, between: Duration) -> Self {
        Self { body, between, deadline: Box::pin(tokio::time::sleep(between)) }
    }
}

impl Body for TimedBody {
    type Data = Bytes;
    type Error = OutboundError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, OutboundError>>> {
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(frame) => {
                let deadline = Instant::now() + self.between;
                self.deadline.as_mut().reset(deadline);
                Poll::Ready(frame.map(|frame| frame.map_err(|error| connection_error(&error))))
            }
            Poll::Pending => {
                ready!(self.deadline.as_mut().poll(cx));
                Poll::Ready(Some(Err(OutboundError::ConnectionReadTimeout)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
