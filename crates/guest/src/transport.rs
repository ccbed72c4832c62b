//! Outgoing HTTP over WASI 0.3.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::time::Duration;

use azure::{Limits, Observer, Spill, TransportError};
use bytes::Bytes;
use futures::future::{Either, Fuse, FutureExt as _, select};
use http::header::{CONTENT_LENGTH, HOST, HeaderMap, HeaderValue};
use http::{Method, StatusCode};
use spin_sdk::wasip3::http::client;
use spin_sdk::wasip3::http::types::{ErrorCode, Request, RequestOptions, Response};

use crate::contents::{Reader, Writer};
use crate::{fields, turn};

thread_local! {
    /// The request options of the latest limits. Almost all requests of an instance have those of storage or of a handler,
    /// and a copy is one host call instead of four.
    static OPTIONS: RefCell<Vec<(Limits, RequestOptions)>> = const { RefCell::new(Vec::new()) };
}

/// Request options that an instance keeps.
const MAX_OPTIONS: usize = 4;

/// Sends `request` once and reads the complete response within `limits`. Calls `observe` for each chunk.
///
/// The host keeps the limits by the request options. A timer beside each request cost 4 % of the CPU time of a submission.
/// The total limit is checked at each chunk of a body, so it is exceeded by at most the time between two of them.
///
/// With `spill`, passes the beginning of a large body to it in parts.
pub(crate) async fn send(
    request: http::Request<Bytes>,
    limits: Limits,
    observe: Observer<'_>,
    spill: Option<&dyn Spill>,
) -> Result<http::Response<Bytes>, TransportError> {
    if !is_chained(request.uri()) || limits.total == Duration::MAX {
        return exchange(request, limits, observe, spill).await;
    }
    let exchange = pin!(exchange(request, limits, observe, spill));
    let deadline = pin!(spin_sdk::time::sleep(limits.total));
    match select(exchange, deadline).await {
        Either::Left((response, _)) => response,
        Either::Right(((), _)) => Err(TransportError::Timeout),
    }
}

/// Whether another component of the application responds. Spin ignores the request options of such a request.
fn is_chained(uri: &http::Uri) -> bool {
    uri.host().is_some_and(service::is_component)
}

