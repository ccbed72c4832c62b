//! Outgoing HTTP over WASI 0.3.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::time::Duration;

use azure::{Limits, Observer, TransportError};
use bytes::Bytes;
use futures::future::{Either, Fuse, FutureExt as _, select};
use http_body_util::{BodyExt as _, Full};
use spin_sdk::wasip3::http::client;
use spin_sdk::wasip3::http::types::{ErrorCode, Fields, Request, RequestOptions};
use spin_sdk::wasip3::http_compat::{BodyWriter, IncomingResponseBody, http_from_wasi_response};

/// Sends `request` once and reads the complete response within `limits`. Calls `observe` for each chunk.
pub(crate) async fn send(
    request: http::Request<Bytes>,
    limits: Limits,
    observe: Observer<'_>,
) -> Result<http::Response<Bytes>, TransportError> {
    let exchange = pin!(exchange(request, limits, observe));
    let deadline = pin!(spin_sdk::time::sleep(limits.total));
    match select(exchange, deadline).await {
        Either::Left((response, _)) => response,
        Either::Right(((), _)) => Err(TransportError::Timeout),
    }
}

async fn exchange(
    request: http::Request<Bytes>,
    limits: Limits,
    observe: Observer<'_>,
) -> Result<http::Response<Bytes>, TransportError> {
    let (parts, body) = request.into_parts();
    let (writer, contents, trailers) = BodyWriter::new();
    // No stream for an empty body: the host would send it chunked.
    let contents = (!body.is_empty()).then_some(contents);
    let headers = header_list(&parts.headers, body.len());
    let headers = Fields::from_list(&headers).map_err(|_| unsendable("a header"))?;
    let (outgoing, _sent) = Request::new(headers, contents, trailers, Some(options(limits)));
    address(&outgoing, &parts).map_err(unsendable)?;

    let mut body = Full::new(body);
    let mut writing = pin!(writer.send_http_body(&mut body).fuse());
    // The request is passed to the host and its body written in the same poll, in this order. The host then reads the
    // body before its connection sends anything, and head and body are sent as one segment. If the program returns to
    // the host between the two, or writes the body first while many requests start, they are sent as two segments, and
    // the second waits for the delayed acknowledgement of the peer: 40 ms and more.
    let response = with_background(client::send(outgoing), writing.as_mut()).await;
    let response = response.map_err(|code| error(&code))?;
    let response = http_from_wasi_response(response).map_err(|code| error(&code))?;
    let (head, incoming) = response.into_parts();
    // A server may respond before it has read the complete request; the write continues until the response is complete.
    let observe = |chunk: &[u8]| observe(&head, chunk);
    let bytes = with_background(collect(incoming, limits.max_response_bytes, &observe), writing).await?;
    Ok(http::Response::from_parts(head, bytes))
}

/// Runs `main` to its end. Polls `background` after each poll of `main` that is pending, and ignores its outcome.
async fn with_background<T>(main: impl Future<Output = T>, mut background: Pin<&mut Fuse<impl Future>>) -> T {
    let mut main = pin!(main);
    poll_fn(|cx| {
        let polled = main.as_mut().poll(cx);
        if polled.is_pending() {
            let _ = background.as_mut().poll(cx);
        }
        polled
    })
    .await
}

async fn collect(
    mut body: IncomingResponseBody,
    limit: usize,
    observe: &dyn Fn(&[u8]),
) -> Result<Bytes, TransportError> {
    let mut whole = Vec::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(|code| error(&code))?.into_data() {
            if whole.len() + data.len() > limit {
                return Err(TransportError::TooLarge(limit));
            }
            observe(&data);
            whole.extend_from_slice(&data);
        }
    }
    Ok(whole.into())
}

/// The headers with `content-length`: SharedKey signs it, and without it the host sends the body chunked.
fn header_list(headers: &http::HeaderMap, length: usize) -> Vec<(String, Vec<u8>)> {
    let mut list: Vec<_> = headers
        .iter()
        // The host sets `host` from the authority and refuses it as a header.
        .filter(|(name, _)| **name != http::header::HOST && **name != http::header::CONTENT_LENGTH)
        .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()))
        .collect();
    if length > 0 || headers.contains_key(http::header::CONTENT_LENGTH) {
        list.push(("content-length".to_owned(), length.to_string().into_bytes()));
    }
    list
}

fn options(limits: Limits) -> RequestOptions {
    let nanoseconds = |limit: Duration| u64::try_from(limit.as_nanos()).ok();
    let options = RequestOptions::new();
    // Errors are ignored: a host may not support a timeout, and the total limit still applies.
    let _ = options.set_connect_timeout(nanoseconds(limits.connect));
    let _ = options.set_first_byte_timeout(nanoseconds(limits.first_byte));
    let _ = options.set_between_bytes_timeout(nanoseconds(limits.first_byte));
    options
}

fn address(outgoing: &Request, parts: &http::request::Parts) -> Result<(), &'static str> {
    outgoing.set_method(&(&parts.method).into()).map_err(|()| "the method")?;
    let scheme = parts.uri.scheme().map(Into::into);
    outgoing.set_scheme(scheme.as_ref()).map_err(|()| "the scheme")?;
    let authority = parts.uri.authority().map(http::uri::Authority::as_str);
    outgoing.set_authority(authority).map_err(|()| "the authority")?;
    let path = parts.uri.path_and_query().map(http::uri::PathAndQuery::as_str);
    outgoing.set_path_with_query(path).map_err(|()| "the path")
}

fn unsendable(part: &str) -> TransportError {
    TransportError::Denied(format!("{part} of the request is not acceptable to the host"))
}

/// Converts a WASI error code. Texts inside the code are dropped, because they may contain a URL.
fn error(code: &ErrorCode) -> TransportError {
    let connect = |reason: &str| TransportError::Connect(reason.to_owned());
    match code {
        ErrorCode::HttpRequestDenied | ErrorCode::DestinationIpProhibited => {
            TransportError::Denied("the host refuses this destination".to_owned())
        }
        ErrorCode::ConnectionRefused => connect("connection refused"),
        ErrorCode::ConnectionTimeout => connect("no connection in time"),
        ErrorCode::ConnectionLimitReached => connect("too many connections"),
        ErrorCode::DnsTimeout | ErrorCode::DnsError(_) => connect("the host name cannot be resolved"),
        ErrorCode::DestinationNotFound
        | ErrorCode::DestinationUnavailable
        | ErrorCode::DestinationIpUnroutable => connect("the destination cannot be reached"),
        ErrorCode::TlsProtocolError | ErrorCode::TlsCertificateError | ErrorCode::TlsAlertReceived(_) => {
            connect("TLS failed")
        }
        ErrorCode::ConnectionReadTimeout
        | ErrorCode::ConnectionWriteTimeout
        | ErrorCode::HttpResponseTimeout => TransportError::Timeout,
        ErrorCode::ConnectionTerminated => TransportError::Interrupted("it was closed".to_owned()),
        _ => TransportError::Interrupted("the exchange failed".to_owned()),
    }
}
