//! Conversion of incoming requests and their responses.

use bytes::Bytes;
use futures::StreamExt as _;
use http::header::CONTENT_LENGTH;
use service::body::{Body, BodyError, RequestBody};
use spin_sdk::wasip3::http::types::{ErrorCode, Request, Response};

use crate::contents::{Reader, Writer};
use crate::{fields, turn};

/// The body of an incoming request, read on demand.
pub struct Inbound(Source);

enum Source {
    /// Nothing has been read. The length is the announced one.
    Request(Request, Option<u64>),
    Body(Reader),
    Ended,
}

impl RequestBody for Inbound {
    async fn chunk(&mut self) -> Result<Option<Bytes>, BodyError> {
        let mut reader = match std::mem::replace(&mut self.0, Source::Ended) {
            Source::Request(request, length) => {
                Reader::new(length, |consumed| Request::consume_body(request, consumed))
            }
            Source::Body(reader) => reader,
            Source::Ended => return Ok(None),
        };
        let (chunk, result) = reader.append(reader.buffer()).await;
        match result {
            Ok(true) => {
                self.0 = Source::Body(reader);
                Ok(Some(chunk.into()))
            }
            Ok(false) => Ok(None),
            Err(_) => Err(BodyError::Broken("the client stopped sending".to_owned())),
        }
    }
}

/// Converts a request of the host.
pub(crate) fn request(request: Request) -> Result<http::Request<Inbound>, ErrorCode> {
    let invalid = |_: http::Error| ErrorCode::HttpRequestUriInvalid;
    let mut uri = http::Uri::builder();
    if let Some(scheme) = request.get_scheme() {
        uri = uri.scheme(http::uri::Scheme::try_from(scheme).map_err(|_| ErrorCode::HttpRequestUriInvalid)?);
    }
    if let Some(authority) = request.get_authority() {
        uri = uri.authority(authority);
    }
    if let Some(path) = request.get_path_with_query() {
        uri = uri.path_and_query(path);
    }
    let method =
        http::Method::try_from(request.get_method()).map_err(|_| ErrorCode::HttpRequestMethodInvalid)?;
    let headers =
        fields::from_wasi(&request.get_headers()).ok_or(ErrorCode::HttpRequestHeaderSectionSize(None))?;
    let length = fields::content_length(&headers);
    let (mut head, ()) = http::Request::new(()).into_parts();
    head.method = method;
    head.uri = uri.build().map_err(invalid)?;
    head.headers = headers;
    Ok(http::Request::from_parts(head, Inbound(Source::Request(request, length))))
}

/// Passes a response to the host. The body is written after the head was returned. If the client disconnects, the
/// write fails, which drops a streamed body and its source.
pub(crate) fn respond(response: http::Response<Body>, is_head: bool) -> Result<Response, ErrorCode> {
    let (mut parts, body) = response.into_parts();
    let bodyless = is_head || matches!(parts.status.as_u16(), 204 | 304);
    if let Body::Full(bytes) = &body {
        // Without a length the host sends chunks, in two segments, and the second is delayed. A response to HEAD has
        // the length that GET would have, which the API has set, and no body stream: hosts compare the length only
        // with a stream.
        if !bodyless {
            parts.headers.insert(CONTENT_LENGTH, bytes.len().into());
        } else if !is_head {
            parts.headers.remove(CONTENT_LENGTH);
        }
    }
    let headers = fields::to_wasi(parts.headers.iter())
        .map_err(|_| ErrorCode::InternalError(Some("the host refuses a response header".to_owned())))?;
    let (writer, contents, end) = Writer::new(!bodyless);
    let (outgoing, _sent) = Response::new(headers, contents, end);
    let _ = outgoing.set_status_code(parts.status.as_u16());
    spin_sdk::wasip3::spawn(async move {
        match body {
            _ if bodyless => writer.end().await,
            Body::Full(bytes) => writer.whole(bytes).await,
            Body::Stream(chunks) => turn::in_turns(stream(writer, chunks)).await,
        }
    });
    Ok(outgoing)
}

/// Writes chunks as they come, until the host drops its end because the client has disconnected.
async fn stream(mut writer: Writer, mut chunks: futures::stream::LocalBoxStream<'static, Bytes>) {
    while let Some(chunk) = chunks.next().await {
        if !writer.chunk(chunk).await {
            return;
        }
    }
    writer.end().await;
}