async fn exchange(
    request: http::Request<Bytes>,
    limits: Limits,
    observe: Observer<'_>,
    spill: Option<&dyn Spill>,
) -> Result<http::Response<Bytes>, TransportError> {
    let began = turn::monotonic();
    let (parts, body) = request.into_parts();
    let (writer, contents, end) = Writer::new(!body.is_empty());
    let headers = headers(&parts.headers, body.len())?;
    let (outgoing, _sent) = Request::new(headers, contents, end, Some(options(limits)));
    address(&outgoing, &parts).map_err(unsendable)?;

    let mut writing = pin!(writer.whole(body).fuse());
    // The request is passed to the host and its body written in the same poll, in this order. The host then reads the
    // body before its connection sends anything, and head and body are sent as one segment. If the program returns to
    // the host between the two, or writes the body first while many requests start, they are sent as two segments, and
    // the second waits for the delayed acknowledgement of the peer: 40 ms and more.
    let response = with_background(client::send(outgoing), writing.as_mut()).await;
    let response = response.map_err(|code| error(&code))?;
    // A server may respond before it has read the complete request; the write continues until the response is complete.
    with_background(receive(response, &parts.method, began, limits, observe, spill), writing).await
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

/// Reads a response. `began` is when the request was sent, by the monotonic clock.
async fn receive(
    response: Response,
    method: &Method,
    began: Duration,
    limits: Limits,
    observe: Observer<'_>,
    spill: Option<&dyn Spill>,
) -> Result<http::Response<Bytes>, TransportError> {
    let invalid = || TransportError::Interrupted("the response is not valid".to_owned());
    let (mut head, ()) = http::Response::new(()).into_parts();
    head.status = StatusCode::from_u16(response.get_status_code()).map_err(|_| invalid())?;
    head.headers = fields::from_wasi(&response.get_headers()).ok_or_else(invalid)?;
    let length = fields::content_length(&head.headers);
    if method == Method::HEAD || matches!(head.status.as_u16(), 204 | 304) || length == Some(0) {
        return Ok(http::Response::from_parts(head, Bytes::new()));
    }
    let parts = spill.and_then(|spill| Some((spill, spill.part_bytes(&head)?)));
    let limit = parts.map_or(limits.max_response_bytes, |(spill, _)| spill.max_bytes());
    if length.is_some_and(|length| length > limit as u64) {
        return Err(TransportError::TooLarge(limit));
    }
    let mut reader = Reader::new(length, |consumed| Response::consume_body(response, consumed));
    let mut whole = reader.buffer();
    let mut spilled = 0;
    loop {
        let received = whole.len();
        let (buffer, result) = reader.append(whole).await;
        whole = buffer;
        if !result.map_err(|code| error(&code))? {
            return Ok(http::Response::from_parts(head, whole.into()));
        }
        if spilled + whole.len() > limit {
            return Err(TransportError::TooLarge(limit));
        }
        observe(&head, whole.get(received..).unwrap_or_default());
        if let Some((spill, size)) = parts {
            while whole.len() > size {
                let rest = whole.split_off(size);
                spilled += size;
                spill.take(&head, std::mem::replace(&mut whole, rest).into()).await?;
            }
        }
        let is_complete = length.is_some_and(|length| (spilled + whole.len()) as u64 >= length);
        if !is_complete && turn::monotonic().saturating_sub(began) > limits.total {
            return Err(TransportError::Timeout);
        }
    }
}

/// The headers with `content-length`: SharedKey signs it, and without it the host sends the body chunked.
fn headers(
    headers: &HeaderMap,
    length: usize,
) -> Result<spin_sdk::wasip3::http::types::Fields, TransportError> {
    let announced = HeaderValue::from(length);
    let is_announced = length > 0 || headers.contains_key(CONTENT_LENGTH);
    // The host sets `host` from the authority and refuses it as a header.
    let others = headers.iter().filter(|(name, _)| **name != HOST && **name != CONTENT_LENGTH);
    fields::to_wasi(others.chain(is_announced.then_some((&CONTENT_LENGTH, &announced))))
        .map_err(|_| unsendable("a header"))
}

/// The request options of `limits`.
fn options(limits: Limits) -> RequestOptions {
    OPTIONS.with_borrow_mut(|kept| {
        if let Some((_, options)) = kept.iter().find(|(known, _)| *known == limits) {
            return options.clone();
        }
        let options = RequestOptions::new();
        // Errors are ignored: a host that does not support a limit has its own.
        let _ = options.set_connect_timeout(Some(nanoseconds(limits.connect)));
        let _ = options.set_first_byte_timeout(Some(nanoseconds(limits.first_byte)));
        let _ = options.set_between_bytes_timeout(Some(nanoseconds(limits.between_bytes)));
        let copy = options.clone();
        if kept.len() == MAX_OPTIONS {
            kept.remove(0);
        }
        kept.push((limits, options));
        copy
    })
}

fn nanoseconds(limit: Duration) -> u64 {
    u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX)
}

fn address(outgoing: &Request, parts: &http::request::Parts) -> Result<(), &'static str> {
    // A request is a GET until another method is set.
    if parts.method != Method::GET {
        outgoing.set_method(&(&parts.method).into()).map_err(|()| "the method")?;
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_component_of_the_application_is_chained() {
        let is_chained = |uri: &str| is_chained(&uri.parse().unwrap());
        assert!(is_chained("http://handler.spin.internal/run"));
        assert!(is_chained("http://Handler.Spin.Internal:80/run"));
        assert!(!is_chained("http://127.0.0.1:10000/devstoreaccount1"));
        assert!(!is_chained("https://acct.blob.core.windows.net/tasks"));
    }
}
