//! One HTTP/1.1 connection to a host on this machine or in this pod.

use std::time::Duration;

use bytes::Bytes;
use http::header::HOST;
use http::{HeaderValue, Request, Response, Uri};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// On the same machine a connection takes milliseconds or fails.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Far above what the drain and health routes return.
const MAX_RESPONSE_BYTES: usize = 64 * 1024;

/// Why a request had no usable response; never contains a query string.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RequestError(String);

impl RequestError {
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

/// Connects to the host and port of `uri`.
pub(crate) async fn connect<B>(uri: &Uri) -> Result<SendRequest<B>, RequestError>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let stream = timeout(CONNECT_TIMEOUT, TcpStream::connect((host, uri.port_u16().unwrap_or(80))))
        .await
        .map_err(|_| RequestError::new("no connection within 5 s"))?
        .map_err(|error| RequestError::new(format!("cannot connect: {error}")))?;
    // Otherwise Nagle's algorithm holds a control line back until the peer has acknowledged what was sent before.
    stream.set_nodelay(true).map_err(|error| RequestError::new(error.to_string()))?;
    let (sender, connection) =
        handshake(TokioIo::new(stream)).await.map_err(|error| RequestError::new(error.to_string()))?;
    // Ends by itself once the sender and both bodies are gone; its error also reaches the request.
    tokio::spawn(connection);
    Ok(sender)
}

/// The `host` header for `uri`.
pub(crate) fn host_header(uri: &Uri) -> HeaderValue {
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    HeaderValue::from_str(authority).unwrap_or(HeaderValue::from_static("localhost"))
}

/// Reads the body of a response, up to [`MAX_RESPONSE_BYTES`].
pub(crate) async fn read_body(response: Response<Incoming>) -> Result<Response<Bytes>, RequestError> {
    let (head, body) = response.into_parts();
    let body = Limited::new(body, MAX_RESPONSE_BYTES)
        .collect()
        .await
        .map_err(|error| RequestError::new(format!("the response broke off: {error}")))?;
    Ok(Response::from_parts(head, body.to_bytes()))
}

/// Sends `GET uri` and reads the response, all of it within `limit`.
pub(crate) async fn get(uri: &Uri, limit: Duration) -> Result<Response<Bytes>, RequestError> {
    let exchange = async {
        let mut sender = connect::<Empty<Bytes>>(uri).await?;
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let request = Request::get(path)
            .header(HOST, host_header(uri))
            .body(Empty::new())
            .map_err(|error| RequestError::new(error.to_string()))?;
        let response =
            sender.send_request(request).await.map_err(|error| RequestError::new(error.to_string()))?;
        read_body(response).await
    };
    timeout(limit, exchange).await.map_err(|_| RequestError::new("no response in time"))?
}
