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

/// A connection on the same machine stands at once or not at all.
const CONNECT: Duration = Duration::from_secs(5);
/// Far above what either route answers.
const LARGEST_ANSWER: usize = 64 * 1024;

/// Why a request had no usable answer, without addresses that hold a query.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Broken(String);

impl Broken {
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

/// Connects to the host and port of `uri`.
pub(crate) async fn open<B>(uri: &Uri) -> Result<SendRequest<B>, Broken>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let stream = timeout(CONNECT, TcpStream::connect((host, uri.port_u16().unwrap_or(80))))
        .await
        .map_err(|_| Broken::new("no connection within 5 s"))?
        .map_err(|error| Broken::new(format!("cannot connect: {error}")))?;
    // Without it the control lines would wait for an acknowledgement of what was sent before.
    stream.set_nodelay(true).map_err(|error| Broken::new(error.to_string()))?;
    let (sender, connection) =
        handshake(TokioIo::new(stream)).await.map_err(|error| Broken::new(error.to_string()))?;
    // Ends by itself once the sender and both bodies are gone; its error also reaches the request.
    tokio::spawn(connection);
    Ok(sender)
}

/// The `host` header for `uri`.
pub(crate) fn host_header(uri: &Uri) -> HeaderValue {
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    HeaderValue::from_str(authority).unwrap_or(HeaderValue::from_static("localhost"))
}

/// Reads the whole body of an answer, up to a bound.
pub(crate) async fn whole(answer: Response<Incoming>) -> Result<Response<Bytes>, Broken> {
    let (head, body) = answer.into_parts();
    let body = Limited::new(body, LARGEST_ANSWER)
        .collect()
        .await
        .map_err(|error| Broken::new(format!("the answer broke off: {error}")))?;
    Ok(Response::from_parts(head, body.to_bytes()))
}

/// `GET uri`, all of it within `limit`.
pub(crate) async fn get(uri: &Uri, limit: Duration) -> Result<Response<Bytes>, Broken> {
    let exchange = async {
        let mut sender = open::<Empty<Bytes>>(uri).await?;
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let request = Request::get(path)
            .header(HOST, host_header(uri))
            .body(Empty::new())
            .map_err(|error| Broken::new(error.to_string()))?;
        let answer = sender.send_request(request).await.map_err(|error| Broken::new(error.to_string()))?;
        whole(answer).await
    };
    timeout(limit, exchange).await.map_err(|_| Broken::new("no answer in time"))?
}
